//! SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): what happens when is the seed's choice, each fault's its own.

use std::time::Duration;

pub(crate) struct Chance(u64);

impl Chance {
    /// The choices of one fault of a campaign.
    pub(crate) fn of(seed: u64, fault: u64) -> Self {
        let mut chance = Self(seed ^ fault.wrapping_mul(0xd134_2543_de82_ef95));
        chance.bits();
        chance
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.bits() % below.max(1)
    }

    /// Evenly between the two, in milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    /// True this often in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

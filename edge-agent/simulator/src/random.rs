//! Chance that its seed determines: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).

/// A sequence of draws that its seed determines, on every machine.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own for one part of the whole: draws made by one part do not shift another's.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        // FNV-1a, 64 bits.
        let mixed = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut part = Self(mixed);
        part.bits();
        part
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in `0..1`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly in `from..to`.
    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `0..count`; `count` is not zero.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count - 1)
    }

    /// Which of `weights`, by its share of their sum.
    pub fn pick(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// Standard normal: the sum of four even draws, scaled (kurtosis 2.7). No tails beyond 3.5, and no logarithm or sine,
    /// whose last bits differ between machines' libraries.
    pub fn normal(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 3f64.sqrt()
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_parts_differ() {
        let draw = |mut chance: Chance| [chance.bits(), chance.bits()];
        assert_eq!(draw(Chance::new(3)), draw(Chance::new(3)));
        let whole = Chance::new(3);
        assert_ne!(draw(whole.part("world")), draw(whole.part("detector")));
        assert_ne!(draw(whole.part("world")), draw(Chance::new(4).part("world")));
    }

    #[test]
    fn draws_have_the_mean_and_spread_they_promise() {
        let mut chance = Chance::new(1);
        let n = 40_000;
        let normal: Vec<f64> = (0..n).map(|_| chance.normal()).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(n);
        let variance = normal.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        let waited = (0..n).map(|_| chance.exponential(5.0)).sum::<f64>() / f64::from(n);
        assert!((waited - 5.0).abs() < 0.1, "{waited}");
        let picked = (0..n).filter(|_| chance.pick(&[1.0, 3.0]) == 1).count() as f64 / f64::from(n);
        assert!((picked - 0.75).abs() < 0.02, "{picked}");
    }
}

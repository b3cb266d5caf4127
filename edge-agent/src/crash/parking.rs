//! When a camera that crashed the program is left alone, and for how long.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::unix_ms;

/// So many crashes within [`WINDOW_MS`] park a camera: one may be chance.
const CRASHES: usize = 3;
const WINDOW_MS: u64 = 10 * 60 * 1000;
/// How long it is parked for the first time. Raising it leaves a camera that was repaired blind for longer; lowering it lets
/// one that was not take the others down more often.
const FIRST_MS: u64 = 30 * 60 * 1000;
/// Each further crash parks at once, twice as long, up to this.
const MOST_MS: u64 = 24 * 60 * 60 * 1000;
/// After so long without a crash, while it was connected to, all is forgiven.
const FORGET_MS: u64 = 24 * 60 * 60 * 1000;

/// One camera's crashes; times in ms since 1970 by the box's clock.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parking {
    /// The last ones, ascending.
    crashes: Vec<u64>,
    /// Times it was parked in a row.
    parks: u32,
    until: u64,
}

/// A camera that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    /// From now on.
    pub remaining: Duration,
}

impl Parking {
    /// Takes notice of a crash; whether the camera is parked for it.
    pub(super) fn crashed(&mut self, at: SystemTime) -> bool {
        let at = unix_ms(at);
        if self.crashes.last().is_some_and(|last| (*last).max(self.until).abs_diff(at) > FORGET_MS) {
            *self = Self::default();
        }
        // A clock that was set back: what seems to come is taken for recent.
        self.crashes.retain(|crash| at.saturating_sub(*crash) <= WINDOW_MS);
        self.crashes.push(at);
        let parks = self.parks > 0 || self.crashes.len() >= CRASHES;
        if parks {
            let doubled = FIRST_MS.saturating_mul(1 << self.parks.min(16));
            self.until = at.saturating_add(doubled.min(MOST_MS));
            self.parks += 1;
        }
        parks
    }

    pub(super) fn parked(&self, now: SystemTime) -> Option<Parked> {
        // Longer than it is ever parked for: the clock was set back since.
        let remaining_ms = self.until.checked_sub(unix_ms(now)).filter(|ms| (1..=MOST_MS).contains(ms))?;
        Some(Parked { remaining: Duration::from_millis(remaining_ms) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + minutes * 60)
    }

    fn minutes(parked: Option<Parked>) -> Option<u64> {
        parked.map(|parked| parked.remaining.as_secs() / 60)
    }

    #[test]
    fn crashes_far_apart_do_not_park() {
        let mut parking = Parking::default();
        for minute in [0, 6, 12, 18, 24, 30] {
            assert!(!parking.crashed(at(minute)), "{minute}");
        }
        assert_eq!(parking.parked(at(30)), None);
    }

    #[test]
    fn each_further_crash_parks_twice_as_long_up_to_a_day() {
        let (mut parking, mut now) = (Parking::default(), 0);
        for minute in [0, 2] {
            assert!(!parking.crashed(at(minute)));
        }
        for expected in [30, 60, 120, 240, 480, 960, 1440, 1440] {
            now += 5;
            assert!(parking.crashed(at(now)));
            assert_eq!(minutes(parking.parked(at(now))), Some(expected));
            now += expected;
            assert_eq!(parking.parked(at(now)), None, "tried again");
        }
    }

    #[test]
    fn a_day_without_a_crash_forgives() {
        let mut parking = Parking::default();
        for minute in [0, 1, 2] {
            parking.crashed(at(minute));
        }
        assert!(!parking.crashed(at(2 + 30 + 24 * 60 + 1)));
    }

    #[test]
    fn a_clock_that_is_set_back_parks_nobody_for_years() {
        let mut parking = Parking::default();
        for minute in [0, 1, 2] {
            parking.crashed(at(minute));
        }
        assert_eq!(parking.parked(SystemTime::UNIX_EPOCH), None);
    }
}

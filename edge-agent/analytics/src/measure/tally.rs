//! What was counted so far in an interval: sums only, so that it is small, can be kept over a restart and gives the same
//! figures whether it was interrupted or not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::Direction;
use crate::time::WallTime;

/// Widths of the classes of the speed histogram, in km/h.
pub(super) const SPEED_CLASS_KMH: f64 = 1.0;

/// Faster than this is as fast as this, in km/h.
const FASTEST_KMH: f64 = 300.0;

/// One interval's sums. Lines, lanes and classes by their names: a restart may find them configured otherwise, and what
/// was counted was counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// When the interval begins, in nanoseconds since the Unix epoch.
    pub(super) from_unix_nanos: i64,
    /// Its length in nanoseconds.
    pub(super) length_nanos: i64,
    /// Media time analysed in it, in seconds.
    pub(super) observed_s: f64,
    pub(super) frames: u64,
    pub(super) lines: BTreeMap<String, LineTally>,
    /// From gate, to gate, class.
    pub(super) movements: Vec<(String, String, String, u32)>,
    pub(super) lanes: BTreeMap<String, LaneTally>,
}

impl Tally {
    /// When the interval begins.
    #[must_use]
    pub fn from(&self) -> WallTime {
        WallTime::from_unix_nanos(self.from_unix_nanos)
    }

    /// When it ends.
    #[must_use]
    pub fn until(&self) -> WallTime {
        WallTime::from_unix_nanos(self.from_unix_nanos.saturating_add(self.length_nanos))
    }

    pub(super) fn count_movement(&mut self, from: &str, to: &str, class: &str) {
        let known =
            self.movements.iter_mut().find(|(f, t, c, _)| (f.as_str(), t.as_str(), c.as_str()) == (from, to, class));
        match known {
            Some((.., count)) => *count += 1,
            None => self.movements.push((from.to_owned(), to.to_owned(), class.to_owned(), 1)),
        }
    }
}

/// One line's, both ways.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct LineTally {
    pub(super) left_to_right: WayTally,
    pub(super) right_to_left: WayTally,
}

impl LineTally {
    pub(super) fn way(&mut self, direction: Direction) -> &mut WayTally {
        match direction {
            Direction::LeftToRight => &mut self.left_to_right,
            Direction::RightToLeft => &mut self.right_to_left,
        }
    }
}

/// One way over a line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct WayTally {
    /// By class.
    pub(super) counts: BTreeMap<String, u32>,
    pub(super) headway: Mean,
    pub(super) gap: Mean,
    pub(super) speed: SpeedTally,
}

/// A mean in the making.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Mean {
    pub(super) sum: f64,
    pub(super) count: u32,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    pub(super) fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// Speeds of those who crossed, in km/h on the ground.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct SpeedTally {
    pub(super) count: u32,
    /// Of 1/v, for the harmonic mean, and of its square, for that mean's error.
    pub(super) inverse: f64,
    pub(super) inverse_squared: f64,
    /// Of the shares by which each may be wrong.
    pub(super) errors: f64,
    /// How many in each class of [`SPEED_CLASS_KMH`], by its number.
    pub(super) histogram: BTreeMap<u16, u32>,
}

impl SpeedTally {
    /// Adds one that may be wrong by the share `error`. Slower than a tenth of a histogram class is no crossing speed: it stood on the line.
    pub(super) fn add(&mut self, kmh: f64, error: f64) {
        if kmh.is_nan() || kmh < SPEED_CLASS_KMH / 10.0 {
            return;
        }
        let kmh = kmh.min(FASTEST_KMH);
        self.count += 1;
        self.errors += error;
        self.inverse += 1.0 / kmh;
        self.inverse_squared += 1.0 / (kmh * kmh);
        *self.histogram.entry((kmh / SPEED_CLASS_KMH) as u16).or_default() += 1;
    }
}

/// One lane's, integrated over the media time observed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct LaneTally {
    /// Of occupancy (0 to 1).
    pub(super) occupied_s: f64,
    /// Of vehicles present, and of passenger-car units.
    pub(super) vehicle_s: f64,
    pub(super) pcu_s: f64,
    /// Time and way in metres of vehicles whose speed on the ground is known (Edie).
    pub(super) timed_s: f64,
    pub(super) travelled_m: f64,
    /// The lane's length as last known.
    pub(super) length_m: Option<f64>,
    /// Of vehicles in the longest queue.
    pub(super) queued_s: f64,
    pub(super) queue_most: u32,
    pub(super) queue_longest_m: Option<f64>,
}

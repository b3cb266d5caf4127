//! Two clocks that never mix: [`MediaTime`] runs with the pictures, [`WallTime`] is the calendar's.

use std::ops::{Add, Sub};
use std::time::Duration;

use crate::id::CameraId;

/// Nanoseconds since a camera's session began, by the pictures' own timestamps. Never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaTime(u64);

impl MediaTime {
    /// The start of a session.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds since the session began.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the session began.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the session began.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for MediaTime {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Nanoseconds since 1970-01-01T00:00:00Z (may be wrong: a box may start before its clock is set).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(i64);

impl WallTime {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch; zero before it.
    #[must_use]
    pub fn as_unix_millis(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(0)
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(rhs.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for WallTime {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(rhs.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// Where and when a frame was taken; travels unchanged from the source to the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameStamp {
    /// The camera.
    pub camera: CameraId,
    /// Number of the frame within the camera's session, counted from 1, dropped ones included.
    pub seq: u64,
    /// Media time.
    pub pts: MediaTime,
    /// Wall time at which the frame was received (live) or the clip's start plus media time (replay).
    pub captured_at: WallTime,
}

//! How a camera's frames arrive: how many a second, and why there are none.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::{FrameStamp, MediaTime};

/// The rate is that of so long.
const WINDOW: Duration = Duration::from_secs(5);

/// It is told from so much of it.
const LEAST: Duration = Duration::from_secs(4);

/// After so long a pause it is measured anew: a pause is an outage, not a rate.
const PAUSE: Duration = Duration::from_secs(3);

/// Time constant of the usual rate.
const ADAPT: Duration = Duration::from_secs(600);

/// The usual rate is known after this long.
const LEARN: Duration = Duration::from_secs(30);

/// Why no frames come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageCause {
    /// The camera is silent or away.
    Lost,
    /// It refuses the log-in.
    Unauthorised,
}

/// Frames do not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Why.
    pub cause: OutageCause,
    /// For how long by now.
    pub lasts: Duration,
}

/// A rate of arriving frames, dropped ones included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Frames a second over the last seconds.
    pub fps: f64,
    /// The same as it is most of the time; `None`: not known yet.
    pub usual_fps: Option<f64>,
}

/// A camera's calendar clock beside the box's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraClock {
    /// Seconds by which it is ahead; behind is negative.
    pub ahead_s: f64,
    /// By how much the box's own clock may be wrong, in seconds.
    pub error_s: f64,
}

impl CameraClock {
    /// Further off than this is wrong. Raising it spares cameras behind slow links, whose reports arrive late; it costs
    /// footage that is stamped that much off.
    pub const LIMIT_S: f64 = 2.0;

    /// By how much it is certainly wrong, in seconds.
    #[must_use]
    pub fn wrong_by_s(self) -> f64 {
        (self.ahead_s.abs() - self.error_s).max(0.0)
    }
}

/// A camera's stream as of one scene.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stream {
    /// Why no frame comes; `None` with a frame.
    pub outage: Option<Outage>,
    /// Once it is known.
    pub rate: Option<Rate>,
    /// Where both clocks are known.
    pub clock: Option<CameraClock>,
}

/// Measures the rate by the numbers and times of the frames that are analysed.
#[derive(Debug, Default)]
pub struct RateMeter {
    recent: VecDeque<(u64, MediaTime)>,
    usual_fps: f64,
    learnt: Duration,
}

impl RateMeter {
    /// Takes the next analysed frame.
    pub fn tick(&mut self, stamp: &FrameStamp) -> Option<Rate> {
        let last = self.recent.back().map(|(_, at)| *at);
        let passed = last.map_or(Duration::ZERO, |last| stamp.pts.since(last));
        // A frame number that goes back: another session.
        if passed > PAUSE || self.recent.back().is_some_and(|(seq, _)| *seq >= stamp.seq) {
            self.recent.clear();
        }
        self.recent.push_back((stamp.seq, stamp.pts));
        while self.recent.front().is_some_and(|(_, at)| stamp.pts.since(*at) > WINDOW) {
            self.recent.pop_front();
        }
        let (first, since) = *self.recent.front()?;
        let span = stamp.pts.since(since);
        if span < LEAST {
            return None;
        }
        let fps = (stamp.seq - first) as f64 / span.as_secs_f64();
        self.learnt += passed.min(PAUSE);
        let over = if self.learnt < LEARN { self.learnt } else { ADAPT };
        self.usual_fps += (fps - self.usual_fps) * share(passed.min(PAUSE), over);
        Some(Rate { fps, usual_fps: (self.learnt >= LEARN).then_some(self.usual_fps) })
    }
}

fn share(passed: Duration, of: Duration) -> f64 {
    (passed.as_secs_f64() / of.as_secs_f64().max(1e-3)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CameraId;
    use crate::time::WallTime;

    /// Frames of a camera that gives `fps`, of which every `every`th is analysed, from `start` for `seconds`.
    fn rates(meter: &mut RateMeter, (fps, every): (u64, u64), start: f64, seconds: u64, seq: &mut u64) -> Vec<Rate> {
        let mut rates = Vec::new();
        for frame in 0..seconds * fps {
            *seq += 1;
            let pts = MediaTime::from_nanos((start * 1e9) as u64 + frame * 1_000_000_000 / fps);
            let camera = CameraId::new("cam").expect("id");
            let stamp = FrameStamp { camera, seq: *seq, pts, captured_at: WallTime::UNIX_EPOCH };
            if frame % every == 0 {
                rates.extend(meter.tick(&stamp));
            }
        }
        rates
    }

    #[test]
    fn frames_that_were_not_analysed_count_and_a_pause_does_not() {
        for every in [1, 5, 25] {
            let (mut meter, mut seq) = (RateMeter::default(), 0);
            let before = rates(&mut meter, (25, every), 0.0, 60, &mut seq);
            let after = rates(&mut meter, (25, every), 500.0, 60, &mut seq);
            for rate in before.iter().chain(&after) {
                assert!((rate.fps - 25.0).abs() < 0.5, "every {every}: {rate:?}");
            }
            assert!(after.last().and_then(|rate| rate.usual_fps).is_some_and(|usual| (usual - 25.0).abs() < 0.5));
        }
    }

    #[test]
    fn the_usual_rate_follows_slowly() {
        let (mut meter, mut seq) = (RateMeter::default(), 0);
        rates(&mut meter, (25, 5), 0.0, 600, &mut seq);
        let slow = rates(&mut meter, (5, 1), 600.0, 20, &mut seq);
        let last = slow.last().copied().expect("rates");
        assert!((last.fps - 5.0).abs() < 0.2 && last.usual_fps.is_some_and(|usual| usual > 23.0), "{last:?}");
    }
}

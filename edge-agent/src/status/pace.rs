//! The pace of cameras over the last seconds, for people who look: a minute's mean, as health messages give, tells them
//! of a change too late.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{CameraSource, Latency};

/// Looks that rates are taken over; there is one a second.
const LOOKS: usize = 10;
/// Latency needs more frames than that: it is taken over so many times as long.
const LATENCY_ROUNDS: usize = 6;

/// A camera's pace over the last seconds.
#[derive(Debug, Clone, Default)]
pub struct CameraPace {
    /// Frames asked for, a second.
    pub asked_fps: f64,
    /// Frames received, a second.
    pub received_fps: f64,
    /// Frames analysed, a second.
    pub analysed_fps: f64,
    /// From arrival to judged and committed, over the last minute.
    pub latency: Latency,
    /// How long frames have come without one being analysed.
    pub unanalysed_for: Duration,
}

/// What was counted at a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// Pictures, decoded or not.
    pub(super) received: u64,
    /// Of them, decoded.
    pub(super) arrived: u64,
    pub(super) analysed: u64,
}

/// The last looks at every camera.
#[derive(Debug, Default)]
pub(super) struct Paces {
    looks: VecDeque<(Instant, Vec<Count>)>,
    latencies: VecDeque<Vec<Latency>>,
    since_latencies: usize,
    unanalysed: Vec<Duration>,
}

impl Paces {
    /// Looks at the counters.
    pub(super) fn look(&mut self, cameras: &[CameraSource], now: Instant) -> Vec<CameraPace> {
        let counts = cameras.iter().map(|CameraSource { slot, counters, .. }| Count {
            received: slot.received(),
            arrived: slot.arrived(),
            analysed: counters.totals().analysed,
        });
        let mut paces = self.note(counts.collect(), now);
        let latencies: Vec<Latency> = cameras.iter().map(|camera| camera.counters.latency().judged).collect();
        for (index, (pace, camera)) in paces.iter_mut().zip(cameras).enumerate() {
            pace.asked_fps = camera.analyse_fps;
            let earlier = self.latencies.front().and_then(|earlier| earlier.get(index));
            pace.latency = earlier.map_or_else(|| latencies[index].clone(), |earlier| latencies[index].since(earlier));
        }
        if self.since_latencies == 0 {
            self.latencies.push_back(latencies);
            self.latencies.drain(..self.latencies.len().saturating_sub(LATENCY_ROUNDS));
        }
        self.since_latencies = (self.since_latencies + 1) % LOOKS;
        paces
    }

    /// Rates from counts.
    pub(super) fn note(&mut self, counts: Vec<Count>, now: Instant) -> Vec<CameraPace> {
        self.unanalysed.resize(counts.len(), Duration::ZERO);
        if let Some((at, before)) = self.looks.back() {
            for ((unanalysed, before), count) in self.unanalysed.iter_mut().zip(before).zip(&counts) {
                if count.analysed > before.analysed {
                    *unanalysed = Duration::ZERO;
                } else if count.arrived > before.arrived {
                    *unanalysed += now.saturating_duration_since(*at);
                }
            }
        }
        let rates = |index: usize, count: &Count| match self.looks.front() {
            Some((at, first)) => {
                let seconds = now.saturating_duration_since(*at).as_secs_f64().max(1e-3);
                let rate = |last: u64, first: u64| (last - first) as f64 / seconds;
                (rate(count.received, first[index].received), rate(count.analysed, first[index].analysed))
            }
            None => (0.0, 0.0),
        };
        let paces = counts.iter().enumerate().map(|(index, count)| {
            let (received_fps, analysed_fps) = rates(index, count);
            let unanalysed_for = self.unanalysed[index];
            CameraPace { received_fps, analysed_fps, unanalysed_for, ..CameraPace::default() }
        });
        let paces = paces.collect();
        self.looks.push_back((now, counts));
        self.looks.drain(..self.looks.len().saturating_sub(LOOKS));
        paces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pace after so many seconds; each second so many frames come and are analysed.
    fn pace(seconds: u64, each: impl Fn(u64) -> (u64, u64)) -> CameraPace {
        let start = Instant::now();
        let (mut paces, mut last) = (Paces::default(), Vec::new());
        let (mut arrived, mut analysed) = (0, 0);
        for second in 0..=seconds {
            let (came, done) = each(second);
            (arrived, analysed) = (arrived + came, analysed + done);
            last =
                paces.note(vec![Count { received: arrived, arrived, analysed }], start + Duration::from_secs(second));
        }
        last.pop().expect("one camera")
    }

    #[test]
    fn the_pace_is_that_of_the_last_ten_seconds() {
        let pace = pace(60, |second| if second <= 50 { (25, 5) } else { (10, 2) });
        assert_eq!((pace.received_fps, pace.analysed_fps), (10.0, 2.0));
    }

    #[test]
    fn frames_that_nobody_analyses_are_noticed_and_a_silent_camera_is_not() {
        assert_eq!(pace(60, |second| (25, if second <= 40 { 5 } else { 0 })).unanalysed_for, Duration::from_secs(20));
        assert_eq!(pace(60, |_| (25, 1)).unanalysed_for, Duration::ZERO);
        assert_eq!(pace(60, |second| if second <= 40 { (25, 5) } else { (0, 0) }).unanalysed_for, Duration::ZERO);
    }
}

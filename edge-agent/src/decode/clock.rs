//! Media time from what buffers say and from when they arrive. Pure: time is an argument.
//!
//! # Invariants
//! - Every [`MediaTime`] is later than the one before, whatever the timestamps do.
//! - Live: media time follows the timestamps, and strays at most [`TOLERANCE`] from the monotonic time that has
//!   passed since the session's first frame, however often the camera reconnects.
//! - File: the same timestamps give the same media times; a gap forwards in the file is a gap in media time.

use std::time::{Duration, Instant};

use analytics::MediaTime;

/// How far a live stream's timestamps may stray from the monotonic clock before they are taken for wrong. Network
/// jitter and a camera's burst of buffered frames stay below it; steps of a camera's clock do not.
pub const TOLERANCE: Duration = Duration::from_secs(1);

/// A timestamp that goes back by more than this has begun anew; by less, frames are out of order.
const RESTART: Duration = Duration::from_secs(1);

/// From one frame to the next where timestamps cannot tell.
const MIN_STEP: Duration = Duration::from_millis(1);

/// The clock of a live camera's session; outlives its connections.
#[derive(Debug, Clone, Default)]
pub struct LiveClock {
    first_arrival: Option<Instant>,
    last: Option<MediaTime>,
    anchor: Option<Anchor>,
    jumps: u64,
}

/// A timestamp and the media time it stands for.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    pts: Duration,
    media: MediaTime,
    last_pts: Duration,
}

impl LiveClock {
    /// A new connection: its timestamps have nothing to do with the ones before.
    pub fn reconnect(&mut self) {
        self.anchor = None;
    }

    /// Timestamps that were not believed: they went back, or disagreed with the monotonic clock.
    #[must_use]
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// Media time of the next frame: its timestamp, if it has one, and when it arrived.
    pub fn tick(&mut self, pts: Option<Duration>, arrived_at: Instant) -> MediaTime {
        let passed = arrived_at.saturating_duration_since(*self.first_arrival.get_or_insert(arrived_at));
        let by_arrival = MediaTime::ZERO + passed;
        let media = match (pts, self.anchor.as_mut()) {
            (None, _) => by_arrival,
            (Some(pts), None) => self.anchor_at(pts, by_arrival),
            (Some(pts), Some(anchor)) => {
                let by_pts = anchor.media + pts.saturating_sub(anchor.pts);
                let goes_back = pts < anchor.last_pts;
                anchor.last_pts = pts;
                let strays = by_pts.since(by_arrival).max(by_arrival.since(by_pts));
                if goes_back || strays > TOLERANCE {
                    self.jumps += 1;
                    self.anchor_at(pts, by_arrival)
                } else {
                    by_pts
                }
            }
        };
        let media = self.last.map_or(media, |last| media.max(last + MIN_STEP));
        self.last = Some(media);
        media
    }

    fn anchor_at(&mut self, pts: Duration, by_arrival: MediaTime) -> MediaTime {
        self.anchor = Some(Anchor { pts, media: by_arrival, last_pts: pts });
        by_arrival
    }
}

/// The clock of a clip: the first frame is at zero.
#[derive(Debug, Clone, Default)]
pub struct FileClock {
    /// The timestamp and the media time of the frame that the others are measured from.
    origin: Option<(Duration, MediaTime)>,
    last: Option<(Option<Duration>, MediaTime)>,
}

impl FileClock {
    /// Media time of the next frame; `nominal` is a frame's duration by the container, for frames without a usable
    /// timestamp: none, one that goes back, or one that repeats the last (AVI files with packed B-frames do that).
    pub fn tick(&mut self, pts: Option<Duration>, nominal: Duration) -> MediaTime {
        let next = self.last.map_or(MediaTime::ZERO, |(_, media)| media + nominal.max(MIN_STEP));
        let media = match (pts, self.origin) {
            (None, _) => next,
            (Some(pts), None) => {
                self.origin = Some((pts, next));
                next
            }
            (Some(pts), Some((origin, base))) => {
                let by_pts = base + pts.saturating_sub(origin);
                let last_pts = self.last.and_then(|(pts, _)| pts).unwrap_or(origin);
                if last_pts.saturating_sub(pts) > RESTART {
                    self.origin = Some((pts, next));
                    next
                } else if self.last.is_some_and(|(_, last)| by_pts < last + MIN_STEP) {
                    next
                } else {
                    by_pts
                }
            }
        };
        self.last = Some((pts.or(self.last.and_then(|(pts, _)| pts)), media));
        media
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn media_ms(time: MediaTime) -> u64 {
        time.as_nanos() / 1_000_000
    }

    #[test]
    fn live_time_follows_the_timestamps_not_the_jitter_of_arrival() {
        let (mut clock, start) = (LiveClock::default(), Instant::now());
        let arrivals = [0, 90, 95, 300, 310];
        let times: Vec<_> = (0..)
            .zip(arrivals)
            .map(|(k, arrival)| media_ms(clock.tick(Some(ms(7000) + FRAME * k), start + ms(arrival))))
            .collect();
        assert_eq!(times, [0, 40, 80, 120, 160]);
        assert_eq!(clock.jumps(), 0);
    }

    #[test]
    fn live_time_goes_on_over_a_reconnect_by_the_time_that_passed() {
        let (mut clock, start) = (LiveClock::default(), Instant::now());
        clock.tick(Some(ms(500)), start);
        clock.tick(Some(ms(540)), start + ms(40));
        clock.reconnect();
        assert_eq!(media_ms(clock.tick(Some(ms(0)), start + ms(9000))), 9000);
        assert_eq!(media_ms(clock.tick(Some(ms(40)), start + ms(9050))), 9040);
        assert_eq!(clock.jumps(), 0, "a reconnect is no jump");
    }

    #[test]
    fn a_step_of_the_cameras_clock_is_counted_and_not_believed() {
        for stepped in [ms(0), ms(3_600_000)] {
            let (mut clock, start) = (LiveClock::default(), Instant::now());
            clock.tick(Some(ms(100_000)), start);
            assert_eq!(media_ms(clock.tick(Some(stepped), start + ms(40))), 40);
            assert_eq!(media_ms(clock.tick(Some(stepped + FRAME), start + ms(85))), 80);
            assert_eq!(clock.jumps(), 1);
        }
    }

    #[test]
    fn live_frames_without_timestamps_are_timed_by_arrival() {
        let (mut clock, start) = (LiveClock::default(), Instant::now());
        let times: Vec<_> = [0, 30, 30, 100].map(|arrival| media_ms(clock.tick(None, start + ms(arrival)))).into();
        assert_eq!(times, [0, 30, 31, 100]);
    }

    #[test]
    fn a_file_keeps_its_gaps_and_begins_at_zero() {
        let mut clock = FileClock::default();
        let times: Vec<_> = [80, 120, 900, 940].map(|pts| media_ms(clock.tick(Some(ms(pts)), FRAME))).into();
        assert_eq!(times, [0, 40, 820, 860]);
    }

    #[test]
    fn a_file_frame_without_or_behind_its_timestamp_takes_the_nominal_step() {
        let mut clock = FileClock::default();
        let repeated = Some(ms(160) + Duration::from_nanos(1));
        let pts = [Some(ms(0)), None, Some(ms(80)), Some(ms(40)), Some(ms(160)), repeated, Some(ms(240))];
        let times: Vec<_> = pts.map(|pts| media_ms(clock.tick(pts, FRAME))).into();
        assert_eq!(times, [0, 40, 80, 120, 160, 200, 240]);
    }

    #[test]
    fn a_file_whose_timestamps_begin_anew_goes_on() {
        let mut clock = FileClock::default();
        let pts = [0, 40, 5000, 0, 40, 80];
        let times: Vec<_> = pts.map(|pts| media_ms(clock.tick(Some(ms(pts)), FRAME))).into();
        assert_eq!(times, [0, 40, 5000, 5040, 5080, 5120]);
    }

    /// One thing a camera does: its timestamp (if any), how long until it arrives, and whether it reconnected before.
    fn steps() -> impl Strategy<Value = Vec<(Option<u64>, u64, bool)>> {
        let pts = prop::option::weighted(0.9, prop_oneof![0..2_000_u64, 0..100_000_000_u64]);
        prop::collection::vec((pts, prop_oneof![0..100_u64, 0..20_000_u64], prop::bool::weighted(0.1)), 1..60)
    }

    proptest! {
        #[test]
        fn live_time_ascends_and_stays_near_the_monotonic_clock(steps in steps()) {
            let (mut clock, start) = (LiveClock::default(), Instant::now());
            let (mut now, mut last) = (start, None);
            let steps_taken = u32::try_from(steps.len()).expect("few");
            for (k, (pts, wait, reconnects)) in steps.into_iter().enumerate() {
                if k > 0 {
                    now += ms(wait);
                }
                if reconnects {
                    clock.reconnect();
                }
                let media = clock.tick(pts.map(ms), now);
                prop_assert!(last.is_none_or(|last| media > last));
                last = Some(media);
                let passed = MediaTime::ZERO + (now - start);
                let strays = media.since(passed).max(passed.since(media));
                prop_assert!(strays <= TOLERANCE + MIN_STEP * steps_taken, "{strays:?}");
            }
        }

        #[test]
        fn file_time_ascends_and_repeats(steps in steps()) {
            let run = || {
                let mut clock = FileClock::default();
                steps.iter().map(|(pts, ..)| clock.tick(pts.map(ms), FRAME)).collect::<Vec<_>>()
            };
            let times = run();
            prop_assert_eq!(times[0], MediaTime::ZERO);
            prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(times, run());
        }
    }
}

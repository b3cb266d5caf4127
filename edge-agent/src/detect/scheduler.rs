//! Which camera's frame is inferred next: of those with a fresh frame and nothing under way, the one that is due first.
//! Overload is thereby shared fairly: every camera's rate falls alike, frames are replaced in their slots, nothing
//! queues and latency stays flat.
//!
//! # Invariants
//! - At most one frame of a camera is under way between [`Scheduler::next`] and [`Scheduler::done`]: a camera's frames
//!   reach its core in order, and a core that waits for a disk holds up no worker.
//!
//! # Ownership
//! Shared by the inference workers, who block in `next`, and the camera tasks, who call `done`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frame::{Frame, FrameSignal, FrameSlot};

/// One camera as the scheduler sees it.
#[derive(Debug)]
struct Lane {
    slot: Arc<FrameSlot>,
    interval: Duration,
    due: Instant,
    busy: bool,
}

#[derive(Debug)]
struct State {
    lanes: Vec<Lane>,
    stopped: bool,
}

/// Hands frames to inference workers.
#[derive(Debug)]
pub struct Scheduler {
    state: Mutex<State>,
    signal: Arc<FrameSignal>,
}

/// A frame to be inferred.
#[derive(Debug)]
pub struct Job {
    /// Index of the camera.
    pub lane: usize,
    /// Its latest frame.
    pub frame: Frame,
}

impl Scheduler {
    /// A scheduler over cameras' slots and target rates (frames a second); all slots notify `signal`.
    #[must_use]
    pub fn new(signal: Arc<FrameSignal>, cameras: Vec<(Arc<FrameSlot>, f64)>, now: Instant) -> Self {
        let lanes = cameras
            .into_iter()
            .map(|(slot, fps)| Lane { slot, interval: Duration::from_secs_f64(1.0 / fps), due: now, busy: false })
            .collect();
        Self { state: Mutex::new(State { lanes, stopped: false }), signal }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until a camera is due and has a fresh frame; `None` once stopped.
    pub fn next(&self) -> Option<Job> {
        loop {
            let seen = self.signal.generation();
            match self.poll(Instant::now()) {
                Poll::Job(job) => return Some(job),
                Poll::Stopped => return None,
                Poll::Wait(until) => self.signal.wait(seen, until),
            }
        }
    }

    fn poll(&self, now: Instant) -> Poll {
        let mut state = self.state();
        if state.stopped {
            return Poll::Stopped;
        }
        let ready = state.lanes.iter().enumerate().filter(|(_, lane)| !lane.busy && lane.slot.is_ready());
        let Some((index, due)) = ready.map(|(index, lane)| (index, lane.due)).min_by_key(|(_, due)| *due) else {
            return Poll::Wait(None);
        };
        if due > now {
            return Poll::Wait(Some(due));
        }
        let lane = &mut state.lanes[index];
        let Some(frame) = lane.slot.take() else { return Poll::Wait(Some(now)) };
        // On the grid while it keeps up, so that the rate is held exactly; a late camera owes nothing.
        lane.due = if now.duration_since(lane.due) < lane.interval { lane.due } else { now } + lane.interval;
        lane.busy = true;
        Poll::Job(Job { lane: index, frame })
    }

    /// The camera's core has finished with its last frame.
    pub fn done(&self, lane: usize) {
        self.state().lanes[lane].busy = false;
        self.signal.notify();
    }

    /// Ends all `next` calls, now and later.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.signal.notify();
    }
}

enum Poll {
    Job(Job),
    Wait(Option<Instant>),
    Stopped,
}

#[cfg(test)]
mod tests {
    use analytics::{CameraId, FrameStamp, MediaTime, WallTime};

    use super::*;
    use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};

    fn frame(seq: u64) -> Frame {
        let layout = PictureLayout {
            width: 2,
            height: 2,
            format: PixelFormat::I420,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
            planes: [(0, 2), (4, 1), (5, 1)].map(|(offset, stride)| PlaneLayout { offset, stride }),
        };
        let camera = CameraId::new("a").expect("valid");
        Frame {
            stamp: FrameStamp { camera, seq, pts: MediaTime::ZERO, captured_at: WallTime::UNIX_EPOCH },
            arrived_at: Instant::now(),
            camera_ahead_s: None,
            picture: Arc::new(Picture::new(layout, Box::new(vec![0; 6])).expect("fits")),
        }
    }

    fn scheduler(cameras: usize, fps: f64, start: Instant) -> (Scheduler, Vec<Arc<FrameSlot>>) {
        let signal = Arc::new(FrameSignal::default());
        let slots: Vec<_> = (0..cameras).map(|_| Arc::new(FrameSlot::new(Arc::clone(&signal)))).collect();
        let lanes = slots.iter().map(|slot| (Arc::clone(slot), fps)).collect();
        (Scheduler::new(signal, lanes, start), slots)
    }

    /// Runs simulated time: every camera has a fresh frame at every step, one worker takes `cost` a frame.
    fn counts(cameras: usize, fps: f64, cost: Duration, seconds: u64) -> Vec<u32> {
        let start = Instant::now();
        let (scheduler, slots) = scheduler(cameras, fps, start);
        let mut counts = vec![0; cameras];
        let mut now = start;
        while now < start + Duration::from_secs(seconds) {
            slots.iter().for_each(|slot| slot.put(frame(1)));
            match scheduler.poll(now) {
                Poll::Job(job) => {
                    counts[job.lane] += 1;
                    scheduler.done(job.lane);
                    now += cost;
                }
                Poll::Wait(until) => now = until.expect("a frame is always there"),
                Poll::Stopped => unreachable!("not stopped"),
            }
        }
        counts
    }

    #[test]
    fn the_asked_rate_is_held_when_there_is_time() {
        assert_eq!(counts(4, 5.0, Duration::from_millis(15), 10), [50; 4]);
    }

    #[test]
    fn overload_is_shared_fairly() {
        let counts = counts(8, 20.0, Duration::from_millis(15), 10);
        let (least, most) = (counts.iter().min().expect("8"), counts.iter().max().expect("8"));
        assert!(most - least <= 1, "{counts:?}");
        assert!(*least >= 82, "the worker is never idle: {counts:?}");
    }

    #[test]
    fn a_camera_whose_core_is_busy_is_passed_over() {
        let start = Instant::now();
        let (scheduler, slots) = scheduler(2, 5.0, start);
        slots[0].put(frame(1));
        assert!(matches!(scheduler.poll(start), Poll::Job(Job { lane: 0, .. })));
        slots[0].put(frame(2));
        let later = start + Duration::from_secs(1);
        assert!(matches!(scheduler.poll(later), Poll::Wait(None)));
        slots[1].put(frame(1));
        assert!(matches!(scheduler.poll(later), Poll::Job(Job { lane: 1, .. })));
        scheduler.done(0);
        assert!(matches!(scheduler.poll(later), Poll::Job(Job { lane: 0, frame }) if frame.stamp.seq == 2));
    }

    #[test]
    fn stopping_wakes_waiting_workers() {
        let (scheduler, _slots) = scheduler(1, 5.0, Instant::now());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| scheduler.next().is_none());
            scheduler.stop();
            assert!(waiting.join().expect("no panic"));
        });
    }
}

//! Which camera's frame is inferred next: of those with a fresh frame and nothing under way, the one that is due first.
//! Overload is thereby shared fairly: every camera's rate falls alike, frames are replaced in their slots, nothing
//! queues and latency stays flat. Of cameras that are due at the same time the one that matters most comes first. Rates can
//! be changed at run time, also to none at all.
//!
//! # Invariants
//! - At most one frame of a camera is under way between [`Scheduler::next`] and [`Scheduler::done`]: a camera's frames
//!   reach its core in order, and a core that waits for a disk holds up no worker.
//!
//! # Ownership
//! Shared by the inference workers, who block in `next`, and the camera tasks, who call `done`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frame::{Frame, FrameSignal, FrameSlot};

/// A worker that waits looks up so often, so that its idleness is known while it lasts.
const LOOK_UP: Duration = Duration::from_millis(250);

/// One camera as the scheduler sees it.
#[derive(Debug)]
struct Lane {
    slot: Arc<FrameSlot>,
    /// `None`: paused.
    interval: Option<Duration>,
    /// 1 matters most.
    priority: u8,
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
    idle_micros: AtomicU64,
}

/// A camera to be scheduled.
#[derive(Debug)]
pub struct LaneParams {
    /// Where its frames are; it notifies the scheduler's signal.
    pub slot: Arc<FrameSlot>,
    /// Frames a second.
    pub fps: f64,
    /// 1 matters most.
    pub priority: u8,
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
    /// A scheduler over cameras; all slots notify `signal`.
    #[must_use]
    pub fn new(signal: Arc<FrameSignal>, cameras: Vec<LaneParams>, now: Instant) -> Self {
        let lane = |LaneParams { slot, fps, priority }| Lane {
            slot,
            interval: interval(fps),
            priority,
            due: now,
            busy: false,
        };
        let lanes = cameras.into_iter().map(lane).collect();
        Self { state: Mutex::new(State { lanes, stopped: false }), signal, idle_micros: AtomicU64::new(0) }
    }

    /// From now on the camera is given so many frames a second; 0: none, and the frame that waits is dropped, because it
    /// would be old when the camera is given frames again.
    pub fn set_rate(&self, lane: usize, fps: f64, now: Instant) {
        let mut state = self.state();
        let lane = &mut state.lanes[lane];
        lane.interval = interval(fps);
        match lane.interval {
            Some(interval) => lane.due = lane.due.min(now + interval),
            None => drop(lane.slot.take()),
        }
        drop(state);
        self.signal.notify();
    }

    /// How long workers have waited for frames so far, all together.
    pub fn idle(&self) -> Duration {
        Duration::from_micros(self.idle_micros.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until a camera is due and has a fresh frame; `None` once stopped.
    pub fn next(&self) -> Option<Job> {
        loop {
            let seen = self.signal.generation();
            let now = Instant::now();
            match self.poll(now) {
                Poll::Job(job) => return Some(job),
                Poll::Stopped => return None,
                Poll::Wait(until) => {
                    let look_up = now + LOOK_UP;
                    self.signal.wait(seen, Some(until.map_or(look_up, |until| until.min(look_up))));
                    let waited = u64::try_from(now.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.idle_micros.fetch_add(waited, Ordering::Relaxed);
                }
            }
        }
    }

    fn poll(&self, now: Instant) -> Poll {
        let mut state = self.state();
        if state.stopped {
            return Poll::Stopped;
        }
        let ready = state.lanes.iter().enumerate().filter_map(|(index, lane)| {
            let interval = lane.interval.filter(|_| !lane.busy && lane.slot.is_ready())?;
            let is_urgent = lane.due > now && lane.slot.is_urgent();
            Some((index, interval, lane.due, lane.priority, is_urgent))
        });
        // What is urgent comes behind what is due: it takes nobody's turn.
        let first = ready.min_by_key(|(_, _, due, priority, is_urgent)| (*due > now && !is_urgent, *due, *priority));
        let Some((index, interval, due, _, is_urgent)) = first else { return Poll::Wait(None) };
        if due > now && !is_urgent {
            return Poll::Wait(Some(due));
        }
        let lane = &mut state.lanes[index];
        let Some(frame) = lane.slot.take() else { return Poll::Wait(Some(now)) };
        // On the grid while it keeps up, so that the rate is held exactly; a late camera owes nothing.
        if due <= now {
            lane.due = if now.duration_since(lane.due) < interval { lane.due } else { now } + interval;
        }
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

/// Between two frames; `None`: there is none.
fn interval(fps: f64) -> Option<Duration> {
    (fps > 0.0).then(|| Duration::from_secs_f64(1.0 / fps))
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
    use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range, Turn};

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
            held_for: Duration::ZERO,
            turn: Turn::Latest,
            picture: Arc::new(Picture::new(layout, Box::new(vec![0; 6])).expect("fits")),
        }
    }

    fn scheduler(cameras: usize, fps: f64, start: Instant) -> (Scheduler, Vec<Arc<FrameSlot>>) {
        let signal = Arc::new(FrameSignal::default());
        let slots: Vec<_> = (0..cameras).map(|_| Arc::new(FrameSlot::new(Arc::clone(&signal)))).collect();
        let lanes = slots.iter().map(|slot| LaneParams { slot: Arc::clone(slot), fps, priority: 1 }).collect();
        (Scheduler::new(signal, lanes, start), slots)
    }

    /// Runs simulated time: every camera has a fresh frame at every step, one worker takes `cost` a frame.
    fn counts(cameras: usize, fps: f64, cost: Duration, seconds: u64) -> Vec<u32> {
        let start = Instant::now();
        let (scheduler, slots) = scheduler(cameras, fps, start);
        run(&scheduler, &slots, cost, start..start + Duration::from_secs(seconds))
    }

    fn run(
        scheduler: &Scheduler,
        slots: &[Arc<FrameSlot>],
        cost: Duration,
        time: std::ops::Range<Instant>,
    ) -> Vec<u32> {
        let mut counts = vec![0; slots.len()];
        let mut now = time.start;
        while now < time.end {
            slots.iter().for_each(|slot| slot.put(frame(1)));
            match scheduler.poll(now) {
                Poll::Job(job) => {
                    counts[job.lane] += 1;
                    scheduler.done(job.lane);
                    now += cost;
                }
                Poll::Wait(until) => now = until.unwrap_or(time.end),
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
    fn rates_change_at_run_time_and_the_others_have_what_one_gives_up() {
        let start = Instant::now();
        let (scheduler, slots) = scheduler(4, 10.0, start);
        let at = |seconds| start + Duration::from_secs(seconds);
        // 20 frames a second for four cameras.
        let cost = Duration::from_millis(50);
        assert_eq!(run(&scheduler, &slots, cost, at(0)..at(10)), [50; 4]);
        scheduler.set_rate(0, 2.0, at(10));
        let slower = run(&scheduler, &slots, cost, at(10)..at(20));
        assert_eq!(slower[0], 20, "{slower:?}");
        assert!(slower[1..].iter().all(|count| count.abs_diff(60) <= 1), "{slower:?}");
        scheduler.set_rate(1, 0.0, at(20));
        let paused = run(&scheduler, &slots, cost, at(20)..at(30));
        assert_eq!(paused[1], 0, "{paused:?}");
        assert!(paused[2..].iter().all(|count| count.abs_diff(90) <= 1), "{paused:?}");
        scheduler.set_rate(0, 10.0, at(30));
        scheduler.set_rate(1, 10.0, at(30));
        let again = run(&scheduler, &slots, cost, at(30)..at(40));
        assert!(again.iter().all(|count| count.abs_diff(50) <= 1), "{again:?}");
    }

    #[test]
    fn a_frame_from_before_a_pause_is_not_given_out_after_it() {
        let start = Instant::now();
        let (scheduler, slots) = scheduler(1, 5.0, start);
        slots[0].put(frame(1));
        scheduler.set_rate(0, 0.0, start);
        scheduler.set_rate(0, 5.0, start);
        assert!(matches!(scheduler.poll(start + Duration::from_secs(1)), Poll::Wait(None)));
    }

    #[test]
    fn of_cameras_due_at_once_the_one_that_matters_most_comes_first() {
        let (signal, start) = (Arc::new(FrameSignal::default()), Instant::now());
        let lane = |priority| LaneParams { slot: Arc::new(FrameSlot::new(Arc::clone(&signal))), fps: 5.0, priority };
        let lanes = vec![lane(3), lane(1), lane(2)];
        lanes.iter().for_each(|lane| lane.slot.put(frame(1)));
        let scheduler = Scheduler::new(signal, lanes, start);
        let order = [(); 3].map(|()| match scheduler.poll(start) {
            Poll::Job(job) => job.lane,
            Poll::Wait(_) | Poll::Stopped => unreachable!("frames are there"),
        });
        assert_eq!(order, [1, 2, 0]);
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
    fn frames_that_are_caught_up_with_are_given_at_once_and_take_nobodys_turn() {
        let start = Instant::now();
        let (scheduler, slots) = scheduler(2, 5.0, start);
        let give = |at| match scheduler.poll(at) {
            Poll::Job(job) => {
                scheduler.done(job.lane);
                Some(job.lane)
            }
            Poll::Wait(_) | Poll::Stopped => None,
        };
        let late = |seq| Frame { turn: Turn::CatchUp, ..frame(seq) };
        slots[0].put(frame(1));
        assert_eq!(give(start), Some(0));
        let soon = start + Duration::from_millis(20);
        slots[0].put(frame(2));
        assert_eq!(give(soon), None, "it is not due");
        for seq in 3..8 {
            slots[0].put_late(late(seq));
            assert_eq!(give(soon), Some(0));
        }
        slots[0].put_late(late(8));
        slots[1].put(frame(1));
        assert_eq!([give(soon), give(soon)], [Some(1), Some(0)], "what is due comes first");
        slots[0].put(frame(9));
        assert_eq!(give(start + Duration::from_millis(200)), Some(0), "its own turn is what it was");
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

//! Signs of life: which of the program's loops hangs, for whoever can start it again.
//!
//! A loop that waits for work is alive, for however long. One that has been at one piece of work for too long hangs; one
//! that has ended (its [`Pulse`] is dropped) while it was still watched is dead. A loop that waits for a disk or a broker
//! to recover and looks again and again is alive too: starting the program afresh would cure neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WAITING: u64 = 0;
const ENDED: u64 = u64::MAX;

/// The loop's own side.
#[derive(Debug)]
pub struct Pulse(Beat);

/// The watcher's side.
#[derive(Debug, Clone)]
pub struct Beat {
    /// [`WAITING`], [`ENDED`], or when the work began: milliseconds after `epoch`, plus one.
    state: Arc<AtomicU64>,
    epoch: Instant,
}

impl Pulse {
    /// Of a loop that waits for its first work.
    #[must_use]
    pub fn new() -> (Self, Beat) {
        let beat = Beat { state: Arc::new(AtomicU64::new(WAITING)), epoch: Instant::now() };
        (Self(beat.clone()), beat)
    }

    /// A piece of work begins, or has just gone one step on.
    pub fn works(&self) {
        let now = u64::try_from(self.0.epoch.elapsed().as_millis()).unwrap_or(ENDED - 2);
        self.0.state.store(now + 1, Ordering::Relaxed);
    }

    /// It is done; the loop waits for the next.
    pub fn waits(&self) {
        self.0.state.store(WAITING, Ordering::Relaxed);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.state.store(ENDED, Ordering::Relaxed);
    }
}

impl Beat {
    /// Whether the loop has been at one piece of work for `limit`, or has ended.
    #[must_use]
    pub fn is_missing(&self, limit: Duration) -> bool {
        match self.state.load(Ordering::Relaxed) {
            WAITING => false,
            ENDED => true,
            began => self.epoch.elapsed() >= Duration::from_millis(began - 1) + limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn only_work_that_does_not_end_and_loops_that_do_are_missed() {
        let (pulse, beat) = Pulse::new();
        assert!(!beat.is_missing(Duration::ZERO), "it waits");
        pulse.works();
        assert!(beat.is_missing(Duration::ZERO));
        assert!(!beat.is_missing(LONG));
        pulse.waits();
        assert!(!beat.is_missing(Duration::ZERO));
        drop(pulse);
        assert!(beat.is_missing(LONG), "it is dead");
    }
}

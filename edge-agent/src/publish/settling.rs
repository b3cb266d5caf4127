//! The time that subscribers are given to come back to a broker that may have forgotten them, as far as the broker answers in it.
//!
//! A broker that stands still lets nobody in: one that has just restarted may be busy with all that return, or frozen. So it is
//! asked again and again, and for each answer no more of the time counts than lies between two questions.

use tokio::time::{Duration, Instant};

/// Questions in all. More notice shorter standstills; each is a round trip.
const QUESTIONS: u32 = 6;

/// A time that is not over yet.
#[derive(Debug)]
pub(super) struct Settling {
    left: Duration,
    every: Duration,
    counted_to: Instant,
    /// When the broker is to be asked; `None`: an answer is due.
    ask_at: Option<Instant>,
}

impl Settling {
    /// Of this length, from now on; none of no length.
    pub(super) fn new(length: Duration, now: Instant) -> Option<Self> {
        let every = length / QUESTIONS;
        (!every.is_zero()).then_some(Self { left: length, every, counted_to: now, ask_at: Some(now) })
    }

    /// When the broker is to be asked; `None`: an answer is due first.
    pub(super) const fn ask_at(&self) -> Option<Instant> {
        self.ask_at
    }

    /// It is asked.
    pub(super) fn asked(&mut self) {
        self.ask_at = None;
    }

    /// It answers; whether the time is over.
    pub(super) fn answered(&mut self, now: Instant) -> bool {
        self.left = self.left.saturating_sub((now - self.counted_to).min(self.every));
        self.counted_to = now;
        self.ask_at = Some(now + self.every.min(self.left));
        self.left.is_zero()
    }

    /// The question did not go out: the time until now does not count.
    pub(super) fn unanswered(&mut self, now: Instant) {
        self.counted_to = now;
        self.ask_at = Some(now + self.every);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(3);

    /// How long it takes with a broker that answers the question of a time after this long.
    fn takes(answers_after: impl Fn(Duration) -> Duration) -> Duration {
        let begun = Instant::now();
        let mut settling = Settling::new(LENGTH, begun).expect("a length");
        loop {
            let asked = settling.ask_at().expect("nothing is on its way");
            settling.asked();
            assert_eq!(settling.ask_at(), None);
            let answered = asked + answers_after(asked - begun);
            if settling.answered(answered) {
                return answered - begun;
            }
        }
    }

    #[test]
    fn with_a_broker_that_answers_it_takes_as_long_as_is_asked() {
        let promptly = takes(|_| Duration::from_millis(5));
        assert!((LENGTH..LENGTH + Duration::from_millis(100)).contains(&promptly), "{promptly:?}");
        assert!(Settling::new(Duration::ZERO, Instant::now()).is_none());
    }

    #[test]
    fn the_time_in_which_the_broker_stands_still_does_not_count() {
        for frozen_at in [0, 400, 1700, 2900] {
            let (from, lasts) = (Duration::from_millis(frozen_at), Duration::from_secs(5));
            let thaws = |at: Duration| {
                if at + Duration::from_millis(5) < from { Duration::ZERO } else { (from + lasts).saturating_sub(at) }
            };
            let took = takes(thaws);
            assert!(took >= LENGTH + lasts - LENGTH / QUESTIONS, "{frozen_at}: {took:?}");
        }
    }

    #[test]
    fn a_question_that_did_not_go_out_is_asked_again() {
        let begun = Instant::now();
        let mut settling = Settling::new(LENGTH, begun).expect("a length");
        settling.asked();
        let later = begun + Duration::from_secs(60);
        settling.unanswered(later);
        assert_eq!(settling.ask_at(), Some(later + LENGTH / QUESTIONS));
        settling.asked();
        assert!(!settling.answered(later + LENGTH / QUESTIONS), "the minute does not count");
    }

    #[test]
    fn a_slow_link_delays_it_and_does_not_prevent_it() {
        let took = takes(|_| Duration::from_secs(2));
        assert!(took <= 2 * QUESTIONS * Duration::from_secs(2), "{took:?}");
    }
}

//! How long to wait before the next attempt.

use std::time::Duration;

use super::LinkError;

const FIRST: Duration = Duration::from_millis(500);
/// Low enough that a broker that returns is found within seconds; with full jitter thirty sites spread over it.
const CAP: Duration = Duration::from_secs(10);
/// Even the luckiest draw does not spin.
const LEAST: Duration = Duration::from_millis(50);

/// Exponential back-off with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015).
#[derive(Debug)]
pub(super) struct Backoff {
    refused: Duration,
    attempts: u32,
}

impl Backoff {
    /// A refusal needs a person: it is tried again after `refused` at most, half of it at least.
    pub(super) fn new(refused: Duration) -> Self {
        Self { refused, attempts: 0 }
    }

    /// The connection was good: start again from the shortest.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How long to wait after `error`.
    pub(super) fn next(&mut self, error: &LinkError) -> Duration {
        let (least, most) = match error {
            LinkError::Refused { .. } | LinkError::Untrusted { .. } => (self.refused / 2, self.refused),
            LinkError::Certificates { .. }
            | LinkError::Unreachable { .. }
            | LinkError::Lost { .. }
            | LinkError::Protocol { .. }
            | LinkError::Silent => (LEAST, CAP.min(FIRST * 2_u32.pow(self.attempts.min(8)))),
        };
        self.attempts += 1;
        rand::random_range(least..=most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Duration = Duration::from_secs(60);

    #[test]
    fn unreachable_stays_within_the_rising_cap_and_refused_is_slow() {
        let unreachable = LinkError::Unreachable { reason: String::new() };
        let refused = LinkError::Refused { reason: String::new() };
        for _ in 0..50 {
            let mut backoff = Backoff::new(REFUSED);
            assert!(backoff.next(&unreachable) <= FIRST);
            for _ in 0..50 {
                assert!((LEAST..=CAP).contains(&backoff.next(&unreachable)));
            }
            assert!(backoff.next(&refused) >= REFUSED / 2);
            backoff.reset();
            assert!(backoff.next(&unreachable) <= FIRST);
        }
    }
}

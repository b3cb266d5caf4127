//! How long to wait before the next attempt.

use std::time::Duration;

use super::SourceError;

/// Two ladders: one for what passes by itself, one for what a person must put right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffParams {
    /// First wait after a transient failure; doubled each time.
    pub transient_first: Duration,
    /// Longest wait after a transient failure. Longer spares the network, and finds a camera again later.
    pub transient_cap: Duration,
    /// First wait after any other failure; doubled each time.
    pub refused_first: Duration,
    /// Longest wait after any other failure. Long enough that a camera does not lock the account.
    pub refused_cap: Duration,
}

impl Default for BackoffParams {
    fn default() -> Self {
        Self {
            transient_first: Duration::from_millis(250),
            transient_cap: Duration::from_secs(3),
            refused_first: Duration::from_secs(5),
            refused_cap: Duration::from_secs(60),
        }
    }
}

/// Counts failures in a row of one kind.
#[derive(Debug)]
pub(super) struct Backoff {
    params: BackoffParams,
    transient: bool,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(params: BackoffParams) -> Self {
        Self { params, transient: true, failures: 0 }
    }

    /// The stream ran stably: the next failure is the first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after `error`: half of it fixed, half by `jitter` in `0.0..=1.0`, so that a cabinet's cameras do not
    /// come back in step.
    pub(super) fn next(&mut self, error: &SourceError, jitter: f64) -> Duration {
        if error.is_transient() != self.transient {
            self.transient = error.is_transient();
            self.failures = 0;
        }
        let (first, cap) = if self.transient {
            (self.params.transient_first, self.params.transient_cap)
        } else {
            (self.params.refused_first, self.params.refused_cap)
        };
        let wait = first.saturating_mul(2_u32.saturating_pow(self.failures)).min(cap);
        self.failures = self.failures.saturating_add(1);
        wait.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(backoff: &mut Backoff, error: &SourceError, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next(error, 1.0).as_millis()).collect()
    }

    #[test]
    fn transient_failures_wait_up_to_the_short_cap() {
        let mut backoff = Backoff::new(BackoffParams::default());
        assert_eq!(millis(&mut backoff, &SourceError::EndOfStream, 6), [250, 500, 1000, 2000, 3000, 3000]);
        backoff.reset();
        assert_eq!(millis(&mut backoff, &SourceError::EndOfStream, 1), [250]);
    }

    #[test]
    fn refusals_climb_their_own_ladder() {
        let mut backoff = Backoff::new(BackoffParams::default());
        millis(&mut backoff, &SourceError::EndOfStream, 3);
        let waits = millis(&mut backoff, &SourceError::Unauthorised, 6);
        assert_eq!(waits, [5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
        assert_eq!(millis(&mut backoff, &SourceError::EndOfStream, 1), [250], "another kind of failure begins anew");
    }

    #[test]
    fn jitter_shortens_by_half_at_most() {
        let wait = |jitter| Backoff::new(BackoffParams::default()).next(&SourceError::NotFound, jitter);
        assert_eq!(wait(0.0), Duration::from_millis(2500));
        assert!(wait(0.3) > wait(0.0) && wait(0.3) < wait(1.0));
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = Backoff::new(BackoffParams::default());
        backoff.failures = u32::MAX;
        assert_eq!(millis(&mut backoff, &SourceError::EndOfStream, 1), [3000]);
    }
}

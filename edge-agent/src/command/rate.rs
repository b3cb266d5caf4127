//! How many commands are taken.

use std::time::Instant;

/// A token bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    most: f64,
    per_s: f64,
    filled: Instant,
}

impl Bucket {
    /// Full: `most` at once, and `per_s` for ever.
    pub(super) fn new(most: f64, per_s: f64, now: Instant) -> Self {
        Self { tokens: most, most, per_s, filled: now }
    }

    /// Whether another one is within the limit.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.per_s).min(self.most);
        let is_within = self.tokens >= 1.0;
        if is_within {
            self.tokens -= 1.0;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_taken_and_a_flood_is_not() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5.0, 2.0, start);
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 5);
        let later = (0..1000).filter(|n| bucket.take(at(10 * n))).count();
        assert!((19..=20).contains(&later), "{later}");
    }
}

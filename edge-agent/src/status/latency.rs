//! Latency as a histogram: bounded memory, quantiles within a tenth.

use std::time::Duration;

/// Buckets grow by a tenth, from 1 ms to over a minute.
const GROWTH: f64 = 1.1;
const FIRST_MS: f64 = 1.0;
const BUCKETS: usize = 120;

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Latency {
    counts: [u64; BUCKETS],
    total: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Latency {
    /// Adds one.
    pub fn record(&mut self, duration: Duration) {
        let ms = duration.as_secs_f64() * 1e3;
        let bucket = ((ms / FIRST_MS).max(1.0).ln() / GROWTH.ln()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration that the share `q` (0 to 1) does not exceed, rounded up by at most a tenth; `None` when nothing
    /// was recorded.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = (q.clamp(0.0, 1.0) * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let ms = |bucket: usize| FIRST_MS * GROWTH.powi(bucket as i32 + 1);
        (self.total > 0).then(|| Duration::from_secs_f64(bucket.map_or(0.0, ms) / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_a_tenth() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        (1..=1000).for_each(|ms| latency.record(Duration::from_millis(ms)));
        for (q, exact) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99), (1.0, 1.0)] {
            let found = latency.quantile(q).expect("recorded").as_secs_f64();
            assert!((exact..=exact * 1.11).contains(&found), "{q}: {found}");
        }
        latency.record(Duration::from_secs(10_000));
        assert_eq!(latency.count(), 1001);
        let mut both = Latency::default();
        both.merge(&latency);
        both.merge(&latency);
        assert_eq!((both.count(), both.quantile(0.5)), (2002, latency.quantile(0.5)));
    }
}

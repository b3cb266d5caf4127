//! Latency as a histogram: bounded memory, quantiles within a tenth.

use std::time::Duration;

/// Buckets grow by a tenth, from 1 ms to over a minute.
const GROWTH: f64 = 1.1;
const FIRST_MS: f64 = 1.0;
const BUCKETS: usize = 120;
/// Buckets that are exported as one.
const EXPORTED: usize = 8;

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Latency {
    counts: [u64; BUCKETS],
    total: u64,
    sum: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0, sum: Duration::ZERO }
    }
}

impl Latency {
    /// Adds one.
    pub fn record(&mut self, duration: Duration) {
        let ms = duration.as_secs_f64() * 1e3;
        let bucket = ((ms / FIRST_MS).max(1.0).ln() / GROWTH.ln()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.sum += duration;
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
        self.sum += other.sum;
    }

    /// What was recorded after `earlier`, a former state of this histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut later = self.clone();
        later.counts.iter_mut().zip(earlier.counts).for_each(|(count, before)| *count -= before);
        later.total -= earlier.total;
        later.sum -= earlier.sum;
        later
    }

    /// All durations together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Upper bounds in seconds, each with how many are at most that and more than the bound before; about two bounds a
    /// factor of five, the last one infinite. Their counts add up to [`Self::count`].
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let groups = self.counts.chunks(EXPORTED).enumerate();
        groups.map(|(group, counts)| {
            let last = (group + 1) * EXPORTED;
            let bound = FIRST_MS * GROWTH.powi(last as i32) / 1e3;
            let bound = if last >= BUCKETS { f64::INFINITY } else { (bound * 1e6).round() / 1e6 };
            (bound, counts.iter().sum())
        })
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

    #[test]
    fn what_is_exported_adds_up() {
        let mut latency = Latency::default();
        [0, 3, 50, 51, 700, 3_600_000].into_iter().for_each(|ms| latency.record(Duration::from_millis(ms)));
        let buckets: Vec<(f64, u64)> = latency.buckets().collect();
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0) && buckets.last().is_some_and(|last| last.0.is_infinite()));
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), latency.count());
        let until =
            |ms: f64| buckets.iter().filter(|(bound, _)| *bound <= ms / 1e3).map(|(_, count)| count).sum::<u64>();
        assert_eq!((until(2.2), until(10.0), until(100.0), until(1000.0)), (1, 2, 4, 5));
        assert_eq!(latency.sum(), Duration::from_millis(3_600_804));
    }

    #[test]
    fn what_came_later_is_what_is_left() {
        let mut latency = Latency::default();
        latency.record(Duration::from_millis(10));
        let earlier = latency.clone();
        latency.record(Duration::from_millis(500));
        let later = latency.since(&earlier);
        assert_eq!((later.count(), later.sum()), (1, Duration::from_millis(500)));
        assert!(later.quantile(0.0).is_some_and(|least| least >= Duration::from_millis(500)));
    }
}

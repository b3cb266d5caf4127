//! How many lines the log takes: a burst of each kind and then one a second, and no more than so many of all kinds.
//!
//! A kind is the place in the program (its `tracing` callsite) that the line comes from. What is too many is counted; the kind's
//! next line is preceded by how many there were, and when none follows another kind's line is.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Lines of one kind at once. Raising it shows more of what happens to many cameras together; it costs as many lines each time.
const BURST: f64 = 20.0;
/// Then so many a second.
const RATE: f64 = 1.0;
/// Lines of all kinds at once: a start at debug level.
const BURST_OF_ALL: f64 = 1000.0;
/// Then so many a second: at 200 bytes a line, 350 MB a day at the very most.
const RATE_OF_ALL: f64 = 20.0;
/// A kind that is silent for so long is told of by others' lines.
const SILENT: Duration = Duration::from_secs(10);

/// Tokens of lines that may be written.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
    rate: f64,
    burst: f64,
}

impl Bucket {
    fn full(rate: f64, burst: f64, now: Instant) -> Self {
        Self { tokens: burst, at: now, rate, burst }
    }

    fn has_one(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.at = now;
        self.tokens >= 1.0
    }
}

#[derive(Debug)]
struct Kind {
    bucket: Bucket,
    untold: u64,
    last: Instant,
}

/// Lines that were not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suppressed<K> {
    pub(super) of: K,
    pub(super) lines: u64,
}

/// Which lines are written.
#[derive(Debug)]
pub(super) struct Bound<K> {
    kinds: HashMap<K, Kind>,
    all: Option<Bucket>,
    untold: u64,
    total: u64,
}

impl<K> Default for Bound<K> {
    fn default() -> Self {
        Self { kinds: HashMap::new(), all: None, untold: 0, total: 0 }
    }
}

impl<K: Hash + Eq + Clone> Bound<K> {
    /// Whether a line of this kind is written at `now`: then with what is to be said before it.
    pub(super) fn admit(&mut self, kind: &K, now: Instant) -> Option<Vec<Suppressed<K>>> {
        let all = self.all.get_or_insert_with(|| Bucket::full(RATE_OF_ALL, BURST_OF_ALL, now));
        let is_any = all.has_one(now);
        let fresh = || Kind { bucket: Bucket::full(RATE, BURST, now), untold: 0, last: now };
        let of = self.kinds.entry(kind.clone()).or_insert_with(fresh);
        of.last = now;
        if !(of.bucket.has_one(now) && is_any) {
            of.untold += 1;
            self.untold += 1;
            self.total += 1;
            return None;
        }
        of.bucket.tokens -= 1.0;
        all.tokens -= 1.0;
        Some(if self.untold > 0 { self.tell(kind, now) } else { Vec::new() })
    }

    /// Lines that were not written, since start.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    fn tell(&mut self, kind: &K, now: Instant) -> Vec<Suppressed<K>> {
        let is_due = |of: &K, kind_of: &Kind| of == kind || now.saturating_duration_since(kind_of.last) >= SILENT;
        let due = self.kinds.iter_mut().filter(|(of, known)| known.untold > 0 && is_due(of, known));
        let told: Vec<_> =
            due.map(|(of, known)| Suppressed { of: of.clone(), lines: std::mem::take(&mut known.untold) }).collect();
        self.untold -= told.iter().map(|suppressed| suppressed.lines).sum::<u64>();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_one_kind_is_a_burst_then_a_line_a_second_and_every_other_line_is_counted() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        let (mut written, mut told) = (0, 0);
        for line in 0..100_000_u32 {
            // A thousand a second.
            let now = start + Duration::from_millis(line.into());
            if let Some(before) = bound.admit(&"storm", now) {
                written += 1;
                told += before.iter().map(|suppressed| suppressed.lines).sum::<u64>();
            }
        }
        assert!((118..=120).contains(&written), "{written}");
        assert_eq!(bound.total(), 100_000 - written);
        assert!(told <= bound.total() && told + 1000 >= bound.total(), "{told} of {}", bound.total());
        assert_eq!(bound.admit(&"another", start + Duration::from_secs(101)), Some(vec![]), "others are written");
    }

    #[test]
    fn what_was_suppressed_is_told_by_another_kind_when_its_own_is_silent() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        for _ in 0..50 {
            bound.admit(&"storm", start);
        }
        assert_eq!(bound.admit(&"other", start + Duration::from_secs(9)), Some(vec![]));
        let told = bound.admit(&"other", start + Duration::from_secs(10));
        assert_eq!(told, Some(vec![Suppressed { of: "storm", lines: 30 }]));
        assert_eq!(bound.admit(&"other", start + Duration::from_secs(20)), Some(vec![]), "told once");
    }

    #[test]
    fn all_kinds_together_are_bound_too() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        // A thousand kinds that each keep to a line a second, for a minute.
        let lines = (0..60).flat_map(|second| (0..1000).map(move |kind| (second, kind)));
        let written = lines.filter(|(second, kind)| bound.admit(kind, start + Duration::from_secs(*second)).is_some());
        assert!((2170..=2190).contains(&written.count()), "1000 at once and 20 a second");
    }
}

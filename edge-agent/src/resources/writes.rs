//! How much is written to the disk: flash wears by it.
//!
//! Counted by the kernel (getrusage(2), `ru_oublock`, in blocks of 512 bytes: pages made dirty on their way to a disk; nothing
//! on a tmpfs). What the file system and the flash's own controller add is not in it, so the budget leaves them their share.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The last so long says what a day takes.
const WINDOW: Duration = Duration::from_secs(3600);
/// Nothing is said before.
const LEAST: Duration = Duration::from_secs(600);
/// Between two marks.
const STEP: Duration = Duration::from_secs(60);
const DAY: f64 = 86_400.0;
/// Below this share of the budget it is kept again.
const KEPT_AGAIN: f64 = 0.9;

/// Bytes that this process gave to a disk since it started.
#[must_use]
pub fn written_bytes() -> u64 {
    // SAFETY: rusage is plain data, for which all-zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a live rusage, which is written.
    let done = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    if done == 0 { u64::try_from(usage.ru_oublock).unwrap_or(0) * 512 } else { 0 }
}

/// What a day takes, and whether that is too much.
#[derive(Debug)]
pub struct WriteMeter {
    budget: u64,
    /// The first is the oldest of the window.
    marks: VecDeque<(Instant, u64)>,
    is_over: bool,
}

impl WriteMeter {
    /// `budget` is in bytes a day.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        Self { budget, marks: VecDeque::new(), is_over: false }
    }

    /// Takes what was written until `now`.
    pub fn note(&mut self, now: Instant, written: u64) {
        if self.marks.back().is_some_and(|(at, _)| now.saturating_duration_since(*at) < STEP) {
            return;
        }
        self.marks.push_back((now, written));
        while self.marks.len() > 2 && now.saturating_duration_since(self.marks[1].0) >= WINDOW {
            self.marks.pop_front();
        }
        if let Some(per_day) = self.per_day() {
            let limit = if self.is_over { self.budget as f64 * KEPT_AGAIN } else { self.budget as f64 };
            self.is_over = per_day as f64 > limit;
        }
    }

    /// Bytes a day like the last hour; `None` in the first minutes.
    #[must_use]
    pub fn per_day(&self) -> Option<u64> {
        let ((from, first), (until, last)) = (self.marks.front()?, self.marks.back()?);
        let passed = until.saturating_duration_since(*from);
        let written = last.saturating_sub(*first) as f64;
        (passed >= LEAST).then(|| (written / passed.as_secs_f64() * DAY) as u64)
    }

    /// Whether that is more than the budget.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_day_is_foreseen_from_the_last_hour_and_judged_with_some_slack() {
        // A MiB a minute is 1440 a day.
        let (mut meter, mut now, mut written) = (WriteMeter::new(1000 << 20), Instant::now(), 5 << 20);
        let mut minutes = |meter: &mut WriteMeter, count: u32, each: u64| {
            for _ in 0..count {
                (now, written) = (now + MINUTE, written + each);
                meter.note(now, written);
                // Between two marks nothing changes.
                meter.note(now + MINUTE / 2, written + (1 << 30));
            }
        };
        minutes(&mut meter, 10, 1 << 20);
        assert_eq!((meter.per_day(), meter.is_over_budget()), (None, false), "too early to say");
        minutes(&mut meter, 1, 1 << 20);
        assert_eq!((meter.per_day(), meter.is_over_budget()), (Some(1440 << 20), true));
        minutes(&mut meter, 60, 650 << 10);
        assert_eq!(meter.per_day(), Some(1440 * (650 << 10)), "what is older than an hour is forgotten");
        assert!(meter.is_over_budget(), "914 MiB are not yet well below 1000");
        minutes(&mut meter, 60, 600 << 10);
        assert!(!meter.is_over_budget());
        minutes(&mut meter, 60, 700 << 10);
        assert!(!meter.is_over_budget(), "984 MiB are within it");
    }

    #[test]
    fn what_is_written_to_a_disk_is_counted() {
        use std::io::Write as _;

        // Not in /tmp, which may be memory.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a folder");
        let before = written_bytes();
        let mut file = std::fs::File::create(folder.path().join("file")).expect("makes a file");
        file.write_all(&vec![1; 1 << 20]).and_then(|()| file.sync_all()).expect("writes");
        let kind =
            std::process::Command::new("stat").args(["-f", "-c", "%T"]).arg(folder.path()).output().expect("runs");
        if String::from_utf8_lossy(&kind.stdout).trim() == "tmpfs" {
            eprintln!("skipped: this checkout lies on a tmpfs, whose writes reach no disk");
            return;
        }
        assert!(written_bytes() - before >= 1 << 20, "{before} {}", written_bytes());
    }
}

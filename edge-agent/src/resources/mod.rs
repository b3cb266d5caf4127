//! What the box can run short of without any neighbour failing: descriptors, memory, and the flash's life.
//!
//! Readings are cheap (some small files of proc(5) and the control group, one system call) and made once a second by one task,
//! which also does what can be done at once: it hands [kept room](descriptors) back and has [rings](crate::record::Ring) hold
//! less while memory is short. Health, metrics and the degradation ladder read its word.
//!
//! # Failure
//! What cannot be read (no such file, no descriptor to read it with) is not known, and nobody is degraded for it.

pub mod descriptors;
pub mod heap;
mod memory;
mod permission;
mod writes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::descriptors::Descriptors;
pub use self::memory::{MemoryJudge, MemoryReading, MemorySigns};
pub use self::permission::{Forbidden, check as check_permissions};
pub use self::writes::{WriteMeter, written_bytes};
use crate::publish::wire::ResourcesHealth;
use crate::record::Ring;

/// How often the box is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the box is, at the last look.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ResourceStatus {
    /// Descriptors.
    pub descriptors: Descriptors,
    /// Memory, as far as it is told.
    pub memory: MemoryReading,
    /// Whether it is short.
    pub is_memory_short: bool,
    /// Bytes given to the disk since start.
    pub written_bytes: u64,
    /// Bytes that a day like the last hour gives to the disk; `None` until that can be said.
    pub writes_per_day: Option<u64>,
    /// The most that it should be.
    pub writes_budget: u64,
    /// Whether it is more.
    pub is_over_budget: bool,
}

impl ResourceStatus {
    /// As health says it; `lines_suppressed` is the log's.
    #[must_use]
    pub fn health(&self, lines_suppressed: u64) -> ResourcesHealth {
        let hundredths = |share: f64| (share * 100.0).round() / 100.0;
        ResourcesHealth {
            descriptors_open: self.descriptors.open,
            descriptors_limit: self.descriptors.limit,
            memory_available_bytes: self.memory.available,
            memory_pressure: self.memory.pressure.map(hundredths),
            written_bytes_total: self.written_bytes,
            writes_per_day_bytes: self.writes_per_day,
            writes_budget_bytes: self.writes_budget,
            log_lines_suppressed_total: lines_suppressed,
        }
    }
}

/// Looks, tells, and does what can be done at once.
pub struct ResourcesTask {
    signs: MemorySigns,
    judge: MemoryJudge,
    writes: WriteMeter,
    rings: Vec<Arc<Ring>>,
    told: watch::Sender<ResourceStatus>,
}

impl ResourcesTask {
    /// `writes_budget` is in bytes a day; `rings` hold less while memory is short.
    #[must_use]
    pub fn new(writes_budget: u64, rings: Vec<Arc<Ring>>) -> (Self, watch::Receiver<ResourceStatus>) {
        let (told, status) = watch::channel(ResourceStatus { writes_budget, ..ResourceStatus::default() });
        let signs = MemorySigns::new(Path::new("/"));
        let task = Self { signs, judge: MemoryJudge::default(), writes: WriteMeter::new(writes_budget), rings, told };
        (task, status)
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => self.look(Instant::now()),
            }
        }
    }

    fn look(&mut self, now: Instant) {
        let before = *self.told.borrow();
        let written = written_bytes();
        self.writes.note(now, written);
        let memory = self.signs.read();
        let status = ResourceStatus {
            descriptors: descriptors::look(),
            memory,
            is_memory_short: self.judge.note(now, memory),
            written_bytes: written,
            writes_per_day: self.writes.per_day(),
            writes_budget: before.writes_budget,
            is_over_budget: self.writes.is_over_budget(),
        };
        if status.is_memory_short != before.is_memory_short {
            self.rings.iter().for_each(|ring| ring.spare_memory(status.is_memory_short));
        }
        tell(&before, &status);
        self.told.send_replace(status);
    }
}

/// What changed, for the log.
fn tell(before: &ResourceStatus, now: &ResourceStatus) {
    let Descriptors { open, limit, is_short } = now.descriptors;
    match (before.descriptors.is_short, is_short) {
        (false, true) => {
            tracing::error!(open, limit, "file descriptors run out: no new connections; raise LimitNOFILE")
        }
        (true, false) => tracing::info!(open, limit, "there are file descriptors again"),
        _ => {}
    }
    let MemoryReading { pressure, available } = now.memory;
    match (before.is_memory_short, now.is_memory_short) {
        (false, true) => tracing::warn!(pressure, available, "memory is short: less of the record streams is held"),
        (true, false) => tracing::info!(pressure, available, "there is memory again"),
        _ => {}
    }
    if now.is_over_budget && !before.is_over_budget {
        let (per_day, budget) = (now.writes_per_day, now.writes_budget);
        tracing::warn!(per_day, budget, "more is written to the disk than the budget: storage.writes_per_day");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_box_runs_short_of_is_told_and_taken_back() {
        let root = tempfile::tempdir().expect("a folder");
        let meminfo = root.path().join("proc/meminfo");
        std::fs::create_dir_all(root.path().join("proc")).expect("makes the folder");
        let available = |kib: u64| std::fs::write(&meminfo, format!("MemAvailable: {kib} kB\n")).expect("writes");
        let (mut task, status) = ResourcesTask::new(1 << 30, Vec::new());
        task.signs = MemorySigns::new(root.path());
        let start = Instant::now();
        let mut look = |second: u64| {
            task.look(start + Duration::from_secs(second));
            *status.borrow()
        };
        available(1 << 20);
        let well = look(0);
        assert!(!well.is_memory_short && !well.descriptors.is_short && well.descriptors.open > 0, "{well:?}");
        assert_eq!((well.writes_budget, well.writes_per_day, well.is_over_budget), (1 << 30, None, false));
        available(32 << 10);
        let short = look(1);
        assert!(short.is_memory_short);
        assert_eq!(short.health(3).memory_available_bytes, Some(32 << 20));
        assert_eq!(short.health(3).log_lines_suppressed_total, 3);
        available(1 << 20);
        assert!(look(2).is_memory_short, "it has to stay enough");
        assert!(!look(32).is_memory_short);
    }
}

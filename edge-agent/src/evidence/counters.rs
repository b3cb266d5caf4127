//! What the evidence thread counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::store::Cleared;
use super::{EvidenceName, Failure};

/// What the thread counts; totals since start.
#[derive(Debug, Default)]
pub struct EvidenceCounters {
    ready: AtomicU64,
    failed: AtomicU64,
    clips_ready: AtomicU64,
    clips_failed: AtomicU64,
    kept: AtomicU64,
    kept_bytes: AtomicU64,
    failing: AtomicBool,
    undeletable: AtomicBool,
    on_hold: AtomicU64,
    on_hold_bytes: AtomicU64,
    full_of_holds: AtomicBool,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvidenceTotals {
    /// Pictures made.
    pub ready: u64,
    /// Pictures that could not be made.
    pub failed: u64,
    /// Clips made.
    pub clips_ready: u64,
    /// Clips that could not be made.
    pub clips_failed: u64,
    /// Pictures and clips on disk.
    pub kept: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Whether the last one could not be made, for a reason of this box.
    pub failing: bool,
    /// Whether what is beyond its retention could not be deleted.
    pub undeletable: bool,
    /// Pictures and clips on legal hold.
    pub on_hold: u64,
    /// Their bytes.
    pub on_hold_bytes: u64,
    /// Whether what is on hold alone is as large as all evidence may be.
    pub full_of_holds: bool,
}

impl EvidenceCounters {
    /// All of them.
    #[must_use]
    pub fn totals(&self) -> EvidenceTotals {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EvidenceTotals {
            ready: of(&self.ready),
            failed: of(&self.failed),
            clips_ready: of(&self.clips_ready),
            clips_failed: of(&self.clips_failed),
            kept: of(&self.kept),
            kept_bytes: of(&self.kept_bytes),
            failing: self.failing.load(Ordering::Relaxed),
            undeletable: self.undeletable.load(Ordering::Relaxed),
            on_hold: of(&self.on_hold),
            on_hold_bytes: of(&self.on_hold_bytes),
            full_of_holds: self.full_of_holds.load(Ordering::Relaxed),
        }
    }

    /// A piece is made, or is known not to be.
    pub(super) fn ended(&self, name: &EvidenceName, failure: Option<Failure>) {
        let counter = match (name.is_clip(), failure) {
            (false, None) => &self.ready,
            (false, Some(_)) => &self.failed,
            (true, None) => &self.clips_ready,
            (true, Some(_)) => &self.clips_failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        match failure {
            // An earlier run's trouble, and the camera's, which its own status tells: nothing fails here.
            Some(Failure::Interrupted | Failure::NoStream | Failure::Codec | Failure::Masked) => {}
            of_box => self.failing.store(of_box.is_some(), Ordering::Relaxed),
        }
    }

    /// What the last run of deletions found.
    pub(super) fn cleared(&self, cleared: &Cleared) {
        self.undeletable.store(cleared.failed.is_some(), Ordering::Relaxed);
        self.on_hold.store(cleared.held, Ordering::Relaxed);
        self.on_hold_bytes.store(cleared.held_bytes, Ordering::Relaxed);
        if self.full_of_holds.swap(cleared.full_of_holds, Ordering::Relaxed) != cleared.full_of_holds
            && cleared.full_of_holds
        {
            tracing::warn!("evidence on legal hold takes all the room for evidence: new pictures and clips go early");
        }
    }

    pub(super) fn holds(&self, kept: u64, bytes: u64) {
        self.kept.store(kept, Ordering::Relaxed);
        self.kept_bytes.store(bytes, Ordering::Relaxed);
    }
}

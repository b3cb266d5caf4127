//! How the box is: counters that the stages keep, and the retained messages made of them.
//!
//! # Ownership
//! Stages only count ([`CameraCounters`], atomics) and leave their latest value ([`LatestScene`], [`RecentIncidents`]);
//! one task reads ([`health`]), and the status page. Health flows back and nothing else does.

mod clock;
mod health;
mod latency;
mod latest;
mod live;
mod pace;
pub mod pulse;
mod record;
mod service;
pub(crate) mod transport;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use analytics::Scene;

pub use clock::time_quality;
pub use health::{
    CameraSigns, CameraSource, CommandSigns, HealthTask, Posture, SignalTroubles, Snapshot, camera_status,
    forward_camera_status, with_ladder, with_switches,
};
pub use latency::Latency;
pub use latest::{LatestScene, RecentIncidents, Shot};
pub use live::dead_reasons;
pub use pace::CameraPace;
pub use record::{RecordSource, record_status, ring_health, with_record};
pub use service::ServiceTask;
pub use transport::{Transport, Urgency, days_left};

use crate::outbox::Draft;
use crate::publish::wire::{Phase, Severity, Word};

/// What one camera's stages count. Totals since start.
#[derive(Debug, Default)]
pub struct CameraCounters {
    analysed: AtomicU64,
    detections: AtomicU64,
    tracks: AtomicU64,
    newest_track: AtomicU64,
    events: AtomicU64,
    incidents: AtomicU64,
    crashes: AtomicU64,
    failures: AtomicU64,
    held: AtomicU64,
    regions: AtomicU64,
    latency: Mutex<Latencies>,
    opened: Mutex<BTreeMap<(Word, Severity), u64>>,
}

/// Times from a frame's arrival.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    /// Until it was judged, and its events, if it had any, were committed.
    pub judged: Latency,
    /// The same of frames that had events: what an operator waits for, up to the link.
    pub committed: Latency,
}

impl Latencies {
    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        self.judged.merge(&other.judged);
        self.committed.merge(&other.committed);
    }
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames analysed.
    pub analysed: u64,
    /// Detections in them.
    pub detections: u64,
    /// Tracks confirmed.
    pub tracks: u64,
    /// Events committed.
    pub events: u64,
    /// Incidents opened.
    pub incidents: u64,
    /// Panics while judging.
    pub crashes: u64,
    /// Frames whose inference failed.
    pub failures: u64,
    /// Frames without inference: nothing had changed, and what was seen before stood.
    pub held: u64,
    /// Regions of frames inferred.
    pub regions: u64,
}

impl CameraCounters {
    pub(crate) fn analysed(&self, detections: usize, scene: &Scene) {
        self.analysed.fetch_add(1, Ordering::Relaxed);
        self.detections.fetch_add(detections as u64, Ordering::Relaxed);
        let newest = scene.tracks.last().map_or(0, |track| track.id.0);
        let before = self.newest_track.fetch_max(newest, Ordering::Relaxed);
        self.tracks.fetch_add(newest.saturating_sub(before), Ordering::Relaxed);
    }

    pub(crate) fn events(&self, drafts: &[Draft]) {
        self.events.fetch_add(drafts.len() as u64, Ordering::Relaxed);
        for draft in drafts.iter().filter(|draft| draft.event().data.phase == Phase::New) {
            self.incidents.fetch_add(1, Ordering::Relaxed);
            let data = &draft.event().data;
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            *opened.entry((data.kind.clone(), data.severity)).or_default() += 1;
        }
    }

    pub(crate) fn done(&self, had_events: bool, after: Duration) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.judged.record(after);
        if had_events {
            latency.committed.record(after);
        }
    }

    pub(crate) fn crashed(&self) {
        self.crashes.fetch_add(1, Ordering::Relaxed);
        // The fresh core counts its tracks from 1 again.
        self.newest_track.store(0, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// So many regions of a frame were inferred.
    pub(crate) fn looked(&self, regions: usize) {
        self.held.fetch_add(u64::from(regions == 0), Ordering::Relaxed);
        self.regions.fetch_add(regions as u64, Ordering::Relaxed);
    }

    /// How long frames took.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Incidents opened, by kind and severity.
    #[must_use]
    pub fn opened(&self) -> BTreeMap<(Word, Severity), u64> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of them.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            analysed: load(&self.analysed),
            detections: load(&self.detections),
            tracks: load(&self.tracks),
            events: load(&self.events),
            incidents: load(&self.incidents),
            crashes: load(&self.crashes),
            failures: load(&self.failures),
            held: load(&self.held),
            regions: load(&self.regions),
        }
    }
}

/// A box that is well, for tests.
#[cfg(test)]
pub(crate) fn health_example() -> crate::publish::wire::Health {
    use crate::publish::wire::{
        AuditHealth, EvidenceHealth, Health, HealthState, LadderHealth, OutboxHealth, PublishHealth, TimeQuality,
        UtcMillis,
    };
    Health {
        time: UtcMillis::now(),
        uptime_s: 90,
        state: HealthState::Ok,
        reasons: Vec::new(),
        models: Vec::new(),
        time_quality: TimeQuality { synced: true, max_error_ms: Some(1) },
        memory_bytes: 1 << 20,
        outbox: OutboxHealth { pending: 0, pending_bytes: 0, lost_total: 0, failing: false },
        evidence: EvidenceHealth {
            clips_ready_total: 0,
            clips_failed_total: 0,
            ready_total: 0,
            failed_total: 0,
            failing: false,
            kept: 0,
            kept_bytes: 0,
            on_hold: 0,
            on_hold_bytes: 0,
            thumbnails_pending: 0,
            thumbnails_delivered_total: 0,
            thumbnails_dropped_total: 0,
        },
        publish: PublishHealth { delivered_total: 0, retries_total: 0, refused_total: 0 },
        ladder: Some(LadderHealth {
            level: 0,
            lowest: 5,
            cause: None,
            since: UtcMillis::now(),
            temperature_c: Some(48.5),
        }),
        commands: Default::default(),
        precision: Vec::new(),
        audit: Some(AuditHealth { last_number: 7, last_hash: "0f".repeat(32), failing: false, lost_total: 0 }),
        resources: Some(crate::publish::wire::ResourcesHealth {
            descriptors_open: 40,
            descriptors_limit: 65_536,
            memory_available_bytes: Some(1 << 30),
            memory_pressure: Some(0.0),
            written_bytes_total: 9 << 20,
            writes_per_day_bytes: Some(700 << 20),
            writes_budget_bytes: 10 << 30,
            log_lines_suppressed_total: 0,
        }),
        cameras: Vec::new(),
        transport: None,
    }
}

impl std::iter::Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            analysed: a.analysed + b.analysed,
            detections: a.detections + b.detections,
            tracks: a.tracks + b.tracks,
            events: a.events + b.events,
            incidents: a.incidents + b.incidents,
            crashes: a.crashes + b.crashes,
            failures: a.failures + b.failures,
            held: a.held + b.held,
            regions: a.regions + b.regions,
        })
    }
}

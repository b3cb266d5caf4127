//! What the page reads: latest values and counters that others leave behind.

use std::sync::Arc;

use analytics::CameraId;
use tokio::sync::watch;

use crate::config::{Places, Written};
use crate::evidence::EvidenceStore;
use crate::outbox::OutboxStats;
use crate::privacy::Redaction;
use crate::publish::PublishStatus;
use crate::publish::wire::{Birth, CameraLabel, ModelRef};
use crate::status::{CameraSource, LatestScene, RecentIncidents, Snapshot};

/// Everything the page shows.
pub struct Sources {
    /// What the box is.
    pub birth: Birth,
    /// The site file as it was loaded, without secrets.
    pub written: Written,
    /// Where the broker is; without user and password.
    pub broker: String,
    /// The cameras, in the order of the site file.
    pub cameras: Vec<PageCamera>,
    /// Those that are switched off.
    pub disabled: Vec<CameraId>,
    /// How the box is; `None` before the first look.
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// The outbox.
    pub outbox: watch::Receiver<OutboxStats>,
    /// Delivery.
    pub delivery: watch::Receiver<PublishStatus>,
    /// The latest incidents.
    pub recent: Arc<RecentIncidents>,
    /// Their pictures.
    pub evidence: EvidenceStore,
}

/// A camera as the page knows it.
pub struct PageCamera {
    /// Id and name.
    pub label: CameraLabel,
    /// What is watched for.
    pub pipeline: String,
    /// The network, and the provider really in use.
    pub model: ModelRef,
    /// Drawn into its picture.
    pub places: Places,
    /// What is done to its picture before it is shown.
    pub redaction: Redaction,
    /// Its counters and its supervisor's word.
    pub source: CameraSource,
    /// What was seen last.
    pub latest: Arc<LatestScene>,
}

impl Sources {
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.borrow().clone()
    }
}

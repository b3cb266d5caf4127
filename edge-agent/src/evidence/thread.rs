//! The thread that makes pictures: one at a time, from a short queue, behind everything that judges.
//!
//! A camera [`announce`](CameraSnapshots::announce)s a picture with the `new` of an incident and hands the frame over once
//! that is committed. The picture is drawn, written, and then settled with the outbox as a further revision.
//!
//! # Failure
//! A full queue fails the picture at once (`busy`, in the `new` itself): a camera's core never waits. A picture that
//! cannot be drawn or written is settled as failed, with the reason. An outbox that cannot be written is tried again
//! while pictures wait; a restart settles what is left, by what is whole on disk.
//!
//! # Ownership
//! The thread owns the folder's [`Shelf`]. A waiting job holds its frame, so [`JOBS`] bounds frames too.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use analytics::Severity;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::snapshot::{MAX_THUMBNAIL_BYTES, Snapshot, snapshot};
use super::store::{EvidenceLimits, EvidenceStore, Shelf, file_name};
use super::{EvidenceName, Failure};
use crate::config::Places;
use crate::frame::Picture;
use crate::outbox::{Draft, Outbox, OutboxError, Outcome, PendingEvidence, Settlement};
use crate::publish::wire::{Evidence, Incident, Phase};

/// Pictures that may wait; with more of them, one is `busy`. Each holds a frame: 3 MB at 1080p.
const JOBS: usize = 8;
/// Settlements that may wait for the outbox before no further picture is made.
const UNSETTLED: usize = 8;
/// Between two tries to settle.
const RETRY: Duration = Duration::from_secs(1);
/// How often the folder is cleared when nothing happens.
const CLEAR_EVERY: Duration = Duration::from_secs(600);
/// Below everything that judges: a picture may be late, an event may not.
const NICENESS: libc::c_int = 10;

/// What the thread counts; totals since start.
#[derive(Debug, Default)]
pub struct EvidenceCounters {
    ready: AtomicU64,
    failed: AtomicU64,
    kept: AtomicU64,
    kept_bytes: AtomicU64,
    failing: AtomicBool,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvidenceTotals {
    /// Pictures made.
    pub ready: u64,
    /// Pictures that could not be made.
    pub failed: u64,
    /// Pictures on disk.
    pub kept: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Whether the last picture could not be made.
    pub failing: bool,
}

impl EvidenceCounters {
    /// All of them.
    #[must_use]
    pub fn totals(&self) -> EvidenceTotals {
        EvidenceTotals {
            ready: self.ready.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            kept: self.kept.load(Ordering::Relaxed),
            kept_bytes: self.kept_bytes.load(Ordering::Relaxed),
            failing: self.failing.load(Ordering::Relaxed),
        }
    }

    fn ended(&self, well: bool) {
        let counter = if well { &self.ready } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.failing.store(!well, Ordering::Relaxed);
    }
}

/// A picture to be made.
#[derive(Debug)]
struct Job {
    event: Incident,
    name: EvidenceName,
    picture: Arc<Picture>,
    places: Arc<Places>,
}

/// A picture that is announced, and made once [`send`](Ordered::send) says that its event is committed.
#[derive(Debug)]
pub struct Ordered {
    place: mpsc::OwnedPermit<Job>,
    job: Job,
}

impl Ordered {
    /// Hands it to the thread; its place in the queue was taken before.
    pub fn send(self) {
        self.place.send(self.job);
    }
}

/// How one camera's incidents are photographed.
#[derive(Debug, Clone)]
pub struct CameraSnapshots {
    from: Severity,
    places: Arc<Places>,
    jobs: mpsc::Sender<Job>,
    counters: Arc<EvidenceCounters>,
}

impl CameraSnapshots {
    /// Announces a picture with every incident that begins and is severe enough; what to send once they are committed.
    /// Never waits.
    #[must_use]
    pub fn announce(&self, drafts: &mut [Draft], picture: &Arc<Picture>) -> Vec<Ordered> {
        drafts.iter_mut().filter_map(|draft| self.announce_one(draft, picture)).collect()
    }

    fn announce_one(&self, draft: &mut Draft, picture: &Arc<Picture>) -> Option<Ordered> {
        let data = &draft.event().data;
        if data.phase != Phase::New || Severity::from(data.severity) < self.from {
            return None;
        }
        let name = EvidenceName::snapshot(1);
        let mut evidence = Evidence::pending_snapshot(&name);
        let Ok(place) = self.jobs.clone().try_reserve_owned() else {
            evidence.fail(Failure::Busy.word().to_owned());
            draft.announce(evidence);
            self.counters.ended(false);
            return None;
        };
        let job =
            Job { event: draft.event().clone(), name, picture: Arc::clone(picture), places: Arc::clone(&self.places) };
        draft.announce(evidence);
        Some(Ordered { place, job })
    }
}

/// What the thread needs.
#[derive(Debug)]
pub struct EvidenceParams {
    /// Where pictures lie.
    pub store: EvidenceStore,
    /// How many are kept.
    pub limits: EvidenceLimits,
    /// Of the times in the pictures.
    pub timezone: TimeZone,
    /// Where it is told what became of them.
    pub outbox: Outbox,
    /// What an earlier run announced and did not settle.
    pub pending: Vec<PendingEvidence>,
}

/// The running thread. It ends when the last [`CameraSnapshots`] is dropped, with every picture that was handed over.
#[derive(Debug)]
pub struct EvidenceThread {
    thread: JoinHandle<()>,
    jobs: mpsc::Sender<Job>,
    counters: Arc<EvidenceCounters>,
}

impl EvidenceThread {
    /// Starts it; in a tokio runtime, whose clock it uses.
    pub fn start(params: EvidenceParams) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel(JOBS);
        let counters = Arc::new(EvidenceCounters::default());
        let maker = Maker::new(params, Arc::clone(&counters));
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new().name("evidence".to_owned()).spawn(move || {
            give_way();
            runtime.block_on(maker.run(receiver));
        })?;
        Ok(Self { thread, jobs, counters })
    }

    /// How a camera is to photograph incidents of at least this severity.
    #[must_use]
    pub fn camera(&self, from: Severity, places: Places) -> CameraSnapshots {
        CameraSnapshots {
            from,
            places: Arc::new(places),
            jobs: self.jobs.clone(),
            counters: Arc::clone(&self.counters),
        }
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> Arc<EvidenceCounters> {
        Arc::clone(&self.counters)
    }

    /// Waits until everything handed over is made and settled.
    pub fn join(self) {
        drop(self.jobs);
        if self.thread.join().is_err() {
            tracing::error!("the evidence thread panicked");
        }
    }
}

/// Lets other threads go first (setpriority(2): on Linux of the calling thread alone).
fn give_way() {
    // SAFETY: a plain system call without pointers.
    let refused = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) } != 0;
    if refused {
        tracing::debug!("the evidence thread keeps its priority");
    }
}

/// The thread's own part.
struct Maker {
    store: EvidenceStore,
    limits: EvidenceLimits,
    timezone: TimeZone,
    outbox: Outbox,
    pending: Vec<PendingEvidence>,
    unsettled: Vec<Arc<Settlement>>,
    counters: Arc<EvidenceCounters>,
}

impl Maker {
    fn new(params: EvidenceParams, counters: Arc<EvidenceCounters>) -> Self {
        let EvidenceParams { store, limits, timezone, outbox, pending } = params;
        Self { store, limits, timezone, outbox, pending, unsettled: Vec::new(), counters }
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        for piece in std::mem::take(&mut self.pending) {
            let settlement = self.take_up(piece);
            self.unsettled.push(settlement);
        }
        let mut shelf = self.open_shelf();
        loop {
            self.settle().await;
            self.clear(&mut shelf);
            if self.unsettled.len() >= UNSETTLED {
                if jobs.is_closed() {
                    return;
                }
                tokio::time::sleep(RETRY).await;
                continue;
            }
            let pause = if self.unsettled.is_empty() { CLEAR_EVERY } else { RETRY };
            match tokio::time::timeout(pause, jobs.recv()).await {
                Ok(Some(job)) => self.make(job, &mut shelf),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        self.settle().await;
    }

    /// What became of a picture when the program ended before it was settled.
    fn take_up(&self, of: PendingEvidence) -> Arc<Settlement> {
        let outcome = match self.store.read(of.incident, &of.name) {
            Ok((picture, thumbnail)) => {
                self.counters.ended(true);
                ready(&picture, thumbnail.filter(|jpeg| is_thumbnail(jpeg)))
            }
            Err(_) => {
                // An earlier run's trouble: nothing fails now.
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                failed(Failure::Interrupted)
            }
        };
        Arc::new(Settlement { of, outcome })
    }

    fn make(&mut self, job: Job, shelf: &mut Shelf) {
        let Job { event, name, picture, places } = job;
        let incident = event.data.incident_id;
        // Drawing works on what cameras send: a surprise there must not end the thread.
        let drawn = catch_unwind(AssertUnwindSafe(|| snapshot(&picture, &event, &places, &self.timezone)));
        drop(picture);
        let outcome = match drawn {
            Ok(drawn) => self.keep(incident, &name, drawn, shelf),
            Err(_) => Err(Failure::NotDrawn),
        };
        self.counters.ended(outcome.is_ok());
        let outcome = outcome.unwrap_or_else(|failure| {
            tracing::warn!(%incident, reason = failure.word(), "no picture of an incident");
            failed(failure)
        });
        self.unsettled.push(Arc::new(Settlement { of: PendingEvidence { incident, name }, outcome }));
    }

    fn keep(
        &self,
        incident: Uuid,
        name: &EvidenceName,
        drawn: Snapshot,
        shelf: &mut Shelf,
    ) -> Result<Outcome, Failure> {
        let Snapshot { picture, thumbnail } = drawn;
        self.store.write(incident, name, &picture, thumbnail.as_deref().unwrap_or_default()).map_err(|error| {
            tracing::warn!(%incident, %error, "a picture is not written");
            Failure::of(&error)
        })?;
        shelf.add(incident, name, picture.len() as u64, SystemTime::now());
        Ok(ready(&picture, thumbnail))
    }

    /// Tells the outbox; what it cannot write now waits.
    async fn settle(&mut self) {
        while let Some(settlement) = self.unsettled.first() {
            match self.outbox.settle(Arc::clone(settlement)).await {
                Err(error) if error.is_transient() => return,
                Err(OutboxError::Stopped) => return,
                Err(error) => tracing::error!(%error, "what became of a picture is not told"),
                Ok(_) => {}
            }
            let settled = self.unsettled.remove(0);
            self.store.forget_thumbnail(settled.of.incident, &settled.of.name);
        }
    }

    fn pending_files(&self) -> BTreeSet<String> {
        self.unsettled.iter().map(|settlement| file_name(settlement.of.incident, &settlement.of.name)).collect()
    }

    fn open_shelf(&self) -> Shelf {
        let pending = self.pending_files();
        let scanned = Shelf::scan(self.store.clone(), self.limits, &pending, SystemTime::now());
        scanned.unwrap_or_else(|error| {
            tracing::error!(%error, "old pictures are not looked through; they are kept");
            Shelf::empty(self.store.clone(), self.limits)
        })
    }

    fn clear(&self, shelf: &mut Shelf) {
        match shelf.clear(&self.pending_files(), SystemTime::now()) {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "old pictures are deleted"),
            Err(error) => tracing::warn!(%error, "an old picture cannot be deleted"),
        }
        let (kept, bytes) = shelf.held();
        self.counters.kept.store(kept, Ordering::Relaxed);
        self.counters.kept_bytes.store(bytes, Ordering::Relaxed);
    }
}

fn ready(picture: &[u8], thumbnail: Option<Vec<u8>>) -> Outcome {
    let sha256 = Sha256::digest(picture).iter().map(|byte| format!("{byte:02x}")).collect();
    Outcome::Ready { sha256, bytes: picture.len() as u64, thumbnail }
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed { reason: failure.word().to_owned() }
}

/// Whether a file that lies there is a whole JPEG that may be sent: its first and last marker (ITU-T T.81, B.1.1.3).
fn is_thumbnail(jpeg: &[u8]) -> bool {
    jpeg.len() <= MAX_THUMBNAIL_BYTES && jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])
}

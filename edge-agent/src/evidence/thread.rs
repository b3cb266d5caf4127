//! The thread that makes pictures and clips: one at a time, from short queues, behind everything that judges.
//!
//! A camera [`announce`](CameraEvidence::announce)s a picture with the `new` of an incident and hands the frame over once
//! that is committed. The picture is drawn, written, and then settled with the outbox as a further revision. So is a clip,
//! once its end is there; until then its camera's ring holds its beginning.
//!
//! # Failure
//! A full queue fails the piece at once (`busy`, in the `new` itself): a camera's core never waits. What cannot be drawn, cut
//! or written is settled as failed, with the reason. An outbox that cannot be written is tried again while others wait; a
//! restart settles what is left, by what is whole on disk. When the program stops, clips end where it stopped.
//!
//! # Ownership
//! The thread owns the folder's [`Shelf`]. A waiting picture holds its frame, so [`JOBS`] bounds frames too; waiting clips
//! hold nothing but their place in the ring.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::camera::{CameraEvidence, OfCamera};
use super::clip::ClipJob;
use super::counters::EvidenceCounters;
use super::deletions::Deletions;
use super::picture::PictureJob;
use super::snapshot::{MAX_THUMBNAIL_BYTES, Snapshot, snapshot};
use super::store::{EvidenceLimits, EvidenceStore, Shelf, file_name};
use super::{EvidenceName, Failure};
use crate::audit::AuditLog;
use crate::digest::{hex, sha256_of};
use crate::outbox::{Outbox, OutboxError, Outcome, PendingEvidence, Settlement};
use crate::privacy::RedactionError;
use crate::publish::wire::Shown;

/// Pictures that may wait; with more of them, one is `busy`. Each holds a frame: 3 MB at 1080p.
const JOBS: usize = 8;
/// Clips that may wait to be looked at by the thread; with more of them, one is `busy`.
const CLIP_JOBS: usize = 16;
/// Settlements that may wait for the outbox before no further picture is made.
const UNSETTLED: usize = 8;
/// Between two tries to settle.
const RETRY: Duration = Duration::from_secs(1);
/// How often the folder is cleared when nothing happens.
const CLEAR_EVERY: Duration = Duration::from_secs(600);
/// Below everything that judges: a picture may be late, an event may not.
const NICENESS: libc::c_int = 10;

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
    /// Where deletions are told.
    pub audit: AuditLog,
}

/// The running thread. It ends when the last [`CameraEvidence`] is dropped, with everything that was handed over.
#[derive(Debug)]
pub struct EvidenceThread {
    thread: JoinHandle<()>,
    pictures: mpsc::Sender<PictureJob>,
    clips: mpsc::Sender<ClipJob>,
    counters: Arc<EvidenceCounters>,
}

impl EvidenceThread {
    /// Starts it; in a tokio runtime, whose clock it uses.
    pub fn start(params: EvidenceParams) -> io::Result<Self> {
        let (pictures, picture_jobs) = mpsc::channel(JOBS);
        let (clips, clip_jobs) = mpsc::channel(CLIP_JOBS);
        let counters = Arc::new(EvidenceCounters::default());
        let maker = Maker::new(params, Arc::clone(&counters));
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new().name("evidence".to_owned()).spawn(move || {
            give_way();
            runtime.block_on(maker.run(picture_jobs, clip_jobs));
        })?;
        Ok(Self { thread, pictures, clips, counters })
    }

    /// How a camera is to photograph and film incidents.
    #[must_use]
    pub fn camera(&self, of: OfCamera) -> CameraEvidence {
        CameraEvidence::new(of, self.pictures.clone(), self.clips.clone(), Arc::clone(&self.counters))
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> Arc<EvidenceCounters> {
        Arc::clone(&self.counters)
    }

    /// Waits until everything handed over is made and settled.
    pub fn join(self) {
        drop((self.pictures, self.clips));
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
    /// Clips whose end is not there yet; each camera has a few at most.
    filming: Vec<ClipJob>,
    counters: Arc<EvidenceCounters>,
    audit: AuditLog,
    deletions: Deletions,
}

impl Maker {
    fn new(params: EvidenceParams, counters: Arc<EvidenceCounters>) -> Self {
        let EvidenceParams { store, limits, timezone, outbox, pending, audit } = params;
        let (unsettled, filming, deletions) = (Vec::new(), Vec::new(), Deletions::default());
        Self { store, limits, timezone, outbox, pending, unsettled, filming, counters, audit, deletions }
    }

    async fn run(mut self, mut pictures: mpsc::Receiver<PictureJob>, mut clips: mpsc::Receiver<ClipJob>) {
        for piece in std::mem::take(&mut self.pending) {
            let settlement = self.take_up(piece);
            self.unsettled.push(settlement);
        }
        let mut shelf = self.open_shelf();
        loop {
            self.settle().await;
            self.clear(&mut shelf);
            if self.unsettled.len() >= UNSETTLED {
                if pictures.is_closed() {
                    return self.deletions.tell(&self.audit);
                }
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if let Some(due) = self.filming.iter().position(|job| job.due() <= Instant::now()) {
                let job = self.filming.swap_remove(due);
                self.film(job, &mut shelf);
                continue;
            }
            tokio::select! {
                biased;
                job = pictures.recv() => match job {
                    Some(job) => self.photograph(job, &mut shelf),
                    None => break,
                },
                Some(job) = clips.recv() => self.filming.push(job),
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
        while let Ok(job) = clips.try_recv() {
            self.filming.push(job);
        }
        for job in std::mem::take(&mut self.filming) {
            self.film(job, &mut shelf);
        }
        self.settle().await;
        self.deletions.tell(&self.audit);
    }

    /// Until there is something to do though nothing comes.
    fn pause(&self) -> Duration {
        let next = self.filming.iter().map(ClipJob::due).min();
        let next = next.map_or(CLEAR_EVERY, |due| due.saturating_duration_since(Instant::now()));
        next.min(if self.unsettled.is_empty() { CLEAR_EVERY } else { RETRY })
    }

    /// What became of a piece when the program ended before it was settled.
    fn take_up(&self, of: PendingEvidence) -> Arc<Settlement> {
        let found = if of.name.is_clip() {
            self.store.open(of.incident, &of.name).and_then(ready_clip)
        } else {
            let read = self.store.read(of.incident, &of.name);
            read.map(|(picture, thumbnail)| ready(&picture, thumbnail.filter(|jpeg| is_thumbnail(jpeg)), None))
        };
        let failure = found.is_err().then_some(Failure::Interrupted);
        self.counters.ended(&of.name, failure);
        let outcome = found.unwrap_or_else(|_| failed(Failure::Interrupted));
        Arc::new(Settlement { of, outcome })
    }

    fn photograph(&mut self, mut job: PictureJob, shelf: &mut Shelf) {
        let incident = job.event.data.incident_id;
        // Decoding and drawing work on what cameras send: a surprise there must not end the thread.
        let drawn = catch_unwind(AssertUnwindSafe(|| {
            let (picture, shown) = job.shareable()?;
            Ok((snapshot(picture, &job.event, &job.places, &self.timezone), shown))
        }));
        let outcome = match drawn {
            Ok(Ok((drawn, shown))) => self.keep(incident, &job.name, drawn, shown, shelf),
            Ok(Err(error)) => {
                let error: RedactionError = error;
                tracing::error!(%incident, %error, "a picture is not kept: nobody may be recognised in it");
                Err(Failure::Privacy)
            }
            Err(_) => Err(Failure::NotDrawn),
        };
        match job.asked.take() {
            Some(asked) => {
                self.counters.ended(&job.name, outcome.as_ref().err().copied());
                self.store.forget_thumbnail(incident, &job.name);
                // Who asked may be gone.
                let _ = asked.send(outcome.unwrap_or_else(failed));
            }
            None => self.ended(incident, job.name.clone(), outcome),
        }
    }

    fn film(&mut self, job: ClipJob, shelf: &mut Shelf) {
        let (incident, name) = (job.incident, job.name.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| job.make(&self.store))).unwrap_or(Err(Failure::NotCut));
        if let Ok(Outcome::Ready { bytes, .. }) = &outcome {
            shelf.add(incident, &name, *bytes, SystemTime::now());
        }
        self.ended(incident, name, outcome);
    }

    fn ended(&mut self, incident: Uuid, name: EvidenceName, outcome: Result<Outcome, Failure>) {
        self.counters.ended(&name, outcome.as_ref().err().copied());
        let outcome = outcome.unwrap_or_else(|failure| {
            tracing::warn!(%incident, %name, reason = failure.word(), "no picture or clip of an incident");
            failed(failure)
        });
        self.unsettled.push(Arc::new(Settlement { of: PendingEvidence { incident, name }, outcome }));
    }

    fn keep(
        &self,
        incident: Uuid,
        name: &EvidenceName,
        drawn: Snapshot,
        shown: Shown,
        shelf: &mut Shelf,
    ) -> Result<Outcome, Failure> {
        let Snapshot { picture, thumbnail } = drawn;
        self.store.write(incident, name, &picture, thumbnail.as_deref().unwrap_or_default()).map_err(|error| {
            tracing::warn!(%incident, %error, "a picture is not written");
            Failure::of(&error)
        })?;
        shelf.add(incident, name, picture.len() as u64, SystemTime::now());
        Ok(ready(&picture, thumbnail, Some(shown)))
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

    fn clear(&mut self, shelf: &mut Shelf) {
        let cleared = shelf.clear(&self.pending_files(), SystemTime::now());
        if let Some(error) = cleared.failed.as_ref().filter(|_| !self.counters.totals().undeletable) {
            tracing::warn!(%error, "old pictures cannot be deleted");
        }
        self.counters.cleared(&cleared);
        self.deletions.note(cleared.gone, cleared.failed.as_ref(), &self.audit);
        let (kept, bytes) = shelf.held();
        self.counters.holds(kept, bytes);
    }
}

fn ready(picture: &[u8], thumbnail: Option<Vec<u8>>, shown: Option<Shown>) -> Outcome {
    Outcome::Ready { sha256: hex(&Sha256::digest(picture)), bytes: picture.len() as u64, thumbnail, shown }
}

/// The same of a clip that lies there: too large to be read at once.
fn ready_clip(file: File) -> io::Result<Outcome> {
    let (sha256, bytes) = sha256_of(file)?;
    Ok(Outcome::Ready { sha256, bytes, thumbnail: None, shown: None })
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed { reason: failure.word().to_owned() }
}

/// Whether a file that lies there is a whole JPEG that may be sent: its first and last marker (ITU-T T.81, B.1.1.3).
fn is_thumbnail(jpeg: &[u8]) -> bool {
    jpeg.len() <= MAX_THUMBNAIL_BYTES && jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])
}

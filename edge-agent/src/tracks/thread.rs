//! The thread that writes tracks, and deletes those that are too old.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use analytics::CameraId;
use analytics::record::Chunk;

use super::store::{Dropped, TracksStore};
use super::{TrackLimits, TracksError};
use crate::audit::{Action, AuditEntry, AuditLog, Object, Outcome};
use crate::source::wall_now;
use crate::status::time_quality;

/// Chunks that may wait: some minutes of a full cabinet.
const WAITING: usize = 64;
/// How often what is too old is looked for when nothing comes.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Deletions of so long a time are one line of the audit log.
const TELL_EVERY: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Job {
    camera: CameraId,
    session: i64,
    chunk: Chunk,
}

/// Where a camera's chunks go.
#[derive(Debug, Clone)]
pub struct TrackSink {
    jobs: SyncSender<Job>,
    dropped: Arc<AtomicU64>,
}

impl TrackSink {
    /// Hands a chunk over; when too many wait it is dropped, counted and said.
    pub fn send(&self, camera: &CameraId, session: i64, chunk: Chunk) {
        let job = Job { camera: camera.clone(), session, chunk };
        if self.jobs.try_send(job).is_err() && self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%camera, "the disk is too slow for recorded tracks; some minutes of them are missing");
        }
    }
}

/// The running thread. It ends when the last [`TrackSink`] is dropped.
#[derive(Debug)]
pub struct TracksThread(JoinHandle<()>, Arc<AtomicBool>);

impl TracksThread {
    /// Starts it, whether the database can be opened or not: events do not depend on tracks. What cannot be opened is tried
    /// again with every chunk. Deletions are told to `audit`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(path: &Path, limits: TrackLimits, audit: AuditLog) -> std::io::Result<(TrackSink, Self)> {
        let (jobs, waiting) = sync_channel(WAITING);
        let failing = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            path: path.to_owned(),
            limits,
            store: None,
            audit,
            failing: Arc::clone(&failing),
            dropped: Dropped::default(),
            told_at: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("tracks".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok((TrackSink { jobs, dropped: Arc::default() }, Self(thread, failing)))
    }

    /// Whether the last chunk could not be written.
    #[must_use]
    pub fn failing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.1)
    }

    /// Waits until everything handed over is written.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread of recorded tracks panicked");
        }
    }
}

struct Writer {
    path: PathBuf,
    limits: TrackLimits,
    /// `None`: it could not be opened yet.
    store: Option<TracksStore>,
    audit: AuditLog,
    failing: Arc<AtomicBool>,
    /// Since the last line about it.
    dropped: Dropped,
    told_at: Instant,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        let opened = self.open().map(|_| Dropped::default());
        self.note(opened);
        loop {
            let done = match jobs.recv_timeout(SWEEP_EVERY) {
                Ok(Job { camera, session, chunk }) => self.open().and_then(|store| store.add(&camera, session, &chunk)),
                // A box that thinks it is another year deletes nothing.
                Err(RecvTimeoutError::Timeout) if !time_quality().synced => Ok(Dropped::default()),
                Err(RecvTimeoutError::Timeout) => self.open().and_then(|store| store.sweep(wall_now())),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.note(done);
            if self.told_at.elapsed() >= TELL_EVERY {
                self.tell();
            }
        }
        self.tell();
    }

    fn open(&mut self) -> Result<&mut TracksStore, TracksError> {
        if self.store.is_none() {
            self.store = Some(TracksStore::open(&self.path, self.limits)?);
        }
        Ok(self.store.as_mut().expect("just opened"))
    }

    fn note(&mut self, done: Result<Dropped, TracksError>) {
        match done {
            Ok(Dropped { chunks, bytes }) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("recorded tracks are written again");
                }
                self.dropped.chunks += chunks;
                self.dropped.bytes += bytes;
            }
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "recorded tracks are neither written nor deleted; events do not depend on them");
                let entry = AuditEntry::by_system(Action::Deletion).on(Object::data("tracks"));
                let _ = self.audit.append(entry.outcome(Outcome::failed(error.to_string())));
            }
            Err(_) => {}
        }
    }

    fn tell(&mut self) {
        self.told_at = Instant::now();
        let Dropped { chunks, bytes } = std::mem::take(&mut self.dropped);
        if chunks > 0 {
            let entry = AuditEntry::by_system(Action::Deletion).on(Object::data("tracks"));
            // What is not written is counted by the log.
            let _ = self.audit.append(entry.with("chunks", chunks).with("bytes", bytes));
        }
    }
}

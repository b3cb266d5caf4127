//! The thread that writes tracks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use analytics::CameraId;
use analytics::record::Chunk;
use tokio::sync::mpsc;

use super::store::TracksStore;
use super::{TrackLimits, TracksError};

/// Chunks that may wait: some minutes of a full cabinet.
const WAITING: usize = 64;

#[derive(Debug)]
struct Job {
    camera: CameraId,
    session: i64,
    chunk: Chunk,
}

/// Where a camera's chunks go.
#[derive(Debug, Clone)]
pub struct TrackSink {
    jobs: mpsc::Sender<Job>,
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
pub struct TracksThread(JoinHandle<()>);

impl TracksThread {
    /// Opens the database and starts.
    ///
    /// # Errors
    /// The database cannot be opened or made.
    pub fn start(path: &Path, limits: TrackLimits) -> Result<(TrackSink, Self), TracksError> {
        let store = TracksStore::open(path, limits)?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("tracks".to_owned())
            .spawn(move || write(store, waiting))
            .map_err(|error| TracksError::Database { path: path.to_owned(), reason: error.to_string() })?;
        Ok((TrackSink { jobs, dropped: Arc::default() }, Self(thread)))
    }

    /// Waits until everything handed over is written.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread of recorded tracks panicked");
        }
    }
}

fn write(mut store: TracksStore, mut jobs: mpsc::Receiver<Job>) {
    let mut failing = false;
    while let Some(Job { camera, session, chunk }) = jobs.blocking_recv() {
        match store.add(&camera, session, &chunk) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%camera, %error, "recorded tracks are not written; events do not depend on them");
            }
            Err(_) => {}
        }
    }
}

//! What takes time: a picture now, files in parts, a configuration on trial; one of each at a time.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::CommandCounters;
use super::budget::Budget;
use crate::apply::{Desk, Gate};
use crate::digest;
use crate::evidence::EvidenceName;
use crate::outbox::Outcome;
use crate::publish::wire::{AckFile, ChunkHeader, CommandName, Reason, Word};
use crate::publish::{Chunk, Topics};

/// Bytes of a file in one part: half a second of a link of 256 kbit/s, which is what an event waits at most.
pub(super) const PART_BYTES: usize = 16 * 1024;
/// A picture takes a moment; one that takes longer waits behind too many others.
const PICTURE_WITHIN: Duration = Duration::from_secs(60);

/// The command that brings a configuration.
pub(super) const CONFIG_APPLY: &str = CommandName::ConfigApply.label();

pub(super) type Running = Pin<Box<dyn Future<Output = Conclusion> + Send>>;

/// How something that was accepted ended.
#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) id: Uuid,
    pub(super) actor: String,
    pub(super) name: Word,
    pub(super) result: Result<(), Reason>,
    /// What exactly went wrong.
    pub(super) detail: Option<String>,
    pub(super) file: Option<AckFile>,
    /// Topic and JPEG.
    pub(super) picture: Option<(String, Vec<u8>)>,
}

impl Conclusion {
    /// Whether a configuration has passed its trial.
    pub(super) fn is_kept(&self) -> bool {
        self.name == CONFIG_APPLY && self.result.is_ok()
    }
}

/// What is being done.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) snapshot: Option<Running>,
    pub(super) fetch: Option<Running>,
    /// Ends only when it passes.
    pub(super) trial: Option<Running>,
}

impl Jobs {
    /// The next one that ends; never, while nothing is being done.
    pub(super) async fn next(&mut self) -> Conclusion {
        tokio::select! {
            done = ended(&mut self.snapshot) => done,
            done = ended(&mut self.fetch) => done,
            done = ended(&mut self.trial) => done,
        }
    }
}

async fn ended(job: &mut Option<Running>) -> Conclusion {
    match job {
        Some(running) => {
            let done = running.await;
            *job = None;
            done
        }
        None => std::future::pending().await,
    }
}

/// A picture that the evidence room makes.
pub(super) struct SnapshotJob {
    pub(super) id: Uuid,
    pub(super) actor: String,
    pub(super) name: EvidenceName,
    /// Where its thumbnail goes.
    pub(super) topic: String,
    pub(super) made: oneshot::Receiver<Outcome>,
}

impl SnapshotJob {
    pub(super) async fn run(self) -> Conclusion {
        let Self { id, actor, name, topic, made } = self;
        let outcome = tokio::time::timeout(PICTURE_WITHIN, made).await;
        let (result, file, picture) = match outcome {
            Ok(Ok(Outcome::Ready { sha256, bytes, thumbnail, .. })) => {
                let file = AckFile { name: name.to_string(), sha256, bytes, offset: None, text: None };
                (Ok(()), Some(file), thumbnail.map(|jpeg| (topic, jpeg)))
            }
            Ok(Ok(Outcome::Failed { .. }) | Err(_)) | Err(_) => (Err(Reason::NotMade), None, None),
        };
        Conclusion { id, actor, name: "snapshot".into(), result, detail: None, file, picture }
    }
}

/// A configuration that the program has begun with.
pub(super) struct TrialJob {
    pub(super) desk: Desk,
    pub(super) gate: Gate,
    /// Told when what was in force before is to be again.
    pub(super) restart: CancellationToken,
}

impl TrialJob {
    /// Ends where it passes. Where it does not the program begins anew, and answers then.
    pub(super) async fn run(mut self) -> Conclusion {
        let Some(trial) = self.desk.trial().cloned() else { return std::future::pending().await };
        let passed = self.gate.pass().await;
        let desk = self.desk.clone();
        let kept = match passed {
            Ok(()) => {
                tokio::task::spawn_blocking(move || desk.keep().map_err(|error| format!("it cannot be kept: {error}")))
                    .await
                    .unwrap_or_else(|_| Err("it cannot be kept".to_owned()))
            }
            Err(missing) => Err(missing),
        };
        if let Err(why) = kept {
            self.desk.give_up(&why);
            self.restart.cancel();
            return std::future::pending().await;
        }
        let (id, actor) = (trial.configuration.id, trial.configuration.by);
        tracing::info!(command = %id, by = actor, "a configuration of the centre is in force");
        Conclusion { id, actor, name: CONFIG_APPLY.into(), result: Ok(()), detail: None, file: None, picture: None }
    }
}

/// A file that is sent in parts.
pub(super) struct FetchJob {
    pub(super) id: Uuid,
    pub(super) actor: String,
    pub(super) incident: Uuid,
    pub(super) name: EvidenceName,
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) topics: Topics,
    pub(super) chunks: mpsc::Sender<Chunk>,
    pub(super) budget: Budget,
    pub(super) counters: Arc<CommandCounters>,
}

impl FetchJob {
    pub(super) async fn run(self) -> Conclusion {
        let (id, actor) = (self.id, self.actor.clone());
        let (result, file) = match self.send().await {
            Ok(file) => (Ok(()), Some(file)),
            Err((reason, file)) => (Err(reason), file),
        };
        Conclusion { id, actor, name: "evidence-fetch".into(), result, detail: None, file, picture: None }
    }

    async fn send(mut self) -> Result<AckFile, (Reason, Option<AckFile>)> {
        let whole = measured(self.path.clone()).await.map_err(|_| (Reason::NotMade, None))?;
        let mut file = AckFile { name: self.name.to_string(), offset: Some(self.offset), ..whole };
        while self.offset < file.bytes {
            let part = part(self.path.clone(), self.offset).await.map_err(|_| (Reason::NotMade, Some(file.clone())))?;
            if part.is_empty() {
                return Err((Reason::NotMade, Some(file)));
            }
            if !self.budget.take(part.len() as u64, file.bytes - self.offset).await {
                return Err((Reason::BudgetUsedUp, Some(file)));
            }
            self.send_part(&file, &part).await.map_err(|reason| (reason, Some(file.clone())))?;
            self.offset += part.len() as u64;
            file.offset = Some(self.offset);
        }
        Ok(file)
    }

    /// Until the broker has it, over however many connections.
    async fn send_part(&self, file: &AckFile, part: &[u8]) -> Result<(), Reason> {
        let header = ChunkHeader {
            id: self.id,
            incident_id: self.incident,
            name: file.name.clone(),
            offset: self.offset,
            total: file.bytes,
            sha256: file.sha256.clone(),
        };
        let payload = header.message(part);
        loop {
            let (taken, answer) = oneshot::channel();
            let chunk = Chunk { topic: self.topics.chunk(self.id), payload: payload.clone(), taken };
            if self.chunks.send(chunk).await.is_err() {
                return Err(Reason::Interrupted);
            }
            match answer.await {
                Ok(true) => {
                    self.counters.chunks.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Ok(false) => return Err(Reason::NotMade),
                // The connection ended first.
                Err(_) => {}
            }
        }
    }
}

/// Size and digest of a file.
async fn measured(path: PathBuf) -> io::Result<AckFile> {
    let measure = move || {
        let (sha256, bytes) = digest::sha256_of(File::open(path)?)?;
        Ok(AckFile { name: String::new(), sha256, bytes, offset: None, text: None })
    };
    tokio::task::spawn_blocking(measure).await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
}

async fn part(path: PathBuf, offset: u64) -> io::Result<Vec<u8>> {
    let read = move || read_part(&path, offset);
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
}

fn read_part(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut part = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part)
}

//! The durable outbox: what was committed is delivered, or its loss is announced.
//!
//! A SQLite database in WAL mode with `synchronous=FULL`. [`Outbox::commit`] resolves once the events are on disk, with
//! their gapless sequence numbers; the publisher asks for what is [`next`](Outbox::next) and says what was
//! [`delivered`](Outbox::delivered) (acknowledged by the broker), and only then an entry is deleted.
//!
//! # Invariants
//! - Sequence numbers have no gap within one `outbox_id`; a lost one is named by an overflow event, which is durable
//!   in the same transaction as the loss.
//! - Revisions of one incident leave in ascending order, never two at a time.
//! - A critical `new` or `end` is never dropped, even beyond the limits; a full disk is the last limit.
//! - The open incidents of a camera are those of its committed events: both change in one transaction.
//! - Revisions are given at commit too and ascend by one, whichever thread an event comes from.
//! - Traffic measures are numbered as events are, leave after them and are the first to be dropped, named like any loss; an
//!   interval is either running or told.
//! - A piece of evidence that an event announced is pending until one event says that it is ready or failed.
//!
//! # Failure
//! A commit that fails (disk full, read-only) is an error to its caller, who keeps the events and tries again; nothing
//! that was acknowledged is lost. A damaged database is renamed `….damaged-N`, a new one starts with a new
//! `outbox_id`, and a system event says so. An event that is not what was stored is set aside alone, and announced.
//!
//! # Ownership
//! One thread owns the database; [`Outbox`] is a handle to it. Everything that waits in its channel goes into one
//! transaction (group commit), so a slow disk makes groups larger, not queues longer.

mod audit_head;
mod command;
mod draft;
#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
mod faulty_disk;
mod incident;
mod ledger;
mod measure;
#[cfg(test)]
mod measure_tests;
mod open;
mod overflow;
mod parked;
#[cfg(test)]
mod power_tests;
mod store;
mod sum;
#[cfg(test)]
pub(crate) mod tests;
mod thread;
mod thumbnail;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics::incident::OpenIncident;
use analytics::measure::Tally;
use analytics::{CameraId, Parked};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

pub use audit_head::stored as stored_audit_head;
pub(crate) use command::MOST_WAITING as MOST_ACKS;
pub use command::{Answer, CommandWork, Effect, RulePrecision, Taken, Unfinished, WaitingAck};
pub use draft::Draft;
pub use incident::{Outcome, PendingEvidence, Settlement};
pub use measure::MeasureRecord;
pub use store::{Entry, NextRequest};
pub use thread::OutboxThread;
pub use thumbnail::Thumbnail;

use crate::audit::Head;
use crate::publish::Topics;
use crate::publish::wire::{Sequence, System, UtcMillis};
use command::Question;
use thread::Command;
use thumbnail::TooOld;

/// Commands that may wait for the thread. When it is full, senders wait: a camera's core then holds its events while
/// its frame slot keeps replacing.
const COMMANDS: usize = 256;

/// How much the outbox may hold. Raising either buys longer outages without loss, and costs disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Bytes of payload.
    pub max_bytes: u64,
    /// Events.
    pub max_rows: u64,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { max_bytes: 512 << 20, max_rows: 250_000 }
    }
}

/// Why the outbox did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// The file cannot be opened or created.
    #[error("outbox {path}: cannot be opened: {reason}; check that the folder exists and is writable")]
    Unopened {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// Another process holds it.
    #[error(
        "outbox {path}: in use by another process; stop the other edge-agent or give this one its own storage path"
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error("outbox {path}: its format {found} is newer than this program's {known}; install the newer version again")]
    Newer {
        /// The database.
        path: PathBuf,
        /// Format found.
        found: i64,
        /// Format known.
        known: i64,
    },
    /// The database refused for now: disk full, read-only, input/output error. Keep the events and try again.
    #[error("outbox: not written: {reason}; check free space and the disk")]
    Storage {
        /// SQLite's words.
        reason: String,
    },
    /// The outbox's thread has ended.
    #[error("outbox: stopped")]
    Stopped,
}

impl OutboxError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Storage { .. } => true,
            Self::Unopened { .. } | Self::InUse { .. } | Self::Newer { .. } | Self::Stopped => false,
        }
    }
}

/// What the outbox holds; totals count since start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxStats {
    /// Whose sequence numbers these are.
    pub outbox_id: Uuid,
    /// The last sequence number given; 0 before the first.
    pub last_sequence: Sequence,
    /// Events not yet delivered.
    pub pending: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Events lost to the limits.
    pub lost_total: u64,
    /// Thumbnails not yet delivered.
    pub thumbnails: u64,
    /// Their bytes.
    pub thumbnail_bytes: u64,
    /// Thumbnails dropped to make room for events.
    pub thumbnails_dropped_total: u64,
    /// Answers to commands that are not delivered.
    pub acks: u64,
    /// Transactions made.
    pub transactions_total: u64,
    /// Why the last transaction failed; `None` when it did not.
    pub failing: Option<String>,
    /// Where a damaged database was put, if one was found.
    pub set_aside: Option<PathBuf>,
}

/// A handle to the outbox. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Outbox {
    commands: mpsc::Sender<Command>,
    stats: watch::Receiver<OutboxStats>,
}

impl Outbox {
    /// Opens the database at `path` (created if need be, its folder too) and starts its thread. `topics` name the box
    /// in the events that the outbox writes about itself.
    pub fn open(path: &Path, limits: OutboxLimits, topics: &Topics) -> Result<(Self, OutboxThread), OutboxError> {
        let store = open::open(path, limits, topics)?;
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (thread, stats) = OutboxThread::spawn(store, receiver);
        Ok((Self { commands, stats }, thread))
    }

    /// Makes the events durable and returns their sequence numbers, in order. All or none. Dropping the future does
    /// not undo it. The caller keeps its own reference, to try again after a transient error.
    pub async fn commit(&self, drafts: impl Into<Arc<[Draft]>>) -> Result<Vec<Sequence>, OutboxError> {
        let drafts = drafts.into();
        self.ask(|reply| Command::Commit { drafts, reply }).await?
    }

    /// Makes traffic measures durable: all or none, as [`commit`](Self::commit) does; the sequence numbers of the intervals
    /// that are over.
    pub async fn record(&self, record: impl Into<Arc<MeasureRecord>>) -> Result<Vec<Sequence>, OutboxError> {
        let record = record.into();
        self.ask(|reply| Command::Record { record, reply }).await?
    }

    /// Makes an event of the box itself durable, as [`commit`](Self::commit) does.
    pub async fn announce(&self, event: Arc<System>) -> Result<Sequence, OutboxError> {
        self.ask(|reply| Command::Announce { event, reply }).await?
    }

    /// The sums of the interval that was running when `camera`'s measures were last recorded.
    pub async fn running_measure(&self, camera: CameraId) -> Result<Option<Tally>, OutboxError> {
        self.ask(|reply| Command::RunningMeasure { camera, reply }).await?
    }

    /// The incidents of `camera` that its committed events leave open, oldest first.
    pub async fn open_incidents(&self, camera: CameraId) -> Result<Vec<OpenIncident>, OutboxError> {
        self.ask(|reply| Command::OpenIncidents { camera, reply }).await?
    }

    /// Keeps what stands before `camera` for the session after a restart. It is written with the next transaction, or
    /// not at all when that fails.
    pub async fn park(&self, camera: CameraId, things: Vec<Parked>) -> Result<(), OutboxError> {
        self.commands.send(Command::Park { camera, things }).await.map_err(|_| OutboxError::Stopped)
    }

    /// What was last known to stand before `camera`.
    pub async fn parked(&self, camera: CameraId) -> Result<Vec<Parked>, OutboxError> {
        self.ask(|reply| Command::Parked { camera, reply }).await?
    }

    /// A number greater than every session number before it, also over restarts.
    pub async fn next_session(&self) -> Result<u64, OutboxError> {
        self.ask(|reply| Command::NextSession { reply }).await?
    }

    /// What to send next; see [`NextRequest`].
    pub async fn next(&self, request: NextRequest) -> Result<Vec<Entry>, OutboxError> {
        self.ask(|reply| Command::Next { request, reply }).await?
    }

    /// Says that the broker has acknowledged an entry: it will be deleted. A deletion that fails is tried again with
    /// the next transaction; an entry of an outbox that was set aside meanwhile is nobody's business any more.
    pub async fn delivered(&self, outbox_id: Uuid, sequence: Sequence) -> Result<(), OutboxError> {
        let command = Command::Delivered { outbox_id, sequence };
        self.commands.send(command).await.map_err(|_| OutboxError::Stopped)
    }

    /// Evidence that was announced and not settled yet.
    pub async fn pending_evidence(&self) -> Result<Vec<PendingEvidence>, OutboxError> {
        self.ask(|reply| Command::PendingEvidence { reply }).await?
    }

    /// Commits, as a further revision of its incident, what became of a piece of evidence, and keeps its thumbnail for
    /// the centre. The revision's number; `None` when the piece was not pending. The caller keeps its own reference, to
    /// try again after a transient error.
    pub async fn settle(&self, settlement: Arc<Settlement>) -> Result<Option<Sequence>, OutboxError> {
        self.ask(|reply| Command::Settle { settlement, reply }).await?
    }

    /// The thumbnail to send next: the newest.
    pub async fn next_thumbnail(&self) -> Result<Option<Thumbnail>, OutboxError> {
        self.ask(|reply| Command::NextThumbnail { reply }).await?
    }

    /// Says that a thumbnail was acknowledged by the broker, or is given up: it will be deleted.
    pub async fn thumbnail_done(&self, outbox_id: Uuid, number: u64) -> Result<(), OutboxError> {
        let command = Command::ThumbnailDone { outbox_id, number };
        self.commands.send(command).await.map_err(|_| OutboxError::Stopped)
    }

    /// Deletes thumbnails that were kept before `before`; how many, and their bytes. `now` must be of a clock that can be
    /// believed.
    pub async fn drop_thumbnails(&self, now: UtcMillis, before: UtcMillis) -> Result<(u64, u64), OutboxError> {
        let too_old = TooOld { now, before };
        self.ask(|reply| Command::DropThumbnails { too_old, reply }).await?
    }

    /// Does what a command does, and keeps its answer until it is delivered: all of it durably, or nothing. The caller keeps
    /// its own reference, to try again after a transient error.
    pub async fn order(&self, work: Arc<CommandWork>) -> Result<Taken, OutboxError> {
        self.ask(|reply| Command::Order { work, reply }).await?
    }

    /// The answer to a command to send next: the oldest.
    pub async fn next_ack(&self) -> Result<Option<WaitingAck>, OutboxError> {
        self.ask(|reply| Command::Question(Question::NextAck(reply))).await?
    }

    /// Says that an answer was acknowledged by the broker, or is given up: it will be deleted.
    pub async fn ack_done(&self, outbox_id: Uuid, number: u64) -> Result<(), OutboxError> {
        let command = Command::AckDone { outbox_id, number };
        self.commands.send(command).await.map_err(|_| OutboxError::Stopped)
    }

    /// Commands that were accepted and have no final answer.
    pub async fn unfinished_commands(&self) -> Result<Vec<Unfinished>, OutboxError> {
        self.ask(|reply| Command::Question(Question::Unfinished(reply))).await?
    }

    /// What commands have set, by name.
    pub async fn settings(&self) -> Result<Vec<(String, String)>, OutboxError> {
        self.ask(|reply| Command::Question(Question::Settings(reply))).await?
    }

    /// What operators found incidents to be, by camera and rule.
    pub async fn precision(&self) -> Result<Vec<RulePrecision>, OutboxError> {
        self.ask(|reply| Command::Question(Question::Precision(reply))).await?
    }

    /// Keeps the last line of the audit log.
    pub async fn keep_audit_head(&self, head: Head) -> Result<(), OutboxError> {
        self.ask(|reply| Command::KeepAuditHead { head, reply }).await?
    }

    /// The last line of the audit log as it was kept.
    pub async fn audit_head(&self) -> Result<Option<Head>, OutboxError> {
        self.ask(|reply| Command::AuditHead { reply }).await?
    }

    /// What it holds; changes with every transaction.
    #[must_use]
    pub fn stats(&self) -> watch::Receiver<OutboxStats> {
        self.stats.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, OutboxError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| OutboxError::Stopped)?;
        answer.await.map_err(|_| OutboxError::Stopped)
    }
}

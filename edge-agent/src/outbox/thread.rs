//! The thread that owns the database.

use std::sync::Arc;
use std::thread::JoinHandle;

use analytics::incident::OpenIncident;
use analytics::measure::Tally;
use analytics::{CameraId, Parked};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::command::{CommandWork, Question, Taken};
use super::draft::Draft;
use super::incident::{PendingEvidence, Settlement};
use super::measure::MeasureRecord;
use super::open::is_damage;
use super::store::{Entry, Given, NextRequest, Store, Writes};
use super::thumbnail::{Thumbnail, TooOld};
use super::{COMMANDS, OutboxError, OutboxStats};
use crate::audit::Head;
use crate::publish::wire::{Sequence, System};
use crate::status::pulse::{Beat, Pulse};

pub(super) type Reply<T> = oneshot::Sender<Result<T, OutboxError>>;

/// What the thread is asked.
#[derive(Debug)]
pub(super) enum Command {
    Commit { drafts: Arc<[Draft]>, reply: Reply<Vec<Sequence>> },
    Announce { event: Arc<System>, reply: Reply<Sequence> },
    Record { record: Arc<MeasureRecord>, reply: Reply<Vec<Sequence>> },
    RunningMeasure { camera: CameraId, reply: Reply<Option<Tally>> },
    Settle { settlement: Arc<Settlement>, reply: Reply<Option<Sequence>> },
    Delivered { outbox_id: Uuid, sequence: Sequence },
    ThumbnailDone { outbox_id: Uuid, number: u64 },
    Order { work: Arc<CommandWork>, reply: Reply<Taken> },
    AckDone { outbox_id: Uuid, number: u64 },
    Question(Question),
    NextSession { reply: Reply<u64> },
    Next { request: NextRequest, reply: Reply<Vec<Entry>> },
    KeepAuditHead { head: Head, reply: Reply<()> },
    DropThumbnails { too_old: TooOld, reply: Reply<(u64, u64)> },
    AuditHead { reply: Reply<Option<Head>> },
    NextThumbnail { reply: Reply<Option<Thumbnail>> },
    PendingEvidence { reply: Reply<Vec<PendingEvidence>> },
    OpenIncidents { camera: CameraId, reply: Reply<Vec<OpenIncident>> },
    Park { camera: CameraId, things: Vec<Parked> },
    Parked { camera: CameraId, reply: Reply<Vec<Parked>> },
}

/// The running thread. It ends when the last [`Outbox`](super::Outbox) handle is dropped.
#[derive(Debug)]
pub struct OutboxThread(JoinHandle<()>, Beat);

impl OutboxThread {
    pub(super) fn spawn(store: Store, commands: mpsc::Receiver<Command>) -> (Self, watch::Receiver<OutboxStats>) {
        let (stats, watcher) = watch::channel(snapshot(&store, 0, None));
        let (pulse, beat) = Pulse::new();
        let owner = Owner {
            store,
            undeleted: Vec::new(),
            undeleted_thumbnails: Vec::new(),
            undeleted_acks: Vec::new(),
            transactions: 0,
            failing: None,
            damaged: false,
            stats,
        };
        let handle = std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || owner.run(commands, &pulse))
            .expect("the system can start a thread at start-up");
        (Self(handle, beat), watcher)
    }

    /// Whether it answers.
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.1.clone()
    }

    /// Waits until everything handed over is written and the database is closed; after the last handle is dropped.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the outbox thread panicked");
        }
    }
}

struct Owner {
    store: Store,
    /// Acknowledged by the broker, and still to be deleted because a transaction failed.
    undeleted: Vec<Sequence>,
    undeleted_thumbnails: Vec<u64>,
    undeleted_acks: Vec<u64>,
    transactions: u64,
    failing: Option<String>,
    /// The database is damaged and its replacement has not succeeded yet.
    damaged: bool,
    stats: watch::Sender<OutboxStats>,
}

impl Owner {
    fn run(mut self, mut commands: mpsc::Receiver<Command>, pulse: &Pulse) {
        while let Some(first) = commands.blocking_recv() {
            pulse.works();
            let mut group = Group { outbox_id: self.store.state.outbox_id, ..Default::default() };
            group.add(first);
            for _ in 1..COMMANDS {
                match commands.try_recv() {
                    Ok(command) => group.add(command),
                    Err(_) => break,
                }
            }
            self.serve(group);
            pulse.waits();
        }
    }

    /// One transaction for everything that writes; then what reads.
    fn serve(&mut self, group: Group) {
        let Group {
            mut writes,
            commits,
            settlements,
            records,
            announcements,
            orders,
            sessions,
            audit_heads,
            too_old,
            reads,
            ..
        } = group;
        writes.delivered.append(&mut self.undeleted);
        writes.thumbnails_done.append(&mut self.undeleted_thumbnails);
        writes.acks_done.append(&mut self.undeleted_acks);
        let written = if writes.is_empty() { Ok(Given::default()) } else { self.write(&mut writes) };
        if written.is_err() {
            self.undeleted = writes.delivered;
            self.undeleted_thumbnails = writes.thumbnails_done;
            self.undeleted_acks = writes.acks_done;
        }
        let now = snapshot(&self.store, self.transactions, self.failing.clone());
        self.stats.send_if_modified(|stats| {
            let changed = *stats != now;
            *stats = now;
            changed
        });
        match written {
            Ok(given) => {
                for (reply, sequences) in commits.into_iter().zip(given.commits) {
                    let _ = reply.send(Ok(sequences));
                }
                for (reply, sequence) in settlements.into_iter().zip(given.settlements) {
                    let _ = reply.send(Ok(sequence));
                }
                for (reply, sequences) in records.into_iter().zip(given.records) {
                    let _ = reply.send(Ok(sequences));
                }
                for (reply, sequence) in announcements.into_iter().zip(given.announcements) {
                    let _ = reply.send(Ok(sequence));
                }
                for (reply, taken) in orders.into_iter().zip(given.orders) {
                    let _ = reply.send(Ok(taken));
                }
                for reply in sessions {
                    let _ = reply.send(Ok(self.store.state.session));
                }
                for reply in audit_heads {
                    let _ = reply.send(Ok(()));
                }
                for reply in too_old {
                    let _ = reply.send(Ok(given.too_old));
                }
                for read in reads {
                    self.read(read);
                }
            }
            Err(error) => {
                for reply in commits.into_iter().chain(records) {
                    let _ = reply.send(Err(error.clone()));
                }
                for reply in settlements {
                    let _ = reply.send(Err(error.clone()));
                }
                for reply in announcements {
                    let _ = reply.send(Err(error.clone()));
                }
                for reply in orders {
                    let _ = reply.send(Err(error.clone()));
                }
                for reply in sessions {
                    let _ = reply.send(Err(error.clone()));
                }
                for reply in audit_heads {
                    let _ = reply.send(Err(error.clone()));
                }
                for reply in too_old {
                    let _ = reply.send(Err(error.clone()));
                }
                for read in reads {
                    // What was acknowledged and is not deleted yet must not be sent again. Everything else can be read on a
                    // full disk too: a camera that did not learn its open incidents would open them a second time.
                    if read.is_for_sending() { read.refuse(&error) } else { self.read(read) }
                }
            }
        }
    }

    fn write(&mut self, writes: &mut Writes) -> Result<Given, OutboxError> {
        let result = self.store.apply(writes);
        self.transactions += 1;
        let result = result.map_err(|error| {
            if is_damage(&error) {
                // Numbers of the old outbox mean nothing in the new one.
                writes.delivered.clear();
                writes.thumbnails_done.clear();
                writes.acks_done.clear();
            }
            self.failure(&error)
        });
        if result.is_ok() && self.failing.take().is_some() {
            tracing::info!("the outbox writes again");
        }
        result
    }

    /// Notes a failure; a damaged database is replaced.
    fn failure(&mut self, error: &rusqlite::Error) -> OutboxError {
        let reason = error.to_string();
        if self.failing.is_none() {
            tracing::error!(%reason, "the outbox cannot be written; events wait in memory");
        }
        self.failing = Some(reason.clone());
        self.damaged |= is_damage(error);
        if self.damaged {
            match self.store.replace_damaged() {
                Ok(()) => self.damaged = false,
                Err(error) => tracing::error!(%error, "the damaged outbox could not be replaced"),
            }
        }
        OutboxError::Storage { reason }
    }

    fn read(&mut self, read: Read) {
        match read {
            Read::Next(request, reply) => {
                let entries = self.store.next(&request).map_err(|error| self.failure(&error));
                let _ = reply.send(entries);
            }
            Read::NextThumbnail(reply) => {
                let thumbnail = self.store.next_thumbnail().map_err(|error| self.failure(&error));
                let _ = reply.send(thumbnail);
            }
            Read::Question(question) => {
                if let Err((question, error)) = question.answer(&self.store) {
                    let error = self.failure(&error);
                    question.refuse(&error);
                }
            }
            Read::PendingEvidence(reply) => {
                let pending = self.store.pending_evidence().map_err(|error| self.failure(&error));
                let _ = reply.send(pending);
            }
            Read::AuditHead(reply) => {
                let head = self.store.audit_head().map_err(|error| self.failure(&error));
                let _ = reply.send(head);
            }
            Read::RunningMeasure(camera, reply) => {
                let running = self.store.running_measure(&camera).map_err(|error| self.failure(&error));
                let _ = reply.send(running);
            }
            Read::OpenIncidents(camera, reply) => {
                let open = self.store.open_incidents(&camera).map_err(|error| self.failure(&error));
                let _ = reply.send(open);
            }
            Read::Parked(camera, reply) => {
                let things = self.store.parked(&camera).map_err(|error| self.failure(&error));
                let _ = reply.send(things);
            }
        }
    }
}

/// Everything that waited in the channel.
#[derive(Default)]
struct Group {
    outbox_id: Uuid,
    writes: Writes,
    commits: Vec<Reply<Vec<Sequence>>>,
    settlements: Vec<Reply<Option<Sequence>>>,
    records: Vec<Reply<Vec<Sequence>>>,
    announcements: Vec<Reply<Sequence>>,
    orders: Vec<Reply<Taken>>,
    sessions: Vec<Reply<u64>>,
    audit_heads: Vec<Reply<()>>,
    too_old: Vec<Reply<(u64, u64)>>,
    reads: Vec<Read>,
}

enum Read {
    Next(NextRequest, Reply<Vec<Entry>>),
    NextThumbnail(Reply<Option<Thumbnail>>),
    PendingEvidence(Reply<Vec<PendingEvidence>>),
    OpenIncidents(CameraId, Reply<Vec<OpenIncident>>),
    Parked(CameraId, Reply<Vec<Parked>>),
    RunningMeasure(CameraId, Reply<Option<Tally>>),
    Question(Question),
    AuditHead(Reply<Option<Head>>),
}

impl Read {
    const fn is_for_sending(&self) -> bool {
        matches!(self, Self::Next(..) | Self::NextThumbnail(_))
    }

    fn refuse(self, error: &OutboxError) {
        match self {
            Self::Next(_, reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::NextThumbnail(reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::PendingEvidence(reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::OpenIncidents(_, reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::Parked(_, reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::RunningMeasure(_, reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::Question(question) => question.refuse(error),
            Self::AuditHead(reply) => {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

impl Group {
    fn add(&mut self, command: Command) {
        match command {
            Command::Commit { drafts, reply } => {
                self.writes.commits.push(drafts);
                self.commits.push(reply);
            }
            Command::Delivered { outbox_id, sequence } if outbox_id == self.outbox_id => {
                self.writes.delivered.push(sequence);
            }
            Command::ThumbnailDone { outbox_id, number } if outbox_id == self.outbox_id => {
                self.writes.thumbnails_done.push(number);
            }
            Command::AckDone { outbox_id, number } if outbox_id == self.outbox_id => self.writes.acks_done.push(number),
            // Its number means another one in the present outbox.
            Command::Delivered { .. } | Command::ThumbnailDone { .. } | Command::AckDone { .. } => {}
            Command::Order { work, reply } => {
                self.writes.orders.push(work);
                self.orders.push(reply);
            }
            Command::Question(question) => self.reads.push(Read::Question(question)),
            Command::Settle { settlement, reply } => {
                self.writes.settlements.push(settlement);
                self.settlements.push(reply);
            }
            Command::Announce { event, reply } => {
                self.writes.announcements.push(event);
                self.announcements.push(reply);
            }
            Command::Record { record, reply } => {
                self.writes.records.push(record);
                self.records.push(reply);
            }
            Command::RunningMeasure { camera, reply } => self.reads.push(Read::RunningMeasure(camera, reply)),
            Command::NextSession { reply } => {
                // Askers of one group are never two publishers: one number is enough.
                self.writes.session = true;
                self.sessions.push(reply);
            }
            Command::KeepAuditHead { head, reply } => {
                self.writes.audit_head = Some(head);
                self.audit_heads.push(reply);
            }
            Command::DropThumbnails { too_old, reply } => {
                self.writes.too_old = Some(too_old);
                self.too_old.push(reply);
            }
            Command::AuditHead { reply } => self.reads.push(Read::AuditHead(reply)),
            Command::Next { request, reply } => self.reads.push(Read::Next(request, reply)),
            Command::NextThumbnail { reply } => self.reads.push(Read::NextThumbnail(reply)),
            Command::PendingEvidence { reply } => self.reads.push(Read::PendingEvidence(reply)),
            Command::Park { camera, things } => self.writes.parked.push((camera, things)),
            Command::Parked { camera, reply } => self.reads.push(Read::Parked(camera, reply)),
            Command::OpenIncidents { camera, reply } => self.reads.push(Read::OpenIncidents(camera, reply)),
        }
    }
}

impl Writes {
    fn is_empty(&self) -> bool {
        self.delivered.is_empty()
            && self.thumbnails_done.is_empty()
            && self.commits.is_empty()
            && self.settlements.is_empty()
            && self.parked.is_empty()
            && self.records.is_empty()
            && self.announcements.is_empty()
            && self.orders.is_empty()
            && self.acks_done.is_empty()
            && self.audit_head.is_none()
            && self.too_old.is_none()
            && !self.session
    }
}

fn snapshot(store: &Store, transactions_total: u64, failing: Option<String>) -> OutboxStats {
    let state = &store.state;
    OutboxStats {
        outbox_id: state.outbox_id,
        last_sequence: Sequence(state.last_sequence),
        pending: state.pending,
        pending_bytes: state.pending_bytes,
        lost_total: state.lost_total,
        thumbnails: state.thumbnails,
        thumbnail_bytes: state.thumbnail_bytes,
        thumbnails_dropped_total: state.thumbnails_dropped,
        acks: state.acks,
        transactions_total,
        failing,
        set_aside: store.set_aside.clone(),
    }
}

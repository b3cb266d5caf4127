//! To the operations centre over MQTT.
//!
//! [`PublishTask::run`] keeps one connection: it says who is there ([`wire::Birth`], `status`), keeps retained state
//! current, and drains the outbox with a bounded number of events in flight. The outbox is the only memory of what is
//! unsent: every connection starts from it.
//!
//! # Invariants
//! - An event is deleted from the outbox only when the broker has acknowledged it.
//! - What was committed before the connection that carries it says `replayed: true`.
//! - State is retained, events never are.
//!
//! # Failure
//! Unreachable: tried again with full jitter, at most 10 s apart (a broker that comes back is found within seconds;
//! thirty sites then need about 5 s to return, not one instant). Refused (password, certificate) or not trusted: tried
//! about once a minute and shown, because trying faster cures nothing and may lock the account. Silent (frozen broker or link):
//! noticed by the keep-alive, or sooner by an acknowledgement that is overdue. A message that the broker refuses waits
//! for longer and longer, with its own incident only.
//!
//! # Ownership
//! One task owns client, event loop and drain. [`PublishHandle`] shares state with it by latest value only.

mod audit;
mod backoff;
mod broker;
mod drain;
mod keyring;
pub mod mqtt;
pub mod probe;
mod refused;
mod retained;
pub mod schema;
mod settling;
#[cfg(test)]
pub(crate) mod tests;
mod thumbnails;
mod tls;
mod topics;
pub mod wire;
mod witness;
mod x509;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use audit::AuditFeed;
pub(crate) use broker::Identity;
pub use broker::{BrokerParams, Protocol};
pub use keyring::{Certificates, Keyring};
pub use mqtt::MqttPublisher;
pub(crate) use tls::certificates;
pub use tls::{Loaded, TlsError, TlsParams, Validity};
pub use topics::{InvalidRoot, TopicRoot, Topics};

use crate::outbox::Outbox;
use crate::status::pulse::{Beat, Pulse};
use backoff::Backoff;
pub use drain::Chunk;
use drain::{Drain, End, Memory};
use refused::Suspicion;
use retained::Retained;
use thumbnails::Thumbnails;
use wire::{Birth, Presence, Status, UtcMillis};

/// A future on the heap.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One message on its way; always QoS 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// JSON or a JPEG.
    pub payload: Vec<u8>,
    /// What the payload is; empty for what was received.
    pub content_type: &'static str,
    /// State is retained, an event is not.
    pub retained: bool,
}

impl Message {
    /// Retained state.
    pub(crate) fn state(topic: String, payload: Vec<u8>) -> Self {
        Self { topic, payload, content_type: wire::STATE_CONTENT_TYPE, retained: true }
    }
}

/// Why there is no connection, or no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No broker there, or it is not ready.
    #[error("broker unreachable: {reason}; check the network, the address and that the broker runs")]
    Unreachable {
        /// In the client's words.
        reason: String,
    },
    /// The broker refused this box: someone must act.
    #[error("broker refused: {reason}; check user name, password, client certificate and the broker's access rules")]
    Refused {
        /// In the client's words.
        reason: String,
    },
    /// The broker's certificate was refused: someone must act.
    #[error(
        "broker not trusted: {reason}; check mqtt.ca, the broker's certificate and the name in mqtt.url, and this box's clock"
    )]
    Untrusted {
        /// In the TLS library's words.
        reason: String,
    },
    /// This box's own certificate files cannot be used: someone must act.
    #[error("certificates not usable: {reason}")]
    Certificates {
        /// Which, why and the cure.
        reason: String,
    },
    /// The connection broke.
    #[error("connection lost: {reason}")]
    Lost {
        /// In the client's words.
        reason: String,
    },
    /// One side said what the other does not accept; what was in flight may be the cause.
    #[error("protocol error: {reason}")]
    Protocol {
        /// In the client's words.
        reason: String,
    },
    /// The broker does not answer.
    #[error("broker silent: no acknowledgement or ping answer in time")]
    Silent,
}

/// Why a message was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker said no.
    #[error("refused by the broker: {reason}")]
    Refused {
        /// The reason code.
        reason: String,
        /// What it says no to.
        scope: RefusalScope,
    },
    /// The connection ended first.
    #[error("the connection ended before the acknowledgement")]
    Gone,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalScope {
    /// This message: its size, its form.
    Message,
    /// Everything on its topic: not authorised.
    Topic,
    /// Everything: a quota.
    Broker,
}

/// Makes connections. A trait for two implementations: MQTT, and a flaky fake in tests.
pub trait Publisher: Send {
    /// What carries messages.
    type Link: Link;

    /// Tries once. `will` is what the broker says when the connection ends without a goodbye.
    fn connect(&mut self, will: Message) -> impl Future<Output = Result<Connection<Self::Link>, LinkError>> + Send;

    /// Completes when this box has another identity, which the broker takes: a connection is to be made anew, and will
    /// succeed. Never, where there is nothing to change.
    fn renewed(&self) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }
}

/// Carries messages over one connection.
pub trait Link: Send + Sync {
    /// Sends at once, in the order of the calls; the future resolves when the broker has acknowledged.
    fn publish(&self, message: Message) -> BoxFuture<Result<(), PublishError>>;

    /// Subscribes; what comes is in [`Connection::inbound`].
    fn subscribe(&self, filter: String) -> BoxFuture<Result<(), PublishError>>;

    /// A round trip to the broker that leaves nothing behind there; resolves with its answer, whatever that is.
    fn ping(&self) -> BoxFuture<Result<(), PublishError>>;
    /// Says goodbye once everything is acknowledged: the will is not sent.
    fn disconnect(&self);
}

/// An established connection.
pub struct Connection<L> {
    /// Whether the broker still knew this box.
    pub session_present: bool,
    /// The largest message the broker takes.
    pub max_packet_bytes: Option<u32>,
    /// Carries messages while `driver` is polled.
    pub link: L,
    /// Messages on subscribed topics.
    pub inbound: mpsc::Receiver<Message>,
    /// Does the work; resolves when the connection is over.
    pub driver: BoxFuture<LinkError>,
}

/// How to publish.
#[derive(Debug, Clone)]
pub struct PublishParams {
    /// The box's topics.
    pub topics: Topics,
    /// What the box is; `session`, `time` and `outbox_id` are set for each connection.
    pub birth: Birth,
    /// Events in flight at most; Mosquitto takes 20 by default, four are left for state.
    pub in_flight: usize,
    /// Time between two events from before the connection, so that a centre is not flooded when all boxes return.
    /// Lowering it empties the outbox faster.
    pub backlog_every: Duration,
    /// On a connection to a broker that has forgotten this box (it restarted without persistence, so it has forgotten
    /// its subscribers too) events wait this long for subscribers to return, as far as the broker answers meanwhile: an
    /// acknowledgement from a broker without subscribers is worth nothing. They wait too where it may have forgotten
    /// it: after attempts that failed, a connection that ended within this time, or a restart of the program. A box's
    /// very first connection does not wait.
    pub settle: Duration,
    /// A connection that leaves a message unacknowledged for this long is given up. Must exceed what a slow link
    /// needs for all that is in flight.
    pub ack_timeout: Duration,
    /// Send events only while this host's retained state says that it is online.
    pub primary_host: Option<String>,
    /// How long a graceful stop may take.
    pub stop_within: Duration,
    /// After a refused log-in or an untrusted certificate the next attempt comes within this, and not before half of
    /// it: trying faster cures nothing and may lock the account.
    pub refused_pause: Duration,
}

impl PublishParams {
    /// The defaults.
    #[must_use]
    pub fn new(topics: Topics, birth: Birth) -> Self {
        Self {
            topics,
            birth,
            in_flight: 16,
            backlog_every: Duration::from_millis(50),
            settle: Duration::from_secs(3),
            ack_timeout: Duration::from_secs(20),
            primary_host: None,
            stop_within: Duration::from_secs(5),
            refused_pause: Duration::from_secs(60),
        }
    }
}

/// What delivery is doing; totals count since start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishStatus {
    /// Whether there is a connection.
    pub connected: bool,
    /// Since when it is so.
    pub since: UtcMillis,
    /// Session number of the present or last connection.
    pub session: u64,
    /// Whether the primary host listens; `None` when none is configured.
    pub host_online: Option<bool>,
    /// Events acknowledged by the broker.
    pub delivered: u64,
    /// Events sent and not yet acknowledged.
    pub in_flight: usize,
    /// Events that a lost connection left unacknowledged and that are sent again.
    pub retries: u64,
    /// Refusals of single messages.
    pub refused: u64,
    /// Thumbnails acknowledged by the broker.
    pub thumbnails: u64,
    /// Thumbnails that the broker does not take.
    pub thumbnails_given_up: u64,
    /// The last trouble, without secrets; kept until the next delivery.
    pub last_error: Option<String>,
}

/// Access to the running task.
#[derive(Debug, Clone)]
pub struct PublishHandle {
    retained: Retained,
    birth: watch::Sender<Birth>,
    chunks: mpsc::Sender<Chunk>,
    status: watch::Receiver<PublishStatus>,
    beat: Beat,
}

impl PublishHandle {
    /// Whether the task lives.
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Publishes retained state now, and again on every connection. Only the latest payload of a topic is kept.
    pub fn set_retained(&self, topic: String, payload: Vec<u8>) {
        self.retained.set(topic, payload);
    }

    /// From now on the box says this of itself; says it at once, and all retained state once more.
    pub fn set_birth(&self, birth: Birth) {
        self.birth.send_replace(birth);
    }

    /// Where parts of evidence go: one waits, and whoever has another one waits too.
    #[must_use]
    pub fn chunks(&self) -> mpsc::Sender<Chunk> {
        self.chunks.clone()
    }

    /// What delivery is doing.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<PublishStatus> {
        self.status.clone()
    }
}

/// The publishing task, before it runs.
pub struct PublishTask<P> {
    publisher: P,
    params: PublishParams,
    outbox: Outbox,
    retained: Retained,
    birth: watch::Sender<Birth>,
    chunks: mpsc::Receiver<Chunk>,
    status: watch::Sender<PublishStatus>,
    audit: Option<AuditFeed>,
    /// At work while it makes a connection or uses the outbox; waits for the broker.
    pulse: Pulse,
}

/// Makes the task and the handle to it.
pub fn publish<P: Publisher>(publisher: P, params: PublishParams, outbox: Outbox) -> (PublishHandle, PublishTask<P>) {
    let (status, watcher) = watch::channel(PublishStatus {
        since: UtcMillis::now(),
        host_online: params.primary_host.as_ref().map(|_| false),
        ..PublishStatus::default()
    });
    let retained = Retained::default();
    let (pulse, beat) = Pulse::new();
    let birth = watch::Sender::new(params.birth.clone());
    let (sender, chunks) = mpsc::channel(1);
    let handle =
        PublishHandle { retained: retained.clone(), birth: birth.clone(), chunks: sender, status: watcher, beat };
    (handle, PublishTask { publisher, params, outbox, retained, birth, chunks, status, audit: None, pulse })
}

impl<P: Publisher> PublishTask<P> {
    /// Sends the lines of the audit log too.
    #[must_use]
    pub fn auditing(mut self, feed: AuditFeed) -> Self {
        self.audit = Some(feed);
        self
    }

    /// Publishes until `stop`, then says `stopped` and goodbye.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.params.refused_pause);
        let (mut suspicion, mut thumbnails) = (Suspicion::default(), Thumbnails::default());
        let (mut acks, mut chunk, mut chunk_after) = (Thumbnails::default(), None, tokio::time::Instant::now());
        let mut chunks = std::mem::replace(&mut self.chunks, mpsc::channel(1).1);
        let mut audit = self.audit.take();
        let mut first_attempt = true;
        // Whether a broker that knows this box has known it for longer than since an attempt of a moment ago, at which it may
        // have forgotten all others. Whoever was killed in the midst of one cannot tell.
        let mut is_old_acquaintance = false;
        let mut unused_session = None;
        while !stop.is_cancelled() {
            self.pulse.works();
            let session = match unused_session.take() {
                Some(session) => session,
                None => self.next_session().await,
            };
            let will = self.presence(Presence::Offline, session, None);
            let connected = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                connected = self.publisher.connect(will) => connected,
            };
            let error = match connected {
                Ok(connection) => {
                    // A box that was connected before, or that has just found no broker, and that this broker does not know.
                    let is_first = first_attempt && session == 1;
                    let settle = !(is_first || connection.session_present && is_old_acquaintance);
                    let memory = Memory {
                        suspicion: &mut suspicion,
                        thumbnails: &mut thumbnails,
                        audit: audit.as_mut(),
                        acks: &mut acks,
                        chunks: &mut chunks,
                        chunk: &mut chunk,
                        chunk_after: &mut chunk_after,
                    };
                    let (end, settled) = self.run_once(connection, session, settle, memory, &mut backoff, &stop).await;
                    is_old_acquaintance = settled;
                    match end {
                        End::Stopped => return,
                        End::Replaced => {
                            (suspicion, thumbnails) = (Suspicion::default(), Thumbnails::default());
                            acks = Thumbnails::default();
                            continue;
                        }
                        End::Renewed => continue,
                        End::Lost(error) => error,
                    }
                }
                Err(error) => {
                    // A number costs a write to the disk: an attempt that failed leaves it to the next one.
                    unused_session = Some(session);
                    // What was asked may have been heard.
                    is_old_acquaintance = false;
                    error
                }
            };
            self.pulse.waits();
            first_attempt = false;
            let pause = backoff.next(&error);
            self.note_trouble(&error, pause);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.publisher.renewed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One connection, from birth to its end; how it ended, and whether subscribers were given their time.
    async fn run_once(
        &mut self,
        connection: Connection<P::Link>,
        session: u64,
        settle: bool,
        memory: Memory<'_>,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> (End, bool) {
        let Connection { max_packet_bytes, link, inbound, mut driver, .. } = connection;
        tracing::info!(session, settle, "connected to the broker");
        self.status.send_modify(|status| {
            status.connected = true;
            status.since = UtcMillis::now();
            status.session = session;
        });
        let task = &*self;
        let hello = || [task.birth(session), task.presence(Presence::Online, session, Some(UtcMillis::now()))];
        let goodbye = self.presence(Presence::Stopped, session, Some(UtcMillis::now()));
        let renewed = self.publisher.renewed();
        let mut drain = Drain::new(&link, task, memory, max_packet_bytes, settle);
        let end = tokio::select! {
            biased;
            error = &mut driver => End::Lost(error),
            end = drain.run(inbound, hello, goodbye, renewed, stop) => end,
        };
        let report = drain.finish(&end);
        if report.healthy {
            backoff.reset();
        }
        if let Some((outbox_id, number)) = report.thumbnail_given_up {
            tracing::warn!(number, "the connection breaks whenever this thumbnail is sent; it is given up");
            // The outbox's end is noticed by the next connection.
            let _ = self.outbox.thumbnail_done(outbox_id, number).await;
        }
        if let Some((outbox_id, number)) = report.ack_given_up {
            tracing::warn!(number, "the connection breaks whenever this answer is sent; it is given up");
            let _ = self.outbox.ack_done(outbox_id, number).await;
        }
        if matches!(end, End::Stopped | End::Renewed) {
            link.disconnect();
            let _ = tokio::time::timeout(Duration::from_secs(1), driver).await;
        }
        self.status.send_modify(|status| {
            status.connected = false;
            status.since = UtcMillis::now();
            status.in_flight = 0;
            status.retries += report.unacknowledged;
            status.refused += u64::from(report.held);
            status.thumbnails_given_up += u64::from(report.thumbnail_given_up.is_some());
        });
        (end, report.settled)
    }

    /// The outbox keeps the number; when its disk fails, the box still says that it is there.
    async fn next_session(&self) -> u64 {
        match self.outbox.next_session().await {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(%error, "the session number is not durable");
                self.status.borrow().session + 1
            }
        }
    }

    fn birth(&self, session: u64) -> Message {
        let outbox_id = self.outbox.stats().borrow().outbox_id;
        let birth = Birth { session, time: UtcMillis::now(), outbox_id, ..self.birth.borrow().clone() };
        Message::state(self.params.topics.birth(), wire::to_bytes(&birth))
    }

    fn presence(&self, state: Presence, session: u64, time: Option<UtcMillis>) -> Message {
        let payload = wire::to_bytes(&Status { state, session, time });
        Message::state(self.params.topics.status(), payload)
    }

    fn note_trouble(&self, error: &LinkError, pause: Duration) {
        let text = error.to_string();
        // A broker that stays away is one line, not one an attempt.
        if self.status.borrow().last_error.as_deref() != Some(&text) {
            tracing::warn!(%error, retry_in = ?pause, "no connection to the broker; events wait in the outbox");
        }
        self.status.send_modify(|status| status.last_error = Some(text));
    }
}

//! MQTT through rumqttc (docs/adr/0001): the [`Publisher`] that is used, for MQTT 5 ([`v5`]) and 3.1.1 ([`v311`]).
//!
//! Every connection has a client and event loop of its own. The broker keeps the session, the client keeps none: what
//! was in flight is sent again from the outbox, with `replayed` as it must be then, instead of from the client's memory.
//! For QoS 1 a receiver keeps no state about packet identifiers, so that sending an unacknowledged event under a new
//! identifier is a duplicate like any other, dropped by `(source, id)`.
//!
//! The two versions are two crates with the same names in them. What differs is in the two files; everybody else holds
//! a [`Client`] and its [`Events`], and does not know which it is.

mod v311;
mod v5;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, PeerIncompatible};
use tokio::sync::{mpsc, watch};

use super::broker::{BrokerParams, Identity, Protocol};
use super::keyring::{self, Certificates, Keyring, LOOK_EVERY};
use super::tls::Validity;
use super::wire::{Action, UtcMillis};
use super::{BoxFuture, Connection, Link, LinkError, Message, PublishError, Publisher};
use crate::audit::{AuditEntry, AuditLog, Object};
use crate::command::CommandEar;
use crate::signal::SignalBoard;
use crate::source::wall_now;
use crate::status::time_quality;

/// Requests that the client queues; more than are ever in flight, so that nothing waits for a place.
const REQUESTS: usize = 64;
/// Packet identifiers in use: far more than are ever in flight. The client has a place for each of them, and goes through
/// all places after every packet; with MQTT's 65,535 that was 16 MB and most of what publishing cost.
const PACKET_IDS: u16 = 1024;
/// A topic that nobody uses.
const NEVER_SUBSCRIBED: &str = "ngatu/ping";
/// Messages that wait for the task; more are dropped (only retained host states are subscribed, the latest counts).
const INBOUND: usize = 16;
/// The largest packet taken from a broker.
const MAX_INCOMING_BYTES: u32 = 256 * 1024;

/// Time for one look whether the broker takes new certificates.
const TRIAL: Duration = Duration::from_secs(30);

/// A client of the broker; reads its certificates anew.
///
/// # Errors
/// [`LinkError::Certificates`].
pub(crate) async fn open(broker: &BrokerParams, identity: Identity) -> Result<(Client, Events), LinkError> {
    open_as(broker, identity, broker.tls.clone().map(Keyring::new).as_ref()).await
}

/// The same with the certificates of a keyring.
pub(super) async fn open_as(
    broker: &BrokerParams,
    identity: Identity,
    keyring: Option<&Keyring>,
) -> Result<(Client, Events), LinkError> {
    let tls = match keyring.cloned() {
        None => None,
        Some(keyring) => {
            let loaded = tokio::task::spawn_blocking(move || keyring.current()).await;
            let loaded = loaded.expect("loading does not panic");
            Some(loaded.map_err(|error| LinkError::Certificates { reason: keyring::on_one_line(&error) })?)
        }
    };
    Ok(open_with(broker, identity, tls))
}

fn open_with(broker: &BrokerParams, identity: Identity, tls: Option<Arc<ClientConfig>>) -> (Client, Events) {
    match broker.protocol {
        Protocol::V5 => {
            let (client, events) = v5::open(broker, identity, tls);
            (Client::V5(client), Events::V5(Box::new(events)))
        }
        Protocol::V311 => {
            let (client, events) = v311::open(broker, identity, tls);
            (Client::V311(client), Events::V311(Box::new(events)))
        }
    }
}

/// What a connection hears.
pub(crate) enum Heard {
    /// The broker took the client.
    Accepted { session_present: bool, max_packet_bytes: Option<u32> },
    /// The broker took a subscription.
    Subscribed,
    /// A message, and what acknowledges it where that is the program's task. `retained` only where the broker had kept
    /// it from before the subscription.
    Message(Message, Receipt),
    /// Nothing for anyone but the client.
    Nothing,
}

/// Acknowledges one message.
pub(crate) enum Receipt {
    V5(Box<rumqttc::Publish>),
    V311(Box<rumqttc_v4::Publish>),
}

/// Whether a subscription wants what is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Kept messages too.
    WithRetained,
    /// New ones only; from a 3.1.1 broker the kept ones come all the same, marked so.
    NewOnly,
    /// Kept messages too, when the broker does not know the subscription yet; and each says whether it was sent to be kept
    /// (a 3.1.1 broker says that only of those it had kept).
    Commands,
    /// Kept messages too, with QoS 0: what cannot be delivered at once is of no use later, and must not wait in the
    /// session of a box that is away.
    Latest,
}

/// Asks a connection; the asking is queued at once.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    V5(rumqttc::AsyncClient),
    V311(rumqttc_v4::AsyncClient),
}

impl Client {
    /// Queues a message with QoS 1, here and now, so that messages leave in the order of the calls; the future resolves
    /// on the acknowledgement and may be dropped.
    pub(crate) fn publish(&self, message: Message) -> BoxFuture<Result<(), PublishError>> {
        self.publish_for(message, None)
    }

    /// The same for what is of no use later; a 3.1.1 broker keeps it all the same.
    pub(crate) fn publish_for(&self, message: Message, expiry_s: Option<u32>) -> BoxFuture<Result<(), PublishError>> {
        match self {
            Self::V5(client) => v5::publish(client, message, expiry_s),
            Self::V311(client) => v311::publish(client, message),
        }
    }

    /// Subscribes; the future may be dropped.
    pub(crate) fn subscribe(&self, filters: Vec<String>, wanted: Wanted) -> BoxFuture<Result<(), PublishError>> {
        match self {
            Self::V5(client) => v5::subscribe(client, filters, wanted),
            Self::V311(client) => v311::subscribe(client, filters, wanted),
        }
    }

    /// A round trip that changes nothing, which MQTT's own ping does not tell of: ends a subscription that there never was.
    pub(crate) fn ping(&self) -> BoxFuture<Result<(), PublishError>> {
        match self {
            Self::V5(client) => v5::unsubscribe(client, NEVER_SUBSCRIBED),
            Self::V311(client) => v311::unsubscribe(client, NEVER_SUBSCRIBED),
        }
    }

    /// Acknowledges a message; false where the queue is full.
    pub(crate) fn acknowledge(&self, receipt: &Receipt) -> bool {
        match (self, receipt) {
            (Self::V5(client), Receipt::V5(publish)) => client.try_ack(publish).is_ok(),
            (Self::V311(client), Receipt::V311(publish)) => client.try_ack(publish).is_ok(),
            (Self::V5(_), Receipt::V311(_)) | (Self::V311(_), Receipt::V5(_)) => false,
        }
    }

    /// Says goodbye once everything is acknowledged: the will is not sent.
    pub(crate) fn disconnect(&self) {
        let within = std::time::Duration::from_secs(1);
        // A full queue means that the connection is dying anyway.
        match self {
            Self::V5(client) => drop(client.try_disconnect_with_timeout(within)),
            Self::V311(client) => drop(client.try_disconnect_with_timeout(within)),
        }
    }
}

/// Does a connection's work while it is polled.
pub(crate) enum Events {
    V5(Box<rumqttc::EventLoop>),
    V311(Box<rumqttc_v4::EventLoop>),
}

impl Events {
    /// What happens next.
    pub(crate) async fn next(&mut self, stage: Stage) -> Result<Heard, LinkError> {
        match self {
            Self::V5(events) => v5::next(events, stage).await,
            Self::V311(events) => v311::next(events, stage).await,
        }
    }
}

/// The MQTT [`Publisher`].
#[derive(Debug)]
pub struct MqttPublisher {
    broker: BrokerParams,
    keyring: Option<Keyring>,
    client_id: String,
    signals: SignalBoard,
    commands: Option<CommandEar>,
    audit: Option<AuditLog>,
}

impl MqttPublisher {
    /// Publishes to `broker` as `client_id`.
    #[must_use]
    pub fn new(broker: BrokerParams, client_id: String) -> Self {
        let keyring = broker.tls.clone().map(Keyring::new);
        Self { broker, keyring, client_id, signals: SignalBoard::default(), commands: None, audit: None }
    }

    /// How the certificates are; `None`: the broker is reached without TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<watch::Receiver<Certificates>> {
        self.keyring.as_ref().map(Keyring::status)
    }

    /// The same, and every connection of it listens to the board's topics.
    #[must_use]
    pub fn hearing(self, signals: SignalBoard) -> Self {
        Self { signals, ..self }
    }

    /// The same, and every connection of it takes commands.
    #[must_use]
    pub fn obeying(self, commands: CommandEar) -> Self {
        Self { commands: Some(commands), ..self }
    }

    /// The same, and other certificates leave a line in the log once the broker has taken them.
    #[must_use]
    pub fn auditing(self, audit: AuditLog) -> Self {
        Self { audit: Some(audit), ..self }
    }
}

impl Publisher for MqttPublisher {
    type Link = MqttLink;

    async fn connect(&mut self, will: Message) -> Result<Connection<MqttLink>, LinkError> {
        let identity =
            Identity { client_id: self.client_id.clone(), keep_session: true, manual_acks: true, will: Some(will) };
        let (client, mut events) = open_as(&self.broker, identity, self.keyring.as_ref()).await?;
        let (session_present, max_packet_bytes) = judged(&mut events, self.keyring.as_ref()).await?;
        record_rotation(self.keyring.as_ref(), self.audit.as_ref()).await;
        let (sender, inbound) = mpsc::channel(INBOUND);
        let signals = Listening::begin(&client, self.signals.clone());
        let commands = Obeying::begin(&client, self.commands.clone());
        Ok(Connection {
            session_present,
            max_packet_bytes,
            link: MqttLink { client: client.clone() },
            inbound,
            driver: Box::pin(drive(client, events, sender, signals, commands)),
        })
    }

    fn renewed(&self) -> BoxFuture<()> {
        let Some(keyring) = self.keyring.clone() else { return Box::pin(std::future::pending()) };
        let (broker, name) = (self.broker.clone(), format!("{}-renewal", self.client_id));
        let audit = self.audit.clone();
        Box::pin(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let looking = keyring.clone();
                if !tokio::task::spawn_blocking(move || looking.look()).await.expect("looking does not panic") {
                    continue;
                }
                // Beside the connection there is: what works is left only for what works.
                let trial = super::probe::probe_as(&broker, name.clone(), Some(&keyring));
                if let Ok(Ok(())) = tokio::time::timeout(TRIAL, trial).await {
                    tracing::info!("the broker takes the new certificates; they are used from now on");
                    record_rotation(Some(&keyring), audit.as_ref()).await;
                    return;
                }
            }
        })
    }
}

/// What the broker says of a connection that is being made: whether it still knew the client, and the largest packet it
/// takes; the keyring learns whether its certificates were taken.
pub(super) async fn judged(events: &mut Events, keyring: Option<&Keyring>) -> Result<(bool, Option<u32>), LinkError> {
    loop {
        match events.next(Stage::Connecting).await {
            Ok(Heard::Accepted { session_present, max_packet_bytes }) => {
                if let Some(keyring) = keyring {
                    keyring.accepted();
                }
                return Ok((session_present, max_packet_bytes));
            }
            Ok(_) => {}
            Err(error) => return Err(keyring.map_or(error.clone(), |keyring| explained(error, keyring))),
        }
    }
}

/// Leaves a line where others than before are in use.
async fn record_rotation(keyring: Option<&Keyring>, audit: Option<&AuditLog>) {
    let (Some(now), Some(audit)) = (keyring.and_then(Keyring::take_rotation), audit) else { return };
    let mut entry = AuditEntry::by_system(Action::CertificateRotated).on(Object::certificate("mqtt"));
    for (whose, validity) in [("own", now.own), ("authority", now.authority)] {
        if let Some(Validity { name, not_after, .. }) = validity {
            entry = entry.with(whose, serde_json::json!({ "name": name, "not_after": not_after }));
        }
    }
    // What fails is in the log's own status.
    let _ = audit.record(entry).await;
}

/// Why the connection was refused, with what this box knows to be wrong with its own certificates.
fn explained(error: LinkError, keyring: &Keyring) -> LinkError {
    if !matches!(error, LinkError::Refused { .. } | LinkError::Untrusted { .. }) {
        return error;
    }
    let untimely = keyring.untimely();
    keyring.refused(&error.to_string());
    match (error, untimely) {
        (LinkError::Refused { reason }, Some(own)) => {
            LinkError::Refused { reason: format!("{reason}; {}", keyring::on_one_line(&own)) }
        }
        (error, _) => error,
    }
}

/// Polls the event loop until the connection is over.
async fn drive(
    client: Client,
    mut events: Events,
    inbound: mpsc::Sender<Message>,
    mut signals: Listening,
    mut commands: Obeying,
) -> LinkError {
    loop {
        let heard = tokio::select! {
            heard = events.next(Stage::Connected) => heard,
            () = signals.refused() => continue,
            () = commands.refused() => continue,
        };
        match heard {
            // Signals come with QoS 0: there is nothing to acknowledge.
            Ok(Heard::Message(message, _)) if signals.hear(&message) => {}
            Ok(Heard::Message(message, receipt)) if commands.is_of(&message) => {
                commands.hear(message, Acknowledgement { client: client.clone(), receipt });
            }
            Ok(Heard::Message(message, receipt)) => {
                drop(inbound.try_send(message));
                client.acknowledge(&receipt);
            }
            Ok(Heard::Accepted { .. } | Heard::Subscribed | Heard::Nothing) => {}
            Err(error) => return error,
        }
    }
}

/// A connection's ear for traffic signals. What it hears goes straight to the board, where the latest counts: no burst of
/// it fills a channel, or wakes the drain. The connection's end is the end of what is known.
struct Listening {
    board: SignalBoard,
    subscribed: Option<BoxFuture<Result<(), PublishError>>>,
}

impl Listening {
    fn begin(client: &Client, board: SignalBoard) -> Self {
        let topics: Vec<String> = board.topics().map(str::to_owned).collect();
        let subscribed = (!topics.is_empty()).then(|| client.subscribe(topics, Wanted::Latest));
        Self { board, subscribed }
    }

    fn hear(&self, message: &Message) -> bool {
        self.board.hear(message, (Instant::now(), wall_now()), time_quality())
    }

    /// Completes when the broker has refused the subscription; never, while it has not.
    async fn refused(&mut self) {
        if let Some(subscribed) = &mut self.subscribed {
            let result = subscribed.await;
            self.subscribed = None;
            if let Err(error @ PublishError::Refused { .. }) = result {
                tracing::warn!(%error, "the broker refuses the topics of signals; their phases are unknown");
                self.board.refused();
                return;
            }
        }
        std::future::pending().await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.board.link_lost(Instant::now());
    }
}

/// What tells the broker that a command is safe here; until then it keeps it, over lost connections and restarts.
pub(crate) struct Acknowledgement {
    client: Client,
    receipt: Receipt,
}

impl Acknowledgement {
    /// Where its connection is gone, the command comes again.
    pub(crate) fn send(self) {
        self.client.acknowledge(&self.receipt);
    }
}

/// A connection's ear for commands.
struct Obeying {
    ear: Option<CommandEar>,
    subscribed: Option<BoxFuture<Result<(), PublishError>>>,
}

impl Obeying {
    fn begin(client: &Client, ear: Option<CommandEar>) -> Self {
        let subscribed = ear.as_ref().map(|ear| client.subscribe(vec![ear.filter()], Wanted::Commands));
        Self { ear, subscribed }
    }

    fn is_of(&self, message: &Message) -> bool {
        self.ear.as_ref().is_some_and(|ear| ear.is_of(&message.topic))
    }

    fn hear(&self, message: Message, acknowledgement: Acknowledgement) {
        if let Some(ear) = &self.ear {
            ear.hear(message, acknowledgement);
        }
    }

    /// Completes when the broker has answered the subscription; never again after that.
    async fn refused(&mut self) {
        if let (Some(subscribed), Some(ear)) = (&mut self.subscribed, &self.ear) {
            let result = subscribed.await;
            self.subscribed = None;
            let is_refused = matches!(result, Err(PublishError::Refused { .. }));
            if let Err(error @ PublishError::Refused { .. }) = result {
                tracing::warn!(%error, "the broker refuses the topic of commands; none can come");
            }
            ear.subscribed(!is_refused);
            return;
        }
        std::future::pending().await
    }
}

/// One MQTT connection.
#[derive(Debug)]
pub struct MqttLink {
    client: Client,
}

impl Link for MqttLink {
    fn publish(&self, message: Message) -> BoxFuture<Result<(), PublishError>> {
        self.client.publish(message)
    }

    fn subscribe(&self, filter: String) -> BoxFuture<Result<(), PublishError>> {
        self.client.subscribe(vec![filter], Wanted::WithRetained)
    }

    fn ping(&self) -> BoxFuture<Result<(), PublishError>> {
        self.client.ping()
    }

    fn disconnect(&self) {
        self.client.disconnect();
    }
}

/// Where an error happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Connected,
}

impl Stage {
    /// A connection that could not be made, or is no more.
    fn broken(self, reason: String) -> LinkError {
        match self {
            Self::Connecting => LinkError::Unreachable { reason },
            Self::Connected => LinkError::Lost { reason },
        }
    }

    /// Sorts what a socket with TLS on it says; rustls hides its errors in it. `reason` is the client's whole text.
    fn io(self, error: &std::io::Error, reason: String) -> LinkError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(problem)) => LinkError::Untrusted { reason: untrusted(problem) },
            Some(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)) if self == Self::Connecting => {
                LinkError::Untrusted { reason: TOO_OLD.to_owned() }
            }
            // A peer that does not take our certificate says so after the handshake, when the client already reads MQTT.
            Some(rustls::Error::AlertReceived(alert)) if self == Self::Connecting => {
                LinkError::Refused { reason: format!("TLS alert {alert:?}") }
            }
            Some(rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)) => {
                LinkError::Untrusted { reason: TOO_OLD.to_owned() }
            }
            // Not TLS at all, or a suite that is not safe: a person must act at the other end.
            Some(tls) if self == Self::Connecting => LinkError::Untrusted { reason: tls.to_string() },
            _ => self.broken(reason),
        }
    }
}

/// A broker of another age.
const TOO_OLD: &str =
    "the broker offers neither TLS 1.2 nor 1.3, and nothing older is spoken: set it to tlsv1.2 or newer";

/// Why the broker's certificate is refused, with the clock where that is the likely cause.
fn untrusted(problem: &CertificateError) -> String {
    let now = UtcMillis::now();
    match problem {
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
            "its certificate is not valid yet: most likely this box's clock is wrong, it says {now} (chronyc tracking \
             tells, an RTC battery or a reachable time server cures it); {problem}"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired, if this box's clock is right, which says {now}; {problem}")
        }
        CertificateError::UnknownIssuer => format!("no authority in mqtt.ca has signed its certificate ({problem:?})"),
        other => other.to_string(),
    }
}

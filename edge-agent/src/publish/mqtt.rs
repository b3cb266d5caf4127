//! MQTT 5 through rumqttc (docs/adr/0001): the [`Publisher`] that is used.
//!
//! Every connection has a client and event loop of its own. The broker keeps the session (`clean_start=false`, expiry
//! 24 h), the client keeps none: what was in flight is sent again from the outbox, with `replayed` as it must be then,
//! instead of from the client's memory. For QoS 1 a receiver keeps no state about packet identifiers, so that sending
//! an unacknowledged event under a new identifier is a duplicate like any other, dropped by `(source, id)`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rumqttc::{
    AckMode, AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, EventLoop, IncomingPacketSizeLimit,
    LastWill, MqttOptions, NetworkOptions, Packet, PersistedAckMode, PersistedSession, PubAckReason,
    PublishNoticeError, PublishOptions, PublishProperties, PublishResult, QoS, SessionStore, SessionStoreError,
    SessionStoreKey, StateError, TlsConfiguration, TlsError, Transport,
};
use tokio::sync::mpsc;

use super::wire::JPEG_CONTENT_TYPE;
use super::{BoxFuture, Connection, Link, LinkError, Message, PublishError, Publisher, RefusalScope};
use crate::secret::Secret;

/// Requests that the client queues; more than are ever in flight, so that nothing waits for a place.
const REQUESTS: usize = 64;
/// Packet identifiers in use: far more than are ever in flight. The client has a place for each of them, and goes through
/// all places after every packet; with MQTT's 65,535 that was 16 MB and most of what publishing cost.
const PACKET_IDS: u16 = 1024;
/// Messages that wait for the task; more are dropped (only retained host states are subscribed, the latest counts).
const INBOUND: usize = 16;
/// The broker keeps the session this long.
const SESSION_EXPIRY_S: u32 = 24 * 3600;
/// The largest packet taken from a broker.
const MAX_INCOMING_BYTES: u32 = 256 * 1024;

/// Certificates, as PEM.
#[derive(Debug, Clone)]
pub struct TlsParams {
    /// The authorities that may have signed the broker's certificate.
    pub ca: Vec<u8>,
    /// This box's certificate and key.
    pub client: Option<(Vec<u8>, Secret)>,
}

/// Where the broker is and how to log in.
#[derive(Debug, Clone)]
pub struct BrokerParams {
    /// Name or address; with TLS the name that its certificate must carry.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, or plain TCP.
    pub tls: Option<TlsParams>,
    /// User name and password.
    pub credentials: Option<(String, Secret)>,
    /// Time after which a quiet connection is probed; a frozen peer is noticed within twice this.
    pub keep_alive: Duration,
    /// For TCP, TLS and the broker's answer together.
    pub connect_timeout: Duration,
}

impl BrokerParams {
    /// Plain TCP without a password: for loopback.
    #[must_use]
    pub fn plain(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls: None,
            credentials: None,
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// A client of this broker.
    pub(crate) fn client(&self, identity: Identity) -> (AsyncClient, EventLoop) {
        let Identity { client_id, keep_session, manual_acks, will } = identity;
        let mut options = MqttOptions::new(client_id, Broker::tcp(self.host.clone(), self.port));
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_network_options(network)
            .set_keep_alive(u16::try_from(self.keep_alive.as_secs().max(1)).unwrap_or(u16::MAX))
            .set_connect_timeout(self.connect_timeout)
            .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(MAX_INCOMING_BYTES))
            .set_max_request_batch(16)
            .set_outgoing_inflight_upper_limit(PACKET_IDS)
            .set_clean_start(!keep_session);
        if keep_session {
            options
                .set_session_expiry_interval(Some(SESSION_EXPIRY_S))
                .set_session_store(NothingInFlight { manual_acks });
        }
        if manual_acks {
            // Fewer than fit into the queue of requests, so that every one can be acknowledged.
            options.set_ack_mode(AckMode::Manual).set_receive_maximum(Some(REQUESTS as u16 / 2));
        }
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user.clone(), password.expose().to_owned());
        }
        if let Some(TlsParams { ca, client }) = &self.tls {
            let client_auth =
                client.as_ref().map(|(certificate, key)| (certificate.clone(), key.expose().as_bytes().to_vec()));
            let tls = TlsConfiguration::Simple { ca: ca.clone(), alpn: None, client_auth };
            options.set_transport(Transport::tls_with_config(tls));
        }
        if let Some(Message { topic, payload, retained, .. }) = will {
            options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, retained, None));
        }
        AsyncClient::builder(options).capacity(REQUESTS).build()
    }
}

/// Who connects, and how.
pub(crate) struct Identity {
    /// Known to the broker by this name.
    pub(crate) client_id: String,
    /// The broker keeps what is queued for the client while it is away.
    pub(crate) keep_session: bool,
    /// Messages are acknowledged by the program, after it has dealt with them.
    pub(crate) manual_acks: bool,
    /// What the broker says when the connection ends without a goodbye.
    pub(crate) will: Option<Message>,
}

/// The MQTT 5 [`Publisher`].
#[derive(Debug)]
pub struct MqttPublisher {
    broker: BrokerParams,
    client_id: String,
}

impl MqttPublisher {
    /// Publishes to `broker` as `client_id`.
    #[must_use]
    pub fn new(broker: BrokerParams, client_id: String) -> Self {
        Self { broker, client_id }
    }
}

impl Publisher for MqttPublisher {
    type Link = MqttLink;

    async fn connect(&mut self, will: Message) -> Result<Connection<MqttLink>, LinkError> {
        let (client, mut events) = self.broker.client(Identity {
            client_id: self.client_id.clone(),
            keep_session: true,
            manual_acks: false,
            will: Some(will),
        });
        let accepted = loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(accepted))) => break accepted,
                Ok(_) => {}
                Err(error) => return Err(link_error(error, Stage::Connecting)),
            }
        };
        let (sender, inbound) = mpsc::channel(INBOUND);
        Ok(Connection {
            session_present: accepted.session_present,
            max_packet_bytes: accepted.properties.and_then(|properties| properties.max_packet_size),
            link: MqttLink { client },
            inbound,
            driver: Box::pin(drive(events, sender)),
        })
    }
}

/// Polls the event loop until the connection is over.
async fn drive(mut events: EventLoop, inbound: mpsc::Sender<Message>) -> LinkError {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let message = Message {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    payload: publish.payload.to_vec(),
                    content_type: "",
                    retained: publish.retain,
                };
                let _ = inbound.try_send(message);
            }
            Ok(_) => {}
            Err(error) => return link_error(error, Stage::Connected),
        }
    }
}

/// One MQTT connection.
#[derive(Debug)]
pub struct MqttLink {
    client: AsyncClient,
}

impl Link for MqttLink {
    fn publish(&self, message: Message) -> BoxFuture<Result<(), PublishError>> {
        let Message { topic, payload, content_type, retained } = message;
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(retained).properties(PublishProperties {
            // 1: UTF-8; 0: bytes.
            payload_format_indicator: Some(u8::from(content_type != JPEG_CONTENT_TYPE)),
            content_type: Some(content_type.to_owned()),
            ..Default::default()
        });
        // Queued here and now, so that messages leave in the order of the calls.
        match self.client.try_publish_tracked(topic, payload, options) {
            Ok(notice) => Box::pin(async move { acknowledgement(notice.wait_async().await) }),
            Err(error) => {
                let reason = error.to_string();
                Box::pin(async move { Err(PublishError::Refused { reason, scope: RefusalScope::Message }) })
            }
        }
    }

    fn subscribe(&self, filter: String) -> BoxFuture<Result<(), PublishError>> {
        let client = self.client.clone();
        Box::pin(async move {
            let notice = client.subscribe_tracked(filter, QoS::AtLeastOnce).await.map_err(|_| PublishError::Gone)?;
            notice.wait_completion_async().await.map_err(|error| match error {
                rumqttc::SubscribeNoticeError::V5SubAckFailure(codes) => {
                    PublishError::Refused { reason: format!("{codes:?}"), scope: RefusalScope::Topic }
                }
                _ => PublishError::Gone,
            })
        })
    }

    fn disconnect(&self) {
        // A full queue means that the connection is dying anyway.
        let _ = self.client.try_disconnect_with_timeout(Duration::from_secs(1));
    }
}

fn acknowledgement(result: Result<PublishResult, PublishNoticeError>) -> Result<(), PublishError> {
    let reason = match result {
        Ok(PublishResult::Qos1(ack)) => ack.reason,
        Ok(_) => return Ok(()),
        Err(PublishNoticeError::RetainNotSupported) => {
            let reason = "the broker does not keep retained messages".to_owned();
            return Err(PublishError::Refused { reason, scope: RefusalScope::Message });
        }
        Err(_) => return Err(PublishError::Gone),
    };
    let scope = match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => return Ok(()),
        PubAckReason::NotAuthorized | PubAckReason::TopicNameInvalid => RefusalScope::Topic,
        PubAckReason::QuotaExceeded => RefusalScope::Broker,
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::PayloadFormatInvalid => RefusalScope::Message,
    };
    Err(PublishError::Refused { reason: format!("{reason:?}"), scope })
}

/// Where an error happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Connected,
}

/// Sorts the client's errors by what can be done about them. None of them carries a credential.
pub(crate) fn link_error(error: ConnectionError, stage: Stage) -> LinkError {
    let reason = error.to_string();
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword
            | ConnectReturnCode::NotAuthorized
            | ConnectReturnCode::BadClientId
            | ConnectReturnCode::ClientIdentifierNotValid
            | ConnectReturnCode::Banned
            | ConnectReturnCode::BadAuthenticationMethod
            | ConnectReturnCode::RefusedProtocolVersion
            | ConnectReturnCode::UnsupportedProtocolVersion,
        ) => LinkError::Refused { reason },
        ConnectionError::Tls(TlsError::Io(io)) if !is_certificate_trouble(&io) => LinkError::Unreachable { reason },
        ConnectionError::Tls(_) => LinkError::Refused { reason },
        // A peer that misses our certificate says so after the handshake, when the client already reads MQTT.
        _ if stage == Stage::Connecting && reason.contains("received fatal alert") => LinkError::Refused { reason },
        ConnectionError::MqttState(StateError::AwaitPingResp) => LinkError::Silent,
        ConnectionError::MqttState(StateError::Io(_) | StateError::ConnectionAborted) | ConnectionError::Io(_) => {
            match stage {
                Stage::Connecting => LinkError::Unreachable { reason },
                Stage::Connected => LinkError::Lost { reason },
            }
        }
        ConnectionError::MqttState(_) if stage == Stage::Connected => LinkError::Protocol { reason },
        _ => match stage {
            Stage::Connecting => LinkError::Unreachable { reason },
            Stage::Connected => LinkError::Lost { reason },
        },
    }
}

/// rustls reports a bad certificate as an I/O error of kind `InvalidData`.
fn is_certificate_trouble(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
}

type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// Tells the client that nothing was in flight when a kept session goes on: the outbox knows what was.
#[derive(Debug)]
struct NothingInFlight {
    manual_acks: bool,
}

impl SessionStore for NothingInFlight {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> StoreFuture<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(SESSION_EXPIRY_S),
            outgoing_inflight_upper_limit: Some(PACKET_IDS),
            ack_mode: if self.manual_acks { PersistedAckMode::Manual } else { PersistedAckMode::Automatic },
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async move { Ok(Some(session)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

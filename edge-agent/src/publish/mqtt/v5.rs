//! MQTT 5.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::tokio_rustls::rustls::ClientConfig;
use rumqttc::{
    AckMode, AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, EventLoop, IncomingPacketSizeLimit,
    LastWill, MqttOptions, NetworkOptions, Packet, PersistedAckMode, PersistedSession, PubAckReason,
    PublishNoticeError, PublishOptions, PublishProperties, PublishResult, QoS, RetainForwardRule, SessionStore,
    SessionStoreError, SessionStoreKey, StateError, SubscribeFilterInput, SubscribeNoticeError, TlsConfiguration,
    TlsError, Transport, UnsubscribeNoticeError,
};

use super::{Heard, MAX_INCOMING_BYTES, PACKET_IDS, REQUESTS, Receipt, Stage, Wanted};
use crate::publish::broker::{BrokerParams, Identity};
use crate::publish::wire::JPEG_CONTENT_TYPE;
use crate::publish::{BoxFuture, LinkError, Message, PublishError, RefusalScope};

/// The broker keeps the session this long.
const SESSION_EXPIRY_S: u32 = 24 * 3600;

pub(super) fn open(
    broker: &BrokerParams,
    identity: Identity,
    tls: Option<Arc<ClientConfig>>,
) -> (AsyncClient, EventLoop) {
    let Identity { client_id, keep_session, manual_acks, will } = identity;
    let mut options = MqttOptions::new(client_id, Broker::tcp(broker.host.clone(), broker.port));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(broker.keep_alive_s())
        .set_connect_timeout(broker.connect_timeout)
        .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(MAX_INCOMING_BYTES))
        .set_max_request_batch(16)
        .set_outgoing_inflight_upper_limit(PACKET_IDS)
        .set_clean_start(!keep_session);
    if keep_session {
        options.set_session_expiry_interval(Some(SESSION_EXPIRY_S)).set_session_store(NothingInFlight { manual_acks });
    }
    if manual_acks {
        // Fewer than fit into the queue of requests, so that every one can be acknowledged.
        options.set_ack_mode(AckMode::Manual).set_receive_maximum(Some(REQUESTS as u16 / 2));
    }
    if let Some((user, password)) = &broker.credentials {
        options.set_credentials(user.clone(), password.expose().to_owned());
    }
    if let Some(config) = tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
    }
    if let Some(Message { topic, payload, retained, .. }) = will {
        options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, retained, None));
    }
    AsyncClient::builder(options).capacity(REQUESTS).build()
}

pub(super) async fn next(events: &mut EventLoop, stage: Stage) -> Result<Heard, LinkError> {
    match events.poll().await {
        Ok(Event::Incoming(Packet::ConnAck(accepted))) => Ok(Heard::Accepted {
            session_present: accepted.session_present,
            max_packet_bytes: accepted.properties.and_then(|properties| properties.max_packet_size),
        }),
        Ok(Event::Incoming(Packet::SubAck(_))) => Ok(Heard::Subscribed),
        Ok(Event::Incoming(Packet::Publish(publish))) => {
            let message = Message {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: publish.payload.to_vec(),
                content_type: "",
                retained: publish.retain,
            };
            Ok(Heard::Message(message, Receipt::V5(Box::new(publish))))
        }
        Ok(_) => Ok(Heard::Nothing),
        Err(error) => Err(link_error(error, stage)),
    }
}

/// `expiry_s`: the broker throws it away when it could not be delivered for so long.
pub(super) fn publish(
    client: &AsyncClient,
    message: Message,
    expiry_s: Option<u32>,
) -> BoxFuture<Result<(), PublishError>> {
    let Message { topic, payload, content_type, retained } = message;
    let options = PublishOptions::new(QoS::AtLeastOnce).retain(retained).properties(PublishProperties {
        // 1: UTF-8; 0: bytes.
        payload_format_indicator: Some(u8::from(content_type != JPEG_CONTENT_TYPE)),
        content_type: Some(content_type.to_owned()),
        message_expiry_interval: expiry_s,
        ..Default::default()
    });
    match client.try_publish_tracked(topic, payload, options) {
        Ok(notice) => Box::pin(async move { acknowledgement(notice.wait_async().await) }),
        Err(error) => {
            let reason = error.to_string();
            Box::pin(async move { Err(PublishError::Refused { reason, scope: RefusalScope::Message }) })
        }
    }
}

pub(super) fn subscribe(
    client: &AsyncClient,
    filters: Vec<String>,
    wanted: Wanted,
) -> BoxFuture<Result<(), PublishError>> {
    let rule = match wanted {
        Wanted::WithRetained | Wanted::Latest => RetainForwardRule::OnEverySubscribe,
        Wanted::Commands => RetainForwardRule::OnNewSubscribe,
        Wanted::NewOnly => RetainForwardRule::Never,
    };
    let preserve = wanted == Wanted::Commands;
    let qos = if wanted == Wanted::Latest { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let filter = |filter: String| {
        SubscribeFilterInput::new(filter, qos).retain_forward_rule(rule.clone()).preserve_retain(preserve)
    };
    let filters: Vec<_> = filters.into_iter().map(filter).collect();
    let notice = client.try_subscribe_many_tracked(filters);
    Box::pin(async move {
        let notice = notice.map_err(|_| PublishError::Gone)?;
        notice.wait_completion_async().await.map_err(|error| match error {
            SubscribeNoticeError::V5SubAckFailure(codes) => {
                PublishError::Refused { reason: format!("{codes:?}"), scope: RefusalScope::Topic }
            }
            _ => PublishError::Gone,
        })
    })
}

/// The broker's answer; that there was no such subscription is one.
pub(super) fn unsubscribe(client: &AsyncClient, filter: &'static str) -> BoxFuture<Result<(), PublishError>> {
    let notice = client.try_unsubscribe_tracked(filter);
    Box::pin(async move {
        let notice = notice.map_err(|_| PublishError::Gone)?;
        match notice.wait_completion_async().await {
            Ok(_) | Err(UnsubscribeNoticeError::V5UnsubAckFailure(_)) => Ok(()),
            Err(_) => Err(PublishError::Gone),
        }
    })
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

/// Sorts the client's errors by what can be done about them. None of them carries a credential.
fn link_error(error: ConnectionError, stage: Stage) -> LinkError {
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
        ConnectionError::Tls(TlsError::Io(io)) | ConnectionError::Io(io) => stage.io(&io, reason),
        ConnectionError::MqttState(StateError::Io(io) | StateError::Deserialization(PacketError::Io(io))) => {
            stage.io(&io, reason)
        }
        ConnectionError::Tls(_) => LinkError::Untrusted { reason },
        ConnectionError::MqttState(StateError::AwaitPingResp) => LinkError::Silent,
        ConnectionError::MqttState(StateError::ConnectionAborted) => stage.broken(reason),
        ConnectionError::MqttState(_) if stage == Stage::Connected => LinkError::Protocol { reason },
        _ => stage.broken(reason),
    }
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

//! MQTT 3.1.1.
//!
//! What it lacks: the broker says neither why it refuses nor how large a packet may be, and has no way to refuse one
//! message but to drop the connection, which the drain notices (`refused`), or to acknowledge what it throws away,
//! which nobody can. A kept session (`clean_session=false`) lasts for as long as the broker likes.

use std::sync::Arc;

use rumqttc_v4::mqttbytes::Error as PacketError;
use rumqttc_v4::tokio_rustls::rustls::ClientConfig;
use rumqttc_v4::{
    AckMode, AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    NetworkOptions, Packet, PublishOptions, QoS, StateError, SubscribeFilterInput, SubscribeNoticeError,
    TlsConfiguration, TlsError, Transport,
};

use super::{Heard, MAX_INCOMING_BYTES, PACKET_IDS, REQUESTS, Receipt, Stage, Wanted};
use crate::publish::broker::{BrokerParams, Identity};
use crate::publish::{BoxFuture, LinkError, Message, PublishError, RefusalScope};

/// MQTT's own limit. The client would let a packet over its limit break the connection and drop what is queued behind
/// it; so it has none of its own, and what the broker takes decides.
const MAX_OUTGOING_BYTES: usize = 268_435_455;

pub(super) fn open(
    broker: &BrokerParams,
    identity: Identity,
    tls: Option<Arc<ClientConfig>>,
) -> (AsyncClient, EventLoop) {
    let Identity { client_id, keep_session, manual_acks, will } = identity;
    let mut options = MqttOptions::new(client_id, Broker::tcp(broker.host.clone(), broker.port));
    options
        .set_keep_alive(broker.keep_alive_s())
        .set_max_packet_size(MAX_INCOMING_BYTES as usize, MAX_OUTGOING_BYTES)
        .set_max_request_batch(16)
        .set_inflight(PACKET_IDS)
        .set_clean_session(!keep_session);
    if manual_acks {
        options.set_ack_mode(AckMode::Manual);
    }
    if let Some((user, password)) = &broker.credentials {
        options.set_credentials(user.clone(), password.expose().to_owned());
    }
    if let Some(config) = tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
    }
    if let Some(Message { topic, payload, retained, .. }) = will {
        options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, retained));
    }
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(broker.connect_timeout.as_secs().max(1));
    let (client, mut events) = AsyncClient::builder(options).capacity(REQUESTS).build();
    events.set_network_options(network);
    (client, events)
}

pub(super) async fn next(events: &mut EventLoop, stage: Stage) -> Result<Heard, LinkError> {
    match events.poll().await {
        Ok(Event::Incoming(Packet::ConnAck(accepted))) => {
            Ok(Heard::Accepted { session_present: accepted.session_present, max_packet_bytes: None })
        }
        Ok(Event::Incoming(Packet::SubAck(_))) => Ok(Heard::Subscribed),
        Ok(Event::Incoming(Packet::Publish(publish))) => {
            let message = Message {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: publish.payload.to_vec(),
                content_type: "",
                retained: publish.retain,
            };
            Ok(Heard::Message(message, Receipt::V311(Box::new(publish))))
        }
        Ok(_) => Ok(Heard::Nothing),
        Err(error) => Err(link_error(error, stage)),
    }
}

pub(super) fn publish(client: &AsyncClient, message: Message) -> BoxFuture<Result<(), PublishError>> {
    let Message { topic, payload, retained, .. } = message;
    let options = PublishOptions::new(QoS::AtLeastOnce).retain(retained);
    match client.try_publish_tracked(topic, payload, options) {
        // Every way in which a notice fails is an end of the connection.
        Ok(notice) => Box::pin(async move { notice.wait_completion_async().await.map_err(|_| PublishError::Gone) }),
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
    let qos = if wanted == Wanted::Latest { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let filters = filters.into_iter().map(|filter| SubscribeFilterInput::new(filter, qos));
    let notice = client.try_subscribe_many_tracked(filters);
    Box::pin(async move {
        let notice = notice.map_err(|_| PublishError::Gone)?;
        notice.wait_completion_async().await.map_err(|error| match error {
            SubscribeNoticeError::V4SubAckFailure(codes) => {
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
        notice.wait_completion_async().await.map(drop).map_err(|_| PublishError::Gone)
    })
}

/// Sorts the client's errors by what can be done about them. None of them carries a credential.
fn link_error(error: ConnectionError, stage: Stage) -> LinkError {
    let reason = error.to_string();
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword
            | ConnectReturnCode::NotAuthorized
            | ConnectReturnCode::BadClientId
            | ConnectReturnCode::RefusedProtocolVersion,
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

//! One look at a broker: connect as the service would, under a name of its own, and say goodbye.

use rumqttc::{Event, Packet};

use super::LinkError;
use super::mqtt::{BrokerParams, Identity, Stage, link_error};

/// Connects to the broker and leaves: no session, no will, nothing published. `client_id` must not be the service's: a
/// broker ends the older one of two connections of one name.
///
/// # Errors
/// As the service would meet them.
pub async fn probe(broker: &BrokerParams, client_id: String) -> Result<(), LinkError> {
    let (client, mut events) =
        broker.client(Identity { client_id, keep_session: false, manual_acks: false, will: None });
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => break,
            Ok(_) => {}
            Err(error) => return Err(link_error(error, Stage::Connecting)),
        }
    }
    let _ = client.try_disconnect_with_timeout(std::time::Duration::from_secs(1));
    // The goodbye is sent, or the connection breaks: both end it.
    while events.poll().await.is_ok() {}
    Ok(())
}

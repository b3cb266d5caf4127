//! One look at a broker: connect as the service would, under a name of its own, and say goodbye.

use super::mqtt::{self, Heard, Stage};
use super::{BrokerParams, Identity, LinkError};

/// Connects to the broker and leaves: no session, no will, nothing published. `client_id` must not be the service's: a
/// broker ends the older one of two connections of one name.
///
/// # Errors
/// As the service would meet them.
pub async fn probe(broker: &BrokerParams, client_id: String) -> Result<(), LinkError> {
    let identity = Identity { client_id, keep_session: false, manual_acks: false, will: None };
    let (client, mut events) = mqtt::open(broker, identity).await?;
    while !matches!(events.next(Stage::Connecting).await?, Heard::Accepted { .. }) {}
    client.disconnect();
    // The goodbye is sent, or the connection breaks: both end it.
    while events.next(Stage::Connected).await.is_ok() {}
    Ok(())
}

//! One look at a broker: connect as the service would, under a name of its own, and say goodbye.

use super::keyring::{Certificates, Keyring};
use super::mqtt::{self, Stage};
use super::{BrokerParams, Identity, LinkError};

/// Connects to the broker and leaves: no session, no will, nothing published; how the certificates are, with TLS. `client_id` must not be the service's: a
/// broker ends the older one of two connections of one name.
///
/// # Errors
/// As the service would meet them.
pub async fn probe(broker: &BrokerParams, client_id: String) -> Result<Option<Certificates>, LinkError> {
    let keyring = broker.tls.clone().map(Keyring::new);
    probe_as(broker, client_id, keyring.as_ref()).await?;
    Ok(keyring.map(|keyring| keyring.status().borrow().clone()))
}

/// The same with the certificates of a keyring.
pub(super) async fn probe_as(
    broker: &BrokerParams,
    client_id: String,
    keyring: Option<&Keyring>,
) -> Result<(), LinkError> {
    let identity = Identity { client_id, keep_session: false, manual_acks: false, will: None };
    let (client, mut events) = mqtt::open_as(broker, identity, keyring).await?;
    mqtt::judged(&mut events, keyring).await?;
    client.disconnect();
    // The goodbye is sent, or the connection breaks: both end it.
    while events.next(Stage::Connected).await.is_ok() {}
    Ok(())
}

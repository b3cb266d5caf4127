//! The loopback MQTT 5 broker of `demo`: rumqttd in a thread of its own, until the program ends.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// The port that MQTT clients expect.
const STANDARD_PORT: u16 = 1883;

/// Starts the broker on loopback, on the standard port or, where that is taken, a free one.
///
/// # Errors
/// When no port or no thread can be had.
pub fn start() -> std::io::Result<SocketAddr> {
    let loopback = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let address = loopback(STANDARD_PORT).or_else(|_| loopback(0))?.local_addr()?;
    let mut broker = Broker::new(config(address));
    std::thread::Builder::new().name("mqtt-broker".to_owned()).spawn(move || {
        if let Err(error) = broker.start() {
            tracing::error!(%error, "the demo's broker ended");
        }
    })?;
    Ok(address)
}

fn config(address: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 10_000,
        max_payload_size: 256 * 1024,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "demo".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: 100,
        max_outgoing_packet_count: 200,
        max_segment_size: 10 << 20,
        max_segment_count: 3,
        ..RouterConfig::default()
    };
    Config { router, v5: Some(HashMap::from([("demo".to_owned(), server)])), ..Config::default() }
}

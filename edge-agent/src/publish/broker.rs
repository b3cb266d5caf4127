//! Where the broker is, how to log in, and which MQTT it speaks.

use std::time::Duration;

use super::Message;
use super::tls::TlsParams;
use crate::secret::Secret;

/// The version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// MQTT 5: a broker says why it refuses a message.
    #[default]
    V5,
    /// MQTT 3.1.1, for brokers that speak nothing newer (NATS, older ones). Such a broker cannot refuse one message:
    /// what its access list or size limit drops it acknowledges all the same.
    V311,
}

impl Protocol {
    /// As files and command lines write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "5" => Some(Self::V5),
            "3.1.1" => Some(Self::V311),
            _ => None,
        }
    }
}

/// Where the broker is and how to log in.
#[derive(Debug, Clone)]
pub struct BrokerParams {
    /// Name or address; with TLS the name that its certificate must carry.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What is spoken.
    pub protocol: Protocol,
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
    /// MQTT 5 over plain TCP without a password: for loopback.
    #[must_use]
    pub fn plain(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            protocol: Protocol::default(),
            tls: None,
            credentials: None,
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
        }
    }

    pub(super) fn keep_alive_s(&self) -> u16 {
        u16::try_from(self.keep_alive.as_secs().max(1)).unwrap_or(u16::MAX)
    }
}

/// Who connects, and how.
#[derive(Debug)]
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

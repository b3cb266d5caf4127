//! The broker on the command line, for who stands at the other end of it.

use std::path::PathBuf;

use anyhow::{Context, bail};
use edge_agent::config::SecretRef;
use edge_agent::publish::{BrokerParams, Protocol, TlsParams, TopicRoot};
use url::Url;

/// How the broker is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct BrokerArgs {
    /// The broker.
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: Url,

    /// The version of MQTT: 5, or 3.1.1 for brokers that speak nothing newer.
    #[arg(long, value_name = "VERSION", default_value = "5", value_parser = protocol)]
    protocol: Protocol,

    /// PEM file of the authorities that sign the broker's certificate, for mqtts://.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// PEM file of a client certificate, where the broker wants one.
    #[arg(long, value_name = "FILE", requires = "key", requires = "ca")]
    certificate: Option<PathBuf>,

    /// PEM file of its private key, which only its owner may read.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,

    /// First level of the topics.
    #[arg(long, default_value = "ngatu")]
    root: String,
}

impl BrokerArgs {
    /// How to reach it, and the first level of the topics; proves the certificates.
    pub(crate) fn params(&self) -> anyhow::Result<(BrokerParams, TopicRoot)> {
        let url = &self.broker;
        // First: a password must not be repeated in another message.
        if !url.username().is_empty() || url.password().is_some() {
            bail!("--broker holds a user or password: command lines are seen by every user of a machine");
        }
        let (default_port, is_tls) = match url.scheme() {
            "mqtt" => (1883, false),
            "mqtts" => (8883, true),
            _ => bail!("--broker {url}: write mqtt://host:port or mqtts://host:port"),
        };
        let host = url.host_str().with_context(|| format!("--broker {url} names no host"))?.trim_matches(['[', ']']);
        let mut broker = BrokerParams::plain(host, url.port().unwrap_or(default_port));
        broker.protocol = self.protocol;
        broker.tls = match (&self.ca, is_tls) {
            (Some(ca), true) => {
                let client = self.certificate.clone().zip(self.key.clone().map(SecretRef::File));
                Some(TlsParams { ca: ca.clone(), client })
            }
            (None, true) => bail!("--broker {url} needs --ca: the authorities that sign the broker's certificate"),
            (Some(_), false) => bail!("--ca is given and --broker {url} is not mqtts://"),
            (None, false) => None,
        };
        if let Some(tls) = &broker.tls {
            tls.load()?;
        }
        Ok((broker, TopicRoot::new(&self.root)?))
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    Protocol::parse(text).ok_or_else(|| "write 5 or 3.1.1".to_owned())
}

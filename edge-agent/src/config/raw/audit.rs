//! The section `[audit]` as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawSecret;

/// The audit log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAudit {
    /// A collector that its lines are sent to as well.
    pub syslog: Option<RawSyslog>,
}

/// A syslog collector: RFC 5424 over TLS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSyslog {
    /// `syslogs://host:6514`; the collector's certificate must bear the host's name.
    #[schemars(required)]
    #[schemars(example = &"syslogs://soc.example:6514")]
    pub url: Option<String>,
    /// PEM file of the authorities that sign the collector's certificate.
    #[schemars(required)]
    #[schemars(example = &"/etc/ngatu/soc-ca.pem")]
    pub ca: Option<PathBuf>,
    /// PEM file of this box's certificate, where the collector wants one.
    #[schemars(example = &"/etc/ngatu/box.pem")]
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<RawSecret>,
}

//! What protects what a box says on its way to the broker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Severity, UtcMillis, Word};

/// How the way to the broker is protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransportHealth {
    /// `tls`, `loopback` (the broker is on the box) or `plaintext` (allowed in the site file).
    pub security: Word,
    /// The version of TLS at the last connection: `1.2` or `1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<Word>,
    /// This box's certificate, with its chain; absent where it shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateHealth>,
    /// The certificate of the authority that the broker is checked against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CertificateHealth>,
    /// The broker's certificate, with its chain, as shown at the last connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<CertificateHealth>,
    /// Why new certificate files are not used, with the file and the cure, in English; absent where nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Until when a certificate is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateHealth {
    /// Its common name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The first instant after which it is not valid.
    pub not_after: UtcMillis,
    /// Whole days until then; negative once it is over.
    pub days_left: i64,
    /// How urgent its renewal is: `warning` from 30 days on, `high` from 7, `critical` when its time is over or has not
    /// come; else `info`.
    pub severity: Severity,
}

//! `[status.remote]` as written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::RawSecret;
use crate::access::Role;

/// Roles by the names in certificates.
fn roles_schema(_: &mut SchemaGenerator) -> Schema {
    let role = super::labels(Role::ALL.into_iter().map(Role::label));
    json_schema!({ "type": "object", "additionalProperties": role })
}

/// The status page for other machines: TLS, and accounts or clients' certificates or both (`docs/status-page.md`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRemote {
    /// Host names and addresses by which people open the page; it answers to no other. They stand in its certificate.
    #[schemars(required, length(min = 1), example = &["box-a.example", "192.0.2.20"])]
    #[serde(default)]
    pub names: Vec<String>,
    /// PEM file of the page's certificate, with its chain. Replaced files are used within seconds.
    #[schemars(required, example = &"/etc/ngatu/page.pem")]
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[schemars(required)]
    pub key: Option<RawSecret>,
    /// The accounts file, which `edge-agent account` writes. Without it only certificates lead in.
    #[schemars(example = &"/var/lib/ngatu/accounts")]
    pub accounts: Option<PathBuf>,
    /// PEM file of the authorities that sign clients' certificates. Without it only accounts lead in.
    #[schemars(example = &"/etc/ngatu/page-clients.pem")]
    pub client_ca: Option<PathBuf>,
    /// What the bearer of a client's certificate is, by its common name (CN): viewer, operator, integrator or admin. A name
    /// that is not here has no role.
    #[serde(default)]
    #[schemars(schema_with = "roles_schema")]
    pub roles: BTreeMap<String, String>,
}

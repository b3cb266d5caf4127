//! The contract as documents: a JSON Schema (2020-12) of each message and one AsyncAPI 3.0 document of all topics,
//! generated from the [`wire`](super::wire) types and kept in `schemas/`.
//!
//! The schemas are closed in what must be there (required keys, enums, patterns) and open to further keys: within v1
//! fields are only ever added, so a receiver must tolerate what it does not know. The project's own tests close the
//! objects too, so that a key that is not in the contract is found before it is sent.

use analytics::Kind;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::wire::{
    Ack, AcknowledgeArguments, AuditLine, Birth, CameraArguments, CameraStatus, ChunkHeader, Command, CommandName,
    ConfigApplyArguments, ConfigFetchArguments, EvidenceFetchArguments, Health, HostState, Incident, LogLevelArguments,
    MEASUREMENT_TYPE, Measurement, NoArguments, RuleArguments, SignalReport, SnapshotArguments, Status, System,
    SystemKind, VerdictArguments,
};
use crate::evidence::MAX_THUMBNAIL_BYTES;

/// One kind of message.
struct MessageKind {
    name: &'static str,
    title: &'static str,
    /// The topic, with parameters in braces.
    address: &'static str,
    retained: bool,
    content_type: &'static str,
    /// `None`: not JSON.
    schema: Option<fn() -> Value>,
}

const MESSAGES: [MessageKind; 23] = [
    MessageKind {
        name: "incident",
        title: "An incident event (CloudEvents 1.0, structured JSON)",
        address: "{root}/v1/{site}/{box}/event/{camera}/{kind}",
        retained: false,
        content_type: super::wire::EVENT_CONTENT_TYPE,
        schema: Some(incident),
    },
    MessageKind {
        name: "system",
        title: "An event of the box itself (CloudEvents 1.0, structured JSON)",
        address: "{root}/v1/{site}/{box}/system",
        retained: false,
        content_type: super::wire::EVENT_CONTENT_TYPE,
        schema: Some(system),
    },
    MessageKind {
        name: "measure",
        title: "Traffic measures of one camera over one interval (CloudEvents 1.0, structured JSON)",
        address: "{root}/v1/{site}/{box}/measure/{camera}",
        retained: false,
        content_type: super::wire::EVENT_CONTENT_TYPE,
        schema: Some(measure),
    },
    MessageKind {
        name: "evidence",
        title: "A thumbnail of an incident: a JPEG of at most 32 KiB. It may come twice, and not at all",
        address: "{root}/v1/{site}/{box}/evidence/{camera}/{incident}/{name}",
        retained: false,
        content_type: super::wire::JPEG_CONTENT_TYPE,
        schema: None,
    },
    MessageKind {
        name: "audit",
        title: "A line of the audit log, in the bytes over which its hash goes. It may come twice: `number` tells",
        address: "{root}/v1/{site}/{box}/audit",
        retained: false,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<AuditLine>),
    },
    MessageKind {
        name: "birth",
        title: "What the box is and can do",
        address: "{root}/v1/{site}/{box}/birth",
        retained: true,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<Birth>),
    },
    MessageKind {
        name: "status",
        title: "Whether the box is there; `offline` is the will",
        address: "{root}/v1/{site}/{box}/status",
        retained: true,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<Status>),
    },
    MessageKind {
        name: "health",
        title: "How the box is",
        address: "{root}/v1/{site}/{box}/health",
        retained: true,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<Health>),
    },
    MessageKind {
        name: "camera_status",
        title: "How a camera is",
        address: "{root}/v1/{site}/{box}/camera/{camera}/status",
        retained: true,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<CameraStatus>),
    },
    MessageKind {
        name: "host_state",
        title: "Whether a centre listens; published by the centre",
        address: "{root}/v1/host/{host}/state",
        retained: true,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<HostState>),
    },
    MessageKind {
        name: "signal_phase",
        title: "What a traffic signal shows; published by its controller or the centre, on a topic of the site's choice",
        address: "{signal_topic}",
        retained: false,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<SignalReport>),
    },
    command(
        "cmd_snapshot",
        "Command: a picture of a camera, now",
        "{root}/v1/{site}/{box}/cmd/snapshot",
        schema_of::<Command<SnapshotArguments>>,
    ),
    command(
        "cmd_evidence_fetch",
        "Command: the whole of a picture or clip of an incident, in parts",
        "{root}/v1/{site}/{box}/cmd/evidence-fetch",
        schema_of::<Command<EvidenceFetchArguments>>,
    ),
    command(
        "cmd_camera",
        "Command: switches a camera off and on",
        "{root}/v1/{site}/{box}/cmd/camera",
        schema_of::<Command<CameraArguments>>,
    ),
    command(
        "cmd_rule",
        "Command: disarms and arms a rule",
        "{root}/v1/{site}/{box}/cmd/rule",
        schema_of::<Command<RuleArguments>>,
    ),
    command(
        "cmd_acknowledge",
        "Command: an operator has seen an incident",
        "{root}/v1/{site}/{box}/cmd/acknowledge",
        schema_of::<Command<AcknowledgeArguments>>,
    ),
    command(
        "cmd_verdict",
        "Command: what an operator found an incident to be",
        "{root}/v1/{site}/{box}/cmd/verdict",
        schema_of::<Command<VerdictArguments>>,
    ),
    command(
        "cmd_rebirth",
        "Command: birth and all state once more",
        "{root}/v1/{site}/{box}/cmd/rebirth",
        schema_of::<Command<NoArguments>>,
    ),
    command(
        "cmd_log_level",
        "Command: what the program logs, for a while",
        "{root}/v1/{site}/{box}/cmd/log-level",
        schema_of::<Command<LogLevelArguments>>,
    ),
    command(
        "cmd_config_fetch",
        "Command: the site file in force, without secrets",
        "{root}/v1/{site}/{box}/cmd/config-fetch",
        schema_of::<Command<ConfigFetchArguments>>,
    ),
    command(
        "cmd_config_apply",
        "Command: another configuration in the place of the one in force",
        "{root}/v1/{site}/{box}/cmd/config-apply",
        schema_of::<Command<ConfigApplyArguments>>,
    ),
    MessageKind {
        name: "ack",
        title: "The answer to a command",
        address: "{root}/v1/{site}/{box}/ack/{command_name}",
        retained: false,
        content_type: super::wire::STATE_CONTENT_TYPE,
        schema: Some(schema_of::<Ack>),
    },
    MessageKind {
        name: "chunk",
        title: "A part of a file that a command asked for: one line of JSON, a newline, and the bytes; at most 32 KiB together",
        address: "{root}/v1/{site}/{box}/chunk/{command}",
        retained: false,
        content_type: "application/octet-stream",
        schema: Some(schema_of::<ChunkHeader>),
    },
];

const fn command(name: &'static str, title: &'static str, address: &'static str, schema: fn() -> Value) -> MessageKind {
    let content_type = super::wire::STATE_CONTENT_TYPE;
    MessageKind { name, title, address, retained: false, content_type, schema: Some(schema) }
}

/// The name of a command's message.
#[must_use]
pub const fn command_message(name: CommandName) -> &'static str {
    match name {
        CommandName::Snapshot => "cmd_snapshot",
        CommandName::EvidenceFetch => "cmd_evidence_fetch",
        CommandName::Camera => "cmd_camera",
        CommandName::Rule => "cmd_rule",
        CommandName::Acknowledge => "cmd_acknowledge",
        CommandName::Verdict => "cmd_verdict",
        CommandName::Rebirth => "cmd_rebirth",
        CommandName::LogLevel => "cmd_log_level",
        CommandName::ConfigFetch => "cmd_config_fetch",
        CommandName::ConfigApply => "cmd_config_apply",
    }
}

/// What the box hears; all else it says.
fn is_received(name: &str) -> bool {
    ["host_state", "signal_phase"].contains(&name) || name.starts_with("cmd_")
}

/// The names of all messages that have a schema: all but pictures.
pub fn names() -> impl Iterator<Item = &'static str> {
    MESSAGES.iter().filter(|message| message.schema.is_some()).map(|message| message.name)
}

/// The JSON Schema of a message; `None` when there is no JSON message of this name.
#[must_use]
pub fn message(name: &str) -> Option<Value> {
    let message = MESSAGES.iter().find(|message| message.name == name)?;
    let mut schema = (message.schema?)();
    schema["$id"] = json!(format!("urn:ngatu:schema:{name}:1"));
    schema["title"] = json!(message.title);
    Some(schema)
}

/// The AsyncAPI 3.0 document of all topics; schemas are referred to as files beside it.
#[must_use]
pub fn asyncapi() -> Value {
    let mut channels = json!({});
    let mut operations = json!({});
    let mut messages = json!({});
    for message in &MESSAGES {
        let name = message.name;
        channels[name] = json!({
            "address": message.address,
            "title": message.title,
            "parameters": parameters(message.address),
            "messages": { name: { "$ref": format!("#/components/messages/{name}") } },
        });
        // From the box's side. What a signal shows is of no use later: it is subscribed with QoS 0.
        operations[name] = json!({
            "action": if is_received(name) { "receive" } else { "send" },
            "channel": { "$ref": format!("#/channels/{name}") },
            "bindings": { "mqtt": { "qos": u8::from(name != "signal_phase"), "retain": message.retained, "bindingVersion": "0.2.0" } },
        });
        messages[name] = json!({
            "title": message.title,
            "contentType": message.content_type,
            "payload": match message.schema {
                Some(_) => json!({
                    "schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": { "$ref": format!("./{name}.json") },
                }),
                None => json!({ "type": "string", "format": "binary", "maxLength": MAX_THUMBNAIL_BYTES }),
            },
        });
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ngã Tư edge agent",
            "version": "1.0.0",
            "description": "Incidents, state and health of junction-cabinet boxes over MQTT. Within v1 fields are only \
                            ever added; receivers ignore what they do not know. Drop duplicates by (source, id); order \
                            the events of an incident by (incident_id, revision); gaps in `sequence` are announced on \
                            `system`.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages },
    })
}

fn parameters(address: &str) -> Value {
    let mut parameters = json!({});
    for level in address.split('/') {
        let Some(name) = level.strip_prefix('{').and_then(|level| level.strip_suffix('}')) else { continue };
        parameters[name] = match name {
            "root" => json!({ "description": "Chosen by the customer.", "default": "ngatu" }),
            "signal_topic" => json!({ "description": "The `topic` of [camera.signal.ID] in the site file." }),
            "incident" => json!({ "description": "The `incident_id` of the events it proves." }),
            "command" => json!({ "description": "The `id` of the command that asked for it." }),
            "command_name" => {
                json!({ "description": "The last level of the command's topic; `unknown` where that is no id." })
            }
            "name" => json!({ "description": "The `name` in their `evidence`: [a-z0-9-]{1,40}.jpg" }),
            "kind" => json!({ "description": "What happened.", "enum": Kind::ALL.map(Kind::wire_label) }),
            _ => json!({ "description": "[a-z0-9-]{1,40}" }),
        };
    }
    parameters
}

fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    Schema::to_value(generator.into_root_schema_for::<T>())
}

fn incident() -> Value {
    let mut schema = schema_of::<Incident>();
    let types: Vec<String> =
        Kind::ALL.iter().map(|kind| format!("vn.ngatu.incident.{}.v1", kind.wire_label())).collect();
    narrow(&mut schema, &json!(types), "incident");
    schema
}

fn system() -> Value {
    let mut schema = schema_of::<System>();
    narrow(&mut schema, &json!(SystemKind::ALL.map(SystemKind::event_type)), "system");
    schema
}

fn measure() -> Value {
    let mut schema = schema_of::<Measurement>();
    narrow(&mut schema, &json!([MEASUREMENT_TYPE]), "measure");
    schema
}

/// Says which types and which schema name go with this data.
fn narrow(schema: &mut Value, types: &Value, name: &str) {
    schema["properties"]["type"]["enum"] = types.clone();
    schema["properties"]["dataschema"]["const"] = json!(format!("urn:ngatu:schema:{name}:1"));
}

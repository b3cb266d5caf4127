//! What a traffic signal shows, as its controller or the centre publishes it to the box; and what events say of it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{UtcMillis, Word};

/// What a signal shows. In brackets the `eventState` of SPaT (SAE J2735, ISO/TS 19091) that means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalPhase {
    /// Stop (`stop-And-Remain`, and `pre-Movement`: red with amber).
    Red,
    /// About to be red (`permissive-clearance`, `protected-clearance`).
    Amber,
    /// Go (`permissive-Movement-Allowed`, `protected-Movement-Allowed`).
    Green,
    /// Not lit (`dark`).
    Dark,
    /// Flashing amber or red (`caution-Conflicting-Traffic`, `stop-Then-Proceed`).
    Flashing,
    /// The sender does not know (`unavailable`).
    Unavailable,
}

/// How a box is told what a signal shows: on the topic that its site file names, whenever it changes and again before
/// `valid_for_ms` is over. At most 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignalReport {
    /// What the signal shows.
    pub phase: SignalPhase,
    /// Since when it has shown that; absent: since the first report of it arrived. The same in every report of one phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub since: Option<UtcMillis>,
    /// When the report was made. A retained report is believed only with it, or with a `since` that is recent enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub time: Option<UtcMillis>,
    /// For how long it may be believed without another report, in milliseconds; absent: 5000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 300_000))]
    pub valid_for_ms: Option<u32>,
    /// How sure the sender is; absent: 1. Below 0.5 it is not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: Option<f64>,
}

/// RFC 3339 with any offset and fraction: others write it.
fn time_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The signal that a rule went by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalData {
    /// Its name in the site file.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub id: String,
    /// Where its phase is known from, in words of an open list: `lamps` (read from the picture), `topic`.
    pub source: Word,
    /// The topic, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

//! Everything that goes over the wire, as types: what is serialised here is what the schemas say.
//!
//! Events are CloudEvents 1.0 in structured JSON mode, so that nothing essential lives in MQTT 5 properties.
//! Fields are only ever added within v1: a receiver tolerates keys it does not know, so these types ignore them when
//! read. Open lists (kinds, classes, providers) are plain words, closed ones are enums.

mod audit;
mod command;
mod incident;
mod ladder;
mod measure;
mod number;
mod signal;
mod state;
mod system;
mod transport;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use audit::{Action, Actor, AuditLine, LineHash, Outcome, Source};
pub use command::{
    Ack, AckFile, AckState, AcknowledgeArguments, CameraArguments, ChunkHeader, Command, CommandHealth, CommandName,
    ConfigApplyArguments, ConfigFetchArguments, DisarmedRule, EvidenceFetchArguments, Finding, LogLevel,
    LogLevelArguments, LogSetting, MAX_CHUNK_BYTES, NoArguments, PrecisionData, Reason, RuleArguments,
    SnapshotArguments, SwitchedOff, VerdictArguments,
};
pub use incident::{
    CameraLabel, EventContext, Evidence, IncidentData, ModelRef, Moment, Phase, Position, Shown, TimeQuality,
    TrackData, Verification, Why, incident, picture_of,
};
pub use ladder::{CameraLadder, DegradedCamera, LadderData, LadderHealth, box_degraded};
pub use measure::{
    BandData, LaneData, LevelData, LineData, MEASUREMENT_TYPE, Measurement, MeasurementData, MovementData, QueueData,
    SpeedData, measurement,
};
pub use number::{Measures, Sequence, UtcMillis};
pub use signal::{SignalData, SignalPhase, SignalReport};
pub use state::{
    AppliedConfiguration, AuditHealth, Birth, BirthCamera, BirthRule, CameraHealth, CameraState, CameraStatus,
    EvidenceHealth, Health, HealthState, HostState, OutboxHealth, Presence, PublishHealth, RecordHealth, RecordStatus,
    RingHealth, SiteLabel, Software, Status,
};
pub use system::{Lost, ParkedData, SystemData, SystemKind, WithheldData, parked, system, withheld};
pub use transport::{CertificateHealth, TransportHealth};

/// A word of an open list: borrowed when written, owned when read.
pub type Word = Cow<'static, str>;

/// MQTT content type of events.
pub const EVENT_CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// MQTT content type of retained state.
pub const STATE_CONTENT_TYPE: &str = "application/json";

/// MQTT content type of thumbnails.
pub const JPEG_CONTENT_TYPE: &str = "image/jpeg";

/// A text in the operator's languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalText {
    /// Vietnamese.
    pub vi: Word,
    /// English.
    pub en: Word,
}

impl From<analytics::Text> for LocalText {
    fn from(text: analytics::Text) -> Self {
        Self { vi: text.vi.into(), en: text.en.into() }
    }
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look when there is time.
    Warning,
    /// Look now.
    High,
    /// Act now.
    Critical,
}

impl From<analytics::Severity> for Severity {
    fn from(severity: analytics::Severity) -> Self {
        match severity {
            analytics::Severity::Info => Self::Info,
            analytics::Severity::Warning => Self::Warning,
            analytics::Severity::High => Self::High,
            analytics::Severity::Critical => Self::Critical,
        }
    }
}

impl From<Severity> for analytics::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::High => Self::High,
            Severity::Critical => Self::Critical,
        }
    }
}

/// A CloudEvent (CloudEvents 1.0 with the `sequence` and `recordedtime` extensions).
///
/// A draft has `sequence` 0 until the outbox [`stamp`](CloudEvent::stamp)s it at commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CloudEvent<D> {
    /// Always `1.0`.
    #[schemars(regex(pattern = r"^1\.0$"))]
    pub specversion: Word,
    /// Unique; `(source, id)` is the key by which receivers drop duplicates.
    #[schemars(regex(pattern = r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"))]
    pub id: Uuid,
    /// `/{root}/{site}/{box}`.
    #[schemars(regex(pattern = r"^(/[a-z0-9-]+){3,}$"))]
    pub source: String,
    /// What happened, with the version of its meaning.
    #[schemars(regex(pattern = r"^vn\.ngatu\.[a-z]+\.[a-z0-9_]+\.v1$"))]
    pub r#type: Word,
    /// The camera, or the box for its own events.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub subject: String,
    /// When it happened: the capture of the satisfying frame.
    pub time: UtcMillis,
    /// When the box committed it.
    pub recordedtime: UtcMillis,
    /// Always `application/json`.
    #[schemars(regex(pattern = r"^application/json$"))]
    pub datacontenttype: Word,
    /// Names the schema of the message.
    #[schemars(regex(pattern = r"^urn:ngatu:schema:[a-z]+:1$"))]
    pub dataschema: Word,
    /// Given at commit, without gaps, per `outbox_id`.
    pub sequence: Sequence,
    /// The rest.
    pub data: D,
}

/// An incident event.
pub type Incident = CloudEvent<IncidentData>;
/// An event about the box itself.
pub type System = CloudEvent<SystemData>;

/// Which commit an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Gapless number within the outbox.
    pub sequence: Sequence,
    /// When it was committed.
    pub recorded_at: UtcMillis,
    /// Which outbox.
    pub outbox_id: Uuid,
}

/// Data that names the outbox it was committed to.
pub trait Stamped {
    /// Takes the outbox's id.
    fn set_outbox_id(&mut self, outbox_id: Uuid);
}

impl<D: Stamped> CloudEvent<D> {
    /// Turns a draft into the event that is stored and sent.
    pub fn stamp(&mut self, stamp: Stamp) {
        self.sequence = stamp.sequence;
        self.recordedtime = stamp.recorded_at;
        self.data.set_outbox_id(stamp.outbox_id);
    }
}

impl<D: Serialize> CloudEvent<D> {
    /// The bytes that are stored and sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

/// A new UUIDv7 (RFC 9562), from the system's clock and its randomness.
#[must_use]
pub fn new_id() -> Uuid {
    let millis = u64::try_from(UtcMillis::now().as_unix_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
}

/// JSON of a wire type.
#[must_use]
pub fn to_bytes<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("wire types have text keys and finite numbers")
}

/// Sets `replayed` in the bytes of a stored event. Works on bytes, not on types, so that a field written by another
/// version of the program is kept.
#[must_use]
pub fn mark_replayed(payload: &[u8]) -> Vec<u8> {
    const FROM: &[u8] = b"\"replayed\":false";
    // Within a JSON string a quote is escaped, so this text can only be the key and its value.
    match payload.windows(FROM.len()).rposition(|window| window == FROM) {
        Some(at) => [&payload[..at], b"\"replayed\":true", &payload[at + FROM.len()..]].concat(),
        None => payload.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_is_marked_replayed() {
        let stored = br#"{"data":{"name":"\"replayed\":false","replayed":false,"suppressed":0}}"#;
        let sent = br#"{"data":{"name":"\"replayed\":false","replayed":true,"suppressed":0}}"#;
        assert_eq!(mark_replayed(stored), sent);
        assert_eq!(mark_replayed(sent), sent);
    }
}

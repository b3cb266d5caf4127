//! Retained state: birth, status, health, cameras; and the centre's own state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CameraLabel, CameraLadder, CommandHealth, DisarmedRule, LadderHealth, LocalText, ModelRef, Position, PrecisionData,
    ResourcesHealth, Severity, SwitchedOff, TimeQuality, TransportHealth, UtcMillis, Word,
};

/// Whether a box is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Connected.
    Online,
    /// Stopped by a person or an update.
    Stopped,
    /// Gone without a word: the will speaks.
    Offline,
}

/// Topic `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Whether the box is there.
    pub state: Presence,
    /// The session of its birth: a late will of an older session is to be ignored.
    pub session: u64,
    /// When; null in the will, which is written before it is needed.
    pub time: Option<UtcMillis>,
}

/// The site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteLabel {
    /// Its id.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub id: String,
    /// Its name.
    pub name: LocalText,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Software {
    /// Its name.
    pub name: Word,
    /// Its version.
    pub version: Word,
}

/// A rule, as a capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BirthRule {
    /// Its name in the site file.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub id: String,
    /// Its kind.
    pub kind: Word,
    /// The severity of its incidents.
    pub severity: Severity,
    /// By whom a command switched it off, and until when; absent while it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<SwitchedOff>,
}

/// A camera, as a capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BirthCamera {
    /// Id and name.
    #[serde(rename = "camera")]
    pub label: CameraLabel,
    /// Its pipeline.
    pub pipeline: String,
    /// What is watched for.
    pub rules: Vec<BirthRule>,
    /// By whom a command switched it off, and until when; absent while it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<SwitchedOff>,
}

/// A configuration that the centre sent and that is in force over the site file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedConfiguration {
    /// The command that brought it.
    pub id: Uuid,
    /// Who sent it.
    pub by: String,
    /// When it came.
    pub at: UtcMillis,
    /// Whether it is still on trial: what was in force before may come back.
    pub on_trial: bool,
}

/// Topic `birth`: what this box is and can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Birth {
    /// Number of this connection; set by the publisher.
    pub session: u64,
    /// When; set by the publisher.
    pub time: UtcMillis,
    /// The site.
    pub site: SiteLabel,
    /// The box.
    #[serde(rename = "box")]
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub box_id: String,
    /// Where it is.
    pub position: Option<Position>,
    /// IANA name of its time zone.
    pub timezone: String,
    /// The program.
    pub software: Software,
    /// `sha256:` and the digest of the configuration in force.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub config: String,
    /// Whose configuration that is, where the centre sent it; absent: the site file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<AppliedConfiguration>,
    /// The hardware profile in force.
    pub hw_profile: String,
    /// The networks in use.
    pub models: Vec<ModelRef>,
    /// The cameras and their rules.
    pub cameras: Vec<BirthCamera>,
    /// Whose sequence numbers its events carry; set by the publisher.
    pub outbox_id: Uuid,
    /// What protects what it says: `tls`, `loopback` (the broker is on the box) or `plaintext` (allowed in the site file).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Word>,
}

/// How a camera is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// Pictures come and are analysed as asked.
    Online,
    /// Pictures come, but not as they should.
    Degraded,
    /// No pictures.
    Offline,
    /// Switched off by a person or parked by the program.
    Disabled,
}

/// Topic `camera/{cam}/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraStatus {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// How it is.
    pub state: CameraState,
    /// Why, in words of an open list; when online, what is wrong beside the analysed stream (`record_offline`).
    pub reasons: Vec<Word>,
    /// Since when.
    pub since: UtcMillis,
    /// Its full-size stream; absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordStatus>,
    /// What is given up for it; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<CameraLadder>,
    /// By whom a command switched it off, and until when; absent while it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<SwitchedOff>,
    /// Rules that commands disarmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disarmed: Vec<DisarmedRule>,
}

/// How a camera's full-size stream is, which is received and not analysed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordStatus {
    /// How it is.
    pub state: CameraState,
    /// Why, in words of an open list; empty when online.
    pub reasons: Vec<Word>,
    /// Since when.
    pub since: UtcMillis,
    /// Its codec, once connected: `H264`, `H265`, `JPEG`.
    pub codec: Option<Word>,
    /// Width of its pictures in pixels, once known.
    pub width: Option<u32>,
    /// Height of its pictures in pixels, once known.
    pub height: Option<u32>,
}

/// Whether the box does what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It does.
    Ok,
    /// Something is missing; `reasons` say what.
    Degraded,
}

/// A camera's health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraHealth {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// How it is.
    pub state: CameraState,
    /// Frames a second received.
    pub received_fps: f64,
    /// Frames a second analysed.
    pub analysed_fps: f64,
    /// Frames replaced before they were analysed, since start.
    pub replaced_total: u64,
    /// Frames analysed without inference, since start: nothing had changed, and what was seen before stood.
    #[serde(default)]
    pub held_total: u64,
    /// Regions of frames inferred, since start.
    #[serde(default)]
    pub regions_total: u64,
    /// Connections made, since start.
    pub connects_total: u64,
    /// Its full-size stream; absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordHealth>,
    /// Pictures received and not decoded, since start.
    #[serde(default)]
    pub skipped_total: u64,
    /// Whether its decoder dozes: nothing moves, and only key frames are decoded.
    #[serde(default)]
    pub dozing: bool,
    /// Pictures not decoded because nothing moved, since start.
    #[serde(default)]
    pub spared_total: u64,
    /// What is given up for it; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<CameraLadder>,
}

/// The health of a camera's full-size stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordHealth {
    /// How it is.
    pub state: CameraState,
    /// Coded pictures a second received.
    pub received_fps: f64,
    /// Their size, in kbit a second.
    pub received_kbps: f64,
    /// Connections made, since start.
    pub connects_total: u64,
    /// What is held of it for pictures and clips; absent where neither is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<RingHealth>,
}

/// What is held in memory of a full-size stream, not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RingHealth {
    /// So many seconds.
    pub seconds: f64,
    /// Their size.
    pub bytes: u64,
    /// The most it may be.
    pub max_bytes: u64,
    /// Pictures that came before a first key frame, since start.
    pub headless_total: u64,
    /// Groups of pictures, from one key frame to the next, that alone were heavier than may be held, since start.
    pub oversized_total: u64,
}

/// The outbox's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxHealth {
    /// Events not yet delivered.
    pub pending: u64,
    /// Their size in bytes.
    pub pending_bytes: u64,
    /// Events lost to its limits, since start.
    pub lost_total: u64,
    /// Whether the last commit failed.
    pub failing: bool,
}

/// Delivery's health, since start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublishHealth {
    /// Events acknowledged by the broker.
    pub delivered_total: u64,
    /// Events sent again.
    pub retries_total: u64,
    /// Events the broker refused.
    pub refused_total: u64,
}

/// The pictures' health; totals since start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceHealth {
    /// Pictures made.
    pub ready_total: u64,
    /// Pictures that could not be made.
    pub failed_total: u64,
    /// Clips made.
    #[serde(default)]
    pub clips_ready_total: u64,
    /// Clips that could not be made.
    #[serde(default)]
    pub clips_failed_total: u64,
    /// Whether the last one could not be made.
    pub failing: bool,
    /// Pictures and clips on the box's disk.
    pub kept: u64,
    /// Their size in bytes.
    pub kept_bytes: u64,
    /// Pictures and clips on legal hold.
    #[serde(default)]
    pub on_hold: u64,
    /// Their size in bytes.
    #[serde(default)]
    pub on_hold_bytes: u64,
    /// Thumbnails not yet delivered.
    pub thumbnails_pending: u64,
    /// Thumbnails acknowledged by the broker.
    pub thumbnails_delivered_total: u64,
    /// Thumbnails that gave way to events, or that the broker does not take.
    pub thumbnails_dropped_total: u64,
}

/// The audit log's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditHealth {
    /// Number of its last line; 0 before the first.
    pub last_number: u64,
    /// Hash of that line: a centre that keeps it notices a log whose end was cut off.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub last_hash: String,
    /// Whether the last line could not be written.
    pub failing: bool,
    /// Lines that could not be written, since start.
    pub lost_total: u64,
}

/// Topic `health`. Totals only rise within a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// When.
    pub time: UtcMillis,
    /// Seconds since the program started.
    pub uptime_s: u64,
    /// Whether the box does what it should.
    pub state: HealthState,
    /// Why not, in words of an open list.
    pub reasons: Vec<Word>,
    /// The networks and the execution providers really in use.
    pub models: Vec<ModelRef>,
    /// How far the clock can be trusted.
    pub time_quality: TimeQuality,
    /// Memory in use by the program.
    pub memory_bytes: u64,
    /// The outbox.
    pub outbox: OutboxHealth,
    /// Delivery.
    pub publish: PublishHealth,
    /// Pictures.
    pub evidence: EvidenceHealth,
    /// What is given up of what is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderHealth>,
    /// Commands of the centre.
    #[serde(default)]
    pub commands: CommandHealth,
    /// What operators found incidents to be, by camera and rule; nothing of rules of whose incidents nothing was said.
    #[serde(default)]
    pub precision: Vec<PrecisionData>,
    /// The audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditHealth>,
    /// What it can run short of; absent before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesHealth>,
    /// The cameras.
    pub cameras: Vec<CameraHealth>,
    /// What protects what the box says, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportHealth>,
}

/// Topic `host/{host}/state`: the centre's own state (after Sparkplug's host STATE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostState {
    /// Whether it listens.
    pub online: bool,
    /// Unix milliseconds; the same in birth and will.
    pub timestamp: u64,
}

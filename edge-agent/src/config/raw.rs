//! The files as written: every key optional, so that a missing one is reported with all the others (see `resolve`).
//! The JSON Schemas that editors use come from these types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use analytics::{Class, Kind, Severity, ZoneKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::value::{DurationText, Heights, HeightsPerSecond, SizeText};

fn labels(labels: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": labels.collect::<Vec<_>>() })
}

fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Kind::ALL.into_iter().map(Kind::file_label))
}

fn severity_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Severity::ALL.into_iter().map(Severity::label))
}

fn zone_kind_schema(_: &mut SchemaGenerator) -> Schema {
    labels(ZoneKind::ALL.into_iter().map(ZoneKind::label))
}

fn anchor_schema(_: &mut SchemaGenerator) -> Schema {
    labels(["bottom-center", "center"].into_iter())
}

fn classes_schema(_: &mut SchemaGenerator) -> Schema {
    let class = labels(Class::ALL.into_iter().map(Class::label));
    json_schema!({ "type": "array", "items": class, "minItems": 1, "uniqueItems": true })
}

fn id_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[a-z0-9-]{1,40}$" })
}

fn point_schema() -> Schema {
    json_schema!({
        "type": "array", "items": { "type": "number", "minimum": 0, "maximum": 1 }, "minItems": 2, "maxItems": 2
    })
}

fn polygon_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": point_schema(), "minItems": 3 })
}

fn segment_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": point_schema(), "minItems": 2, "maxItems": 2 })
}

/// A site file: cameras, zones, broker, and which model, pipeline and hardware profile. The only file an integrator
/// writes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSite {
    /// The junction.
    #[schemars(required)]
    pub site: Option<RawSiteSection>,
    /// This box.
    #[schemars(required)]
    pub r#box: Option<RawBox>,
    /// Where events go.
    #[schemars(required)]
    pub mqtt: Option<RawMqtt>,
    /// Where events wait and pictures lie.
    pub storage: Option<RawStorage>,
    /// Pictures that prove incidents.
    pub evidence: Option<RawEvidence>,
    /// The cameras.
    #[schemars(required, length(min = 1))]
    pub camera: Vec<RawCamera>,
}

/// The junction.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSiteSection {
    /// Part of every topic; never an administrative name: those change.
    #[schemars(required, schema_with = "id_schema")]
    pub id: Option<String>,
    /// Shown to operators.
    #[schemars(required)]
    pub name: Option<RawName>,
    /// IANA time zone, such as `Asia/Ho_Chi_Minh`.
    pub timezone: Option<String>,
    /// WGS 84.
    pub position: Option<RawPosition>,
}

/// A name in the operators' languages.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawName {
    /// Vietnamese.
    #[schemars(required, length(min = 1))]
    pub vi: Option<String>,
    /// English.
    #[schemars(required, length(min = 1))]
    pub en: Option<String>,
}

/// WGS 84 position.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPosition {
    /// Degrees east.
    #[schemars(required, range(min = -180, max = 180))]
    pub lon: Option<f64>,
    /// Degrees north.
    #[schemars(required, range(min = -90, max = 90))]
    pub lat: Option<f64>,
}

/// This box.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawBox {
    /// Part of every topic.
    #[schemars(required, schema_with = "id_schema")]
    pub id: Option<String>,
    /// Name of a file in `hw-profiles/`, without `.toml`; default `cpu-x86_64`.
    pub hw_profile: Option<String>,
}

/// A reference to a secret; exactly one of the three. Secrets are never written in the site file.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSecret {
    /// Name of a systemd credential (`LoadCredential=`), or of a file in `credentials/` beside the site file.
    pub credential: Option<String>,
    /// Path of a file that only its owner may read.
    pub file: Option<PathBuf>,
    /// Name of an environment variable.
    pub env: Option<String>,
}

/// The broker.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMqtt {
    /// `mqtts://host:8883`; `mqtt://host:1883` only on loopback, or with `allow_plaintext = true`.
    #[schemars(required)]
    pub url: Option<String>,
    /// First level of every topic; default `ngatu`.
    #[schemars(schema_with = "id_schema")]
    pub root: Option<String>,
    /// PEM file of the authorities that sign the broker's certificate.
    pub ca: Option<PathBuf>,
    /// PEM file of this box's certificate.
    pub certificate: Option<PathBuf>,
    /// This box's private key, PEM.
    pub key: Option<RawSecret>,
    /// User name, where the broker wants one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<RawSecret>,
    /// Allows `mqtt://` beyond loopback: anyone on the way can read and forge events.
    pub allow_plaintext: bool,
    /// Name of a host at the centre: events wait in the outbox until its retained
    /// `{root}/v1/host/{name}/state` says that it is online.
    #[schemars(schema_with = "id_schema")]
    pub primary_host: Option<String>,
}

/// Where events wait and pictures lie.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStorage {
    /// A directory of this box's own; default `/var/lib/ngatu`.
    pub path: Option<PathBuf>,
    /// Bytes the outbox may hold; default 512 MiB.
    pub outbox: Option<SizeText>,
    /// Bytes that pictures may take; the oldest go. Default 4 GiB.
    pub evidence: Option<SizeText>,
    /// How long pictures and clips are kept.
    pub retention: Option<RawRetention>,
}

/// How long evidence is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRetention {
    /// Pictures; default 30 days.
    pub snapshots: Option<DurationText>,
    /// Clips. Has no effect yet: this version keeps no clips.
    pub clips: Option<DurationText>,
}

/// Pictures that prove incidents. Faces and number plates are neither blurred nor masked in this version.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawEvidence {
    /// Whether incidents are photographed; default `false`. A camera may say otherwise.
    pub snapshots: Option<bool>,
    /// The least severity of incidents that are photographed; default `warning`.
    #[schemars(schema_with = "severity_schema")]
    pub snapshots_from: Option<String>,
}

/// One camera.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCamera {
    /// Part of every topic.
    #[schemars(required, schema_with = "id_schema")]
    pub id: Option<String>,
    /// Shown to operators.
    #[schemars(required)]
    pub name: Option<RawName>,
    /// Name of a file in `pipelines/`, without `.toml`: what is watched for.
    #[schemars(required)]
    pub pipeline: Option<String>,
    /// `false` keeps the camera in the file and off.
    pub enabled: Option<bool>,
    /// The stream that is analysed: the sub-stream, where the camera has one. `replay` does without.
    pub detect: Option<RawStream>,
    /// The full-size stream: received and watched over, not decoded. This version keeps nothing of it yet: pictures are
    /// taken from the stream that is analysed.
    pub record: Option<RawStream>,
    /// Whether this camera's incidents are photographed; default from `[evidence]`.
    pub snapshots: Option<bool>,
    /// Frames analysed a second; default from the pipeline.
    #[schemars(range(min = 0.1, max = 60))]
    pub analyse_fps: Option<f64>,
    /// Name of a folder in `models/`; default from the pipeline.
    pub model: Option<String>,
    /// The parts of the picture the model looks at, as left, top, right, bottom; default from the model.
    pub regions: Option<Vec<[f64; 4]>>,
    /// Tracker settings that differ from the pipeline's.
    pub tracker: RawTracker,
    /// Zones by id.
    pub zone: BTreeMap<String, RawZone>,
    /// Lines by id.
    pub line: BTreeMap<String, RawLine>,
    /// What to watch for.
    pub rule: Vec<RawRule>,
}

/// One stream of a camera.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStream {
    /// `rtsp://host/path`, or `http://host/path` for Motion JPEG over HTTP (`detect` only), without user and password.
    /// Either this or `device`.
    pub url: Option<String>,
    /// A camera on this box, such as `/dev/video0` (`detect` only).
    pub device: Option<PathBuf>,
    /// Width and height asked of the device; what its driver prefers, by default.
    pub size: Option<[u32; 2]>,
    /// Frames a second asked of the device; what its driver prefers, by default.
    #[schemars(range(min = 1, max = 240))]
    pub fps: Option<u32>,
    /// Name of the credential that holds `user:password`: a systemd credential, or a file in `credentials/` beside
    /// the site file.
    pub credential: Option<String>,
    /// Path of a file that holds `user:password` and that only its owner may read.
    pub credential_file: Option<PathBuf>,
    /// Name of an environment variable that holds `user:password`.
    pub credential_env: Option<String>,
    /// `tcp` (default), or `udp` for cameras that need it.
    pub transport: Option<RawTransport>,
}

/// How RTP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawTransport {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// Datagrams of its own.
    Udp,
}

/// How detections become tracks; times are media time.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTracker {
    /// Detections at least this sure take part in the first association; default from the model.
    #[schemars(range(min = 0, max = 1))]
    pub high_confidence: Option<f32>,
    /// Detections between this and `high_confidence` may only continue a track; default from the model.
    #[schemars(range(min = 0, max = 1))]
    pub low_confidence: Option<f32>,
    /// A track may only start from a detection at least this sure; default from the model.
    #[schemars(range(min = 0, max = 1))]
    pub new_confidence: Option<f32>,
    /// A track is shown to rules once it was seen over at least this long.
    pub confirm_after: Option<DurationText>,
    /// A track that was not seen for this long ends.
    pub lost_for: Option<DurationText>,
}

/// A polygon of the picture with a meaning.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawZone {
    /// What it is.
    #[schemars(required, schema_with = "zone_kind_schema")]
    pub kind: Option<String>,
    /// Corners in order, as fractions of the picture's width and height.
    #[schemars(required, schema_with = "polygon_schema")]
    pub polygon: Option<Vec<[f64; 2]>>,
    /// The allowed way, from and to.
    #[schemars(schema_with = "segment_schema")]
    pub heading: Option<Vec<[f64; 2]>>,
    /// The point of a box that is tested: `bottom-center` (default) or `center`.
    #[schemars(schema_with = "anchor_schema")]
    pub anchor: Option<String>,
}

/// A directed line of the picture.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLine {
    /// First and second point: left and right are those of one who walks from the first to the second.
    #[schemars(required, schema_with = "segment_schema")]
    pub points: Option<Vec<[f64; 2]>>,
    /// The point of a box that is tested: `bottom-center` (default) or `center`.
    #[schemars(schema_with = "anchor_schema")]
    pub anchor: Option<String>,
}

/// A rule: its kind, its place, and the numbers that differ from the pipeline's.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRule {
    /// Unique on its camera.
    #[schemars(required, schema_with = "id_schema")]
    pub id: Option<String>,
    /// What happened.
    #[schemars(required, schema_with = "kind_schema")]
    pub kind: Option<String>,
    /// The zone, for all kinds but `line-crossing`.
    #[schemars(schema_with = "id_schema")]
    pub zone: Option<String>,
    /// The line, for `line-crossing`.
    #[schemars(schema_with = "id_schema")]
    pub line: Option<String>,
    /// Which classes; default from the kind.
    #[schemars(schema_with = "classes_schema")]
    pub classes: Option<Vec<String>>,
    /// How severe; default from the kind.
    #[schemars(schema_with = "severity_schema")]
    pub severity: Option<String>,
    /// After an incident opened, further ones of this rule are withheld (and counted) for this long; default `0s`.
    pub cooldown: Option<DurationText>,
    /// Whether riders of motorcycles and bicycles count as persons; default `false`.
    pub include_riders: Option<bool>,
    /// How long it must hold: intrusion, crowding, wrong-way, stopped-vehicle, pedestrian-on-carriageway.
    pub hold: Option<DurationText>,
    /// How long an object must dwell: loitering.
    pub dwell: Option<DurationText>,
    /// How many objects: crowding.
    #[schemars(range(min = 2))]
    pub count: Option<u32>,
    /// How far from the heading, in degrees: wrong-way.
    #[schemars(range(min = 91, max = 180))]
    pub angle_deg: Option<f64>,
    /// How far it must go, in box heights: wrong-way.
    pub distance: Option<Heights>,
    /// Slower than this is standing: stopped-vehicle.
    pub speed: Option<HeightsPerSecond>,
    /// How far it must have gone before, in box heights: stopped-vehicle.
    pub travel: Option<Heights>,
    /// How far beyond the line it must be seen, in box heights: line-crossing.
    pub hysteresis: Option<Heights>,
    /// Zones where walking is allowed: pedestrian-on-carriageway; default every zone of kind `crossing`.
    pub crossings: Option<Vec<String>>,
}

/// Defaults for the rules of one kind.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuleDefaults {
    /// Which classes.
    #[schemars(schema_with = "classes_schema")]
    pub classes: Option<Vec<String>>,
    /// How severe.
    #[schemars(schema_with = "severity_schema")]
    pub severity: Option<String>,
    /// See the site file's rules.
    pub cooldown: Option<DurationText>,
    /// See the site file's rules.
    pub include_riders: Option<bool>,
    /// See the site file's rules.
    pub hold: Option<DurationText>,
    /// See the site file's rules.
    pub dwell: Option<DurationText>,
    /// See the site file's rules.
    #[schemars(range(min = 2))]
    pub count: Option<u32>,
    /// See the site file's rules.
    #[schemars(range(min = 91, max = 180))]
    pub angle_deg: Option<f64>,
    /// See the site file's rules.
    pub distance: Option<Heights>,
    /// See the site file's rules.
    pub speed: Option<HeightsPerSecond>,
    /// See the site file's rules.
    pub travel: Option<Heights>,
    /// See the site file's rules.
    pub hysteresis: Option<Heights>,
}

/// A pipeline: what is watched for, and with which model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPipeline {
    /// One sentence.
    #[schemars(required)]
    pub description: Option<String>,
    /// Name of a folder in `models/`.
    #[schemars(required)]
    pub model: Option<String>,
    /// Frames analysed a second.
    #[schemars(required, range(min = 0.1, max = 60))]
    pub analyse_fps: Option<f64>,
    /// The parts of the picture the model looks at, as left, top, right, bottom; default from the model.
    pub regions: Option<Vec<[f64; 4]>>,
    /// Tracker settings.
    pub tracker: RawTracker,
    /// Rule defaults by kind.
    pub rule: BTreeMap<String, RawRuleDefaults>,
}

/// A hardware profile: how a box runs what it is told to watch for. Never zones, rules or thresholds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawHwProfile {
    /// One sentence.
    #[schemars(required)]
    pub description: Option<String>,
    /// GStreamer decoders, the preferred first.
    pub decode: RawDecode,
    /// Inference.
    pub inference: RawInference,
}

/// GStreamer decoders by codec; the first that is installed is used.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDecode {
    /// H.264.
    #[schemars(required)]
    pub h264: Option<Vec<String>>,
    /// H.265.
    #[schemars(required)]
    pub h265: Option<Vec<String>>,
}

/// Inference workers and execution providers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawInference {
    /// Worker threads, each with a session of its own; 0 (default): one less than the cores, at least one.
    pub workers: Option<usize>,
    /// Threads within one session; default 1. More than one costs CPU for latency.
    #[schemars(range(min = 1))]
    pub threads: Option<usize>,
    /// Execution providers, in order; the first that works is used.
    #[schemars(required, length(min = 1))]
    pub provider: Vec<RawProvider>,
}

/// An execution provider.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawProvider {
    /// `cpu`, `cuda`, `tensorrt` or `openvino`.
    #[schemars(required)]
    pub name: Option<String>,
    /// `true`: start-up fails when it does not work. `false` (default): the next one is tried, and health says so.
    pub required: bool,
}

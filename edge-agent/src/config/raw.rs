//! The files as written: every key optional, so that a missing one is reported with all the others (see `resolve`).
//! The JSON Schemas that editors use come from these types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use analytics::rules::CameraFault;
use analytics::{Class, Kind, Severity, ZoneKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::value::{DurationText, Numbers, SizeText};
use crate::detect::ort::{OpenVinoDevice, Precision, Provider};
use crate::privacy::Privacy;

mod audit;
mod calibration;
mod files;
mod gate;
mod ladder;
mod measure;
mod one_or_many;
mod remote;
mod rule;

pub use audit::{RawAudit, RawSyslog};
pub use calibration::{RawCalibration, RawKnownLength, RawLandmark};
pub use files::{RawHoliday, RawHolidays, RawHwProfile, RawPipeline, RawProvider, RawService};
pub use gate::RawMotionGate;
pub use ladder::{RawLadder, RawThermal};
pub use measure::RawMeasure;
pub use one_or_many::OneOrMany;
pub use remote::RawRemote;
pub(super) use rule::{AT_START, DAY_GROUPS, DIRECTIONS};
pub use rule::{RawRule, RawRuleNumbers, RawWindow};

fn labels(labels: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": labels.collect::<Vec<_>>() })
}

fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Kind::ALL.into_iter().map(Kind::file_label))
}

fn camera_kinds_schema(_: &mut SchemaGenerator) -> Schema {
    let kind = labels(CameraFault::ALL.into_iter().map(|fault| fault.kind().file_label()));
    json_schema!({ "type": "array", "items": kind, "uniqueItems": true })
}

fn severity_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Severity::ALL.into_iter().map(Severity::label))
}

fn privacy_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Privacy::ALL.into_iter().map(Privacy::label))
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

fn provider_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Provider::ALL.into_iter().map(Provider::label))
}

fn device_schema(_: &mut SchemaGenerator) -> Schema {
    labels(OpenVinoDevice::ALL.into_iter().map(OpenVinoDevice::label))
}

fn precision_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Precision::ALL.into_iter().map(Precision::label))
}

fn regions_schema(_: &mut SchemaGenerator) -> Schema {
    let region = json_schema!({
        "type": "array", "items": { "type": "number", "minimum": 0, "maximum": 1 }, "minItems": 4, "maxItems": 4
    });
    json_schema!({
        "type": "array", "items": region, "minItems": 1, "examples": [[[0.0, 0.0, 0.55, 1.0], [0.45, 0.0, 1.0, 1.0]]]
    })
}

fn decode_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["all", "key-frames"] })
}

fn rules_by_kind_schema(generator: &mut SchemaGenerator) -> Schema {
    let numbers = generator.subschema_for::<RawRuleNumbers>();
    let kinds = Kind::ALL.into_iter().map(|kind| (kind.file_label().to_owned(), numbers.clone().to_value()));
    let kinds: serde_json::Map<_, _> = kinds.collect();
    json_schema!({ "type": "object", "properties": kinds, "additionalProperties": false })
}

/// A site file: cameras, zones, broker, and which model, pipeline and hardware profile. The only file an integrator
/// writes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// The status page.
    pub status: Option<RawStatus>,
    /// The audit log.
    pub audit: Option<RawAudit>,
    /// Pictures that prove incidents.
    pub evidence: Option<RawEvidence>,
    /// The cameras.
    #[schemars(required, length(min = 1))]
    #[serde(default)]
    pub camera: Vec<RawCamera>,
}

/// The junction.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSiteSection {
    /// Part of every topic; never an administrative name: those change.
    #[schemars(required, schema_with = "id_schema")]
    #[schemars(example = &"ql10-nut-01")]
    pub id: Option<String>,
    /// Shown to operators.
    #[schemars(required)]
    pub name: Option<RawName>,
    /// IANA time zone, such as `Asia/Ho_Chi_Minh`.
    #[schemars(example = &"Asia/Ho_Chi_Minh", extend("default" = "Asia/Ho_Chi_Minh"))]
    pub timezone: Option<String>,
    /// WGS 84.
    pub position: Option<RawPosition>,
    /// A file of holidays, beside the site file or with its path; for rules whose schedule asks for them.
    #[schemars(example = &"holidays.vn.toml")]
    pub holidays: Option<PathBuf>,
}

/// A name in the operators' languages.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct RawBox {
    /// Part of every topic.
    #[schemars(required, schema_with = "id_schema")]
    #[schemars(example = &"box-a")]
    pub id: Option<String>,
    /// Name of a file in `hw-profiles/`, without `.toml`; default `cpu-x86_64`.
    #[schemars(extend("default" = "cpu-x86_64"))]
    pub hw_profile: Option<String>,
}

/// A reference to a secret; exactly one of the three. Secrets are never written in the site file.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSecret {
    /// Name of a systemd credential (`LoadCredential=`), or of a file in `credentials/` beside the site file.
    #[schemars(example = &"mqtt-password")]
    pub credential: Option<String>,
    /// Path of a file that only its owner may read.
    #[schemars(example = &"/etc/ngatu/mqtt-password")]
    pub file: Option<PathBuf>,
    /// Name of an environment variable.
    #[schemars(example = &"NGATU_MQTT_PASSWORD")]
    pub env: Option<String>,
}

/// The broker.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMqtt {
    /// `mqtts://host:8883`; `mqtt://host:1883` only on loopback, or with `allow_plaintext = true`.
    #[schemars(required)]
    #[schemars(example = &"mqtts://broker.example:8883")]
    pub url: Option<String>,
    /// `5` (default), or `3.1.1` for brokers that speak nothing newer, such as NATS: they cannot refuse one message, so
    /// what their access list or size limit drops is lost in silence.
    #[schemars(extend("default" = "5"))]
    pub protocol: Option<RawProtocol>,
    /// First level of every topic; default `ngatu`.
    #[serde(default)]
    #[schemars(schema_with = "id_schema")]
    #[schemars(extend("default" = "ngatu"))]
    pub root: Option<String>,
    /// PEM file of the authorities that sign the broker's certificate; required with `mqtts://`. Debian keeps the public
    /// ones in `/etc/ssl/certs/ca-certificates.crt`.
    #[schemars(example = &"/etc/ngatu/ca.pem")]
    pub ca: Option<PathBuf>,
    /// PEM file of this box's certificate.
    #[schemars(example = &"/etc/ngatu/box.pem")]
    pub certificate: Option<PathBuf>,
    /// This box's private key, PEM.
    pub key: Option<RawSecret>,
    /// User name, where the broker wants one.
    #[schemars(example = &"box-a")]
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<RawSecret>,
    /// Allows `mqtt://` beyond loopback: anyone on the way can read and forge events.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Name of a host at the centre: events wait in the outbox until its retained
    /// `{root}/v1/host/{name}/state` says that it is online.
    #[serde(default)]
    #[schemars(schema_with = "id_schema")]
    #[schemars(example = &"ioc")]
    pub primary_host: Option<String>,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub enum RawProtocol {
    /// MQTT 5.
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

/// Where events wait and pictures lie.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStorage {
    /// A directory of this box's own; default `/var/lib/ngatu`.
    #[schemars(extend("default" = "/var/lib/ngatu"))]
    pub path: Option<PathBuf>,
    /// Bytes the outbox may hold; default 512 MiB.
    #[schemars(extend("default" = "512 MiB"))]
    pub outbox: Option<SizeText>,
    /// Bytes that pictures and clips may take; the oldest go. Default 4 GiB.
    #[schemars(extend("default" = "4 GiB"))]
    pub evidence: Option<SizeText>,
    /// Bytes that recorded tracks may take (boxes and times, no pictures); the oldest go. Default 1 GiB.
    #[schemars(extend("default" = "1 GiB"))]
    pub tracks: Option<SizeText>,
    /// Bytes a day that may be written to the disk; more is said in health. Nothing is left unwritten for it. Default 10 GiB.
    #[schemars(extend("default" = "10 GiB"))]
    pub writes_per_day: Option<SizeText>,
    /// How long pictures, clips and tracks are kept.
    pub retention: Option<RawRetention>,
}

/// How long what is recorded is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRetention {
    /// Pictures; default 30 days.
    #[schemars(extend("default" = "30d"))]
    pub snapshots: Option<DurationText>,
    /// Clips; default 3 days.
    #[schemars(extend("default" = "3d"))]
    pub clips: Option<DurationText>,
    /// Recorded tracks, which `replay --tracks-db` judges again; default 2 days, `0s` records none.
    #[schemars(extend("default" = "2d"))]
    pub tracks: Option<DurationText>,
    /// Thumbnails that wait in the outbox for the centre; default 30 days, at least an hour.
    #[schemars(extend("default" = "30d"))]
    pub thumbnails: Option<DurationText>,
    /// Lines of the audit log, in whole files; default 365 days, at least 30.
    #[schemars(extend("default" = "365d"))]
    pub audit: Option<DurationText>,
}

/// The status page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStatus {
    /// Address and port on loopback, or `off`; default `127.0.0.1:8090`. Port 0 is any free one; the log says which. Beyond
    /// loopback, such as `0.0.0.0:8443`, only with `[status.remote]`.
    #[schemars(extend("default" = "127.0.0.1:8090"))]
    pub listen: Option<String>,
    /// Serves the page over TLS, to those who log in or show a certificate, wherever it listens.
    pub remote: Option<RawRemote>,
}

/// Pictures and clips that prove incidents.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEvidence {
    /// Whether incidents are photographed; default `true`. A camera may say otherwise.
    #[schemars(extend("default" = true))]
    pub snapshots: Option<bool>,
    /// The least severity of incidents that are photographed; default `warning`.
    #[serde(default)]
    #[schemars(schema_with = "severity_schema", extend("default" = "warning"))]
    pub snapshots_from: Option<String>,
    /// What is done to pictures before they are stored, sent or shown on the status page: `blur` (default) makes heads and
    /// number plates unrecognisable, and keeps no picture where that fails; `none` leaves them.
    #[serde(default)]
    #[schemars(schema_with = "privacy_schema", extend("default" = "blur"))]
    pub privacy: Option<String>,
    /// Whether clips of incidents are kept, cut from the `record` stream; default `false`: nothing in them is blurred, and a
    /// camera with masks gives none. A camera may say otherwise.
    #[schemars(extend("default" = false))]
    pub clips: Option<bool>,
    /// The least severity of incidents whose clip is kept; default `high`.
    #[serde(default)]
    #[schemars(schema_with = "severity_schema", extend("default" = "high"))]
    pub clips_from: Option<String>,
    /// So much of a clip is from before the incident began, up to a minute; default 5 seconds. Clips begin at the key frame
    /// before that. Raising it costs memory all the time: that much more of every `record` stream.
    #[schemars(extend("default" = "5s"))]
    pub pre_roll: Option<DurationText>,
    /// So much of a clip is from after the incident was noticed, up to a minute; default 10 seconds. Raising it makes clips
    /// longer and later, and costs memory while one is made.
    #[schemars(extend("default" = "10s"))]
    pub post_roll: Option<DurationText>,
    /// Bytes of one camera's `record` stream that memory holds at most, for clips and full-size pictures; default 32 MiB, 30
    /// seconds of 8 Mbit/s. What is too little for a clip cuts its beginning off.
    #[schemars(extend("default" = "32 MiB"))]
    pub ring: Option<SizeText>,
}

/// One camera.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCamera {
    /// Part of every topic.
    #[schemars(required, schema_with = "id_schema")]
    #[schemars(example = &"huong-nam")]
    pub id: Option<String>,
    /// Shown to operators.
    #[schemars(required)]
    pub name: Option<RawName>,
    /// Name of a file in `pipelines/`, without `.toml`: what is watched for.
    #[schemars(required)]
    #[schemars(example = &"traffic-junction")]
    pub pipeline: Option<String>,
    /// `false` keeps the camera in the file and off.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// The stream that is analysed: the sub-stream, where the camera has one. `replay` does without.
    pub detect: Option<RawStream>,
    /// The full-size stream: received, watched over and, where pictures or clips are asked for, its last seconds are held as
    /// they came. Nothing of it is decoded but the moment that a picture shows.
    pub record: Option<RawStream>,
    /// Whether this camera's incidents are photographed; default from `[evidence]`.
    pub snapshots: Option<bool>,
    /// Whether clips of this camera's incidents are kept; default from `[evidence]`. Needs `record`.
    pub clips: Option<bool>,
    /// Frames analysed a second; default from the pipeline.
    #[schemars(range(min = 0.1, max = 60))]
    pub analyse_fps: Option<f64>,
    /// Name of a folder in `models/`; default from the pipeline.
    #[schemars(example = &"yolox-nano")]
    pub model: Option<String>,
    /// The parts of the picture the model looks at, as left, top, right, bottom; default from the model.
    #[serde(default)]
    #[schemars(schema_with = "regions_schema")]
    pub regions: Option<Vec<Numbers<4>>>,
    /// Inference only where the picture changes.
    pub motion_gate: Option<RawMotionGate>,
    /// The fewer parts that it looks at instead when the box is overloaded; default from the pipeline. Fewer cost less;
    /// what is small is missed.
    #[serde(default)]
    #[schemars(schema_with = "regions_schema")]
    pub smaller_input: Option<Vec<Numbers<4>>>,
    /// 1 matters most; when the box is overloaded or hot, cameras of greater numbers give way first.
    #[schemars(range(min = 1, max = 9), extend("default" = 1))]
    pub priority: Option<u8>,
    /// `all`, or `key-frames`: a picture every one to four seconds, for a sixth of the decoding.
    #[serde(default)]
    #[schemars(schema_with = "decode_schema", extend("default" = "all"))]
    pub decode: Option<String>,
    /// Tracker settings that differ from the pipeline's.
    #[serde(default)]
    pub tracker: RawTracker,
    /// Zones by id.
    #[serde(default)]
    pub zone: BTreeMap<String, RawZone>,
    /// What of its picture nothing ever sees, by id: grey before anything is detected, stored or sent.
    #[serde(default)]
    pub mask: BTreeMap<String, RawMask>,
    /// Lines by id.
    #[serde(default)]
    pub line: BTreeMap<String, RawLine>,
    /// What of its traffic is measured; by default all its lines and lanes.
    pub measure: Option<RawMeasure>,
    /// Traffic signals by id.
    #[serde(default)]
    pub signal: BTreeMap<String, RawSignal>,
    /// Where its picture lies on the ground.
    pub calibration: Option<RawCalibration>,
    /// What to watch for.
    #[serde(default)]
    pub rule: Vec<RawRule>,
    /// What is watched for on the camera itself.
    pub health: Option<RawCameraHealth>,
}

/// What is watched for on the camera itself: every kind `camera-…`, each by a rule of that name, unless it is switched off
/// here, or the camera has a `[[camera.rule]]` of that kind with numbers of its own.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCameraHealth {
    /// The kinds that are not watched for.
    #[schemars(schema_with = "camera_kinds_schema", example = ["camera-glare"])]
    #[serde(default)]
    pub off: Option<Vec<String>>,
}

/// One stream of a camera.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStream {
    /// `rtsp://host/path`, or `http://host/path` for Motion JPEG over HTTP (`detect` only), without user and password.
    /// Either this or `device`.
    #[schemars(example = &"rtsp://192.0.2.11/sub")]
    pub url: Option<String>,
    /// A camera on this box, such as `/dev/video0` (`detect` only).
    #[schemars(example = &"/dev/video0")]
    pub device: Option<PathBuf>,
    /// Width and height asked of the device; what its driver prefers, by default.
    #[schemars(example = [1280, 720])]
    pub size: Option<[u32; 2]>,
    /// Frames a second asked of the device; what its driver prefers, by default.
    #[schemars(range(min = 1, max = 240), example = 10)]
    pub fps: Option<u32>,
    /// Name of the credential that holds `user:password`: a systemd credential, or a file in `credentials/` beside
    /// the site file.
    #[schemars(example = &"cam-huong-nam")]
    pub credential: Option<String>,
    /// Path of a file that holds `user:password` and that only its owner may read.
    #[schemars(example = &"/etc/ngatu/cam-huong-nam")]
    pub credential_file: Option<PathBuf>,
    /// Name of an environment variable that holds `user:password`.
    #[schemars(example = &"NGATU_CAM_HUONG_NAM")]
    pub credential_env: Option<String>,
    /// `tcp` (default), or `udp` for cameras that need it.
    #[schemars(extend("default" = "tcp"))]
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
#[serde(deny_unknown_fields)]
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
    #[schemars(example = &"200ms")]
    pub confirm_after: Option<DurationText>,
    /// A track that was not seen for this long ends.
    #[schemars(example = &"2s")]
    pub lost_for: Option<DurationText>,
}

/// A polygon of the picture with a meaning.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawZone {
    /// What it is.
    #[schemars(required, schema_with = "zone_kind_schema")]
    pub kind: Option<String>,
    /// Corners in order, as fractions of the picture's width and height.
    #[schemars(required, schema_with = "polygon_schema")]
    pub polygon: Option<Vec<Numbers<2>>>,
    /// The allowed way, from and to.
    #[serde(default)]
    #[schemars(schema_with = "segment_schema")]
    pub heading: Option<Vec<Numbers<2>>>,
    /// The point of a box that is tested: `bottom-center` (default) or `center`.
    #[serde(default)]
    #[schemars(schema_with = "anchor_schema")]
    #[schemars(extend("default" = "bottom-center"))]
    pub anchor: Option<String>,
}

/// A part of the picture that nothing ever sees, such as a window or a garden.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMask {
    /// Corners in order, as fractions of the picture's width and height.
    #[schemars(required, schema_with = "polygon_schema")]
    pub polygon: Option<Vec<Numbers<2>>>,
}

/// A traffic signal. Either the camera sees it: then `red` and `green` (and `amber`) say where each of its lamps is, corners
/// in order, as fractions of the picture's width and height, and what it shows is told from the lamps' brightness beside each
/// other and their colour, by day and night. Or its controller or the centre tells what it shows: then `topic` says where.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSignal {
    /// The MQTT topic, on the box's own broker, on which its phase is published (schema `signal_phase`), instead of lamps.
    #[schemars(example = &"signals/ql10-nut-01/2")]
    pub topic: Option<String>,
    /// The red lamp.
    #[serde(default)]
    #[schemars(schema_with = "polygon_schema")]
    pub red: Option<Vec<Numbers<2>>>,
    /// The amber lamp, where there is one.
    #[serde(default)]
    #[schemars(schema_with = "polygon_schema")]
    pub amber: Option<Vec<Numbers<2>>>,
    /// The green lamp.
    #[serde(default)]
    #[schemars(schema_with = "polygon_schema")]
    pub green: Option<Vec<Numbers<2>>>,
}

/// A directed line of the picture.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLine {
    /// First and second point: left and right are those of one who walks from the first to the second.
    #[schemars(required, schema_with = "segment_schema")]
    pub points: Option<Vec<Numbers<2>>>,
    /// The point of a box that is tested: `bottom-center` (default) or `center`.
    #[serde(default)]
    #[schemars(schema_with = "anchor_schema")]
    #[schemars(extend("default" = "bottom-center"))]
    pub anchor: Option<String>,
}

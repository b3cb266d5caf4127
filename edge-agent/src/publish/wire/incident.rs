//! An incident event: what happened, where, and why it was judged so.

use std::collections::BTreeMap;

use analytics::event::TrackView;
use analytics::{BBox, CameraId, Direction, Event, Kind, LineId, RuleId, ZoneId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::number::round;
use super::{Finding, Incident, LocalText, Measures, Sequence, Severity, SignalData, Stamped, UtcMillis, Word};
use crate::evidence::EvidenceName;
use crate::privacy::Privacy;

/// Tracks an event carries at most; the rest are in `why.measured` as a count.
const MAX_TRACKS: usize = 32;
/// Path points an event carries at most, over all its tracks: keeps a message near 8 KiB.
const MAX_PATH_POINTS: usize = 192;

/// Where an incident stands after this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It opened (a pulse opens and ends in one event).
    New,
    /// It changed, or it is told what became of its evidence. The latter repeats what was told last, and may follow
    /// the `end`, or the only event of a pulse: `ended_at` is set then.
    Update,
    /// It is over.
    End,
}

/// Whether a person has looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// No one has.
    Suspected,
    /// One has, and it was so.
    Confirmed,
    /// One has, and it was not.
    FalseAlarm,
    /// One has: another incident tells it already.
    Duplicate,
}

impl From<Finding> for Verification {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Confirmed => Self::Confirmed,
            Finding::FalseAlarm => Self::FalseAlarm,
            Finding::Duplicate => Self::Duplicate,
        }
    }
}

/// A camera, with the name that operators know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CameraLabel {
    /// Its id.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub id: String,
    /// Its name.
    pub name: LocalText,
}

impl CameraLabel {
    /// A camera and its name.
    #[must_use]
    pub fn new(id: &CameraId, name: LocalText) -> Self {
        Self { id: id.to_string(), name }
    }
}

/// The kind of a GeoJSON geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum Geometry {
    /// One place.
    Point,
}

/// A place on earth: a GeoJSON point, WGS 84 (RFC 7946).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// Always `Point`.
    r#type: Geometry,
    /// Longitude, latitude, in degrees.
    coordinates: [f64; 2],
}

impl Position {
    /// `None` unless both are within the earth.
    #[must_use]
    pub fn new(lon: f64, lat: f64) -> Option<Self> {
        let on_earth = (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat);
        on_earth.then_some(Self { r#type: Geometry::Point, coordinates: [lon, lat] })
    }
}

/// A track as it was at the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrackData {
    /// Its number in the camera's session.
    pub track_id: u64,
    /// Its class.
    #[schemars(schema_with = "class_schema")]
    pub class: Word,
    /// Of its last detection, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: f64,
    /// Left, top, right, bottom: fractions of the picture, origin top left.
    pub bbox: [f64; 4],
    /// Seconds from `time`, x, y; oldest first.
    pub path: Vec<[f64; 3]>,
}

/// Which network saw it, and on what it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRef {
    /// Its name.
    pub name: String,
    /// Digest of its weights.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The execution provider really in use.
    pub provider: Word,
}

/// Why the rule judged so: what it compared, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The rule's name in the site file.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub rule: String,
    /// Digest of the configuration in force.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub config: String,
    /// The hardware profile in force.
    pub hw_profile: String,
    /// Frames a second that were really analysed.
    #[schemars(range(min = 0.0))]
    pub analysed_fps: f64,
    /// The numbers the rule compares with.
    pub thresholds: Measures,
    /// What it measured.
    pub measured: Measures,
    /// The traffic signal it went by; absent where it went by none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalData>,
    /// The network.
    pub model: ModelRef,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// File name, last level of its topic.
    pub name: String,
    /// `snapshot` or `clip`.
    pub kind: Word,
    /// `pending`, `ready` or `failed`.
    pub state: Word,
    /// Digest of the file on the box's disk, once ready.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    /// Size of that file, once ready.
    pub bytes: Option<u64>,
    /// What was done to it for privacy: `blurred` (heads and number plates are unrecognisable) or `none`.
    pub privacy: Word,
    /// Whether parts of the camera's picture are masked in it; absent where none are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// Why there is none, once failed, in words of an open list: `busy`, `interrupted`, `disk_full`, `read_only`,
    /// `not_written`, `not_drawn`, `no_stream`, `codec`, `not_cut`, `privacy` (it could not be blurred), `masked` (a clip of a
    /// camera with masks).
    pub reason: Option<String>,
    /// What it was taken from, once ready: `record` (the full-size stream) or `detect` (the one that was analysed). Absent
    /// where that is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Word>,
    /// When what it shows first arrived, once ready: of a picture from `record` that tells how far it is from the frame that
    /// was judged, which is the `time` of the incident's first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UtcMillis>,
    /// When what it shows last arrived; of a picture the same as `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UtcMillis>,
}

/// What a piece of evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Whether it is of the full-size stream, and not of the one that was analysed.
    pub is_record: bool,
    /// When it first arrived.
    pub from: UtcMillis,
    /// When it last did.
    pub to: UtcMillis,
}

const PENDING: &str = "pending";

impl Evidence {
    /// A snapshot that is about to be made.
    #[must_use]
    pub fn pending_snapshot(name: &EvidenceName) -> Self {
        Self::pending(name, "snapshot")
    }

    /// A clip that is about to be made.
    #[must_use]
    pub fn pending_clip(name: &EvidenceName) -> Self {
        Self::pending(name, "clip")
    }

    fn pending(name: &EvidenceName, kind: &'static str) -> Self {
        Self {
            name: name.to_string(),
            kind: kind.into(),
            state: PENDING.into(),
            sha256: None,
            bytes: None,
            privacy: Privacy::None.word().into(),
            masked: false,
            reason: None,
            stream: None,
            from: None,
            to: None,
        }
    }

    /// The same, with what will be done to it before it is kept, and whether parts of it are masked.
    #[must_use]
    pub fn made_private(self, privacy: Privacy, masked: bool) -> Self {
        Self { privacy: privacy.word().into(), masked, ..self }
    }

    /// Whether it is not known yet what becomes of it.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.state == PENDING
    }

    /// Its file is there.
    pub fn ready(&mut self, sha256: String, bytes: u64, shown: Option<Shown>) {
        self.state = "ready".into();
        self.sha256 = Some(sha256);
        self.bytes = Some(bytes);
        if let Some(Shown { is_record, from, to }) = shown {
            self.stream = Some(if is_record { "record" } else { "detect" }.into());
            (self.from, self.to) = (Some(from), Some(to));
        }
    }

    /// There will be none.
    pub fn fail(&mut self, reason: String) {
        self.state = "failed".into();
        self.reason = Some(reason);
    }
}

/// How far the box's clock can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeQuality {
    /// Whether it follows a time source.
    pub synced: bool,
    /// The kernel's bound on its error; unknown when not synced.
    pub max_error_ms: Option<u32>,
}

/// The data of an incident event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentData {
    /// The incident; `(incident_id, revision)` orders its events.
    #[schemars(regex(pattern = r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"))]
    pub incident_id: Uuid,
    /// Where it stands.
    pub phase: Phase,
    /// 1 for `new`, then ascending by one.
    #[schemars(range(min = 1))]
    pub revision: u32,
    /// What happened.
    #[schemars(schema_with = "kind_schema")]
    pub kind: Word,
    /// The same in the operator's words.
    pub label: LocalText,
    /// How urgent.
    pub severity: Severity,
    /// Suspected until a person has confirmed it.
    pub verification: Verification,
    /// When what is judged began.
    pub started_at: UtcMillis,
    /// When it was over; null while it lasts. As long after `started_at` as it lasted, also where the clock was set in between.
    pub ended_at: Option<UtcMillis>,
    /// Why it ended, where that was not for want of what it is about: `camera_disabled` or `rule_disarmed`, by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<Word>,
    /// The camera.
    pub camera: CameraLabel,
    /// Where the camera is, when the site file says.
    pub position: Option<Position>,
    /// The rule's zone.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub zone: Option<String>,
    /// The rule's line.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub line: Option<String>,
    /// Crossings: as one walks the line from its first point to its second.
    #[schemars(schema_with = "direction_schema")]
    pub direction: Option<Word>,
    /// The tracks involved.
    pub tracks: Vec<TrackData>,
    /// Where it is, when it is about a region of the picture rather than tracks: left, top, right, bottom as fractions of the
    /// picture, origin top left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<[f64; 4]>,
    /// The rule's reasons.
    pub why: Why,
    /// Pictures and clips.
    pub evidence: Vec<Evidence>,
    /// How far the times can be trusted.
    pub time_quality: TimeQuality,
    /// Whose sequence numbers these are.
    pub outbox_id: Uuid,
    /// Committed before the connection that carries it.
    pub replayed: bool,
    /// Incidents of this rule withheld, by its cooldown or because the camera found too much at once, since the rule's last event.
    pub suppressed: u32,
}

impl Stamped for IncidentData {
    fn set_outbox_id(&mut self, outbox_id: Uuid) {
        self.outbox_id = outbox_id;
    }
}

fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Kind::ALL.map(Kind::wire_label) })
}

fn class_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": analytics::Class::ALL.map(analytics::Class::label) })
}

fn direction_schema(_: &mut SchemaGenerator) -> Schema {
    let words = [Direction::LeftToRight, Direction::RightToLeft].map(Direction::label);
    json_schema!({ "type": ["string", "null"], "enum": [words[0], words[1], null] })
}

/// What is the same for every event of one camera.
#[derive(Debug, Clone, PartialEq)]
pub struct EventContext {
    /// See [`Topics::source`](crate::publish::Topics::source).
    pub source: String,
    /// The camera.
    pub camera: CameraLabel,
    /// Where it is.
    pub position: Option<Position>,
    /// `sha256:` and the digest of the configuration in force.
    pub config: String,
    /// The hardware profile in force.
    pub hw_profile: String,
    /// The network.
    pub model: ModelRef,
    /// The traffic signals that rules go by, by rule.
    pub signals: BTreeMap<RuleId, SignalData>,
}

/// What changes from event to event beside the event itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Frames a second really analysed on this camera.
    pub analysed_fps: f64,
    /// How far the clock can be trusted.
    pub time_quality: TimeQuality,
}

/// The draft of an event: everything but what the outbox stamps at commit.
#[must_use]
pub fn incident(context: &EventContext, moment: Moment, event: &Event) -> Incident {
    let time = UtcMillis::from(event.stamp.captured_at);
    let rule = &event.rule;
    Incident {
        specversion: "1.0".into(),
        id: event.id,
        source: context.source.clone(),
        r#type: format!("vn.ngatu.incident.{}.v1", rule.kind.wire_label()).into(),
        subject: context.camera.id.clone(),
        time,
        recordedtime: time,
        datacontenttype: "application/json".into(),
        dataschema: "urn:ngatu:schema:incident:1".into(),
        sequence: Sequence::default(),
        data: IncidentData {
            incident_id: event.incident_id,
            phase: event.phase.into(),
            revision: event.revision,
            kind: rule.kind.wire_label().into(),
            label: rule.kind.suspected_text().into(),
            severity: event.severity.into(),
            verification: Verification::Suspected,
            started_at: event.started_at.into(),
            ended_at: event.ended_at.map(Into::into),
            end_reason: None,
            camera: context.camera.clone(),
            position: context.position,
            zone: rule.zone.as_ref().map(ZoneId::to_string),
            line: rule.line.as_ref().map(LineId::to_string),
            direction: event.direction.map(|direction| direction.label().into()),
            tracks: tracks(&event.tracks),
            region: event.region.map(bbox),
            why: why(context, moment, event),
            evidence: Vec::new(),
            time_quality: moment.time_quality,
            outbox_id: Uuid::nil(),
            replayed: false,
            suppressed: event.suppressed,
        },
    }
}

fn why(context: &EventContext, moment: Moment, event: &Event) -> Why {
    Why {
        rule: RuleId::to_string(&event.rule.id),
        config: context.config.clone(),
        hw_profile: context.hw_profile.clone(),
        analysed_fps: round(moment.analysed_fps, 1),
        thresholds: Measures::new(&event.rule.thresholds),
        measured: Measures::new(&event.measured),
        signal: context.signals.get(&event.rule.id).cloned(),
        model: context.model.clone(),
    }
}

fn tracks(views: &[TrackView]) -> Vec<TrackData> {
    let shown = views.len().min(MAX_TRACKS);
    let path_points = (MAX_PATH_POINTS / shown.max(1)).max(2);
    views[..shown].iter().map(|view| track(view, path_points)).collect()
}

fn track(view: &TrackView, path_points: usize) -> TrackData {
    let newest = view.path.len().saturating_sub(path_points);
    TrackData {
        track_id: view.track_id.0,
        class: view.class.label().into(),
        confidence: round(view.confidence.get().into(), 3),
        bbox: bbox(view.bbox),
        path: view.path[newest..]
            .iter()
            .map(|(seconds, point)| [round(*seconds, 2), round(point.x.into(), 4), round(point.y.into(), 4)])
            .collect(),
    }
}

fn bbox(bbox: BBox) -> [f64; 4] {
    [bbox.left(), bbox.top(), bbox.right(), bbox.bottom()].map(|edge| round(edge.into(), 4))
}

impl From<analytics::Phase> for Phase {
    fn from(phase: analytics::Phase) -> Self {
        match phase {
            analytics::Phase::New => Self::New,
            analytics::Phase::Update => Self::Update,
            analytics::Phase::End => Self::End,
        }
    }
}

/// What a picture that was asked for is drawn from, and never sent: where and when, and no incident.
#[must_use]
pub fn picture_of(context: &EventContext, moment: Moment, id: Uuid, time: UtcMillis) -> Incident {
    let text: Word = "snapshot".into();
    Incident {
        specversion: "1.0".into(),
        id,
        source: context.source.clone(),
        r#type: text.clone(),
        subject: context.camera.id.clone(),
        time,
        recordedtime: time,
        datacontenttype: "application/json".into(),
        dataschema: "urn:ngatu:schema:incident:1".into(),
        sequence: Sequence::default(),
        data: IncidentData {
            incident_id: id,
            phase: Phase::New,
            revision: 1,
            kind: text,
            label: LocalText { vi: "".into(), en: "".into() },
            severity: Severity::Info,
            verification: Verification::Suspected,
            started_at: time,
            ended_at: Some(time),
            end_reason: None,
            camera: context.camera.clone(),
            position: context.position,
            zone: None,
            line: None,
            direction: None,
            tracks: Vec::new(),
            region: None,
            why: Why {
                rule: "snapshot".to_owned(),
                config: context.config.clone(),
                hw_profile: context.hw_profile.clone(),
                analysed_fps: moment.analysed_fps,
                thresholds: Measures::new(&[]),
                measured: Measures::new(&[]),
                signal: None,
                model: context.model.clone(),
            },
            evidence: Vec::new(),
            time_quality: moment.time_quality,
            outbox_id: Uuid::nil(),
            replayed: false,
            suppressed: 0,
        },
    }
}

//! All that the page shows, as one JSON document: `GET /api/v1/status`.

use std::iter::zip;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sources::{PageCamera, Sources};
use crate::access::{Identity, Right, Role, Via};
use crate::evidence::EvidenceStore;
use crate::publish::wire::{
    CameraLabel, CameraLadder, CameraState, Health, HealthState, Incident, LocalText, ModelRef, Phase, PrecisionData,
    ResourcesHealth, RingHealth, Sequence, Severity, SiteLabel, Software, TimeQuality, TransportHealth, UtcMillis,
    Word,
};
use crate::status::{CameraPace, camera_status, ring_health, with_ladder, with_record};
use crate::text::{self, both, state};

/// How the box is. Fields are only ever added within v1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BoxStatus {
    /// When this was written.
    pub time: UtcMillis,
    /// The site.
    pub site: SiteLabel,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: String,
    /// IANA name of the site's time zone.
    pub timezone: String,
    /// The program.
    pub software: Software,
    /// `sha256:` and the digest of the configuration in force.
    pub config: String,
    /// The hardware profile in force.
    pub hw_profile: String,
    /// Seconds since the program started.
    pub uptime_s: u64,
    /// Memory in use by the program.
    pub memory_bytes: u64,
    /// What the box can run short of; null before the first look.
    pub resources: Option<ResourcesHealth>,
    /// Whether the box does what it should.
    pub state: HealthState,
    /// The same in words.
    pub state_text: LocalText,
    /// Why not.
    pub reasons: Vec<Reason>,
    /// How far the clock can be trusted.
    pub clock: TimeQuality,
    /// Delivery.
    pub broker: BrokerStatus,
    /// What waits for it.
    pub outbox: OutboxStatus,
    /// The cameras, in the order of the site file.
    pub cameras: Vec<CameraCard>,
    /// What operators found incidents to be, by camera and rule: `confirmed` of `judged`.
    #[serde(default)]
    pub precision: Vec<PrecisionData>,
    /// Ids of the cameras that are switched off in the site file.
    pub disabled: Vec<String>,
    /// The latest incidents since start, the newest first.
    pub incidents: Vec<IncidentCard>,
    /// Who looks; null on loopback, where there is no log-in. What their role may not see is left out of the rest.
    #[serde(default)]
    pub viewer: Option<Viewer>,
}

/// Whoever looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Viewer {
    /// Account, or name in the certificate.
    pub name: String,
    /// What the account is for.
    pub role: Role,
    /// The same in words.
    pub role_text: LocalText,
    /// What it may see.
    pub may: Vec<Right>,
    /// How it was proved who it is.
    pub via: Via,
}

/// A reason, by code and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// As in health and status messages.
    pub code: Word,
    /// In words; the code itself where there are none.
    pub text: LocalText,
}

/// Delivery to the broker; totals count since start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerStatus {
    /// Where it is; without user and password.
    pub url: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Since when it is so.
    pub since: UtcMillis,
    /// Whether the primary host listens; null when none is configured.
    pub host_online: Option<bool>,
    /// Events acknowledged by the broker.
    pub delivered_total: u64,
    /// Events sent again.
    pub retries_total: u64,
    /// Events the broker refused.
    pub refused_total: u64,
    /// The last trouble, until the next delivery.
    pub last_error: Option<String>,
    /// What protects the way there, and until when.
    pub transport: Option<TransportHealth>,
}

/// What the outbox holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxStatus {
    /// Whose sequence numbers these are.
    pub outbox_id: Uuid,
    /// The last sequence number given.
    pub last_sequence: Sequence,
    /// Events not yet delivered.
    pub pending: u64,
    /// Their size in bytes.
    pub pending_bytes: u64,
    /// Events lost to its limits, since start.
    pub lost_total: u64,
    /// Why the last commit failed; null when it did not.
    pub failing: Option<String>,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraCard {
    /// Id and name.
    pub camera: CameraLabel,
    /// How it is.
    pub state: CameraState,
    /// The same in words.
    pub state_text: LocalText,
    /// Why it is not online.
    pub reasons: Vec<Reason>,
    /// For technicians, without secrets: the last failure; while online, why a preferred decoder is not used, else null.
    pub detail: Option<String>,
    /// Since when it is in this state.
    pub since: UtcMillis,
    /// What is watched for.
    pub pipeline: String,
    /// The network, and the execution provider really in use.
    pub model: ModelRef,
    /// What memory holds of its full-size stream; null where nothing is held.
    pub ring: Option<RingHealth>,
    /// Codec of the stream, once connected.
    pub codec: Option<String>,
    /// Decoder in use, once connected.
    pub decoder: Option<String>,
    /// Frames to be analysed a second.
    pub asked_fps: f64,
    /// Frames received a second, over the last ten seconds.
    pub received_fps: f64,
    /// Frames analysed a second, over the last ten seconds.
    pub analysed_fps: f64,
    /// From a frame's arrival to its judgement and commit, over the last minute.
    pub latency: LatencyMs,
    /// Frames received since start.
    pub received_total: u64,
    /// Of them, not decoded.
    pub skipped_total: u64,
    /// Whether its decoder dozes: nothing moves, and only key frames are decoded.
    pub dozing: bool,
    /// Pictures not decoded because nothing moved.
    pub spared_total: u64,
    /// What is given up for it; null where nothing is.
    pub ladder: Option<CameraLadder>,
    /// Frames replaced before they were analysed, since start.
    pub replaced_total: u64,
    /// Frames analysed since start.
    pub analysed_total: u64,
    /// Of these, frames without inference: a motion gate held them.
    pub held_total: u64,
    /// Regions of frames inferred since start.
    pub regions_total: u64,
    /// Detections since start.
    pub detections_total: u64,
    /// Incidents opened since start.
    pub incidents_total: u64,
    /// Frames whose inference failed, since start.
    pub failures_total: u64,
    /// Connections tried since start.
    pub connects_total: u64,
    /// The latest analysed picture; null before the first.
    pub picture: Option<PictureRef>,
}

/// Latency, rounded up by at most a tenth; null when no frame was analysed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyMs {
    /// The median.
    pub p50_ms: Option<f64>,
    /// 95 of 100 frames take no longer.
    pub p95_ms: Option<f64>,
}

/// Where a camera's latest picture is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PictureRef {
    /// Its path here; the same for every picture of the camera.
    pub path: String,
    /// Number of the frame: another one, another picture.
    pub seq: u64,
    /// When it was taken.
    pub taken_at: UtcMillis,
}

/// One incident, as the newest event that its camera gave says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentCard {
    /// The incident.
    pub incident_id: Uuid,
    /// Its newest event: another one, other words.
    pub event_id: Uuid,
    /// Where it stands.
    pub phase: Phase,
    /// The same in words.
    pub phase_text: LocalText,
    /// What happened.
    pub kind: Word,
    /// The same in words.
    pub label: LocalText,
    /// How urgent.
    pub severity: Severity,
    /// The same in words.
    pub severity_text: LocalText,
    /// The camera's id.
    pub camera: String,
    /// The camera and the zone or line, in words.
    pub place: LocalText,
    /// What was seen, in words; may be empty.
    pub objects: LocalText,
    /// Which way a line was crossed, in words.
    pub direction: Option<LocalText>,
    /// Name of the rule in the site file.
    pub rule: String,
    /// What was measured and the limit it passed, in words.
    pub why: LocalText,
    /// When what is judged began.
    pub started_at: UtcMillis,
    /// When it was over; null while it lasts.
    pub ended_at: Option<UtcMillis>,
    /// Whether the clock was set then.
    pub clock_synced: bool,
    /// Its pictures that are there.
    pub pictures: Vec<RecentPicture>,
}

/// A picture of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecentPicture {
    /// Its path here.
    pub path: String,
}

/// A picture that lies on the disk by now; the event that announced it was written before it. Clips are not shown.
fn picture(incident: Uuid, name: &str, evidence: &EvidenceStore) -> Option<RecentPicture> {
    evidence.picture(incident, name)?;
    Some(RecentPicture { path: format!("/api/v1/incident/{incident}/{name}") })
}

/// All of it, with a look at the disk; `None` before the health task's first look.
pub(super) fn box_status(sources: &Sources) -> Option<BoxStatus> {
    let snapshot = sources.snapshot()?;
    let (birth, health) = (&sources.birth, &snapshot.health);
    let delivery = sources.delivery.borrow().clone();
    let outbox = sources.outbox.borrow().clone();
    Some(BoxStatus {
        time: UtcMillis::now(),
        site: birth.site.clone(),
        box_id: birth.box_id.clone(),
        timezone: birth.timezone.clone(),
        software: birth.software.clone(),
        config: birth.config.clone(),
        hw_profile: birth.hw_profile.clone(),
        uptime_s: health.uptime_s,
        memory_bytes: health.memory_bytes,
        resources: health.resources.clone(),
        state: health.state,
        state_text: state::health_state(health.state).into(),
        reasons: health.reasons.iter().cloned().map(reason).collect(),
        clock: health.time_quality,
        broker: BrokerStatus {
            url: sources.broker.clone(),
            connected: delivery.connected,
            since: delivery.since,
            host_online: delivery.host_online,
            delivered_total: delivery.delivered,
            retries_total: delivery.retries,
            refused_total: delivery.refused,
            last_error: delivery.last_error,
            transport: health.transport.clone(),
        },
        outbox: OutboxStatus {
            outbox_id: outbox.outbox_id,
            last_sequence: outbox.last_sequence,
            pending: outbox.pending,
            pending_bytes: outbox.pending_bytes,
            lost_total: outbox.lost_total,
            failing: outbox.failing,
        },
        cameras: zip(&sources.cameras, &snapshot.cameras)
            .map(|(camera, pace)| camera_card(camera, pace))
            .map(|card| if is_off(health, &card) { switched_off(card) } else { card })
            .collect(),
        precision: health.precision.clone(),
        disabled: sources.disabled.iter().map(ToString::to_string).collect(),
        incidents: sources.recent.with(|event, pictures| incident_card(event, pictures, &sources.evidence)),
        viewer: None,
    })
}

/// Whether a command has the camera off: then it matters little how its connection was.
fn is_off(health: &Health, card: &CameraCard) -> bool {
    let mut off = health.cameras.iter().filter(|camera| camera.state == CameraState::Disabled);
    off.any(|camera| camera.camera == card.camera.id)
}

fn switched_off(card: CameraCard) -> CameraCard {
    let state = CameraState::Disabled;
    CameraCard { state, state_text: state::camera_state(state).into(), reasons: vec![reason("command".into())], ..card }
}

/// What of it this person may see; all of it on loopback, where nobody logs in.
pub(super) fn seen_by(mut status: BoxStatus, identity: Option<&Identity>) -> BoxStatus {
    let Some(Identity { name, role, via }) = identity else { return status };
    if !role.may(Right::Pictures) {
        status.cameras.iter_mut().for_each(|camera| camera.picture = None);
    }
    if !role.may(Right::Incidents) {
        status.incidents.clear();
    }
    if !role.may(Right::Diagnostics) {
        status.cameras.iter_mut().for_each(|camera| camera.detail = None);
        status.broker.last_error = None;
    }
    let may = role.rights().to_vec();
    let viewer = Viewer { name: name.clone(), role: *role, role_text: text::page::role(*role).into(), may, via: *via };
    BoxStatus { viewer: Some(viewer), ..status }
}

fn reason(code: Word) -> Reason {
    Reason { text: state::reason(&code), code }
}

fn camera_card(camera: &PageCamera, pace: &CameraPace) -> CameraCard {
    let supervisor = camera.source.status.borrow().clone();
    let status = camera_status(&camera.source.camera, &supervisor);
    let status = match &camera.source.record {
        Some(record) => with_record(status, &record.status.borrow()),
        None => status,
    };
    let status = with_ladder(status, &camera.source.ladder);
    let totals = camera.source.counters.totals();
    let shot = camera.latest.get();
    let ms = |q: f64| pace.latency.quantile(q).map(|latency| tenths(latency.as_secs_f64() * 1e3));
    CameraCard {
        camera: camera.label.clone(),
        state: status.state,
        state_text: state::camera_state(status.state).into(),
        reasons: status.reasons.into_iter().map(reason).collect(),
        detail: supervisor.detail.filter(|_| status.state != CameraState::Online).or_else(|| {
            let passed_over = &supervisor.stream.as_ref()?.passed_over;
            (!passed_over.is_empty()).then(|| passed_over.join("; "))
        }),
        since: status.since,
        pipeline: camera.pipeline.clone(),
        model: camera.model.clone(),
        ring: camera
            .source
            .record
            .as_ref()
            .and_then(|record| record.ring.as_ref())
            .map(|ring| ring_health(ring.totals())),
        codec: supervisor.stream.as_ref().map(|stream| stream.codec.clone()),
        decoder: supervisor.stream.map(|stream| stream.decoder),
        asked_fps: camera.source.analyse_fps,
        received_fps: tenths(pace.received_fps),
        analysed_fps: tenths(pace.analysed_fps),
        latency: LatencyMs { p50_ms: ms(0.5), p95_ms: ms(0.95) },
        received_total: camera.source.slot.received(),
        skipped_total: camera.source.slot.skipped(),
        dozing: camera.source.slot.is_dozing(),
        spared_total: camera.source.slot.spared(),
        ladder: status.ladder,
        replaced_total: camera.source.slot.replaced(),
        analysed_total: totals.analysed,
        held_total: totals.held,
        regions_total: totals.regions,
        detections_total: totals.detections,
        incidents_total: totals.incidents,
        failures_total: totals.failures,
        connects_total: supervisor.attempts,
        picture: shot.map(|shot| PictureRef {
            path: format!("/api/v1/camera/{}/picture.jpg", camera.label.id),
            seq: shot.scene.stamp.seq,
            taken_at: shot.scene.stamp.captured_at.into(),
        }),
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn incident_card(event: &Incident, pictures: &[String], evidence: &EvidenceStore) -> IncidentCard {
    let data = &event.data;
    let why = &data.why;
    IncidentCard {
        incident_id: data.incident_id,
        event_id: event.id,
        phase: data.phase,
        phase_text: text::phase(data.phase).into(),
        kind: data.kind.clone(),
        label: data.label.clone(),
        severity: data.severity,
        severity_text: text::severity(data.severity).into(),
        camera: data.camera.id.clone(),
        place: both(|lang| text::place(event, lang)),
        objects: both(|lang| text::objects(event, lang)),
        direction: data.direction.as_deref().and_then(text::direction).map(Into::into),
        rule: why.rule.clone(),
        why: both(|lang| text::why(&data.kind, &why.measured, &why.thresholds, lang)),
        started_at: data.started_at,
        ended_at: data.ended_at,
        clock_synced: data.time_quality.synced,
        pictures: pictures.iter().filter_map(|name| picture(data.incident_id, name, evidence)).collect(),
    }
}

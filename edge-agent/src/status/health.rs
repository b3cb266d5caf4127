//! Retained state: each camera's status when it changes, the box's health every minute and when it changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use analytics::CameraId;
use analytics::view::Placement;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::pace::{CameraPace, Paces};
use super::record::{RecordRate, RecordSource, with_record};
use super::transport::Transport;
use super::{CameraCounters, time_quality};
use crate::audit::{AuditStatus, SyslogStatus};
use crate::command::{CommandCounters, Precision, Switches};
use crate::evidence::EvidenceCounters;
use crate::frame::FrameSlot;
use crate::ladder::{CameraRung, LadderStatus};
use crate::outbox::OutboxStats;
use crate::page::PageState;
use crate::publish::wire::{
    self, AuditHealth, CameraHealth, CameraState, CameraStatus, CommandHealth, EvidenceHealth, Health, HealthState,
    ModelRef, OutboxHealth, PublishHealth, UtcMillis, Word,
};
use crate::publish::{PublishHandle, PublishStatus, Topics};
use crate::resources::ResourceStatus;
use crate::signal::Troubles;
use crate::source::{SourceState, SourceStatus};
use crate::telemetry;

/// Time between two health messages when nothing changes, and by how much it varies, so that a province's boxes do not
/// speak at the same instant.
const EVERY: Duration = Duration::from_secs(60);
const JITTER: f64 = 0.1;
/// How often it is looked whether something changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Analysing less than this share of the frames asked for, over a minute, is too slow.
const BEHIND: f64 = 0.8;

/// A decoder that the profile prefers cannot be used; the next one is.
const DECODER_FALLBACK: &str = "decoder_fallback";

/// A camera's status as a message, without its full-size stream ([`with_record`] adds that).
#[must_use]
pub fn camera_status(camera: &CameraId, status: &SourceStatus) -> CameraStatus {
    let (state, reason) = state_and_reason(status);
    // It sees all the same, for more CPU.
    let fallback = falls_back(status).then_some(DECODER_FALLBACK);
    CameraStatus {
        camera: camera.to_string(),
        state,
        reasons: reason.into_iter().chain(fallback).map(Word::Borrowed).collect(),
        since: status.since.into(),
        record: None,
        ladder: None,
        switched_off: None,
        disarmed: Vec::new(),
    }
}

/// Whether a decoder that the profile prefers cannot be used.
fn falls_back(status: &SourceStatus) -> bool {
    status.stream.as_ref().is_some_and(|stream| !stream.passed_over.is_empty())
}

/// A stream's state in messages, and the word for why it is not online.
pub(super) fn state_and_reason(status: &SourceStatus) -> (CameraState, Option<&'static str>) {
    let (state, starting) = match status.state {
        SourceState::Connecting => (CameraState::Degraded, Some("connecting")),
        SourceState::Online => return (CameraState::Online, None),
        SourceState::Degraded => (CameraState::Degraded, None),
        SourceState::Offline => (CameraState::Offline, None),
    };
    (state, status.reason.or(starting))
}

/// What a camera's status is made of.
#[derive(Debug)]
pub struct CameraSigns {
    /// Its supervisor's word.
    pub status: watch::Receiver<SourceStatus>,
    /// Its full-size stream, where one is configured.
    pub record: Option<RecordSource>,
    /// What its frames say of it.
    pub posture: watch::Receiver<Posture>,
    /// What is wrong with its signals.
    pub signals: SignalTroubles,
    /// Its place on the degradation ladder.
    pub ladder: CameraRung,
    /// What commands switched off.
    pub switches: watch::Receiver<Arc<Switches>>,
}

/// Publishes a camera's status now and whenever it or that of its full-size stream changes, until its supervisor is
/// gone.
pub async fn forward_camera_status(camera: CameraId, topics: Topics, signs: CameraSigns, publish: PublishHandle) {
    let CameraSigns { mut status, record, mut posture, mut signals, mut ladder, mut switches } = signs;
    let mut record = record.map(|record| record.status);
    let mut told: Option<CameraStatus> = None;
    loop {
        let mut now = camera_status(&camera, &status.borrow_and_update());
        if let Some(record) = &mut record {
            now = with_record(now, &record.borrow_and_update());
        }
        now = with_posture(now, *posture.borrow_and_update());
        now.reasons.extend(signals.reasons());
        ladder.status.mark_unchanged();
        now = with_ladder(now, &ladder);
        now = with_switches(now, &camera, &switches.borrow_and_update());
        if told.as_ref() != Some(&now) {
            publish.set_retained(topics.camera_status(&camera), wire::to_bytes(&now));
            tracing::info!(%camera, state = ?now.state, reasons = ?now.reasons, "camera");
            told = Some(now);
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return },
            () = changed(&mut record) => {}
            () = replaced(&mut posture) => {}
            () = replaced(&mut signals.troubles) => {}
            () = replaced(&mut ladder.status) => {}
            () = replaced(&mut switches) => {}
        }
    }
}

/// What a camera's frames say of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Posture {
    /// Where its zones are in the picture.
    pub placement: Placement,
    /// Whether it is to be judged by its clock and does not tell it.
    pub is_clock_unknown: bool,
}

/// The same, degraded while the camera does not look where it looked.
fn with_posture(mut camera: CameraStatus, posture: Posture) -> CameraStatus {
    if camera.state != CameraState::Online {
        return camera;
    }
    let mut reasons: Vec<Word> = Vec::new();
    match posture.placement {
        Placement::Home | Placement::Unsure => {}
        Placement::Shifted(_) => reasons.push("camera_shifted".into()),
        Placement::Lost => reasons.push("camera_moved".into()),
    }
    if !reasons.is_empty() {
        camera.state = CameraState::Degraded;
    }
    if posture.is_clock_unknown {
        reasons.push("clock_unknown".into());
    }
    camera.reasons.extend(reasons);
    camera
}

/// The same with what is given up for the camera: degraded while that is anything.
#[must_use]
pub fn with_ladder(mut camera: CameraStatus, ladder: &CameraRung) -> CameraStatus {
    camera.ladder = ladder.given_up();
    if let Some(given_up) = &camera.ladder {
        camera.reasons.extend(ladder.step().reason().map(Word::Borrowed));
        camera.reasons.push(given_up.cause.clone());
        if camera.state == CameraState::Online {
            camera.state = CameraState::Degraded;
        }
    }
    camera
}

/// A camera that a command switched off is off, whatever its connection does until it is closed.
pub(super) const BY_COMMAND: &str = "command";

/// The same with what commands switched off.
#[must_use]
pub fn with_switches(mut status: CameraStatus, camera: &CameraId, switches: &Switches) -> CameraStatus {
    status.disarmed = switches.disarmed_rules(camera);
    if let Some(off) = switches.camera(camera) {
        status.state = CameraState::Disabled;
        status.reasons = vec![BY_COMMAND.into()];
        status.since = off.at;
        status.record = None;
        status.ladder = None;
        status.switched_off = Some(off.clone());
    } else if !status.disarmed.is_empty() {
        status.reasons.push("rule_disarmed".into());
    }
    status
}

/// Completes when there is another value; never, when who tells it is gone.
async fn replaced<T>(value: &mut watch::Receiver<T>) {
    if value.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Completes when the stream's status changes; never, when there is none or its supervisor is gone.
async fn changed(record: &mut Option<watch::Receiver<SourceStatus>>) {
    if let Some(status) = record
        && status.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// What is wrong with the signals of one camera that are told over MQTT. Its state does not follow: its pictures are as
/// they should be.
#[derive(Debug, Clone)]
pub struct SignalTroubles {
    /// Of all topics.
    pub troubles: watch::Receiver<Troubles>,
    /// The camera's.
    pub topics: Vec<String>,
}

impl SignalTroubles {
    /// Each word once.
    fn reasons(&mut self) -> BTreeSet<Word> {
        let troubles = self.troubles.borrow_and_update();
        let of_camera = self.topics.iter().filter_map(|topic| troubles.get(topic));
        of_camera.map(|trouble| Word::Borrowed(trouble.reason())).collect()
    }
}

/// How the box is, at the last look: what the status page shows.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When that was.
    pub looked_at: Instant,
    /// The message, as it would be sent now.
    pub health: Health,
    /// The pace of each camera, in the order of `health.cameras`.
    pub cameras: Vec<CameraPace>,
}

/// What health knows of one camera.
#[derive(Debug, Clone)]
pub struct CameraSource {
    /// The camera.
    pub camera: CameraId,
    /// Frames asked for, a second.
    pub analyse_fps: f64,
    /// Its slot.
    pub slot: Arc<FrameSlot>,
    /// Its counters.
    pub counters: Arc<CameraCounters>,
    /// Its supervisor's word.
    pub status: watch::Receiver<SourceStatus>,
    /// Its full-size stream, where one is configured.
    pub record: Option<RecordSource>,
    /// Its place on the degradation ladder.
    pub ladder: CameraRung,
}

/// Makes the box's health known.
pub struct HealthTask {
    /// The box's topics.
    pub topics: Topics,
    /// The networks and the providers really in use.
    pub models: Vec<ModelRef>,
    /// Whether some provider in use is not the one that was preferred.
    pub fallback: bool,
    /// The cameras.
    pub cameras: Vec<CameraSource>,
    /// The outbox.
    pub outbox: watch::Receiver<OutboxStats>,
    /// Pictures.
    pub evidence: Arc<EvidenceCounters>,
    /// Delivery.
    pub delivery: watch::Receiver<PublishStatus>,
    /// Where health goes.
    pub publish: PublishHandle,
    /// The status page.
    pub page: watch::Receiver<PageState>,
    /// What is wrong with the signals that are told over MQTT.
    pub signals: watch::Receiver<Troubles>,
    /// What is given up of what is asked.
    pub ladder: watch::Receiver<Arc<LadderStatus>>,
    /// Commands of the centre.
    pub commands: CommandSigns,
    /// What protects the way to the broker.
    pub transport: Transport,
    /// The audit log.
    pub audit: watch::Receiver<AuditStatus>,
    /// Its export to a collector, where one is configured.
    pub syslog: Option<watch::Receiver<SyslogStatus>>,
    /// Whether recorded tracks cannot be written.
    pub tracks_failing: Arc<AtomicBool>,
    /// What it can run short of.
    pub resources: watch::Receiver<ResourceStatus>,
    /// Where each look's result is left for the status page.
    pub snapshot: watch::Sender<Option<Arc<Snapshot>>>,
}

/// What health knows of commands.
#[derive(Debug, Clone)]
pub struct CommandSigns {
    /// What is counted.
    pub counters: Arc<CommandCounters>,
    /// What they switched off.
    pub switches: watch::Receiver<Arc<Switches>>,
    /// What operators found incidents to be.
    pub precision: watch::Receiver<Precision>,
}

impl CommandSigns {
    fn is_off(&self, camera: &CameraId) -> bool {
        self.switches.borrow().camera(camera).is_some()
    }

    fn health(&self, answers_pending: u64) -> CommandHealth {
        CommandHealth {
            taken_total: self.counters.taken(),
            refused_total: self.counters.refused(),
            over_limit_total: self.counters.over_limit(),
            answers_pending,
            chunks_total: self.counters.chunks(),
            log_level: self.switches.borrow().log().cloned(),
        }
    }

    /// What an operator should know of them.
    fn reasons(&self) -> impl Iterator<Item = Word> {
        let (camera, rule) = self.switches.borrow().anything_off();
        let log = self.switches.borrow().log().is_some();
        let words = [(camera, "camera_disabled"), (rule, "rule_disarmed"), (log, "log_level_changed")];
        let deaf = self.counters.is_deaf().then_some("commands_refused");
        words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).chain(deaf).map(Word::Borrowed)
    }
}

/// Counters of one camera at the last look.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    received: u64,
    arrived: u64,
    analysed: u64,
    /// Frames that should have been analysed by now.
    due: f64,
}

impl Mark {
    /// What follows `before` by `seconds`. Only frames that came can be due: a camera that pauses, or gives fewer than
    /// asked for, is not this box's doing. Counted look by look: over a minute with a pause in it the mean of what came
    /// says nothing.
    fn after(before: Self, counted: Counted, seconds: f64) -> Self {
        let Counted { received, arrived, analysed, wanted_fps } = counted;
        let came = arrived.saturating_sub(before.arrived) as f64;
        Self { received, arrived, analysed, due: before.due + came.min(wanted_fps * seconds) }
    }
}

/// What is counted of a camera.
#[derive(Debug, Clone, Copy)]
struct Counted {
    /// Pictures, decoded or not.
    received: u64,
    /// Of them, decoded.
    arrived: u64,
    analysed: u64,
    /// Frames to be analysed a second, as the ladder has it: what that gives up is not late.
    wanted_fps: f64,
}

impl HealthTask {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let started = Instant::now();
        let mut rates = Rates::new(self.cameras.len(), started);
        let mut paces = Paces::default();
        let mut told: Option<(Instant, Vec<Word>)> = None;
        let mut pause = EVERY;
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let now = Instant::now();
            rates.look(&self.cameras, now);
            let reasons = self.reasons(&rates);
            let health = self.health(&rates, reasons.clone(), now - started);
            let cameras = paces.look(&self.cameras, now);
            self.snapshot.send_replace(Some(Arc::new(Snapshot { looked_at: now, health: health.clone(), cameras })));
            let due = told.as_ref().is_none_or(|(at, before)| now - *at >= pause || *before != reasons);
            if due {
                self.publish.set_retained(self.topics.health(), wire::to_bytes(&health));
                told = Some((now, reasons));
                pause = EVERY.mul_f64(1.0 + rand::random_range(-JITTER..JITTER));
            }
        }
    }

    /// Why the box does not do all it should; empty when it does.
    fn reasons(&self, rates: &Rates) -> Vec<Word> {
        let mut reasons: Vec<Word> = Vec::new();
        if self.fallback {
            reasons.push("provider_fallback".into());
        }
        if self.cameras.iter().any(|camera| falls_back(&camera.status.borrow())) {
            reasons.push(DECODER_FALLBACK.into());
        }
        let wanted = self.cameras.iter().filter(|camera| !self.commands.is_off(&camera.camera));
        let mut offline = wanted.filter(|camera| camera.status.borrow().state != SourceState::Online);
        if offline.next().is_some() {
            reasons.push("camera_not_online".into());
        }
        if rates.rates.iter().any(Rate::is_behind) {
            reasons.push("analysis_behind".into());
        }
        if let Some(cause) = self.ladder.borrow().cause {
            reasons.push(cause.reason().into());
        }
        if self.outbox.borrow().failing.is_some() {
            reasons.push("outbox_failing".into());
        }
        let resources = *self.resources.borrow();
        if resources.descriptors.is_short {
            reasons.push("descriptors_short".into());
        }
        if resources.is_memory_short {
            reasons.push("memory_short".into());
        }
        if resources.is_over_budget {
            reasons.push("writes_over_budget".into());
        }
        if self.evidence.totals().failing {
            reasons.push("evidence_failing".into());
        }
        if self.tracks_failing.load(Ordering::Relaxed) {
            reasons.push("tracks_failing".into());
        }
        let audit = self.audit.borrow().clone();
        if audit.failing.is_some() {
            reasons.push("audit_failing".into());
        }
        if audit.damaged {
            reasons.push("audit_damaged".into());
        }
        if self.syslog.as_ref().is_some_and(|syslog| syslog.borrow().failing.is_some()) {
            reasons.push("syslog_failing".into());
        }
        if audit.undeletable || self.evidence.totals().undeletable {
            reasons.push("retention_failing".into());
        }
        if self.evidence.totals().full_of_holds {
            reasons.push("holds_fill_evidence".into());
        }
        if !time_quality().synced {
            reasons.push("clock_not_synced".into());
        }
        reasons.extend(self.transport.reasons(UtcMillis::now()).into_iter().map(Word::Borrowed));
        if !self.signals.borrow().is_empty() {
            reasons.push("signal_unknown".into());
        }
        if matches!(*self.page.borrow(), PageState::Unavailable { .. }) {
            reasons.push("status_page_unavailable".into());
        }
        reasons.extend(self.commands.reasons());
        reasons
    }

    fn health(&self, rates: &Rates, reasons: Vec<Word>, uptime: Duration) -> Health {
        let outbox = self.outbox.borrow().clone();
        let delivery = self.delivery.borrow().clone();
        let evidence = self.evidence.totals();
        // Nothing stays borrowed while something else is: a reader who reads again while a writer waits waits for ever.
        let ladder = self.ladder.borrow().health();
        let audit = audit_health(&self.audit.borrow());
        let precision = self.commands.precision.borrow().to_vec();
        let resources = *self.resources.borrow();
        Health {
            time: UtcMillis::now(),
            uptime_s: uptime.as_secs(),
            state: if reasons.is_empty() { HealthState::Ok } else { HealthState::Degraded },
            reasons,
            models: self.models.clone(),
            time_quality: time_quality(),
            memory_bytes: resident_bytes().unwrap_or(0),
            outbox: OutboxHealth {
                pending: outbox.pending,
                pending_bytes: outbox.pending_bytes,
                lost_total: outbox.lost_total,
                failing: outbox.failing.is_some(),
            },
            publish: PublishHealth {
                delivered_total: delivery.delivered,
                retries_total: delivery.retries,
                refused_total: delivery.refused,
            },
            evidence: EvidenceHealth {
                ready_total: evidence.ready,
                failed_total: evidence.failed,
                failing: evidence.failing,
                clips_ready_total: evidence.clips_ready,
                clips_failed_total: evidence.clips_failed,
                kept: evidence.kept,
                kept_bytes: evidence.kept_bytes,
                on_hold: evidence.on_hold,
                on_hold_bytes: evidence.on_hold_bytes,
                thumbnails_pending: outbox.thumbnails,
                thumbnails_delivered_total: delivery.thumbnails,
                thumbnails_dropped_total: outbox.thumbnails_dropped_total + delivery.thumbnails_given_up,
            },
            ladder: Some(ladder),
            audit: Some(audit),
            commands: self.commands.health(outbox.acks),
            precision,
            resources: Some(resources.health(telemetry::lines_suppressed())),
            cameras: self
                .cameras
                .iter()
                .zip(std::iter::zip(&rates.rates, &rates.records))
                .map(camera_health)
                .map(|camera| self.switched(camera))
                .collect(),
            transport: Some(self.transport.health(UtcMillis::now())),
        }
    }

    fn switched(&self, camera: CameraHealth) -> CameraHealth {
        let is_off = CameraId::new(&camera.camera).is_ok_and(|id| self.commands.is_off(&id));
        if is_off { CameraHealth { state: CameraState::Disabled, ..camera } } else { camera }
    }
}

fn audit_health(audit: &AuditStatus) -> AuditHealth {
    AuditHealth {
        last_number: audit.head.number,
        last_hash: audit.head.hash.to_string(),
        failing: audit.failing.is_some(),
        lost_total: audit.lost,
    }
}

fn camera_health((camera, (rate, record)): (&CameraSource, (&Rate, &RecordRate))) -> CameraHealth {
    let status = camera.status.borrow();
    let tenths = |fps: f64| (fps * 10.0).round() / 10.0;
    let totals = camera.counters.totals();
    CameraHealth {
        camera: camera.camera.to_string(),
        state: with_ladder(camera_status(&camera.camera, &status), &camera.ladder).state,
        received_fps: tenths(rate.received_fps),
        analysed_fps: tenths(rate.analysed_fps),
        replaced_total: camera.slot.replaced(),
        held_total: totals.held,
        regions_total: totals.regions,
        connects_total: status.attempts,
        record: camera.record.as_ref().map(|source| record.health(source)),
        skipped_total: camera.slot.skipped(),
        dozing: camera.slot.is_dozing(),
        spared_total: camera.slot.spared(),
        ladder: camera.ladder.given_up(),
    }
}

/// Rates over the last minute.
struct Rates {
    marks: std::collections::VecDeque<(Instant, Vec<Mark>)>,
    rates: Vec<Rate>,
    records: Vec<RecordRate>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    received_fps: f64,
    analysed_fps: f64,
    due_fps: f64,
    /// Measured over a full minute.
    is_full: bool,
}

impl Rate {
    fn between(first: &Mark, last: &Mark, seconds: f64) -> Self {
        Self {
            received_fps: (last.received - first.received) as f64 / seconds,
            analysed_fps: (last.analysed - first.analysed) as f64 / seconds,
            due_fps: (last.due - first.due) / seconds,
            is_full: seconds >= EVERY.as_secs_f64() - 2.0 * LOOK_EVERY.as_secs_f64(),
        }
    }

    fn is_behind(&self) -> bool {
        self.is_full && self.analysed_fps < BEHIND * self.due_fps
    }
}

impl Rates {
    fn new(cameras: usize, now: Instant) -> Self {
        let records = std::iter::repeat_with(RecordRate::default).take(cameras).collect();
        Self { marks: [(now, vec![Mark::default(); cameras])].into(), rates: vec![Rate::default(); cameras], records }
    }

    fn look(&mut self, cameras: &[CameraSource], now: Instant) {
        let counted = cameras.iter().map(|camera| Counted {
            received: camera.slot.received(),
            arrived: camera.slot.arrived(),
            analysed: camera.counters.totals().analysed,
            wanted_fps: camera.ladder.rung().map_or(camera.analyse_fps, |rung| rung.fps),
        });
        self.note(counted.collect(), now);
        for (rate, camera) in self.records.iter_mut().zip(cameras) {
            if let Some(record) = &camera.record {
                rate.note(record.packets.pictures(), record.packets.bytes(), now);
            }
        }
    }

    /// Takes what was counted of each camera.
    fn note(&mut self, counted: Vec<Counted>, now: Instant) {
        let (at, before) = self.marks.back().expect("there is always the first mark");
        let seconds = (now - *at).as_secs_f64();
        let marks: Vec<Mark> =
            std::iter::zip(before, counted).map(|(before, counted)| Mark::after(*before, counted, seconds)).collect();
        while self.marks.len() > 1 && self.marks.front().is_some_and(|(at, _)| now - *at > EVERY) {
            self.marks.pop_front();
        }
        if let Some((at, first)) = self.marks.front() {
            let seconds = (now - *at).as_secs_f64().max(1e-3);
            self.rates =
                std::iter::zip(first, &marks).map(|(first, last)| Rate::between(first, last, seconds)).collect();
        }
        self.marks.push_back((now, marks));
    }
}

/// Resident set size (proc(5)).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates after a minute and a half of looks; each second so many frames come and are analysed, of five asked for.
    fn rate(each_second: impl Fn(u64) -> (u64, u64)) -> Rate {
        let start = Instant::now();
        let mut rates = Rates::new(1, start);
        let (mut arrived, mut analysed) = (0, 0);
        for second in 1..=90 {
            let (came, done) = each_second(second);
            (arrived, analysed) = (arrived + came, analysed + done);
            let counted = Counted { received: arrived, arrived, analysed, wanted_fps: 5.0 };
            rates.note(vec![counted], start + Duration::from_secs(second));
        }
        rates.rates[0]
    }

    #[test]
    fn a_camera_whose_preferred_decoder_cannot_be_used_is_online_and_says_so() {
        use crate::source::{StreamInfo, wall_now};

        let camera = CameraId::new("nam").expect("valid");
        let with = |passed_over: &[&str]| {
            let passed_over = passed_over.iter().map(|&why| why.to_owned()).collect();
            let stream = Some(StreamInfo { passed_over, ..StreamInfo::default() });
            camera_status(
                &camera,
                &SourceStatus { state: SourceState::Online, stream, ..SourceStatus::connecting(wall_now()) },
            )
        };
        assert_eq!(with(&[]).reasons, Vec::<Word>::new());
        let told = with(&["vah264dec: not installed"]);
        assert_eq!((told.state, told.reasons), (CameraState::Online, vec![Word::Borrowed("decoder_fallback")]));
    }

    #[test]
    fn analysis_is_behind_only_when_frames_came_that_it_left() {
        assert!(rate(|_| (25, 3)).is_behind());
        assert!(!rate(|_| (25, 5)).is_behind());
        assert!(!rate(|_| (2, 2)).is_behind(), "the camera gives no more");
        assert!(!rate(|second| if second < 60 { (25, 5) } else { (0, 0) }).is_behind(), "the camera paused");
        assert!(rate(|second| if second < 60 { (25, 2) } else { (0, 0) }).is_behind(), "and it was behind before");
    }

    #[test]
    fn rates_are_those_of_the_last_minute() {
        let rate = rate(|second| if second <= 30 { (0, 0) } else { (10, 5) });
        assert_eq!((rate.received_fps, rate.analysed_fps, rate.due_fps), (10.0, 5.0, 5.0));
    }
}

//! One camera behind detection: its core (track, rules, incidents), the drafts of its events, their commit.
//!
//! # Ownership
//! Each camera's core belongs to one task ([`CameraTask::run`]) in the service, or to the replay. It never holds up an
//! inference worker: the scheduler gives a camera's next frame out only after [`Scheduler::done`].
//!
//! # Failure
//! A commit that fails is tried again until it succeeds: after rules nothing is dropped. Meanwhile the camera's slot
//! keeps replacing frames. A core that panics is replaced by a fresh one that takes up the camera's open incidents.

mod measured;

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::core::CoreParams;
use analytics::measure::{Interval, MeasureParams, Measures};
use analytics::record::Chunk;
use analytics::rules::CameraFault;
use analytics::view::Placement;
use analytics::{
    CameraClock, CameraId, Core, Detection, Event, FrameStamp, Idle, Kind, Look, MediaTime, Outage, OutageCause,
    Parked, RuleId, Scene, WallTime,
};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::measured::MeasureKeeper;
use crate::command::Switches;
use crate::config::{Calendar, SignalLamps};
use crate::detect::Spares;
use crate::detect::scheduler::Scheduler;
use crate::evidence::{CameraEvidence, Ordered};
use crate::frame::{FrameSlot, Picture};
use crate::ladder::{CameraRung, Step, is_judged};
use crate::outbox::{Draft, Outbox, OutboxError};
use crate::privacy;
use crate::publish::Topics;
use crate::publish::wire::{self, EventContext, Measurement, Moment, System, TimeQuality};
use crate::signal::HeardSignals;
use crate::source::{SourceState, SourceStatus, wall_now};
use crate::status::pulse::Pulse;
use crate::status::{self, CameraCounters, LatestScene, Posture, RecentIncidents, Shot};
use crate::tracks::{CHUNK, TrackSink};
use crate::view::{LampReader, Viewer};

/// Time between two tries of a commit that failed.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// What stands is written at most this often: at a signal something parks or leaves all the time.
const PARK_EVERY: Duration = Duration::from_secs(30);
/// Cameras report their clock every few seconds: one that has not for so long does not.
const CLOCK_PATIENCE: Duration = Duration::from_secs(60);

/// How often a camera's stream is judged while no frame comes.
const IDLE_EVERY: Duration = Duration::from_secs(1);

/// Time without a frame from which it is.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// A live stream's media time strays this far from the clock at most, see `decode::clock`: a moment without a frame is
/// stamped so much earlier, and the next frame is not before it.
const STRAYS: Duration = crate::decode::clock::TOLERANCE;

/// Why incidents end that a command ends.
const CAMERA_DISABLED: &str = "camera_disabled";
const RULE_DISARMED: &str = "rule_disarmed";

/// What detection says of one frame.
#[derive(Debug)]
pub struct Analysed {
    /// Which frame.
    pub stamp: FrameStamp,
    /// When it arrived.
    pub arrived_at: Instant,
    /// See [`Frame::camera_ahead_s`](crate::frame::Frame::camera_ahead_s).
    pub camera_ahead_s: Option<f64>,
    /// See [`Frame::held_for`](crate::frame::Frame::held_for).
    pub held_for: Duration,
    /// Whether the picture is that of the frame before, as nothing had moved: no new one to judge the camera by.
    pub repeats: bool,
    /// What was looked at.
    pub picture: Arc<Picture>,
    /// What was seen.
    pub detections: Vec<Detection>,
}

/// Frames a second over the last seconds of media time.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    recent: VecDeque<MediaTime>,
}

impl RateMeter {
    const WINDOW: Duration = Duration::from_secs(10);

    pub(crate) fn tick(&mut self, at: MediaTime) {
        self.recent.push_back(at);
        while self.recent.front().is_some_and(|first| at.since(*first) > Self::WINDOW) {
            self.recent.pop_front();
        }
    }

    pub(crate) fn fps(&self) -> f64 {
        match (self.recent.front(), self.recent.back()) {
            (Some(first), Some(last)) if last > first => {
                (self.recent.len() - 1) as f64 / last.since(*first).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// What a core is made from, and what its events say of their camera.
#[derive(Debug, Clone)]
pub struct CameraParams {
    /// Of the core.
    pub core: CoreParams,
    /// What of the traffic is measured; `None`: nothing.
    pub measures: Option<MeasureParams>,
    /// Where the lamps of its signals are.
    pub lamps: Vec<SignalLamps>,
    /// The signals whose phase is told over MQTT.
    pub heard: HeardSignals,
    /// The site's.
    pub calendar: Calendar,
    /// The box's topics.
    pub topics: Topics,
    /// The same for every event.
    pub context: EventContext,
}

/// A core and what its events need to be told.
pub struct CameraCore {
    core: Core,
    measures: Option<Measures>,
    /// Intervals that are over and were not taken yet.
    measured: Vec<Interval>,
    params: CameraParams,
    rate: RateMeter,
    viewer: Viewer,
    lamps: LampReader,
    /// The last frame's.
    detections: Vec<Detection>,
    /// The last frame, and when it was analysed.
    last: Option<(FrameStamp, Instant)>,
    started: Instant,
    /// On the degradation ladder.
    step: Step,
    /// Rules that a person disarmed.
    disarmed: BTreeSet<RuleId>,
}

impl CameraCore {
    /// The tracks of some minute, when the last step completed one.
    pub fn full_chunk(&mut self) -> Option<Chunk> {
        self.core.full_chunk()
    }

    /// The tracks since the last chunk.
    pub fn last_chunk(&mut self) -> Option<Chunk> {
        self.core.last_chunk()
    }

    /// Around a fresh core.
    #[must_use]
    pub fn new(params: CameraParams) -> Self {
        let seeded = |of| MeasureParams { id_seed: params.core.id_seed, ..of };
        let measures = params.measures.clone().map(seeded).map(Measures::new);
        let core = Core::new(params.core.clone());
        let lamps = LampReader::new(params.lamps.clone());
        Self {
            core,
            measures,
            measured: Vec::new(),
            params,
            rate: RateMeter::default(),
            viewer: Viewer::default(),
            lamps,
            detections: Vec::new(),
            last: None,
            started: Instant::now(),
            step: Step::Full,
            disarmed: BTreeSet::new(),
        }
    }

    /// From now on these rules are not judged; their incidents end with the next step.
    pub fn disarm(&mut self, rules: BTreeSet<RuleId>) {
        if self.disarmed != rules {
            self.core.disarm(|rule| rules.contains(rule));
            self.disarmed = rules;
        }
    }

    /// The camera is on again: that it gave nothing meanwhile is no outage.
    pub fn switch_on(&mut self) {
        self.started = Instant::now();
        if let Some((_, at)) = &mut self.last {
            *at = self.started;
        }
    }

    /// Ends what is open at this moment, those incidents too that an earlier session left: the camera is off.
    pub fn switch_off(&mut self, camera: &CameraId, captured_at: WallTime, time_quality: TimeQuality) -> Vec<Draft> {
        let (seq, pts) = self.last.as_ref().map_or((0, MediaTime::ZERO), |(last, _)| (last.seq, last.pts));
        let stamp = FrameStamp { camera: camera.clone(), seq, pts, captured_at };
        let mut events = self.core.idle(Idle { stamp, local: self.params.calendar.local(captured_at), outage: None });
        events.extend(self.core.finish());
        let drafts = self.drafts(&events, time_quality).into_iter();
        drafts.map(|draft| draft.ended_by(Some(CAMERA_DISABLED))).collect()
    }

    /// From now on what can be judged at this step of the degradation ladder is, and nothing else. Where that is not what moves,
    /// nothing of the traffic is measured either: the interval says how much of it was observed.
    pub fn stand_on(&mut self, step: Step) {
        if std::mem::replace(&mut self.step, step) != step {
            self.core.judge_only(|kind| is_judged(kind, step));
        }
    }

    /// Tracks, judges and drafts the events of one frame.
    pub fn step(&mut self, analysed: Analysed, time_quality: TimeQuality) -> (Scene, Vec<Draft>) {
        self.rate.tick(analysed.stamp.pts);
        let local = self.params.calendar.local(analysed.stamp.captured_at);
        let aspect = analysed.picture.aspect();
        self.last = Some((analysed.stamp.clone(), Instant::now()));
        let lamps = self.lamps.read(&analysed.picture);
        let is_new = !analysed.repeats;
        let view = is_new.then(|| self.viewer.view(&analysed.picture, analysed.stamp.pts)).flatten();
        let look = Look { stamp: analysed.stamp, local, aspect, detections: &analysed.detections, view, lamps };
        self.core.note_clock(camera_clock(analysed.camera_ahead_s, time_quality));
        self.core.hear(self.params.heard.at(analysed.arrived_at, look.stamp.pts));
        let (scene, events) = self.core.step(look);
        let follows = is_judged(Kind::LineCrossing, self.step);
        let measures = self.measures.as_mut().filter(|_| follows);
        self.measured.extend(measures.and_then(|measures| measures.step(&scene, local)));
        self.detections = analysed.detections;
        (scene, self.drafts(&events, time_quality))
    }

    /// The list of the frame before, for its memory.
    pub fn take_detections(&mut self) -> Vec<Detection> {
        std::mem::take(&mut self.detections)
    }

    /// From now on its scenes are recorded, in chunks of about `every`.
    pub fn record(&mut self, every: Duration) {
        self.core.record(every);
    }

    /// Takes back a scene that nobody reads any more: the next one is made in its memory.
    pub fn reuse(&mut self, scene: Scene) {
        self.core.reuse(scene);
    }

    /// Judges the stream at a moment without a frame, and drafts the events; nothing, when the last frame was just now.
    pub fn idle(
        &mut self,
        camera: &CameraId,
        cause: Option<OutageCause>,
        now: (Instant, WallTime),
        time_quality: TimeQuality,
    ) -> Vec<Draft> {
        let (now, captured_at) = now;
        let silent_for = now.saturating_duration_since(self.last.as_ref().map_or(self.started, |(_, at)| *at));
        if silent_for < IDLE_AFTER {
            return Vec::new();
        }
        // Before the first frame media time stands still: it is that frame which begins it.
        let (seq, pts) = match &self.last {
            Some((last, _)) => (last.seq, last.pts + silent_for.saturating_sub(STRAYS)),
            None => (0, MediaTime::ZERO),
        };
        let stamp = FrameStamp { camera: camera.clone(), seq, pts, captured_at };
        let outage = cause.map(|cause| Outage { cause, lasts: silent_for });
        let idle = Idle { stamp, local: self.params.calendar.local(captured_at), outage };
        let events = self.core.idle(idle);
        self.drafts(&events, time_quality)
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self, time_quality: TimeQuality) -> Vec<Draft> {
        let events = self.core.finish();
        self.measured.extend(self.measures.as_mut().and_then(Measures::finish));
        self.drafts(&events, time_quality)
    }

    /// What storms withheld and no event tells of.
    pub fn take_withheld(&mut self) -> Vec<System> {
        let topics = &self.params.topics;
        self.core.take_withheld().iter().map(|withheld| wire::withheld(topics, withheld)).collect()
    }

    /// The messages of intervals that are over.
    pub fn take_measured(&mut self, time_quality: TimeQuality) -> Vec<Measurement> {
        let moment = self.moment(time_quality);
        let context = &self.params.context;
        self.measured.drain(..).map(|interval| wire::measurement(context, moment, &interval)).collect()
    }

    fn moment(&self, time_quality: TimeQuality) -> Moment {
        Moment { analysed_fps: self.rate.fps(), time_quality }
    }

    fn drafts(&self, events: &[Event], time_quality: TimeQuality) -> Vec<Draft> {
        let moment = self.moment(time_quality);
        let draft = |event: &Event| {
            let reason = self.disarmed.contains(&event.rule.id).then_some(RULE_DISARMED);
            Draft::new(&self.params.topics, &self.params.context, moment, event).ended_by(reason)
        };
        events.iter().map(draft).collect()
    }
}

/// A camera's task in the service.
pub struct CameraTask {
    /// Index of the camera with the scheduler.
    pub lane: usize,
    /// The camera.
    pub camera: CameraId,
    /// What its cores are made from.
    pub params: CameraParams,
    /// Where its frames come from.
    pub slot: Arc<FrameSlot>,
    /// What the inference workers found; one at a time.
    pub analysed: mpsc::Receiver<Analysed>,
    /// Its supervisor's word.
    pub status: watch::Receiver<SourceStatus>,
    /// Told where its zones are in the picture, and whether its clock is known.
    pub posture: watch::Sender<Posture>,
    /// Where events go.
    pub outbox: Outbox,
    /// How incidents are photographed and filmed.
    pub evidence: CameraEvidence,
    /// Its place on the degradation ladder.
    pub ladder: CameraRung,
    /// What commands switched off.
    pub switches: watch::Receiver<Arc<Switches>>,
    /// Where its tracks go; `None`: they are not kept.
    pub tracks: Option<TrackSink>,
    /// Told when a frame is done with.
    pub scheduler: Arc<Scheduler>,
    /// What health reports.
    pub counters: Arc<CameraCounters>,
    /// Where lists of detections go back to.
    pub spares: Arc<Spares>,
    /// What was seen last, for the status page.
    pub latest: Arc<LatestScene>,
    /// What was committed last, for the status page.
    pub recent: Arc<RecentIncidents>,
    /// Whether it lives.
    pub pulse: Pulse,
    /// Ends the waiting for a disk that does not recover.
    pub give_up: CancellationToken,
}

impl CameraTask {
    /// Runs until the inference workers are gone and everything they found is judged and committed.
    pub async fn run(mut self) {
        let (mut core, mut session) = self.fresh_core().await;
        let mut standing = Standing::default();
        let mut keeper = MeasureKeeper::default();
        let mut clock_unheard = ClockUnheard::default();
        let mut is_off = false;
        let mut idle = tokio::time::interval(IDLE_EVERY);
        idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.look_at_switches(&mut core, &mut is_off).await {
                self.keep_measures(&mut core, &mut keeper, true).await;
            }
            let analysed = tokio::select! {
                biased;
                analysed = self.analysed.recv() => analysed,
                Ok(()) = self.switches.changed() => continue,
                _ = idle.tick() => {
                    // Of a decoder that dozes frames are still to come that are earlier than now.
                    if is_off || self.slot.is_dozing() {
                        continue;
                    }
                    self.pulse.works();
                    core.stand_on(self.ladder.step());
                    self.idle(&mut core, &mut session).await;
                    self.pulse.waits();
                    continue;
                }
                () = MeasureKeeper::until_overdue(core.interval_ends()) => {
                    self.pulse.works();
                    core.close_overdue();
                    self.keep_measures(&mut core, &mut keeper, false).await;
                    self.pulse.waits();
                    continue;
                }
            };
            let Some(analysed) = analysed else { break };
            if is_off {
                // Under way when the camera was switched off.
                self.scheduler.done(self.lane);
                continue;
            }
            self.pulse.works();
            let (arrived_at, held_for) = (analysed.arrived_at, analysed.held_for);
            let time_quality = status::time_quality();
            let is_clock_heard = analysed.camera_ahead_s.is_some() || !self.judges_clock();
            let (seen, picture) = (analysed.detections.len(), Arc::clone(&analysed.picture));
            let step = self.ladder.step();
            core.stand_on(step);
            // A panic leaves the core in an unknown state: it is replaced, never used again.
            match catch_unwind(AssertUnwindSafe(|| core.step(analysed, time_quality))) {
                Ok((scene, mut drafts)) => {
                    self.keep(session, core.full_chunk());
                    self.counters.analysed(seen, &scene);
                    let had_events = !drafts.is_empty();
                    let detections = core.take_detections();
                    let known = || privacy::known(&scene, &detections);
                    let announce = || self.evidence.announce(&mut drafts, &picture, arrived_at, known);
                    let ordered = (step < Step::CountsOnly).then(announce);
                    self.placed(scene.camera.placement, clock_unheard.note(is_clock_heard, arrived_at));
                    if let Some((scene, detections)) = self.latest.set(Shot { picture, scene, detections }) {
                        core.reuse(scene);
                        self.spares.give(detections);
                    }
                    if self.commit(drafts).await {
                        ordered.into_iter().flatten().for_each(Ordered::send);
                    }
                    self.counters.done(had_events, arrived_at.elapsed().saturating_sub(held_for));
                    if let Some(things) = standing.due(core.core.parked_changes(), arrived_at) {
                        self.park(things).await;
                    }
                    self.keep_measures(&mut core, &mut keeper, false).await;
                    self.announce(core.take_withheld()).await;
                }
                Err(_) => {
                    self.counters.crashed();
                    tracing::error!(camera = %self.camera, "judging this frame panicked; the camera starts afresh");
                    (core, session) = self.fresh_core().await;
                }
            }
            self.scheduler.done(self.lane);
            self.pulse.waits();
        }
        self.keep(session, core.last_chunk());
        if let Some(things) = standing.waiting {
            self.park(things).await;
        }
        self.keep_measures(&mut core, &mut keeper, true).await;
    }

    /// Does what commands ask: disarms rules; ends what is open of a camera that was just switched off, and says so.
    async fn look_at_switches(&mut self, core: &mut CameraCore, is_off: &mut bool) -> bool {
        let (off, disarmed) = {
            let switches = self.switches.borrow_and_update();
            let disarmed = switches.disarmed(&self.camera).map(|(rule, _)| rule.clone()).collect();
            (switches.camera(&self.camera).is_some(), disarmed)
        };
        core.disarm(disarmed);
        let was_off = std::mem::replace(is_off, off);
        if was_off && !off {
            core.switch_on();
        }
        if !off || was_off {
            return false;
        }
        self.pulse.works();
        let ended =
            catch_unwind(AssertUnwindSafe(|| core.switch_off(&self.camera, wall_now(), status::time_quality())));
        match ended {
            Ok(drafts) => drop(self.commit(drafts).await),
            // Its incidents are taken up, and ended, at the next start.
            Err(_) => tracing::error!(camera = %self.camera, "ending what is open panicked"),
        }
        self.pulse.waits();
        true
    }

    /// A failure is the outbox's to report; the next change is written again.
    async fn park(&self, things: Vec<Parked>) {
        if let Err(error) = self.outbox.park(self.camera.clone(), things).await {
            tracing::error!(camera = %self.camera, %error, "what stands is not kept for the next start");
        }
    }

    /// Judges the stream while no frame comes.
    async fn idle(&self, core: &mut CameraCore, session: &mut i64) {
        let cause = outage_cause(&self.status.borrow());
        let now = (Instant::now(), wall_now());
        match catch_unwind(AssertUnwindSafe(|| core.idle(&self.camera, cause, now, status::time_quality()))) {
            Ok(drafts) => {
                self.commit(drafts).await;
            }
            Err(_) => {
                self.counters.crashed();
                tracing::error!(camera = %self.camera, "judging the stream panicked; the camera starts afresh");
                (*core, *session) = self.fresh_core().await;
            }
        }
    }

    fn judges_clock(&self) -> bool {
        let mut faults = self.params.core.rules.iter().filter_map(|rule| rule.params.camera_fault());
        faults.any(|fault| fault == CameraFault::ClockDrift)
    }

    fn placed(&self, placement: Placement, is_clock_unknown: bool) {
        self.posture.send_if_modified(|told| {
            // The shift itself wavers with every view; that there is one does not.
            let is_news = std::mem::discriminant(&told.placement) != std::mem::discriminant(&placement)
                || told.is_clock_unknown != is_clock_unknown;
            *told = Posture { placement, is_clock_unknown };
            is_news
        });
    }

    fn keep(&self, session: i64, chunk: Option<Chunk>) {
        if let (Some(tracks), Some(chunk)) = (&self.tracks, chunk) {
            tracks.send(&self.camera, session, chunk);
        }
    }

    /// A core that knows the incidents which the camera's committed events leave open, and what stood; and the number of its
    /// session.
    async fn fresh_core(&self) -> (CameraCore, i64) {
        let mut params = self.params.clone();
        // Ids of two cores of one camera must not meet.
        params.core.id_seed = rand::random();
        let session = params.core.id_seed.cast_signed();
        let mut core = CameraCore::new(params);
        if self.tracks.is_some() {
            core.record(CHUNK);
        }
        if let Some(open) = self.known(|| self.outbox.open_incidents(self.camera.clone())).await {
            core.core.restore(open);
        }
        if let Some(things) = self.known(|| self.outbox.parked(self.camera.clone())).await {
            core.core.restore_parked(things);
        }
        if core.measures.is_some()
            && let Some(running) = self.known(|| self.outbox.running_measure(self.camera.clone())).await
        {
            core.restore_measures(running);
        }
        (core, session)
    }

    /// What the outbox knows, however long the disk takes to recover: an incident that is not taken up would be opened a
    /// second time. `None` only when the program ends.
    async fn known<T, F: Future<Output = Result<T, OutboxError>>>(&self, ask: impl Fn() -> F) -> Option<T> {
        let mut reported = false;
        loop {
            self.pulse.works();
            match ask().await {
                Ok(known) => return Some(known),
                Err(error) if error.is_transient() && !self.give_up.is_cancelled() => {
                    if !std::mem::replace(&mut reported, true) {
                        tracing::error!(camera = %self.camera, %error, "what goes on is not known yet; trying again");
                    }
                }
                Err(error) => {
                    tracing::error!(camera = %self.camera, %error, "what goes on is not known");
                    return None;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(COMMIT_RETRY) => {}
                () = self.give_up.cancelled() => {}
            }
        }
    }

    /// Commits, however long the disk takes to recover; gives up (false) only when the program ends.
    async fn commit(&self, drafts: Vec<Draft>) -> bool {
        if drafts.is_empty() {
            return true;
        }
        let drafts: Arc<[Draft]> = drafts.into();
        let mut reported = false;
        loop {
            // A disk that does not recover is no hung loop: starting afresh would lose what waits here.
            self.pulse.works();
            match self.outbox.commit(Arc::clone(&drafts)).await {
                Ok(_) => {
                    self.counters.events(&drafts);
                    self.recent.note(&drafts);
                    return true;
                }
                Err(error) if error.is_transient() && !self.give_up.is_cancelled() => {
                    if !std::mem::replace(&mut reported, true) {
                        tracing::error!(camera = %self.camera, %error, "events are not written yet; trying again");
                    }
                }
                Err(error) => {
                    self.lost(drafts.len(), &error);
                    return false;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(COMMIT_RETRY) => {}
                () = self.give_up.cancelled() => {}
            }
        }
    }

    /// Stores what is said of the camera beside its incidents. One that cannot be written is in the log.
    async fn announce(&self, events: Vec<System>) {
        for event in events {
            if let Err(error) = self.outbox.announce(Arc::new(event)).await {
                tracing::error!(camera = %self.camera, %error, "what was withheld is not told");
            }
        }
    }

    fn lost(&self, events: usize, error: &OutboxError) {
        tracing::error!(camera = %self.camera, events, %error, "events are lost: they were never written");
    }
}

/// What the camera's clock is compared with is the box's: nothing is known of it while nobody keeps that right.
fn camera_clock(ahead_s: Option<f64>, box_clock: TimeQuality) -> Option<CameraClock> {
    let error_ms = box_clock.max_error_ms.filter(|_| box_clock.synced)?;
    Some(CameraClock { ahead_s: ahead_s?, error_s: f64::from(error_ms) / 1000.0 })
}

/// Why no frames come, as far as an operator should hear of it: not of a stall that may pass by itself in a moment.
fn outage_cause(status: &SourceStatus) -> Option<OutageCause> {
    match (status.state, status.reason) {
        (SourceState::Offline, Some("unauthorised")) => Some(OutageCause::Unauthorised),
        (SourceState::Offline, _) => Some(OutageCause::Lost),
        (SourceState::Connecting | SourceState::Online | SourceState::Degraded, _) => None,
    }
}

/// A camera that does not say what its clock shows.
#[derive(Debug, Default)]
struct ClockUnheard {
    since: Option<Instant>,
}

impl ClockUnheard {
    /// Whether it is known by now that the camera does not say it.
    fn note(&mut self, is_heard: bool, now: Instant) -> bool {
        self.since = if is_heard { None } else { self.since.or(Some(now)) };
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= CLOCK_PATIENCE)
    }
}

/// What stands, between the writes of it.
#[derive(Default)]
struct Standing {
    /// The latest, not written yet.
    waiting: Option<Vec<Parked>>,
    written: Option<Instant>,
}

impl Standing {
    /// What is to be written now.
    fn due(&mut self, changed: Option<Vec<Parked>>, now: Instant) -> Option<Vec<Parked>> {
        self.waiting = changed.or(self.waiting.take());
        let is_early = self.written.is_some_and(|written| now.saturating_duration_since(written) < PARK_EVERY);
        let due = if is_early { None } else { self.waiting.take() };
        if due.is_some() {
            self.written = Some(now);
        }
        due
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_is_written_now_and_then_and_only_the_latest() {
        let (mut standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(standing.due(None, start), None);
        assert_eq!(standing.due(Some(vec![]), at(1)), Some(vec![]));
        assert_eq!(standing.due(Some(vec![]), at(2)), None);
        assert_eq!(standing.due(None, at(30)), None);
        assert_eq!(standing.due(None, at(31)), Some(vec![]));
        assert_eq!(standing.due(None, at(90)), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut rate = RateMeter::default();
        assert_eq!(rate.fps(), 0.0);
        let mut at = MediaTime::ZERO;
        for step in std::iter::repeat_n(Duration::from_millis(100), 300).chain([Duration::from_millis(200); 60]) {
            at = at + step;
            rate.tick(at);
        }
        assert!((rate.fps() - 5.0).abs() < 1e-9, "{}", rate.fps());
    }
}

//! One camera's core: tracker, stitcher, rules and incidents in a row.

use std::time::Duration;

use crate::detection::Detection;
use crate::event::Event;
use crate::ground::Ground;
use crate::id::{RuleId, SignalId};
use crate::incident::{Bundles, Found, IncidentParams, Incidents, OpenIncident, Withheld};
use crate::kind::Kind;
use crate::parked::{Parked, Registry};
use crate::record::{Chunk, Recorder};
use crate::rules::{self, CameraFault, Rule, RuleParams, RuleSpec};
use crate::scene::{Scene, Signal, SignalState};
use crate::schedule::{LocalTime, Schedule};
use crate::stitch::Stitcher;
use crate::stream::{CameraClock, Outage, RateMeter};
use crate::time::FrameStamp;
use crate::track::{Tracker, TrackerParams};
use crate::view::{Eye, GrayView, Lamps, Placement, Posture, Shift, Signals, Stillness};

/// Everything a camera's core is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct CoreParams {
    /// How detections become tracks.
    pub tracker: TrackerParams,
    /// What is watched for.
    pub rules: Vec<RuleSpec>,
    /// How findings become incidents.
    pub incidents: IncidentParams,
    /// Where what it sees lies on the ground; calibrated cameras only.
    pub ground: Option<Ground>,
    /// The traffic signals that are read from its picture.
    pub signals: Vec<SignalId>,
    /// Seed of event and incident ids: random per session in `run`, fixed in `replay`.
    pub id_seed: u64,
}

/// What one analysed frame brings to a core.
#[derive(Debug, Clone)]
pub struct Look<'a> {
    /// Which frame.
    pub stamp: FrameStamp,
    /// What the site's clock showed when it was captured.
    pub local: LocalTime,
    /// The picture's width over its height.
    pub aspect: f32,
    /// What was seen in it.
    pub detections: &'a [Detection],
    /// The picture itself, small and grey; where one was made of this frame.
    pub view: Option<GrayView<'a>>,
    /// The lamps of the signals that are read from the picture.
    pub lamps: &'a [(SignalId, Lamps)],
}

/// A moment without a frame.
#[derive(Debug, Clone)]
pub struct Idle {
    /// The moment; its `pts` is not before that of any frame.
    pub stamp: FrameStamp,
    /// What the site's clock shows.
    pub local: LocalTime,
    /// Why there is no frame, when it is known.
    pub outage: Option<Outage>,
}

/// One camera's core. Lives as long as the camera's session; owned by one task.
pub struct Core {
    tracker: Tracker,
    eye: Eye,
    rate: RateMeter,
    signals: Signals,
    heard: Vec<Signal>,
    clock: Option<CameraClock>,
    judge: Judge,
    recorder: Option<Recorder>,
    full_chunk: Option<Chunk>,
}

impl Core {
    /// A core without tracks or incidents.
    #[must_use]
    pub fn new(params: CoreParams) -> Self {
        Self {
            tracker: Tracker::new(params.tracker),
            eye: Eye::default(),
            rate: RateMeter::default(),
            signals: Signals::new(params.signals),
            heard: Vec::new(),
            clock: None,
            judge: Judge::new(params.rules, params.incidents, params.id_seed).on_ground(params.ground),
            recorder: None,
            full_chunk: None,
        }
    }

    /// Takes up incidents that an earlier session left open; before the first step.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.judge.restore(open);
    }

    /// Takes up what an earlier session knew to stand; before the first step.
    pub fn restore_parked(&mut self, things: Vec<Parked>) {
        self.judge.restore_parked(things);
    }

    /// What stands, when that changed since the last call: for the next session.
    pub fn parked_changes(&mut self) -> Option<Vec<Parked>> {
        self.judge.parked_changes()
    }

    /// Takes one frame; frames come in ascending `pts`. Returns the scene as rules saw it ([`Stitcher`]) and what happened
    /// in it.
    pub fn step(&mut self, look: Look<'_>) -> (Scene, Vec<Event>) {
        let mut scene = self.tracker.update(look.stamp, look.aspect, look.detections);
        scene.camera.stream.rate = self.rate.tick(&scene.stamp);
        scene.camera.stream.clock = self.clock;
        scene.signals = self.signals.read(look.lamps, scene.stamp.pts);
        scene.camera.sight = look.view.as_ref().map(|view| self.eye.look(view, scene.stamp.pts));
        self.judge.place(&mut scene);
        // After the lamps' signals were found out of place: these are not in the picture.
        scene.signals.extend_from_slice(&self.heard);
        scene.signals.sort_by(|a, b| a.id.cmp(&b.id));
        self.full_chunk = self.recorder.as_mut().and_then(|recorder| recorder.push(&scene));
        let events = self.judge.judge(&mut scene, look.local, look.view.as_ref());
        (scene, events)
    }

    /// Takes back a scene that nobody reads any more: the next step makes its own in that memory.
    pub fn reuse(&mut self, scene: Scene) {
        self.tracker.reuse(scene);
    }

    /// From the next step on, the camera's clock is as told here.
    pub fn note_clock(&mut self, clock: Option<CameraClock>) {
        self.clock = clock;
    }

    /// From the next step on, these signals are as told here: those that are heard of, not read from the picture.
    pub fn hear(&mut self, signals: Vec<Signal>) {
        self.heard = signals;
    }

    /// From the next step on, only rules of these kinds are judged: too little is seen for the others. They are as if not
    /// armed: their incidents end, and what takes time or way begins anew when they are judged again.
    pub fn judge_only(&mut self, is_judged: impl Fn(Kind) -> bool) {
        self.judge.judge_only(is_judged);
    }

    /// From the next step on, these rules are not judged: a person disarmed them. Their incidents end, though no frame come.
    pub fn disarm(&mut self, is_disarmed: impl Fn(&RuleId) -> bool) {
        self.judge.disarm(is_disarmed);
    }

    /// Takes a moment in which no frame comes: only what is judged of the stream itself is, everything else waits.
    pub fn idle(&mut self, idle: Idle) -> Vec<Event> {
        self.judge.idle(idle)
    }

    /// From now on its scenes are recorded, in chunks of about `every`.
    pub fn record(&mut self, every: Duration) {
        self.recorder = Some(Recorder::new(every));
    }

    /// The recorded scenes that the last step completed a chunk of.
    pub fn full_chunk(&mut self) -> Option<Chunk> {
        self.full_chunk.take()
    }

    /// The recorded scenes that no chunk held yet.
    pub fn last_chunk(&mut self) -> Option<Chunk> {
        self.recorder.as_mut().and_then(Recorder::finish)
    }

    /// What storms withheld and no event tells of; each is given once.
    pub fn take_withheld(&mut self) -> Vec<Withheld> {
        self.judge.take_withheld()
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.judge.finish()
    }
}

/// All of the core that follows the tracker: scenes in, events out.
pub struct Judge {
    ground: Option<Ground>,
    posture: Option<Posture>,
    stitcher: Stitcher,
    registry: Registry,
    /// Only where a rule asks for it.
    stillness: Option<Stillness>,
    watches: Vec<Watch>,
    incidents: Incidents,
    /// Work space of a scene; empty between two.
    found: Vec<Found<'static>>,
}

/// The same memory for what is found next.
fn emptied<'a>(mut found: Vec<Found<'_>>) -> Vec<Found<'a>> {
    found.clear();
    found.into_iter().map(|_| unreachable!("there is none")).collect()
}

/// A rule and when it is armed. It follows the scenes at all times, so that it knows at once what was there before; what
/// it finds counts while it is armed.
struct Watch {
    rule: Box<dyn Rule>,
    /// What of the camera itself it judges; `None` for rules of places.
    fault: Option<CameraFault>,
    /// Whether it was judged in the scene before: not while nobody knew where its place is.
    judged: bool,
    schedule: Option<Schedule>,
    armed: bool,
    /// Whether too little is seen for it at the moment.
    suspended: bool,
    /// Whether a person disarmed it.
    disarmed: bool,
}

impl Watch {
    fn new(spec: RuleSpec) -> Self {
        let (schedule, fault) = (spec.schedule.clone(), spec.params.camera_fault());
        Self {
            rule: rules::build(spec),
            fault,
            judged: true,
            schedule,
            armed: false,
            suspended: false,
            disarmed: false,
        }
    }

    fn look(&mut self, scene: &Scene, local: LocalTime, incidents: &Incidents) -> Found<'_> {
        let was_armed = self.armed && self.judged;
        let placement = if self.fault.is_some() { Placement::Home } else { scene.camera.placement };
        let is_due = self.schedule.as_ref().is_none_or(|schedule| schedule.is_armed(local));
        self.armed = is_due && placement != Placement::Lost && !self.suspended && !self.disarmed;
        self.judged = placement != Placement::Unsure;
        if self.armed && self.judged && !was_armed {
            self.rule.arm(scene.stamp.pts);
        }
        let mut findings = Vec::new();
        self.rule.evaluate(scene, &incidents.open(&self.rule.info().id), &mut findings);
        if !self.armed {
            findings.clear();
        }
        Found { rule: self.rule.info(), armed: self.armed, judged: self.judged, findings }
    }

    /// A moment without a frame.
    fn idle(&mut self, scene: &Scene, local: LocalTime, incidents: &Incidents) -> Found<'_> {
        if self.fault.is_some_and(CameraFault::is_outage) {
            return self.look(scene, local, incidents);
        }
        self.armed &= !self.suspended && !self.disarmed;
        Found { rule: self.rule.info(), armed: self.armed, judged: self.disarmed, findings: Vec::new() }
    }
}

impl Judge {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(rules: Vec<RuleSpec>, incidents: IncidentParams, id_seed: u64) -> Self {
        let moved = |spec: &RuleSpec| match spec.params {
            RuleParams::Camera { fault: CameraFault::Moved, hold } => Some(Posture::new(hold)),
            _ => None,
        };
        Self {
            ground: None,
            posture: rules.iter().find_map(moved),
            // Longer, and an object could come back as itself after its incident ended: one stop, two incidents.
            stitcher: Stitcher::new(incidents.end_after),
            registry: Registry::default(),
            stillness: rules.iter().any(|rule| rule.params.is_of_stills()).then(Stillness::default),
            incidents: Incidents::new(incidents, id_seed).bundling(Bundles::of(&rules)),
            watches: rules.into_iter().map(Watch::new).collect(),
            found: Vec::new(),
        }
    }

    /// Takes up incidents that an earlier session left open; before the first step.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.incidents.restore(open);
    }

    /// Takes up what an earlier session knew to stand; before the first step.
    pub fn restore_parked(&mut self, things: Vec<Parked>) {
        self.registry.restore(things);
    }

    /// What stands, when that changed since the last call: for the next session.
    pub fn parked_changes(&mut self) -> Option<Vec<Parked>> {
        self.registry.changes()
    }

    /// See [`Core::judge_only`].
    pub fn judge_only(&mut self, is_judged: impl Fn(Kind) -> bool) {
        for watch in &mut self.watches {
            watch.suspended = !is_judged(watch.rule.info().kind);
        }
    }

    /// See [`Core::disarm`].
    pub fn disarm(&mut self, is_disarmed: impl Fn(&RuleId) -> bool) {
        for watch in &mut self.watches {
            watch.disarmed = is_disarmed(&watch.rule.info().id);
        }
    }

    /// The same for a calibrated camera.
    #[must_use]
    pub fn on_ground(mut self, ground: Option<Ground>) -> Self {
        self.ground = ground;
        self
    }

    /// Renumbers the scene so that an object keeps its number, places it on the ground, and judges it. Scenes come in ascending `pts`; `local` is
    /// what the site's clock showed.
    pub fn step(&mut self, scene: &mut Scene, local: LocalTime) -> Vec<Event> {
        self.place(scene);
        self.judge(scene, local, None)
    }

    /// The same for a scene that was placed, and its picture: what holds still in that is found.
    fn judge(&mut self, scene: &mut Scene, local: LocalTime, view: Option<&GrayView<'_>>) -> Vec<Event> {
        self.stitcher.stitch(scene);
        let shift = scene.camera.placement.shift();
        if let Some(ground) = &self.ground {
            for track in &mut scene.tracks {
                track.ground = ground.at(shift.back(track.bbox.bottom_center()));
            }
        }
        self.registry.observe(scene);
        self.find_stills(scene, view);
        // Rules see the objects where they were drawn; the events show them where they are.
        let moved_back = (shift != Shift::default()).then(|| moved_back(scene, shift));
        let drawn = moved_back.as_ref().unwrap_or(scene);
        let incidents = &self.incidents;
        let look = |watch| Watch::look(watch, drawn, local, incidents);
        let mut found = emptied(std::mem::take(&mut self.found));
        found.extend(self.watches.iter_mut().map(look));
        let events = self.incidents.update(scene, &found);
        self.found = emptied(found);
        events
    }

    /// Says what holds still, and where that is on the ground.
    fn find_stills(&mut self, scene: &mut Scene, view: Option<&GrayView<'_>>) {
        let Some(stillness) = &mut self.stillness else { return };
        let mut stills = std::mem::take(&mut scene.stills);
        stills.extend_from_slice(stillness.observe(scene, view));
        scene.stills = stills;
        let (Some(ground), shift) = (&self.ground, scene.camera.placement.shift()) else { return };
        scene.stills.iter_mut().for_each(|still| still.stand_on(ground, shift));
    }

    /// Finds out where zones and lines are in this picture.
    fn place(&mut self, scene: &mut Scene) {
        let Some(posture) = &mut self.posture else { return };
        scene.camera.placement = match &scene.camera.sight {
            Some(sight) => posture.take(sight, scene.stamp.pts),
            None => posture.placement(),
        };
        scene.camera.moved_since = posture.moved_since();
        if scene.camera.placement != Placement::Home {
            // The lamps are not where they were drawn, if only by their width.
            scene.signals.iter_mut().for_each(|signal| signal.state = SignalState::Unknown);
        }
    }

    /// What storms withheld and no event tells of; each is given once.
    pub fn take_withheld(&mut self) -> Vec<Withheld> {
        self.incidents.take_withheld()
    }

    /// Takes a moment in which no frame comes.
    pub fn idle(&mut self, idle: Idle) -> Vec<Event> {
        let mut scene = Scene::new(idle.stamp, 1.0, Vec::new(), Vec::new());
        scene.camera.stream.outage = idle.outage;
        let incidents = &self.incidents;
        let look = |watch| Watch::idle(watch, &scene, idle.local, incidents);
        let found: Vec<Found<'_>> = self.watches.iter_mut().map(look).collect();
        self.incidents.update(&scene, &found)
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.incidents.finish()
    }
}

/// The scene as it would be, had the camera not moved by `shift`.
fn moved_back(scene: &Scene, shift: Shift) -> Scene {
    let mut home = scene.clone();
    for track in &mut home.tracks {
        track.bbox = shift.back_box(track.bbox);
        track.path.iter_mut().for_each(|step| step.point = shift.back(step.point));
    }
    for still in &mut home.stills {
        still.bbox = shift.back_box(still.bbox);
    }
    for thing in &mut home.parked {
        thing.bbox = shift.back_box(thing.bbox);
    }
    home
}

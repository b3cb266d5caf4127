//! One camera's core: tracker, stitcher, rules and incidents in a row.

use std::time::Duration;

use crate::detection::Detection;
use crate::event::Event;
use crate::ground::Ground;
use crate::incident::{Bundles, Found, IncidentParams, Incidents, OpenIncident, Withheld};
use crate::parked::{Parked, Registry};
use crate::record::{Chunk, Recorder};
use crate::rules::{self, Rule, RuleSpec};
use crate::scene::Scene;
use crate::schedule::{LocalTime, Schedule};
use crate::stitch::Stitcher;
use crate::time::FrameStamp;
use crate::track::{Tracker, TrackerParams};

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
}

/// One camera's core. Lives as long as the camera's session; owned by one task.
pub struct Core {
    tracker: Tracker,
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
        self.full_chunk = self.recorder.as_mut().and_then(|recorder| recorder.push(&scene));
        let events = self.judge.step(&mut scene, look.local);
        (scene, events)
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
        self.judge.incidents.take_withheld()
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.judge.finish()
    }
}

/// All of the core that follows the tracker: scenes in, events out.
pub struct Judge {
    ground: Option<Ground>,
    stitcher: Stitcher,
    registry: Registry,
    watches: Vec<Watch>,
    incidents: Incidents,
}

/// A rule and when it is armed. It follows the scenes at all times, so that it knows at once what was there before; what
/// it finds counts while it is armed.
struct Watch {
    rule: Box<dyn Rule>,
    schedule: Option<Schedule>,
    armed: bool,
}

impl Watch {
    fn new(spec: RuleSpec) -> Self {
        let schedule = spec.schedule.clone();
        Self { rule: rules::build(spec), schedule, armed: false }
    }

    fn look(&mut self, scene: &Scene, local: LocalTime, incidents: &Incidents) -> Found<'_> {
        let was_armed = self.armed;
        self.armed = self.schedule.as_ref().is_none_or(|schedule| schedule.is_armed(local));
        if self.armed && !was_armed {
            self.rule.arm(scene.stamp.pts);
        }
        let mut findings = Vec::new();
        self.rule.evaluate(scene, &incidents.open(&self.rule.info().id), &mut findings);
        if !self.armed {
            findings.clear();
        }
        Found { rule: self.rule.info(), armed: self.armed, findings }
    }
}

impl Judge {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(rules: Vec<RuleSpec>, incidents: IncidentParams, id_seed: u64) -> Self {
        Self {
            ground: None,
            // Longer, and an object could come back as itself after its incident ended: one stop, two incidents.
            stitcher: Stitcher::new(incidents.end_after),
            registry: Registry::default(),
            incidents: Incidents::new(incidents, id_seed).bundling(Bundles::of(&rules)),
            watches: rules.into_iter().map(Watch::new).collect(),
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

    /// The same for a calibrated camera.
    #[must_use]
    pub fn on_ground(mut self, ground: Option<Ground>) -> Self {
        self.ground = ground;
        self
    }

    /// Renumbers the scene so that an object keeps its number, places it on the ground, and judges it. Scenes come in ascending `pts`; `local` is
    /// what the site's clock showed.
    pub fn step(&mut self, scene: &mut Scene, local: LocalTime) -> Vec<Event> {
        self.stitcher.stitch(scene);
        if let Some(ground) = &self.ground {
            for track in &mut scene.tracks {
                track.ground = ground.at(track.bbox.bottom_center());
            }
        }
        self.registry.observe(scene);
        let incidents = &self.incidents;
        let look = |watch| Watch::look(watch, scene, local, incidents);
        let found: Vec<Found<'_>> = self.watches.iter_mut().map(look).collect();
        self.incidents.update(scene, &found)
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.incidents.finish()
    }
}

//! One camera's core: tracker, stitcher, rules and incidents in a row.

use crate::detection::Detection;
use crate::event::Event;
use crate::incident::{Found, IncidentParams, Incidents, OpenIncident};
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
    /// Seed of event and incident ids: random per session in `run`, fixed in `replay`.
    pub id_seed: u64,
}

/// One camera's core. Lives as long as the camera's session; owned by one task.
pub struct Core {
    tracker: Tracker,
    judge: Judge,
}

impl Core {
    /// A core without tracks or incidents.
    #[must_use]
    pub fn new(params: CoreParams) -> Self {
        Self {
            tracker: Tracker::new(params.tracker),
            judge: Judge::new(params.rules, params.incidents, params.id_seed),
        }
    }

    /// Takes up incidents that an earlier session left open; before the first step.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.judge.restore(open);
    }

    /// Takes the detections of one frame; frames come in ascending `pts`. `local` is what the site's clock showed when it
    /// was captured, `aspect` the picture's width over its height. Returns the scene as rules saw it ([`Stitcher`]) and
    /// what happened in it.
    pub fn step(
        &mut self,
        stamp: FrameStamp,
        local: LocalTime,
        aspect: f32,
        detections: &[Detection],
    ) -> (Scene, Vec<Event>) {
        let mut scene = self.tracker.update(stamp, aspect, detections);
        let events = self.judge.step(&mut scene, local);
        (scene, events)
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.judge.finish()
    }
}

/// All of the core that follows the tracker: scenes in, events out.
pub struct Judge {
    stitcher: Stitcher,
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
            // Longer, and an object could come back as itself after its incident ended: one stop, two incidents.
            stitcher: Stitcher::new(incidents.end_after),
            watches: rules.into_iter().map(Watch::new).collect(),
            incidents: Incidents::new(incidents, id_seed),
        }
    }

    /// Takes up incidents that an earlier session left open; before the first step.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.incidents.restore(open);
    }

    /// Renumbers the scene so that an object keeps its number, and judges it. Scenes come in ascending `pts`; `local` is
    /// what the site's clock showed.
    pub fn step(&mut self, scene: &mut Scene, local: LocalTime) -> Vec<Event> {
        self.stitcher.stitch(scene);
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

//! One camera's core: tracker, stitcher, rules and incidents in a row.

use crate::detection::Detection;
use crate::event::Event;
use crate::finding::{Finding, RuleInfo};
use crate::incident::{IncidentParams, Incidents, OpenIncident};
use crate::rules::{self, Rule, RuleSpec};
use crate::scene::Scene;
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

    /// Takes the detections of one frame; frames come in ascending `pts`. `aspect` is the picture's width over its height.
    /// Returns the scene as rules saw it ([`Stitcher`]) and what happened in it.
    pub fn step(&mut self, stamp: FrameStamp, aspect: f32, detections: &[Detection]) -> (Scene, Vec<Event>) {
        let mut scene = self.tracker.update(stamp, aspect, detections);
        let events = self.judge.step(&mut scene);
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
    rules: Vec<Box<dyn Rule>>,
    incidents: Incidents,
}

impl Judge {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(rules: Vec<RuleSpec>, incidents: IncidentParams, id_seed: u64) -> Self {
        Self {
            // Longer, and an object could come back as itself after its incident ended: one stop, two incidents.
            stitcher: Stitcher::new(incidents.end_after),
            rules: rules.into_iter().map(rules::build).collect(),
            incidents: Incidents::new(incidents, id_seed),
        }
    }

    /// Takes up incidents that an earlier session left open; before the first step.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.incidents.restore(open);
    }

    /// Renumbers the scene so that an object keeps its number, and judges it. Scenes come in ascending `pts`.
    pub fn step(&mut self, scene: &mut Scene) -> Vec<Event> {
        self.stitcher.stitch(scene);
        let incidents = &self.incidents;
        let found: Vec<(&RuleInfo, Vec<Finding>)> = self
            .rules
            .iter_mut()
            .map(|rule| {
                let mut findings = Vec::new();
                let open = incidents.open(&rule.info().id);
                rule.evaluate(scene, &open, &mut findings);
                (rule.info(), findings)
            })
            .collect();
        self.incidents.update(scene, &found)
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.incidents.finish()
    }
}

//! One camera's core: tracker, rules and incidents in a row.

use crate::detection::Detection;
use crate::event::Event;
use crate::finding::{Finding, RuleInfo};
use crate::incident::{IncidentParams, Incidents, OpenIncident};
use crate::rules::{self, Rule, RuleSpec};
use crate::scene::Scene;
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
    rules: Vec<Box<dyn Rule>>,
    incidents: Incidents,
}

impl Core {
    /// A core without tracks or incidents.
    #[must_use]
    pub fn new(params: CoreParams) -> Self {
        Self {
            tracker: Tracker::new(params.tracker),
            rules: params.rules.into_iter().map(rules::build).collect(),
            incidents: Incidents::new(params.incidents, params.id_seed),
        }
    }

    /// Takes up incidents that an earlier session left open; before the first step.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.incidents.restore(open);
    }

    /// Takes the detections of one frame; frames come in ascending `pts`. `aspect` is the picture's width over its height.
    pub fn step(&mut self, stamp: FrameStamp, aspect: f32, detections: &[Detection]) -> (Scene, Vec<Event>) {
        let scene = self.tracker.update(stamp, aspect, detections);
        let found: Vec<(&RuleInfo, Vec<Finding>)> = self
            .rules
            .iter_mut()
            .map(|rule| {
                let mut findings = Vec::new();
                rule.evaluate(&scene, &mut findings);
                (rule.info(), findings)
            })
            .collect();
        let events = self.incidents.update(&scene, &found);
        (scene, events)
    }

    /// Ends what is open: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        self.incidents.finish()
    }
}

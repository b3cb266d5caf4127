//! The rules that every camera has unless its site says otherwise: what can be wrong with the camera itself.

use std::time::Duration;

use analytics::rules::{CameraFault, RuleParams, RuleSpec};
use analytics::{ClassSet, Kind, RuleId, Severity};

use super::raw::{RawCamera, RawPipeline, RawRuleNumbers};
use super::resolve::Resolver;
use super::schedule::schedule;

/// Fewer frames than this share of those to be analysed are too few.
const LEAST_OF_ASKED: f64 = 0.8;

impl Resolver<'_> {
    /// Adds a rule for everything that can be wrong with a camera and that the site neither switches off nor has a rule
    /// of its own for, named like its kind.
    pub(super) fn add_camera_rules(
        &mut self,
        camera: usize,
        raw: &RawCamera,
        pipeline: Option<&RawPipeline>,
        rules: &mut Vec<RuleSpec>,
    ) {
        let off = self.health_off(camera, raw, rules);
        let is_device = raw.detect.as_ref().is_some_and(|stream| stream.device.is_some());
        let url = raw.detect.as_ref().and_then(|stream| stream.url.as_deref());
        let is_rtsp = url.is_some_and(|url| url.starts_with("rtsp"));
        for fault in CameraFault::ALL {
            // A camera on the box asks for no log-in, and the clock of one is told over RTSP alone.
            let is_offered = match fault {
                CameraFault::Unauthorised => !is_device,
                CameraFault::ClockDrift => is_rtsp,
                _ => true,
            };
            let is_watched = rules.iter().any(|rule| rule.params.kind() == fault.kind());
            if !is_offered || is_watched || off.contains(&fault.kind()) {
                continue;
            }
            let Some(rule) = built_in(fault, pipeline) else { continue };
            if rules.iter().any(|known| known.id == rule.id) {
                let what = format!("\"{}\" is the name of a rule that every camera has", rule.id);
                self.error(&format!("camera[{camera}].rule"), what, "give this rule another id");
            }
            rules.push(rule);
        }
        let asked_fps = raw.analyse_fps.or_else(|| pipeline.and_then(|pipeline| pipeline.analyse_fps));
        for rule in rules {
            if let RuleParams::Camera { fault: CameraFault::LowRate { least_fps }, .. } = &mut rule.params {
                *least_fps = asked_fps.unwrap_or_default() * LEAST_OF_ASKED;
            }
        }
    }

    /// What the site switches off.
    fn health_off(&mut self, camera: usize, raw: &RawCamera, rules: &[RuleSpec]) -> Vec<Kind> {
        let key = format!("camera[{camera}].health.off");
        let known = CameraFault::ALL.map(|fault| fault.kind().file_label());
        let mut off = Vec::new();
        for label in raw.health.as_ref().and_then(|health| health.off.as_ref()).into_iter().flatten() {
            let Some(kind) = Kind::from_file_label(label).filter(|kind| CameraFault::of(*kind).is_some()) else {
                self.unknown(&key, label, "rule that every camera has with the name", &known);
                continue;
            };
            if let Some(rule) = rules.iter().find(|rule| rule.params.kind() == kind) {
                let what = format!("switches off {kind}, which the rule \"{}\" watches for", rule.id);
                self.error(&key, what, "remove one of the two");
            }
            off.push(kind);
        }
        off
    }
}

/// The rule of a camera of which nothing is said, with its pipeline's numbers.
fn built_in(fault: CameraFault, pipeline: Option<&RawPipeline>) -> Option<RuleSpec> {
    let kind = fault.kind();
    let none = RawRuleNumbers::default();
    let numbers = pipeline.and_then(|pipeline| pipeline.rule.get(kind.file_label())).unwrap_or(&none);
    let severity = numbers.severity.as_deref().and_then(Severity::from_label);
    Some(RuleSpec {
        id: RuleId::new(kind.file_label()).ok()?,
        severity: severity.unwrap_or(kind.default_severity()),
        cooldown: numbers.cooldown.map_or(Duration::ZERO, |text| text.0),
        classes: ClassSet::default(),
        include_riders: false,
        schedule: numbers.schedule.as_ref().map(schedule),
        params: RuleParams::Camera { fault, hold: numbers.hold.map_or(fault.hold(), |text| text.0) },
    })
}

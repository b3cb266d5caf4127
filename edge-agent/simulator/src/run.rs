//! Camera-hours through the core, scored against the truth.

use std::collections::{BTreeMap, BTreeSet};

use analytics::core::Judge;
use analytics::incident::IncidentParams;
use analytics::rules::RuleSpec;
use analytics::track::{Tracker, TrackerParams};
use analytics::{Event, Phase, WallTime};
use evaluation::incidents::{Detail, FoundIncident, Observed, Report, Row, ScoreParams, TruthIncident, Verdict, score};

use crate::detector::{Condition, DetectorParams};
use crate::feed::{Feed, FeedParams};
use crate::place::Place;
use crate::random::Chance;
use crate::rules;
use crate::truth::Incident;
use crate::world::WorldParams;

/// Seeds, in two sets that never meet.
pub mod seeds {
    /// On these rules may be tuned.
    pub const TUNING: u64 = 0x0001_0000_0000;
    /// These are only ever scored, never looked into to change a rule.
    pub const HELD_OUT: u64 = 0x0002_0000_0000;
}

/// Which camera-hours to run.
#[derive(Debug, Clone)]
pub struct HourParams {
    /// Where.
    pub place: Place,
    /// Its seed; the hour of the day follows from it.
    pub seed: u64,
    /// How long, in seconds (an hour).
    pub seconds: f64,
    /// Pictures analysed a second.
    pub fps: u32,
    /// By day or under an assumed condition.
    pub condition: Condition,
    /// Whether the camera is calibrated; then rules measure in metres.
    pub is_calibrated: bool,
    /// Mean seconds between two things out of the ordinary; infinite for none.
    pub deed_every_s: f64,
}

/// What came of a camera-hour.
#[derive(Debug, Clone)]
pub struct Hour {
    /// A name of its own: place and seed.
    pub name: String,
    /// How long it was.
    pub seconds: f64,
    /// What the core said.
    pub events: Vec<Event>,
    /// When it began, by the events' clock.
    pub began_at: WallTime,
    /// The rules that watched.
    pub rules: Vec<RuleSpec>,
    /// What truly happened.
    pub truth: Vec<Incident>,
    /// Frames, and boxes reported in them.
    pub frames: u64,
    /// Boxes that the detector reported.
    pub boxes: u64,
}

/// Makes the feed of a camera-hour.
#[must_use]
pub fn feed(params: &HourParams) -> Feed {
    let minute = 60.0 * (params.seed % 24) as f64;
    Feed::new(FeedParams {
        place: params.place.clone(),
        world: WorldParams { seed: params.seed, minute, seconds: params.seconds, deed_every_s: params.deed_every_s },
        detector: DetectorParams::default().under(params.condition),
        fps: params.fps,
    })
}

/// Runs one camera-hour through a fresh tracker and judge (what a core is made of; told besides what the signals show)
/// with all the place's rules.
#[must_use]
pub fn hour(params: &HourParams) -> Hour {
    let mut feed = feed(params);
    let rules = rules::of(&params.place, params.is_calibrated);
    let survey = || rules::calibrated(&params.place, Chance::new(params.seed).part("survey"));
    let mut tracker = Tracker::new(TrackerParams::default());
    let mut judge =
        Judge::new(rules.clone(), IncidentParams::default(), params.seed).on_ground(params.is_calibrated.then(survey));
    let (mut events, mut frames, mut boxes) = (Vec::new(), 0, 0);
    let began_at = feed.begins_at();
    while let Some(frame) = feed.step() {
        frames += 1;
        boxes += frame.detections.len() as u64;
        let mut scene = tracker.update(frame.stamp, frame.aspect, frame.detections);
        scene.signals = frame.signals;
        events.extend(judge.step(&mut scene, frame.local));
    }
    events.extend(judge.finish());
    let name = format!("{}-{:x}", params.place.name, params.seed);
    Hour { name, seconds: params.seconds, events, began_at, rules, truth: feed.finish(), frames, boxes }
}

/// The incidents that the events tell of, in seconds of the hour.
#[must_use]
pub fn found(hour: &Hour) -> Vec<FoundIncident> {
    let seconds = |at: WallTime| (at.as_unix_nanos() - hour.began_at.as_unix_nanos()) as f64 / 1e9;
    let opened = hour.events.iter().filter(|event| event.phase == Phase::New);
    opened
        .map(|new| {
            let ends = hour.events.iter().filter(|event| event.incident_id == new.incident_id);
            let ended_at = ends.filter_map(|event| event.ended_at).next_back();
            FoundIncident {
                camera: hour.name.clone(),
                kind: new.rule.kind.wire_label().to_owned(),
                rule: new.rule.id.to_string(),
                zone: new.rule.zone.as_ref().map(ToString::to_string),
                line: new.rule.line.as_ref().map(ToString::to_string),
                direction: new.direction.map(|direction| direction.label().to_owned()),
                start_s: seconds(new.started_at),
                end_s: ended_at.map_or(f64::INFINITY, seconds),
                opened_s: new.stamp.pts.as_secs_f64(),
            }
        })
        .collect()
}

fn truth_of(hour: &Hour, incident: &Incident) -> TruthIncident {
    TruthIncident {
        camera: hour.name.clone(),
        kind: incident.kind.to_owned(),
        detail: Detail {
            rule: Some(incident.rule.to_owned()),
            direction: incident.direction.map(|direction| direction.label().to_owned()),
            ..Detail::default()
        },
        start_s: incident.start_s,
        end_s: incident.end_s,
    }
}

/// What became of what the cores said, against the truth.
///
/// False alarms are per camera-day of the cameras that have the rule.
#[derive(Debug, Clone, Default)]
pub struct Scored {
    /// The sure incidents.
    pub truth: Vec<TruthIncident>,
    /// What was found, without what was in doubt.
    pub found: Vec<FoundIncident>,
    /// How many found incidents were in doubt: neither right nor wrong.
    pub in_doubt: u64,
    /// Hours of a camera, all together.
    pub hours: f64,
    /// Hours by rule and by kind (on the wire).
    hours_of: BTreeMap<String, f64>,
}

impl Scored {
    /// Takes in one more hour. What was found of incidents in doubt is left out.
    pub fn add(&mut self, hour: &Hour) {
        let found = found(hour);
        let all: Vec<TruthIncident> = hour.truth.iter().map(|incident| truth_of(hour, incident)).collect();
        let hours = hour.seconds / 3600.0;
        let report = score(&all, &[], &found, &Observed::CameraHours(hours), ScoreParams::default());
        for (found, verdict) in found.into_iter().zip(&report.verdicts) {
            match verdict {
                Verdict::Detected(j) | Verdict::Duplicate(j) if !hour.truth[*j].is_sure => self.in_doubt += 1,
                _ => self.found.push(found),
            }
        }
        let sure = all.into_iter().zip(&hour.truth).filter(|(_, incident)| incident.is_sure);
        self.truth.extend(sure.map(|(truth, _)| truth));
        self.hours += hours;
        let mut kinds = BTreeSet::new();
        for rule in &hour.rules {
            *self.hours_of.entry(rule.id.to_string()).or_default() += hours;
            kinds.insert(rule.params.kind().wire_label());
        }
        for kind in kinds {
            *self.hours_of.entry(kind.to_owned()).or_default() += hours;
        }
    }

    /// Takes in what other hours gave.
    pub fn join(&mut self, other: Self) {
        self.truth.extend(other.truth);
        self.found.extend(other.found);
        self.in_doubt += other.in_doubt;
        self.hours += other.hours;
        for (name, hours) in other.hours_of {
            *self.hours_of.entry(name).or_default() += hours;
        }
    }

    /// The figures of all together, and every verdict.
    #[must_use]
    pub fn report(&self) -> Report {
        score(&self.truth, &[], &self.found, &Observed::CameraHours(self.hours), ScoreParams::default())
    }

    /// The figures by rule, by kind and name. A rule that nothing was true or found of has no row.
    #[must_use]
    pub fn by_rule(&self) -> Vec<Row> {
        self.rows(|truth| truth.detail.rule.clone().unwrap_or_default(), |found| found.rule.clone())
    }

    /// The figures by kind.
    #[must_use]
    pub fn by_kind(&self) -> Vec<Row> {
        let rows = self.rows(|truth| truth.kind.clone(), |found| found.kind.clone());
        rows.into_iter().map(|row| Row { rule: None, ..row }).collect()
    }

    fn rows(
        &self,
        of_truth: impl Fn(&TruthIncident) -> String,
        of_found: impl Fn(&FoundIncident) -> String,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        for (name, hours) in &self.hours_of {
            let truth: Vec<_> = self.truth.iter().filter(|truth| of_truth(truth) == *name).cloned().collect();
            let found: Vec<_> = self.found.iter().filter(|found| of_found(found) == *name).cloned().collect();
            let kind = truth.first().map(|truth| truth.kind.clone());
            let Some(kind) = kind.or_else(|| found.first().map(|found| found.kind.clone())) else { continue };
            let report = score(&truth, &[], &found, &Observed::CameraHours(*hours), ScoreParams::default());
            rows.push(Row { kind: Some(kind), rule: Some(name.clone()), ..report.total });
        }
        rows.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| a.rule.cmp(&b.rule)));
        rows
    }
}

//! Camera-hours through the core, scored against the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use analytics::core::Judge;
use analytics::incident::IncidentParams;
use analytics::rules::RuleSpec;
use analytics::track::{Tracker, TrackerParams};
use analytics::{Event, Phase, Point, WallTime};
use evaluation::incidents::{
    Detail, FoundIncident, Observed, Report, Row, ScoreParams, Shown, TruthIncident, Verdict, score,
};

use crate::detector::{Condition, DetectorParams, Sight};
use crate::feed::{Feed, FeedParams};
use crate::place::Place;
use crate::random::Chance;
use crate::rules;
use crate::truth::Incident;
use crate::vehicle::ActorId;
use crate::world::WorldParams;

/// A track's box shows whoever's true box it shares this much with (IoU), if no other shares twice as much.
const SHOWS: f32 = 0.2;
/// Its path shows whoever stood this near to it, in heights of the true box, while what is judged went on …
const PATH_NEAR: f32 = 0.35;
/// … as far back as this, in seconds.
const PATH_S: f64 = 10.0;
/// Since it is known who did it, what is told this late is late and not wrong.
const SCORE: ScoreParams = ScoreParams { tolerance_s: 5.0 };

/// Where everybody stood in one frame.
struct Stood {
    at_s: f64,
    /// Whose body, its bottom centre and its height.
    bodies: Vec<(ActorId, Point, f32)>,
}

/// The last frames.
#[derive(Default)]
struct Past(VecDeque<Stood>);

impl Past {
    fn push(&mut self, at_s: f64, sights: &[Sight]) {
        while self.0.front().is_some_and(|first| at_s - first.at_s > PATH_S) {
            self.0.pop_front();
        }
        let stood = |sight: &Sight| {
            let bbox = sight.bbox.clipped()?;
            Some((sight.body.actor(), bbox.bottom_center(), bbox.height()))
        };
        self.0.push_back(Stood { at_s, bodies: sights.iter().filter_map(stood).collect() });
    }

    /// Who stood nearest to `point` at `at_s`, if near enough.
    fn nearest(&self, at_s: f64, point: Point, aspect: f32) -> Option<ActorId> {
        let after = self.0.partition_point(|stood| stood.at_s < at_s - 1e-3);
        let stood = self.0.get(after)?;
        let apart = stood.bodies.iter().map(|(actor, foot, height)| (foot.distance(point, aspect) / height, *actor));
        let near = apart.filter(|(heights, _)| *heights <= PATH_NEAR);
        near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|(_, actor)| actor)
    }
}

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
    /// This share of the frames is lost by chance before it is looked at, `0..1`.
    pub dropped: f64,
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
    /// For each event, whom its tracks show: track and actor.
    pub shows: Vec<Vec<(u64, ActorId)>>,
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
    let (mut events, mut shows, mut frames, mut boxes) = (Vec::new(), Vec::new(), 0, 0);
    let began_at = feed.begins_at();
    let mut past = Past::default();
    let mut drops = Chance::new(params.seed).part("drops");
    while let Some(frame) = feed.step() {
        if drops.happens(params.dropped) {
            continue;
        }
        frames += 1;
        boxes += frame.detections.len() as u64;
        let mut scene = tracker.update(frame.stamp, frame.aspect, frame.detections);
        scene.signals = frame.signals;
        let told = judge.step(&mut scene, frame.local);
        past.push(scene.stamp.pts.as_secs_f64(), frame.sights);
        shows.extend(told.iter().map(|event| shown(event, frame.sights, &past, frame.aspect)));
        events.extend(told);
    }
    events.extend(judge.finish());
    shows.resize(events.len(), Vec::new());
    let name = format!("{}-{:x}", params.place.name, params.seed);
    let truth = feed.finish();
    Hour { name, seconds: params.seconds, events, shows, began_at, rules, truth, frames, boxes }
}

/// Who truly is where an event's tracks are, or was there while what is judged went on. Where boxes overlap it may be one or
/// the other.
fn shown(event: &Event, sights: &[Sight], past: &Past, aspect: f32) -> Vec<(u64, ActorId)> {
    let mut shown = BTreeSet::new();
    let now_s = event.stamp.pts.as_secs_f64();
    let lasted_s = (event.stamp.captured_at.as_unix_nanos() - event.started_at.as_unix_nanos()) as f64 / 1e9;
    for track in &event.tracks {
        let id = track.track_id.0;
        let shares = |sight: &Sight| sight.bbox.clipped().map_or(0.0, |bbox| bbox.iou(track.bbox));
        let all: Vec<(f32, ActorId)> = sights.iter().map(|sight| (shares(sight), sight.body.actor())).collect();
        let most = all.iter().map(|(share, _)| *share).fold(0.0, f32::max);
        let there = all.into_iter().filter(|(share, _)| *share >= SHOWS.max(most / 2.0));
        shown.extend(there.map(|(_, actor)| (id, actor)));
        let while_judged = track.path.iter().filter(|(ago_s, _)| -ago_s <= lasted_s.max(1.0));
        let was_there = while_judged.filter_map(|(ago_s, point)| past.nearest(now_s + ago_s, *point, aspect));
        shown.extend(was_there.map(|actor| (id, actor)));
    }
    shown.into_iter().collect()
}

/// The incidents that the events tell of, in seconds of the hour.
#[must_use]
pub fn found(hour: &Hour) -> Vec<FoundIncident> {
    let seconds = |at: WallTime| (at.as_unix_nanos() - hour.began_at.as_unix_nanos()) as f64 / 1e9;
    let mut all: Vec<FoundIncident> = Vec::new();
    let mut index = BTreeMap::new();
    for (event, shows) in hour.events.iter().zip(&hour.shows) {
        if event.phase == Phase::New {
            index.insert(event.incident_id, all.len());
            all.push(FoundIncident {
                camera: hour.name.clone(),
                kind: event.rule.kind.wire_label().to_owned(),
                rule: event.rule.id.to_string(),
                zone: event.rule.zone.as_ref().map(ToString::to_string),
                line: event.rule.line.as_ref().map(ToString::to_string),
                direction: event.direction.map(|direction| direction.label().to_owned()),
                start_s: seconds(event.started_at),
                end_s: f64::INFINITY,
                opened_s: event.stamp.pts.as_secs_f64(),
                shows: Some(Vec::new()),
            });
        }
        let Some(found) = index.get(&event.incident_id).map(|index| &mut all[*index]) else { continue };
        found.end_s = event.ended_at.map_or(found.end_s, seconds);
        let known = found.shows.get_or_insert_default();
        for &(track, actor) in shows {
            let actor = u64::from(actor);
            if !known.iter().any(|shown| (shown.track, shown.actor) == (track, actor)) {
                known.push(Shown { track, actor, at_s: event.stamp.pts.as_secs_f64() });
            }
        }
    }
    all
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
        early_s: incident.start_s - incident.possible_s,
        actors: incident.actor.into_iter().chain(incident.other).map(u64::from).collect(),
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
        let report = score(&all, &[], &found, &Observed::CameraHours(hours), SCORE);
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
        score(&self.truth, &[], &self.found, &Observed::CameraHours(self.hours), SCORE)
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
            let report = score(&truth, &[], &found, &Observed::CameraHours(*hours), SCORE);
            rows.push(Row { kind: Some(kind), rule: Some(name.clone()), ..report.total });
        }
        rows.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| a.rule.cmp(&b.rule)));
        rows
    }
}

//! Camera-hours through the core, scored against the truth.

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::track::TrackerParams;
use analytics::{Core, Event, Phase, WallTime};
use evaluation::incidents::{Detail, FoundIncident, Observed, Report, ScoreParams, TruthIncident, Verdict, score};

use crate::detector::{Condition, DetectorParams};
use crate::feed::{Feed, FeedParams};
use crate::place::Place;
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

/// Runs one camera-hour through a fresh core with all the place's rules.
#[must_use]
pub fn hour(params: &HourParams) -> Hour {
    let mut feed = feed(params);
    let mut core = Core::new(CoreParams {
        tracker: TrackerParams::default(),
        rules: rules::of(&params.place),
        incidents: IncidentParams::default(),
        id_seed: params.seed,
    });
    let (mut events, mut frames, mut boxes) = (Vec::new(), 0, 0);
    let began_at = feed.begins_at();
    while let Some(frame) = feed.step() {
        frames += 1;
        boxes += frame.detections.len() as u64;
        let (_, new) = core.step(frame.stamp, frame.local, frame.aspect, frame.detections);
        events.extend(new);
    }
    events.extend(core.finish());
    let name = format!("{}-{:x}", params.place.name, params.seed);
    Hour { name, seconds: params.seconds, events, began_at, truth: feed.finish(), frames, boxes }
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
        kind: incident.kind.wire_label().to_owned(),
        detail: Detail {
            rule: Some(incident.rule.to_owned()),
            direction: incident.direction.map(|direction| direction.label().to_owned()),
            ..Detail::default()
        },
        start_s: incident.start_s,
        end_s: incident.end_s,
    }
}

/// What became of what one hour's core said, against its truth.
#[derive(Debug, Clone, Default)]
pub struct Scored {
    /// The sure incidents.
    pub truth: Vec<TruthIncident>,
    /// What was found, without what was in doubt.
    pub found: Vec<FoundIncident>,
    /// How many found incidents were in doubt: neither right nor wrong.
    pub in_doubt: u64,
    /// Hours of a camera.
    pub hours: f64,
}

impl Scored {
    /// Takes in one more hour. What was found of incidents in doubt is left out.
    pub fn add(&mut self, hour: &Hour) {
        let found = found(hour);
        let all: Vec<TruthIncident> = hour.truth.iter().map(|incident| truth_of(hour, incident)).collect();
        let observed = Observed::CameraHours(hour.seconds / 3600.0);
        let report = score(&all, &[], &found, &observed, ScoreParams::default());
        for (found, verdict) in found.into_iter().zip(&report.verdicts) {
            match verdict {
                Verdict::Detected(j) | Verdict::Duplicate(j) if !hour.truth[*j].is_sure => self.in_doubt += 1,
                _ => self.found.push(found),
            }
        }
        let sure = all.into_iter().zip(&hour.truth).filter(|(_, incident)| incident.is_sure);
        self.truth.extend(sure.map(|(truth, _)| truth));
        self.hours += hour.seconds / 3600.0;
    }

    /// The figures by rule.
    #[must_use]
    pub fn report(&self) -> Report {
        score(&self.truth, &[], &self.found, &Observed::CameraHours(self.hours), ScoreParams::default())
    }
}

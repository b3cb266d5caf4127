//! Incidents against what really happened: detection rate, false alarms per camera-day, time to detect, duplicates.
//!
//! Truth and found incidents are matched one to one where they are of one camera and kind, agree in whatever else the
//! truth names (rule, zone, line, direction), and what was judged, from its beginning to its report, overlaps the truth
//! within a tolerance: an alarm that never ends is nothing that happens later. As many pairs are made as can be and,
//! among those, the ones with the least sum of delays. What is left of the found ones is a *duplicate* where it could
//! have been matched with a truth that another one took, else a *false alarm*.
//!
//! Where the truth says who did it and it is known whom the found one shows, these must be the same: two at once in one
//! zone are not taken for each other. One incident may then be right about several: what belongs together is bundled. A
//! truth that is left over counts as found by an incident that was matched with another one and shows its actor as well,
//! from when it does; but no incident explains more truths than it has tracks.

mod matching;
mod score;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::score::score;
use crate::interval::Rate;

/// What the truth may say of an incident beside camera and kind; what it leaves open fits everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Detail {
    /// The rule's name in the site file.
    pub rule: Option<String>,
    /// The zone.
    pub zone: Option<String>,
    /// The line.
    pub line: Option<String>,
    /// `left_to_right` or `right_to_left`.
    pub direction: Option<String>,
}

/// Something that really happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthIncident {
    /// The camera that saw it.
    pub camera: String,
    /// The kind, as on the wire: `wrong_way`.
    pub kind: String,
    /// What else must agree.
    pub detail: Detail,
    /// When it began, in seconds from an origin that truth, found and observed spans share.
    pub start_s: f64,
    /// When it was over; not before `start_s`.
    pub end_s: f64,
    /// A report so much before `start_s` is of it all the same, and took no time: when it began is not sure. In seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub early_s: f64,
    /// Who did it, any of them; empty where it is of the place as a whole, or nobody noted who.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// Someone who did something, in a track of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shown {
    /// The track.
    pub track: u64,
    /// Who was where it was, by the number that the truth gives.
    pub actor: u64,
    /// When the first event said so, in seconds.
    pub at_s: f64,
}

/// Something that was reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundIncident {
    /// The camera.
    pub camera: String,
    /// The kind, as on the wire.
    pub kind: String,
    /// The rule's name in the site file.
    pub rule: String,
    /// The rule's zone.
    pub zone: Option<String>,
    /// The rule's line.
    pub line: Option<String>,
    /// `left_to_right` or `right_to_left`.
    pub direction: Option<String>,
    /// When what is judged began (`started_at`).
    pub start_s: f64,
    /// When it was over (`ended_at`), infinite while it lasts: for the reader, no figure depends on it.
    pub end_s: f64,
    /// When the report was made (`time` of the event `new`): what an operator waits for.
    pub opened_s: f64,
    /// Whom its tracks show, in its first report and in the later ones; `None` where nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shows: Option<Vec<Shown>>,
}

/// How many incidents there were, where nobody noted when: a hand count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthCount {
    /// The camera.
    pub camera: String,
    /// The kind, as on the wire.
    pub kind: String,
    /// What else must agree.
    pub detail: Detail,
    /// Found incidents that were opened from here on count …
    pub start_s: f64,
    /// … until here.
    pub end_s: f64,
    /// How many there were.
    pub count: u64,
}

/// A time over which someone looked at a camera and noted all that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// The camera.
    pub camera: String,
    /// From.
    pub start_s: f64,
    /// To; after `start_s`.
    pub end_s: f64,
    /// The kinds that were noted; empty for all. What is found of others is not judged.
    pub kinds: Vec<String>,
}

/// What was observed: the denominator of false alarms.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// So many camera-hours in all, whatever the kind; every found incident is judged.
    CameraHours(f64),
    /// These times. A found incident outside them is not judged.
    Spans(Vec<Span>),
}

/// How strictly found incidents are compared with the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreParams {
    /// Times may be apart by this much and still overlap. More forgives sloppier annotation and pairs what happened
    /// close together; less counts one incident as both missed and false.
    pub tolerance_s: f64,
}

impl Default for ScoreParams {
    fn default() -> Self {
        Self { tolerance_s: 2.0 }
    }
}

/// What became of a found incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is this truth incident (index).
    Detected(usize),
    /// It is this truth incident too (index), and was not the one that was matched.
    Duplicate(usize),
    /// Nothing such happened.
    FalseAlarm,
    /// It is one of those that were only counted (index of the count).
    Counted(usize),
    /// Nobody looked for it then and there.
    NotJudged,
}

/// How long it took from an incident's beginning to its report, over the detected ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Delay {
    /// How many were detected: the denominator.
    pub count: u64,
    /// Mean, in seconds. A report before the noted beginning counts as 0.
    pub mean_s: f64,
    /// Half of them took no longer.
    pub median_s: f64,
    /// 95 % of them took no longer (nearest rank).
    pub p95_s: f64,
}

/// One line of the report: a rule, a kind, or all together.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Row {
    /// The kind; `None` for all together.
    pub kind: Option<String>,
    /// The rule; `None` where the truth tells kinds only.
    pub rule: Option<String>,
    /// How many really happened: the denominator of the detection rate.
    pub truths: u64,
    /// How many of those were found.
    pub detected: u64,
    /// `detected` of `truths`.
    pub detection_rate: Option<Rate>,
    /// How many were reported: the denominator of the shares.
    pub found: u64,
    /// How many of those never happened.
    pub false_alarms: u64,
    /// `false_alarms` of `found`.
    pub false_share: Option<Rate>,
    /// How long cameras were observed for this: the denominator of false alarms per camera-day.
    pub camera_hours: f64,
    /// `false_alarms` per 24 camera-hours.
    pub false_alarms_per_camera_day: Option<Rate>,
    /// How many were reported again.
    pub duplicates: u64,
    /// `duplicates` of `found`.
    pub duplicate_share: Option<Rate>,
    /// From the beginning to the report.
    pub time_to_detect: Option<Delay>,
}

/// A hand count and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountScore {
    /// The hand count.
    pub truth: TruthCount,
    /// How many were found in its time.
    pub found: u64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// A line a rule or kind, in alphabetical order.
    pub by_rule: Vec<Row>,
    /// All together.
    pub total: Row,
    /// The hand counts; they are in no row, since an error of one kind hides one of the other.
    pub counts: Vec<CountScore>,
    /// For each truth incident the found one (index) that was matched with it, or explains it too; in the order they were
    /// given.
    pub matched: Vec<Option<usize>>,
    /// For each found incident what became of it; in the order they were given.
    pub verdicts: Vec<Verdict>,
    /// Found incidents that were not judged.
    pub not_judged: u64,
}

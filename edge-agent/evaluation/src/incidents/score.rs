//! From verdicts to figures.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::{judge, told_s};
use super::{
    CountScore, Delay, FoundIncident, Observed, Report, Row, ScoreParams, Span, TruthCount, TruthIncident, Verdict,
};
use crate::interval::Rate;

/// Compares what was found with what really happened. Times are finite, but for the end of what still lasts; ends are
/// not before starts.
///
/// A row is a rule where the truth names it, else a kind; found incidents that no truth is like have a row a rule.
#[must_use]
pub fn score(
    truth: &[TruthIncident],
    counts: &[TruthCount],
    found: &[FoundIncident],
    observed: &Observed,
    params: ScoreParams,
) -> Report {
    let (verdicts, matched) = judge(truth, counts, found, observed, params);
    let mut rows: BTreeMap<Key, Sums> = BTreeMap::new();
    let mut total = Sums::default();
    for (truth, matched) in truth.iter().zip(&matched) {
        let delay = matched.map(|i| (told_s(&found[i], truth) - truth.start_s).max(0.0));
        for sums in [rows.entry(Key::of_truth(truth)).or_default(), &mut total] {
            sums.truths += 1;
            sums.delays.extend(delay);
        }
    }
    let of_truth: BTreeSet<Key> = rows.keys().cloned().collect();
    for (found, verdict) in found.iter().zip(&verdicts) {
        let key = match verdict {
            Verdict::NotJudged | Verdict::Counted(_) => continue,
            Verdict::Detected(j) | Verdict::Duplicate(j) => Key::of_truth(&truth[*j]),
            Verdict::FalseAlarm => Key::of_false_alarm(found, &of_truth),
        };
        for sums in [rows.entry(key).or_default(), &mut total] {
            sums.found += 1;
            sums.false_alarms += u64::from(*verdict == Verdict::FalseAlarm);
            sums.duplicates += u64::from(matches!(verdict, Verdict::Duplicate(_)));
        }
    }
    let count_score = |(k, count): (usize, &TruthCount)| CountScore {
        truth: count.clone(),
        found: verdicts.iter().filter(|verdict| **verdict == Verdict::Counted(k)).count() as u64,
    };
    let by_rule = rows.into_iter().map(|(key, sums)| {
        let hours = camera_hours(observed, Some(&key.kind));
        Row { kind: Some(key.kind), rule: key.rule, ..sums.row(hours) }
    });
    Report {
        by_rule: by_rule.collect(),
        total: total.row(camera_hours(observed, None)),
        counts: counts.iter().enumerate().map(count_score).collect(),
        not_judged: verdicts.iter().filter(|verdict| **verdict == Verdict::NotJudged).count() as u64,
        matched,
        verdicts,
    }
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    rule: Option<String>,
}

impl Key {
    fn of_truth(truth: &TruthIncident) -> Self {
        Self { kind: truth.kind.clone(), rule: truth.detail.rule.clone() }
    }

    fn of_false_alarm(found: &FoundIncident, of_truth: &BTreeSet<Self>) -> Self {
        let of_rule = Self { kind: found.kind.clone(), rule: Some(found.rule.clone()) };
        let of_kind = Self { kind: found.kind.clone(), rule: None };
        if !of_truth.contains(&of_rule) && of_truth.contains(&of_kind) { of_kind } else { of_rule }
    }
}

#[derive(Debug, Default)]
struct Sums {
    truths: u64,
    found: u64,
    false_alarms: u64,
    duplicates: u64,
    delays: Vec<f64>,
}

impl Sums {
    fn row(self, camera_hours: f64) -> Row {
        let detected = self.delays.len() as u64;
        Row {
            kind: None,
            rule: None,
            truths: self.truths,
            detected,
            detection_rate: Rate::share(detected, self.truths),
            found: self.found,
            false_alarms: self.false_alarms,
            false_share: Rate::share(self.false_alarms, self.found),
            camera_hours,
            false_alarms_per_camera_day: Rate::per(self.false_alarms, camera_hours / 24.0),
            duplicates: self.duplicates,
            duplicate_share: Rate::share(self.duplicates, self.found),
            time_to_detect: delay(self.delays),
        }
    }
}

fn delay(mut delays: Vec<f64>) -> Option<Delay> {
    let n = delays.len();
    delays.sort_by(f64::total_cmp);
    let (lower, upper) = (*delays.get(n.checked_sub(1)? / 2)?, *delays.get(n / 2)?);
    // The least one that at least 95 % do not exceed.
    let rank = (n * 95).div_ceil(100) - 1;
    Some(Delay {
        count: n as u64,
        mean_s: delays.iter().sum::<f64>() / n as f64,
        median_s: f64::midpoint(lower, upper),
        p95_s: delays[rank],
    })
}

/// How long cameras were observed for this kind; for anything, without one. Spans that overlap count once.
fn camera_hours(observed: &Observed, kind: Option<&str>) -> f64 {
    let spans = match observed {
        Observed::CameraHours(hours) => return *hours,
        Observed::Spans(spans) => spans,
    };
    let is_for = |span: &&Span| kind.is_none_or(|kind| span.kinds.is_empty() || span.kinds.iter().any(|k| k == kind));
    let mut spans: Vec<&Span> = spans.iter().filter(is_for).collect();
    spans.sort_by(|a, b| a.camera.cmp(&b.camera).then(a.start_s.total_cmp(&b.start_s)));
    let (mut seconds, mut camera, mut until) = (0.0, "", f64::NEG_INFINITY);
    for span in spans {
        if span.camera != camera {
            (camera, until) = (&span.camera, f64::NEG_INFINITY);
        }
        seconds += (span.end_s - span.start_s.max(until)).max(0.0);
        until = until.max(span.end_s);
    }
    seconds / 3600.0
}

//! Which found incident is which truth.

use std::collections::BTreeMap;

use super::{Detail, FoundIncident, Observed, ScoreParams, Span, TruthCount, TruthIncident, Verdict};
use crate::assignment::{Gains, assign_most};

/// The verdict on each found incident, and for each truth the one that was matched with it.
pub(super) fn judge(
    truth: &[TruthIncident],
    counts: &[TruthCount],
    found: &[FoundIncident],
    observed: &Observed,
    params: ScoreParams,
) -> (Vec<Verdict>, Vec<Option<usize>>) {
    let mut verdicts: Vec<Verdict> = found.iter().map(|found| first_verdict(found, counts, observed)).collect();
    let may_match = pairs(truth, found, &verdicts, params.tolerance_s);
    let delay = |i: usize, j: usize| (i, (found[i].opened_s - truth[j].start_s).abs().min(1e9));
    let costs: Gains =
        may_match.iter().enumerate().map(|(j, row)| row.iter().map(|&i| delay(i, j)).collect()).collect();
    let matched = assign_most(&costs, found.len());
    for (j, row) in may_match.iter().enumerate() {
        for &i in row.iter().filter(|_| matched[j].is_some()) {
            if verdicts[i] == Verdict::FalseAlarm {
                verdicts[i] = Verdict::Duplicate(j);
            }
        }
    }
    for (j, i) in matched.iter().enumerate() {
        if let Some(i) = *i {
            verdicts[i] = Verdict::Detected(j);
        }
    }
    (verdicts, matched)
}

/// What can be said of a found incident before any truth is looked at; `FalseAlarm` is open to a better one.
fn first_verdict(found: &FoundIncident, counts: &[TruthCount], observed: &Observed) -> Verdict {
    if let Some(k) = counts.iter().position(|count| counts_in(count, found)) {
        return Verdict::Counted(k);
    }
    let is_judged = match observed {
        Observed::CameraHours(_) => true,
        Observed::Spans(spans) => spans.iter().any(|span| covers(span, found)),
    };
    if is_judged { Verdict::FalseAlarm } else { Verdict::NotJudged }
}

fn counts_in(count: &TruthCount, found: &FoundIncident) -> bool {
    count.camera == found.camera
        && count.kind == found.kind
        && agrees(&count.detail, found)
        && (count.start_s..=count.end_s).contains(&found.opened_s)
}

/// Whether someone looked for this kind then and there: what was reported within the span, or lasted into it.
fn covers(span: &Span, found: &FoundIncident) -> bool {
    span.camera == found.camera
        && (span.kinds.is_empty() || span.kinds.contains(&found.kind))
        && found.start_s <= span.end_s
        && found.end_s.max(found.opened_s) >= span.start_s
}

/// Whether what the truth names is so.
fn agrees(detail: &Detail, found: &FoundIncident) -> bool {
    let same = |wanted: &Option<String>, is: Option<&String>| wanted.is_none() || wanted.as_ref() == is;
    same(&detail.rule, Some(&found.rule))
        && same(&detail.zone, found.zone.as_ref())
        && same(&detail.line, found.line.as_ref())
        && same(&detail.direction, found.direction.as_ref())
}

/// For each truth the found incidents that it may be matched with, ascending.
fn pairs(truth: &[TruthIncident], found: &[FoundIncident], verdicts: &[Verdict], tolerance_s: f64) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (i, found) in found.iter().enumerate() {
        if verdicts[i] == Verdict::FalseAlarm {
            groups.entry((&found.camera, &found.kind)).or_default().push(i);
        }
    }
    for group in groups.values_mut() {
        group.sort_by(|&a, &b| found[a].start_s.total_cmp(&found[b].start_s));
    }
    let longest = |group: &[usize]| group.iter().map(|&i| last(&found[i]) - found[i].start_s).fold(0.0, f64::max);
    let groups: BTreeMap<_, _> = groups.into_iter().map(|(key, group)| (key, (longest(&group), group))).collect();
    truth
        .iter()
        .map(|truth| {
            let Some((longest, group)) = groups.get(&(truth.camera.as_str(), truth.kind.as_str())) else {
                return Vec::new();
            };
            let (from, to) = (truth.start_s - tolerance_s, truth.end_s + tolerance_s);
            let first = group.partition_point(|&i| found[i].start_s + longest < from);
            let near = group[first..].iter().take_while(|&&i| found[i].start_s <= to);
            let mut near: Vec<usize> =
                near.copied().filter(|&i| last(&found[i]) >= from && agrees(&truth.detail, &found[i])).collect();
            near.sort_unstable();
            near
        })
        .collect()
}

/// A report belongs to its incident even where it came after the end.
fn last(found: &FoundIncident) -> f64 {
    found.end_s.max(found.opened_s)
}

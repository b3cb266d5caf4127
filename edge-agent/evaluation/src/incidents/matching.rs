//! Which found incident is which truth.

use std::collections::{BTreeMap, BTreeSet};

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
    let mut verdicts: Vec<Verdict> =
        found.iter().map(|found| first_verdict(found, counts, observed, params.tolerance_s)).collect();
    let may_match = pairs(truth, found, &verdicts, params.tolerance_s);
    let delay = |i: usize, j: usize| (i, (told_s(&found[i], &truth[j]) - truth[j].start_s).abs().min(1e9));
    let costs: Gains =
        may_match.iter().enumerate().map(|(j, row)| row.iter().map(|&i| delay(i, j)).collect()).collect();
    let mut matched = assign_most(&costs, found.len());
    explain(truth, found, &may_match, &mut matched);
    for (j, row) in may_match.iter().enumerate() {
        for &i in row.iter().filter(|_| matched[j].is_some()) {
            if verdicts[i] == Verdict::FalseAlarm {
                verdicts[i] = Verdict::Duplicate(j);
            }
        }
    }
    for (j, i) in matched.iter().enumerate().rev() {
        if let Some(i) = *i {
            verdicts[i] = Verdict::Detected(j);
        }
    }
    (verdicts, matched)
}

/// Gives truths that are left over to incidents that are right about another one and show who did this one as well: each
/// as many as it has tracks.
fn explain(truth: &[TruthIncident], found: &[FoundIncident], may_match: &[Vec<usize>], matched: &mut [Option<usize>]) {
    let mut explains: BTreeMap<usize, usize> = BTreeMap::new();
    for i in matched.iter().flatten() {
        *explains.entry(*i).or_default() += 1;
    }
    for (j, row) in may_match.iter().enumerate() {
        if matched[j].is_some() || truth[j].actors.is_empty() {
            continue;
        }
        let has_room = |i: &&usize| explains.get(i).is_some_and(|count| *count < tracks(&found[**i]));
        let first = row
            .iter()
            .filter(has_room)
            .min_by(|a, b| told_s(&found[**a], &truth[j]).total_cmp(&told_s(&found[**b], &truth[j])).then(a.cmp(b)));
        if let Some(&i) = first {
            *explains.entry(i).or_default() += 1;
            matched[j] = Some(i);
        }
    }
}

/// How many tracks it is known to have.
fn tracks(found: &FoundIncident) -> usize {
    let shows = found.shows.iter().flatten();
    shows.map(|shown| shown.track).collect::<BTreeSet<u64>>().len()
}

/// When it was first said of whoever did this: with the report, unless it is known whom that shows.
pub(super) fn told_s(found: &FoundIncident, truth: &TruthIncident) -> f64 {
    let Some(shows) = found.shows.as_ref().filter(|_| !truth.actors.is_empty()) else { return found.opened_s };
    let of_it = shows.iter().filter(|shown| truth.actors.contains(&shown.actor));
    of_it.map(|shown| shown.at_s).fold(f64::INFINITY, f64::min)
}

/// What can be said of a found incident before any truth is looked at; `FalseAlarm` is open to a better one.
fn first_verdict(found: &FoundIncident, counts: &[TruthCount], observed: &Observed, tolerance_s: f64) -> Verdict {
    if let Some(k) = counts.iter().position(|count| counts_in(count, found)) {
        return Verdict::Counted(k);
    }
    let is_judged = match observed {
        Observed::CameraHours(_) => true,
        Observed::Spans(spans) => spans.iter().any(|span| covers(span, found, tolerance_s)),
    };
    if is_judged { Verdict::FalseAlarm } else { Verdict::NotJudged }
}

fn counts_in(count: &TruthCount, found: &FoundIncident) -> bool {
    count.camera == found.camera
        && count.kind == found.kind
        && agrees(&count.detail, found)
        && (count.start_s..=count.end_s).contains(&found.opened_s)
}

/// Whether someone looked for this kind when it was reported, or when what was reported began: of a report from before
/// they looked nobody knows whether it was right.
fn covers(span: &Span, found: &FoundIncident, tolerance_s: f64) -> bool {
    span.camera == found.camera
        && (span.kinds.is_empty() || span.kinds.contains(&found.kind))
        && found.start_s <= span.end_s
        && found.opened_s >= span.start_s - tolerance_s
}

/// Whether what the truth names is so.
fn agrees(detail: &Detail, found: &FoundIncident) -> bool {
    let same = |wanted: &Option<String>, is: Option<&String>| wanted.is_none() || wanted.as_ref() == is;
    same(&detail.rule, Some(&found.rule))
        && same(&detail.zone, found.zone.as_ref())
        && same(&detail.line, found.line.as_ref())
        && same(&detail.direction, found.direction.as_ref())
}

/// When someone was last shown for the first time.
fn last_told_s(found: &FoundIncident) -> f64 {
    found.shows.iter().flatten().map(|shown| shown.at_s).fold(found.opened_s, f64::max)
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
        group.sort_by(|&a, &b| last_told_s(&found[a]).total_cmp(&last_told_s(&found[b])));
    }
    let lasts = |found: &FoundIncident| last_told_s(found) - found.start_s;
    let longest = found.iter().map(lasts).fold(0.0, f64::max);
    let near = |truth: &TruthIncident| {
        let group = groups.get(&(truth.camera.as_str(), truth.kind.as_str())).map_or(&[][..], Vec::as_slice);
        let (from, to) = (truth.start_s - truth.early_s - tolerance_s, truth.end_s + tolerance_s);
        let first = group.partition_point(|&i| last_told_s(&found[i]) < from);
        let near = group[first..].iter().copied().take_while(|&i| last_told_s(&found[i]) <= to + longest);
        let is_then = |i: usize| {
            let told = told_s(&found[i], truth);
            found[i].start_s <= to && told >= from && told.is_finite()
        };
        let mut near: Vec<usize> = near.filter(|&i| is_then(i) && agrees(&truth.detail, &found[i])).collect();
        near.sort_unstable();
        near
    };
    truth.iter().map(near).collect()
}

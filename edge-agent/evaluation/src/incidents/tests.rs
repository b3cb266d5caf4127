//! Small cases with a plain answer, and what holds for all.

use proptest::prelude::*;

use super::*;

fn truth(camera: &str, kind: &str, (start_s, end_s): (f64, f64)) -> TruthIncident {
    TruthIncident {
        camera: camera.into(),
        kind: kind.into(),
        detail: Detail::default(),
        start_s,
        end_s,
        early_s: 0.0,
        actors: Vec::new(),
    }
}

fn found(camera: &str, kind: &str, (start_s, opened_s, end_s): (f64, f64, f64)) -> FoundIncident {
    FoundIncident {
        camera: camera.into(),
        kind: kind.into(),
        rule: format!("{kind}-rule"),
        zone: None,
        line: None,
        direction: None,
        start_s,
        end_s,
        opened_s,
        shows: None,
    }
}

fn day(camera: &str) -> Span {
    Span { camera: camera.into(), start_s: 0.0, end_s: 86_400.0, kinds: Vec::new() }
}

fn scored(truth: &[TruthIncident], found: &[FoundIncident]) -> Report {
    score(truth, &[], found, &Observed::CameraHours(24.0), ScoreParams::default())
}

#[test]
fn each_verdict_has_its_case() {
    let truths = [truth("a", "wrong_way", (100.0, 110.0)), truth("a", "wrong_way", (500.0, 510.0))];
    let founds = [
        found("a", "wrong_way", (101.0, 103.0, 108.0)),
        // The same lorry again.
        found("a", "wrong_way", (109.0, 111.0, 112.0)),
        found("a", "wrong_way", (300.0, 302.0, 303.0)),
        // Of another camera, of another kind.
        found("b", "wrong_way", (500.0, 502.0, 505.0)),
        found("a", "crowding", (500.0, 502.0, 505.0)),
    ];
    let report = scored(&truths, &founds);
    assert_eq!(
        report.verdicts,
        [Verdict::Detected(0), Verdict::Duplicate(0), Verdict::FalseAlarm, Verdict::FalseAlarm, Verdict::FalseAlarm]
    );
    assert_eq!(report.matched, [Some(0), None]);
    let [crowding, wrong_way] = report.by_rule.as_slice() else { panic!("{:?}", report.by_rule) };
    assert_eq!((crowding.truths, crowding.false_alarms, crowding.detection_rate), (0, 1, None));
    assert_eq!(crowding.rule.as_deref(), Some("crowding-rule"));
    assert_eq!((wrong_way.truths, wrong_way.detected, wrong_way.found), (2, 1, 4));
    assert_eq!((wrong_way.false_alarms, wrong_way.duplicates), (2, 1));
    assert_eq!(wrong_way.detection_rate.map(|rate| rate.value), Some(0.5));
    assert_eq!(wrong_way.false_alarms_per_camera_day.map(|rate| rate.value), Some(2.0));
    let delay = wrong_way.time_to_detect.expect("one was detected");
    assert_eq!((delay.count, delay.mean_s, delay.median_s, delay.p95_s), (1, 3.0, 3.0, 3.0));
    assert_eq!((report.total.truths, report.total.found, report.total.false_alarms), (2, 5, 3));
}

#[test]
fn two_at_once_are_told_apart_by_who_did_it() {
    let by = |actor: u64, span| TruthIncident { actors: vec![actor], ..truth("a", "stopped_vehicle", span) };
    let showing = |tracks: &[(u64, u64, f64)], at: f64| {
        let shows = tracks.iter().map(|&(track, actor, at_s)| Shown { track, actor, at_s }).collect();
        FoundIncident { shows: Some(shows), ..found("a", "stopped_vehicle", (at, at + 5.0, at + 60.0)) }
    };
    let truths = [by(1, (100.0, 160.0)), by(2, (101.0, 150.0))];
    // Of the second alone, though it comes first by time.
    assert_eq!(scored(&truths, &[showing(&[(7, 2, 105.0)], 100.0)]).matched, [None, Some(0)]);
    // Of someone else.
    let report = scored(&truths, &[showing(&[(7, 3, 105.0)], 100.0), showing(&[], 102.0)]);
    assert_eq!(report.verdicts, [Verdict::FalseAlarm; 2]);
    // Of both, the second added later; a third that it does not show.
    let three = [truths[0].clone(), truths[1].clone(), by(3, (101.0, 150.0))];
    let report = scored(&three, &[showing(&[(7, 1, 105.0), (8, 2, 107.0)], 100.0)]);
    assert_eq!((report.matched.as_slice(), report.total.detected), ([Some(0), Some(0), None].as_slice(), 2));
    assert_eq!(report.total.time_to_detect.expect("found").mean_s, 5.5);
    assert_eq!((report.total.found, report.total.duplicates), (1, 0));
    // One track is one of them.
    let report = scored(&truths, &[showing(&[(7, 1, 105.0), (7, 2, 105.0)], 100.0)]);
    assert_eq!(report.total.detected, 1);
    // What was judged after it was over is something else.
    assert_eq!(scored(&truths, &[showing(&[(7, 1, 170.0)], 165.0)]).verdicts, [Verdict::FalseAlarm]);
    // Where nobody knows whom it shows, the time decides.
    let unknown = found("a", "stopped_vehicle", (100.0, 105.0, 160.0));
    assert_eq!(scored(&truths, &[unknown]).total.detected, 1);
}

#[test]
fn the_tolerance_decides_at_its_edge() {
    let truths = [truth("a", "line_crossing", (10.0, 10.0))];
    for (at, verdict) in [(12.0, Verdict::Detected(0)), (8.0, Verdict::Detected(0)), (12.001, Verdict::FalseAlarm)] {
        assert_eq!(scored(&truths, &[found("a", "line_crossing", (at, at, at))]).verdicts, [verdict]);
    }
}

#[test]
fn an_early_report_takes_no_time() {
    let report = scored(&[truth("a", "crowding", (10.0, 50.0))], &[found("a", "crowding", (8.0, 9.0, 20.0))]);
    assert_eq!(report.total.time_to_detect.expect("detected").mean_s, 0.0);
}

#[test]
fn one_that_still_lasts_is_matched() {
    let report =
        scored(&[truth("a", "crowding", (10.0, 50.0))], &[found("a", "crowding", (12.0, 15.0, f64::INFINITY))]);
    assert_eq!(report.verdicts, [Verdict::Detected(0)]);
}

#[test]
fn an_alarm_that_never_ends_detects_nothing_later() {
    let truths = [truth("a", "crowding", (1000.0, 1050.0))];
    let report = scored(&truths, &[found("a", "crowding", (12.0, 15.0, f64::INFINITY))]);
    assert_eq!(report.verdicts, [Verdict::FalseAlarm]);
}

#[test]
fn a_report_from_before_anyone_looked_is_not_judged() {
    let span = Span { start_s: 100.0, ..day("a") };
    let founds = [found("a", "crowding", (12.0, 15.0, f64::INFINITY)), found("a", "crowding", (96.0, 99.0, 120.0))];
    let report = score(&[], &[], &founds, &Observed::Spans(vec![span]), ScoreParams::default());
    assert_eq!(report.verdicts, [Verdict::NotJudged, Verdict::FalseAlarm]);
}

#[test]
fn matching_is_the_most_that_can_be_made() {
    // The first truth could take either; if it took the nearer one, the second would stay alone.
    let truths = [truth("a", "line_crossing", (10.0, 10.0)), truth("a", "line_crossing", (12.5, 12.5))];
    let crossing = |at| found("a", "line_crossing", (at, at, at));
    let report = scored(&truths, &[crossing(10.9), crossing(8.5)]);
    assert_eq!(report.matched, [Some(1), Some(0)]);
}

#[test]
fn the_first_of_several_reports_is_the_detection() {
    let truths = [truth("a", "stopped_vehicle", (0.0, 100.0))];
    let report = |opened: f64| found("a", "stopped_vehicle", (opened, opened, opened + 5.0));
    let report = scored(&truths, &[report(60.0), report(12.0), report(80.0)]);
    assert_eq!(report.verdicts, [Verdict::Duplicate(0), Verdict::Detected(0), Verdict::Duplicate(0)]);
    assert_eq!(report.total.time_to_detect.expect("detected").mean_s, 12.0);
}

#[test]
fn what_the_truth_names_must_agree() {
    let mut named = truth("a", "line_crossing", (10.0, 10.0));
    named.detail.direction = Some("left_to_right".into());
    let mut crossing = found("a", "line_crossing", (10.0, 10.0, 10.0));
    for (direction, verdict) in [
        (Some("left_to_right"), Verdict::Detected(0)),
        (Some("right_to_left"), Verdict::FalseAlarm),
        (None, Verdict::FalseAlarm),
    ] {
        crossing.direction = direction.map(str::to_owned);
        assert_eq!(scored(&[named.clone()], &[crossing.clone()]).verdicts, [verdict]);
    }
}

#[test]
fn rows_are_rules_where_the_truth_names_them() {
    let mut named = truth("a", "intrusion", (10.0, 20.0));
    named.detail.rule = Some("intrusion-rule".into());
    let mut other = found("a", "intrusion", (300.0, 301.0, 302.0));
    other.rule = "yard".into();
    let report = scored(&[named], &[found("a", "intrusion", (11.0, 12.0, 13.0)), other]);
    let rows: Vec<_> = report.by_rule.iter().map(|row| (row.rule.as_deref(), row.truths, row.false_alarms)).collect();
    assert_eq!(rows, [(Some("intrusion-rule"), 1, 0), (Some("yard"), 0, 1)]);
}

#[test]
fn what_nobody_looked_for_is_not_judged() {
    let spans = vec![
        Span { camera: "a".into(), start_s: 0.0, end_s: 3600.0, kinds: vec!["wrong_way".into()] },
        // Overlaps: an hour more, not two.
        Span { camera: "a".into(), start_s: 1800.0, end_s: 7200.0, kinds: vec!["wrong_way".into(), "crowding".into()] },
    ];
    let at = |kind, at| found("a", kind, (at, at + 1.0, at + 2.0));
    let founds = [at("wrong_way", 100.0), at("crowding", 100.0), at("crowding", 2000.0), at("wrong_way", 9000.0)];
    let report = score(&[], &[], &founds, &Observed::Spans(spans), ScoreParams::default());
    use Verdict::{FalseAlarm, NotJudged};
    assert_eq!(report.verdicts, [FalseAlarm, NotJudged, FalseAlarm, NotJudged]);
    assert_eq!(report.not_judged, 2);
    let hours: Vec<_> = report.by_rule.iter().map(|row| (row.kind.as_deref(), row.camera_hours)).collect();
    assert_eq!(hours, [(Some("crowding"), 1.5), (Some("wrong_way"), 2.0)]);
    assert_eq!(report.total.camera_hours, 2.0);
}

#[test]
fn a_hand_count_takes_what_fits_it() {
    let count = TruthCount {
        camera: "a".into(),
        kind: "line_crossing".into(),
        detail: Detail { line: Some("mid".into()), ..Detail::default() },
        start_s: 0.0,
        end_s: 60.0,
        count: 3,
    };
    let crossing =
        |line: &str, at: f64| FoundIncident { line: Some(line.into()), ..found("a", "line_crossing", (at, at, at)) };
    let founds = [crossing("mid", 1.0), crossing("mid", 60.0), crossing("mid", 61.0), crossing("far", 5.0)];
    let report = score(&[], &[count], &founds, &Observed::Spans(vec![day("a")]), ScoreParams::default());
    use Verdict::{Counted, FalseAlarm};
    assert_eq!(report.verdicts, [Counted(0), Counted(0), FalseAlarm, FalseAlarm]);
    assert_eq!((report.counts[0].found, report.counts[0].truth.count), (2, 3));
    assert_eq!(report.total.found, 2);
}

#[test]
fn nothing_at_all_has_no_rates() {
    let report = scored(&[], &[]);
    assert!(report.by_rule.is_empty());
    assert_eq!((report.total.detection_rate, report.total.time_to_detect), (None, None));
    assert_eq!(report.total.false_alarms_per_camera_day.map(|rate| rate.value), Some(0.0));
}

#[test]
fn the_95th_percentile_is_the_nearest_rank() {
    let truths: Vec<_> =
        (0..20).map(|i| truth("a", "crowding", (100.0 * f64::from(i), 100.0 * f64::from(i) + 50.0))).collect();
    let founds: Vec<_> = (0..20)
        .map(|i| found("a", "crowding", (100.0 * f64::from(i), 101.0 * f64::from(i), 100.0 * f64::from(i) + 30.0)))
        .collect();
    let delay = scored(&truths, &founds).total.time_to_detect.expect("all were detected");
    assert_eq!((delay.count, delay.mean_s, delay.median_s, delay.p95_s), (20, 9.5, 9.5, 18.0));
}

fn any_truths() -> impl Strategy<Value = Vec<TruthIncident>> {
    let one = (0u8..2, 0u8..2, 0u32..200, 0u32..20).prop_map(|(camera, kind, start, lasts)| {
        let start = f64::from(start);
        truth(["a", "b"][usize::from(camera)], ["k", "l"][usize::from(kind)], (start, start + f64::from(lasts)))
    });
    proptest::collection::vec(one, 0..12)
}

fn any_founds() -> impl Strategy<Value = Vec<FoundIncident>> {
    let one = (0u8..2, 0u8..2, 0u32..200, 0u32..5, 0u32..20).prop_map(|(camera, kind, start, hold, lasts)| {
        let start = f64::from(start);
        let times = (start, start + f64::from(hold), start + f64::from(lasts));
        found(["a", "b"][usize::from(camera)], ["k", "l"][usize::from(kind)], times)
    });
    proptest::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn every_found_incident_is_one_of_three(truths in any_truths(), founds in any_founds()) {
        let Report { total, by_rule, .. } = scored(&truths, &founds);
        prop_assert_eq!(total.detected + total.duplicates + total.false_alarms, total.found);
        prop_assert_eq!(total.found, founds.len() as u64);
        prop_assert_eq!(by_rule.iter().map(|row| row.detected).sum::<u64>(), total.detected);
        prop_assert_eq!(by_rule.iter().map(|row| row.found).sum::<u64>(), total.found);
        prop_assert!(total.detected <= total.truths);
    }

    #[test]
    fn the_order_of_what_was_found_changes_no_figure(truths in any_truths(), founds in any_founds()) {
        let turned: Vec<_> = founds.iter().rev().cloned().collect();
        let (a, b) = (scored(&truths, &founds).total, scored(&truths, &turned).total);
        prop_assert_eq!((a.detected, a.false_alarms, a.duplicates), (b.detected, b.false_alarms, b.duplicates));
        let mean = |row: &Row| row.time_to_detect.map_or(0.0, |delay| delay.mean_s * delay.count as f64);
        // Reports before the beginning count as 0, and equal sums of |delay| may hold more or fewer of them.
        prop_assert!(truths.len() > 1 || (mean(&a) - mean(&b)).abs() < 1e-9);
    }

    #[test]
    fn the_truth_reported_as_it_is_has_no_fault(truths in any_truths()) {
        let founds: Vec<_> =
            truths.iter().map(|truth| found(&truth.camera, &truth.kind, (truth.start_s, truth.start_s, truth.end_s))).collect();
        let total = scored(&truths, &founds).total;
        prop_assert_eq!((total.detected, total.false_alarms, total.duplicates), (truths.len() as u64, 0, 0));
        prop_assert!(total.time_to_detect.is_none_or(|delay| delay.mean_s == 0.0));
    }

    #[test]
    fn more_tolerance_never_finds_less(truths in any_truths(), founds in any_founds(), tolerance_s in 0.0f64..20.0) {
        let with = |tolerance_s| {
            score(&truths, &[], &founds, &Observed::CameraHours(1.0), ScoreParams { tolerance_s }).total.detected
        };
        prop_assert!(with(tolerance_s) <= with(tolerance_s + 5.0));
    }
}

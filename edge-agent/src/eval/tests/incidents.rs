//! Truth files and files of events.

use std::path::Path;

use evaluation::incidents::{Observed, ScoreParams, Verdict, score};

use super::{file, told};
use crate::eval::{events, truth};

pub(super) const TRUTH: &str = r#"
start = "2026-11-22T06:00:00+07:00"
[[observed]]
camera = "nam"
start = "0s"
end = "1:00:00"
[[incident]]
camera = "nam"
kind = "wrong-way"
start = "10:30.5"
end = "2026-11-22T06:10:40+07:00"
[[count]]
camera = "nam"
kind = "line-crossing"
line = "mid"
direction = "left-to-right"
count = 9
"#;

#[test]
fn times_are_written_as_people_do() {
    let truth = truth::parse(file(), TRUTH).expect("is right");
    let origin = 1_795_302_000.0;
    let incident = &truth.incidents[0];
    assert_eq!(
        (incident.kind.as_str(), incident.start_s, incident.end_s),
        ("wrong_way", origin + 630.5, origin + 640.0)
    );
    assert_eq!(truth.counts[0].detail.direction.as_deref(), Some("left_to_right"));
    let Observed::Spans(spans) = truth.observed(None).expect("observed") else { panic!("spans") };
    assert_eq!((spans[0].start_s, spans[0].end_s), (origin, origin + 3600.0));
    assert_eq!(truth.observed(Some(5.0)).expect("given"), Observed::CameraHours(5.0));
}

#[test]
fn what_is_wrong_with_a_truth_is_told_all_at_once() {
    let text = r#"
[[observed]]
camera = "nam"
start = "0s"
end = "0s"
[[observed]]
camera = "bac"
start = "0s"
end = "1h"
kinds = ["flying"]
[[incident]]
camera = "Nam!"
kind = "wrong-way"
start = "12.5"
[[incident]]
kind = "line-crossing"
start = "1:75:00"
colour = "red"
[[count]]
camera = "bac"
kind = "line-crossing"
count = -1
direction = "up"
[[incident]]
camera = "bac"
kind = "line-crossing"
start = "2h"
"#;
    let told = told(truth::parse(Path::new("truth.toml"), text));
    for line in [
        "truth.toml:18: incident[1].colour: is not a known key",
        "truth.toml:22: count[0].count: ",
        "truth.toml:5: observed[0].end: is the start",
        "truth.toml:10: observed[1].kinds: \"flying\" is no kind of incident",
        "truth.toml:12: incident[0].camera: \"Nam!\" is no camera id",
        "truth.toml:11: incident[0].end: is missing: this kind lasts",
        "truth.toml:14: incident[0].start: \"12.5\" is no time",
        "truth.toml:15: incident[1].camera: is missing",
        "truth.toml:17: incident[1].start: \"1:75:00\" is no time",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let outside = "[[observed]]\ncamera = \"a\"\nstart = \"0s\"\nend = \"1h\"\n[[incident]]\ncamera = \"a\"\nkind = \"line-crossing\"\nstart = \"2h\"\n";
    let told = super::told(truth::parse(file(), outside));
    assert!(told.contains("f.txt:5: incident[0]: happened while its kind was not observed"), "{told}");
}

#[test]
fn a_truth_without_observed_time_needs_hours() {
    let truth = truth::parse(file(), "[[incident]]\ncamera = \"a\"\nkind = \"line-crossing\"\nstart = \"2s\"\n")
        .expect("is right");
    assert!(truth.observed(None).expect_err("no denominator").to_string().contains("--hours"));
}

#[test]
fn hand_counts_alone_need_no_observed_time() {
    let count = "[[count]]\ncamera = \"a\"\nkind = \"line-crossing\"\ncount = 9\n";
    let truth = truth::parse(file(), count).expect("is right");
    assert_eq!(truth.observed(None).expect("not needed"), Observed::Spans(Vec::new()));
}

const EXAMPLE: &str = include_str!("../../../schemas/incident.example.json");

/// The example event with other values in place.
fn event(id: u128, changes: &[(&str, serde_json::Value)]) -> String {
    let mut event: serde_json::Value = serde_json::from_str(EXAMPLE).expect("the example");
    event["id"] = uuid::Uuid::from_u128(id).to_string().into();
    for (key, value) in changes {
        *event.pointer_mut(key).expect("a key of the example") = value.clone();
    }
    event.to_string() + "\n"
}

fn revision(id: u128, phase: &str, revision: u32, time: &str, ended: Option<&str>) -> String {
    event(
        id,
        &[
            ("/time", time.into()),
            ("/data/phase", phase.into()),
            ("/data/revision", revision.into()),
            ("/data/started_at", "2026-11-21T23:10:30.000Z".into()),
            ("/data/ended_at", ended.into()),
        ],
    )
}

#[test]
fn revisions_in_any_order_are_one_incident() {
    let end = revision(3, "end", 3, "2026-11-21T23:10:45.000Z", Some("2026-11-21T23:10:44.000Z"));
    let new = revision(1, "new", 1, "2026-11-21T23:10:32.500Z", None);
    let update = revision(2, "update", 2, "2026-11-21T23:10:33.000Z", None);
    let system = "{\"type\": \"vn.ngatu.system.restart.v1\"}\n";
    // The last one came twice.
    let file = events::parse(file(), &[&end, system, "\n", &new, &update, &update].map(|line: &str| line).concat())
        .expect("is right");
    assert_eq!((file.events, file.others, file.without_beginning, file.incidents.len()), (3, 1, 0, 1));
    let incident = &file.incidents[0];
    let origin = 1_795_302_600.0;
    assert_eq!((incident.start_s, incident.opened_s, incident.end_s), (origin + 30.0, origin + 32.5, origin + 44.0));
}

#[test]
fn events_meet_their_truth() {
    let events = events::parse(file(), &revision(1, "new", 1, "2026-11-21T23:10:32.500Z", None)).expect("is right");
    let mut truth = truth::parse(file(), TRUTH).expect("is right");
    truth.incidents[0].camera.clone_from(&events.incidents[0].camera);
    truth.incidents[0].kind.clone_from(&events.incidents[0].kind);
    let observed = Observed::CameraHours(24.0);
    let report = score(&truth.incidents, &truth.counts, &events.incidents, &observed, ScoreParams::default());
    assert_eq!(report.verdicts, [Verdict::Detected(0)]);
    assert_eq!(report.total.time_to_detect.expect("detected").mean_s, 2.0);
}

#[test]
fn an_incident_without_its_beginning_is_counted() {
    let file = events::parse(file(), &revision(2, "update", 2, "2026-11-21T23:10:33.000Z", None)).expect("is right");
    assert_eq!((file.without_beginning, file.incidents[0].end_s), (1, f64::INFINITY));
}

#[test]
fn lines_that_are_no_events_are_told() {
    let other = event(9, &[("/source", "/ngatu/ql10-nut-01/box-b".into())]);
    let text = format!("{}not JSON\n{{\"a\": 1}}\n{{\"type\": \"vn.ngatu.incident.x.v1\"}}\n{other}", event(1, &[]));
    let told = told(events::parse(file(), &text));
    for line in [
        "f.txt:2: is no event: ",
        "f.txt:3: is no CloudEvent",
        "f.txt:4: is no event: missing field",
        "f.txt:5: camera ",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

//! `eval`: files in, figures out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use edge_agent::publish::wire::{Incident, Phase};
use serde_json::Value;

use crate::agent::{Finished, finished, root};
use crate::replay::{analysed_frames, whole};

/// Small cases made by hand; crate `evaluation` proves their figures against the public evaluations.
fn data(name: &str) -> String {
    text(&root().join("edge-agent/evaluation/tests/data").join(name))
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn evaluated(arguments: &[&str]) -> Finished {
    finished([&["eval"], arguments].concat())
}

fn json(arguments: &[&str]) -> Value {
    let done = evaluated(&[arguments, &["--json"]].concat()).succeeded();
    serde_json::from_str(&done.stdout).expect("one JSON object")
}

fn close(value: &Value, reference: f64) {
    let value = value.as_f64().expect("a figure");
    assert!((value - reference).abs() < 1e-9, "{value} is not {reference}");
}

#[test]
fn tracks_have_the_figures_of_the_public_evaluations() {
    let (gt, hyp) = (data("walkers.gt.txt"), data("walkers.tracks.txt"));
    // py-motmetrics 1.4.0 and TrackEval 1.3.0, as in crate `evaluation`.
    let all = json(&["tracks", "--gt", &gt, "--hyp", &hyp]);
    for (figure, reference) in [
        ("mota", 0.711_627_906_976_744_2),
        ("motp", 0.246_628_076_582_516_9),
        ("idf1", 0.694_789_081_885_856_1),
        ("hota", 0.472_033_155_781_965_86),
    ] {
        close(&all[figure], reference);
    }
    assert_eq!((&all["switches"], &all["truth_boxes"], &all["ignored_truth"]), (&5.into(), &215.into(), &8.into()));
    close(&json(&["tracks", "--gt", &gt, "--hyp", &hyp, "--every", "3"])["mota"], 0.714_285_714_285_714_3);

    let table = evaluated(&["tracks", "--gt", &gt, "--hyp", &hyp]).succeeded().stdout;
    for line in [
        "MOTA              0.711628   1 − (42 missed + 15 false + 5 switches, of 215 boxes)",
        "HOTA              0.472033",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
}

/// The tracks of a replay as a detector might have given them.
fn as_detections(folder: &Path) -> String {
    let mut detections = String::new();
    for line in whole().tracks.lines().skip(1) {
        let (frame, rest) = line.split_once(',').expect("MOT format");
        let (_, rest) = rest.split_once(',').expect("MOT format");
        writeln!(detections, "{frame},-1,{rest}").expect("writes");
    }
    let path = folder.join("det.txt");
    std::fs::write(&path, detections).expect("writes");
    text(&path)
}

#[test]
fn the_programs_own_tracker_runs_on_recorded_detections() {
    let folder = tempfile::tempdir().expect("a folder");
    let gt = folder.path().join("gt.txt");
    std::fs::write(&gt, &whole().tracks).expect("writes");
    let (gt, det, written) = (text(&gt), as_detections(folder.path()), text(&folder.path().join("tracks.txt")));
    let retrace = ["tracks", "--gt", &gt, "--detections", &det, "--fps", "10", "--every", "2", "--size", "768x576"];
    let own = json(&[&retrace[..], &["--write-tracks", &written]].concat());
    // What was tracked once is tracked again, but for the looks by which it begins.
    assert!(own["precision"].as_f64() > Some(0.95) && own["recall"].as_f64() > Some(0.8), "{own}");
    assert_eq!(own["tracker"]["size"], serde_json::json!({ "width": 768, "height": 576 }));
    let tracks = std::fs::read_to_string(&written).expect("was written");
    let last = analysed_frames(&whole().tracks).into_iter().max().expect("a last one");
    let shown: Vec<u64> = (1..=last).step_by(2).collect();
    assert_eq!(analysed_frames(&tracks), shown);

    let of_file = json(&["tracks", "--gt", &gt, "--hyp", &written, "--every", "2"]);
    for figure in ["mota", "idf1", "hota", "switches", "tracked_boxes"] {
        assert_eq!(own[figure], of_file[figure], "{figure}");
    }
    let inferred = evaluated(&retrace[..9]).succeeded().stdout;
    assert!(inferred.contains("inferred from the largest detections"), "{inferred}");
}

#[test]
fn detections_have_the_figures_of_pycocotools() {
    let report = json(&["detections", "--gt", &data("street.coco.json"), "--det", &data("street.results.json")]);
    // pycocotools 2.0.11, as in crate `evaluation`.
    close(&report["mean"]["all"]["ap50"], 0.587_971_874_110_488);
    close(&report["mean"]["large"]["ap75"], 0.722_772_277_227_722_7);
    let car = report["classes"].as_array().expect("a list").iter().find(|row| row["class"] == "car");
    close(&car.expect("is there")["by_size"]["small"]["ap50_95"], 0.272_272_512_965_582_25);

    let table = evaluated(&["detections", "--gt", &data("street.coco.json"), "--det", &data("street.results.json")]);
    assert!(table.succeeded().stdout.contains("mean of 3           all"));
}

/// A truth that holds what a replay found, but for line crossings, of which it has the counts.
fn truth_of(events: &str) -> String {
    let mut truth = String::from("[[observed]]\ncamera = \"cam-1\"\nstart = \"0s\"\nend = \"2m\"\n");
    let mut crossings: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut last: BTreeMap<_, Incident> = BTreeMap::new();
    for line in events.lines().filter(|line| line.contains("vn.ngatu.incident.")) {
        let event: Incident = serde_json::from_str(line).expect("an event");
        last.insert(event.data.incident_id, event);
    }
    for event in last.values() {
        let data = &event.data;
        let (kind, rule) = (&data.kind, &data.why.rule);
        if let (Some(line), Some(direction)) = (&data.line, &data.direction) {
            *crossings.entry((line.clone(), direction.to_string())).or_default() += 1;
            continue;
        }
        let end = data.ended_at.expect("the clip is over");
        writeln!(
            truth,
            "[[incident]]\ncamera = \"cam-1\"\nkind = \"{kind}\"\nrule = \"{rule}\"\nstart = \"{}\"\nend = \"{end}\"",
            data.started_at
        )
        .expect("writes");
    }
    for ((line, direction), count) in crossings {
        writeln!(
            truth,
            "[[count]]\ncamera = \"cam-1\"\nkind = \"line-crossing\"\nline = \"{line}\"\ndirection = \"{direction}\"\ncount = {count}"
        )
        .expect("writes");
    }
    truth.replace("cam-1", &last.values().next().expect("an incident").data.camera.id)
}

fn incident_files(folder: &Path, truth: &str, events: &str) -> [String; 2] {
    let write = |name: &str, content: &str| {
        let path: PathBuf = folder.join(name);
        std::fs::write(&path, content).expect("writes");
        text(&path)
    };
    [write("truth.toml", truth), write("events.jsonl", events)]
}

#[test]
fn what_a_replay_found_is_found_when_it_is_the_truth() {
    let folder = tempfile::tempdir().expect("a folder");
    let [truth, events] = incident_files(folder.path(), &truth_of(&whole().events), &whole().events);
    let report = json(&["incidents", "--truth", &truth, "--events", &events]);
    let total = &report["total"];
    assert!(total["truths"].as_u64() > Some(0), "{report}");
    assert_eq!((&total["detected"], &total["found"]), (&total["truths"], &total["truths"]), "{report}");
    assert_eq!((&total["false_alarms"], &total["duplicates"]), (&0.into(), &0.into()));
    close(&total["camera_hours"], 2.0 / 60.0);
    let counts = report["counts"].as_array().expect("a list");
    assert!(counts.len() == 2 && counts.iter().all(|count| count["found"] == count["truth"]["count"]), "{report}");
}

#[test]
fn what_did_not_happen_and_what_was_not_seen_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_level = |line: &&str| line.contains("\"phase\":\"new\"") && line.contains("\"line\":null");
    let report = whole().events.lines().find(is_level).expect("a level incident");
    let event: Incident = serde_json::from_str(report).expect("an event");
    assert_eq!(event.data.phase, Phase::New);
    let (camera, kind) = (&event.data.camera.id, &event.data.kind);
    let truth = format!(
        "[[observed]]\ncamera = \"{camera}\"\nstart = \"0s\"\nend = \"12h\"\n[[incident]]\ncamera = \"{camera}\"\n\
         kind = \"{kind}\"\nstart = \"6h\"\nend = \"6:00:10\"\n"
    );
    let [truth, events] = incident_files(folder.path(), &truth, report);
    let table = evaluated(&["incidents", "--truth", &truth, "--events", &events]).succeeded().stdout;
    for line in [
        "detected      0 of 1 incidents: 0.0 % (0.0 to 79.3)",
        "false alarms  1 in 12.00 camera-hours: 2.00 (0.05 to 11.14) a camera-day",
        "duplicates    0 of 1 reports: 0.0 % (0.0 to 79.3)",
        "1970-01-01T06:00:00.000Z to 1970-01-01T06:00:10.000Z",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
    let without = evaluated(&["incidents", "--truth", &truth, "--events", &events, "--hours", "48"]).succeeded().stdout;
    assert!(without.contains("1 in 48.00 camera-hours: 0.50 "), "{without}");
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gt.txt");
    std::fs::write(&path, "1,1,0,0,10,10,1\n1,1,0,0,10\n1,2,0,0,-4,10,1\n").expect("writes");
    let told = evaluated(&["tracks", "--gt", &text(&path), "--hyp", &text(&path)]).failed(1);
    assert!(
        told.contains("gt.txt:2: has 5 columns") && told.contains("gt.txt:3: no box") && told.contains("2 errors in"),
        "{told}"
    );
    let usage = evaluated(&["tracks", "--gt", "a", "--hyp", "b", "--every", "0"]).failed(2);
    assert!(usage.contains("write a whole number from 1"), "{usage}");
    assert!(evaluated(&["tracks", "--gt", "a", "--detections", "b"]).failed(2).contains("--fps"));
}

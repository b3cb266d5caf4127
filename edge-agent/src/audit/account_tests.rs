//! What a run says of itself when it begins and ends.

use std::path::Path;

use super::tests::{site, topics};
use super::*;
use crate::config::Site;
use crate::publish::wire::ModelRef;

/// A run of the program; killed unless it stops.
fn run(folder: &Path, site: &Site, stops: bool) {
    let log = AuditLog::at(folder, &topics(), None);
    let models = vec![ModelRef { name: "ssd".into(), sha256: "0f".repeat(32), provider: "cpu".into() }];
    begin(&log, site, &Begun { models, set_aside: None });
    if stops {
        end(&log, 3, 0);
    }
}

fn said(folder: &Path, from: u64) -> Vec<(Action, Option<String>)> {
    let mut all = Vec::new();
    lines::<std::io::Error>(&folder.join(FOLDER), from, |kept| {
        all.push((kept.line.action, kept.line.object));
        Ok(true)
    })
    .expect("reads");
    all
}

const BEGUN: [(Action, Option<&str>); 3] = [
    (Action::Start, None),
    (Action::ConfigurationLoaded, Some("configuration")),
    (Action::ModelLoaded, Some("model/ssd")),
];

fn as_text(said: &[(Action, Option<String>)]) -> Vec<(Action, Option<&str>)> {
    said.iter().map(|(action, object)| (*action, object.as_deref())).collect()
}

#[test]
fn a_run_says_that_it_began_and_ended_and_a_kill_is_noticed_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = site(folder.path(), "", "");
    run(folder.path(), &site, true);
    let stopped = [&BEGUN[..], &[(Action::Stop, None)]].concat();
    assert_eq!(as_text(&said(folder.path(), 1)), stopped);
    run(folder.path(), &site, false);
    assert_eq!(as_text(&said(folder.path(), 5)), BEGUN, "the one before stopped");
    // What commands write beside the service is no run.
    let log = AuditLog::at(folder.path(), &topics(), None);
    log.append(AuditEntry::by_system(Action::Export)).expect("writes");
    run(folder.path(), &site, true);
    assert_eq!(said(folder.path(), 9)[0], (Action::UncleanEnd, None));
}

#[test]
fn what_differs_from_the_configuration_before_is_a_line_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = site(folder.path(), "", "");
    run(folder.path(), &before, true);
    let after = site(
        folder.path(),
        "id = \"r\"\nkind = \"wrong-way\"",
        "id = \"r\"\nkind = \"wrong-way\"\nseverity = \"info\"",
    );
    run(folder.path(), &after, true);
    let changed: Vec<_> =
        said(folder.path(), 5).into_iter().filter(|(action, _)| *action == Action::RuleChanged).collect();
    assert_eq!(as_text(&changed), [(Action::RuleChanged, Some("rule/c/r"))]);
    // Places belong to the camera.
    let moved = site(folder.path(), "points = [[0.5, 0.0]", "points = [[0.4, 0.0]");
    let from = said(folder.path(), 1).len() as u64 + 1;
    run(folder.path(), &moved, true);
    let later = said(folder.path(), from);
    let changed: Vec<_> =
        as_text(&later).into_iter().filter(|(_, object)| object.is_some_and(|o| o.contains('/'))).collect();
    let expected = [
        (Action::CameraChanged, Some("camera/c")),
        (Action::RuleChanged, Some("rule/c/r")),
        (Action::ModelLoaded, Some("model/ssd")),
    ];
    assert_eq!(changed, expected);
}

#[test]
fn other_masks_are_a_line_and_the_camera_is_otherwise_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &site(folder.path(), "", ""), true);
    let place = "[camera.line.mid]";
    let mask = "[camera.mask.window]\npolygon = [[0.0, 0.0], [0.2, 0.0], [0.2, 0.2]]\n[camera.line.mid]";
    run(folder.path(), &site(folder.path(), place, mask), true);
    let later = said(folder.path(), 5);
    let masks: Vec<_> = as_text(&later).into_iter().filter(|(action, _)| *action == Action::MaskChanged).collect();
    assert_eq!(masks, [(Action::MaskChanged, Some("mask/c"))]);
    assert!(!later.iter().any(|(action, _)| *action == Action::CameraChanged), "{later:?}");
}

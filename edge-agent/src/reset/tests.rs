//! A box with everything in it, reset.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use uuid::Uuid;

use super::*;
use crate::audit::tests::{site, topics};
use crate::audit::{Source, lines};
use crate::publish::wire::UtcMillis;

/// A site with state, credentials, and things that are another's.
fn full(folder: &Path) -> Site {
    let site = site(folder, "", "");
    let state = &site.storage.path;
    for path in [
        "state/outbox.sqlite",
        "state/outbox.sqlite-wal",
        "state/outbox.sqlite.damaged-1",
        "state/tracks.sqlite",
        "state/tracks.sqlite.damaged",
        "state/evidence/a.jpg",
        "state/evidence/holds.txt",
        "state/engines/x/y.engine",
        "state/models/m.onnx",
        "state/note.txt",
        "credentials/cam",
        "elsewhere/secret.jpg",
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("makes");
        fs::write(path, "12345").expect("writes");
    }
    // Within what is removed, and in the place of it.
    symlink(folder.join("elsewhere"), state.join("evidence/link")).expect("links");
    symlink(folder.join("elsewhere/secret.jpg"), state.join("outbox.sqlite-shm")).expect("links");
    AuditLog::at(state, &topics(), None).append(AuditEntry::by_system(Action::Start)).expect("writes");
    site
}

fn reset(site: &Site, folder: &Path, including_holds: bool) -> Result<Vec<Done>, ResetError> {
    let plan = plan(site, &folder.join("site.toml"))?;
    let lock = StateLock::take(&site.storage.path).expect("takes").expect("is free");
    let log = AuditLog::at(&site.storage.path, &topics(), None);
    plan.carry_out(&log, lock, entry("Lê Văn C", Source::command_line()), including_holds)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_name().expect("named").to_string_lossy().into_owned();
    entries(folder).expect("lists").into_iter().map(name).collect()
}

#[test]
fn nothing_of_the_program_is_left_and_nothing_of_others_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = full(folder.path());
    let done = reset(&site, folder.path(), false).expect("does it");
    assert!(done.iter().all(|done| done.failed.is_none()), "{done:?}");
    let left = ["audit", "lock", "models", "note.txt", "outbox.sqlite-shm"].map(str::to_owned);
    assert_eq!(names(&site.storage.path), BTreeSet::from(left));
    assert_eq!(names(&folder.path().join("credentials")), BTreeSet::new());
    let secret = fs::read_to_string(folder.path().join("elsewhere/secret.jpg")).expect("is there");
    assert_eq!(secret, "12345", "no link was followed");
    let mut said = Vec::new();
    let each = |kept: crate::audit::Kept| -> io::Result<bool> {
        said.push((kept.line.number, kept.line.action, kept.line.detail["log_before"]["number"].clone()));
        Ok(true)
    };
    lines(&site.storage.path.join("audit"), 1, each).expect("reads");
    assert_eq!(said, [(1, Action::FactoryReset, json!(1))]);
}

#[test]
fn what_is_left_is_said_and_looking_removes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = full(folder.path());
    let before = names(&site.storage.path);
    let plan = plan(&site, &folder.path().join("site.toml")).expect("looks");
    assert_eq!(names(&site.storage.path), before);
    let left: Vec<_> = plan.left.iter().map(|(path, why)| (path.file_name().expect("named"), why)).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].0 == "note.txt" && left[1].0 == "outbox.sqlite-shm" && left[1].1.contains("link"), "{left:?}");
    let evidence = plan.pieces.iter().find(|piece| piece.path.ends_with("evidence")).expect("is there");
    assert_eq!(evidence.files, 3);
}

#[test]
fn what_is_on_hold_stops_a_reset_unless_it_is_included() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = full(folder.path());
    let log = AuditLog::at(&site.storage.path, &topics(), None);
    let incident = Uuid::from_u128(7);
    let hold = Hold { incident, by: "a".into(), reason: "vụ 12".into(), since: UtcMillis::default() };
    site.storage.pictures().holds().set(&log, hold, Source::Mqtt).expect("set");
    let before = names(&site.storage.path);
    let refused = reset(&site, folder.path(), false).expect_err("refuses").to_string();
    assert!(refused.contains(&incident.to_string()) && refused.contains("vụ 12"), "{refused}");
    assert_eq!(&names(&site.storage.path) - &before, BTreeSet::from(["lock".to_owned()]));
    reset(&site, folder.path(), true).expect("does it");
    assert!(!site.storage.pictures().holds().is_held(incident));
}

#[test]
fn the_lock_of_a_running_service_cannot_be_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = StateLock::take(folder.path()).expect("takes").expect("is free");
    assert!(StateLock::take(folder.path()).expect("tries").is_none());
    drop(service);
    assert!(StateLock::take(folder.path()).expect("takes").is_some());
}

//! Files and folders that the program's user may not read or write: at the start, and while it runs.
//!
//! As root (in a container, say) the program is run as nobody, since root may do everything; otherwise as whoever runs the test.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use edge_agent::publish::wire::Health;

use crate::agent::{Agent, edge_agent, root};
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

const NOBODY: &str = "65534";

fn is_root() -> bool {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Whether the program can be run as a user without privileges; says why not.
fn can_be_tried() -> bool {
    if !is_root() {
        return true;
    }
    let program = env!("CARGO_BIN_EXE_edge-agent");
    let reads = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", program, "--version"])
        .current_dir(root())
        .output();
    let can = reads.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!(
            "skipped: this is root, and {program} cannot be run as another user (setpriv missing, or no way to it)"
        );
    }
    can
}

/// `edge-agent run` as a user without privileges.
fn unprivileged(site: &Path) -> Command {
    let program = edge_agent([OsStr::new("run"), site.as_os_str()]);
    if !is_root() {
        return program;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(root()).env("HOME", "/nonexistent");
    for (name, value) in program.get_envs().filter(|(_, value)| value.is_none()) {
        assert!(value.is_none());
        command.env_remove(name);
    }
    command
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Everything below `folder`, and the way to it, is the program's user's.
fn hand_over(folder: &Path) {
    if is_root() {
        let given = Command::new("chown").args(["-R", &format!("{NOBODY}:{NOBODY}")]).arg(folder).status();
        assert!(given.expect("chown runs").success());
    }
}

#[test]
fn what_may_not_be_used_at_the_start_is_said_with_its_place_and_its_cure() {
    if !can_be_tried() {
        return;
    }
    let make = || {
        let site = SiteFile::new(1).camera("nam", "rtsp://127.0.0.1:1/one", ", credential = \"cam\"");
        site.secret("credentials/cam", "viewer:c4n4ry");
        std::fs::create_dir(site.storage()).expect("makes the folder");
        site
    };
    let refused = |site: &SiteFile, spoil: &dyn Fn()| {
        let file = site.write();
        hand_over(file.parent().expect("in a folder"));
        spoil();
        let ended = Agent::start(&mut unprivileged(&file)).finish();
        assert_ne!(ended.code(), 0);
        assert!(ended.stderr.contains('→'), "no cure: {}", ended.stderr);
        assert!(!ended.stderr.contains("c4n4ry"), "{}", ended.stderr);
        ended.stderr
    };
    let site = make();
    let said = refused(&site, &|| chmod(&site.storage(), 0o500));
    chmod(&site.storage(), 0o700);
    assert!(said.contains(&format!("{} cannot be used as the state folder", site.storage().display())), "{said}");
    assert!(said.contains("chown -R"), "{said}");

    let site = make();
    let outbox = site.storage().join("outbox.sqlite");
    std::fs::write(&outbox, "").expect("writes");
    let said = refused(&site, &|| chmod(&outbox, 0o000));
    assert!(said.contains(&format!("{} cannot be read and written", outbox.display())), "{said}");
    assert!(said.contains("mode 0000") && said.contains("chown -R"), "{said}");

    let site = make();
    let file = site.write();
    let said = refused(&site, &|| chmod(&file, 0o000));
    assert!(said.contains(&format!("{}", file.display())) && said.contains("ermission denied"), "{said}");

    let site = make();
    let secret = site.secret("credentials/cam", "viewer:c4n4ry");
    let said = refused(&site, &|| chmod(&secret, 0o000));
    assert!(said.contains("credentials/cam") && said.contains("ermission denied"), "{said}");
}

fn gives(health: &Health, code: &str) -> bool {
    health.reasons.iter().any(|reason| reason == code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_may_not_be_written_any_more_degrade_alone_and_recover_alone() {
    if !can_be_tried() {
        return;
    }
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).with_pictures().camera("nam", &cameras.url("one"), "");
    let file = site.write();
    // Somebody else's, left by a command that was run as another user.
    let tracks = site.storage().join("tracks.sqlite");
    std::fs::create_dir(site.storage()).expect("makes the folder");
    std::fs::write(&tracks, "").expect("writes");
    hand_over(file.parent().expect("in a folder"));
    chmod(&tracks, 0o000);

    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::start(&mut unprivileged(&file));
    let health_gives = |code: &'static str| move |seen: &Seen| seen.healths.last().is_some_and(|now| gives(now, code));
    centre.until("tracks cannot be written, and it runs", health_gives("tracks_failing")).await;
    centre.until("a picture", |seen| !seen.pictures.is_empty()).await;

    let (evidence, audit) = (site.storage().join("evidence"), site.storage().join("audit"));
    let audit_files = || std::fs::read_dir(&audit).expect("there").map(|entry| entry.expect("lists").path());
    chmod(&evidence, 0o500);
    audit_files().for_each(|file| chmod(&file, 0o400));
    chmod(&audit, 0o500);
    centre.until("pictures fail", health_gives("evidence_failing")).await;
    let failing = centre.seen.healths.last().expect("just seen").clone();
    centre.until_more_events("nam", 3).await;
    assert!(!gives(&failing, "outbox_failing"), "events go on: {:?}", failing.reasons);

    chmod(&audit, 0o700);
    audit_files().for_each(|file| chmod(&file, 0o600));
    chmod(&evidence, 0o700);
    chmod(&tracks, 0o600);
    let before = centre.seen.pictures.len();
    centre.until("pictures again", |seen| seen.pictures.len() > before).await;
    let is_well = |seen: &Seen| {
        seen.healths.last().is_some_and(|now| {
            ["evidence_failing", "audit_failing", "tracks_failing"].iter().all(|code| !gives(now, code))
        })
    };
    centre.until("health says so, of the tracks with their next minute", is_well).await;
    let done = agent.stop().succeeded();
    assert!(done.stderr.contains("recorded tracks are written again"), "{}", done.stderr);
}

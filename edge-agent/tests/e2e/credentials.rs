//! Log-ins: they work, a wrong one is said, and the password is nowhere to be seen.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use edge_agent::publish::wire::{CameraState, Presence};

use crate::agent::{Agent, edge_agent, finished};
use crate::centre::{Centre, Seen};
use crate::clip::{Cameras, USER};
use crate::common::mosquitto::Mosquitto;
use crate::page::{answer, page_of};
use crate::site::SiteFile;

/// Must never be seen.
const CANARY: &str = "c4n4ry-Pa55/w?rd";

/// `viewer:` and the canary, as HTTP and RTSP write them.
const ENCODED: &str = "dmlld2VyOmM0bjRyeS1QYTU1L3c/cmQ";

/// A broker that lets the box in with the canary, and the centre with a password of its own.
fn guarded_broker() -> Mosquitto {
    let mut broker = Mosquitto::stopped_with(&["allow_anonymous false"]);
    let file = broker.path("passwords");
    for (user, password, create) in [("box", CANARY, true), ("centre", "listens", false)] {
        let mut command = Command::new("mosquitto_passwd");
        command.args(create.then_some("-c")).arg("-b").arg(&file).args([user, password]);
        assert!(command.status().expect("mosquitto_passwd is installed with mosquitto").success());
    }
    // Mosquitto reads it as another user.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("sets the mode");
    broker.configure(&format!("password_file {}", file.display()));
    broker.start();
    broker
}

fn is_refused(seen: &Seen, camera: &str) -> bool {
    seen.is(camera, CameraState::Offline)
        && seen.states(camera).last().is_some_and(|status| status.reasons == ["unauthorised"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_ins_work_or_are_refused_and_are_never_shown() {
    let broker = guarded_broker();
    let [basic, digest] = ["basic", "digest"].map(|log_in| Cameras::start_on(0, log_in, CANARY));
    let site = SiteFile::new(broker.port())
        .broker_log_in("box", "broker-password")
        .camera("basic", &basic.url("one"), ", credential = \"cam\"")
        .camera("digest", &digest.url("one"), ", credential_file = \"cam-digest\"")
        .camera("by-env", &digest.url("two"), ", credential_env = \"E2E_CAMERA\"")
        .camera("wrong", &digest.url("two"), ", credential_file = \"cam-wrong\"")
        .camera("without", &basic.url("two"), "");
    let log_in = format!("{USER}:{CANARY}");
    site.secret("broker-password", CANARY);
    site.secret("credentials/cam", &log_in);
    site.secret("cam-digest", &format!("{log_in}\n"));
    site.secret("cam-wrong", &format!("{log_in}!"));
    let mut centre = Centre::start(broker.port(), Some(("centre", "listens"))).await;
    let path = site.write();
    // Everything that can be logged.
    let mut command = edge_agent(["run".as_ref(), path.as_os_str()]);
    command.env("E2E_CAMERA", &log_in).env("NGATU_LOG", "trace").env("GST_DEBUG", "3,rtsp*:7").env_remove("RUST_LOG");
    let agent = Agent::start(&mut command);
    for camera in ["basic", "digest", "by-env"] {
        centre.until(camera, |seen| seen.is(camera, CameraState::Online)).await;
    }
    for camera in ["wrong", "without"] {
        centre.until(camera, |seen| is_refused(seen, camera)).await;
    }
    centre.until_more_events("digest", 3).await;
    let page = page_of(&agent);
    let shown = ["/", "/api/v1/status", "/metrics", "/healthz"].map(|path| answer(&page, path)).concat();
    assert!(shown.contains("unauthorised") && shown.contains("ngatu_camera_state"), "{shown}");
    let command_line = std::fs::read(format!("/proc/{}/cmdline", agent.pid())).expect("Linux");
    let done = agent.stop().succeeded();
    centre.until("stopped", |seen| seen.presence() == Some(Presence::Stopped)).await;

    assert!(done.stderr.contains("TRACE") && done.stderr.contains("rtspsrc"), "the log was captured");
    let command_line = String::from_utf8_lossy(&command_line);
    assert!(command_line.contains("site.toml"), "{command_line}");
    let stored = std::fs::read(site.storage().join("outbox.sqlite")).expect("the outbox");
    let stored = String::from_utf8_lossy(&stored);
    let places = [
        ("stdout", done.stdout.as_str()),
        ("stderr", &done.stderr),
        ("MQTT", &centre.seen.text),
        ("command line", &command_line),
        ("outbox", &stored),
        ("status page", &shown),
    ];
    for (place, text) in places {
        for secret in [CANARY, ENCODED] {
            assert_eq!(text.lines().find(|line| line.contains(secret)), None, "{place}");
        }
    }
}

#[test]
fn a_credential_that_others_may_read_or_that_is_none_is_a_wrong_configuration() {
    let site = SiteFile::new(1883).camera("nam", "rtsp://127.0.0.1:1/one", ", credential = \"cam\"");
    let run = || finished(["run".as_ref(), site.write().as_os_str()]).failed(64);
    let missing = run();
    assert!(missing.contains("credentials/cam") && missing.contains("LoadCredential=cam"), "{missing}");
    let file = site.secret("credentials/cam", CANARY);
    let said = run();
    assert!(said.contains("nam is not user:password") && !said.contains(CANARY), "{said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("sets the mode");
    let said = run();
    assert!(said.contains("chmod 600") && !said.contains(CANARY), "{said}");
}

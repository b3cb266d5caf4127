//! `check`, and what a wrong site file does to the other commands.

use std::path::{Path, PathBuf};

use crate::agent::{Agent, edge_agent, finished, root};
use crate::site::SiteFile;

/// Must never be seen.
const CANARY: &str = "c4n4ry-Pa55";

/// Eight mistakes; what each message must name.
const WRONG: &str = r#"
[site]
id = "Nút giao"
nme = 3

[box]
id = "box-a"
hw_profile = "cpu-x86_46"

[mqtt]
url = "mqtt://box:c4n4ry-Pa55@broker.example:1883"

[[camera]]
id = "nam"
name = { vi = "Nam", en = "South" }
pipeline = "perimetre"
detect = { url = "rtsp://admin:c4n4ry-Pa55@192.0.2.1/sub" }
analyse_fps = "5"

[[camera.rule]]
id = "dem"
kind = "line-crossing"
line = "mid"
"#;

const KEYS: [(usize, &str); 8] = [
    (3, "site.id"),
    (4, "site.nme"),
    (8, "box.hw_profile"),
    (11, "mqtt.url"),
    (16, "camera[0].pipeline"),
    (17, "camera[0].detect.url"),
    (18, "camera[0].analyse_fps"),
    (23, "camera[0].rule[0].line"),
];

fn wrong_site(folder: &Path) -> PathBuf {
    let site = folder.join("wrong.toml");
    std::fs::write(&site, WRONG).expect("writes");
    site
}

#[test]
fn every_error_is_said_at_once_with_its_place_and_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = wrong_site(folder.path());
    let said = finished(["check".as_ref(), site.as_os_str()]).failed(64);
    for (line, key) in KEYS {
        let place = format!("{}:{line}: {key}: ", site.display());
        let mut rest = said.lines().skip_while(|said| !said.starts_with(&place));
        assert!(rest.next().is_some(), "{place}\n{said}");
        assert!(rest.next().is_some_and(|cure| cure.starts_with("    → ")), "{place}\n{said}");
    }
    assert!(said.contains(&format!("{} errors in the configuration", KEYS.len())), "{said}");
}

#[test]
fn no_command_goes_on_with_a_wrong_site_or_shows_its_passwords() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = wrong_site(folder.path());
    let site = site.to_str().expect("UTF-8");
    let clip = "clip.mp4";
    for arguments in
        [vec!["check", site], vec!["run", site], vec!["replay", clip, "--site", site], vec!["--log-json", "run", site]]
    {
        let done = Agent::start(edge_agent(&arguments).env("NGATU_LOG", "trace")).finish();
        assert!(!format!("{}{}", done.stdout, done.stderr).contains(CANARY), "{arguments:?}");
        let said = done.failed(64);
        assert!(said.contains(&format!("{} errors", KEYS.len())), "{arguments:?}: {said}");
    }
}

/// Some cameras take their password in the path: it is no user part, and a URL all the same.
#[test]
fn a_password_in_the_path_of_a_url_is_not_shown() {
    let url = format!("rtsp://192.0.2.1/user=admin&password={CANARY}&channel=1&stream=0.sdp");
    let site = SiteFile::new(1883).camera("nam", &url, "");
    let done = finished(["check".as_ref(), site.write().as_os_str()]).succeeded();
    assert!(done.stdout.contains("rtsp://192.0.2.1/user=admin"), "{}", done.stdout);
    assert!(!format!("{}{}", done.stdout, done.stderr).contains(CANARY), "{}", done.stdout);
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    for scheme in ["mqtt", "mqtts", "http"] {
        let broker = format!("{scheme}://box:{CANARY}@127.0.0.1:1");
        let said = finished(["watch", "--broker", &broker]).failed(1);
        assert!(said.contains("user or password") && !said.contains(CANARY), "{said}");
    }
}

/// ONNX Runtime keeps what it is going to send to its maker in the user's folder.
#[test]
fn nothing_is_kept_for_the_maker_of_a_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    std::fs::create_dir(&home).expect("a folder");
    let mut check = edge_agent(["check".as_ref(), root().join("edge-agent/deploy/demo-site.toml").as_os_str()]);
    for variable in ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "ORT_DISABLE_TELEMETRY"] {
        check.env_remove(variable);
    }
    let checked = Agent::start(check.env("HOME", &home)).finish().succeeded();
    assert!(!checked.stdout.contains("not opened"), "the model was opened: {}", checked.stdout);
    let left: Vec<_> = std::fs::read_dir(&home).expect("reads").map(|entry| entry.expect("reads").path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_shipped_sites_have_no_errors() {
    let folder = std::fs::read_dir(root().join("edge-agent/deploy")).expect("is there");
    let sites: Vec<_> = folder
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            path.to_str().is_some_and(|path| path.ends_with("site.toml") || path.ends_with("site.example.toml"))
        })
        .collect();
    assert!(sites.len() >= 2, "{sites:?}");
    for site in sites {
        let done = finished(["check".as_ref(), site.as_os_str()]).succeeded();
        assert!(done.stdout.ends_with("ok: no errors\n"), "{}", done.stdout);
    }
}

#[test]
fn a_site_that_is_not_there_is_a_wrong_configuration() {
    for command in ["check", "run"] {
        let said = finished([command, "/nowhere/site.toml"]).failed(64);
        assert!(said.contains("/nowhere/site.toml: is not there"), "{said}");
    }
}

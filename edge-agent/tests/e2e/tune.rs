//! `tune`: measures this box briefly and writes a profile that the rest of the program takes.

use std::path::Path;

use serde_json::Value;

use crate::agent::{Agent, edge_agent, root};

/// An installation whose hardware profiles may be written.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    for part in ["models", "pipelines", ".cache"] {
        std::os::unix::fs::symlink(root().join(part), home.path().join(part)).expect("links");
    }
    let profiles = home.path().join("hw-profiles");
    std::fs::create_dir(&profiles).expect("a folder");
    for entry in std::fs::read_dir(root().join("hw-profiles")).expect("the folder").flatten() {
        std::fs::copy(entry.path(), profiles.join(entry.file_name())).expect("copies");
    }
    home
}

fn tune(home: &Path, arguments: &[&str]) -> Agent {
    let arguments = ["tune", "--quick", "--json", "--size", "640x360", "--cameras", "2@1"].iter().chain(arguments);
    Agent::start(edge_agent(arguments).env("NGATU_HOME", home))
}

#[test]
fn a_box_is_measured_and_check_accepts_the_profile_that_is_written() {
    let home = home();
    let file = home.path().join("hw-profiles/this-box.toml");
    let out = file.to_str().expect("UTF-8");
    let done = tune(home.path(), &["--out", out]).finish().succeeded();
    let report: Value = serde_json::from_str(&done.stdout).expect("one JSON object");
    let above = |pointer: &str, least: f64| {
        let value = report.pointer(pointer).and_then(Value::as_f64);
        assert!(value.is_some_and(|value| value > least), "{pointer}: {report}");
    };
    above("/decode/0/cpu_ms", 0.0);
    above("/decode/0/fps", 20.0);
    above("/infer/0/cpu_ms", 0.0);
    above("/contention/rest_ms", 0.0);
    above("/plan/cameras", 0.0);
    above("/whole/cores", 0.0);
    above("/predicted_cores", 0.0);
    assert!(report["plan"]["infer"]["accuracy"].as_f64() >= Some(0.5), "the default floor: {report}");

    let site = home.path().join("site.toml");
    let demo = std::fs::read_to_string(root().join("edge-agent/deploy/demo-site.toml")).expect("the demo's site");
    std::fs::write(&site, demo.replacen("cpu-x86_64", "this-box", 1)).expect("writes");
    let check = edge_agent(["check".as_ref(), site.as_os_str()]);
    let mut check = check;
    let checked = Agent::start(check.env("NGATU_HOME", home.path())).finish().succeeded();
    assert!(checked.stdout.contains("profile   this-box"), "{}", checked.stdout);

    let before = std::fs::read(&file).expect("the profile");
    let refused = tune(home.path(), &["--out", out]).finish();
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    refused.failed(1);
    assert_eq!(std::fs::read(&file).expect("the profile"), before, "never overwritten unasked");
}

#[test]
fn without_a_clip_it_says_what_to_name() {
    let home = home();
    let done = tune(home.path(), &["--clip", "/no/such/clip.mp4"]).finish();
    assert!(done.stderr.contains("/no/such/clip.mp4"), "{}", done.stderr);
    done.failed(1);
}

#[test]
fn the_drop_in_opens_what_the_profile_needs_and_nothing_else() {
    let unit = |name: &str| Agent::start(&mut edge_agent(["profiles", name, "--unit"])).finish();
    let gpu = unit("intel-openvino").succeeded().stdout;
    assert!(gpu.contains("[Service]\nPrivateDevices=no\nDevicePolicy=closed\nDeviceAllow=char-drm rw\n"), "{gpu}");
    assert!(gpu.contains("SupplementaryGroups=render video\n") && !gpu.contains("MemoryMax"), "{gpu}");
    let small = unit("cpu-small").succeeded().stdout;
    assert!(small.contains("MemoryMax=1073741824\n") && !small.contains("Device"), "{small}");
    let unknown = unit("cpu-smal");
    assert!(unknown.stderr.contains("cpu-small"), "{}", unknown.stderr);
    unknown.failed(64);
}

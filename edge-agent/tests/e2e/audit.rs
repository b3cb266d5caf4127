//! The audit log of a service that is stopped and killed, at the centre and on the box; holds and a reset beside it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::agent::{Agent, Finished, finished};
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

const INCIDENT: &str = "01a201f2-b2ff-7c10-8a01-0b1c2d3e4f50";

/// A command with a site.
fn with_site(words: &[&str], site: &Path) -> Finished {
    let site = [OsStr::new("--site"), site.as_os_str()];
    finished(words.iter().map(OsStr::new).chain(site))
}

/// The actions of the lines that the centre has, by number.
fn actions(seen: &Seen) -> Vec<String> {
    let lines = seen.text.lines().filter_map(|line| line.split_once("/audit ").map(|(_, payload)| payload));
    let mut lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.sort_by_key(|line| line["number"].as_u64());
    lines.dedup_by_key(|line| line["number"].as_u64());
    assert!(lines.iter().map(|line| line["number"].as_u64()).eq((1..=lines.len() as u64).map(Some)), "{lines:?}");
    lines.iter().map(|line| line["action"].as_str().expect("a word").to_owned()).collect()
}

fn has(action: &'static str, times: usize) -> impl Fn(&Seen) -> bool {
    move |seen| actions(seen).iter().filter(|found| *found == action).count() >= times
}

fn first_file(site: &SiteFile) -> PathBuf {
    site.storage().join("audit/audit-00000000000000000001.jsonl")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_reaches_the_centre_is_verified_on_the_box_and_ends_with_a_reset() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "");
    let path = site.write();
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&path);
    centre.until("the lines of a start", has("model_loaded", 1)).await;
    let hold = ["hold", "set", INCIDENT, "--reason", "vụ 12/2026", "--by", "Trần Thị B"];
    with_site(&hold, &path).succeeded();
    // Another process wrote it; the running service finds it and sends it.
    centre.until("the line of the hold", has("hold_set", 1)).await;
    let refused = with_site(&["factory-reset", "--yes"], &path).failed(1);
    assert!(refused.contains("the service runs"), "{refused}");
    agent.kill();

    let agent = Agent::run(&path);
    centre.until("a second start", has("model_loaded", 2)).await;
    assert!(has("unclean_end", 1)(&centre.seen), "{:?}", actions(&centre.seen));
    agent.stop().succeeded();
    let verified = with_site(&["audit", "verify"], &path).succeeded().stdout;
    assert!(verified.contains("agrees with what is known elsewhere"), "{verified}");

    let export = with_site(&["audit", "export"], &path).succeeded().stdout;
    let words: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(words.last().map(|line| &line["action"]), Some(&Value::from("stop")));
    let syslog = with_site(&["audit", "export", "--format", "rfc5424"], &path).succeeded().stdout;
    assert!(syslog.lines().all(|line| line.starts_with("<110>1 ") && line.contains("] \u{feff}{")), "{syslog}");

    let text = std::fs::read_to_string(first_file(&site)).expect("reads");
    std::fs::write(first_file(&site), text.replacen("Trần Thị B", "Trần Thị C", 1)).expect("writes");
    let wrong = with_site(&["audit", "verify"], &path);
    assert!(wrong.code() == 1 && wrong.stdout.contains("it was changed"), "{}", wrong.stdout);
    std::fs::write(first_file(&site), &text).expect("writes");
    with_site(&["audit", "verify"], &path).succeeded();

    let refused = with_site(&["factory-reset", "--yes"], &path).failed(1);
    assert!(refused.contains(INCIDENT), "{refused}");
    let would = with_site(&["factory-reset"], &path).succeeded().stdout;
    assert!(would.contains("would go") && would.contains("outbox.sqlite"), "{would}");
    assert!(site.storage().join("outbox.sqlite").exists());
    let done = with_site(&["factory-reset", "--yes", "--including-holds", "--by", "Lê Văn C"], &path);
    assert!(done.succeeded().stdout.contains("ok: all of it is gone"));
    let left = std::fs::read_dir(site.storage()).expect("lists").map(|entry| entry.expect("lists").file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["audit", "lock"]);
    let log = std::fs::read_to_string(first_file(&site)).expect("reads");
    assert!(log.lines().count() == 1 && log.contains("factory_reset") && log.contains("Lê Văn C"), "{log}");
}

//! Recorded tracks: what a run kept is judged again, by the same rules and by others.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use serde_json::Value;

use crate::agent::{Agent, finished};
use crate::centre::Centre;
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::{SiteFile, one_camera};

/// How many incidents opened, by rule.
fn opened(lines: &str) -> BTreeMap<String, usize> {
    let mut opened = BTreeMap::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        if event["data"]["phase"] == "new" {
            *opened.entry(event["data"]["why"]["rule"].as_str().expect("a rule").to_owned()).or_default() += 1;
        }
    }
    opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_kept_is_judged_again_and_compared_with_other_thresholds() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "");
    let mut centre = Centre::start(broker.port(), None).await;
    let path = site.write();
    let agent = Agent::run(&path);
    centre.until_more_events("nam", 30).await;
    agent.stop().succeeded();

    let replay = |more: &[&OsStr]| {
        let words = [OsStr::new("replay"), OsStr::new("--tracks-db"), OsStr::new("--site"), path.as_os_str()];
        finished(words.into_iter().chain(more.iter().copied())).succeeded()
    };
    let again = replay(&[]);
    assert_eq!(replay(&[]).stdout, again.stdout, "the same bytes every time");
    let (run, again) = (&centre.seen.events, opened(&again.stdout));
    for rule in ["count-2", "count-4", "count-6", "count-8"] {
        let in_run = run.iter().filter(|event| event.data.why.rule == rule).count();
        let again = again.get(rule).copied().unwrap_or(0);
        // A box that grazes a threshold may fall on its other side when its place is rounded.
        assert!(in_run.abs_diff(again) <= 1, "{rule}: {in_run} in the run, {again} from its tracks");
    }
    assert!(again.values().sum::<usize>() >= 10, "{again:?}");

    let old = site.replaced("hold = \"0.2s\"", "hold = \"1h\"");
    let stricter = old.secret("stricter.toml", &std::fs::read_to_string(old.write()).expect("written"));
    let site = old.replaced("hold = \"1h\"", "hold = \"0.2s\"");
    assert_eq!(site.write(), path);
    let difference = replay(&[OsStr::new("--against"), stricter.as_os_str()]).stdout;
    let intrusions = again["keep-off"];
    assert_eq!(
        difference.lines().filter(|line| line.starts_with("+ ") && line.contains("keep-off")).count(),
        intrusions
    );
    assert!(!difference.lines().any(|line| line.starts_with("- ")), "{difference}");
    let json = replay(&[OsStr::new("--against"), stricter.as_os_str(), OsStr::new("--json")]).stdout;
    let appears = json.lines().filter(|line| line.contains("\"change\":\"appears\"")).count();
    assert_eq!(appears, intrusions);
}

#[test]
fn a_guess_without_recorded_tracks_says_where_they_would_be() {
    let site = one_camera();
    let path = site.write();
    let said = finished(["site", "guess", path.to_str().expect("UTF-8"), "a"]).failed(1);
    assert!(said.contains("there are no recorded tracks at") && said.contains("tracks.sqlite"), "{said}");
}

#[test]
fn without_recorded_tracks_it_says_where_they_would_be() {
    let site = one_camera();
    let path = site.write();
    let said = finished(["replay", "--tracks-db", "--site", path.to_str().expect("UTF-8")]).failed(1);
    assert!(said.contains("there are no recorded tracks at") && said.contains("tracks.sqlite"), "{said}");
}

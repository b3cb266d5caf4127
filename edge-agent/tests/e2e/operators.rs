//! Operators at the other end, over MQTT 3.1.1: incidents judged from `watch`, commands sent from a shell.

use std::io::Write;

use edge_agent::publish::wire::{Ack, AckState, CameraState, Finding};

use crate::agent::{Agent, Finished, edge_agent, finished};
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// `edge-agent command` as a person would type it; `options` come before the command.
pub(crate) fn command(broker: &Mosquitto, options: &[&str], what: &[&str]) -> Finished {
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let whom = ["command", "--broker", &url, "--site", "nut-thu", "--box", "box-a", "--actor", "Trần Thị B"];
    finished(whom.iter().chain(options).chain(what))
}

/// The answers to a command, and the exit code.
pub(crate) fn answers_to(broker: &Mosquitto, options: &[&str], what: &[&str]) -> (Vec<Ack>, i32) {
    let json: Vec<&str> = options.iter().copied().chain(["--json"]).collect();
    let done = command(broker, &json, what);
    let acks = done.stdout.lines().map(|line| serde_json::from_str(line).expect("an answer a line"));
    (acks.collect(), done.code())
}

/// What operators found, over all rules: confirmed, judged, duplicates.
fn found(seen: &Seen) -> (u64, u64, u64) {
    let rows = seen.healths.last().map(|health| health.precision.clone()).unwrap_or_default();
    rows.iter().fold((0, 0, 0), |sum, row| (sum.0 + row.confirmed, sum.1 + row.judged, sum.2 + row.duplicates))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_are_judged_from_watch_and_the_box_is_commanded_from_a_shell_over_mqtt_3_1_1() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).replaced("[mqtt]\n", "[mqtt]\nprotocol = \"3.1.1\"\n").camera(
        "nam",
        &cameras.url("one"),
        "",
    );
    let mut centre = Centre::start(broker.port(), None).await;
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let desk = ["watch", "--broker", &url, "--protocol", "3.1.1", "--lang", "en", "--operator", "nguyen-van-a"];
    let (watcher, mut typed) = Agent::start_typed(&mut edge_agent(desk));
    let agent = Agent::run(&site.write());
    centre.until_online(0).await;

    // Four incidents have numbers; each is the one that the wire names in that order.
    watcher.stdout.line_with("#4 ");
    for line in ["1 ack", "1 yes", "#2 no bóng cây", "3 dup", "4 yes", "4 no", "99 yes", "1 perhaps", ""] {
        writeln!(typed, "{line}").expect("it reads");
    }
    centre.until("what was found is counted", |seen| found(seen) == (1, 3, 1)).await;
    let sent = |finding: Finding| {
        let word = serde_json::to_string(&finding).expect("a word");
        move |payload: &&Vec<u8>| String::from_utf8_lossy(payload).contains(&format!("\"verdict\":{word}"))
    };
    let of = |finding| centre.seen.commands.iter().filter(sent(finding)).count();
    assert_eq!([Finding::Confirmed, Finding::FalseAlarm, Finding::Duplicate].map(of), [2, 2, 1]);
    let because = |payload: &Vec<u8>| String::from_utf8_lossy(payload).contains("\"reason\":\"bóng cây\"");
    assert!(centre.seen.commands.iter().any(because));
    watcher.stderr.line_with("? N ack | N yes [why]");
    watcher.stdout.line_with("Acknowledge: done");
    watcher.stdout.line_with("Verdict: done");
    // The end of what is typed ends no watching.
    drop(typed);

    let old = ["--protocol", "3.1.1", "--lang", "en"];
    let done = command(&broker, &old, &["rule", "nam", "keep-off", "off", "--for", "2h", "--reason", "bảo trì"]);
    assert!(done.succeeded().stdout.starts_with("Rule on/off: done"));
    let is_disarmed = |seen: &Seen| seen.states("nam").last().is_some_and(|status| !status.disarmed.is_empty());
    centre.until("it is disarmed", is_disarmed).await;
    let by = centre.seen.states("nam").last().expect("one").disarmed[0].clone();
    let (who, until) = (by.switched_off.by, by.switched_off.until.expect("two hours"));
    let life = until.as_unix_millis() - by.switched_off.at.as_unix_millis();
    assert_eq!((by.rule.as_str(), who.as_str()), ("keep-off", "Trần Thị B"));
    assert!((7_100_000..=7_200_000).contains(&life), "{life} ms");
    command(&broker, &old, &["rule", "nam", "keep-off", "on"]).succeeded();
    command(&broker, &old, &["camera", "nam", "off"]).succeeded();
    centre.until("it is off", |seen| seen.is("nam", CameraState::Disabled)).await;
    command(&broker, &old, &["camera", "nam", "on"]).succeeded();
    centre.until("it is on, armed", |seen| seen.is("nam", CameraState::Online) && !is_disarmed(seen)).await;

    let file = command(&broker, &old, &["config-fetch"]).succeeded().stdout;
    assert!(file.contains("nut-thu") && file.contains("keep-off"), "{file}");
    command(&broker, &old, &["log-level", "debug", "--for", "1m"]).succeeded();
    agent.stderr.line_with("DEBUG");
    let births = centre.seen.births.len();
    command(&broker, &old, &["rebirth"]).succeeded();
    centre.until("birth once more", |seen| seen.births.len() > births).await;

    let incident = centre.seen.events[0].data.incident_id.to_string();
    command(&broker, &old, &["acknowledge", &incident]).succeeded();
    command(&broker, &old, &["verdict", &incident, "confirmed", "--reason", "đúng"]).succeeded();
    let refused = command(&broker, &old, &["camera", "tay", "off"]);
    assert!(refused.stdout.contains("(unknown_camera): the box has no such camera"), "{}", refused.stdout);
    refused.failed(1);
    let (acks, code) = answers_to(&broker, &old, &["verdict", &incident.replace('0', "1"), "duplicate"]);
    assert_eq!((acks[0].state, acks[0].reason.as_deref(), code), (AckState::Refused, Some("unknown_incident"), 1));
    agent.stop().succeeded();
    // Nobody is there: whoever asks hears that, and may ask again.
    let away = command(&broker, &["--protocol", "3.1.1", "--lang", "en", "--wait", "3s"], &["rebirth"]).failed(75);
    assert!(away.contains("no answer"), "{away}");
    watcher.stop().succeeded();
}

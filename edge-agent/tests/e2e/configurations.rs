//! Configurations of the centre, by `edge-agent command`, to the program as it is installed: tried, kept, given up.

use std::path::Path;

use edge_agent::publish::wire::{AckState, CameraState};

use crate::agent::{Agent, Finished, edge_agent, finished};
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// `edge-agent command` to the box.
fn command(broker: &Mosquitto, words: &[&str]) -> Finished {
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let to = ["command", "--broker", &url, "--site", "nut-thu", "--box", "box-a", "--actor", "ky-su", "--lang", "en"];
    Agent::start(&mut edge_agent(to.iter().chain(words))).finish()
}

fn fetched(broker: &Mosquitto) -> String {
    command(broker, &["config-fetch"]).succeeded().stdout
}

fn apply(broker: &Mosquitto, folder: &Path, text: &str) -> Finished {
    let file = folder.join("sent.toml");
    std::fs::write(&file, text).expect("writes");
    command(broker, &["config-apply", file.to_str().expect("UTF-8"), "--reason", "đặt lại tên"])
}

/// What the box says of the camera that it is named.
fn is_called(seen: &Seen, name: &str) -> bool {
    seen.births.last().is_some_and(|birth| birth.cameras[0].label.name.en == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_of_the_centre_is_kept_when_all_is_there_with_it_and_given_up_otherwise() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "");
    let folder = tempfile::tempdir().expect("a folder");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    let process = agent.pid();
    let online = |seen: &Seen| seen.is("nam", CameraState::Online);
    centre.until("it sees", online).await;

    // Kept: in force, by whom, over a kill.
    let first = fetched(&broker);
    assert!(first.starts_with("# configuration sha256:"), "{first}");
    let renamed = first.replace("Towards nam", "Towards Nam Định");
    let done = apply(&broker, folder.path(), &renamed).succeeded();
    assert!(done.stdout.contains("done"), "{}", done.stdout);
    centre
        .until("it says whose", |seen| {
            let configuration = seen.births.last().and_then(|birth| birth.configuration.clone());
            is_called(seen, "Towards Nam Định") && configuration.is_some_and(|of| of.by == "ky-su" && !of.on_trial)
        })
        .await;
    assert_eq!(agent.pid(), process, "the same process goes on");
    let check = finished(["check", site.write().to_str().expect("UTF-8")]).succeeded();
    assert!(check.stdout.contains("in force is what ky-su sent"), "{}", check.stdout);
    let stale = apply(&broker, folder.path(), &renamed.replace("Định", "Hà"));
    assert!(stale.stdout.contains("stale_base"), "{}", stale.stdout);
    assert_ne!(stale.code(), 0);

    // Given up at the start: the model cannot be had.
    let second = fetched(&broker);
    let broken = second.replace("id = \"nam\"", "id = \"nam\"\nmodel = \"yolox-nano\"");
    let given_up = apply(&broker, folder.path(), &broken);
    assert!(given_up.stdout.contains("rolled_back"), "{}", given_up.stdout);

    // Given up after a kill in the midst of the trial.
    let third = fetched(&broker);
    let births = centre.seen.births.len();
    let waiting = std::thread::scope(|scope| {
        let sent = third.replace("Towards Nam Định", "Towards nowhere");
        let (broker, folder) = (&broker, folder.path());
        let waiting = scope.spawn(move || apply(broker, folder, &sent));
        tokio::task::block_in_place(|| {
            let on_trial = |seen: &Seen| seen.births.len() > births && is_called(seen, "Towards nowhere");
            tokio::runtime::Handle::current().block_on(centre.until("it is on trial", on_trial));
        });
        agent.kill();
        let again = Agent::run(&site.write());
        (waiting.join().expect("ends"), again)
    });
    let (killed, agent) = waiting;
    assert!(killed.stdout.contains("rolled_back"), "{}", killed.stdout);
    centre.until("what was kept", |seen| is_called(seen, "Towards Nam Định") && online(seen)).await;

    // What only someone at the box may do.
    let moved = third.replace("path = \"storage\"", "path = \"/tmp\"");
    let refused = apply(&broker, folder.path(), &moved);
    assert!(refused.stdout.contains("not_from_afar") && refused.stdout.contains("storage"), "{}", refused.stdout);

    // The file wins when it is changed.
    agent.stop().succeeded();
    let local = site.replaced("Towards nam", "Towards here");
    let agent = Agent::run(&local.write());
    centre.until("the file's", |seen| is_called(seen, "Towards here")).await;
    agent.stop().succeeded();
    let finals = centre.seen.acks.iter().filter(|ack| ack.name == "config-apply" && ack.state.is_final());
    let states: Vec<AckState> = finals.map(|ack| ack.state).collect();
    assert_eq!(
        states,
        [AckState::Done, AckState::Refused, AckState::Failed, AckState::Failed, AckState::Refused],
        "one final answer each"
    );
    let audit = finished(["audit", "export", "--site", local.write().to_str().expect("UTF-8")]).succeeded();
    for action in ["configuration_applied", "configuration_rolled_back"] {
        assert!(audit.stdout.contains(action), "{action}\n{}", audit.stdout);
    }
}

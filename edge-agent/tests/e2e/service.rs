//! `run` from start to stop: who is there, what arrives, how it ends.

use std::collections::BTreeSet;

use edge_agent::publish::wire::{BirthCamera, CameraState, HealthState, Presence, Status};

use crate::agent::Agent;
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

fn two_cameras(broker: &Mosquitto, cameras: &Cameras) -> SiteFile {
    SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "").camera("bac", &cameras.url("two"), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cameras_are_watched_until_the_service_is_stopped() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = two_cameras(&broker, &cameras);
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until("online", |seen| seen.presence() == Some(Presence::Online)).await;
    centre.until("a birth and health", |seen| !seen.births.is_empty() && !seen.healths.is_empty()).await;
    let birth = &centre.seen.births[0];
    assert_eq!(centre.seen.statuses[0].session, birth.session);
    let of_places = |camera: &BirthCamera| camera.rules.iter().filter(|rule| !rule.kind.starts_with("camera_")).count();
    let born: Vec<_> = birth.cameras.iter().map(|camera| (camera.label.id.as_str(), of_places(camera))).collect();
    assert_eq!(born, [("nam", 7), ("bac", 7)]);
    for camera in ["nam", "bac"] {
        centre.until(camera, |seen| seen.is(camera, CameraState::Online)).await;
        centre.until_more_events(camera, 5).await;
    }
    let last_health = |seen: &Seen| {
        seen.healths.last().is_some_and(|health| {
            health.cameras.len() == 2 && !health.reasons.iter().any(|reason| reason == "camera_not_online")
        })
    };
    centre.until("health knows that the cameras are online", last_health).await;
    let health = centre.seen.healths.last().expect("just seen");
    assert_eq!(health.state == HealthState::Ok, health.reasons.is_empty());
    assert_eq!(health.models[0].name, "ssdlite-mobilenet-v2");

    let second = Agent::run(&site.write()).finish().failed(1);
    assert!(second.contains("in use by another process") && second.contains("outbox.sqlite"), "{second}");
    centre.until_more_events("nam", 1).await;
    assert_eq!(centre.seen.presence(), Some(Presence::Online), "the second one said nothing");

    let done = agent.stop().succeeded();
    assert!(done.stdout.contains("events delivered, 0 waiting"), "{}", done.stdout);
    centre.until("stopped", |seen| seen.presence() == Some(Presence::Stopped)).await;
    let statuses: Vec<_> = centre.seen.statuses.iter().map(|status| (status.state, status.session)).collect();
    let session = centre.seen.births[0].session;
    assert_eq!(statuses, [(Presence::Online, session), (Presence::Stopped, session)]);
    let events = centre.seen.events.len();
    assert!(done.stdout.contains(&format!(" {events} events delivered")), "{events} came: {}", done.stdout);
    let sequences: BTreeSet<u64> = centre.seen.events.iter().map(|event| event.sequence.0).collect();
    assert!(sequences.into_iter().eq(1..=events as u64));
    assert!(centre.seen.events.iter().all(|event| !event.data.replayed));

    let mut late = Centre::start(broker.port(), None).await;
    late.until("stopped", |seen| seen.presence() == Some(Presence::Stopped)).await;
    let state = ["birth", "camera/bac/status", "camera/nam/status", "health", "status"];
    late.until("the retained state", |seen| seen.retained.len() >= state.len()).await;
    let expected: Vec<String> = state.iter().map(|topic| format!("ngatu/v1/nut-thu/box-a/{topic}")).collect();
    assert!(late.seen.retained.iter().eq(&expected), "{:?}", late.seen.retained);
}

fn is_offline(status: &Status) -> bool {
    status.state == Presence::Offline
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once_and_loses_nothing() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = two_cameras(&broker, &cameras);
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until_more_events("nam", 1).await;
    // The goodbye waits for a broker that does not answer.
    broker.freeze();
    agent.signal("TERM");
    agent.stderr.line_with("a second signal ends at once");
    agent.signal("INT");
    let ended = agent.finish();
    assert_eq!(ended.code(), 130, "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "no summary: it did not drain");
    broker.thaw();
    let agent = Agent::run(&site.write());
    let has_all = |seen: &Seen| {
        let sequences: BTreeSet<u64> = seen.events.iter().map(|event| event.sequence.0).collect();
        let is_gapless = sequences.iter().copied().eq(1..=sequences.len() as u64);
        is_gapless && seen.events.last().is_some_and(|event| !event.data.replayed)
    };
    centre.until("offline, by its will", |seen| seen.statuses.iter().any(is_offline)).await;
    centre.until("online again", |seen| seen.presence() == Some(Presence::Online)).await;
    centre.until_more_events("nam", 3).await;
    centre.until("every event", has_all).await;
    agent.stop().succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_broker_and_cameras_it_starts_and_stops() {
    let broker = Mosquitto::stopped_with(&[]);
    let site = SiteFile::new(broker.port()).camera("nam", "rtsp://127.0.0.1:1/one", "");
    let agent = Agent::run(&site.write());
    agent.stderr.line_with("no connection to the broker");
    agent.stderr.line_with("cannot be reached");
    let done = agent.stop().succeeded();
    assert!(done.stdout.starts_with("0 frames, 0 analysed"), "{}", done.stdout);
    assert!(site.storage().join("outbox.sqlite").is_file());
}

//! Cameras that freeze, die and come back, beside one that does not.

use edge_agent::publish::wire::{CameraState, CameraStatus};

use crate::agent::Agent;
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// The camera that things happen to, and the other one.
const VICTIM: &str = "nam";
const BYSTANDER: &str = "bac";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_freezes_or_dies_is_reported_comes_back_and_disturbs_no_other() {
    let (broker, victim, bystander) = (Mosquitto::start_open(), Cameras::start(), Cameras::start());
    let site = SiteFile::new(broker.port());
    let site = site.camera(VICTIM, &victim.url("one"), "").camera(BYSTANDER, &bystander.url("one"), "");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    for camera in [VICTIM, BYSTANDER] {
        centre.until_more_events(camera, 1).await;
    }

    victim.freeze();
    centre.until("the silence is noticed", |seen| has_been(seen, CameraState::Degraded, "stalled")).await;
    is_lost(&mut centre).await;
    victim.thaw();
    is_back(&mut centre).await;

    let port = victim.kill();
    centre.until("the end is noticed", |seen| has_been(seen, CameraState::Degraded, "end_of_stream")).await;
    is_lost(&mut centre).await;
    let _again = Cameras::start_on(port, "none", "");
    is_back(&mut centre).await;

    let states: Vec<_> = centre.seen.states(BYSTANDER).iter().map(|status| status.state).collect();
    let online = states.iter().position(|state| *state == CameraState::Online).expect("it came online");
    assert!(states[online..].iter().all(|state| *state == CameraState::Online), "{states:?}");
    agent.stop().succeeded();
}

fn has_been(seen: &Seen, state: CameraState, reason: &str) -> bool {
    let is = |status: &CameraStatus| status.state == state && status.reasons.iter().any(|word| word == reason);
    seen.states(VICTIM).iter().any(is)
}

/// The camera goes offline with a reason, health says so, and the other one is analysed all the same.
async fn is_lost(centre: &mut Centre) {
    centre.until("offline", |seen| seen.is(VICTIM, CameraState::Offline)).await;
    let reasons = |centre: &Centre| centre.seen.states(VICTIM).last().map(|status| status.reasons.clone());
    assert!(reasons(centre).is_some_and(|reasons| !reasons.is_empty()));
    let reported = |seen: &Seen| {
        seen.healths.last().is_some_and(|health| health.reasons.iter().any(|reason| reason == "camera_not_online"))
    };
    centre.until("health says so", reported).await;
    let events = centre.seen.events_of(VICTIM).count();
    centre.until_more_events(BYSTANDER, 4).await;
    assert!(centre.seen.is(VICTIM, CameraState::Offline));
    assert_eq!(centre.seen.events_of(VICTIM).count(), events, "no pictures, no events");
}

/// The camera is online and analysed again, and health says so.
async fn is_back(centre: &mut Centre) {
    centre.until("online", |seen| seen.is(VICTIM, CameraState::Online)).await;
    centre.until_more_events(VICTIM, 2).await;
    let recovered = |seen: &Seen| {
        seen.healths.last().is_some_and(|health| !health.reasons.iter().any(|reason| reason == "camera_not_online"))
    };
    centre.until("health says so", recovered).await;
}

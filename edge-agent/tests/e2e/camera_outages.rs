//! Cameras that freeze, die and come back, beside one that does not.

use edge_agent::publish::wire::{CameraState, CameraStatus, Incident, Phase};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_stream_that_dies_is_said_and_the_camera_stays_online() {
    let (broker, sub, main) = (Mosquitto::start_open(), Cameras::start(), Cameras::start());
    let record = format!("\" }}\nrecord = {{ url = \"{}", main.url("one"));
    let site = SiteFile::new(broker.port()).camera(VICTIM, &(sub.url("one") + &record), "");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    let record_is = |seen: &Seen, state: CameraState| {
        seen.is(VICTIM, CameraState::Online)
            && seen.states(VICTIM).last().and_then(|status| status.record.as_ref()).is_some_and(|record| {
                record.state == state && (state != CameraState::Online || record.width.is_some_and(|width| width > 0))
            })
    };
    centre.until("both streams come", |seen| record_is(seen, CameraState::Online)).await;
    let status = centre.seen.states(VICTIM).last().cloned().expect("it came");
    assert!(status.reasons.is_empty(), "{status:?}");
    assert_eq!(status.record.and_then(|record| record.codec).as_deref(), Some("H264"));
    let began = centre.seen.states(VICTIM).len();

    let port = main.kill();
    centre.until("the record stream is offline", |seen| record_is(seen, CameraState::Offline)).await;
    let status = centre.seen.states(VICTIM).last().cloned().expect("it came");
    assert_eq!(status.reasons, ["record_offline"]);
    assert!(!status.record.expect("said").reasons.is_empty());
    centre.until_more_events(VICTIM, 2).await;
    let _again = Cameras::start_on(port, "none", "");
    centre.until("both streams come again", |seen| record_is(seen, CameraState::Online)).await;
    assert!(centre.seen.states(VICTIM).last().is_some_and(|status| status.reasons.is_empty()));
    assert!(centre.seen.states(VICTIM)[began..].iter().all(|status| status.state == CameraState::Online));
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
    centre.until("an operator hears of it", |seen| told_lost(seen, Phase::New) > told_lost(seen, Phase::End)).await;
    let of_traffic =
        |centre: &Centre| centre.seen.events_of(VICTIM).filter(|event| !event.data.kind.starts_with("camera_")).count();
    let events = of_traffic(centre);
    centre.until_more_events(BYSTANDER, 4).await;
    assert!(centre.seen.is(VICTIM, CameraState::Offline));
    assert_eq!(of_traffic(centre), events, "no pictures, no events");
}

/// The camera is online and analysed again, and health says so.
async fn is_back(centre: &mut Centre) {
    centre.until("online", |seen| seen.is(VICTIM, CameraState::Online)).await;
    centre.until_more_events(VICTIM, 2).await;
    let recovered = |seen: &Seen| {
        seen.healths.last().is_some_and(|health| !health.reasons.iter().any(|reason| reason == "camera_not_online"))
    };
    centre.until("health says so", recovered).await;
    centre.until("and of its return", |seen| told_lost(seen, Phase::New) == told_lost(seen, Phase::End)).await;
}

/// How often it was said that the camera is lost, or no longer.
fn told_lost(seen: &Seen, phase: Phase) -> usize {
    let is = |event: &&Incident| event.data.kind == "camera_lost" && event.data.phase == phase;
    seen.events_of(VICTIM).filter(is).count()
}

//! A camera whose stream crashes the program, beside one whose stream does not.

use edge_agent::publish::wire::CameraState;

use crate::agent::Agent;
use crate::centre::Centre;
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// The camera whose threads crash, and the other one.
const CULPRIT: &str = "nam";
const BYSTANDER: &str = "bac";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_whose_stream_crashed_the_program_three_times_starts_parked_and_the_other_goes_on() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port());
    let site = site.camera(CULPRIT, &cameras.url("one"), "").camera(BYSTANDER, &cameras.url("two"), "");
    let mut centre = Centre::start(broker.port(), None).await;
    for signal in [libc::SIGSEGV, libc::SIGABRT, libc::SIGTRAP] {
        let agent = Agent::run(&site.write());
        // Events of the run before may still come.
        agent.stderr.line_with(&format!("camera online camera={CULPRIT}"));
        centre.until_more_events(CULPRIT, 1).await;
        centre.until_more_events(BYSTANDER, 1).await;
        agent.strike(&format!("@{CULPRIT}"), signal);
        let said = agent.finish().failed(128 + signal);
        assert!(said.contains(&format!("fatal signal in thread @{CULPRIT}")), "{said}");
    }
    let agent = Agent::run(&site.write());
    let is_parked = |status: &edge_agent::publish::wire::CameraStatus| {
        status.state == CameraState::Offline && status.reasons.iter().any(|reason| reason == "parked")
    };
    centre.until("it is parked", |seen| seen.states(CULPRIT).last().is_some_and(is_parked)).await;
    centre.until_more_events(BYSTANDER, 3).await;
    centre.until("it is announced", |seen| seen.text.contains("vn.ngatu.system.camera_parked.v1")).await;
    assert!(centre.seen.states(CULPRIT).last().is_some_and(is_parked));
    agent.stop().succeeded();
}

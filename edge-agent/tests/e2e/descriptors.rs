//! A box that runs out of file descriptors while it works.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use edge_agent::publish::wire::{CameraState, CameraStatus};

use crate::agent::Agent;
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::ledger::Ledger;
use crate::site::SiteFile;

const SHORT: &str = "descriptors_short";

/// What the program keeps back for connections that stand.
const RESERVE: u64 = 24;
/// So few others are left that it hands them out.
const LEFT: u64 = 6;
/// Below what two cameras have open, above the reserve.
const FEW: u64 = 30;
const ENOUGH: u64 = 1024;
/// How often the status page is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Sets the soft limit of a running process (prlimit(2)); the hard one stays.
fn limit_descriptors(pid: u32, soft: u64) {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: live limits; the calls keep no pointer.
    unsafe {
        assert_eq!(libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit), 0);
        limit.rlim_cur = soft;
        assert_eq!(libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()), 0);
    }
}

/// A number of the status page at `address`.
fn metric(address: &str, name: &str) -> u64 {
    let mut page = TcpStream::connect(address).expect("it listens");
    page.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).expect("is taken");
    let mut answer = String::new();
    page.read_to_string(&mut answer).expect("is answered");
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{answer}")).parse().expect("a number")
}

/// Descriptors that are open, counted after this was called.
fn open_descriptors(address: &str) -> u64 {
    let called = metric(address, "ngatu_uptime_seconds");
    // Both the count and what the page shows are made once a second.
    while metric(address, "ngatu_uptime_seconds") < called + 3 {
        std::thread::park_timeout(POLL);
    }
    metric(address, "ngatu_descriptors_open")
}

fn gives(reasons: &[edge_agent::publish::wire::Word], code: &str) -> bool {
    reasons.iter().any(|reason| reason == code)
}

fn is_refused(status: &CameraStatus) -> bool {
    status.state != CameraState::Online && gives(&status.reasons, SHORT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_without_descriptors_goes_on_says_so_and_recovers_alone() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port());
    let site = site.camera("nam", &cameras.url("one"), "").camera("bac", &cameras.url("two"), "");
    let mut ledger = Ledger::open(&broker).await;
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    for camera in ["nam", "bac"] {
        centre.until_more_events(camera, 2).await;
    }
    let said = agent.stderr.line_with("status page");
    let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("its address");
    // As a leak would come to it, not below what is open at one blow.
    limit_descriptors(agent.pid(), open_descriptors(address) + RESERVE + LEFT);
    let is_short = |seen: &Seen| seen.healths.last().is_some_and(|health| gives(&health.reasons, SHORT));
    centre.until("health says it", is_short).await;
    limit_descriptors(agent.pid(), FEW);
    for camera in ["nam", "bac"] {
        centre.until_more_events(camera, 3).await;
    }
    // Connections that break are not replaced.
    cameras.freeze();
    for camera in ["nam", "bac"] {
        let refused = |seen: &Seen| seen.states(camera).last().is_some_and(is_refused);
        centre.until("no further connection is tried", refused).await;
    }
    cameras.thaw();

    limit_descriptors(agent.pid(), ENOUGH);
    for camera in ["nam", "bac"] {
        centre.until("it is back", |seen| seen.is(camera, CameraState::Online)).await;
        centre.until_more_events(camera, 2).await;
    }
    let is_well = |seen: &Seen| seen.healths.last().is_some_and(|health| !gives(&health.reasons, SHORT));
    centre.until("health says that too", is_well).await;
    ledger.until("only what is live is left", Ledger::is_up_to_date).await;
    let done = agent.stop().succeeded();
    ledger.until("the last ones", Ledger::is_gapless).await;
    assert!(
        done.stderr.contains("file descriptors run out") && done.stderr.contains("there are file descriptors again")
    );
    let lines = done.stderr.lines().count();
    assert!(lines < 200, "nothing spins: {lines} lines\n{}", done.stderr);
}

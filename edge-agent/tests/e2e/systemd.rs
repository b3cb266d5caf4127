//! What systemd is told, heard on a socket as it would open it.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::agent::{Agent, edge_agent, finished};
use crate::common::certificates::Authority;
use crate::common::process::DEADLINE;
use crate::site::SiteFile;

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self { socket, folder }
    }

    fn run(&self, site: &Path, watchdog_s: u32) -> Agent {
        let mut command: Command = edge_agent(["run".as_ref(), site.as_os_str()]);
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.env("WATCHDOG_USEC", (watchdog_s * 1_000_000).to_string());
        Agent::start(&mut command)
    }

    /// What it is told next.
    fn next(&self) -> Vec<String> {
        let mut datagram = [0; 4096];
        let length = self.socket.recv(&mut datagram).expect("a word in time");
        String::from_utf8_lossy(&datagram[..length]).lines().map(str::to_owned).collect()
    }

    /// Everything it is told up to a line with these words.
    fn until(&self, words: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            told.extend(self.next());
            if told.iter().any(|line| line.contains(words)) {
                return told;
            }
        }
    }
}

/// A site with a camera and a broker that are not there; the broker's authority is a file that the test may replace.
fn site_with_authority(folder: &Path) -> SiteFile {
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, Authority::new("test").pem()).expect("writes");
    SiteFile::new(1).broker_tls(&ca).camera("nam", "rtsp://127.0.0.1:1/none", "")
}

#[test]
fn the_manager_hears_of_start_state_life_and_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = Manager::new();
    let site = site_with_authority(folder.path());
    let agent = manager.run(&site.write(), 60);
    assert_eq!(manager.next(), ["READY=1"]);
    assert!(site.storage().join("outbox.sqlite").exists(), "ready before it can keep anything");
    assert_eq!(manager.next(), ["STATUS=0 of 1 cameras online, broker away, 0 events waiting"]);
    assert_eq!(manager.until("WATCHDOG=1"), ["WATCHDOG=1"]);
    agent.signal("TERM");
    let told = manager.until("STOPPING=1");
    assert!(told.iter().all(|line| line == "WATCHDOG=1" || line.starts_with("ST")), "{told:?}");
    agent.finish().succeeded();
}

/// A certificate file that never ends to be read (a pipe nobody writes to) hangs the publisher.
#[test]
fn a_loop_that_hangs_ends_the_feeding_until_it_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = Manager::new();
    let site = site_with_authority(folder.path());
    let agent = manager.run(&site.write(), 2);
    manager.until("WATCHDOG=1");
    let (pipe, ca) = (folder.path().join("pipe"), folder.path().join("ca.pem"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    std::fs::rename(&pipe, &ca).expect("takes the file's place");
    manager.until("STATUS=hung: publisher");
    agent.stderr.line_with("a loop hangs");
    // Opening it for writing waits for the reader; closing it ends the reading.
    std::fs::OpenOptions::new().write(true).open(&ca).expect("the agent reads");
    let told = manager.until("WATCHDOG=1");
    let status = "STATUS=0 of 1 cameras online, broker away, 0 events waiting";
    assert_eq!(told.iter().rev().nth(1).map(String::as_str), Some(status), "fed while a loop hung: {told:?}");
    agent.stop().succeeded();
}

#[test]
fn an_authority_that_is_no_certificate_ends_the_start_with_its_file_and_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = site_with_authority(folder.path());
    std::fs::write(folder.path().join("ca.pem"), "no PEM").expect("writes");
    let error = finished(["run".as_ref(), site.write().as_os_str()]).failed(64);
    assert!(error.contains("ca.pem holds no certificate") && error.contains("BEGIN CERTIFICATE"), "{error}");
}

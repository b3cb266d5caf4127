//! What the program listens on: nothing that another machine can reach.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use edge_agent::publish::wire::CameraState;

use crate::agent::{Agent, edge_agent};
use crate::centre::Centre;
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// In the kernel's table of TCP sockets (proc(5)).
const LISTENS: &str = "0A";
/// In that of UDP: bound, and open to anyone.
const OPEN: &str = "07";

/// Addresses and ports that this process is reachable at, by socket.
fn listening(pid: u32) -> BTreeSet<(IpAddr, u16)> {
    let descriptors = PathBuf::from(format!("/proc/{pid}/fd"));
    let Ok(descriptors) = descriptors.read_dir() else {
        // It lets no process of its own user look into it; root may.
        eprintln!("NOT TESTED: the program's sockets are seen by root alone");
        return BTreeSet::new();
    };
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let sockets: BTreeSet<String> =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    assert!(!sockets.is_empty(), "it is connected to something");
    let mut found = BTreeSet::new();
    for (table, state) in [("tcp", LISTENS), ("tcp6", LISTENS), ("udp", OPEN), ("udp6", OPEN)] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).expect("Linux");
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == state && sockets.contains(words[9]) {
                found.insert(address(words[1]));
            }
        }
    }
    found
}

/// `0100007F:1F9A`: words of four bytes, each as this machine writes them.
fn address(text: &str) -> (IpAddr, u16) {
    let (address, port) = text.split_once(':').expect("address and port");
    let word = |at: usize| u32::from_str_radix(&address[8 * at..8 * at + 8], 16).expect("hexadecimal").to_ne_bytes();
    let address = if address.len() == 8 {
        IpAddr::from(Ipv4Addr::from(word(0)))
    } else {
        let bytes: Vec<u8> = (0..4).flat_map(word).collect();
        IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).expect("four words")))
    };
    (address, u16::from_str_radix(port, 16).expect("hexadecimal"))
}

#[test]
fn the_table_is_read_as_the_kernel_writes_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let open = std::net::UdpSocket::bind("0.0.0.0:0").expect("binds");
    let found = listening(std::process::id());
    for expected in [listener.local_addr(), open.local_addr()] {
        let expected = expected.expect("bound");
        assert!(found.contains(&(expected.ip(), expected.port())), "{expected} {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_listens_on_its_page_alone_and_on_loopback() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    // As a site is that says nothing of a page.
    let site = SiteFile::new(broker.port())
        .camera("nam", &cameras.url("one"), "")
        .replaced("\n[status]\nlisten = \"127.0.0.1:0\"\n", "");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until("online", |seen| seen.is("nam", CameraState::Online)).await;
    agent.stderr.line_with("status page");
    let found = listening(agent.pid());
    // Or none, where another program has that port.
    assert!(found.len() <= 1 && found.iter().all(|(address, _)| address.is_loopback()), "{found:?}");
    agent.stop().succeeded();
}

#[test]
fn the_demo_listens_on_loopback_alone() {
    let agent = Agent::start(&mut edge_agent(["demo", "--for", "60s"]));
    agent.stdout.line_with("status  http://");
    let found = listening(agent.pid());
    let by_place: BTreeMap<bool, Vec<_>> = found.iter().fold(BTreeMap::new(), |mut all, (address, port)| {
        all.entry(address.is_loopback()).or_insert_with(Vec::new).push((address, port));
        all
    });
    assert_eq!(by_place.get(&false), None, "{found:?}");
    agent.stop();
}

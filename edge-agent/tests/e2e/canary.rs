//! Canary secrets, hunted wherever the program writes, sends or can be looked at: camera passwords in the right and in a
//! refused state, the broker's, this box's private key; with everything logged that can be, as text and as JSON.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use edge_agent::publish::wire::CameraState;

use crate::agent::{Agent, edge_agent};
use crate::centre::{Centre, Seen};
use crate::clip::{Cameras, USER};
use crate::common::certificates::{Authority, write_secret};
use crate::common::mosquitto::Mosquitto;
use crate::page::{answer, page_of};
use crate::site::SiteFile;

const CAMERA: &str = "c4n4ry-Cam/w?rd";
/// `viewer:` and that, as HTTP and RTSP write them.
const ENCODED: &str = "dmlld2VyOmM0bjRyeS1DYW0vdz9yZA";
/// Refused by cameras and broker.
const WRONG: &str = "c4n4ry-Wr0ng";
const BROKER: &str = "c4n4ry-Br0ker";

/// What must be nowhere, and where it was looked for.
struct Hunt {
    canaries: Vec<String>,
    places: Vec<String>,
}

impl Hunt {
    fn in_text(&mut self, place: &str, text: &str) {
        self.places.push(place.to_owned());
        for canary in &self.canaries {
            let found = text.lines().find(|line| line.contains(canary.as_str()));
            assert_eq!(found, None, "{canary} in {place}");
        }
    }

    fn in_file(&mut self, path: &Path) {
        let content = std::fs::read(path).unwrap_or_default();
        self.in_text(&path.display().to_string(), &String::from_utf8_lossy(&content));
    }

    /// Every file below a folder.
    fn in_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { self.in_folder(&path) } else { self.in_file(&path) }
        }
    }

    /// What anyone may see of a process, and of those it started.
    fn in_process(&mut self, pid: u32) {
        self.in_file(Path::new(&format!("/proc/{pid}/cmdline")));
        self.in_file(Path::new(&format!("/proc/{pid}/environ")));
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| child.parse().ok()).for_each(|child| self.in_process(child));
    }

    fn in_output_of(&mut self, what: &str, command: &mut Command) {
        let done = Agent::start(command.env("NGATU_LOG", "trace")).finish();
        self.in_text(&format!("{what}, stdout"), &done.stdout);
        self.in_text(&format!("{what}, stderr"), &done.stderr);
        assert!(!done.stdout.is_empty(), "{what}: {}", done.stderr);
    }
}

/// A broker that wants a certificate and a password; and beside it a door for the test.
fn guarded(authority: &Authority) -> (Mosquitto, u16) {
    let mut broker = Mosquitto::stopped_with(&[]);
    let pair = authority.sign("broker", &["127.0.0.1"]);
    let passwords = broker.path("passwords");
    for (user, password, create) in [("box", BROKER, true), ("centre", "listens", false)] {
        let mut command = Command::new("mosquitto_passwd");
        command.args(create.then_some("-c")).arg("-b").arg(&passwords).args([user, password]);
        assert!(command.status().expect("mosquitto_passwd is installed with mosquitto").success());
    }
    for (name, content) in [("ca.pem", &authority.pem()), ("broker.pem", &pair.certificate), ("broker.key", &pair.key)]
    {
        write_secret(&broker.path(name), content);
    }
    let door = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    for (key, value) in [("cafile", "ca.pem"), ("certfile", "broker.pem"), ("keyfile", "broker.key")] {
        broker.configure(&format!("{key} {}", broker.path(value).display()));
    }
    broker.configure("require_certificate true\nallow_anonymous false\nuser root");
    broker.configure(&format!("password_file {}", passwords.display()));
    broker.configure(&format!("listener {door} 127.0.0.1"));
    broker.start();
    (broker, door)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_anywhere_but_where_it_was_put() {
    let authority = Authority::new("authority of the test");
    let (broker, door) = guarded(&authority);
    let [basic, digest] = ["basic", "digest"].map(|log_in| Cameras::start_on(0, log_in, CAMERA));
    let mine = authority.sign("nut-thu/box-a", &[]);
    let keys = tempfile::tempdir().expect("a folder");
    std::fs::write(keys.path().join("ca.pem"), authority.pem()).expect("writes");
    std::fs::write(keys.path().join("box.pem"), &mine.certificate).expect("writes");
    let identity =
        format!("[mqtt]\ncertificate = \"{}\"\nkey = {{ file = \"box.key\" }}", keys.path().join("box.pem").display());
    let site = SiteFile::new(broker.port())
        .broker_log_in("box", "broker-password")
        .broker_tls(&keys.path().join("ca.pem"))
        .replaced("[mqtt]", &identity)
        .with_pictures()
        .camera("basic", &basic.url("one"), ", credential = \"cam\"")
        .camera("digest", &digest.url("one"), ", credential = \"cam\"")
        .camera("wrong", &digest.url("two"), ", credential_file = \"cam-wrong\"");
    site.secret("broker-password", BROKER);
    site.secret("credentials/cam", &format!("{USER}:{CAMERA}"));
    site.secret("cam-wrong", &format!("{USER}:{WRONG}"));
    let key = site.secret("box.key", &mine.key);
    let path = site.write();
    let of_key = mine.key.lines().nth(1).expect("a key of several lines").to_owned();
    let canaries = [CAMERA, ENCODED, WRONG, BROKER, &of_key].map(str::to_owned).to_vec();
    let mut hunt = Hunt { canaries, places: Vec::new() };

    let mut centre = Centre::start(door, Some(("centre", "listens"))).await;
    for json in [false, true] {
        let births = centre.seen.births.len();
        let mut command = edge_agent(json.then_some("--log-json"));
        command.arg("run").arg(&path).env("NGATU_LOG", "trace").env_remove("RUST_LOG");
        // Everything of what handles the log-in; of the rest what is not said of every buffer.
        command.env("GST_DEBUG", if json { "4,rtsp*:7" } else { "5,rtsp*:9,GST_CAPS:2,GST_PADS:2,GST_SCHEDULING:2" });
        let agent = Agent::start(&mut command);
        centre.until("a birth", |seen| seen.births.len() > births).await;
        let (before, said) = (centre.seen.events.len(), centre.seen.states("wrong").len());
        // Refused, and judged.
        let is_refused = |seen: &Seen| seen.states("wrong").len() > said && seen.is("wrong", CameraState::Offline);
        centre.until("refused", is_refused).await;
        centre.until("events", |seen| seen.events.len() >= before + 3).await;
        hunt.in_process(agent.pid());
        if !json {
            let page = page_of(&agent);
            for path in ["/", "/api/v1/status", "/metrics", "/healthz"] {
                hunt.in_text(path, &answer(&page, path));
            }
        }
        let done = agent.stop().succeeded();
        assert!(done.stderr.len() > 100_000, "everything is logged");
        hunt.in_text("stdout", &done.stdout);
        hunt.in_text("stderr", &done.stderr);
    }
    hunt.in_text("MQTT", &centre.seen.text);
    assert!(site.storage().join("evidence").read_dir().is_ok_and(|mut all| all.next().is_some()), "pictures are made");
    hunt.in_folder(&site.storage());

    let out = keys.path().join("support.tar");
    let args = |command: &str| [command.into(), path.clone().into_os_string()];
    hunt.in_output_of("check", &mut edge_agent(args("check")));
    hunt.in_output_of("doctor", &mut edge_agent(args("doctor")));
    hunt.in_output_of("support", edge_agent(args("support")).arg("--out").arg(&out));
    hunt.in_file(&out);
    let bundle = String::from_utf8_lossy(&std::fs::read(&out).expect("is written")).into_owned();
    for part in ["site.toml", "doctor.json", "status.json", "versions.txt", "log.txt", "credential = \"cam\""] {
        assert!(bundle.contains(part), "{part}");
    }
    assert!(!bundle.contains("JFIF"), "no picture");

    // And refused by the broker; and with a key that is not in order.
    site.secret("broker-password", WRONG);
    let refused = Agent::start(edge_agent(args("run")).env("NGATU_LOG", "trace"));
    refused.stderr.line_with("broker refused");
    let done = refused.stop();
    hunt.in_text("a refused log-in", &format!("{}{}", done.stdout, done.stderr));
    let cut = mine.key.lines().take(2).collect::<Vec<_>>().join("\n");
    write_secret(&key, &cut);
    let done = Agent::start(edge_agent(args("run")).env("NGATU_LOG", "trace")).finish();
    hunt.in_text("a damaged key", &format!("{}{}", done.stdout, done.stderr));
    assert!(done.failed(64).contains("holds no private key"));
    assert!(hunt.places.len() > 20, "{:?}", hunt.places);
}

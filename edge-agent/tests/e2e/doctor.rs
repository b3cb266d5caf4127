//! `doctor`: alone, with a site where everything is well, and with one where nothing is.

use serde_json::Value;

use crate::agent::{Agent, edge_agent, finished};
use crate::clip::{Cameras, USER};
use crate::common::certificates::{Authority, write_secret};
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// Must never be seen.
const CANARY: &str = "c4n4ry-d0ct0r";

#[test]
fn a_box_without_a_site_is_told_line_by_line() {
    let done = finished(["doctor"]).succeeded();
    for line in done.stdout.lines().filter(|line| !line.is_empty() && !line.contains("fails")) {
        let word = line.get(..6).expect("aligned");
        assert!(["ok    ", "info  ", "warn  ", "fail  ", "      "].contains(&word), "{line:?}");
    }
    for topic in [
        "program",
        "gstreamer",
        "decoder",
        "onnxruntime",
        "model",
        "provider",
        "profile",
        "cpu",
        "memory",
        "clock",
        "disk",
    ] {
        assert!(done.stdout.lines().any(|line| line.get(6..).is_some_and(|rest| rest.starts_with(topic))), "{topic}");
    }
    assert!(
        done.stdout.contains("cpu: ran ssdlite-mobilenet-v2") && done.stdout.contains("decodes"),
        "{}",
        done.stdout
    );
    assert!(!done.stdout.contains('\x1b') && done.stdout.contains("nothing fails"), "{}", done.stdout);
}

#[test]
fn without_its_parts_it_says_so_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("edge-agent");
    // A copy: the checkout above the built one would be found.
    std::fs::copy(env!("CARGO_BIN_EXE_edge-agent"), &program).expect("copies");
    let mut command = std::process::Command::new(&program);
    let done = Agent::start(command.arg("doctor").current_dir(folder.path()).env_remove("NGATU_HOME")).finish();
    assert!(done.stdout.contains("fail  program") && done.stdout.contains("NGATU_HOME"), "{}", done.stdout);
    assert!(done.stdout.contains("ok    gstreamer") && done.stdout.contains("  cpu  "), "{}", done.stdout);
    done.failed(1);
}

#[test]
fn where_all_is_well_nothing_fails_and_no_secret_is_shown() {
    let password = "mosquitto.passwords";
    let broker = Mosquitto::stopped_with(&[]);
    let file = broker.path(password);
    let made =
        std::process::Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&file).args(["box", CANARY]).status();
    assert!(made.expect("mosquitto_passwd is installed").success());
    broker.configure(&format!("password_file {}", file.display()));
    broker.configure("allow_anonymous false");
    let mut broker = broker;
    broker.start();
    let cameras = Cameras::start_on(0, "digest", CANARY);
    let site = SiteFile::new(broker.port())
        .broker_log_in("box", "mqtt-password")
        .camera("nam", &cameras.url("one"), ", credential = \"cam\"")
        .camera("bac", &cameras.url("two"), ", credential = \"cam\"");
    site.secret("mqtt-password", CANARY);
    site.secret("credentials/cam", &format!("{USER}:{CANARY}"));

    let done = Agent::start(
        edge_agent(["doctor".as_ref(), "--json".as_ref(), site.write().as_os_str()]).env("NGATU_LOG", "trace"),
    )
    .finish();
    assert!(!format!("{}{}", done.stdout, done.stderr).contains(CANARY), "{}", done.stdout);
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(report["fail"], 0, "{report:#}");
    let found = |topic: &str| -> Vec<&Value> {
        report["checks"].as_array().expect("checks").iter().filter(|check| check["topic"] == topic).collect()
    };
    let said = |check: &Value, words: &str| check["found"].as_str().is_some_and(|found| found.contains(words));
    assert!(said(found("broker")[0], "TCP and MQTT accepted"), "{report:#}");
    assert_eq!(found("camera").len(), 2);
    assert!(found("camera").iter().all(|check| said(check, "384x288 H264 at ")), "{report:#}");
    assert!(broker.log().contains("-doctor"), "its own client id");
    done.succeeded();
    assert!(!site.storage().exists(), "nothing is left behind");
}

#[test]
fn a_dead_broker_and_dead_cameras_fail_with_their_cures() {
    let cameras = Cameras::start_on(0, "digest", "another");
    let dead =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let site = SiteFile::new(dead)
        .camera("tat", &format!("rtsp://127.0.0.1:{dead}/sub"), "")
        .camera("sai", &cameras.url("one"), ", credential = \"cam\"")
        .camera("thieu", &cameras.url("one"), ", credential = \"missing\"");
    site.secret("credentials/cam", &format!("{USER}:{CANARY}"));
    let done = finished(["doctor".as_ref(), site.write().as_os_str()]);
    let said = done.stdout.clone();
    done.failed(1);
    let cure_of = |words: &str| {
        let mut rest = said.lines().skip_while(|line| !(line.starts_with("fail") && line.contains(words)));
        assert!(rest.next().is_some(), "{words}\n{said}");
        rest.next()
            .filter(|line| line.trim_start().starts_with('→'))
            .unwrap_or_else(|| panic!("{words}\n{said}"))
            .to_owned()
    };
    assert!(cure_of(&format!("mqtt://127.0.0.1:{dead}: nothing listens")).contains("does the broker run?"));
    assert!(cure_of(&format!("tat (rtsp://127.0.0.1:{dead}/sub): nothing listens")).contains("is the camera on"));
    assert!(cure_of("the camera refuses the log-in").contains("user:password"));
    assert!(cure_of("credentials/missing cannot be read").contains("LoadCredential=missing"));
    assert!(said.contains("4 things fail") && !said.contains(CANARY), "{said}");
}

#[test]
fn a_broker_with_tls_is_reached_and_a_foreign_one_is_told_by_its_certificate() {
    let authority = Authority::new("authority of the test");
    let mut broker = Mosquitto::stopped_with(&["allow_anonymous true"]);
    let pair = authority.sign("broker", &["127.0.0.1"]);
    for (key, name, content) in [("certfile", "broker.pem", &pair.certificate), ("keyfile", "broker.key", &pair.key)] {
        write_secret(&broker.path(name), content);
        broker.configure(&format!("{key} {}", broker.path(name).display()));
    }
    broker.configure("user root");
    broker.start();
    let found = |ca: &Authority| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, ca.pem()).expect("writes");
        let site = SiteFile::new(broker.port()).broker_tls(&file).camera("nam", "rtsp://127.0.0.1:1/none", "");
        let said = finished(["doctor".as_ref(), "--json".as_ref(), site.write().as_os_str()]).stdout;
        let report: Value = serde_json::from_str(&said).expect("JSON");
        let checks = report["checks"].as_array().expect("checks").clone();
        checks.into_iter().find(|check| check["topic"] == "broker").expect("the broker's")
    };
    let good = found(&authority);
    assert!(
        good["verdict"] == "ok" && good["found"].as_str().is_some_and(|found| found.contains("TCP, TLS and MQTT")),
        "{good}"
    );
    let foreign = found(&Authority::new("another authority"));
    let text = foreign["found"].as_str().expect("said").to_owned();
    assert!(foreign["verdict"] == "fail" && text.contains("broker not trusted"), "{foreign}");
    assert!(foreign["cure"].as_str().is_some_and(|cure| cure.contains("mqtt.ca")), "{foreign}");
}

#[test]
fn a_wrong_site_file_fails_with_a_line_for_each_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = folder.path().join("site.toml");
    std::fs::write(&site, "[site]\nid = \"Nút\"\n[box]\nid = \"a\"\n[mqtt]\nurl = \"http://u:c4n4ry-d0ct0r@x\"\n")
        .expect("writes");
    let done = finished(["doctor".as_ref(), site.as_os_str()]);
    let errors = done.stdout.lines().filter(|line| line.starts_with("fail  site")).count();
    assert_eq!(errors, 4, "{}", done.stdout);
    assert!(done.stdout.contains("ok    gstreamer") && !done.stdout.contains(CANARY), "{}", done.stdout);
    done.failed(1);
}

//! TLS against a real Mosquitto: the centre's example configuration, and every way in which certificates go wrong. Each
//! is shown for what it is, loses nothing, and is over as soon as it is mended, without a restart of the agent.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use analytics::Phase;
use edge_agent::publish::{BrokerParams, Protocol, PublishStatus, TlsError};
use edge_agent::watch::{Seen, WatchParams};

use crate::common::certificates::{Authority, Files, Pair, write_secret};
use crate::common::mosquitto::Mosquitto;
use crate::fixture::{Agent, PLAIN, Watcher, draft};

/// The hosts that a broker's certificate is good for.
const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// The name of the test's box, as the example access list wants it.
const BOX: &str = "ql10-nut-01/box-a";

/// A broker as `deploy/` has it, with its files in a folder of the test's.
pub(crate) struct Secured {
    pub(crate) authority: Authority,
    pub(crate) broker: Mosquitto,
}

impl Secured {
    pub(crate) fn start() -> Self {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        let read = |name: &str| std::fs::read_to_string(deploy.join(name)).expect("is shipped");
        let config = read("mosquitto.conf").replacen("listener 8883", "listener {port} 127.0.0.1", 1);
        let authority = Authority::new("authority of the test");
        let mut broker = Mosquitto::stopped_with_file(&config);
        let folder = broker.path("");
        let config = std::fs::read_to_string(broker.path("mosquitto.conf")).expect("was written");
        let config = config
            .replace("/etc/mosquitto/ngatu/", &format!("{}/", folder.display()))
            .replace("/var/lib/mosquitto/", &format!("{}/", folder.display()));
        // The folder is this user's; no effect unless that is root.
        std::fs::write(broker.path("mosquitto.conf"), config + "user root\nlog_dest stderr\n").expect("writes");
        std::fs::write(broker.path("acl"), read("mosquitto.acl")).expect("writes");
        std::fs::write(broker.path("ca.pem"), authority.pem()).expect("writes");
        write_pair(&broker, &authority.sign("broker", &HOSTS));
        broker.start();
        Self { authority, broker }
    }

    /// Starts the broker again with another certificate.
    pub(crate) fn show(&mut self, pair: &Pair) {
        self.broker.kill();
        write_pair(&self.broker, pair);
        self.broker.start();
    }

    /// A certificate for the test's box.
    pub(crate) fn of_box(&self) -> Pair {
        self.authority.sign(BOX, &[])
    }

    pub(crate) fn params(&self, host: &str, files: &Files) -> BrokerParams {
        BrokerParams { tls: Some(files.params()), ..BrokerParams::plain(host, self.broker.port()) }
    }
}

fn write_pair(broker: &Mosquitto, pair: &Pair) {
    std::fs::write(broker.path("broker.pem"), &pair.certificate).expect("writes");
    write_secret(&broker.path("broker.key"), &pair.key);
}

/// An agent that has committed one event and shows `words` as its trouble, with the event still in the outbox.
async fn troubled(folder: &Path, params: BrokerParams, words: &str) -> Agent {
    let agent = Agent::start(folder, params);
    agent.commit(draft(1, 1, Phase::New, PLAIN)).await;
    let status = agent.until("the trouble is shown", |status| status.last_error.is_some()).await;
    assert_shown(&status, words);
    assert_eq!(agent.outbox.stats().borrow().pending, 1);
    agent
}

fn assert_shown(status: &PublishStatus, words: &str) {
    let error = status.last_error.as_deref().expect("is shown");
    assert!(error.contains(words), "{error}");
    assert!(!error.contains("PRIVATE KEY"), "{error}");
    assert!(!status.connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_centres_example_broker_takes_boxes_and_centre_by_their_certificates() {
    let secured = Secured::start();
    let (folder, centres) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let files = Files::write(folder.path(), &secured.authority, Some(&secured.of_box()));
    let centre = Files::write(centres.path(), &secured.authority, Some(&secured.authority.sign("ioc", &[])));
    let (mut incident, mut versions) = (0, vec![]);
    for protocol in [Protocol::V5, Protocol::V311] {
        for host in HOSTS {
            let params = BrokerParams { protocol, ..secured.params(host, &files) };
            let listener = BrokerParams { protocol, ..secured.params(host, &centre) };
            let params_of_centre = WatchParams {
                host: Some("ioc".to_owned()),
                ..WatchParams::new(listener, edge_agent::publish::TopicRoot::default())
            };
            let mut watcher = Watcher::start_with(params_of_centre);
            watcher.until_subscribed().await;
            let agent = Agent::start(folder.path(), params);
            incident += 1;
            agent.commit_incident(incident, PLAIN).await;
            for _ in 0..3 {
                while !matches!(watcher.next().await, Seen::Incident(_)) {}
            }
            agent.until_delivered().await;
            agent.stop().await;
            versions.push((protocol, host));
        }
    }
    assert_eq!(versions.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_may_not_speak_for_another_box_or_site() {
    let secured = Secured::start();
    for other in ["another-site/box-a", "ql10-nut-01/box-b", "ql10-nut-01/box-a-2", "+/box-a"] {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::write(folder.path(), &secured.authority, Some(&secured.authority.sign(other, &[])));
        let agent = Agent::start(folder.path(), secured.params("localhost", &files));
        agent.commit(draft(1, 1, Phase::New, PLAIN)).await;
        let status = agent.until("the refusal is shown", |status| status.refused > 0).await;
        assert!(status.last_error.as_deref().is_some_and(|error| error.contains("NotAuthorized")), "{status:?}");
        assert_eq!(agent.outbox.stats().borrow().pending, 1, "nothing is lost");
        agent.stop().await;
    }
}

/// `mosquitto_pub` or `mosquitto_sub` with these certificates.
fn client(program: &str, secured: &Secured, files: &Files) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.args(["-h", "localhost", "-p", &secured.broker.port().to_string(), "-q", "1"]);
    command.arg("--cafile").arg(files.ca()).arg("--cert").arg(files.certificate()).arg("--key").arg(files.key());
    command
}

#[test]
fn a_box_reads_its_own_commands_and_the_centre_s_state_and_nothing_else() {
    let secured = Secured::start();
    let (mine, centres) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let files = Files::write(mine.path(), &secured.authority, Some(&secured.of_box()));
    let centre = Files::write(centres.path(), &secured.authority, Some(&secured.authority.sign("ioc", &[])));
    let tell = |topic: &str| {
        let told = client("mosquitto_pub", &secured, &centre).args(["-r", "-t", topic, "-m", "x"]).status();
        assert!(told.expect("mosquitto_pub is installed with mosquitto-clients").success());
    };
    // What the broker has kept comes before what is told afterwards.
    for topic in
        ["ngatu/v1/ql10-nut-01/box-b/cmd/snapshot", "ngatu/v1/host/ioc/state", "ngatu/v1/ql10-nut-02/box-a/cmd/x"]
    {
        tell(topic);
    }
    let (own, last) = ("ngatu/v1/ql10-nut-01/box-a/cmd/snapshot", "ngatu/v1/ql10-nut-01/box-a/cmd/last");
    tell(own);
    let mut reader = client("mosquitto_sub", &secured, &files)
        .args(["-v", "-t", "#"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("mosquitto_sub is installed with mosquitto-clients");
    let heard = crate::common::process::Output::of(reader.stdout.take().expect("piped"));
    heard.line_with("box-a/cmd/snapshot");
    tell(last);
    heard.line_with("box-a/cmd/last");
    reader.kill().expect("kills");
    reader.wait().expect("ends");
    let mut topics: Vec<String> =
        heard.text().lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    topics.sort();
    assert_eq!(topics, ["ngatu/v1/host/ioc/state", last, own]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_whose_certificate_is_not_good_gets_nothing_until_it_is() {
    let mut secured = Secured::start();
    let stranger = Authority::new("a stranger");
    let good = secured.authority.sign("broker", &HOSTS);
    let cases = [
        (stranger.sign("broker", &HOSTS), "UnknownIssuer"),
        (secured.authority.sign_expired("broker", &HOSTS), "expired"),
        // What a box sees whose clock starts in 1970.
        (secured.authority.sign_for_later("broker", &HOSTS), "most likely this box's clock is wrong"),
        (secured.authority.sign("broker", &["other.example", "192.0.2.1"]), "not valid for name"),
    ];
    for (bad, words) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::write(folder.path(), &secured.authority, Some(&secured.of_box()));
        let by_address = tempfile::tempdir().expect("a folder");
        for (folder, host) in [(folder.path(), "localhost"), (by_address.path(), "127.0.0.1")] {
            secured.show(&bad);
            let agent = troubled(folder, secured.params(host, &files), "broker not trusted").await;
            assert_shown(&agent.publish.status().borrow().clone(), words);
            secured.show(&good);
            agent.until_delivered().await;
            agent.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_without_a_good_certificate_is_refused_until_its_files_are_replaced() {
    let secured = Secured::start();
    let stranger = Authority::new("a stranger");
    let bad = [
        (secured.authority.sign_expired(BOX, &[]), "expired on 2021-01-01"),
        (secured.authority.sign_for_later(BOX, &[]), "is this box's clock right?"),
        (stranger.sign(BOX, &[]), "TLS alert"),
    ];
    for protocol in [Protocol::V5, Protocol::V311] {
        for (pair, words) in &bad {
            let folder = tempfile::tempdir().expect("a folder");
            let files = Files::write(folder.path(), &secured.authority, Some(pair));
            let params = BrokerParams { protocol, ..secured.params("localhost", &files) };
            let agent = troubled(folder.path(), params, "broker refused: TLS alert").await;
            assert_shown(&agent.publish.status().borrow().clone(), words);
            Files::write(folder.path(), &secured.authority, Some(&secured.of_box()));
            agent.until_delivered().await;
            agent.stop().await;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::write(folder.path(), &secured.authority, None);
        let params = BrokerParams { protocol, ..secured.params("localhost", &files) };
        troubled(folder.path(), params, "broker refused: TLS alert").await.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_files_that_go_bad_while_it_runs_are_named_and_used_again_when_mended() {
    let secured = Secured::start();
    let stranger = Authority::new("a stranger");
    let (mine, other) = (secured.of_box(), secured.of_box());
    type Spoil<'a> = Box<dyn Fn(&Files) + Send + 'a>;
    let cases: [(Spoil<'_>, &str); 4] = [
        (Box::new(|files| write_secret(&files.key(), &other.key)), "does not belong to the certificate"),
        (
            Box::new(|files| {
                let mode = std::fs::Permissions::from_mode(0o644);
                std::fs::set_permissions(files.key(), mode).expect("sets the mode");
            }),
            "can be read by others",
        ),
        (Box::new(|files| std::fs::remove_file(files.key()).expect("removes")), "cannot be read"),
        (Box::new(|files| std::fs::write(files.ca(), stranger.pem()).expect("writes")), "broker not trusted"),
    ];
    for (spoil, words) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::write(folder.path(), &secured.authority, Some(&mine));
        let params = secured.params("localhost", &files);
        spoil(&files);
        let agent = troubled(folder.path(), params, words).await;
        Files::write(folder.path(), &secured.authority, Some(&mine));
        agent.until_delivered().await;
        agent.stop().await;
    }
}

#[test]
fn certificates_that_cannot_be_used_are_named_with_their_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("authority");
    let (mine, other) = (authority.sign("box", &[]), authority.sign("box", &[]));
    let files = Files::write(folder.path(), &authority, Some(&mine));
    files.params().load().expect("good");
    let error = |spoil: &dyn Fn()| {
        spoil();
        let error = files.params().load().expect_err("spoilt");
        Files::write(folder.path(), &authority, Some(&mine));
        let text = error.to_string();
        assert!(text.contains(&folder.path().display().to_string()) && text.contains("→"), "{text}");
        assert!(!text.contains("PRIVATE KEY-----\n"), "{text}");
        error
    };
    let write = |path: &Path, text: &str| std::fs::write(path, text).expect("writes");
    assert!(matches!(error(&|| write(&files.ca(), "no PEM")), TlsError::NoCertificate(_)));
    assert!(matches!(error(&|| write(&files.ca(), &mine.key)), TlsError::NoCertificate(_)));
    let damaged = authority.pem().replace('M', "?");
    assert!(matches!(error(&|| write(&files.ca(), &damaged)), TlsError::Damaged { .. }));
    assert!(matches!(error(&|| std::fs::remove_file(files.ca()).expect("removes")), TlsError::Unreadable { .. }));
    assert!(matches!(error(&|| write(&files.key(), &mine.certificate)), TlsError::NoKey(_)));
    assert!(matches!(error(&|| write(&files.key(), &other.key)), TlsError::NotAPair { .. }));
}

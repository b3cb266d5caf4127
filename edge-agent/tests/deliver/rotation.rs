//! Certificates replaced while the agent runs, against the example broker: nothing is lost, nothing comes twice, and what
//! cannot be used is not used.

use std::path::Path;
use std::time::Duration;

use analytics::Phase;
use edge_agent::audit::{Action, AuditLine};
use edge_agent::publish::wire::UtcMillis;
use edge_agent::publish::{BrokerParams, Certificates, TopicRoot};
use edge_agent::status::days_left;
use edge_agent::watch::{Seen, WatchParams};

use crate::common::certificates::{Authority, Files, Pair, write_secret};
use crate::fixture::{Agent, PLAIN, Watcher, draft};
use crate::tls::Secured;

/// An agent that delivers, and the centre that hears it.
struct Running {
    secured: Secured,
    folder: tempfile::TempDir,
    files: Files,
    agent: Agent,
    watcher: Watcher,
    committed: u64,
    seen: u64,
}

impl Running {
    async fn start() -> Self {
        let secured = Secured::start();
        let (folder, centre) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let files = Files::write(folder.path(), &secured.authority, Some(&secured.of_box()));
        let of_centre = Files::write(centre.path(), &secured.authority, Some(&secured.authority.sign("ioc", &[])));
        let listener = secured.params("localhost", &of_centre);
        let mut watcher = Watcher::start_with(WatchParams::new(listener, TopicRoot::default()));
        watcher.until_subscribed().await;
        let agent = Agent::start(folder.path(), secured.params("localhost", &files));
        agent.until("connected", |status| status.connected).await;
        Self { secured, folder, files, agent, watcher, committed: 0, seen: 0 }
    }

    fn session(&self) -> u64 {
        self.agent.publish.status().borrow().session
    }

    /// Commits one event after the other until the certificates are so, and one more.
    async fn commit_until(&mut self, what: &str, is_so: impl Fn(&Certificates) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut reached = false;
        loop {
            self.committed += 1;
            self.agent.commit(draft(self.committed, 1, Phase::New, PLAIN)).await;
            if reached {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "never: {what}; {:?}", self.certificates());
            tokio::time::sleep(Duration::from_millis(20)).await;
            reached = is_so(&self.certificates());
        }
    }

    fn certificates(&self) -> Certificates {
        self.agent.certificates.as_ref().expect("TLS").borrow().clone()
    }

    /// Everything committed came, once, without being sent twice.
    async fn all_came_once(&mut self) {
        self.agent.until_delivered().await;
        while self.seen < self.committed {
            match self.watcher.next().await {
                Seen::Incident(_) => self.seen += 1,
                Seen::Subscribed => {}
                other => panic!("{other:?}"),
            }
        }
        let status = self.agent.publish.status().borrow().clone();
        assert_eq!((status.retries, status.refused, status.delivered), (0, 0, self.committed), "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_used_while_events_flow_and_none_is_lost_or_sent_twice() {
    let mut running = Running::start().await;
    for days in [400_i64, 500] {
        let before = running.session();
        let renewed = running.secured.authority.sign_for_days("ql10-nut-01/box-a", &[], days.unsigned_abs());
        Files::write(running.folder.path(), &running.secured.authority, Some(&renewed));
        let is_new = |certificates: &Certificates| {
            let left = certificates.own.as_ref().map(|own| days_left(own, UtcMillis::now()));
            left.is_some_and(|left| (days - 1..=days).contains(&left))
        };
        running.commit_until("renewed", is_new).await;
        running.agent.until("another connection", |status| status.connected && status.session > before).await;
        running.all_came_once().await;
    }
    assert_eq!(running.certificates().tls_version, Some("1.3"), "the newest is preferred");
    let told = std::fs::read_to_string(running.folder.path().join("audit/audit-00000000000000000001.jsonl"));
    let told: Vec<AuditLine> =
        told.expect("written").lines().map(|line| AuditLine::proved(line.as_bytes()).expect("a line")).collect();
    assert_eq!(told.len(), 2, "one for each that the broker took: {told:?}");
    for line in told {
        assert_eq!((line.action, line.object.as_deref()), (Action::CertificateRotated, Some("certificate/mqtt")));
        assert_eq!(line.detail["own"]["name"], "ql10-nut-01/box-a");
    }
    assert!(running.certificates().broker.is_some() && running.certificates().authority.is_some());
    running.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_that_cannot_be_used_leave_the_old_ones_in_use_and_are_named() {
    let mut running = Running::start().await;
    let (session, stranger) = (running.session(), Authority::new("a stranger"));
    let first = std::fs::read_to_string(running.files.certificate()).expect("written");
    let first = Pair { certificate: first, key: std::fs::read_to_string(running.files.key()).expect("written") };
    type Spoil<'a> = Box<dyn Fn(&Running) + 'a>;
    let expired = running.secured.authority.sign_expired("ql10-nut-01/box-a", &[]);
    let unknown = stranger.sign("ql10-nut-01/box-a", &[]);
    let cases: [(Spoil<'_>, &str); 5] = [
        (Box::new(|running| write_secret(&running.files.key(), &running.secured.of_box().key)), "does not belong"),
        (Box::new(|running| std::fs::write(running.files.certificate(), "no PEM").expect("writes")), "no certificate"),
        (
            Box::new(|running| {
                Files::write(running.folder.path(), &running.secured.authority, Some(&expired));
            }),
            "expired on 2021-01-01",
        ),
        (Box::new(|running| std::fs::write(running.files.ca(), stranger.pem()).expect("writes")), "not trusted"),
        (
            Box::new(|running| {
                Files::write(running.folder.path(), &running.secured.authority, Some(&unknown));
            }),
            "broker refused",
        ),
    ];
    for (spoil, words) in cases {
        spoil(&running);
        let is_told =
            |certificates: &Certificates| certificates.problem.as_ref().is_some_and(|problem| problem.contains(words));
        running.commit_until(words, is_told).await;
        running.all_came_once().await;
        assert_eq!(running.session(), session, "the same connection all the while: {words}");
        let problem = running.certificates().problem.expect("told");
        assert!(problem.contains("the old ones still are") && !problem.contains("PRIVATE KEY-----\n"), "{problem}");
        Files::write(running.folder.path(), &running.secured.authority, Some(&first));
        running.commit_until("mended", |certificates| certificates.problem.is_none()).await;
        running.all_came_once().await;
        assert_eq!(running.session(), session, "what is in use already needs no other connection");
    }
    running.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_is_replaced_by_way_of_a_bundle_of_the_old_and_the_new_one() {
    let mut secured = Secured::start();
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::write(folder.path(), &secured.authority, Some(&secured.of_box()));
    let agent = Agent::start(folder.path(), secured.params("localhost", &files));
    let deliver = async |number: u64| {
        agent.commit(draft(number, 1, Phase::New, PLAIN)).await;
        agent.until_delivered().await;
    };
    let reconnected = async |before: u64| {
        agent.until("another connection", |status| status.connected && status.session > before).await.session
    };
    let successor = Authority::new("the next authority");
    let both = format!("{}{}", secured.authority.pem(), successor.pem());
    deliver(1).await;
    let session = agent.publish.status().borrow().session;
    // First everyone trusts both,
    std::fs::write(files.ca(), &both).expect("writes");
    let session = reconnected(session).await;
    std::fs::write(secured.broker.path("ca.pem"), &both).expect("writes");
    // then the broker shows a certificate of the new one,
    secured.show(&successor.sign("broker", &["localhost", "127.0.0.1"]));
    let session = reconnected(session).await;
    deliver(2).await;
    // then the box,
    Files::write_pair(folder.path(), &successor.sign("ql10-nut-01/box-a", &[]));
    let session = reconnected(session).await;
    deliver(3).await;
    // and the old one goes.
    std::fs::write(files.ca(), successor.pem()).expect("writes");
    reconnected(session).await;
    deliver(4).await;
    let certificates = agent.certificates.as_ref().expect("TLS").borrow().clone();
    let name = certificates.authority.and_then(|authority| authority.name);
    assert_eq!((name.as_deref(), certificates.problem), (Some("the next authority"), None));
    let refused = agent.publish.status().borrow().refused;
    assert_eq!(refused, 0);
    agent.stop().await;
}

/// A TLS server of one version, from OpenSSL; gone when dropped.
struct Server(std::process::Child);

impl Server {
    fn start(folder: &Path, port: u16, version: &str) -> Self {
        let child = std::process::Command::new("openssl")
            .args(["s_server", "-quiet", version, "-cipher", "ALL:@SECLEVEL=0", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("-cert")
            .arg(folder.join("server.pem"))
            .arg("-key")
            .arg(folder.join("server.key"))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        Self(child.expect("openssl is installed (apt-get install openssl)"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_is_spoken_and_nothing_older() {
    let authority = Authority::new("authority");
    for (version, at_last) in [("-tls1_1", "offers neither TLS 1.2 nor 1.3"), ("-tls1_2", "1.2")] {
        let (folder, agents) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let pair = authority.sign("server", &["localhost"]);
        std::fs::write(folder.path().join("server.pem"), &pair.certificate).expect("writes");
        write_secret(&folder.path().join("server.key"), &pair.key);
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let _server = Server::start(folder.path(), port, version);
        let files = Files::write(agents.path(), &authority, None);
        let params = BrokerParams {
            tls: Some(files.params()),
            connect_timeout: Duration::from_secs(1),
            ..BrokerParams::plain("localhost", port)
        };
        let agent = Agent::start(agents.path(), params);
        if version == "-tls1_1" {
            let said = |error: &String| error.contains(at_last) && error.contains("broker not trusted");
            agent.until("it is refused", |status| status.last_error.as_ref().is_some_and(said)).await;
        } else {
            let mut certificates = agent.certificates.clone().expect("TLS");
            let spoken = certificates.wait_for(|certificates| certificates.tls_version == Some(at_last));
            tokio::time::timeout(Duration::from_secs(30), spoken).await.expect("in time").expect("it runs");
        }
        agent.stop().await;
    }
}

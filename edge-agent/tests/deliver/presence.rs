//! Who is there: birth, status, will, retained state, refused log-ins, the primary host.

use std::time::Duration;

use analytics::Phase;
use edge_agent::outbox::OutboxLimits;
use edge_agent::publish::wire::{Birth, CameraState, CameraStatus, Presence, Status, UtcMillis, to_bytes};
use edge_agent::publish::{BrokerParams, PublishParams, TopicRoot};
use edge_agent::secret::Secret;
use edge_agent::watch::{Seen, WatchParams};
use rumqttc::{AsyncClient, Broker, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::time::timeout;

use crate::common::contract;
use crate::common::mosquitto::{DEADLINE, Mosquitto};
use crate::fixture::{Agent, PLAIN, Watcher, camera, draft, topics};

/// Sees every message of the broker, and checks it against the contract.
struct Everything {
    _client: AsyncClient,
    events: EventLoop,
}

impl Everything {
    async fn new(broker: &BrokerParams) -> Self {
        let options = MqttOptions::new("everything", Broker::tcp(broker.host.clone(), broker.port));
        let (client, events) = AsyncClient::builder(options).capacity(8).build();
        client.subscribe("#", QoS::AtLeastOnce).await.expect("queued");
        Self { _client: client, events }
    }

    /// The next message on `topic`, as `T`.
    async fn next<T: serde::de::DeserializeOwned>(&mut self, topic: &str) -> (T, bool) {
        loop {
            let event = timeout(DEADLINE, self.events.poll()).await.expect("a message").expect("a connection");
            let Event::Incoming(Packet::Publish(publish)) = event else { continue };
            let found = String::from_utf8_lossy(&publish.topic).into_owned();
            contract::validate(&found, &publish.payload);
            if found == topic {
                return (serde_json::from_slice(&publish.payload).expect("its type"), publish.retain);
            }
        }
    }

    async fn status(&mut self) -> Status {
        self.next(&topics().status()).await.0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_is_offline_and_a_stopped_one_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_open();
    let mut everything = Everything::new(&broker.params()).await;
    let mut session = 0;
    for killed in [true, false] {
        let agent = Agent::start(folder.path(), broker.params());
        let (birth, _): (Birth, _) = everything.next(&topics().birth()).await;
        let online = everything.status().await;
        assert_eq!((online.state, online.session), (Presence::Online, birth.session));
        assert_eq!(birth.outbox_id, agent.outbox.stats().borrow().outbox_id);
        assert!(birth.session > session, "sessions rise over restarts");
        session = birth.session;
        let expected = if killed {
            agent.die().await;
            Presence::Offline
        } else {
            agent.stop().await;
            Presence::Stopped
        };
        let last = everything.status().await;
        assert_eq!((last.state, last.session), (expected, session));
    }
    // Whoever comes later learns it from the retained message; no will has come after it.
    let (kept, retained): (Status, _) = Everything::new(&broker.params()).await.next(&topics().status()).await;
    assert!(retained);
    assert_eq!((kept.state, kept.session), (Presence::Stopped, session));
}

fn camera_status(state: CameraState) -> Vec<u8> {
    let reasons = if state == CameraState::Online { vec![] } else { vec!["no_frames".into()] };
    to_bytes(&CameraStatus {
        camera: "huong-nam".to_owned(),
        state,
        reasons,
        since: UtcMillis::now(),
        record: None,
        ladder: None,
        switched_off: None,
        disarmed: Vec::new(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retained_state_is_published_again_to_a_broker_that_forgot_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::start_open();
    let agent = Agent::start(folder.path(), broker.params());
    let topic = topics().camera_status(&camera("huong-nam"));
    agent.publish.set_retained(topic.clone(), camera_status(CameraState::Online));
    agent.publish.set_retained(topic.clone(), camera_status(CameraState::Offline));
    for _ in 0..2 {
        let mut everything = Everything::new(&broker.params()).await;
        loop {
            let (status, _): (CameraStatus, _) = everything.next(&topic).await;
            if status.state == CameraState::Offline {
                break;
            }
        }
        broker.kill();
        broker.start();
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_log_in_is_shown_without_its_password_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_with(&["allow_anonymous false"]);
    let mut params = broker.params();
    params.credentials = Some(("box-a".to_owned(), Secret::new("canary-5c2d1e8a")));
    let shown = format!("{params:?}");
    let agent = Agent::start(folder.path(), params);
    agent.commit(draft(1, 1, Phase::New, PLAIN)).await;
    let refused = agent.until("the refusal is shown", |status| status.last_error.is_some()).await;
    assert!(refused.last_error.as_deref().is_some_and(|error| error.contains("refused")), "{refused:?}");
    assert!(!format!("{refused:?}{shown}").contains("canary"));
    assert_eq!(agent.outbox.stats().borrow().pending, 1);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_the_primary_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_open();
    let params = PublishParams { primary_host: Some("ioc".to_owned()), ..Agent::params() };
    let agent = Agent::start_with(folder.path(), broker.params(), params, OutboxLimits::default());
    agent.until("connected", |status| status.connected).await;
    agent.commit(draft(1, 1, Phase::New, PLAIN)).await;
    assert_eq!(agent.outbox.stats().borrow().pending, 1);
    let host = WatchParams { host: Some("ioc".to_owned()), ..WatchParams::new(broker.params(), TopicRoot::default()) };
    let mut centre = Watcher::start_with(host);
    while !matches!(centre.next().await, Seen::Incident(_)) {}
    agent.until_delivered().await;
    drop(centre);
    agent.until("the host is gone", |status| status.host_online == Some(false)).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_first_delivers_what_is_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_open();
    let mut watcher = Watcher::start(broker.params());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), broker.params());
    agent.until("connected", |status| status.connected).await;
    for incident in 1..=30 {
        agent.commit(draft(incident, 1, Phase::New, PLAIN)).await;
    }
    agent.stop().await;
    for _ in 1..=30 {
        while !matches!(watcher.next().await, Seen::Incident(_)) {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_with_a_name_misses_nothing_while_it_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_open();
    let agent = Agent::start(folder.path(), broker.params());
    let params = WatchParams {
        client_id: Some("ioc-watch".to_owned()),
        reconnect_every: Duration::from_millis(100),
        ..WatchParams::new(broker.params(), TopicRoot::default())
    };
    let mut watcher = Watcher::start_with(params.clone());
    watcher.until_subscribed().await;
    drop(watcher);
    for incident in 1..=5 {
        agent.commit(draft(incident, 1, Phase::New, PLAIN)).await;
    }
    agent.until_delivered().await;
    let mut watcher = Watcher::start_with(params);
    for _ in 1..=5 {
        while !matches!(watcher.next().await, Seen::Incident(_)) {}
    }
    agent.stop().await;
}

//! MQTT 3.1.1, against NATS (which speaks nothing newer) and Mosquitto: the same promises as with MQTT 5.

use std::collections::BTreeSet;

use analytics::Phase;
use edge_agent::publish::wire::{Birth, CameraState, CameraStatus, Presence, Sequence, Status, UtcMillis, to_bytes};
use edge_agent::publish::{BrokerParams, Protocol};
use rumqttc_v4::{AsyncClient, Broker, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::time::timeout;

use crate::broker::Ledger;
use crate::common::contract;
use crate::common::mosquitto::{DEADLINE, Mosquitto};
use crate::common::nats::Nats;
use crate::fixture::{Agent, Look, PLAIN, Watcher, camera, draft, topics};

/// Larger than any message of these tests.
const ROOMY: usize = 1 << 20;

/// One of the two brokers.
enum Server {
    Nats(Nats),
    Mosquitto(Mosquitto),
}

impl Server {
    fn both() -> [Self; 2] {
        [Self::Nats(Nats::started()), Self::Mosquitto(Mosquitto::start_open())]
    }

    fn params(&self) -> BrokerParams {
        match self {
            Self::Nats(server) => server.params(),
            Self::Mosquitto(broker) => BrokerParams { protocol: Protocol::V311, ..broker.params() },
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Nats(server) => server.kill(),
            Self::Mosquitto(broker) => broker.kill(),
        }
    }

    fn start(&mut self) {
        match self {
            Self::Nats(server) => server.start(),
            Self::Mosquitto(broker) => broker.start(),
        }
    }
}

/// Sees every message below the box's topics, and checks it against the contract.
struct Everything {
    _client: AsyncClient,
    events: EventLoop,
}

impl Everything {
    async fn new(broker: &BrokerParams) -> Self {
        let mut options = MqttOptions::new("everything", Broker::tcp(broker.host.clone(), broker.port));
        options.set_max_packet_size(ROOMY, ROOMY);
        let (client, mut events) = AsyncClient::builder(options).capacity(8).build();
        client.subscribe("ngatu/#", QoS::AtLeastOnce).await.expect("queued");
        while !matches!(events.poll().await.expect("a connection"), Event::Incoming(Packet::SubAck(_))) {}
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_and_retained_state_are_those_of_mqtt_5() {
    for server in Server::both() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut everything = Everything::new(&server.params()).await;
        for killed in [true, false] {
            let agent = Agent::start(folder.path(), server.params());
            let (birth, _): (Birth, _) = everything.next(&topics().birth()).await;
            let (online, _): (Status, _) = everything.next(&topics().status()).await;
            assert_eq!((online.state, online.session), (Presence::Online, birth.session));
            let topic = topics().camera_status(&camera("huong-nam"));
            let status = CameraStatus {
                camera: "huong-nam".to_owned(),
                state: CameraState::Online,
                reasons: vec![],
                since: UtcMillis::now(),
                record: None,
                ladder: None,
                switched_off: None,
                disarmed: Vec::new(),
            };
            agent.publish.set_retained(topic.clone(), to_bytes(&status));
            let (seen, _): (CameraStatus, _) = everything.next(&topic).await;
            assert_eq!(seen, status);
            let expected = if killed {
                agent.die().await;
                Presence::Offline
            } else {
                agent.stop().await;
                Presence::Stopped
            };
            let (last, _): (Status, _) = everything.next(&topics().status()).await;
            assert_eq!((last.state, last.session), (expected, birth.session));
        }
        drop(everything);
        let (kept, retained): (Status, _) = Everything::new(&server.params()).await.next(&topics().status()).await;
        assert!(retained);
        assert_eq!(kept.state, Presence::Stopped);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_once_and_in_order_over_broker_kills() {
    const ROUNDS: u64 = 2;
    for mut server in Server::both() {
        let folder = tempfile::tempdir().expect("a folder");
        // A server that kept the agent's session sends on before anyone else is back.
        let mut watcher = Watcher::start_kept(server.params());
        watcher.until_subscribed().await;
        let agent = Agent::start(folder.path(), server.params());
        agent.until("connected", |status| status.connected).await;
        let mut ledger = Ledger::default();
        let (mut incident, mut committed) = (0, 0);
        let mut down = BTreeSet::new();
        for _ in 0..ROUNDS {
            for _ in 0..10 {
                incident += 1;
                agent.commit_incident(incident, PLAIN).await;
                committed += 3;
                ledger.fill(&mut watcher, committed - 12_usize.min(committed)).await;
            }
            // A server that acknowledged and has not handed on yet may keep it or not: nobody can know.
            ledger.fill(&mut watcher, committed).await;
            server.kill();
            agent.until("the loss is noticed", |status| !status.connected).await;
            for _ in 0..4 {
                incident += 1;
                down.extend(agent.commit_incident(incident, PLAIN).await);
                committed += 3;
            }
            server.start();
            ledger.fill(&mut watcher, committed).await;
        }
        agent.until_delivered().await;
        assert!(ledger.is_complete(committed as u64));
        assert!(down.is_subset(&ledger.replayed), "committed without a connection, yet not marked: {down:?}");
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_acknowledgement_deletes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::start_open();
    let params = BrokerParams { protocol: Protocol::V311, ..broker.params() };
    let mut watcher = Watcher::start(params.clone());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), params);
    agent.until("connected", |status| status.connected).await;
    broker.freeze();
    for incident in 1..=40 {
        agent.commit(draft(incident, 1, Phase::New, PLAIN)).await;
    }
    let noticed = agent.until("the silence is noticed", |status| !status.connected).await;
    assert_eq!(noticed.delivered, 0);
    assert_eq!(agent.outbox.stats().borrow().pending, 40);
    broker.kill();
    broker.start();
    let mut ledger = Ledger::default();
    ledger.fill(&mut watcher, 40).await;
    assert!(ledger.is_complete(40));
    agent.until_delivered().await;
    agent.stop().await;
}

/// The client would by default break the connection over a packet of more than 10 KiB, and drop what is queued behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_arrives_as_does_what_is_queued_behind_it() {
    for server in Server::both() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watcher = Watcher::start(server.params());
        watcher.until_subscribed().await;
        let agent = Agent::start(folder.path(), server.params());
        let long = Look { path: 2000, ..PLAIN };
        for incident in 1..=20 {
            agent.commit(draft(incident, 1, Phase::New, if incident == 3 { long } else { PLAIN })).await;
        }
        let mut ledger = Ledger::default();
        ledger.fill(&mut watcher, 20).await;
        assert!(ledger.is_complete(20));
        agent.until_delivered().await;
        agent.stop().await;
    }
}

/// What `check` warns of: a 3.1.1 broker has no word for a refusal. Mosquitto acknowledges what it then drops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_drops_in_silence_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_with(&["allow_anonymous true", "message_size_limit 2500"]);
    let params = BrokerParams { protocol: Protocol::V311, ..broker.params() };
    let mut watcher = Watcher::start(params.clone());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), params);
    let long = Look { path: 100, ..PLAIN };
    for incident in 1..=20 {
        agent.commit(draft(incident, 1, Phase::New, if incident == 3 { long } else { PLAIN })).await;
    }
    let mut ledger = Ledger::default();
    ledger.fill(&mut watcher, 19).await;
    assert!(!ledger.sequences.contains(&Sequence(3)));
    agent.until_delivered().await;
    agent.stop().await;
}

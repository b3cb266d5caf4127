//! What a broker can do to a box, and what the centre sees of it: everything, once, in order.

use std::collections::{BTreeMap, BTreeSet};

use analytics::{Kind, Phase, Severity};
use edge_agent::outbox::OutboxLimits;
use edge_agent::publish::wire::{Incident, Sequence};
use edge_agent::watch::Seen;
use uuid::Uuid;

use crate::common::mosquitto::Mosquitto;
use crate::fixture::{Agent, Look, PLAIN, Watcher, draft};

/// What a watcher has seen so far; refuses a second arrival and a revision out of order.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) sequences: BTreeSet<Sequence>,
    pub(crate) replayed: BTreeSet<Sequence>,
    revisions: BTreeMap<Uuid, u32>,
    order: Vec<Sequence>,
}

impl Ledger {
    fn note(&mut self, event: &Incident) {
        let data = &event.data;
        assert!(self.sequences.insert(event.sequence), "{} arrived twice", event.sequence);
        let before = self.revisions.insert(data.incident_id, data.revision).unwrap_or(0);
        assert!(before < data.revision, "revision {} after {before}", data.revision);
        if data.replayed {
            self.replayed.insert(event.sequence);
        }
        self.order.push(event.sequence);
    }

    /// Watches until so many events have arrived.
    pub(crate) async fn fill(&mut self, watcher: &mut Watcher, count: usize) {
        while self.sequences.len() < count {
            if let Seen::Incident(arrival) = watcher.next().await {
                self.note(&arrival.event);
            }
        }
    }

    pub(crate) fn is_complete(&self, last: u64) -> bool {
        self.sequences.iter().copied().eq((1..=last).map(Sequence))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_once_and_in_order_over_broker_kills() {
    const ROUNDS: u64 = 3;
    const BEFORE: u64 = 20;
    const WHILE_DOWN: u64 = 4;
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::start_open();
    let mut watcher = Watcher::start(broker.params());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), broker.params());
    agent.until("connected", |status| status.connected).await;
    let mut ledger = Ledger::default();
    let (mut incident, mut committed) = (0, 0);
    let mut down = BTreeSet::new();
    for round in 0..ROUNDS {
        for at in 0..BEFORE {
            incident += 1;
            agent.commit_incident(incident, PLAIN).await;
            committed += 3;
            // Never far ahead of the watcher: what a broker without persistence has taken and not yet handed on dies
            // with it, and no sender can know.
            ledger.fill(&mut watcher, committed - 12_usize.min(committed)).await;
            assert!(round > 0 || at == BEFORE - 1 || ledger.replayed.is_empty(), "live, yet marked as replayed");
        }
        broker.kill();
        agent.until("the loss is noticed", |status| !status.connected).await;
        for _ in 0..WHILE_DOWN {
            incident += 1;
            down.extend(agent.commit_incident(incident, PLAIN).await);
            committed += 3;
        }
        broker.start();
        ledger.fill(&mut watcher, committed).await;
    }
    agent.until_delivered().await;
    assert!(ledger.is_complete(committed as u64));
    assert!(down.is_subset(&ledger.replayed), "committed without a connection, yet not marked: {down:?}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_down_at_start_gets_everything_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::stopped_with(&["allow_anonymous true"]);
    let mut watcher = Watcher::start(broker.params());
    let agent = Agent::start(folder.path(), broker.params());
    let shown = agent.until("the trouble is shown", |status| status.last_error.is_some()).await;
    assert!(!shown.connected);
    let critical = Look { severity: Severity::Critical, ..PLAIN };
    for incident in 1..=10 {
        agent.commit(draft(incident, 1, Phase::New, if incident % 2 == 0 { critical } else { PLAIN })).await;
    }
    broker.start();
    let mut ledger = Ledger::default();
    ledger.fill(&mut watcher, 10).await;
    assert!(ledger.is_complete(10));
    assert_eq!(ledger.replayed.len(), 10);
    let order: Vec<u64> = ledger.order.iter().map(|sequence| sequence.0).collect();
    assert_eq!(order, [10, 8, 6, 4, 2, 1, 3, 5, 7, 9], "critical newest first, the rest oldest first");
    agent.until_delivered().await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_acknowledgement_deletes_and_a_frozen_broker_gives_none() {
    for killed in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut broker = Mosquitto::start_open();
        let mut watcher = Watcher::start(broker.params());
        watcher.until_subscribed().await;
        let agent = Agent::start(folder.path(), broker.params());
        agent.until("connected", |status| status.connected).await;
        broker.freeze();
        for incident in 1..=40 {
            agent.commit(draft(incident, 1, Phase::New, PLAIN)).await;
        }
        agent.until("sent", |status| status.in_flight == 16).await;
        assert_eq!(agent.outbox.stats().borrow().pending, 40);
        let noticed = agent.until("the silence is noticed", |status| !status.connected).await;
        assert_eq!(noticed.delivered, 0);
        assert_eq!(agent.outbox.stats().borrow().pending, 40);
        if killed {
            broker.kill();
            broker.start();
        } else {
            broker.thaw();
        }
        let mut ledger = Ledger::default();
        ledger.fill(&mut watcher, 40).await;
        assert!(ledger.is_complete(40));
        agent.until_delivered().await;
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_to_a_frozen_broker_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_open();
    let mut params = broker.params();
    params.keep_alive = std::time::Duration::from_secs(1);
    let agent = Agent::start(folder.path(), params);
    agent.until("connected", |status| status.connected).await;
    broker.freeze();
    agent.until("the silence is noticed", |status| !status.connected).await;
    broker.thaw();
    agent.until("connected again", |status| status.connected).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_topic_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::stopped_with(&["allow_anonymous true"]);
    let rules = broker.path("acl");
    std::fs::write(
        &rules,
        "topic read ngatu/#\ntopic write ngatu/v1/+/+/status\ntopic write ngatu/v1/+/+/birth\n\
         topic write ngatu/v1/+/+/event/+/loitering\n",
    )
    .expect("writes");
    broker.configure(&format!("acl_file {}", rules.display()));
    broker.start();
    let mut watcher = Watcher::start(broker.params());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), broker.params());
    for incident in 1..=40 {
        agent.commit(draft(incident, 1, Phase::New, PLAIN)).await;
    }
    let allowed = Look { kind: Kind::Loitering, ..PLAIN };
    let sequence = agent.commit(draft(41, 1, Phase::New, allowed)).await;
    let Seen::Incident(arrival) = watcher.next().await else { panic!("the event that is allowed") };
    assert_eq!(arrival.event.sequence, sequence);
    let shown = agent.until("the refusal is shown", |status| status.refused > 0).await;
    assert!(shown.connected);
    let mut stats = agent.outbox.stats();
    stats.wait_for(|stats| stats.pending == 40).await.expect("the outbox runs");
    agent.stop().await;
}

/// Mosquitto answers a message over its `message_size_limit` with a reason code that the client cannot read: the
/// connection breaks at every attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_breaks_the_connection_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_with(&["allow_anonymous true", "message_size_limit 2500"]);
    let mut watcher = Watcher::start(broker.params());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), broker.params());
    let long = Look { path: 100, ..PLAIN };
    for incident in 1..=20 {
        agent.commit(draft(incident, 1, Phase::New, if incident == 3 { long } else { PLAIN })).await;
    }
    let mut ledger = Ledger::default();
    ledger.fill(&mut watcher, 19).await;
    assert!(!ledger.sequences.contains(&Sequence(3)));
    let mut stats = agent.outbox.stats();
    stats.wait_for(|stats| stats.pending == 1).await.expect("the outbox runs");
    agent.until("the refusal is shown", |status| status.refused > 0).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overflow_during_an_outage_is_announced_with_its_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::stopped_with(&["allow_anonymous true"]);
    let mut watcher = Watcher::start(broker.params());
    let limits = OutboxLimits { max_rows: 20, ..OutboxLimits::default() };
    let agent = Agent::start_with(folder.path(), broker.params(), Agent::params(), limits);
    let critical = Look { severity: Severity::Critical, ..PLAIN };
    for incident in 1..=20 {
        agent.commit_incident(incident, if incident <= 3 { critical } else { PLAIN }).await;
    }
    let last = agent.outbox.stats().borrow().last_sequence.0;
    broker.start();
    let (mut arrived, mut lost) = (BTreeSet::new(), BTreeSet::new());
    while arrived.len() + lost.len() < last as usize {
        match watcher.next().await {
            Seen::Incident(arrival) => assert!(arrived.insert(arrival.event.sequence.0)),
            Seen::System(arrival) => {
                assert_eq!(arrival.event.r#type, "vn.ngatu.system.outbox_overflow.v1");
                assert!(arrived.insert(arrival.event.sequence.0));
                let named = arrival.event.data.lost.expect("an overflow names its losses");
                lost.extend(named.ranges.iter().flat_map(|[first, last]| first.0..=last.0));
            }
            _ => {}
        }
    }
    assert!(arrived.is_disjoint(&lost));
    assert!(arrived.union(&lost).copied().eq(1..=last));
    // Incidents 1 to 3 are critical: three events each, from number 1 on; their first and third are never dropped.
    assert!([1, 3, 4, 6, 7, 9].iter().all(|kept| arrived.contains(kept)), "{lost:?}");
    assert_eq!(agent.outbox.stats().borrow().lost_total, lost.len() as u64);
    agent.stop().await;
}

//! Thumbnails against a real broker: below events, through outages, and given up where they do not fit.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use analytics::Phase;
use edge_agent::evidence::EvidenceName;
use edge_agent::outbox::{Outcome, PendingEvidence, Settlement};
use edge_agent::publish::TopicRoot;
use edge_agent::publish::wire::Evidence;
use edge_agent::watch::{Picture, Seen, WatchParams};
use uuid::Uuid;

use crate::common::mosquitto::Mosquitto;
use crate::fixture::{Agent, PLAIN, Watcher, draft};

/// A JPEG of its own for each incident, of about 10 KiB.
fn jpeg(incident: u64) -> Vec<u8> {
    let grain = |x: u32, y: u32| x.wrapping_mul(2_654_435_761).wrapping_add(y * y * 40_503 + incident as u32) >> 24;
    let image = image::GrayImage::from_fn(240, 180, |x, y| image::Luma([grain(x, y) as u8]));
    let mut jpeg = Cursor::new(Vec::new());
    image.write_to(&mut jpeg, image::ImageFormat::Jpeg).expect("writes");
    let jpeg = jpeg.into_inner();
    assert!((8_000..32_768).contains(&jpeg.len()), "{}", jpeg.len());
    jpeg
}

/// Commits an incident with a picture, and what became of it; the incident's id.
async fn commit_with_picture(agent: &Agent, incident: u64) -> Uuid {
    let name = EvidenceName::snapshot(1);
    let mut draft = draft(incident, 1, Phase::New, PLAIN);
    draft.announce(Evidence::pending_snapshot(&name));
    let of = PendingEvidence { incident: draft.event().data.incident_id, name };
    let id = of.incident;
    agent.commit(draft).await;
    let jpeg = jpeg(incident);
    let outcome =
        Outcome::Ready { sha256: "0f".repeat(32), bytes: jpeg.len() as u64, thumbnail: Some(jpeg), shown: None };
    let settled = agent.outbox.settle(Arc::new(Settlement { of, outcome })).await.expect("commits");
    assert!(settled.is_some());
    id
}

fn watch_pictures(broker: &Mosquitto) -> Watcher {
    let reconnect_every = Duration::from_millis(100);
    let params = WatchParams::new(broker.params(), TopicRoot::default());
    Watcher::start_with(WatchParams { pictures: true, reconnect_every, ..params })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_come_after_the_events_of_an_outage_each_as_it_was() {
    const INCIDENTS: u64 = 12;
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::stopped_with(&["allow_anonymous true"]);
    let mut watcher = watch_pictures(&broker);
    let agent = Agent::start(folder.path(), broker.params());
    let mut expected = Vec::new();
    for incident in 1..=INCIDENTS {
        expected.push((commit_with_picture(&agent, incident).await, jpeg(incident)));
    }
    broker.start();
    let (mut events, mut pictures) = (0, Vec::new());
    while pictures.len() < expected.len() {
        match watcher.next().await {
            Seen::Incident(_) => events += 1,
            Seen::Picture(picture) => {
                assert_eq!(events, 2 * INCIDENTS, "a picture overtook an event");
                let Picture { incident, jpeg, .. } = *picture;
                pictures.push((incident, jpeg));
            }
            _ => {}
        }
    }
    pictures.sort();
    expected.sort();
    assert_eq!(pictures, expected);
    let mut stats = agent.outbox.stats();
    stats.wait_for(|stats| stats.thumbnails == 0).await.expect("the outbox runs");
    let status = agent.until("told", |status| status.thumbnails == INCIDENTS).await;
    assert_eq!(status.thumbnails_given_up, 0);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_no_pictures_gets_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start_open();
    let mut watcher = Watcher::start(broker.params());
    watcher.until_subscribed().await;
    let agent = Agent::start(folder.path(), broker.params());
    commit_with_picture(&agent, 1).await;
    agent.until("the picture is sent", |status| status.thumbnails == 1).await;
    agent.commit(draft(2, 1, Phase::New, PLAIN)).await;
    for _ in 0..3 {
        let seen = watcher.next().await;
        assert!(matches!(seen, Seen::Incident(_)), "{seen:?}");
    }
    agent.stop().await;
}

/// The first broker says what it takes; the second one breaks the connection (see `broker`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_larger_than_the_broker_takes_is_given_up_and_costs_no_event() {
    for limit in ["max_packet_size 5000", "message_size_limit 5000"] {
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Mosquitto::start_with(&["allow_anonymous true", limit]);
        let mut watcher = watch_pictures(&broker);
        watcher.until_subscribed().await;
        let agent = Agent::start(folder.path(), broker.params());
        commit_with_picture(&agent, 1).await;
        agent.until(limit, |status| status.thumbnails_given_up == 1).await;
        let last = agent.commit(draft(2, 1, Phase::New, PLAIN)).await;
        loop {
            match watcher.next().await {
                Seen::Incident(arrival) if arrival.event.sequence == last => break,
                Seen::Picture(_) => panic!("{limit}: it was too large"),
                _ => {}
            }
        }
        agent.until_delivered().await;
        assert_eq!(agent.outbox.stats().borrow().thumbnails, 0);
        agent.stop().await;
    }
}

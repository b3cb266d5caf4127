//! The drain against a fake broker that dies whenever it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use analytics::finding::RuleInfo;
use analytics::{BoxId, CameraId, Event, FrameStamp, Kind, MediaTime, Phase, RuleId, Severity, SiteId, WallTime};
use proptest::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::wire::{
    CameraLabel, EventContext, Incident, LocalText, ModelRef, Moment, SiteLabel, Software, TimeQuality, UtcMillis,
};
use super::*;
use crate::evidence::EvidenceName;
use crate::outbox::{Draft, OutboxLimits, Outcome, PendingEvidence, Settlement};

fn topics() -> Topics {
    let site = SiteId::new("site-1").expect("valid");
    Topics::new(TopicRoot::default(), site, BoxId::new("box-a").expect("valid"))
}

fn name() -> LocalText {
    LocalText { vi: "Một".into(), en: "One".into() }
}

/// What a box without cameras says of itself.
pub(crate) fn birth() -> Birth {
    Birth {
        session: 0,
        time: UtcMillis::default(),
        site: SiteLabel { id: "site-1".to_owned(), name: name() },
        box_id: "box-a".to_owned(),
        position: None,
        timezone: "Asia/Ho_Chi_Minh".to_owned(),
        software: Software { name: "edge-agent".into(), version: "0".into() },
        config: String::new(),
        configuration: None,
        hw_profile: "cpu".to_owned(),
        models: Vec::new(),
        cameras: Vec::new(),
        outbox_id: Uuid::nil(),
        transport: None,
    }
}

fn draft(incident: u64, revision: u32) -> Draft {
    let camera = CameraId::new("cam-1").expect("valid");
    let event = Event {
        id: Uuid::from_u64_pair(incident, revision.into()),
        incident_id: Uuid::from_u64_pair(0, incident),
        phase: if revision == 1 { Phase::New } else { Phase::Update },
        revision,
        stamp: FrameStamp { camera: camera.clone(), seq: 1, pts: MediaTime::ZERO, captured_at: WallTime::UNIX_EPOCH },
        started_at: WallTime::UNIX_EPOCH,
        ended_at: None,
        rule: RuleInfo {
            id: RuleId::new("rule-1").expect("valid"),
            kind: Kind::Loitering,
            severity: Severity::High,
            cooldown: Duration::ZERO,
            zone: None,
            line: None,
            thresholds: Vec::new(),
        },
        severity: Severity::High,
        direction: None,
        tracks: Vec::new(),
        region: None,
        measured: Vec::new(),
        suppressed: 0,
    };
    let context = EventContext {
        source: topics().source(),
        camera: CameraLabel::new(&camera, name()),
        position: None,
        config: String::new(),
        hw_profile: String::new(),
        model: ModelRef { name: String::new(), sha256: String::new(), provider: "cpu".into() },
        signals: std::collections::BTreeMap::new(),
    };
    let moment = Moment { analysed_fps: 5.0, time_quality: TimeQuality { synced: true, max_error_ms: None } };
    Draft::new(&topics(), &context, moment, &event)
}

/// What one connection of the fake broker does.
#[derive(Debug, Clone, Copy)]
struct Life {
    /// Takes so many events, then breaks; one that takes none breaks at once.
    takes: usize,
    /// Acknowledges so many of them; the others arrived, but the box never learns it.
    acknowledges: usize,
    session_present: bool,
}

/// A life without an end.
const FOREVER: Life = Life { takes: usize::MAX, acknowledges: usize::MAX, session_present: true };

/// An event as it arrived: number of the connection, when, and what.
type Arrival = (usize, Instant, Incident);

/// A thumbnail as it arrived: its topic, and the incidents of the events before it.
type Thumbnail = (String, BTreeSet<Uuid>);

/// A broker that lives one life after the other, the last one for ever.
#[derive(Clone, Default)]
struct FakeBroker {
    lives: Vec<Life>,
    connections: usize,
    arrived: Arc<Mutex<Vec<Arrival>>>,
    thumbnails: Arc<Mutex<Vec<Thumbnail>>>,
    /// Numbers of audit lines, and how many events were there before each.
    lines: watch::Sender<Vec<(u64, usize)>>,
    /// Number of the last audit line that was acknowledged.
    acknowledged_line: watch::Sender<u64>,
    /// So long it stands still, on each connection, from the third ping on.
    stands_still: Duration,
}

struct FakeLink {
    connection: usize,
    life: Life,
    taken: Mutex<usize>,
    broken: Mutex<Option<oneshot::Sender<()>>>,
    arrived: Arc<Mutex<Vec<Arrival>>>,
    thumbnails: Arc<Mutex<Vec<Thumbnail>>>,
    lines: watch::Sender<Vec<(u64, usize)>>,
    acknowledged_line: watch::Sender<u64>,
    stands_still: Duration,
    pings: Mutex<usize>,
}

impl Publisher for FakeBroker {
    type Link = FakeLink;

    async fn connect(&mut self, _: Message) -> Result<Connection<FakeLink>, LinkError> {
        let life = self.lives.get(self.connections).copied().unwrap_or(FOREVER);
        self.connections += 1;
        let (break_it, broken) = oneshot::channel();
        let link = FakeLink {
            connection: self.connections,
            life,
            taken: Mutex::new(0),
            broken: Mutex::new(Some(break_it)),
            arrived: Arc::clone(&self.arrived),
            thumbnails: Arc::clone(&self.thumbnails),
            lines: self.lines.clone(),
            acknowledged_line: self.acknowledged_line.clone(),
            stands_still: self.stands_still,
            pings: Mutex::new(0),
        };
        // Nothing is ever subscribed here.
        let (_, inbound) = mpsc::channel(1);
        let driver = Box::pin(async move {
            let _ = broken.await;
            LinkError::Lost { reason: "as planned".to_owned() }
        });
        Ok(Connection { session_present: life.session_present, max_packet_bytes: None, link, inbound, driver })
    }
}

impl Link for FakeLink {
    fn publish(&self, message: Message) -> BoxFuture<Result<(), PublishError>> {
        if message.retained {
            if self.life.takes == 0
                && let Some(break_it) = self.broken.lock().expect("no panic").take()
            {
                let _ = break_it.send(());
            }
            return Box::pin(async { Ok(()) });
        }
        let mut taken = self.taken.lock().expect("no panic");
        if *taken >= self.life.takes {
            return Box::pin(std::future::pending());
        }
        *taken += 1;
        let acknowledged = *taken <= self.life.acknowledges;
        let mut arrived = self.arrived.lock().expect("no panic");
        if message.content_type == wire::JPEG_CONTENT_TYPE {
            let incidents = arrived.iter().map(|(_, _, event)| event.data.incident_id).collect();
            self.thumbnails.lock().expect("no panic").push((message.topic, incidents));
        } else if message.topic == topics().audit() {
            let line = crate::audit::AuditLine::proved(&message.payload).expect("a line as it was written");
            self.lines.send_modify(|lines| lines.push((line.number, arrived.len())));
            if acknowledged {
                self.acknowledged_line.send_replace(line.number);
            }
        } else {
            let event = serde_json::from_slice(&message.payload).expect("an incident");
            arrived.push((self.connection, Instant::now(), event));
        }
        drop(arrived);
        if *taken == self.life.takes
            && let Some(break_it) = self.broken.lock().expect("no panic").take()
        {
            let _ = break_it.send(());
        }
        if acknowledged { Box::pin(async { Ok(()) }) } else { Box::pin(std::future::pending()) }
    }

    fn subscribe(&self, _: String) -> BoxFuture<Result<(), PublishError>> {
        Box::pin(async { Ok(()) })
    }

    fn ping(&self) -> BoxFuture<Result<(), PublishError>> {
        let mut pings = self.pings.lock().expect("no panic");
        *pings += 1;
        let answers_after = if *pings == 3 { self.stands_still } else { Duration::ZERO };
        Box::pin(async move {
            tokio::time::sleep(answers_after).await;
            Ok(())
        })
    }

    fn disconnect(&self) {
        self.broken.lock().expect("no panic").take();
    }
}

/// Publishes `drafts` through `broker`: `before` of them committed before the first connection, the rest after it.
async fn deliver(broker: FakeBroker, params: PublishParams, drafts: Vec<Draft>, before: usize) -> Vec<Arrival> {
    deliver_in_session(1, broker, params, drafts, before).await
}

/// The same, by a box whose outbox has seen the sessions before this one.
async fn deliver_in_session(
    session: u64,
    broker: FakeBroker,
    params: PublishParams,
    drafts: Vec<Draft>,
    before: usize,
) -> Vec<Arrival> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let (outbox, thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens");
    outbox.commit(&drafts[..before]).await.expect("commits");
    for _ in 1..session {
        outbox.next_session().await.expect("commits");
    }
    let arrived = Arc::clone(&broker.arrived);
    let (handle, task) = publish(broker, params, outbox.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(task.run(stop.clone()));
    handle.status().wait_for(|status| status.session > 0).await.expect("connects");
    for draft in &drafts[before..] {
        outbox.commit([draft.clone()]).await.expect("commits");
    }
    outbox.stats().wait_for(|stats| stats.pending == 0).await.expect("delivers");
    stop.cancel();
    task.await.expect("no panic");
    drop((outbox, handle));
    thread.join();
    let arrived = arrived.lock().expect("no panic");
    arrived.clone()
}

fn quick() -> PublishParams {
    PublishParams {
        backlog_every: Duration::ZERO,
        settle: Duration::ZERO,
        ack_timeout: Duration::from_secs(5),
        ..PublishParams::new(topics(), birth())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// However the broker dies: every event arrives, an incident's revisions ascend (a repeated one may come again, but
    /// none is overtaken), and an event says `replayed` exactly when an earlier connection could have carried it.
    #[test]
    fn everything_arrives_in_order_over_a_flaky_broker(
        lives in prop::collection::vec((1_usize..12, 0_usize..12, any::<bool>()), 0..5),
        incidents in prop::collection::vec(0_u64..5, 1..40),
        before in 0_usize..40,
    ) {
        let lives = lives.into_iter().map(|(takes, acknowledges, session_present)| Life { takes, acknowledges, session_present });
        let mut revisions = BTreeMap::<u64, u32>::new();
        let drafts: Vec<Draft> = incidents.iter().map(|&incident| {
            let revision = revisions.entry(incident).or_default();
            *revision += 1;
            draft(incident, *revision)
        }).collect();
        let before = before.min(drafts.len());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let broker = FakeBroker { lives: lives.collect(), ..FakeBroker::default() };
        let arrived = runtime.block_on(deliver(broker, quick(), drafts.clone(), before));

        let mut sequences: Vec<u64> = arrived.iter().map(|(_, _, event)| event.sequence.0).collect();
        let mut latest = BTreeMap::<Uuid, u32>::new();
        let mut first_connection = BTreeMap::<u64, usize>::new();
        for (connection, _, event) in &arrived {
            let data = &event.data;
            let seen = latest.insert(data.incident_id, data.revision).unwrap_or(0);
            prop_assert!(data.revision == seen + 1 || data.revision == seen, "{} after {}", data.revision, seen);
            prop_assert!(data.replayed || event.sequence.0 > before as u64, "{} is not marked", event.sequence);
            // Once carried by a connection, it is from before every later one.
            let first = *first_connection.entry(event.sequence.0).or_insert(*connection);
            prop_assert!(data.replayed || first == *connection, "{} is not marked", event.sequence);
        }
        sequences.sort_unstable();
        sequences.dedup();
        prop_assert!(sequences.into_iter().eq(1..=drafts.len() as u64));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_backlog_is_paced_and_what_is_live_overtakes_it() {
    const BACKLOG: usize = 30;
    let every = Duration::from_millis(10);
    let params = PublishParams { backlog_every: every, ..quick() };
    let drafts = (0..BACKLOG as u64 + 1).map(|incident| draft(incident, 1)).collect();
    let arrived = deliver(FakeBroker::default(), params, drafts, BACKLOG).await;
    let (backlog, live): (Vec<_>, Vec<_>) = arrived.iter().partition(|(_, _, event)| event.data.replayed);
    assert_eq!((backlog.len(), live.len()), (BACKLOG, 1));
    // A pause is never shorter than asked for; how much longer it is, is the machine's business.
    let took = backlog[BACKLOG - 1].1 - backlog[0].1;
    assert!(took >= every * (BACKLOG as u32 - 1), "{took:?}");
    assert!(live[0].1 < backlog[BACKLOG - 1].1, "the live event waited for the backlog");
}

/// A first connection that breaks at its first event, and a second one for the rest.
fn reconnection(session_present: bool) -> FakeBroker {
    let first = Life { takes: 1, acknowledges: 0, session_present: false };
    FakeBroker { lives: vec![first, Life { session_present, ..FOREVER }], ..FakeBroker::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_settle_after_a_reconnection_to_a_broker_that_forgot_us() {
    let settle = Duration::from_millis(300);
    let params = PublishParams { settle, ..quick() };
    let arrived = deliver(reconnection(false), params, vec![draft(1, 1), draft(2, 1)], 2).await;
    assert_eq!(arrived.len(), 3);
    assert!(arrived[1].1 - arrived[0].1 >= settle);
}

/// The broker restarts, knows nobody, and the connection to it breaks before subscribers are back: by then it knows this box.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_settle_when_the_connection_to_a_broker_that_forgot_us_breaks_before_they_are_sent() {
    let settle = Duration::from_millis(300);
    let params = PublishParams { settle, ..quick() };
    let forgot = Life { takes: 0, acknowledges: 0, session_present: false };
    let mut broker = reconnection(true);
    broker.lives.insert(1, forgot);
    let arrived = deliver(broker, params, vec![draft(1, 1), draft(2, 1)], 2).await;
    assert_eq!(arrived.iter().map(|(connection, ..)| *connection).collect::<Vec<_>>(), [1, 3, 3]);
    assert!(arrived[1].1 - arrived[0].1 >= settle);
}

/// It may have been killed in the midst of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_settle_after_a_restart_even_when_the_broker_knows_us() {
    let settle = Duration::from_millis(300);
    let params = PublishParams { settle, ..quick() };
    let begun = Instant::now();
    let broker = FakeBroker { lives: vec![FOREVER], ..FakeBroker::default() };
    let arrived = deliver_in_session(2, broker, params, vec![draft(1, 1)], 1).await;
    assert!(arrived[0].1 - begun >= settle);
}

/// Both were killed: the box's first attempt meets a broker that nobody has come back to yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_settle_after_a_restart_when_the_broker_forgot_us() {
    let settle = Duration::from_millis(300);
    let params = PublishParams { settle, ..quick() };
    let broker = FakeBroker { lives: vec![Life { session_present: false, ..FOREVER }], ..FakeBroker::default() };
    let begun = Instant::now();
    let arrived = deliver_in_session(2, broker, params, vec![draft(1, 1), draft(2, 1)], 2).await;
    assert_eq!(arrived.len(), 2);
    assert!(arrived[0].1 - begun >= settle);
}

/// Nobody can subscribe at a broker that stands still: what it takes then, it forgets.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_time_in_which_the_broker_stands_still_is_none_for_subscribers_to_return() {
    let (settle, stands_still) = (Duration::from_millis(300), Duration::from_millis(600));
    let params = PublishParams { settle, ..quick() };
    let lives = vec![Life { session_present: false, ..FOREVER }];
    let broker = FakeBroker { lives, stands_still, ..FakeBroker::default() };
    let begun = Instant::now();
    let arrived = deliver_in_session(2, broker, params, vec![draft(1, 1)], 1).await;
    // But for the time between two questions.
    assert!(arrived[0].1 - begun >= stands_still + settle * 5 / 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_settles_on_the_first_connection_or_when_the_broker_knows_us() {
    // Had it to settle, this test would not end.
    let params = PublishParams { settle: Duration::from_secs(86_400), ..quick() };
    let arrived = deliver(reconnection(true), params, vec![draft(1, 1), draft(2, 1)], 2).await;
    assert_eq!(arrived.len(), 3);
}

/// Incidents with a picture each, all committed and settled before the first connection.
async fn deliver_pictures(broker: FakeBroker, incidents: u64) -> (Vec<Arrival>, Vec<Thumbnail>, PublishStatus) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let (outbox, thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens");
    for incident in 1..=incidents {
        let name = EvidenceName::snapshot(1);
        let mut draft = draft(incident, 1);
        draft.announce(wire::Evidence::pending_snapshot(&name));
        let of = PendingEvidence { incident: draft.event().data.incident_id, name };
        outbox.commit([draft]).await.expect("commits");
        let outcome = Outcome::Ready { sha256: String::new(), bytes: 1, thumbnail: Some(vec![1; 100]), shown: None };
        outbox.settle(Arc::new(Settlement { of, outcome })).await.expect("commits");
    }
    let (arrived, thumbnails) = (Arc::clone(&broker.arrived), Arc::clone(&broker.thumbnails));
    let (handle, task) = publish(broker, quick(), outbox.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(task.run(stop.clone()));
    let is_empty = |stats: &crate::outbox::OutboxStats| stats.pending == 0 && stats.thumbnails == 0;
    outbox.stats().wait_for(is_empty).await.expect("delivers");
    stop.cancel();
    task.await.expect("no panic");
    let status = handle.status().borrow().clone();
    drop((outbox, handle));
    thread.join();
    let (arrived, thumbnails) = (arrived.lock().expect("no panic"), thumbnails.lock().expect("no panic"));
    (arrived.clone(), thumbnails.clone(), status)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// However the broker dies: every thumbnail arrives, after every event that was due, and costs no event.
    #[test]
    fn thumbnails_arrive_after_every_event_over_a_flaky_broker(
        lives in prop::collection::vec((1_usize..12, 0_usize..12, any::<bool>()), 0..5),
        incidents in 1_u64..8,
    ) {
        let lives = lives.into_iter().map(|(takes, acknowledges, session_present)| Life { takes, acknowledges, session_present });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let broker = FakeBroker { lives: lives.collect(), ..FakeBroker::default() };
        let (arrived, thumbnails, status) = runtime.block_on(deliver_pictures(broker, incidents));
        let sequences: BTreeSet<u64> = arrived.iter().map(|(_, _, event)| event.sequence.0).collect();
        prop_assert!(sequences.into_iter().eq(1..=2 * incidents));
        prop_assert!(thumbnails.iter().all(|(_, before)| before.len() as u64 == incidents), "one overtook an event");
        let distinct: BTreeSet<&String> = thumbnails.iter().map(|(topic, _)| topic).collect();
        prop_assert_eq!(distinct.len() as u64, incidents);
        prop_assert_eq!(status.thumbnails + status.thumbnails_given_up, incidents);
    }
}

/// Events and audit lines, all there before the first connection; the numbers of the lines as they came, with how many
/// events were there before, and how many are still to be sent after a restart.
async fn deliver_lines(broker: FakeBroker, events: u64, count: u64) -> (Vec<(u64, usize)>, u64) {
    use crate::audit::{Action, AuditEntry, AuditLog, Cursor};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let (outbox, thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens");
    for incident in 1..=events {
        outbox.commit([draft(incident, 1)]).await.expect("commits");
    }
    let log = AuditLog::at(folder.path(), &topics(), None);
    for _ in 0..count {
        log.record(AuditEntry::by_system(Action::Command)).await.expect("writes");
    }
    let (mut lines, mut acknowledged) = (broker.lines.subscribe(), broker.acknowledged_line.subscribe());
    let (_handle, task) = publish(broker, quick(), outbox.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(task.auditing(AuditFeed::new(log.clone())).run(stop.clone()));
    lines.wait_for(|lines| lines.last().is_some_and(|(last, _)| *last == count)).await.expect("delivers");
    // One more, once all is there: what waits is woken.
    log.record(AuditEntry::by_system(Action::Command)).await.expect("writes");
    acknowledged.wait_for(|last| *last > count).await.expect("delivers");
    stop.cancel();
    task.await.expect("no panic");
    drop((outbox, _handle));
    thread.join();
    let seen = lines.borrow().clone();
    (seen, count + 1 - Cursor::open(log.folder(), "mqtt").arrived())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// However the broker dies: every audit line arrives, none is overtaken by a later one, and all events are before them.
    #[test]
    fn audit_lines_arrive_in_order_after_every_event_over_a_flaky_broker(
        // A life that acknowledges nothing but takes a line would have it wait for longer and longer.
        lives in prop::collection::vec((1_usize..12, any::<bool>()), 0..4),
        events in 0_u64..8,
        count in 1_u64..40,
    ) {
        let lives = lives.into_iter().map(|(takes, session_present)| Life { takes, acknowledges: takes - 1, session_present });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let broker = FakeBroker { lives: lives.collect(), ..FakeBroker::default() };
        let (lines, unsent) = runtime.block_on(deliver_lines(broker, events, count));
        let mut last = 0;
        for (number, before) in &lines {
            prop_assert!(*number == last || *number == last + 1, "{lines:?}");
            prop_assert!(*before as u64 >= events, "a line overtook an event: {lines:?}");
            last = *number;
        }
        prop_assert_eq!((last, unsent), (count + 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thumbnail_whose_connections_all_break_is_given_up() {
    // Each event is taken, and then the link breaks with the first thumbnail, three times.
    let takes = |takes| Life { takes, acknowledges: takes - 1, session_present: true };
    let broker = FakeBroker { lives: vec![takes(5), takes(1), takes(1)], ..FakeBroker::default() };
    let (_, thumbnails, status) = deliver_pictures(broker, 2).await;
    let topics: Vec<&String> = thumbnails.iter().map(|(topic, _)| topic).collect();
    assert_eq!(topics.len(), 4);
    assert!(topics[0] == topics[1] && topics[1] == topics[2] && topics[2] != topics[3], "{topics:?}");
    assert_eq!((status.thumbnails, status.thumbnails_given_up), (1, 1));
}

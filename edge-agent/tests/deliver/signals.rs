//! Traffic signals that a controller publishes: what a camera's rules make of them, over a real broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::track::TrackerParams;
use analytics::{
    Anchor, BBox, Class, ClassSet, Confidence, Detection, Direction, FrameStamp, Kind, Line, LineId, MediaTime, Point,
    RuleId, Segment, SignalId, SignalState, WallTime,
};
use edge_agent::camera::{Analysed, CameraCore, CameraParams};
use edge_agent::config::Calendar;
use edge_agent::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
use edge_agent::outbox::Draft;
use edge_agent::publish::wire::{SignalData, TimeQuality, UtcMillis};
use edge_agent::publish::{BrokerParams, Protocol};
use edge_agent::signal::{HeardSignal, HeardSignals, SignalBoard, Trouble};
use edge_agent::watch::Seen;
use rumqttc::{AsyncClient, Broker, Event, MqttOptions, Outgoing, Packet, PublishOptions, QoS};

use crate::common::mosquitto::{DEADLINE, Mosquitto};
use crate::fixture::{Agent, Watcher, camera, context, topics};

const TOPIC: &str = "signals/ql10-nut-01/2";
const RED: &str = r#"{"phase":"red","valid_for_ms":60000}"#;
const GREEN: &str = r#"{"phase":"green","valid_for_ms":60000}"#;
const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V311];

/// A signal controller: says one thing and is gone.
async fn say(broker: &BrokerParams, payload: &[u8], retained: bool) {
    let options = MqttOptions::new("controller", Broker::tcp(broker.host.clone(), broker.port));
    let (client, mut events) = AsyncClient::builder(options).capacity(4).build();
    let publish = PublishOptions::new(QoS::AtLeastOnce).retain(retained);
    client.publish(TOPIC, payload.to_vec(), publish).await.expect("queued");
    while !matches!(events.poll().await.expect("a connection"), Event::Incoming(Packet::PubAck(_))) {}
    client.disconnect().await.expect("queued");
    while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
}

fn board() -> SignalBoard {
    SignalBoard::new(BTreeSet::from([TOPIC.to_owned()]), Instant::now())
}

fn signal() -> HeardSignal {
    HeardSignal { id: SignalId::new("den-nam").expect("valid"), topic: TOPIC.to_owned() }
}

fn shown(board: &SignalBoard, at: Instant) -> SignalState {
    HeardSignals::new(board.clone(), vec![signal()]).at(at, MediaTime::ZERO)[0].state
}

/// Waits until the board is as asked; when that was.
async fn until(what: &str, mut is_so: impl FnMut(Instant) -> bool) -> Instant {
    let deadline = Instant::now() + DEADLINE;
    let mut look = tokio::time::interval(Duration::from_millis(10));
    loop {
        let now = Instant::now();
        if is_so(now) {
            return now;
        }
        assert!(now < deadline, "never: {what}");
        look.tick().await;
    }
}

/// A camera before a stop line, which is judged by its signal.
fn junction(board: &SignalBoard) -> CameraCore {
    let point = |x, y| Point::new(x, y);
    let line = Line {
        id: LineId::new("vach-dung").expect("valid"),
        segment: Segment::new(point(0.1, 0.5), point(0.9, 0.5)).expect("has a length"),
        anchor: Anchor::BottomCenter,
    };
    let id = RuleId::new("vuot-den-do").expect("valid");
    let rule = RuleSpec {
        params: RuleParams::RedLight {
            line,
            direction: Direction::RightToLeft,
            signal: signal().id,
            grace: RuleParams::RED_GRACE,
            hysteresis: RuleParams::RED_HYSTERESIS,
        },
        id: id.clone(),
        severity: Kind::RedLight.default_severity(),
        cooldown: Duration::ZERO,
        classes: ClassSet::vehicles(),
        include_riders: false,
        schedule: None,
    };
    let data = SignalData { id: "den-nam".to_owned(), source: "topic".into(), topic: Some(TOPIC.to_owned()) };
    let mut context = context();
    context.signals.insert(id, data);
    CameraCore::new(CameraParams {
        core: CoreParams {
            tracker: TrackerParams::default(),
            rules: vec![rule],
            incidents: IncidentParams::default(),
            ground: None,
            signals: Vec::new(),
            id_seed: 7,
        },
        measures: None,
        lamps: Vec::new(),
        heard: HeardSignals::new(board.clone(), vec![signal()]),
        calendar: Calendar::new(jiff::tz::TimeZone::UTC, Arc::from([])),
        topics: topics(),
        context,
    })
}

fn picture() -> Arc<Picture> {
    let layout = PictureLayout {
        width: 64,
        height: 36,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
        planes: [(0, 64), (2304, 32), (2880, 32)].map(|(offset, stride)| PlaneLayout { offset, stride }),
    };
    Arc::new(Picture::new(layout, Box::new(vec![100; 3456])).expect("fits"))
}

/// A car drives up the picture and over the line, three seconds after the first of its frames arrived at `from`.
fn pass(core: &mut CameraCore, from: Instant) -> Vec<Draft> {
    let (picture, quality) = (picture(), TimeQuality { synced: true, max_error_ms: Some(1) });
    let mut drafts = Vec::new();
    for frame in 0..30_u64 {
        let after = Duration::from_millis(200 * frame);
        let bottom = 0.95 - 0.15 * after.as_secs_f32();
        let bbox = BBox::new(0.45, bottom - 0.1, 0.55, bottom).expect("in the picture");
        let detections = vec![Detection { bbox, class: Class::Car, confidence: Confidence::new(0.9).expect("valid") }];
        let stamp = FrameStamp {
            camera: camera("huong-nam"),
            seq: frame + 1,
            pts: MediaTime::ZERO + Duration::from_secs(500) + after,
            captured_at: WallTime::from_unix_nanos(UtcMillis::now().as_unix_millis() * 1_000_000),
        };
        let analysed = Analysed {
            stamp,
            arrived_at: from + after,
            camera_ahead_s: None,
            held_for: Duration::ZERO,
            repeats: false,
            picture: Arc::clone(&picture),
            detections,
        };
        drafts.extend(core.step(analysed, quality).1);
    }
    drafts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_passes_while_the_controller_says_red_is_an_incident_that_names_its_source() {
    for protocol in BOTH {
        let (folder, broker, board) = (tempfile::tempdir().expect("a folder"), Mosquitto::start_open(), board());
        let mut watcher = Watcher::start(broker.params());
        watcher.until_subscribed().await;
        let agent = Agent::start_hearing(folder.path(), BrokerParams { protocol, ..broker.params() }, board.clone());
        agent.until("connected", |status| status.connected).await;
        let mut core = junction(&board);
        assert!(pass(&mut core, Instant::now()).is_empty(), "nothing is known of the signal");
        say(&broker.params(), RED.as_bytes(), false).await;
        let red = until("red is heard", |now| shown(&board, now) == SignalState::Red).await;
        let mut core = junction(&board);
        let drafts = pass(&mut core, red);
        assert_eq!(drafts.len(), 1);
        agent.commit(drafts[0].clone()).await;
        let event = loop {
            if let Seen::Incident(arrival) = watcher.next().await {
                break arrival.event;
            }
        };
        let why = event.data.why;
        assert_eq!(event.data.kind, "red_light");
        let source = why.signal.expect("a signal");
        assert_eq!((source.id.as_str(), &*source.source, source.topic.as_deref()), ("den-nam", "topic", Some(TOPIC)));
        let red_s = why.measured.find("red_s").expect("measured");
        assert!((2.5..4.0).contains(&red_s), "{red_s}");
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_an_incident_when_the_phase_is_stale_malformed_too_large_or_not_red() {
    for protocol in BOTH {
        let (folder, broker, board) = (tempfile::tempdir().expect("a folder"), Mosquitto::start_open(), board());
        let agent = Agent::start_hearing(folder.path(), BrokerParams { protocol, ..broker.params() }, board.clone());
        agent.until("connected", |status| status.connected).await;
        let large = format!(r#"{{"phase":"red","note":"{}"}}"#, "x".repeat(100_000));
        for (payload, trouble) in [
            (GREEN, None),
            (r#"{"phase":"flashing"}"#, None),
            (r#"{"phase":"red""#, Some(Trouble::Malformed)),
            (r#"{"phase":"red","since":"2099-01-01T00:00:00Z"}"#, Some(Trouble::Clock)),
            (&large, Some(Trouble::Malformed)),
        ] {
            // A sender whose clock cannot be compared with this box's is not judged by it.
            let is_judged = trouble != Some(Trouble::Clock) || edge_agent::status::time_quality().synced;
            if !is_judged {
                continue;
            }
            say(&broker.params(), RED.as_bytes(), false).await;
            until("red is heard", |now| shown(&board, now) == SignalState::Red).await;
            say(&broker.params(), payload.as_bytes(), false).await;
            let at = until("red is over", |now| shown(&board, now) != SignalState::Red).await;
            assert!(pass(&mut junction(&board), at).is_empty(), "{payload:.60}");
            if trouble.is_some() {
                assert_eq!(board.troubles(at).get(TOPIC).copied(), trouble, "{payload:.60}");
            }
        }
        say(&broker.params(), RED.as_bytes(), false).await;
        let red = until("red is heard", |now| shown(&board, now) == SignalState::Red).await;
        let stale = red + Duration::from_secs(61);
        assert!(pass(&mut junction(&board), stale).is_empty(), "red was said a minute ago");
        assert_eq!(pass(&mut junction(&board), red).len(), 1);
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_s_restart_leaves_the_phase_unknown_until_it_is_said_again() {
    for protocol in BOTH {
        let (folder, mut broker, board) = (tempfile::tempdir().expect("a folder"), Mosquitto::start_open(), board());
        let agent = Agent::start_hearing(folder.path(), BrokerParams { protocol, ..broker.params() }, board.clone());
        for _ in 0..2 {
            agent.until("connected", |status| status.connected).await;
            say(&broker.params(), RED.as_bytes(), false).await;
            until("red is heard", |now| shown(&board, now) == SignalState::Red).await;
            broker.kill();
            let lost = until("the loss is noticed", |now| shown(&board, now) == SignalState::Unknown).await;
            assert_eq!(board.troubles(lost).get(TOPIC), Some(&Trouble::Silent));
            assert!(pass(&mut junction(&board), lost).is_empty());
            broker.start();
        }
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_while_the_box_was_away_is_not_taken_for_now() {
    for protocol in BOTH {
        let (folder, broker) = (tempfile::tempdir().expect("a folder"), Mosquitto::start_open());
        let params = BrokerParams { protocol, ..broker.params() };
        let before = board();
        let agent = Agent::start_hearing(folder.path(), params.clone(), before.clone());
        agent.until("connected", |status| status.connected).await;
        say(&params, RED.as_bytes(), false).await;
        until("red is heard", |now| shown(&before, now) == SignalState::Red).await;
        agent.die().await;
        assert_eq!(shown(&before, Instant::now()), SignalState::Unknown, "the connection is gone");
        say(&params, RED.as_bytes(), false).await;
        say(&params, RED.as_bytes(), true).await;
        let board = board();
        let began = Instant::now();
        let agent = Agent::start_hearing(folder.path(), params.clone(), board.clone());
        until("the kept report is refused", |now| board.troubles(now).get(TOPIC) == Some(&Trouble::Stale)).await;
        say(&params, GREEN.as_bytes(), false).await;
        let heard = until("green is heard", |now| shown(&board, now) == SignalState::Green).await;
        let each = (0..1000).map(|step| began + (heard - began) * step / 1000);
        assert!(each.into_iter().all(|at| shown(&board, at) != SignalState::Red));
        agent.stop().await;
    }
}

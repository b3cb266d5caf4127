//! An agent's delivery half, its drafts, and subscribers that check everything they see.

use std::path::Path;
use std::time::Duration;

use analytics::event::TrackView;
use analytics::finding::RuleInfo;
use analytics::{
    BBox, BoxId, CameraId, Class, Confidence, Event, FrameStamp, Kind, MediaTime, Phase, Point, RuleId, Severity,
    SiteId, TrackId, WallTime, ZoneId,
};
use edge_agent::audit::AuditLog;
use edge_agent::outbox::{Draft, Outbox, OutboxLimits, OutboxThread};
use edge_agent::publish::wire::{
    Birth, BirthCamera, BirthRule, CameraLabel, EventContext, LocalText, ModelRef, Moment, Position, Sequence,
    SiteLabel, Software, TimeQuality, UtcMillis,
};
use edge_agent::publish::{
    BrokerParams, Certificates, MqttPublisher, PublishHandle, PublishParams, PublishStatus, TopicRoot, Topics, publish,
};
use edge_agent::signal::SignalBoard;
use edge_agent::watch::{self, Seen, WatchParams};
use tokio::sync::{mpsc, watch as latest};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::common::contract;
use crate::common::mosquitto::DEADLINE;

pub(crate) fn topics() -> Topics {
    let site = SiteId::new("ql10-nut-01").expect("valid");
    Topics::new(TopicRoot::default(), site, BoxId::new("box-a").expect("valid"))
}

pub(crate) fn camera(name: &str) -> CameraId {
    CameraId::new(name).expect("valid")
}

fn name() -> LocalText {
    LocalText { vi: "Hướng Nam Định \"1\"".into(), en: "Towards Nam Định".into() }
}

fn model() -> ModelRef {
    ModelRef { name: "yolox-nano".to_owned(), sha256: "0f".repeat(32), provider: "cpu".into() }
}

fn digest() -> String {
    format!("sha256:{}", "a1".repeat(32))
}

pub(crate) fn birth() -> Birth {
    let (id, kind, severity) = ("nguoc-chieu".to_owned(), "wrong_way".into(), Severity::High.into());
    let rule = BirthRule { id, kind, severity, switched_off: None };
    Birth {
        session: 0,
        time: UtcMillis::now(),
        site: SiteLabel { id: topics().site().to_string(), name: name() },
        box_id: topics().box_id().to_string(),
        position: Position::new(106.336, 20.446),
        timezone: "Asia/Ho_Chi_Minh".to_owned(),
        software: Software { name: "edge-agent".into(), version: "0.1.0".into() },
        config: digest(),
        configuration: None,
        hw_profile: "cpu-x86_64".to_owned(),
        models: vec![model()],
        cameras: vec![BirthCamera {
            label: CameraLabel::new(&camera("huong-nam"), name()),
            pipeline: "traffic-junction".to_owned(),
            rules: vec![rule],
            switched_off: None,
        }],
        outbox_id: Uuid::nil(),
        transport: Some("tls".into()),
    }
}

/// What an incident looks like.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    /// Path points: what makes it long.
    pub(crate) path: usize,
}

pub(crate) const PLAIN: Look = Look { kind: Kind::WrongWay, severity: Severity::High, path: 3 };

/// Revision `revision` of incident `incident`, as a camera's core would hand it over.
pub(crate) fn draft(incident: u64, revision: u32, phase: Phase, look: Look) -> Draft {
    let id = |low: u64| {
        uuid::Builder::from_unix_timestamp_millis(1_795_329_012_480, &{
            let mut random = [0; 10];
            random[..8].copy_from_slice(&low.to_be_bytes());
            random
        })
        .into_uuid()
    };
    let at = WallTime::from_unix_nanos(1_795_329_012_480_000_000);
    let track = TrackView {
        track_id: TrackId(incident),
        class: Class::Motorcycle,
        confidence: Confidence::new(0.831_23).expect("valid"),
        bbox: BBox::new(0.41, 0.52, 0.47, 0.63).expect("valid"),
        path: (0..look.path).map(|i| (-(i as f64), Point::new(0.123_456, 0.5))).rev().collect(),
    };
    let event = Event {
        id: id(incident << 16 | u64::from(revision)),
        incident_id: id(incident << 16),
        phase,
        revision,
        stamp: FrameStamp { camera: camera("huong-nam"), seq: 7, pts: MediaTime::ZERO, captured_at: at },
        started_at: at,
        ended_at: (phase == Phase::End).then_some(at),
        rule: RuleInfo {
            id: RuleId::new("nguoc-chieu").expect("valid"),
            kind: look.kind,
            severity: look.severity,
            cooldown: Duration::ZERO,
            zone: Some(ZoneId::new("lan-1").expect("valid")),
            line: None,
            thresholds: vec![("angle_deg", 120.0), ("hold_s", 1.5)],
        },
        severity: look.severity,
        direction: None,
        tracks: vec![track],
        region: None,
        measured: vec![("angle_deg", 171.0), ("held_s", 1.600_4)],
        suppressed: 0,
    };
    let context = context();
    let moment = Moment { analysed_fps: 5.0, time_quality: TimeQuality { synced: true, max_error_ms: Some(12) } };
    Draft::new(&topics(), &context, moment, &event)
}

pub(crate) fn context() -> EventContext {
    EventContext {
        source: topics().source(),
        camera: CameraLabel::new(&camera("huong-nam"), name()),
        position: Position::new(106.336, 20.446),
        config: digest(),
        hw_profile: "cpu-x86_64".to_owned(),
        model: model(),
        signals: std::collections::BTreeMap::new(),
    }
}

/// The delivery half of an agent.
pub(crate) struct Agent {
    pub(crate) outbox: Outbox,
    pub(crate) publish: PublishHandle,
    pub(crate) certificates: Option<latest::Receiver<Certificates>>,
    thread: OutboxThread,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Agent {
    /// Quick where the defaults are patient, so that tests are.
    pub(crate) fn params() -> PublishParams {
        PublishParams {
            backlog_every: Duration::from_millis(2),
            settle: Duration::from_secs(1),
            ack_timeout: Duration::from_secs(2),
            refused_pause: Duration::from_millis(200),
            ..PublishParams::new(topics(), birth())
        }
    }

    pub(crate) fn start(folder: &Path, broker: BrokerParams) -> Self {
        Self::start_with(folder, broker, Self::params(), OutboxLimits::default())
    }

    pub(crate) fn start_with(folder: &Path, broker: BrokerParams, params: PublishParams, limits: OutboxLimits) -> Self {
        let publisher = MqttPublisher::new(broker, topics().client_id());
        let audited = publisher.auditing(AuditLog::at(folder, &topics(), None));
        Self::publishing(folder, audited, params, limits)
    }

    /// The same, and it listens to traffic signals.
    pub(crate) fn start_hearing(folder: &Path, broker: BrokerParams, board: SignalBoard) -> Self {
        let publisher = MqttPublisher::new(broker, topics().client_id()).hearing(board);
        Self::publishing(folder, publisher, Self::params(), OutboxLimits::default())
    }

    fn publishing(folder: &Path, publisher: MqttPublisher, params: PublishParams, limits: OutboxLimits) -> Self {
        let (outbox, thread) = Outbox::open(&folder.join("outbox.db"), limits, &topics()).expect("the outbox opens");
        let certificates = publisher.certificates();
        let (handle, task) = publish(publisher, params, outbox.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(task.run(stop.clone()));
        Self { outbox, publish: handle, certificates, thread, task, stop }
    }

    /// Commits one event.
    pub(crate) async fn commit(&self, draft: Draft) -> Sequence {
        let given = self.outbox.commit(vec![draft]).await.expect("commits");
        given[0]
    }

    /// Commits a whole incident: new, update, end; and their numbers.
    pub(crate) async fn commit_incident(&self, incident: u64, look: Look) -> [Sequence; 3] {
        let phases = [(1, Phase::New), (2, Phase::Update), (3, Phase::End)];
        let mut given = [Sequence(0); 3];
        for (given, (revision, phase)) in given.iter_mut().zip(phases) {
            *given = self.commit(draft(incident, revision, phase, look)).await;
        }
        given
    }

    /// Waits until delivery is as asked.
    pub(crate) async fn until(&self, what: &str, is_so: impl FnMut(&PublishStatus) -> bool) -> PublishStatus {
        let mut status = self.publish.status();
        let reached = timeout(DEADLINE, status.wait_for(is_so)).await;
        match reached {
            Ok(Ok(status)) => status.clone(),
            Ok(Err(_)) => panic!("publishing ended before: {what}"),
            Err(_) => panic!("never: {what}; {:?}", self.publish.status().borrow()),
        }
    }

    /// Waits until the outbox is empty.
    pub(crate) async fn until_delivered(&self) {
        let mut stats = self.outbox.stats();
        let empty = timeout(DEADLINE, stats.wait_for(|stats| stats.pending == 0)).await;
        assert!(
            empty.is_ok(),
            "not delivered: {:?}; {:?}",
            self.outbox.stats().borrow(),
            self.publish.status().borrow()
        );
    }

    /// Stops with a goodbye.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("publishing stops").expect("publishing did not panic");
        drop((self.outbox, self.publish));
        self.thread.join();
    }

    /// Ends as a killed process does: the socket closes without a word.
    pub(crate) async fn die(self) {
        self.task.abort();
        let _ = self.task.await;
        drop((self.outbox, self.publish));
        self.thread.join();
    }
}

/// A watcher whose every message is checked against the contract.
pub(crate) struct Watcher {
    seen: mpsc::Receiver<Seen>,
    stop: CancellationToken,
}

impl Watcher {
    /// Started, and subscribed if the broker is there.
    pub(crate) fn start(broker: BrokerParams) -> Self {
        Self::start_with(Self::params(broker))
    }

    /// As the centre does: the broker keeps for it what comes while it is away.
    pub(crate) fn start_kept(broker: BrokerParams) -> Self {
        Self::start_with(WatchParams { client_id: Some("ioc-watch".to_owned()), ..Self::params(broker) })
    }

    fn params(broker: BrokerParams) -> WatchParams {
        WatchParams { reconnect_every: Duration::from_millis(100), ..WatchParams::new(broker, TopicRoot::default()) }
    }

    pub(crate) fn start_with(params: WatchParams) -> Self {
        // More than any test sends: the sink must not block the watcher.
        let (sender, seen) = mpsc::channel(100_000);
        let stop = CancellationToken::new();
        let sink = move |seen| {
            // A test that has ended listens no more.
            if let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send(seen) {
                panic!("a test sends more than the channel holds");
            }
        };
        tokio::spawn(watch::run(params, sink, stop.clone()));
        Self { seen, stop }
    }

    pub(crate) async fn next(&mut self) -> Seen {
        let seen = timeout(DEADLINE, self.seen.recv()).await.expect("something to see").expect("the watcher runs");
        match &seen {
            Seen::Incident(arrival) => contract::validate(&arrival.topic, &arrival.payload),
            Seen::System(arrival) => contract::validate(&arrival.topic, &arrival.payload),
            Seen::Measurement(arrival) => contract::validate(&arrival.topic, &arrival.payload),
            Seen::Malformed { topic, reason } => panic!("{topic}: {reason}"),
            Seen::Picture(picture) => {
                let topic = topics().evidence(&picture.camera, picture.incident, &picture.name);
                contract::validate(&topic, &picture.jpeg);
            }
            Seen::Subscribed | Seen::Disconnected { .. } | Seen::Duplicate { .. } => {}
        }
        seen
    }

    pub(crate) async fn until_subscribed(&mut self) {
        while self.next().await != Seen::Subscribed {}
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

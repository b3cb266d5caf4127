//! The page over real connections, in front of made-up cameras.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::event::TrackView;
use analytics::finding::RuleInfo;
use analytics::{
    BBox, Class, Confidence, Event, FrameStamp, Kind, MediaTime, Phase, Point, RuleId, Scene, Severity, Track, TrackId,
    TrackState, WallTime, ZoneId,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::picture::Pictures;
use super::*;
use crate::config::{self, Home};
use crate::evidence::{EvidenceName, EvidenceStore};
use crate::frame::{
    Colorimetry, FrameSignal, FrameSlot, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range,
};
use crate::outbox::{Draft, OutboxStats};
use crate::privacy::Redaction;
use crate::publish::PublishStatus;
use crate::publish::wire::{
    self, CameraLabel, CertificateHealth, EventContext, Evidence, Health, HealthState, LocalText, ModelRef, Moment,
    Sequence, TimeQuality, TransportHealth, UtcMillis,
};
use crate::setup;
use crate::source::SourceStatus;
use crate::status::{CameraCounters, CameraPace, CameraSource, LatestScene, RecentIncidents, Shot, Snapshot};

mod remote;

const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&";

fn model() -> ModelRef {
    ModelRef { name: "ssdlite".to_owned(), sha256: "0f".repeat(32), provider: "cpu".into() }
}

fn transport() -> TransportHealth {
    let severity = wire::Severity::Info;
    let certificate = CertificateHealth { name: None, not_after: UtcMillis::now(), days_left: 400, severity };
    let (tls_version, problem) = (Some("1.3".into()), None);
    let [own, ca, broker] = std::array::from_fn(|_| Some(certificate.clone()));
    TransportHealth { security: "tls".into(), tls_version, certificate: own, ca, broker, problem }
}

fn snapshot() -> Snapshot {
    let health = Health {
        state: HealthState::Degraded,
        reasons: vec!["camera_not_online".into()],
        time_quality: TimeQuality { synced: true, max_error_ms: Some(12) },
        transport: Some(transport()),
        ..crate::status::health_example()
    };
    let pace = CameraPace { asked_fps: 5.0, received_fps: 25.0, analysed_fps: 5.0, ..CameraPace::default() };
    Snapshot { looked_at: Instant::now(), health, cameras: vec![pace] }
}

fn delivery() -> PublishStatus {
    PublishStatus {
        connected: true,
        since: UtcMillis::now(),
        session: 1,
        host_online: None,
        delivered: 7,
        in_flight: 0,
        retries: 0,
        refused: 0,
        thumbnails: 0,
        thumbnails_given_up: 0,
        last_error: None,
    }
}

fn outbox() -> OutboxStats {
    OutboxStats {
        outbox_id: Uuid::nil(),
        last_sequence: Sequence(10),
        pending: 3,
        pending_bytes: 4096,
        lost_total: 0,
        thumbnails: 0,
        thumbnail_bytes: 0,
        thumbnails_dropped_total: 0,
        acks: 0,
        transactions_total: 4,
        failing: None,
        set_aside: None,
    }
}

/// The demonstration's site with one camera of a hostile name.
fn sources() -> Sources {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lies in the project's root");
    let site = root.join("edge-agent/deploy/demo-site.toml");
    let site = config::load_site(&site, &Home::at(root)).unwrap_or_else(|errors| panic!("{errors}"));
    let camera = &site.cameras[0];
    let source = CameraSource {
        camera: camera.id.clone(),
        analyse_fps: 5.0,
        slot: Arc::new(FrameSlot::new(Arc::new(FrameSignal::default()))),
        counters: Arc::new(CameraCounters::default()),
        status: watch::channel(SourceStatus::connecting(WallTime::UNIX_EPOCH)).1,
        record: None,
        ladder: crate::ladder::CameraRung::example(),
    };
    Sources {
        birth: setup::birth(&site, &[model()]),
        written: site.written.clone(),
        broker: site.mqtt.url.to_string(),
        cameras: vec![PageCamera {
            label: CameraLabel::new(&camera.id, LocalText { vi: HOSTILE.into(), en: HOSTILE.into() }),
            pipeline: camera.pipeline.name.clone(),
            model: model(),
            places: camera.places.clone(),
            redaction: Redaction::Blurred(None),
            source,
            latest: Arc::new(LatestScene::default()),
        }],
        disabled: Vec::new(),
        snapshot: watch::channel(Some(Arc::new(snapshot()))).1,
        outbox: watch::channel(outbox()).1,
        delivery: watch::channel(delivery()).1,
        recent: Arc::new(RecentIncidents::default()),
        evidence: EvidenceStore::at("no-such-folder".into()),
    }
}

fn stamp(seq: u64) -> FrameStamp {
    let camera = analytics::CameraId::new("path").expect("valid");
    FrameStamp { camera, seq, pts: MediaTime::ZERO, captured_at: WallTime::UNIX_EPOCH }
}

/// A grey picture with one person in it.
fn shot(seq: u64) -> Shot {
    let layout = PictureLayout {
        width: 64,
        height: 48,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
        planes: [(0, 64), (3072, 32), (3840, 32)].map(|(offset, stride)| PlaneLayout { offset, stride }),
    };
    let track = Track {
        id: TrackId(1),
        class: Class::Person,
        confidence: Confidence::new(0.9).expect("valid"),
        bbox: BBox::new(0.2, 0.2, 0.6, 0.9).expect("valid"),
        velocity: Point::new(0.0, 0.0),
        state: TrackState::Seen,
        first_seen: MediaTime::ZERO,
        last_seen: MediaTime::ZERO,
        rider_of: None,
        ground: None,
        path: Vec::new(),
    };
    let picture = Picture::new(layout, Box::new(vec![128; 4608])).expect("fits");
    let scene = Scene::new(stamp(seq), 4.0 / 3.0, vec![track], Vec::new());
    Shot { picture: Arc::new(picture), scene, detections: Vec::new() }
}

/// Revision `revision` of an incident.
fn draft(incident: u64, revision: u32, phase: Phase) -> Draft {
    let event = Event {
        id: Uuid::from_u64_pair(incident, revision.into()),
        incident_id: Uuid::from_u64_pair(0, incident),
        phase,
        revision,
        stamp: stamp(1),
        started_at: WallTime::UNIX_EPOCH,
        ended_at: None,
        rule: RuleInfo {
            id: RuleId::new("keep-off").expect("valid"),
            kind: Kind::Intrusion,
            severity: Severity::High,
            cooldown: Duration::ZERO,
            zone: ZoneId::new("lawn").ok(),
            line: None,
            thresholds: vec![("hold_s", 1.0)],
        },
        severity: Severity::High,
        direction: None,
        tracks: vec![TrackView {
            track_id: TrackId(1),
            class: Class::Person,
            confidence: Confidence::new(0.5).expect("valid"),
            bbox: BBox::new(0.1, 0.2, 0.3, 0.4).expect("valid"),
            path: Vec::new(),
        }],
        region: None,
        measured: vec![("held_s", 1.25)],
        suppressed: 0,
    };
    let sources = sources();
    let context = EventContext {
        source: "/ngatu/demo/box-a".to_owned(),
        camera: sources.cameras[0].label.clone(),
        position: None,
        config: sources.birth.config,
        hw_profile: "cpu-x86_64".to_owned(),
        model: model(),
        signals: std::collections::BTreeMap::new(),
    };
    let moment = Moment { analysed_fps: 5.0, time_quality: TimeQuality { synced: true, max_error_ms: Some(1) } };
    let topics = crate::publish::Topics::new(
        crate::publish::TopicRoot::default(),
        analytics::SiteId::new("demo").expect("valid"),
        analytics::BoxId::new("box-a").expect("valid"),
    );
    Draft::new(&topics, &context, moment, &event)
}

/// A page that is served until it is dropped.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Served {
    async fn start(sources: Sources) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let (address, stop) = (listener.local_addr().expect("bound"), CancellationToken::new());
        let (router, stopped) = (routes::on_loopback(Arc::new(sources)), stop.clone());
        tokio::spawn(async move { server::serve(listener, None, router, &stopped).await });
        Self { address, stop }
    }

    /// Sends this, and reads the head and the body that come before the connection is closed.
    async fn ask(&self, request: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("reads");
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec())
    }

    async fn get(&self, path: &str) -> (String, Vec<u8>) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost:8090\r\nConnection: close\r\n\r\n")).await
    }

    async fn text(&self, path: &str) -> String {
        String::from_utf8(self.get(path).await.1).expect("UTF-8")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn only_plain_questions_to_loopback_are_answered() {
    let page = Served::start(sources()).await;
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421"),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "421"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "405"),
        ("DELETE /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", "413"),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "404"),
        ("GET /api/v1/camera/none/picture.jpg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "404"),
    ] {
        let (head, _) = page.ask(request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{request}\n{head}");
        assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_request_and_an_idle_connection_are_given_up() {
    let page = Served::start(sources()).await;
    for beginning in ["", "GET / HTTP/1.1\r\nHost: local", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = TcpStream::connect(page.address).await.expect("connects");
        stream.write_all(beginning.as_bytes()).await.expect("writes");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it is closed");
    }
}

#[tokio::test]
async fn the_page_is_in_the_language_that_is_asked_for() {
    let page = Served::start(sources()).await;
    for (path, lang, words) in [
        ("/", "vi", "Sự việc mới nhất"),
        ("/?lang=vi", "vi", "Hàng chờ gửi"),
        ("/?lang=en", "en", "Latest incidents"),
        ("/?lang=%3Cscript%3E", "vi", "Đồng hồ"),
    ] {
        let html = page.text(path).await;
        assert!(html.contains(&format!("<html lang=\"{lang}\">")) && html.contains(words), "{path}");
    }
    for file in ["/page.css", "/page.js", "/icon.svg"] {
        assert!(page.get(file).await.0.starts_with("HTTP/1.1 200"), "{file}");
    }
}

#[tokio::test]
async fn status_says_what_where_and_why_by_its_schema() {
    let sources = sources();
    let (recent, latest) = (Arc::clone(&sources.recent), Arc::clone(&sources.cameras[0].latest));
    let page = Served::start(sources).await;
    latest.set(shot(7));
    recent.note(&[draft(1, 1, Phase::New), draft(2, 1, Phase::New)].into());
    recent.note(&[draft(1, 2, Phase::End)].into());
    let text = page.text("/api/v1/status").await;
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let schema = crate::schema::document("api_status").expect("there is one");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");

    let status: BoxStatus = serde_json::from_value(value).expect("its type");
    assert_eq!(status.reasons[0].text.vi, "có camera không hoạt động");
    let card = &status.cameras[0];
    assert_eq!(
        (card.camera.name.vi.as_ref(), card.reasons[0].text.en.as_ref()),
        (HOSTILE, "connecting for the first time")
    );
    assert_eq!((card.received_fps, card.analysed_fps, card.model.provider.as_ref()), (25.0, 5.0, "cpu"));
    assert_eq!(card.picture.as_ref().map(|picture| picture.seq), Some(7));
    let told: Vec<_> = status.incidents.iter().map(|card| (card.incident_id, card.phase)).collect();
    let [first, second] = [1, 2].map(|incident| Uuid::from_u64_pair(0, incident));
    assert_eq!(told, [(second, wire::Phase::New), (first, wire::Phase::End)], "newest first, each once");
    let newest = &status.incidents[0];
    assert_eq!(newest.label.vi, "Nghi vấn xâm nhập vùng cấm");
    assert_eq!(newest.why.vi, "ở trong vùng 1,3 giây, ngưỡng 1");
    assert_eq!(newest.why.en, "inside for 1.3 s, limit 1 s");
    assert!(newest.place.vi.ends_with("vùng lawn"));
}

#[tokio::test]
async fn only_the_last_incidents_are_kept() {
    let recent = RecentIncidents::default();
    (0..200).for_each(|incident| recent.note(&[draft(incident, 1, Phase::New)].into()));
    let kept = recent.with(|event, _| event.data.incident_id.as_u128());
    assert!(kept.into_iter().eq((150..200).rev()));
}

#[tokio::test]
async fn an_incidents_pictures_are_shown_once_they_are_on_the_disk_and_after_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = Sources { evidence: EvidenceStore::at(folder.path().to_owned()), ..sources() };
    let recent = Arc::clone(&sources.recent);
    let mut announced = draft(1, 1, Phase::New);
    let name = EvidenceName::snapshot(1);
    announced.announce(Evidence::pending_snapshot(&name));
    recent.note(&[announced].into());
    let page = Served::start(sources).await;
    assert!(page.text("/api/v1/status").await.contains("\"pictures\":[]"), "announced, not there yet");
    let incident = Uuid::from_u64_pair(0, 1);
    std::fs::write(folder.path().join(format!("{incident}_{name}")), b"picture").expect("writes");
    recent.note(&[draft(1, 2, Phase::End)].into());
    let status: BoxStatus = serde_json::from_str(&page.text("/api/v1/status").await).expect("its type");
    let picture = &status.incidents[0].pictures[0];
    assert_eq!(page.get(&picture.path).await.1, b"picture");
    for path in ["/api/v1/incident/none/1.jpg", "/api/v1/incident/00000000-0000-0000-0000-000000000001/..%2f1.jpg"] {
        assert!(page.get(path).await.0.starts_with("HTTP/1.1 404"), "{path}");
    }
}

#[tokio::test]
async fn a_picture_is_drawn_once_a_second_for_all_who_ask() {
    let sources = sources();
    let (camera, pictures, now) = (&sources.cameras[0], Pictures::new(1), Instant::now());
    assert_eq!(pictures.latest(0, camera, now).await, None);
    let mut made = Vec::new();
    for (seq, ms) in [(1, 0), (2, 999), (3, 1000)] {
        camera.latest.set(shot(seq));
        made.push(pictures.latest(0, camera, now + Duration::from_millis(ms)).await.expect("a picture"));
    }
    assert_eq!(made[0].as_ptr(), made[1].as_ptr(), "shared");
    assert_ne!(made[1].as_ptr(), made[2].as_ptr(), "made again");
    let picture = image::load_from_memory(&made[2]).expect("a JPEG");
    assert_eq!((picture.width(), picture.height()), (64, 48), "never enlarged");
}

#[tokio::test]
async fn the_documentation_names_every_metric_and_no_other() {
    let sources = sources();
    let counters = Arc::clone(&sources.cameras[0].source.counters);
    counters.events(&[draft(1, 1, Phase::New)]);
    counters.done(true, Duration::from_millis(40));
    let page = Served::start(sources).await;
    let text = page.text("/metrics").await;
    assert!(text.ends_with("# EOF\n"), "{text}");
    let exposed: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    let documented: BTreeSet<String> = include_str!("../../../docs/metrics.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(exposed, documented);
    for sample in [
        "ngatu_incidents_total{camera=\"path\",kind=\"intrusion\",severity=\"high\"} 1",
        "ngatu_camera_state{camera=\"path\",state=\"degraded\"} 1",
        "ngatu_camera_state{camera=\"path\",state=\"online\"} 0",
        "ngatu_frame_latency_seconds_bucket{le=\"+Inf\",camera=\"path\"} 1",
        "ngatu_outbox_pending_bytes 4096",
        "ngatu_clock_max_error_seconds 0.012",
        "ngatu_health_degraded{reason=\"camera_not_online\"} 1",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample}\n{text}");
    }
}

#[tokio::test]
async fn healthz_is_ok_while_degraded_and_fails_when_nothing_can_be_committed() {
    let ok = Served::start(sources()).await;
    let (head, body) = ok.get("/healthz").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, b"ok\ndegraded: camera_not_online: a camera is not online\n");

    let mut failing = snapshot();
    failing.health.outbox.failing = true;
    let sources = Sources { snapshot: watch::channel(Some(Arc::new(failing))).1, ..sources() };
    let (head, body) = Served::start(sources).await.get("/healthz").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(body.starts_with(b"failing: outbox_failing: "), "{}", String::from_utf8_lossy(&body));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_taken_is_said_and_tried_until_it_is_free() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let listen = taken.local_addr().expect("bound");
    let (state, mut told) = watch::channel(PageState::Starting);
    let stop = CancellationToken::new();
    let task =
        tokio::spawn(PageTask { listen, remote: None, audit: None, sources: sources(), state }.run(stop.clone()));
    told.wait_for(|state| matches!(state, PageState::Unavailable { .. })).await.expect("it is said");
    drop(taken);
    told.wait_for(|state| *state == PageState::Listening(listen)).await.expect("it is tried again");
    stop.cancel();
    task.await.expect("it ends");
}

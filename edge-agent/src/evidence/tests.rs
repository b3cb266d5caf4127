//! From an announced picture to its file, its revision and its thumbnail; what goes wrong on the way.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use analytics::{Phase, Severity};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::*;
use crate::audit::AuditLog;
use crate::config::Places;
use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
use crate::outbox::tests::{draft, topics};
use crate::outbox::{Draft, NextRequest, Outbox, OutboxLimits, OutboxThread};
use crate::privacy::{Redaction, Shareable};
use crate::publish::wire::Incident;

const MONTH: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
const LIMITS: EvidenceLimits = EvidenceLimits { max_bytes: 1 << 30, keep_for: MONTH, keep_clips_for: MONTH };

/// Luma from a function of place, no colour.
pub(crate) fn picture(width: u32, height: u32, luma: impl Fn(u32, u32) -> u8) -> Arc<Picture> {
    let (w, h) = (width as usize, height as usize);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let mut data: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| luma(x, y)).collect();
    data.resize(w * h + 2 * cw * ch, 128);
    let planes = [(0, w), (w * h, cw), (w * h + cw * ch, cw)];
    let layout = PictureLayout {
        width,
        height,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Full },
        planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
    };
    Arc::new(Picture::new(layout, Box::new(data)).expect("fits"))
}

pub(super) fn grey() -> Arc<Picture> {
    picture(640, 480, |_, _| 90)
}

/// What no encoder can make small.
fn noise(width: u32, height: u32) -> Arc<Picture> {
    picture(width, height, |x, y| {
        (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519)).wrapping_mul(0x9e37_79b1).to_be_bytes()[0]
    })
}

/// A box's part that makes pictures, as `app` puts it together.
pub(super) struct Room {
    pub(super) outbox: Outbox,
    outbox_thread: OutboxThread,
    pub(super) evidence: EvidenceThread,
    pub(super) store: EvidenceStore,
}

impl Room {
    pub(super) async fn open(folder: &Path) -> Self {
        let (outbox, outbox_thread) =
            Outbox::open(&folder.join("outbox.db"), OutboxLimits::default(), &topics()).expect("opens");
        let store = EvidenceStore::at(folder.join("evidence"));
        let params = EvidenceParams {
            store: store.clone(),
            limits: LIMITS,
            timezone: TimeZone::UTC,
            outbox: outbox.clone(),
            pending: outbox.pending_evidence().await.expect("reads"),
            audit: AuditLog::at(folder, &topics(), None),
        };
        let evidence = EvidenceThread::start(params).expect("starts");
        Self { outbox, outbox_thread, evidence, store }
    }

    fn camera(&self, from: Severity) -> CameraEvidence {
        let places = Places::default();
        self.evidence.camera(OfCamera {
            snapshots_from: Some(from),
            clips: None,
            record: None,
            places,
            redaction: Redaction::AsDecoded,
            is_masked: false,
        })
    }

    /// Announces, commits, and hands over unless it is to be as if the program had ended before.
    async fn photograph(&self, mut draft: Draft, hand_over: bool) {
        let ordered =
            self.camera(Severity::Info).announce(std::slice::from_mut(&mut draft), &grey(), Instant::now(), Vec::new);
        self.outbox.commit([draft]).await.expect("commits");
        if hand_over {
            ordered.into_iter().for_each(Ordered::send);
        }
    }

    /// Ends the thread, then says which events there are; and how many of the pictures that were made are there.
    pub(super) async fn close(self) -> Vec<Incident> {
        let Self { outbox, outbox_thread, evidence, .. } = self;
        tokio::task::spawn_blocking(move || evidence.join()).await.expect("joins");
        let mut events = Vec::new();
        let request = |held| NextRequest { held, limit: 1, backlog: 1, ..Default::default() };
        while let [entry] = &outbox.next(request(Vec::new())).await.expect("reads")[..] {
            events.push(serde_json::from_slice(&entry.payload).expect("an event"));
            outbox.delivered(entry.outbox_id, entry.sequence).await.expect("runs");
        }
        drop(outbox);
        tokio::task::spawn_blocking(move || outbox_thread.join()).await.expect("joins");
        events
    }
}

fn new(incident: u64, severity: Severity) -> Draft {
    draft(incident, 1, Phase::New, severity)
}

fn states(events: &[Incident]) -> Vec<(u32, &str, Option<&str>)> {
    let states = events.iter().map(|event| (event.data.revision, &event.data.evidence[0]));
    states.map(|(revision, piece)| (revision, &*piece.state, piece.reason.as_deref())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_picture_follows_its_event_with_its_digest_and_a_thumbnail() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let store = room.store.clone();
    room.photograph(new(1, Severity::High), true).await;
    let mut stats = room.outbox.stats();
    stats.wait_for(|stats| stats.thumbnails == 1).await.expect("runs");
    let thumbnail = room.outbox.next_thumbnail().await.expect("reads").expect("one");
    let counters = room.evidence.counters();
    let events = room.close().await;
    assert_eq!(states(&events), [(1, "pending", None), (2, "ready", None)]);
    let data = &events[1].data;
    let file = std::fs::read(store.find(data.incident_id, "1.jpg").expect("is there")).expect("reads");
    let digest = crate::digest::hex(&Sha256::digest(&file));
    let piece = &data.evidence[0];
    assert_eq!((piece.bytes, piece.sha256.as_deref()), (Some(file.len() as u64), Some(digest.as_str())));
    assert_eq!(image::load_from_memory(&file).expect("a JPEG").into_rgb8().dimensions(), (640, 480));
    assert!(thumbnail.topic.ends_with(&format!("/evidence/cam-1/{}/1.jpg", data.incident_id)), "{}", thumbnail.topic);
    assert!(thumbnail.payload.len() <= MAX_THUMBNAIL_BYTES);
    assert_eq!(image::load_from_memory(&thumbnail.payload).expect("a JPEG").into_rgb8().dimensions(), (480, 360));
    let totals = counters.totals();
    assert_eq!((totals.ready, totals.failed, totals.failing), (1, 0, false));
    assert_eq!(std::fs::read_dir(store.folder()).expect("lists").count(), 1, "the outbox has the thumbnail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_beginnings_that_are_severe_enough_are_photographed() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let mut drafts = [
        new(1, Severity::Info),
        new(2, Severity::Warning),
        draft(3, 2, Phase::Update, Severity::Critical),
        draft(4, 2, Phase::End, Severity::Critical),
        new(5, Severity::Critical),
    ];
    let ordered = room.camera(Severity::Warning).announce(&mut drafts, &grey(), Instant::now(), Vec::new);
    let announced = drafts.each_ref().map(|draft| draft.event().data.evidence.len());
    assert_eq!((announced, ordered.len()), ([0, 1, 0, 0, 1], 2));
    drop(ordered);
    room.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn with_a_full_queue_the_event_itself_says_that_there_is_no_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let mut drafts: Vec<Draft> = (1..=10).map(|incident| new(incident, Severity::High)).collect();
    let ordered = room.camera(Severity::Info).announce(&mut drafts, &grey(), Instant::now(), Vec::new);
    let pending = ordered.len();
    let failed = drafts.iter().map(|draft| &draft.event().data.evidence[0]).filter(|piece| !piece.is_pending());
    let reasons: Vec<_> = failed.map(|piece| (&*piece.state, piece.reason.as_deref())).collect();
    assert_eq!(reasons, vec![("failed", Some("busy")); 10 - pending]);
    assert!(pending < 10);
    room.outbox.commit(drafts).await.expect("commits");
    ordered.into_iter().for_each(Ordered::send);
    let events = room.close().await;
    assert_eq!(events.len(), 10 + pending, "each that was announced is settled, the others are told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_picture_that_cannot_be_written_fails_with_its_reason_and_the_event_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("evidence"), b"a file in the folder's place").expect("writes");
    let room = Room::open(folder.path()).await;
    let counters = room.evidence.counters();
    room.photograph(new(1, Severity::High), true).await;
    let events = room.close().await;
    assert_eq!(states(&events), [(1, "pending", None), (2, "failed", Some("not_written"))]);
    assert!(counters.totals().failing);
    let of = |kind: io::ErrorKind| Failure::of(&kind.into()).word();
    assert_eq!(of(io::ErrorKind::StorageFull), "disk_full");
    assert_eq!(of(io::ErrorKind::ReadOnlyFilesystem), "read_only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_a_restart_each_pending_picture_is_ready_if_it_is_whole_and_failed_if_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    for incident in 1..=3 {
        room.photograph(new(incident, Severity::High), false).await;
    }
    // The first is whole with its thumbnail, the second with half of one, the third was being written.
    let [whole, halved, half] = [1, 2, 3].map(|incident| new(incident, Severity::High).event().data.incident_id);
    let thumbnail = canvas::Canvas::new(Shareable::as_decoded(&grey(), 100)).jpeg(50);
    let name = EvidenceName::snapshot(1);
    room.store.write(whole, &name, b"a picture", &thumbnail).expect("writes");
    room.store.write(halved, &name, b"another", &thumbnail[..50]).expect("writes");
    std::fs::write(room.store.folder().join(format!("{half}_1.jpg.part")), b"hal").expect("writes");
    let store = room.store.clone();
    assert_eq!(room.close().await.len(), 3);

    let room = Room::open(folder.path()).await;
    let counters = room.evidence.counters();
    let mut stats = room.outbox.stats();
    stats.wait_for(|stats| stats.pending == 3).await.expect("runs");
    assert_eq!(stats.borrow().thumbnails, 1);
    assert_eq!(room.outbox.next_thumbnail().await.expect("reads").expect("one").payload, thumbnail);
    let events = room.close().await;
    let expected = [(2, "ready", None), (2, "ready", None), (2, "failed", Some("interrupted"))];
    assert_eq!(states(&events), expected);
    assert!(!counters.totals().failing, "that was an earlier run's trouble");
    assert_eq!(events[0].data.evidence[0].bytes, Some(9));
    let left = std::fs::read_dir(store.folder()).expect("lists").map(|entry| entry.expect("lists").file_name());
    let mut left: Vec<String> = left.map(|name| name.into_string().expect("text")).collect();
    left.sort();
    assert_eq!(left, [whole, halved].map(|incident| format!("{incident}_1.jpg")));
    assert!(Room::open(folder.path()).await.close().await.is_empty(), "it is told once");
}

#[test]
fn a_thumbnail_is_light_whatever_the_picture() {
    let event = new(1, Severity::High).event().clone();
    for (width, height) in [(1920, 1080), (704, 576), (90, 2000), (3, 1)] {
        let made =
            snapshot(Shareable::as_decoded(&noise(width, height), 1280), &event, &Places::default(), &TimeZone::UTC);
        let thumbnail = made.thumbnail.expect("some size is light enough");
        assert!(thumbnail.len() <= MAX_THUMBNAIL_BYTES);
        let [picture, thumbnail] =
            [made.picture, thumbnail].map(|jpeg| image::load_from_memory(&jpeg).expect("a JPEG").into_rgb8());
        assert_eq!(picture.width(), width.min(1280));
        assert!(thumbnail.width() <= 480);
    }
}

#[test]
fn the_same_event_gives_the_same_bytes() {
    let event = new(1, Severity::High).event().clone();
    let draw = || snapshot(Shareable::as_decoded(&noise(640, 480), 1280), &event, &Places::default(), &TimeZone::UTC);
    assert_eq!(draw(), draw());
}

#[test]
fn the_box_of_the_event_is_drawn_and_what_is_in_it_is_left_alone() {
    let edges = [0.25, 0.3, 0.5, 0.6];
    let mut event = new(1, Severity::High).event().clone();
    event.data.tracks[0].bbox = edges;
    assert_drawn(&event, edges);
    event.data.tracks.clear();
    event.data.region = Some(edges);
    assert_drawn(&event, edges);
}

/// Asserts that a box with these edges is drawn, and nothing within it.
fn assert_drawn(event: &Incident, [left, top, right, bottom]: [f64; 4]) {
    let made = snapshot(Shareable::as_decoded(&grey(), 1280), event, &Places::default(), &TimeZone::UTC);
    let read = image::load_from_memory(&made.picture).expect("a JPEG").into_rgb8();
    let at = |x: f64, y: f64| read.get_pixel((x * 640.0) as u32, (y * 480.0) as u32).0;
    let is_strong = |[r, g, b]: [u8; 3]| r > 180 && g < 140 && b < 120;
    let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
    for (x, y) in [(left, y), (right, y), (x, bottom)] {
        assert!(is_strong(at(x, y)), "{x} {y}: {:?}", at(x, y));
    }
    let inside = at(x, (y + bottom) / 2.0);
    assert!(inside.iter().all(|level| level.abs_diff(90) < 12), "{inside:?}");
}

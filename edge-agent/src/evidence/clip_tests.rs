//! From an announced clip to its file and its revision; pictures of the full-size stream; what goes wrong on the way.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{Phase, Severity};
use sha2::Digest as _;

use super::tests::Room;
use super::*;
use crate::config::Places;
use crate::outbox::tests::draft;
use crate::privacy::{Masks, Redaction};
use crate::publish::wire::{Evidence, Incident};
use crate::record::tests::{FRAME, GROUP, H264, coded, fill};
use crate::record::{Ring, RingLimits, decode_still};

/// A camera whose full-size stream has been held for eight seconds, until now.
fn record() -> (RecordStills, Instant) {
    let ring = Ring::new(RingLimits { keep_for: Duration::from_secs(60), max_bytes: 16 << 20 });
    let start = fill(&ring, &coded(H264, 4 * GROUP));
    let names = |name: &str| vec![name.to_owned()];
    (RecordStills { ring, masks: Masks::default(), h264: names("avdec_h264"), h265: names("avdec_h265") }, start)
}

fn clips(post_roll: Duration) -> ClipParams {
    ClipParams { from: Severity::High, pre_roll: FRAME * 10, post_roll }
}

fn of(snapshots_from: Option<Severity>, clips: Option<ClipParams>, record: &RecordStills) -> OfCamera {
    let (places, redaction) = (Places::default(), Redaction::AsDecoded);
    OfCamera { snapshots_from, clips, record: Some(record.clone()), places, redaction, is_masked: false }
}

/// What was told of a kind of evidence, in order.
fn told<'a>(events: &'a [Incident], kind: &str) -> Vec<&'a Evidence> {
    events.iter().filter_map(|event| event.data.evidence.iter().find(|piece| piece.kind == kind)).collect()
}

fn states<'a>(pieces: &[&'a Evidence]) -> Vec<(&'a str, Option<&'a str>)> {
    pieces.iter().map(|piece| (&*piece.state, piece.reason.as_deref())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_clip_follows_its_event_with_its_digest_and_what_it_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let (record, start) = record();
    let camera = room.evidence.camera(of(None, Some(clips(FRAME * 20)), &record));
    let mut draft = draft(1, 1, Phase::New, Severity::High);
    let at = start + FRAME * 130;
    let ordered = camera.announce(std::slice::from_mut(&mut draft), &super::tests::grey(), at, Vec::new);
    drop(camera);
    let incident = draft.event().data.incident_id;
    room.outbox.commit([draft]).await.expect("commits");
    ordered.into_iter().for_each(Ordered::send);
    let (store, counters) = (room.store.clone(), room.evidence.counters());
    let events = room.close().await;
    let clip = told(&events, "clip");
    assert_eq!(states(&clip), [("pending", None), ("ready", None)]);
    let file = std::fs::read(store.find(incident, "1.mp4").expect("is there")).expect("reads");
    let digest: String = crate::digest::hex(&sha2::Sha256::digest(&file));
    assert_eq!((clip[1].bytes, clip[1].sha256.as_deref()), (Some(file.len() as u64), Some(digest.as_str())));
    // The key frame before ten frames before it, or before what led to it, and twenty after.
    let shown = [clip[1].from, clip[1].to].map(|at| at.expect("known").as_unix_millis() / 40);
    assert!(shown[0] % i64::from(GROUP) == 0 && shown[0] <= 120, "{shown:?}");
    assert_eq!(shown[1], 150);
    assert_eq!(clip[1].stream.as_deref(), Some("record"));
    assert_eq!(counters.totals().clips_ready, 1);
    let left = std::fs::read_dir(store.folder()).expect("lists").count();
    assert_eq!(left, 1, "no scratch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clips_are_bounded_and_the_event_itself_says_what_there_will_not_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let (record, start) = record();
    let camera = room.evidence.camera(of(None, Some(clips(Duration::from_secs(3600))), &record));
    let mut drafts: Vec<_> = (1..=6).map(|incident| draft(incident, 1, Phase::New, Severity::High)).collect();
    drafts.push(draft(7, 1, Phase::New, Severity::Warning));
    let picture = super::tests::grey();
    let ordered = camera.announce(&mut drafts, &picture, start + FRAME * 150, Vec::new);
    let announced =
        |draft: &crate::outbox::Draft| draft.event().data.evidence.first().map(|piece| piece.reason.clone());
    let busy = || Some(Some("busy".to_owned()));
    let expected = [Some(None), Some(None), Some(None), Some(None), busy(), busy(), None];
    assert_eq!(drafts.iter().map(announced).collect::<Vec<_>>(), expected);
    let mut gone = [draft(8, 1, Phase::New, Severity::High)];
    assert!(camera.announce(&mut gone, &picture, start - Duration::from_secs(60), Vec::new).is_empty());
    assert_eq!(announced(&gone[0]), Some(Some("no_stream".to_owned())));
    drop(camera);
    room.outbox.commit(drafts).await.expect("commits");
    ordered.into_iter().for_each(Ordered::send);
    // The program stops long before their end: they end here.
    let events = room.close().await;
    let ready = told(&events, "clip").iter().filter(|piece| piece.state == "ready").count();
    assert_eq!(ready, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_a_restart_a_clip_is_ready_if_it_is_whole_and_failed_if_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let (record, start) = record();
    let camera = room.evidence.camera(of(None, Some(clips(Duration::from_secs(3600))), &record));
    let mut drafts = [1, 2].map(|incident| draft(incident, 1, Phase::New, Severity::High));
    drop(camera.announce(&mut drafts, &super::tests::grey(), start + FRAME * 150, Vec::new));
    drop(camera);
    let [whole, half] = drafts.each_ref().map(|draft| draft.event().data.incident_id);
    room.outbox.commit(drafts).await.expect("commits");
    // As if the program had been killed once the first was renamed, and the second was half muxed.
    room.store
        .write_with(whole, &EvidenceName::clip(1), |file, _| std::io::Write::write_all(file, b"clip"))
        .expect("writes");
    for leftover in ["part", "mux"] {
        std::fs::write(room.store.folder().join(format!("{half}_1.mp4.{leftover}")), b"half").expect("writes");
    }
    let store = room.store.clone();
    assert_eq!(room.close().await.len(), 2);
    let room = Room::open(folder.path()).await;
    let counters = room.evidence.counters();
    let events = room.close().await;
    assert_eq!(states(&told(&events, "clip")), [("ready", None), ("failed", Some("interrupted"))]);
    let digest = crate::digest::hex(&sha2::Sha256::digest(b"clip"));
    assert_eq!(told(&events, "clip")[0].sha256.as_deref(), Some(digest.as_str()));
    assert!(!counters.totals().failing, "that was an earlier run's trouble");
    let left = std::fs::read_dir(store.folder()).expect("lists").map(|entry| entry.expect("lists").file_name());
    assert_eq!(left.collect::<Vec<_>>(), [std::ffi::OsString::from(format!("{whole}_1.mp4"))]);
}

/// Takes a picture of an incident whose frame looked like this; what was told of it, and its width.
async fn photographed(
    folder: &Path,
    record: &RecordStills,
    judged: Arc<crate::frame::Picture>,
    at: Instant,
) -> (Evidence, u32) {
    let room = Room::open(folder).await;
    let camera = room.evidence.camera(of(Some(Severity::Info), None, record));
    let mut draft = draft(1, 1, Phase::New, Severity::High);
    let ordered = camera.announce(std::slice::from_mut(&mut draft), &judged, at, Vec::new);
    drop(camera);
    let incident = draft.event().data.incident_id;
    room.outbox.commit([draft]).await.expect("commits");
    ordered.into_iter().for_each(Ordered::send);
    let store = room.store.clone();
    let events = room.close().await;
    let piece = told(&events, "snapshot").last().copied().expect("told").clone();
    let jpeg = std::fs::read(store.find(incident, "1.jpg").expect("is there")).expect("reads");
    (piece, image::load_from_memory(&jpeg).expect("a JPEG").into_rgb8().width())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_picture_is_of_the_full_size_stream_where_it_shows_the_same_and_otherwise_of_the_analysed_one() {
    let (record, start) = record();
    let at = start + FRAME * 130;
    let cut = record.ring.still(at).expect("shown");
    let same = decode_still(&cut, &Masks::default(), &record.h264, &record.h265, Duration::from_secs(60))
        .expect("decodes")
        .picture;
    let folder = || tempfile::tempdir().expect("a folder");
    let (piece, width) = photographed(folder().path(), &record, Arc::new(same), at).await;
    assert_eq!((piece.stream.as_deref(), width), (Some("record"), 320));
    assert_eq!(piece.from.map(|from| from.as_unix_millis()), Some(130 * 40), "its own moment");
    // Another view, and a moment that the stream does not show.
    let other = super::tests::picture(640, 480, |_, y| if y < 240 { 30 } else { 200 });
    for (judged, at) in [(Arc::clone(&other), at), (other, start + FRAME * 1000)] {
        let (piece, width) = photographed(folder().path(), &record, judged, at).await;
        assert_eq!((piece.state.as_ref(), piece.stream.as_deref(), width), ("ready", Some("detect"), 640));
    }
}

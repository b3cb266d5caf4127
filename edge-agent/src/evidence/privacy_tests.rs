//! What is kept, sent and told of pictures in which nobody may be recognised, and of places that nobody may see.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{BBox, Class, Detection, Phase, Point, Polygon, Severity};
use image::RgbImage;

use super::tests::{Room, picture};
use super::*;
use crate::config::Places;
use crate::detect::{DetectError, Detector};
use crate::frame::Picture;
use crate::outbox::tests::draft;
use crate::privacy::{Finder, Known, Masks, Redaction};
use crate::publish::wire::Evidence;
use crate::record::{Ring, RingLimits};

/// Sees nobody.
struct Blind;

impl Detector for Blind {
    fn detect(&mut self, _: &Picture, _: &[BBox], found: &mut Vec<Detection>) -> Result<(), DetectError> {
        found.clear();
        Ok(())
    }
}

fn of(redaction: Redaction, is_masked: bool) -> OfCamera {
    let (snapshots_from, places) = (Some(Severity::Info), Places::default());
    OfCamera { snapshots_from, clips: None, record: None, places, redaction, is_masked }
}

/// What was told of a picture of an incident in this frame; and the picture and the thumbnail, if there are any.
async fn photographed(of: OfCamera, frame: Arc<Picture>, known: Vec<Known>) -> (Vec<Evidence>, Vec<RgbImage>) {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let camera = room.evidence.camera(of);
    let mut draft = draft(1, 1, Phase::New, Severity::High);
    let ordered = camera.announce(std::slice::from_mut(&mut draft), &frame, Instant::now(), || known.clone());
    drop(camera);
    let incident = draft.event().data.incident_id;
    room.outbox.commit([draft]).await.expect("commits");
    ordered.into_iter().for_each(Ordered::send);
    let mut stats = room.outbox.stats();
    stats.wait_for(|stats| stats.pending == 2).await.expect("runs");
    let thumbnail = room.outbox.next_thumbnail().await.expect("reads").map(|thumbnail| thumbnail.payload);
    let picture = room.store.find(incident, "1.jpg").map(|file| std::fs::read(file).expect("reads"));
    let failing = room.evidence.counters().totals().failing;
    let told: Vec<Evidence> =
        room.close().await.into_iter().filter_map(|event| event.data.evidence.into_iter().next()).collect();
    assert_eq!(failing, told.last().is_some_and(|piece| piece.state == "failed"), "health says so");
    let read = |jpeg: Vec<u8>| image::load_from_memory(&jpeg).expect("a JPEG").into_rgb8();
    (told, picture.into_iter().chain(thumbnail).map(read).collect())
}

/// Columns of black and white, eight pixels wide.
fn striped() -> Picture {
    Arc::into_inner(picture(640, 480, |x, _| if x / 8 % 2 == 0 { 0 } else { 255 })).expect("not shared")
}

/// Least and greatest level of a part of a picture, in fractions of it.
fn levels(image: &RgbImage, [left, top, right, bottom]: [f32; 4]) -> (u8, u8) {
    let at = |share: f32, of: u32| (share * of as f32) as u32;
    let rows = at(top, image.height())..at(bottom, image.height());
    let columns = at(left, image.width())..at(right, image.width());
    let pixels = rows.flat_map(|y| columns.clone().map(move |x| image.get_pixel(x, y).0[1]));
    pixels.fold((255, 0), |(least, most), level| (least.min(level), most.max(level)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_way_to_blur_there_is_no_picture_and_the_event_stands() {
    let (told, made) = photographed(of(Redaction::Blurred(None), false), Arc::new(striped()), Vec::new()).await;
    let states: Vec<_> = told.iter().map(|piece| (&*piece.state, &*piece.privacy, piece.reason.as_deref())).collect();
    assert_eq!(states, [("pending", "blurred", None), ("failed", "blurred", Some("privacy"))]);
    assert!(made.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tracked_head_is_gone_from_the_picture_and_its_thumbnail() {
    let bbox = BBox::new(0.3, 0.4, 0.5, 0.9).expect("a box");
    let known = vec![Known { class: Class::Person, bbox, velocity: Point::new(0.0, 0.0) }];
    let redaction = Redaction::Blurred(Some(Finder::new(Box::new(Blind), 300)));
    let (told, made) = photographed(of(redaction, false), Arc::new(striped()), known).await;
    assert_eq!((&*told[1].state, &*told[1].privacy, told[1].masked), ("ready", "blurred", false));
    assert_eq!(made.len(), 2);
    for image in made {
        let ((head_low, head_high), (legs_low, legs_high)) =
            (levels(&image, [0.32, 0.41, 0.48, 0.5]), levels(&image, [0.32, 0.7, 0.48, 0.85]));
        assert!(head_high - head_low < 100, "{head_low} {head_high}");
        assert!(legs_high - legs_low > 200, "{legs_low} {legs_high}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_masked_is_grey_in_the_picture_and_its_thumbnail_also_where_nothing_is_blurred() {
    let corners = [(0.6, 0.1), (0.9, 0.1), (0.9, 0.4), (0.6, 0.4)].map(|(x, y)| Point::new(x, y));
    let masks = Masks::new(vec![Polygon::new(corners.to_vec()).expect("simple")]);
    let frame = Arc::new(striped().masked(&masks));
    let (told, made) = photographed(of(Redaction::AsDecoded, true), frame, Vec::new()).await;
    assert_eq!((&*told[1].state, &*told[1].privacy, told[1].masked), ("ready", "none", true));
    assert_eq!(made.len(), 2);
    for image in made {
        let (least, most) = levels(&image, [0.63, 0.13, 0.87, 0.37]);
        assert!(least > 110 && most < 146, "{least} {most}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_camera_with_masks_gives_no_clip_and_its_event_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room::open(folder.path()).await;
    let second = Duration::from_secs(1);
    let clips = ClipParams { from: Severity::Info, pre_roll: second, post_roll: second };
    let ring = Ring::new(RingLimits { keep_for: second, max_bytes: 1 << 20 });
    let record = RecordStills { ring, masks: Masks::default(), h264: Vec::new(), h265: Vec::new() };
    let of =
        OfCamera { snapshots_from: None, clips: Some(clips), record: Some(record), ..of(Redaction::AsDecoded, true) };
    let mut draft = draft(1, 1, Phase::New, Severity::High);
    let camera = room.evidence.camera(of);
    let frame = Arc::new(striped());
    assert!(camera.announce(std::slice::from_mut(&mut draft), &frame, Instant::now(), Vec::new).is_empty());
    let piece = &draft.event().data.evidence[0];
    assert_eq!((&*piece.state, piece.reason.as_deref()), ("failed", Some("masked")));
    let totals = room.evidence.counters().totals();
    assert_eq!((totals.clips_failed, totals.failing), (1, false));
}

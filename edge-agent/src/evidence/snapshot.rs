//! What a snapshot shows: the frame that satisfied the rule, with the place of the incident, the objects and their paths.
//!
//! Everything is drawn from the event itself, so that the picture says what the event says. The thumbnail is drawn anew
//! at its own size: strokes and letters of a reduced picture could not be read.

use analytics::{BBox, Point, Zone};
use jiff::tz::TimeZone;

use super::canvas::{Canvas, Ink};
use crate::config::Places;
use crate::privacy::Shareable;
use crate::publish::wire::{Incident, IncidentData, TrackData};

/// What a thumbnail may weigh: it passes a thin link (EVENTS: evidence topic).
pub const MAX_THUMBNAIL_BYTES: usize = 32 * 1024;

/// Wide enough to see who stands where; a tenth of a second of writing on a slow disk.
pub(super) const WIDTH_PX: u32 = 1280;
/// A picture of the full-size stream keeps its size, up to 4K: what something is shows far off.
pub(super) const FULL_WIDTH_PX: u32 = 3840;
const QUALITY: u8 = 85;
/// Widths and qualities of thumbnails, best first: the first one that is light enough is taken.
const THUMBNAILS: [(u32, u8); 6] = [(480, 75), (480, 55), (400, 45), (320, 35), (160, 25), (64, 20)];

/// With more objects than this, labels and paths would hide each other: their boxes say where they are.
const LEGIBLE: usize = 3;

/// A picture for the disk, and one for the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// A JPEG as wide as the picture it was drawn into.
    pub picture: Vec<u8>,
    /// A JPEG of at most [`MAX_THUMBNAIL_BYTES`]; `None` when no size is light enough.
    pub thumbnail: Option<Vec<u8>>,
}

/// Draws `event` into the picture it was judged on, or one of the same view and moment. The same arguments give the same
/// bytes.
#[must_use]
pub fn snapshot(picture: Shareable, event: &Incident, places: &Places, zone: &TimeZone) -> Snapshot {
    let plain = Canvas::new(picture);
    let drawn = |width: u32| {
        let mut canvas = plain.clone().shrunk(width);
        draw(&mut canvas, event, places, zone);
        canvas
    };
    let mut thumbnail = None;
    let mut canvas = drawn(THUMBNAILS[0].0);
    for (width, quality) in THUMBNAILS {
        if canvas.width() > width {
            canvas = drawn(width);
        }
        thumbnail = Some(canvas.jpeg(quality)).filter(|jpeg| jpeg.len() <= MAX_THUMBNAIL_BYTES);
        if thumbnail.is_some() {
            break;
        }
    }
    Snapshot { picture: drawn(plain.width()).jpeg(QUALITY), thumbnail }
}

/// The place first and the boxes last, so that nothing hides what the incident is about.
fn draw(canvas: &mut Canvas, event: &Incident, places: &Places, zone: &TimeZone) {
    let data = &event.data;
    for place in places.zones.iter().filter(|place| data.zone.as_deref() == Some(place.id.as_str())) {
        outline(canvas, place);
    }
    for place in places.lines.iter().filter(|place| data.line.as_deref() == Some(place.id.as_str())) {
        canvas.line(place, Ink::Place);
    }
    let is_legible = data.tracks.len() <= LEGIBLE;
    for track in data.tracks.iter().filter(|_| is_legible) {
        canvas.path(&path(track), Ink::Path);
    }
    for (track, bbox) in data.tracks.iter().filter_map(|track| Some((track, bbox(track)?))) {
        let label = format!("{} {:.0}%", track.class, track.confidence * 100.0);
        canvas.bbox(bbox, if is_legible { &label } else { "" }, Ink::Subject);
    }
    if let Some(region) = data.region.and_then(corners) {
        canvas.bbox(region, "", Ink::Subject);
    }
    canvas.label(Point::new(0.0, 1.0), &caption(data, event, zone), Ink::Note);
}

/// A zone without its name, which could hide an object and stands in the caption.
fn outline(canvas: &mut Canvas, zone: &Zone) {
    let corners = zone.polygon.corners();
    canvas.path(corners, Ink::Place);
    if let [first, .., last] = corners {
        canvas.path(&[*last, *first], Ink::Place);
    }
    if let Some(heading) = zone.heading {
        canvas.arrow(heading, Ink::Place);
    }
}

/// What, where and when, for one who has only the picture.
fn caption(data: &IncidentData, event: &Incident, zone: &TimeZone) -> String {
    let time = event.time.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S");
    let place = data.zone.as_deref().or(data.line.as_deref()).unwrap_or_default();
    let unsure = if data.time_quality.synced { "" } else { " (clock not set)" };
    let what = format!("{} {place} {}", data.kind, data.direction.as_deref().unwrap_or_default());
    format!("{time}{unsure}  {}  {}", data.camera.id, what.trim_end().replace('_', "-"))
}

fn path(track: &TrackData) -> Vec<Point> {
    track.path.iter().map(|&[_, x, y]| Point::new(x as f32, y as f32)).collect()
}

fn bbox(track: &TrackData) -> Option<BBox> {
    corners(track.bbox)
}

fn corners(edges: [f64; 4]) -> Option<BBox> {
    let [left, top, right, bottom] = edges.map(|edge| edge as f32);
    BBox::new(left, top, right, bottom)
}

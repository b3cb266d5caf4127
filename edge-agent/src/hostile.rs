//! The doors through which bytes of other people come in, each as a function of any bytes at all: a kept corpus
//! (`tests/corpus/`, one folder a door), its mutations and `fuzz/` go through them. Only in tests and under a fuzzer.
//!
//! A door panics where what it promises does not hold. What a parser says is bounded, on lines a terminal can show, and
//! where it says that something is wrong it says what to do.

#[cfg(test)]
mod tests;

use std::path::Path;

use analytics::record::Playback;
use analytics::{BBox, CameraId, MediaTime, Point, Polygon};

use crate::access::Accounts;
use crate::audit::{Head, verify_text};
use crate::config::{Document, Home, load_site_text};
use crate::detect::manifest::{ColorOrder, Input, Layout, Letterbox, Manifest};
use crate::detect::tensor::InputTensor;
use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
use crate::privacy::{Masks, Shareable};
use crate::publish::wire::{Ack, ChunkHeader};
use crate::view::Viewer;
use crate::{command, eval, signal, source, watch};

/// A door: takes any bytes.
pub type Door = fn(&[u8]);

/// Every door, by the name of its folder in the corpus.
pub const DOORS: [(&str, Door); 14] = [
    ("accounts", accounts),
    ("audit", audit),
    ("command", command::hostile),
    ("coco", |bytes| eval::hostile::coco(&text(bytes))),
    ("events", |bytes| eval::hostile::events(&text(bytes))),
    ("manifest", manifest),
    ("mot", |bytes| eval::hostile::mot(&text(bytes))),
    ("nal", source::hostile),
    ("planes", planes),
    ("signal", signal::hostile),
    ("site", site),
    ("tracks", tracks),
    ("truth", |bytes| eval::hostile::truth(&text(bytes))),
    ("watch", watched),
];

/// The door of this name.
#[must_use]
pub fn door(name: &str) -> Option<Door> {
    DOORS.iter().find(|(known, _)| *known == name).map(|(_, door)| *door)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is said of bad input can be shown.
fn is_shown(said: &str) {
    let control = said.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{said:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project's root")
}

/// A site file, in a home where everything is that the shipped ones name.
fn site(bytes: &[u8]) {
    let file = root().join("edge-agent/deploy/site.toml");
    if let Err(errors) = load_site_text(&file, &text(bytes), &Home::at(root())) {
        assert!(!errors.0.is_empty() && errors.0.iter().all(|error| !error.cure.is_empty()), "{errors}");
        is_shown(&errors.to_string());
    }
}

fn manifest(bytes: &[u8]) {
    let dir = root().join("models/any");
    let document = Document::from_text(&dir.join("model.toml"), &text(bytes));
    if let Err(error) = Manifest::of(&dir, &document) {
        is_shown(&error.to_string());
    }
}

fn accounts(bytes: &[u8]) {
    if let Err(error) = Accounts::parse(Path::new("accounts"), &text(bytes)) {
        is_shown(&error.to_string());
    }
}

fn audit(bytes: &[u8]) {
    let report = verify_text("audit-1.jsonl", bytes, &[Head::NONE]);
    assert!(report.lines <= bytes.len() as u64);
    if let Some(wrong) = report.wrong {
        is_shown(&wrong.wrong.to_string());
    }
}

/// A chunk of recorded tracks as the database of tracks holds it.
fn tracks(bytes: &[u8]) {
    let Ok(playback) = Playback::new(CameraId::new("nam").expect("an id"), bytes) else { return };
    // Each scene costs some bytes at least.
    assert!(playback.take_while(Result::is_ok).count() <= bytes.len());
}

/// What a centre hears of boxes: every kind of message, whatever the topic says; what is read of it can be shown.
fn watched(bytes: &[u8]) {
    watch::hostile(bytes);
    drop(serde_json::from_slice::<Ack>(bytes));
    if let Some((header, part)) = ChunkHeader::split(bytes) {
        assert!(header.message(part).ends_with(part));
    }
}

/// Sizes, offsets and strides from the first bytes, pixels from the rest: a picture is refused, or every look at it stays
/// within its data.
fn planes(bytes: &[u8]) {
    const HEAD: usize = 34;
    let Some((head, pixels)) = bytes.split_at_checked(HEAD) else { return };
    let number = |at: usize| u32::from_le_bytes(*head[at..].first_chunk().expect("within the head"));
    let far = |at: usize| if head[32] & 4 == 0 { number(at) as usize } else { (number(at) as usize) << 32 | 7 };
    let plane = |at: usize| PlaneLayout { offset: far(at), stride: far(at + 4) };
    let colorimetry = Colorimetry {
        matrix: if head[33] & 1 == 0 { Matrix::Bt601 } else { Matrix::Bt709 },
        range: if head[33] & 2 == 0 { Range::Limited } else { Range::Full },
    };
    let layout = PictureLayout {
        width: number(0),
        height: number(4),
        format: if head[32] & 1 == 0 { PixelFormat::I420 } else { PixelFormat::Nv12 },
        colorimetry,
        planes: [plane(8), plane(16), plane(24)],
    };
    let pixels = pixels.to_vec();
    let available = pixels.len();
    let Ok(picture) = Picture::new(layout, Box::new(pixels)) else { return };
    assert!(layout.width as usize * layout.height as usize <= available);
    let triangle = [(0.1, 0.1), (0.9, 0.2), (0.5, 0.97)].map(|(x, y)| Point { x, y });
    let mask = Polygon::new(triangle.to_vec()).expect("a triangle");
    look(&picture);
    look(&picture.masked(&Masks::new(vec![mask])));
}

/// All that looks at a picture.
fn look(picture: &Picture) {
    let layout = *picture.layout();
    for plane in 0..layout.plane_count() {
        let (row_bytes, rows) = layout.plane_size(plane);
        assert!((0..rows).all(|y| picture.row(plane, y).len() == row_bytes));
    }
    assert!(Viewer::default().view(picture, MediaTime::ZERO).is_some());
    let shared = Shareable::as_decoded(picture, 64).into_image();
    assert!(shared.width() >= 1 && shared.width() <= 64.max(picture.width()));
    let mut tensor = InputTensor::new(&Input {
        name: String::new(),
        width: 32,
        height: 16,
        layout: Layout::Nchw,
        color: ColorOrder::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        letterbox: Letterbox::Center,
        pad: 114,
    });
    let part = BBox::new(0.31, 0.17, 0.34, 0.98).expect("a box");
    for region in [BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box"), part] {
        tensor.fill(picture, region);
        assert!(tensor.data().iter().all(|value| (0.0..=255.5).contains(value)));
    }
}

//! Tracks of recorded detections, with parts of the tracker missing: what `docs/tracking.md` was measured with.
//!
//! `cargo run --release -p analytics --example tracks -- DETECTIONS TRACKS WIDTH HEIGHT FPS EVERY [FIRST [WITHOUT,...|plain]]`
//!
//! DETECTIONS as in `tests/data` (frame, class, confidence, corners as shares of the picture) or as of MOTChallenge (frame, -1,
//! left, top, width, height, confidence, class; pixels). Every EVERY-th frame is tracked, from frame FIRST on (1). TRACKS is
//! written as of MOTChallenge, seen tracks only, with the frames that were tracked in its first line.
#![expect(clippy::disallowed_methods, reason = "the core does no I/O; an example of it may read a file")]

use std::error::Error;
use std::fmt::Write as _;

use analytics::track::{Mechanisms, Tracker, TrackerParams};
use analytics::{BBox, CameraId, Class, Confidence, Detection, FrameStamp, MediaTime, WallTime};

struct Picture {
    width: f32,
    height: f32,
}

fn class_of(field: &str) -> Option<Class> {
    let number = field.parse::<f32>().ok().map(|number| number as u32);
    Class::ALL.into_iter().find(|class| Some(class.coco_id()) == number)
}

/// Frame and detection of a line; `None` for classes that are not tracked and boxes without size.
fn parsed(line: &str, picture: &Picture) -> Result<Option<(usize, Detection)>, Box<dyn Error>> {
    let fields: Vec<&str> = line.split([',', ' ']).map(str::trim).collect();
    let number =
        |k: usize| fields.get(k).ok_or("too few numbers").and_then(|f| f.parse::<f32>().map_err(|_| "no number"));
    let (class, confidence, bbox) = if line.contains(',') {
        let (left, top) = (number(2)? / picture.width, number(3)? / picture.height);
        let (right, bottom) = (left + number(4)? / picture.width, top + number(5)? / picture.height);
        (fields.get(7).copied().unwrap_or("0"), number(6)?, BBox::new(left, top, right, bottom))
    } else {
        (fields[1], number(2)?, BBox::new(number(3)?, number(4)?, number(5)?, number(6)?))
    };
    let detection = |bbox| Some(Detection { bbox, class: class_of(class)?, confidence: Confidence::new(confidence)? });
    Ok(bbox.and_then(detection).map(|detection| (number(0).unwrap_or(1.0) as usize, detection)))
}

fn mechanisms(without: &str) -> Result<Mechanisms, Box<dyn Error>> {
    let mut at_work = Mechanisms::ALL;
    for name in without.split(',') {
        match name {
            "plain" => at_work = Mechanisms::NONE,
            "reach" => at_work.reach = false,
            "nested" => at_work.nested = false,
            "hidden" => at_work.hidden = false,
            "merged" => at_work.merged = false,
            "heights" => at_work.heights = false,
            "perspective" => at_work.perspective = false,
            "haunts" => at_work.haunts = false,
            "entries" => at_work.entries = false,
            "ridden" => at_work.ridden = false,
            "accrued" => at_work.accrued = false,
            "rest" => at_work.rest = false,
            "exits" => at_work.exits = false,
            _ => return Err(format!("no mechanism is called {name}").into()),
        }
    }
    Ok(at_work)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [detections, tracks, width, height, fps, every, rest @ ..] = arguments.as_slice() else {
        return Err("DETECTIONS TRACKS WIDTH HEIGHT FPS EVERY [FIRST [WITHOUT,...]]".into());
    };
    let picture = Picture { width: width.parse()?, height: height.parse()? };
    let (fps, every): (f64, usize) = (fps.parse()?, every.parse()?);
    let first: usize = rest.first().map_or(Ok(1), |first| first.parse())?;
    let at_work = rest.get(1).map_or(Ok(Mechanisms::ALL), |without| mechanisms(without))?;

    let mut frames: Vec<Vec<Detection>> = Vec::new();
    for line in std::fs::read_to_string(detections)?.lines().filter(|line| !line.starts_with('#')) {
        if let Some((frame, detection)) = parsed(line, &picture)? {
            frames.resize(frames.len().max(frame), Vec::new());
            frames[frame - 1].push(detection);
        }
    }
    let mut tracker = Tracker::with_mechanisms(TrackerParams::default(), at_work);
    let camera = CameraId::new("recorded")?;
    let mut out = format!("# analysed_frames: {first}-{}:{every}\n", frames.len());
    for (index, detections) in frames.iter().enumerate().skip(first - 1).step_by(every) {
        let pts = MediaTime::from_nanos((index as f64 / fps * 1e9) as u64);
        let seq = index as u64 + 1;
        let stamp = FrameStamp { camera: camera.clone(), seq, pts, captured_at: WallTime::UNIX_EPOCH };
        for track in tracker.update(stamp, picture.width / picture.height, detections).seen() {
            let (b, confidence, class) = (track.bbox, track.confidence.get(), track.class.coco_id());
            let (left, top) = (b.left() * picture.width, b.top() * picture.height);
            let (width, height) = (b.width() * picture.width, b.height() * picture.height);
            writeln!(
                out,
                "{seq},{},{left:.2},{top:.2},{width:.2},{height:.2},{confidence:.3},{class},-1,-1",
                track.id
            )?;
        }
    }
    Ok(std::fs::write(tracks, out)?)
}

//! The program's own tracker on recorded detections: what `run` would have made of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics::core::{Core, CoreParams, Look};
use analytics::incident::IncidentParams;
use analytics::track::TrackerParams;
use analytics::{BBox, CameraId, Class, Confidence, Detection, FrameStamp, LocalTime, MediaTime, WallTime};
use serde::Serialize;

use super::mot::{self, Holds, Meaning, Row};
use super::picture_size::{self, PictureSize, SizeSource};
use super::problem::Problems;
use super::tracks::FrameChoice;
use super::{EvalError, read_text};
use crate::replay::MotWriter;

/// How recorded detections are tracked.
#[derive(Debug, Clone)]
pub struct RecordedParams {
    /// Which frames the tracker is shown.
    pub choice: FrameChoice,
    /// Frames a second of the source: what a frame's number is in time.
    pub fps: f64,
    /// The picture's size, where it is known.
    pub size: Option<PictureSize>,
    /// What a detection is whose class the file does not say.
    pub class: Class,
    /// The tracker.
    pub tracker: TrackerParams,
}

/// Recorded detections, ready to be tracked.
#[derive(Debug)]
pub struct Recorded {
    file: PathBuf,
    rows: Vec<Row>,
    /// The frames that were analysed, where the file lists them: the last may be empty.
    last_frame: u64,
}

/// What the tracker made of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retraced {
    /// The picture's size that was assumed.
    pub size: PictureSize,
    /// Why that.
    pub size_source: SizeSource,
    /// Frames that the tracker was shown.
    pub frames: u64,
    /// Detections it was shown.
    pub detections: u64,
    /// Detections of classes that the program has no rules for; they are dropped, as by `run`.
    pub other_classes: u64,
    /// Detections outside the picture; they are dropped.
    pub outside: u64,
    /// The tracks that were seen, in MOT format.
    #[serde(skip)]
    pub tracks: String,
}

impl Recorded {
    /// Reads recorded detections in MOT format.
    ///
    /// # Errors
    /// A file that cannot be read, or every line of it that is wrong.
    pub fn read(file: &Path) -> Result<Self, EvalError> {
        let mot = mot::parse(file, &read_text(file)?, Holds::Detections)?;
        let mut problems = Problems::of(file);
        for row in mot.rows.iter().filter(|row| !(0.0..=1.0).contains(&row.confidence)) {
            let what =
                format!("the confidence {} is not between 0 and 1, as the tracker's thresholds are", row.confidence);
            problems.add(row.line, what, "divide column 7 by the greatest confidence the detector can give");
        }
        problems.or(())?;
        let listed = mot.analysed.into_iter().flatten().filter(|frame| *frame <= mot::MAX_FRAME);
        let last_frame = mot.rows.iter().map(|row| row.frame).chain(listed).max().unwrap_or(0);
        Ok(Self { file: file.to_owned(), rows: mot.rows, last_frame })
    }
}

/// Tracks recorded detections with what `run` tracks with, the stitching of lost and found tracks included, and writes
/// the tracks that were seen.
///
/// # Errors
/// No size of the picture, or one that cannot be read.
pub fn retrace(recorded: &Recorded, params: &RecordedParams) -> Result<Retraced, EvalError> {
    let boxes = recorded.rows.iter().map(|row| row.bbox);
    let (size, size_source) = picture_size::find(params.size, &recorded.file, boxes)?;
    let mut frames: BTreeMap<u64, Vec<Detection>> = BTreeMap::new();
    let (mut detections, mut other_classes, mut outside) = (0, 0, 0);
    for row in recorded.rows.iter().filter(|row| params.choice.takes(row.frame)) {
        let class = match row.label.meaning() {
            Meaning::Object(class) | Meaning::Distractor(class) => class,
            Meaning::Unknown => params.class,
            Meaning::Other => {
                other_classes += 1;
                continue;
            }
        };
        let seen = in_picture(row, size).zip(Confidence::new(row.confidence as f32));
        let Some((bbox, confidence)) = seen else {
            outside += 1;
            continue;
        };
        detections += 1;
        frames.entry(row.frame).or_default().push(Detection { bbox, class, confidence });
    }
    let chosen = (1..=recorded.last_frame).filter(|frame| params.choice.takes(*frame));
    let (tracks, shown) = follow(chosen, &frames, size, params);
    Ok(Retraced { size, size_source, frames: shown, detections, other_classes, outside, tracks })
}

fn follow(
    chosen: impl Iterator<Item = u64>,
    frames: &BTreeMap<u64, Vec<Detection>>,
    size: PictureSize,
    params: &RecordedParams,
) -> (String, u64) {
    let camera = CameraId::new("recorded").expect("is an id");
    let mut core = Core::new(CoreParams {
        tracker: params.tracker.clone(),
        rules: Vec::new(),
        incidents: IncidentParams::default(),
        ground: None,
        signals: Vec::new(),
        id_seed: 0,
    });
    let mut writer = MotWriter::default();
    let mut shown = 0;
    for frame in chosen {
        // The number of frames is bounded and the rate is not near 0, so that this is far from the end of time.
        let elapsed = Duration::from_secs_f64((frame - 1) as f64 / params.fps);
        let stamp = FrameStamp {
            camera: camera.clone(),
            seq: frame,
            pts: MediaTime::ZERO + elapsed,
            captured_at: WallTime::UNIX_EPOCH + elapsed,
        };
        let detections = frames.get(&frame).map_or(&[][..], Vec::as_slice);
        let aspect = size.width as f32 / size.height as f32;
        let (scene, _) =
            core.step(Look { stamp, local: LocalTime::MONDAY, aspect, detections, view: None, lamps: &[] });
        writer.frame(frame, (size.width, size.height), &scene);
        shown += 1;
    }
    (writer.finish(), shown)
}

/// The part of the box that is in the picture, as detectors give it; `None` when nothing is.
fn in_picture(row: &Row, size: PictureSize) -> Option<BBox> {
    let share = |px: f64, side: u32| (px / f64::from(side)) as f32;
    let (b, PictureSize { width, height }) = (row.bbox, size);
    BBox::new(share(b.left(), width), share(b.top(), height), share(b.right(), width), share(b.bottom(), height))?
        .clipped()
}

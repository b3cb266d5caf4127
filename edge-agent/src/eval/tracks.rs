//! Tracks in MOT format against a truth in MOT format.

use std::collections::BTreeMap;
use std::path::Path;

use analytics::{Class, ClassSet};
use evaluation::tracks::{self, Frame, Placed, TrackReport};
use serde::Serialize;

use super::mot::{self, Holds, Meaning, MotFile, Row};
use super::{EvalError, read_text};

/// Which frames are evaluated: 1, 1 + K, 1 + 2K …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameChoice {
    every: u64,
}

impl FrameChoice {
    /// Every `every`-th; `None` for 0.
    #[must_use]
    pub fn every(every: u64) -> Option<Self> {
        (every > 0).then_some(Self { every })
    }

    /// Whether this frame, counted from 1, is one of them.
    #[must_use]
    pub fn takes(self, frame: u64) -> bool {
        frame.checked_sub(1).is_some_and(|index| index.is_multiple_of(self.every))
    }
}

/// How tracks are compared.
#[derive(Debug, Clone, Copy)]
pub struct TrackParams {
    /// Which frames.
    pub choice: FrameChoice,
    /// Least overlap at which a box is found.
    pub min_iou: f64,
    /// Boxes that say they are of another class are left out; empty: none are.
    pub only: ClassSet,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackComparison {
    /// Every how many frames were evaluated.
    pub every: u64,
    /// Boxes of the truth that say of themselves that they do not count (flag 0).
    pub ignored_truth: u64,
    /// Boxes of either file that were left out for their class.
    pub other_classes: u64,
    /// The figures.
    #[serde(flatten)]
    pub report: TrackReport,
    /// What the reader should know: the tracks are of other frames than those that were evaluated.
    pub notes: Vec<String>,
}

/// Compares tracks with the truth in the file `truth`: those in the file `tracked`, unless `text` stands for what it
/// would hold.
///
/// # Errors
/// A file that cannot be read, or every line of it that is wrong.
pub fn compare_tracks(
    truth: &Path,
    tracked: &Path,
    text: Option<&str>,
    params: TrackParams,
) -> Result<TrackComparison, EvalError> {
    let TrackParams { choice, min_iou, only } = params;
    let mut truth = mot::parse(truth, &read_text(truth)?, Holds::Truth)?;
    let mut tracked = match text {
        Some(text) => mot::parse(tracked, text, Holds::Tracks)?,
        None => mot::parse(tracked, &read_text(tracked)?, Holds::Tracks)?,
    };
    let mut notes: Vec<String> = other_frames(&tracked, choice).into_iter().collect();
    for rows in [&mut truth.rows, &mut tracked.rows] {
        rows.retain(|row| choice.takes(row.frame));
    }
    let of_truth = truth.rows.len();
    truth.rows.retain(|row| row.confidence != 0.0);
    let ignored_truth = (of_truth - truth.rows.len()) as u64;
    let mut other_classes = 0;
    if only.is_empty() {
        notes.extend(several_classes(&truth, &tracked));
    } else {
        for rows in [&mut truth.rows, &mut tracked.rows] {
            let before = rows.len();
            rows.retain(|row| is_of(row, only));
            other_classes += (before - rows.len()) as u64;
        }
    }
    let report = tracks::evaluate(&frames(&truth, &tracked), min_iou);
    Ok(TrackComparison { every: choice.every, ignored_truth, other_classes, report, notes })
}

/// Whether a box is of one of these classes, or does not say of which.
fn is_of(row: &Row, only: ClassSet) -> bool {
    match row.label.meaning() {
        Meaning::Object(class) => only.contains(class),
        Meaning::Unknown => true,
        Meaning::Distractor(_) | Meaning::Other => false,
    }
}

fn frames(truth: &MotFile, tracked: &MotFile) -> Vec<Frame> {
    let mut frames: BTreeMap<u64, Frame> = BTreeMap::new();
    let placed = |row: &Row| Placed { id: row.id, bbox: row.bbox };
    for row in &truth.rows {
        frames.entry(row.frame).or_default().truth.push(placed(row));
    }
    for row in &tracked.rows {
        frames.entry(row.frame).or_default().tracked.push(placed(row));
    }
    frames.into_values().collect()
}

/// Says when tracks are of classes and the truth is not: what it never meant to hold then counts as false.
fn several_classes(truth: &MotFile, tracked: &MotFile) -> Option<String> {
    let classes = |file: &MotFile| -> ClassSet {
        let class = |row: &Row| match row.label.meaning() {
            Meaning::Object(class) => Some(class),
            Meaning::Distractor(_) | Meaning::Other | Meaning::Unknown => None,
        };
        file.rows.iter().filter_map(class).collect()
    };
    let names: Vec<&str> = classes(tracked).iter().map(Class::label).collect();
    (names.len() > 1 && classes(truth).is_empty()).then(|| {
        let names = names.join(", ");
        format!(
            "the tracks are of {names}, the truth does not say its classes: --only person, say, compares persons only"
        )
    })
}

/// Says when the tracker saw other frames than those that are evaluated: its misses are then nobody's fault.
fn other_frames(tracked: &MotFile, choice: FrameChoice) -> Option<String> {
    let analysed = tracked.analysed.as_ref()?;
    let evaluated = analysed.iter().filter(|frame| choice.takes(**frame)).count() as u64;
    let last = *analysed.iter().max()?;
    let wanted = last.saturating_sub(1) / choice.every + 1;
    (evaluated != wanted).then(|| {
        format!(
            "of the {wanted} frames evaluated up to {last} the tracker analysed {evaluated}; \
             the others count as missed: choose --every as the tracks were made"
        )
    })
}

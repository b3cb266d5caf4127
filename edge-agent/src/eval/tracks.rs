//! Tracks in MOT format against a truth in MOT format.

use std::collections::BTreeMap;
use std::path::Path;

use evaluation::tracks::{self, Frame, Placed, TrackReport};
use serde::Serialize;

use super::mot::{self, Holds, MotFile};
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

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackComparison {
    /// Every how many frames were evaluated.
    pub every: u64,
    /// Boxes of the truth that say of themselves that they do not count (flag 0).
    pub ignored_truth: u64,
    /// The figures.
    #[serde(flatten)]
    pub report: TrackReport,
    /// What the reader should know: the tracks are of other frames than those that were evaluated.
    pub notes: Vec<String>,
}

/// Compares tracks with the truth in the file `truth`: those in the file `tracked`, unless `text` stands for what it
/// would hold. A box is found where it overlaps by at least `min_iou`.
///
/// # Errors
/// A file that cannot be read, or every line of it that is wrong.
pub fn compare_tracks(
    truth: &Path,
    tracked: &Path,
    text: Option<&str>,
    choice: FrameChoice,
    min_iou: f64,
) -> Result<TrackComparison, EvalError> {
    let truth = mot::parse(truth, &read_text(truth)?, Holds::Truth)?;
    let tracked = match text {
        Some(text) => mot::parse(tracked, text, Holds::Tracks)?,
        None => mot::parse(tracked, &read_text(tracked)?, Holds::Tracks)?,
    };
    let ignored = |row: &&mot::Row| row.confidence == 0.0 && choice.takes(row.frame);
    let ignored_truth = truth.rows.iter().filter(ignored).count() as u64;
    let report = tracks::evaluate(&frames(&truth, &tracked, choice), min_iou);
    let notes = other_frames(&tracked, choice).into_iter().collect();
    Ok(TrackComparison { every: choice.every, ignored_truth, report, notes })
}

fn frames(truth: &MotFile, tracked: &MotFile, choice: FrameChoice) -> Vec<Frame> {
    let mut frames: BTreeMap<u64, Frame> = BTreeMap::new();
    let placed = |row: &mot::Row| Placed { id: row.id, bbox: row.bbox };
    for row in truth.rows.iter().filter(|row| choice.takes(row.frame) && row.confidence != 0.0) {
        frames.entry(row.frame).or_default().truth.push(placed(row));
    }
    for row in tracked.rows.iter().filter(|row| choice.takes(row.frame)) {
        frames.entry(row.frame).or_default().tracked.push(placed(row));
    }
    frames.into_values().collect()
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

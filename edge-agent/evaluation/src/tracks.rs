//! Tracks against ground truth: CLEAR MOT (Bernardin and Stiefelhagen 2008), identity measures (Ristani et al. 2016) and
//! HOTA (Luiten et al. 2020), by the conventions of py-motmetrics and TrackEval.

mod clear;
mod hota;
mod identity;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::clear::ClearMot;
pub use self::hota::Hota;
pub use self::identity::Identity;
use crate::boxes::PixelBox;

/// An object in a frame, of the truth or of a tracker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Whose it is; at most once a frame.
    pub id: u64,
    /// Where.
    pub bbox: PixelBox,
}

/// One frame that is evaluated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// What is there.
    pub truth: Vec<Placed>,
    /// What the tracker says is there.
    pub tracked: Vec<Placed>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackReport {
    /// Frames that hold anything.
    pub frames: u64,
    /// Least overlap (IoU) at which a box is found; HOTA has its own.
    pub min_iou: f64,
    /// Boxes of the truth: the denominator of MOTA and recall.
    pub truth_boxes: u64,
    /// Objects of the truth.
    pub truth_ids: u64,
    /// Boxes of the tracker: the denominator of precision.
    pub tracked_boxes: u64,
    /// Tracks.
    pub tracked_ids: u64,
    /// Accuracy frame by frame.
    #[serde(flatten)]
    pub clear: ClearMot,
    /// How well identities are kept over the whole sequence.
    #[serde(flatten)]
    pub identity: Identity,
    /// Detection and association in balance.
    #[serde(flatten)]
    pub hota: Hota,
}

/// Evaluates a sequence; frames in order. A box is found where it overlaps by at least `min_iou`.
#[must_use]
pub fn evaluate(frames: &[Frame], min_iou: f64) -> TrackReport {
    let sequence = Sequence::new(frames);
    TrackReport {
        frames: frames.iter().filter(|frame| !(frame.truth.is_empty() && frame.tracked.is_empty())).count() as u64,
        min_iou,
        truth_boxes: sequence.truth_counts.iter().sum(),
        truth_ids: sequence.truth_counts.len() as u64,
        tracked_boxes: sequence.tracked_counts.iter().sum(),
        tracked_ids: sequence.tracked_counts.len() as u64,
        clear: clear::clear_mot(&sequence, min_iou),
        identity: identity::identity(&sequence, min_iou),
        hota: hota::hota(&sequence),
    }
}

/// The frames with ids numbered from 0 and every overlap computed once.
struct Sequence {
    frames: Vec<Overlaps>,
    /// Boxes of each object of the truth.
    truth_counts: Vec<u64>,
    /// Boxes of each track.
    tracked_counts: Vec<u64>,
}

struct Overlaps {
    /// The objects in the frame, in the order they were given.
    truth: Vec<usize>,
    tracked: Vec<usize>,
    /// For each of `truth` the places in `tracked` that it overlaps with, and by how much; ascending.
    iou: Vec<Vec<(usize, f64)>>,
}

impl Sequence {
    fn new(frames: &[Frame]) -> Self {
        let (mut truth, mut tracked) = (Numbering::default(), Numbering::default());
        let overlaps = |frame: &Frame| {
            let row = |a: &Placed| {
                let pairs = frame.tracked.iter().map(|b| a.bbox.iou(b.bbox)).enumerate();
                pairs.filter(|&(_, iou)| iou > 0.0).collect()
            };
            Overlaps {
                truth: frame.truth.iter().map(|placed| truth.count(placed.id)).collect(),
                tracked: frame.tracked.iter().map(|placed| tracked.count(placed.id)).collect(),
                iou: frame.truth.iter().map(row).collect(),
            }
        };
        let frames = frames.iter().map(overlaps).collect();
        Self { frames, truth_counts: truth.counts, tracked_counts: tracked.counts }
    }
}

/// Ids by the order in which they appear, and how often they do.
#[derive(Default)]
struct Numbering {
    numbers: BTreeMap<u64, usize>,
    counts: Vec<u64>,
}

impl Numbering {
    fn count(&mut self, id: u64) -> usize {
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.counts.push(0);
            self.counts.len() - 1
        });
        self.counts[number] += 1;
        number
    }
}

/// `part` of `whole`; `None` of nothing.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

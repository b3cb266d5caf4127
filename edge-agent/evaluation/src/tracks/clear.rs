//! CLEAR MOT: Bernardin and Stiefelhagen, EURASIP Journal on Image and Video Processing 2008, with the conventions of
//! py-motmetrics: an object keeps the track it had last while they overlap enough; the rest are matched, as many as can
//! be and those with the least distance (1 − IoU).

use serde::Serialize;

use super::{Overlaps, Sequence, share};
use crate::assignment::{Gains, assign_most};

/// An object is mostly tracked from this share of its boxes on.
const MOSTLY_TRACKED: f64 = 0.8;
/// And mostly lost below this.
const MOSTLY_LOST: f64 = 0.2;

/// Accuracy frame by frame.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClearMot {
    /// 1 − (misses + false positives + switches) / boxes of the truth; below 0 where there are more errors than boxes.
    pub mota: Option<f64>,
    /// Mean distance, 1 − IoU, of what was found: 0 is best.
    pub motp: Option<f64>,
    /// Boxes found of the truth's.
    pub recall: Option<f64>,
    /// Boxes found of the tracker's.
    pub precision: Option<f64>,
    /// Boxes found, those with a switch included.
    pub found: u64,
    /// Boxes of the truth that were not found (FN).
    pub misses: u64,
    /// Boxes of the tracker that are nothing (FP).
    pub false_positives: u64,
    /// An object is found by another track than it was last.
    pub switches: u64,
    /// An object is missed between two frames in which it was found; once a gap.
    pub fragmentations: u64,
    /// Objects found in at least 80 % of their frames.
    pub mostly_tracked: u64,
    /// Objects between the two.
    pub partially_tracked: u64,
    /// Objects found in less than 20 % of their frames.
    pub mostly_lost: u64,
}

pub(super) fn clear_mot(sequence: &Sequence, min_iou: f64) -> ClearMot {
    let mut follow = Follow::new(sequence, min_iou);
    for frame in &sequence.frames {
        follow.step(frame);
    }
    follow.finish(sequence)
}

struct Follow {
    max_distance: f64,
    /// The track that found each object last.
    last: Vec<Option<usize>>,
    /// In how many frames each object was found.
    found: Vec<u64>,
    /// Frames in which an object was missed since it was found, if it was.
    missed_since: Vec<Option<u64>>,
    distance: f64,
    misses: u64,
    false_positives: u64,
    switches: u64,
    fragmentations: u64,
}

impl Follow {
    fn new(sequence: &Sequence, min_iou: f64) -> Self {
        let objects = sequence.truth_counts.len();
        Self {
            max_distance: 1.0 - min_iou,
            last: vec![None; objects],
            found: vec![0; objects],
            missed_since: vec![None; objects],
            distance: 0.0,
            misses: 0,
            false_positives: 0,
            switches: 0,
            fragmentations: 0,
        }
    }

    fn step(&mut self, frame: &Overlaps) {
        let near = within(frame, self.max_distance);
        let mut taken = vec![false; frame.tracked.len()];
        let mut kept = vec![false; frame.truth.len()];
        for (i, &object) in frame.truth.iter().enumerate() {
            let same = |&&(j, _): &&(usize, f64)| Some(frame.tracked[j]) == self.last[object] && !taken[j];
            if let Some(&(j, distance)) = near[i].iter().find(same) {
                (kept[i], taken[j]) = (true, true);
                self.distance += distance;
            }
        }
        let rest: Gains = near
            .into_iter()
            .zip(&kept)
            .map(|(row, kept)| row.into_iter().filter(|&(j, _)| !kept && !taken[j]).collect())
            .collect();
        let pairs = assign_most(&rest, taken.len());
        for (i, &object) in frame.truth.iter().enumerate() {
            if let Some(j) = pairs[i] {
                taken[j] = true;
                self.distance += rest[i].iter().find(|pair| pair.0 == j).map_or(0.0, |pair| pair.1);
                let track = Some(frame.tracked[j]);
                self.switches += u64::from(self.last[object].is_some_and(|last| Some(last) != track));
                self.last[object] = track;
            }
            self.note(object, kept[i] || pairs[i].is_some());
        }
        self.false_positives += taken.iter().filter(|taken| !**taken).count() as u64;
    }

    fn note(&mut self, object: usize, is_found: bool) {
        let missed = self.missed_since[object];
        if is_found {
            self.found[object] += 1;
            self.fragmentations += u64::from(missed.is_some_and(|frames| frames > 0));
            self.missed_since[object] = Some(0);
        } else {
            self.misses += 1;
            self.missed_since[object] = missed.map(|frames| frames + 1);
        }
    }

    fn finish(self, sequence: &Sequence) -> ClearMot {
        let found: u64 = self.found.iter().sum();
        let boxes = sequence.truth_counts.iter().sum::<u64>() as f64;
        let shares = || self.found.iter().zip(&sequence.truth_counts).map(|(&found, &of)| found as f64 / of as f64);
        let mostly_tracked = shares().filter(|share| *share >= MOSTLY_TRACKED).count() as u64;
        let mostly_lost = shares().filter(|share| *share < MOSTLY_LOST).count() as u64;
        let errors = self.misses + self.false_positives + self.switches;
        ClearMot {
            mota: share(errors as f64, boxes).map(|errors| 1.0 - errors),
            motp: share(self.distance, found as f64),
            recall: share(found as f64, boxes),
            precision: share(found as f64, (found + self.false_positives) as f64),
            found,
            misses: self.misses,
            false_positives: self.false_positives,
            switches: self.switches,
            fragmentations: self.fragmentations,
            mostly_tracked,
            partially_tracked: self.found.len() as u64 - mostly_tracked - mostly_lost,
            mostly_lost,
        }
    }
}

/// The pairs that are near enough, with their distance 1 − IoU.
fn within(frame: &Overlaps, max_distance: f64) -> Gains {
    let distances = |row: &Vec<(usize, f64)>| {
        row.iter().map(|&(j, iou)| (j, 1.0 - iou)).filter(|&(_, distance)| distance <= max_distance).collect()
    };
    frame.iou.iter().map(distances).collect()
}

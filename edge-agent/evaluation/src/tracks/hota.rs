//! HOTA: Luiten et al., International Journal of Computer Vision 2020, as TrackEval computes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Overlaps, Sequence};
use crate::assignment::{Gains, assign};

/// Overlaps from 0.05 to 0.95.
const THRESHOLDS: usize = 19;

/// Detection and association in balance: each the mean over overlaps of 0.05, 0.10 … 0.95.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hota {
    /// √(DetA · AssA), taken at each overlap. `None`, as the others, where there is neither truth nor track.
    pub hota: Option<f64>,
    /// Found of all boxes that are there or said to be.
    pub deta: Option<f64>,
    /// How much of the same object and track surrounds what was found.
    pub assa: Option<f64>,
    /// Mean IoU of what was found; 1 at an overlap at which nothing was.
    pub loca: Option<f64>,
}

/// What was found at one overlap.
#[derive(Default)]
struct AtThreshold {
    /// How often an object was found by a track.
    pairs: BTreeMap<(usize, usize), u64>,
    iou: f64,
}

pub(super) fn hota(sequence: &Sequence) -> Hota {
    let truth: u64 = sequence.truth_counts.iter().sum();
    let tracked: u64 = sequence.tracked_counts.iter().sum();
    if truth + tracked == 0 {
        return Hota { hota: None, deta: None, assa: None, loca: None };
    }
    let alignment = alignment(sequence);
    let mut at: Vec<AtThreshold> = (0..THRESHOLDS).map(|_| AtThreshold::default()).collect();
    for frame in &sequence.frames {
        for (i, j, iou) in matched(frame, &alignment) {
            for (k, at) in at.iter_mut().enumerate() {
                if iou >= threshold(k) - f64::EPSILON {
                    *at.pairs.entry((frame.truth[i], frame.tracked[j])).or_default() += 1;
                    at.iou += iou;
                }
            }
        }
    }
    let mut sums = [0.0; 4];
    for at in at {
        let found: u64 = at.pairs.values().sum();
        let deta = found as f64 / (truth + tracked - found) as f64;
        let agreement = |(&(object, track), &boxes): (&(usize, usize), &u64)| {
            let either = sequence.truth_counts[object] + sequence.tracked_counts[track] - boxes;
            boxes as f64 * boxes as f64 / either as f64
        };
        let assa = at.pairs.iter().map(agreement).sum::<f64>() / (found as f64).max(1.0);
        let loca = if found == 0 { 1.0 } else { at.iou / found as f64 };
        for (sum, value) in sums.iter_mut().zip([(deta * assa).sqrt(), deta, assa, loca]) {
            *sum += value;
        }
    }
    let [hota, deta, assa, loca] = sums.map(|sum| Some(sum / THRESHOLDS as f64));
    Hota { hota, deta, assa, loca }
}

fn threshold(k: usize) -> f64 {
    0.05 + k as f64 * 0.05
}

/// How well each object and track go together over the sequence, before any is matched.
fn alignment(sequence: &Sequence) -> BTreeMap<(usize, usize), f64> {
    let mut together: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for frame in &sequence.frames {
        let of_object: Vec<f64> = frame.iou.iter().map(|row| row.iter().map(|&(_, iou)| iou).sum()).collect();
        let mut of_track = vec![0.0; frame.tracked.len()];
        for &(j, iou) in frame.iou.iter().flatten() {
            of_track[j] += iou;
        }
        for (i, row) in frame.iou.iter().enumerate() {
            for &(j, iou) in row {
                let either = of_object[i] + of_track[j] - iou;
                if either > f64::EPSILON {
                    *together.entry((frame.truth[i], frame.tracked[j])).or_default() += iou / either;
                }
            }
        }
    }
    for (&(object, track), sum) in &mut together {
        *sum /= (sequence.truth_counts[object] + sequence.tracked_counts[track]) as f64 - *sum;
    }
    together
}

/// The pairs of a frame that go together best: `(object, track, IoU)`, by their places.
fn matched(frame: &Overlaps, alignment: &BTreeMap<(usize, usize), f64>) -> Vec<(usize, usize, f64)> {
    let score = |i: usize, &(j, iou): &(usize, f64)| {
        (j, alignment.get(&(frame.truth[i], frame.tracked[j])).copied().unwrap_or(0.0) * iou)
    };
    let gains: Gains =
        frame.iou.iter().enumerate().map(|(i, row)| row.iter().map(|pair| score(i, pair)).collect()).collect();
    let iou = |i: usize, j: usize| frame.iou[i].iter().find(|pair| pair.0 == j).map(|pair| (i, j, pair.1));
    let pairs = assign(&gains, frame.tracked.len());
    pairs.iter().enumerate().filter_map(|(i, j)| iou(i, (*j)?)).collect()
}

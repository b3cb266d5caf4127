//! Identity measures: Ristani et al., ECCV 2016 workshops. Each object of the truth is given one track at most for the
//! whole sequence, so that the most boxes agree.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Sequence, share};
use crate::assignment::{Gains, assign};

/// How well identities are kept over the whole sequence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// 2 IDTP / (boxes of the truth + boxes of the tracker).
    pub idf1: Option<f64>,
    /// IDTP / boxes of the tracker.
    pub idp: Option<f64>,
    /// IDTP / boxes of the truth.
    pub idr: Option<f64>,
    /// Boxes that overlap enough and have the right identity.
    pub idtp: u64,
    /// The tracker's other boxes.
    pub idfp: u64,
    /// The truth's other boxes.
    pub idfn: u64,
}

pub(super) fn identity(sequence: &Sequence, min_iou: f64) -> Identity {
    let max_distance = 1.0 - min_iou;
    let mut together: Vec<BTreeMap<usize, u64>> = vec![BTreeMap::new(); sequence.truth_counts.len()];
    for frame in &sequence.frames {
        for (&object, row) in frame.truth.iter().zip(&frame.iou) {
            for &(j, _) in row.iter().filter(|&&(_, iou)| 1.0 - iou <= max_distance) {
                *together[object].entry(frame.tracked[j]).or_default() += 1;
            }
        }
    }
    let gains: Gains =
        together.iter().map(|row| row.iter().map(|(&track, &boxes)| (track, boxes as f64)).collect()).collect();
    let pairs = assign(&gains, sequence.tracked_counts.len());
    let idtp: u64 = pairs.iter().zip(&together).filter_map(|(track, row)| row.get(track.as_ref()?)).sum();
    let truth: u64 = sequence.truth_counts.iter().sum();
    let tracked: u64 = sequence.tracked_counts.iter().sum();
    Identity {
        idf1: share(2.0 * idtp as f64, (truth + tracked) as f64),
        idp: share(idtp as f64, tracked as f64),
        idr: share(idtp as f64, truth as f64),
        idtp,
        idfp: tracked - idtp,
        idfn: truth - idtp,
    }
}

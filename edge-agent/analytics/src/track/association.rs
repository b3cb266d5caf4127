//! Which detection belongs to which track: ByteTrack's stages (Zhang et al., ECCV 2022) and one by distance.
//!
//! Each stage is an optimal assignment of what the stages before left:
//! 1. sure detections to confirmed tracks, seen or lost, by overlap and confidence;
//! 2. unsure detections to confirmed tracks seen of late, by overlap;
//! 3. sure detections to tentative tracks, by overlap and confidence;
//! 4. sure detections to any of these tracks, by distance from where it is expected: small fast objects at few frames a
//!    second do not overlap themselves;
//! 5. what is left to tentative tracks that began with an unsure detection, by overlap: they may take from no other.
//!
//! What stands takes no detection that is farther off, in any stage.

use std::time::Duration;

use super::assignment::Assigner;
use super::live::LiveTrack;
use super::motion::Motion;
use crate::class::Class;
use crate::detection::Detection;
use crate::geometry::BBox;

/// Least overlap times confidence, sure detections.
const SURE_OVERLAP: f32 = 0.2;
/// Least overlap, unsure detections.
const UNSURE_OVERLAP: f32 = 0.4;
/// Detections of one kind that overlap more than this show one object.
const DUPLICATE: f32 = 0.65;
/// A detection that overlaps a surer one more than this, or lies in it to this share, starts no track: it is more often
/// part of the same object than another one. A track that has it keeps it.
const SHADOWED: f32 = 0.45;
const NESTED: f32 = 0.9;
/// A track unseen for longer than this does not take unsure detections: they would keep ghosts alive.
const OF_LATE: Duration = Duration::from_millis(500);
/// Squared distance of three degrees of freedom that 99 % of true pairs keep (χ²).
const REACH2: f32 = 11.34;
/// As far off as this, in box heights, is a vehicle that sets off and not yet the next one in the queue.
const IN_PLACE: f32 = 0.35;
/// Farthest from where it is expected that a confirmed track is found again, in box heights, however unsure the place.
const FARTHEST: f32 = 1.5;
/// The same for a tentative one, whose velocity is not known yet.
const FARTHEST_TENTATIVE: f32 = 3.0;
/// Heights and widths that differ by more than this factor are different objects.
const SIZE_RATIO: f32 = 2.0;

/// Where a track is expected in this frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) motion: Motion,
    pub(super) bbox: BBox,
    /// Since it was last seen.
    pub(super) unseen: Duration,
}

/// What there is to associate in one frame; `expected` goes with `tracks`.
pub(super) struct Sight<'a> {
    pub(super) tracks: &'a [LiveTrack],
    pub(super) expected: &'a [Expected],
    pub(super) detections: &'a [Detection],
    /// How sure each detection is, with what speaks for it: no less than its confidence.
    pub(super) sureness: &'a [f32],
    pub(super) aspect: f32,
    pub(super) high_confidence: f32,
    pub(super) low_confidence: f32,
    /// Whether the last stage is run.
    pub(super) reach: bool,
    /// Whether shadowed detections start no track.
    pub(super) nested: bool,
}

/// Makes the pairs of one frame; keeps its work space between frames.
#[derive(Debug, Default)]
pub(super) struct Association {
    assigner: Assigner,
    cost: Vec<f32>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    pairs: Vec<(usize, usize)>,
    /// For each track the detection that is its.
    pub(super) detection_of: Vec<Option<usize>>,
    /// For each detection whether a track has it, or a surer one most likely shows the same object.
    pub(super) taken: Vec<bool>,
}

/// How well the classes go together, `0..=1`: models mistake car, truck and bus, or bicycle and motorcycle, for each
/// other often, a two-wheeler for a car sometimes, a person for a vehicle never.
pub(super) fn affinity(a: Class, b: Class) -> f32 {
    if a == b || a.is_vehicle() && b.is_vehicle() && a.is_two_wheeler() == b.is_two_wheeler() {
        1.0
    } else if a.is_vehicle() && b.is_vehicle() {
        0.5
    } else {
        0.0
    }
}

/// Whether a detection is not too far off for a track that stands.
fn is_in_place(sight: &Sight<'_>, i: usize, j: usize) -> bool {
    let motion = &sight.expected[i].motion;
    let detection = &sight.detections[j];
    let off = motion.off(detection, sight.aspect);
    !motion.rests || off.x.hypot(off.y) <= IN_PLACE || motion.distance2(detection, sight.aspect) <= REACH2
}

fn alike_in_size(a: BBox, b: BBox) -> bool {
    let within = |a: f32, b: f32| a < SIZE_RATIO * b && b < SIZE_RATIO * a;
    within(a.height(), b.height()) && within(a.width(), b.width())
}

/// Squared Mahalanobis distance; infinite where it cannot be the same object.
fn distance2(sight: &Sight<'_>, i: usize, j: usize) -> f32 {
    let (expected, detection) = (&sight.expected[i], &sight.detections[j]);
    let farthest = if sight.tracks[i].id.is_some() { FARTHEST } else { FARTHEST_TENTATIVE };
    let apart = expected.bbox.center().distance(detection.bbox.center(), sight.aspect);
    let possible = affinity(sight.tracks[i].class(), detection.class) == 1.0
        && alike_in_size(expected.bbox, detection.bbox)
        && apart <= farthest * expected.bbox.height();
    if possible { expected.motion.distance2(detection, sight.aspect) } else { f32::INFINITY }
}

/// Whether a surer detection shows the same object: models box one lorry as a truck and again as a bus.
fn is_duplicate(detections: &[Detection], j: usize) -> bool {
    let this = &detections[j];
    detections.iter().enumerate().any(|(k, other)| {
        // Of two that are equally sure the first stays.
        (other.confidence, j) > (this.confidence, k)
            && affinity(this.class, other.class) > 0.0
            && this.bbox.iou(other.bbox) > DUPLICATE
    })
}

impl Association {
    /// Fills `detection_of` and `taken`.
    pub(super) fn run(&mut self, sight: &Sight<'_>) {
        self.detection_of.clear();
        self.detection_of.resize(sight.tracks.len(), None);
        self.taken.clear();
        self.taken.extend((0..sight.detections.len()).map(|j| is_duplicate(sight.detections, j)));

        let sure = |j: usize| sight.sureness[j] >= sight.high_confidence;
        let unsure = |j: usize| !sure(j) && sight.sureness[j] >= sight.low_confidence;
        let confirmed = |i: usize| sight.tracks[i].id.is_some();
        let overlap = |i: usize, j: usize| {
            let detection = &sight.detections[j];
            let shared = if is_in_place(sight, i, j) { sight.expected[i].bbox.iou(detection.bbox) } else { 0.0 };
            shared * affinity(sight.tracks[i].class(), detection.class)
        };
        let sure_overlap = |i: usize, j: usize| overlap(i, j) * sight.sureness[j];
        let of_late = |i: usize| confirmed(i) && sight.expected[i].unseen <= OF_LATE;

        self.stage(confirmed, sure, 1.0 - SURE_OVERLAP, |i, j| 1.0 - sure_overlap(i, j));
        self.stage(of_late, unsure, 1.0 - UNSURE_OVERLAP, |i, j| 1.0 - overlap(i, j));
        let faint = |i: usize| !confirmed(i) && sight.tracks[i].unsure;
        let tentative = |i: usize| !confirmed(i) && !faint(i);
        self.stage(tentative, sure, 1.0 - SURE_OVERLAP, |i, j| 1.0 - sure_overlap(i, j));
        self.stage(|i| sight.reach && !faint(i), sure, REACH2, |i, j| distance2(sight, i, j));
        self.stage(faint, |j| sure(j) || unsure(j), 1.0 - UNSURE_OVERLAP, |i, j| 1.0 - overlap(i, j));
        if sight.nested {
            self.take_shadowed(sight);
        }
    }

    /// Takes what is left beside surer detections.
    fn take_shadowed(&mut self, sight: &Sight<'_>) {
        for ((j, this), taken) in sight.detections.iter().enumerate().zip(&mut self.taken) {
            let shadows = |(k, other): (usize, &Detection)| {
                // Of two that are equally sure the first stays.
                (other.confidence, j) > (this.confidence, k)
                    && other.confidence.get() >= sight.high_confidence
                    && affinity(this.class, other.class) > 0.0
                    && (this.bbox.iou(other.bbox) > SHADOWED || this.bbox.covered_by(other.bbox) > NESTED)
            };
            *taken = *taken || sight.detections.iter().enumerate().any(shadows);
        }
    }

    /// The share of a track's place that another track's detection, in front of it, covers; `own` is its own one.
    /// A camera looks down at the road, so what reaches lower in the picture is nearer.
    pub(super) fn hidden(&self, place: BBox, own: usize, detections: &[Detection]) -> f32 {
        let others = self.detection_of.iter().flatten().filter(|&&k| k != own).map(|&k| detections[k].bbox);
        let in_front = others.filter(|bbox| bbox.bottom() > place.bottom());
        in_front.fold(0.0, |most, bbox| place.covered_by(bbox).max(most))
    }

    /// Assigns what is left of the tracks and detections that take part.
    fn stage(
        &mut self,
        track: impl Fn(usize) -> bool,
        detection: impl Fn(usize) -> bool,
        gate: f32,
        cost: impl Fn(usize, usize) -> f32,
    ) {
        let Self { assigner, cost: matrix, rows, columns, pairs, detection_of, taken } = self;
        rows.clear();
        rows.extend((0..detection_of.len()).filter(|&i| detection_of[i].is_none() && track(i)));
        columns.clear();
        columns.extend((0..taken.len()).filter(|&j| !taken[j] && detection(j)));
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        matrix.clear();
        for &i in rows.iter() {
            matrix.extend(columns.iter().map(|&j| cost(i, j)));
        }
        pairs.clear();
        assigner.solve(matrix, (rows.len(), columns.len()), gate, pairs);
        for &(row, column) in pairs.iter() {
            detection_of[rows[row]] = Some(columns[column]);
            taken[columns[column]] = true;
        }
    }
}

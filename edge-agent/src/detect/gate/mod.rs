//! The motion gate: inference is spent on the parts of a camera's picture where something changed; elsewhere the
//! detections of the last look stand. `docs/motion-gate.md` says what bounds its misses.
//!
//! Each of the model's regions is compared, block by block, with the luma that it had when it was *last inferred*, so
//! that slow movement adds up until it is seen. After a change a region is inferred until its picture has kept still for
//! [`SAMPLES`] looks; then it is held, and the held frames take what these looks saw in turn: a network that sees
//! something in two of three looks shows the tracker just that, as it would without a gate. Every sweep the region is
//! taken for changed.
//!
//! # Invariants
//! - What a look saw is never carried over a change of its region, a gap, another picture size or a failure.
//! - [`Gate::plan`] goes by pictures and media time alone, not by what was seen: frames may be planned ahead of what is
//!   still being inferred, and are planned alike in the service and in replay.
//!
//! # Ownership
//! One a camera, beside its lane; one frame of a camera is under way at a time. Nothing is allocated in steady state.

mod blocks;
mod light;
mod motion;
#[cfg(test)]
mod tests;

use std::time::Duration;

use analytics::{BBox, Detection, MediaTime};

use self::motion::Motion;
use crate::detect::regions::Merger;
use crate::detect::{DetectError, Detector};
use crate::frame::Picture;

/// Looks at a picture that keeps still before it is held. More repeat the network's own wavering more truly; they cost
/// that many inferences after each change and at each sweep.
pub const SAMPLES: usize = 3;

/// What a gate is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct GateParams {
    /// The parts of the picture that the model looks at.
    pub regions: Vec<BBox>,
    /// Pixels of the network's input: what it is given of each region.
    pub input_px: usize,
    /// How boxes of several regions are merged, see [`Merger`].
    pub nms_iou: f32,
    /// A region that does not change is looked at anew after this time. Longer spares inference in still scenes; it is the
    /// longest that anything the gate takes for no change can stay unseen, or be seen after it is gone.
    pub sweep: Duration,
}

/// What is done with a region of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: what was seen stands.
    Hold,
    /// Inferred; what earlier looks saw may stand beside it.
    Again,
    /// Inferred; what earlier looks saw is void.
    Afresh,
}

/// One camera's gate.
#[derive(Debug)]
pub struct Gate {
    params: GateParams,
    motion: Motion,
    anchors: Vec<Anchor>,
    /// When something last moved, and the last frame.
    moved_at: MediaTime,
    planned_at: MediaTime,
    plan: Vec<Decision>,
    seen: Vec<Seen>,
    merger: Merger,
}

/// When a region was last taken for changed, and the looks since.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    since: MediaTime,
    looks: usize,
}

/// What the last looks at a region saw.
#[derive(Debug, Clone, Default)]
struct Seen {
    looks: [Vec<Detection>; SAMPLES],
    count: usize,
    /// The one that this frame shows.
    shown: usize,
}

impl Gate {
    /// A gate that has seen nothing.
    #[must_use]
    pub fn new(params: GateParams) -> Self {
        let regions = params.regions.len();
        Self {
            motion: Motion::default(),
            anchors: vec![Anchor { since: MediaTime::ZERO, looks: 0 }; regions],
            moved_at: MediaTime::ZERO,
            planned_at: MediaTime::ZERO,
            plan: Vec::with_capacity(regions),
            seen: vec![Seen::default(); regions],
            merger: Merger::default(),
            params,
        }
    }

    /// The parts of the picture that the model looks at.
    #[must_use]
    pub fn regions(&self) -> &[BBox] {
        &self.params.regions
    }

    /// What is to be done with each region of the next frame; the frame must be settled, or everything forgotten.
    pub fn plan(&mut self, picture: &Picture, at: MediaTime) -> &[Decision] {
        let follows = self.motion.read(picture, at, &self.params.regions, self.params.input_px);
        self.plan.clear();
        self.planned_at = at;
        for (index, anchor) in self.anchors.iter_mut().enumerate() {
            let moves = !follows || self.motion.is_changed(index);
            if moves {
                self.moved_at = at;
            }
            let decision = if moves || at.since(anchor.since) >= self.params.sweep {
                *anchor = Anchor { since: at, looks: 1 };
                Decision::Afresh
            } else if anchor.looks < SAMPLES {
                anchor.looks += 1;
                Decision::Again
            } else {
                Decision::Hold
            };
            if decision != Decision::Hold {
                self.motion.anchor(index);
            }
            self.plan.push(decision);
        }
        &self.plan
    }

    /// Takes what was seen in the regions that a plan looks at (`found` has a list for every region, and gives them away),
    /// and puts this frame's detections into `detections`. Plans are settled in their order.
    pub fn settle(&mut self, plan: &[Decision], found: &mut [Vec<Detection>], detections: &mut Vec<Detection>) {
        for ((seen, decision), found) in self.seen.iter_mut().zip(plan).zip(found) {
            seen.take(*decision, found);
        }
        detections.clear();
        if let [seen] = &self.seen[..] {
            detections.extend_from_slice(seen.shown());
            return;
        }
        self.merger.clear();
        for (region, seen) in self.params.regions.iter().zip(&self.seen) {
            self.merger.add(*region, seen.shown());
        }
        self.merger.merge(self.params.nms_iou, detections);
    }

    /// Plans, infers and settles one frame; how many regions were inferred. `found` is scratch.
    ///
    /// # Errors
    /// The detector's own; [`Gate::forget`] must follow.
    pub fn detect(
        &mut self,
        detector: &mut dyn Detector,
        picture: &Picture,
        at: MediaTime,
        found: &mut Vec<Vec<Detection>>,
        detections: &mut Vec<Detection>,
    ) -> Result<usize, DetectError> {
        self.plan(picture, at);
        let plan = std::mem::take(&mut self.plan);
        let inferred = infer(detector, picture, &self.params.regions, &plan, found);
        if inferred.is_ok() {
            self.settle(&plan, found, detections);
        }
        self.plan = plan;
        inferred
    }

    /// How long nothing has moved, as of the last frame that was planned. A sweep is no movement.
    #[must_use]
    pub fn still_for(&self) -> Duration {
        self.planned_at.since(self.moved_at)
    }

    /// Whether nothing has moved in this picture either, which is no frame to be planned now.
    pub fn is_still(&mut self, picture: &Picture) -> bool {
        self.motion.is_still(picture)
    }

    /// The next frame's picture is the last one's: nothing is learnt from it.
    pub fn repeat(&mut self) {
        self.motion.repeat();
    }

    /// A planned frame was not inferred: nothing is carried over it.
    pub fn forget(&mut self) {
        self.motion.forget();
    }
}

impl Seen {
    fn take(&mut self, decision: Decision, found: &mut Vec<Detection>) {
        match decision {
            Decision::Hold => self.shown = (self.shown + 1) % self.count.max(1),
            Decision::Again | Decision::Afresh => {
                self.count = if decision == Decision::Afresh { 1 } else { (self.count + 1).min(SAMPLES) };
                self.shown = self.count - 1;
                std::mem::swap(&mut self.looks[self.shown], found);
            }
        }
    }

    fn shown(&self) -> &[Detection] {
        &self.looks[self.shown]
    }
}

/// Looks at the regions of a plan, and says how many these are; `found` gets a list for every region.
///
/// # Errors
/// The detector's own.
pub fn infer(
    detector: &mut dyn Detector,
    picture: &Picture,
    regions: &[BBox],
    plan: &[Decision],
    found: &mut Vec<Vec<Detection>>,
) -> Result<usize, DetectError> {
    found.resize_with(regions.len(), Vec::new);
    let mut looks = 0;
    for ((region, decision), found) in regions.iter().zip(plan).zip(found) {
        if *decision != Decision::Hold {
            detector.detect(picture, std::slice::from_ref(region), found)?;
            looks += 1;
        }
    }
    Ok(looks)
}

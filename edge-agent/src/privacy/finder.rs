//! Looks for people and vehicles once more, in the very picture that is to be shared, and far more eagerly than for incidents:
//! what it takes for a head that is none costs a patch, what it misses is a face.
//!
//! The camera's own network looks at the whole picture, at the camera's regions, and at tiles small enough that a person whose
//! face could be recognised fills a fair part of its input; everything above the least confidence of its manifest counts, and
//! nothing that overlaps is dropped, for people stand behind each other. Half that confidence finds hardly more heads and blurs
//! four times as much (docs/privacy.md).
//!
//! # Ownership
//! Who shares pictures holds it; one at a time looks. It has a session of its own, on the CPU, which every box has: inference
//! workers never wait for it.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use analytics::{BBox, Confidence, Detection};

use crate::detect::manifest::Model;
use crate::detect::ort::{OrtDetector, Runtime, SessionOptions};
use crate::detect::{DetectError, Detector};
use crate::frame::Picture;

/// Pixels of a tile's longer side, of those of the network's input: a body of 45 pixels, whose head could just be
/// recognised, then has 20 in the input. Less finds smaller people, for more inferences.
const TILE_INPUTS: f32 = 2.25;

/// Tiles side by side and above each other: at least, for what a network misses at one size it often sees at another, and at
/// most, for a 4K picture.
const LEAST_TILES: [usize; 2] = [3, 2];
const MOST_TILES: [usize; 2] = [6, 4];

/// Of each tile, shared with the next: a body on the edge of one is whole in the other.
const OVERLAP: f32 = 0.25;

/// A network that looks for what must be made unrecognisable; clones share it.
#[derive(Clone)]
pub struct Finder {
    detector: Arc<Mutex<Box<dyn Detector>>>,
    regions: Vec<BBox>,
    input_px: f32,
}

impl Finder {
    /// Opens the model once more. What it is less sure of than `confidence` (the manifest's, by default) does not count: lower
    /// finds more of those half hidden; it also takes more for people that are none, and blurs them.
    ///
    /// # Errors
    /// As [`OrtDetector::open`].
    pub fn open(runtime: &Runtime, model: &Model, confidence: Option<f32>) -> Result<Self, DetectError> {
        let mut options = SessionOptions::for_model(model);
        options.confidence = confidence.and_then(Confidence::new).unwrap_or(options.confidence);
        options.nms_iou = 1.0;
        let detector = OrtDetector::open(runtime, model, &options)?;
        let input = &model.manifest().input;
        Ok(Self::new(Box::new(detector), input.width.max(input.height)))
    }

    /// Around any detector, whose input is so many pixels wide or high.
    #[must_use]
    pub fn new(detector: Box<dyn Detector>, input_px: usize) -> Self {
        Self { detector: Arc::new(Mutex::new(detector)), regions: Vec::new(), input_px: input_px as f32 }
    }

    /// The same for a camera that is looked at in these regions.
    #[must_use]
    pub fn in_regions(&self, regions: Vec<BBox>) -> Self {
        Self { regions, ..self.clone() }
    }

    /// Everything that may be a person or a vehicle; one object may come several times.
    ///
    /// # Errors
    /// The detector's own.
    pub fn find(&self, picture: &Picture) -> Result<Vec<Detection>, DetectError> {
        let mut detector = self.detector.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut all, mut found) = (Vec::new(), Vec::new());
        for look in self.looks(picture.width() as f32, picture.height() as f32) {
            detector.detect(picture, std::slice::from_ref(&look), &mut found)?;
            all.append(&mut found);
        }
        Ok(all)
    }

    fn looks(&self, width: f32, height: f32) -> Vec<BBox> {
        let whole = BBox::new(0.0, 0.0, 1.0, 1.0);
        let of_camera = self.regions.iter().copied().filter(|region| Some(*region) != whole);
        let mut looks: Vec<BBox> = whole.into_iter().chain(of_camera).collect();
        let tile_px = TILE_INPUTS * self.input_px;
        let along = |size: f32, axis: usize| tiles(size / tile_px, LEAST_TILES[axis]..=MOST_TILES[axis]);
        let (across, down) = (along(width, 0), along(height, 1));
        for (top, bottom) in down {
            looks.extend(across.iter().filter_map(|(left, right)| BBox::new(*left, top, *right, bottom)));
        }
        looks
    }
}

impl std::fmt::Debug for Finder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finder").field("regions", &self.regions).field("input_px", &self.input_px).finish()
    }
}

/// Spans of fractions over a side that is so many tiles long, each but the first overlapping the one before.
fn tiles(side: f32, count: RangeInclusive<usize>) -> Vec<(f32, f32)> {
    let enough = ((side - OVERLAP) / (1.0 - OVERLAP)).ceil() as usize;
    let count = enough.clamp(*count.start(), *count.end());
    let length = 1.0 / (count as f32 * (1.0 - OVERLAP) + OVERLAP);
    let from = |index: usize| index as f32 * (1.0 - OVERLAP) * length;
    (0..count).map(|index| (from(index), (from(index) + length).min(1.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Detector for Nobody {
        fn detect(&mut self, _: &Picture, _: &[BBox], found: &mut Vec<Detection>) -> Result<(), DetectError> {
            found.clear();
            Ok(())
        }
    }

    #[test]
    fn tiles_cover_the_picture_with_overlap_and_are_bounded() {
        for side in [0.3, 1.0, 1.2, 2.8, 5.7, 99.0] {
            let tiles = tiles(side, 3..=6);
            assert!((3..=6).contains(&tiles.len()));
            assert_eq!(tiles[0].0, 0.0, "{side}");
            assert!((tiles.last().expect("one").1 - 1.0).abs() < 1e-5, "{side}: {tiles:?}");
            for pair in tiles.windows(2) {
                let length = pair[0].1 - pair[0].0;
                assert!(pair[1].0 < pair[0].1 - 0.2 * length, "{side}: {tiles:?}");
                assert!(side > 4.7 || length * side <= 1.0 + 1e-4, "{side}: {tiles:?}");
            }
        }
    }

    #[test]
    fn a_picture_is_looked_at_whole_and_in_more_tiles_the_larger_it_is() {
        let halves = || [BBox::new(0.0, 0.0, 0.6, 1.0), BBox::new(0.4, 0.0, 1.0, 1.0)].into_iter().flatten().collect();
        let finder = Finder::new(Box::new(Nobody), 300).in_regions(halves());
        assert_eq!(finder.looks(640.0, 360.0).len(), 3 + 3 * 2);
        assert_eq!(finder.looks(1920.0, 1080.0).len(), 3 + 4 * 2);
        assert_eq!(finder.looks(3840.0, 2160.0).len(), 3 + 6 * 4);
    }
}

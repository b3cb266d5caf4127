//! Detections against ground truth: average precision as COCO defines it (101-point interpolation; Lin et al. 2014), by
//! class and size, by the conventions of pycocotools.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::boxes::PixelBox;

/// The surest detections of an image and class that count; the rest are as if they were not there.
pub const MAX_DETECTIONS: usize = 100;
/// Overlaps from 0.50 to 0.95.
const THRESHOLDS: usize = 10;
/// Recalls at which precision is read: 0, 0.01 … 1.
const RECALLS: usize = 101;

/// A box of the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthBox {
    /// Which image.
    pub image: u64,
    /// Which class.
    pub class: u32,
    /// Where.
    pub bbox: PixelBox,
    /// The object's area, which decides its size; that of its outline where there is one, else of its box.
    pub area: f64,
    /// Neither to be found nor wrong to find.
    pub ignored: bool,
    /// Many in one box (ignored too): any number of detections may lie in it.
    pub crowd: bool,
}

/// A box that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundBox {
    /// Which image.
    pub image: u64,
    /// Which class.
    pub class: u32,
    /// Where.
    pub bbox: PixelBox,
    /// How sure; only the order counts.
    pub confidence: f64,
}

/// Which objects, by their area in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// All.
    All,
    /// Up to 32 × 32.
    Small,
    /// From 32 × 32 to 96 × 96.
    Medium,
    /// From 96 × 96.
    Large,
}

impl Size {
    /// All, then from small to large.
    pub const ALL: [Self; 4] = [Self::All, Self::Small, Self::Medium, Self::Large];

    /// The word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    fn holds(self, area: f64) -> bool {
        let (small, large) = (32.0 * 32.0, 96.0 * 96.0);
        match self {
            Self::All => (0.0..=1e10).contains(&area),
            Self::Small => (0.0..=small).contains(&area),
            Self::Medium => (small..=large).contains(&area),
            Self::Large => (large..=1e10).contains(&area),
        }
    }
}

/// Average precision of one class and size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Precision {
    /// Which objects.
    pub size: Size,
    /// How many there are: the denominator of recall.
    pub truths: u64,
    /// At an overlap of 0.5; `None`, as the others, where there is none to find.
    pub ap50: Option<f64>,
    /// At an overlap of 0.75.
    pub ap75: Option<f64>,
    /// The mean over overlaps of 0.50, 0.55 … 0.95.
    pub ap50_95: Option<f64>,
}

/// What came out for one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPrecision {
    /// Which class.
    pub class: u32,
    /// How many were found, at most [`MAX_DETECTIONS`] an image.
    pub found: u64,
    /// By size, in the order of [`Size::ALL`].
    pub by_size: [Precision; 4],
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrecisionReport {
    /// By class, ascending; classes of which there is neither truth nor detection are absent.
    pub by_class: Vec<ClassPrecision>,
    /// The mean over the classes that have any to find; `truths` are their sum.
    pub mean: [Precision; 4],
}

/// Evaluates the detections of a set of images.
#[must_use]
pub fn evaluate(truth: &[TruthBox], found: &[FoundBox]) -> PrecisionReport {
    let mut classes: BTreeMap<u32, BTreeMap<u64, Image>> = BTreeMap::new();
    for truth in truth {
        classes.entry(truth.class).or_default().entry(truth.image).or_default().truth.push(*truth);
    }
    for found in found {
        classes.entry(found.class).or_default().entry(found.image).or_default().found.push(*found);
    }
    let by_class: Vec<ClassPrecision> = classes
        .into_iter()
        .map(|(class, images)| {
            let images: Vec<Image> = images.into_values().map(Image::prepared).collect();
            let found = images.iter().map(|image| image.found.len() as u64).sum();
            ClassPrecision { class, found, by_size: Size::ALL.map(|size| precision(&images, size)) }
        })
        .collect();
    let mean = [0, 1, 2, 3].map(|k| mean(Size::ALL[k], by_class.iter().map(|class| class.by_size[k])));
    PrecisionReport { by_class, mean }
}

fn mean(size: Size, classes: impl Iterator<Item = Precision> + Clone) -> Precision {
    let of = |value: fn(&Precision) -> Option<f64>| {
        let values: Vec<f64> = classes.clone().filter_map(|class| value(&class)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Precision {
        size,
        truths: classes.clone().map(|class| class.truths).sum(),
        ap50: of(|class| class.ap50),
        ap75: of(|class| class.ap75),
        ap50_95: of(|class| class.ap50_95),
    }
}

/// The boxes of one class in one image.
#[derive(Default)]
struct Image {
    truth: Vec<TruthBox>,
    found: Vec<FoundBox>,
    /// Of each found box with each of the truth.
    overlap: Vec<Vec<f64>>,
}

/// A detection at one overlap: its confidence, and whether it is right.
struct Judged {
    confidence: f64,
    is_right: bool,
}

impl Image {
    fn prepared(mut self) -> Self {
        self.found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        self.found.truncate(MAX_DETECTIONS);
        let overlap = |found: &FoundBox, truth: &TruthBox| {
            if truth.crowd { found.bbox.covered_by(truth.bbox) } else { found.bbox.iou(truth.bbox) }
        };
        self.overlap =
            self.found.iter().map(|found| self.truth.iter().map(|truth| overlap(found, truth)).collect()).collect();
        self
    }

    /// Gives each detection, the surest first, the box of the truth that it overlaps most with and none has yet; one
    /// that is ignored only where no other is near enough. Those that neither count nor are wrong are left out.
    fn judge(&self, size: Size, threshold: f64, judged: &mut Vec<Judged>) {
        let ignored: Vec<bool> =
            self.truth.iter().map(|truth| truth.ignored || truth.crowd || !size.holds(truth.area)).collect();
        let mut taken = vec![false; self.truth.len()];
        for (found, overlap) in self.found.iter().zip(&self.overlap) {
            let best = |wanted: bool| {
                let free = |&g: &usize| ignored[g] != wanted && (!taken[g] || self.truth[g].crowd);
                let near = (0..self.truth.len()).filter(free).filter(|&g| overlap[g] >= threshold.min(1.0 - 1e-10));
                // The last one among equals, as pycocotools.
                near.max_by(|&a, &b| overlap[a].total_cmp(&overlap[b]))
            };
            let verdict = match best(true).or_else(|| best(false)) {
                Some(g) => {
                    taken[g] = true;
                    (!ignored[g]).then_some(true)
                }
                None => size.holds(found.bbox.area()).then_some(false),
            };
            judged.extend(verdict.map(|is_right| Judged { confidence: found.confidence, is_right }));
        }
    }
}

fn precision(images: &[Image], size: Size) -> Precision {
    let wanted = |truth: &&TruthBox| !truth.ignored && !truth.crowd && size.holds(truth.area);
    let truths = images.iter().flat_map(|image| &image.truth).filter(wanted).count() as u64;
    if truths == 0 {
        return Precision { size, truths, ap50: None, ap75: None, ap50_95: None };
    }
    let at: Vec<f64> = (0..THRESHOLDS)
        .map(|k| {
            let mut judged = Vec::new();
            for image in images {
                image.judge(size, threshold(k), &mut judged);
            }
            average(judged, truths)
        })
        .collect();
    let mean = at.iter().sum::<f64>() / THRESHOLDS as f64;
    Precision { size, truths, ap50: Some(at[0]), ap75: Some(at[5]), ap50_95: Some(mean) }
}

/// As numpy's `linspace(0.5, 0.95, 10)` rounds it, so that a box at the very edge is judged alike.
fn threshold(k: usize) -> f64 {
    if k + 1 == THRESHOLDS { 0.95 } else { 0.5 + k as f64 * ((0.95 - 0.5) / (THRESHOLDS - 1) as f64) }
}

/// The mean precision over 101 recalls; the precision at a recall is the best at that or any greater one.
fn average(mut judged: Vec<Judged>, truths: u64) -> f64 {
    judged.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let (mut right, mut curve) = (0u64, Vec::with_capacity(judged.len()));
    for (k, judged) in judged.iter().enumerate() {
        right += u64::from(judged.is_right);
        curve.push((right as f64 / truths as f64, right as f64 / (k + 1) as f64));
    }
    let mut best = 0.0;
    for point in curve.iter_mut().rev() {
        best = f64::max(best, point.1);
        point.1 = best;
    }
    let at = |k: usize| {
        // Rounded as numpy's `linspace(0, 1, 101)`: 7 of 20 do not reach its 0.35.
        let reached = curve.partition_point(|point| point.0 < k as f64 * 0.01);
        curve.get(reached).map_or(0.0, |point| point.1)
    };
    (0..RECALLS).map(at).sum::<f64>() / RECALLS as f64
}

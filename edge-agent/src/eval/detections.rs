//! Detections against a truth, both in MOT format or both in COCO's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use analytics::Class;
use evaluation::detections::{FoundBox, PrecisionReport, TruthBox, evaluate};

use super::mot::{self, Holds, Meaning, Row};
use super::tracks::FrameChoice;
use super::{EvalError, coco, read_text};

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct DetectionsParams<'a> {
    /// The truth: MOT text, or a COCO document.
    pub truth: &'a Path,
    /// The detections: MOT text, or a COCO list of results.
    pub found: &'a Path,
    /// Which frames; MOT only.
    pub choice: FrameChoice,
    /// What a box is whose class the file does not say; MOT only.
    pub class: Class,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectionReport {
    /// The figures.
    pub precision: PrecisionReport,
    /// The names of the classes.
    pub names: BTreeMap<u32, String>,
    /// Images or frames that were compared.
    pub images: u64,
    /// Lines of classes that are none of the program's; they are left out.
    pub other_classes: u64,
}

/// The boxes of both files.
pub(super) struct Boxes {
    pub(super) truths: Vec<TruthBox>,
    pub(super) founds: Vec<FoundBox>,
    pub(super) names: BTreeMap<u32, String>,
    pub(super) images: u64,
    pub(super) other_classes: u64,
}

/// Compares detections with the truth.
///
/// # Errors
/// A file that cannot be read, every line of it that is wrong, or two formats.
pub fn evaluate_detections(params: &DetectionsParams<'_>) -> Result<DetectionReport, EvalError> {
    let DetectionsParams { truth, found, .. } = *params;
    let (truth_text, found_text) = (read_text(truth)?, read_text(found)?);
    let boxes = match (coco::is_instances(&truth_text), coco::is_results(&found_text)) {
        (true, true) => coco::parse((truth, &truth_text), (found, &found_text))?,
        (false, false) => of_mot(params, &truth_text, &found_text)?,
        (is_coco, is_results) => {
            let format = |is_coco| if is_coco { "COCO JSON" } else { "MOT text" };
            return Err(EvalError::Formats {
                truth: truth.to_owned(),
                truth_format: format(is_coco),
                found: found.to_owned(),
                found_format: format(is_results),
            });
        }
    };
    let Boxes { truths, founds, names, images, other_classes } = boxes;
    Ok(DetectionReport { precision: evaluate(&truths, &founds), names, images, other_classes })
}

fn of_mot(params: &DetectionsParams<'_>, truth: &str, found: &str) -> Result<Boxes, EvalError> {
    let truth = mot::parse(params.truth, truth, Holds::Truth)?.rows;
    let found = mot::parse(params.found, found, Holds::Detections)?.rows;
    let chosen = |row: &&Row| params.choice.takes(row.frame);
    let mut boxes = Boxes {
        truths: Vec::new(),
        founds: Vec::new(),
        names: Class::ALL.map(|class| (class.coco_id(), class.label().to_owned())).into(),
        images: truth.iter().chain(&found).filter(chosen).map(|row| row.frame).collect::<BTreeSet<_>>().len() as u64,
        other_classes: 0,
    };
    for row in truth.iter().filter(chosen) {
        let (class, is_like) = match row.label.meaning() {
            Meaning::Object(class) => (class, false),
            Meaning::Distractor(class) => (class, true),
            Meaning::Unknown => (params.class, false),
            Meaning::Other => {
                boxes.other_classes += 1;
                continue;
            }
        };
        let ignored = is_like || row.confidence == 0.0;
        let (image, class, area) = (row.frame, class.coco_id(), row.bbox.area());
        boxes.truths.push(TruthBox { image, class, bbox: row.bbox, area, ignored, crowd: false });
    }
    for row in found.iter().filter(chosen) {
        let class = match row.label.meaning() {
            Meaning::Object(class) | Meaning::Distractor(class) => class,
            Meaning::Unknown => params.class,
            Meaning::Other => {
                boxes.other_classes += 1;
                continue;
            }
        };
        boxes.founds.push(FoundBox {
            image: row.frame,
            class: class.coco_id(),
            bbox: row.bbox,
            confidence: row.confidence,
        });
    }
    Ok(boxes)
}

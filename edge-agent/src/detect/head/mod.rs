//! From a network's outputs to detections; one file for each family of networks.
//!
//! # Failure
//! Outputs of another shape than the manifest's, and confidences or boxes that are no numbers, are errors: a network
//! that went wrong must not look like an empty road.

mod detr;
mod ssd;
mod yolo;
mod yolox;

use analytics::{BBox, Class, Confidence, Detection};

use crate::detect::DetectError;
use crate::detect::manifest::{self, Manifest};
use crate::detect::tensor::Placement;

/// Outputs that any head reads, at most.
pub const MOST_OUTPUTS: usize = 2;

/// One output as the runtime holds it.
#[derive(Debug, Clone, Copy, Default)]
pub struct TensorView<'a> {
    /// Its dimensions.
    pub shape: &'a [i64],
    /// Its values, the last dimension running fastest.
    pub data: &'a [f32],
}

/// Turns the outputs of one run into detections.
#[derive(Debug, Clone)]
pub struct Head {
    kind: Kind,
    outputs: Vec<Output>,
    columns: Vec<(usize, Class)>,
}

/// An output that the network must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The manifest's key that names it.
    pub key: &'static str,
    /// Its name in the graph.
    pub name: String,
    /// Its dimensions; `None` where any size will do.
    pub shape: [Option<usize>; 3],
    /// The axis that holds the labels, and how many values stand before them on it.
    pub labels: Option<(usize, usize)>,
}

#[derive(Debug, Clone)]
enum Kind {
    Ssd { width: f32, height: f32 },
    Yolox(Vec<yolox::Anchors>),
    Yolo,
    Detr { width: f32, height: f32, activation: manifest::Activation },
}

impl Head {
    /// The head that a manifest names, with the class of each class index.
    #[must_use]
    pub fn new(manifest: &Manifest, classes: &[Option<Class>]) -> Self {
        let labels = classes.len();
        let columns = classes.iter().enumerate().filter_map(|(index, class)| Some((index, (*class)?))).collect();
        let output = |key, name: &String, shape: [Option<usize>; 2], labels| Output {
            key,
            name: name.clone(),
            shape: [Some(1), shape[0], shape[1]],
            labels,
        };
        let pair = |scores, boxes| {
            vec![
                output("head.scores", scores, [None, Some(labels)], Some((2, 0))),
                output("head.boxes", boxes, [None, Some(4)], None),
            ]
        };
        let (width, height) = (manifest.input.width, manifest.input.height);
        let (width_f, height_f) = (width as f32, height as f32);
        let (kind, outputs) = match &manifest.head {
            manifest::Head::Ssd { scores, boxes } => {
                (Kind::Ssd { width: width_f, height: height_f }, pair(scores, boxes))
            }
            manifest::Head::Yolox { output: name, strides } => {
                let anchors = yolox::Anchors::of_strides(strides, width, height);
                let count = anchors.last().map(yolox::Anchors::end);
                (Kind::Yolox(anchors), vec![output("head.output", name, [count, Some(5 + labels)], Some((2, 5)))])
            }
            manifest::Head::Yolo { output: name } => {
                (Kind::Yolo, vec![output("head.output", name, [Some(4 + labels), None], Some((1, 4)))])
            }
            manifest::Head::Detr { scores, boxes, activation } => {
                let kind = Kind::Detr { width: width_f, height: height_f, activation: *activation };
                (kind, pair(scores, boxes))
            }
        };
        Self { kind, outputs, columns }
    }

    /// The outputs it reads, in the order that [`Head::decode`] wants them.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Whether one object may come as several boxes, so that [NMS](crate::detect::nms) must follow.
    #[must_use]
    pub fn repeats_objects(&self) -> bool {
        match self.kind {
            Kind::Ssd { .. } | Kind::Yolox(_) | Kind::Yolo => true,
            Kind::Detr { .. } => false,
        }
    }

    /// Appends what the network is at least `confidence` sure of; boxes may still overlap.
    ///
    /// # Errors
    /// [`DetectError::OutputShape`], [`DetectError::NotANumber`].
    ///
    /// # Panics
    /// Unless there are as many views as [`Head::outputs`].
    pub fn decode(
        &self,
        outputs: &[TensorView<'_>],
        placement: &Placement,
        confidence: Confidence,
        detections: &mut Vec<Detection>,
    ) -> Result<(), DetectError> {
        assert_eq!(outputs.len(), self.outputs.len(), "one view for each output");
        for (expected, output) in self.outputs.iter().zip(outputs) {
            expected.check(output.shape, output.data.len())?;
        }
        let mut found = Candidates { placement, confidence: confidence.get(), detections };
        if let [scores, boxes] = outputs
            && scores.shape[1] != boxes.shape[1]
        {
            return Err(self.outputs[1].mismatch(boxes.shape));
        }
        let done = match (&self.kind, outputs) {
            (Kind::Ssd { width, height }, [scores, boxes]) => {
                ssd::decode(scores.data, boxes.data, [*width, *height], &self.columns, &mut found)
            }
            (Kind::Yolox(anchors), [output]) => yolox::decode(output.data, anchors, &self.columns, &mut found),
            (Kind::Yolo, [output]) => {
                // `check` has found the shape to be that of the data.
                yolo::decode(output.data, output.shape[2] as usize, &self.columns, &mut found)
            }
            (Kind::Detr { width, height, activation }, [scores, boxes]) => {
                detr::decode(scores.data, boxes.data, [*width, *height], *activation, &self.columns, &mut found)
            }
            _ => unreachable!("each kind has its outputs"),
        };
        done.map_err(|NotANumber| DetectError::NotANumber { output: self.outputs[0].name.clone() })
    }
}

impl Output {
    /// Whether dimensions (−1: not known before the run) are these.
    #[must_use]
    pub fn fits(&self, shape: &[i64]) -> bool {
        shape.len() == self.shape.len()
            && self.shape.iter().zip(shape).all(|(expected, &actual)| {
                actual == -1 || expected.is_none_or(|expected| i64::try_from(expected) == Ok(actual))
            })
    }

    /// The dimensions as a person reads them.
    #[must_use]
    pub fn shape_text(&self) -> String {
        crate::detect::shape_text(&self.shape)
    }

    fn check(&self, shape: &[i64], len: usize) -> Result<(), DetectError> {
        let product = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
        if self.fits(shape) && product == Some(len) { Ok(()) } else { Err(self.mismatch(shape)) }
    }

    /// The error that says so.
    pub(crate) fn mismatch(&self, shape: &[i64]) -> DetectError {
        DetectError::OutputShape { output: self.name.clone(), expected: self.shape.to_vec(), found: shape.to_vec() }
    }
}

/// A confidence or a box that is not a finite number.
#[derive(Debug)]
struct NotANumber;

/// Where heads put what they find.
struct Candidates<'a> {
    placement: &'a Placement,
    confidence: f32,
    detections: &'a mut Vec<Detection>,
}

impl Candidates<'_> {
    /// Whether this value is high enough to look further, or no number (which [`Candidates::push`] refuses).
    #[inline(always)]
    fn is_worth_it(&self, confidence: f32) -> bool {
        confidence >= self.confidence || confidence.is_nan()
    }

    /// Adds a box by its corners (left, top, right, bottom, in the tensor's pixels).
    fn push(&mut self, class: Class, confidence: f32, corners: [f32; 4]) -> Result<(), NotANumber> {
        if corners.iter().any(|corner| !corner.is_finite()) || !confidence.is_finite() {
            return Err(NotANumber);
        }
        // A sigmoid in half precision or int8 may end a hair above 1.
        let confidence = Confidence::new(confidence.clamp(0.0, 1.0)).ok_or(NotANumber)?;
        let bbox: Option<BBox> = self.placement.image_from_tensor(corners);
        self.detections.extend(bbox.map(|bbox| Detection { bbox, class, confidence }));
        Ok(())
    }
}

/// The class of the highest value; a value that is no number counts as the highest.
#[inline(always)]
fn best_class(columns: &[(usize, Class)], values: &[f32]) -> Option<(Class, f32)> {
    best_class_by(columns, |index| values[index])
}

/// The same, of values that lie apart.
#[inline(always)]
fn best_class_by(columns: &[(usize, Class)], value: impl Fn(usize) -> f32) -> Option<(Class, f32)> {
    let mut best: Option<(Class, f32)> = None;
    for &(index, class) in columns {
        let value = value(index);
        if value.is_nan() {
            return Some((class, value));
        }
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((class, value));
        }
    }
    best
}

#[cfg(test)]
mod tests;

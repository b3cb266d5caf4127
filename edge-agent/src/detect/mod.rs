//! From pictures to detections.

use analytics::{BBox, Detection};

use crate::frame::Picture;

/// Finds objects in pictures. A trait for two implementations: ONNX Runtime, and recorded detections in tests.
pub trait Detector: Send {
    /// Detects in each of `regions` (fractions of the picture) and merges; replaces what is in `detections`.
    /// Boxes are fractions of the whole picture.
    fn detect(
        &mut self,
        picture: &Picture,
        regions: &[BBox],
        detections: &mut Vec<Detection>,
    ) -> Result<(), DetectError>;
}

/// Why detection cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {}

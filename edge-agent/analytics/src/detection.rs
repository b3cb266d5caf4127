//! What a model saw in one picture.

use crate::class::Class;
use crate::geometry::BBox;

/// A finite number in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f32);

impl Confidence {
    /// `None` for NaN and for anything outside `0..=1`.
    #[must_use]
    pub fn new(value: f32) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// One object seen in one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Fractions of the source picture, letterbox undone.
    pub bbox: BBox,
    /// What it is.
    pub class: Class,
    /// How sure the model is.
    pub confidence: Confidence,
}

//! Privacy: what of a camera's picture nobody sees, and what of it nobody who looks may recognise.
//!
//! [`Masks`] are painted before anything reads a picture's planes.

mod mask;

pub use mask::Masks;
pub(crate) use mask::Painted;

//! Privacy: what of a camera's picture nobody sees, and what of it nobody who looks may recognise.
//!
//! [`Masks`] are painted before anything reads a picture's planes. A picture that is to be stored, sent or shown becomes a
//! [`Shareable`] first, which only [`Redaction`] makes: with heads and number plates made unrecognisable, unless the site
//! says otherwise. Canvases, and so JPEGs, are made of nothing else. `docs/privacy.md` says what that covers, measured, and
//! what it does not.
//!
//! # Failure
//! Whatever fails or panics here, there is no picture. The incident's event does not wait for one.

mod blur;
mod finder;
mod mask;
mod region;
mod rgb;
mod share;

pub use finder::Finder;
pub use mask::Masks;
pub(crate) use mask::Painted;
pub use region::{Area, Known, known};
pub(crate) use rgb::shrunk;
pub use share::{Redaction, RedactionError, Shareable, around, found};

/// What is done to pictures before they are stored, sent or shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privacy {
    /// Heads and number plates are made unrecognisable.
    #[default]
    Blur,
    /// Nothing.
    None,
}

impl Privacy {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Blur, Self::None];

    /// The word in files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Blur => "blur",
            Self::None => "none",
        }
    }

    /// The one with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|privacy| privacy.label() == label)
    }

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blur => "blurred",
            Self::None => "none",
        }
    }
}

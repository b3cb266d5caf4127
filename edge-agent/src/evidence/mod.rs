//! Pictures and clips that prove incidents: what is drawn, where they lie, who makes them.

mod camera;
pub mod canvas;
mod clip;
#[cfg(test)]
mod clip_tests;
mod counters;
mod deletions;
pub mod grid;
mod hold;
mod picture;
#[cfg(test)]
mod privacy_tests;
mod snapshot;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod thread;

use std::{fmt, io};

pub use camera::{CameraEvidence, OfCamera, Ordered, RecordStills};
pub use clip::{ClipParams, ring_limits};
pub use counters::{EvidenceCounters, EvidenceTotals};
pub use hold::{Hold, HoldError, Holds};
pub use snapshot::{MAX_THUMBNAIL_BYTES, Snapshot, snapshot};
pub use store::{EvidenceLimits, EvidenceStore};
pub use thread::{EvidenceParams, EvidenceThread};

/// The endings of pictures and clips.
const ENDINGS: [&str; 2] = [".jpg", ".mp4"];

/// Name of a piece of evidence, such as `1.jpg` or `1.mp4`: `[a-z0-9-]{1,40}` and the ending, so that it is safe in a topic
/// and in the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceName(String);

impl EvidenceName {
    /// The name of an incident's `number`th snapshot, counted from 1.
    #[must_use]
    pub fn snapshot(number: u32) -> Self {
        Self(format!("{number}.jpg"))
    }

    /// The name of an incident's `number`th clip, counted from 1.
    #[must_use]
    pub fn clip(number: u32) -> Self {
        Self(format!("{number}.mp4"))
    }

    /// The name of a picture that was asked for, and is of no incident.
    #[must_use]
    pub fn on_demand() -> Self {
        Self(format!("snapshot{}", ENDINGS[0]))
    }

    /// Whether it is a clip's, and not a picture's.
    #[must_use]
    pub fn is_clip(&self) -> bool {
        self.0.ends_with(ENDINGS[1])
    }

    /// `None` for what is no such name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stem = ENDINGS.into_iter().find_map(|ending| text.strip_suffix(ending))?;
        let valid = (1..=40).contains(&stem.len())
            && stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        valid.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EvidenceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no picture or clip. An open list on the wire: later versions may say more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Too many were asked for at once.
    Busy,
    /// The program ended before it was written.
    Interrupted,
    /// No room on the disk.
    DiskFull,
    /// The disk takes nothing.
    ReadOnly,
    /// Another fault of the disk.
    NotWritten,
    /// The frame could not be drawn on.
    NotDrawn,
    /// The full-size stream did not show the moment.
    NoStream,
    /// The full-size stream's codec does not go into clips.
    Codec,
    /// The clip could not be put together.
    NotCut,
    /// Heads and number plates could not be made unrecognisable.
    Privacy,
    /// The camera has masks, which a clip would not have.
    Masked,
}

impl Failure {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Busy,
        Self::Interrupted,
        Self::DiskFull,
        Self::ReadOnly,
        Self::NotWritten,
        Self::NotDrawn,
        Self::NoStream,
        Self::Codec,
        Self::NotCut,
        Self::Privacy,
        Self::Masked,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Interrupted => "interrupted",
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::NotWritten => "not_written",
            Self::NotDrawn => "not_drawn",
            Self::NoStream => "no_stream",
            Self::Codec => "codec",
            Self::NotCut => "not_cut",
            Self::Privacy => "privacy",
            Self::Masked => "masked",
        }
    }

    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::NotWritten,
        }
    }
}

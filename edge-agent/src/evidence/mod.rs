//! Pictures that prove incidents: what is drawn, where they lie, who makes them.

pub mod canvas;
pub mod grid;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod thread;

use std::{fmt, io};

pub use snapshot::{MAX_THUMBNAIL_BYTES, Snapshot, snapshot};
pub use store::{EvidenceLimits, EvidenceStore};
pub use thread::{CameraSnapshots, EvidenceCounters, EvidenceParams, EvidenceThread, EvidenceTotals, Ordered};

/// Name of a piece of evidence, such as `1.jpg`: `[a-z0-9-]{1,40}` and the ending, so that it is safe in a topic and in
/// the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceName(String);

impl EvidenceName {
    /// The name of an incident's `number`th snapshot, counted from 1.
    #[must_use]
    pub fn snapshot(number: u32) -> Self {
        Self(format!("{number}.jpg"))
    }

    /// `None` for what is no such name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stem = text.strip_suffix(".jpg")?;
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

/// Why there is no picture. An open list on the wire: later versions may say more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Too many pictures were asked for at once.
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
}

impl Failure {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Busy, Self::Interrupted, Self::DiskFull, Self::ReadOnly, Self::NotWritten, Self::NotDrawn];

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

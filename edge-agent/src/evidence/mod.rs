//! Pictures that prove incidents: what is drawn, where they lie, who makes them.

mod store;

use std::fmt;

pub use store::{EvidenceLimits, EvidenceStore};

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

//! The last line that retention deleted: what the first line that is kept must follow.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::segment::replace;
use crate::publish::wire::LineHash;

const FILE: &str = "anchor.json";

/// Number and hash of the last line that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: LineHash,
}

/// The anchor in the log's folder; one that cannot be read is as none: `verify` says what is wrong then.
pub(super) fn kept_anchor(folder: &Path) -> io::Result<Option<Anchor>> {
    match std::fs::read(folder.join(FILE)) {
        Ok(content) => Ok(serde_json::from_slice(&content).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes it durable.
#[expect(dead_code, reason = "retention comes next")]
pub(super) fn keep_anchor(folder: &Path, anchor: Anchor) -> io::Result<()> {
    let text = serde_json::to_vec(&anchor).expect("numbers and texts can be written");
    replace(&folder.join(FILE), &text)
}

//! Reading lines back, by number.

use std::io;
use std::path::Path;

use super::segment::segments;
use crate::publish::wire::{AuditLine, LineHash};

/// A line as it is to be sent or shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What it says.
    pub line: AuditLine,
    /// Its bytes, without a line feed.
    pub bytes: Vec<u8>,
}

/// Gives the lines from number `from` on whose own hash is right, in order, until `each` says that it is enough (`false`).
/// A file is read at a time. Blocks on the disk.
///
/// # Errors
/// The files cannot be read, or `each` fails.
pub fn lines<E: From<io::Error>>(
    folder: &Path,
    from: u64,
    mut each: impl FnMut(Kept) -> Result<bool, E>,
) -> Result<(), E> {
    let all = segments(folder)?;
    let start = all.partition_point(|segment| segment.first <= from).saturating_sub(1);
    for segment in &all[start.min(all.len())..] {
        let content = match std::fs::read(&segment.path) {
            // Retention was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            content => content?,
        };
        for bytes in content.split_inclusive(|&byte| byte == b'\n') {
            let Some(bytes) = bytes.strip_suffix(b"\n") else { continue };
            let Some(line) = AuditLine::proved(bytes).filter(|line| line.number >= from) else { continue };
            if !each(Kept { line, bytes: bytes.to_vec() })? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The last line of this kind whose own hash is right; the newest files are read first.
pub(super) fn last(folder: &Path, is: impl Fn(&AuditLine) -> bool) -> io::Result<Option<AuditLine>> {
    for segment in segments(folder)?.iter().rev() {
        let content = std::fs::read(&segment.path)?;
        let found = content.split(|&byte| byte == b'\n').rev().filter_map(AuditLine::proved).find(&is);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The hash of a line, if it is there.
pub(super) fn hash_of(folder: &Path, number: u64) -> io::Result<Option<LineHash>> {
    let mut found = None;
    lines::<io::Error>(folder, number, |kept| {
        found = Some(kept.line.hash).filter(|_| kept.line.number == number);
        Ok(false)
    })?;
    Ok(found)
}

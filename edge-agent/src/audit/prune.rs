//! Deleting the oldest lines, a file at a time, so that what is kept can still be verified.

use std::fs;
use std::io;
use std::time::Duration;

use super::entry::{AuditEntry, Object};
use super::journal::Head;
use super::segment::{Ending, Segment, segments};
use crate::durable::sync_folder;
use crate::publish::wire::{Action, TimeQuality, UtcMillis};

/// How much of the log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditLimits {
    /// Bytes of lines; beyond them the oldest files go, whatever their age. Raising it costs disk.
    pub max_bytes: u64,
    /// Lines older than this go.
    pub keep_for: Duration,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, keep_for: Duration::from_secs(365 * 86_400) }
    }
}

/// A time before this was told by a clock that was not set: 2026.
const CLOCK_WAS_NOT_SET: i64 = 1_767_225_600_000;

/// Lines that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// The last of them.
    pub through: Head,
    /// How many.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The files that go, oldest first, and what goes with them.
#[derive(Debug)]
pub(super) struct Doomed {
    files: Vec<Segment>,
    pub(super) pruned: Pruned,
}

impl Doomed {
    /// What is too much or too old of the log in `folder`; never the file that is written to. By age only while this clock
    /// and the lines' can be believed: a box that thinks it is 2040 deletes nothing.
    pub(super) fn find(
        folder: &std::path::Path,
        limits: AuditLimits,
        now: UtcMillis,
        clock: TimeQuality,
    ) -> io::Result<Option<Self>> {
        let all = segments(folder)?;
        let mut total = 0;
        for segment in &all {
            total += segment.path.metadata()?.len();
        }
        let keep_for = i64::try_from(limits.keep_for.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.as_unix_millis().saturating_sub(keep_for);
        let is_old = |ending: &Ending| {
            let told = ending.latest.map(UtcMillis::as_unix_millis).filter(|told| *told >= CLOCK_WAS_NOT_SET);
            clock.synced && told.is_some_and(|told| told < oldest)
        };
        let (mut files, mut bytes, mut through) = (Vec::new(), 0, Head::NONE);
        for pair in all.windows(2) {
            let content = fs::read(&pair[0].path)?;
            let ending = Ending::of(&content, Head::NONE);
            if !is_old(&ending) && total <= limits.max_bytes {
                break;
            }
            total -= content.len() as u64;
            bytes += content.len() as u64;
            through = Head { number: pair[1].first - 1, hash: ending.head.hash };
            files.push(pair[0].clone());
        }
        let Some(first) = files.first() else { return Ok(None) };
        let lines = (through.number + 1).saturating_sub(first.first);
        Ok(Some(Self { files, pruned: Pruned { through, lines, bytes } }))
    }

    /// The line that must be durable before anything goes.
    pub(super) fn entry(&self) -> AuditEntry {
        let Pruned { through, lines, bytes } = self.pruned;
        AuditEntry::by_system(Action::LogPruned)
            .on(Object::audit())
            .with("through", through.number)
            .with("hash", through.hash.to_string())
            .with("lines", lines)
            .with("bytes", bytes)
    }

    /// Deletes the files, oldest first.
    pub(super) fn delete(&self, folder: &std::path::Path) -> io::Result<()> {
        for segment in &self.files {
            match fs::remove_file(&segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        sync_folder(folder)
    }
}

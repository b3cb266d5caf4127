//! The files of the log: lines in segments, each named by the number of its first line.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::journal::Head;
use crate::publish::wire::{Action, AuditLine, UtcMillis};

/// The box's own user only.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A file of lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The number of its first line.
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

impl Segment {
    pub(super) fn starting_with(folder: &Path, first: u64) -> Self {
        Self { first, path: folder.join(format!("audit-{first:020}.jsonl")) }
    }

    fn named(folder: &Path, name: &str) -> Option<Self> {
        let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
        let first = digits.parse().ok().filter(|_| digits.len() == 20)?;
        Some(Self { first, path: folder.join(name) })
    }

    /// Opens it for writing at its end, made if it is not there.
    pub(super) fn open(&self) -> io::Result<File> {
        open_own(&self.path, OpenOptions::new().read(true).append(true).create(true))
    }
}

/// Opens a file of the log's own: never through a link.
pub(super) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(FILE_MODE).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Makes the folder of the log.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// All segments, in order; none where there is no folder.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let segment = entry.file_name().to_str().and_then(|name| Segment::named(folder, name));
        if let Some(segment) = segment.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            found.push(segment);
        }
    }
    found.sort();
    Ok(found)
}

/// The first line of a segment, if it is proved.
pub(super) fn first_line(segment: &Segment) -> io::Result<Option<AuditLine>> {
    let content = fs::read(&segment.path)?;
    Ok(content.split(|&byte| byte == b'\n').next().and_then(AuditLine::proved))
}

/// What a segment's bytes say of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// Number that the last line has, or must have, and the hash of the last line that is proved.
    pub(super) head: Head,
    /// Bytes up to and with the last line feed.
    pub(super) bytes: u64,
    /// Bytes after it: a line that was not finished.
    pub(super) torn: u64,
    /// Some line is not proved or not the successor of the one before it, and no later line says so.
    pub(super) damaged: bool,
    /// The latest time that a line tells.
    pub(super) latest: Option<UtcMillis>,
}

impl Ending {
    /// Reads `content`, which follows the line `head`.
    pub(super) fn of(content: &[u8], mut head: Head) -> Self {
        let whole = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let (mut damaged, mut latest) = (false, None);
        for line in content[..whole].split_inclusive(|&byte| byte == b'\n') {
            match AuditLine::proved(&line[..line.len() - 1]) {
                Some(line) => {
                    let is_next = line.number == head.number + 1 && line.previous == head.hash;
                    damaged = line.action != Action::LogDamaged && (damaged || !is_next);
                    latest = latest.max(Some(line.time));
                    head = Head { number: line.number, hash: line.hash };
                }
                None => {
                    damaged = true;
                    head.number += 1;
                }
            }
        }
        Self { head, bytes: whole as u64, torn: (content.len() - whole) as u64, damaged, latest }
    }
}

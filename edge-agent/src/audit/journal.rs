//! Appending to the files, by several processes in turn.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::segment::{Ending, Segment, first_line, make_folder, open_own, segments};
use crate::durable::{replace, sync_folder};
use crate::publish::wire::LineHash;

const LOCK: &str = "lock";

/// The last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 before the first.
    pub number: u64,
    /// Its hash.
    pub hash: LineHash,
}

impl Head {
    /// Of a log without lines.
    pub const NONE: Self = Self { number: 0, hash: LineHash::NONE };
}

/// What was found at the end of the files that ought not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// A last line that was not finished, and where it was put.
    Torn { bytes: u64, file: String },
    /// Lines that are not as they were written.
    Damaged,
}

/// The open end of the log.
#[derive(Debug)]
struct Tail {
    segment: Segment,
    file: File,
    bytes: u64,
    head: Head,
}

/// The log's files.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    /// Beyond this a line goes into a new file.
    segment_bytes: u64,
    tail: Option<Tail>,
}

impl Journal {
    pub(super) fn at(folder: PathBuf, segment_bytes: u64) -> Self {
        Self { folder, segment_bytes, tail: None }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps other processes from writing, until it is dropped.
    pub(super) fn lock(&self) -> io::Result<File> {
        make_folder(&self.folder)?;
        let lock = open_own(&self.folder.join(LOCK), OpenOptions::new().write(true).create(true).truncate(false))?;
        lock.lock()?;
        Ok(lock)
    }

    /// The last line, as the files have it now, and what is wrong with their end. The lock must be held.
    pub(super) fn look(&mut self) -> io::Result<(Head, Vec<Finding>)> {
        let all = segments(&self.folder)?;
        if let Some(tail) = &self.tail
            && all.last() == Some(&tail.segment)
            && tail.segment.path.metadata()?.len() == tail.bytes
        {
            return Ok((tail.head, Vec::new()));
        }
        self.tail = None;
        let (tail, findings) = self.find_tail(&all)?;
        let head = tail.head;
        self.tail = Some(tail);
        Ok((head, findings))
    }

    fn find_tail(&self, all: &[Segment]) -> io::Result<(Tail, Vec<Finding>)> {
        let mut findings = Vec::new();
        let before = self.before_last(all)?;
        let segment = all.last().cloned().unwrap_or_else(|| Segment::starting_with(&self.folder, before.number + 1));
        let mut file = segment.open()?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let ending = Ending::of(&content, before);
        if ending.damaged {
            findings.push(Finding::Damaged);
        }
        if ending.torn > 0 {
            let name = format!("torn-{:020}", ending.head.number + 1);
            replace(&self.folder.join(&name), &content[ending.bytes as usize..])?;
            file.set_len(ending.bytes)?;
            file.sync_all()?;
            findings.push(Finding::Torn { bytes: ending.torn, file: name });
        }
        Ok((Tail { segment, file, bytes: ending.bytes, head: ending.head }, findings))
    }

    /// The line before the first of the last segment.
    fn before_last(&self, all: &[Segment]) -> io::Result<Head> {
        let Some((last, earlier)) = all.split_last() else { return Ok(Head::NONE) };
        let number = last.first.saturating_sub(1);
        let hash = match earlier.last() {
            // Only its end counts: what is before was looked at when it was the last one.
            Some(before) => Ending::of(&std::fs::read(&before.path)?, Head::NONE).head.hash,
            None => first_line(last)?.map_or(LineHash::NONE, |line| line.previous),
        };
        Ok(Head { number, hash })
    }

    /// Puts a sealed line under the last one and makes it durable, or leaves the files as they were. The lock must be
    /// held, and [`look`](Self::look) must have given the number and hash before it.
    pub(super) fn put(&mut self, line: &[u8], head: Head) -> io::Result<()> {
        let put = self.try_put(line, head);
        if put.is_err()
            && let Some(tail) = self.tail.take()
        {
            // Half a line, if one is there, is set aside at the next look when even this fails.
            let _ = tail.file.set_len(tail.bytes);
        }
        put
    }

    fn try_put(&mut self, line: &[u8], head: Head) -> io::Result<()> {
        let tail = self.tail.as_mut().ok_or(io::ErrorKind::NotFound)?;
        if tail.bytes > 0 && tail.bytes + line.len() as u64 >= self.segment_bytes {
            let segment = Segment::starting_with(&self.folder, head.number);
            let file = segment.open()?;
            *tail = Tail { segment, file, bytes: 0, head: tail.head };
        }
        tail.file.write_all(&[line, b"\n"].concat())?;
        tail.file.sync_all()?;
        if tail.bytes == 0 {
            sync_folder(&self.folder)?;
        }
        tail.bytes += line.len() as u64 + 1;
        tail.head = head;
        Ok(())
    }
}

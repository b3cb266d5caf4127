//! Proving the log: every line's own hash, its place after the line before it, where the log begins and where it ends.

use std::io;
use std::path::Path;

use super::journal::Head;
use super::segment::segments;
use crate::publish::wire::{Action, AuditLine, LineHash};

/// What is wrong with a line, or with the log where it is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It was changed, or is no line at all.
    #[error("its hash is not that of its bytes: it was changed")]
    Changed,
    /// There is no line feed after it.
    #[error("it is not finished: a power cut, if the next start sets it aside; or it was cut off")]
    Unfinished,
    /// Its number does not follow.
    #[error(
        "it follows line {after}, so {missing} line(s) between them were removed, or they were put in another order"
    )]
    Gap {
        /// The line before it.
        after: u64,
        /// How many numbers are between them; 0: it goes back.
        missing: u64,
    },
    /// It follows another line than the one that stands before it.
    #[error("it does not follow the line before it: one of the two was replaced")]
    NotNext,
    /// Nothing accounts for the lines before the first.
    #[error("the log begins with it, and no line says that those before it were deleted by retention")]
    BeginsLate,
    /// It tells of damage itself.
    #[error("it says that the program found the log damaged: {0}")]
    Announced(String),
    /// The end is missing.
    #[error("it is known elsewhere and is not there: lines were removed from the end, the log ends with line {last}")]
    Missing {
        /// The last line that is there.
        last: u64,
    },
    /// It is another one than that which is known elsewhere.
    #[error("it is known elsewhere with the hash {known}: the log was written anew")]
    Other {
        /// The hash that is known.
        known: LineHash,
    },
}

/// The first line that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongLine {
    /// Its number, or the number that it must have.
    pub number: u64,
    /// Its file; empty where it is not there.
    pub file: String,
    /// Its line in the file, from 1; 0 where it is not there.
    pub line: usize,
    /// What is wrong.
    pub wrong: Wrong,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The number of the first line; 0: there is none.
    pub first: u64,
    /// The last line that is in order.
    pub last: Head,
    /// Lines that are in order, up to the first wrong one.
    pub lines: u64,
    /// Lines before the first that retention deleted, as a line says.
    pub pruned: u64,
    /// Lines that could not be written, as lines say.
    pub lost: u64,
    /// What is wrong first; `None`: nothing is.
    pub wrong: Option<WrongLine>,
}

/// Verifies the log in its folder against itself and against what is `known` of its lines elsewhere (the outbox, the
/// centre). Blocks on the disk.
///
/// # Errors
/// The files cannot be read.
pub fn verify(folder: &Path, known: &[Head]) -> io::Result<Report> {
    let mut walk = Walk::new(known);
    for segment in segments(folder)? {
        let name = segment.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !walk.read(&name, &std::fs::read(&segment.path)?) {
            break;
        }
    }
    Ok(walk.end(true))
}

/// The same of an export: a run of lines, which may begin anywhere.
#[must_use]
pub fn verify_text(name: &str, content: &[u8], known: &[Head]) -> Report {
    let mut walk = Walk::new(known);
    walk.read(name, content);
    walk.end(false)
}

struct Walk<'a> {
    report: Report,
    /// What the first line follows.
    before_first: LineHash,
    /// Last lines that were deleted, as lines say.
    pruned: Vec<Head>,
    known: &'a [Head],
    place: (String, usize),
}

impl<'a> Walk<'a> {
    fn new(known: &'a [Head]) -> Self {
        let report = Report { first: 0, last: Head::NONE, lines: 0, pruned: 0, lost: 0, wrong: None };
        Self { report, before_first: LineHash::NONE, pruned: Vec::new(), known, place: (String::new(), 0) }
    }

    /// Reads a file's lines; `false` at the first wrong one.
    fn read(&mut self, name: &str, content: &[u8]) -> bool {
        for (at, bytes) in content.split_inclusive(|&byte| byte == b'\n').enumerate() {
            self.place = (name.to_owned(), at + 1);
            let checked = match bytes.strip_suffix(b"\n") {
                Some(bytes) => self.check(bytes),
                None => Err((self.report.last.number + 1, Wrong::Unfinished)),
            };
            if let Err((number, wrong)) = checked {
                self.wrong(number, wrong);
                return false;
            }
        }
        true
    }

    fn wrong(&mut self, number: u64, wrong: Wrong) {
        let (file, line) = self.place.clone();
        self.report.wrong = Some(WrongLine { number, file, line, wrong });
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), (u64, Wrong)> {
        let last = self.report.last;
        let Some(line) = AuditLine::proved(bytes) else { return Err((last.number + 1, Wrong::Changed)) };
        let number = line.number;
        let is_first = self.report.lines == 0;
        if is_first {
            (self.report.first, self.before_first) = (number, line.previous);
        } else if number != last.number + 1 {
            let missing = number.saturating_sub(last.number + 1);
            return Err((number, Wrong::Gap { after: last.number, missing }));
        } else if line.previous != last.hash {
            return Err((number, Wrong::NotNext));
        }
        let known = self.known.iter().find(|known| known.number == number);
        if let Some(known) = known.filter(|known| known.hash != line.hash) {
            return Err((number, Wrong::Other { known: known.hash }));
        }
        let count = |key: &str| line.detail.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        match line.action {
            Action::LogDamaged => {
                let why = line.detail.get("why").and_then(serde_json::Value::as_str).unwrap_or_default();
                return Err((number, Wrong::Announced(why.to_owned())));
            }
            Action::LinesLost => self.report.lost += count("lines"),
            Action::LogPruned => {
                let hash = line.detail.get("hash").and_then(serde_json::Value::as_str).and_then(LineHash::parse);
                self.pruned.extend(hash.map(|hash| Head { number: count("through"), hash }));
            }
            _ => {}
        }
        self.report.last = Head { number, hash: line.hash };
        self.report.lines += 1;
        Ok(())
    }

    fn end(mut self, is_whole: bool) -> Report {
        let Report { first, last, .. } = self.report;
        if is_whole && self.report.wrong.is_none() && first > 0 && !self.begins_rightly() {
            self.place = (self.place.0.clone(), 0);
            self.wrong(first, Wrong::BeginsLate);
        }
        let beyond = self.known.iter().filter(|known| known.number > last.number).max_by_key(|known| known.number);
        if let Some(known) = beyond.filter(|_| self.report.wrong.is_none()) {
            self.place = (String::new(), 0);
            self.wrong(known.number, Wrong::Missing { last: last.number });
        }
        self.report.pruned = first.saturating_sub(1);
        self.report
    }

    /// Whether the first line is the very first, or follows what a line says that was deleted; a deletion that is under
    /// way has left some of it.
    fn begins_rightly(&self) -> bool {
        let first = self.report.first;
        if first == 1 {
            return self.before_first == LineHash::NONE;
        }
        self.pruned.iter().any(|through| {
            through.number >= first || (through.number + 1 == first && through.hash == self.before_first)
        })
    }
}

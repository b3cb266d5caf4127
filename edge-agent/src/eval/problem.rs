//! What is wrong with a file: each line with what and the cure.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::ConfigErrors;

/// Lines that are named; of further ones there is a count.
const NAMED: usize = 10;
/// The longest piece of a file that is repeated in a message.
const LONGEST_QUOTE: usize = 60;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; `None` when it concerns the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub cure: String,
}

/// Everything that is wrong with a file; never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file.
    pub file: PathBuf,
    /// The first ones.
    pub named: Vec<Problem>,
    /// How many there are in all.
    pub count: usize,
}

impl Problems {
    /// None yet.
    pub(super) fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), named: Vec::new(), count: 0 }
    }

    pub(super) fn add(&mut self, line: impl Into<Option<usize>>, what: impl Into<String>, cure: impl Into<String>) {
        self.count += 1;
        if !self.is_full() {
            // A parser's words may repeat what was in the file.
            self.named.push(Problem { line: line.into(), what: one_line(&what.into()), cure: one_line(&cure.into()) });
        }
    }

    /// Whether further ones are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.named.len() >= NAMED
    }

    /// Those that were found while a TOML file was read.
    pub(super) fn add_all(&mut self, errors: ConfigErrors) {
        for error in errors.0 {
            let what = if error.key.is_empty() { error.what } else { format!("{}: {}", error.key, error.what) };
            self.add(error.line, what, error.cure);
        }
    }

    /// `value`, unless something is wrong.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.count == 0 { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for Problem { line, what, cure } in &self.named {
            match line {
                Some(line) => writeln!(f, "{file}:{line}: {what}")?,
                None => writeln!(f, "{file}: {what}")?,
            }
            writeln!(f, "    → {cure}")?;
        }
        match (self.count, self.count - self.named.len()) {
            (1, _) => write!(f, "1 error in {file}"),
            (count, 0) => write!(f, "{count} errors in {file}"),
            (count, more) => write!(f, "{count} errors in {file}, {more} of them not shown"),
        }
    }
}

/// A piece of a file as it may stand in a message: quoted, no control characters, not without end.
pub(super) fn quote(text: &str) -> String {
    let mut piece: String = text.chars().take(LONGEST_QUOTE).collect();
    if piece.len() < text.len() {
        piece.push('…');
    }
    format!("{piece:?}")
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

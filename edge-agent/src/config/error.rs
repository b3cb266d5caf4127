//! Configuration errors: every one at once, each with file, line, key, what is wrong and the cure.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::secret::redact;

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; `None` when it concerns the file as a whole.
    pub line: Option<usize>,
    /// Key, as `camera[0].rule[2].zone`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub cure: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL with user and password may stand where a key or another word belongs.
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", OneLine(&redact(&self.key)))?;
        }
        write!(f, ": {}", OneLine(&redact(&self.what)))?;
        if !self.cure.is_empty() {
            write!(f, "\n    → {}", OneLine(&self.cure))?;
        }
        Ok(())
    }
}

/// Text of a file, as it may stand in a message: no control characters, which a terminal would obey, and not without end.
struct OneLine<'a>(&'a str);

impl OneLine<'_> {
    const LONGEST: usize = 400;
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, c) in self.0.chars().enumerate() {
            match c {
                _ if index == Self::LONGEST => return write!(f, "…"),
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// Everything that is wrong; never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(f, "{error}")?;
        }
        match self.0.len() {
            1 => write!(f, "1 error in the configuration"),
            n => write!(f, "{n} errors in the configuration"),
        }
    }
}

impl ConfigErrors {
    /// One error about a file as a whole.
    #[must_use]
    pub fn whole_file(file: &Path, what: impl Into<String>, cure: impl Into<String>) -> Self {
        let (what, cure) = (what.into(), cure.into());
        Self(vec![ConfigError { file: file.to_owned(), line: None, key: String::new(), what, cure }])
    }
}

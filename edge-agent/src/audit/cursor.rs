//! How far the log has been sent somewhere, kept over restarts.

use std::io;
use std::path::{Path, PathBuf};

use crate::durable::replace;

/// The number of the last line that arrived.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    arrived: u64,
    kept: u64,
}

impl Cursor {
    /// The cursor `name` in the log's folder; from the beginning where there is none. Blocks on the disk.
    #[must_use]
    pub fn open(folder: &Path, name: &str) -> Self {
        let path = folder.join(format!("cursor-{name}"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let arrived = text.trim().parse().unwrap_or(0);
        Self { path, arrived, kept: arrived }
    }

    /// The last line that arrived; 0 before the first.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Another line has arrived.
    pub fn advance(&mut self, number: u64) {
        self.arrived = self.arrived.max(number);
    }

    /// Lines that arrived and would be sent again after a restart.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.arrived - self.kept
    }

    /// Makes it durable. Blocks on the disk.
    ///
    /// # Errors
    /// The disk refuses: lines would be sent twice after a restart, none is left out.
    pub fn keep(&mut self) -> io::Result<()> {
        replace(&self.path, format!("{}\n", self.arrived).as_bytes())?;
        self.kept = self.arrived;
        Ok(())
    }
}

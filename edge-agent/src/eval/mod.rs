//! How good: recorded detections, tracks and incidents against ground truth. Files in, figures out; the figures are
//! crate `evaluation`'s.
//!
//! # Failure
//! A file is read whole or refused whole: every line that is wrong is named, with what is wrong and the cure, since a
//! figure from half a file is wrong too.

mod coco;
mod detections;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod mot;
mod picture_size;
mod problem;
#[cfg(test)]
mod tests;
mod tracker;
mod tracks;
mod truth;

use std::path::{Path, PathBuf};

pub use detections::{DetectionReport, DetectionsParams, evaluate_detections};
pub use events::{EventFile, read_events};
pub use picture_size::{PictureSize, SizeSource};
pub use problem::{Problem, Problems};
pub use tracker::{Recorded, RecordedParams, Retraced, retrace};
pub use tracks::{FrameChoice, TrackComparison, TrackParams, compare_tracks};
pub use truth::{TruthFile, read_truth};

use crate::setup::SetupError;

/// Larger files, in bytes, are not read: it is a clip whose path was given by mistake.
const LARGEST: u64 = 1 << 30;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what people or programs write.
    #[error("{} {what}", file.display())]
    NoText {
        /// Which.
        file: PathBuf,
        /// What it is, and the cure.
        what: &'static str,
    },
    /// Lines of a file are wrong.
    #[error(transparent)]
    Malformed(#[from] Problems),
    /// Truth and results are written in formats that cannot be compared.
    #[error(
        "{} is {truth_format} and {} is {found_format}\n    → give both in one format: MOT text, or COCO JSON",
        truth.display(), found.display()
    )]
    Formats {
        /// The truth.
        truth: PathBuf,
        /// Its format.
        truth_format: &'static str,
        /// The results.
        found: PathBuf,
        /// Their format.
        found_format: &'static str,
    },
    /// Nobody said how long was observed.
    #[error(
        "{} does not say what was observed, and false alarms need it as their denominator\n    \
         → add [[observed]] sections, or give --hours",
        .0.display()
    )]
    NotObserved(PathBuf),
    /// The parts of the program's own tracker.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// The text of a file.
fn read_text(file: &Path) -> Result<String, EvalError> {
    let unreadable = |source| EvalError::Unreadable { file: file.to_owned(), source };
    let no_text = |what| EvalError::NoText { file: file.to_owned(), what };
    let metadata = std::fs::metadata(file).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(no_text("is a folder\n    → give the path of a file"));
    }
    if metadata.len() > LARGEST {
        return Err(no_text("is larger than 1 GiB\n    → give a text file of detections, tracks, events or truth"));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| no_text("is not UTF-8 text\n    → give a text file, or save it as UTF-8"))
}

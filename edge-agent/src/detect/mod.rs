//! From pictures to detections.
//!
//! [`manifest`] says what a network is; [`tensor`] makes its input from a picture's planes in one pass; [`ort`] runs it;
//! [`head`] reads its outputs; [`graph`] says whether they are the manifest's; [`regions`] merges what was seen in several parts of one picture; [`nms`] drops repeats;
//! [`gate`] says which parts are worth a look.
//!
//! # Ownership
//! A [`Detector`] belongs to one inference worker; it knows no camera, so that any worker can take any frame.

pub mod fetch;
pub mod gate;
pub mod graph;
pub mod head;
pub mod manifest;
pub mod nms;
pub mod ort;
pub mod regions;
pub mod scheduler;
pub mod tensor;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use analytics::{BBox, Detection};

use crate::detect::graph::Misfit;
use crate::detect::manifest::ModelError;
use crate::detect::ort::Provider;
use crate::frame::Picture;

/// Finds objects in pictures. A trait for two implementations: ONNX Runtime, and recorded detections in tests.
pub trait Detector: Send {
    /// Detects in each of `regions` (fractions of the picture) and merges; replaces what is in `detections`.
    /// Boxes are fractions of the whole picture.
    fn detect(
        &mut self,
        picture: &Picture,
        regions: &[BBox],
        detections: &mut Vec<Detection>,
    ) -> Result<(), DetectError>;
}

/// Lists of detections that go round between inference workers and cameras, so that no frame needs a new one.
///
/// As many are kept as were ever under way: a frame or two of each camera.
#[derive(Debug, Default)]
pub struct Spares(Mutex<Vec<Vec<Detection>>>);

impl Spares {
    /// An empty list.
    #[must_use]
    pub fn take(&self) -> Vec<Detection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes back one that nobody reads any more.
    pub fn give(&self, mut list: Vec<Detection>) {
        list.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(list);
    }
}

/// Why detection cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The model's files are not in order.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX Runtime cannot be loaded.
    #[error(
        "cannot load ONNX Runtime from {}: {problem}: it must be libonnxruntime.so of version 1.24 or later for this \
         machine", path.display()
    )]
    Library {
        /// Its file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// ONNX Runtime can be loaded once a process.
    #[error(
        "ONNX Runtime is already loaded from {}, it cannot be loaded from {} too: restart the program",
        loaded.display(), asked.display()
    )]
    LibraryConflict {
        /// The one in use.
        loaded: PathBuf,
        /// The one asked for.
        asked: PathBuf,
    },
    /// A required execution provider cannot be used.
    #[error(
        "the required execution provider {provider} cannot be used: {problem}: install what it needs, or make it \
         preferred in the hw profile to fall back"
    )]
    Provider {
        /// Which.
        provider: Provider,
        /// Why.
        problem: Box<DetectError>,
    },
    /// The execution provider was accepted but took no part of the network.
    #[error("{provider} would run no node of {model}; ONNX Runtime would run it on the CPU")]
    ProviderIdle {
        /// Which.
        provider: Provider,
        /// The model's name.
        model: String,
    },
    /// ONNX Runtime refuses the network.
    #[error("{model}: ONNX Runtime cannot open {}: {}", weights.display(), words(problem))]
    Session {
        /// The model's name.
        model: String,
        /// Its weights.
        weights: PathBuf,
        /// ONNX Runtime's words.
        problem: ::ort::Error,
    },
    /// The network has other inputs or outputs than its manifest says.
    #[error("{model}: {} does not fit its model.toml:{}", weights.display(), misfits_text(misfits))]
    Graph {
        /// The model's name.
        model: String,
        /// Its weights.
        weights: PathBuf,
        /// How; never empty.
        misfits: Vec<Misfit>,
    },
    /// ONNX Runtime failed in a run.
    #[error("inference failed: {}", words(.0))]
    Run(::ort::Error),
    /// An output came in another shape than the manifest says.
    #[error(
        "output {output} has the shape {found:?}, the model.toml asks for {}: is the labels file the network's own?",
        shape_text(expected)
    )]
    OutputShape {
        /// Its name.
        output: String,
        /// Dimensions by the manifest; `None`: any.
        expected: Vec<Option<usize>>,
        /// Dimensions that came.
        found: Vec<i64>,
    },
    /// An output holds a confidence or a box that is not a finite number.
    #[error("output {output} is not a finite number: the weights or the execution provider are faulty")]
    NotANumber {
        /// Its name.
        output: String,
    },
}

// Not `#[from]`: the text holds the cause already, a chain of sources would say it twice.
impl From<::ort::Error> for DetectError {
    fn from(error: ::ort::Error) -> Self {
        Self::Run(error)
    }
}

/// ONNX Runtime's words, without the full stop that some have.
fn words(error: &::ort::Error) -> String {
    error.to_string().trim_end_matches(['.', ' ']).to_string()
}

fn misfits_text(misfits: &[Misfit]) -> String {
    misfits.iter().map(|misfit| format!("\n  {misfit}")).collect()
}

fn shape_text(shape: &[Option<usize>]) -> String {
    let sizes: Vec<String> = shape.iter().map(|d| d.map_or_else(|| "any".to_string(), |d| d.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

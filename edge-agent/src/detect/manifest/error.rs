//! Why a model cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigErrors;

/// Licences (SPDX) under which weights may be used here: all let a site run, copy and change them without duties
/// towards its own programs.
pub const ALLOWED_LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unlicense",
    "Zlib",
];

/// A model's name is its folder's.
fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Why a model cannot be used. Every text says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file or folder that cannot be read.
    #[error("{}: cannot be read: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: io::Error,
    },
    /// What is wrong with its manifest.
    #[error(transparent)]
    Manifest(#[from] ConfigErrors),
    /// A labels file that names no class, or has an empty line.
    #[error("{}: {problem}", path.display())]
    Labels {
        /// The labels file.
        path: PathBuf,
        /// What is wrong and what is right.
        problem: String,
    },
    /// No weights.
    #[error(
        "{}: the file {file} is missing: run `edge-agent models pull {}`, or get it from {url} and put it there",
        dir.display(), name_of(dir)
    )]
    WeightsMissing {
        /// The model's folder.
        dir: PathBuf,
        /// The weights' file name.
        file: String,
        /// Where to get it.
        url: String,
    },
    /// Weights, but not the ones described.
    #[error(
        "{}: its sha256 is {found}, the manifest says {expected}: the file is damaged or another version: get it from \
         {url}", path.display()
    )]
    WeightsDiffer {
        /// The weights.
        path: PathBuf,
        /// The manifest's SHA-256.
        expected: String,
        /// The file's.
        found: String,
        /// Where to get it.
        url: String,
    },
}

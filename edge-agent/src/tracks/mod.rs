//! Tracks kept for some days, so that rules with new thresholds can judge yesterday: places and times of boxes, no
//! pictures.
//!
//! # Failure
//! Tracks are no incidents: what cannot be written (no room, a disk that is slow for long) is dropped, counted and said
//! once. A database that cannot be read is set aside and a new one begun.
//!
//! # Ownership
//! One thread owns the database for writing. `replay` reads it, also while the service runs.

mod store;
mod thread;

pub use store::{Kept, TrackLimits, TracksError, TracksReader};
pub use thread::{TrackSink, TracksThread};

/// Name of the database in the storage folder.
pub const FILE: &str = "tracks.sqlite";

/// How much of a session a chunk holds: what a power cut loses at most. Longer chunks are smaller and written more seldom.
pub const CHUNK: std::time::Duration = std::time::Duration::from_secs(60);

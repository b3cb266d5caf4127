//! How good: tracks, detections and incidents against ground truth, each figure with its denominator.
//!
//! # Invariants
//! - No clock, environment, file, thread or randomness: the same input gives the same numbers.
//! - A figure without a denominator is absent (`None`), never 0, 1 or NaN.
//! - Matching is exact: no order of the input makes a figure better or worse.
#![forbid(unsafe_code)]

mod assignment;
pub mod boxes;
pub mod detections;
pub mod incidents;
pub mod interval;
pub mod tracks;

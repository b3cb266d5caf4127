//! What the box has left of what it can run short of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Descriptors, memory, writes to the disk, lines of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourcesHealth {
    /// File descriptors that the program has open.
    pub descriptors_open: u64,
    /// The most that it may have open.
    pub descriptors_limit: u64,
    /// Bytes of memory that it can still have; absent where that is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_available_bytes: Option<u64>,
    /// Share of the last ten seconds in which something waited for memory, from 0 to 1; absent where that is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_pressure: Option<f64>,
    /// Bytes given to the disk, since start.
    pub written_bytes_total: u64,
    /// Bytes that a day like the last hour gives to the disk; absent in the first ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_per_day_bytes: Option<u64>,
    /// The most that a day should.
    pub writes_budget_bytes: u64,
    /// Lines of the log that were too many of their kind, and not written, since start.
    pub log_lines_suppressed_total: u64,
}

//! The audit log: who did what to this box, from where, and what came of it, in a form that shows every later change.
//!
//! Lines of JSON in files under the state folder, each with the hash of the line before it and its own
//! (`publish::wire::AuditLine`, `docs/audit.md`). [`AuditLog::append`] gives a line's number once it is on disk.
//!
//! # Invariants
//! - A line is appended, fsynced and never changed. Numbers count from 1 without gaps; a gap is damage.
//! - Lines are written by one process at a time (a lock in the folder), so the service and a command beside it make one
//!   chain.
//! - What retention deletes leaves the number and hash of its last line in a line that says so: what is kept follows it.
//!
//! # Failure
//! A line that cannot be written is an error to who wanted it and a count that the next line written tells; the service goes
//! on and its health says so. What a power cut left of a last line is set aside, and a line says so. A log that does not
//! hold the last line known elsewhere (the outbox) says so in a line.
//!
//! # Ownership
//! [`AuditLog`] is shared; whoever appends waits for the disk. [`AuditTask`] keeps the head elsewhere and prunes.

mod account;
#[cfg(test)]
mod account_tests;
mod cursor;
mod entry;
mod journal;
mod log;
mod prune;
mod read;
pub mod rfc5424;
mod segment;
mod syslog;
#[cfg(test)]
mod syslog_tests;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use account::{Begun, begin, end};
pub use cursor::Cursor;
pub use entry::{AuditEntry, Object};
pub use journal::Head;
pub use log::{AuditLog, AuditStatus};
pub use prune::{AuditLimits, Pruned};
pub use read::{Kept, lines};
pub use syslog::{SyslogParams, SyslogStatus, SyslogTask};
pub use task::AuditTask;
pub use verify::{Report, Wrong, WrongLine, verify, verify_text};

pub use crate::publish::wire::{Action, Actor, AuditLine, LineHash, Outcome, Source};

/// Name of the folder in the state folder.
pub const FOLDER: &str = "audit";
/// A file of lines is not larger: a few thousand lines. Larger ones are read longer at a start; smaller ones are more.
const SEGMENT_BYTES: u64 = 1 << 20;

/// A line is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audit log: not written: {reason}; check free space and the disk")]
pub struct AuditError {
    /// In the system's words.
    pub reason: String,
}

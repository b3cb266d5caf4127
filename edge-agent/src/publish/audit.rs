//! Lines of the audit log on their way to the centre: in order, one at a time, below events in priority, never skipped
//! while they can be sent.
//!
//! # Failure
//! What the broker refuses, and what breaks connections, waits for longer and longer, and all later lines with it: a line
//! that is left out would be a gap in the chain. Only a line that is larger than the broker takes is passed over, and said;
//! its number is missing at the centre, the log has it. A line may come twice: its number and hash tell.

use std::collections::VecDeque;

use tokio::sync::watch;
use tokio::time::Instant;

use super::LinkError;
use super::thumbnails::Thumbnails;
use crate::audit::{AuditLog, AuditStatus, Cursor, lines};

/// Lines read at once.
const BATCH: usize = 32;
/// Lines that may be sent again after a restart, while more wait: each time the cursor is kept is a write to the disk.
const BEHIND: u64 = 16;

/// The lines that the centre does not have yet.
#[derive(Debug)]
pub struct AuditFeed {
    log: AuditLog,
    status: watch::Receiver<AuditStatus>,
    cursor: Option<Cursor>,
    waiting: VecDeque<(u64, Vec<u8>)>,
    pauses: Thumbnails,
}

impl AuditFeed {
    /// The lines of `log` from where an earlier run got to.
    #[must_use]
    pub fn new(log: AuditLog) -> Self {
        let status = log.status();
        Self { log, status, cursor: None, waiting: VecDeque::new(), pauses: Thumbnails::default() }
    }

    /// Changes when there is another line.
    pub(super) fn status(&self) -> watch::Receiver<AuditStatus> {
        self.status.clone()
    }

    /// When a line may be sent again, if that is not now.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.pauses.paused_until(now)
    }

    /// The line to send next.
    pub(super) async fn next(&mut self) -> Option<(u64, Vec<u8>)> {
        if self.waiting.is_empty() {
            let head = self.status.borrow().head.number;
            if self.cursor.as_ref().is_some_and(|cursor| cursor.arrived() >= head) {
                return None;
            }
            self.read().await;
        }
        self.waiting.front().cloned()
    }

    async fn read(&mut self) {
        let (folder, cursor) = (self.log.folder().to_owned(), self.cursor.take());
        let read = tokio::task::spawn_blocking(move || {
            let cursor = cursor.unwrap_or_else(|| Cursor::open(&folder, "mqtt"));
            let mut batch = VecDeque::new();
            let read = lines::<std::io::Error>(&folder, cursor.arrived() + 1, |kept| {
                batch.push_back((kept.line.number, kept.bytes));
                Ok(batch.len() < BATCH)
            });
            if let Err(error) = read {
                tracing::debug!(%error, "the audit log cannot be read");
            }
            (cursor, batch)
        });
        if let Ok((cursor, batch)) = read.await {
            (self.cursor, self.waiting) = (Some(cursor), batch);
        }
    }

    /// The broker has this line, or never will.
    pub(super) async fn done(&mut self, number: u64) {
        self.pauses.accepted();
        self.waiting.retain(|(waiting, _)| *waiting > number);
        let Some(mut cursor) = self.cursor.take() else { return };
        cursor.advance(number);
        if self.waiting.is_empty() || cursor.behind() >= BEHIND {
            let kept = tokio::task::spawn_blocking(move || {
                if let Err(error) = cursor.keep() {
                    tracing::debug!(%error, "how far audit lines were sent is not kept");
                }
                cursor
            });
            self.cursor = kept.await.ok();
        } else {
            self.cursor = Some(cursor);
        }
    }

    /// The broker takes none for now.
    pub(super) fn refused(&mut self, now: Instant) {
        self.pauses.refused(now);
    }

    /// The connection ended with this line on its way.
    pub(super) fn connection_ended(&mut self, error: &LinkError, number: u64, now: Instant) {
        if self.pauses.connection_ended(error, number) {
            tracing::warn!(number, "the connection breaks whenever this audit line is sent; it waits");
            self.pauses.refused(now);
        }
    }
}

//! What has to be done for the log in the course of time, and for data that has no thread of its own to delete it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::entry::{AuditEntry, Object};
use super::journal::Head;
use super::{AuditLimits, AuditLog};
use crate::outbox::Outbox;
use crate::publish::wire::{Action, Outcome, UtcMillis};
use crate::status::time_quality;

/// How often it is looked what commands beside the service wrote, and tried to tell of lost lines.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Looks between two prunings.
const PRUNE_EVERY: u32 = 360;

/// Keeps the last line's number and hash in the outbox, tells of an outbox that was set aside, prunes.
#[derive(Debug)]
pub struct AuditTask {
    /// The log.
    pub log: AuditLog,
    /// Where its head is kept too.
    pub outbox: Outbox,
    /// How much of it is kept.
    pub limits: AuditLimits,
    /// How long thumbnails may wait for the centre.
    pub keep_thumbnails_for: Duration,
}

impl AuditTask {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (mut status, mut stats) = (self.log.status(), self.outbox.stats());
        let mut outbox_id = stats.borrow_and_update().outbox_id;
        let (mut kept, mut looks) = (Head::NONE, 0);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let now = stats.borrow_and_update().clone();
            if now.outbox_id != outbox_id {
                (outbox_id, kept) = (now.outbox_id, Head::NONE);
                // What is not written is counted by the log.
                let _ = self.log.record(set_aside(now.set_aside.as_deref())).await;
            }
            let head = status.borrow_and_update().head;
            if head != kept && self.outbox.keep_audit_head(head).await.is_ok() {
                kept = head;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = status.changed() => if changed.is_err() { return },
                changed = stats.changed() => if changed.is_err() { return },
                _ = look.tick() => {
                    let (log, limits) = (self.log.clone(), (looks % PRUNE_EVERY == 0).then_some(self.limits));
                    looks += 1;
                    let _ = tokio::task::spawn_blocking(move || match limits {
                        Some(limits) => log.prune(limits),
                        None => log.tend(),
                    }).await;
                    if limits.is_some() {
                        self.drop_thumbnails().await;
                    }
                }
            }
        }
    }
}

impl AuditTask {
    /// Thumbnails that have waited for too long go, with a line. A box that thinks it is another year deletes nothing.
    async fn drop_thumbnails(&self) {
        if !time_quality().synced {
            return;
        }
        let (now, keep_for) = (UtcMillis::now(), self.keep_thumbnails_for.as_millis());
        let keep_for = i64::try_from(keep_for).unwrap_or(i64::MAX);
        let before = UtcMillis::from_unix_millis(now.as_unix_millis().saturating_sub(keep_for));
        let entry = AuditEntry::by_system(Action::Deletion).on(Object::data("thumbnails"));
        let entry = match self.outbox.drop_thumbnails(now, before).await {
            Ok((0, _)) => return,
            Ok((pieces, bytes)) => entry.with("pieces", pieces).with("bytes", bytes),
            Err(error) => entry.outcome(Outcome::failed(error.to_string())),
        };
        // What is not written is counted by the log.
        let _ = self.log.record(entry).await;
    }
}

/// The line about an outbox that was damaged and replaced.
pub(super) fn set_aside(file: Option<&std::path::Path>) -> AuditEntry {
    let name = file.and_then(|file| file.file_name()).map(|name| name.to_string_lossy().into_owned());
    AuditEntry::by_system(Action::OutboxSetAside).on(Object::outbox()).with("file", name)
}

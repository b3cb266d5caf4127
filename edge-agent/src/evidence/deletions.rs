//! What was deleted of the evidence, gathered into lines of the audit log: one a while, not one a picture.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::store::{Gone, Why};
use crate::audit::{Action, AuditEntry, AuditLog, Object, Outcome};

/// Deletions of so long a time are one line: a full disk must not fill the log, which is kept for a year.
const EVERY: Duration = Duration::from_secs(3600);
/// Names of files in a line; of more there is only the number.
const MOST_NAMES: usize = 50;

/// Since the last line.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    since: Option<Instant>,
    gone: Vec<Gone>,
    failing: bool,
}

impl Deletions {
    /// Takes note of a run; writes a line when it is time. Whether a deletion fails now.
    pub(super) fn note(&mut self, gone: Vec<Gone>, failed: Option<&std::io::Error>, log: &AuditLog) {
        if !gone.is_empty() {
            self.since.get_or_insert_with(Instant::now);
            self.gone.extend(gone);
        }
        if let Some(error) = failed.filter(|_| !self.failing) {
            let entry = AuditEntry::by_system(Action::Deletion).on(Object::data("evidence"));
            // What is not written is counted by the log.
            let _ = log.append(entry.outcome(Outcome::failed(error.to_string())));
        }
        self.failing = failed.is_some();
        if self.since.is_some_and(|since| since.elapsed() >= EVERY) {
            self.tell(log);
        }
    }

    /// Writes the line, if something was deleted since the last one.
    pub(super) fn tell(&mut self, log: &AuditLog) {
        self.since = None;
        if self.gone.is_empty() {
            return;
        }
        let gone = std::mem::take(&mut self.gone);
        let sums = |is: &dyn Fn(&&Gone) -> bool| -> Value {
            let of = gone.iter().filter(is);
            let (pieces, bytes) = of.fold((0_u64, 0), |(pieces, bytes), one| (pieces + 1, bytes + one.bytes));
            json!({ "pieces": pieces, "bytes": bytes })
        };
        let names: Vec<&str> = gone.iter().map(|one| one.file.as_str()).take(MOST_NAMES).collect();
        let entry = AuditEntry::by_system(Action::Deletion)
            .on(Object::data("evidence"))
            .with("snapshots", sums(&|one| !one.is_clip))
            .with("clips", sums(&|one| one.is_clip))
            .with("by_age", sums(&|one| one.why == Why::Age))
            .with("by_budget", sums(&|one| one.why == Why::Budget))
            .with("files", names);
        let _ = log.append(entry);
    }
}

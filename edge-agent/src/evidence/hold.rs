//! Legal hold: an incident whose evidence is kept until someone lifts the hold, whatever age and budget say.
//!
//! A hold is a small file in `holds/` beside the pictures, named by the incident: whoever lists the evidence sees it, and it
//! survives the outbox and the program. A file that cannot be read still holds; holds that cannot be listed hold everything.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EvidenceStore;
use crate::audit::{Action, Actor, AuditEntry, AuditError, AuditLog, Object, Outcome, Source};
use crate::durable::{replace, sync_folder};
use crate::publish::wire::UtcMillis;

/// Name of the folder in that of the evidence.
const FOLDER: &str = "holds";
const ENDING: &str = ".json";
/// Bytes that a hold may have.
const LARGEST: u64 = 16 << 10;

/// Why an incident is kept, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The incident.
    pub incident: Uuid,
    /// Who asked for it, as they call themselves.
    pub by: String,
    /// Why: a case's number, an order.
    pub reason: String,
    /// Since when.
    pub since: UtcMillis,
}

/// Why a hold is not set or lifted.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The disk refuses.
    #[error("the hold is not written: {0}; check free space and the disk")]
    Disk(#[from] io::Error),
    /// A hold must not be lifted without a trace.
    #[error("the hold stays: {0}")]
    NotAudited(#[from] AuditError),
    /// There is none.
    #[error("incident {0} is not on hold\n    → edge-agent hold list shows those that are")]
    NotHeld(Uuid),
}

/// The holds beside the evidence.
#[derive(Debug, Clone)]
pub struct Holds {
    folder: PathBuf,
}

impl Holds {
    pub(super) fn beside(evidence: &Path) -> Self {
        Self { folder: evidence.join(FOLDER) }
    }

    fn path(&self, incident: Uuid) -> PathBuf {
        self.folder.join(format!("{incident}{ENDING}"))
    }

    /// The incidents on hold.
    ///
    /// # Errors
    /// They cannot be listed: all that is there must be taken for held.
    pub fn incidents(&self) -> io::Result<BTreeSet<Uuid>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        let mut all = BTreeSet::new();
        for entry in entries {
            let name = entry?.file_name();
            all.extend(name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(|id| id.parse::<Uuid>().ok()));
        }
        Ok(all)
    }

    /// Whether an incident is on hold; also when that cannot be known.
    #[must_use]
    pub fn is_held(&self, incident: Uuid) -> bool {
        self.path(incident).try_exists().unwrap_or(true)
    }

    /// Every hold, by incident; of one whose file cannot be read only the incident is known.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn list(&self) -> io::Result<Vec<Hold>> {
        let read = |incident| {
            let unknown = || Hold { incident, by: "?".into(), reason: "?".into(), since: UtcMillis::default() };
            let path = self.path(incident);
            let is_small = path.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
            let text = is_small.then(|| fs::read(&path).ok()).flatten();
            text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_else(unknown)
        };
        Ok(self.incidents()?.into_iter().map(read).collect())
    }

    fn write(&self, hold: &Hold) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        replace(&self.path(hold.incident), &serde_json::to_vec(hold).expect("texts can be written"))
    }

    /// Keeps an incident's evidence until [`lift`](Self::lift), with a line in the audit log. Setting a hold that is there
    /// changes nothing but is a line too. Waits for the disk.
    ///
    /// # Errors
    /// The disk refuses: nothing is held. A line that cannot be written is counted by the log; the hold stands.
    pub fn set(&self, log: &AuditLog, hold: Hold, source: Source) -> Result<(), HoldError> {
        let entry = AuditEntry::new(Actor::person(&hold.by), source, Action::HoldSet);
        let entry = entry.on(Object::incident(hold.incident)).with("reason", hold.reason.clone());
        let was_held = self.is_held(hold.incident);
        let written = if was_held { Ok(()) } else { self.write(&hold) };
        let outcome = written.as_ref().err().map_or(Outcome::Done, |error| Outcome::failed(error.to_string()));
        let _ = log.append(entry.with("was_held", was_held).outcome(outcome));
        Ok(written?)
    }

    /// Ends a hold, with a line in the audit log before it: a hold that leaves no trace is not lifted. Waits for the disk.
    ///
    /// # Errors
    /// There is none, the line is not written, the disk refuses.
    pub fn lift(
        &self,
        log: &AuditLog,
        incident: Uuid,
        by: &str,
        reason: &str,
        source: Source,
    ) -> Result<(), HoldError> {
        let entry = AuditEntry::new(Actor::person(by), source, Action::HoldLifted);
        let entry = entry.on(Object::incident(incident)).with("reason", reason);
        if !self.is_held(incident) {
            let _ = log.append(entry.outcome(Outcome::refused("it is not on hold")));
            return Err(HoldError::NotHeld(incident));
        }
        log.append(entry.clone())?;
        let lifted = fs::remove_file(self.path(incident)).and_then(|()| sync_folder(&self.folder));
        if let Err(error) = &lifted {
            let _ = log.append(entry.outcome(Outcome::failed(error.to_string())));
        }
        Ok(lifted?)
    }
}

impl EvidenceStore {
    /// Its legal holds.
    #[must_use]
    pub fn holds(&self) -> Holds {
        Holds::beside(self.folder())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::lines;
    use crate::outbox::tests::topics;

    #[test]
    fn a_hold_is_there_until_it_is_lifted_and_both_are_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = EvidenceStore::at(folder.path().join("evidence"));
        let log = AuditLog::at(folder.path(), &topics(), None);
        let holds = store.holds();
        let hold = Hold {
            incident: Uuid::from_u128(7),
            by: "Trần Thị B".into(),
            reason: "vụ 12/2026".into(),
            since: UtcMillis::from_unix_millis(1_800_000_000_000),
        };
        let other = Uuid::from_u128(8);
        holds.set(&log, hold.clone(), Source::Mqtt).expect("set");
        assert!(holds.is_held(hold.incident) && !holds.is_held(other));
        assert_eq!(holds.list().expect("lists"), std::slice::from_ref(&hold));
        let lift = |incident| holds.lift(&log, incident, "Trần Thị B", "xong", Source::Mqtt);
        assert!(matches!(lift(other), Err(HoldError::NotHeld(_))));
        lift(hold.incident).expect("lifted");
        assert!(!holds.is_held(hold.incident));
        let mut said = Vec::new();
        lines::<io::Error>(log.folder(), 1, |kept| {
            said.push((kept.line.action, kept.line.outcome == Outcome::Done));
            Ok(true)
        })
        .expect("reads");
        assert_eq!(said, [(Action::HoldSet, true), (Action::HoldLifted, false), (Action::HoldLifted, true)]);
    }

    #[test]
    fn a_hold_is_not_lifted_without_a_trace_and_one_that_cannot_be_read_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = EvidenceStore::at(folder.path().join("evidence"));
        // Where the log's folder would be.
        fs::write(folder.path().join("audit"), "in the way").expect("writes");
        let log = AuditLog::at(folder.path(), &topics(), None);
        let incident = Uuid::from_u128(7);
        let hold = Hold { incident, by: "a".into(), reason: "b".into(), since: UtcMillis::default() };
        store.holds().set(&log, hold, Source::Mqtt).expect("set all the same");
        let lifted = store.holds().lift(&log, incident, "a", "b", Source::Mqtt);
        assert!(matches!(lifted, Err(HoldError::NotAudited(_))), "{lifted:?}");
        fs::write(store.holds().path(incident), "{").expect("writes");
        assert!(store.holds().is_held(incident));
        assert_eq!(store.holds().list().expect("lists")[0].by, "?");
    }
}

//! The handle that everything that acts writes through.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::entry::{AuditEntry, Object};
use super::journal::{Finding, Head, Journal};
use super::prune::{AuditLimits, Doomed};
use super::{AuditError, FOLDER, SEGMENT_BYTES};
use crate::publish::Topics;
use crate::publish::wire::{Action, AuditLine, LineHash, Outcome, UtcMillis, new_id};
use crate::status::time_quality;

/// How the log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditStatus {
    /// The last line that is known to be durable.
    pub head: Head,
    /// Why the last line could not be written; `None` when it was.
    pub failing: Option<String>,
    /// Lines of this run that are lost, also those that a later line has told.
    pub lost: u64,
    /// The log was found not to be what was known of it.
    pub damaged: bool,
    /// Old lines could not be deleted when they were to be.
    pub undeletable: bool,
}

/// Access to the log; cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    files: Mutex<Files>,
    folder: PathBuf,
    site: String,
    box_id: String,
    boot: Uuid,
    session: Uuid,
    status: watch::Sender<AuditStatus>,
}

#[derive(Debug)]
struct Files {
    journal: Journal,
    /// Lines that could not be written and that no line tells of yet.
    untold: u64,
    /// What was last known of the log elsewhere, until it is compared.
    known: Option<Head>,
}

impl AuditLog {
    /// The log in the state folder `storage`. Nothing is read or written yet: what cannot be is told by
    /// [`append`](Self::append) and [`status`](Self::status). `known` is the last line as it was kept elsewhere; when the
    /// log does not hold it, the first line written says so.
    #[must_use]
    pub fn at(storage: &Path, topics: &Topics, known: Option<Head>) -> Self {
        Self::with_segments(storage, topics, known, SEGMENT_BYTES)
    }

    pub(super) fn with_segments(storage: &Path, topics: &Topics, known: Option<Head>, segment_bytes: u64) -> Self {
        let folder = storage.join(FOLDER);
        let journal = Journal::at(folder.clone(), segment_bytes);
        let (status, _) = watch::channel(AuditStatus {
            head: Head::NONE,
            failing: None,
            lost: 0,
            damaged: false,
            undeletable: false,
        });
        Self(Arc::new(Shared {
            files: Mutex::new(Files { journal, untold: 0, known }),
            folder,
            site: topics.site().to_string(),
            box_id: topics.box_id().to_string(),
            boot: boot_id(),
            session: new_id(),
            status,
        }))
    }

    /// Writes a line and gives its number once it is durable. Waits for the disk: in a task use [`record`](Self::record).
    ///
    /// # Errors
    /// The line is not written (disk full, read-only). It is counted; a later line tells how many are missing. Whether what
    /// was to be recorded is done all the same is the caller's decision.
    pub fn append(&self, entry: AuditEntry) -> Result<u64, AuditError> {
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.write(&mut files, Some(entry))
    }

    /// [`append`](Self::append) for tasks: the disk keeps another thread waiting.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn record(&self, entry: AuditEntry) -> Result<u64, AuditError> {
        let log = self.clone();
        let written = tokio::task::spawn_blocking(move || log.append(entry)).await;
        written.unwrap_or_else(|_| Err(AuditError { reason: "the program ends".to_owned() }))
    }

    /// Tells what is still to be told of lost lines, and looks whether another process wrote. Waits for the disk.
    pub fn tend(&self) {
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        // What fails is in the status.
        let _ = self.0.write(&mut files, None);
    }

    /// How it is; changes with every line.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<AuditStatus> {
        self.0.status.subscribe()
    }

    /// The folder of its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The kernel's id of this boot.
    pub(super) fn boot(&self) -> Uuid {
        self.0.boot
    }

    /// Deletes what is beyond `limits`, with a line that says so before it. Waits for the disk; what fails is in the status
    /// and in a line.
    pub fn prune(&self, limits: AuditLimits) {
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.write(&mut files, None).is_err() {
            return;
        }
        let pruned = self.0.prune(&mut files, limits);
        let failed = pruned.as_ref().err().map(std::string::ToString::to_string);
        self.0.status.send_if_modified(|status| {
            let now = failed.is_some();
            std::mem::replace(&mut status.undeletable, now) != now
        });
        if let Some(reason) = failed {
            tracing::warn!(reason, "old lines of the audit log are not deleted");
            let entry = AuditEntry::by_system(Action::Deletion).on(Object::audit()).outcome(Outcome::failed(reason));
            let _ = self.0.write(&mut files, Some(entry));
        }
    }
}

impl Shared {
    fn write(&self, files: &mut Files, entry: Option<AuditEntry>) -> Result<u64, AuditError> {
        let written = self.try_write(files, entry.as_ref());
        let failing = written.as_ref().err().map(std::string::ToString::to_string);
        if failing.is_some() && entry.is_some() {
            files.untold += 1;
        }
        self.status.send_if_modified(|status| {
            if failing.is_some() && status.failing.is_none() {
                tracing::error!(reason = failing, "the audit log cannot be written; lines are missing, and counted");
            }
            let before = status.clone();
            status.lost += u64::from(failing.is_some() && entry.is_some());
            status.failing.clone_from(&failing);
            if let Ok(head) = written {
                status.head = head;
            }
            *status != before
        });
        written.map(|head| head.number).map_err(|error| AuditError { reason: error.to_string() })
    }

    fn try_write(&self, files: &mut Files, entry: Option<&AuditEntry>) -> std::io::Result<Head> {
        let _lock = files.journal.lock()?;
        let (mut head, findings) = files.journal.look()?;
        for finding in findings {
            head = self.put(files, head, self.entry_of(finding))?;
        }
        if let Some(known) = files.known {
            if let Some(entry) = self.compare(files, known, head)? {
                head.number = head.number.max(known.number);
                head = self.put(files, head, entry)?;
            }
            files.known = None;
        }
        if files.untold > 0 {
            let told = AuditEntry::by_system(Action::LinesLost).on(Object::audit()).with("lines", files.untold);
            head = self.put(files, head, told)?;
            files.untold = 0;
        }
        match entry {
            Some(entry) => self.put(files, head, entry.clone()),
            None => Ok(head),
        }
    }

    fn put(&self, files: &mut Files, head: Head, entry: AuditEntry) -> std::io::Result<Head> {
        let AuditEntry { actor, source, action, object, outcome, detail } = entry.bounded();
        let line = AuditLine {
            number: head.number + 1,
            time: UtcMillis::now(),
            time_quality: time_quality(),
            boot: self.boot,
            session: self.session,
            site: self.site.clone(),
            box_id: self.box_id.clone(),
            actor,
            source,
            action,
            object: object.map(|object| object.to_string()),
            outcome,
            detail,
            previous: head.hash,
            hash: LineHash::NONE,
        };
        let (bytes, hash) = line.seal();
        let head = Head { number: line.number, hash };
        files.journal.put(&bytes, head)?;
        Ok(head)
    }

    fn entry_of(&self, finding: Finding) -> AuditEntry {
        match finding {
            Finding::Torn { bytes, file } => {
                tracing::warn!(bytes, file, "the audit log's last line was not finished; it is set aside");
                let entry = AuditEntry::by_system(Action::TornLineSetAside).on(Object::audit());
                entry.with("bytes", bytes).with("file", file)
            }
            Finding::Damaged => self.damage("lines are not as they were written: run edge-agent audit verify"),
        }
    }

    fn prune(&self, files: &mut Files, limits: AuditLimits) -> std::io::Result<()> {
        let _lock = files.journal.lock()?;
        let (head, _) = files.journal.look()?;
        let Some(doomed) = Doomed::find(files.journal.folder(), limits, UtcMillis::now(), time_quality())? else {
            return Ok(());
        };
        let head = self.put(files, head, doomed.entry())?;
        self.status.send_modify(|status| status.head = head);
        doomed.delete(files.journal.folder())
    }

    /// A line that says that the log does not hold the line that was known elsewhere.
    fn compare(&self, files: &Files, known: Head, head: Head) -> std::io::Result<Option<AuditEntry>> {
        if known.number == 0 {
            return Ok(None);
        }
        let why = if known.number > head.number {
            "lines are missing at its end"
        } else if super::read::hash_of(files.journal.folder(), known.number)?.is_some_and(|hash| hash != known.hash) {
            "the last known line is another one"
        } else {
            return Ok(None);
        };
        let entry = self.damage(why).with("known_number", known.number).with("known_hash", known.hash.to_string());
        Ok(Some(entry.with("found_number", head.number)))
    }

    fn damage(&self, why: &str) -> AuditEntry {
        tracing::error!(why, "the audit log is damaged");
        self.status.send_modify(|status| status.damaged = true);
        AuditEntry::by_system(Action::LogDamaged).on(Object::audit()).with("why", why)
    }
}

/// The kernel's id of this boot; zeros where it gives none.
fn boot_id() -> Uuid {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

//! Factory reset: what this program keeps of a junction and its people is removed, proved gone, and reported line by line.
//!
//! # Invariants
//! - Only names that this program gives are removed, in its own folders: the state folder, and `credentials/` beside the
//!   site file with the keys that the site file names there. What else lies there is listed and left.
//! - No link is followed: what a link stands for is another's, or must be removed by hand.
//! - Nothing is removed while the service runs, or, unless asked for, while an incident is on legal hold.
//!
//! Flash keeps what was deleted until it is written over: a box that leaves the house should have had an encrypted disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::audit::{Action, AuditEntry, AuditLog, Head, Object, Outcome, verify};
use crate::config::{SecretRef, Site};
use crate::evidence::Hold;

const LOCK: &str = "lock";

/// Held by the service for as long as it runs: nobody else may remove what is in its state folder.
#[derive(Debug)]
pub struct StateLock(#[expect(dead_code, reason = "the lock ends with the file")] File);

impl StateLock {
    /// Takes it; `None` while another process has it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn take(storage: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(storage.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// What the entries of the state folder are; an entry belongs to the first whose name it has or, for databases with their
/// logs and what was set aside of them, begins with.
const OWN: [(&str, &str); 9] = [
    ("outbox.sqlite", "events and thumbnails that wait"),
    ("tracks.sqlite", "recorded tracks"),
    ("evidence", "pictures, clips and holds"),
    ("engines", "compiled models"),
    ("audit", "the audit log"),
    ("accounts", "local accounts"),
    ("crash", "what a crash left"),
    ("crashes.json", "what is remembered of crashes"),
    ("configuration", "configurations that were applied"),
];
/// What stays and is no trouble: no personal data, or the lock of this very reset.
const STAYS: [&str; 2] = ["models", LOCK];

/// Something that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub what: &'static str,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a reset would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is removed, in this order.
    pub pieces: Vec<Piece>,
    /// What is left, and why.
    pub left: Vec<(PathBuf, String)>,
    /// Incidents on legal hold.
    pub holds: Vec<Hold>,
}

/// What became of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The piece.
    pub piece: Piece,
    /// Why it is still there; `None`: it is gone, looked at again.
    pub failed: Option<String>,
}

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The service runs.
    #[error("the service runs on {}; nothing was removed\n    → systemctl stop ngatu-edge-agent, then try again", .0.display())]
    Running(PathBuf),
    /// Evidence is on hold.
    #[error("{} incident(s) are on legal hold; nothing was removed\n    → lift the holds, or add --including-holds\n{}", .0.len(), holds(.0))]
    OnHold(Vec<Hold>),
    /// The folders cannot be looked through.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

fn holds(holds: &[Hold]) -> String {
    let line = |hold: &Hold| format!("    {}  {} by {}: {}", hold.incident, hold.since, hold.by, hold.reason);
    holds.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Looks what there is to remove. Changes nothing.
///
/// # Errors
/// The folders cannot be looked through.
pub fn plan(site: &Site, site_file: &Path) -> Result<Plan, ResetError> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |error| ResetError::Disk { path, error }
    };
    let storage = &site.storage.path;
    let mut plan = Plan { holds: site.storage.pictures().holds().list().map_err(disk(storage))?, ..Plan::default() };
    if storage.exists() {
        plan.state(&storage.canonicalize().map_err(disk(storage))?).map_err(disk(storage))?;
    }
    let folder = site_file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    plan.secrets(site, &folder.canonicalize().map_err(disk(folder))?).map_err(disk(folder))?;
    Ok(plan)
}

impl Plan {
    fn state(&mut self, storage: &Path) -> io::Result<()> {
        for path in entries(storage)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_own =
                |(own, _): &&(&str, &str)| name == *own || (own.ends_with(".sqlite") && name.starts_with(*own));
            match OWN.iter().find(is_own) {
                Some((_, what)) => self.take(path, what)?,
                None if STAYS.contains(&name.as_str()) => {}
                None => self.left.push((path, "is none of this program's".to_owned())),
            }
        }
        // The log last: it tells of the others.
        self.pieces.sort_by_key(|piece| piece.path.ends_with(crate::audit::FOLDER));
        Ok(())
    }

    /// Credentials and keys, as far as they lie beside the site file.
    fn secrets(&mut self, site: &Site, folder: &Path) -> io::Result<()> {
        let credentials = folder.join("credentials");
        if is_folder(&credentials) {
            entries(&credentials)?.into_iter().try_for_each(|path| self.take(path, "a credential"))?;
        } else if credentials.symlink_metadata().is_ok() {
            self.left.push((credentials, "is a link: it is not followed".to_owned()));
        }
        let files = site.secrets.iter().filter_map(|secret| match &secret.reference {
            SecretRef::File(path) => Some((path, "a key or password")),
            SecretRef::Credential { .. } | SecretRef::Env(_) => None,
        });
        let certificate = site.mqtt.identity.iter().map(|(certificate, _)| (certificate, "a certificate of this box"));
        let page = site.status_remote.iter().map(|remote| (&remote.certificate, "the page's certificate"));
        let accounts = site.status_remote.iter().filter_map(|remote| remote.accounts.as_ref());
        let accounts = accounts.map(|accounts| (accounts, "local accounts"));
        for (path, what) in files.chain(certificate).chain(page).chain(accounts) {
            let Ok(at) = path.parent().unwrap_or(Path::new(".")).canonicalize() else { continue };
            let path = at.join(path.file_name().unwrap_or_default());
            if self.pieces.iter().any(|piece| path.starts_with(&piece.path)) || path.symlink_metadata().is_err() {
                continue;
            }
            if path.starts_with(folder) {
                self.take(path, what)?;
            } else {
                self.left.push((path, format!("is {what}, outside this program's folders")));
            }
        }
        Ok(())
    }

    fn take(&mut self, path: PathBuf, what: &'static str) -> io::Result<()> {
        if path.symlink_metadata()?.is_symlink() {
            self.left.push((path, format!("is a link, for {what}: it is not followed; remove both by hand")));
        } else {
            let (files, bytes) = weigh(&path)?;
            self.pieces.push(Piece { path, what, files, bytes });
        }
        Ok(())
    }

    /// Removes everything, looks whether it is gone, and begins a new audit log with a line about it. `lock` must be of
    /// this site's state folder.
    ///
    /// # Errors
    /// Something is on hold and `including_holds` is not given: nothing is removed.
    pub fn carry_out(
        self,
        log: &AuditLog,
        lock: StateLock,
        entry: AuditEntry,
        including_holds: bool,
    ) -> Result<Vec<Done>, ResetError> {
        if !including_holds && !self.holds.is_empty() {
            let refused = Outcome::refused(format!("{} incidents are on legal hold", self.holds.len()));
            let _ = log.append(entry.outcome(refused));
            return Err(ResetError::OnHold(self.holds));
        }
        let before = verify(log.folder(), &[]).map_or(Head::NONE, |report| report.last);
        let done: Vec<Done> = self.pieces.into_iter().map(remove).collect();
        let sum = |of: fn(&Piece) -> u64| {
            done.iter().filter(|done| done.failed.is_none()).map(|done| of(&done.piece)).sum::<u64>()
        };
        let failed: Vec<String> = done
            .iter()
            .filter(|done| done.failed.is_some())
            .map(|done| done.piece.path.display().to_string())
            .collect();
        let outcome = if failed.is_empty() { Outcome::Done } else { Outcome::failed("something is left") };
        let entry = entry.outcome(outcome).on(Object::data("all"));
        // What is not written is seen by whoever reads the report.
        let _ = log.append(
            entry
                .with("files", sum(|piece| piece.files))
                .with("bytes", sum(|piece| piece.bytes))
                .with("left", failed)
                .with("holds", self.holds.len())
                .with("log_before", json!({ "number": before.number, "hash": before.hash.to_string() })),
        );
        drop(lock);
        Ok(done)
    }
}

/// The draft of the line about a reset.
#[must_use]
pub fn entry(by: &str, source: crate::audit::Source) -> AuditEntry {
    AuditEntry::new(crate::audit::Actor::person(by), source, Action::FactoryReset)
}

fn remove(piece: Piece) -> Done {
    let removed = if is_folder(&piece.path) { fs::remove_dir_all(&piece.path) } else { fs::remove_file(&piece.path) };
    let synced = removed.and_then(|()| File::open(piece.path.parent().unwrap_or(Path::new("/")))?.sync_all());
    let failed = match (synced, piece.path.symlink_metadata()) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(()), Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
        (Ok(()), _) => Some("it is still there".to_owned()),
    };
    Done { piece, failed }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    all.sort();
    Ok(all)
}

/// Files below, and their bytes; links count as files and are not followed.
fn weigh(path: &Path) -> io::Result<(u64, u64)> {
    if !is_folder(path) {
        return Ok((1, path.symlink_metadata()?.len()));
    }
    entries(path)?.iter().try_fold((0, 0), |(files, bytes), entry| {
        let (more, heavier) = weigh(entry)?;
        Ok((files + more, bytes + heavier))
    })
}

/// Whether this user owns the folder: files that another one makes there, root above all, lock the service out.
#[must_use]
pub fn is_owner(folder: &Path) -> bool {
    // SAFETY: a plain system call that cannot fail.
    let uid = unsafe { libc::geteuid() };
    folder.metadata().map_or(true, |folder| folder.uid() == uid)
}

#[cfg(test)]
mod tests;

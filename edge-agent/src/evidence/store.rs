//! The folder where pictures lie: written whole or not at all, found by incident, kept within a budget and a time.
//!
//! A picture is `{incident}_{name}`, both validated. While it is not yet known to the outbox its thumbnail lies beside it
//! (`….thumb`), so that a restart can still send it. `….part` is what a crash leaves of a picture that was being written.
//!
//! # Invariants
//! - A file under a picture's name is whole: it was written under another name, fsynced, then renamed, then its folder
//!   fsynced.
//! - What is pending is never deleted, whatever the budget says.
//!
//! # Ownership
//! [`EvidenceStore`] only names a folder: cheap to clone, for all who look a picture up. The one who writes and clears it
//! has the [`Shelf`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::EvidenceName;

/// Pictures show people: the box's own user only.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const THUMBNAIL: &str = ".thumb";
const UNFINISHED: &str = ".part";
/// A file from before 2026 was written while the clock was not set: its time starts when that is noticed.
const CLOCK_WAS_NOT_SET: Duration = Duration::from_secs(1_767_225_600);

/// Where the pictures of incidents lie.
#[derive(Debug, Clone)]
pub struct EvidenceStore {
    folder: PathBuf,
}

impl EvidenceStore {
    /// The pictures in `folder`; it is made when the first one is written.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a picture that is whole and on disk. `name` may come from anywhere: what is no name of a picture is
    /// not found.
    #[must_use]
    pub fn find(&self, incident: Uuid, name: &str) -> Option<PathBuf> {
        let path = self.path(incident, &EvidenceName::parse(name)?);
        path.is_file().then_some(path)
    }

    fn path(&self, incident: Uuid, name: &EvidenceName) -> PathBuf {
        self.folder.join(file_name(incident, name))
    }

    /// Makes a picture and its thumbnail durable, the picture last.
    pub(super) fn write(
        &self,
        incident: Uuid,
        name: &EvidenceName,
        picture: &[u8],
        thumbnail: &[u8],
    ) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
        let path = self.path(incident, name);
        let written = write_synced(&with(&path, THUMBNAIL), thumbnail)
            .and_then(|()| write_synced(&with(&path, UNFINISHED), picture))
            .and_then(|()| fs::rename(with(&path, UNFINISHED), &path))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        if written.is_err() {
            // A full disk must not stay full of halves.
            let _ = fs::remove_file(with(&path, UNFINISHED));
            self.forget_thumbnail(incident, name);
        }
        written
    }

    /// A picture that is whole, and its thumbnail if that was written too.
    pub(super) fn read(&self, incident: Uuid, name: &EvidenceName) -> io::Result<(Vec<u8>, Option<Vec<u8>>)> {
        let path = self.path(incident, name);
        Ok((fs::read(&path)?, fs::read(with(&path, THUMBNAIL)).ok()))
    }

    /// The outbox has it now.
    pub(super) fn forget_thumbnail(&self, incident: Uuid, name: &EvidenceName) {
        let _ = fs::remove_file(with(&self.path(incident, name), THUMBNAIL));
    }
}

/// The name of a picture's file.
pub(super) fn file_name(incident: Uuid, name: &EvidenceName) -> String {
    format!("{incident}_{name}")
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether this is the name of a picture's file.
fn is_picture(file: &str) -> bool {
    file.split_once('_').is_some_and(|(incident, name)| {
        Uuid::parse_str(incident).is_ok_and(|id| id.to_string() == incident) && EvidenceName::parse(name).is_some()
    })
}

/// How much evidence is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceLimits {
    /// Bytes of pictures; beyond them the oldest go.
    pub max_bytes: u64,
    /// A picture older than this goes.
    pub keep_for: Duration,
}

/// The pictures that are there, by age.
#[derive(Debug)]
pub(super) struct Shelf {
    store: EvidenceStore,
    limits: EvidenceLimits,
    kept: BTreeMap<(SystemTime, String), u64>,
    bytes: u64,
}

impl Shelf {
    /// Looks through the folder and clears what a crash left; `pending` are names of files whose thumbnail is still
    /// needed. Files that are no pictures are left alone.
    pub(super) fn scan(
        store: EvidenceStore,
        limits: EvidenceLimits,
        pending: &BTreeSet<String>,
        now: SystemTime,
    ) -> io::Result<Self> {
        let mut shelf = Self::empty(store, limits);
        let entries = match fs::read_dir(shelf.store.folder()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(shelf),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let leftover = name.strip_suffix(UNFINISHED).is_some_and(is_picture)
                || name.strip_suffix(THUMBNAIL).is_some_and(|of| is_picture(of) && !pending.contains(of));
            if leftover {
                let _ = fs::remove_file(entry.path());
            } else if is_picture(&name) && entry.file_type()?.is_file() {
                let metadata = entry.metadata()?;
                let mut since = metadata.modified()?;
                let unset = SystemTime::UNIX_EPOCH + CLOCK_WAS_NOT_SET;
                if since < unset && now >= unset {
                    let _ = File::options().write(true).open(entry.path()).and_then(|file| file.set_modified(now));
                    since = now;
                }
                shelf.put(name, since, metadata.len());
            }
        }
        Ok(shelf)
    }

    /// Knows of no picture yet.
    pub(super) fn empty(store: EvidenceStore, limits: EvidenceLimits) -> Self {
        Self { store, limits, kept: BTreeMap::new(), bytes: 0 }
    }

    fn put(&mut self, file: String, since: SystemTime, bytes: u64) {
        self.bytes += bytes;
        self.bytes -= self.kept.insert((since, file), bytes).unwrap_or(0);
    }

    /// Takes note of a picture that was written at `now`.
    pub(super) fn add(&mut self, incident: Uuid, name: &EvidenceName, bytes: u64, now: SystemTime) {
        self.put(file_name(incident, name), now, bytes);
    }

    /// Pictures and their bytes.
    pub(super) fn held(&self) -> (u64, u64) {
        (self.kept.len() as u64, self.bytes)
    }

    /// Deletes what is too old, then the oldest until the rest fits; never what is `pending`. How many went.
    pub(super) fn clear(&mut self, pending: &BTreeSet<String>, now: SystemTime) -> io::Result<u64> {
        let mut gone = 0;
        let mut over = self.bytes.saturating_sub(self.limits.max_bytes);
        let mut doomed = Vec::new();
        for ((since, file), &bytes) in &self.kept {
            let is_old = now.duration_since(*since).is_ok_and(|age| age > self.limits.keep_for);
            if !is_old && over == 0 {
                break;
            }
            if !pending.contains(file) {
                doomed.push((*since, file.clone()));
                over = over.saturating_sub(bytes);
            }
        }
        for key in doomed {
            match fs::remove_file(self.store.folder().join(&key.1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.bytes -= self.kept.remove(&key).unwrap_or(0),
            }
            gone += 1;
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const ANY: EvidenceLimits = EvidenceLimits { max_bytes: u64::MAX, keep_for: Duration::MAX };

    fn one() -> EvidenceName {
        EvidenceName::parse("1.jpg").expect("valid")
    }

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + CLOCK_WAS_NOT_SET + 100 * DAY
    }

    fn store(folder: &tempfile::TempDir) -> EvidenceStore {
        EvidenceStore::at(folder.path().join("evidence"))
    }

    fn files(store: &EvidenceStore) -> BTreeSet<String> {
        let entries = fs::read_dir(store.folder()).into_iter().flatten();
        entries.map(|entry| entry.expect("lists").file_name().into_string().expect("text")).collect()
    }

    #[test]
    fn a_picture_is_found_once_it_is_whole_and_no_other_file_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let incident = Uuid::from_u128(7);
        assert_eq!(store.find(incident, "1.jpg"), None);
        store.write(incident, &one(), b"picture", b"small").expect("writes");
        let path = store.find(incident, "1.jpg").expect("is there");
        assert_eq!(fs::read(path).expect("reads"), b"picture");
        fs::write(folder.path().join("secret.jpg"), b"x").expect("writes");
        for name in ["2.jpg", "1.jpg.thumb", "../secret.jpg", "..%2fsecret.jpg", "/etc/passwd", "1.JPG", ""] {
            assert_eq!(store.find(incident, name), None, "{name}");
        }
        assert_eq!(store.read(incident, &one()).expect("reads"), (b"picture".to_vec(), Some(b"small".to_vec())));
        store.forget_thumbnail(incident, &one());
        assert_eq!(store.read(incident, &one()).expect("reads"), (b"picture".to_vec(), None));
    }

    #[test]
    fn a_picture_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let incident = Uuid::from_u128(7);
        // Something is in the way of the last step.
        fs::create_dir_all(store.path(incident, &one()).join("x")).expect("makes");
        assert!(store.write(incident, &one(), b"picture", b"small").is_err());
        assert_eq!(files(&store).len(), 1, "{:?}", files(&store));
    }

    #[test]
    fn what_a_crash_left_is_cleared_but_for_what_is_pending() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let [done, pending, half] = [1, 2, 3].map(Uuid::from_u128);
        for incident in [done, pending] {
            store.write(incident, &one(), b"picture", b"small").expect("writes");
        }
        fs::write(with(&store.path(half, &one()), UNFINISHED), b"pic").expect("writes");
        fs::write(store.folder().join("note.txt"), b"a person's").expect("writes");
        let kept = BTreeSet::from([file_name(pending, &one())]);
        let shelf = Shelf::scan(store.clone(), ANY, &kept, start()).expect("scans");
        assert_eq!(shelf.held(), (2, 14));
        let [done, pending] = [done, pending].map(|incident| file_name(incident, &one()));
        let thumbnail = format!("{pending}.thumb");
        assert_eq!(files(&store), BTreeSet::from([done, pending, thumbnail, "note.txt".to_owned()]));
    }

    #[test]
    fn a_picture_taken_before_the_clock_was_set_is_as_old_as_its_discovery() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let incident = Uuid::from_u128(1);
        store.write(incident, &one(), b"picture", b"").expect("writes");
        let file = File::options().write(true).open(store.path(incident, &one())).expect("opens");
        file.set_modified(SystemTime::UNIX_EPOCH + DAY).expect("sets");
        let limits = EvidenceLimits { keep_for: 30 * DAY, ..ANY };
        for (days, left) in [(0, 1), (29, 1), (31, 0)] {
            let now = start() + days * DAY;
            let mut shelf = Shelf::scan(store.clone(), limits, &BTreeSet::new(), now).expect("scans");
            shelf.clear(&BTreeSet::new(), now).expect("clears");
            assert_eq!(shelf.held().0, left, "after {days} days");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        /// Whatever is added, pending and cleared, and however time passes: the folder holds what the shelf says; all
        /// that is pending is there; of the rest the newest are there, within the budget and the time, and none is
        /// missing that would fit.
        #[test]
        fn the_newest_that_fit_are_kept(
            pictures in prop::collection::vec((1_u64..20, 0_u32..10, any::<bool>()), 1..16),
            max_bytes in 0_u64..100,
            days in 1_u32..60,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let store = store(&folder);
            let limits = EvidenceLimits { max_bytes, keep_for: days * DAY };
            let mut now = start();
            let mut shelf = Shelf::scan(store.clone(), limits, &BTreeSet::new(), now).expect("scans");
            let mut pending = BTreeSet::new();
            let mut model: Vec<(SystemTime, String, u64)> = Vec::new();
            for (at, (bytes, later, stays_pending)) in pictures.into_iter().enumerate() {
                now += later * DAY + Duration::from_secs(1);
                let incident = Uuid::from_u128(at as u128);
                store.write(incident, &one(), &vec![0; bytes as usize], b"").expect("writes");
                store.forget_thumbnail(incident, &one());
                shelf.add(incident, &one(), bytes, now);
                let file = file_name(incident, &one());
                model.push((now, file.clone(), bytes));
                if stays_pending {
                    pending.insert(file);
                }
                shelf.clear(&pending, now).expect("clears");
                // Oldest first: what is too old, then what is too much.
                let mut total: u64 = model.iter().map(|(_, _, bytes)| bytes).sum();
                model.retain(|(since, file, bytes)| {
                    let old = now.duration_since(*since).expect("earlier") > limits.keep_for;
                    let goes = (old || total > max_bytes) && !pending.contains(file);
                    total -= if goes { *bytes } else { 0 };
                    !goes
                });
                let expected: BTreeSet<String> = model.iter().map(|(_, file, _)| file.clone()).collect();
                prop_assert_eq!(files(&store), expected);
                prop_assert_eq!(shelf.held(), (model.len() as u64, total));
            }
        }
    }
}

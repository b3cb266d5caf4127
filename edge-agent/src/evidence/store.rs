//! The folder where pictures and clips lie: written whole or not at all, found by incident, kept within a budget and a time.
//!
//! A picture is `{incident}_{name}`, both validated, and so is a clip. While it is not yet known to the outbox its thumbnail
//! lies beside it (`….thumb`), so that a restart can still send it. `….part` and `….mux` are what a crash leaves of what was
//! being written.
//!
//! # Invariants
//! - A file under a picture's name is whole: it was written under another name, fsynced, then renamed, then its folder
//!   fsynced.
//! - What is pending or on hold is never deleted, whatever age and budget say.
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
/// What the muxer of a clip keeps beside it.
const SCRATCH: &str = ".mux";
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

    /// The file of a picture that is whole and on disk, as [`find`](Self::find) does; not of a clip.
    #[must_use]
    pub fn picture(&self, incident: Uuid, name: &str) -> Option<PathBuf> {
        self.find(incident, name).filter(|_| EvidenceName::parse(name).is_some_and(|name| !name.is_clip()))
    }

    /// The file of a picture or a clip that is whole and on disk. `name` may come from anywhere: what is no name of one is
    /// not found.
    #[must_use]
    pub fn find(&self, incident: Uuid, name: &str) -> Option<PathBuf> {
        let path = self.path(incident, &EvidenceName::parse(name)?);
        path.is_file().then_some(path)
    }

    /// How many pictures and clips of an incident are there.
    #[must_use]
    pub fn pieces(&self, incident: Uuid) -> usize {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let of_incident = |name: &str| is_piece(name) && incident_of(name) == Some(incident);
        entries.filter(|entry| entry.file_name().to_str().is_some_and(of_incident)).count()
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
        self.make_folder()?;
        let path = self.path(incident, name);
        let written = write_synced(&with(&path, THUMBNAIL), |file| file.write_all(thumbnail))
            .and_then(|()| self.write_with(incident, name, |file, _scratch| file.write_all(picture)));
        if written.is_err() {
            self.forget_thumbnail(incident, name);
        }
        written
    }

    /// Makes durable what `fill` writes, whole or not at all; `fill` may use the path beside it meanwhile.
    pub(super) fn write_with<E: From<io::Error>>(
        &self,
        incident: Uuid,
        name: &EvidenceName,
        fill: impl FnOnce(&mut File, &Path) -> Result<(), E>,
    ) -> Result<(), E> {
        self.make_folder()?;
        let path = self.path(incident, name);
        let (unfinished, scratch) = (with(&path, UNFINISHED), with(&path, SCRATCH));
        let written = write_synced(&unfinished, |file| fill(file, &scratch)).and_then(|()| {
            fs::rename(&unfinished, &path)?;
            Ok(File::open(&self.folder)?.sync_all()?)
        });
        let _ = fs::remove_file(scratch);
        if written.is_err() {
            // A full disk must not stay full of halves.
            let _ = fs::remove_file(unfinished);
        }
        written
    }

    fn make_folder(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)
    }

    /// A clip that is whole, to be read in parts.
    pub(super) fn open(&self, incident: Uuid, name: &EvidenceName) -> io::Result<File> {
        File::open(self.path(incident, name))
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

fn write_synced<E: From<io::Error>>(path: &Path, fill: impl FnOnce(&mut File) -> Result<(), E>) -> Result<(), E> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    fill(&mut file)?;
    Ok(file.sync_all()?)
}

/// The piece whose file has this name.
fn piece_of(file: &str) -> Option<EvidenceName> {
    let (incident, name) = file.split_once('_')?;
    Uuid::parse_str(incident).ok().filter(|id| id.to_string() == incident)?;
    EvidenceName::parse(name)
}

/// The incident that a piece's file is of.
fn incident_of(file: &str) -> Option<Uuid> {
    Uuid::parse_str(file.split_once('_')?.0).ok()
}

fn is_piece(file: &str) -> bool {
    piece_of(file).is_some()
}

/// How much evidence is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceLimits {
    /// Bytes of pictures and clips; beyond them the oldest go.
    pub max_bytes: u64,
    /// A picture older than this goes.
    pub keep_for: Duration,
    /// A clip older than this goes.
    pub keep_clips_for: Duration,
}

impl EvidenceLimits {
    fn keep_for(&self, file: &str) -> Duration {
        if piece_of(file).is_some_and(|name| name.is_clip()) { self.keep_clips_for } else { self.keep_for }
    }
}

/// The pictures and clips that are there, by age.
#[derive(Debug)]
pub(super) struct Shelf {
    store: EvidenceStore,
    limits: EvidenceLimits,
    kept: BTreeMap<(SystemTime, String), u64>,
    bytes: u64,
}

impl Shelf {
    /// Looks through the folder and clears what a crash left; `pending` are names of files whose thumbnail is still
    /// needed. Files that are neither pictures nor clips are left alone.
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
            let leftover = [UNFINISHED, SCRATCH].into_iter().any(|end| name.strip_suffix(end).is_some_and(is_piece))
                || name.strip_suffix(THUMBNAIL).is_some_and(|of| is_piece(of) && !pending.contains(of));
            if leftover {
                let _ = fs::remove_file(entry.path());
            } else if is_piece(&name) && entry.file_type()?.is_file() {
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

    /// Deletes what is too old, then the oldest until the rest fits; never what is `pending` or on hold.
    pub(super) fn clear(&mut self, pending: &BTreeSet<String>, now: SystemTime) -> Cleared {
        let holds = self.store.holds();
        let held = match holds.incidents() {
            Ok(held) => held,
            // Any of it may be held.
            Err(error) => return Cleared { failed: Some(error), ..Cleared::default() },
        };
        let is_held = |file: &str| incident_of(file).is_some_and(|incident| held.contains(&incident));
        let mut cleared = Cleared::default();
        for (_, bytes) in self.kept.iter().filter(|((_, file), _)| !held.is_empty() && is_held(file)) {
            cleared.held += 1;
            cleared.held_bytes += bytes;
        }
        cleared.full_of_holds = cleared.held_bytes >= self.limits.max_bytes;
        for (key, why) in self.doomed(now, |file| !pending.contains(file) && !is_held(file)) {
            // It may have been put on hold a moment ago.
            if incident_of(&key.1).is_some_and(|incident| holds.is_held(incident)) {
                continue;
            }
            match fs::remove_file(self.store.folder().join(&key.1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => cleared.failed = Some(error),
                _ => {
                    let bytes = self.kept.remove(&key).unwrap_or(0);
                    self.bytes -= bytes;
                    let is_clip = piece_of(&key.1).is_some_and(|name| name.is_clip());
                    cleared.gone.push(Gone { file: key.1, bytes, is_clip, why });
                }
            }
        }
        cleared
    }

    /// What is to go of that which may.
    fn doomed(&self, now: SystemTime, may_go: impl Fn(&str) -> bool) -> Vec<((SystemTime, String), Why)> {
        let age = |since: SystemTime| now.duration_since(since).unwrap_or_default();
        let free = || self.kept.iter().filter(|((_, file), _)| may_go(file));
        let is_old = |(since, file): &(SystemTime, String)| age(*since) > self.limits.keep_for(file);
        let old = free().map(|(key, _)| key).filter(|key| is_old(key));
        let mut doomed: Vec<_> = old.cloned().map(|key| (key, Why::Age)).collect();
        let old_bytes: u64 = doomed.iter().map(|(key, _)| self.kept[key]).sum();
        let mut over = (self.bytes - old_bytes).saturating_sub(self.limits.max_bytes);
        for (key, bytes) in free().filter(|(key, _)| !is_old(key)) {
            if over == 0 {
                break;
            }
            doomed.push((key.clone(), Why::Budget));
            over = over.saturating_sub(*bytes);
        }
        doomed
    }
}

/// Why a piece went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It was too old.
    Age,
    /// There was too much.
    Budget,
}

/// A piece that is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) is_clip: bool,
    pub(super) why: Why,
}

/// What a run of deletions did.
#[derive(Debug, Default)]
pub(super) struct Cleared {
    pub(super) gone: Vec<Gone>,
    /// Why something that was to go is still there.
    pub(super) failed: Option<io::Error>,
    /// Pieces on hold, and their bytes.
    pub(super) held: u64,
    pub(super) held_bytes: u64,
    /// What is on hold leaves no room for anything else.
    pub(super) full_of_holds: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const ANY: EvidenceLimits =
        EvidenceLimits { max_bytes: u64::MAX, keep_for: Duration::MAX, keep_clips_for: Duration::MAX };

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
        let names = entries.map(|entry| entry.expect("lists").file_name().into_string().expect("text"));
        names.filter(|name| name != "holds").collect()
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
            assert!(shelf.clear(&BTreeSet::new(), now).failed.is_none());
            assert_eq!(shelf.held().0, left, "after {days} days");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        /// Whatever is added, pending, held and cleared, and however time passes: the folder holds what the shelf says;
        /// all that is pending or on hold is there; of the rest the newest are there, within the budget and the time, and none is
        /// missing that would fit.
        #[test]
        fn the_newest_that_fit_are_kept(
            pieces in prop::collection::vec((1_u64..20, 0_u32..10, any::<bool>(), any::<bool>(), any::<bool>()), 1..16),
            max_bytes in 0_u64..100,
            days in 1_u32..60,
            clip_days in 1_u32..60,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let store = store(&folder);
            let limits = EvidenceLimits { max_bytes, keep_for: days * DAY, keep_clips_for: clip_days * DAY };
            let mut now = start();
            let mut shelf = Shelf::scan(store.clone(), limits, &BTreeSet::new(), now).expect("scans");
            let (mut pending, mut held) = (BTreeSet::new(), BTreeMap::new());
            let mut model: Vec<(SystemTime, String, u64)> = Vec::new();
            for (at, (bytes, later, is_clip, stays_pending, is_held)) in pieces.into_iter().enumerate() {
                now += later * DAY + Duration::from_secs(1);
                let incident = Uuid::from_u128(at as u128);
                let name = if is_clip { EvidenceName::clip(1) } else { one() };
                store.write(incident, &name, &vec![0; bytes as usize], b"").expect("writes");
                store.forget_thumbnail(incident, &name);
                shelf.add(incident, &name, bytes, now);
                let file = file_name(incident, &name);
                model.push((now, file.clone(), bytes));
                if stays_pending {
                    pending.insert(file.clone());
                }
                if is_held {
                    fs::create_dir_all(store.folder().join("holds")).expect("makes");
                    fs::write(store.folder().join(format!("holds/{incident}.json")), "{}").expect("writes");
                    held.insert(file, bytes);
                }
                let cleared = shelf.clear(&pending, now);
                prop_assert!(cleared.failed.is_none());
                // What is too old, then the oldest of what is too much.
                model.retain(|(since, file, _)| {
                    let keep_for = if file.ends_with(".mp4") { clip_days * DAY } else { days * DAY };
                    now.duration_since(*since).expect("earlier") <= keep_for || pending.contains(file) || held.contains_key(file)
                });
                let mut total: u64 = model.iter().map(|(_, _, bytes)| bytes).sum();
                model.retain(|(_, file, bytes)| {
                    let goes = total > max_bytes && !pending.contains(file) && !held.contains_key(file);
                    total -= if goes { *bytes } else { 0 };
                    !goes
                });
                let held_bytes: u64 = held.values().sum();
                prop_assert_eq!((cleared.held, cleared.held_bytes), (held.len() as u64, held_bytes));
                prop_assert_eq!(cleared.full_of_holds, held_bytes >= max_bytes);
                let expected: BTreeSet<String> = model.iter().map(|(_, file, _)| file.clone()).collect();
                prop_assert_eq!(files(&store), expected);
                prop_assert_eq!(shelf.held(), (model.len() as u64, total));
            }
        }
    }
}

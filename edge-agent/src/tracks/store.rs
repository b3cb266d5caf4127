//! The database of tracks: chunks by camera and time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics::record::{Chunk, Damaged};
use analytics::{CameraId, WallTime};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

/// Format of the database, in `user_version`: since 2 chunks hold signals and the camera's place too.
const FORMAT: i64 = 2;
/// An earlier one whose chunks are still read.
const OLDEST: i64 = 1;

/// A commit need not reach the disk at once: a power cut may lose the last chunks, a crash of the program loses none.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";

const SCHEMA: &str = "
CREATE TABLE chunk (
    number INTEGER PRIMARY KEY,
    camera TEXT NOT NULL,
    session INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    scenes INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX chunk_by_camera ON chunk (camera, number);
";

/// How many tracks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackLimits {
    /// Bytes of chunks; the oldest go.
    pub max_bytes: u64,
    /// For how long; zero: none are kept.
    pub keep_for: Duration,
}

/// Why tracks cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TracksError {
    /// There is none.
    #[error("there are no recorded tracks at {}\n    → `run` keeps them in its storage folder; name the file, or copy it from the box", .0.display())]
    NotThere(PathBuf),
    /// Another version wrote it.
    #[error("{} was written by another version (format {found}; this one reads {FORMAT})\n    → use that version, or let this one record anew", .path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// It cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A chunk cannot be read.
    #[error("tracks of camera {camera} from {began} on: {damage}\n    → replay from a later time: --from")]
    Damaged {
        /// Whose.
        camera: CameraId,
        /// When the chunk begins.
        began: String,
        /// What is wrong.
        damage: Damaged,
    },
}

fn failed(path: &Path, error: &rusqlite::Error) -> TracksError {
    TracksError::Database { path: path.to_owned(), reason: error.to_string() }
}

/// The database, for writing.
#[derive(Debug)]
pub(super) struct TracksStore {
    path: PathBuf,
    limits: TrackLimits,
    db: Connection,
    bytes: i64,
}

impl TracksStore {
    /// Opens it; one that is no sound database is set aside. One that may not be opened or written for now is left where it is.
    pub(super) fn open(path: &Path, limits: TrackLimits) -> Result<Self, TracksError> {
        match open_for_writing(path) {
            Ok((db, bytes)) => Ok(Self { path: path.to_owned(), limits, db, bytes }),
            Err(error) if !is_sound(&error) => {
                let aside = path.with_extension("sqlite.damaged");
                tracing::warn!(%error, aside = %aside.display(), "recorded tracks cannot be read; recording anew");
                let unmoved =
                    |error: std::io::Error| TracksError::Database { path: path.to_owned(), reason: error.to_string() };
                std::fs::rename(path, &aside).map_err(unmoved)?;
                for tail in ["sqlite-wal", "sqlite-shm"] {
                    let _ = std::fs::remove_file(path.with_extension(tail));
                }
                let (db, bytes) = open_for_writing(path).map_err(|error| failed(path, &error))?;
                Ok(Self { path: path.to_owned(), limits, db, bytes })
            }
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Adds a chunk, and drops the oldest beyond the limits; says what it dropped.
    pub(super) fn add(&mut self, camera: &CameraId, session: i64, chunk: &Chunk) -> Result<Dropped, TracksError> {
        let size = chunk.bytes.len() as i64;
        let max_bytes = i64::try_from(self.limits.max_bytes).unwrap_or(i64::MAX);
        let [began, ended] = chunk.captured.map(WallTime::as_unix_nanos);
        let too_old = self.too_old(ended);
        let bytes = self.bytes;
        let added = (|| {
            let transaction = self.db.transaction()?;
            transaction
                .prepare_cached(
                    "INSERT INTO chunk (camera, session, began, ended, scenes, size, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![camera.as_str(), session, began, ended, chunk.scenes as i64, size, chunk.bytes])?;
            let dropped = drop_oldest(&transaction, too_old, bytes + size, max_bytes)?;
            transaction.commit()?;
            Ok((bytes + size - dropped.bytes as i64, dropped))
        })();
        let (left, dropped) = added.map_err(|error: rusqlite::Error| failed(&self.path, &error))?;
        self.bytes = left;
        Ok(dropped)
    }

    /// Drops what is too old at `now`, though nothing comes.
    pub(super) fn sweep(&mut self, now: WallTime) -> Result<Dropped, TracksError> {
        let (too_old, bytes) = (self.too_old(now.as_unix_nanos()), self.bytes);
        let swept = (|| {
            let transaction = self.db.transaction()?;
            let dropped = drop_oldest(&transaction, too_old, bytes, i64::MAX)?;
            transaction.commit()?;
            Ok(dropped)
        })();
        let dropped = swept.map_err(|error: rusqlite::Error| failed(&self.path, &error))?;
        self.bytes -= dropped.bytes as i64;
        Ok(dropped)
    }

    fn too_old(&self, now: i64) -> i64 {
        now.saturating_sub(i64::try_from(self.limits.keep_for.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// Chunks that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
}

fn drop_oldest(db: &Connection, too_old: i64, mut bytes: i64, max_bytes: i64) -> rusqlite::Result<Dropped> {
    let mut dropped = Dropped::default();
    while let Some((number, size)) = oldest(db, too_old, bytes > max_bytes)? {
        db.prepare_cached("DELETE FROM chunk WHERE number = ?")?.execute([number])?;
        bytes -= size;
        dropped.chunks += 1;
        dropped.bytes += size as u64;
    }
    Ok(dropped)
}

/// The oldest chunk, when it is too old or there are too many.
fn oldest(db: &Connection, too_old: i64, too_many: bool) -> rusqlite::Result<Option<(i64, i64)>> {
    db.prepare_cached("SELECT number, size FROM chunk WHERE ?2 OR ended < ?1 ORDER BY number LIMIT 1")?
        .query_row(params![too_old, too_many], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Whether the trouble is the disk's or the permissions', so that the database may be as it should.
fn is_sound(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    let code = error.sqlite_error_code();
    let of_disk = [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly];
    code.is_some_and(|code| of_disk.contains(&code) || code == SystemIoFailure)
}

fn open_for_writing(path: &Path) -> rusqlite::Result<(Connection, i64)> {
    let db = Connection::open(path)?;
    db.execute_batch(PRAGMAS)?;
    let format: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format == 0 {
        db.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    } else if !(OLDEST..=FORMAT).contains(&format) {
        return Err(rusqlite::Error::InvalidQuery);
    } else if format != FORMAT {
        // What is there stays readable; an earlier program must not take the new chunks for damaged ones.
        db.pragma_update(None, "user_version", FORMAT)?;
        tracing::info!(from = format, to = FORMAT, "recorded tracks upgraded: signals are kept from now on");
    }
    let bytes = db.query_row("SELECT COALESCE(SUM(size), 0) FROM chunk", [], |row| row.get(0))?;
    Ok((db, bytes))
}

/// A chunk as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Number of the camera's session: track ids of two sessions have nothing in common.
    pub session: i64,
    /// When its first scene was captured.
    pub began: WallTime,
    /// The scenes.
    pub bytes: Vec<u8>,
}

/// The database, for reading.
#[derive(Debug)]
pub struct TracksReader {
    path: PathBuf,
    db: Connection,
}

impl TracksReader {
    /// Opens it.
    ///
    /// # Errors
    /// It is not there, of another format, or no database.
    pub fn open(path: &Path) -> Result<Self, TracksError> {
        if !path.is_file() {
            return Err(TracksError::NotThere(path.to_owned()));
        }
        let read = || {
            let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Ok((db, found))
        };
        let (db, found) = read().map_err(|error| failed(path, &error))?;
        if !(OLDEST..=FORMAT).contains(&found) {
            return Err(TracksError::OtherFormat { path: path.to_owned(), found });
        }
        Ok(Self { path: path.to_owned(), db })
    }

    /// The cameras that it has something of, by id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn cameras(&self) -> Result<Vec<CameraId>, TracksError> {
        let read = || {
            let mut statement = self.db.prepare("SELECT DISTINCT camera FROM chunk ORDER BY camera")?;
            let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
            ids.collect::<rusqlite::Result<Vec<String>>>()
        };
        let ids = read().map_err(|error| failed(&self.path, &error))?;
        Ok(ids.iter().filter_map(|id| CameraId::new(id).ok()).collect())
    }

    /// Gives the chunks of a camera that touch a span of time, oldest first, one at a time.
    ///
    /// # Errors
    /// The database cannot be read, or `each` fails.
    pub fn chunks<E: From<TracksError>>(
        &self,
        camera: &CameraId,
        span: [WallTime; 2],
        mut each: impl FnMut(Kept) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: rusqlite::Error| E::from(failed(&self.path, &error));
        let mut statement = self
            .db
            .prepare("SELECT session, began, body FROM chunk WHERE camera = ?1 AND ended >= ?2 AND began <= ?3 ORDER BY number")
            .map_err(failed)?;
        let [from, until] = span.map(WallTime::as_unix_nanos);
        let mut rows = statement.query(params![camera.as_str(), from, until]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let kept = (|| {
                Ok(Kept { session: row.get(0)?, began: WallTime::from_unix_nanos(row.get(1)?), bytes: row.get(2)? })
            })();
            each(kept.map_err(failed)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::FILE;

    const SECOND: i64 = 1_000_000_000;
    const ALL: [WallTime; 2] = [WallTime::from_unix_nanos(0), WallTime::from_unix_nanos(i64::MAX)];

    fn camera(id: &str) -> CameraId {
        CameraId::new(id).expect("an id")
    }

    fn chunk(minute: i64, size: usize) -> Chunk {
        let captured = [minute * 60, minute * 60 + 59].map(|second| WallTime::from_unix_nanos(second * SECOND));
        Chunk { captured, scenes: 300, bytes: vec![minute as u8; size] }
    }

    fn minutes(path: &Path, id: &str, span: [WallTime; 2]) -> Vec<u8> {
        let mut found = Vec::new();
        let reader = TracksReader::open(path).expect("readable");
        let each = |kept: Kept| -> Result<(), TracksError> {
            found.push(kept.bytes[0]);
            Ok(())
        };
        reader.chunks(&camera(id), span, each).expect("read");
        found
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes_or_they_are_too_old() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let limits = TrackLimits { max_bytes: 1000, keep_for: Duration::from_secs(600) };
        let mut store = TracksStore::open(&path, limits).expect("opens");
        for minute in 0..8 {
            store.add(&camera("nam"), 1, &chunk(minute, 200)).expect("written");
        }
        assert_eq!(minutes(&path, "nam", ALL), [3, 4, 5, 6, 7]);
        store.add(&camera("bac"), 1, &chunk(16, 200)).expect("written");
        assert_eq!(minutes(&path, "nam", ALL), [6, 7], "older than ten minutes");
        assert_eq!(minutes(&path, "bac", ALL), [16]);
    }

    #[test]
    fn what_is_too_old_goes_though_nothing_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let limits = TrackLimits { max_bytes: 1 << 20, keep_for: Duration::from_secs(600) };
        let mut store = TracksStore::open(&path, limits).expect("opens");
        for minute in 0..8 {
            assert_eq!(store.add(&camera("nam"), 1, &chunk(minute, 200)).expect("written"), Dropped::default());
        }
        let now = WallTime::from_unix_nanos(13 * 60 * SECOND);
        assert_eq!(store.sweep(now).expect("swept"), Dropped { chunks: 3, bytes: 600 });
        assert_eq!(minutes(&path, "nam", ALL), [3, 4, 5, 6, 7]);
        assert_eq!(store.sweep(now).expect("swept"), Dropped::default());
    }

    #[test]
    fn a_span_of_time_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let limits = TrackLimits { max_bytes: 1 << 20, keep_for: Duration::from_secs(86_400) };
        let mut store = TracksStore::open(&path, limits).expect("opens");
        (0..10).for_each(|minute| assert!(store.add(&camera("nam"), 1, &chunk(minute, 10)).is_ok()));
        let span = [150, 240].map(|second| WallTime::from_unix_nanos(second * SECOND));
        assert_eq!(minutes(&path, "nam", span), [2, 3, 4]);
        assert_eq!(TracksReader::open(&path).expect("readable").cameras().expect("read"), [camera("nam")]);
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let limits = TrackLimits { max_bytes: 1 << 20, keep_for: Duration::from_secs(86_400) };
        TracksStore::open(&path, limits).expect("opens").add(&camera("nam"), 1, &chunk(1, 10)).expect("written");
        let set = |format: i64| {
            let db = Connection::open(&path).expect("opens");
            db.pragma_update(None, "user_version", format).expect("set");
        };
        set(1);
        assert_eq!(minutes(&path, "nam", ALL), [1]);
        TracksStore::open(&path, limits).expect("opens").add(&camera("nam"), 1, &chunk(2, 10)).expect("written");
        assert_eq!(minutes(&path, "nam", ALL), [1, 2]);
        assert!(!path.with_extension("sqlite.damaged").exists());
        set(FORMAT + 1);
        assert!(matches!(TracksReader::open(&path), Err(TracksError::OtherFormat { .. })), "of a later version");
    }

    #[test]
    fn what_is_no_database_is_set_aside_for_writing_and_an_error_for_reading() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        assert!(matches!(TracksReader::open(&path), Err(TracksError::NotThere(_))));
        std::fs::write(&path, "no database at all, but long enough to be taken for one".repeat(100)).expect("written");
        assert!(matches!(TracksReader::open(&path), Err(TracksError::Database { .. })));
        let limits = TrackLimits { max_bytes: 1000, keep_for: Duration::from_secs(600) };
        let mut store = TracksStore::open(&path, limits).expect("begun anew");
        store.add(&camera("nam"), 1, &chunk(1, 10)).expect("written");
        assert!(path.with_extension("sqlite.damaged").is_file());
        assert_eq!(minutes(&path, "nam", ALL), [1]);
    }
}

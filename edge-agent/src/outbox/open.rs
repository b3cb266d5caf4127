//! Opening the database; setting a damaged one aside.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, params};
use uuid::Uuid;

use super::store::{State, Store};
use super::{OutboxError, OutboxLimits, audit_head, command, parked, sum, thumbnail};
use crate::publish::Topics;
use crate::publish::wire::{self, SystemKind, UtcMillis};

/// Format of the database, in `user_version`.
const FORMAT: i64 = 3;

const SCHEMA: &str = "
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    outbox_id TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    session INTEGER NOT NULL
);
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    severity INTEGER NOT NULL,
    keep INTEGER NOT NULL,
    topic TEXT NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX entry_by_incident ON entry (incident, sequence);
CREATE INDEX entry_critical ON entry (sequence) WHERE severity = 3;
CREATE INDEX entry_droppable ON entry (keep, severity, sequence) WHERE keep < 2;
CREATE TABLE payload (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE open_incident (
    incident TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    about_zone INTEGER NOT NULL,
    tracks TEXT NOT NULL,
    last_event_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX open_incident_by_camera ON open_incident (camera);
";

/// What format 2 adds: incidents that may still be revised, and thumbnails.
const SCHEMA_2: &str = "
CREATE TABLE incident (
    incident TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    pending INTEGER NOT NULL,
    topic TEXT,
    body BLOB
) WITHOUT ROWID;
CREATE INDEX incident_pending ON incident (incident) WHERE pending;
CREATE TABLE thumbnail (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    severity INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX thumbnail_droppable ON thumbnail (severity, number, bytes);
";

/// What format 3 adds: traffic measures, which have a lane of their own among the entries.
const SCHEMA_3: &str = "
CREATE TABLE running_measure (camera TEXT PRIMARY KEY, sums TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX entry_of_event ON entry (sequence) WHERE keep >= 0;
CREATE INDEX entry_of_measure ON entry (sequence) WHERE keep < 0;
";

/// In format 1 the revision stood with the open incident.
const FROM_1_TO_2: &str = "
INSERT INTO incident (incident, revision, evidence, pending) SELECT incident, revision, '[]', 0 FROM open_incident;
ALTER TABLE open_incident DROP COLUMN revision;
";

/// Opens the database, or sets it aside and opens a new one when it cannot be read.
pub(super) fn open(path: &Path, limits: OutboxLimits, topics: &Topics) -> Result<Store, OutboxError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unopened(path, &error))?;
    }
    let opened = if is_emptied(path) { Err(emptied()) } else { open_database(path) };
    let (db, state, set_aside) = match opened {
        Ok((db, state)) => (db, state, None),
        Err(Refused::Damaged(_)) => {
            let aside = set_aside(path).map_err(|error| unopened(path, &error))?;
            let (db, state) = open_database(path).map_err(|refused| refused.into_error(path))?;
            (db, state, Some(aside))
        }
        Err(refused) => return Err(refused.into_error(path)),
    };
    let mut store = Store {
        path: path.to_owned(),
        limits,
        topics: topics.clone(),
        db,
        state,
        handed_out: Vec::new(),
        set_aside: None,
    };
    if let Some(aside) = set_aside {
        store.report_set_aside(aside).map_err(|error| OutboxError::Storage { reason: error.to_string() })?;
    }
    Ok(store)
}

impl Store {
    /// Puts the damaged database aside and goes on with a new one.
    pub(super) fn replace_damaged(&mut self) -> Result<(), OutboxError> {
        // SQLite must let go of the files before they are renamed.
        let memory = Connection::open_in_memory().map_err(|error| unopened(&self.path, &error))?;
        drop(std::mem::replace(&mut self.db, memory));
        let aside = set_aside(&self.path).map_err(|error| unopened(&self.path, &error))?;
        let (db, mut state) = open_database(&self.path).map_err(|refused| refused.into_error(&self.path))?;
        // Session numbers must not start again: a late will of an older session would pass for the present one.
        state.session = state.session.max(self.state.session);
        state.lost_total = self.state.lost_total;
        state.thumbnails_dropped = self.state.thumbnails_dropped;
        self.db = db;
        self.state = state;
        self.handed_out.clear();
        self.report_set_aside(aside).map_err(|error| OutboxError::Storage { reason: error.to_string() })
    }

    fn report_set_aside(&mut self, aside: PathBuf) -> rusqlite::Result<()> {
        tracing::error!(file = %aside.display(), "the outbox was damaged and set aside; unsent events may be lost");
        let topics = &self.topics;
        let mut event =
            wire::system(SystemKind::OutboxSetAside, &topics.source(), topics.box_id().as_str(), UtcMillis::now());
        event.data.file = aside.file_name().map(|name| name.to_string_lossy().into_owned());
        self.set_aside = Some(aside);
        self.commit_system(event)
    }
}

/// Whether the file is there and holds nothing: SQLite would take it for a new one, and nobody would hear of the loss. (A box
/// whose power goes in the very instant in which it makes its first outbox announces a loss that was none.)
fn is_emptied(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|of| of.is_file() && of.len() == 0)
}

fn emptied() -> Refused {
    Refused::Damaged(rusqlite::Error::QueryReturnedNoRows)
}

/// Whether SQLite says that the file is no sound database.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

enum Refused {
    Damaged(rusqlite::Error),
    Newer(i64),
    Other(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { Self::Damaged(error) } else { Self::Other(error) }
    }
}

impl Refused {
    fn into_error(self, path: &Path) -> OutboxError {
        match self {
            Self::Newer(found) => OutboxError::Newer { path: path.to_owned(), found, known: FORMAT },
            Self::Other(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) =>
            {
                OutboxError::InUse { path: path.to_owned() }
            }
            Self::Damaged(error) | Self::Other(error) => unopened(path, &error),
        }
    }
}

fn unopened(path: &Path, error: &dyn std::error::Error) -> OutboxError {
    OutboxError::Unopened { path: path.to_owned(), reason: error.to_string() }
}

fn open_database(path: &Path) -> Result<(Connection, State), Refused> {
    let mut db = Connection::open(path)?;
    // Exclusive: a second process is refused instead of sending everything twice. The lock dies with its process.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(32);
    match db.query_row("PRAGMA user_version", [], |row| row.get(0))? {
        0 => create(&mut db)?,
        1 => migrate_from_1(&mut db)?,
        2 => migrate_from_2(&mut db)?,
        FORMAT => {}
        found => return Err(Refused::Newer(found)),
    }
    db.execute_batch(parked::SCHEMA)?;
    sum::prepare(&db)?;
    db.execute_batch(command::SCHEMA)?;
    db.execute_batch(audit_head::SCHEMA)?;
    db.execute_batch(thumbnail::SCHEMA)?;
    let state = read_state(&db)?;
    Ok((db, state))
}

fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(SCHEMA_2)?;
    transaction.execute_batch(SCHEMA_3)?;
    transaction.execute("INSERT INTO meta VALUES (1, ?1, 0, 0)", [wire::new_id().to_string()])?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn migrate_from_1(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    transaction.execute_batch(SCHEMA_2)?;
    transaction.execute_batch(FROM_1_TO_2)?;
    transaction.execute_batch(SCHEMA_3)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn migrate_from_2(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    transaction.execute_batch(SCHEMA_3)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn read_state(db: &Connection) -> Result<State, Refused> {
    let (outbox_id, last_sequence, session): (String, i64, i64) = db
        .query_row("SELECT outbox_id, last_sequence, session FROM meta WHERE one = 1", params![], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .map_err(|error| match error {
            // A database without its one row was not written by this program.
            rusqlite::Error::QueryReturnedNoRows => Refused::Damaged(error),
            error => error.into(),
        })?;
    let outbox_id = Uuid::parse_str(&outbox_id)
        .map_err(|_| Refused::Damaged(rusqlite::Error::InvalidColumnName("outbox_id".to_owned())))?;
    let (pending, pending_bytes): (i64, i64) =
        db.query_row("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM entry", params![], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (thumbnails, thumbnail_bytes) = thumbnail::totals(db)?;
    Ok(State {
        outbox_id,
        last_sequence: last_sequence as u64,
        session: session as u64,
        pending: pending as u64,
        pending_bytes: pending_bytes as u64,
        lost_total: 0,
        thumbnails,
        thumbnail_bytes,
        thumbnails_dropped: 0,
        acks: command::waiting(db)?,
        overflow: None,
    })
}

/// Renames the database and its log to the first free `….damaged-N`.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let name = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = (1_u32..)
        .map(|n| name(&format!(".damaged-{n}")))
        .find(|aside| !aside.exists())
        .expect("there are more numbers than files");
    std::fs::rename(path, &aside)?;
    for log in ["-wal", "-shm"] {
        let mut to = aside.as_os_str().to_owned();
        to.push(log);
        match std::fs::rename(name(log), to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

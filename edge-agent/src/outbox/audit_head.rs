//! The last line of the audit log, kept beside the log: a log whose end was cut off is found by it.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, params};

use super::OutboxError;
use crate::audit::Head;
use crate::publish::wire::LineHash;

/// A table that older versions do not know and do not touch: no format of its own.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, hash TEXT NOT NULL);
";

pub(super) fn save(transaction: &Transaction<'_>, head: Head) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO audit_head (one, number, hash) VALUES (1, ?1, ?2)")?
        .execute(params![head.number as i64, head.hash.to_string()])?;
    Ok(())
}

/// What was last kept; `None` where nothing was, or this version cannot read it.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Option<Head>> {
    let row: Option<(i64, String)> = db
        .prepare_cached("SELECT number, hash FROM audit_head WHERE one = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.and_then(|(number, hash)| Some(Head { number: number as u64, hash: LineHash::parse(&hash)? })))
}

/// What an outbox that no service uses has kept of the audit log; `None` where there is nothing of it.
///
/// # Errors
/// The service uses it, or it cannot be read.
pub fn stored(path: &Path) -> Result<Option<Head>, OutboxError> {
    if !path.exists() {
        return Ok(None);
    }
    let read = || {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.execute_batch(SCHEMA)?;
        load(&db)
    };
    read().map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OutboxError::InUse { path: path.to_owned() },
        _ => OutboxError::Unopened { path: path.to_owned(), reason: error.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::OutboxLimits;
    use crate::outbox::store::Writes;
    use crate::outbox::tests::open_store;

    #[test]
    fn the_last_line_is_there_after_a_restart_and_nobody_reads_it_beside_the_service() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = |number| Head { number, hash: LineHash::of(&[number as u8]) };
        let mut store = open_store(folder.path(), OutboxLimits::default());
        assert_eq!(store.audit_head(), Ok(None));
        for number in [7, 8] {
            store.apply(&Writes { audit_head: Some(head(number)), ..Default::default() }).expect("writes");
        }
        let path = store.path.clone();
        assert!(matches!(stored(&path), Err(OutboxError::InUse { .. })));
        drop(store);
        assert_eq!(stored(&path), Ok(Some(head(8))));
        assert_eq!(open_store(folder.path(), OutboxLimits::default()).audit_head(), Ok(Some(head(8))));
        assert_eq!(stored(&folder.path().join("nowhere.sqlite")), Ok(None));
    }
}

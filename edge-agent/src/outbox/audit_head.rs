//! The last line of the audit log, kept beside the log: a log whose end was cut off is found by it.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

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

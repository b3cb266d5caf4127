//! Thumbnails that wait for the centre. They have no sequence number (a gap among those means a lost event), give way to
//! every event, and are the first to go when the outbox is full.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::OutboxLimits;
use super::store::State;
use crate::publish::wire::{Severity, UtcMillis};

/// When each was kept, in milliseconds of the Unix epoch. A table that older versions do not know and do not touch.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS thumbnail_age (number INTEGER PRIMARY KEY, at INTEGER NOT NULL);
";

/// What older versions left has no time, what they sent has one still.
const MEND: &str = "
DELETE FROM thumbnail_age WHERE number NOT IN (SELECT number FROM thumbnail);
INSERT OR IGNORE INTO thumbnail_age SELECT number, 0 FROM thumbnail;
";

/// A time before this was told by a clock that was not set: 2026.
const CLOCK_WAS_NOT_SET: i64 = 1_767_225_600_000;

/// A thumbnail as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Which outbox it is from.
    pub outbox_id: Uuid,
    /// Names it there; never used twice.
    pub number: u64,
    /// Where to.
    pub topic: String,
    /// A JPEG.
    pub payload: Vec<u8>,
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    state: &mut State,
    severity: Severity,
    topic: &str,
    body: &[u8],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO thumbnail (severity, bytes, topic, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![severity as i64, body.len() as i64, topic, body])?;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO thumbnail_age (number, at) VALUES (?1, ?2)")?
        .execute(params![transaction.last_insert_rowid(), UtcMillis::now().as_unix_millis()])?;
    state.thumbnails += 1;
    state.thumbnail_bytes += body.len() as u64;
    Ok(())
}

/// The newest: what is live before what is late.
pub(super) fn next(db: &Connection, outbox_id: Uuid) -> rusqlite::Result<Option<Thumbnail>> {
    db.prepare_cached("SELECT number, topic, body FROM thumbnail ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| {
            let number: i64 = row.get(0)?;
            Ok(Thumbnail { outbox_id, number: number as u64, topic: row.get(1)?, payload: row.get(2)? })
        })
        .optional()
}

/// Deletes one, if it is there.
pub(super) fn remove(transaction: &Transaction<'_>, state: &mut State, number: u64) -> rusqlite::Result<()> {
    let bytes: Option<i64> = transaction
        .prepare_cached("DELETE FROM thumbnail WHERE number = ?1 RETURNING bytes")?
        .query_row([number as i64], |row| row.get(0))
        .optional()?;
    transaction.prepare_cached("DELETE FROM thumbnail_age WHERE number = ?1")?.execute([number as i64])?;
    if let Some(bytes) = bytes {
        state.thumbnails -= 1;
        state.thumbnail_bytes -= bytes as u64;
    }
    Ok(())
}

/// Drops those that the limits do not hold beside the events: of the lowest severity, oldest first.
pub(super) fn make_room(
    transaction: &Transaction<'_>,
    state: &mut State,
    limits: OutboxLimits,
) -> rusqlite::Result<()> {
    while state.thumbnails > 0 && state.pending_bytes + state.thumbnail_bytes > limits.max_bytes {
        let victim: i64 = transaction
            .prepare_cached("SELECT number FROM thumbnail ORDER BY severity, number LIMIT 1")?
            .query_row([], |row| row.get(0))?;
        remove(transaction, state, victim as u64)?;
        state.thumbnails_dropped += 1;
    }
    Ok(())
}

/// Thumbnails that are to go because of their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooOld {
    /// By a clock that can be believed.
    pub(super) now: UtcMillis,
    /// Kept before this.
    pub(super) before: UtcMillis,
}

/// Drops what is too old; how many, and their bytes. What was kept while the clock was not set is as old as its discovery.
pub(super) fn drop_old(
    transaction: &Transaction<'_>,
    state: &mut State,
    TooOld { now, before }: TooOld,
) -> rusqlite::Result<(u64, u64)> {
    transaction.execute_batch(MEND)?;
    transaction
        .prepare_cached("UPDATE thumbnail_age SET at = ?1 WHERE at < ?2")?
        .execute([now.as_unix_millis(), CLOCK_WAS_NOT_SET])?;
    let (count, bytes) = (state.thumbnails, state.thumbnail_bytes);
    let old: Vec<i64> = transaction
        .prepare_cached("SELECT number FROM thumbnail_age WHERE at < ?1")?
        .query_map([before.as_unix_millis()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for number in old {
        remove(transaction, state, number as u64)?;
    }
    state.thumbnails_dropped += count - state.thumbnails;
    Ok((count - state.thumbnails, bytes - state.thumbnail_bytes))
}

/// How many there are, and their bytes.
pub(super) fn totals(db: &Connection) -> rusqlite::Result<(u64, u64)> {
    db.query_row("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM thumbnail", [], |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
    })
}

//! A sum of every stored event: SQLite notices a page that makes no sense, not a letter that is another one.
//!
//! What does not agree with its sum is not sent: it is set aside in a table of its own, for who is to find out why, and
//! announced with its number in the same transaction. Events that an older version stored have no sum.

use rusqlite::{Connection, Error, Transaction, params};
use sha2::{Digest, Sha256};

use super::store::{State, insert_system, remove};
use crate::publish::Topics;
use crate::publish::wire::{self, Lost, Sequence, SystemKind, UtcMillis};

/// Damaged events that are kept at most, the newest.
const MOST: i64 = 100;

/// A table and a column that older versions do not know and do not touch: no format of their own.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS damaged (sequence INTEGER PRIMARY KEY, topic BLOB, body BLOB);
";

pub(super) fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(SCHEMA)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('payload') WHERE name = 'sum')";
    let is_there: bool = db.query_row(sql, [], |row| row.get(0))?;
    if is_there { Ok(()) } else { db.execute_batch("ALTER TABLE payload ADD COLUMN sum INTEGER") }
}

/// Of an event in its place: also one that lies under another's number is noticed.
pub(super) fn of(sequence: u64, topic: &str, body: &[u8]) -> i64 {
    let mut digest = Sha256::new();
    digest.update(sequence.to_be_bytes());
    digest.update((topic.len() as u64).to_be_bytes());
    digest.update(topic);
    digest.update(body);
    let digest = digest.finalize();
    i64::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}

/// Whether a row cannot be read as what was written: it is of another type, no text, or half of it is missing.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidColumnType(..)
            | Error::FromSqlConversionFailure(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows
    )
}

/// Takes a damaged event out of what is sent, and announces its loss.
pub(super) fn set_aside(
    transaction: &Transaction<'_>,
    state: &mut State,
    topics: &Topics,
    sequence: u64,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO damaged (sequence, topic, body)
         SELECT sequence, CAST(topic AS BLOB), CAST(body AS BLOB) FROM entry LEFT JOIN payload USING (sequence)
         WHERE sequence = ?1",
        [sequence as i64],
    )?;
    transaction.execute(
        "DELETE FROM damaged WHERE sequence NOT IN (SELECT sequence FROM damaged ORDER BY sequence DESC LIMIT ?1)",
        params![MOST],
    )?;
    remove(transaction, state, sequence)?;
    let (source, subject) = (topics.source(), topics.box_id().as_str());
    let mut event = wire::system(SystemKind::EventDamaged, &source, subject, UtcMillis::now());
    event.data.lost = Some(Lost { count: 1, ranges: vec![[Sequence(sequence); 2]] });
    insert_system(transaction, state, &mut event, topics)
}

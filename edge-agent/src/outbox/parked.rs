//! What stands before each camera, for the session after a restart.
//!
//! One row a camera, replaced as a whole: it is small, and what it says is worth nothing in part. It is no event: nothing is
//! lost when it cannot be written.

use analytics::{BBox, CameraId, Class, MediaTime, Parked, WallTime, Way};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::store::json;

/// A table that older versions do not know and do not touch: no format of its own.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS parked (camera TEXT PRIMARY KEY, things TEXT NOT NULL) WITHOUT ROWID;
";

/// Class, box, since when, and how far it was seen to come in box heights and in metres.
type Row = (String, [f32; 4], i64, f64, Option<f64>);

/// Replaces what is known to stand before `camera`.
pub(super) fn save(transaction: &Transaction<'_>, camera: &CameraId, things: &[Parked]) -> rusqlite::Result<()> {
    let rows: Vec<Row> = things
        .iter()
        .map(|thing| {
            let b = thing.bbox;
            let corners = [b.left(), b.top(), b.right(), b.bottom()];
            let came = thing.came;
            (thing.class.label().to_owned(), corners, thing.stopped_at.as_unix_nanos(), came.heights, came.metres)
        })
        .collect();
    transaction
        .prepare_cached("INSERT OR REPLACE INTO parked (camera, things) VALUES (?1, ?2)")?
        .execute(params![camera.as_str(), json(&rows)])?;
    Ok(())
}

/// What was known to stand before `camera`; what this version cannot read is left out.
pub(super) fn load(db: &Connection, camera: &CameraId) -> rusqlite::Result<Vec<Parked>> {
    let text: Option<String> = db
        .prepare_cached("SELECT things FROM parked WHERE camera = ?1")?
        .query_row([camera.as_str()], |row| row.get(0))
        .optional()?;
    let rows: Vec<Row> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Ok(rows.into_iter().filter_map(thing).collect())
}

fn thing((class, [left, top, right, bottom], stopped_at, heights, metres): Row) -> Option<Parked> {
    Some(Parked {
        track: None,
        class: Class::from_label(&class)?,
        bbox: BBox::new(left, top, right, bottom)?,
        since: MediaTime::ZERO,
        stopped_at: WallTime::from_unix_nanos(stopped_at),
        last_seen: MediaTime::ZERO,
        stood: std::time::Duration::ZERO,
        came: Way { heights, metres },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::OutboxLimits;
    use crate::outbox::store::{Store, Writes};
    use crate::outbox::tests::{camera, open_store};

    fn save(store: &mut Store, things: Vec<Parked>) {
        store.apply(&Writes { parked: vec![(camera(), things)], ..Default::default() }).expect("writes");
    }

    fn parked(class: Class, left: f32) -> Parked {
        let bbox = [left, 0.2, left + 0.1, 0.4];
        thing((class.label().to_owned(), bbox, 1_800_000_000_000_000_001, 3.25, None)).expect("a thing")
    }

    #[test]
    fn what_stands_is_there_after_a_restart_and_only_the_latest() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = open_store(folder.path(), OutboxLimits::default());
        save(&mut store, vec![parked(Class::Car, 0.1), parked(Class::Bus, 0.5)]);
        save(&mut store, vec![parked(Class::Bus, 0.5)]);
        drop(store);
        let store = open_store(folder.path(), OutboxLimits::default());
        assert_eq!(load(&store.db, &camera()).expect("reads"), [parked(Class::Bus, 0.5)]);
        let other = CameraId::new("another").expect("valid");
        assert_eq!(load(&store.db, &other).expect("reads"), []);
    }
}

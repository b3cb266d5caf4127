//! Traffic measures in the outbox: intervals that are over wait for the centre as events do, in their own lane behind them;
//! of the one that runs, the sums are kept so that the next session goes on from them.
//!
//! Both change in one transaction: an interval is counted on or told, never both and never twice.

use analytics::CameraId;
use analytics::measure::Tally;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::store::{KEEP_MEASURE, Row, State, insert, json};
use crate::publish::Topics;
use crate::publish::wire::{Measurement, Sequence, Severity, Stamp, UtcMillis};

/// What a camera's measures hand over.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureRecord {
    camera: CameraId,
    topic: String,
    closed: Vec<Measurement>,
    /// JSON; `None`: nothing runs.
    running: Option<String>,
}

impl MeasureRecord {
    /// Intervals of `camera` that are over, and the sums of the running one.
    #[must_use]
    pub fn new(topics: &Topics, camera: &CameraId, closed: Vec<Measurement>, running: Option<&Tally>) -> Self {
        Self { camera: camera.clone(), topic: topics.measure(camera), closed, running: running.map(json) }
    }

    /// How many intervals are over.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.closed.len()
    }
}

/// Stores what is over under the next sequence numbers, and the running sums in place of the earlier ones.
pub(super) fn record(
    transaction: &Transaction<'_>,
    state: &mut State,
    record: &MeasureRecord,
    recorded_at: UtcMillis,
) -> rusqlite::Result<Vec<Sequence>> {
    let mut given = Vec::with_capacity(record.closed.len());
    for measurement in &record.closed {
        let sequence = Sequence(state.last_sequence + 1);
        let mut measurement = measurement.clone();
        measurement.stamp(Stamp { sequence, recorded_at, outbox_id: state.outbox_id });
        let payload = measurement.to_bytes();
        // Each is its own: none waits for another, as revisions of an incident do.
        let row = Row {
            incident: measurement.id,
            severity: Severity::Info,
            keep: KEEP_MEASURE,
            topic: &record.topic,
            payload,
        };
        insert(transaction, state, row)?;
        given.push(sequence);
    }
    match &record.running {
        Some(sums) => transaction
            .prepare_cached("INSERT OR REPLACE INTO running_measure (camera, sums) VALUES (?1, ?2)")?
            .execute([record.camera.as_str(), sums])?,
        None => transaction
            .prepare_cached("DELETE FROM running_measure WHERE camera = ?1")?
            .execute([record.camera.as_str()])?,
    };
    Ok(given)
}

/// The sums of the interval that ran when a camera's measures were last recorded; `None` too for what another version wrote
/// and this one cannot read.
pub(super) fn running(db: &Connection, camera: &CameraId) -> rusqlite::Result<Option<Tally>> {
    let sums: Option<String> = db
        .prepare_cached("SELECT sums FROM running_measure WHERE camera = ?1")?
        .query_row([camera.as_str()], |row| row.get(0))
        .optional()?;
    Ok(sums.and_then(|sums| serde_json::from_str(&sums).ok()))
}

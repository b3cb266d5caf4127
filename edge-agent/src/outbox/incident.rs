//! What the outbox remembers of an incident that may still be revised: one that is open, or whose evidence is pending.
//!
//! The outbox gives revisions as it gives sequence numbers, at commit: the core's own events and those that say what
//! became of the evidence come from two threads, and their numbers must ascend by one whatever interleaves.

use analytics::CameraId;
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::store::{KEEP_UPDATE, Row, State, insert, json};
use super::{command, thumbnail};
use crate::evidence::EvidenceName;
use crate::publish::Topics;
use crate::publish::wire::{self, Evidence, Incident, Phase, Sequence, Shown, Stamp, UtcMillis};

/// A piece of evidence whose file is not known to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvidence {
    /// The incident.
    pub incident: Uuid,
    /// Name of the piece.
    pub name: EvidenceName,
}

/// What became of a pending piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The piece.
    pub of: PendingEvidence,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a piece of evidence ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its file is whole and durable.
    Ready {
        /// Digest of the file, hexadecimal.
        sha256: String,
        /// Size of the file.
        bytes: u64,
        /// What is sent to the centre; `None`: there is only the file.
        thumbnail: Option<Vec<u8>>,
        /// What it shows; `None`: made by a run that ended before it was told.
        shown: Option<Shown>,
    },
    /// There will be none.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What is remembered.
struct Known {
    revision: u32,
    evidence: Vec<Evidence>,
}

fn find(transaction: &Transaction<'_>, incident: Uuid) -> rusqlite::Result<Option<Known>> {
    transaction
        .prepare_cached("SELECT revision, evidence FROM incident WHERE incident = ?1")?
        .query_row([incident.to_string()], |row| {
            let evidence: String = row.get(1)?;
            // What this version cannot read it cannot settle either.
            Ok(Known { revision: row.get(0)?, evidence: serde_json::from_str(&evidence).unwrap_or_default() })
        })
        .optional()
}

/// Gives `event` its revision and the evidence as it stands. An incident that is not known keeps what its core says: it
/// begins, or its outbox was set aside.
pub(super) fn revise(transaction: &Transaction<'_>, event: &mut Incident) -> rusqlite::Result<()> {
    if let Some(known) = find(transaction, event.data.incident_id)? {
        event.data.revision = known.revision + 1;
        event.data.evidence = known.evidence;
    }
    command::verify(transaction, event)
}

/// Remembers the event that was committed last, for as long as another one may follow.
pub(super) fn note(
    transaction: &Transaction<'_>,
    event: &Incident,
    topic: &str,
    payload: &[u8],
    is_open: bool,
) -> rusqlite::Result<()> {
    let data = &event.data;
    let incident = data.incident_id.to_string();
    let pending = data.evidence.iter().any(Evidence::is_pending);
    if !is_open && !pending {
        transaction.prepare_cached("DELETE FROM incident WHERE incident = ?1")?.execute([incident])?;
        return Ok(());
    }
    // The event itself is needed only while a revision may have to repeat it.
    let latest = pending.then_some((topic, payload)).unzip();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO incident (incident, revision, evidence, pending, topic, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![incident, data.revision, json(&data.evidence), pending, latest.0, latest.1])?;
    Ok(())
}

/// Commits the revision that says what became of a pending piece; `None` when it is not pending (any more).
pub(super) fn settle(
    transaction: &Transaction<'_>,
    state: &mut State,
    topics: &Topics,
    settlement: &Settlement,
    recorded_at: UtcMillis,
) -> rusqlite::Result<Option<Sequence>> {
    let PendingEvidence { incident, name } = &settlement.of;
    let latest: Option<(String, Vec<u8>)> = transaction
        .prepare_cached("SELECT topic, body FROM incident WHERE incident = ?1 AND pending")?
        .query_row([incident.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((topic, body)) = latest else { return Ok(None) };
    let Ok(mut event) = serde_json::from_slice::<Incident>(&body) else {
        tracing::error!(%incident, "what became of its picture is not told: the event is another version's");
        transaction
            .prepare_cached("UPDATE incident SET pending = 0, evidence = '[]', body = NULL WHERE incident = ?1")?
            .execute([incident.to_string()])?;
        return Ok(None);
    };
    let data = &mut event.data;
    let piece = data.evidence.iter_mut().find(|piece| piece.name == name.as_str() && piece.is_pending());
    let Some(piece) = piece else { return Ok(None) };
    let thumbnail = match &settlement.outcome {
        Outcome::Ready { sha256, bytes, thumbnail, shown } => {
            piece.ready(sha256.clone(), *bytes, *shown);
            thumbnail.as_deref()
        }
        Outcome::Failed { reason } => {
            piece.fail(reason.clone());
            None
        }
    };
    event.id = wire::new_id();
    data.revision += 1;
    data.phase = Phase::Update;
    // Those were told by the event that is repeated.
    data.suppressed = 0;
    command::verify(transaction, &mut event)?;
    let (severity, camera) = (event.data.severity, event.data.camera.id.clone());
    let sequence = Sequence(state.last_sequence + 1);
    event.stamp(Stamp { sequence, recorded_at, outbox_id: state.outbox_id });
    let payload = event.to_bytes();
    let is_open = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM open_incident WHERE incident = ?1)")?
        .query_row([incident.to_string()], |row| row.get(0))?;
    note(transaction, &event, &topic, &payload, is_open)?;
    insert(transaction, state, Row { incident: *incident, severity, keep: KEEP_UPDATE, topic: &topic, payload })?;
    if let (Some(thumbnail), Ok(camera)) = (thumbnail, CameraId::new(&camera)) {
        thumbnail::insert(transaction, state, severity, &topics.evidence(&camera, *incident, name), thumbnail)?;
    }
    Ok(Some(sequence))
}

/// Every piece that is pending, oldest incident first.
pub(super) fn pending(db: &rusqlite::Connection) -> rusqlite::Result<Vec<PendingEvidence>> {
    let mut query = db.prepare_cached("SELECT incident, evidence FROM incident WHERE pending ORDER BY incident")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (incident, evidence) = row?;
        let Ok(incident) = Uuid::parse_str(&incident) else { continue };
        let pieces: Vec<Evidence> = serde_json::from_str(&evidence).unwrap_or_default();
        let names =
            pieces.iter().filter(|piece| piece.is_pending()).filter_map(|piece| EvidenceName::parse(&piece.name));
        found.extend(names.map(|name| PendingEvidence { incident, name }));
    }
    Ok(found)
}

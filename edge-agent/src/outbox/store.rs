//! The database: one transaction a call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use analytics::finding::RuleInfo;
use analytics::incident::OpenIncident;
use analytics::measure::Tally;
use analytics::{BBox, CameraId, Class, Kind, LineId, Parked, RuleId, WallTime, ZoneId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::OutboxLimits;
use super::command::{self, CommandWork, Taken};
use super::draft::{Draft, OpenChange};
use super::incident::{self, PendingEvidence, Settlement};
use super::ledger;
use super::measure::{self, MeasureRecord};
use super::overflow::{Runs, make_room};
use super::thumbnail::{self, Thumbnail, TooOld};
use super::{audit_head, parked, sum};
use crate::audit::Head;
use crate::publish::Topics;
use crate::publish::wire::{self, Phase, Sequence, Severity, Stamp, System, UtcMillis};

/// May be dropped first, second, third, never: the column `keep`.
pub(super) const KEEP_MEASURE: i64 = -1;
pub(super) const KEEP_UPDATE: i64 = 0;
const KEEP_OTHER: i64 = 1;
const KEEP_ALWAYS: i64 = 2;

/// What to send next: the entry of each lane that is due, and only the first pending revision of an incident.
///
/// Live entries (committed after `mark`) come first, oldest first; then critical ones, newest first; then the rest,
/// oldest first; traffic measures after all of these, live ones first. A chosen entry whose incident has an older revision pending gives its place to that one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NextRequest {
    /// The last sequence number given when the present connection was made: what is later is live.
    pub mark: Sequence,
    /// Sequence numbers not to touch, and whose incidents not to touch: in flight, or refused a moment ago.
    pub held: Vec<Sequence>,
    /// Topics not to touch: the broker refuses them.
    pub held_topics: Vec<String>,
    /// How many entries at most.
    pub limit: usize,
    /// How many of them may have been committed before the connection.
    pub backlog: usize,
}

/// An entry as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which outbox it is from.
    pub outbox_id: Uuid,
    /// Its number there.
    pub sequence: Sequence,
    /// Where to.
    pub topic: String,
    /// The event; `replayed` is set as it must be.
    pub payload: Vec<u8>,
    /// Committed before the connection.
    pub replayed: bool,
}

/// What one transaction does.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) delivered: Vec<Sequence>,
    pub(super) commits: Vec<Arc<[Draft]>>,
    pub(super) settlements: Vec<Arc<Settlement>>,
    pub(super) records: Vec<Arc<MeasureRecord>>,
    pub(super) announcements: Vec<Arc<System>>,
    /// Thumbnails that were acknowledged, or given up.
    pub(super) thumbnails_done: Vec<u64>,
    /// What commands do, in order.
    pub(super) orders: Vec<Arc<CommandWork>>,
    /// Answers to commands that were acknowledged.
    pub(super) acks_done: Vec<u64>,
    pub(super) session: bool,
    /// What stands before cameras.
    pub(super) parked: Vec<(CameraId, Vec<Parked>)>,
    /// The last line of the audit log.
    pub(super) audit_head: Option<Head>,
    /// Thumbnails that are too old.
    pub(super) too_old: Option<TooOld>,
}

/// The numbers that one transaction gave.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// To each commit, in order.
    pub(super) commits: Vec<Vec<Sequence>>,
    /// To each settlement; `None` where nothing was pending.
    pub(super) settlements: Vec<Option<Sequence>>,
    /// To each record of measures, in order.
    pub(super) records: Vec<Vec<Sequence>>,
    /// To each announcement, in order.
    pub(super) announcements: Vec<Sequence>,
    /// Thumbnails that were too old, and their bytes.
    pub(super) too_old: (u64, u64),
    /// What became of each order.
    pub(super) orders: Vec<Taken>,
}

/// What is known without asking the database; taken over only when the transaction that changed it succeeded.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) outbox_id: Uuid,
    pub(super) last_sequence: u64,
    pub(super) session: u64,
    pub(super) pending: u64,
    pub(super) pending_bytes: u64,
    pub(super) lost_total: u64,
    pub(super) thumbnails: u64,
    pub(super) thumbnail_bytes: u64,
    pub(super) thumbnails_dropped: u64,
    /// Answers to commands that are not delivered.
    pub(super) acks: u64,
    /// The overflow event that further losses are added to.
    pub(super) overflow: Option<(u64, System, Runs)>,
}

/// The open database and its state.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) path: PathBuf,
    pub(super) limits: OutboxLimits,
    pub(super) topics: Topics,
    pub(super) db: Connection,
    pub(super) state: State,
    /// Entries given to the publisher, which may be on their way: not to be dropped.
    pub(super) handed_out: Vec<Sequence>,
    pub(super) set_aside: Option<PathBuf>,
}

impl Store {
    /// Does everything in one durable transaction, or nothing.
    pub(super) fn apply(&mut self, writes: &Writes) -> rusqlite::Result<Given> {
        let mut state = self.state.clone();
        let transaction = self.db.transaction()?;
        for &sequence in &writes.delivered {
            remove(&transaction, &mut state, sequence.0)?;
        }
        for &number in &writes.thumbnails_done {
            thumbnail::remove(&transaction, &mut state, number)?;
        }
        for &number in &writes.acks_done {
            command::remove_ack(&transaction, &mut state, number)?;
        }
        let recorded_at = UtcMillis::now();
        let mut given = Given::default();
        for drafts in &writes.commits {
            given.commits.push(insert_all(&transaction, &mut state, drafts, recorded_at)?);
        }
        for settlement in &writes.settlements {
            let settled = incident::settle(&transaction, &mut state, &self.topics, settlement, recorded_at)?;
            given.settlements.push(settled);
        }
        for (camera, things) in &writes.parked {
            parked::save(&transaction, camera, things)?;
        }
        if let Some(too_old) = writes.too_old {
            given.too_old = thumbnail::drop_old(&transaction, &mut state, too_old)?;
        }
        if let Some(head) = writes.audit_head {
            audit_head::save(&transaction, head)?;
        }
        for record in &writes.records {
            given.records.push(measure::record(&transaction, &mut state, record, recorded_at)?);
        }
        for event in &writes.announcements {
            insert_system(&transaction, &mut state, &mut System::clone(event), &self.topics)?;
            given.announcements.push(Sequence(state.last_sequence));
        }
        for order in &writes.orders {
            given.orders.push(command::apply(&transaction, &mut state, order)?);
        }
        make_room(&transaction, &mut state, self.limits, &self.topics, &self.handed_out)?;
        state.session += u64::from(writes.session);
        transaction
            .prepare_cached("UPDATE meta SET last_sequence = ?1, session = ?2")?
            .execute(params![state.last_sequence as i64, state.session as i64])?;
        transaction.commit()?;
        let before = std::mem::replace(&mut self.state, state).last_sequence;
        ledger::tell(self.state.outbox_id, before, self.state.last_sequence, writes, &given);
        Ok(given)
    }

    /// Writes an event of the outbox's own.
    pub(super) fn commit_system(&mut self, mut event: System) -> rusqlite::Result<()> {
        let mut state = self.state.clone();
        let transaction = self.db.transaction()?;
        insert_system(&transaction, &mut state, &mut event, &self.topics)?;
        transaction.execute("UPDATE meta SET last_sequence = ?1", params![state.last_sequence as i64])?;
        transaction.commit()?;
        let before = std::mem::replace(&mut self.state, state).last_sequence;
        ledger::tell(self.state.outbox_id, before, self.state.last_sequence, &Writes::default(), &Given::default());
        Ok(())
    }

    /// See [`NextRequest`].
    pub(super) fn next(&mut self, request: &NextRequest) -> rusqlite::Result<Vec<Entry>> {
        let mut held = request.held.clone();
        let mut entries: Vec<Entry> = Vec::new();
        let mut backlog = request.backlog;
        for lane in Lane::ALL {
            // An entry committed before the connection counts as backlog in whatever lane it was found.
            while entries.len() < request.limit && (backlog > 0 || lane.is_live()) {
                let Some(sequence) = lane.first(&self.db, request, &held, backlog > 0)? else { break };
                let Some(entry) = self.entry(sequence, request.mark)? else {
                    if let Err(error) = self.set_damaged_aside(sequence) {
                        // Until it can be: it is not sent, nor what follows it of its incident.
                        tracing::debug!(sequence, %error, "a damaged event cannot be set aside now");
                        held.push(Sequence(sequence));
                    }
                    continue;
                };
                backlog -= usize::from(entry.replayed);
                held.push(entry.sequence);
                entries.push(entry);
            }
        }
        self.handed_out = held;
        Ok(entries)
    }

    /// `None`: it is not what was stored.
    fn entry(&self, sequence: u64, mark: Sequence) -> rusqlite::Result<Option<Entry>> {
        let read = self
            .db
            .prepare_cached("SELECT topic, body, sum FROM entry JOIN payload USING (sequence) WHERE sequence = ?1")?
            .query_row([sequence as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (topic, payload, sum): (String, Vec<u8>, Option<i64>) = match read {
            Err(error) if sum::is_damage(&error) => return Ok(None),
            read => read?,
        };
        if sum.is_some_and(|sum| sum != sum::of(sequence, &topic, &payload)) {
            return Ok(None);
        }
        let replayed = sequence <= mark.0;
        let payload = if replayed { wire::mark_replayed(&payload) } else { payload };
        Ok(Some(Entry { outbox_id: self.state.outbox_id, sequence: Sequence(sequence), topic, payload, replayed }))
    }

    fn set_damaged_aside(&mut self, sequence: u64) -> rusqlite::Result<()> {
        let mut state = self.state.clone();
        let transaction = self.db.transaction()?;
        sum::set_aside(&transaction, &mut state, &self.topics, sequence)?;
        transaction.execute("UPDATE meta SET last_sequence = ?1", params![state.last_sequence as i64])?;
        transaction.commit()?;
        tracing::error!(sequence, "an unsent event was damaged on the disk; it is set aside and its loss announced");
        let before = std::mem::replace(&mut self.state, state).last_sequence;
        ledger::tell(self.state.outbox_id, before, self.state.last_sequence, &Writes::default(), &Given::default());
        Ok(())
    }

    /// Evidence whose file is not known to be whole.
    pub(super) fn pending_evidence(&self) -> rusqlite::Result<Vec<PendingEvidence>> {
        incident::pending(&self.db)
    }

    /// The thumbnail to send next.
    pub(super) fn next_thumbnail(&self) -> rusqlite::Result<Option<Thumbnail>> {
        thumbnail::next(&self.db, self.state.outbox_id)
    }

    /// The last line of the audit log as it was kept.
    pub(super) fn audit_head(&self) -> rusqlite::Result<Option<Head>> {
        audit_head::load(&self.db)
    }

    /// What was last known to stand before a camera.
    pub(super) fn parked(&self, camera: &CameraId) -> rusqlite::Result<Vec<Parked>> {
        parked::load(&self.db, camera)
    }

    /// The sums of a camera's running interval.
    pub(super) fn running_measure(&self, camera: &CameraId) -> rusqlite::Result<Option<Tally>> {
        measure::running(&self.db, camera)
    }

    /// The open incidents of a camera, oldest first.
    pub(super) fn open_incidents(&self, camera: &CameraId) -> rusqlite::Result<Vec<OpenIncident>> {
        let mut query = self.db.prepare_cached(
            "SELECT incident, rule, revision, started_at, about_zone, tracks, last_event_at
             FROM open_incident JOIN incident USING (incident)
             WHERE camera = ?1 ORDER BY started_at, incident",
        )?;
        let rows = query.query_map([camera.as_str()], |row| {
            let texts: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(5)?);
            Ok((texts, row.get(2)?, row.get(3)?, row.get(4)?, row.get(6)?))
        })?;
        let mut open = Vec::new();
        for row in rows {
            let ((incident, rule, tracks), revision, started_at, about_zone, last_event_at) = row?;
            let (Ok(incident_id), Some(rule)) = (Uuid::parse_str(&incident), rule_from_text(&rule)) else { continue };
            open.push(OpenIncident {
                incident_id,
                rule,
                revision,
                started_at: WallTime::from_unix_nanos(started_at),
                last_event_at: WallTime::from_unix_nanos(last_event_at),
                about_zone,
                tracks: tracks_from_text(&tracks),
            });
        }
        Ok(open)
    }
}

/// Where to look for what is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Live,
    Critical,
    Rest,
    LiveMeasures,
    LateMeasures,
}

impl Lane {
    const ALL: [Self; 5] = [Self::Live, Self::Critical, Self::Rest, Self::LiveMeasures, Self::LateMeasures];

    const fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::LiveMeasures)
    }

    /// The first entry of the lane, or the older revision that must go before it.
    fn first(
        self,
        db: &Connection,
        request: &NextRequest,
        held: &[Sequence],
        backlog_allowed: bool,
    ) -> rusqlite::Result<Option<u64>> {
        let (range, order) = match self {
            // `keep` is as the indices have it, so that neither kind is searched through for the other.
            Self::Live => ("e.sequence > :mark AND e.keep >= 0", "e.sequence"),
            Self::Critical => ("e.sequence <= :mark AND e.severity = 3", "e.sequence DESC"),
            Self::Rest => ("e.sequence <= :mark AND e.keep >= 0", "e.sequence"),
            Self::LiveMeasures => ("e.sequence > :mark AND e.keep < 0", "e.sequence"),
            Self::LateMeasures => ("e.sequence <= :mark AND e.keep < 0", "e.sequence"),
        };
        let sql = format!(
            "SELECT (SELECT MIN(sequence) FROM entry WHERE incident = e.incident) AS head FROM entry AS e
             WHERE {range}
               AND e.topic NOT IN (SELECT value FROM json_each(:topics))
               AND e.incident NOT IN
                   (SELECT incident FROM entry WHERE sequence IN (SELECT value FROM json_each(:held)))
               AND (:backlog OR head > :mark)
             ORDER BY {order} LIMIT 1"
        );
        let held: Vec<u64> = held.iter().map(|sequence| sequence.0).collect();
        db.prepare_cached(&sql)?
            .query_row(
                rusqlite::named_params! {
                    ":mark": request.mark.0 as i64,
                    ":topics": json(&request.held_topics),
                    ":held": json(&held),
                    ":backlog": backlog_allowed,
                },
                |row| row.get::<_, i64>(0),
            )
            .optional()
            .map(|found| found.map(|sequence| sequence as u64))
    }
}

fn insert_all(
    transaction: &Transaction<'_>,
    state: &mut State,
    drafts: &[Draft],
    recorded_at: UtcMillis,
) -> rusqlite::Result<Vec<Sequence>> {
    let mut given = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let sequence = Sequence(state.last_sequence + 1);
        let mut event = draft.incident.clone();
        incident::revise(transaction, &mut event)?;
        event.stamp(Stamp { sequence, recorded_at, outbox_id: state.outbox_id });
        let payload = event.to_bytes();
        let is_open = matches!(draft.change, OpenChange::Open(_));
        incident::note(transaction, &event, &draft.topic, &payload, is_open)?;
        command::remember(transaction, &event)?;
        let row = Row {
            incident: event.data.incident_id,
            severity: event.data.severity,
            keep: match (event.data.phase, event.data.severity) {
                (Phase::Update, _) => KEEP_UPDATE,
                (Phase::New | Phase::End, Severity::Critical) => KEEP_ALWAYS,
                (Phase::New | Phase::End, _) => KEEP_OTHER,
            },
            topic: &draft.topic,
            payload,
        };
        insert(transaction, state, row)?;
        change_open(transaction, &draft.camera, &draft.change)?;
        given.push(sequence);
    }
    Ok(given)
}

/// An event as it is stored.
pub(super) struct Row<'a> {
    pub(super) incident: Uuid,
    pub(super) severity: Severity,
    pub(super) keep: i64,
    pub(super) topic: &'a str,
    pub(super) payload: Vec<u8>,
}

/// Puts a row in under the next sequence number.
pub(super) fn insert(transaction: &Transaction<'_>, state: &mut State, row: Row<'_>) -> rusqlite::Result<()> {
    state.last_sequence += 1;
    let sequence = state.last_sequence as i64;
    let bytes = row.payload.len() as u64;
    transaction
        .prepare_cached(
            "INSERT INTO entry (sequence, incident, severity, keep, topic, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![sequence, row.incident.to_string(), row.severity as i64, row.keep, row.topic, bytes as i64])?;
    transaction.prepare_cached("INSERT INTO payload (sequence, body, sum) VALUES (?1, ?2, ?3)")?.execute(params![
        sequence,
        row.payload,
        sum::of(state.last_sequence, row.topic, &row.payload)
    ])?;
    state.pending += 1;
    state.pending_bytes += bytes;
    Ok(())
}

/// Deletes an entry, if it is there.
pub(super) fn remove(transaction: &Transaction<'_>, state: &mut State, sequence: u64) -> rusqlite::Result<()> {
    let bytes: Option<i64> = transaction
        .prepare_cached("DELETE FROM entry WHERE sequence = ?1 RETURNING bytes")?
        .query_row([sequence as i64], |row| row.get(0))
        .optional()?;
    if let Some(bytes) = bytes {
        transaction.prepare_cached("DELETE FROM payload WHERE sequence = ?1")?.execute([sequence as i64])?;
        state.pending -= 1;
        state.pending_bytes -= bytes as u64;
        state.overflow.take_if(|(overflow, ..)| *overflow == sequence);
    }
    Ok(())
}

/// Puts an event of the outbox's own in, stamped.
pub(super) fn insert_system(
    transaction: &Transaction<'_>,
    state: &mut State,
    event: &mut System,
    topics: &Topics,
) -> rusqlite::Result<()> {
    let sequence = Sequence(state.last_sequence + 1);
    event.stamp(Stamp { sequence, recorded_at: UtcMillis::now(), outbox_id: state.outbox_id });
    let row = Row {
        incident: event.id,
        severity: event.data.severity,
        // A camera may storm for as long as an outage lasts.
        keep: if event.data.withheld.is_some() { KEEP_OTHER } else { KEEP_ALWAYS },
        topic: &topics.system(),
        payload: event.to_bytes(),
    };
    insert(transaction, state, row)
}

fn change_open(transaction: &Transaction<'_>, camera: &CameraId, change: &OpenChange) -> rusqlite::Result<()> {
    match change {
        OpenChange::None => {}
        OpenChange::Open(open) => {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO open_incident
                     (incident, camera, rule, started_at, about_zone, tracks, last_event_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    open.incident_id.to_string(),
                    camera.as_str(),
                    text_from_rule(&open.rule),
                    open.started_at.as_unix_nanos(),
                    open.about_zone,
                    text_from_tracks(&open.tracks),
                    open.last_event_at.as_unix_nanos(),
                ])?;
        }
        OpenChange::Close(incident) => {
            transaction
                .prepare_cached("DELETE FROM open_incident WHERE incident = ?1")?
                .execute([incident.to_string()])?;
        }
    }
    Ok(())
}

/// What an `end` must say of its rule, should the rule be gone by then.
fn text_from_rule(rule: &RuleInfo) -> String {
    json(&(
        rule.id.as_str(),
        rule.kind.file_label(),
        rule.severity.label(),
        rule.zone.as_ref().map(ZoneId::as_str),
        rule.line.as_ref().map(LineId::as_str),
    ))
}

/// `None` for a rule that this version cannot read.
fn rule_from_text(text: &str) -> Option<RuleInfo> {
    type Row = (String, String, String, Option<String>, Option<String>);
    let (id, kind, severity, zone, line): Row = serde_json::from_str(text).ok()?;
    Some(RuleInfo {
        id: RuleId::new(&id).ok()?,
        kind: Kind::from_file_label(&kind)?,
        severity: analytics::Severity::from_label(&severity)?,
        cooldown: Duration::ZERO,
        zone: zone.and_then(|zone| ZoneId::new(&zone).ok()),
        line: line.and_then(|line| LineId::new(&line).ok()),
        thresholds: Vec::new(),
    })
}

fn text_from_tracks(tracks: &[(Class, BBox)]) -> String {
    let rows: Vec<(&str, [f32; 4])> = tracks
        .iter()
        .map(|(class, bbox)| (class.label(), [bbox.left(), bbox.top(), bbox.right(), bbox.bottom()]))
        .collect();
    json(&rows)
}

/// Tracks that this version cannot read are left out: the incident goes on without them.
fn tracks_from_text(text: &str) -> Vec<(Class, BBox)> {
    let rows: Vec<(String, [f32; 4])> = serde_json::from_str(text).unwrap_or_default();
    rows.into_iter()
        .filter_map(|(class, [left, top, right, bottom])| {
            Some((Class::from_label(&class)?, BBox::new(left, top, right, bottom)?))
        })
        .collect()
}

/// A list as a parameter of `json_each`.
pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("numbers and texts can be written")
}

//! What commands of the centre leave behind: their ids and answers, what they set, what operators found incidents to be.
//!
//! A command's effect and its final answer are one transaction: whatever ends the program, a command is done and answered,
//! or neither. An id is remembered until the command could not be valid any more, and comes back with the same answer.
//!
//! Answers have no sequence number (a gap among those means a lost event) and are small; at most [`MOST_WAITING`] wait, then
//! no further command is taken.

use analytics::Kind;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::OutboxError;
use super::store::{State, Store};
use super::thread::Reply;
use super::thumbnail;
use crate::publish::wire::{self, Ack, Finding, Incident, Phase, Severity, UtcMillis};

/// Answers that may wait before no further command is taken.
pub(crate) const MOST_WAITING: u64 = 200;
/// Ids that are remembered at most: a day of commands at the rate that is allowed would be more, and the oldest go then.
const MOST_IDS: i64 = 20_000;
/// Incidents that can still be judged; of more, the least severe and oldest are forgotten.
const MOST_INCIDENTS: i64 = 20_000;
/// Incidents between two clearings.
const CLEAR_EVERY: i64 = 256;

/// Tables that older versions do not know and do not touch: no format of their own.
pub(super) const SCHEMA: &str = "
BEGIN;
CREATE TABLE IF NOT EXISTS command (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    actor TEXT NOT NULL,
    topic TEXT NOT NULL,
    forget_after INTEGER NOT NULL,
    is_final INTEGER NOT NULL,
    answer BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS command_by_age ON command (forget_after);
CREATE TABLE IF NOT EXISTS ack (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    command TEXT,
    topic TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judged (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    incident TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity INTEGER NOT NULL,
    verdict TEXT,
    judged_by TEXT,
    reason TEXT,
    judged_at INTEGER,
    seen_by TEXT,
    seen_at INTEGER
);
CREATE TABLE IF NOT EXISTS found (
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0,
    false_alarm INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (camera, rule)
) WITHOUT ROWID;
COMMIT;
";

/// An answer and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The topic.
    pub topic: String,
    /// What it says.
    pub ack: Ack,
}

/// What a command changes in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// An operator has seen an incident.
    Acknowledge {
        /// The incident.
        incident: Uuid,
        /// Who.
        by: String,
        /// When.
        at: UtcMillis,
    },
    /// An operator says what an incident was; the latest word counts.
    Verdict {
        /// The incident.
        incident: Uuid,
        /// What it was.
        finding: Finding,
        /// Who says so.
        by: String,
        /// Why.
        reason: Option<String>,
        /// When.
        at: UtcMillis,
    },
    /// Keeps a value under a name, or forgets it.
    Set {
        /// The name.
        name: String,
        /// The value.
        value: Option<String>,
    },
}

/// What is asked of the database for a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandWork {
    /// A command came: remembers its id, does what it does, keeps its answer. A known id gets the answer it had.
    Take {
        /// Its id; `None` where that could not be read.
        id: Option<Uuid>,
        /// Who asks.
        actor: String,
        /// Until when it is remembered.
        forget_after: UtcMillis,
        /// The time, where it can be trusted: what is older is forgotten.
        now: Option<UtcMillis>,
        /// What it does.
        effect: Effect,
        /// Its answer.
        answer: Box<Answer>,
        /// Whether its id is remembered: not where nothing was done for now and the same command may come again.
        remember: bool,
        /// Its answer where the incident is not known.
        otherwise: Option<Box<Answer>>,
    },
    /// Gives an accepted command its final answer, with a picture for the centre. One that has a final answer keeps it.
    Conclude {
        /// The command.
        id: Uuid,
        /// The final answer.
        answer: Box<Answer>,
        /// Topic and JPEG.
        picture: Option<(String, Vec<u8>)>,
    },
    /// Without a command.
    Change(Effect),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is done.
    Done,
    /// The incident is not known: nothing was done.
    UnknownIncident,
    /// It was done before.
    Known,
}

/// An answer as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingAck {
    /// Which outbox it is from.
    pub outbox_id: Uuid,
    /// Names it there; never used twice.
    pub number: u64,
    /// Where to.
    pub topic: String,
    /// The message.
    pub payload: Vec<u8>,
}

/// A command that was accepted and has no final answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub actor: String,
    /// The last answer.
    pub answer: Answer,
}

/// What operators found one rule's incidents to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePrecision {
    /// The camera.
    pub camera: String,
    /// The rule.
    pub rule: String,
    /// Incidents that were what the rule says.
    pub confirmed: u64,
    /// Incidents that were not.
    pub false_alarm: u64,
    /// Incidents that another one told already.
    pub duplicate: u64,
}

/// How many answers wait.
pub(super) fn waiting(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT COUNT(*) FROM ack", [], |row| row.get::<_, i64>(0)).map(|count| count as u64)
}

/// Does one order.
pub(super) fn apply(transaction: &Transaction<'_>, state: &mut State, work: &CommandWork) -> rusqlite::Result<Taken> {
    match work {
        CommandWork::Take { id, actor, forget_after, now, effect, answer, remember, otherwise } => {
            if let Some(known) = id.map(|id| find(transaction, id)).transpose()?.flatten() {
                say_again(transaction, state, &known)?;
                return Ok(Taken::Known);
            }
            let (taken, answer) = match otherwise {
                Some(otherwise) if !change(transaction, effect)? => (Taken::UnknownIncident, otherwise),
                Some(_) => (Taken::Done, answer),
                None => {
                    change(transaction, effect)?;
                    (Taken::Done, answer)
                }
            };
            if let Some(id) = id.filter(|_| *remember) {
                forget(transaction, *now)?;
                transaction
                    .prepare_cached(
                        "INSERT INTO command (id, name, actor, topic, forget_after, is_final, answer)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        id.to_string(),
                        answer.ack.name,
                        actor,
                        answer.topic,
                        forget_after.as_unix_millis(),
                        answer.ack.state.is_final(),
                        wire::to_bytes(&answer.ack),
                    ])?;
            }
            say(transaction, state, *id, answer)?;
            Ok(taken)
        }
        CommandWork::Conclude { id, answer, picture } => {
            let changed = transaction
                .prepare_cached("UPDATE command SET is_final = 1, answer = ?2 WHERE id = ?1 AND NOT is_final")?
                .execute(params![id.to_string(), wire::to_bytes(&answer.ack)])?;
            if changed == 0 {
                return Ok(Taken::Known);
            }
            say(transaction, state, Some(*id), answer)?;
            if let Some((topic, jpeg)) = picture {
                thumbnail::insert(transaction, state, Severity::Info, topic, jpeg)?;
            }
            Ok(Taken::Done)
        }
        CommandWork::Change(effect) => change(transaction, effect).map(|_| Taken::Done),
    }
}

struct Known {
    id: Uuid,
    topic: String,
    answer: Vec<u8>,
}

fn find(transaction: &Transaction<'_>, id: Uuid) -> rusqlite::Result<Option<Known>> {
    transaction
        .prepare_cached("SELECT topic, answer FROM command WHERE id = ?1")?
        .query_row([id.to_string()], |row| Ok(Known { id, topic: row.get(0)?, answer: row.get(1)? }))
        .optional()
}

fn say(transaction: &Transaction<'_>, state: &mut State, id: Option<Uuid>, answer: &Answer) -> rusqlite::Result<()> {
    put(transaction, state, id, &answer.topic, &wire::to_bytes(&answer.ack))
}

/// The same answer, unless it still waits from the last time.
fn say_again(transaction: &Transaction<'_>, state: &mut State, known: &Known) -> rusqlite::Result<()> {
    let waits: bool = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM ack WHERE command = ?1)")?
        .query_row([known.id.to_string()], |row| row.get(0))?;
    if waits { Ok(()) } else { put(transaction, state, Some(known.id), &known.topic, &known.answer) }
}

fn put(
    transaction: &Transaction<'_>,
    state: &mut State,
    id: Option<Uuid>,
    topic: &str,
    body: &[u8],
) -> rusqlite::Result<()> {
    transaction.prepare_cached("INSERT INTO ack (command, topic, body) VALUES (?1, ?2, ?3)")?.execute(params![
        id.map(|id| id.to_string()),
        topic,
        body
    ])?;
    state.acks += 1;
    Ok(())
}

/// Deletes an answer, if it is there.
pub(super) fn remove_ack(transaction: &Transaction<'_>, state: &mut State, number: u64) -> rusqlite::Result<()> {
    let removed = transaction.prepare_cached("DELETE FROM ack WHERE number = ?1")?.execute([number as i64])?;
    state.acks -= removed as u64;
    Ok(())
}

/// Forgets ids of commands that could not be valid any more.
fn forget(transaction: &Transaction<'_>, now: Option<UtcMillis>) -> rusqlite::Result<()> {
    if let Some(now) = now {
        transaction
            .prepare_cached("DELETE FROM command WHERE forget_after < ?1 AND is_final")?
            .execute([now.as_unix_millis()])?;
    }
    let count: i64 = transaction.prepare_cached("SELECT COUNT(*) FROM command")?.query_row([], |row| row.get(0))?;
    if count >= MOST_IDS {
        transaction
            .prepare_cached(
                "DELETE FROM command WHERE id IN
                 (SELECT id FROM command WHERE is_final ORDER BY forget_after LIMIT ?1)",
            )?
            .execute([count - MOST_IDS + 1])?;
    }
    Ok(())
}

/// Whether it could be done.
fn change(transaction: &Transaction<'_>, effect: &Effect) -> rusqlite::Result<bool> {
    match effect {
        Effect::Nothing => Ok(true),
        Effect::Acknowledge { incident, by, at } => {
            // Who was first saw it first.
            let changed = transaction
                .prepare_cached(
                    "UPDATE judged SET seen_by = COALESCE(seen_by, ?2), seen_at = COALESCE(seen_at, ?3)
                     WHERE incident = ?1",
                )?
                .execute(params![incident.to_string(), by, at.as_unix_millis()])?;
            Ok(changed > 0)
        }
        Effect::Verdict { incident, finding, by, reason, at } => {
            let before: Option<(String, String, Option<String>)> = transaction
                .prepare_cached("SELECT camera, rule, verdict FROM judged WHERE incident = ?1")?
                .query_row([incident.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((camera, rule, before)) = before else { return Ok(false) };
            transaction
                .prepare_cached(
                    "UPDATE judged SET verdict = ?2, judged_by = ?3, reason = ?4, judged_at = ?5 WHERE incident = ?1",
                )?
                .execute(params![incident.to_string(), finding.label(), by, reason, at.as_unix_millis()])?;
            if let Some(before) = before.as_deref().and_then(Finding::from_label) {
                count(transaction, &camera, &rule, before, -1)?;
            }
            count(transaction, &camera, &rule, *finding, 1)?;
            Ok(true)
        }
        Effect::Set { name, value: Some(value) } => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?
                .execute(params![name, value])?;
            Ok(true)
        }
        Effect::Set { name, value: None } => {
            transaction.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([name])?;
            Ok(true)
        }
    }
}

fn count(transaction: &Transaction<'_>, camera: &str, rule: &str, finding: Finding, by: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO found (camera, rule) VALUES (?1, ?2)")?
        .execute(params![camera, rule])?;
    let of = |which: Finding| if which == finding { by } else { 0 };
    transaction
        .prepare_cached(
            "UPDATE found SET confirmed = confirmed + ?3, false_alarm = false_alarm + ?4, duplicate = duplicate + ?5
             WHERE camera = ?1 AND rule = ?2",
        )?
        .execute(params![camera, rule, of(Finding::Confirmed), of(Finding::FalseAlarm), of(Finding::Duplicate)])?;
    Ok(())
}

/// Remembers an incident that begins, so that it can be judged when it is long over.
pub(super) fn remember(transaction: &Transaction<'_>, event: &Incident) -> rusqlite::Result<()> {
    let data = &event.data;
    if data.phase != Phase::New {
        return Ok(());
    }
    transaction
        .prepare_cached("INSERT OR IGNORE INTO judged (incident, camera, rule, severity) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![data.incident_id.to_string(), data.camera.id, data.why.rule, data.severity as i64])?;
    if transaction.last_insert_rowid() % CLEAR_EVERY == 0 {
        transaction
            .prepare_cached(
                "DELETE FROM judged WHERE number IN
                 (SELECT number FROM judged ORDER BY severity DESC, number DESC LIMIT -1 OFFSET ?1)",
            )?
            .execute([MOST_INCIDENTS])?;
    }
    Ok(())
}

/// Says in an event what an operator found its incident to be.
pub(super) fn verify(transaction: &Transaction<'_>, event: &mut Incident) -> rusqlite::Result<()> {
    if event.data.phase == Phase::New {
        return Ok(());
    }
    let verdict: Option<Option<String>> = transaction
        .prepare_cached("SELECT verdict FROM judged WHERE incident = ?1")?
        .query_row([event.data.incident_id.to_string()], |row| row.get(0))
        .optional()?;
    if let Some(finding) = verdict.flatten().as_deref().and_then(Finding::from_label) {
        event.data.verification = finding.into();
        if let (Finding::Confirmed, Some(kind)) = (finding, Kind::from_wire_label(&event.data.kind)) {
            event.data.label = kind.text().into();
        }
    }
    Ok(())
}

/// What is asked about commands.
#[derive(Debug)]
pub(super) enum Question {
    NextAck(Reply<Option<WaitingAck>>),
    Unfinished(Reply<Vec<Unfinished>>),
    Settings(Reply<Vec<(String, String)>>),
    Precision(Reply<Vec<RulePrecision>>),
}

impl Question {
    /// Answers it; gives it back where the database fails.
    pub(super) fn answer(self, store: &Store) -> Result<(), (Self, rusqlite::Error)> {
        match self {
            Self::NextAck(reply) => match next_ack(&store.db, store.state.outbox_id) {
                Ok(ack) => drop(reply.send(Ok(ack))),
                Err(error) => return Err((Self::NextAck(reply), error)),
            },
            Self::Unfinished(reply) => match unfinished(&store.db) {
                Ok(commands) => drop(reply.send(Ok(commands))),
                Err(error) => return Err((Self::Unfinished(reply), error)),
            },
            Self::Settings(reply) => match settings(&store.db) {
                Ok(settings) => drop(reply.send(Ok(settings))),
                Err(error) => return Err((Self::Settings(reply), error)),
            },
            Self::Precision(reply) => match precision(&store.db) {
                Ok(precision) => drop(reply.send(Ok(precision))),
                Err(error) => return Err((Self::Precision(reply), error)),
            },
        }
        Ok(())
    }

    pub(super) fn refuse(self, error: &OutboxError) {
        match self {
            Self::NextAck(reply) => drop(reply.send(Err(error.clone()))),
            Self::Unfinished(reply) => drop(reply.send(Err(error.clone()))),
            Self::Settings(reply) => drop(reply.send(Err(error.clone()))),
            Self::Precision(reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}

fn next_ack(db: &Connection, outbox_id: Uuid) -> rusqlite::Result<Option<WaitingAck>> {
    db.prepare_cached("SELECT number, topic, body FROM ack ORDER BY number LIMIT 1")?
        .query_row([], |row| {
            let number: i64 = row.get(0)?;
            Ok(WaitingAck { outbox_id, number: number as u64, topic: row.get(1)?, payload: row.get(2)? })
        })
        .optional()
}

fn unfinished(db: &Connection) -> rusqlite::Result<Vec<Unfinished>> {
    let mut query = db.prepare_cached("SELECT id, actor, topic, answer FROM command WHERE NOT is_final ORDER BY id")?;
    let rows = query.query_map([], |row| {
        let texts: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((texts, row.get::<_, Vec<u8>>(3)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let ((id, actor, topic), answer) = row?;
        let (Ok(id), Ok(ack)) = (Uuid::parse_str(&id), serde_json::from_slice(&answer)) else { continue };
        found.push(Unfinished { id, actor, answer: Answer { topic, ack } });
    }
    Ok(found)
}

fn settings(db: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut query = db.prepare_cached("SELECT name, value FROM setting ORDER BY name")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn precision(db: &Connection) -> rusqlite::Result<Vec<RulePrecision>> {
    let mut query = db.prepare_cached(
        "SELECT camera, rule, confirmed, false_alarm, duplicate FROM found
         WHERE confirmed + false_alarm + duplicate > 0 ORDER BY camera, rule",
    )?;
    let of = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(|count| u64::try_from(count).unwrap_or(0));
    query
        .query_map([], |row| {
            Ok(RulePrecision {
                camera: row.get(0)?,
                rule: row.get(1)?,
                confirmed: of(row, 2)?,
                false_alarm: of(row, 3)?,
                duplicate: of(row, 4)?,
            })
        })?
        .collect()
}

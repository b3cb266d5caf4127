//! Commands of the centre and what the box answers: a closed list, each with its own arguments.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LocalText, TimeQuality, UtcMillis, Word};

/// The commands there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandName {
    /// A picture of a camera, now.
    Snapshot,
    /// The whole of a picture or clip that proves an incident, in parts.
    EvidenceFetch,
    /// Switches a camera off and on.
    Camera,
    /// Arms and disarms a rule.
    Rule,
    /// An operator has seen an incident.
    Acknowledge,
    /// What an operator found an incident to be.
    Verdict,
    /// Birth and all state once more.
    Rebirth,
    /// What the program logs, for a while.
    LogLevel,
    /// The site file in force, without secrets.
    ConfigFetch,
    /// Another configuration in its place: checked, tried, kept or given up.
    ConfigApply,
}

impl CommandName {
    /// Every command.
    pub const ALL: [Self; 10] = [
        Self::Snapshot,
        Self::EvidenceFetch,
        Self::Camera,
        Self::Rule,
        Self::Acknowledge,
        Self::Verdict,
        Self::Rebirth,
        Self::LogLevel,
        Self::ConfigFetch,
        Self::ConfigApply,
    ];

    /// The word in topics and messages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::EvidenceFetch => "evidence-fetch",
            Self::Camera => "camera",
            Self::Rule => "rule",
            Self::Acknowledge => "acknowledge",
            Self::Verdict => "verdict",
            Self::Rebirth => "rebirth",
            Self::LogLevel => "log-level",
            Self::ConfigFetch => "config-fetch",
            Self::ConfigApply => "config-apply",
        }
    }

    /// The command of this name.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.label() == label)
    }
}

/// A command on its way: topic `cmd/{name}`. A box refuses further keys: what it does not understand it must not half do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command<A> {
    /// Chosen by who sends it: the same id is the same command, done once.
    pub id: Uuid,
    /// Who asks, for the record.
    #[schemars(regex(pattern = r"^[^\x00-\x1f\x7f]{1,80}$"))]
    pub actor: String,
    /// When it was issued.
    pub issued_at: UtcMillis,
    /// When it is of no use any more: at most a day later.
    pub expires_at: UtcMillis,
    /// The command: the last level of its topic.
    pub name: Word,
    /// The number of the box's present session, from its `birth`: proves that the command is no older than the connection, to
    /// a box whose clock cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// What it is about.
    pub arguments: A,
}

/// Of `rebirth`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// Of `snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotArguments {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
}

/// Of `evidence-fetch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceFetchArguments {
    /// The incident.
    pub incident_id: Uuid,
    /// The `name` in its `evidence`.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}\.(jpg|mp4)$"))]
    pub name: String,
    /// Where to begin, in bytes: what came before is there already.
    #[serde(default)]
    pub offset: u64,
}

/// Of `camera`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraArguments {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// Whether it is to be looked at.
    pub enabled: bool,
    /// Until when it stays off; without it, until it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMillis>,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub reason: Option<String>,
}

/// Of `rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleArguments {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// The rule's name in the site file.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub rule: String,
    /// Whether it is to be judged, where its schedule says so.
    pub armed: bool,
    /// Until when it stays disarmed; without it, until it is armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMillis>,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub reason: Option<String>,
}

/// Of `acknowledge`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeArguments {
    /// The incident.
    pub incident_id: Uuid,
}

/// What an operator found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It was what the rule says.
    Confirmed,
    /// It was not.
    FalseAlarm,
    /// It is told by another incident already.
    Duplicate,
}

impl Finding {
    /// The word on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::FalseAlarm => "false_alarm",
            Self::Duplicate => "duplicate",
        }
    }

    /// The finding of this word.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        [Self::Confirmed, Self::FalseAlarm, Self::Duplicate].into_iter().find(|finding| finding.label() == label)
    }
}

/// Of `verdict`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictArguments {
    /// The incident.
    pub incident_id: Uuid,
    /// What it was.
    pub verdict: Finding,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub reason: Option<String>,
}

/// What may be logged on command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Data lost, or a human is needed.
    Error,
    /// And what recovered.
    Warn,
    /// And what is rare.
    Info,
    /// And what helps to find a fault.
    Debug,
}

impl LogLevel {
    /// The word on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Of `log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevelArguments {
    /// What is logged.
    pub level: LogLevel,
    /// Until when: at most a day from now.
    pub until: UtcMillis,
}

/// Of `config-fetch`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFetchArguments {
    /// Where to begin, in bytes: a large file comes in several answers.
    #[serde(default)]
    pub offset: u64,
}

/// Of `config-apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigApplyArguments {
    /// A whole site file.
    pub text: String,
    /// The text of a minisign signature of `text`, byte for byte; a box that has keys takes nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub signature: Option<String>,
    /// The `file.sha256` of `config-fetch`: what it was made from. A box where something else is in force by now refuses.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub base_sha256: String,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub reason: Option<String>,
}

/// How a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AckState {
    /// It is being done; another answer follows.
    Accepted,
    /// It is done.
    Done,
    /// It was tried and could not be done.
    Failed,
    /// Nothing was done.
    Refused,
}

impl AckState {
    /// Whether no further answer follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Accepted)
    }
}

/// Why a command was refused, or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Larger than 64 KiB.
    TooLarge,
    /// No JSON, too deep, a key too many or too few, a value that cannot be.
    Malformed,
    /// Not on the list.
    UnknownCommand,
    /// The topic names another command than the message.
    WrongTopic,
    /// It was retained.
    Retained,
    /// Its time is over.
    Expired,
    /// It is of the future.
    FutureDated,
    /// It is to be valid for too long.
    LivesTooLong,
    /// The box's clock is not synchronised and nothing else proves that the command is fresh.
    ClockNotSynced,
    /// It was issued for another session of the box.
    StaleSession,
    /// Too many commands.
    RateLimited,
    /// One of its kind is being done.
    Busy,
    /// No such camera.
    UnknownCamera,
    /// The site file has the camera off: no command switches it on.
    DisabledInFile,
    /// No such rule of that camera.
    UnknownRule,
    /// No such incident, or one that is forgotten.
    UnknownIncident,
    /// No such picture or clip.
    UnknownEvidence,
    /// A time that is past, or too far away.
    BadTime,
    /// An offset beyond the end.
    BadOffset,
    /// The camera gives no picture.
    NoPicture,
    /// What is sent on demand is used up for today.
    BudgetUsedUp,
    /// The program ended meanwhile.
    Interrupted,
    /// It could not be read or made.
    NotMade,
    /// Another configuration is in force than the one it was made from.
    StaleBase,
    /// The configuration has errors.
    InvalidConfiguration,
    /// Something in it can only be changed at the box.
    NotFromAfar,
    /// The box has keys, and none of them signed it.
    NotSigned,
    /// It was tried, and given up for what was in force before.
    RolledBack,
    /// This run of the program takes no configuration.
    NotHere,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 29] = [
        Self::TooLarge,
        Self::Malformed,
        Self::UnknownCommand,
        Self::WrongTopic,
        Self::Retained,
        Self::Expired,
        Self::FutureDated,
        Self::LivesTooLong,
        Self::ClockNotSynced,
        Self::StaleSession,
        Self::RateLimited,
        Self::Busy,
        Self::UnknownCamera,
        Self::DisabledInFile,
        Self::UnknownRule,
        Self::UnknownIncident,
        Self::UnknownEvidence,
        Self::BadTime,
        Self::BadOffset,
        Self::NoPicture,
        Self::BudgetUsedUp,
        Self::Interrupted,
        Self::NotMade,
        Self::StaleBase,
        Self::InvalidConfiguration,
        Self::NotFromAfar,
        Self::NotSigned,
        Self::RolledBack,
        Self::NotHere,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::UnknownCommand => "unknown_command",
            Self::WrongTopic => "wrong_topic",
            Self::Retained => "retained",
            Self::Expired => "expired",
            Self::FutureDated => "future_dated",
            Self::LivesTooLong => "lives_too_long",
            Self::ClockNotSynced => "clock_not_synced",
            Self::StaleSession => "stale_session",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::UnknownCamera => "unknown_camera",
            Self::DisabledInFile => "disabled_in_file",
            Self::UnknownRule => "unknown_rule",
            Self::UnknownIncident => "unknown_incident",
            Self::UnknownEvidence => "unknown_evidence",
            Self::BadTime => "bad_time",
            Self::BadOffset => "bad_offset",
            Self::NoPicture => "no_picture",
            Self::BudgetUsedUp => "budget_used_up",
            Self::Interrupted => "interrupted",
            Self::NotMade => "not_made",
            Self::StaleBase => "stale_base",
            Self::InvalidConfiguration => "invalid_configuration",
            Self::NotFromAfar => "not_from_afar",
            Self::NotSigned => "not_signed",
            Self::RolledBack => "rolled_back",
            Self::NotHere => "not_here",
        }
    }
}

/// A file or a part of one that an answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AckFile {
    /// Its name.
    pub name: String,
    /// Digest of the whole.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Size of the whole.
    pub bytes: u64,
    /// Up to where it was sent: where to begin the next time, unless that is the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The part from the asked offset up to `offset`, where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Topic `ack/{name}`: the answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The command's; null where it could not be read.
    pub id: Option<Uuid>,
    /// The command: the last level of the topic.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub name: String,
    /// How it stands.
    pub state: AckState,
    /// When it was so.
    pub time: UtcMillis,
    /// Why not, in words of an open list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "reason_schema")]
    pub reason: Option<Word>,
    /// The same for people, with what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<LocalText>,
    /// What exactly is wrong, in the parser's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub detail: Option<String>,
    /// Whether the same id may be sent again: nothing was done and nothing is remembered of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// What was made or sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<AckFile>,
    /// How far the box's clock can be trusted: of times it judged by.
    pub time_quality: TimeQuality,
}

fn reason_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[a-z_]{1,40}$" })
}

/// A part of a file: topic `chunk/{command}`. Its message is one line of this, a newline, and the bytes as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkHeader {
    /// The command that asked for it.
    pub id: Uuid,
    /// The incident.
    pub incident_id: Uuid,
    /// The file.
    pub name: String,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// Size of the whole.
    pub total: u64,
    /// Digest of the whole.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// Most that a chunk's message weighs.
pub const MAX_CHUNK_BYTES: usize = 32 * 1024;

impl ChunkHeader {
    /// The message.
    #[must_use]
    pub fn message(&self, part: &[u8]) -> Vec<u8> {
        [&super::to_bytes(self), &b"\n"[..], part].concat()
    }

    /// Takes a message apart; `None` for what is none.
    #[must_use]
    pub fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let end = message.iter().position(|byte| *byte == b'\n')?;
        Some((serde_json::from_slice(&message[..end]).ok()?, &message[end + 1..]))
    }
}

impl From<CommandName> for Word {
    fn from(name: CommandName) -> Self {
        Cow::Borrowed(name.label())
    }
}

/// A camera or rule that a command switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchedOff {
    /// Who.
    pub by: String,
    /// Since when.
    pub at: UtcMillis,
    /// Until when; null: until it is switched on.
    pub until: Option<UtcMillis>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A rule that a command disarmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisarmedRule {
    /// The rule.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub rule: String,
    /// By whom and until when.
    pub switched_off: SwitchedOff,
}

/// What is logged on command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogSetting {
    /// What is logged.
    pub level: LogLevel,
    /// Who asked.
    pub by: String,
    /// Since when.
    pub at: UtcMillis,
    /// Until when.
    pub until: UtcMillis,
}

/// Commands in the box's health; totals since start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandHealth {
    /// Commands that were done or are being done.
    pub taken_total: u64,
    /// Commands that were refused, but for those over the limit.
    pub refused_total: u64,
    /// Commands over the limit: refused, not all of them with an answer.
    pub over_limit_total: u64,
    /// Answers not yet delivered.
    pub answers_pending: u64,
    /// Parts of evidence sent on demand.
    pub chunks_total: u64,
    /// What is logged on command; absent where that is as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogSetting>,
}

/// How often one rule was right, as far as operators said: `confirmed` of `judged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrecisionData {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// The rule.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub rule: String,
    /// Incidents that were what the rule says.
    pub confirmed: u64,
    /// Incidents that were judged to be so or not: confirmed and false alarms.
    pub judged: u64,
    /// Incidents that another one told already: right or wrong with that one, and in neither number.
    pub duplicates: u64,
}

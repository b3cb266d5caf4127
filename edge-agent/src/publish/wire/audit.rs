//! A line of the audit log: who did what, from where, to what, and what came of it.
//!
//! The bytes of a line are those of the file, of the message on the `audit` topic and of an export: one compact JSON object
//! (RFC 8259) whose last member is `hash`, the SHA-256 (FIPS 180-4) of the same bytes without that member. `docs/audit.md`
//! says how to recompute it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{TimeQuality, UtcMillis};

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// The program itself.
    System,
    /// A person or a centre, as a command names them: what is said of oneself, no proof.
    Person {
        /// The name as given.
        name: String,
    },
    /// A local account, logged in.
    Account {
        /// Its name.
        name: String,
    },
}

impl Actor {
    /// A person or a centre, as a command names them.
    pub fn person(name: impl Into<String>) -> Self {
        Self::Person { name: name.into() }
    }

    /// A local account.
    pub fn account(name: impl Into<String>) -> Self {
        Self::Account { name: name.into() }
    }
}

/// Which way an act came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// From within the program.
    System,
    /// Over MQTT from the centre.
    Mqtt,
    /// Over the status page.
    Page {
        /// Who asked: address without port.
        address: String,
    },
    /// On the box's command line.
    CommandLine {
        /// Number of the operating system's user.
        uid: u32,
    },
}

impl Source {
    /// The command line, as the user who runs this process.
    #[must_use]
    pub fn command_line() -> Self {
        // SAFETY: a plain system call that cannot fail.
        Self::CommandLine { uid: unsafe { libc::getuid() } }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The service started.
    Start,
    /// The service stopped in order.
    Stop,
    /// The run before this one ended without a `stop`: power, a crash, a kill.
    UncleanEnd,
    /// A configuration was read and is in use.
    ConfigurationLoaded,
    /// A configuration from the centre was put in the place of another.
    ConfigurationApplied,
    /// A configuration was given up for the one before it.
    ConfigurationRolledBack,
    /// The configuration was read out.
    ConfigurationRead,
    /// A model or a configuration came in a bundle and took the place of another.
    BundleInstalled,
    /// A model's weights were proved and opened.
    ModelLoaded,
    /// A rule is judged again.
    RuleArmed,
    /// A rule is not judged.
    RuleDisarmed,
    /// A rule was added, taken away or has other thresholds.
    RuleChanged,
    /// A camera is used again.
    CameraEnabled,
    /// A camera is not used.
    CameraDisabled,
    /// A camera was added, taken away or is configured otherwise.
    CameraChanged,
    /// The masks of a camera are others.
    MaskChanged,
    /// A command that has no action of its own.
    Command,
    /// An incident was acknowledged by an operator.
    Acknowledged,
    /// An incident was judged by an operator.
    Verdict,
    /// Evidence or the log itself left the box.
    Export,
    /// Recorded data was deleted.
    Deletion,
    /// An incident's evidence is kept until further notice.
    HoldSet,
    /// It is kept no longer than all else.
    HoldLifted,
    /// Someone logged in.
    LogIn,
    /// Someone was not let in.
    LogInRefused,
    /// Someone logged out.
    LogOut,
    /// An account was made, changed or taken away.
    AccountChanged,
    /// Another certificate or key is in use.
    CertificateRotated,
    /// All data was removed.
    FactoryReset,
    /// The outbox was damaged and replaced.
    OutboxSetAside,
    /// How much is logged was changed.
    LogLevelChanged,
    /// Lines that could not be written: how many are missing.
    LinesLost,
    /// What a power cut left of a last line was set aside.
    TornLineSetAside,
    /// The log is not what was last known of it.
    LogDamaged,
    /// Lines older than the retention were deleted.
    LogPruned,
}

impl Action {
    /// As written.
    #[must_use]
    pub fn label(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not done because it must not be.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was tried and did not succeed.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Not done, because it must not be.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// Tried without success.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into() }
    }
}

/// A SHA-256 as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineHash([u8; 32]);

impl LineHash {
    /// What stands for the line before the first one.
    pub const NONE: Self = Self([0; 32]);

    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From 64 lower-case digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for LineHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LineHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 64 lower-case hexadecimal digits"))
    }
}

impl JsonSchema for LineHash {
    fn schema_name() -> Cow<'static, str> {
        "LineHash".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditLine {
    /// Counts lines from 1 on, without gaps.
    pub number: u64,
    /// When it was written.
    pub time: UtcMillis,
    /// How far that can be trusted.
    pub time_quality: TimeQuality,
    /// The kernel's id of this boot; changes whenever the box starts.
    pub boot: Uuid,
    /// The process that wrote it.
    pub session: Uuid,
    /// The junction.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub site: String,
    /// The box.
    #[serde(rename = "box")]
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub box_id: String,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub source: Source,
    /// What was done.
    pub action: Action,
    /// To what, such as `camera/huong-nam`; null when it is the box as a whole.
    pub object: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Whatever else is worth knowing; without secrets.
    pub detail: serde_json::Map<String, serde_json::Value>,
    /// `hash` of the line before; 64 zeros in the first line.
    pub previous: LineHash,
    /// SHA-256 of this line's bytes without this member: without the 74 characters before the closing brace.
    pub hash: LineHash,
}

/// `,"hash":"…"`.
const HASH_MEMBER: usize = 74;
const HASH_KEY: &[u8] = br#","hash":""#;

impl AuditLine {
    /// The line's bytes, without a line feed, and its hash, which `self.hash` need not be yet.
    #[must_use]
    pub fn seal(&self) -> (Vec<u8>, LineHash) {
        let mut bytes = super::to_bytes(self);
        let open = bytes.len() - 1 - HASH_MEMBER;
        bytes.truncate(open);
        bytes.push(b'}');
        let hash = LineHash::of(&bytes);
        bytes.truncate(open);
        bytes.extend_from_slice(format!(",\"hash\":\"{hash}\"}}").as_bytes());
        (bytes, hash)
    }

    /// Reads a line (without its line feed) whose hash is that of its bytes; `None` for any other.
    #[must_use]
    pub fn proved(bytes: &[u8]) -> Option<Self> {
        let open = bytes.len().checked_sub(1 + HASH_MEMBER)?;
        let (body, member) = bytes.split_at(open);
        let digits = member.strip_prefix(HASH_KEY)?.strip_suffix(b"\"}")?;
        let hash = LineHash::parse(std::str::from_utf8(digits).ok()?)?;
        let of_body = LineHash::of(&[body, b"}"].concat());
        (hash == of_body).then(|| serde_json::from_slice(bytes).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn line(name: &str) -> AuditLine {
        AuditLine {
            number: 7,
            time: UtcMillis::from_unix_millis(1_800_000_000_123),
            time_quality: TimeQuality { synced: true, max_error_ms: Some(3) },
            boot: Uuid::from_u128(1),
            session: Uuid::from_u128(2),
            site: "ql10-nut-01".into(),
            box_id: "box-a".into(),
            actor: Actor::person(name),
            source: Source::Mqtt,
            action: Action::Verdict,
            object: Some("incident/1".into()),
            outcome: Outcome::refused("quá hạn"),
            detail: json!({ "hash": ",\"hash\":\"x\"}" }).as_object().cloned().unwrap_or_default(),
            previous: LineHash::NONE,
            hash: LineHash::NONE,
        }
    }

    #[test]
    fn a_sealed_line_is_read_back_as_it_was() {
        let line = line("Nguyễn Văn A");
        let (bytes, hash) = line.seal();
        assert_eq!(AuditLine::proved(&bytes), Some(AuditLine { hash, ..line }));
    }

    proptest! {
        #[test]
        fn any_single_byte_changed_is_found(name in "\\PC{0,20}", at in any::<prop::sample::Index>(), by in 1_u8..) {
            let (mut bytes, _) = line(&name).seal();
            let at = at.index(bytes.len());
            bytes[at] = bytes[at].wrapping_add(by);
            prop_assert_eq!(AuditLine::proved(&bytes), None);
        }
    }
}

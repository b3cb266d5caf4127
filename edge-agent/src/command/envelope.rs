//! A command as it came: read, and judged by its time. Pure: clocks and the session are arguments.
//!
//! What can be read of the id is kept even where the rest cannot be, so that the answer finds who asked.

use std::time::Duration;

use analytics::{CameraId, RuleId};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::evidence::EvidenceName;
use crate::publish::wire::{
    AcknowledgeArguments, CameraArguments, Command, CommandName, ConfigApplyArguments, ConfigFetchArguments,
    EvidenceFetchArguments, LogLevelArguments, NoArguments, Reason, RuleArguments, SnapshotArguments, TimeQuality,
    UtcMillis, VerdictArguments,
};
use crate::secret::redacted_line;

/// A larger message is not read.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// Objects and lists within each other; a command has two.
const MOST_DEPTH: usize = 4;
/// Characters of an actor, of a reason, of what is wrong.
const MOST_ACTOR: usize = 80;
const MOST_REASON: usize = 400;
const MOST_DETAIL: usize = 200;
/// A command may be valid for so long. Raising it lets commands wait for boxes that are away; each is remembered that long.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// A sender's clock may be ahead by this much, beside what the box's own may be wrong.
const AHEAD: Duration = Duration::from_secs(30);

/// What is asked, with names that can be names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Snapshot { camera: CameraId },
    EvidenceFetch { incident: Uuid, name: EvidenceName, offset: u64 },
    Camera { camera: CameraId, enabled: bool, until: Option<UtcMillis>, reason: Option<String> },
    Rule { camera: CameraId, rule: RuleId, armed: bool, until: Option<UtcMillis>, reason: Option<String> },
    Acknowledge(AcknowledgeArguments),
    Verdict(VerdictArguments),
    Rebirth,
    LogLevel(LogLevelArguments),
    ConfigFetch(ConfigFetchArguments),
    ConfigApply(ConfigApplyArguments),
}

impl Request {
    /// Whether it must not be done late: it takes eyes off the road, or goes by the box's clock.
    fn must_be_fresh(&self) -> bool {
        match self {
            Self::Camera { enabled, .. } => !enabled,
            Self::Rule { armed, .. } => !armed,
            Self::LogLevel(_) | Self::ConfigApply(_) => true,
            Self::Snapshot { .. }
            | Self::EvidenceFetch { .. }
            | Self::Acknowledge(_)
            | Self::Verdict(_)
            | Self::Rebirth
            | Self::ConfigFetch(_) => false,
        }
    }
}

/// A command that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) id: Uuid,
    pub(super) name: CommandName,
    pub(super) actor: String,
    pub(super) issued_at: UtcMillis,
    pub(super) expires_at: UtcMillis,
    pub(super) session: Option<u64>,
    pub(super) request: Request,
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The command's id, where that could be read.
    pub(super) id: Option<Uuid>,
    pub(super) reason: Reason,
    /// What exactly is wrong.
    pub(super) detail: Option<String>,
}

impl Refusal {
    fn malformed(id: Option<Uuid>, detail: &str) -> Self {
        Self { id, reason: Reason::Malformed, detail: Some(shortened(detail)) }
    }
}

/// Reads a message on `cmd/{level}`.
pub(super) fn read(level: &str, payload: &[u8]) -> Result<Order, Refusal> {
    if payload.len() > MOST_BYTES {
        return Err(Refusal { id: None, reason: Reason::TooLarge, detail: None });
    }
    if depth(payload) > MOST_DEPTH {
        return Err(Refusal::malformed(None, "nested too deep"));
    }
    let Some(name) = CommandName::from_label(level) else {
        return Err(Refusal { id: id_of(payload), reason: Reason::UnknownCommand, detail: None });
    };
    let read = |request: Result<Order, Refusal>| {
        request.and_then(|order| if order.name == name { Ok(order) } else { Err(wrong_topic(order.id)) })
    };
    read(match name {
        CommandName::Snapshot => {
            order(name, payload, |of: SnapshotArguments| Ok(Request::Snapshot { camera: camera(&of.camera)? }))
        }
        CommandName::EvidenceFetch => order(name, payload, |of: EvidenceFetchArguments| {
            let name = EvidenceName::parse(&of.name).ok_or("arguments.name is no evidence's name")?;
            Ok(Request::EvidenceFetch { incident: of.incident_id, name, offset: of.offset })
        }),
        CommandName::Camera => order(name, payload, |of: CameraArguments| {
            let (enabled, until, reason) = (of.enabled, of.until, reason(of.reason)?);
            Ok(Request::Camera { camera: camera(&of.camera)?, enabled, until, reason })
        }),
        CommandName::Rule => order(name, payload, |of: RuleArguments| {
            let rule = RuleId::new(&of.rule).map_err(|_| "arguments.rule is no id")?;
            let (armed, until, reason) = (of.armed, of.until, reason(of.reason)?);
            Ok(Request::Rule { camera: camera(&of.camera)?, rule, armed, until, reason })
        }),
        CommandName::Acknowledge => order(name, payload, |of| Ok(Request::Acknowledge(of))),
        CommandName::Verdict => order(name, payload, |of: VerdictArguments| {
            let reason = reason(of.reason)?;
            Ok(Request::Verdict(VerdictArguments { reason, ..of }))
        }),
        CommandName::Rebirth => order(name, payload, |_: NoArguments| Ok(Request::Rebirth)),
        CommandName::LogLevel => order(name, payload, |of| Ok(Request::LogLevel(of))),
        CommandName::ConfigFetch => order(name, payload, |of| Ok(Request::ConfigFetch(of))),
        CommandName::ConfigApply => order(name, payload, |of: ConfigApplyArguments| {
            let reason = reason(of.reason)?;
            Ok(Request::ConfigApply(ConfigApplyArguments { reason, ..of }))
        }),
    })
}

/// Whatever comes on any command's topic is read, or refused in few words on one line; see `crate::hostile`.
#[cfg(any(test, fuzzing))]
pub(crate) fn hostile(payload: &[u8]) {
    let now =
        Now { wall: UtcMillis::now(), quality: TimeQuality { synced: true, max_error_ms: Some(u32::MAX) }, session: 7 };
    for level in CommandName::ALL.iter().map(|name| name.label()).chain(["reboot"]) {
        match read(level, payload) {
            Ok(order) => drop(order.judge(now)),
            Err(Refusal { detail, .. }) => {
                let detail = detail.unwrap_or_default();
                assert!(detail.chars().count() <= MOST_DETAIL && !detail.chars().any(char::is_control), "{detail:?}");
            }
        }
    }
}

fn order<A: DeserializeOwned>(
    name: CommandName,
    payload: &[u8],
    request: impl FnOnce(A) -> Result<Request, &'static str>,
) -> Result<Order, Refusal> {
    let command: Command<A> = serde_json::from_slice(payload).map_err(|error| {
        let (id, named) = peek(payload);
        // Another command's arguments are not this one's: say that rather than which key is wrong.
        if named.is_some_and(|named| named != name.label()) {
            return wrong_topic_of(id);
        }
        Refusal::malformed(id, &error.to_string())
    })?;
    let id = command.id;
    if id.is_nil() {
        return Err(Refusal::malformed(None, "id is nil"));
    }
    if command.name != name.label() {
        return Err(wrong_topic(id));
    }
    let actor_is_one = (1..=MOST_ACTOR).contains(&command.actor.chars().count());
    if !actor_is_one || command.actor.chars().any(char::is_control) {
        return Err(Refusal::malformed(Some(id), "actor: write 1 to 80 characters"));
    }
    let request = request(command.arguments).map_err(|what| Refusal::malformed(Some(id), what))?;
    let Command { actor, issued_at, expires_at, session, .. } = command;
    Ok(Order { id, name, actor, issued_at, expires_at, session, request })
}

fn wrong_topic(id: Uuid) -> Refusal {
    wrong_topic_of(Some(id))
}

fn wrong_topic_of(id: Option<Uuid>) -> Refusal {
    Refusal { id, reason: Reason::WrongTopic, detail: None }
}

fn camera(text: &str) -> Result<CameraId, &'static str> {
    CameraId::new(text).map_err(|_| "arguments.camera is no id")
}

fn reason(text: Option<String>) -> Result<Option<String>, &'static str> {
    let is_one = |text: &String| text.chars().count() <= MOST_REASON && !text.chars().any(char::is_control);
    if text.as_ref().is_some_and(|text| !is_one(text)) {
        return Err("arguments.reason: write at most 400 characters on one line");
    }
    Ok(text)
}

/// The id of what cannot be read.
fn id_of(payload: &[u8]) -> Option<Uuid> {
    peek(payload).0
}

fn peek(payload: &[u8]) -> (Option<Uuid>, Option<String>) {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(default)]
        id: serde_json::Value,
        #[serde(default)]
        name: serde_json::Value,
    }
    let Ok(named) = serde_json::from_slice::<Named>(payload) else { return (None, None) };
    let id = named.id.as_str().and_then(|id| Uuid::parse_str(id).ok()).filter(|id| !id.is_nil());
    (id, named.name.as_str().map(str::to_owned))
}

/// What a parser says may repeat what was sent: bounded, on one line, without what looks like a secret.
fn shortened(text: &str) -> String {
    redacted_line(text, MOST_DETAIL)
}

/// How deep objects and lists lie in each other, without reading them.
fn depth(payload: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in payload {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The moment a command is judged at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) wall: UtcMillis,
    pub(super) quality: TimeQuality,
    /// Of the box's present connection.
    pub(super) session: u64,
}

impl Order {
    /// Whether it is to be done now.
    ///
    /// By the clock where that is synchronised. Where it is not, what may be done late is done (a verdict stays true), and
    /// what must not be is done only for who names the present session: that cannot be known from before it began.
    pub(super) fn judge(&self, now: Now) -> Result<(), Reason> {
        let life = millis_from(self.issued_at, self.expires_at);
        if life <= 0 || life > i64::try_from(LONGEST_LIFE.as_millis()).expect("a day") {
            return Err(Reason::LivesTooLong);
        }
        if self.session.is_some_and(|session| session != now.session) {
            return Err(Reason::StaleSession);
        }
        let Some(error) = now.quality.max_error_ms.filter(|_| now.quality.synced) else {
            let is_proven = self.session.is_some() || !self.request.must_be_fresh();
            return if is_proven { Ok(()) } else { Err(Reason::ClockNotSynced) };
        };
        let error = i64::from(error);
        if millis_from(self.expires_at, now.wall) > error {
            return Err(Reason::Expired);
        }
        if millis_from(now.wall, self.issued_at) > error + i64::try_from(AHEAD.as_millis()).expect("seconds") {
            return Err(Reason::FutureDated);
        }
        Ok(())
    }

    /// `until` in the box's own time: where its clock is not synchronised, as far from now as it is from the issue.
    pub(super) fn until(&self, until: UtcMillis, now: Now, longest: Duration) -> Result<UtcMillis, Reason> {
        let until = if now.quality.synced {
            until
        } else {
            UtcMillis::from_unix_millis(now.wall.as_unix_millis().saturating_add(millis_from(self.issued_at, until)))
        };
        let ahead = millis_from(now.wall, until);
        let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        if (1..=longest).contains(&ahead) { Ok(until) } else { Err(Reason::BadTime) }
    }
}

const fn millis_from(from: UtcMillis, to: UtcMillis) -> i64 {
    to.as_unix_millis().saturating_sub(from.as_unix_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_795_329_012_480;
    const SYNCED: TimeQuality = TimeQuality { synced: true, max_error_ms: Some(20) };
    const UNSYNCED: TimeQuality = TimeQuality { synced: false, max_error_ms: None };
    const ID: &str = "01a201f2-b56e-7b3a-9f10-5c2d1e8a0b44";

    fn now(quality: TimeQuality) -> Now {
        Now { wall: UtcMillis::from_unix_millis(NOW_MS), quality, session: 7 }
    }

    fn text(name: &str, issued: i64, expires: i64, more: &str, arguments: &str) -> String {
        let at = |offset: i64| UtcMillis::from_unix_millis(NOW_MS + offset);
        format!(
            r#"{{"id":"{ID}","actor":"nguyen-van-a","issued_at":"{}","expires_at":"{}","name":"{name}"{more},"arguments":{arguments}}}"#,
            at(issued),
            at(expires)
        )
    }

    fn off(issued: i64, expires: i64, more: &str) -> Order {
        let text = text("camera", issued, expires, more, r#"{"camera":"nam","enabled":false}"#);
        read("camera", text.as_bytes()).expect("a command")
    }

    fn refused(level: &str, text: &str) -> (Reason, bool) {
        let refusal = read(level, text.as_bytes()).expect_err("refused");
        (refusal.reason, refusal.id.is_some())
    }

    #[test]
    fn every_command_reads_its_own_arguments_and_no_others() {
        let incident = format!(r#"{{"incident_id":"{ID}"}}"#);
        let arguments = [
            (CommandName::Snapshot, r#"{"camera":"nam"}"#.to_owned()),
            (CommandName::EvidenceFetch, format!(r#"{{"incident_id":"{ID}","name":"1.mp4"}}"#)),
            (CommandName::Camera, r#"{"camera":"nam","enabled":false,"reason":"bảo trì"}"#.to_owned()),
            (CommandName::Rule, r#"{"camera":"nam","rule":"vach","armed":true}"#.to_owned()),
            (CommandName::Acknowledge, incident.clone()),
            (CommandName::Verdict, format!(r#"{{"incident_id":"{ID}","verdict":"false_alarm"}}"#)),
            (CommandName::Rebirth, "{}".to_owned()),
            (CommandName::LogLevel, r#"{"level":"debug","until":"2026-11-22T07:30:12.480Z"}"#.to_owned()),
            (CommandName::ConfigFetch, "{}".to_owned()),
            (CommandName::ConfigApply, r#"{"text":"[site]\n","base_sha256":"00"}"#.to_owned()),
        ];
        assert_eq!(arguments.clone().map(|(name, _)| name), CommandName::ALL);
        for (name, arguments) in arguments {
            let label = name.label();
            let sent = text(label, 0, 60_000, "", &arguments);
            assert_eq!(read(label, sent.as_bytes()).map(|order| order.name), Ok(name));
            let more = text(label, 0, 60_000, r#","shell":"ls""#, &arguments);
            assert_eq!(refused(label, &more), (Reason::Malformed, true), "{label}");
            let open = arguments.replacen('{', r#"{"path":"/etc/passwd","#, 1).replace(",}", "}");
            let more = text(label, 0, 60_000, "", &open);
            assert_eq!(refused(label, &more), (Reason::Malformed, true), "{label}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused_with_its_reason_and_its_id_where_that_can_be_read() {
        let good = text("rebirth", 0, 60_000, "", "{}");
        assert_eq!(refused("reboot", &good), (Reason::UnknownCommand, true));
        assert_eq!(refused("snapshot", &good), (Reason::WrongTopic, true));
        assert_eq!(refused("rebirth", "no"), (Reason::Malformed, false));
        assert_eq!(refused("rebirth", &good.replace(ID, "7")), (Reason::Malformed, false));
        assert_eq!(refused("rebirth", &good.replace("nguyen-van-a", "")), (Reason::Malformed, true));
        assert_eq!(refused("rebirth", &good.replace("nguyen-van-a", "a\\nb")), (Reason::Malformed, true));
        let twice = good.replacen('{', &format!(r#"{{"id":"{ID}","#), 1);
        assert_eq!(refused("rebirth", &twice).0, Reason::Malformed, "a key twice");
        assert_eq!(refused("rebirth", &" ".repeat(MOST_BYTES + 1)), (Reason::TooLarge, false));
        let deep = good.replace("{}", &format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)));
        assert_eq!(refused("rebirth", &deep), (Reason::Malformed, false));
        for name in ["../../etc/passwd.jpg", "a/b.jpg", "1.exe", ".jpg"] {
            let fetch = text("evidence-fetch", 0, 9, "", &format!(r#"{{"incident_id":"{ID}","name":"{name}"}}"#));
            assert_eq!(refused("evidence-fetch", &fetch), (Reason::Malformed, true), "{name}");
        }
    }

    #[test]
    fn a_parser_s_words_repeat_no_secret_and_not_much() {
        let long = format!(r#"{{"rtsp://user:s3cret@camera/{}":1}}"#, "x".repeat(1000));
        let detail = read("rebirth", long.as_bytes()).expect_err("refused").detail.expect("says what");
        assert!(!detail.contains("s3cret") && detail.len() < 400, "{detail}");
    }

    #[test]
    fn a_synchronised_clock_refuses_what_is_late_or_of_the_future() {
        let judge = |order: Order| order.judge(now(SYNCED));
        assert_eq!(judge(off(-1000, 59_000, "")), Ok(()));
        assert_eq!(judge(off(-60_000, -10, "")), Ok(()), "within the clock's error");
        assert_eq!(judge(off(-60_000, -21, "")), Err(Reason::Expired));
        assert_eq!(judge(off(29_000, 60_000, "")), Ok(()), "clocks differ a little");
        assert_eq!(judge(off(31_000, 60_000, "")), Err(Reason::FutureDated));
        assert_eq!(judge(off(0, 0, "")), Err(Reason::LivesTooLong));
        assert_eq!(judge(off(0, 86_400_001, "")), Err(Reason::LivesTooLong));
        assert_eq!(judge(off(0, 60_000, r#","session":6"#)), Err(Reason::StaleSession));
    }

    #[test]
    fn without_a_clock_only_what_may_be_late_is_done_or_what_names_the_session() {
        let judge = |order: Order| order.judge(now(UNSYNCED));
        assert_eq!(judge(off(0, 60_000, "")), Err(Reason::ClockNotSynced));
        assert_eq!(judge(off(-3_600_000, -1, r#","session":7"#)), Ok(()), "the session proves it, not the clock");
        assert_eq!(judge(off(0, 60_000, r#","session":6"#)), Err(Reason::StaleSession));
        let on = text("camera", -3_600_000, -1, "", r#"{"camera":"nam","enabled":true}"#);
        assert_eq!(judge(read("camera", on.as_bytes()).expect("a command")), Ok(()));
    }

    #[test]
    fn an_end_is_as_far_away_as_was_meant_whatever_the_clock_shows() {
        let order = off(-3_600_000, 0, r#","session":7"#);
        let until = UtcMillis::from_unix_millis(NOW_MS - 3_000_000);
        let day = Duration::from_secs(86_400);
        assert_eq!(order.until(until, now(SYNCED), day), Err(Reason::BadTime));
        assert_eq!(order.until(until, now(UNSYNCED), day), Ok(UtcMillis::from_unix_millis(NOW_MS + 600_000)));
        let far = UtcMillis::from_unix_millis(NOW_MS + 86_400_001);
        assert_eq!(order.until(far, now(SYNCED), day), Err(Reason::BadTime));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(level in "[a-z-]{0,20}", payload: Vec<u8>) {
            let _ = read(&level, &payload);
            for name in CommandName::ALL {
                let _ = read(name.label(), &payload);
            }
        }

        #[test]
        fn no_change_of_a_command_makes_it_panic(at in 0_usize..200, byte: u8) {
            let mut payload = text("verdict", 0, 60_000, "", &format!(r#"{{"incident_id":"{ID}","verdict":"confirmed"}}"#)).into_bytes();
            let index = at % payload.len();
            payload[index] = byte;
            let _ = read("verdict", &payload);
        }
    }
}

//! Commands of the centre, over a real broker, to the program as it is installed.

use edge_agent::command::send;
use edge_agent::publish::wire::{
    Ack, AckState, CameraArguments, CameraState, CommandName, ConfigFetchArguments, Finding, LogLevel,
    LogLevelArguments, NoArguments, Phase, RuleArguments, UtcMillis, VerdictArguments, Verification,
};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

use crate::agent::Agent;
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

pub(crate) const BOX: &str = "ngatu/v1/nut-thu/box-a";

pub(crate) fn payload<A: Serialize>(name: CommandName, session: Option<u64>, arguments: A) -> (Uuid, Vec<u8>) {
    let command = send::command(name, "nguyen-van-a", Duration::from_secs(60), session, arguments);
    (command.id, serde_json::to_vec(&command).expect("JSON"))
}

pub(crate) fn topic(name: CommandName) -> String {
    format!("{BOX}/cmd/{}", name.label())
}

/// The answers to a command so far.
pub(crate) fn answers(seen: &Seen, id: Uuid) -> Vec<&Ack> {
    seen.acks.iter().filter(|ack| ack.id == Some(id)).collect()
}

impl Centre {
    pub(crate) fn session(&self) -> Option<u64> {
        self.seen.births.last().map(|birth| birth.session)
    }

    /// Sends a command and waits for its final answer.
    pub(crate) async fn order<A: Serialize>(&mut self, name: CommandName, arguments: A) -> Ack {
        let (id, payload) = payload(name, self.session(), arguments);
        self.send(topic(name), payload, false).await;
        self.final_answer(id).await
    }

    pub(crate) async fn final_answer(&mut self, id: Uuid) -> Ack {
        let is_final = |seen: &Seen| answers(seen, id).iter().any(|ack| ack.state.is_final());
        self.until(&format!("a final answer to {id}"), is_final).await;
        let finals: Vec<Ack> =
            answers(&self.seen, id).into_iter().filter(|ack| ack.state.is_final()).cloned().collect();
        assert_eq!(finals.len(), 1, "{finals:?}");
        finals.into_iter().next().expect("one")
    }

    /// Waits until the box is there.
    pub(crate) async fn until_online(&mut self, births: usize) {
        self.until("the box is there", |seen| seen.births.len() > births && !seen.healths.is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_done_once_and_answered_however_often_it_comes_and_whatever_is_killed() {
    let broker = Mosquitto::start_open();
    let site = SiteFile::new(broker.port()).camera("nam", "rtsp://127.0.0.1:9/none", "");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until_online(0).await;

    let done = centre.order(CommandName::Rebirth, NoArguments {}).await;
    assert_eq!(done.state, AckState::Done, "{done:?}");
    centre.until("birth once more", |seen| seen.births.len() >= 2).await;

    let (id, again) = payload(CommandName::ConfigFetch, None, ConfigFetchArguments::default());
    for _ in 0..3 {
        centre.send(topic(CommandName::ConfigFetch), again.clone(), false).await;
    }
    centre.until("the same answer for the same id", |seen| !answers(seen, id).is_empty()).await;
    let file = centre.final_answer_of_first(id).await.file.expect("a file");
    assert!(file.text.expect("its text").contains("nut-thu"));
    assert_eq!(file.offset, Some(file.bytes), "all of it");

    // While it is away the broker keeps them; what comes twice is done once.
    agent.kill();
    let (kept, waiting) = payload(CommandName::Rebirth, None, NoArguments {});
    centre.send(topic(CommandName::Rebirth), waiting.clone(), false).await;
    let births = centre.seen.births.len();
    let agent = Agent::run(&site.write());
    centre.until_online(births).await;
    assert_eq!(centre.final_answer(kept).await.state, AckState::Done);
    centre.send(topic(CommandName::ConfigFetch), again, false).await;
    let before = answers(&centre.seen, id).len();
    centre.until("the answer that it had", |seen| answers(seen, id).len() > before).await;
    let all: Vec<&Ack> = answers(&centre.seen, id);
    assert!(all.iter().all(|ack| *ack == all[0]), "{all:?}");

    // Until a later session is told, what is off by command is refused to an old one.
    let off = CameraArguments { camera: "nam".to_owned(), enabled: false, until: None, reason: None };
    let (stale, payload) = payload(CommandName::Camera, Some(1), off);
    centre.send(topic(CommandName::Camera), payload, false).await;
    let refused = centre.final_answer(stale).await;
    assert_eq!((refused.state, refused.reason.as_deref()), (AckState::Refused, Some("stale_session")));

    for (name, sent, reason) in [
        ("reboot", "{}".to_owned(), "unknown_command"),
        ("rebirth", "no".to_owned(), "malformed"),
        ("rebirth", "x".repeat(70_000), "too_large"),
        ("rebirth", String::from_utf8_lossy(&waiting).replace("}", ",\"shell\":\"reboot\"}"), "malformed"),
    ] {
        let before = centre.seen.acks.len();
        centre.send(format!("{BOX}/cmd/{name}"), sent.into_bytes(), false).await;
        let is_refused = |seen: &Seen| {
            seen.acks[before..].iter().any(|ack| ack.reason.as_deref() == Some(reason) || ack.id == Some(kept))
        };
        centre.until(reason, is_refused).await;
    }

    let (id, payload) = self::payload(CommandName::Rebirth, None, NoArguments {});
    centre.send(topic(CommandName::Rebirth), payload, true).await;
    let refused = centre.final_answer(id).await;
    assert_eq!((refused.state, refused.reason.as_deref()), (AckState::Refused, Some("retained")));
    agent.stop().succeeded();
}

impl Centre {
    async fn final_answer_of_first(&mut self, id: Uuid) -> Ack {
        self.until("an answer", |seen| !answers(seen, id).is_empty()).await;
        answers(&self.seen, id)[0].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_stays_off_over_kills_and_its_incidents_end() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site =
        SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "").camera("bac", &cameras.url("two"), "");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until_online(0).await;
    centre.until("both see", |seen| seen.is("nam", CameraState::Online) && seen.is("bac", CameraState::Online)).await;

    let lasting = |seen: &Seen| {
        let open = |event: &&edge_agent::publish::wire::Incident| {
            event.data.why.rule == "keep-off" && event.data.phase == Phase::New
        };
        let ended =
            |id| seen.events_of("nam").any(|event| event.data.incident_id == id && event.data.ended_at.is_some());
        seen.events_of("nam").filter(open).map(|event| event.data.incident_id).find(|id| !ended(*id))
    };
    centre.until("something goes on", |seen| lasting(seen).is_some()).await;
    let judged = lasting(&centre.seen).expect("it goes on");
    let verdict =
        VerdictArguments { incident_id: judged, verdict: Finding::FalseAlarm, reason: Some("bóng cây".to_owned()) };
    assert_eq!(centre.order(CommandName::Verdict, verdict).await.state, AckState::Done);
    let nobody = VerdictArguments { incident_id: Uuid::from_u128(7), verdict: Finding::Confirmed, reason: None };
    assert_eq!(centre.order(CommandName::Verdict, nobody).await.reason.as_deref(), Some("unknown_incident"));

    let rule =
        |armed| RuleArguments { camera: "nam".into(), rule: "keep-off".into(), armed, until: None, reason: None };
    assert_eq!(centre.order(CommandName::Rule, rule(false)).await.state, AckState::Done);
    let ended = |seen: &Seen| {
        let mut of = seen.events_of("nam").filter(|event| event.data.incident_id == judged);
        of.any(|event| {
            event.data.end_reason.as_deref() == Some("rule_disarmed")
                && event.data.verification == Verification::FalseAlarm
        })
    };
    // It may have ended by itself a moment before.
    let over = |seen: &Seen| ended(seen) || lasting(seen).is_none();
    centre.until("its incidents end", over).await;
    let told = |seen: &Seen| {
        seen.states("nam").last().is_some_and(|status| status.disarmed.iter().any(|rule| rule.rule == "keep-off"))
    };
    centre.until("the status says so", told).await;

    let camera =
        |enabled| CameraArguments { camera: "nam".into(), enabled, until: None, reason: Some("bảo trì".into()) };
    assert_eq!(centre.order(CommandName::Camera, camera(false)).await.state, AckState::Done);
    centre.until("it is off", |seen| seen.is("nam", CameraState::Disabled)).await;
    let by = centre.seen.states("nam").last().and_then(|status| status.switched_off.clone()).expect("by whom");
    assert_eq!((by.by.as_str(), by.reason.as_deref()), ("nguyen-van-a", Some("bảo trì")));

    let births = centre.seen.births.len();
    agent.kill();
    let agent = Agent::run(&site.write());
    centre.until_online(births).await;
    centre.until_more_events("bac", 3).await;
    assert!(centre.seen.is("nam", CameraState::Disabled), "{:?}", centre.seen.states("nam").last());
    let since = centre.seen.events_of("nam").count();
    centre.until_more_events("bac", 3).await;
    assert_eq!(centre.seen.events_of("nam").count(), since, "nothing is judged of a camera that is off");
    assert!(centre.seen.births.last().expect("there").cameras[0].switched_off.is_some());
    let precision = |seen: &Seen| {
        let rows = seen.healths.last().map(|health| health.precision.clone()).unwrap_or_default();
        rows.iter().any(|row| (row.rule.as_str(), row.confirmed, row.judged) == ("keep-off", 0, 1))
    };
    centre.until("health tells what was found", precision).await;

    assert_eq!(centre.order(CommandName::Rule, rule(true)).await.state, AckState::Done);
    assert_eq!(centre.order(CommandName::Camera, camera(true)).await.state, AckState::Done);
    centre.until("it sees again", |seen| seen.is("nam", CameraState::Online)).await;
    centre.until_more_events("nam", 2).await;

    // The file wins when it is changed.
    assert_eq!(centre.order(CommandName::Camera, camera(false)).await.state, AckState::Done);
    centre.until("it is off", |seen| seen.is("nam", CameraState::Disabled)).await;
    agent.stop().succeeded();
    let changed = site.replaced("Towards nam", "Towards Nam Định");
    let _agent = Agent::run(&changed.write());
    centre.until("it sees again", |seen| seen.is("nam", CameraState::Online)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_level_ends_by_itself_also_after_a_restart() {
    let broker = Mosquitto::start_open();
    let site = SiteFile::new(broker.port()).camera("nam", "rtsp://127.0.0.1:9/none", "");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until_online(0).await;
    let until = |s: i64| UtcMillis::from_unix_millis(UtcMillis::now().as_unix_millis() + s * 1000);
    let debug = |s| LogLevelArguments { level: LogLevel::Debug, until: until(s) };
    assert_eq!(centre.order(CommandName::LogLevel, debug(-1)).await.reason.as_deref(), Some("bad_time"));
    assert_eq!(centre.order(CommandName::LogLevel, debug(90_000)).await.reason.as_deref(), Some("bad_time"));
    assert_eq!(centre.order(CommandName::LogLevel, debug(8)).await.state, AckState::Done);
    let level = |seen: &Seen| seen.healths.last().and_then(|health| health.commands.log_level.clone());
    centre.until("health says so", |seen| level(seen).is_some()).await;
    let (births, healths) = (centre.seen.births.len(), centre.seen.healths.len());
    agent.kill();
    let agent = Agent::run(&site.write());
    centre.until_online(births).await;
    centre.until("the level of before", |seen| seen.healths.len() > healths && level(seen).is_none()).await;
    agent.stop().succeeded();
}

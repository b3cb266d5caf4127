//! Commands through the task and a real database, killed at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use analytics::{Phase, Severity};
use serde::Serialize;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::audit::AuditLog;
use crate::config::Written;
use crate::evidence::EvidenceStore;
use crate::outbox::tests::{draft, topics};
use crate::outbox::{Outbox, OutboxLimits, OutboxThread};
use crate::publish::tests::birth;
use crate::publish::wire::{
    Ack, AckState, CameraArguments, CommandName, ConfigFetchArguments, EvidenceFetchArguments, Finding, NoArguments,
    TimeQuality, VerdictArguments,
};
use crate::publish::{self, BrokerParams, MqttPublisher, PublishHandle, PublishParams, PublishTask};
use crate::status::pulse::Pulse;

fn synced() -> TimeQuality {
    TimeQuality { synced: true, max_error_ms: Some(1) }
}

/// A command on its way.
type Sent = (CommandName, Vec<u8>);

/// A box without cameras.
struct Room {
    folder: tempfile::TempDir,
    outbox: Outbox,
    _thread: OutboxThread,
    publish: PublishHandle,
    _publisher: PublishTask<MqttPublisher>,
    counters: Arc<CommandCounters>,
    audit: AuditLog,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outbox.sqlite");
        let (outbox, _thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens");
        let publisher = MqttPublisher::new(BrokerParams::plain("127.0.0.1", 9), topics().client_id());
        let params = PublishParams::new(topics(), birth());
        let (publish, _publisher) = publish::publish(publisher, params, outbox.clone());
        let audit = AuditLog::at(folder.path(), &topics(), None);
        Self { folder, outbox, _thread, publish, _publisher, counters: Arc::default(), audit }
    }

    fn task(&self, deliveries: mpsc::Receiver<Delivery>) -> CommandTask {
        CommandTask {
            topics: topics(),
            deliveries,
            outbox: self.outbox.clone(),
            delivery: self.publish.status(),
            publish: self.publish.clone(),
            birth: birth(),
            cameras: Vec::new(),
            disabled: Vec::new(),
            evidence: EvidenceStore::at(self.folder.path().to_owned()),
            fetch_per_day: 64 << 10,
            written: Written::of("[site]\nid = \"site-1\"\n"),
            switches: watch::Sender::new(Arc::default()),
            precision: watch::Sender::new(Precision::from([])),
            counters: Arc::clone(&self.counters),
            audit: self.audit.clone(),
            desk: None,
            restart: CancellationToken::new(),
            clock: synced,
            pulse: Pulse::new().0,
        }
    }

    /// Runs the task with these commands until it has taken them all, or is dropped at its `kill_at`th step; those that
    /// were not taken.
    async fn run(&self, commands: Vec<Sent>, kill_at: Option<usize>) -> Vec<Sent> {
        let (sender, deliveries) = mpsc::channel(ear::WAITING);
        let taken = Arc::new(Mutex::new(BTreeSet::new()));
        let all = Arc::new(Notify::new());
        for (index, (name, payload)) in commands.iter().enumerate() {
            let (taken, all, count) = (Arc::clone(&taken), Arc::clone(&all), commands.len());
            let take = move || {
                let mut taken = taken.lock().expect("not poisoned");
                taken.insert(index);
                if taken.len() == count {
                    all.notify_one();
                }
            };
            sender.try_send(Delivery::new(name.label(), payload.clone(), false, take)).expect("room");
        }
        {
            let mut running = pin!(self.task(deliveries).run(CancellationToken::new()));
            let mut steps = 0;
            let killed = poll_fn(|context| {
                steps += 1;
                if kill_at.is_some_and(|kill_at| steps > kill_at) {
                    return Poll::Ready(());
                }
                running.as_mut().poll(context)
            });
            tokio::select! {
                () = killed => {}
                () = all.notified() => {}
            }
        }
        let taken = taken.lock().expect("not poisoned");
        let left = commands.into_iter().enumerate().filter(|(index, _)| !taken.contains(index));
        left.map(|(_, command)| command).collect()
    }

    /// Takes all answers out, as a broker would.
    async fn answers(&self) -> Vec<Ack> {
        let mut answers = Vec::new();
        while let Some(waiting) = self.outbox.next_ack().await.expect("reads") {
            answers.push(serde_json::from_slice(&waiting.payload).expect("an answer"));
            self.outbox.ack_done(waiting.outbox_id, waiting.number).await.expect("deletes");
        }
        answers
    }

    async fn incident(&self, incident: u64) -> Uuid {
        let drafts = vec![draft(incident, 1, Phase::New, Severity::High)];
        self.outbox.commit(drafts).await.expect("commits");
        Uuid::from_u64_pair(0, incident)
    }
}

fn command<A: Serialize>(name: CommandName, arguments: A) -> (Uuid, Sent) {
    let command = send::command(name, "a", Duration::from_secs(60), None, arguments);
    (command.id, (name, serde_json::to_vec(&command).expect("JSON")))
}

/// The final answers, by command: every copy of one must be the same.
fn finals(answers: &[Ack]) -> BTreeMap<Uuid, Ack> {
    let mut finals = BTreeMap::new();
    for ack in answers.iter().filter(|ack| ack.state.is_final()) {
        let before = finals.insert(ack.id.expect("an id"), ack.clone());
        assert!(before.is_none_or(|before| before == *ack), "two final answers: {answers:?}");
    }
    finals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_has_one_final_answer_and_one_effect_wherever_the_program_is_killed() {
    let room = Room::new();
    let file = room.folder.path().join(format!("{}_1.jpg", Uuid::from_u128(9)));
    std::fs::write(file, [7; 1000]).expect("writes");
    let (mut all, mut asked) = (Vec::new(), BTreeSet::new());
    for kill_at in 0..12 {
        let incident_id = room.incident(100 + kill_at as u64).await;
        let verdict = VerdictArguments { incident_id, verdict: Finding::FalseAlarm, reason: None };
        let (one, verdict) = command(CommandName::Verdict, verdict);
        let fetch = EvidenceFetchArguments { incident_id: Uuid::from_u128(9), name: "1.jpg".to_owned(), offset: 0 };
        let (two, fetch) = command(CommandName::EvidenceFetch, fetch);
        asked.extend([one, two]);
        let left = room.run(vec![verdict.clone(), fetch], Some(kill_at)).await;
        all.extend(room.answers().await);
        // What was not acknowledged to the broker comes again, and what was may too.
        let again = left.into_iter().chain([verdict]).collect();
        assert_eq!(room.run(again, None).await, []);
        let (after, rebirth) = command(CommandName::Rebirth, NoArguments {});
        asked.insert(after);
        assert_eq!(room.run(vec![rebirth], None).await, []);
        all.extend(room.answers().await);
    }
    let finals = finals(&all);
    assert_eq!(finals.keys().copied().collect::<BTreeSet<_>>(), asked);
    let judged = room.outbox.precision().await.expect("reads");
    assert_eq!((judged[0].false_alarm, judged.len()), (12, 1), "each counted once");
    let fetched = finals.values().filter(|ack| ack.name == "evidence-fetch");
    assert!(fetched.into_iter().all(|ack| ack.reason.as_deref() == Some("interrupted")), "no broker ever took a part");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_latest_word_on_an_incident_counts_and_its_events_say_so() {
    let room = Room::new();
    let incident_id = room.incident(1).await;
    for verdict in [Finding::FalseAlarm, Finding::Duplicate, Finding::Confirmed] {
        let (_, command) = command(CommandName::Verdict, VerdictArguments { incident_id, verdict, reason: None });
        room.run(vec![command], None).await;
    }
    let rows = room.outbox.precision().await.expect("reads");
    assert_eq!((rows[0].confirmed, rows[0].false_alarm, rows[0].duplicate), (1, 0, 0));
    room.outbox.commit(vec![draft(1, 2, Phase::End, Severity::High)]).await.expect("commits");
    let request = crate::outbox::NextRequest { limit: 9, backlog: 9, ..Default::default() };
    room.outbox.next(request.clone()).await.expect("reads");
    let first = room.outbox.next(request.clone()).await.expect("reads").remove(0);
    room.outbox.delivered(first.outbox_id, first.sequence).await.expect("deletes");
    let end = room.outbox.next(request).await.expect("reads").remove(0);
    let end: serde_json::Value = serde_json::from_slice(&end.payload).expect("JSON");
    assert_eq!(end["data"]["verification"], "confirmed");
    let label = end["data"]["label"]["vi"].as_str().expect("a text").to_lowercase();
    assert!(!label.contains("nghi vấn"), "{label}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_refused_and_counted_and_costs_few_answers() {
    let room = Room::new();
    let commands: Vec<_> = (0..ear::WAITING).map(|_| command(CommandName::Rebirth, NoArguments {}).1).collect();
    room.run(commands.clone(), None).await;
    let answers = room.answers().await;
    let done = answers.iter().filter(|ack| ack.state == AckState::Done).count();
    assert!((20..24).contains(&done), "{done}");
    assert_eq!(room.counters.over_limit() as usize, commands.len() - done);
    let complaints: Vec<&Ack> = answers.iter().filter(|ack| ack.reason.as_deref() == Some("rate_limited")).collect();
    assert!((1..3).contains(&complaints.len()) && complaints[0].again, "{complaints:?}");
    // It may be sent again, with the same id: nothing is remembered of it.
    let again = complaints[0].id.expect("its id");
    let same = commands.iter().find(|(_, payload)| String::from_utf8_lossy(payload).contains(&again.to_string()));
    room.run(vec![same.expect("it was sent").clone()], None).await;
    assert_eq!(finals(&room.answers().await)[&again].state, AckState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_has_a_reason_a_cure_in_both_languages_and_an_audit_line() {
    let room = Room::new();
    let off = CameraArguments { camera: "nam".to_owned(), enabled: false, until: None, reason: None };
    let far = ConfigFetchArguments { offset: 1 << 40 };
    let none = EvidenceFetchArguments { incident_id: Uuid::from_u128(1), name: "1.jpg".to_owned(), offset: 0 };
    let nobody = VerdictArguments { incident_id: Uuid::from_u128(1), verdict: Finding::Confirmed, reason: None };
    let commands = [
        (command(CommandName::Camera, off), "unknown_camera"),
        (command(CommandName::ConfigFetch, far), "bad_offset"),
        (command(CommandName::EvidenceFetch, none), "unknown_evidence"),
        (command(CommandName::Verdict, nobody), "unknown_incident"),
    ];
    let sent: Vec<_> = commands.iter().map(|((_, sent), _)| sent.clone()).collect();
    room.run(sent, None).await;
    let finals = finals(&room.answers().await);
    for ((id, _), reason) in &commands {
        let ack = &finals[id];
        assert_eq!((ack.state, ack.reason.as_deref()), (AckState::Refused, Some(*reason)));
        let message = ack.message.as_ref().expect("words");
        assert!(message.vi.contains(':') && message.en.contains(':') && message.vi != message.en, "{message:?}");
    }
    assert_eq!(room.counters.refused(), 4);
    assert_eq!(room.audit.status().borrow().head.number, 4);
}

//! Evidence in the outbox: revisions from two threads, pending pieces over crashes, thumbnails below events.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::{Phase, Severity};
use proptest::prelude::*;
use uuid::Uuid;

use super::draft::{Draft, OpenChange};
use super::store::{Store, Writes};
use super::tests::{camera, commit, crash, draft, drain, lost_in, next, numbers, open_store, topics};
use super::{OutboxLimits, Outcome, PendingEvidence, Settlement};
use crate::evidence::EvidenceName;
use crate::publish::wire::{self, Evidence, Incident, Sequence};

fn name() -> EvidenceName {
    EvidenceName::snapshot(1)
}

fn id(incident: u64) -> Uuid {
    Uuid::from_u64_pair(0, incident)
}

/// The first event of an incident, which announces a picture.
fn with_picture(incident: u64, severity: Severity) -> Draft {
    let mut draft = draft(incident, 1, Phase::New, severity);
    draft.announce(Evidence::pending_snapshot(&name()));
    draft
}

/// The same of a kind that is over with its only event.
fn pulse(mut draft: Draft) -> Draft {
    draft.change = OpenChange::None;
    draft
}

fn settlement(incident: u64, outcome: Outcome) -> Arc<Settlement> {
    Arc::new(Settlement { of: PendingEvidence { incident: id(incident), name: name() }, outcome })
}

fn ready(thumbnail: usize) -> Outcome {
    Outcome::Ready { sha256: "ab".repeat(32), bytes: 1000, thumbnail: Some(vec![7; thumbnail]), shown: None }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: "no room on the disk".to_owned() }
}

fn settle(store: &mut Store, settlement: Arc<Settlement>) -> Option<u64> {
    let given = store.apply(&Writes { settlements: vec![settlement], ..Default::default() }).expect("writes");
    given.settlements[0].map(|sequence| sequence.0)
}

fn pending(store: &Store) -> Vec<u64> {
    let pending = store.pending_evidence().expect("reads");
    pending.into_iter().map(|piece| piece.incident.as_u64_pair().1).collect()
}

fn events(store: &mut Store) -> Vec<Incident> {
    let entries = drain(store, u64::MAX >> 1);
    entries.iter().map(|entry| serde_json::from_slice(&entry.payload).expect("an event")).collect()
}

#[test]
fn what_became_of_a_picture_is_a_revision_that_repeats_the_last_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![with_picture(1, Severity::High), draft(1, 2, Phase::Update, Severity::High)]);
    assert_eq!(settle(&mut store, settlement(1, ready(10))), Some(3));
    assert_eq!(settle(&mut store, settlement(1, failed())), None, "it was settled");
    commit(&mut store, vec![draft(1, 3, Phase::End, Severity::High)]);
    let events = events(&mut store);
    let told: Vec<_> = events.iter().map(|e| (e.data.revision, e.data.phase, &*e.data.evidence[0].state)).collect();
    use wire::Phase::{End, New, Update};
    assert_eq!(told, [(1, New, "pending"), (2, Update, "pending"), (3, Update, "ready"), (4, End, "ready")]);
    let (before, repeated) = (&events[1], &events[2]);
    assert_eq!((before.data.tracks.clone(), before.time), (repeated.data.tracks.clone(), repeated.time));
    assert_ne!(before.id, repeated.id);
    assert_eq!((repeated.data.evidence[0].bytes, repeated.data.evidence[0].reason.as_deref()), (Some(1000), None));
}

#[test]
fn a_picture_may_be_settled_after_its_incident_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    let mut crossing = pulse(with_picture(1, Severity::High));
    crossing.incident.data.ended_at = Some(crossing.incident.data.started_at);
    crossing.incident.data.suppressed = 3;
    commit(&mut store, vec![crossing, with_picture(2, Severity::High), draft(2, 2, Phase::End, Severity::High)]);
    assert_eq!(store.open_incidents(&camera()).expect("reads"), []);
    assert_eq!(settle(&mut store, settlement(1, failed())), Some(4));
    assert_eq!(settle(&mut store, settlement(2, ready(1))), Some(5));
    let events = events(&mut store);
    let of = |incident| events.iter().filter(move |event| event.data.incident_id == id(incident)).map(|e| &e.data);
    let last = of(1).next_back().expect("was told");
    assert_eq!((last.phase, last.revision, last.suppressed), (wire::Phase::Update, 2, 0), "suppressed was told before");
    assert!(last.ended_at.is_some());
    assert_eq!(last.evidence[0].reason.as_deref(), Some("no room on the disk"));
    assert!(of(2).map(|data| data.revision).eq(1..=3));
    let remembered: i64 = store.db.query_row("SELECT COUNT(*) FROM incident", [], |row| row.get(0)).expect("reads");
    assert_eq!(remembered, 0, "nothing more can follow");
}

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// Transactions of core events and settlements, by slot.
    Commit {
        core: Vec<u8>,
        settled: Vec<(u8, bool)>,
    },
    Deliver(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let settled = prop::collection::vec((0_u8..4, any::<bool>()), 0..3);
    let commit =
        (prop::collection::vec(0_u8..4, 0..4), settled).prop_map(|(core, settled)| Step::Commit { core, settled });
    let step = prop_oneof![4 => commit, 2 => (1_u8..6).prop_map(Step::Deliver), 1 => Just(Step::Crash)];
    prop::collection::vec(step, 1..25)
}

/// One incident in the model.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Model {
    incident: u64,
    core_events: u32,
    lasts: u32,
    pending: bool,
}

impl Model {
    /// Every third is a pulse, every fourth announces nothing, the others last for a few events.
    fn nth(incident: u64) -> Self {
        let lasts = if incident.is_multiple_of(3) { 1 } else { 2 + (incident % 4) as u32 };
        Self { incident, core_events: 0, lasts, pending: false }
    }

    fn draft(&mut self) -> Draft {
        self.core_events += 1;
        let phase = match self.core_events {
            1 => Phase::New,
            event if event == self.lasts => Phase::End,
            _ => Phase::Update,
        };
        // The core's own number, which knows nothing of settlements.
        let mut draft = draft(self.incident, self.core_events, phase, Severity::High);
        if self.core_events == 1 && !self.incident.is_multiple_of(4) {
            self.pending = true;
            draft.announce(Evidence::pending_snapshot(&name()));
        }
        if self.lasts == 1 { pulse(draft) } else { draft }
    }

    fn is_over(&self) -> bool {
        self.core_events == self.lasts
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However core events, settlements, deliveries and crashes interleave: revisions ascend by one from 1, there is one
    /// `new`, sequences have no gap, and every piece that was announced is pending until one event settles it.
    #[test]
    fn revisions_ascend_by_one_and_no_pending_piece_is_forgotten(steps in steps()) {
        let limits = OutboxLimits::default();
        let folders: Vec<tempfile::TempDir> =
            (0..=steps.len()).map(|_| tempfile::tempdir().expect("a folder")).collect();
        let mut folder = 0;
        let mut store = open_store(folders[0].path(), limits);
        let mut slots: [Model; 4] = std::array::from_fn(|slot| Model::nth(slot as u64 + 1));
        let mut over: Vec<Model> = Vec::new();
        let (mut incidents, mut sequences, mut ready_ones) = (4, 0_u64, 0);
        let mut arrived: Vec<Incident> = Vec::new();
        for step in steps {
            match step {
                Step::Commit { core, settled } => {
                    let mut writes = Writes::default();
                    for slot in core {
                        let slot = &mut slots[usize::from(slot)];
                        if slot.is_over() {
                            incidents += 1;
                            over.push(std::mem::replace(slot, Model::nth(incidents)));
                        }
                        writes.commits.push([slot.draft()].into());
                        sequences += 1;
                    }
                    let mut expected = Vec::new();
                    for (at, is_ready) in settled {
                        let mut known: Vec<&mut Model> = slots.iter_mut().chain(&mut over).collect();
                        let at = usize::from(at) % known.len();
                        let model = &mut known[at];
                        expected.push(model.pending);
                        sequences += u64::from(model.pending);
                        ready_ones += u64::from(model.pending && is_ready);
                        model.pending = false;
                        let outcome = if is_ready { ready(5) } else { failed() };
                        writes.settlements.push(settlement(model.incident, outcome));
                    }
                    let given = store.apply(&writes).expect("writes");
                    let told: Vec<bool> = given.settlements.iter().map(Option::is_some).collect();
                    prop_assert_eq!(told, expected);
                }
                Step::Deliver(count) => {
                    let entries = next(&mut store, 0, &[], count.into());
                    let delivered = entries.iter().map(|entry| entry.sequence).collect();
                    store.apply(&Writes { delivered, ..Default::default() }).expect("writes");
                    arrived.extend(entries.iter().map(|entry| {
                        serde_json::from_slice::<Incident>(&entry.payload).expect("an event")
                    }));
                }
                Step::Crash => {
                    store = crash(store, folders[folder].path(), folders[folder + 1].path(), limits);
                    folder += 1;
                }
            }
            let mut expected: Vec<u64> =
                slots.iter().chain(&over).filter(|model| model.pending).map(|model| model.incident).collect();
            expected.sort_unstable();
            prop_assert_eq!(pending(&store), expected);
            prop_assert_eq!(store.state.last_sequence, sequences);
            prop_assert_eq!(store.state.thumbnails, ready_ones);
        }
        arrived.extend(events(&mut store));
        let mut numbers: Vec<Sequence> = arrived.iter().map(|event| event.sequence).collect();
        numbers.sort_unstable();
        prop_assert!(numbers.into_iter().eq((1..=sequences).map(Sequence)));
        let mut by_incident: BTreeMap<Uuid, Vec<&Incident>> = BTreeMap::new();
        arrived.iter().for_each(|event| by_incident.entry(event.data.incident_id).or_default().push(event));
        for model in slots.iter().chain(&over).filter(|model| model.core_events > 0) {
            let told = &by_incident[&id(model.incident)];
            let settled = told.iter().position(|event| event.data.evidence.iter().any(|piece| !piece.is_pending()));
            let announced = usize::from(!model.incident.is_multiple_of(4));
            prop_assert_eq!(settled.is_none() && announced > 0, model.pending);
            for (at, event) in told.iter().enumerate() {
                let data = &event.data;
                prop_assert_eq!(data.revision as usize, at + 1);
                prop_assert_eq!(data.phase == wire::Phase::New, at == 0);
                prop_assert_eq!(data.evidence.len(), announced);
                let is_settled = settled.is_some_and(|settled| at >= settled);
                prop_assert!(data.evidence.iter().all(|piece| piece.is_pending() != is_settled));
            }
        }
    }
}

#[test]
fn thumbnails_go_before_any_event_when_the_outbox_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut probe = open_store(folder.path(), OutboxLimits::default());
    commit(&mut probe, vec![with_picture(1, Severity::Info), with_picture(2, Severity::High)]);
    for incident in [1, 2] {
        settle(&mut probe, settlement(incident, ready(3000)));
    }
    assert_eq!((probe.state.thumbnails, probe.state.thumbnail_bytes), (2, 6000));
    let max_bytes = probe.state.pending_bytes + 6000;
    drop(probe);

    let mut store = open_store(folder.path(), OutboxLimits { max_bytes, max_rows: u64::MAX });
    assert_eq!((store.state.thumbnails, store.state.thumbnail_bytes), (2, 6000), "kept over a restart");
    // One more event: the thumbnail of the lowest severity goes; no event does.
    commit(&mut store, vec![draft(3, 1, Phase::New, Severity::Info)]);
    assert_eq!((store.state.thumbnails, store.state.thumbnails_dropped, store.state.lost_total), (1, 1, 0));
    let left = store.next_thumbnail().expect("reads").expect("one");
    assert!(left.topic.contains(&id(2).to_string()), "{}", left.topic);
    // So many that events do not fit either: first the other thumbnail, then events, each named.
    commit(&mut store, (4..30).map(|incident| draft(incident, 1, Phase::New, Severity::Info)).collect());
    assert_eq!((store.state.thumbnails, store.state.thumbnails_dropped), (0, 2));
    assert!(store.state.lost_total > 0 && store.state.pending_bytes <= max_bytes);
    let (lost_total, last) = (store.state.lost_total, store.state.last_sequence);
    let sent = drain(&mut store, 0);
    assert_eq!(lost_in(&sent).len() as u64, lost_total);
    assert_eq!(sent.len() as u64 + lost_total, last, "thumbnails have no numbers");
}

#[test]
fn the_newest_thumbnail_is_sent_first_and_stays_until_it_is_done_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![with_picture(1, Severity::High), with_picture(2, Severity::Info)]);
    for incident in [1, 2] {
        settle(&mut store, settlement(incident, ready(incident as usize)));
    }
    let mut sent = Vec::new();
    while let Some(thumbnail) = store.next_thumbnail().expect("reads") {
        assert_eq!(store.next_thumbnail().expect("reads"), Some(thumbnail.clone()));
        sent.push((thumbnail.topic, thumbnail.payload.len()));
        store.apply(&Writes { thumbnails_done: vec![thumbnail.number], ..Default::default() }).expect("writes");
    }
    let topic = |incident| topics().evidence(&camera(), id(incident), &name());
    assert_eq!(sent, [(topic(2), 2), (topic(1), 1)]);
    assert_eq!((store.state.thumbnails, store.state.thumbnail_bytes), (0, 0));
    assert_eq!(numbers(&next(&mut store, 0, &[], 9)).len(), 2, "events are another matter");
}

/// The schema of format 1, as it was released.
const FORMAT_1: &str = "
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    outbox_id TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    session INTEGER NOT NULL
);
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    severity INTEGER NOT NULL,
    keep INTEGER NOT NULL,
    topic TEXT NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX entry_by_incident ON entry (incident, sequence);
CREATE INDEX entry_critical ON entry (sequence) WHERE severity = 3;
CREATE INDEX entry_droppable ON entry (keep, severity, sequence) WHERE keep < 2;
CREATE TABLE payload (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE open_incident (
    incident TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    revision INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    about_zone INTEGER NOT NULL,
    tracks TEXT NOT NULL,
    last_event_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX open_incident_by_camera ON open_incident (camera);
INSERT INTO meta VALUES (1, '01a201f2-b56e-7b3a-9f10-5c2d1e8a0b44', 41, 7);
INSERT INTO entry VALUES (41, '00000000-0000-0000-0000-000000000001', 2, 1, 'ngatu/v1/site-1/box-a/event/cam-1/wrong_way', 2);
INSERT INTO payload VALUES (41, X'7B7D');
INSERT INTO open_incident VALUES ('00000000-0000-0000-0000-000000000001', 'cam-1',
    '[\"rule-1\",\"wrong-way\",\"high\",null,null]', 5, 1, 0, '[[\"truck\",[0.1,0.2,0.3,0.4]]]', 2);
PRAGMA user_version = 1;
";

#[test]
fn a_file_of_format_1_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = rusqlite::Connection::open(folder.path().join("outbox.db")).expect("opens");
    old.execute_batch(FORMAT_1).expect("writes");
    drop(old);
    for _ in 0..2 {
        let store = open_store(folder.path(), OutboxLimits::default());
        assert_eq!(store.set_aside, None);
        assert_eq!(store.state.outbox_id.to_string(), "01a201f2-b56e-7b3a-9f10-5c2d1e8a0b44");
        assert_eq!((store.state.last_sequence, store.state.session, store.state.pending), (41, 7, 1));
        let open = store.open_incidents(&camera()).expect("reads");
        assert_eq!((open.len(), open[0].incident_id, open[0].revision), (1, id(1), 5));
        assert_eq!((open[0].tracks.len(), pending(&store).len()), (1, 0));
    }
    let mut store = open_store(folder.path(), OutboxLimits::default());
    // An evidence revision is behind the core's back: its own number is not the one that is given.
    assert_eq!(commit(&mut store, vec![draft(1, 2, Phase::End, Severity::High)]), [42]);
    let entries = drain(&mut store, 0);
    assert_eq!(numbers(&entries), [41, 42]);
    let end: Incident = serde_json::from_slice(&entries[1].payload).expect("an event");
    assert_eq!(end.data.revision, 6);
    assert_eq!(store.open_incidents(&camera()).expect("reads"), []);
}

#[test]
fn thumbnails_that_waited_too_long_go_and_a_clock_that_was_not_set_makes_none_old() {
    use super::thumbnail::TooOld;
    use crate::publish::wire::UtcMillis;

    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    for incident in 1..=3 {
        commit(&mut store, vec![with_picture(incident, Severity::High)]);
        settle(&mut store, settlement(incident, ready(100)));
    }
    store.db.execute("UPDATE thumbnail_age SET at = 5 WHERE number = 1", []).expect("writes");
    store.db.execute("DELETE FROM thumbnail_age WHERE number = 2", []).expect("as an earlier version left it");
    drop(store);
    let mut store = open_store(folder.path(), OutboxLimits::default());
    let start = UtcMillis::now().as_unix_millis();
    let mut sweep = |hours: i64| {
        let at = |hours: i64| UtcMillis::from_unix_millis(start + hours * 3_600_000);
        let too_old = Some(TooOld { now: at(hours), before: at(hours - 2) });
        store.apply(&Writes { too_old, ..Default::default() }).expect("writes").too_old
    };
    assert_eq!([sweep(0), sweep(1), sweep(3), sweep(4)], [(0, 0), (0, 0), (3, 300), (0, 0)]);
    assert_eq!((store.state.thumbnails, store.state.thumbnail_bytes, store.state.thumbnails_dropped), (0, 0, 3));
}

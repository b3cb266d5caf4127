//! The outbox against a model, over crashes at every point; its order; its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use analytics::event::TrackView;
use analytics::finding::RuleInfo;
use analytics::{
    BBox, BoxId, CameraId, Class, Confidence, Event, FrameStamp, Kind, MediaTime, Phase, RuleId, Severity, SiteId,
    TrackId, WallTime,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::draft::Draft;
use super::store::{Entry, NextRequest, Store, Writes};
use super::{Outbox, OutboxError, OutboxLimits, open};
use crate::publish::wire::{
    CameraLabel, EventContext, Incident, LocalText, ModelRef, Moment, Sequence, System, TimeQuality,
};
use crate::publish::{TopicRoot, Topics};

pub(crate) fn topics() -> Topics {
    let (site, box_id) = (SiteId::new("site-1").expect("valid"), BoxId::new("box-a").expect("valid"));
    Topics::new(TopicRoot::default(), site, box_id)
}

pub(crate) fn camera() -> CameraId {
    CameraId::new("cam-1").expect("valid")
}

/// A draft of revision `revision` of incident `incident`.
/// The same for every message of these tests.
pub(super) const MOMENT: Moment =
    Moment { analysed_fps: 5.0, time_quality: TimeQuality { synced: true, max_error_ms: Some(1) } };

pub(super) fn context() -> EventContext {
    EventContext {
        source: topics().source(),
        camera: CameraLabel::new(&camera(), LocalText { vi: "Một".into(), en: "One".into() }),
        position: None,
        config: "sha256:0".to_owned(),
        hw_profile: "cpu".to_owned(),
        model: ModelRef { name: "m".to_owned(), sha256: "0".to_owned(), provider: "cpu".into() },
        signals: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn draft(incident: u64, revision: u32, phase: Phase, severity: Severity) -> Draft {
    let event = Event {
        id: Uuid::from_u64_pair(incident, revision.into()),
        incident_id: Uuid::from_u64_pair(0, incident),
        phase,
        revision,
        stamp: FrameStamp {
            camera: camera(),
            seq: 1,
            pts: MediaTime::ZERO,
            captured_at: WallTime::from_unix_nanos(1_800_000_000_000_000_000),
        },
        started_at: WallTime::from_unix_nanos(incident as i64),
        ended_at: None,
        rule: RuleInfo {
            id: RuleId::new("rule-1").expect("valid"),
            kind: Kind::WrongWay,
            severity,
            cooldown: Duration::ZERO,
            zone: None,
            line: None,
            thresholds: vec![("hold_s", 1.5)],
        },
        severity,
        direction: None,
        tracks: vec![TrackView {
            track_id: TrackId(incident),
            class: Class::Truck,
            confidence: Confidence::new(0.5).expect("valid"),
            bbox: BBox::new(0.1, 0.2, 0.3, 0.4 + revision as f32).expect("valid"),
            path: Vec::new(),
        }],
        region: None,
        measured: Vec::new(),
        suppressed: 0,
    };
    Draft::new(&topics(), &context(), MOMENT, &event)
}

pub(super) fn open_store(folder: &Path, limits: OutboxLimits) -> Store {
    open::open(&folder.join("outbox.db"), limits, &topics()).expect("opens")
}

pub(super) fn commit(store: &mut Store, drafts: Vec<Draft>) -> Vec<u64> {
    let writes = Writes { commits: vec![drafts.into()], ..Default::default() };
    let given = store.apply(&writes).expect("writes");
    given.commits[0].iter().map(|sequence| sequence.0).collect()
}

pub(super) fn deliver(store: &mut Store, sequences: &[u64]) {
    let delivered = sequences.iter().map(|&sequence| Sequence(sequence)).collect();
    store.apply(&Writes { delivered, ..Default::default() }).expect("writes");
}

pub(super) fn next(store: &mut Store, mark: u64, held: &[u64], limit: usize) -> Vec<Entry> {
    let held = held.iter().map(|&sequence| Sequence(sequence)).collect();
    store
        .next(&NextRequest { mark: Sequence(mark), held, held_topics: Vec::new(), limit, backlog: limit })
        .expect("reads")
}

pub(super) fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence.0).collect()
}

/// Everything pending in the order of sending, one at a time.
pub(super) fn drain(store: &mut Store, mark: u64) -> Vec<Entry> {
    let mut sent = Vec::new();
    while let [entry] = &next(store, mark, &[], 1)[..] {
        deliver(store, &[entry.sequence.0]);
        sent.push(entry.clone());
    }
    sent
}

/// What a crash leaves: the files as they are at this instant, opened again.
pub(super) fn crash(store: Store, from: &Path, to: &Path, limits: OutboxLimits) -> Store {
    for file in std::fs::read_dir(from).expect("lists") {
        let file = file.expect("lists");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copies");
    }
    drop(store);
    open_store(to, limits)
}

#[derive(Debug, Clone)]
enum Step {
    /// One transaction of these commits, each of events of these incidents.
    Commit(Vec<Vec<u8>>),
    /// Delivers so many of what is next.
    Deliver(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let commit = prop::collection::vec(prop::collection::vec(0_u8..6, 0..4), 1..4).prop_map(Step::Commit);
    prop::collection::vec(
        prop_oneof![3 => commit, 2 => (1_u8..5).prop_map(Step::Deliver), 1 => Just(Step::Crash)],
        1..25,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever happens and wherever it crashes: nothing is lost, numbered twice or skipped, and open incidents are
    /// those of the committed events.
    #[test]
    fn the_outbox_agrees_with_its_model_over_crashes(steps in steps()) {
        let limits = OutboxLimits::default();
        let folders: Vec<tempfile::TempDir> =
            (0..=steps.len()).map(|_| tempfile::tempdir().expect("a folder")).collect();
        let mut folder = 0;
        let mut store = open_store(folders[0].path(), limits);
        let outbox_id = store.state.outbox_id;
        let mut pending: BTreeMap<u64, u8> = BTreeMap::new();
        let mut revisions: BTreeMap<u8, u32> = BTreeMap::new();
        let mut last = 0;
        for step in steps {
            match step {
                Step::Commit(commits) => {
                    let mut drafts: Vec<Arc<[Draft]>> = Vec::new();
                    for incidents in &commits {
                        let group = incidents.iter().map(|&incident| {
                            let revision = revisions.entry(incident).or_default();
                            *revision += 1;
                            last += 1;
                            pending.insert(last, incident);
                            // Each incident ends with its fifth event; later ones open it again, in the model as here.
                            let phase = if revision.is_multiple_of(5) { Phase::End } else { Phase::Update };
                            draft(incident.into(), *revision, phase, Severity::High)
                        });
                        drafts.push(group.collect());
                    }
                    let given = store.apply(&Writes { commits: drafts, ..Default::default() }).expect("writes");
                    let flat: Vec<u64> = given.commits.into_iter().flatten().map(|sequence| sequence.0).collect();
                    prop_assert!(flat.iter().copied().eq(last + 1 - flat.len() as u64..=last));
                }
                Step::Deliver(count) => {
                    let sent = numbers(&next(&mut store, 0, &[], count.into()));
                    for sequence in &sent {
                        let incident = pending.remove(sequence);
                        prop_assert!(incident.is_some(), "{} was not pending", sequence);
                        let earlier = pending.range(..*sequence).any(|(_, other)| Some(*other) == incident);
                        prop_assert!(!earlier, "{} overtook an older revision", sequence);
                    }
                    deliver(&mut store, &sent);
                }
                Step::Crash => {
                    store = crash(store, folders[folder].path(), folders[folder + 1].path(), limits);
                    folder += 1;
                }
            }
            prop_assert_eq!(store.state.outbox_id, outbox_id);
            prop_assert_eq!(store.state.last_sequence, last);
            prop_assert_eq!(store.state.pending, pending.len() as u64);
            let open: BTreeMap<u64, u32> = store
                .open_incidents(&camera())
                .expect("reads")
                .into_iter()
                .map(|open| (open.incident_id.as_u64_pair().1, open.revision))
                .collect();
            let expected = revisions.iter().filter(|(_, revision)| !revision.is_multiple_of(5));
            prop_assert!(open.into_iter().eq(expected.map(|(&incident, &revision)| (u64::from(incident), revision))));
        }
        let mut drained = numbers(&drain(&mut store, last));
        drained.sort_unstable();
        prop_assert!(drained.iter().eq(pending.keys()));
        prop_assert_eq!(store.state.pending_bytes, 0);
    }
}

#[test]
fn live_goes_first_then_critical_newest_first_then_the_rest_oldest_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    let backlog = vec![
        draft(1, 1, Phase::New, Severity::Info),
        draft(2, 1, Phase::New, Severity::Critical),
        draft(3, 1, Phase::New, Severity::Warning),
        draft(4, 1, Phase::New, Severity::Critical),
        draft(2, 2, Phase::Update, Severity::Critical),
    ];
    commit(&mut store, backlog);
    let live = vec![draft(5, 1, Phase::New, Severity::Info), draft(3, 2, Phase::End, Severity::Warning)];
    commit(&mut store, live);
    // 7 is live, but 3 is an older revision of its incident; 5 is the newest critical one, but 2 is older.
    let sent = drain(&mut store, 5);
    assert_eq!(numbers(&sent), [6, 3, 7, 2, 5, 4, 1]);
    for entry in sent {
        assert_eq!(entry.replayed, entry.sequence.0 <= 5);
        let event: Incident = serde_json::from_slice(&entry.payload).expect("an event");
        assert_eq!(event.data.replayed, entry.replayed);
    }
}

#[test]
fn an_incident_has_one_event_on_its_way_and_a_held_one_holds_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    let events = vec![
        draft(1, 1, Phase::New, Severity::High),
        draft(1, 2, Phase::Update, Severity::High),
        draft(2, 1, Phase::New, Severity::High),
        draft(1, 3, Phase::End, Severity::High),
    ];
    commit(&mut store, events);
    assert_eq!(numbers(&next(&mut store, 0, &[], 16)), [1, 3]);
    assert_eq!(numbers(&next(&mut store, 0, &[1], 16)), [3]);
    assert_eq!(numbers(&next(&mut store, 0, &[1, 3], 16)), [0_u64; 0]);
    let held_topic =
        NextRequest { held_topics: vec![topics().event(&camera(), Kind::WrongWay)], limit: 16, ..Default::default() };
    assert_eq!(store.next(&held_topic).expect("reads"), []);
}

#[test]
fn without_allowance_for_backlog_only_live_entries_are_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, (1..=3).map(|i| draft(i, 1, Phase::New, Severity::Critical)).collect());
    commit(&mut store, vec![draft(1, 2, Phase::Update, Severity::Critical), draft(9, 1, Phase::New, Severity::Info)]);
    let request = |backlog| NextRequest { mark: Sequence(3), limit: 16, backlog, ..Default::default() };
    assert_eq!(numbers(&store.next(&request(0)).expect("reads")), [5]);
    assert_eq!(numbers(&store.next(&request(1)).expect("reads")), [1, 5]);
    assert_eq!(numbers(&store.next(&request(2)).expect("reads")), [1, 5, 3]);
}

pub(super) fn lost_in(entries: &[Entry]) -> Vec<u64> {
    let system = entries.iter().filter(|entry| entry.topic == topics().system());
    let mut lost: Vec<u64> = system
        .map(|entry| serde_json::from_slice::<System>(&entry.payload).expect("a system event"))
        .flat_map(|event| event.data.lost.expect("overflow").ranges)
        .flat_map(|[first, last]| first.0..=last.0)
        .collect();
    lost.sort_unstable();
    lost
}

#[test]
fn a_full_outbox_drops_the_least_important_and_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits { max_rows: 4, max_bytes: u64::MAX });
    let events = vec![
        draft(1, 1, Phase::New, Severity::Critical),
        draft(1, 2, Phase::Update, Severity::Critical),
        draft(2, 1, Phase::New, Severity::Info),
        draft(3, 1, Phase::New, Severity::High),
    ];
    assert_eq!(commit(&mut store, events), [1, 2, 3, 4]);
    // Four fit. The fifth event and the announcement of the loss (number 6) cost the update and then the `info`.
    assert_eq!(commit(&mut store, vec![draft(1, 3, Phase::End, Severity::Critical)]), [5]);
    let mut left = drain(&mut store, 0);
    left.sort_by_key(|entry| entry.sequence);
    assert_eq!(numbers(&left), [1, 4, 5, 6]);
    assert_eq!(lost_in(&left), [2, 3]);
    assert_eq!(store.state.lost_total, 2);
}

/// What may become of an entry on a disk, as SQL; the third of four.
const DAMAGES: [&str; 6] = [
    "UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), '\"severity\"', '\"severitx\"') AS BLOB) WHERE sequence = 3",
    "UPDATE payload SET body = zeroblob(length(body)) WHERE sequence = 3",
    "UPDATE payload SET body = (SELECT body FROM payload WHERE sequence = 4) WHERE sequence = 3",
    "UPDATE payload SET body = 17 WHERE sequence = 3",
    "UPDATE entry SET topic = topic || 'x' WHERE sequence = 3",
    "DELETE FROM payload WHERE sequence = 3",
];

#[test]
fn an_event_that_is_not_what_was_stored_is_set_aside_and_named_and_holds_up_no_other() {
    for damage in DAMAGES {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = open_store(folder.path(), OutboxLimits::default());
        commit(&mut store, (1..=3).map(|i| draft(i, 1, Phase::New, Severity::High)).collect());
        commit(&mut store, vec![draft(3, 2, Phase::Update, Severity::High)]);
        store.db.execute_batch(damage).expect("changes it");
        let left = drain(&mut store, 0);
        assert_eq!(numbers(&left).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2, 4, 5]), "{damage}");
        assert_eq!(lost_in(&left), [3], "{damage}");
        assert_eq!((store.state.pending, store.state.last_sequence), (0, 5), "{damage}");
        let kept: i64 = store.db.query_row("SELECT sequence FROM damaged", [], |row| row.get(0)).expect("set aside");
        assert_eq!(kept, 3);
        // The numbers go on after a restart.
        drop(store);
        let mut store = open_store(folder.path(), OutboxLimits::default());
        assert_eq!(commit(&mut store, vec![draft(9, 1, Phase::New, Severity::High)]), [6]);
        assert_eq!(numbers(&drain(&mut store, 6)), [6]);
    }
}

#[test]
fn an_event_of_a_version_that_stored_no_sums_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::High)]);
    store.db.execute_batch("ALTER TABLE payload DROP COLUMN sum").expect("as it was");
    drop(store);
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![draft(2, 1, Phase::New, Severity::High)]);
    assert_eq!(numbers(&drain(&mut store, 0)), [1, 2]);
}

#[test]
fn a_critical_beginning_or_end_is_kept_beyond_the_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits { max_rows: u64::MAX, max_bytes: 1 });
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::Critical), draft(1, 2, Phase::End, Severity::Critical)]);
    assert_eq!(numbers(&drain(&mut store, 0)), [1, 2]);
}

#[test]
fn what_is_on_its_way_is_not_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits { max_rows: 2, max_bytes: u64::MAX });
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::Info), draft(2, 1, Phase::New, Severity::Info)]);
    assert_eq!(numbers(&next(&mut store, 0, &[], 1)), [1]);
    commit(&mut store, vec![draft(3, 1, Phase::New, Severity::Info)]);
    let left = drain(&mut store, 0);
    assert!(numbers(&left).contains(&1), "{:?}", numbers(&left));
    assert_eq!(lost_in(&left), [2, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However often it overflows, and whatever is delivered or restarted between: every number is either delivered or
    /// named as lost, never both, and the limit holds but for what is never dropped.
    #[test]
    fn every_number_is_delivered_or_named(
        steps in prop::collection::vec((0_u8..4, 0_u8..3, 0_u8..4, any::<bool>()), 1..60),
        max_rows in 3_u64..12,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let limits = OutboxLimits { max_rows, max_bytes: u64::MAX };
        let mut store = open_store(folder.path(), limits);
        let mut delivered = Vec::new();
        for (at, (severity, phase, count, reopen)) in steps.into_iter().enumerate() {
            let severity = Severity::ALL[usize::from(severity)];
            let phase = [Phase::New, Phase::Update, Phase::End][usize::from(phase)];
            commit(&mut store, vec![draft(at as u64, 1, phase, severity)]);
            let entries = next(&mut store, 0, &[], count.into());
            deliver(&mut store, &numbers(&entries));
            delivered.extend(entries);
            if reopen && at % 5 == 0 {
                drop(store);
                store = open_store(folder.path(), limits);
            }
        }
        let last = store.state.last_sequence;
        delivered.extend(drain(&mut store, 0));
        let lost = lost_in(&delivered);
        let mut all = numbers(&delivered);
        all.extend(&lost);
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(1..=last));
    }
}

#[test]
fn sessions_rise_over_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut last = 0;
    for _ in 0..3 {
        let mut store = open_store(folder.path(), OutboxLimits::default());
        store.apply(&Writes { session: true, ..Default::default() }).expect("writes");
        assert!(store.state.session > last);
        last = store.state.session;
    }
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let _store = open_store(folder.path(), OutboxLimits::default());
    let second = open::open(&folder.path().join("outbox.db"), OutboxLimits::default(), &topics());
    assert!(matches!(second, Err(OutboxError::InUse { .. })), "{second:?}");
}

#[test]
fn a_newer_format_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    drop(open_store(folder.path(), OutboxLimits::default()));
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.pragma_update(None, "user_version", 99).expect("writes");
    drop(db);
    let opened = open::open(&path, OutboxLimits::default(), &topics());
    assert!(matches!(opened, Err(OutboxError::Newer { found: 99, .. })), "{opened:?}");
}

#[test]
fn a_damaged_database_is_set_aside_and_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let never = b"this was never a database, whatever its name says".repeat(100);
    // SQLite would take an empty file for a new database.
    for (n, content) in [(1, never.as_slice()), (2, b""), (3, &never)] {
        std::fs::write(&path, content).expect("writes");
        let mut store = open_store(folder.path(), OutboxLimits::default());
        let aside = folder.path().join(format!("outbox.db.damaged-{n}"));
        assert_eq!(store.set_aside.as_deref(), Some(aside.as_path()));
        assert!(aside.exists());
        let [entry] = &next(&mut store, 0, &[], 9)[..] else { panic!("one event: the report") };
        let event: System = serde_json::from_slice(&entry.payload).expect("a system event");
        assert_eq!(event.r#type, "vn.ngatu.system.outbox_set_aside.v1");
        assert_eq!(event.data.file, Some(format!("outbox.db.damaged-{n}")));
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_to_the_caller_and_nothing_is_lost_or_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::High)]);
    let pages: i64 = store.db.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("reads");
    let set_limit = |store: &Store, pages: i64| {
        store.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).expect("sets");
    };
    set_limit(&store, pages);
    let many: Arc<[Draft]> = (2..40).map(|i| draft(i, 1, Phase::New, Severity::High)).collect();
    let writes =
        Writes { delivered: vec![Sequence(1)], commits: vec![Arc::clone(&many)], session: true, ..Default::default() };
    let error = store.apply(&writes).expect_err("there is no room");
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    assert_eq!((store.state.last_sequence, store.state.pending), (1, 1));
    assert_eq!(numbers(&next(&mut store, 0, &[], 9)), [1], "what was committed is still there");
    set_limit(&store, 1 << 20);
    let given = store.apply(&writes).expect("there is room again");
    assert!(given.commits[0].iter().map(|sequence| sequence.0).eq(2..40));
    assert!(numbers(&next(&mut store, 39, &[], 99)).into_iter().eq(2..40));
}

/// Damage that shows only when an entry is read: the outbox goes on with a new database, and an acknowledgement for the
/// old one does not delete from the new one.
#[tokio::test]
async fn damage_found_while_running_is_set_aside_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, (1..200).map(|i| draft(i, 1, Phase::New, Severity::High)).collect());
    drop(store);
    let (outbox, thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens");
    let old = outbox.stats().borrow().outbox_id;
    spoil_bodies(&path);
    let request = NextRequest { mark: Sequence(199), limit: 199, backlog: 199, ..Default::default() };
    let error = outbox.next(request).await.expect_err("the bodies cannot be read");
    assert!(error.is_transient(), "{error}");
    let given = outbox.commit(vec![draft(500, 1, Phase::New, Severity::High)]).await.expect("goes on");
    assert_eq!(given, [Sequence(2)], "number 1 is the report");
    let stats = outbox.stats().borrow().clone();
    assert_ne!(stats.outbox_id, old);
    assert_eq!(stats.set_aside, Some(folder.path().join("outbox.db.damaged-1")));
    outbox.delivered(old, Sequence(2)).await.expect("runs");
    let request = NextRequest { limit: 9, ..Default::default() };
    assert_eq!(numbers(&outbox.next(request).await.expect("reads")), [1, 2]);
    drop(outbox);
    thread.join();
}

/// Overwrites every page that holds text of events, in the file itself.
fn spoil_bodies(path: &Path) {
    let mut bytes = std::fs::read(path).expect("reads");
    let text = b"specversion";
    for page in bytes.chunks_mut(4096) {
        if page.windows(text.len()).any(|window| window == text) {
            page.fill(0xa5);
        }
    }
    // In place: SQLite keeps the file open.
    std::fs::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(&bytes)).expect("writes");
}

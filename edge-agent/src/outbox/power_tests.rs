//! The outbox on a disk that loses power, or refuses to write, at every operation in turn.

use std::path::Path;
use std::sync::Arc;

use analytics::{Phase, Severity};
use uuid::Uuid;

use super::draft::Draft;
use super::faulty_disk::{self, Unsynced};
use super::store::{Store, Writes};
use super::tests::{camera, draft, numbers, topics};
use super::{OutboxLimits, Outcome, PendingEvidence, Settlement, open};
use crate::evidence::EvidenceName;
use crate::publish::wire::{Evidence, Incident, Sequence};

/// What survives of what was not synced.
const SURVIVALS: [Unsynced; 4] = [Unsynced::Lost, Unsynced::Kept, Unsynced::Either(1), Unsynced::Either(2)];

/// Small, so that the log is moved into the database again and again within a short life.
const CHECKPOINT_PAGES: i64 = 12;

/// Holds less than is written: something is dropped, and announced.
const LIMITS: OutboxLimits = OutboxLimits { max_bytes: 512 << 20, max_rows: 14 };

fn opened(path: &Path) -> Option<Store> {
    let store = open::open(path, LIMITS, &topics()).ok()?;
    store.db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).ok()?;
    Some(store)
}

fn with_picture(incident: u64) -> Draft {
    let mut draft = draft(incident, 1, Phase::New, Severity::Warning);
    draft.announce(Evidence::pending_snapshot(&EvidenceName::snapshot(1)));
    draft
}

fn committed(drafts: Vec<Draft>) -> Writes {
    Writes { commits: vec![drafts.into()], ..Default::default() }
}

fn acknowledged(numbers: &[u64]) -> Writes {
    Writes { delivered: numbers.iter().map(|number| Sequence(*number)).collect(), ..Default::default() }
}

fn settled(incident: u64) -> Writes {
    let outcome = Outcome::Ready { sha256: "ab".repeat(32), bytes: 1000, thumbnail: Some(vec![7; 3000]), shown: None };
    let of = PendingEvidence { incident: Uuid::from_u64_pair(0, incident), name: EvidenceName::snapshot(1) };
    Writes { settlements: vec![Arc::new(Settlement { of, outcome })], ..Default::default() }
}

/// A short life: everything that the outbox writes, a transaction each.
fn life() -> Vec<Writes> {
    let (new, update, end) = (Phase::New, Phase::Update, Phase::End);
    let plain = |incident, revision, phase| draft(incident, revision, phase, Severity::Warning);
    vec![
        Writes { session: true, ..Default::default() },
        committed(vec![plain(1, 1, new)]),
        committed(vec![with_picture(2), plain(1, 2, update)]),
        acknowledged(&[1]),
        settled(2),
        committed(vec![plain(1, 3, end), draft(3, 1, new, Severity::Critical)]),
        acknowledged(&[3, 2]),
        committed((4..10).map(|incident| plain(incident, 1, new)).collect()),
        committed((4..10).map(|incident| plain(incident, 2, update)).collect()),
        Writes { thumbnails_done: vec![1], ..acknowledged(&[4, 5, 6]) },
        committed((4..10).map(|incident| plain(incident, 3, end)).collect()),
        acknowledged(&[7, 8]),
    ]
}

/// What the outbox holds; ids that are new in every life are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    last: u64,
    session: u64,
    lost: Vec<(u64, u64)>,
    entries: Vec<(u64, String)>,
    open: Vec<Uuid>,
    pending: Vec<Uuid>,
    thumbnails: u64,
}

fn held(store: &mut Store) -> Held {
    // To look is not to send: what was handed out is not dropped.
    let handed_out = std::mem::take(&mut store.handed_out);
    let entries = super::tests::next(store, u64::MAX >> 1, &[], 1000);
    store.handed_out = handed_out;
    let mut shown = Vec::new();
    let mut lost = Vec::new();
    let mut numbers = numbers(&entries);
    numbers.sort_unstable();
    for number in all_numbers(store) {
        let body: Vec<u8> = store
            .db
            .query_row("SELECT body FROM payload WHERE sequence = ?1", [number as i64], |row| row.get(0))
            .expect("every entry has its payload");
        let text = match serde_json::from_slice::<Incident>(&body) {
            Ok(event) => format!("{} {:?} {}", event.data.incident_id, event.data.phase, event.data.revision),
            Err(_) => {
                let event: crate::publish::wire::System = serde_json::from_slice(&body).expect("or it is the outbox's");
                let ranges = event.data.lost.map(|lost| lost.ranges).unwrap_or_default();
                lost.extend(ranges.iter().map(|[first, last]| (first.0, last.0)));
                "announcement".to_owned()
            }
        };
        shown.push((number, text));
    }
    assert!(numbers.iter().all(|number| shown.iter().any(|(known, _)| known == number)), "what is sent is stored");
    let open = store.open_incidents(&camera()).expect("reads");
    let pending = store.pending_evidence().expect("reads");
    Held {
        last: store.state.last_sequence,
        session: store.state.session,
        lost,
        entries: shown,
        open: open.iter().map(|open| open.incident_id).collect(),
        pending: pending.iter().map(|piece| piece.incident).collect(),
        thumbnails: store.state.thumbnails,
    }
}

fn all_numbers(store: &Store) -> Vec<u64> {
    let mut rows = store.db.prepare("SELECT sequence FROM entry ORDER BY sequence").expect("reads");
    let rows = rows.query_map([], |row| row.get::<_, i64>(0)).expect("reads");
    rows.map(|row| row.expect("reads") as u64).collect()
}

/// What it holds at first and after each transaction of an undisturbed life, and how many operations that took.
fn undisturbed() -> (Vec<Held>, u64) {
    let path = faulty_disk::fresh();
    let mut store = opened(&path).expect("opens");
    let mut after = vec![held(&mut store)];
    for writes in life() {
        store.apply(&writes).expect("writes");
        after.push(held(&mut store));
    }
    drop(store);
    (after, faulty_disk::operations())
}

/// Lives until the power goes; how many transactions were acknowledged, and the outbox's name once it was known.
fn live_until_cut(path: &Path) -> (usize, Option<Uuid>) {
    let Some(mut store) = opened(path) else { return (0, None) };
    let mut acknowledged = 0;
    for writes in life() {
        if store.apply(&writes).is_err() {
            break;
        }
        acknowledged += 1;
    }
    (acknowledged, Some(store.state.outbox_id))
}

#[test]
fn what_was_committed_is_there_after_a_power_cut_at_any_operation() {
    let (expected, operations) = undisturbed();
    assert!(expected.last().is_some_and(|held| !held.lost.is_empty() && held.open.len() == 2), "the life holds all");
    for cut_at in 0..operations {
        for unsynced in SURVIVALS {
            let path = faulty_disk::fresh();
            faulty_disk::cut_power_at(cut_at);
            let (acknowledged, outbox_id) = live_until_cut(&path);
            assert!(!faulty_disk::has_power(), "{cut_at} is within the life");
            faulty_disk::restore_power(unsynced);
            let what = format!("power cut at operation {cut_at} of {operations}, unsynced {unsynced:?}");
            let mut store = opened(&path).unwrap_or_else(|| panic!("{what}: it does not open"));
            assert_eq!(store.set_aside, None, "{what}");
            let found = held(&mut store);
            // The transaction that was under way may have been in time; nobody was told.
            let at = (acknowledged..=acknowledged + 1).find(|at| expected.get(*at) == Some(&found));
            let Some(at) = at else { panic!("{what}: {acknowledged} acknowledged, yet {found:?}") };
            assert!(outbox_id.is_none_or(|id| id == store.state.outbox_id), "{what}: another outbox");
            // And life goes on from there. A loss begins a new announcement, so the numbers differ.
            for writes in life().iter().skip(at) {
                store.apply(writes).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            assert!(held(&mut store).last >= found.last, "{what}");
        }
    }
}

#[test]
fn a_transaction_that_the_disk_refuses_at_any_operation_is_done_once_when_it_is_tried_again() {
    let (expected, operations) = undisturbed();
    for refused_at in 0..operations {
        for length in [1, 4] {
            let path = faulty_disk::fresh();
            faulty_disk::refuse(refused_at..refused_at + length);
            // Opening may be refused too; a service is started again.
            let mut store = (0..=length).find_map(|_| opened(&path)).expect("opens in the end");
            for (number, writes) in life().iter().enumerate() {
                let tries = (0..=length).find(|_| store.apply(writes).is_ok());
                assert!(tries.is_some(), "refused at {refused_at} for {length}, transaction {number} never succeeds");
                assert_eq!(held(&mut store), expected[number + 1], "refused at {refused_at} for {length}");
            }
        }
    }
}

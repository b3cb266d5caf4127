//! Traffic measures in the outbox: counted once over crashes at every point, behind the events, first to go.

use std::collections::BTreeSet;
use std::time::Duration;

use analytics::measure::{MeasureParams, Measures};
use analytics::{
    Anchor, BBox, Class, Confidence, FrameStamp, Line, LineId, LocalTime, MediaTime, Phase, Point, Scene, Segment,
    Severity, Track, TrackId, TrackState, WallTime,
};
use proptest::prelude::*;

use super::measure::MeasureRecord;
use super::store::{Store, Writes};
use super::tests::{MOMENT, camera, commit, context, crash, draft, drain, lost_in, next, numbers, open_store, topics};
use super::{OutboxLimits, open};
use crate::publish::wire::{self, Measurement};

const MINUTE: u64 = 60_000_000_000;

fn measures() -> Measures {
    let segment = Segment::new(Point::new(0.5, 1.0), Point::new(0.5, 0.0)).expect("segment");
    Measures::new(MeasureParams {
        camera: camera(),
        interval: MeasureParams::INTERVAL,
        lines: vec![Line { id: LineId::new("mid").expect("id"), segment, anchor: Anchor::BottomCenter }],
        lanes: vec![],
        ground: None,
        longest_step: Duration::from_secs(2),
        id_seed: rand::random(),
    })
}

/// A scene with a car at `x`.
fn scene(nanos: u64, id: u64, x: f32) -> Scene {
    let pts = MediaTime::from_nanos(nanos);
    let captured_at = WallTime::from_unix_nanos(nanos as i64);
    let car = Track {
        id: TrackId(id),
        class: Class::Car,
        confidence: Confidence::new(0.9).expect("in range"),
        bbox: BBox::new(x - 0.05, 0.4, x + 0.05, 0.5).expect("box"),
        velocity: Point::default(),
        state: TrackState::Seen,
        first_seen: pts,
        last_seen: pts,
        rider_of: None,
        ground: None,
        path: Vec::new(),
    };
    Scene::new(FrameStamp { camera: camera(), seq: nanos, pts, captured_at }, 1.5, vec![car], vec![])
}

fn message(interval: &analytics::measure::Interval) -> Measurement {
    wire::measurement(&context(), MOMENT, interval)
}

fn record(store: &mut Store, closed: Vec<Measurement>, measures: &Measures) -> Vec<u64> {
    let record = MeasureRecord::new(&topics(), &camera(), closed, measures.running());
    let given = store.apply(&Writes { records: vec![record.into()], ..Default::default() }).expect("writes");
    given.records[0].iter().map(|sequence| sequence.0).collect()
}

/// A measure of the interval that begins `minute` minutes after 1970.
fn closed(minute: u64) -> Measurement {
    let mut measures = measures();
    measures.step(&scene(minute * MINUTE, 1, 0.3), LocalTime::MONDAY);
    message(&measures.finish().expect("running"))
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A car crosses the line; whether the sums are kept then.
    Car { kept: bool },
    /// So many seconds pass.
    Pass(u8),
    /// The program is killed here and starts again.
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(|kept| Step::Car { kept }),
        2 => (1_u8..90).prop_map(Step::Pass),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Wherever it is killed: what was kept is told exactly once, and nothing else but what had not been kept is missing.
    #[test]
    fn counts_are_told_once_over_kills(steps in steps()) {
        let limits = OutboxLimits::default();
        let folders: Vec<tempfile::TempDir> =
            (0..=steps.len()).map(|_| tempfile::tempdir().expect("a folder")).collect();
        let (mut folder, mut store) = (0, open_store(folders[0].path(), limits));
        let mut running = measures();
        let (mut now, mut cars, mut kept, mut told) = (MINUTE, 0_u64, 0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Car { kept: is_kept } => {
                    cars += 1;
                    let mut over = Vec::new();
                    for x in [0.3, 0.7] {
                        now += 200_000_000;
                        over.extend(running.step(&scene(now, cars, x), local(now)));
                    }
                    // As the camera's task does: what is over at once, the sums now and then.
                    if is_kept || !over.is_empty() {
                        told += record(&mut store, over.iter().map(message).collect(), &running).len() as u64;
                        kept = cars;
                    }
                }
                Step::Pass(seconds) => now += u64::from(seconds) * 1_000_000_000,
                Step::Kill => {
                    store = crash(store, folders[folder].path(), folders[folder + 1].path(), limits);
                    folder += 1;
                    running = measures();
                    if let Some(tally) = store.running_measure(&camera()).expect("reads") {
                        running.restore(tally);
                    }
                    // Cars that were not kept are lost to the count.
                    cars = kept;
                }
            }
        }
        let last = running.finish();
        told += record(&mut store, last.iter().map(message).collect(), &running).len() as u64;
        prop_assert!(store.running_measure(&camera()).expect("reads").is_none(), "told, so no longer running");
        let sent = drain(&mut store, 0);
        prop_assert!(numbers(&sent).into_iter().eq(1..=told));
        let sent: Vec<Measurement> =
            sent.iter().map(|entry| serde_json::from_slice(&entry.payload).expect("a measure")).collect();
        let begins: BTreeSet<_> = sent.iter().map(|measurement| measurement.data.started_at).collect();
        prop_assert_eq!(begins.len(), sent.len(), "an interval was told twice");
        let counted: u64 =
            sent.iter().flat_map(|measurement| &measurement.data.lines).map(|line| u64::from(line.total)).sum();
        prop_assert_eq!(counted, cars);
    }
}

fn local(nanos: u64) -> LocalTime {
    LocalTime { minute: (nanos / MINUTE % 1440) as u16, ..LocalTime::MONDAY }
}

#[test]
fn measures_leave_after_events_and_live_ones_before_late_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    assert_eq!(record(&mut store, vec![closed(1), closed(2)], &measures()), [1, 2]);
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::Info)]);
    assert_eq!(record(&mut store, vec![closed(3)], &measures()), [4]);
    commit(&mut store, vec![draft(2, 1, Phase::New, Severity::Info)]);
    let sent = drain(&mut store, 2);
    assert_eq!(numbers(&sent), [3, 5, 4, 1, 2]);
    for entry in sent.iter().filter(|entry| entry.topic == topics().measure(&camera())) {
        let measurement: Measurement = serde_json::from_slice(&entry.payload).expect("a measure");
        assert_eq!(measurement.data.replayed, entry.sequence.0 <= 2);
        assert_eq!(measurement.sequence, entry.sequence);
    }
}

#[test]
fn a_full_outbox_drops_the_oldest_measures_first_and_names_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits { max_rows: 5, max_bytes: u64::MAX });
    record(&mut store, vec![closed(1), closed(2), closed(3)], &measures());
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::Info), draft(1, 2, Phase::Update, Severity::Info)]);
    assert_eq!(store.state.pending, 5);
    commit(&mut store, vec![draft(2, 1, Phase::New, Severity::Info)]);
    let mut left = drain(&mut store, 0);
    left.sort_by_key(|entry| entry.sequence);
    assert_eq!(numbers(&left), [3, 4, 5, 6, 7], "the sixth event and the announcement cost two measures");
    assert_eq!(lost_in(&left), [1, 2]);
}

#[test]
fn a_measure_goes_though_no_backlog_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::Info)]);
    record(&mut store, vec![closed(1)], &measures());
    let request = super::NextRequest { mark: wire::Sequence(1), limit: 16, ..Default::default() };
    assert_eq!(numbers(&store.next(&request).expect("reads")), [2]);
}

#[test]
fn what_an_earlier_version_left_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let mut store = open_store(folder.path(), OutboxLimits::default());
    commit(&mut store, vec![draft(1, 1, Phase::New, Severity::High)]);
    store
        .db
        .execute_batch(
            "DROP TABLE running_measure; DROP INDEX entry_of_event; DROP INDEX entry_of_measure; PRAGMA user_version = 2;",
        )
        .expect("as format 2 was");
    drop(store);
    let mut store = open::open(&path, OutboxLimits::default(), &topics()).expect("opens");
    assert_eq!(record(&mut store, vec![closed(1)], &measures()), [2]);
    assert_eq!(numbers(&next(&mut store, 0, &[], 9)), [1, 2]);
}

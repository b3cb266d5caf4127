//! What a durable commit costs, and what group commit saves: one event a transaction waits for the disk each time;
//! many cores that commit at the same time share the wait. Run on the disk that the outbox will live on
//! (`TMPDIR=/var/lib/ngatu`): the figures are the disk's as much as the program's. Then how fast a backlog is delivered.

use std::time::Duration;

use analytics::event::TrackView;
use analytics::finding::RuleInfo;
use analytics::{
    BBox, BoxId, CameraId, Class, Confidence, Event, FrameStamp, Kind, MediaTime, Phase, Point, RuleId, Severity,
    SiteId, TrackId, WallTime,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use edge_agent::outbox::{Draft, NextRequest, Outbox, OutboxLimits};
use edge_agent::publish::wire::{CameraLabel, EventContext, LocalText, ModelRef, Moment, TimeQuality};
use edge_agent::publish::{TopicRoot, Topics};
use uuid::Uuid;

/// Events that one measured drain works off, and how many of them are on their way at once.
const DRAINED: u64 = 256;
const IN_FLIGHT: u64 = 16;

fn topics() -> Topics {
    let site = SiteId::new("site-1").expect("valid");
    Topics::new(TopicRoot::default(), site, BoxId::new("box-a").expect("valid"))
}

/// An event of about 1.7 KiB: two tracks with a path.
fn draft(number: u64) -> Draft {
    let camera = CameraId::new("cam-1").expect("valid");
    let at = WallTime::from_unix_nanos(1_795_329_012_480_000_000);
    let track = |id| TrackView {
        track_id: TrackId(id),
        class: Class::Car,
        confidence: Confidence::new(0.8).expect("valid"),
        bbox: BBox::new(0.1, 0.2, 0.3, 0.4).expect("valid"),
        path: (0..12).map(|i| (-0.2 * f64::from(i), Point::new(0.012_34 * i as f32, 0.5))).collect(),
    };
    let event = Event {
        id: Uuid::from_u64_pair(1, number),
        incident_id: Uuid::from_u64_pair(2, number),
        phase: Phase::New,
        revision: 1,
        stamp: FrameStamp { camera: camera.clone(), seq: number, pts: MediaTime::ZERO, captured_at: at },
        started_at: at,
        ended_at: None,
        rule: RuleInfo {
            id: RuleId::new("rule-1").expect("valid"),
            kind: Kind::WrongWay,
            severity: Severity::High,
            cooldown: Duration::ZERO,
            zone: None,
            line: None,
            thresholds: vec![("angle_deg", 120.0), ("hold_s", 1.5)],
        },
        severity: Severity::High,
        direction: None,
        tracks: vec![track(1), track(2)],
        region: None,
        measured: vec![("angle_deg", 171.0), ("held_s", 1.6)],
        suppressed: 0,
    };
    let context = EventContext {
        source: topics().source(),
        camera: CameraLabel::new(&camera, LocalText { vi: "Hướng Nam".into(), en: "South".into() }),
        position: None,
        config: format!("sha256:{}", "a1".repeat(32)),
        hw_profile: "cpu-x86_64".to_owned(),
        model: ModelRef { name: "yolox-nano".to_owned(), sha256: "0f".repeat(32), provider: "cpu".into() },
        signals: std::collections::BTreeMap::new(),
    };
    let moment = Moment { analysed_fps: 5.0, time_quality: TimeQuality { synced: true, max_error_ms: Some(1) } };
    Draft::new(&topics(), &context, moment, &event)
}

fn outbox(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let limits = OutboxLimits { max_bytes: u64::MAX >> 1, max_rows: 1 << 40 };
    let (outbox, _thread) = Outbox::open(&folder.path().join("outbox.db"), limits, &topics()).expect("opens");
    let mut group = criterion.benchmark_group("outbox");
    let mut number = 0;
    for at_once in [1, 16, 64] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(format!("commit, {at_once} at once"), |bencher| {
            bencher.iter_batched(
                || {
                    number += at_once;
                    (number - at_once..number).map(|number| vec![draft(number)]).collect::<Vec<_>>()
                },
                |drafts| {
                    runtime.block_on(async {
                        let commits: Vec<_> = drafts
                            .into_iter()
                            .map(|drafts| {
                                let outbox = outbox.clone();
                                tokio::spawn(async move { outbox.commit(drafts).await })
                            })
                            .collect();
                        for commit in commits {
                            commit.await.expect("no panic").expect("commits");
                        }
                    });
                },
                BatchSize::PerIteration,
            );
        });
    }
    // With everything committed above pending: what the publisher asks, again and again.
    group.throughput(Throughput::Elements(1));
    group.bench_function("next, with a backlog", |bencher| {
        let request =
            NextRequest { mark: outbox.stats().borrow().last_sequence, limit: 1, backlog: 1, ..Default::default() };
        bencher.iter(|| runtime.block_on(outbox.next(request.clone())).expect("reads"));
    });
    // The same backlog, worked off as the publisher does with a broker that answers at once. Each round reads and, once
    // it is acknowledged, deletes durably; what was deleted is committed again between the rounds.
    group.throughput(Throughput::Elements(DRAINED));
    group.bench_function("drain, 16 at once, with a backlog", |bencher| {
        bencher.iter_batched(
            || {
                number += DRAINED;
                let drafts: Vec<Draft> = (number - DRAINED..number).map(draft).collect();
                runtime.block_on(outbox.commit(drafts)).expect("commits");
            },
            |()| runtime.block_on(drain(&outbox)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

async fn drain(outbox: &Outbox) {
    for _ in 0..DRAINED / IN_FLIGHT {
        let mark = outbox.stats().borrow().last_sequence;
        let limit = IN_FLIGHT as usize;
        let request = NextRequest { mark, limit, backlog: limit, ..Default::default() };
        let entries = outbox.next(request).await.expect("reads");
        assert_eq!(entries.len(), limit, "the backlog lasts");
        for entry in entries {
            outbox.delivered(entry.outbox_id, entry.sequence).await.expect("the outbox runs");
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1));
    targets = outbox
}
criterion_main!(benches);

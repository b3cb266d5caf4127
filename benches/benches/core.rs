//! What one analysed frame costs behind detection: tracker, stitcher, all seven rules and incidents, one thread.
//!
//! The same road as in `tracker`, with zones over large parts of it, so that every rule has subjects and opens incidents
//! (asserted before measuring: silence would be cheap). The difference to `tracker` is what judging costs.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::track::TrackerParams;
use analytics::{
    Anchor, CameraId, Class, ClassSet, Core, Detection, Line, LineId, LocalTime, Point, Polygon, RuleId, Segment, Zone,
    ZoneId, ZoneKind,
};
use benches::traffic::{self, ASPECT};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const FRAMES: usize = 300;

fn zone(id: &str, kind: ZoneKind, [left, top, right, bottom]: [f32; 4]) -> Zone {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let polygon = Polygon::new(corners.map(|(x, y)| Point::new(x, y)).to_vec()).expect("a simple polygon");
    let heading = (kind == ZoneKind::Lane)
        .then(|| Segment::new(Point::new(left, bottom), Point::new(right, bottom)).expect("two points"));
    Zone { id: ZoneId::new(id).expect("valid"), kind, polygon, heading, anchor: Anchor::BottomCenter }
}

fn all_seven() -> Vec<RuleSpec> {
    let road = || zone("road", ZoneKind::Lane, [0.02, 0.1, 0.98, 0.99]);
    let square = || zone("square", ZoneKind::Area, [0.2, 0.2, 0.8, 0.9]);
    let line = Line {
        id: LineId::new("mid").expect("valid"),
        segment: Segment::new(Point::new(0.5, 0.0), Point::new(0.5, 1.0)).expect("two points"),
        anchor: Anchor::BottomCenter,
    };
    let (hold, travel) = (Duration::from_secs(2), RuleParams::STOPPED_TRAVEL);
    let kinds = vec![
        RuleParams::LineCrossing { line, hysteresis: RuleParams::HYSTERESIS },
        RuleParams::Intrusion { zone: zone("lawn", ZoneKind::Restricted, [0.7, 0.1, 0.9, 0.99]), hold },
        RuleParams::Loitering { zone: square(), dwell: Duration::from_secs(10) },
        RuleParams::Crowding { zone: square(), count: 3, hold },
        RuleParams::WrongWay {
            zone: road(),
            angle_deg: RuleParams::WRONG_WAY_ANGLE_DEG,
            distance: RuleParams::WRONG_WAY_DISTANCE,
            hold: RuleParams::WRONG_WAY_HOLD,
        },
        RuleParams::StoppedVehicle { zone: road(), speed: RuleParams::STOPPED_SPEED, travel, hold },
        RuleParams::PedestrianOnCarriageway {
            zone: road(),
            crossings: vec![zone("zebra", ZoneKind::Crossing, [0.0, 0.5, 1.0, 0.6])],
            hold,
        },
    ];
    let spec = |(index, params): (usize, RuleParams)| RuleSpec {
        id: RuleId::new(&format!("rule-{index}")).expect("valid"),
        severity: params.kind().default_severity(),
        cooldown: Duration::ZERO,
        classes: Class::ALL.into_iter().collect::<ClassSet>(),
        include_riders: false,
        schedule: None,
        params,
    };
    kinds.into_iter().enumerate().map(spec).collect()
}

fn core() -> Core {
    Core::new(CoreParams {
        tracker: TrackerParams::default(),
        rules: all_seven(),
        incidents: IncidentParams::default(),
        id_seed: 7,
    })
}

fn assert_every_rule_speaks(camera: &CameraId, detections: &[Vec<Detection>]) {
    let mut core = core();
    let steps = detections.iter().enumerate();
    let events =
        steps.flat_map(|(frame, seen)| core.step(traffic::stamp(camera, frame), LocalTime::MONDAY, ASPECT, seen).1);
    let spoke: BTreeSet<&str> = events.map(|event| event.rule.kind.wire_label()).collect();
    assert_eq!(spoke.len(), 7, "only these rules found something: {spoke:?}");
}

fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("core");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(FRAMES as u64));
    let camera = CameraId::new("cam").expect("valid");
    for objects in [20, 100] {
        let detections = traffic::detections(objects, FRAMES);
        assert_every_rule_speaks(&camera, &detections);
        group.bench_function(format!("seven_rules_{objects}_objects"), |b| {
            b.iter_batched_ref(
                core,
                |core| {
                    for (frame, seen) in detections.iter().enumerate() {
                        black_box(core.step(traffic::stamp(&camera, frame), LocalTime::MONDAY, ASPECT, seen));
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);

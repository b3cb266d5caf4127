//! What one analysed frame costs behind detection: tracker, stitcher, all seven rules and incidents, one thread.
//!
//! The same road as in `tracker`, with zones over large parts of it, so that every rule has subjects and opens incidents
//! (asserted before measuring: silence would be cheap). The difference to `tracker` is what judging costs.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::track::TrackerParams;
use analytics::{CameraId, Core, Detection};
use benches::rules::all_seven;
use benches::traffic;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const FRAMES: usize = 300;

fn core() -> Core {
    Core::new(CoreParams {
        tracker: TrackerParams::default(),
        rules: all_seven(),
        incidents: IncidentParams::default(),
        ground: None,
        signals: Vec::new(),
        id_seed: 7,
    })
}

fn assert_every_rule_speaks(camera: &CameraId, detections: &[Vec<Detection>]) {
    let mut core = core();
    let steps = detections.iter().enumerate();
    let events = steps.flat_map(|(frame, seen)| core.step(traffic::look(camera, frame, seen)).1);
    let spoke: BTreeSet<&str> = events.map(|event| event.rule.kind.wire_label()).collect();
    assert_eq!(spoke.len(), 7, "only these rules found something: {spoke:?}");
}

fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("core");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(FRAMES as u64));
    let camera = CameraId::new("cam").expect("valid");
    for objects in [1, 20, 50, 100, 300] {
        let detections = traffic::detections(objects, FRAMES);
        if objects >= 20 {
            assert_every_rule_speaks(&camera, &detections);
        }
        group.bench_function(format!("seven_rules_{objects}_objects"), |b| {
            b.iter_batched_ref(
                core,
                |core| {
                    for (frame, seen) in detections.iter().enumerate() {
                        black_box(core.step(traffic::look(&camera, frame, seen)));
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

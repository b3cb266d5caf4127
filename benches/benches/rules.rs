//! What rules cost: 50 objects, tracked, with no rule, with each kind alone, and with 7 to 200 rules.
//!
//! The difference to `no_rule` is what judging adds to tracking; the step from 20 to 200 rules shows how it grows.

use std::hint::black_box;
use std::time::Duration;

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::rules::RuleSpec;
use analytics::track::TrackerParams;
use analytics::{CameraId, Core};
use benches::rules::{all_seven, many};
use benches::traffic;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const OBJECTS: usize = 50;
const FRAMES: usize = 300;

fn core(rules: Vec<RuleSpec>) -> Core {
    let (tracker, incidents) = (TrackerParams::default(), IncidentParams::default());
    Core::new(CoreParams { tracker, rules, incidents, ground: None, signals: Vec::new(), id_seed: 7 })
}

fn judge(c: &mut Criterion) {
    let mut group = c.benchmark_group("rules");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(FRAMES as u64));
    let camera = CameraId::new("cam").expect("valid");
    let detections = traffic::detections(OBJECTS, FRAMES);
    let alone = all_seven().into_iter().map(|rule| (rule.params.kind().wire_label().to_owned(), vec![rule]));
    let together = [7, 20, 50, 200].map(|count| (format!("{count}_rules"), many(count)));
    for (name, rules) in [("no_rule".to_owned(), Vec::new())].into_iter().chain(alone).chain(together) {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || core(rules.clone()),
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

criterion_group!(benches, judge);
criterion_main!(benches);

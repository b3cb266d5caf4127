//! What tracking costs: frames a second of one camera's tracker, one thread, with 1 to 300 objects in sight.
//!
//! A minute of a synthetic road at 5 frames a second: objects enter and leave, 5 % of sightings are missed, 3 % are false,
//! boxes jitter. Assignment grows faster than linearly with the objects; the bench shows that even 100 of them leave a
//! tracker far from mattering beside inference (tens of milliseconds a frame).

use std::hint::black_box;
use std::time::Duration;

use analytics::CameraId;
use analytics::track::{Tracker, TrackerParams};
use benches::traffic::{self, ASPECT};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const FRAMES: usize = 300;

fn update(c: &mut Criterion) {
    let mut group = c.benchmark_group("tracker");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(FRAMES as u64));
    let camera = CameraId::new("cam").expect("valid");
    for objects in [1, 20, 50, 100, 300] {
        let detections = traffic::detections(objects, FRAMES);
        group.bench_function(format!("{objects}_objects"), |b| {
            b.iter_batched_ref(
                || Tracker::new(TrackerParams::default()),
                |tracker| {
                    for (frame, seen) in detections.iter().enumerate() {
                        black_box(tracker.update(traffic::stamp(&camera, frame), ASPECT, seen));
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, update);
criterion_main!(benches);

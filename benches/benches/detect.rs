//! What detection costs around the network itself: the planes-to-tensor step for the usual stream sizes (to YOLOX's
//! letterbox and to SSDLite's two regions), reading the outputs, dropping repeats, and the motion gate, which every analysed
//! frame pays. One thread, fixed-seed input.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics::{BBox, Class, Confidence, Detection, MediaTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edge_agent::detect::gate::{Gate, GateParams};
use edge_agent::detect::head::{Head, TensorView};
use edge_agent::detect::manifest::Manifest;
use edge_agent::detect::nms;
use edge_agent::detect::regions::{Merger, grid};
use edge_agent::detect::tensor::InputTensor;
use edge_agent::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};

/// SplitMix64 (Steele et al. 2014): the same numbers every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn fraction(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

fn picture(width: usize, height: usize, format: PixelFormat) -> Picture {
    let mut numbers = Numbers(7);
    picture_of((0..width * height * 3 / 2).map(|_| numbers.next() as u8).collect(), width, height, format)
}

fn picture_of(data: Vec<u8>, width: usize, height: usize, format: PixelFormat) -> Picture {
    let luma = width * height;
    let chroma_stride = if format == PixelFormat::I420 { width / 2 } else { width };
    let layout = PictureLayout {
        width: width as u32,
        height: height as u32,
        format,
        colorimetry: Colorimetry { matrix: Matrix::Bt709, range: Range::Limited },
        planes: [
            PlaneLayout { offset: 0, stride: width },
            PlaneLayout { offset: luma, stride: chroma_stride },
            PlaneLayout { offset: luma * 5 / 4, stride: width / 2 },
        ],
    };
    Picture::new(layout, Box::new(data)).expect("the planes fit")
}

fn manifest(name: &str) -> Manifest {
    let models: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    Manifest::load(&models.join(name)).expect("the project's own manifest")
}

fn whole() -> BBox {
    BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box")
}

fn planes_to_tensor(c: &mut Criterion) {
    let mut group = c.benchmark_group("planes_to_tensor");
    let regions = grid(2, 1, 0.15);
    for (name, width, height) in [("1080p", 1920, 1080), ("720p", 1280, 720), ("360p", 640, 360)] {
        group.throughput(Throughput::Elements(1));
        for format in [PixelFormat::I420, PixelFormat::Nv12] {
            let picture = picture(width, height, format);
            let mut tensor = InputTensor::new(&manifest("yolox-nano").input);
            group.bench_function(format!("{name}/{format:?}/letterbox_416"), |b| {
                b.iter(|| black_box(tensor.fill(&picture, whole())));
            });
        }
        let picture = picture(width, height, PixelFormat::I420);
        let mut tensor = InputTensor::new(&manifest("ssdlite-mobilenet-v2").input);
        group.bench_function(format!("{name}/I420/two_regions_300"), |b| {
            b.iter(|| {
                for region in &regions {
                    black_box(tensor.fill(&picture, *region));
                }
            });
        });
    }
    group.finish();
}

/// Outputs with about fifty anchors above the threshold, as a busy street gives.
fn heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("head");
    let placement_picture = picture(640, 360, PixelFormat::I420);
    let confidence = Confidence::new(0.3).expect("in 0..=1");
    let mut numbers = Numbers(11);
    let mut low = |count: usize| (0..count).map(|_| numbers.fraction() * 0.02).collect::<Vec<f32>>();
    for (name, shapes) in
        [("ssdlite-mobilenet-v2", vec![[1, 1917, 90], [1, 1917, 4]]), ("yolox-nano", vec![[1, 3549, 85]])]
    {
        let manifest = manifest(name);
        let head = Head::new(&manifest, &manifest.classes().expect("the project's own labels"));
        let placement = InputTensor::new(&manifest.input).fill(&placement_picture, whole());
        let mut data: Vec<Vec<f32>> = shapes.iter().map(|s| low((s[1] * s[2]) as usize)).collect();
        let columns = shapes[0][2] as usize;
        for anchor in data[0].chunks_exact_mut(columns).step_by(64) {
            anchor[if columns == 85 { 4 } else { 2 }] = 0.9;
            anchor[if columns == 85 { 5 } else { 0 }] = 0.8;
        }
        let views: Vec<TensorView<'_>> =
            shapes.iter().zip(&data).map(|(shape, data)| TensorView { shape, data }).collect();
        let mut found = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                found.clear();
                head.decode(&views, &placement, confidence, &mut found).expect("finite numbers");
                black_box(&found);
            });
        });
    }
    group.finish();
}

fn crowd(count: usize) -> Vec<Detection> {
    let mut numbers = Numbers(13);
    let mut detection = || {
        let (x, y) = (numbers.fraction() * 0.9, numbers.fraction() * 0.8);
        Detection {
            bbox: BBox::new(x, y, x + 0.03 + numbers.fraction() * 0.05, y + 0.1 + numbers.fraction() * 0.1)
                .expect("a box"),
            class: Class::ALL[(numbers.next() % 3) as usize],
            confidence: Confidence::new(0.3 + numbers.fraction() * 0.6).expect("in 0..=1"),
        }
    };
    (0..count).map(|_| detection()).collect()
}

fn repeats(c: &mut Criterion) {
    let mut group = c.benchmark_group("repeats");
    for count in [50, 300] {
        let all = crowd(count);
        let mut boxes = Vec::new();
        group.bench_function(format!("nms_{count}"), |b| {
            b.iter(|| {
                boxes.clone_from(&all);
                nms::suppress(&mut boxes, 0.5);
                black_box(&boxes);
            });
        });
    }
    let (regions, all) = (grid(2, 1, 0.15), crowd(60));
    let (mut merger, mut merged) = (Merger::default(), Vec::new());
    group.bench_function("merge_two_regions_of_30", |b| {
        b.iter(|| {
            merger.clear();
            merger.add(regions[0], &all[..30]);
            merger.add(regions[1], &all[30..]);
            merger.merge(0.5, &mut merged);
            black_box(&merged);
        });
    });
    group.finish();
}

/// A still scene with the noise of a sensor, analysed five times a second: looked at by each sweep, else held.
fn motion_gate(c: &mut Criterion) {
    let mut group = c.benchmark_group("motion_gate");
    for (name, width, height) in [("1080p", 1920, 1080), ("720p", 1280, 720), ("360p", 640, 360)] {
        let mut numbers = Numbers(17);
        let mut still = |_| {
            let luma = |i: usize| 40 + ((i / width * 120 / height) + i % width / 40 % 3 * 20) as u8;
            let data = (0..width * height * 3 / 2).map(|i| luma(i % (width * height)) + (numbers.next() % 8) as u8);
            picture_of(data.collect(), width, height, PixelFormat::I420)
        };
        let pictures: Vec<Picture> = (0..4).map(&mut still).collect();
        for columns in [1, 2] {
            let regions = grid(columns, 1, 0.15);
            let params = GateParams { regions, input_px: 300 * 300, nms_iou: 0.5, sweep: Duration::from_secs(10) };
            let (mut gate, mut frame) = (Gate::new(params), 0_u64);
            group.bench_function(format!("{name}/{columns}_regions"), |b| {
                b.iter(|| {
                    frame += 1;
                    let at = MediaTime::from_nanos(frame * 200_000_000);
                    black_box(gate.plan(&pictures[(frame % 4) as usize], at).len())
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, planes_to_tensor, heads, repeats, motion_gate);
criterion_main!(benches);

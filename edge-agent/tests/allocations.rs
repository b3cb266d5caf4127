//! From planes to "nothing found", steady: no memory is allocated for a frame.
//!
//! What is counted is the program's own: planes to tensor, the network's outputs to detections, repeats, both regions made
//! one, tracker, stitcher, rules of seven kinds and the camera's own, incidents, traffic measures, recording. Of ONNX
//! Runtime nothing is: tensors stand in for what it gives. A new track, a finding and a full minute of recorded tracks do
//! allocate; in these frames there are none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{BBox, Class, Confidence, Detection, FrameStamp, MediaTime, WallTime};
use edge_agent::camera::{Analysed, CameraCore, CameraParams};
use edge_agent::config::{self, Home, Site};
use edge_agent::detect::head::{Head, TensorView};
use edge_agent::detect::manifest::Model;
use edge_agent::detect::nms;
use edge_agent::detect::ort::Provider;
use edge_agent::detect::regions::Merger;
use edge_agent::detect::tensor::InputTensor;
use edge_agent::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
use edge_agent::publish::wire::TimeQuality;
use edge_agent::setup;
use edge_agent::signal::{HeardSignals, SignalBoard};

/// Counts what the thread that is watched asks for.
struct Counting;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    // A thread that ends has neither any more.
    let _ = WATCHED.try_with(|watched| {
        if watched.get() {
            COUNT.set(COUNT.get() + 1);
        }
    });
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `of` allocates in this thread.
fn allocations<T>(of: impl FnOnce() -> T) -> (T, u64) {
    COUNT.set(0);
    WATCHED.set(true);
    let result = of();
    WATCHED.set(false);
    (result, COUNT.get())
}

const FPS: u64 = 5;
const WIDTH: usize = 640;
const HEIGHT: usize = 360;
/// Of the network's boxes.
const BOXES: usize = 400;

/// Everybody is in some zone, nobody for long enough; lines and limits as in any site.
const SITE: &str = r#"
[site]
id = "steady"
name = { vi = "Yên", en = "Steady" }
[box]
id = "box-a"
hw_profile = "cpu-x86_64"
[mqtt]
url = "mqtt://127.0.0.1:1883"
[storage]
path = "/nowhere"
[[camera]]
id = "cam"
name = { vi = "Máy", en = "Camera" }
pipeline = "traffic-junction"
model = "ssdlite-mobilenet-v2"
detect = { url = "rtsp://192.0.2.1/sub" }
[camera.line.side]
points = [[0.99, 0.0], [0.99, 1.0]]
[camera.zone.all]
kind = "area"
polygon = [[0.01, 0.01], [0.98, 0.01], [0.98, 0.99], [0.01, 0.99]]
[camera.zone.lawn]
kind = "restricted"
polygon = [[0.01, 0.01], [0.98, 0.01], [0.98, 0.99], [0.01, 0.99]]
[camera.zone.road]
kind = "lane"
polygon = [[0.01, 0.01], [0.98, 0.01], [0.98, 0.99], [0.01, 0.99]]
heading = [[0.1, 0.5], [0.9, 0.5]]
[[camera.rule]]
id = "count"
kind = "line-crossing"
line = "side"
[[camera.rule]]
id = "keep-off"
kind = "intrusion"
zone = "lawn"
hold = "1h"
[[camera.rule]]
id = "lingering"
kind = "loitering"
zone = "all"
dwell = "1h"
[[camera.rule]]
id = "group"
kind = "crowding"
zone = "all"
count = 100
[[camera.rule]]
id = "against"
kind = "wrong-way"
zone = "road"
hold = "1h"
[[camera.rule]]
id = "stopped"
kind = "stopped-vehicle"
zone = "road"
hold = "1h"
at_start = "off"
[[camera.rule]]
id = "on-foot"
kind = "pedestrian-on-carriageway"
zone = "road"
hold = "1h"
"#;

/// What is there in a frame: half of it stands, half goes to and fro; its number is its place.
fn object(number: usize, frame: u64) -> (Class, BBox) {
    const CLASSES: [Class; 4] = [Class::Car, Class::Person, Class::Motorcycle, Class::Truck];
    let (column, row) = ((number % 5) as f32, (number / 5) as f32);
    let class = CLASSES[number % CLASSES.len()];
    let seconds = frame as f32 / FPS as f32;
    let tremor = ((frame * 7 + number as u64 * 13) % 5) as f32 * 2e-4;
    let pace = if number.is_multiple_of(2) { 0.0 } else { 0.02 };
    let x = 0.12 + 0.18 * column + pace * (0.6 * seconds + number as f32).sin() + tremor;
    let bottom = 0.2 + 0.18 * row + tremor;
    (class, BBox::new(x - 0.03, bottom - 0.1, x + 0.03, bottom).expect("a box"))
}

/// Detection without the network: its outputs are made here, from what is there.
struct Eye {
    tensor: InputTensor,
    head: Head,
    labels: Vec<Option<Class>>,
    regions: Vec<BBox>,
    merger: Merger,
    scores: Vec<f32>,
    boxes: Vec<f32>,
    found: Vec<Detection>,
}

impl Eye {
    fn new(model: &Model) -> Self {
        let labels = model.classes().to_vec();
        Self {
            tensor: InputTensor::new(&model.manifest().input),
            head: Head::new(model.manifest(), &labels),
            regions: model.manifest().defaults.regions.expect("the default model has regions").regions(),
            merger: Merger::default(),
            scores: vec![0.0; BOXES * labels.len()],
            boxes: vec![0.0; BOXES * 4],
            found: Vec::new(),
            labels,
        }
    }

    /// As [`edge_agent::detect::ort::OrtDetector`] does.
    fn detect(&mut self, picture: &Picture, frame: u64, objects: usize, detections: &mut Vec<Detection>) {
        self.merger.clear();
        for index in 0..self.regions.len() {
            let region = self.regions[index];
            let placement = self.tensor.fill(picture, region);
            self.outputs(region, frame, objects);
            self.found.clear();
            let scores = TensorView { shape: &[1, BOXES as i64, self.labels.len() as i64], data: &self.scores };
            let boxes = TensorView { shape: &[1, BOXES as i64, 4], data: &self.boxes };
            let sure = Confidence::new(0.2).expect("valid");
            self.head.decode(&[scores, boxes], &placement, sure, &mut self.found).expect("outputs of the right shape");
            nms::suppress(&mut self.found, 0.5);
            self.merger.add(region, &self.found);
        }
        self.merger.merge(0.5, detections);
    }

    /// What the network would say of the part: each object in it twice, so that there are repeats.
    fn outputs(&mut self, region: BBox, frame: u64, objects: usize) {
        self.scores.fill(0.0);
        for slot in 0..2 * objects {
            let (class, b) = object(slot / 2, frame);
            let label = self.labels.iter().position(|label| *label == Some(class)).expect("the model knows it");
            self.scores[slot * self.labels.len() + label] = 0.9 - 0.1 * (slot % 2) as f32;
            let x = |x: f32| ((x - region.left()) / region.width()).clamp(0.0, 1.0);
            let y = |y: f32| ((y - region.top()) / region.height()).clamp(0.0, 1.0);
            self.boxes[slot * 4..slot * 4 + 4].copy_from_slice(&[y(b.top()), x(b.left()), y(b.bottom()), x(b.right())]);
        }
    }
}

fn core(site: &Site, model: &Model) -> CameraCore {
    let camera = site.camera("cam").expect("it is in the site");
    let reference = setup::model_ref(model, Provider::Cpu);
    let mut core = CameraCore::new(CameraParams {
        core: setup::core_params(camera, model, 7),
        measures: setup::measure_params(camera),
        lamps: Vec::new(),
        heard: HeardSignals::new(SignalBoard::new(BTreeSet::new(), Instant::now()), Vec::new()),
        calendar: site.calendar(),
        topics: setup::topics(site).expect("the site has topics"),
        context: setup::event_context_of(site, camera, reference).expect("the site has a context"),
    });
    core.record(Duration::from_secs(60));
    core
}

/// A picture that is like no other, as a camera's are.
fn picture(seed: usize) -> Arc<Picture> {
    let luma = WIDTH * HEIGHT;
    let pixel = |i: usize| (100 + (i / 64) % 80 + (i * 31 + seed * 17) % 7) as u8;
    let data: Vec<u8> = (0..luma).map(pixel).chain(std::iter::repeat_n(120, luma / 2)).collect();
    let planes = [(0, WIDTH), (luma, WIDTH / 2), (luma * 5 / 4, WIDTH / 2)];
    let layout = PictureLayout {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt709, range: Range::Limited },
        planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
    };
    Arc::new(Picture::new(layout, Box::new(data)).expect("fits"))
}

#[test]
fn a_frame_in_which_nothing_is_found_allocates_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.toml");
    std::fs::write(&file, SITE).expect("written");
    let home = Home::at(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let site = config::load_site(&file, &home).expect("a good site");
    let model = setup::load_model(&home, "ssdlite-mobilenet-v2").expect("the default model is there");
    let pictures: Vec<Arc<Picture>> = (0..7).map(picture).collect();
    let camera = site.camera("cam").expect("it is in the site").id.clone();
    let quality = TimeQuality { synced: true, max_error_ms: Some(1) };

    for objects in [0, 1, 10, 25] {
        let (mut eye, mut core) = (Eye::new(&model), core(&site, &model));
        let mut detections = Vec::new();
        let mut busiest = (0, 0);
        let mut steady = 0;
        for frame in 0..1200_u64 {
            let picture = Arc::clone(&pictures[frame as usize % pictures.len()]);
            let pts = MediaTime::from_nanos(frame * 1_000_000_000 / FPS);
            let captured_at = WallTime::UNIX_EPOCH + Duration::from_nanos(pts.as_nanos());
            let stamp = FrameStamp { camera: camera.clone(), seq: frame + 1, pts, captured_at };
            let (minute, count) = allocations(|| {
                let mut seen = std::mem::take(&mut detections);
                eye.detect(&picture, frame, objects, &mut seen);
                let arrived_at = Instant::now();
                let analysed = Analysed {
                    stamp,
                    arrived_at,
                    camera_ahead_s: None,
                    held_for: Duration::ZERO,
                    repeats: false,
                    picture,
                    detections: seen,
                };
                let (scene, drafts) = core.step(analysed, quality);
                assert_eq!(drafts.len(), 0, "frame {frame}: nothing is found");
                assert!(frame < 100 || scene.tracks.len() == objects, "frame {frame}: {} tracks", scene.tracks.len());
                detections = core.take_detections();
                core.reuse(scene);
                core.full_chunk().is_some() || !core.take_measured(quality).is_empty()
            });
            // Two minutes, until tables, paths and what stands are as large as they get; a minute's end has its own cost.
            if frame >= 600 && !minute {
                steady += 1;
                busiest = busiest.max((count, frame));
            }
        }
        assert!(steady > 500, "{steady} frames were counted");
        assert_eq!(busiest.0, 0, "with {objects} objects frame {} allocates", busiest.1);
    }
}

//! A seeded road on which the truth is known: what the tracker learns of a fixed camera must pay, at every frame rate.
//!
//! Motorcycles ride towards the camera and away from it and hide each other, people cross, a sign is taken for a person
//! every few seconds. Measured are the wrongs of CLEAR MOT (Bernardin and Stiefelhagen, 2008): objects missed, tracks of
//! nothing, identities switched; at IoU 0.5.

use std::collections::BTreeMap;

use analytics::track::{Mechanisms, Tracker, TrackerParams};
use analytics::{BBox, CameraId, Class, Confidence, Detection, FrameStamp, MediaTime, Scene, WallTime};

const ASPECT: f32 = 16.0 / 9.0;
const SECONDS: u64 = 180;
/// The world's step; pictures are taken every so many.
const TICKS: u64 = 30;

/// Numbers from a seed (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn share(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }
}

/// Someone on the road, in metres: to the right of the camera and away from it.
struct User {
    id: u64,
    class: Class,
    x: f32,
    away: f32,
    speed: (f32, f32),
    height: f32,
    /// How well the model sees it at the moment; wanders.
    clearness: f32,
}

impl User {
    fn enters(id: u64, numbers: &mut Numbers) -> Self {
        let on_foot = numbers.share() < 0.3;
        let side = if numbers.share() < 0.5 { 1.0 } else { -1.0 };
        let away = if on_foot { numbers.between(10.0, 22.0) } else { 28.0 - 16.0 * side };
        let x = if on_foot { -side * 0.62 * away } else { side * numbers.between(0.5, 5.0) };
        let pace = if on_foot { numbers.between(0.9, 1.6) } else { numbers.between(4.0, 9.0) };
        let speed = if on_foot { (side * pace, 0.0) } else { (0.0, side * pace) };
        let class = if on_foot { Class::Person } else { Class::Motorcycle };
        Self { id, class, x, away, speed, height: numbers.between(1.55, 1.8), clearness: 1.0 }
    }

    fn bbox(&self) -> BBox {
        let scale = 1.3 / self.away;
        let (foot, center) = (0.2 + 4.5 * scale, 0.5 + self.x * scale / ASPECT);
        let half = 0.25 * self.height * scale / ASPECT;
        BBox::new(center - half, foot - self.height * scale, center + half, foot).expect("a box")
    }

    fn step(&mut self, numbers: &mut Numbers) {
        self.x += self.speed.0 / TICKS as f32;
        self.away += self.speed.1 / TICKS as f32;
        self.clearness += 0.1 * (numbers.between(-1.0, 1.0) + 0.25 * (0.8 - self.clearness));
    }

    fn is_in_sight(&self) -> bool {
        (9.0..46.0).contains(&self.away) && self.bbox().clipped().is_some_and(|b| b.area() > 0.5 * self.bbox().area())
    }
}

fn seen(class: Class, bbox: BBox, confidence: f32) -> Detection {
    Detection { bbox, class, confidence: Confidence::new(confidence).expect("in range") }
}

/// True boxes and detections of each tick.
type Frame = (Vec<(u64, BBox)>, Vec<Detection>);

fn road(seed: u64) -> Vec<Frame> {
    let mut numbers = Numbers(seed);
    let (mut users, mut entered) = (Vec::<User>::new(), 0);
    let sign = BBox::new(0.80, 0.33, 0.812, 0.39).expect("a box");
    let mut frames = Vec::new();
    for tick in 0..SECONDS * TICKS {
        if numbers.share() < 0.9 / TICKS as f32 {
            entered += 1;
            users.push(User::enters(entered, &mut numbers));
        }
        users.iter_mut().for_each(|user| user.step(&mut numbers));
        users.retain(User::is_in_sight);
        let places: Vec<BBox> = users.iter().map(User::bbox).collect();
        let nearer = |b: BBox| places.iter().filter(move |other| other.bottom() > b.bottom());
        let covered = |b: BBox| nearer(b).map(|&other| b.covered_by(other)).fold(0.0, f32::max);
        let mut detections = Vec::new();
        for (user, &place) in users.iter().zip(&places) {
            let confidence = (0.9 * user.clearness - 1.2 * covered(place)).min(0.95);
            let mut off = || numbers.between(-0.04, 0.04) * place.height();
            let (dx, dy) = (off() / ASPECT, off());
            let shown = BBox::new(place.left() + dx, place.top() + dy, place.right() + dx, place.bottom() + dy);
            if confidence > 0.1 {
                detections.push(seen(user.class, shown.expect("a box"), confidence));
            }
        }
        if tick / TICKS % 9 < 5 {
            detections.push(seen(Class::Person, sign, numbers.between(0.4, 0.75)));
        }
        let truth = users.iter().zip(&places).filter(|(_, place)| covered(**place) < 0.8);
        frames.push((truth.map(|(user, place)| (user.id, *place)).collect(), detections));
    }
    frames
}

#[derive(Debug, Default)]
struct Wrongs {
    objects: usize,
    missed: usize,
    of_nothing: usize,
    switched: usize,
}

impl Wrongs {
    /// MOTA.
    fn accuracy(&self) -> f64 {
        1.0 - (self.missed + self.of_nothing + self.switched) as f64 / self.objects as f64
    }

    /// Each object with the track it had, if that still fits, else with the best that is left.
    fn add(&mut self, truth: &[(u64, BBox)], scene: &Scene, known: &mut BTreeMap<u64, u64>) {
        let mut left: Vec<_> = scene.seen().collect();
        let mut lost = Vec::new();
        for &(id, place) in truth {
            let fits = left.iter().position(|t| known.get(&id) == Some(&t.id.0) && t.bbox.iou(place) >= 0.5);
            match fits {
                Some(i) => drop(left.swap_remove(i)),
                None => lost.push((id, place)),
            }
        }
        for (id, place) in lost {
            let best = (0..left.len()).max_by(|&a, &b| left[a].bbox.iou(place).total_cmp(&left[b].bbox.iou(place)));
            match best.filter(|&i| left[i].bbox.iou(place) >= 0.5) {
                Some(i) => self.switched += usize::from(known.insert(id, left.swap_remove(i).id.0).is_some()),
                None => self.missed += 1,
            }
        }
        self.objects += truth.len();
        self.of_nothing += left.len();
    }
}

fn wrongs(frames: &[Frame], fps: u64, mechanisms: Mechanisms) -> Wrongs {
    let mut tracker = Tracker::with_mechanisms(TrackerParams::default(), mechanisms);
    let camera = CameraId::new("road").expect("an id");
    let (mut wrongs, mut known) = (Wrongs::default(), BTreeMap::new());
    for (tick, (truth, detections)) in (0u64..).zip(frames).step_by((TICKS / fps) as usize) {
        let pts = MediaTime::from_nanos(tick * 1_000_000_000 / TICKS);
        let stamp = FrameStamp { camera: camera.clone(), seq: tick + 1, pts, captured_at: WallTime::UNIX_EPOCH };
        wrongs.add(truth, &tracker.update(stamp, ASPECT, detections), &mut known);
    }
    wrongs
}

#[test]
fn what_is_learned_of_a_camera_pays_at_every_frame_rate() {
    for seed in 1..4 {
        let frames = road(seed);
        for fps in [5, 10, 30] {
            let plain = wrongs(&frames, fps, Mechanisms::NONE);
            let whole = wrongs(&frames, fps, Mechanisms::ALL);
            assert!(whole.accuracy() > plain.accuracy() + 0.03, "seed {seed}, {fps} fps: {whole:?}, plain {plain:?}");
            assert!(2 * whole.of_nothing < plain.of_nothing, "seed {seed}, {fps} fps: {whole:?}, plain {plain:?}");
        }
    }
}

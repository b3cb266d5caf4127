//! Painted scenes: grey noise, and squares that a detector of bright things sees.

use std::ops::Range;

use analytics::{Class, Confidence};
use proptest::prelude::*;

use super::*;
use crate::detect::regions::grid;
use crate::frame::{Colorimetry, Matrix, PictureLayout, PixelFormat, PlaneLayout, Range as CodedRange};

const SWEEP: Duration = Duration::from_secs(10);
const SIZE: (usize, usize) = (640, 360);
/// Side of a square: 24 of 360 lines.
const SIDE: usize = 24;

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

    /// Nearly normal, of deviation 1: the sum of twelve even ones.
    fn noise(&mut self) -> f32 {
        (0..4)
            .map(|_| self.next())
            .flat_map(|n| [n, n >> 16, n >> 32])
            .map(|n| (n & 0xffff) as f32 / 65536.0)
            .sum::<f32>()
            - 6.0
    }
}

/// What a frame shows.
#[derive(Debug, Clone)]
struct Scene {
    size: (usize, usize),
    format: PixelFormat,
    /// Left edges of bright squares, and their top edges; pixels and parts of them.
    squares: Vec<(f32, f32)>,
    gain: f32,
    noise: f32,
    seed: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self { size: SIZE, format: PixelFormat::I420, squares: Vec::new(), gain: 1.0, noise: 3.0, seed: 0 }
    }
}

impl Scene {
    fn with(squares: &[(f32, f32)], seed: u64) -> Self {
        Self { squares: squares.to_vec(), seed, ..Self::default() }
    }

    /// Pavement with kerbs and a wall, so that there is light and shade.
    fn luma(&self, x: usize, y: usize) -> f32 {
        let ground = 60.0 + (y * 60 / self.size.1) as f32 + if (x / 40).is_multiple_of(3) { 30.0 } else { 0.0 };
        let covered = |from: f32, at: usize| {
            (from + SIDE as f32 - at as f32).clamp(0.0, 1.0).min((at as f32 + 1.0 - from).clamp(0.0, 1.0))
        };
        let square = self.squares.iter().map(|(left, top)| covered(*left, x) * covered(*top, y)).fold(0.0, f32::max);
        ground + square * (185.0 - ground)
    }

    fn picture(&self) -> Picture {
        let ((width, height), mut numbers) = (self.size, Numbers(self.seed.wrapping_mul(7919)));
        let stride = width + 11;
        let mut data = vec![255; stride * height];
        for y in 0..height {
            for x in 0..width {
                let luma = self.gain * self.luma(x, y) + self.noise * numbers.noise();
                data[y * stride + x] = luma.round().clamp(0.0, 255.0) as u8;
            }
        }
        let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
        data.resize(stride * height + 2 * half * rows, 128);
        let chroma = stride * height;
        let planes = match self.format {
            PixelFormat::I420 => [(0, stride), (chroma, half), (chroma + half * rows, half)],
            PixelFormat::Nv12 => [(0, stride), (chroma, 2 * half), (0, 0)],
        };
        let layout = PictureLayout {
            width: width as u32,
            height: height as u32,
            format: self.format,
            colorimetry: Colorimetry { matrix: Matrix::Bt709, range: CodedRange::Limited },
            planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
        };
        Picture::new(layout, Box::new(data)).expect("fits")
    }
}

/// Sees the bright squares of each region, where they are whole.
#[derive(Default)]
struct Bright {
    looks: Vec<BBox>,
    merger: Merger,
}

const BRIGHT: u8 = 165;

impl Detector for Bright {
    fn detect(&mut self, picture: &Picture, regions: &[BBox], into: &mut Vec<Detection>) -> Result<(), DetectError> {
        self.looks.extend_from_slice(regions);
        if let [region] = regions {
            *into = bright(picture, *region);
            return Ok(());
        }
        self.merger.clear();
        regions.iter().for_each(|region| self.merger.add(*region, &bright(picture, *region)));
        self.merger.merge(0.5, into);
        Ok(())
    }
}

fn bright(picture: &Picture, region: BBox) -> Vec<Detection> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut found: Vec<(usize, usize)> = Vec::new();
    for y in 0..height {
        let row = picture.row(0, y);
        for x in 0..width {
            let is_seen = found.iter().any(|(left, top)| x + 2 >= *left && x < left + SIDE + 2 && y < top + SIDE + 2);
            if !is_seen && row[x..].iter().take(5).filter(|luma| **luma > BRIGHT).count() == 5 {
                found.push((x, y));
            }
        }
    }
    let side = |at: usize, of: usize| at as f32 / of as f32;
    let detection = |(x, y): (usize, usize)| {
        let bbox = BBox::new(side(x, width), side(y, height), side(x + SIDE, width), side(y + SIDE, height))?;
        let confidence = Confidence::new(0.9)?;
        (bbox.covered_by(region) > 0.95).then_some(Detection { bbox, class: Class::Car, confidence })
    };
    found.into_iter().filter_map(detection).collect()
}

/// A camera's gate, and its detector.
struct Stage {
    gate: Gate,
    detector: Bright,
    found: Vec<Vec<Detection>>,
}

impl Stage {
    fn new(sweep: Duration) -> Self {
        let gate = Gate::new(GateParams { regions: grid(2, 1, 0.15), input_px: 300 * 300, nms_iou: 0.5, sweep });
        Self { gate, detector: Bright::default(), found: Vec::new() }
    }

    fn step(&mut self, at_s: f64, scene: &Scene) -> (usize, Vec<Detection>) {
        self.step_picture(at_s, &scene.picture())
    }

    fn step_picture(&mut self, at_s: f64, picture: &Picture) -> (usize, Vec<Detection>) {
        let mut detections = Vec::new();
        let at = MediaTime::from_nanos((at_s * 1e9).round() as u64);
        let looks = self.gate.detect(&mut self.detector, picture, at, &mut self.found, &mut detections);
        (looks.expect("it never fails"), detections)
    }

    /// The looks in these seconds, at 5 frames a second.
    fn run(&mut self, seconds: Range<f64>, scene: impl Fn(f64) -> Scene) -> usize {
        times(seconds, 5.0).map(|at| self.step(at, &Scene { seed: (at * 100.0) as u64, ..scene(at) }).0).sum()
    }
}

fn times(seconds: Range<f64>, fps: f64) -> impl Iterator<Item = f64> {
    let frames = ((seconds.end - seconds.start) * fps).round() as usize;
    (0..frames).map(move |frame| seconds.start + frame as f64 / fps)
}

#[test]
fn noise_alone_costs_the_sweeps_and_nothing_more() {
    for noise in [0.0, 3.0, 8.0] {
        let (mut stage, scene) = (Stage::new(SWEEP), |_| Scene { noise, ..Scene::default() });
        stage.run(0.0..10.0, scene);
        assert_eq!(stage.run(10.0..40.0, scene), 3 * SAMPLES * 2, "three sweeps of two regions, noise {noise}");
    }
}

#[test]
fn a_sweep_is_no_movement_and_a_look_between_frames_changes_nothing() {
    let mut stage = Stage::new(SWEEP);
    let scene = |_| Scene::default();
    let at = |seed| Scene { seed, ..Scene::default() }.picture();
    assert!(!stage.gate.is_still(&at(1)), "nothing was seen yet");
    stage.run(0.0..25.0, scene);
    assert!(stage.gate.still_for() > 2 * SWEEP, "{:?}", stage.gate.still_for());
    assert!(stage.gate.is_still(&at(7777)));
    assert!(!stage.gate.is_still(&Scene::with(&[(100.0, 200.0)], 3).picture()), "a square came");
    assert!(!stage.gate.is_still(&Scene { size: (320, 180), ..Scene::default() }.picture()), "another size");
    let still_for = stage.gate.still_for();
    assert_eq!(stage.step(25.0, &Scene { seed: 2500, ..Scene::default() }).0, 0, "held as if nobody had looked");
    assert!(stage.gate.still_for() > still_for);
    stage.step(25.2, &Scene::with(&[(100.0, 200.0)], 4));
    assert_eq!(stage.gate.still_for(), Duration::ZERO);
}

#[test]
fn repeated_pictures_do_not_make_a_noisy_camera_look_still() {
    let noisy = |_| Scene { noise: 8.0, ..Scene::default() };
    let last = Scene { seed: 2980, ..noisy(0.0) }.picture();
    let looks = |repeats: bool| {
        let mut stage = Stage::new(3 * SWEEP);
        stage.run(0.0..30.0, noisy);
        for at in times(30.0..36.0, 5.0) {
            if repeats {
                stage.gate.repeat();
            }
            stage.step_picture(at, &last);
        }
        stage.run(36.0..40.0, noisy)
    };
    assert_eq!(looks(true), 0, "what was learnt of its noise is kept");
    assert!(looks(false) > 0, "a picture that does not waver at all would be believed");
}

#[test]
fn what_appears_moves_or_leaves_is_seen_in_that_very_frame_and_only_its_region_is_inferred() {
    let mut stage = Stage::new(SWEEP);
    let (left, right) = ((100.0, 200.0), (500.0, 100.0));
    stage.run(0.0..4.0, |_| Scene::default());
    let (looks, seen) = stage.step(4.0, &Scene::with(&[left], 1));
    assert_eq!((looks, seen.len()), (1, 1), "it appears");
    assert_eq!(stage.run(4.2..6.0, |_| Scene::with(&[left], 0)), SAMPLES - 1);
    let moved = (left.0 + SIDE as f32 / 3.0, left.1);
    let (looks, seen) = stage.step(6.0, &Scene::with(&[moved], 2));
    assert_eq!(looks, 1, "it moves");
    assert!((seen[0].bbox.left() * SIZE.0 as f32 - moved.0).abs() < 1.5, "{seen:?}");
    stage.run(6.2..7.0, |_| Scene::with(&[moved], 0));
    let (looks, seen) = stage.step(7.0, &Scene::with(&[moved, right], 3));
    assert_eq!((looks, seen.len()), (1, 2), "the other stands");
    stage.run(7.2..9.0, |_| Scene::with(&[moved, right], 0));
    let (looks, seen) = stage.step(9.0, &Scene::with(&[right], 4));
    assert_eq!((looks, seen.len()), (1, 1), "it left, and is not carried");
}

#[test]
fn what_stands_is_shown_in_every_held_frame() {
    let mut stage = Stage::new(SWEEP);
    for (frame, at) in times(0.0..9.0, 5.0).enumerate() {
        let (looks, seen) = stage.step(at, &Scene::with(&[(100.0, 200.0), (320.0, 40.0)], frame as u64));
        assert_eq!((looks, seen.len()), (if frame < SAMPLES { 2 } else { 0 }, 2), "at {at}");
    }
}

#[test]
fn what_creeps_is_followed_before_it_moved_its_own_size() {
    let mut stage = Stage::new(Duration::from_secs(300));
    stage.run(0.0..4.0, |_| Scene::with(&[(100.0, 200.0)], 0));
    let mut farthest: f32 = 0.0;
    for frame in 0..200 {
        let left = 100.0 + 0.3 * frame as f32;
        let (_, seen) = stage.step(4.0 + f64::from(frame) / 5.0, &Scene::with(&[(left, 200.0)], frame as u64));
        farthest = farthest.max((seen[0].bbox.left() * SIZE.0 as f32 - left).abs());
    }
    assert!(farthest < SIDE as f32 / 4.0, "shown {farthest} px from where it is");
}

#[test]
fn an_exposure_step_is_looked_at_once_and_blinds_nothing() {
    for gain in [0.7, 1.3] {
        let mut stage = Stage::new(SWEEP);
        stage.run(0.0..4.0, |_| Scene::default());
        let lit = |squares: &[(f32, f32)]| Scene { gain, ..Scene::with(squares, 0) };
        assert_eq!(stage.step(4.0, &lit(&[])).0, 2, "another light, another picture");
        assert_eq!(stage.run(4.2..6.0, |_| lit(&[])), 2 * (SAMPLES - 1));
        assert_eq!(stage.step(6.0, &lit(&[(100.0, 200.0)])).0, 1, "it sees as before");
    }
}

#[test]
fn what_comes_while_the_light_changes_is_seen_by_the_next_sweep() {
    for gain in [0.75_f64, 1.3] {
        let mut stage = Stage::new(SWEEP);
        let light = |at: f64| 1.0 + (gain - 1.0) * ((at - 4.0) / 3.0).clamp(0.0, 1.0);
        let seen = times(0.0..15.0, 5.0).find(|at| {
            let squares: &[(f32, f32)] = if *at >= 5.5 { &[(100.0, 200.0)] } else { &[] };
            let scene = Scene { gain: light(*at) as f32, ..Scene::with(squares, (*at * 100.0) as u64) };
            // At three quarters of its light a square is less bright than the detector asks for.
            let brighter = Scene { gain: scene.gain.max(1.0), ..scene.clone() };
            let (looks, _) = stage.step(*at, &scene);
            looks > 0 && *at >= 5.5 && !bright(&brighter.picture(), grid(2, 1, 0.15)[0]).is_empty()
        });
        assert!(seen.is_some_and(|at| at <= 5.5 + SWEEP.as_secs_f64()), "{gain}: {seen:?}");
    }
}

#[test]
fn slow_light_is_not_taken_for_movement() {
    let slow = |at: f64| Scene { gain: 1.0 + 0.15 * (at as f32 / 30.0), ..Scene::default() };
    let looks = Stage::new(SWEEP).run(0.0..30.0, slow);
    assert!(looks <= 2 * 5 * SAMPLES, "{looks} of 300");
}

#[test]
fn a_drop_is_no_object() {
    let mut stage = Stage::new(SWEEP);
    stage.run(0.0..4.0, |_| Scene::default());
    let drop = Scene::default().picture();
    let layout = *drop.layout();
    let mut data: Vec<u8> = vec![128; 640 * 360 * 2];
    (0..360).for_each(|y| data[y * layout.planes[0].stride..][..640].copy_from_slice(drop.row(0, y)));
    (181..184).for_each(|y| data[y * layout.planes[0].stride + 211..][..3].fill(230));
    let drop = Picture::new(layout, Box::new(data)).expect("fits");
    assert_eq!(stage.step_picture(4.0, &drop).0, 0);
}

#[test]
fn a_gap_another_size_a_step_back_and_a_failure_void_what_was_seen() {
    let still = Scene::with(&[(100.0, 200.0)], 1);
    let held = || {
        let mut stage = Stage::new(SWEEP);
        assert_eq!(stage.run(0.0..2.0, |_| still.clone()), 2 * SAMPLES);
        stage
    };
    assert_eq!(held().step(2.0, &still).0, 0, "nothing happened");
    assert_eq!(held().step(4.5, &Scene::default()), (2, Vec::new()), "a gap");
    assert_eq!(held().step(1.0, &still).0, 2, "a step back");
    assert_eq!(held().step(2.0, &Scene { size: (480, 270), ..Scene::default() }), (2, Vec::new()), "another size");
    let mut stage = held();
    stage.gate.forget();
    assert_eq!(stage.step(2.0, &still).0, 2, "a failure");
}

#[test]
fn a_network_that_wavers_is_shown_to_waver() {
    struct Wavering(usize);
    impl Detector for Wavering {
        fn detect(&mut self, picture: &Picture, _: &[BBox], into: &mut Vec<Detection>) -> Result<(), DetectError> {
            self.0 += 1;
            *into = bright(picture, BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box"));
            into.truncate(usize::from(!self.0.is_multiple_of(3)));
            Ok(())
        }
    }
    let whole = BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box");
    let mut gate = Gate::new(GateParams { regions: vec![whole], input_px: 300 * 300, nms_iou: 0.5, sweep: SWEEP });
    let (mut detector, mut found, mut shown) = (Wavering(0), Vec::new(), 0);
    for frame in 0..45_u64 {
        let (mut detections, at) = (Vec::new(), MediaTime::from_nanos(frame * 200_000_000));
        let picture = Scene::with(&[(100.0, 200.0)], frame).picture();
        gate.detect(&mut detector, &picture, at, &mut found, &mut detections).expect("it never fails");
        shown += detections.len();
    }
    assert_eq!((detector.0, shown), (3, 30), "two frames of three");
}

#[test]
fn planes_of_every_layout_and_odd_sizes_are_judged_alike() {
    for size in [(640, 360), (353, 241), (131, 77), (64, 36), (9, 5)] {
        let plans = [PixelFormat::I420, PixelFormat::Nv12].map(|format| {
            let mut stage = Stage::new(SWEEP);
            let mut at = |at_s: f64, squares: &[(f32, f32)]| {
                // The smaller the picture, the fewer pixels average their noise out.
                stage.step(at_s, &Scene { size, format, noise: 1.0, ..Scene::with(squares, (at_s * 10.0) as u64) }).0
            };
            let still: Vec<usize> = times(0.0..2.0, 5.0).map(|t| at(t, &[])).collect();
            (still, at(2.0, &[(1.0, 1.0)]))
        });
        assert_eq!(plans[0], plans[1], "{size:?}");
        assert_eq!(plans[0].0.iter().sum::<usize>(), 2 * SAMPLES, "{size:?}: padding is no picture");
        assert!(plans[0].1 >= 1, "{size:?}: it appears");
    }
}

#[test]
fn every_rate_notices_within_its_interval() {
    for fps in [3.0, 5.0, 10.0, 15.0, 25.0, 30.0] {
        let mut stage = Stage::new(SWEEP);
        let scene = |at: f64| Scene::with(if at >= 3.3 { &[(100.0, 200.0)] } else { &[] }, (at * 1000.0) as u64);
        let noticed = times(0.0..6.0, fps).find(|at| !stage.step(*at, &scene(*at)).1.is_empty());
        let late = noticed.expect("it is noticed") - 3.3;
        assert!((0.0..=1.0 / fps + 1e-6).contains(&late), "{late} s late at {fps} fps");
    }
}

fn walks() -> impl Strategy<Value = Vec<Vec<(f32, f32)>>> {
    let step = prop_oneof![3 => Just(0.0_f32), 1 => 1.0_f32..40.0];
    (0.0_f32..300.0, (10_u16..300).prop_map(f32::from), prop::collection::vec(step, 12..20)).prop_map(
        |(mut left, top, steps)| {
            let walk = steps.into_iter().map(|step| {
                left = (left + step).round();
                vec![(left, top)]
            });
            walk.collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A replay plans as many frames at once as it has cores.
    #[test]
    fn frames_planned_ahead_give_the_same_detections(walk in walks(), ahead in 1_usize..6) {
        let pictures: Vec<Picture> =
            walk.iter().enumerate().map(|(i, squares)| Scene::with(squares, i as u64).picture()).collect();
        let at = |i: usize| MediaTime::from_nanos(i as u64 * 200_000_000);
        let mut one = Stage::new(SWEEP);
        let by_one: Vec<_> = pictures.iter().enumerate().map(|(i, p)| one.step_picture(i as f64 * 0.2, p).1).collect();
        let mut many = Stage::new(SWEEP);
        let mut by_many = Vec::new();
        for (batch, pictures) in pictures.chunks(ahead).enumerate() {
            let mut plan = |i: usize, picture| many.gate.plan(picture, at(batch * ahead + i)).to_vec();
            let plans: Vec<_> = pictures.iter().enumerate().map(|(i, picture)| plan(i, picture)).collect();
            for (plan, picture) in plans.iter().zip(pictures) {
                let (mut found, mut detections, regions) = (Vec::new(), Vec::new(), grid(2, 1, 0.15));
                infer(&mut many.detector, picture, &regions, plan, &mut found).expect("it never fails");
                many.gate.settle(plan, &mut found, &mut detections);
                by_many.push(detections);
            }
        }
        prop_assert_eq!(by_one, by_many);
    }

    /// Whatever moves, what is shown is where a network without a gate would see it, up to what a block cannot tell.
    #[test]
    fn what_is_shown_is_what_is_there(walk in walks()) {
        let mut gated = Stage::new(Duration::from_secs(300));
        for (i, squares) in walk.iter().enumerate() {
            let picture = Scene::with(squares, i as u64).picture();
            let (_, shown) = gated.step_picture(i as f64 * 0.2, &picture);
            let mut there = Vec::new();
            Bright::default().detect(&picture, &grid(2, 1, 0.15), &mut there).expect("it never fails");
            prop_assert_eq!(shown.len(), there.len());
            for (shown, there) in shown.iter().zip(&there) {
                prop_assert!(shown.bbox.iou(there.bbox) > 0.6, "{:?} {:?}", shown.bbox, there.bbox);
            }
        }
    }
}

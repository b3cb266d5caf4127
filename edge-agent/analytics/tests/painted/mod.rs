//! Films of a made place: painted larger than a view, shrunk like a camera's picture, judged by a core that has the camera's
//! own rules and no others.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::time::Duration;

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::rules::{CameraFault, RuleParams, RuleSpec};
use analytics::track::TrackerParams;
use analytics::view::{Lamps, Shrinker};
use analytics::{
    CameraId, ClassSet, Core, Detection, Event, FrameStamp, Kind, LocalTime, Look, MediaTime, Phase, RuleId, Scene,
    SignalId, SignalState, WallTime,
};

pub const RATES: [u64; 5] = [5, 10, 15, 25, 30];

pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 180;
/// Of what the camera could see when it is turned, on every side.
const MARGIN: usize = 130;

/// SplitMix64.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// About normal, of the given spread.
    fn noise(&mut self, spread: f32) -> f32 {
        let bits = self.next();
        let sum: f32 = (0..4).map(|k| ((bits >> (16 * k)) & 0xffff) as f32 / 65_536.0 - 0.5).sum();
        sum * spread * 1.73
    }
}

/// A place: boxes of many sizes on a slope of grey, with fine texture.
fn place(seed: u64) -> Vec<f32> {
    let (width, height) = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN);
    let mut dice = Dice(seed);
    let mut place: Vec<f32> = (0..width * height).map(|i| 90.0 + 40.0 * (i / width) as f32 / height as f32).collect();
    for _ in 0..400 {
        let (left, top) = (dice.below(width), dice.below(height));
        let (right, bottom) = ((left + 4 + dice.below(48)).min(width), (top + 3 + dice.below(34)).min(height));
        let luma = 40.0 + dice.below(150) as f32;
        for y in top..bottom {
            place[y * width + left..y * width + right].fill(luma);
        }
    }
    for luma in &mut place {
        *luma += dice.noise(6.0);
    }
    place
}

type Gain = Box<dyn Fn(f64) -> f64 + Sync>;

/// Changes a picture's luma, [`WIDTH`] a row, as of a second.
type Brush = Box<dyn Fn(&mut [f32], f64) + Sync>;
type Span = (f64, f64);

/// What the camera is given to see.
pub struct Film {
    seconds: f64,
    gain: Gain,
    traffic: bool,
    shadow: bool,
    covers: Vec<(Span, f64)>,
    sprays: Vec<Span>,
    blacks: Vec<Span>,
    suns: Vec<(Span, f64)>,
    blurs: Vec<(Span, usize)>,
    freezes: Vec<Span>,
    shifts: Vec<(Span, f64, f64)>,
    shakes: Vec<(Span, f64)>,
    elsewhere: Vec<Span>,
    infrared: Vec<Span>,
    brushes: Vec<Brush>,
}

fn during((from, until): Span, t: f64) -> bool {
    (from..until).contains(&t)
}

impl Film {
    /// The place and nothing else.
    pub fn of(seconds: f64) -> Self {
        Self {
            seconds,
            gain: Box::new(|_| 1.0),
            traffic: false,
            shadow: false,
            covers: vec![],
            sprays: vec![],
            blacks: vec![],
            suns: vec![],
            blurs: vec![],
            freezes: vec![],
            shifts: vec![],
            shakes: vec![],
            elsewhere: vec![],
            infrared: vec![],
            brushes: vec![],
        }
    }

    pub fn gain(mut self, gain: impl Fn(f64) -> f64 + Sync + 'static) -> Self {
        self.gain = Box::new(gain);
        self
    }

    /// Boxes drive through the lower half.
    pub fn traffic(mut self) -> Self {
        self.traffic = true;
        self
    }

    /// A shadow wanders over the place in an hour.
    pub fn shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Something plain hides this share of the picture, from the left.
    pub fn cover(mut self, from: f64, until: f64, share: f64) -> Self {
        self.covers.push(((from, until), share));
        self
    }

    /// Paint: bright, uneven, a trace of the place shines through.
    pub fn spray(mut self, from: f64, until: f64) -> Self {
        self.sprays.push((from, until));
        self
    }

    /// A bag over it.
    pub fn black(mut self, from: f64, until: f64) -> Self {
        self.blacks.push((from, until));
        self
    }

    /// This share of the picture is white.
    pub fn sun(mut self, from: f64, until: f64, share: f64) -> Self {
        self.suns.push(((from, until), share));
        self
    }

    /// Averaged over so many pixels to every side.
    pub fn blur(mut self, from: f64, until: f64, pixels: usize) -> Self {
        self.blurs.push(((from, until), pixels));
        self
    }

    pub fn freeze(mut self, from: f64, until: f64) -> Self {
        self.freezes.push((from, until));
        self
    }

    /// Everything is off by these shares of width and height.
    pub fn shift(mut self, from: f64, until: f64, dx: f64, dy: f64) -> Self {
        self.shifts.push(((from, until), dx, dy));
        self
    }

    /// Sways by this share of the width.
    pub fn shake(mut self, from: f64, until: f64, share: f64) -> Self {
        self.shakes.push(((from, until), share));
        self
    }

    pub fn elsewhere(mut self, from: f64, until: f64) -> Self {
        self.elsewhere.push((from, until));
        self
    }

    /// Black and white, with light from the camera in the middle, more noise, and the sky gone.
    pub fn infrared(mut self, from: f64, until: f64) -> Self {
        self.infrared.push((from, until));
        self
    }

    /// What else is in the place.
    pub fn painted(mut self, brush: impl Fn(&mut [f32], f64) + Sync + 'static) -> Self {
        self.brushes.push(Box::new(brush));
        self
    }

    fn offset(&self, t: f64) -> (isize, isize) {
        let mut offset = (0.0, 0.0);
        for (_, dx, dy) in self.shifts.iter().filter(|(span, ..)| during(*span, t)) {
            offset = (offset.0 + dx * WIDTH as f64, offset.1 + dy * HEIGHT as f64);
        }
        for (_, share) in self.shakes.iter().filter(|(span, _)| during(*span, t)) {
            offset.0 += share * WIDTH as f64 * (t * 7.3).sin();
            offset.1 += 0.5 * share * WIDTH as f64 * (t * 9.1).sin();
        }
        (offset.0.round() as isize, offset.1.round() as isize)
    }

    /// The picture at `t`, luma, and the mean distance of its colours from grey.
    fn paint(&self, (places, noises): (&[Vec<f32>; 2], &[f32]), t: f64, frame: u64) -> (Vec<u8>, f32) {
        let frozen = self.freezes.iter().find(|span| during(**span, t));
        let (t, seed) = frozen.map_or((t, frame), |(from, _)| (*from, 1 << 40));
        let mut dice = Dice(seed.wrapping_mul(77) + 5);
        let place = &places[usize::from(self.elsewhere.iter().any(|span| during(*span, t)))];
        let stride = WIDTH + 2 * MARGIN;
        let (dx, dy) = self.offset(t);
        let gain = (self.gain)(t) as f32;
        let is_night = self.infrared.iter().any(|span| during(*span, t));
        let mut luma = vec![0.0_f32; WIDTH * HEIGHT];
        for y in 0..HEIGHT {
            let row = (y + MARGIN).saturating_add_signed(-dy) * stride;
            for x in 0..WIDTH {
                luma[y * WIDTH + x] = place[row + (x + MARGIN).saturating_add_signed(-dx)];
            }
        }
        self.brushes.iter().for_each(|brush| brush(&mut luma, t));
        self.move_traffic(&mut luma, t);
        for (i, luma) in luma.iter_mut().enumerate() {
            let (x, y) = ((i % WIDTH) as f32 / WIDTH as f32, (i / WIDTH) as f32 / HEIGHT as f32);
            if self.shadow && (x - (t / 3600.0) as f32).abs() < 0.15 {
                *luma *= 0.6;
            }
            if is_night {
                let spot = (1.2 - 1.4 * ((x - 0.5).powi(2) + (y - 0.6).powi(2)).sqrt()).max(0.25);
                *luma = (*luma - 40.0).max(0.0) * 0.8 * spot + if y < 0.15 { 0.0 } else { 20.0 };
            }
            *luma *= gain;
        }
        for (_, pixels) in self.blurs.iter().filter(|(span, _)| during(*span, t)) {
            luma = blurred(&luma, *pixels);
        }
        self.tamper(&mut luma, t);
        let spread = if is_night { 5.0 } else { 2.0 };
        let noises = noises[dice.below(noises.len() - luma.len())..].iter();
        let picture = luma.iter().zip(noises).map(|(luma, noise)| (luma + noise * spread).clamp(16.0, 235.0) as u8);
        let picture = picture.collect();
        let is_grey = is_night || self.blacks.iter().any(|span| during(*span, t));
        (picture, if is_grey { 0.1 } else { 5.0 })
    }

    fn move_traffic(&self, luma: &mut [f32], t: f64) {
        if !self.traffic {
            return;
        }
        for car in 0..4 {
            let period = 9.0 + f64::from(car) * 2.7;
            let x = ((t / period).fract() * (WIDTH + 60) as f64) as usize;
            let top = HEIGHT / 2 + car as usize * 20;
            for y in top..(top + 18).min(HEIGHT) {
                let (left, right) = (x.saturating_sub(55).min(WIDTH), x.min(WIDTH));
                luma[y * WIDTH + left..y * WIDTH + right].fill(60.0 + 40.0 * car as f32);
            }
        }
    }

    fn tamper(&self, luma: &mut [f32], t: f64) {
        for (_, share) in self.covers.iter().filter(|(span, _)| during(*span, t)) {
            let edge = (share * WIDTH as f64) as usize;
            luma.chunks_mut(WIDTH).for_each(|row| row[..edge].fill(85.0));
        }
        if self.sprays.iter().any(|span| during(*span, t)) {
            for (i, luma) in luma.iter_mut().enumerate() {
                let (x, y) = ((i % WIDTH) as f32, (i / WIDTH) as f32);
                *luma = 150.0 + 20.0 * (x / 60.0).sin() * (y / 46.0).cos() + 0.04 * (*luma - 100.0);
            }
        }
        if self.blacks.iter().any(|span| during(*span, t)) {
            luma.fill(17.0);
        }
        for (_, share) in self.suns.iter().filter(|(span, _)| during(*span, t)) {
            let radius = (share * (WIDTH * HEIGHT) as f64 / std::f64::consts::PI).sqrt();
            for (i, luma) in luma.iter_mut().enumerate() {
                let (x, y) = ((i % WIDTH) as f64 - WIDTH as f64 / 2.0, (i / WIDTH) as f64 - HEIGHT as f64 / 2.0);
                if x.hypot(y) < radius {
                    *luma = 250.0;
                }
            }
        }
    }

    /// Every event at `fps`, with rules and detections besides.
    pub fn events_with(
        &self,
        fps: u64,
        rules: Vec<RuleSpec>,
        detections: impl Fn(f64) -> Vec<Detection>,
    ) -> Vec<(Event, f64)> {
        self.judge(self.times(fps), fps as f64, core_with(rules), (detections, &[])).0
    }

    /// The same with half of the frames dropped at random.
    pub fn events_of_half_with(
        &self,
        fps: u64,
        rules: Vec<RuleSpec>,
        detections: impl Fn(f64) -> Vec<Detection>,
    ) -> Vec<(Event, f64)> {
        let mut dice = Dice(3);
        let kept = self.times(fps).filter(move |_| dice.below(2) == 0);
        self.judge(kept, fps as f64, core_with(rules), (detections, &[])).0
    }

    /// What a signal with these lamps is said to show, frame by frame.
    pub fn signals(&self, fps: u64, id: SignalId, lamps: &[(SignalId, Lamps)]) -> Vec<SignalState> {
        let params = CoreParams { signals: vec![id], ..params(vec![]) };
        let (_, scenes) = self.judge(self.times(fps), fps as f64, Core::new(params), (|_| vec![], lamps));
        scenes.iter().map(|scene| scene.signals[0].state).collect()
    }

    /// Every event of the frames at these times.
    fn events(&self, times: impl Iterator<Item = f64>, fps: f64) -> Vec<(Event, f64)> {
        self.judge(times, fps, core_with(vec![]), (|_| vec![], &[])).0
    }

    fn judge(
        &self,
        times: impl Iterator<Item = f64>,
        fps: f64,
        mut core: Core,
        (detections, lamps): (impl Fn(f64) -> Vec<Detection>, &[(SignalId, Lamps)]),
    ) -> (Vec<(Event, f64)>, Vec<Scene>) {
        let places = [place(1), place(2)];
        let mut dice = Dice(9);
        let noises: Vec<f32> = (0..2 * WIDTH * HEIGHT).map(|_| dice.noise(1.0)).collect();
        let mut shrinker = Shrinker::default();
        let (mut events, mut scenes, mut next_view) = (Vec::new(), Vec::new(), 0.0);
        for t in times {
            let seq = (t * fps).round() as u64 + 1;
            let stamp = FrameStamp {
                camera: CameraId::new("cam").expect("id"),
                seq,
                pts: MediaTime::from_nanos((t * 1e9).round() as u64),
                captured_at: WallTime::from_unix_nanos((t * 1e9).round() as i64),
            };
            let picture = (t >= next_view).then(|| self.paint((&places, &noises), t, seq));
            next_view = if t >= next_view { t + 0.499 } else { next_view };
            let view = picture.as_ref().map(|(picture, chroma)| {
                shrinker.shrink((WIDTH, HEIGHT), *chroma, |y| &picture[y * WIDTH..(y + 1) * WIDTH])
            });
            let look =
                Look { stamp, local: LocalTime::MONDAY, aspect: 16.0 / 9.0, detections: &detections(t), view, lamps };
            let (scene, told) = core.step(look);
            scenes.push(scene);
            events.extend(told.into_iter().map(|event| (event, t)));
        }
        (events, scenes)
    }

    fn times(&self, fps: u64) -> impl Iterator<Item = f64> {
        (0..(self.seconds * fps as f64) as u64).map(move |frame| frame as f64 / fps as f64)
    }

    /// Kind and time of every incident that opens at `fps` frames a second.
    pub fn opened(&self, fps: u64) -> Vec<(Kind, f64)> {
        in_phase(self.events(self.times(fps), fps as f64), Phase::New)
    }

    /// The same with half of the frames dropped at random.
    pub fn opened_of_half(&self, fps: u64) -> Vec<(Kind, f64)> {
        let mut dice = Dice(3);
        let kept = self.times(fps).filter(move |_| dice.below(2) == 0);
        in_phase(self.events(kept, fps as f64), Phase::New)
    }

    /// The same at every rate, and at two with half of the frames dropped.
    pub fn opened_at_all_rates(&self) -> Vec<Vec<(Kind, f64)>> {
        std::thread::scope(|scope| {
            let whole = RATES.map(|fps| scope.spawn(move || self.opened(fps)));
            let half = [10, 25].map(|fps| scope.spawn(move || self.opened_of_half(fps)));
            whole.into_iter().chain(half).map(|run| run.join().expect("no panic")).collect()
        })
    }

    /// Kind and time of every incident that ends.
    pub fn ended(&self, fps: u64) -> Vec<(Kind, f64)> {
        in_phase(self.events(self.times(fps), fps as f64), Phase::End)
    }

    /// The same as [`opened`](Self::opened) with a frame every so often, however slow that is for a camera.
    pub fn opened_every(&self, every: Duration) -> Vec<(Kind, f64)> {
        let step = every.as_secs_f64();
        let times = (0..(self.seconds / step) as u64).map(|frame| frame as f64 * step);
        in_phase(self.events(times, 5.0), Phase::New)
    }
}

fn in_phase(events: Vec<(Event, f64)>, phase: Phase) -> Vec<(Kind, f64)> {
    events.into_iter().filter(|(event, _)| event.phase == phase).map(|(event, t)| (event.rule.kind, t)).collect()
}

fn blurred(luma: &[f32], pixels: usize) -> Vec<f32> {
    let along = |from: &[f32], step: usize, count: usize, lines: usize, line_step: usize| {
        let mut to = vec![0.0; from.len()];
        for line in 0..lines {
            for k in 0..count {
                let (first, last) = (k.saturating_sub(pixels), (k + pixels).min(count - 1));
                let sum: f32 = (first..=last).map(|k| from[line * line_step + k * step]).sum();
                to[line * line_step + k * step] = sum / (last - first + 1) as f32;
            }
        }
        to
    };
    let rows = along(luma, 1, WIDTH, HEIGHT, WIDTH);
    along(&rows, WIDTH, HEIGHT, WIDTH, 1)
}

/// A camera's own rules as they are when nobody says otherwise.
pub fn camera_rules() -> Vec<RuleSpec> {
    let spec = |fault: CameraFault| RuleSpec {
        id: RuleId::new(fault.kind().file_label()).expect("id"),
        severity: fault.kind().default_severity(),
        cooldown: Duration::ZERO,
        classes: ClassSet::default(),
        include_riders: false,
        schedule: None,
        params: RuleParams::Camera { fault, hold: fault.hold() },
    };
    CameraFault::ALL.into_iter().map(spec).collect()
}

/// A core with a camera's own rules and these.
pub fn core_with(rules: Vec<RuleSpec>) -> Core {
    Core::new(params(rules))
}

fn params(rules: Vec<RuleSpec>) -> CoreParams {
    CoreParams {
        tracker: TrackerParams::default(),
        rules: camera_rules().into_iter().chain(rules).collect(),
        incidents: IncidentParams::default(),
        ground: None,
        signals: vec![],
        id_seed: 1,
    }
}

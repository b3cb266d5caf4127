//! One camera-hour, frame by frame: what a detector reports, and at the end what truly happened.

use std::time::Duration;

use analytics::{CameraId, Detection, FrameStamp, LocalTime, MediaTime, Signal, SignalState, WallTime};

use crate::camera::Camera;
use crate::detector::{Detector, DetectorParams, Sight, sights};
use crate::place::Place;
use crate::random::Chance;
use crate::road::Lamp;
use crate::rules::signal_id;
use crate::traffic::TICK_S;
use crate::truth::{Incident, Truth};
use crate::world::{Body, World, WorldParams};

/// Midnight of the simulated day, by the wall clock: 2026-11-23, a Monday.
const MIDNIGHT: WallTime = WallTime::from_unix_nanos(1_795_392_000_000_000_000);

/// What a feed is made from.
#[derive(Debug, Clone)]
pub struct FeedParams {
    /// Where the camera hangs.
    pub place: Place,
    /// The world before it.
    pub world: WorldParams,
    /// What the detector does.
    pub detector: DetectorParams,
    /// Pictures analysed a second.
    pub fps: u32,
}

/// A camera's feed. Lives as long as its world.
#[derive(Debug, Clone)]
pub struct Feed {
    world: World,
    camera: Camera,
    camera_id: CameraId,
    detector: Detector,
    truth: Truth,
    fps: u32,
    frames: u64,
    seconds: f64,
    minute: f64,
    own_rider_covers: f64,
    bodies: Vec<Body>,
    sights: Vec<Sight>,
    detections: Vec<Detection>,
}

/// One analysed picture.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// When.
    pub stamp: FrameStamp,
    /// What clock and calendar on the wall show.
    pub local: LocalTime,
    /// Width over height of the picture.
    pub aspect: f32,
    /// What the detector reports.
    pub detections: &'a [Detection],
    /// What there is to see, the nearest first: the true boxes.
    pub sights: &'a [Sight],
    /// What the signals show, as one that tells its phases would say.
    pub signals: Vec<Signal>,
}

impl Feed {
    /// A feed at its start.
    ///
    /// # Panics
    /// When the place's name is no id.
    #[must_use]
    pub fn new(params: FeedParams) -> Self {
        let FeedParams { place, world, detector, fps } = params;
        let camera = Camera::new(place.mount);
        let camera_id = CameraId::new(place.name).expect("names of places are ids");
        let chance = Chance::new(world.seed).part("detector");
        let own_rider_covers = detector.own_rider_covers;
        let (seconds, minute) = (world.seconds, world.minute);
        let world = World::new(place, &world);
        let truth = Truth::new(&world);
        let detector = Detector::new(detector, chance);
        let (bodies, sights, detections) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            world,
            camera,
            camera_id,
            detector,
            truth,
            fps,
            frames: 0,
            seconds,
            minute,
            own_rider_covers,
            bodies,
            sights,
            detections,
        }
    }

    /// The next frame; `None` when the time is over.
    pub fn step(&mut self) -> Option<Frame<'_>> {
        let seconds = self.frames as f64 / f64::from(self.fps);
        // The truth goes on to the end, whenever the last frame was.
        self.tick_until(seconds.min(self.seconds));
        if seconds >= self.seconds {
            return None;
        }
        let ago_s = (self.world.seconds() - seconds).clamp(0.0, TICK_S);
        self.world.bodies(ago_s, &mut self.bodies);
        sights(&self.camera, &self.bodies, self.own_rider_covers, &mut self.sights);
        let aspect = self.camera.aspect();
        self.detector.look(&self.sights, aspect, 1.0 / f64::from(self.fps), &mut self.detections);
        let pts = MediaTime::from_nanos(self.frames * 1_000_000_000 / u64::from(self.fps));
        let signals = self.signals(seconds);
        self.frames += 1;
        let captured_at = MIDNIGHT + Duration::from_secs_f64(self.minute * 60.0) + Duration::from_nanos(pts.as_nanos());
        Some(Frame {
            stamp: FrameStamp { camera: self.camera_id.clone(), seq: self.frames, pts, captured_at },
            local: LocalTime { minute: (self.minute + seconds / 60.0) as u16 % 1440, ..LocalTime::MONDAY },
            aspect: aspect as f32,
            detections: &self.detections,
            sights: &self.sights,
            signals,
        })
    }

    fn tick_until(&mut self, seconds: f64) {
        // A step is a little more than its double's rounding.
        while self.world.seconds() + 1e-6 < seconds {
            self.world.tick();
            self.truth.observe(&self.world);
        }
    }

    fn signals(&self, seconds: f64) -> Vec<Signal> {
        let Some(signal) = self.world.place().signal else { return Vec::new() };
        let of = |phase| {
            let state = match signal.lamp(phase, seconds) {
                Lamp::Green => SignalState::Green,
                Lamp::Amber => SignalState::Amber,
                Lamp::Red => SignalState::Red,
            };
            let since_s = (seconds - signal.shown_for_s(phase, seconds)).max(0.0);
            Signal {
                id: signal_id(phase),
                state,
                since: MediaTime::from_nanos((since_s * 1e9).round() as u64),
                confidence: 1.0,
            }
        };
        (0..signal.phases).map(of).collect()
    }

    /// The wall time of the feed's first frame.
    #[must_use]
    pub fn begins_at(&self) -> WallTime {
        MIDNIGHT + Duration::from_secs_f64(self.minute * 60.0)
    }

    /// What truly happened in the world, as far as it was stepped.
    #[must_use]
    pub fn finish(self) -> Vec<Incident> {
        self.truth.finish()
    }
}

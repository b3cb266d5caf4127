//! A busy road as a detector would see it: objects that enter, drive, stop, are missed and leave; fixed seed.

use std::time::Duration;

use analytics::{BBox, CameraId, Class, Confidence, Detection, FrameStamp, LocalTime, Look, MediaTime, WallTime};

use crate::numbers::Numbers;

/// Width over height of the picture.
pub const ASPECT: f32 = 16.0 / 9.0;

/// Frames analysed a second.
pub const FPS: u64 = 5;

/// Share of sightings that the detector misses, and of extra boxes that are nothing.
const MISSED: f32 = 0.05;
const FALSE_ALARMS: f32 = 0.03;

/// Box edges jitter by so much of the box's size.
const JITTER: f32 = 0.03;

struct Object {
    class: Class,
    x: f32,
    bottom: f32,
    width: f32,
    height: f32,
    /// Picture widths a second; negative: to the left.
    speed: f32,
    stands_from: f32,
    stands_until: f32,
}

impl Object {
    /// On a lane of its own kind, somewhere along it.
    fn new(numbers: &mut Numbers, x: f32) -> Self {
        let class = Class::ALL[(numbers.bits() % 6) as usize];
        // A picture holds a hundred of them, as a high camera over a crossroads does.
        let height = numbers.between(0.04, 0.09);
        let width = height * if class.is_vehicle() { 1.4 } else { 0.4 } / ASPECT;
        let pace = if class.is_vehicle() { numbers.between(0.03, 0.12) } else { numbers.between(0.01, 0.02) };
        let stands_from = numbers.between(0.0, 200.0);
        Self {
            class,
            x,
            bottom: numbers.between(0.15, 0.98),
            width,
            height,
            speed: if numbers.chance(0.5) { pace } else { -pace },
            stands_from,
            stands_until: stands_from + numbers.between(5.0, 30.0),
        }
    }

    fn step(&mut self, numbers: &mut Numbers, seconds: f32, step: f32) {
        if !(self.stands_from..self.stands_until).contains(&seconds) {
            self.x += self.speed * step;
        }
        if !(-0.05..1.05).contains(&self.x) {
            let from_left = numbers.chance(0.5);
            *self = Self::new(numbers, if from_left { 0.0 } else { 1.0 });
            self.speed = if from_left { self.speed.abs() } else { -self.speed.abs() };
        }
    }

    fn seen(&self, numbers: &mut Numbers) -> Option<Detection> {
        let mut off = |size: f32| numbers.between(-JITTER, JITTER) * size;
        let (left, right) = (self.x - self.width / 2.0 + off(self.width), self.x + self.width / 2.0 + off(self.width));
        let (top, bottom) = (self.bottom - self.height + off(self.height), self.bottom + off(self.height));
        let bbox = BBox::new(left, top, right, bottom)?;
        let sure = if numbers.chance(0.85) { numbers.between(0.6, 0.95) } else { numbers.between(0.15, 0.5) };
        Some(Detection { bbox, class: self.class, confidence: Confidence::new(sure)? })
    }
}

/// The detections of `frames` successive frames of a road with `objects` objects on it.
#[must_use]
pub fn detections(objects: usize, frames: usize) -> Vec<Vec<Detection>> {
    let mut numbers = Numbers::new(17);
    let mut road: Vec<Object> = (0..objects)
        .map(|_| {
            let x = numbers.between(0.0, 1.0);
            Object::new(&mut numbers, x)
        })
        .collect();
    let step = 1.0 / FPS as f32;
    (0..frames)
        .map(|frame| {
            let mut seen = Vec::with_capacity(objects);
            for object in &mut road {
                object.step(&mut numbers, frame as f32 * step, step);
                if !numbers.chance(MISSED) {
                    seen.extend(object.seen(&mut numbers));
                }
                if numbers.chance(FALSE_ALARMS) {
                    let x = numbers.between(0.0, 1.0);
                    let nothing = Object::new(&mut numbers, x);
                    seen.extend(nothing.seen(&mut numbers));
                }
            }
            seen
        })
        .collect()
}

/// What was seen in frame `frame`.
#[must_use]
pub fn look<'a>(camera: &CameraId, frame: usize, detections: &'a [Detection]) -> Look<'a> {
    Look { stamp: stamp(camera, frame), local: LocalTime::MONDAY, aspect: ASPECT, detections, view: None, lamps: &[] }
}

/// The stamp of frame `frame`.
#[must_use]
pub fn stamp(camera: &CameraId, frame: usize) -> FrameStamp {
    let pts = MediaTime::from_nanos(frame as u64 * 1_000_000_000 / FPS);
    let captured_at = WallTime::UNIX_EPOCH + Duration::from_nanos(pts.as_nanos());
    FrameStamp { camera: camera.clone(), seq: frame as u64 + 1, pts, captured_at }
}

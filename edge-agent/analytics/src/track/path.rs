//! Where a track stood: a thinned path, and the velocity over the last second.

use std::time::Duration;

use crate::geometry::Point;
use crate::scene::PathPoint;
use crate::time::MediaTime;

/// Most points of a path.
pub(super) const MAX_POINTS: usize = 64;
/// Least time between two points of a path …
const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// … and least distance, in box heights.
const MIN_DISTANCE: f32 = 0.05;

/// The places a track passed, oldest first; at most [`MAX_POINTS`]. When full, the older half is thinned: what is
/// long past is kept more and more coarsely, but its beginning is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(Vec<PathPoint>);

impl From<Vec<PathPoint>> for Path {
    /// Points of another path, oldest first.
    fn from(mut points: Vec<PathPoint>) -> Self {
        points.truncate(MAX_POINTS);
        Self(points)
    }
}

impl Path {
    pub(crate) fn points(&self) -> &[PathPoint] {
        &self.0
    }

    /// Adds a place, unless it is too close to the last one; `step` is the box's height in picture heights.
    pub(crate) fn push(&mut self, at: MediaTime, point: Point, height: f32, aspect: f32) {
        if let Some(last) = self.0.last()
            && (at.since(last.at) < MIN_INTERVAL || point.distance(last.point, aspect) < MIN_DISTANCE * height)
        {
            return;
        }
        if self.0.len() == MAX_POINTS {
            let mut index = 0;
            self.0.retain(|_| {
                index += 1;
                index > MAX_POINTS / 2 || index % 2 == 1
            });
        }
        self.0.push(PathPoint { at, point });
    }
}

/// Time constant with which places are forgotten, in seconds: raising it calms the velocity of one who stands, and
/// shows later that one has stopped (of what it was, 40 % are left after two time constants, 9 % after four).
const MEMORY: f32 = 0.5;
/// Variance of a place over that of a velocity, in s²: keeps a velocity from two places, close in time, small.
const CAUTION: f32 = 1e-3;

/// Velocity as the slope of a least-squares line through the last places, older ones forgotten exponentially;
/// constant in memory. Smoother than the filter's own rate, which must follow every turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slope {
    at: MediaTime,
    weight: f32,
    /// Weighted mean of the times, in seconds from `at`.
    time: f32,
    mean: Point,
    /// Weighted sums of squares and products about the means.
    time_time: f32,
    time_x: f32,
    time_y: f32,
}

impl Slope {
    pub(super) fn new(at: MediaTime, point: Point) -> Self {
        Self { at, weight: 1.0, time: 0.0, mean: point, time_time: 0.0, time_x: 0.0, time_y: 0.0 }
    }

    pub(super) fn push(&mut self, at: MediaTime, point: Point) {
        let dt = at.since(self.at).as_secs_f32();
        let kept = (-dt / MEMORY).exp();
        self.at = at;
        self.weight = self.weight * kept + 1.0;
        let since_mean = dt - self.time;
        self.time = since_mean / self.weight - since_mean;
        let (dx, dy) = (point.x - self.mean.x, point.y - self.mean.y);
        self.mean = Point::new(self.mean.x + dx / self.weight, self.mean.y + dy / self.weight);
        // Welford's update: the deviation from the old mean times the one from the new.
        self.time_time = self.time_time * kept - since_mean * self.time;
        self.time_x = self.time_x * kept - dx * self.time;
        self.time_y = self.time_y * kept - dy * self.time;
    }

    /// Fractions of width and height a second.
    pub(super) fn velocity(&self) -> Point {
        let scale = 1.0 / (self.time_time + CAUTION);
        Point::new(self.time_x * scale, self.time_y * scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_nanos((seconds * 1e9) as u64)
    }

    #[test]
    fn uniform_motion_has_its_velocity_at_uneven_times() {
        let mut slope = Slope::new(at(100.0), Point::new(0.1, 0.9));
        for seconds in [0.1, 0.13, 0.4, 0.9, 1.0, 1.5, 2.5] {
            let moved = seconds as f32;
            slope.push(at(100.0 + seconds), Point::new(0.1 + 0.2 * moved, 0.9 - 0.05 * moved));
        }
        let velocity = slope.velocity();
        assert!((velocity.x - 0.2).abs() < 1e-3 && (velocity.y + 0.05).abs() < 1e-3, "{velocity:?}");
    }

    #[test]
    fn one_that_stops_has_stopped_two_seconds_later() {
        let mut slope = Slope::new(at(0.0), Point::default());
        for frame in 1..=40 {
            let seconds = f64::from(frame) * 0.1;
            slope.push(at(seconds), Point::new(0.2 * seconds.min(2.0) as f32, 0.5));
        }
        assert!(slope.velocity().x < 0.02);
    }

    #[test]
    fn one_place_and_simultaneous_places_have_no_velocity() {
        let mut slope = Slope::new(at(1.0), Point::new(0.5, 0.5));
        assert_eq!(slope.velocity(), Point::default());
        slope.push(at(1.0), Point::new(0.6, 0.5));
        assert!(slope.velocity().x.abs() < 1e-3);
    }

    #[test]
    fn an_object_that_stands_adds_no_points() {
        let mut path = Path::default();
        for frame in 0..100 {
            path.push(at(f64::from(frame)), Point::new(0.5, 0.5), 0.1, 1.5);
        }
        assert_eq!(path.points().len(), 1);
    }
}

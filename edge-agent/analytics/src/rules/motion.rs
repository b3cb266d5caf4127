//! How a track moved, by its displacement over a window of its own history: the momentary velocity of a filtered box is
//! too noisy to tell standing from creeping.
//!
//! Distances are box heights: displacement in picture heights over the mean of the box's heights at both ends.

use std::collections::VecDeque;
use std::time::Duration;

use crate::geometry::{BBox, Point, Segment};
use crate::ground::{GroundPoint, Unit};
use crate::parked::Way;
use crate::scene::Track;
use crate::time::MediaTime;
use crate::zone::Anchor;

/// History is kept in steps of at least this: finer adds nothing to a displacement over a second.
const STEP: Duration = Duration::from_millis(100);

/// How close to the edge a box is cut off.
const EDGE: f32 = 0.01;

/// Where a track was at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) at: MediaTime,
    pub(crate) point: Point,
    /// Of the box, in picture heights.
    pub(crate) height: f32,
    /// On the ground, where that is known.
    pub(crate) ground: Option<GroundPoint>,
}

impl Place {
    /// Where `track` is now.
    pub(crate) fn of(track: &Track, anchor: Anchor, now: MediaTime) -> Self {
        Self { at: now, point: anchor.of(track.bbox), height: track.bbox.height(), ground: track.ground }
    }

    /// Distance to `other`, in box heights.
    pub(crate) fn heights_to(self, other: Self, aspect: f32) -> f64 {
        f64::from(self.point.distance(other.point, aspect)) / f64::from((self.height + other.height) / 2.0)
    }

    /// Distance to `other` in `unit`; `None` in metres where the ground is not known.
    pub(crate) fn distance_to(self, other: Self, aspect: f32, unit: Unit) -> Option<f64> {
        match unit {
            Unit::BoxHeights => Some(self.heights_to(other, aspect)),
            Unit::Metres => Some(self.ground?.distance_m(other.ground?)),
        }
    }

    /// Distance to `other` in each unit.
    pub(super) fn way_to(self, other: Self, aspect: f32) -> Way {
        Way { heights: self.heights_to(other, aspect), metres: self.distance_to(other, aspect, Unit::Metres) }
    }

    /// Mean speed from here to the later `other`, in `unit` per second; zero when no time passed.
    pub(crate) fn speed_in(self, other: Self, aspect: f32, unit: Unit) -> Option<f64> {
        Some(self.per_second(other, self.distance_to(other, aspect, unit)?))
    }

    /// Mean speed from here to the later `other`, in box heights per second; zero when no time passed.
    pub(crate) fn speed_to(self, other: Self, aspect: f32) -> f64 {
        self.per_second(other, self.heights_to(other, aspect))
    }

    fn per_second(self, other: Self, distance: f64) -> f64 {
        let seconds = other.at.since(self.at).as_secs_f64();
        if seconds > 0.0 { distance / seconds } else { 0.0 }
    }

    /// Angle between the way from here to `other` and `heading`, in degrees, `0..=180`; zero when it is no way.
    pub(crate) fn angle_to(self, other: Self, heading: Segment, aspect: f32) -> f64 {
        let (ax, ay) = vector(self.point, other.point, aspect);
        let (bx, by) = vector(heading.from(), heading.to(), aspect);
        let (cross, dot) = (ax * by - ay * bx, ax * bx + ay * by);
        cross.abs().atan2(dot).to_degrees()
    }
}

/// The way from one point to another in the real shape of the picture, in picture heights.
pub(crate) fn vector(from: Point, to: Point, aspect: f32) -> (f64, f64) {
    (f64::from((to.x - from.x) * aspect), f64::from(to.y - from.y))
}

/// The places of one track over a window; bounded by the window.
#[derive(Debug)]
pub(crate) struct Trail {
    window: Duration,
    places: VecDeque<Place>,
}

impl Trail {
    /// An empty trail over `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, places: VecDeque::new() }
    }

    /// Adds where the track is now.
    pub(crate) fn push(&mut self, place: Place) {
        if self.places.back().is_none_or(|last| place.at.since(last.at) >= STEP) {
            self.places.push_back(place);
        }
        // The first place stays the youngest that is at least a window old.
        while self.places.get(1).is_some_and(|second| place.at.since(second.at) >= self.window) {
            self.places.pop_front();
        }
    }

    /// Where the track was as long ago as is known, up to a window (longer when it was lost then); `None` before it was seen
    /// for `least`.
    pub(crate) fn ago(&self, now: MediaTime, least: Duration) -> Option<Place> {
        self.places.front().copied().filter(|first| now.since(first.at) >= least)
    }

    /// Where the track was when it was last noted at least `age` ago.
    pub(crate) fn before(&self, now: MediaTime, age: Duration) -> Option<Place> {
        self.places.iter().rev().find(|place| now.since(place.at) >= age).copied()
    }

    /// Where the track was when it was last noted.
    pub(crate) fn last(&self) -> Option<Place> {
        self.places.back().copied()
    }

    /// Where the track was a window ago (longer ago when it was lost then); `None` before it was seen that long.
    pub(crate) fn window_ago(&self, now: MediaTime) -> Option<Place> {
        self.ago(now, self.window)
    }
}

/// Whether the picture's lower edge cuts the box off: where it stands on the ground is not seen.
pub(crate) fn is_cut_off(bbox: BBox) -> bool {
    bbox.bottom() > 1.0 - EDGE
}

/// A measured number as published: thousandths are finer than anything measured here.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(millis: u64, x: f32, y: f32) -> Place {
        Place { at: MediaTime::from_nanos(millis * 1_000_000), point: Point::new(x, y), height: 0.1, ground: None }
    }

    #[test]
    fn distance_is_the_same_along_both_axes_of_a_wide_picture() {
        let aspect = 2.0;
        let from = place(0, 0.5, 0.5);
        let right = from.heights_to(place(0, 0.6, 0.5), aspect);
        let down = from.heights_to(place(0, 0.5, 0.7), aspect);
        assert!((right - 2.0).abs() < 1e-3 && (down - 2.0).abs() < 1e-3, "{right} {down}");
    }

    #[test]
    fn angle_is_measured_in_the_real_shape_of_the_picture() {
        let heading = Segment::new(Point::new(0.2, 0.5), Point::new(0.8, 0.5)).expect("segment");
        // Twice as far in y as in x as fractions: 45 degrees in a picture twice as wide as high.
        let angle = place(0, 0.5, 0.5).angle_to(place(0, 0.6, 0.7), heading, 2.0);
        assert!((angle - 45.0).abs() < 0.1, "{angle}");
        let back = place(0, 0.5, 0.5).angle_to(place(0, 0.4, 0.5), heading, 2.0);
        assert!((back - 180.0).abs() < 0.1, "{back}");
    }

    #[test]
    fn a_trail_knows_the_place_a_window_ago_at_every_rate() {
        for fps in [1, 5, 15, 30, 60] {
            let mut trail = Trail::new(Duration::from_secs(2));
            for frame in 0..fps * 10 {
                let millis = frame * 1000 / fps;
                trail.push(place(millis, 0.5, 0.5));
                assert!(trail.places.len() <= 24, "bounded by its window, not by the frame rate");
                match trail.window_ago(place(millis, 0.0, 0.0).at) {
                    None => assert!(millis < 2000),
                    Some(first) => {
                        let age = millis - first.at.as_nanos() / 1_000_000;
                        assert!((2000..=2000 + (1000 / fps).max(100) + 100).contains(&age), "{fps} fps: {age} ms");
                    }
                }
            }
        }
    }
}

//! Whether a vehicle stands, since when, and how far it was seen to come.
//!
//! A vehicle stands from when its displacement over [`WINDOW`] was slow, until it is [`LEAVE`] away and faster. Being
//! lost ends nothing: what comes back at the same place has stood all the while.

use std::time::Duration;

use crate::geometry::Point;
use crate::ground::Speed;
use crate::parked::Way;
use crate::rules::motion::{Place, Trail, vector};
use crate::scene::Track;
use crate::time::MediaTime;
use crate::zone::Anchor;

/// Speed is displacement over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// A standing box that is not further than this from where it stopped, in box heights, still stands: passing traffic
/// hides a part of it and moves its edges. More than a stitched track may be off its place.
const LEAVE: f64 = 0.75;

/// Seen elsewhere for no longer than this, it still stands (a box that jumped).
const BRIDGE: Duration = Duration::from_secs(1);

/// A box that does not move for this long is still.
const SETTLES: Duration = Duration::from_secs(1);

/// How it moves is told by its displacement over this long at least.
const MOVES: Duration = Duration::from_millis(500);

/// Where it goes is told by where it was this far back at least, in box heights: less is jitter.
const BACK: f64 = 1.0;

/// One vehicle anywhere in the picture; bounded however long it lives.
#[derive(Debug)]
pub(crate) struct Vehicle {
    /// Where it was first seen.
    origin: Place,
    /// Where it was last before it came [`BACK`] further, and where it was then.
    back: (Place, Place),
    /// The furthest it was from there.
    way: Way,
    trail: Trail,
    stand: Option<Stand>,
}

/// One vehicle that stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stand {
    place: Place,
    /// Since when.
    pub(crate) since: MediaTime,
    /// When it was last seen to stand.
    pub(crate) last: MediaTime,
}

impl Stand {
    /// Where it stopped.
    pub(crate) fn point(&self) -> Point {
        self.place.point
    }

    /// Distance between two that stand, in box heights.
    pub(crate) fn heights_to(&self, other: &Self, aspect: f32) -> f64 {
        self.place.heights_to(other.place, aspect)
    }

    /// Where `other` is from here, in box heights: ahead along `heading`, and to the side.
    pub(crate) fn towards(&self, other: Place, (hx, hy): (f64, f64), aspect: f32) -> (f64, f64) {
        let (from, to) = (self.place.point, other.point);
        let (x, y) = vector(from, to, aspect);
        let height = f64::from((self.place.height + other.height) / 2.0);
        ((x * hx + y * hy) / height, (x * hy - y * hx).abs() / height)
    }

    /// Where it stopped, with the height of its box.
    pub(crate) fn place(&self) -> Place {
        self.place
    }
}

impl Vehicle {
    /// One that is seen for the first time.
    pub(crate) fn new(track: &Track, anchor: Anchor, now: MediaTime) -> Self {
        let origin = Place::of(track, anchor, now);
        Self { origin, back: (origin, origin), way: Way::NONE, trail: Trail::new(WINDOW), stand: None }
    }

    /// Takes one more sighting. Slower than `slow` is standing; `presumed`: it stands unless it is seen to move.
    pub(crate) fn see(
        &mut self,
        track: &Track,
        anchor: Anchor,
        (now, aspect): (MediaTime, f32),
        slow: Speed,
        presumed: bool,
    ) {
        let place = Place::of(track, anchor, now);
        // Metres count from where the ground is first known.
        self.origin.ground = self.origin.ground.or(place.ground);
        self.trail.push(place);
        let speed = self.speed_at(place, aspect, slow);
        let is_slow = speed.map_or(presumed, |speed| speed.value < slow.value);
        let Some(stand) = &mut self.stand else {
            // Not while it stands: a box that jumps has not travelled.
            self.way = self.way.max(self.origin.way_to(place, aspect));
            if self.back.1.heights_to(place, aspect) >= BACK {
                self.back = (self.back.1, place);
            }
            if is_slow {
                let since = self.trail.window_ago(now).map_or(now, |before| before.at);
                self.stand = Some(Stand { place, since, last: now });
            }
            return;
        };
        if stand.place.heights_to(place, aspect) <= LEAVE || speed.is_some_and(|speed| speed.value < slow.value) {
            stand.last = now;
        } else if now.since(stand.last) > BRIDGE {
            self.stand = None;
        }
    }

    /// Displacement over the window per second, in the unit of `like`; `None` before it was seen that long.
    pub(crate) fn speed(
        &self,
        track: &Track,
        anchor: Anchor,
        (now, aspect): (MediaTime, f32),
        like: Speed,
    ) -> Option<Speed> {
        self.speed_at(Place::of(track, anchor, now), aspect, like)
    }

    fn speed_at(&self, place: Place, aspect: f32, like: Speed) -> Option<Speed> {
        let before = self.trail.window_ago(place.at)?;
        Some(Speed { value: before.speed_in(place, aspect, like.unit)?, unit: like.unit })
    }

    /// Whether it stands still now, and does not creep near the place where it stopped. A box that jumped, since what hid a
    /// part of it has passed, is still again after [`SETTLES`].
    pub(crate) fn is_still(&self, aspect: f32, slow: Speed) -> bool {
        let Some(last) = self.trail.last() else { return true };
        let is_slow = |before: Place| before.speed_in(last, aspect, slow.unit).is_some_and(|speed| speed < slow.value);
        // Seen for less than that, it stands as far as is known.
        let Some(before) = self.trail.before(last.at, SETTLES) else { return true };
        is_slow(before) || self.trail.window_ago(last.at).is_some_and(is_slow)
    }

    /// Which way it goes or went before it stopped, as a vector of length one in the shape of the picture; `None` before it
    /// was seen to go [`BACK`].
    pub(crate) fn heading(&self, aspect: f32) -> Option<(f64, f64)> {
        let (from, to) = (self.back.0.point, self.stand.map_or(self.back.1.point, |stand| stand.place.point));
        let (x, y) = vector(from, to, aspect);
        let length = x.hypot(y);
        (length > 0.0 && self.back.0.at < self.back.1.at).then(|| (x / length, y / length))
    }

    /// How it moved before it was last seen, over the window or for as long as it was seen: a vector in picture heights a
    /// second.
    pub(crate) fn velocity(&self, aspect: f32) -> Option<(f64, f64)> {
        let last = self.trail.last()?;
        let before = self.trail.ago(last.at, MOVES)?;
        let seconds = last.at.since(before.at).as_secs_f64();
        let (x, y) = vector(before.point, last.point, aspect);
        Some((x / seconds, y / seconds))
    }

    /// It came on the way of one that was lost where this one began.
    pub(crate) fn inherit(&mut self, way: Way) {
        self.way = self.way.max(way);
    }

    /// Its stand, while it stands.
    pub(crate) const fn stand(&self) -> Option<Stand> {
        self.stand
    }

    /// The furthest it was seen from where it was first seen.
    pub(crate) const fn way(&self) -> Way {
        self.way
    }
}

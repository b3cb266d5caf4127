//! What stands is expected where it stands.
//!
//! In a queue the next vehicle is half a box height away. A track that was lost there and is expected anywhere within a
//! metre or two, as one that moves is, takes the neighbour's box, and its object seems to drive; so one that stood is
//! expected at its place, at no speed, and no box is taken for it that is farther off than boxes tremble (a zero-velocity
//! update, as inertial navigation knows it). It has set off when its boxes lie off the place for a while, all to one side.
//! Only vehicles: people who stand sway, turn and step aside.

use super::motion::Motion;
use crate::geometry::Point;
use crate::time::MediaTime;

/// Slower than this is still, in box heights a second: the velocity of a small box that trembles. Raising it holds what
/// creeps.
const STILL: f32 = 0.2;
/// What has been still for so many seconds stands.
const SETTLES: f32 = 0.6;
/// Nothing stands before it was known for so many seconds: its velocity is not known yet.
const KNOWN: f32 = 1.0;
/// It has set off when it is this far off its place on average, in box heights. Raising it holds on longer; it loses those
/// who drive off.
const OFF: f32 = 0.1;
/// Time constant of that average, in seconds: that of a box's trembling.
const OFF_MEMORY: f32 = 0.5;

/// Whether a track stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest {
    still_since: Option<MediaTime>,
    /// How far off its place it is on average, in box heights.
    off: Point,
}

impl Rest {
    /// The motion after one more sighting of what may stand, which was `off` the expected place by so many box heights,
    /// `dt` seconds after the last one.
    pub(super) fn follow(&mut self, motion: Motion, off: Point, dt: f32, aspect: f32) -> Motion {
        if !motion.rests {
            return motion;
        }
        let kept = (-dt / OFF_MEMORY).exp();
        let mean = |before: f32, new: f32| before * kept + new * (1.0 - kept);
        self.off = Point::new(mean(self.off.x, off.x), mean(self.off.y, off.y));
        if self.off.x.hypot(self.off.y) <= OFF {
            return motion.at_rest();
        }
        self.still_since = None;
        motion.set_off(aspect)
    }

    /// The motion of one that goes at `speed`, in box heights a second, and was first seen at `since`.
    pub(super) fn settle(&mut self, motion: Motion, speed: f32, since: MediaTime, now: MediaTime) -> Motion {
        if speed >= STILL {
            self.still_since = None;
            return motion;
        }
        let still_since = *self.still_since.get_or_insert(now);
        let stands = now.since(still_since).as_secs_f32() >= SETTLES && now.since(since).as_secs_f32() >= KNOWN;
        if !stands || motion.rests {
            return motion;
        }
        self.off = Point::default();
        motion.at_rest()
    }
}

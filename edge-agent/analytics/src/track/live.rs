//! One object that is being followed, confirmed or not.

use super::association::Expected;
use super::ground::Ground;
use super::motion::{self, Motion};
use super::path::{MAX_POINTS, Path, Slope};
use super::places;
use super::rest::Rest;
use super::rider::Riding;
use crate::class::Class;
use crate::detection::{Confidence, Detection};
use crate::geometry::{BBox, Point};
use crate::scene::{PathPoint, Track, TrackId, TrackState};
use crate::time::MediaTime;

/// The state of one track, from its first detection to its end. Bounded in size however long it lives.
#[derive(Debug, Clone)]
pub(super) struct LiveTrack {
    /// Given when it is confirmed.
    pub(super) id: Option<TrackId>,
    /// In the last frame.
    pub(super) state: TrackState,
    /// At `last_seen`.
    motion: Motion,
    /// Filtered, at `last_seen`.
    pub(super) bbox: BBox,
    votes: [f32; Class::ALL.len()],
    class: Class,
    confidence: Confidence,
    pub(super) first_seen: MediaTime,
    pub(super) last_seen: MediaTime,
    /// Frames in which it was seen.
    pub(super) hits: u32,
    /// Frames since it was first seen.
    pub(super) frames: u32,
    /// Mean confidence over the last seconds.
    pub(super) sureness: f32,
    /// Where it stood when it was first seen, or found again far from where it was expected.
    pub(super) born: Point,
    /// The farthest that it was from there, in box heights.
    pub(super) moved: f32,
    /// Share of its place that others covered when it was last seen.
    pub(super) hidden: f32,
    /// Where its height was last learned from.
    pub(super) sampled: Point,
    /// Taken for a thing that the model mistakes for a person; not shown.
    pub(super) doubted: bool,
    /// No detection of it was sure enough to start a track.
    pub(super) unsure: bool,
    /// Confidence over time, in seconds of certainty.
    pub(super) evidence: f32,
    rest: Rest,
    slope: Slope,
    path: Path,
    pub(super) riding: Riding,
}

/// One found again after a loss where it was hardly expected (overlap) may be another: it has yet to move.
const SAME_PLACE: f32 = 0.1;
/// Time constant of a track's mean confidence, in seconds: long enough to outlast a burst of good looks.
const SURENESS: f32 = 3.0;
/// One look speaks for no longer than this, in seconds.
const LOOK: f32 = 0.2;

/// A detection matched with a track.
pub(super) struct Sighting<'a> {
    pub(super) detection: &'a Detection,
    /// Where the track was expected.
    pub(super) expected: &'a Expected,
    /// Share of that place that objects in front of it cover; more where the box is not its own.
    pub(super) hidden: f32,
    /// Whether it may come to stand.
    pub(super) may_rest: bool,
    pub(super) now: MediaTime,
    pub(super) aspect: f32,
}

impl LiveTrack {
    pub(super) fn new(detection: &Detection, now: MediaTime, aspect: f32) -> Self {
        let mut votes = [0.0; Class::ALL.len()];
        votes[detection.class as usize] = detection.confidence.get();
        let foot = detection.bbox.bottom_center();
        let mut path = Path::default();
        path.push(now, foot, detection.bbox.height(), aspect);
        Self {
            id: None,
            state: TrackState::Seen,
            motion: Motion::new(detection, aspect),
            bbox: detection.bbox,
            votes,
            class: detection.class,
            confidence: detection.confidence,
            first_seen: now,
            last_seen: now,
            hits: 1,
            frames: 1,
            sureness: detection.confidence.get(),
            born: foot,
            moved: 0.0,
            hidden: 0.0,
            sampled: foot,
            doubted: false,
            unsure: false,
            evidence: 0.0,
            rest: Rest::default(),
            slope: Slope::new(now, foot),
            path,
            riding: Riding::default(),
        }
    }

    /// The class most voted for, by confidence, over its life.
    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// Of the detection last matched.
    pub(super) fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// Where it is expected now, on `ground` where that is known.
    pub(super) fn expected(&self, now: MediaTime, ground: Option<&Ground>, aspect: f32) -> Expected {
        let unseen = now.since(self.last_seen);
        let growth = ground.and_then(|ground| ground.growth(self.class, self.bbox, self.motion.velocity()));
        let motion = self.motion.predicted(unseen, growth, aspect);
        Expected { motion, bbox: motion.bbox().unwrap_or(self.bbox), unseen }
    }

    /// Where it is: filtered when seen, expected when lost.
    pub(super) fn place(&self, now: MediaTime, aspect: f32) -> BBox {
        match self.state {
            TrackState::Seen => self.bbox,
            TrackState::Lost => self.expected(now, None, aspect).bbox,
        }
    }

    /// Takes the detection matched with it.
    pub(super) fn see(&mut self, sighting: &Sighting<'_>) {
        let Sighting { detection, expected, hidden, may_rest, now, aspect } = *sighting;
        let dt = now.since(self.last_seen).as_secs_f32();
        if expected.unseen >= places::LOSS && expected.bbox.iou(detection.bbox) < SAME_PLACE {
            (self.born, self.moved) = (detection.bbox.bottom_center(), 0.0);
        }
        let motion = expected.motion.updated(detection, hidden, aspect);
        self.motion = self.rest.follow(motion, expected.motion.off(detection, aspect), dt, aspect);
        self.bbox = self.motion.bbox().unwrap_or(detection.bbox);
        self.votes[detection.class as usize] += detection.confidence.get();
        let votes = &self.votes;
        self.class = Class::ALL
            .into_iter()
            .fold(self.class, |best, class| if votes[class as usize] > votes[best as usize] { class } else { best });
        self.confidence = detection.confidence;
        self.evidence += dt.min(LOOK) * detection.confidence.get();
        let forgotten = 1.0 - (-dt / SURENESS).exp();
        self.sureness += forgotten * (detection.confidence.get() - self.sureness);
        self.hidden = hidden;
        self.state = TrackState::Seen;
        self.last_seen = now;
        self.hits = self.hits.saturating_add(1);
        let place = self.bbox.bottom_center();
        self.moved = self.moved.max(place.distance(self.born, aspect) / self.bbox.height());
        self.slope.push(now, place);
        self.path.push(now, place, self.bbox.height(), aspect);
        if may_rest {
            let speed = Point::default().distance(self.slope.velocity(), aspect) / self.bbox.height();
            self.motion = self.rest.settle(self.motion, speed, self.first_seen, now);
        }
    }

    /// As rules see it; `None` until it is confirmed. Its path is put into one of `paths`, which are empty.
    pub(super) fn shown(&self, now: MediaTime, aspect: f32, paths: &mut Vec<Vec<PathPoint>>) -> Option<Track> {
        let id = self.id?;
        let mut path = paths.pop().unwrap_or_else(|| Vec::with_capacity(MAX_POINTS));
        path.extend_from_slice(self.path.points());
        let keep = motion::keep(now.since(self.last_seen));
        let slope = self.slope.velocity();
        Some(Track {
            id,
            class: self.class,
            confidence: self.confidence,
            bbox: self.place(now, aspect),
            velocity: Point::new(slope.x * keep, slope.y * keep),
            state: self.state,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            rider_of: self.riding.ridden().filter(|_| self.class == Class::Person),
            path,
            ground: None,
        })
    }
}

//! Who crossed a line, once: for the rule that tells of crossings and for the measures that count them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::Direction;
use crate::geometry::Point;
use crate::scene::{Track, TrackId};
use crate::time::MediaTime;
use crate::zone::Line;

/// One who was lost as it passed was expected there when it went on as fast as before, by this share more or less.
const AS_BEFORE: f32 = 0.5;
/// Otherwise, one who was found again beyond the line must go on by this much, in box heights: a box that was lost on one vehicle and
/// found on another, in a queue, stands. Raising it spares more such counts; it costs those who stop soon after the line.
const GOES_ON: f64 = 0.4;
/// Within this time.
const GOES_ON_WITHIN: Duration = Duration::from_secs(3);

/// The directed crossings of one line.
///
/// A track has a side once it was seen beyond the band of `hysteresis` box heights around the line; it has crossed when
/// it is seen beyond the band on the other side. Jitter and stop-and-go within the band never count; a real return
/// counts the other way. A track that was lost while it passed counts when it is seen on the other side where it was
/// expected, or goes on from there ([`GOES_ON`]): what was found may be another object, and of one who stands there nothing
/// says that it came. One
/// that went around an end changes its side uncounted.
#[derive(Debug)]
pub(crate) struct Crossings {
    line: Line,
    hysteresis: f64,
    tracks: BTreeMap<TrackId, Passage>,
    /// Of the last frame in which any track was seen, and of the one before it.
    frames: (MediaTime, MediaTime),
}

/// One crossing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Crossing {
    pub(crate) direction: Direction,
    /// How far beyond the line it was seen, in heights of its box.
    pub(crate) beyond_heights: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// One track and the line.
#[derive(Debug)]
struct Passage {
    /// When it was last seen.
    at: MediaTime,
    /// Where it was last seen, and how far from the infinite line in picture heights.
    last: (Point, f32),
    /// How fast it then went away from it, in picture heights a second; less than zero towards its left.
    rate: f32,
    /// The side it was last seen on beyond the band.
    side: Option<Side>,
    /// Whether it last passed the infinite line between the segment's ends.
    through: bool,
    /// Whether it was lost as it last passed the infinite line, and found where it was not expected.
    unseen: bool,
    /// A crossing that no one saw, if it goes on.
    unsure: Option<Unsure>,
}

/// A crossing that no one saw.
#[derive(Debug, Clone, Copy)]
struct Unsure {
    direction: Direction,
    /// When it was found beyond the line, and how far beyond it, in picture heights.
    at: MediaTime,
    offset: f32,
}

impl Passage {
    fn new(at: MediaTime, point: Point, offset: f32) -> Self {
        Self { at, last: (point, offset), rate: 0.0, side: None, through: false, unseen: false, unsure: None }
    }

    /// Notes where the way since the last sighting passed the infinite line, if it did; `lost` says that there were
    /// frames since in which it was not seen.
    fn advance(&mut self, at: MediaTime, (point, offset): (Point, f32), lost: bool, line: &Line, aspect: f32) {
        let (from, was) = self.last;
        if (was > 0.0) != (offset > 0.0) {
            let share = was.abs() / (was.abs() + offset.abs());
            let passed = Point::new(from.x + (point.x - from.x) * share, from.y + (point.y - from.y) * share);
            self.through = (0.0..=1.0).contains(&line.segment.along(passed, aspect));
            let due = self.rate * at.since(self.at).as_secs_f32();
            let as_before = (offset - was - due).abs() <= AS_BEFORE * due.abs();
            (self.unseen, self.unsure) = (lost && !as_before, None);
        }
        (self.at, self.last) = (at, (point, offset));
    }

    /// Takes the side; the direction when that was a crossing.
    fn arrive(&mut self, side: Side) -> Option<Direction> {
        let from = self.side.replace(side);
        let direction = match (from, side) {
            (Some(Side::Left), Side::Right) if self.through => Direction::LeftToRight,
            (Some(Side::Right), Side::Left) if self.through => Direction::RightToLeft,
            _ => return None,
        };
        if self.unseen {
            self.unsure = Some(Unsure { direction, at: self.at, offset: self.last.1.abs() });
            return None;
        }
        Some(direction)
    }

    /// The direction of a crossing that no one saw, once it goes on in it; `height` is that of its box.
    fn gone_on(&mut self, height: f32) -> Option<Direction> {
        let Unsure { direction, at, offset } = self.unsure?;
        let farther = f64::from(self.last.1.abs() - offset) / f64::from(height);
        let is_over = self.at.since(at) > GOES_ON_WITHIN;
        if is_over || farther >= GOES_ON {
            self.unsure = None;
        }
        (!is_over && farther >= GOES_ON).then_some(direction)
    }
}

impl Crossings {
    /// Of `line`; see [`RuleParams::LineCrossing`](crate::rules::RuleParams::LineCrossing) for `hysteresis`.
    pub(crate) fn new(line: Line, hysteresis: f64) -> Self {
        Self { line, hysteresis, tracks: BTreeMap::new(), frames: (MediaTime::ZERO, MediaTime::ZERO) }
    }

    /// The line.
    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// Drops what is known of tracks that ended.
    pub(crate) fn forget(&mut self, ended: &[TrackId]) {
        for track in ended {
            self.tracks.remove(track);
        }
    }

    /// Takes one more sighting of a track that is seen in this frame; its crossing, if it has crossed with it.
    pub(crate) fn observe(&mut self, track: &Track, aspect: f32) -> Option<Crossing> {
        let now = track.last_seen;
        if now > self.frames.0 {
            self.frames = (now, self.frames.0);
        }
        let point = self.line.anchor.of(track.bbox);
        let offset = self.line.segment.offset(point, aspect);
        let passage = self.tracks.entry(track.id).or_insert_with(|| Passage::new(now, point, offset));
        let lost = passage.at < self.frames.1;
        passage.advance(now, (point, offset), lost, &self.line, aspect);
        let ahead = Point::new(point.x + track.velocity.x, point.y + track.velocity.y);
        passage.rate = self.line.segment.offset(ahead, aspect) - offset;
        let height = track.bbox.height();
        let beyond_heights = f64::from(offset.abs()) / f64::from(height);
        let direction = match beyond_heights > self.hysteresis {
            true => passage.arrive(if offset > 0.0 { Side::Right } else { Side::Left }),
            false => None,
        };
        let direction = direction.or_else(|| passage.gone_on(height))?;
        Some(Crossing { direction, beyond_heights })
    }

    /// Of how many tracks it knows something.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tracks.len()
    }
}

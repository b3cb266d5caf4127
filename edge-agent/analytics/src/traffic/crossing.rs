//! Who crossed a line, once: for the rule that tells of crossings and for the measures that count them.

use std::collections::BTreeMap;

use crate::finding::Direction;
use crate::geometry::Point;
use crate::scene::{Track, TrackId};
use crate::zone::Line;

/// The directed crossings of one line.
///
/// A track has a side once it was seen beyond the band of `hysteresis` box heights around the line; it has crossed when
/// it is seen beyond the band on the other side. Jitter and stop-and-go within the band never count; a real return
/// counts the other way. A track that was lost while it passed counts when it is seen on the other side; one that
/// went around an end changes its side uncounted.
#[derive(Debug)]
pub(crate) struct Crossings {
    line: Line,
    hysteresis: f64,
    tracks: BTreeMap<TrackId, Passage>,
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
    /// Where it was last seen, and how far from the infinite line in picture heights.
    last: (Point, f32),
    /// The side it was last seen on beyond the band.
    side: Option<Side>,
    /// Whether it last passed the infinite line between the segment's ends.
    through: bool,
}

impl Passage {
    fn new(point: Point, offset: f32) -> Self {
        Self { last: (point, offset), side: None, through: false }
    }

    /// Notes where the way since the last sighting passed the infinite line, if it did.
    fn advance(&mut self, point: Point, offset: f32, line: &Line, aspect: f32) {
        let (from, was) = self.last;
        if (was > 0.0) != (offset > 0.0) {
            let share = was.abs() / (was.abs() + offset.abs());
            let passed = Point::new(from.x + (point.x - from.x) * share, from.y + (point.y - from.y) * share);
            self.through = (0.0..=1.0).contains(&line.segment.along(passed, aspect));
        }
        self.last = (point, offset);
    }

    /// Takes the side; the direction when that was a crossing.
    fn arrive(&mut self, side: Side) -> Option<Direction> {
        let from = self.side.replace(side);
        match (from, side) {
            (Some(Side::Left), Side::Right) if self.through => Some(Direction::LeftToRight),
            (Some(Side::Right), Side::Left) if self.through => Some(Direction::RightToLeft),
            _ => None,
        }
    }
}

impl Crossings {
    /// Of `line`; see [`RuleParams::LineCrossing`](crate::rules::RuleParams::LineCrossing) for `hysteresis`.
    pub(crate) fn new(line: Line, hysteresis: f64) -> Self {
        Self { line, hysteresis, tracks: BTreeMap::new() }
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

    /// Takes one more sighting of a track; its crossing, if it has crossed with it.
    pub(crate) fn observe(&mut self, track: &Track, aspect: f32) -> Option<Crossing> {
        let point = self.line.anchor.of(track.bbox);
        let offset = self.line.segment.offset(point, aspect);
        let passage = self.tracks.entry(track.id).or_insert_with(|| Passage::new(point, offset));
        passage.advance(point, offset, &self.line, aspect);
        let beyond_heights = f64::from(offset.abs()) / f64::from(track.bbox.height());
        if beyond_heights <= self.hysteresis {
            return None;
        }
        let side = if offset > 0.0 { Side::Right } else { Side::Left };
        passage.arrive(side).map(|direction| Crossing { direction, beyond_heights })
    }

    /// Of how many tracks it knows something.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tracks.len()
    }
}

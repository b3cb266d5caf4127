//! Line crossing: an object went from one side of a line to the other, between its ends.

use std::collections::BTreeMap;

use crate::finding::{Direction, Finding, RuleInfo, Shape, Subject};
use crate::geometry::Point;
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope};
use crate::scene::{Scene, TrackId};
use crate::time::MediaTime;
use crate::zone::Line;

/// Counts directed crossings.
///
/// A track has a side once it was seen beyond the band of `hysteresis` box heights around the line; it has crossed when
/// it is seen beyond the band on the other side. Jitter and stop-and-go within the band never count; a real return
/// counts the other way. A track that was lost while it passed counts when it is seen on the other side; one that
/// went around an end changes its side uncounted.
pub(super) struct LineCrossing {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) line: Line,
    pub(super) hysteresis: f64,
    pub(super) tracks: BTreeMap<TrackId, Passage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// One track and the line.
pub(super) struct Passage {
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

impl Rule for LineCrossing {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {}

    fn evaluate(&mut self, scene: &Scene, _open: &Open, findings: &mut Vec<Finding>) {
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        for track in scene.seen().filter(|track| self.scope.covers(track)) {
            let point = self.line.anchor.of(track.bbox);
            let offset = self.line.segment.offset(point, scene.aspect);
            let passage = self.tracks.entry(track.id).or_insert_with(|| Passage::new(point, offset));
            passage.advance(point, offset, &self.line, scene.aspect);
            let beyond = f64::from(offset.abs()) / f64::from(track.bbox.height());
            if beyond <= self.hysteresis {
                continue;
            }
            let side = if offset > 0.0 { Side::Right } else { Side::Left };
            if let Some(direction) = passage.arrive(side) {
                findings.push(Finding {
                    subject: Subject::Track(track.id),
                    shape: Shape::Pulse,
                    tracks: vec![track.id],
                    direction: Some(direction),
                    severity: None,
                    measured: vec![("hysteresis_heights", rounded(beyond))],
                });
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

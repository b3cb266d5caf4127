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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;
    use crate::detection::Confidence;
    use crate::geometry::{BBox, Segment};
    use crate::id::LineId;
    use crate::scene::TrackState;
    use crate::zone::Anchor;

    /// A level line across the picture, passed downwards at 0.5.
    fn crossings() -> Crossings {
        let segment = Segment::new(Point::new(0.0, 0.5), Point::new(1.0, 0.5)).expect("a segment");
        Crossings::new(Line { id: LineId::new("line").expect("an id"), segment, anchor: Anchor::BottomCenter }, 0.1)
    }

    /// A vehicle, a tenth of the picture high, that stands at `y` and goes down at `rate` a second.
    fn seen(id: u64, at: f64, y: f32, rate: f32) -> Track {
        let at = MediaTime::from_nanos((at * 1e9) as u64);
        Track {
            id: TrackId(id),
            class: Class::Motorcycle,
            confidence: Confidence::new(0.9).expect("in range"),
            bbox: BBox::new(0.45, y - 0.1, 0.55, y).expect("a box"),
            velocity: Point::new(0.0, rate),
            state: TrackState::Seen,
            first_seen: at,
            last_seen: at,
            rider_of: None,
            ground: None,
            path: Vec::new(),
        }
    }

    /// How often the vehicle of `sights` (when, where, how fast) crosses, while another one stands in every frame of five a
    /// second until `until`.
    fn crossed(sights: &[(f64, f32, f32)], until: f64) -> usize {
        let mut crossings = crossings();
        let frames = (0..).map(|k| f64::from(k) * 0.2).take_while(|at| *at <= until);
        let mut count = 0;
        for at in frames {
            crossings.observe(&seen(9, at, 0.2, 0.0), 1.0);
            let sight = sights.iter().find(|sight| (sight.0 - at).abs() < 1e-6);
            let crossing = sight.and_then(|&(at, y, rate)| crossings.observe(&seen(1, at, y, rate), 1.0));
            count += usize::from(crossing.is_some());
        }
        count
    }

    #[test]
    fn one_that_is_seen_all_the_way_crosses() {
        assert_eq!(crossed(&[(0.0, 0.40, 0.4), (0.2, 0.48, 0.4), (0.4, 0.56, 0.4)], 1.0), 1);
    }

    #[test]
    fn one_that_stood_and_is_found_standing_beyond_the_line_does_not() {
        let stood = [(0.0, 0.45, 0.0), (0.2, 0.45, 0.0), (1.0, 0.55, 0.0), (1.2, 0.55, 0.0), (6.0, 0.55, 0.0)];
        assert_eq!(crossed(&stood, 8.0), 0);
    }

    #[test]
    fn one_that_was_lost_on_its_way_crosses_where_it_is_expected_or_goes_on() {
        let as_before = [(0.0, 0.40, 0.1), (0.2, 0.42, 0.1), (1.2, 0.52, 0.1)];
        assert_eq!(crossed(&as_before, 2.0), 1, "as fast as before");
        let goes_on = [(0.0, 0.45, 0.0), (0.2, 0.45, 0.0), (1.0, 0.55, 0.0), (1.4, 0.60, 0.1)];
        assert_eq!(crossed(&goes_on, 2.0), 1, "it set off unseen");
    }

    #[test]
    fn a_picture_in_which_nothing_is_seen_hides_no_one() {
        let mut crossings = crossings();
        let sights = [(0.0, 0.45), (3.0, 0.55)];
        let crossed = sights.map(|(at, y)| crossings.observe(&seen(1, at, y, 0.0), 1.0).is_some());
        assert_eq!(crossed, [false, true], "there was no frame in between");
    }
}

//! A lane along its own axis: how much of it vehicles cover, and which vehicles are on it.

use std::time::Duration;

use crate::class::Class;
use crate::geometry::{BBox, Point};
use crate::ground::Ground;
use crate::rules::motion::Place;
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::traffic::pace::Paces;
use crate::zone::Zone;

/// A vehicle lost for no longer than this still counts where it is expected: in dense traffic one hides the other.
const LOST_COUNTS: Duration = Duration::from_secs(1);

/// The way through a lane, in picture heights: along its heading or, without one, where it is longest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    aspect: f32,
    middle: (f64, f64),
    /// Of length one.
    along: (f64, f64),
    /// Where the lane begins and ends, from the middle.
    ends: (f64, f64),
}

impl Axis {
    /// The axis of `zone` in a picture `aspect` times as wide as high.
    pub(crate) fn of(zone: &Zone, aspect: f32) -> Self {
        let corners = || zone.polygon.corners().iter().map(|corner| flat(*corner, aspect));
        let count = corners().len() as f64;
        let middle = corners().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x / count, sum.1 + y / count));
        let along = zone.heading.map_or_else(
            || longest(corners(), middle),
            |heading| {
                let (from, to) = (flat(heading.from(), aspect), flat(heading.to(), aspect));
                let (dx, dy) = (to.0 - from.0, to.1 - from.1);
                (dx / dx.hypot(dy), dy / dx.hypot(dy))
            },
        );
        let mut axis = Self { aspect, middle, along, ends: (0.0, 0.0) };
        for corner in corners() {
            let at = axis.project(corner);
            axis.ends = (axis.ends.0.min(at), axis.ends.1.max(at));
        }
        axis
    }

    fn project(&self, (x, y): (f64, f64)) -> f64 {
        (x - self.middle.0) * self.along.0 + (y - self.middle.1) * self.along.1
    }

    /// Where `point` is on the way through: 0 where the lane begins, 1 where it ends.
    pub(crate) fn share(&self, point: Point) -> f64 {
        (self.project(flat(point, self.aspect)) - self.ends.0) / (self.ends.1 - self.ends.0)
    }

    /// The point of the axis at `share` of the way.
    pub(crate) fn point(&self, share: f64) -> Point {
        let at = self.ends.0 + share * (self.ends.1 - self.ends.0);
        let (x, y) = (self.middle.0 + at * self.along.0, self.middle.1 + at * self.along.1);
        Point::new((x / f64::from(self.aspect)) as f32, y as f32)
    }

    /// The lane's length on the ground, in metres; `None` when an end has no place there.
    pub(crate) fn length_m(&self, ground: &Ground) -> Option<f64> {
        Some(ground.at(self.point(0.0))?.distance_m(ground.at(self.point(1.0))?))
    }

    /// The stretch that a vehicle covers. Its footprint is the lower half of its box: the upper half shows its height.
    fn covered(&self, bbox: BBox) -> (f64, f64) {
        let center = Point::new(bbox.center().x, bbox.bottom() - bbox.height() / 4.0);
        let half_width = f64::from(bbox.width() * self.aspect) / 2.0;
        let half_height = f64::from(bbox.height()) / 4.0;
        let half = (half_width / self.along.0.abs()).min(half_height / self.along.1.abs());
        let half = half / (self.ends.1 - self.ends.0);
        let at = self.share(center);
        ((at - half).clamp(0.0, 1.0), (at + half).clamp(0.0, 1.0))
    }
}

fn flat(point: Point, aspect: f32) -> (f64, f64) {
    (f64::from(point.x * aspect), f64::from(point.y))
}

/// The direction in which points spread most (the first principal axis).
fn longest(points: impl Iterator<Item = (f64, f64)>, middle: (f64, f64)) -> (f64, f64) {
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in points {
        let (dx, dy) = (x - middle.0, y - middle.1);
        (xx, xy, yy) = (xx + dx * dx, xy + dx * dy, yy + dy * dy);
    }
    let (sin, cos) = (0.5 * (2.0 * xy).atan2(xx - yy)).sin_cos();
    (cos, sin)
}

/// A vehicle on a lane.
#[derive(Debug, Clone)]
pub(crate) struct OnLane {
    pub(crate) id: TrackId,
    pub(crate) class: Class,
    pub(crate) place: Place,
    /// Where it is on the way through, 0 to 1.
    pub(crate) share: f64,
    /// Its speed, in the unit of the [`Paces`] a second.
    pub(crate) speed: Option<f64>,
    covered: (f64, f64),
}

/// What is worked out of a lane in one scene; kept for its memory.
#[derive(Debug, Default)]
pub(crate) struct LaneWork {
    pub(crate) vehicles: Vec<OnLane>,
    pub(crate) standing: Vec<OnLane>,
    /// Each with its vehicle's number on the lane.
    stretches: Vec<(f64, f64, usize)>,
}

/// Puts the vehicles on `zone` into `vehicles`, in the order of the way through, those that `counts` only.
pub(crate) fn vehicles(
    zone: &Zone,
    axis: &Axis,
    scene: &Scene,
    paces: &Paces,
    counts: impl Fn(&Track) -> bool,
    vehicles: &mut Vec<OnLane>,
) {
    let now: MediaTime = scene.stamp.pts;
    let here = |track: &&Track| {
        let known = now.since(track.last_seen) <= LOST_COUNTS;
        track.class.is_vehicle() && known && zone.contains(track.bbox) && counts(track)
    };
    let on_lane = |track: &Track| OnLane {
        id: track.id,
        class: track.class,
        place: Place::of(track, zone.anchor, now),
        share: axis.share(zone.anchor.of(track.bbox)),
        speed: paces.speed(track.id, scene.aspect),
        covered: axis.covered(track.bbox),
    };
    vehicles.clear();
    vehicles.extend(scene.tracks.iter().filter(here).map(on_lane));
    vehicles.sort_unstable_by(|a, b| a.share.total_cmp(&b.share).then(a.id.cmp(&b.id)));
}

/// Occupancy: the share of the lane's length, in the picture, that vehicles cover, 0 to 1. Its mean over time is the share
/// of time that a loop across the lane would be covered, averaged over all places where it could lie; so it does not
/// depend on the length of the zone. An upright vehicle's box reaches further up the picture than the vehicle along the
/// road, the more so the flatter the camera looks: the figure is comparable on one camera, and high on flat views.
pub(crate) fn occupancy(work: &mut LaneWork) -> f64 {
    let LaneWork { vehicles, stretches, .. } = work;
    stretches.clear();
    let numbered = vehicles.iter().enumerate();
    stretches.extend(numbered.map(|(number, vehicle)| (vehicle.covered.0, vehicle.covered.1, number)));
    stretches.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    let (mut covered, mut until) = (0.0, 0.0_f64);
    for &(from, to, _) in stretches.iter() {
        covered += (to - from.max(until)).max(0.0);
        until = until.max(to);
    }
    covered
}

/// Mean speed of the vehicles whose speed is known; `None` when there are none.
pub(crate) fn mean_speed(vehicles: &[OnLane]) -> Option<f64> {
    let speeds = || vehicles.iter().filter_map(|vehicle| vehicle.speed);
    let count = speeds().count();
    (count > 0).then(|| speeds().sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polygon, Segment};
    use crate::id::ZoneId;
    use crate::zone::{Anchor, ZoneKind};
    use proptest::prelude::*;

    fn lane(heading: Option<Segment>) -> Zone {
        let p = Point::new;
        let polygon = Polygon::new(vec![p(0.4, 0.1), p(0.6, 0.1), p(0.6, 0.9), p(0.4, 0.9)]).expect("simple");
        Zone { id: ZoneId::new("z").expect("id"), kind: ZoneKind::Lane, polygon, heading, anchor: Anchor::BottomCenter }
    }

    fn covering(covered: (f64, f64)) -> OnLane {
        let place = Place { at: MediaTime::ZERO, point: Point::default(), height: 0.1, ground: None };
        OnLane { id: TrackId(1), class: Class::Car, place, share: 0.5, speed: None, covered }
    }

    #[test]
    fn a_lane_runs_along_its_heading_and_without_one_where_it_is_longest() {
        let up = Segment::new(Point::new(0.5, 0.8), Point::new(0.5, 0.2)).expect("segment");
        let axis = Axis::of(&lane(Some(up)), 1.0);
        assert!(
            axis.share(Point::new(0.45, 0.9)).abs() < 1e-6 && (axis.share(Point::new(0.5, 0.1)) - 1.0).abs() < 1e-6
        );
        let axis = Axis::of(&lane(None), 1.0);
        assert!((axis.share(Point::new(0.45, 0.5)) - 0.5).abs() < 1e-6, "the middle");
        let far = (axis.share(Point::new(0.5, 0.1)) - axis.share(Point::new(0.5, 0.9))).abs();
        assert!((far - 1.0).abs() < 1e-6, "{far}");
    }

    #[test]
    fn a_vehicle_covers_its_lower_half_along_the_lane() {
        let up = Segment::new(Point::new(0.5, 0.8), Point::new(0.5, 0.2)).expect("segment");
        let axis = Axis::of(&lane(Some(up)), 1.0);
        let (from, to) = axis.covered(BBox::new(0.45, 0.42, 0.55, 0.58).expect("box"));
        assert!((to - from - 0.1).abs() < 1e-5, "0.08 of 0.8: {from} {to}");
    }

    proptest! {
        #[test]
        fn occupancy_is_a_share_and_never_more_than_the_vehicles_lengths(
            stretches in prop::collection::vec((0.0..1.0, 0.0..1.0), 0..20)
        ) {
            let ordered: Vec<(f64, f64)> = stretches.iter().map(|&(a, b): &(f64, f64)| (a.min(b), a.max(b))).collect();
            let vehicles: Vec<OnLane> = ordered.iter().map(|&stretch| covering(stretch)).collect();
            let occupied = occupancy(&mut LaneWork { vehicles, ..LaneWork::default() });
            let sum: f64 = ordered.iter().map(|(from, to)| to - from).sum();
            let most = ordered.iter().map(|(from, to)| to - from).fold(0.0, f64::max);
            prop_assert!(occupied <= 1.0 + 1e-9 && occupied <= sum + 1e-9 && occupied >= most - 1e-9);
        }
    }
}

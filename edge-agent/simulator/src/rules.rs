//! The rules that watch a place, as a site file would have them: zones are the ground's areas as the camera sees them, numbers
//! are the defaults, of a calibrated camera or of one that is not.

use std::time::Duration;

use analytics::calibration::{Landmark, from_points};
use analytics::ground::Ground;
use analytics::rules::{Gate, RuleParams, RuleSpec};
use analytics::{
    Anchor, Class, ClassSet, Direction, Line, LineId, Point, Polygon, RuleId, Segment, SignalId, Speed, Zone, ZoneId,
    ZoneKind,
};

use crate::camera::Camera;
use crate::ground::{Area, Spot, Way};
use crate::place::{Place, Watch, Watched};
use crate::random::Chance;

/// Where in the picture an installer finds something whose place is known.
const LANDMARKS: [(f32, f32); 8] =
    [(0.12, 0.9), (0.5, 0.93), (0.88, 0.88), (0.1, 0.5), (0.6, 0.55), (0.9, 0.5), (0.3, 0.2), (0.75, 0.22)];
/// How far off they are read, in picture heights (standard deviation): three pixels of 1080.
const READ_OFF: f64 = 0.003;

/// The calibration that an installer makes of the place's camera, with the errors of one who reads points off a picture.
///
/// # Panics
/// When a landmark is in the sky: places are checked by tests.
#[must_use]
pub fn calibrated(place: &Place, mut chance: Chance) -> Ground {
    let camera = Camera::new(place.mount);
    let landmarks = LANDMARKS.map(|(x, y)| {
        let spot = camera.ground(Point::new(x, y)).expect("cameras look at the ground");
        let mut read = |at: f32, unit: f64| at + (READ_OFF * chance.normal() * unit) as f32;
        Landmark { picture: Point::new(read(x, 1.0 / camera.aspect()), read(y, 1.0)), ground_m: [spot.x, spot.y] }
    });
    from_points(&landmarks, camera.aspect()).expect("eight points determine the ground").ground
}

/// One rule for each thing that is watched for; distances and speeds on the ground, if the camera `is_calibrated`.
///
/// # Panics
/// When an area, line or heading of the place is not in view of its camera: places are checked by tests.
#[must_use]
pub fn of(place: &Place, is_calibrated: bool) -> Vec<RuleSpec> {
    let camera = Camera::new(place.mount);
    place.watched.iter().filter_map(|watched| spec(watched, place, &camera, is_calibrated)).collect()
}

/// The name of the signal whose phase this is.
///
/// # Panics
/// Never: it is an id.
#[must_use]
pub fn signal_id(phase: usize) -> SignalId {
    SignalId::new(&format!("phase-{phase}")).expect("letters, a dash and digits")
}

/// `None` where there is no rule for what is watched for: the truth is known all the same.
fn spec(watched: &Watched, place: &Place, camera: &Camera, is_calibrated: bool) -> Option<RuleSpec> {
    let zone = |area: &Area, kind| zone(watched.id, kind, area, camera);
    let persons: ClassSet = [Class::Person].into_iter().collect();
    let standing = if is_calibrated { RuleParams::STOPPED_SPEED_ON_GROUND } else { RuleParams::STOPPED_SPEED };
    let (params, classes) = match &watched.watch {
        Watch::LineCrossing { from, to } => {
            let id = LineId::new(watched.id).expect("names of places are ids");
            let line = Line { id, segment: segment(*from, *to, camera), anchor: Anchor::BottomCenter };
            (RuleParams::LineCrossing { line, hysteresis: RuleParams::HYSTERESIS }, ClassSet::vehicles())
        }
        Watch::Intrusion { area, hold } => {
            (RuleParams::Intrusion { zone: zone(area, ZoneKind::Restricted), hold: *hold }, persons)
        }
        Watch::Loitering { area, dwell } => {
            (RuleParams::Loitering { zone: zone(area, ZoneKind::Area), dwell: *dwell }, persons)
        }
        Watch::Crowding { area, count, hold } => {
            (RuleParams::Crowding { zone: zone(area, ZoneKind::Area), count: *count, hold: *hold }, persons)
        }
        Watch::WrongWay { area, heading } => {
            let zone = Zone { heading: Some(segment(heading.0, heading.1, camera)), ..zone(area, ZoneKind::Lane) };
            let params = RuleParams::WrongWay {
                zone,
                angle_deg: RuleParams::WRONG_WAY_ANGLE_DEG,
                distance: if is_calibrated {
                    RuleParams::WRONG_WAY_DISTANCE_ON_GROUND
                } else {
                    RuleParams::WRONG_WAY_DISTANCE
                },
                hold: RuleParams::WRONG_WAY_HOLD,
            };
            (params, ClassSet::vehicles())
        }
        Watch::StoppedVehicle { area, kind, bays, phase, hold } => {
            // Told what the signal shows, the rule itself waits for green.
            let hold = if phase.is_some() { RuleParams::stopped_hold(*kind) } else { *hold };
            let params = RuleParams::StoppedVehicle {
                zone: zone(area, *kind),
                bays: bays.iter().map(|bay| zone(bay, ZoneKind::Stop)).collect(),
                signal: phase.map(signal_id),
                speed: standing,
                travel: if is_calibrated { RuleParams::STOPPED_TRAVEL_ON_GROUND } else { RuleParams::STOPPED_TRAVEL },
                hold,
                at_start: Some(RuleParams::STOPPED_AT_START),
            };
            (params, ClassSet::vehicles())
        }
        Watch::PedestrianOnCarriageway { area, crossings, hold } => {
            let crossings = crossings.iter().map(|area| zone(area, ZoneKind::Crossing)).collect();
            (RuleParams::PedestrianOnCarriageway { zone: zone(area, ZoneKind::Lane), crossings, hold: *hold }, persons)
        }
        Watch::IllegalParking { area, hold } => {
            let zone = zone(area, ZoneKind::Shoulder);
            (RuleParams::IllegalParking { zone, speed: standing, hold: *hold }, ClassSet::vehicles())
        }
        Watch::ForbiddenClass { area, class, hold } => {
            let zone = zone(area, ZoneKind::Lane);
            (RuleParams::ForbiddenClass { zone, hold: *hold }, [*class].into_iter().collect())
        }
        Watch::SlowVehicle { area, share } => {
            let params = RuleParams::SlowVehicle {
                zone: zone(area, ZoneKind::Lane),
                factor: *share,
                flow: RuleParams::SLOW_FLOW,
                distance: if is_calibrated { RuleParams::SLOW_DISTANCE_ON_GROUND } else { RuleParams::SLOW_DISTANCE },
                hold: RuleParams::SLOW_HOLD,
            };
            // A bicycle is slow by nature.
            (params, ClassSet::vehicles().iter().filter(|class| *class != Class::Bicycle).collect())
        }
        Watch::OverSpeed { area, limit_mps } if is_calibrated => {
            let tolerance = RuleParams::SPEED_TOLERANCE;
            let limit = Speed::km_per_h(3.6 * limit_mps / (1.0 + tolerance));
            let zone = zone(area, ZoneKind::Lane);
            (RuleParams::OverSpeed { zone, limit, tolerance }, ClassSet::vehicles())
        }
        Watch::RedLight { link } => {
            let link = &place.links[*link];
            let (s, phase) = link.stop_line?;
            // From the kerb to the median: traffic passes from the walker's left to the right.
            let [from, to] = [-1.0, 1.0].map(|side| link.way.at(s, side * link.half_width_m).spot);
            let id = LineId::new(watched.id).expect("names of places are ids");
            let params = RuleParams::RedLight {
                line: Line { id, segment: segment(from, to, camera), anchor: Anchor::BottomCenter },
                direction: Direction::LeftToRight,
                signal: signal_id(phase),
                grace: RuleParams::RED_GRACE,
                hysteresis: RuleParams::RED_HYSTERESIS,
            };
            (params, ClassSet::vehicles())
        }
        Watch::Congestion { area, heading, occupancy, hold, clear, .. } => {
            let zone = Zone { heading: Some(segment(heading.0, heading.1, camera)), ..zone(area, ZoneKind::Lane) };
            let speed =
                if is_calibrated { RuleParams::CONGESTION_SPEED_ON_GROUND } else { RuleParams::CONGESTION_SPEED };
            let params = RuleParams::Congestion { zone, occupancy: *occupancy, speed, hold: *hold, clear: *clear };
            (params, ClassSet::vehicles())
        }
        Watch::QueueSpillback { area, heading, mark_m, hold, .. } => {
            let zone = Zone { heading: Some(segment(heading.0, heading.1, camera)), ..zone(area, ZoneKind::Lane) };
            let way = Way::new(vec![heading.0, heading.1]);
            // Across both lanes.
            let [from, to] = [-4.0, 4.0].map(|side| way.at(*mark_m, side).spot);
            let id = LineId::new(&format!("{}-mark", watched.id)).expect("names of places are ids");
            let params = RuleParams::QueueSpillback {
                zone,
                mark: Line { id, segment: segment(from, to, camera), anchor: Anchor::BottomCenter },
                gap: if is_calibrated { RuleParams::SPILLBACK_GAP_ON_GROUND } else { RuleParams::SPILLBACK_GAP },
                speed: if is_calibrated { RuleParams::STOPPED_SPEED_ON_GROUND } else { RuleParams::STOPPED_SPEED },
                hold: *hold,
            };
            (params, ClassSet::vehicles())
        }
        Watch::ForbiddenTurn { from, to, within } => {
            let gate = |id: &str, (area, heading): &(Area, (Spot, Spot))| {
                let heading = Some(segment(heading.0, heading.1, camera));
                Gate::Zone(Zone { heading, ..self::zone(id, ZoneKind::Lane, area, camera) })
            };
            let (from, to) = (gate(watched.id, from), gate(&format!("{}-to", watched.id), to));
            (RuleParams::ForbiddenTurn { from, to, within: *within }, ClassSet::vehicles())
        }
        Watch::Collision { area, hold } => {
            let (zone, score) = (zone(area, ZoneKind::Lane), RuleParams::COLLISION_SCORE);
            (RuleParams::CollisionSuspected { zone, score, hold: *hold }, ClassSet::vehicles())
        }
        Watch::FlowDrop { from, to, ratio, baseline, window, least } => {
            let id = LineId::new(watched.id).expect("names of places are ids");
            let line = Line { id, segment: segment(*from, *to, camera), anchor: Anchor::BottomCenter };
            let (ratio, baseline, window, least) = (*ratio, *baseline, *window, *least);
            (RuleParams::FlowDrop { line, ratio, baseline, window, least }, ClassSet::vehicles())
        }
        // In box heights no speed limit can be told.
        Watch::OverSpeed { .. } => return None,
    };
    Some(RuleSpec {
        id: RuleId::new(watched.id).expect("names of places are ids"),
        severity: params.kind().default_severity(),
        // Nothing is withheld: every false alarm and every repeat counts.
        cooldown: Duration::ZERO,
        classes,
        include_riders: false,
        schedule: None,
        params,
    })
}

fn segment(from: Spot, to: Spot, camera: &Camera) -> Segment {
    let inside = |spot| {
        let point = camera.point(spot, 0.0).expect("lines are ahead of the camera");
        Point::new(point.x.clamp(0.0, 1.0), point.y.clamp(0.0, 1.0))
    };
    Segment::new(inside(from), inside(to)).expect("lines have a length in view")
}

fn zone(id: &str, kind: ZoneKind, area: &Area, camera: &Camera) -> Zone {
    let corners = area.0.iter().map(|spot| camera.point(*spot, 0.0).expect("areas are ahead of the camera")).collect();
    let polygon = Polygon::new(clipped(corners)).expect("areas are in view");
    Zone {
        id: ZoneId::new(id).expect("names of places are ids"),
        kind,
        polygon,
        heading: None,
        anchor: Anchor::BottomCenter,
    }
}

/// The part of a polygon that is in the picture (Sutherland, Hodgman: Reentrant polygon clipping, CACM 1974).
fn clipped(mut corners: Vec<Point>) -> Vec<Point> {
    let sides: [fn(Point) -> f32; 4] = [|p| p.x, |p| 1.0 - p.x, |p| p.y, |p| 1.0 - p.y];
    for inside in sides {
        let all = std::mem::take(&mut corners);
        for (index, &to) in all.iter().enumerate() {
            let from = all[(index + all.len() - 1) % all.len()];
            let (a, b) = (inside(from), inside(to));
            if (a < 0.0) != (b < 0.0) {
                let share = a / (a - b);
                corners.push(Point::new(from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share));
            }
            if b >= 0.0 {
                corners.push(to);
            }
        }
    }
    // What was cut at the edge may be off it by rounding.
    corners.iter().map(|p| Point::new(p.x.clamp(0.0, 1.0), p.y.clamp(0.0, 1.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn every_place_can_be_watched() {
        for place in places::all() {
            let rules = of(&place, true);
            assert!(!rules.is_empty());
            let zones = rules.iter().filter_map(|rule| rule.params.zone());
            for zone in zones {
                let corners = zone.polygon.corners();
                let (mut low, mut high) = (f32::MAX, f32::MIN);
                for corner in corners {
                    (low, high) = (low.min(corner.x), high.max(corner.x));
                }
                assert!(high - low > 0.04, "{} of {} is wide enough to be drawn: {corners:?}", zone.id, place.name);
            }
        }
    }

    #[test]
    fn an_installer_can_calibrate_every_place() {
        for place in places::all() {
            for seed in 0..20 {
                let ground = calibrated(&place, Chance::new(seed));
                let camera = Camera::new(place.mount);
                for point in [Point::new(0.5, 0.5), Point::new(0.3, 0.8), Point::new(0.7, 0.7)] {
                    let (found, spot) = (ground.at(point).expect("good enough"), camera.ground(point).expect("ground"));
                    let off = Spot::new(found.x_m, found.y_m).distance(spot);
                    assert!(off < 2.0, "{}: {off} m off at {point:?}", place.name);
                }
            }
        }
    }

    #[test]
    fn what_is_beyond_the_picture_is_cut_off() {
        let p = Point::new;
        let cut = clipped(vec![p(-0.5, 0.2), p(0.5, 0.2), p(0.5, 0.8), p(-0.5, 0.8)]);
        let polygon = Polygon::new(cut).expect("inside");
        assert!(polygon.contains(p(0.25, 0.5)) && polygon.contains(p(0.01, 0.5)) && !polygon.contains(p(0.6, 0.5)));
    }
}

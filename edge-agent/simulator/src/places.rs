//! The places there are: a straight road with a shoulder, a square, and a junction with a signal.
//!
//! The cameras hang where such cameras hang, at 6 to 10 m, and their zones end where a person is 25 to 30 pixels high to a network
//! whose input is 416 pixels wide: what is smaller it hardly sees, whatever a rule asks.

use std::time::Duration;

use analytics::rules::RuleParams;
use analytics::{Class, ZoneKind};

use crate::camera::Mount;
use crate::ground::{Area, Pose, Spot, Way};
use crate::place::{Place, Stage, Walkway, Watch, Watched};
use crate::road::{Link, LinkId, Signal};

const ASPECT: f64 = 16.0 / 9.0;
/// Half of two lanes of 3.5 m.
const HALF: f64 = 3.5;
const LANES: [f64; 2] = [-1.75, 1.75];

fn area(left: f64, near: f64, right: f64, far: f64) -> Area {
    Area::rectangle(left, near, right, far)
}

fn spot(x: f64, y: f64) -> Spot {
    Spot::new(x, y)
}

fn link(way: Way, inflow_per_h: f64) -> Link {
    Link {
        way,
        half_width_m: HALF,
        lanes_m: LANES.to_vec(),
        shoulder_m: 0.0,
        pace: 1.0,
        next: Vec::new(),
        stop_line: None,
        inflow_per_h,
    }
}

fn watched(id: &'static str, watch: Watch) -> Watched {
    Watched { id, watch }
}

fn stopped(id: &'static str, area: Area, kind: ZoneKind, hold: Duration) -> Watched {
    watched(id, Watch::StoppedVehicle { area, kind, bays: Vec::new(), phase: None, hold })
}

/// The catalogue's numbers for kinds that have no rule here yet.
const PARKING_HOLD: Duration = Duration::from_secs(120);
const CLASS_HOLD: Duration = Duration::from_secs(3);
const SLOW: f64 = 0.4;
const JAM_HOLD: Duration = Duration::from_secs(60);
/// What may be driven, m/s; a fifth more is told.
const LIMIT: f64 = 50.0 / 3.6;

fn congestion(area: &Area, heading: (Spot, Spot), hold: Duration) -> Watch {
    let clear = Duration::from_secs(120);
    Watch::Congestion { area: area.clone(), heading, occupancy: 0.35, speed_mps: 20.0 / 3.6, hold, clear }
}

fn flow_drop(from: Spot, to: Spot) -> Watch {
    Watch::FlowDrop {
        from,
        to,
        ratio: RuleParams::FLOW_DROP_RATIO,
        baseline: RuleParams::FLOW_DROP_BASELINE,
        window: RuleParams::FLOW_DROP_WINDOW,
        least: RuleParams::FLOW_DROP_LEAST,
    }
}

/// A straight road: two lanes each way, a hard shoulder on the right, pavements, a crossing without a signal. Traffic jams now
/// and then from downstream.
#[must_use]
pub fn road() -> Place {
    let away = Link { shoulder_m: 2.5, ..link(Way::new(vec![spot(4.0, -40.0), spot(4.0, 110.0)]), 1500.0) };
    let towards = link(Way::new(vec![spot(-4.0, 120.0), spot(-4.0, -40.0)]), 1500.0);
    let (near, far) = (20.0, 38.0);
    let lane_away = area(0.5, near, 7.5, far);
    let lane_towards = area(-7.5, near, -0.5, far);
    let shoulder = area(7.5, 22.0, 10.0, far);
    let zebra = area(-7.5, 44.0, 10.0, 48.0);
    let pedestrian = |area: &Area| Watch::PedestrianOnCarriageway {
        area: area.clone(),
        crossings: vec![zebra.clone()],
        hold: RuleParams::PEDESTRIAN_HOLD,
    };
    // At the kerb; where a bus ends its front is in the lane's zone.
    let bus_stop = area(-7.5, 30.5, -4.0, 44.0);
    let over_zebra = vec![spot(-9.0, 60.0), spot(-9.0, 46.0), spot(11.6, 46.0), spot(11.6, 60.0)];
    Place {
        name: "road",
        links: vec![away, towards],
        signal: None,
        mount: Mount { foot: spot(1.0, 0.0), height_m: 8.0, aim: spot(1.8, 30.0), view_deg: 36.0, aspect: ASPECT },
        walkways: vec![
            Walkway { spots: vec![spot(11.6, 10.0), spot(11.6, 60.0)], reach_m: 0.9, per_h: 60.0 },
            Walkway { spots: vec![spot(-9.0, 10.0), spot(-9.0, 60.0)], reach_m: 0.7, per_h: 60.0 },
            Walkway { spots: over_zebra, reach_m: 0.8, per_h: 10.0 },
        ],
        parked: Vec::new(),
        stages: vec![
            Stage::Stop { link: 0, s: (62.0, 74.0), side: LANES[0], seconds: (14.0, 90.0) },
            Stage::Stop { link: 1, s: (91.0, 98.0), side: LANES[0], seconds: (14.0, 90.0) },
            Stage::Stop { link: 0, s: (66.0, 76.0), side: -HALF - 1.2, seconds: (34.0, 120.0) },
            Stage::Against { link: 0 },
            Stage::Against { link: 1 },
            Stage::Cross { from: area(-9.5, 24.0, -8.0, 36.0), to: area(10.5, 24.0, 12.5, 36.0) },
            Stage::Cross { from: area(10.5, 24.0, 12.5, 36.0), to: area(-9.5, 24.0, -8.0, 36.0) },
            Stage::Stop { link: 0, s: (66.0, 74.0), side: -HALF - 1.2, seconds: (130.0, 300.0) },
            Stage::Pace { link: 0, free_mps: (1.8, 2.4) },
            Stage::Pace { link: 0, free_mps: (20.0, 24.0) },
            Stage::Serve { link: 1, s: (82.0, 84.0), side: LANES[0], seconds: (12.0, 35.0) },
            Stage::Collide { link: 0, s: (58.0, 66.0), side: LANES[0] },
            Stage::Collide { link: 1, s: (82.0, 90.0), side: LANES[1] },
            Stage::Brake { link: 0, s: (58.0, 66.0), side: LANES[1] },
            Stage::Brake { link: 1, s: (82.0, 90.0), side: LANES[0] },
            Stage::Loiter { area: area(-9.0, 24.0, -8.1, 36.0), seconds: (20.0, 90.0) },
            Stage::Close { link: 0, seconds: (300.0, 720.0) },
            Stage::Jam { link: 0, s: 100.0, seconds: (120.0, 420.0) },
            Stage::Jam { link: 1, s: 140.0, seconds: (120.0, 420.0) },
        ],
        watched: vec![
            watched("count-away", Watch::LineCrossing { from: spot(0.5, 30.0), to: spot(8.5, 30.0) }),
            watched("count-towards", Watch::LineCrossing { from: spot(-8.0, 30.0), to: spot(-0.5, 30.0) }),
            watched(
                "wrong-away",
                Watch::WrongWay { area: lane_away.clone(), heading: (spot(4.0, near), spot(4.0, far)) },
            ),
            watched(
                "wrong-towards",
                Watch::WrongWay { area: lane_towards.clone(), heading: (spot(-4.0, far), spot(-4.0, near)) },
            ),
            stopped("stop-away", lane_away.clone(), ZoneKind::Lane, RuleParams::stopped_hold(ZoneKind::Lane)),
            watched(
                "stop-towards",
                Watch::StoppedVehicle {
                    area: lane_towards.clone(),
                    kind: ZoneKind::Lane,
                    bays: vec![bus_stop],
                    phase: None,
                    hold: RuleParams::stopped_hold(ZoneKind::Lane),
                },
            ),
            stopped(
                "stop-shoulder",
                shoulder.clone(),
                ZoneKind::Shoulder,
                RuleParams::stopped_hold(ZoneKind::Shoulder),
            ),
            watched("park-shoulder", Watch::IllegalParking { area: shoulder, hold: PARKING_HOLD }),
            watched("jam-away", congestion(&lane_away, (spot(4.0, near), spot(4.0, far)), JAM_HOLD)),
            watched("jam-towards", congestion(&lane_towards, (spot(-4.0, far), spot(-4.0, near)), JAM_HOLD)),
            // Speed is measured over a second and must hold for half of one: a zone that is driven through in less says nothing.
            watched("fast-away", Watch::OverSpeed { area: area(0.5, 18.0, 7.5, 52.0), limit_mps: LIMIT * 1.2 }),
            watched("drop-away", flow_drop(spot(0.5, 30.0), spot(8.5, 30.0))),
            watched("crash-away", Watch::Collision { area: lane_away.clone(), hold: RuleParams::COLLISION_HOLD }),
            watched("crash-towards", Watch::Collision { area: lane_towards.clone(), hold: RuleParams::COLLISION_HOLD }),
            watched("slow-away", Watch::SlowVehicle { area: lane_away.clone(), share: SLOW }),
            watched("foot-away", pedestrian(&lane_away)),
            watched("foot-towards", pedestrian(&lane_towards)),
        ],
    }
}

/// A square that people cross, with motorcycles parked at its edge and a lawn that is out of bounds.
#[must_use]
pub fn square() -> Place {
    let square = area(-6.0, 13.0, 7.0, 26.0);
    let about = area(-4.0, 14.5, 5.5, 24.0);
    let lawn = area(8.0, 19.0, 13.0, 28.0);
    let at = |x: f64, y: f64| Pose { spot: spot(x, y), ahead: spot(0.96, 0.28) };
    let way = |from: Spot, to: Spot, per_h: f64| Walkway { spots: vec![from, to], reach_m: 2.0, per_h };
    Place {
        name: "square",
        links: Vec::new(),
        signal: None,
        mount: Mount { foot: spot(0.0, 0.0), height_m: 6.0, aim: spot(0.0, 20.0), view_deg: 50.0, aspect: ASPECT },
        walkways: vec![
            way(spot(-12.0, 12.0), spot(3.0, 62.0), 60.0),
            way(spot(4.0, 5.0), spot(-2.0, 62.0), 60.0),
            way(spot(-20.0, 21.0), spot(4.0, 62.0), 40.0),
        ],
        parked: vec![
            (Class::Motorcycle, at(-6.8, 22.0)),
            (Class::Motorcycle, at(-6.8, 23.1)),
            (Class::Motorcycle, at(-6.9, 24.3)),
        ],
        stages: vec![
            Stage::Intrude { from: area(6.0, 30.0, 7.0, 34.0), area: area(8.8, 21.5, 10.4, 26.0) },
            Stage::Loiter { area: about.clone(), seconds: (66.0, 240.0) },
            Stage::Gather { area: about, count: (13, 19), seconds: (16.0, 150.0) },
        ],
        watched: vec![
            watched("lawn", Watch::Intrusion { area: lawn, hold: RuleParams::INTRUSION_HOLD }),
            watched("dwell", Watch::Loitering { area: square.clone(), dwell: RuleParams::LOITERING_DWELL }),
            watched(
                "crowd",
                Watch::Crowding { area: square, count: RuleParams::CROWDING_COUNT, hold: RuleParams::CROWDING_HOLD },
            ),
        ],
    }
}

/// The legs of the junction, clockwise from the far one, as unit vectors that leave its middle.
const LEGS: [(f64, f64); 4] = [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)];
/// The junction's middle, and how far from it stop lines are.
const MIDDLE: Spot = Spot::new(0.0, 20.0);
const BOX: f64 = 8.0;
/// Stop lines are behind the crossings.
const STOP: f64 = 12.5;
/// How far away vehicles come in.
const REACH: f64 = 90.0;

/// A place `out` metres out on a leg, and `right` metres to the right of one who leaves the junction.
fn on_leg(leg: usize, out: f64, right: f64) -> Spot {
    let (x, y) = LEGS[leg];
    spot(MIDDLE.x + x * out + y * right, MIDDLE.y + y * out - x * right)
}

/// Approaches are links 0 to 3, exits 4 to 7 (by leg), then twelve ways through, and last the way back, [`U_TURN`].
fn junction_links() -> Vec<Link> {
    let approach = |leg: usize| {
        let way = Way::new(vec![on_leg(leg, REACH, -HALF), on_leg(leg, BOX, -HALF)]);
        let inflow = if leg.is_multiple_of(2) { 700.0 } else { 450.0 };
        // The stop line is where crossings begin; behind it the way goes on into the junction.
        Link { stop_line: Some((REACH - STOP, leg)), ..link(way, inflow) }
    };
    let exit = |leg: usize| link(Way::new(vec![on_leg(leg, BOX, HALF), on_leg(leg, REACH, HALF)]), 0.0);
    let mut links: Vec<Link> = (0..4).map(approach).chain((0..4).map(exit)).collect();
    for leg in 0..4 {
        // To the right, straight on, to the left: legs are clockwise, and one who comes in has the last one on the right.
        for (turn, weight, pace) in [(3, 0.25, 0.5), (2, 0.55, 0.9), (1, 0.2, 0.6)] {
            let out = (leg + turn) % 4;
            let (from, to) = (on_leg(leg, BOX, -HALF), on_leg(out, BOX, HALF));
            let corner = if turn == 2 { from.towards(to, 0.5) } else { corner(leg, out) };
            let id = links.len();
            links.push(Link { pace, next: vec![(4 + out, 1.0)], ..link(Way::turn(from, corner, to), 0.0) });
            links[leg].next.push((id, weight));
        }
    }
    let (from, to) = (on_leg(SEEN, BOX, -HALF), on_leg(SEEN, BOX, HALF));
    let back = Way::turn(from, on_leg(SEEN, BOX - 5.0, -HALF), on_leg(SEEN, BOX - 5.0, 0.0));
    let there = Way::turn(on_leg(SEEN, BOX - 5.0, 0.0), on_leg(SEEN, BOX - 5.0, HALF), to);
    let spots = (0..=16).map(|k| {
        let s = f64::from(k) / 8.0;
        let piece = if s <= 1.0 { back.at(s * back.length(), 0.0) } else { there.at((s - 1.0) * there.length(), 0.0) };
        piece.spot
    });
    links.push(Link { pace: 0.3, next: vec![(4 + SEEN, 1.0)], ..link(Way::new(spots.collect()), 0.0) });
    links
}

/// From the approach that the camera sees back into the exit beside it, around the end of the median: nobody may.
const U_TURN: LinkId = 20;

/// Where the middles of an approach and of an exit meet.
fn corner(leg: usize, out: usize) -> Spot {
    let (from, to) = (on_leg(leg, BOX, -HALF), on_leg(out, BOX, HALF));
    if LEGS[leg].0 == 0.0 { spot(from.x, to.y) } else { spot(to.x, from.y) }
}

/// The approach whose queue the camera sees.
const SEEN: LinkId = 0;

/// A junction of four legs whose signal opens one after the other; the camera hangs at the near leg and looks over the
/// junction to the far one: its stop line, queue and exit.
#[must_use]
pub fn junction() -> Place {
    let signal = Signal { phases: 4, green_s: 22.0, amber_s: 3.0, clear_s: 2.0 };
    let approach = area(-7.0, 33.0, 0.0, 46.0);
    let exit = area(0.0, 33.0, 7.0, 46.0);
    let crossing = area(-7.0, 28.5, 7.0, 32.0);
    // Longer than the red: who waits for green is no stopped vehicle.
    let waits = Duration::from_secs(signal.red_s() as u64 + 17);
    let (kind, phase) = (ZoneKind::Lane, Some(SEEN));
    let broken_down = Watch::StoppedVehicle { area: approach.clone(), kind, bays: Vec::new(), phase, hold: waits };
    let pedestrian = |area: &Area| Watch::PedestrianOnCarriageway {
        area: area.clone(),
        crossings: vec![crossing.clone()],
        hold: RuleParams::PEDESTRIAN_HOLD,
    };
    let lorries = Watch::ForbiddenClass { area: approach.clone(), class: Class::Truck, hold: CLASS_HOLD };
    // The mark is ten metres before the stop line: five or six rows of motorcycles, two cars.
    let spillback = Watch::QueueSpillback {
        area: approach.clone(),
        heading: (spot(-3.5, 46.0), spot(-3.5, 33.0)),
        mark_m: 4.0,
        gap_m: 8.0,
        hold: Duration::from_secs(30),
    };
    let back = Watch::ForbiddenTurn {
        from: (approach.clone(), (spot(-3.5, 46.0), spot(-3.5, 33.0))),
        to: (exit.clone(), (spot(3.5, 33.0), spot(3.5, 46.0))),
        within: RuleParams::TURN_WITHIN,
    };
    let pavement = |x: f64, corner: f64| vec![spot(x, 70.0), spot(x, 30.0), spot(corner, 30.0)];
    let over = vec![spot(-8.8, 60.0), spot(-8.8, 30.3), spot(9.8, 30.3), spot(9.8, 60.0)];
    Place {
        name: "junction",
        links: junction_links(),
        signal: Some(signal),
        mount: Mount { foot: spot(-1.0, 0.0), height_m: 10.0, aim: spot(0.0, 35.0), view_deg: 36.0, aspect: ASPECT },
        walkways: vec![
            Walkway { spots: pavement(9.8, 40.0), reach_m: 1.0, per_h: 60.0 },
            Walkway { spots: pavement(-8.8, -40.0), reach_m: 0.8, per_h: 60.0 },
            Walkway { spots: over, reach_m: 0.9, per_h: 40.0 },
        ],
        parked: Vec::new(),
        stages: vec![
            Stage::Stop { link: SEEN, s: (REACH - 22.0, REACH - 15.0), side: LANES[0], seconds: (110.0, 240.0) },
            Stage::Stop { link: 4, s: (7.0, 14.0), side: LANES[0], seconds: (14.0, 90.0) },
            Stage::Against { link: SEEN },
            Stage::Against { link: 4 },
            Stage::Cross { from: area(-9.5, 35.0, -8.0, 42.0), to: area(8.5, 35.0, 10.5, 42.0) },
            Stage::Cross { from: area(8.5, 35.0, 10.5, 42.0), to: area(-9.5, 35.0, -8.0, 42.0) },
            Stage::RunRed { link: SEEN },
            Stage::Turn { link: SEEN, via: U_TURN },
            Stage::Collide { link: SEEN, s: (60.0, 66.0), side: LANES[1] },
            Stage::Brake { link: SEEN, s: (60.0, 66.0), side: LANES[0] },
            Stage::Jam { link: 4, s: 60.0, seconds: (120.0, 420.0) },
        ],
        watched: vec![
            watched("count-in", Watch::LineCrossing { from: spot(-7.6, 34.5), to: spot(0.0, 34.5) }),
            watched("count-out", Watch::LineCrossing { from: spot(0.0, 37.0), to: spot(7.6, 37.0) }),
            watched(
                "wrong-in",
                Watch::WrongWay { area: approach.clone(), heading: (spot(-3.5, 46.0), spot(-3.5, 33.0)) },
            ),
            watched("wrong-out", Watch::WrongWay { area: exit.clone(), heading: (spot(3.5, 33.0), spot(3.5, 46.0)) }),
            watched("stop-in", broken_down),
            stopped("stop-out", exit.clone(), ZoneKind::Lane, RuleParams::stopped_hold(ZoneKind::Lane)),
            watched("red-in", Watch::RedLight { link: SEEN }),
            watched("turn-back", back),
            watched("crash-in", Watch::Collision { area: approach.clone(), hold: RuleParams::COLLISION_HOLD }),
            watched("lorry-in", lorries),
            watched("spill-in", spillback),
            watched("jam-out", congestion(&exit, (spot(3.5, 33.0), spot(3.5, 46.0)), JAM_HOLD)),
            watched("foot-in", pedestrian(&approach)),
            watched("foot-out", pedestrian(&exit)),
        ],
    }
}

/// Every place.
#[must_use]
pub fn all() -> Vec<Place> {
    vec![road(), square(), junction()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_through_the_junction_joins_what_it_connects() {
        let links = junction_links();
        for (id, link) in links.iter().enumerate() {
            for (then, _) in &link.next {
                let end = link.way.at(link.way.length(), 0.0);
                let start = links[*then].way.at(0.0, 0.0);
                assert!(end.spot.distance(start.spot) < 1e-6, "link {id} to {then}");
                let turned = end.ahead.x * start.ahead.x + end.ahead.y * start.ahead.y;
                assert!(turned > 0.9, "link {id} to {then} without a kink: {turned}");
            }
        }
    }

    #[test]
    fn the_near_turn_is_to_the_right() {
        let links = junction_links();
        let (right, _) = links[0].next[0];
        let (straight, _) = links[0].next[1];
        // From the far leg one comes towards the camera: right is the picture's left.
        let end = |id: LinkId| links[id].way.at(links[id].way.length(), 0.0).spot;
        assert!(end(straight).y < MIDDLE.y - 7.0, "{:?}", end(straight));
        assert!(end(right).x < MIDDLE.x - 7.0, "{:?}", end(right));
        let length = |id: LinkId| links[id].way.length();
        let (left, _) = links[0].next[2];
        assert!(length(right) < length(left), "a right turn is the shorter one");
    }
}

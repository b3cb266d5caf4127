//! The definitions, of one actor at one instant.

use analytics::Class;

use crate::ground::{Area, Spot};
use crate::place::Watch;
use crate::vehicle::{ActorId, Held};

/// How surely something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    No,
    Possible,
    Nominal,
    Sure,
}

/// Someone who can be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub(super) actor: ActorId,
    pub(super) class: Class,
    pub(super) spot: Spot,
    /// Unit vector ahead.
    pub(super) ahead: Spot,
    /// m/s.
    pub(super) velocity: Spot,
    /// How far it came since it was first in the picture, in metres.
    pub(super) came_m: f64,
    pub(super) length_m: f64,
    /// What, in the end, holds it.
    pub(super) cause: Held,
}

/// For how long, and over what distance, something must hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) possible_s: f64,
    pub(super) sure_s: f64,
    pub(super) sure_m: f64,
    /// Interruptions up to this long do not end it.
    pub(super) bridge_s: f64,
}

/// What sure is longer than the hold by, in seconds; and possible is half of the hold.
const LONGER_S: f64 = 1.0;
/// Wrong way: metres and seconds of the catalogue.
const AGAINST: (f64, f64) = (8.0, 1.5);
/// A vehicle slower than this stands, m/s: the catalogue's 3 km/h is crawling.
const STANDS: f64 = 0.3;
/// So many vehicles that stand for a lamp or a jam are a queue.
const QUEUE: usize = 3;

pub(super) fn needs(watch: &Watch) -> Needs {
    let held = |hold: std::time::Duration, bridge_s| {
        let hold = hold.as_secs_f64();
        Needs { possible_s: hold / 2.0, sure_s: hold + LONGER_S, sure_m: 0.0, bridge_s }
    };
    match watch {
        Watch::LineCrossing { .. } => Needs { possible_s: 0.0, sure_s: 0.0, sure_m: 0.0, bridge_s: 0.0 },
        Watch::Intrusion { hold, .. } | Watch::PedestrianOnCarriageway { hold, .. } => held(*hold, 0.5),
        Watch::Loitering { dwell, .. } => held(*dwell, 5.0),
        Watch::Crowding { hold, .. } => held(*hold, 1.0),
        Watch::StoppedVehicle { hold, .. } => held(*hold, 1.0),
        Watch::WrongWay { .. } => {
            Needs { possible_s: AGAINST.1 / 2.0, sure_s: AGAINST.1 + LONGER_S, sure_m: AGAINST.0 + 1.0, bridge_s: 0.5 }
        }
    }
}

/// How surely someone is in an area, by metres from its edge: `margin` beyond it possibly, as far within it surely.
fn inside(area: &Area, spot: Spot, margin: f64) -> Grade {
    let depth = area.depth(spot);
    if depth >= margin {
        Grade::Sure
    } else if depth >= 0.0 {
        Grade::Nominal
    } else if depth >= -margin {
        Grade::Possible
    } else {
        Grade::No
    }
}

/// Margins in metres: of people, and of vehicles, which are surely in an area only from front to rear (a box stands on the
/// ground at whichever is nearer to the camera).
const FOOT: f64 = 0.4;
const WHEELS: f64 = 1.0;
/// One that was seen to come less far than this was not surely seen moving.
const SEEN_COMING: f64 = 8.0;

fn on_wheels(area: &Area, one: &Present) -> Grade {
    let half = one.length_m / 2.0;
    let end = |along: f64| Spot::new(one.spot.x + along * one.ahead.x, one.spot.y + along * one.ahead.y);
    let is_wholly = area.depth(end(half)) >= 0.3 && area.depth(end(-half)) >= 0.3;
    let middle = inside(area, one.spot, WHEELS);
    if is_wholly { middle } else { middle.min(Grade::Nominal) }
}

/// How surely `one` does what is watched for; `queue`: how many stand in the area for a lamp or a jam.
pub(super) fn of(one: &Present, watch: &Watch, queue: usize) -> Grade {
    let on_foot = one.class == Class::Person;
    match watch {
        Watch::LineCrossing { .. } | Watch::Crowding { .. } => Grade::No,
        Watch::Intrusion { area, .. } | Watch::Loitering { area, .. } if on_foot => inside(area, one.spot, FOOT),
        Watch::PedestrianOnCarriageway { area, crossings, .. } if on_foot => {
            let in_road = inside(area, one.spot, FOOT);
            let beside = |crossing: &Area| {
                let depth = crossing.depth(one.spot);
                if depth >= FOOT {
                    Grade::No
                } else if depth >= -FOOT {
                    Grade::Possible
                } else {
                    Grade::Sure
                }
            };
            crossings.iter().map(beside).fold(in_road, Grade::min)
        }
        Watch::WrongWay { area, heading } if !on_foot => inside(area, one.spot, 0.3).min(against(one, *heading)),
        Watch::StoppedVehicle { area, .. } if !on_foot => on_wheels(area, one).min(stands(one, queue)),
        _ => Grade::No,
    }
}

/// How surely it goes against the heading.
fn against(one: &Present, (from, to): (Spot, Spot)) -> Grade {
    let speed = one.velocity.x.hypot(one.velocity.y);
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let cosine = (one.velocity.x * dx + one.velocity.y * dy) / (dx.hypot(dy) * speed.max(1e-6));
    // 135, 120 and 100 degrees.
    if speed > 1.5 && cosine < -0.707 {
        Grade::Sure
    } else if speed > 0.8 && cosine < -0.5 {
        Grade::Nominal
    } else if speed > 0.4 && cosine < -0.174 {
        Grade::Possible
    } else {
        Grade::No
    }
}

/// How surely it is a stopped vehicle: one that stands of itself, not for a lamp, in a jam, or (in doubt) behind another.
fn stands(one: &Present, queue: usize) -> Grade {
    let speed = one.velocity.x.hypot(one.velocity.y);
    match one.cause {
        _ if speed >= 2.0 * STANDS => Grade::No,
        Held::Lamp => Grade::No,
        Held::Itself if speed >= STANDS => Grade::Possible,
        Held::Itself if queue >= QUEUE || one.came_m < SEEN_COMING => Grade::Nominal,
        Held::Itself => Grade::Sure,
        Held::Walker | Held::By(_) | Held::Free => Grade::Possible,
    }
}

/// How many stand in the watched area for a lamp or in a jam.
pub(super) fn queue(present: &[Present], watch: &Watch) -> usize {
    let Watch::StoppedVehicle { area, .. } = watch else { return 0 };
    let waits = |one: &&Present| {
        one.cause == Held::Lamp && one.velocity.x.hypot(one.velocity.y) < STANDS && area.depth(one.spot) >= -WHEELS
    };
    present.iter().filter(waits).count()
}

/// How surely there is a crowd: two more, as many, or two fewer than it takes.
pub(super) fn crowd(present: &[Present], area: &Area, count: u32) -> Grade {
    let on_foot = present.iter().filter(|one| one.class == Class::Person);
    let depths: Vec<f64> = on_foot.map(|one| area.depth(one.spot)).filter(|depth| *depth >= -FOOT).collect();
    let deeper = |least: f64| depths.iter().filter(|depth| **depth >= least).count() as u32;
    if deeper(FOOT) >= count + 2 {
        Grade::Sure
    } else if deeper(0.0) >= count {
        Grade::Nominal
    } else if depths.len() as u32 + 2 >= count {
        Grade::Possible
    } else {
        Grade::No
    }
}

//! The definitions, of one actor at one instant.

use std::time::Duration;

use analytics::Class;

use crate::camera::Solid;
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
    /// How surely it is in the picture.
    pub(super) in_picture: Grade,
    /// What space it takes up, with who rides it.
    pub(super) solid: Solid,
    /// How high it is without them, in metres.
    pub(super) own_top_m: f64,
}

impl Present {
    /// m/s.
    pub(super) fn speed(&self) -> f64 {
        self.velocity.x.hypot(self.velocity.y)
    }

    /// Its front and its rear.
    pub(super) fn ends(&self) -> [Spot; 2] {
        [0.5, -0.5].map(|share| {
            let ahead_m = share * self.length_m;
            Spot::new(self.spot.x + self.ahead.x * ahead_m, self.spot.y + self.ahead.y * ahead_m)
        })
    }
}

/// For how long, and over what distance, something must hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// Nominal for this long: it happened.
    pub(super) hold_s: f64,
    /// Possible for less: nothing happened.
    pub(super) possible_s: f64,
    /// Sure for this long, and over this distance: it must be found.
    pub(super) sure_s: f64,
    pub(super) sure_m: f64,
    /// Interruptions up to this long do not begin a hold anew.
    pub(super) within_s: f64,
    /// Interruptions up to this long do not end an incident.
    pub(super) over_s: f64,
}

/// What sure is longer than the hold by, in seconds; and possible is half of the hold.
const LONGER_S: f64 = 1.0;
/// Wrong way: metres and seconds of the catalogue.
const AGAINST: (f64, Duration) = (8.0, Duration::from_millis(1500));
/// A vehicle slower than this stands, m/s: the catalogue's 3 km/h is crawling.
const STANDS: f64 = 0.3;
/// Two that met at less were hardly seen to stop sharply, m/s.
const HARD: f64 = 4.0;
/// So many vehicles that stand for a lamp or a jam are a queue.
const QUEUE: usize = 3;

impl Needs {
    /// What must hold for `hold`, interruptions up to `bridge_s` aside.
    fn held(hold: Duration, bridge_s: f64) -> Self {
        let hold_s = hold.as_secs_f64();
        let (possible_s, sure_s) = (hold_s / 2.0, hold_s + LONGER_S);
        Self { hold_s, possible_s, sure_s, sure_m: 0.0, within_s: bridge_s, over_s: bridge_s }
    }

    /// What counts when it is sure for `sure_s`.
    const fn brief(sure_s: f64) -> Self {
        Self { hold_s: 0.0, possible_s: 0.0, sure_s, sure_m: 0.0, within_s: 1.0, over_s: 1.0 }
    }
}

pub(super) fn needs(watch: &Watch) -> Needs {
    match watch {
        Watch::LineCrossing { .. } | Watch::RedLight { .. } | Watch::ForbiddenTurn { .. } => Needs::brief(0.0),
        Watch::Collision { hold, .. } => Needs { over_s: 3.0, ..Needs::held(*hold, 1.0) },
        Watch::FlowDrop { .. } => Needs { within_s: 10.0, over_s: 60.0, ..Needs::brief(20.0) },
        Watch::Intrusion { hold, .. }
        | Watch::PedestrianOnCarriageway { hold, .. }
        | Watch::ForbiddenClass { hold, .. } => Needs::held(*hold, 0.5),
        Watch::Loitering { dwell, .. } => Needs::held(*dwell, 5.0),
        Watch::Crowding { hold, .. } | Watch::StoppedVehicle { hold, .. } => Needs::held(*hold, 1.0),
        Watch::IllegalParking { hold, .. } => Needs::held(*hold, 3.0),
        // Stop-and-go waves are one jam, and what is gone for a green is the same queue.
        Watch::Congestion { hold, clear, .. } => Needs { over_s: clear.as_secs_f64(), ..Needs::held(*hold, 10.0) },
        Watch::QueueSpillback { hold, .. } => Needs { over_s: 30.0, ..Needs::held(*hold, 5.0) },
        Watch::OverSpeed { .. } => Needs::brief(0.6),
        Watch::SlowVehicle { .. } => {
            Needs { possible_s: 2.0, sure_s: 5.0, sure_m: 10.0, ..Needs::held(Duration::ZERO, 1.0) }
        }
        Watch::WrongWay { .. } => Needs { sure_m: AGAINST.0 + 1.0, ..Needs::held(AGAINST.1, 0.5) },
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

/// How surely someone is not in an area: in doubt within `margin` of its edge.
fn outside(area: &Area, spot: Spot, margin: f64) -> Grade {
    let depth = area.depth(spot);
    if depth >= margin {
        Grade::No
    } else if depth >= -margin {
        Grade::Possible
    } else {
        Grade::Sure
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
    let ends = [area.depth(end(half)), area.depth(end(-half))];
    match inside(area, one.spot, WHEELS) {
        Grade::Sure | Grade::Nominal if ends.iter().any(|depth| *depth < 0.3) => Grade::Nominal,
        Grade::No if ends.iter().any(|depth| *depth >= -WHEELS) => Grade::Possible,
        middle => middle,
    }
}

/// How surely these two, who met at `closing_mps`, stand there both.
pub(super) fn met(two: [&Present; 2], area: &Area, closing_mps: f64) -> Grade {
    let of = |one: &Present| {
        let moves = if one.speed() < STANDS { Grade::Sure } else { Grade::Possible };
        let came = if one.came_m >= SEEN_COMING { Grade::Sure } else { Grade::Nominal };
        on_wheels(area, one).min(moves).min(came).min(one.in_picture)
    };
    let hard = if closing_mps >= HARD { Grade::Sure } else { Grade::Nominal };
    two.map(of).into_iter().fold(hard, Grade::min)
}

/// How surely the flow has dropped from `before` to `now` (vehicles a minute), by shares of the limits.
pub(super) fn dropped(now: f64, before: f64, ratio: f64, least: f64) -> Grade {
    if before >= 1.2 * least && now < 0.8 * ratio * before {
        Grade::Sure
    } else if before >= least && now < ratio * before {
        Grade::Nominal
    } else if before >= 0.8 * least && now < 1.3 * ratio * before {
        Grade::Possible
    } else {
        Grade::No
    }
}

/// How surely `one` does what is watched for; `queue`: how many stand in the area for a lamp or a jam;
/// `usual_mps`: how fast vehicles usually are there.
pub(super) fn of(one: &Present, watch: &Watch, queue: usize, usual_mps: f64) -> Grade {
    let on_foot = one.class == Class::Person;
    match watch {
        Watch::LineCrossing { .. } | Watch::Crowding { .. } | Watch::Collision { .. } => Grade::No,
        Watch::Intrusion { area, .. } | Watch::Loitering { area, .. } if on_foot => inside(area, one.spot, FOOT),
        Watch::PedestrianOnCarriageway { area, crossings, .. } if on_foot => {
            let in_road = inside(area, one.spot, FOOT);
            crossings.iter().map(|crossing| outside(crossing, one.spot, FOOT)).fold(in_road, Grade::min)
        }
        Watch::WrongWay { area, heading } if !on_foot => inside(area, one.spot, 0.3).min(against(one, *heading)),
        Watch::StoppedVehicle { area, bays, .. } if !on_foot => {
            let at_stop = bays.iter().map(|bay| outside(bay, one.spot, WHEELS));
            at_stop.fold(on_wheels(area, one).min(stands(one, queue)), Grade::min)
        }
        Watch::IllegalParking { area, .. } if !on_foot => on_wheels(area, one).min(parks(one)),
        Watch::ForbiddenClass { area, class, .. } if one.class == *class => on_wheels(area, one),
        Watch::OverSpeed { area, limit_mps } if !on_foot => {
            let speed = one.speed() / limit_mps;
            on_wheels(area, one).min(graded(speed, [1.12, 1.0, 0.88]))
        }
        Watch::SlowVehicle { area, share } if !on_foot && one.cause != Held::Lamp => {
            // Less is surer.
            let slow = share * usual_mps / one.speed().max(0.05);
            // A bicycle is slow by nature; and what others, or itself, hold up is slow, but not of a slow driver.
            let is_one = one.cause == Held::Free && one.class != Class::Bicycle;
            let most = if is_one { Grade::Sure } else { Grade::Possible };
            inside(area, one.spot, WHEELS).min(graded(slow, [1.33, 1.0, 0.75])).min(most)
        }
        _ => Grade::No,
    }
}

/// Sure, nominal, possible from these values on.
fn graded(value: f64, [sure, nominal, possible]: [f64; 3]) -> Grade {
    if value >= sure {
        Grade::Sure
    } else if value >= nominal {
        Grade::Nominal
    } else if value >= possible {
        Grade::Possible
    } else {
        Grade::No
    }
}

/// How surely it stands of itself, whatever stands around it.
fn parks(one: &Present) -> Grade {
    match one.cause {
        Held::Itself if one.speed() < STANDS => Grade::Sure,
        Held::Lamp => Grade::No,
        _ if one.speed() < STANDS => Grade::Possible,
        _ => Grade::No,
    }
}

/// How surely it goes against the heading.
fn against(one: &Present, (from, to): (Spot, Spot)) -> Grade {
    let speed = one.speed();
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
    let speed = one.speed();
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
    let waits = |one: &&Present| one.cause == Held::Lamp && one.speed() < STANDS && area.depth(one.spot) >= -WHEELS;
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

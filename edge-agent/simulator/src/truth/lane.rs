//! The definitions of what a lane as a whole is like: full and slow, or queued back over a mark.

use super::judge::{Grade, Present};
use crate::ground::{Area, Spot};

/// A vehicle slower than this stands, m/s.
const STANDS: f64 = 0.3;
/// Fewer that stand are no queue.
const QUEUE: usize = 3;

/// A vehicle on a lane: metres along it, half its length, m/s.
struct OnLane {
    along: f64,
    half: f64,
    speed: f64,
}

fn on_lane(present: &[Present], area: &Area, (from, to): (Spot, Spot)) -> (Vec<OnLane>, f64) {
    let length = from.distance(to);
    let along = |spot: Spot| ((spot.x - from.x) * (to.x - from.x) + (spot.y - from.y) * (to.y - from.y)) / length;
    let vehicles = present.iter().filter(|one| one.class.is_vehicle() && area.depth(one.spot) >= 0.0);
    let mut on: Vec<OnLane> =
        vehicles.map(|one| OnLane { along: along(one.spot), half: one.length_m / 2.0, speed: one.speed() }).collect();
    on.sort_by(|a, b| a.along.total_cmp(&b.along));
    (on, length)
}

/// How surely the lane is full and slow: by these shares of the limits.
pub(super) fn congested(
    present: &[Present],
    area: &Area,
    heading: (Spot, Spot),
    (occupancy, speed_mps): (f64, f64),
) -> Grade {
    let (on, length) = on_lane(present, area, heading);
    if on.is_empty() {
        return Grade::No;
    }
    let (mut covered, mut until) = (0.0, 0.0);
    for vehicle in &on {
        let (start, end) = ((vehicle.along - vehicle.half).max(until), (vehicle.along + vehicle.half).min(length));
        covered += (end - start).max(0.0);
        until = f64::max(until, end);
    }
    let is = covered / length;
    let mean = on.iter().map(|vehicle| vehicle.speed).sum::<f64>() / on.len() as f64;
    // A lorry that stands covers a third of a short lane, and is no jam.
    if on.len() < QUEUE {
        return if is >= 0.7 * occupancy && mean <= 1.3 * speed_mps { Grade::Possible } else { Grade::No };
    }
    if is >= 1.2 * occupancy && mean <= 0.8 * speed_mps {
        Grade::Sure
    } else if is >= occupancy && mean <= speed_mps {
        Grade::Nominal
    } else if is >= 0.7 * occupancy && mean <= 1.3 * speed_mps {
        Grade::Possible
    } else {
        Grade::No
    }
}

/// How surely a standing queue reaches back over the mark: surely by two metres to either side.
pub(super) fn spilled(present: &[Present], area: &Area, heading: (Spot, Spot), mark_m: f64, gap_m: f64) -> Grade {
    let (on, _) = on_lane(present, area, heading);
    let standing: Vec<f64> = on.iter().filter(|vehicle| vehicle.speed < STANDS).map(|vehicle| vehicle.along).collect();
    let over = |gap: f64, beyond: f64| {
        let mut queue = 1;
        standing.windows(2).enumerate().any(|(index, pair)| {
            queue = if pair[1] - pair[0] <= gap { queue + 1 } else { 1 };
            let rear = standing[index + 2 - queue];
            queue >= QUEUE && rear <= mark_m - beyond && pair[1] >= mark_m + beyond
        })
    };
    if over(0.8 * gap_m, 1.5) {
        Grade::Sure
    } else if over(gap_m, 0.0) {
        Grade::Nominal
    } else if over(1.3 * gap_m, -2.0) {
        Grade::Possible
    } else {
        Grade::No
    }
}

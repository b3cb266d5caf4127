//! Queues: vehicles that stand one behind the other.

use crate::ground::{Length, Speed};
use crate::traffic::lane::{LaneWork, OnLane};

/// What makes a queue of vehicles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QueueParams {
    /// Slower than this is standing.
    pub(crate) speed: Speed,
    /// No further from the next one than this, from place to place, a vehicle's own length included.
    pub(crate) gap: Length,
}

/// A chain of standing vehicles in the order of the way through their lane: the last one stands in front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue<'a> {
    pub(crate) vehicles: &'a [OnLane],
}

impl Queue<'_> {
    /// From the last to the first of them, in metres; `None` where the ground is not known.
    pub(crate) fn length_m(&self) -> Option<f64> {
        let (rear, front) = (self.vehicles.first()?.place.ground?, self.vehicles.last()?.place.ground?);
        Some(rear.distance_m(front))
    }
}

/// Puts those that stand into `standing`, in order.
pub(crate) fn find_standing(work: &mut LaneWork, speed: Speed) {
    let LaneWork { vehicles, standing, .. } = work;
    let stand = vehicles.iter().filter(|vehicle| vehicle.speed.is_some_and(|is| is < speed.value));
    standing.clear();
    standing.extend(stand.cloned());
}

/// The queues among `standing`, from where the lane begins to where it ends.
pub(crate) fn queues(standing: &[OnLane], gap: Length, aspect: f32) -> impl Iterator<Item = Queue<'_>> {
    let near = move |a: &OnLane, b: &OnLane| {
        a.place.distance_to(b.place, aspect, gap.unit).is_some_and(|distance| distance <= gap.value)
    };
    standing.chunk_by(near).map(|vehicles| Queue { vehicles })
}

//! A world: a place, its traffic and people, and what happens to them, in steps of [`TICK_S`].

use analytics::Class;

use crate::camera::Solid;
use crate::ground::{Pose, Spot};
use crate::place::{Place, Walkway};
use crate::random::Chance;
use crate::road::demand;
use crate::script::{Actors, Deed, deeds};
use crate::traffic::{TICK_S, Traffic};
use crate::vehicle::{ActorId, Order, Vehicle};
use crate::walker::{Leg, Walker};

/// Number of one body: its actor's times this, plus which of its bodies (the vehicle, the rider, the pillion).
pub const BODIES: u32 = 4;

/// Parked things are numbered from here on.
const PARKED: ActorId = 1_000_000_000 / BODIES;

/// One body that a camera may see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    /// Unique in the world.
    pub id: u32,
    /// What it is.
    pub class: Class,
    /// Sits on a two-wheeler.
    pub rides: bool,
    /// What space it takes.
    pub solid: Solid,
}

impl Body {
    /// Whose body it is.
    #[must_use]
    pub const fn actor(&self) -> ActorId {
        self.id / BODIES
    }
}

/// How a world is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorldParams {
    /// Chance of all that happens.
    pub seed: u64,
    /// Minute of the day at which it begins.
    pub minute: f64,
    /// For how long things are planned, in seconds.
    pub seconds: f64,
    /// Mean time between two things out of the ordinary, in seconds; infinite for none.
    pub deed_every_s: f64,
}

/// A world under way.
#[derive(Debug, Clone)]
pub struct World {
    place: Place,
    minute: f64,
    ticks: u64,
    traffic: Traffic,
    walkers: Vec<Walker>,
    /// What is still to happen, next last.
    deeds: Vec<Deed>,
    next_id: ActorId,
    walks: Chance,
    acts: Chance,
    on_road: Vec<Spot>,
}

impl World {
    /// An empty one.
    #[must_use]
    pub fn new(place: Place, params: &WorldParams) -> Self {
        let chance = Chance::new(params.seed).part(place.name);
        let traffic = Traffic::new(place.links.clone(), place.signal, chance.part("traffic"));
        let mut deeds = deeds(&place, params.seconds, params.deed_every_s, &mut chance.part("deeds"));
        deeds.reverse();
        Self {
            place,
            minute: params.minute,
            ticks: 0,
            traffic,
            walkers: Vec::new(),
            deeds,
            next_id: 0,
            walks: chance.part("walks"),
            acts: chance.part("acts"),
            on_road: Vec::new(),
        }
    }

    /// The place.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Seconds since it began.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.ticks as f64 * TICK_S
    }

    /// Minute of the day.
    #[must_use]
    pub fn minute(&self) -> f64 {
        self.minute + self.seconds() / 60.0
    }

    /// Its traffic.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Who is on foot.
    #[must_use]
    pub fn walkers(&self) -> &[Walker] {
        &self.walkers
    }

    /// One step on.
    pub fn tick(&mut self) {
        self.ticks += 1;
        let now = self.seconds();
        while self.deeds.last().is_some_and(|deed| deed.at_s <= now) {
            let deed = self.deeds.pop().expect("just looked at");
            let stage = self.place.stages[deed.stage].clone();
            self.actors(now).begin(&stage);
        }
        let share = demand(self.minute());
        self.people_come(share);
        self.walkers.retain_mut(Walker::tick);
        self.on_road.clear();
        let straight: Vec<_> = self.place.links.iter().filter(|link| link.pace == 1.0).collect();
        for walker in &self.walkers {
            let spot = walker.poses.1.spot;
            let is_on = straight.iter().any(|link| {
                let (s, side) = link.way.locate(spot);
                side.abs() < link.half_width_m + 0.2 && (0.0..link.way.length()).contains(&s)
            });
            if is_on {
                self.on_road.push(spot);
            }
        }
        let met = self.traffic.crashes().len();
        self.traffic.tick(now, share, &self.on_road, &mut self.next_id);
        let crashes = self.traffic.crashes()[met..].to_vec();
        for crash in crashes {
            let Some(hit) = self.traffic.vehicle(crash.hit).cloned() else { continue };
            self.actors(now).gape(&hit);
        }
    }

    fn actors(&mut self, now: f64) -> Actors<'_> {
        Actors {
            traffic: &mut self.traffic,
            walkers: &mut self.walkers,
            next_id: &mut self.next_id,
            chance: &mut self.acts,
            now,
        }
    }

    fn people_come(&mut self, share: f64) {
        for index in 0..self.place.walkways.len() {
            let expected = self.place.walkways[index].per_h * share.max(0.05) / 3600.0 * TICK_S;
            if self.walks.happens(expected) {
                let (from, legs) = passes(&self.place.walkways[index], &mut self.walks);
                self.next_id += 1;
                self.walkers.push(Walker::new(self.next_id, from, legs, &mut self.walks));
            }
        }
    }

    /// What a camera could see `ago_s` seconds before the last step (less than a step).
    pub fn bodies(&self, ago_s: f64, bodies: &mut Vec<Body>) {
        let share = 1.0 - (ago_s / TICK_S).clamp(0.0, 1.0);
        bodies.clear();
        for vehicle in self.traffic.vehicles() {
            push_vehicle(vehicle, vehicle.poses.0.towards(vehicle.poses.1, share), bodies);
        }
        for walker in &self.walkers {
            let pose = walker.poses.0.towards(walker.poses.1, share);
            // Deeper when walking: a stride.
            let length_m = if walker.speed > 0.2 { 0.7 } else { 0.4 };
            let solid = Solid { pose, length_m, width_m: 0.5, bottom_m: 0.0, top_m: walker.height_m };
            bodies.push(Body { id: walker.id * BODIES, class: Class::Person, rides: false, solid });
        }
        for (index, (class, pose)) in (0..).zip(&self.place.parked) {
            let solid = Solid { pose: *pose, length_m: 1.9, width_m: 0.7, bottom_m: 0.0, top_m: 1.1 };
            bodies.push(Body { id: (PARKED + index) * BODIES, class: *class, rides: false, solid });
        }
    }
}

/// Someone who takes a walkway from one end to the other, in either direction.
fn passes(walkway: &Walkway, chance: &mut Chance) -> (Spot, Vec<Leg>) {
    let (dx, dy) = (chance.between(-1.0, 1.0) * walkway.reach_m, chance.between(-1.0, 1.0) * walkway.reach_m);
    let mut spots: Vec<Spot> = walkway.spots.iter().map(|spot| Spot::new(spot.x + dx, spot.y + dy)).collect();
    if chance.happens(0.5) {
        spots.reverse();
    }
    (spots[0], spots[1..].iter().map(|spot| Leg::To(*spot)).collect())
}

fn push_vehicle(vehicle: &Vehicle, pose: Pose, bodies: &mut Vec<Body>) {
    let solid =
        Solid { pose, length_m: vehicle.length_m, width_m: vehicle.width_m, bottom_m: 0.0, top_m: vehicle.height_m };
    bodies.push(Body { id: vehicle.id * BODIES, class: vehicle.class, rides: false, solid });
    // Those on it get off when it stands for long; here they stay on it.
    for seat in 0..vehicle.riders {
        let behind = 0.05 + 0.5 * f64::from(seat);
        let spot = Spot::new(pose.spot.x - pose.ahead.x * behind, pose.spot.y - pose.ahead.y * behind);
        let top_m = vehicle.rider_m + 0.05 * f64::from(seat);
        let solid = Solid { pose: Pose { spot, ..pose }, length_m: 0.55, width_m: 0.55, bottom_m: 0.3, top_m };
        bodies.push(Body { id: vehicle.id * BODIES + 1 + seat, class: Class::Person, rides: true, solid });
    }
}

/// Whether a vehicle was told to go against the traffic.
#[must_use]
pub fn goes_against(vehicle: &Vehicle) -> bool {
    matches!(vehicle.order, Some(Order::Against { .. }))
}

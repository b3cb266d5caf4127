//! What happens out of the ordinary, and when: drawn before the world starts, from its seed.

use analytics::Class;

use crate::ground::{Area, Spot};
use crate::place::{Place, Stage};
use crate::random::Chance;
use crate::road::LinkId;
use crate::traffic::{Choke, Traffic};
use crate::vehicle::{ActorId, Make, Order, Vehicle};
use crate::walker::{Leg, Walker};

/// Something that is to happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deed {
    /// When it begins, in seconds of the world.
    pub at_s: f64,
    /// Which of the place's stages.
    pub stage: usize,
}

/// What happens within `seconds`, one thing every `mean_gap_s` on average; none when that is infinite.
#[must_use]
pub fn deeds(place: &Place, seconds: f64, mean_gap_s: f64, chance: &mut Chance) -> Vec<Deed> {
    let weights: Vec<f64> = place.stages.iter().map(Stage::weight).collect();
    let mut all = Vec::new();
    if !mean_gap_s.is_finite() || weights.is_empty() {
        return all;
    }
    // First the road fills up.
    let mut at_s = 60.0 + chance.exponential(mean_gap_s);
    while at_s < seconds {
        all.push(Deed { at_s, stage: chance.pick(&weights) });
        at_s += chance.exponential(mean_gap_s);
    }
    all
}

/// Where what happens takes hold.
pub(crate) struct Actors<'a> {
    pub(crate) traffic: &'a mut Traffic,
    pub(crate) walkers: &'a mut Vec<Walker>,
    pub(crate) next_id: &'a mut ActorId,
    pub(crate) chance: &'a mut Chance,
    pub(crate) now: f64,
}

/// Beyond what the camera is to judge, people come and go here.
const OUT_M: f64 = 62.0;

fn within(area: &Area, chance: &mut Chance) -> Spot {
    let (low, high) = (area.0[0], area.0[2]);
    Spot::new(chance.between(low.x, high.x), chance.between(low.y, high.y))
}

fn within_range((from, to): (f64, f64), chance: &mut Chance) -> f64 {
    chance.between(from, to)
}

impl Actors<'_> {
    fn id(&mut self) -> ActorId {
        *self.next_id += 1;
        *self.next_id
    }

    fn walks(&mut self, from: Spot, legs: Vec<Leg>) {
        let id = self.id();
        self.walkers.push(Walker::new(id, from, legs, self.chance));
    }

    /// Makes it happen.
    pub(crate) fn begin(&mut self, stage: &Stage) {
        match stage {
            Stage::Stop { link, s, side, seconds } => {
                let classes = [Class::Car, Class::Motorcycle, Class::Truck, Class::Bus];
                let class = classes[self.chance.pick(&[0.5, 0.35, 0.1, 0.05])];
                let make = Make::of(class, self.chance);
                let astray = if class == Class::Motorcycle { self.chance.between(-1.0, 1.0) } else { 0.0 };
                let (s, seconds) = (within_range(*s, self.chance), within_range(*seconds, self.chance));
                let id = self.id();
                self.traffic.send(*link, id, make, Some(Order::Stop { s, side: side + astray, seconds }));
            }
            Stage::Against { link } => {
                let class = [Class::Motorcycle, Class::Car, Class::Bicycle][self.chance.pick(&[0.75, 0.15, 0.1])];
                let make = Make::of(class, self.chance);
                let speed = if class == Class::Bicycle { 3.0 } else { self.chance.between(4.0, 8.0) };
                let id = self.id();
                self.traffic.send(*link, id, make, Some(Order::Against { speed }));
            }
            Stage::Pace { link, free_mps } => {
                let class = [Class::Motorcycle, Class::Car][self.chance.pick(&[0.6, 0.4])];
                let mut make = Make::of(class, self.chance);
                make.driver.free_mps = within_range(*free_mps, self.chance);
                let id = self.id();
                self.traffic.send(*link, id, make, None);
            }
            Stage::RunRed { link } => {
                let class = [Class::Motorcycle, Class::Car][self.chance.pick(&[0.8, 0.2])];
                let make = Make::of(class, self.chance);
                let id = self.id();
                self.traffic.send(*link, id, make, Some(Order::RunRed));
            }
            Stage::Serve { link, s, side, seconds } => {
                let make = Make::of(Class::Bus, self.chance);
                let (s, seconds) = (within_range(*s, self.chance), within_range(*seconds, self.chance));
                let id = self.id();
                self.traffic.send(*link, id, make, Some(Order::Stop { s, side: *side, seconds }));
            }
            Stage::Collide { link, s, side } => self.brake(*link, *s, *side, true),
            Stage::Brake { link, s, side } => self.brake(*link, *s, *side, false),
            Stage::Turn { link, via } => {
                let class = [Class::Motorcycle, Class::Car][self.chance.pick(&[0.7, 0.3])];
                let make = Make::of(class, self.chance);
                let id = self.id();
                self.traffic.send(*link, id, make, Some(Order::Turn { via: *via }));
            }
            Stage::Close { link, seconds } => {
                let until_s = self.now + within_range(*seconds, self.chance);
                self.traffic.closed.push((*link, until_s));
            }
            Stage::Cross { from, to } => self.cross(from, to),
            Stage::Intrude { from, area } => {
                let (start, goal) = (within(from, self.chance), within(area, self.chance));
                let stays = self.chance.between(2.0, 40.0);
                self.walks(start, vec![Leg::To(goal), Leg::Stand(stays), Leg::To(start)]);
            }
            Stage::Loiter { area, seconds } => self.loiter(area, *seconds),
            Stage::Gather { area, count, seconds } => self.gather(area, *count, *seconds),
            Stage::Jam { link, s, seconds } => {
                let until_s = self.now + within_range(*seconds, self.chance);
                self.traffic.chokes.retain(|choke| choke.until_s > self.now);
                self.traffic.chokes.push(Choke { link: *link, s: *s, from_s: self.now, until_s });
            }
        }
    }

    /// One that brakes hard, and one behind it that runs into it, or brakes just as hard.
    fn brake(&mut self, link: LinkId, s: (f64, f64), side: f64, meet: bool) {
        let first = [Class::Car, Class::Motorcycle, Class::Truck][self.chance.pick(&[0.6, 0.3, 0.1])];
        let second = [Class::Motorcycle, Class::Car][self.chance.pick(&[0.6, 0.4])];
        let (first, mut second) = (Make::of(first, self.chance), Make::of(second, self.chance));
        // It comes up behind.
        second.driver.free_mps = second.driver.free_mps.max(first.driver.free_mps + 1.5);
        let s = within_range(s, self.chance);
        let seconds = if meet { self.chance.between(30.0, 120.0) } else { self.chance.between(1.0, 4.0) };
        let astray = side + self.chance.between(-0.4, 0.4);
        let (whom, by) = (self.id(), self.id());
        self.traffic.send(link, whom, first, Some(Order::Brake { s, side, seconds }));
        let order = if meet { Order::Hit { whom, side: astray, seconds } } else { Order::Follow { side: astray } };
        self.traffic.send(link, by, second, Some(order));
    }

    /// Some come to look: from the kerb, to where two vehicles have met.
    pub(crate) fn gape(&mut self, hit: &Vehicle) {
        if !self.chance.happens(0.5) {
            return;
        }
        let way = self.traffic.links()[hit.link].way.clone();
        let kerb = -self.traffic.links()[hit.link].half_width_m - 4.0;
        for _ in 0..1 + self.chance.below(3) {
            let along = hit.s + self.chance.between(-3.0, 3.0);
            let from = way.at(along, kerb).spot;
            let beside = hit.side - hit.width_m / 2.0 - self.chance.between(0.4, 1.2);
            let legs = vec![
                Leg::Stand(self.chance.between(2.0, 10.0)),
                Leg::To(way.at(along, beside).spot),
                Leg::Stand(self.chance.between(10.0, 50.0)),
                Leg::To(from),
                Leg::To(Spot::new(from.x, OUT_M)),
            ];
            self.walks(from, legs);
        }
    }

    /// Most go straight over; some first go along the road for a while.
    fn cross(&mut self, from: &Area, to: &Area) {
        let (start, goal) = (within(from, self.chance), within(to, self.chance));
        let mut legs = vec![Leg::To(start)];
        if self.chance.happens(0.3) {
            let into = start.towards(goal, self.chance.between(0.15, 0.35));
            legs.push(Leg::To(into));
            legs.push(Leg::To(Spot::new(into.x, into.y + self.chance.between(-6.0, 6.0))));
        }
        legs.push(Leg::To(goal));
        legs.push(Leg::To(Spot::new(goal.x, OUT_M)));
        self.walks(Spot::new(start.x, OUT_M), legs);
    }

    /// Walks about and stands by turns.
    fn loiter(&mut self, area: &Area, seconds: (f64, f64)) {
        let mut left = within_range(seconds, self.chance);
        let mut legs = Vec::new();
        while left > 0.0 {
            let stands = self.chance.between(5.0, 30.0);
            legs.push(Leg::To(within(area, self.chance)));
            legs.push(Leg::Stand(stands));
            left -= stands + 4.0;
        }
        let gate = Spot::new(area.0[1].x - 0.5, OUT_M);
        legs.push(Leg::To(gate));
        self.walks(gate, legs);
    }

    /// Come one by one, stay together, go.
    fn gather(&mut self, area: &Area, (least, most): (u32, u32), seconds: (f64, f64)) {
        let count = least + self.chance.below((most - least + 1) as usize) as u32;
        let stays = within_range(seconds, self.chance);
        for _ in 0..count {
            let later = self.chance.between(0.0, 25.0);
            let gate = Spot::new(area.0[1].x - self.chance.between(0.0, 2.0), OUT_M);
            let place = within(area, self.chance);
            let leaves = self.chance.between(0.0, 15.0);
            let legs =
                vec![Leg::Stand(later), Leg::To(place), Leg::Stand(25.0 - later + stays + leaves), Leg::To(gate)];
            self.walks(gate, legs);
        }
    }
}

//! Traffic: vehicles that follow, filter, queue, stop as told, and leave. Along a link by the intelligent driver model
//! ([`Driver`](crate::vehicle::Driver)); sideways two-wheelers go wherever there is more room, and what has four wheels
//! changes lanes when it is held up.
//!
//! What it leaves out: accidents that nobody ordered ([`Crash`]), overtaking into the other direction, conflicts between approaches of a
//! junction (its signal opens one at a time). One who drives against the traffic gives way to no one; others swerve or stop.

mod aside;
mod ordered;

pub use self::ordered::Crash;
use crate::ground::{Pose, Spot};
use crate::random::Chance;
use crate::road::{Lamp, Link, LinkId, Signal};
use crate::vehicle::{ActorId, Held, Make, Order, Vehicle};

/// A step of the world, in seconds: the model's own, whatever rate pictures are taken at.
pub const TICK_S: f64 = 0.2;

/// How far drivers look ahead, in metres.
const SIGHT: f64 = 60.0;
/// Slower than this and not accelerating, a vehicle stands, m/s.
const STANDS: f64 = 0.15;
/// Braking that a driver accepts for amber, m/s².
const AMBER_BRAKES: f64 = 3.0;
/// Room kept to the side of a two-wheeler and of anything else, in metres.
const BESIDE: (f64, f64) = (0.2, 0.35);
/// Width taken up by someone on foot, in metres.
const WALKER: f64 = 0.7;

/// A place downstream where traffic is let through in short bursts: stop-and-go waves run upstream from there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choke {
    /// Where, on which link.
    pub link: LinkId,
    /// Metres along it.
    pub s: f64,
    /// From when, in seconds of the world.
    pub from_s: f64,
    /// Until when.
    pub until_s: f64,
}

impl Choke {
    fn is_shut(&self, now: f64) -> bool {
        const PERIOD: f64 = 26.0;
        const OPEN: f64 = 6.0;
        (self.from_s..self.until_s).contains(&now) && (now - self.from_s) % PERIOD > OPEN
    }
}

/// One who waits to come in.
#[derive(Debug, Clone)]
struct Arrival {
    make: Make,
    order: Option<Order>,
    id: ActorId,
}

/// All vehicles of a world.
#[derive(Debug, Clone)]
pub struct Traffic {
    links: Vec<Link>,
    signal: Option<Signal>,
    vehicles: Vec<Vehicle>,
    on_link: Vec<Vec<usize>>,
    arrivals: Vec<Vec<Arrival>>,
    /// Where traffic is choked.
    pub chokes: Vec<Choke>,
    /// Links at whose start nobody comes, and until when.
    pub closed: Vec<(LinkId, f64)>,
    crashes: Vec<Crash>,
    chance: Chance,
}

/// What is nearest ahead.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    gap: f64,
    speed: f64,
    held: Held,
}

impl Traffic {
    /// An empty road.
    #[must_use]
    pub fn new(links: Vec<Link>, signal: Option<Signal>, chance: Chance) -> Self {
        let on_link = vec![Vec::new(); links.len()];
        let arrivals = vec![Vec::new(); links.len()];
        Self {
            links,
            signal,
            vehicles: Vec::new(),
            on_link,
            arrivals,
            chokes: Vec::new(),
            closed: Vec::new(),
            crashes: Vec::new(),
            chance,
        }
    }

    /// The vehicles.
    #[must_use]
    pub fn vehicles(&self) -> &[Vehicle] {
        &self.vehicles
    }

    /// The links.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What the lamp at the end of `link` shows, if there is one.
    #[must_use]
    pub fn lamp(&self, link: LinkId, now: f64) -> Option<Lamp> {
        let (_, phase) = self.links[link].stop_line?;
        Some(self.signal?.lamp(phase, now))
    }

    /// Lets one more vehicle come in, as soon as there is room at the start of `link` (at its end, when it is to go
    /// against the traffic).
    pub fn send(&mut self, link: LinkId, id: ActorId, make: Make, order: Option<Order>) {
        self.arrivals[link].push(Arrival { make, order, id });
    }

    /// The vehicle with this number.
    #[must_use]
    pub fn vehicle(&self, id: ActorId) -> Option<&Vehicle> {
        self.vehicles.iter().find(|vehicle| vehicle.id == id)
    }

    /// One step on to `now`; `on_road`: where people on foot are in the way. `share` of the inflow comes; new vehicles are
    /// numbered from `next_id`.
    pub fn tick(&mut self, now: f64, share: f64, on_road: &[Spot], next_id: &mut ActorId) {
        self.closed.retain(|(_, until_s)| *until_s > now);
        self.arrive(share, next_id);
        self.sort();
        let moves: Vec<(f64, Held, f64)> = (0..self.vehicles.len())
            .map(|i| {
                let aims_at = self.look_aside(i, now, on_road);
                let (acceleration, held) = self.accelerate(i, now, on_road);
                (acceleration, held, aims_at)
            })
            .collect();
        for (i, (acceleration, held, aims_at)) in moves.into_iter().enumerate() {
            let vehicle = &mut self.vehicles[i];
            vehicle.held = held;
            vehicle.aims_at = aims_at;
            advance(vehicle, acceleration, now);
        }
        self.collide(now);
        self.hand_over();
        for vehicle in &mut self.vehicles {
            let now_at = pose(&self.links[vehicle.link], vehicle);
            vehicle.poses = (vehicle.poses.1, now_at);
        }
    }

    /// New vehicles come up to the road's ends, and those for whom there is room come in.
    fn arrive(&mut self, share: f64, next_id: &mut ActorId) {
        for link in 0..self.links.len() {
            let expected = self.links[link].inflow_per_h * share / 3600.0 * TICK_S;
            let is_open = expected > 0.0 && self.closed.iter().all(|(closed, _)| *closed != link);
            if is_open && self.chance.happens(expected) {
                let make = Make::any(&mut self.chance);
                *next_id += 1;
                self.arrivals[link].push(Arrival { make, order: None, id: *next_id });
            }
            if let Some(arrival) = self.arrivals[link].first().cloned()
                && self.come_in(link, &arrival)
            {
                self.arrivals[link].remove(0);
            }
        }
    }

    fn come_in(&mut self, link_id: LinkId, arrival: &Arrival) -> bool {
        let link = &self.links[link_id];
        let make = &arrival.make;
        let [length_m, width_m, height_m] = make.size;
        let against = matches!(arrival.order, Some(Order::Against { .. }));
        let edge = link.half_width_m - width_m / 2.0 - 0.2;
        let side = if against {
            self.chance.between(-edge, -edge + 1.5)
        } else if let Some(
            Order::Stop { side, .. } | Order::Brake { side, .. } | Order::Hit { side, .. } | Order::Follow { side },
        ) = arrival.order
        {
            side.clamp(-edge, edge)
        } else if let Some(Order::Turn { .. }) = arrival.order {
            ordered::TURNS_FROM.clamp(-edge, edge)
        } else if make.class.is_two_wheeler() {
            // Slow ones at the kerb, motorcycles over the outer two thirds.
            let reach = if make.driver.free_mps < 6.0 { 0.25 } else { 0.66 };
            self.chance.between(-edge, -edge + 2.0 * edge * reach)
        } else if make.driver.free_mps < 9.5 || link.lanes_m.len() == 1 {
            link.lanes_m[0]
        } else {
            link.lanes_m[self.chance.below(link.lanes_m.len())]
        };
        let s = if against { link.way.length() - 0.5 } else { length_m / 2.0 };
        let free = make.driver.free_mps * link.pace;
        let nearest = self.vehicles.iter().filter(|other| other.link == link_id && !against);
        let beside = |other: &&Vehicle| (other.side - side).abs() < (other.width_m + width_m) / 2.0 + BESIDE.1;
        let nearest =
            nearest.filter(beside).min_by(|a, b| (a.s - a.length_m / 2.0).total_cmp(&(b.s - b.length_m / 2.0)));
        let mut speed = free;
        if let Some(other) = nearest {
            let room = other.s - other.length_m / 2.0 - length_m;
            if room < make.driver.gap_m + 0.6 * other.speed {
                return false;
            }
            speed = free.min(other.speed + 0.4 * room);
        }
        let weights: Vec<f64> = link.next.iter().map(|(_, weight)| *weight).collect();
        let then = match arrival.order {
            Some(Order::Turn { via }) => Some(via),
            _ => (!weights.is_empty()).then(|| link.next[self.chance.pick(&weights)].0),
        };
        let here = Pose { spot: Spot::default(), ahead: Spot::new(0.0, 1.0) };
        let mut vehicle = Vehicle {
            id: arrival.id,
            class: make.class,
            length_m,
            width_m,
            height_m,
            riders: make.riders,
            rider_m: make.rider_m,
            driver: make.driver,
            link: link_id,
            s,
            side,
            speed,
            aims_at: side,
            then,
            order: arrival.order,
            stands_since: None,
            held: Held::Free,
            poses: (here, here),
        };
        let at = pose(link, &vehicle);
        vehicle.poses = (at, at);
        self.vehicles.push(vehicle);
        true
    }

    fn sort(&mut self) {
        for on in &mut self.on_link {
            on.clear();
        }
        for (i, vehicle) in self.vehicles.iter().enumerate() {
            self.on_link[vehicle.link].push(i);
        }
    }

    /// What is ahead of vehicle `i` if it were `side` metres to the left of the link's middle: vehicles and people.
    fn ahead(&self, i: usize, side: f64, on_road: &[Spot]) -> Option<Ahead> {
        let me = &self.vehicles[i];
        let room = if me.class.is_two_wheeler() { BESIDE.0 } else { BESIDE.1 };
        let front = me.s + me.length_m / 2.0;
        let mut nearest: Option<Ahead> = None;
        let mut consider = |gap: f64, speed: f64, held: Held| {
            if gap < SIGHT && nearest.is_none_or(|known| gap < known.gap) {
                nearest = Some(Ahead { gap, speed, held });
            }
        };
        let mut scan = |link: LinkId, offset: f64| {
            for &j in &self.on_link[link] {
                let other = &self.vehicles[j];
                let beside = (other.side - side).abs() >= (other.width_m + me.width_m) / 2.0 + room;
                // Of two in the same place the one with the lower number goes first.
                let behind = other.s + offset < me.s || (other.s + offset == me.s && other.id > me.id);
                if j == i || beside || behind || ordered::overlooks(me, other) {
                    continue;
                }
                let against = matches!(other.order, Some(Order::Against { .. }));
                let gap = other.s + offset - other.length_m / 2.0 - front;
                consider(gap, if against { 0.0 } else { other.speed }, Held::By(other.id));
            }
        };
        scan(me.link, 0.0);
        if let Some(then) = me.then {
            let length = self.links[me.link].way.length();
            if length - me.s < SIGHT {
                scan(then, length);
            }
        }
        for spot in on_road {
            let (s, walker) = self.links[me.link].way.locate(*spot);
            if s > me.s && (walker - side).abs() < (WALKER + me.width_m) / 2.0 + room {
                consider(s - WALKER / 2.0 - front, 0.0, Held::Walker);
            }
        }
        nearest
    }

    fn accelerate(&self, i: usize, now: f64, on_road: &[Spot]) -> (f64, Held) {
        let me = &self.vehicles[i];
        let link = &self.links[me.link];
        match me.order {
            Some(Order::Against { .. }) => return (0.0, Held::Free),
            Some(Order::Brake { s, .. }) if me.s >= s => return (-ordered::SLAMS, Held::Itself),
            _ => {}
        }
        let front = me.s + me.length_m / 2.0;
        let mut hold = me.driver.acceleration(me.speed, self.pace(me), None);
        let mut held = Held::Free;
        let mut consider = |gap: f64, speed: f64, by: Held| {
            let limited = me.driver.acceleration(me.speed, link.pace, Some((gap, me.speed - speed)));
            if limited < hold {
                (hold, held) = (limited, by);
            }
        };
        // One who is pulling out looks along where it is going.
        if let Some(ahead) = self.ahead(i, me.aims_at, on_road) {
            consider(ahead.gap, ahead.speed, ahead.held);
        }
        let heeds = me.order != Some(Order::RunRed);
        if let (Some((line, _)), Some(lamp), true) = (link.stop_line, self.lamp(me.link, now), heeds) {
            let gap = line - front;
            let can_stop = me.speed * me.speed / (2.0 * AMBER_BRAKES) < gap;
            if gap > -0.5 && lamp != Lamp::Green && can_stop {
                consider(gap + me.driver.gap_m * 0.5, 0.0, Held::Lamp);
            }
        }
        for choke in self.chokes.iter().filter(|choke| choke.link == me.link && choke.is_shut(now)) {
            if choke.s > front {
                consider(choke.s - front, 0.0, Held::Lamp);
            }
        }
        if let Some(Order::Stop { s, .. }) = me.order {
            let gap = s - me.s;
            if me.stands_since.is_some() {
                return (-8.0, Held::Itself);
            }
            if gap > -5.0 {
                consider(gap.max(0.0) + me.driver.gap_m, 0.0, Held::Itself);
            }
        }
        (hold, held)
    }

    /// Vehicles at a link's end go to the next one, or out of the world.
    fn hand_over(&mut self) {
        let (links, chance) = (&self.links, &mut self.chance);
        self.vehicles.retain_mut(|vehicle| {
            let link = &links[vehicle.link];
            let length = link.way.length();
            if vehicle.s < length {
                return vehicle.s > 0.0;
            }
            let Some(then) = vehicle.then else { return false };
            vehicle.s -= length;
            vehicle.link = then;
            let next = &links[then];
            let edge = next.half_width_m - vehicle.width_m / 2.0;
            vehicle.side = vehicle.side.clamp(-edge, edge);
            vehicle.aims_at = vehicle.aims_at.clamp(-edge, edge);
            let weights: Vec<f64> = next.next.iter().map(|(_, weight)| *weight).collect();
            vehicle.then = (!weights.is_empty()).then(|| next.next[chance.pick(&weights)].0);
            true
        });
    }
}

/// One step of one vehicle.
fn advance(vehicle: &mut Vehicle, acceleration: f64, now: f64) {
    if let Some(Order::Against { speed }) = vehicle.order {
        vehicle.speed = speed;
        vehicle.s -= speed * TICK_S;
        return;
    }
    let before = vehicle.speed;
    vehicle.speed = (before + acceleration * TICK_S).max(0.0);
    if vehicle.speed < STANDS && acceleration < 0.3 {
        vehicle.speed = 0.0;
    }
    vehicle.s += (before + vehicle.speed) / 2.0 * TICK_S;
    let sideways =
        if vehicle.class.is_two_wheeler() { (0.35 * vehicle.speed).min(1.0) } else { (0.2 * vehicle.speed).min(0.9) };
    vehicle.side += (vehicle.aims_at - vehicle.side).clamp(-sideways * TICK_S, sideways * TICK_S);
    if let Some(Order::Stop { s, seconds, .. }) = vehicle.order {
        match vehicle.stands_since {
            Some(since) if now - since >= seconds => (vehicle.order, vehicle.stands_since) = (None, None),
            None if vehicle.speed == 0.0 && s - vehicle.s < 2.5 => vehicle.stands_since = Some(now),
            _ => {}
        }
    }
    if let Some(Order::Brake { s, side, seconds }) = vehicle.order
        && vehicle.speed == 0.0
        && vehicle.s >= s
    {
        vehicle.order = Some(Order::Stop { s: vehicle.s, side, seconds });
        vehicle.stands_since = Some(now);
    }
}

fn pose(link: &Link, vehicle: &Vehicle) -> Pose {
    let pose = link.way.at(vehicle.s, vehicle.side);
    match vehicle.order {
        Some(Order::Against { .. }) => Pose { ahead: Spot::new(-pose.ahead.x, -pose.ahead.y), ..pose },
        _ => pose,
    }
}

#[cfg(test)]
mod tests;

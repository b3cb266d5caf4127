//! What truly happened: each rule's definition, judged on the ground, in metres, of what the world knows.
//!
//! Every definition is taken three times. *Nominal* is the catalogue's and says when an incident begins and ends. *Sure* is
//! stricter by a margin: what holds so must be found. *Possible* is laxer: what holds so may be found, and is then no false
//! alarm. An incident that was possible but not sure is in doubt ([`Incident::is_sure`]) and counts neither way: a
//! detector's boxes cannot tell one metre from the other at forty metres. The definitions in full are in
//! `docs/simulator.md`.

mod judge;
mod lane;
mod run;

use std::collections::{BTreeMap, BTreeSet};

use analytics::{Class, Direction};

use self::judge::{Grade, Present, needs};
use self::run::Run;
use crate::camera::{Camera, Solid};
use crate::detector::LEAST_VISIBLE;
use crate::ground::Spot;
use crate::place::{Watch, Watched};
use crate::road::{Lamp, LinkId};
use crate::traffic::TICK_S;
use crate::vehicle::{ActorId, Held, Vehicle};
use crate::world::{World, goes_against};

/// With so much of its box in the picture, a body is as good as wholly there.
const WHOLLY: f32 = 0.6;
/// A lamp must have been red for so long, in seconds, that who passes surely ran it: the rule's grace and a second.
const SURELY_RED: f64 = 2.0;

/// Something that truly happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// The rule that should find it.
    pub rule: &'static str,
    /// The kind, by its word on the wire.
    pub kind: &'static str,
    /// When it began, in seconds of the world.
    pub start_s: f64,
    /// When it was over.
    pub end_s: f64,
    /// Since when it was possible, not after `start_s`.
    pub possible_s: f64,
    /// It must be found; otherwise it may.
    pub is_sure: bool,
    /// Of whom, when it is of one.
    pub actor: Option<ActorId>,
    /// Crossings only.
    pub direction: Option<Direction>,
}

/// The truth of one world as it goes on.
#[derive(Debug, Clone)]
pub struct Truth {
    camera: Camera,
    watched: Vec<Watched>,
    /// By watched thing, by actor (zero for the area as a whole).
    runs: Vec<BTreeMap<ActorId, Run>>,
    /// Where vehicles in the picture were a step ago, and when they came into it.
    before: BTreeMap<ActorId, (Spot, Spot)>,
    /// By watched thing, how fast vehicles usually are there.
    usual_mps: Vec<f64>,
    /// Which vehicles' fronts are over the watched stop line of a link.
    over_line: BTreeSet<ActorId>,
    present: Vec<Present>,
    incidents: Vec<Incident>,
}

impl Truth {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(world: &World) -> Self {
        let watched = world.place().watched.clone();
        let runs = vec![BTreeMap::new(); watched.len()];
        let camera = Camera::new(world.place().mount);
        let usual_mps = vec![0.0; watched.len()];
        Self {
            camera,
            watched,
            runs,
            before: BTreeMap::new(),
            usual_mps,
            over_line: BTreeSet::new(),
            present: Vec::new(),
            incidents: Vec::new(),
        }
    }

    /// Takes note of one step of the world.
    pub fn observe(&mut self, world: &World) {
        let now = world.seconds();
        self.look(world);
        for index in 0..self.watched.len() {
            match self.watched[index].watch {
                Watch::LineCrossing { from, to } => self.cross(index, from, to, now),
                Watch::RedLight { link } => self.run_red(index, link, world),
                _ => self.judge(index, now),
            }
        }
        let came = std::mem::take(&mut self.before);
        for one in self.present.iter().filter(|one| one.class.is_vehicle()) {
            let first = came.get(&one.actor).map_or(one.spot, |(_, first)| *first);
            self.before.insert(one.actor, (one.spot, first));
        }
    }

    /// All that happened, by its beginning.
    #[must_use]
    pub fn finish(mut self) -> Vec<Incident> {
        for index in 0..self.watched.len() {
            for (actor, run) in std::mem::take(&mut self.runs[index]) {
                self.end(index, actor, &run);
            }
        }
        self.incidents.sort_by(|a, b| a.start_s.total_cmp(&b.start_s).then(a.rule.cmp(b.rule)));
        self.incidents
    }

    /// Who is in the picture.
    fn look(&mut self, world: &World) {
        self.present.clear();
        let camera = &self.camera;
        for vehicle in world.traffic().vehicles() {
            let (before, pose) = vehicle.poses;
            let (length_m, width_m, top_m) = (vehicle.length_m, vehicle.width_m, vehicle.height_m);
            if let Some(in_picture) = in_picture(camera, &Solid { pose, length_m, width_m, bottom_m: 0.0, top_m }) {
                let cause = cause(world, vehicle.held);
                let velocity =
                    Spot::new((pose.spot.x - before.spot.x) / TICK_S, (pose.spot.y - before.spot.y) / TICK_S);
                self.present.push(Present {
                    actor: vehicle.id,
                    class: vehicle.class,
                    spot: pose.spot,
                    ahead: pose.ahead,
                    velocity,
                    came_m: self.before.get(&vehicle.id).map_or(0.0, |(_, first)| first.distance(pose.spot)),
                    length_m: vehicle.length_m,
                    cause,
                    in_picture,
                });
            }
        }
        for walker in world.walkers() {
            let pose = walker.poses.1;
            let spot = pose.spot;
            let solid = Solid { pose, length_m: 0.5, width_m: 0.5, bottom_m: 0.0, top_m: walker.height_m };
            if let Some(in_picture) = in_picture(camera, &solid) {
                self.present.push(Present {
                    actor: walker.id,
                    class: Class::Person,
                    spot,
                    ahead: pose.ahead,
                    velocity: Spot::default(),
                    came_m: 0.0,
                    length_m: 0.5,
                    cause: Held::Free,
                    in_picture,
                });
            }
        }
    }

    fn judge(&mut self, index: usize, now: f64) {
        let watch = &self.watched[index].watch;
        let runs = &mut self.runs[index];
        let needs = needs(watch);
        let present = &self.present;
        let of_all = match watch {
            Watch::Crowding { area, count, .. } => Some(judge::crowd(present, area, *count)),
            Watch::Congestion { area, heading, occupancy, speed_mps, .. } => {
                Some(lane::congested(present, area, *heading, (*occupancy, *speed_mps)))
            }
            Watch::QueueSpillback { area, heading, mark_m, gap_m, .. } => {
                Some(lane::spilled(present, area, *heading, *mark_m, *gap_m))
            }
            _ => None,
        };
        match of_all {
            Some(Grade::No) => {}
            Some(grade) => runs.entry(0).or_insert_with(|| Run::new(now)).note(now, grade, Spot::default(), needs),
            None => {
                let queue = judge::queue(present, watch);
                let usual = usual(&mut self.usual_mps[index], present, watch);
                for one in present {
                    let grade = judge::of(one, watch, queue, usual).min(one.in_picture);
                    if grade > Grade::No {
                        runs.entry(one.actor).or_insert_with(|| Run::new(now)).note(now, grade, one.spot, needs);
                    }
                }
            }
        }
        let over: Vec<_> = runs.extract_if(.., |_, run| now - run.last > needs.over_s).collect();
        for (actor, run) in over {
            self.end(index, actor, &run);
        }
    }

    fn end(&mut self, index: usize, actor: ActorId, run: &Run) {
        let Watched { id, watch } = &self.watched[index];
        let needs = needs(watch);
        if run.is_possible(needs) {
            self.incidents.push(Incident {
                rule: id,
                kind: watch.kind(),
                start_s: run.start_s(),
                end_s: run.last,
                possible_s: run.first,
                is_sure: run.is_sure(needs),
                actor: (actor > 0).then_some(actor),
                direction: None,
            });
        }
    }

    /// Vehicles whose front passed the stop line of `link` in this step, while its lamp was red; surely, when it had been
    /// for more than [`SURELY_RED`].
    fn run_red(&mut self, index: usize, link: LinkId, world: &World) {
        let place = world.place();
        let (Some((line, phase)), Some(signal)) = (place.links[link].stop_line, place.signal) else { return };
        let now = world.seconds();
        // One who drives against the traffic comes to the line from behind it.
        let with = |vehicle: &&Vehicle| vehicle.link == link && !goes_against(vehicle);
        let on = world.traffic().vehicles().iter().filter(with);
        let over: BTreeSet<ActorId> =
            on.filter(|vehicle| vehicle.s + vehicle.length_m / 2.0 > line).map(|vehicle| vehicle.id).collect();
        if signal.lamp(phase, now) == Lamp::Red {
            let red_s = signal.shown_for_s(phase, now);
            for actor in over.difference(&self.over_line) {
                self.incidents.push(Incident {
                    rule: self.watched[index].id,
                    kind: self.watched[index].watch.kind(),
                    start_s: now,
                    end_s: now + 1.0,
                    possible_s: now,
                    is_sure: red_s > SURELY_RED,
                    actor: Some(*actor),
                    direction: None,
                });
            }
        }
        self.over_line = over;
    }

    /// Vehicles whose middle passed the line in this step; a crossing lasts from the front to the rear.
    fn cross(&mut self, index: usize, from: Spot, to: Spot, now: f64) {
        let line = Spot::new(to.x - from.x, to.y - from.y);
        let length = line.x.hypot(line.y);
        let offset = |spot: Spot| (line.x * (spot.y - from.y) - line.y * (spot.x - from.x)) / length;
        for one in self.present.iter().filter(|one| one.class.is_vehicle()) {
            let Some((before, _)) = self.before.get(&one.actor) else { continue };
            let (was, is) = (offset(*before), offset(one.spot));
            let along = (line.x * (one.spot.x - from.x) + line.y * (one.spot.y - from.y)) / (length * length);
            if (was > 0.0) == (is > 0.0) || !(-0.05..=1.05).contains(&along) {
                continue;
            }
            let speed = (one.velocity.x.hypot(one.velocity.y)).max(0.3);
            let half_s = one.length_m / 2.0 / speed;
            let direction = if is < 0.0 { Direction::LeftToRight } else { Direction::RightToLeft };
            self.incidents.push(Incident {
                rule: self.watched[index].id,
                kind: self.watched[index].watch.kind(),
                start_s: now - half_s,
                end_s: now + half_s,
                possible_s: now - half_s,
                is_sure: (0.03..=0.97).contains(&along),
                actor: Some(one.actor),
                direction: Some(direction),
            });
        }
    }
}

/// Whether it is in the picture as far as the truth is concerned: surely, when the ground in its middle is and most of
/// it; possibly, when the detector may see what is left of it. Of one cut off at the picture's edge nobody can tell from its
/// box where it stands. `None`: it is not to be seen.
fn in_picture(camera: &Camera, solid: &Solid) -> Option<Grade> {
    let inside = |at: f32| (0.0..=1.0).contains(&at);
    let point = camera.point(solid.pose.spot, 0.0)?;
    let stands_in = inside(point.x) && inside(point.y);
    let well_in = |at: f32| (0.15..=0.85).contains(&at);
    if well_in(point.x) && well_in(point.y) {
        return Some(Grade::Sure);
    }
    let bbox = camera.view(solid)?.bbox;
    let share = bbox.clipped().map_or(0.0, |seen| seen.area() / bbox.area());
    match share {
        _ if share >= WHOLLY && stands_in => Some(Grade::Sure),
        _ if share >= LEAST_VISIBLE => Some(Grade::Possible),
        _ => None,
    }
}

/// How fast vehicles usually are where slow ones are watched for: a mean over the last minutes in which there were any.
fn usual(mps: &mut f64, present: &[Present], watch: &Watch) -> f64 {
    const MINUTES: f64 = 120.0 / TICK_S;
    let Watch::SlowVehicle { area, .. } = watch else { return 0.0 };
    let on = present.iter().filter(|one| one.class.is_vehicle() && area.depth(one.spot) >= 0.0);
    for one in on {
        *mps += (one.speed() - *mps) / MINUTES;
    }
    *mps
}

/// Why a vehicle does not move. One behind others waits for what the first of them waits for when that is a lamp or a jam;
/// else it is held by them, however the first came to stand.
fn cause(world: &World, held: Held) -> Held {
    let mut first = held;
    for _ in 0..40 {
        let Held::By(other) = first else { break };
        match world.traffic().vehicle(other) {
            Some(vehicle) => first = vehicle.held,
            None => break,
        }
    }
    if first == Held::Lamp { first } else { held }
}

#[cfg(test)]
mod tests;

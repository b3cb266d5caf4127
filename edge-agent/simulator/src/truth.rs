//! What truly happened: each rule's definition, judged on the ground, in metres, of what the world knows.
//!
//! Every definition is taken three times. *Nominal* is the catalogue's and says when an incident begins and ends. *Sure* is
//! stricter by a margin: what holds so must be found. *Possible* is laxer: what holds so may be found, and is then no false
//! alarm. An incident that was possible but not sure is in doubt ([`Incident::is_sure`]) and counts neither way: a
//! detector's boxes cannot tell one metre from the other at forty metres. The definitions in full are in
//! `docs/simulator.md`.

mod judge;
mod lane;
mod passing;
mod run;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use analytics::{BBox, Class, Direction};

use self::judge::{Grade, Present, needs};
use self::run::Run;
use crate::camera::{Camera, Solid, View};
use crate::detector::{LEAST_VISIBLE, MOST_COVERED};
use crate::ground::Spot;
use crate::place::{Watch, Watched};
use crate::traffic::TICK_S;
use crate::vehicle::{ActorId, Held};
use crate::world::World;

/// With so much of its box in the picture, a body is as good as wholly there.
const WHOLLY: f32 = 0.6;

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
    /// And of whom else, when it is of two.
    pub other: Option<ActorId>,
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
    /// By watched thing, when each was last where a forbidden turn begins.
    left: Vec<BTreeMap<ActorId, f64>>,
    /// By watched thing, since when a vehicle stands or goes across its line: its front is over it, its rear is not.
    astride: Vec<BTreeMap<ActorId, f64>>,
    /// Who ran into whom.
    met: BTreeMap<ActorId, ActorId>,
    /// By watched thing, when vehicles crossed the line of a flow.
    crossed: Vec<VecDeque<f64>>,
    present: Vec<Present>,
    /// How the camera sees those present, once that is asked for.
    views: OnceCell<Vec<Option<Shown>>>,
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
        let (left, crossed) = (vec![BTreeMap::new(); watched.len()], vec![VecDeque::new(); watched.len()]);
        let astride = vec![BTreeMap::new(); watched.len()];
        Self {
            camera,
            watched,
            runs,
            before: BTreeMap::new(),
            usual_mps,
            over_line: BTreeSet::new(),
            left,
            astride,
            met: BTreeMap::new(),
            crossed,
            present: Vec::new(),
            views: OnceCell::new(),
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
                Watch::ForbiddenTurn { .. } => self.turn(index, now),
                Watch::Collision { .. } => self.collide(index, world),
                Watch::FlowDrop { .. } => self.flow(index, now),
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
        self.views.take();
        let camera = &self.camera;
        for vehicle in world.traffic().vehicles() {
            let (before, pose) = vehicle.poses;
            let (length_m, width_m) = (vehicle.length_m, vehicle.width_m);
            let top_m = if vehicle.riders > 0 { vehicle.rider_m } else { vehicle.height_m };
            let solid = Solid { pose, length_m, width_m, bottom_m: 0.0, top_m };
            if let Some(in_picture) = in_picture(camera, &solid) {
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
                    solid,
                    own_top_m: vehicle.height_m,
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
                    solid,
                    own_top_m: walker.height_m,
                });
            }
        }
    }

    fn judge(&mut self, index: usize, now: f64) {
        let watch = &self.watched[index].watch;
        let runs = &mut self.runs[index];
        let needs = needs(watch);
        let (present, camera, views) = (&self.present, &self.camera, &self.views);
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
                for (i, one) in present.iter().enumerate() {
                    let mut grade = judge::of(one, watch, queue, usual).min(one.in_picture);
                    if grade > Grade::Possible && is_hidden(views.get_or_init(|| seen(camera, present)), i) {
                        grade = Grade::Possible;
                    }
                    if grade > Grade::No {
                        runs.entry(one.actor).or_insert_with(|| Run::new(now)).note(now, grade, one.spot, needs);
                    }
                }
            }
        }
        self.end_over(index, now);
    }

    /// Ends what has not been possible for long enough.
    fn end_over(&mut self, index: usize, now: f64) {
        let over_s = needs(&self.watched[index].watch).over_s;
        let over: Vec<_> = self.runs[index].extract_if(.., |_, run| now - run.last > over_s).collect();
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
                other: self.met.get(&actor).copied().filter(|_| matches!(watch, Watch::Collision { .. })),
                direction: None,
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

/// How the camera sees one.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// With who rides it: what it covers of others.
    whole: View,
    /// By itself: what a detector is asked for.
    own: BBox,
}

/// How the camera sees them.
fn seen(camera: &Camera, present: &[Present]) -> Vec<Option<Shown>> {
    let shown = |one: &Present| {
        let own = camera.view(&Solid { top_m: one.own_top_m, ..one.solid })?.bbox;
        Some(Shown { whole: camera.view(&one.solid)?, own })
    };
    present.iter().map(shown).collect()
}

/// Whether what is nearer to the camera covers almost all of this one.
fn is_hidden(shown: &[Option<Shown>], i: usize) -> bool {
    let Some(this) = shown[i] else { return true };
    let nearer = shown.iter().flatten().filter(|other| other.whole.distance_m < this.whole.distance_m);
    let shares = nearer.map(|other| f64::from(this.own.intersection(other.whole.bbox) / this.own.area()).min(1.0));
    let free = shares.fold(1.0, |free, share| free * (1.0 - share));
    1.0 - free > MOST_COVERED
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

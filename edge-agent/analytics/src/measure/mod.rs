//! Traffic measures of one camera: scenes in, one [`Interval`] of figures out whenever the site's clock begins the next.
//!
//! An interval begins where the site's clock shows a multiple of its length since the full hour. Lines give counts by class
//! and direction, headway, gap and speeds; every pair of lines a movement (the turning matrix: lines are the gates); lanes
//! give occupancy, density, speed, queue and level of service. What needs metres is there on calibrated cameras only.
//!
//! # Invariants
//! - Only confirmed tracks count, once a crossing ([`Crossings`]); a rider counts with what it rides.
//! - A vehicle makes one movement at most: from the gate it crossed first to the one it crossed next.
//! - What was not observed is not counted and not made up: `observed_s` says how much was.
//! - All sums are in the [`Tally`]: restored in a later session it goes on as if nothing had been.
//!
//! # Failure
//! A clock set back by less than an interval leaves the running interval as it is; set back further, it is closed, and a
//! later one may have the same beginning: receivers add the two. Of a vehicle under way when the program stopped, the movement is lost; its headway
//! to the next one too.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::class::Class;
use crate::finding::Direction;
use crate::geometry::Point;
use crate::ground::{Ground, Length, Unit};
use crate::id::CameraId;
use crate::incident::Ids;
use crate::rules::RuleParams;
use crate::scene::{Scene, Track, TrackId};
use crate::schedule::LocalTime;
use crate::time::{FrameStamp, MediaTime, WallTime};
use crate::traffic::crossing::Crossings;
use crate::traffic::lane::{self, Axis, LaneWork};
use crate::traffic::pace::Paces;
use crate::traffic::queue::{QueueParams, find_standing, queues};
use crate::zone::{Line, Zone};

mod figures;
mod tally;

pub use figures::{Banded, Interval, LaneFigures, Level, LevelBasis, LineFigures, Movement, SpeedFigures, WayFigures};
use tally::LaneTally;
pub use tally::Tally;

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureParams {
    /// The camera.
    pub camera: CameraId,
    /// How long an interval is; it divides an hour.
    pub interval: Duration,
    /// Where crossings are counted; the gates of the turning matrix.
    pub lines: Vec<Line>,
    /// Whose occupancy, density and queue are measured.
    pub lanes: Vec<Zone>,
    /// Where they lie on the ground; calibrated cameras only.
    pub ground: Option<Ground>,
    /// Two frames further apart than this: between them nothing was observed.
    pub longest_step: Duration,
    /// Seed of the ids: random per session in `run`, fixed in `replay`.
    pub id_seed: u64,
}

impl MeasureParams {
    /// The usual interval.
    pub const INTERVAL: Duration = Duration::from_secs(60);
    /// Two standing vehicles no further apart than this belong to one queue: 8 m of road and a car …
    pub const QUEUE_GAP_ON_GROUND: Length = Length::metres(12.0);
    /// … or this many box heights.
    pub const QUEUE_GAP: Length = Length::heights(4.0);

    /// `longest_step` for a camera that is analysed at `fps`: three frames missed in a row, at least 2 s.
    #[must_use]
    pub fn longest_step(fps: f64) -> Duration {
        Duration::from_secs_f64((4.0 / fps.max(0.01)).max(2.0))
    }

    fn queue(&self) -> QueueParams {
        match self.ground {
            Some(_) => QueueParams { speed: RuleParams::STOPPED_SPEED_ON_GROUND, gap: Self::QUEUE_GAP_ON_GROUND },
            None => QueueParams { speed: RuleParams::STOPPED_SPEED, gap: Self::QUEUE_GAP },
        }
    }
}

/// Passenger-car units of a vehicle in a lane: a motorcycle needs about a third of a car's road, a bus or truck that of two.
/// This project's choice, within what Vietnamese design standards use for urban roads.
const fn passenger_car_units(class: Class) -> f64 {
    match class {
        Class::Person => 0.0,
        Class::Bicycle => 0.2,
        Class::Motorcycle => 0.3,
        Class::Car => 1.0,
        Class::Bus | Class::Truck => 2.0,
    }
}

/// Ids of intervals and of events come from one seed and must not meet.
const OWN_IDS: u64 = 0x6d65_6173_7572_6573;

/// The measures of one camera. Lives as long as its session; owned by one task.
#[derive(Debug)]
pub struct Measures {
    ids: Ids,
    gates: Vec<Gate>,
    paces: Paces,
    /// The gate that a track crossed first; `None` once its movement is counted.
    first_gates: BTreeMap<TrackId, Option<usize>>,
    last: Option<FrameStamp>,
    running: Option<Tally>,
    has_changed: bool,
    params: MeasureParams,
    /// Work space of a scene.
    work: LaneWork,
    lanes: Vec<LaneNow>,
}

/// A line, and who crossed it last each way.
#[derive(Debug)]
struct Gate {
    crossings: Crossings,
    followed: [Option<Leader>; 2],
}

/// Who crossed last: when, and how long it covered the line.
#[derive(Debug, Clone, Copy)]
struct Leader {
    at: MediaTime,
    covered_s: Option<f64>,
}

/// What is seen of one lane in one scene.
#[derive(Debug)]
struct LaneNow {
    occupancy: f64,
    vehicles: f64,
    pcu: f64,
    timed: f64,
    speed_sum_mps: f64,
    length_m: Option<f64>,
    queue: u32,
    queue_m: Option<f64>,
}

impl Measures {
    /// Measures that have seen nothing.
    #[must_use]
    pub fn new(params: MeasureParams) -> Self {
        let gate =
            |line: &Line| Gate { crossings: Crossings::new(line.clone(), RuleParams::HYSTERESIS), followed: [None; 2] };
        Self {
            ids: Ids::new(params.id_seed ^ OWN_IDS),
            gates: params.lines.iter().map(gate).collect(),
            paces: Paces::new(if params.ground.is_some() { Unit::Metres } else { Unit::BoxHeights }),
            first_gates: BTreeMap::new(),
            last: None,
            running: None,
            has_changed: false,
            params,
            work: LaneWork::default(),
            lanes: Vec::new(),
        }
    }

    /// Takes up the interval that an earlier session left running; before the first scene. Should another one have begun
    /// meanwhile, it closes as it is.
    pub fn restore(&mut self, running: Tally) {
        self.running = Some(running);
    }

    /// The sums of the running interval: what a later session goes on from.
    #[must_use]
    pub fn running(&self) -> Option<&Tally> {
        self.running.as_ref()
    }

    /// Whether something was counted since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Takes one scene as rules saw it; what it closed. `local` is what the site's clock showed.
    pub fn step(&mut self, scene: &Scene, local: LocalTime) -> Option<Interval> {
        let stamp = &scene.stamp;
        let mut step = self.last.as_ref().map_or(Duration::ZERO, |last| stamp.pts.since(last.pts));
        if step > self.params.longest_step {
            step = Duration::ZERO;
            self.gates.iter_mut().for_each(|gate| gate.followed = [None; 2]);
        }
        self.paces.observe(scene);
        let (mut lanes, mut work) = (std::mem::take(&mut self.lanes), std::mem::take(&mut self.work));
        lanes.clear();
        lanes.extend(self.params.lanes.iter().map(|zone| self.lane(zone, scene, &mut work)));
        let from = begin(stamp.captured_at, local, self.params.interval);
        let closed = self.running.take_if(|running| is_another(running, from, self.params.interval));
        let closed = closed.map(|mut tally| {
            // The end of the last step belongs to the new interval.
            let before = self.last.as_ref().map_or(0, |last| nanos_between(last.captured_at, tally.until()));
            let before = Duration::from_nanos(u64::try_from(before).unwrap_or(0)).min(step);
            accumulate(&mut tally, &self.params.lanes, &lanes, before);
            step -= before;
            self.figures(&tally)
        });
        let mut running = self.running.take().unwrap_or_else(|| self.begun(from));
        accumulate(&mut running, &self.params.lanes, &lanes, step);
        running.frames += 1;
        self.count(scene, &mut running);
        self.running = Some(running);
        self.last = Some(stamp.clone());
        (self.lanes, self.work) = (lanes, work);
        closed
    }

    /// Closes the running interval if it ended before `now`: no frame comes that would.
    pub fn close_overdue(&mut self, now: WallTime) -> Option<Interval> {
        let overdue = self.running.take_if(|running| now >= running.until())?;
        Some(self.figures(&overdue))
    }

    /// Closes the running interval as it is: the clip is over.
    pub fn finish(&mut self) -> Option<Interval> {
        let running = self.running.take()?;
        Some(self.figures(&running))
    }

    fn begun(&self, from: WallTime) -> Tally {
        Tally {
            from_unix_nanos: from.as_unix_nanos(),
            length_nanos: nanos(self.params.interval),
            // A zero that was observed is a figure too.
            lines: self.params.lines.iter().map(|line| (line.id.to_string(), Default::default())).collect(),
            lanes: self.params.lanes.iter().map(|lane| (lane.id.to_string(), LaneTally::default())).collect(),
            ..Tally::default()
        }
    }

    fn figures(&mut self, tally: &Tally) -> Interval {
        let id = self.ids.next_at(&self.params.camera, tally.until());
        tally.figures(id)
    }

    fn count(&mut self, scene: &Scene, tally: &mut Tally) {
        for track in &scene.ended {
            self.first_gates.remove(track);
        }
        for (index, gate) in self.gates.iter_mut().enumerate() {
            gate.crossings.forget(&scene.ended);
            for track in scene.seen().filter(|track| track.rider_of.is_none()) {
                let Some(crossing) = gate.crossings.observe(track, scene.aspect) else { continue };
                self.has_changed = true;
                let line = gate.crossings.line();
                let way = tally.lines.entry(line.id.to_string()).or_default().way(crossing.direction);
                *way.counts.entry(track.class.label().to_owned()).or_default() += 1;
                if !track.class.is_vehicle() {
                    continue;
                }
                if let (Some(speed_mps), Some(ground)) = (self.paces.speed(track.id, scene.aspect), track.ground) {
                    way.speed.add(speed_mps * 3.6, ground.error);
                }
                let leader =
                    Leader { at: scene.stamp.pts, covered_s: covered_s(line, track, &self.paces, scene.aspect) };
                let followed = &mut gate.followed[usize::from(crossing.direction == Direction::RightToLeft)];
                if let Some(before) = followed.replace(leader) {
                    let headway_s = leader.at.since(before.at).as_secs_f64();
                    way.headway.add(headway_s);
                    if let Some(covered_s) = before.covered_s {
                        way.gap.add((headway_s - covered_s).max(0.0));
                    }
                }
                match self.first_gates.get(&track.id) {
                    None => {
                        self.first_gates.insert(track.id, Some(index));
                    }
                    Some(Some(first)) => {
                        let from = self.params.lines[*first].id.as_str();
                        tally.count_movement(from, line.id.as_str(), track.class.label());
                        self.first_gates.insert(track.id, None);
                    }
                    Some(None) => {}
                }
            }
        }
    }

    fn lane(&self, zone: &Zone, scene: &Scene, work: &mut LaneWork) -> LaneNow {
        let axis = Axis::of(zone, scene.aspect);
        lane::vehicles(zone, &axis, scene, &self.paces, |_| true, &mut work.vehicles);
        let QueueParams { speed, gap } = self.params.queue();
        find_standing(work, speed);
        let occupancy = lane::occupancy(work);
        let LaneWork { vehicles, standing, .. } = work;
        let longest = queues(standing, gap, scene.aspect).max_by_key(|queue| queue.vehicles.len());
        let ground = self.params.ground.as_ref();
        let speeds = || vehicles.iter().filter(|_| ground.is_some()).filter_map(|vehicle| vehicle.speed);
        LaneNow {
            occupancy,
            vehicles: vehicles.len() as f64,
            pcu: vehicles.iter().map(|vehicle| passenger_car_units(vehicle.class)).sum(),
            timed: speeds().count() as f64,
            speed_sum_mps: speeds().sum(),
            length_m: ground.and_then(|ground| axis.length_m(ground)),
            queue: longest.map_or(0, |queue| queue.vehicles.len() as u32),
            queue_m: longest.and_then(|queue| queue.length_m()),
        }
    }

    /// Of how many tracks it knows something.
    #[cfg(test)]
    fn tracked(&self) -> usize {
        let of_gates = self.gates.iter().map(|gate| gate.crossings.len()).max().unwrap_or(0);
        self.first_gates.len().max(self.paces.len()).max(of_gates)
    }
}

/// Adds `step` of what is seen.
fn accumulate(tally: &mut Tally, zones: &[Zone], lanes: &[LaneNow], step: Duration) {
    let seconds = step.as_secs_f64();
    tally.observed_s += seconds;
    for (zone, now) in zones.iter().zip(lanes) {
        if !tally.lanes.contains_key(zone.id.as_str()) {
            tally.lanes.insert(zone.id.to_string(), LaneTally::default());
        }
        let Some(lane) = tally.lanes.get_mut(zone.id.as_str()) else { continue };
        lane.occupied_s += now.occupancy * seconds;
        lane.vehicle_s += now.vehicles * seconds;
        lane.pcu_s += now.pcu * seconds;
        lane.timed_s += now.timed * seconds;
        lane.travelled_m += now.speed_sum_mps * seconds;
        lane.length_m = now.length_m;
        lane.queued_s += f64::from(now.queue) * seconds;
        lane.queue_most = lane.queue_most.max(now.queue);
        lane.queue_longest_m = now.queue_m.map(|m| m.max(lane.queue_longest_m.unwrap_or(0.0))).or(lane.queue_longest_m);
    }
}

/// For how long a vehicle that is on a line covers it, in seconds: the extent of its footprint (the lower half of its box)
/// across the line, over its speed across. `None` when it hardly moves or was not seen for long enough.
fn covered_s(line: &Line, track: &Track, paces: &Paces, aspect: f32) -> Option<f64> {
    let (ago, now) = paces.step(track.id)?;
    let offset = |point: Point| f64::from(line.segment.offset(point, aspect));
    let speed = (offset(now.point) - offset(ago.point)).abs() / now.at.since(ago.at).as_secs_f64();
    let (bbox, middle) = (track.bbox, track.bbox.center().y);
    let corners =
        [(bbox.left(), bbox.bottom()), (bbox.right(), bbox.bottom()), (bbox.left(), middle), (bbox.right(), middle)];
    let offsets = corners.map(|(x, y)| offset(Point::new(x, y)));
    let extent = offsets.iter().copied().fold(f64::MIN, f64::max) - offsets.iter().copied().fold(f64::MAX, f64::min);
    (speed > 1e-3).then(|| extent / speed)
}

/// Where the interval that holds `at` begins.
fn begin(at: WallTime, local: LocalTime, interval: Duration) -> WallTime {
    const MINUTE: i64 = 60_000_000_000;
    let into_hour = i64::from(local.minute % 60) * MINUTE + at.as_unix_nanos().rem_euclid(MINUTE);
    WallTime::from_unix_nanos(at.as_unix_nanos() - into_hour % nanos(interval).max(1))
}

/// Whether `from` begins another interval than the running one. A clock set back by less than an interval does not.
fn is_another(running: &Tally, from: WallTime, interval: Duration) -> bool {
    let ahead = nanos_between(running.from(), from);
    ahead > 0 || ahead < -nanos(interval) || running.length_nanos != nanos(interval)
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn nanos_between(from: WallTime, to: WallTime) -> i64 {
    to.as_unix_nanos().saturating_sub(from.as_unix_nanos())
}

#[cfg(test)]
mod tests;

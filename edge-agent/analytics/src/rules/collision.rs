//! Suspected collision: two vehicles that touch have stopped together, at least one of them sharply, with nobody standing ahead.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::class::Class;
use crate::finding::{Finding, RuleInfo, Subject};
use crate::ground::{Speed, Unit};
use crate::rules::motion::{Place, Trail, rounded};
use crate::rules::standing::{Stand, Vehicle};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::zone::{Anchor, Zone};

/// Slower than this is standing.
const SLOW: Speed = Speed::heights_per_s(0.1);
/// The momentary speed is displacement over this long, …
const WINDOW: Duration = Duration::from_millis(500);
/// … a deceleration the loss of it within this long, …
const BRAKING: Duration = Duration::from_millis(1500);
/// … and this long at least.
const LOSS: Duration = Duration::from_millis(1000);
/// … and the sharpest counts when it was this close to the stop.
const AROUND: Duration = Duration::from_secs(3);
/// Ordinary braking and one that no brake explains, in metres a second squared: between them the part rises from 0 to 1.
const ORDINARY_MPS2: f64 = 3.0;
const VIOLENT_MPS2: f64 = 7.5;
/// The same in box heights, where the ground is not known; a car's height is 1.5 m. Along the view that sees too little: a
/// metre away from the camera is a fraction of a metre high.
const ORDINARY_HEIGHTS: f64 = 2.0;
const VIOLENT_HEIGHTS: f64 = 5.0;
/// Boxes that share this much (IoU) touch.
const TOUCH_IOU: f64 = 0.05;
/// Those that touch stand as close as they can: where the ground is known, one's end that is nearer to the camera is no
/// further from the other's than the nearer one is long, and this much (two boxes' errors) …
const GAP_M: f64 = 1.5;
/// … and where it is not, their lower edges are no further apart than this share of the lower box.
const LEVEL: f32 = 0.5;
/// Both stop within this long of each other.
const TOGETHER: Duration = Duration::from_secs(3);
/// Two that have stood for so long beyond the hold have not met: later, boxes of a queue overlap by chance. Raising it finds
/// those that were covered at first.
const LATE: Duration = Duration::from_secs(20);
/// Who stops behind or beside others that stand this far ahead, behind its own place and to the side, in box heights, stops
/// for them or for what they wait for.
const AHEAD: f64 = 6.0;
const ABREAST: f64 = 0.5;
const ASIDE: f64 = 2.0;
/// A person on foot within this many box heights is near.
const NEAR: f32 = 1.5;

/// Weights of the parts. Touching and sharp braking alone (a queue that closes up hard) do not reach 0.7; a person who has
/// got out beside them makes up for one that is missing.
const OVERLAP: f64 = 0.3;
const DECELERATION: f64 = 0.35;
const STOPPED: f64 = 0.35;
const PERSON: f64 = 0.1;
/// Who is on foot beside those that stopped less sharply than this counts for less: in a queue many a rider looks like it.
const SHARP: f64 = 0.3;

/// Finds pairs of vehicles in the zone whose composite score reaches `score`, once both have stood for `hold`. It lasts until
/// neither stands there any more.
pub(super) struct Collision {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) score: f64,
    pub(super) hold: Duration,
    pub(super) tracks: BTreeMap<TrackId, Driver>,
    /// The other one of each that was found, and their score.
    pub(super) crashes: BTreeMap<TrackId, (TrackId, f64)>,
    pub(super) armed: MediaTime,
}

/// One vehicle.
pub(super) struct Driver {
    vehicle: Vehicle,
    trail: Trail,
    /// Its speeds while it may still brake.
    speeds: VecDeque<(MediaTime, Speed)>,
    /// How sharp the sharpest deceleration lately was, 0 (ordinary) to 1, and when.
    braked: Option<(MediaTime, f64)>,
}

impl Driver {
    fn new(track: &Track, now: MediaTime) -> Self {
        let vehicle = Vehicle::new(track, Anchor::BottomCenter, now);
        Self { vehicle, trail: Trail::new(WINDOW), speeds: VecDeque::new(), braked: None }
    }

    fn see(&mut self, track: &Track, now: MediaTime, aspect: f32, presumed: bool) {
        self.vehicle.see(track, Anchor::BottomCenter, (now, aspect), SLOW, presumed);
        let place = Place::of(track, Anchor::BottomCenter, now);
        let before = self.trail.window_ago(now);
        self.trail.push(place);
        let in_unit = |before: Place| {
            let unit =
                if before.distance_to(place, aspect, Unit::Metres).is_some() { Unit::Metres } else { Unit::BoxHeights };
            Some(Speed { value: before.speed_in(place, aspect, unit)?, unit })
        };
        let Some(speed) = before.and_then(in_unit) else { return };
        while self.speeds.front().is_some_and(|(at, _)| now.since(*at) > BRAKING) {
            self.speeds.pop_front();
        }
        let comparable = self.speeds.iter().filter(|(_, was)| was.unit == speed.unit);
        let loss = |(at, was): &(MediaTime, Speed)| (was.value - speed.value) / now.since(*at).max(LOSS).as_secs_f64();
        let (ordinary, violent) = match speed.unit {
            Unit::Metres => (ORDINARY_MPS2, VIOLENT_MPS2),
            Unit::BoxHeights => (ORDINARY_HEIGHTS, VIOLENT_HEIGHTS),
        };
        let most = comparable.map(loss).fold(0.0, f64::max);
        let sharpest = ((most - ordinary) / (violent - ordinary)).clamp(0.0, 1.0);
        if self.braked.is_none_or(|(at, most)| sharpest > most || now.since(at) > 2 * AROUND) && self.is_rolling() {
            self.braked = Some((now, sharpest));
        }
        self.speeds.push_back((now, speed));
    }

    /// It does not stand, or has only just stopped: later jumps of its box are no braking.
    fn is_rolling(&self) -> bool {
        self.vehicle.stand().is_none_or(|stand| stand.last.since(stand.since) <= AROUND)
    }

    /// How sharply it stopped, 0 to 1.
    fn sharpness(&self, stand: Stand) -> f64 {
        let apart = |at: MediaTime| at.since(stand.since).max(stand.since.since(at));
        self.braked.filter(|(at, _)| apart(*at) <= AROUND).map_or(0.0, |(_, sharpest)| sharpest)
    }
}

impl Collision {
    fn stand(&self, track: &Track) -> Option<Stand> {
        let stand = self.tracks.get(&track.id)?.vehicle.stand()?;
        self.zone.polygon.contains(stand.point()).then_some(stand)
    }

    /// How much a pair looks like a collision, and since when; `None` when they do not touch.
    fn score(&self, (a, b): (&Track, &Track), scene: &Scene) -> Option<(f64, MediaTime)> {
        let (stand_a, stand_b) = (self.stand(a)?, self.stand(b)?);
        let overlap = f64::from(a.bbox.iou(b.bbox));
        if overlap <= 0.0 || !is_close(a, b) {
            return None;
        }
        let (first, last) = (stand_a.since.min(stand_b.since), stand_a.since.max(stand_b.since));
        let sharpness = |track: &Track, stand| self.tracks.get(&track.id).map_or(0.0, |d| d.sharpness(stand));
        let together =
            last.since(first) <= TOGETHER && !self.is_queueing((a.id, stand_a), (b.id, stand_b), scene.aspect);
        let on_foot = |track: &&Track| track.class == Class::Person && track.rider_of.is_none();
        let near = |person: &Track, track: &Track| {
            let apart = person.bbox.bottom_center().distance(track.bbox.bottom_center(), scene.aspect);
            apart <= NEAR * track.bbox.height()
        };
        let person = scene.seen().filter(on_foot).any(|person| near(person, a) || near(person, b));
        let sharpest = sharpness(a, stand_a).max(sharpness(b, stand_b));
        let score = OVERLAP * (overlap / TOUCH_IOU).min(1.0)
            + DECELERATION * sharpest
            + STOPPED * f64::from(u8::from(together))
            + PERSON * (f64::from(u8::from(person)) * sharpest / SHARP).min(1.0);
        Some((score, last))
    }

    /// Whether one of two came to stand because somebody stands ahead or abreast of it: at a lamp, in a jam.
    fn is_queueing(&self, a: (TrackId, Stand), b: (TrackId, Stand), aspect: f32) -> bool {
        let others = self.tracks.iter().filter(|(id, _)| ![a.0, b.0].contains(id));
        let stands = others.filter_map(|(_, other)| other.vehicle.stand());
        stands.filter(|other| self.zone.polygon.contains(other.point())).any(|other| {
            [a, b].into_iter().any(|(id, stand)| {
                let heading = self.tracks.get(&id).and_then(|driver| driver.vehicle.heading(aspect));
                heading.is_some_and(|heading| {
                    let (ahead, aside) = stand.towards(other.place(), heading, aspect);
                    let is_before = other.since <= stand.since + TOGETHER;
                    is_before && (-ABREAST..=AHEAD).contains(&ahead) && aside <= ASIDE
                })
            })
        })
    }

    /// New pairs that stand and score enough.
    fn pair_up(&mut self, scene: &Scene, vehicles: &[&Track]) {
        let mut taken: BTreeSet<TrackId> =
            self.crashes.iter().flat_map(|(first, (second, _))| [*first, *second]).collect();
        for (i, a) in vehicles.iter().enumerate() {
            for b in &vehicles[i + 1..] {
                if taken.contains(&a.id) || taken.contains(&b.id) {
                    continue;
                }
                let scored = self.score((a, b), scene).filter(|(score, since)| {
                    let stood = scene.stamp.pts.since(*since);
                    let is_news = (self.hold..=self.hold + LATE).contains(&stood);
                    *score >= self.score && *since >= self.armed && is_news
                });
                if let Some((score, _)) = scored {
                    self.crashes.insert(a.id, (b.id, score));
                    taken.extend([a.id, b.id]);
                }
            }
        }
    }
}

/// Whether two whose boxes touch stand as near to each other as two that have met.
fn is_close(a: &Track, b: &Track) -> bool {
    if let (Some(at_a), Some(at_b)) = (a.ground, b.ground) {
        let nearer = if a.bbox.bottom() > b.bbox.bottom() { a } else { b };
        return at_a.distance_m(at_b) <= length_m(nearer.class) + GAP_M;
    }
    (a.bbox.bottom() - b.bbox.bottom()).abs() <= LEVEL * a.bbox.height().min(b.bbox.height())
}

/// How long a vehicle of a class is, in metres: the longest of the usual ones.
const fn length_m(class: Class) -> f64 {
    match class {
        Class::Bus | Class::Truck => 12.0,
        Class::Car => 5.0,
        _ => 2.2,
    }
}

impl Rule for Collision {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.armed = now;
        self.crashes.clear();
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        for track in &scene.ended {
            self.tracks.remove(track);
            self.crashes.remove(track);
        }
        let now = scene.stamp.pts;
        let scope = self.scope;
        let covered = |track: &&Track| track.class.is_vehicle() && scope.covers(track);
        let vehicles: Vec<&Track> = scene.seen().filter(covered).collect();
        for track in &vehicles {
            let driver = self.tracks.entry(track.id).or_insert_with(|| Driver::new(track, now));
            driver.see(track, now, scene.aspect, open.contains(&Subject::Track(track.id)));
        }
        self.pair_up(scene, &vehicles);
        let stands = |id: TrackId| {
            let stand = scene.track(id).and_then(|track| self.stand(track));
            stand.filter(|stand| stand.last == now)
        };
        let mut found = Vec::new();
        for (&first, &(second, score)) in &self.crashes {
            let Some(since) = [first, second].into_iter().filter_map(stands).map(|stand| stand.since).min() else {
                continue;
            };
            let measured = vec![("score", rounded(score)), ("held_s", rounded(now.since(since).as_secs_f64()))];
            let tracks: Vec<TrackId> = [first, second].into_iter().filter(|id| scene.track(*id).is_some()).collect();
            found.push(level(Subject::Track(first), since, tracks, measured));
        }
        // Found before a restart: who of the two is not known any more.
        for subject in open {
            if let Subject::Track(id) = *subject
                && !self.crashes.contains_key(&id)
                && let Some(stand) = stands(id)
            {
                let measured = vec![("held_s", rounded(now.since(stand.since).as_secs_f64()))];
                found.push(level(*subject, stand.since, vec![id], measured));
            }
        }
        let over = |id: TrackId| self.tracks.get(&id).is_none_or(|driver| driver.vehicle.stand().is_none());
        let gone: Vec<TrackId> =
            self.crashes.iter().filter(|(a, (b, _))| over(**a) && over(*b)).map(|(a, _)| *a).collect();
        for id in gone {
            self.crashes.remove(&id);
        }
        findings.extend(found);
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len() + self.crashes.len()
    }
}

//! Stopped vehicle: one that was seen moving now stands where it should not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::class::Class;
use crate::finding::{Finding, RuleInfo, Subject};
use crate::geometry::{BBox, Point};
use crate::ground::{Length, Speed, Unit};
use crate::id::SignalId;
use crate::kind::Severity;
use crate::parked::Way;
use crate::rules::motion::{Place, rounded, vector};
use crate::rules::standing::{Stand, Vehicle};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, SignalState, Track, TrackId};
use crate::stitch::heights_apart;
use crate::time::MediaTime;
use crate::zone::{Anchor, Zone, ZoneKind};

/// This many vehicles that stand in a row are a queue.
pub(super) const QUEUE: usize = 3;

/// Those in a queue stand no further from the next than this, in box heights: seen from the side, a car's length and the
/// gap before it.
const LINK: f64 = 6.0;

/// It is held by one that stands ahead of it within [`LINK`] and no further to the side than this, in box heights: a car
/// is a little more than one wide.
const BESIDE: f64 = 1.0;

/// Whether the road ahead is free is looked for this far ahead and to the side, in box heights: the lanes of its direction.
const AHEAD: f64 = 8.0;
const ASIDE: f64 = 4.0;

/// So many that go on ahead of the first of a row, one after the other, show that neither a signal nor a jam holds it.
/// Raising it spares who is slow to go on at green; it costs time where few pass.
const PASSERS: usize = 2;

/// Before a signal, the time for which one was out of sight for longer than this does not count: with every red another may
/// stand in its place.
const UNSEEN: Duration = Duration::from_secs(3);

/// A track that begins where one was lost a moment ago, no further than this in box heights, has come as far as that one:
/// who brakes is lost, since it is expected further on.
const LOST_NEAR: f64 = 1.5;

/// Where so many drove closer than this to the place where one stands that was never seen to move, in its box heights, and it
/// is seen there still, nothing stands: a sign, a stain, a shadow. Raising the distance notices more of them; it costs
/// vehicles that others pass closely.
const DRIVEN_OVER: usize = 2;
const OVER: f64 = 0.2;

/// A vehicle never seen moving that stands longer than this is parked and no part of a queue: longer than any
/// signal's red.
const PARKED_AFTER: Duration = Duration::from_secs(300);

/// The signal is green for this long before who stands there is expected to go.
const GRACE: Duration = Duration::from_secs(10);

/// Finds every vehicle in the zone that was seen to travel `travel` and has stood for `hold`, held by nobody.
///
/// A vehicle stands as [`standing`](super::standing) says, and must stand still when it is found. It is held while another
/// stands ahead of it, and while it stands in a row of [`QUEUE`]: then it waits for what the first waits for. The first
/// itself, which has nobody ahead, is a stopped vehicle all the same once others of its direction go on ahead of it
/// ([`PASSERS`]): then there is neither a signal nor a jam. What was held must stand `hold` longer than that;
/// the time in which the signal is not green, and [`GRACE`] of each green, do not count. It is in the zone when the place
/// where it stopped is: a box that flickers over the zone's edge is one stop. One that was not seen stopping,
/// because it stood when the box started or came into sight late, is a lesser case: it is found after `at_start`, as
/// information, unless others drive over it. An open incident asks for nothing but standing: neither travel nor the absence of a queue
/// (which the stopped vehicle may have caused).
pub(super) struct StoppedVehicle {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) bays: Vec<Zone>,
    pub(super) signal: Option<SignalId>,
    pub(super) speed: Speed,
    pub(super) travel: Length,
    pub(super) hold: Duration,
    pub(super) at_start: Option<Duration>,
    pub(super) tracks: BTreeMap<TrackId, Watched>,
    /// When it was armed: what stood before stands, as far as this rule goes, from then on.
    pub(super) armed: MediaTime,
    /// The scene before.
    pub(super) last: Option<MediaTime>,
    pub(super) work: Work,
}

/// What is worked out of one scene; kept for its memory.
#[derive(Default)]
pub(super) struct Work {
    moving: Vec<Moving>,
    /// For each that stands in the zone as one does who waits, how many stand in its row; by number.
    rows: Vec<(TrackId, usize)>,
    /// Those in the zone that must wait for others, by number.
    held: Vec<TrackId>,
    waiting: Vec<(TrackId, Place)>,
    left: Vec<(TrackId, Stand)>,
    row: Vec<(TrackId, Stand)>,
}

/// One vehicle anywhere in the picture.
pub(super) struct Watched {
    vehicle: Vehicle,
    /// When it last stood in a queue.
    queued: MediaTime,
    /// For how long, since it stands alone, it had to wait for the signal.
    waited: Duration,
    /// When it was last seen, and as what.
    seen: (MediaTime, Class, BBox),
    /// Who went on ahead of it since it stands with nobody standing ahead; [`PASSERS`] at most.
    passers: BTreeSet<TrackId>,
    /// Who drove over the place where it stands; [`DRIVEN_OVER`] at most.
    over: BTreeSet<TrackId>,
}

impl Watched {
    fn new(track: &Track, anchor: Anchor, now: MediaTime) -> Self {
        Self {
            vehicle: Vehicle::new(track, anchor, now),
            queued: MediaTime::ZERO,
            waited: Duration::ZERO,
            seen: (now, track.class, track.bbox),
            passers: BTreeSet::new(),
            over: BTreeSet::new(),
        }
    }

    /// It must stand for the whole hold from now on.
    fn restart(&mut self, now: MediaTime) {
        (self.queued, self.waited) = (now, Duration::ZERO);
    }
}

/// One vehicle that does not stand.
struct Moving {
    id: TrackId,
    place: Place,
    /// In picture heights a second.
    velocity: (f64, f64),
    /// It was seen to travel.
    came: bool,
}

impl Moving {
    /// How close to `point` it came in the last `step`, in picture heights.
    fn nearest(&self, point: Point, step: Duration, aspect: f32) -> f64 {
        let (x, y) = vector(self.place.point, point, aspect);
        let (dx, dy) = (-self.velocity.0 * step.as_secs_f64(), -self.velocity.1 * step.as_secs_f64());
        let length = dx * dx + dy * dy;
        let share = if length > 0.0 { ((x * dx + y * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
        (x - share * dx).hypot(y - share * dy)
    }
}

impl StoppedVehicle {
    /// Whether who stands in the zone waits for the signal.
    fn must_wait(&self, scene: &Scene) -> bool {
        let signal = self.signal.as_ref().and_then(|id| scene.signal(id));
        signal.is_some_and(|signal| match signal.state {
            SignalState::Red | SignalState::Amber => true,
            SignalState::Green => scene.stamp.pts.since(signal.since) < GRACE,
            SignalState::Unknown => false,
        })
    }

    /// Takes note of every vehicle; how long ago the scene before was.
    fn advance(&mut self, scene: &Scene, open: &Open) -> Duration {
        let now = scene.stamp.pts;
        let (scope, anchor, must_wait) = (self.scope, self.zone.anchor, self.must_wait(scene));
        let step = self.last.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        if must_wait {
            for watched in self.tracks.values_mut().filter(|watched| watched.vehicle.stand().is_some()) {
                watched.waited += step;
            }
        }
        for track in scene.seen().filter(|track| track.class.is_vehicle() && scope.covers(track)) {
            if !self.tracks.contains_key(&track.id) {
                let mut watched = Watched::new(track, anchor, now);
                watched.vehicle.inherit(self.lost_near(track, now, scene.aspect));
                self.tracks.insert(track.id, watched);
            }
            let Some(watched) = self.tracks.get_mut(&track.id) else { continue };
            let stood = watched.vehicle.stand();
            let presumed = open.contains(&Subject::Track(track.id)) || scene.parked(track.id).is_some();
            watched.vehicle.see(track, anchor, (now, scene.aspect), self.speed, presumed);
            let unseen = now.since(watched.seen.0);
            if unseen > UNSEEN && self.signal.is_some() {
                watched.waited += unseen;
            }
            watched.seen = (now, track.class, track.bbox);
            if let (None, Some(stand)) = (stood, watched.vehicle.stand()) {
                watched.waited = if must_wait { now.since(stand.since) } else { Duration::ZERO };
                watched.passers.clear();
                watched.over.clear();
            }
        }
        step
    }

    /// Notes who drove over the place of another in the last `step`.
    fn drive_over(&mut self, moving: &[Moving], step: Duration, aspect: f32) {
        for (id, watched) in &mut self.tracks {
            let Some(stand) = watched.vehicle.stand().filter(|_| watched.over.len() < DRIVEN_OVER) else { continue };
            let place = stand.place();
            let off = |other: &Moving| other.nearest(place.point, step, aspect) / f64::from(place.height);
            let over = moving.iter().filter(|other| other.id != *id && other.came && off(other) <= OVER);
            watched.over.extend(over.map(|other| other.id));
        }
    }

    /// The way of one that was lost a moment ago where `track` begins.
    fn lost_near(&self, track: &Track, now: MediaTime, aspect: f32) -> Way {
        let lost =
            self.tracks.values().filter(|other| other.seen.0 < track.first_seen && now.since(other.seen.0) <= UNSEEN);
        let near = lost.filter_map(|other| {
            let heights = heights_apart((other.seen.1, other.seen.2), (track.class, track.bbox), aspect)?;
            (heights <= LOST_NEAR).then(|| other.vehicle.way())
        });
        near.fold(Way::NONE, Way::max)
    }

    /// Where a vehicle stands in the zone, but not in a stop or bay.
    fn stand(&self, watched: &Watched) -> Option<Stand> {
        let is_in = |zone: &Zone, stand: &Stand| zone.polygon.contains(stand.point());
        let stand = watched.vehicle.stand().filter(|stand| is_in(&self.zone, stand))?;
        (!self.bays.iter().any(|bay| is_in(bay, &stand))).then_some(stand)
    }

    /// Those that stand, in the zone or elsewhere, as one does who waits; lost ones included: in a queue one hides the other.
    fn waiting<'a>(&'a self, scene: &'a Scene) -> impl Iterator<Item = (TrackId, Stand)> + 'a {
        let now = scene.stamp.pts;
        scene.tracks.iter().filter_map(move |track| {
            let stand = self.tracks.get(&track.id)?.vehicle.stand()?;
            let came = self.came(scene, track.id) >= self.travel.value;
            (came || now.since(stand.since) < PARKED_AFTER).then_some((track.id, stand))
        })
    }

    /// Fills `rows`.
    fn find_rows(&self, scene: &Scene, work: &mut Work) {
        let in_zone =
            |(id, _): &(TrackId, Stand)| self.tracks.get(id).is_some_and(|watched| self.stand(watched).is_some());
        let Work { rows, left, row, .. } = work;
        rows.clear();
        left.clear();
        left.extend(self.waiting(scene).filter(in_zone));
        while let Some(first) = left.pop() {
            row.clear();
            row.push(first);
            let mut i = 0;
            while let Some((_, stand)) = row.get(i).copied() {
                row.extend(left.extract_if(.., |(_, other)| stand.heights_to(other, scene.aspect) <= LINK));
                i += 1;
            }
            rows.extend(row.iter().map(|(id, _)| (*id, row.len())));
        }
        rows.sort_unstable();
    }

    /// Fills `held`, in the order of their numbers.
    fn find_held(&mut self, scene: &Scene, work: &mut Work) {
        let (now, aspect) = (scene.stamp.pts, scene.aspect);
        let Work { moving, rows, held, waiting, .. } = work;
        waiting.clear();
        waiting.extend(self.waiting(scene).map(|(id, stand)| (id, stand.place())));
        held.clear();
        for (id, row) in rows.iter() {
            let Some(watched) = self.tracks.get_mut(id) else { continue };
            let Some(stand) = watched.vehicle.stand() else { continue };
            let Some(heading) = watched.vehicle.heading(aspect) else {
                held.extend((*row >= QUEUE).then_some(*id));
                continue;
            };
            let blocks = |(other, place): &(TrackId, Place)| {
                let (ahead, aside) = stand.towards(*place, heading, aspect);
                other != id && (BESIDE / 2.0..=LINK).contains(&ahead) && aside <= BESIDE
            };
            if waiting.iter().any(blocks) {
                watched.passers.clear();
                held.push(*id);
                continue;
            }
            if watched.passers.len() < PASSERS {
                let goes_on = |other: &&Moving| {
                    let (ahead, aside) = stand.towards(other.place, heading, aspect);
                    // Within 45 degrees of its own way.
                    let (vx, vy) = other.velocity;
                    let (along, across) = (vx * heading.0 + vy * heading.1, vx * heading.1 - vy * heading.0);
                    (0.0..=AHEAD).contains(&ahead) && aside <= ASIDE && along > across.abs()
                };
                watched.passers.extend(moving.iter().filter(goes_on).map(|other| other.id));
                if *row >= QUEUE {
                    held.push(*id);
                }
            }
        }
        for id in held.iter() {
            if let Some(watched) = self.tracks.get_mut(id) {
                watched.restart(now);
            }
        }
    }

    /// Where and how a vehicle goes, if it does not stand.
    fn moving(&self, track: &Track, scene: &Scene) -> Option<Moving> {
        let vehicle = &self.tracks.get(&track.id)?.vehicle;
        if vehicle.stand().is_some() {
            return None;
        }
        let place = Place::of(track, self.zone.anchor, scene.stamp.pts);
        let came = vehicle.way().reaches(self.travel);
        Some(Moving { id: track.id, place, velocity: vehicle.velocity(scene.aspect)?, came })
    }

    /// How far a vehicle was seen to come, in the unit of `travel`; also before a restart.
    fn came(&self, scene: &Scene, track: TrackId) -> f64 {
        let in_unit = |unit: Unit| {
            let seen = self.tracks.get(&track).map_or(0.0, |watched| watched.vehicle.way().in_unit(unit));
            scene.parked(track).map_or(seen, |parked| seen.max(parked.came.in_unit(unit)))
        };
        in_unit(self.travel.unit)
    }

    /// Judges one that stands in the zone.
    fn judge(
        &self,
        track: &Track,
        stand: Stand,
        (row, held): (usize, bool),
        scene: &Scene,
        open: &Open,
    ) -> Option<Finding> {
        let (now, watched) = (scene.stamp.pts, self.tracks.get(&track.id)?);
        // A restart shortens what this session saw of its standing, not what is known of it.
        let since = scene.parked(track.id).map_or(stand.since, |parked| parked.since.min(stand.since)).max(self.armed);
        let alone = now.since(since.max(watched.queued)).saturating_sub(watched.waited);
        let came = self.came(scene, track.id);
        let seen_stopping = came >= self.travel.value;
        let is_nothing = !seen_stopping && watched.over.len() >= DRIVEN_OVER;
        let hold = if seen_stopping { Some(self.hold) } else { self.at_start.filter(|_| !is_nothing) };
        let speed = watched.vehicle.speed(track, self.zone.anchor, (now, scene.aspect), self.speed);
        let is_still = watched.vehicle.is_still(scene.aspect, self.speed);
        let found = !held && is_still && hold.is_some_and(|hold| alone >= hold);
        let subject = Subject::Track(track.id);
        if !found && !open.contains(&subject) {
            return None;
        }
        let measured = vec![
            (self.speed.unit.name("speed_heights_per_s", "speed_kmh"), rounded(speed.map_or(0.0, Speed::shown))),
            (self.travel.unit.name("travel_heights", "travel_m"), rounded(came)),
            ("held_s", rounded(now.since(since).as_secs_f64())),
            ("queue_vehicles", row as f64),
            ("seen_stopping", f64::from(u8::from(seen_stopping))),
        ];
        let severity = (!seen_stopping).then_some(Severity::Info);
        Some(Finding { severity, ..level(subject, since, vec![track.id], measured) })
    }
}

impl Rule for StoppedVehicle {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.armed = now;
        for watched in self.tracks.values_mut() {
            watched.waited = Duration::ZERO;
        }
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        if matches!(self.zone.kind, ZoneKind::Stop | ZoneKind::Parking) {
            return;
        }
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        let step = self.advance(scene, open);
        let mut work = std::mem::take(&mut self.work);
        work.moving.clear();
        work.moving.extend(scene.seen().filter_map(|track| self.moving(track, scene)));
        self.drive_over(&work.moving, step, scene.aspect);
        let now = scene.stamp.pts;
        self.find_rows(scene, &mut work);
        self.find_held(scene, &mut work);
        let Work { rows, held, .. } = &work;
        for track in scene.seen() {
            let stand = self.tracks.get(&track.id).and_then(|watched| self.stand(watched));
            let Some(stand) = stand.filter(|stand| stand.last == now) else { continue };
            let row = rows.binary_search_by_key(&track.id, |(id, _)| *id).map_or(0, |i| rows[i].1);
            let is_held = held.binary_search(&track.id).is_ok();
            findings.extend(self.judge(track, stand, (row, is_held), scene, open));
        }
        self.work = work;
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

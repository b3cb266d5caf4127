//! Stopped vehicle: one that was seen moving now stands where it should not.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::ground::{Length, Speed, Unit};
use crate::rules::motion::{Place, Trail, rounded};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, TrackId};
use crate::time::MediaTime;
use crate::zone::{Zone, ZoneKind};

/// Speed is displacement over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// A standing box that is not further than this from where it stopped, in box heights, still stands: passing traffic
/// hides a part of it and moves its edges. More than a stitched track may be off its place.
const LEAVE: f64 = 0.75;

/// Seen elsewhere for no longer than this, it still stands (a box that jumped).
const BRIDGE: Duration = Duration::from_secs(1);

/// With this many vehicles standing in the zone it is a queue, and no one in it is a stopped vehicle.
pub(super) const QUEUE: usize = 3;

/// A vehicle never seen moving that stands longer than this is parked and no part of a queue: longer than any
/// signal's red.
const PARKED_AFTER: Duration = Duration::from_secs(300);

/// Finds every vehicle in the zone that was seen to travel `travel` and has stood for `hold`, alone.
///
/// A vehicle stands from when its displacement over [`WINDOW`] was slower than `speed`, until it is [`LEAVE`] away and
/// faster. Being lost ends nothing: what comes back at the same place has stood all the while. What stood in a queue
/// must stand `hold` longer than the queue. It is in the zone when the place where it stopped is: a box that flickers over
/// the zone's edge is one stop. A vehicle that already stood when it was first seen is never found. An
/// open incident asks for nothing but standing: neither travel (a restart forgets it) nor the absence of a queue
/// (which the stopped vehicle may have caused).
pub(super) struct StoppedVehicle {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) speed: Speed,
    pub(super) travel: Length,
    pub(super) hold: Duration,
    pub(super) tracks: BTreeMap<TrackId, Vehicle>,
    /// When there last was a queue.
    pub(super) queued: MediaTime,
    /// When it was armed: what stood before stands, as far as this rule goes, from then on.
    pub(super) armed: MediaTime,
}

/// One vehicle anywhere in the picture.
pub(super) struct Vehicle {
    /// Where it was first seen.
    origin: Place,
    /// The furthest it was from there, in the unit of the rule's `travel`.
    travelled: f64,
    trail: Trail,
    stand: Option<Stand>,
}

/// One vehicle that stands.
#[derive(Clone, Copy)]
struct Stand {
    place: Place,
    since: MediaTime,
    last: MediaTime,
}

impl Vehicle {
    fn new(origin: Place) -> Self {
        Self { origin, travelled: 0.0, trail: Trail::new(WINDOW), stand: None }
    }

    /// Displacement over the window per second; `None` before it was seen that long.
    fn speed(&self, place: Place, aspect: f32, unit: Unit) -> Option<f64> {
        self.trail.window_ago(place.at).and_then(|before| before.speed_in(place, aspect, unit))
    }

    /// Takes one more sighting. `presumed`: it stands unless it is seen to move.
    fn advance(&mut self, place: Place, aspect: f32, limits: (Speed, Length), presumed: bool) {
        let (slow, travel) = limits;
        self.trail.push(place);
        let speed = self.speed(place, aspect, slow.unit);
        let is_slow = speed.map_or(presumed, |speed| speed < slow.value);
        let Some(stand) = &mut self.stand else {
            // Not while it stands: a box that jumps has not travelled.
            let way = self.origin.distance_to(place, aspect, travel.unit);
            self.travelled = self.travelled.max(way.unwrap_or(0.0));
            if is_slow {
                let since = self.trail.window_ago(place.at).map_or(place.at, |before| before.at);
                self.stand = Some(Stand { place, since, last: place.at });
            }
            return;
        };
        if stand.place.heights_to(place, aspect) <= LEAVE || speed.is_some_and(|speed| speed < slow.value) {
            stand.last = place.at;
        } else if place.at.since(stand.last) > BRIDGE {
            self.stand = None;
        }
    }

    /// Whether it stands in the zone as one does who waits in a queue.
    fn queues(&self, zone: &Zone, now: MediaTime, travel: Length) -> bool {
        let waits = |stand: Stand| self.travelled >= travel.value || now.since(stand.since) < PARKED_AFTER;
        self.stand.is_some_and(|stand| zone.polygon.contains(stand.place.point) && waits(stand))
    }
}

impl StoppedVehicle {
    fn advance(&mut self, scene: &Scene, open: &Open) {
        let (scope, anchor) = (self.scope, self.zone.anchor);
        for track in scene.seen().filter(|track| track.class.is_vehicle() && scope.covers(track)) {
            let place = Place::of(track, anchor, scene.stamp.pts);
            let vehicle = self.tracks.entry(track.id).or_insert_with(|| Vehicle::new(place));
            vehicle.advance(place, scene.aspect, (self.speed, self.travel), open.contains(&Subject::Track(track.id)));
        }
    }

    /// How many stand in the zone, lost ones included: in a queue one hides the other.
    fn queue(&self, scene: &Scene) -> usize {
        let vehicles = scene.tracks.iter().filter_map(|track| self.tracks.get(&track.id));
        vehicles.filter(|vehicle| vehicle.queues(&self.zone, scene.stamp.pts, self.travel)).count()
    }
}

impl Rule for StoppedVehicle {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.armed = now;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        if matches!(self.zone.kind, ZoneKind::Stop | ZoneKind::Parking) {
            return;
        }
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        self.advance(scene, open);
        let (now, queue) = (scene.stamp.pts, self.queue(scene));
        if queue >= QUEUE {
            self.queued = now;
        }
        for track in scene.seen() {
            let Some(vehicle) = self.tracks.get(&track.id) else { continue };
            let stands = |stand: &Stand| stand.last == now && self.zone.polygon.contains(stand.place.point);
            let Some(stand) = vehicle.stand.filter(stands) else { continue };
            let since = stand.since.max(self.armed);
            let alone = now.since(since.max(self.queued));
            let subject = Subject::Track(track.id);
            let found = queue < QUEUE && vehicle.travelled >= self.travel.value && alone >= self.hold;
            if found || open.contains(&subject) {
                let place = Place::of(track, self.zone.anchor, now);
                let (speed, travel) = (self.speed.unit, self.travel.unit);
                let now_at = vehicle.speed(place, scene.aspect, speed).unwrap_or(0.0);
                let measured = vec![
                    (
                        speed.name("speed_heights_per_s", "speed_kmh"),
                        rounded(Speed { value: now_at, unit: speed }.shown()),
                    ),
                    (travel.name("travel_heights", "travel_m"), rounded(vehicle.travelled)),
                    ("held_s", rounded(now.since(since).as_secs_f64())),
                    ("queue_vehicles", queue as f64),
                ];
                findings.push(level(subject, since, vec![track.id], measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

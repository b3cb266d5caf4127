//! Stopped vehicle: one that was seen moving now stands where it should not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::ground::{Length, Speed, Unit};
use crate::id::SignalId;
use crate::kind::Severity;
use crate::rules::motion::rounded;
use crate::rules::standing::{Stand, Vehicle};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, SignalState, Track, TrackId};
use crate::time::MediaTime;
use crate::zone::{Zone, ZoneKind};

/// This many vehicles that stand in a row are a queue, and no one in it is a stopped vehicle.
pub(super) const QUEUE: usize = 3;

/// Those in a queue stand no further from the next than this, in box heights: seen from the side, a car's length and the
/// gap before it.
const LINK: f64 = 6.0;

/// A vehicle never seen moving that stands longer than this is parked and no part of a queue: longer than any
/// signal's red.
const PARKED_AFTER: Duration = Duration::from_secs(300);

/// The signal is green for this long before who stands there is expected to go.
const GRACE: Duration = Duration::from_secs(10);

/// Finds every vehicle in the zone that was seen to travel `travel` and has stood for `hold`, alone.
///
/// A vehicle stands as [`standing`](super::standing) says. What stood in a queue must stand `hold` longer than the queue;
/// the time in which the signal is not green, and [`GRACE`] of each green, do not count. It is in the zone when the place
/// where it stopped is: a box that flickers over the zone's edge is one stop. One that was not seen stopping,
/// because it stood when the box started or came into sight late, is a lesser case: it is found after `at_start`, as
/// information. An open incident asks for nothing but standing: neither travel nor the absence of a queue
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
}

/// One vehicle anywhere in the picture.
pub(super) struct Watched {
    vehicle: Vehicle,
    /// When it last stood in a queue.
    queued: MediaTime,
    /// For how long, since it stands alone, it had to wait for the signal.
    waited: Duration,
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

    fn advance(&mut self, scene: &Scene, open: &Open) {
        let now = scene.stamp.pts;
        let (scope, anchor, must_wait) = (self.scope, self.zone.anchor, self.must_wait(scene));
        let step = self.last.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        if must_wait {
            for watched in self.tracks.values_mut().filter(|watched| watched.vehicle.stand().is_some()) {
                watched.waited += step;
            }
        }
        for track in scene.seen().filter(|track| track.class.is_vehicle() && scope.covers(track)) {
            let watched = self.tracks.entry(track.id).or_insert_with(|| Watched {
                vehicle: Vehicle::new(track, anchor, now),
                queued: MediaTime::ZERO,
                waited: Duration::ZERO,
            });
            let stood = watched.vehicle.stand();
            let presumed = open.contains(&Subject::Track(track.id)) || scene.parked(track.id).is_some();
            watched.vehicle.see(track, anchor, (now, scene.aspect), self.speed, presumed);
            if let (None, Some(stand)) = (stood, watched.vehicle.stand()) {
                watched.waited = if must_wait { now.since(stand.since) } else { Duration::ZERO };
            }
        }
    }

    /// Where a vehicle stands in the zone, but not in a stop or bay.
    fn stand(&self, watched: &Watched) -> Option<Stand> {
        let is_in = |zone: &Zone, stand: &Stand| zone.polygon.contains(stand.point());
        let stand = watched.vehicle.stand().filter(|stand| is_in(&self.zone, stand))?;
        (!self.bays.iter().any(|bay| is_in(bay, &stand))).then_some(stand)
    }

    /// For each that stands in the zone as one does who waits, how many stand in its row; lost ones included: in a queue
    /// one hides the other.
    fn rows(&self, scene: &Scene) -> BTreeMap<TrackId, usize> {
        let now = scene.stamp.pts;
        let waits = |track: &Track| {
            let watched = self.tracks.get(&track.id)?;
            let stand = self.stand(watched)?;
            let came = self.came(scene, track.id) >= self.travel.value;
            (came || now.since(stand.since) < PARKED_AFTER).then_some((track.id, stand))
        };
        let mut left: Vec<(TrackId, Stand)> = scene.tracks.iter().filter_map(waits).collect();
        let mut rows = BTreeMap::new();
        while let Some(first) = left.pop() {
            let mut row = vec![first];
            let mut i = 0;
            while let Some((_, stand)) = row.get(i).copied() {
                row.extend(left.extract_if(.., |(_, other)| stand.heights_to(other, scene.aspect) <= LINK));
                i += 1;
            }
            rows.extend(row.iter().map(|(id, _)| (*id, row.len())));
        }
        rows
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
    fn judge(&self, track: &Track, stand: Stand, row: usize, scene: &Scene, open: &Open) -> Option<Finding> {
        let (now, watched) = (scene.stamp.pts, self.tracks.get(&track.id)?);
        // A restart shortens what this session saw of its standing, not what is known of it.
        let since = scene.parked(track.id).map_or(stand.since, |parked| parked.since.min(stand.since)).max(self.armed);
        let alone = now.since(since.max(watched.queued)).saturating_sub(watched.waited);
        let came = self.came(scene, track.id);
        let seen_stopping = came >= self.travel.value;
        let hold = if seen_stopping { Some(self.hold) } else { self.at_start };
        let found = row < QUEUE && hold.is_some_and(|hold| alone >= hold);
        let subject = Subject::Track(track.id);
        if !found && !open.contains(&subject) {
            return None;
        }
        let speed = watched.vehicle.speed(track, self.zone.anchor, (now, scene.aspect), self.speed);
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
        self.advance(scene, open);
        let (now, rows) = (scene.stamp.pts, self.rows(scene));
        let queues: BTreeSet<TrackId> = rows.iter().filter(|(_, row)| **row >= QUEUE).map(|(id, _)| *id).collect();
        for id in queues {
            if let Some(watched) = self.tracks.get_mut(&id) {
                (watched.queued, watched.waited) = (now, Duration::ZERO);
            }
        }
        for track in scene.seen() {
            let stand = self.tracks.get(&track.id).and_then(|watched| self.stand(watched));
            let Some(stand) = stand.filter(|stand| stand.last == now) else { continue };
            let row = rows.get(&track.id).copied().unwrap_or(0);
            findings.extend(self.judge(track, stand, row, scene, open));
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

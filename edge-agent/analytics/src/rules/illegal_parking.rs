//! Illegal parking: a vehicle stands where it may not, longer than it takes to let someone out.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::ground::Speed;
use crate::rules::motion::rounded;
use crate::rules::standing::Vehicle;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, TrackId};
use crate::time::MediaTime;
use crate::zone::Zone;

/// Finds every vehicle that has stood in the zone for `hold`.
///
/// It need not have been seen to come: one that stood there when the box started stands, as far as is known, since then.
/// It is in the zone when the place where it stopped is. A row of standing vehicles is no excuse: a zone for
/// this rule belongs at the kerb, where no one queues.
pub(super) struct IllegalParking {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) speed: Speed,
    pub(super) hold: Duration,
    pub(super) tracks: BTreeMap<TrackId, Vehicle>,
    /// When it was armed: what stood before stands, as far as this rule goes, from then on.
    pub(super) armed: MediaTime,
}

impl Rule for IllegalParking {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.armed = now;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        let now = scene.stamp.pts;
        for track in scene.seen().filter(|track| track.class.is_vehicle() && self.scope.covers(track)) {
            let anchor = self.zone.anchor;
            let subject = Subject::Track(track.id);
            let parked = scene.parked(track.id);
            let vehicle = self.tracks.entry(track.id).or_insert_with(|| Vehicle::new(track, anchor, now));
            let presumed = parked.is_some() || open.contains(&subject);
            vehicle.see(track, anchor, (now, scene.aspect), self.speed, presumed);
            let in_zone = |point| self.zone.polygon.contains(point);
            let Some(stand) = vehicle.stand().filter(|stand| stand.last == now && in_zone(stand.point())) else {
                continue;
            };
            let since = parked.map_or(stand.since, |parked| parked.since.min(stand.since)).max(self.armed);
            let held = now.since(since);
            if held >= self.hold || open.contains(&subject) {
                let measured = vec![("held_s", rounded(held.as_secs_f64()))];
                findings.push(level(subject, since, vec![track.id], measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

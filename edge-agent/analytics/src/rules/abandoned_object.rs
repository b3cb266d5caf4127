//! Abandoned object: something was left, and nobody is with it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::geometry::Point;
use crate::ground::{Length, Unit};
use crate::rules::motion::rounded;
use crate::rules::thing::{Size, in_zone, is_added};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::view::{Still, StillId};
use crate::zone::Zone;

/// Who was near no longer than this before a thing lay still has brought it.
const BROUGHT: Duration = Duration::from_secs(5);

/// What is known of one thing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    /// Since when nobody is near; `None`: somebody is.
    alone: Option<MediaTime>,
    owner: Option<TrackId>,
}

/// Finds every still region that something was added to, once it has lain for the hold and nobody was near for it.
pub(super) struct AbandonedObject {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) size: Size,
    pub(super) distance: Length,
    pub(super) hold: Duration,
    pub(super) things: BTreeMap<StillId, Left>,
    pub(super) armed: MediaTime,
}

impl AbandonedObject {
    /// Whether a person at `point` is near; `None` where distances are not known.
    fn is_near(&self, still: &Still, track: &Track, point: Point, aspect: f32) -> bool {
        match self.distance.unit {
            Unit::BoxHeights => {
                let distance = point.distance(still.bbox.bottom_center(), aspect);
                f64::from(distance) <= self.distance.value * f64::from(track.bbox.height())
            }
            // Where the ground is not known, nobody is told to be away.
            Unit::Metres => track
                .ground
                .zip(still.ground)
                .is_none_or(|(person, thing)| person.distance_m(thing) <= self.distance.value),
        }
    }

    /// Who was there when it came, the longest known first.
    fn owner(&self, still: &Still, scene: &Scene) -> Option<TrackId> {
        let now = scene.stamp.pts;
        let mut persons = scene.tracks.iter().filter(|track| self.scope.covers(track));
        let brought = |track: &&Track| {
            let was_near = track.path.iter().any(|step| {
                let in_time = still.since.since(step.at) <= BROUGHT;
                in_time && step.point.distance(still.bbox.bottom_center(), scene.aspect) <= track.bbox.height()
            });
            was_near
                || (now.since(still.since) <= BROUGHT
                    && self.is_near(still, track, track.bbox.bottom_center(), scene.aspect))
        };
        persons.find(brought).map(|track| track.id)
    }
}

impl Rule for AbandonedObject {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.armed = now;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        self.things.retain(|id, _| scene.still(*id).is_some());
        for (still, size) in in_zone(scene, &self.zone, self.size) {
            let near = |track: &Track| self.is_near(still, track, track.bbox.bottom_center(), scene.aspect);
            let attended = scene.tracks.iter().any(|track| self.scope.covers(track) && near(track));
            let known = self.things.get(&still.id).copied();
            let mut left = known.unwrap_or_else(|| Left { alone: None, owner: self.owner(still, scene) });
            left.alone = (!attended).then(|| left.alone.unwrap_or(now));
            self.things.insert(still.id, left);
            let subject = Subject::Still(still.id);
            let lies = now.since(still.since.max(self.armed));
            let alone = left.alone.map_or(Duration::ZERO, |since| now.since(since.max(self.armed)));
            let is_thing = is_added(still) && size.reaches(self.size);
            if (is_thing && lies >= self.hold && alone >= self.hold) || open.contains(&subject) {
                let measured = vec![
                    size.measure(),
                    ("held_s", rounded(now.since(still.since).as_secs_f64())),
                    ("alone_s", rounded(alone.as_secs_f64())),
                    ("owner_seen", f64::from(u8::from(left.owner.is_some()))),
                ];
                let tracks = left.owner.filter(|owner| scene.track(*owner).is_some());
                findings.push(level(subject, still.since, tracks.into_iter().collect(), measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.things.len()
    }
}

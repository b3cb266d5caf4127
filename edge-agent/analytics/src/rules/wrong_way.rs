//! Wrong way: a vehicle goes against the zone's heading.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::geometry::Segment;
use crate::ground::Length;
use crate::rules::motion::{Place, Trail, rounded};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, TrackId};
use crate::time::MediaTime;
use crate::zone::Zone;

/// The way a vehicle goes is its displacement over this long.
const WINDOW: Duration = Duration::from_secs(1);

/// Slower than this, in box heights per second, it goes nowhere: a standing box jitters in every direction.
const LEAST_SPEED: f64 = 0.2;

/// Going another way, or being out of the zone, for no longer than this does not end a wrong-way drive.
const BRIDGE: Duration = Duration::from_millis(500);

/// One that was not seen for longer than this begins anew, for who is found then may be another, unless it went on as fast
/// as before, by this share more or less.
const UNSEEN: Duration = Duration::from_secs(1);
const AS_BEFORE: f64 = 0.5;

/// Finds every vehicle that has gone against the heading for `hold`, over `distance`.
///
/// A wrong-way drive begins where the displacement over [`WINDOW`] first points against the heading, and is measured
/// from there as a straight line: jitter adds up to nothing. Only what happens inside the zone, and is seen, is looked at:
/// in a queue a track that was lost may be found again on the vehicle behind. Without a heading there is no wrong way.
pub(super) struct WrongWay {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) angle_deg: f64,
    pub(super) distance: Length,
    pub(super) hold: Duration,
    pub(super) tracks: BTreeMap<TrackId, Drive>,
}

/// One vehicle in the zone.
pub(super) struct Drive {
    trail: Trail,
    /// Where it was last inside.
    last: Place,
    /// Where it began to go against the heading, and when it last did.
    against: Option<(Place, MediaTime)>,
}

impl Drive {
    /// Whether the way to `place` goes on from the last one as fast as before, as far as is known.
    fn goes_on(&self, place: Place, aspect: f32) -> bool {
        self.trail.window_ago(self.last.at).is_none_or(|before| {
            let was = before.speed_to(self.last, aspect);
            (self.last.speed_to(place, aspect) - was).abs() <= AS_BEFORE * was
        })
    }
}

impl WrongWay {
    /// Where the drive against the heading began, when `place` is a part of one.
    fn begun(&mut self, track: TrackId, place: Place, heading: Segment, aspect: f32) -> Option<Place> {
        let drive =
            self.tracks.entry(track).or_insert_with(|| Drive { trail: Trail::new(WINDOW), last: place, against: None });
        if place.at.since(drive.last.at) > UNSEEN && !drive.goes_on(place, aspect) {
            (drive.trail, drive.against) = (Trail::new(WINDOW), None);
        }
        drive.last = place;
        let before = drive.trail.window_ago(place.at).filter(|before| {
            before.speed_to(place, aspect) >= LEAST_SPEED && before.angle_to(place, heading, aspect) >= self.angle_deg
        });
        drive.trail.push(place);
        match (before, drive.against) {
            (Some(before), against) => {
                let start = against.map_or(before, |(start, _)| start);
                drive.against = Some((start, place.at));
                Some(start)
            }
            (None, against) => {
                drive.against = against.filter(|(_, last)| place.at.since(*last) <= BRIDGE);
                None
            }
        }
    }
}

impl Rule for WrongWay {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.tracks.clear();
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let Some(heading) = self.zone.heading else { return };
        let (now, aspect) = (scene.stamp.pts, scene.aspect);
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        for track in scene.seen() {
            if !(self.scope.covers(track) && self.zone.contains(track.bbox)) {
                if self.tracks.get(&track.id).is_some_and(|drive| now.since(drive.last.at) > BRIDGE) {
                    self.tracks.remove(&track.id);
                }
                continue;
            }
            let place = Place::of(track, self.zone.anchor, now);
            let Some(start) = self.begun(track.id, place, heading, aspect) else { continue };
            let angle = start.angle_to(place, heading, aspect);
            let unit = self.distance.unit;
            let Some(distance) = start.distance_to(place, aspect, unit) else { continue };
            let held = now.since(start.at);
            let subject = Subject::Track(track.id);
            let found = angle >= self.angle_deg && distance >= self.distance.value && held >= self.hold;
            if found || open.contains(&subject) {
                let measured = vec![
                    ("angle_deg", rounded(angle)),
                    (unit.name("distance_heights", "distance_m"), rounded(distance)),
                    ("held_s", rounded(held.as_secs_f64())),
                ];
                findings.push(level(subject, start.at, vec![track.id], measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

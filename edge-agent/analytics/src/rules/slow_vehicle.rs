//! Slow vehicle: one crawls where the others of its lane drive, and nobody is in its way.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::class::Class;
use crate::finding::{Finding, RuleInfo, Subject};
use crate::ground::{Length, Unit};
use crate::rules::hold::{Run, observe};
use crate::rules::motion::{Place, Trail, is_cut_off, rounded, vector};
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::zone::Zone;

/// Speed is displacement over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// Out of the zone, held up or faster for no longer than this does not restart the hold.
const BRIDGE: Duration = Duration::from_secs(1);

/// One that was held up is not judged for this long: who holds it up may only have left the zone.
const FOLLOWS: Duration = Duration::from_secs(10);

/// The lane's speed is the median of those that passed within this long, of the last [`MOST`] at most.
const MEMORY: Duration = Duration::from_secs(600);
const MOST: usize = 60;

/// Slower than this share of the lane's speed it stands or is about to: that is for other rules to tell.
const STANDING: f64 = 0.1;

/// One that is slow holds up who comes behind it no further to the side than this, in box heights: the width of a lane and
/// the way there is not quite straight. Raising it spares more who wait for others; it costs the slow ones beside a jam.
const ASIDE: f64 = 2.0;

/// Finds every vehicle that goes slower than `factor` times the lane's speed for `hold` and over `distance`, while
/// nobody slow is ahead of it, in the zone or beyond.
///
/// The lane's speed is the median of the vehicles that went through it, and is known once `flow` of them did in the last ten
/// minutes. In a queue only its head can be slow of itself: the others have someone slow ahead. In box heights a
/// lorry is twice as high as a car and so seems half as fast; heights are therefore those of the class.
pub(super) struct SlowVehicle {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) factor: f64,
    pub(super) flow: u32,
    pub(super) distance: Length,
    pub(super) hold: Duration,
    pub(super) tracks: BTreeMap<TrackId, Drive>,
    /// Those that were lost a moment ago: a lorry hides who it drives behind.
    pub(super) lost: Vec<Drive>,
    /// When they left the lane, and how fast they went through it.
    pub(super) passed: VecDeque<(MediaTime, f64)>,
    /// Work space of [`Self::typical`].
    pub(super) speeds: Vec<f64>,
}

/// One vehicle anywhere in the picture.
pub(super) struct Drive {
    trail: Trail,
    /// Where it was first and last seen inside.
    inside: Option<(Place, Place)>,
    last: Place,
    class: Class,
    /// Its speed over the window and where it was then; `None` before it was seen that long.
    now: Option<(f64, Place)>,
    slow: Option<(Run, Place)>,
    /// When it last had someone slow ahead.
    held_up: Option<MediaTime>,
}

impl Drive {
    /// Whether it was inside when it was at `place`.
    fn has_been_inside(&self, place: Place) -> bool {
        self.inside.is_some_and(|(first, _)| first.at <= place.at)
    }
}

/// How high such a vehicle is, in metres: what makes box heights of unlike vehicles alike.
const fn usual_height(class: Class) -> f64 {
    match class {
        Class::Person | Class::Bicycle | Class::Motorcycle => 1.3,
        Class::Car => 1.5,
        Class::Bus | Class::Truck => 3.0,
    }
}

impl SlowVehicle {
    /// Comparable speed between two places.
    fn speed(&self, from: Place, to: Place, class: Class, aspect: f32) -> Option<f64> {
        let unit = self.distance.unit;
        let scale = if unit == Unit::BoxHeights { usual_height(class) } else { 1.0 };
        Some(from.speed_in(to, aspect, unit)? * scale)
    }

    /// One has left the lane: its speed counts when it was seen over the distance that is asked of slow ones too.
    fn leave(&mut self, track: TrackId, aspect: f32) {
        let Some(drive) = self.tracks.get_mut(&track) else { return };
        let (Some((first, last)), class) = (drive.inside.take(), drive.class) else { return };
        drive.slow = None;
        let far = first.distance_to(last, aspect, self.distance.unit).is_some_and(|way| way >= self.distance.value);
        if let Some(speed) = self.speed(first, last, class, aspect).filter(|_| far) {
            self.passed.push_back((last.at, speed));
        }
        if self.passed.len() > MOST {
            self.passed.pop_front();
        }
    }

    /// The lane's speed, once enough have passed.
    fn typical(&mut self, now: MediaTime) -> Option<f64> {
        self.passed.retain(|(at, _)| now.since(*at) <= MEMORY);
        let speeds = &mut self.speeds;
        speeds.clear();
        speeds.extend(self.passed.iter().map(|(_, speed)| *speed));
        speeds.sort_unstable_by(f64::total_cmp);
        (speeds.len() >= self.flow as usize).then(|| speeds[speeds.len() / 2])
    }

    /// Takes note of one vehicle; of those that the rule is about, where they are inside.
    fn see(&mut self, track: &Track, now: MediaTime, aspect: f32) {
        let place = Place::of(track, self.zone.anchor, now);
        let new = || Drive {
            trail: Trail::new(WINDOW),
            inside: None,
            last: place,
            class: track.class,
            now: None,
            slow: None,
            held_up: None,
        };
        let mut drive = self.tracks.remove(&track.id).unwrap_or_else(new);
        let before = drive.trail.window_ago(now);
        drive.trail.push(place);
        (drive.last, drive.class) = (place, track.class);
        drive.now = before.and_then(|before| Some((self.speed(before, place, track.class, aspect)?, before)));
        if self.scope.covers(track) && self.zone.contains(track.bbox) {
            drive.inside = Some((drive.inside.map_or(place, |(first, _)| first), place));
        }
        let is_out = drive.inside.is_some_and(|(_, last)| now.since(last.at) > BRIDGE);
        self.tracks.insert(track.id, drive);
        if is_out {
            self.leave(track.id, aspect);
        }
    }

    /// Whether someone slow is ahead of one that came from `before`.
    fn is_held_up(&self, id: TrackId, before: Place, slow: f64, now: MediaTime, aspect: f32) -> bool {
        let Some(me) = self.tracks.get(&id) else { return false };
        let way = |to: Place, from: Place| vector(from.point, to.point, aspect);
        let (dx, dy) = way(me.last, before);
        let length = dx.hypot(dy);
        let others = self.tracks.iter().filter(|(other, _)| **other != id).map(|(_, other)| other);
        others.chain(&self.lost).any(|other| {
            let (x, y) = way(other.last, me.last);
            let is_here = now.since(other.last.at) <= FOLLOWS;
            let is_ahead = x * dx + y * dy > 0.0;
            let aside = (x * dy - y * dx).abs() / length.max(f64::MIN_POSITIVE);
            let in_way = aside <= ASIDE * f64::from(me.last.height.max(other.last.height));
            is_here && is_ahead && in_way && other.now.is_some_and(|(speed, _)| speed < slow)
        })
    }
}

impl Rule for SlowVehicle {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        for drive in self.tracks.values_mut() {
            drive.slow = None;
        }
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let (now, aspect) = (scene.stamp.pts, scene.aspect);
        for track in &scene.ended {
            self.leave(*track, aspect);
            self.lost.extend(self.tracks.remove(track).filter(|drive| drive.now.is_some()));
        }
        self.lost.retain(|drive| now.since(drive.last.at) <= FOLLOWS);
        for track in scene.seen().filter(|track| track.class.is_vehicle() && !is_cut_off(track.bbox)) {
            self.see(track, now, aspect);
        }
        let Some(typical) = self.typical(now) else { return };
        for track in scene.seen() {
            let is_in = |drive: &&Drive| drive.inside.is_some_and(|(_, last)| last.at == now);
            let Some(drive) = self.tracks.get(&track.id).filter(is_in) else { continue };
            let Some((speed, before)) = drive.now.filter(|(_, before)| drive.has_been_inside(*before)) else {
                continue;
            };
            let slow = self.factor * typical;
            let crawls = speed < slow && speed > STANDING * typical;
            let held_up = self.is_held_up(track.id, before, slow, now, aspect);
            let (unit, subject) = (self.distance.unit, Subject::Track(track.id));
            let Some(drive) = self.tracks.get_mut(&track.id) else { continue };
            drive.held_up = if held_up { Some(now) } else { drive.held_up };
            let is_slow = crawls && drive.held_up.is_none_or(|at| now.since(at) > FOLLOWS);
            let run = observe(drive.slow.map(|(run, _)| run), now, is_slow, BRIDGE);
            drive.slow = run.map(|run| (run, drive.slow.map_or(before, |(_, start)| start)));
            let Some((run, start)) = drive.slow.filter(|_| is_slow || (open.contains(&subject) && speed < slow)) else {
                continue;
            };
            let way = start.distance_to(drive.last, aspect, unit).unwrap_or(0.0);
            let held = run.last.since(start.at);
            if (held >= self.hold && way >= self.distance.value) || open.contains(&subject) {
                let measured = vec![
                    ("speed_ratio", rounded(speed / typical)),
                    (unit.name("distance_heights", "distance_m"), rounded(way)),
                    ("held_s", rounded(held.as_secs_f64())),
                    ("flow_vehicles", self.passed.len() as f64),
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

//! What stands where: things that keep their number, and what is known of them, while nobody sees them.
//!
//! After the [`Stitcher`](crate::stitch::Stitcher), which joins tracks seconds apart, this joins those of a thing that
//! stands, minutes apart: its place is all that is needed to know it again. Headlights, rain, a bus in front or a
//! detector that hesitates make a track end; the thing is still there. A thing that is known and not seen keeps its number
//! out of [`Scene::ended`], so that rules keep what they know of it, and its incidents wait.
//!
//! A thing is gone when its track is seen to leave, when another vehicle stands or drives where it stood, or
//! when it was not seen for ten times as long as it was seen to stand, at least [`REMEMBER_LEAST`] and at most
//! [`REMEMBER_MOST`]: what has stood for long will stand for long.
//!
//! # Invariants
//! - A number stands for one object; numbers are those of the tracker, exchanged.
//! - What comes from elsewhere is another thing: only a track that begins where the thing stood continues it.
//! - At most [`MOST`] things are known. What a session knew can be taken up by the next ([`Registry::restore`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::class::Class;
use crate::geometry::{BBox, Point};
use crate::ground::{Length, Speed, Unit};
use crate::rules::standing::Vehicle;
use crate::scene::{Scene, Track, TrackId, TrackState};
use crate::stitch::heights_apart;
use crate::time::{MediaTime, WallTime};
use crate::zone::Anchor;

/// Slower than this is standing.
const SLOW: Speed = Speed::heights_per_s(0.1);
/// What has stood this long is a thing that stands here. Raising it spares the memory from stops at signals; it costs
/// vehicles whose track is lost soon after they stopped.
const SETTLE: Duration = Duration::from_secs(5);
/// A new track this close to where a thing stood, in box heights, continues it …
const NEAR: f64 = 0.5;
/// … at once when the boxes also overlap as well as this (IoU); else when it has settled there.
const SURE: f32 = 0.5;
/// One that was further than this from where it now is, in box heights, has come.
const COME: f64 = 1.0;
/// Where one drives or stands this close to where a thing stood, in box heights, the thing is no more. Raising it notices
/// more departures that nobody saw; it costs things that others pass closely.
const OVER: f64 = 0.2;
/// A thing that was last seen further than this from its place was leaving.
const LEAVING: f64 = 0.4;
/// For how long an unseen thing is remembered, at least and at most. Raising the most joins what longer darkness parts;
/// it costs incidents that end late where a departure was not seen.
const REMEMBER_LEAST: Duration = Duration::from_secs(60);
const REMEMBER_MOST: Duration = Duration::from_secs(15 * 60);
const REMEMBER_FACTOR: u32 = 10;
/// Not seen for this long is out of sight: a detector misses single frames.
const BLINK: Duration = Duration::from_secs(1);
/// Time constant with which a standing thing's box follows what is seen of it.
const BOX_MEMORY: f32 = 30.0;
/// Most things known of one camera.
const MOST: usize = 256;

/// How far something was seen to go, in each unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    /// In heights of its own box.
    pub heights: f64,
    /// In metres; where the ground is known.
    pub metres: Option<f64>,
}

impl Way {
    /// It was not seen to move.
    pub const NONE: Self = Self { heights: 0.0, metres: None };

    /// Each the longer.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let metres = self.metres.into_iter().chain(other.metres).max_by(f64::total_cmp);
        Self { heights: self.heights.max(other.heights), metres }
    }

    /// In `unit`; zero where that is not known.
    #[must_use]
    pub fn in_unit(self, unit: Unit) -> f64 {
        match unit {
            Unit::BoxHeights => self.heights,
            Unit::Metres => self.metres.unwrap_or(0.0),
        }
    }

    /// Whether it is at least as long.
    #[must_use]
    pub fn reaches(self, length: Length) -> bool {
        self.in_unit(length.unit) >= length.value
    }
}

/// A thing that stands, as far as is known; by place, so that it survives its tracks and a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    /// Its number in this session; `None`: known from an earlier one and not seen yet.
    pub track: Option<TrackId>,
    /// What it is.
    pub class: Class,
    /// Where it stands.
    pub bbox: BBox,
    /// Since when, in this session's time: at the earliest its start.
    pub since: MediaTime,
    /// Since when.
    pub stopped_at: WallTime,
    /// When it was last seen there (in an earlier session: this session's first scene).
    pub last_seen: MediaTime,
    /// For how long it was seen to stand.
    pub stood: Duration,
    /// How far it was seen to come.
    pub came: Way,
}

impl Parked {
    /// For how long it is known without being seen.
    fn remembered(&self) -> Duration {
        (self.stood * REMEMBER_FACTOR).clamp(REMEMBER_LEAST, REMEMBER_MOST)
    }

    fn heights_to(&self, track: &Track, aspect: f32) -> Option<f64> {
        heights_apart((self.class, self.bbox), (track.class, track.bbox), aspect)
    }
}

/// What stands before one camera.
#[derive(Debug, Default)]
pub struct Registry {
    things: Vec<Parked>,
    /// Every vehicle in the picture or remembered, by its number as shown.
    vehicles: BTreeMap<TrackId, Followed>,
    /// Numbers as shown, where they are not the stitcher's; by the stitcher's.
    shown: BTreeMap<TrackId, TrackId>,
    /// What stands changed since it was last asked for.
    changed: bool,
    /// Restored and still without a time of this session.
    restored: Vec<Parked>,
}

/// One vehicle and where it was last seen.
#[derive(Debug)]
struct Followed {
    vehicle: Vehicle,
    point: Point,
}

impl Registry {
    /// Takes up what an earlier session knew; before the first scene. Numbers and times of the earlier session are
    /// not used.
    pub fn restore(&mut self, things: Vec<Parked>) {
        self.restored.extend(things.into_iter().take(MOST));
    }

    /// What stands, when that changed since the last call: for the next session.
    pub fn changes(&mut self) -> Option<Vec<Parked>> {
        std::mem::take(&mut self.changed).then(|| self.things.clone())
    }

    /// Gives tracks that continue a thing its number, notes what settles and what leaves, and says in `scene.parked`
    /// what stands. Scenes come in ascending `pts`.
    pub fn observe(&mut self, scene: &mut Scene) {
        self.date_restored(scene);
        let mut ended = self.end(scene);
        self.recognise(scene, &mut ended);
        let over = self.follow(scene);
        self.settle(scene);
        self.forget(scene, &over, &mut ended);
        ended.sort_unstable();
        scene.ended = ended;
        scene.parked.clone_from(&self.things);
    }

    fn date_restored(&mut self, scene: &Scene) {
        let now = scene.stamp.pts;
        for thing in self.restored.drain(..) {
            let stood = scene.stamp.captured_at.as_unix_nanos().saturating_sub(thing.stopped_at.as_unix_nanos());
            let stood = Duration::from_nanos(u64::try_from(stood).unwrap_or(0));
            let since = MediaTime::ZERO + Duration::from_nanos(now.as_nanos()).saturating_sub(stood);
            self.things.push(Parked { track: None, since, last_seen: now, stood, ..thing });
        }
    }

    fn number(&self, stitched: TrackId) -> TrackId {
        self.shown.get(&stitched).copied().unwrap_or(stitched)
    }

    fn thing_of(&self, shown: TrackId) -> Option<usize> {
        self.things.iter().position(|thing| thing.track == Some(shown))
    }

    /// The numbers that end now; those of things that stand do not.
    fn end(&mut self, scene: &mut Scene) -> Vec<TrackId> {
        let mut ended = Vec::new();
        for stitched in std::mem::take(&mut scene.ended) {
            let shown = self.number(stitched);
            self.shown.remove(&stitched);
            if self.thing_of(shown).is_none() {
                self.vehicles.remove(&shown);
                ended.push(shown);
            }
        }
        ended
    }

    /// Gives tracks that begin where a thing stands unseen that thing's number, the closest first.
    fn recognise(&mut self, scene: &mut Scene, ended: &mut Vec<TrackId>) {
        let now = scene.stamp.pts;
        let mut fits = Vec::new();
        for track in seen_vehicles(scene) {
            let number = self.number(track.id);
            let unknown = match self.vehicles.get(&number) {
                None => true,
                Some(known) => has_settled(&known.vehicle, now) && known.vehicle.way().heights < COME,
            };
            if !unknown || self.thing_of(number).is_some() {
                continue;
            }
            let is_new = !self.vehicles.contains_key(&number);
            let unseen = |thing: &Parked| thing.track.is_none() || thing.last_seen < track.first_seen;
            for (i, thing) in self.things.iter().enumerate().filter(|(_, thing)| unseen(thing)) {
                let fit = thing.heights_to(track, scene.aspect).filter(|heights| *heights <= NEAR);
                let fit = fit.filter(|_| !is_new || thing.bbox.iou(track.bbox) >= SURE);
                fits.extend(fit.map(|heights| (heights, i, track.id)));
            }
        }
        fits.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let (mut things, mut tracks) = (BTreeSet::new(), BTreeSet::new());
        for (_, i, stitched) in fits {
            if !things.contains(&i) && tracks.insert(stitched) {
                things.insert(i);
                self.hand_over(i, stitched, scene, ended);
            }
        }
        for track in &mut scene.tracks {
            track.id = self.number(track.id);
            track.rider_of = track.rider_of.map(|vehicle| self.number(vehicle));
        }
        scene.tracks.sort_unstable_by_key(|track| track.id);
    }

    /// Lets a track be shown under a thing's number. Its own goes to the lost track that had that one, or is over.
    fn hand_over(&mut self, thing: usize, stitched: TrackId, scene: &Scene, ended: &mut Vec<TrackId>) {
        let own = self.number(stitched);
        let Some(number) = self.things[thing].track else {
            self.things[thing].track = Some(own);
            return;
        };
        let holder = scene.tracks.iter().map(|track| track.id).find(|id| self.number(*id) == number);
        let was_shown = self.vehicles.remove(&own).is_some();
        self.shown.insert(stitched, number);
        match holder {
            Some(holder) => {
                self.shown.insert(holder, own);
            }
            None if was_shown => ended.push(own),
            None => {}
        }
    }

    /// Notes where every seen vehicle is; the things over whose places one went.
    fn follow(&mut self, scene: &Scene) -> BTreeSet<usize> {
        let (now, aspect) = (scene.stamp.pts, scene.aspect);
        let mut over = BTreeSet::new();
        for track in seen_vehicles(scene) {
            let own = self.thing_of(track.id);
            let point = track.bbox.bottom_center();
            let followed = self
                .vehicles
                .entry(track.id)
                .or_insert_with(|| Followed { vehicle: Vehicle::new(track, Anchor::BottomCenter, now), point });
            let before = std::mem::replace(&mut followed.point, point);
            followed.vehicle.see(track, Anchor::BottomCenter, (now, aspect), SLOW, own.is_some());
            if let Some(thing) = own.map(|i| &mut self.things[i]) {
                thing.see(track, now);
            } else if followed.vehicle.way().heights >= COME {
                let passed = |thing: &Parked| {
                    now.since(thing.last_seen) > BLINK
                        && thing.heights_to(track, aspect).is_some()
                        && from_way(thing.bbox.bottom_center(), (before, point), aspect)
                            <= OVER * f64::from(thing.bbox.height())
                };
                over.extend(self.things.iter().enumerate().filter(|(_, thing)| passed(thing)).map(|(i, _)| i));
            }
        }
        over
    }

    /// What has stood for long enough is a thing from now on.
    fn settle(&mut self, scene: &Scene) {
        let now = scene.stamp.pts;
        for track in seen_vehicles(scene) {
            let Some(Followed { vehicle, .. }) = self.vehicles.get(&track.id) else { continue };
            let Some(stand) = vehicle.stand().filter(|_| has_settled(vehicle, now)) else { continue };
            if self.things.len() >= MOST || self.thing_of(track.id).is_some() {
                continue;
            }
            let stood = now.since(stand.since);
            self.changed = true;
            self.things.push(Parked {
                track: Some(track.id),
                class: track.class,
                bbox: track.bbox,
                since: stand.since,
                stopped_at: scene.stamp.captured_at - stood,
                last_seen: now,
                stood,
                came: vehicle.way(),
            });
        }
    }

    /// Drops what has left or is not remembered any more. A number that only a thing still had ends with it.
    fn forget(&mut self, scene: &Scene, over: &BTreeSet<usize>, ended: &mut Vec<TrackId>) {
        let now = scene.stamp.pts;
        let mut i = 0;
        let vehicles = &self.vehicles;
        let gone = self.things.extract_if(.., |thing| {
            let driven_over = over.contains(&i);
            i += 1;
            driven_over
                || now.since(thing.last_seen) > thing.remembered()
                || has_left(thing, vehicles, now, scene.aspect)
        });
        let gone: Vec<Parked> = gone.collect();
        self.changed |= !gone.is_empty();
        let alone = |number: &TrackId| scene.track(*number).is_none();
        for number in gone.into_iter().filter_map(|thing| thing.track).filter(alone) {
            self.vehicles.remove(&number);
            ended.push(number);
        }
    }
}

impl Parked {
    /// It is seen there.
    fn see(&mut self, track: &Track, now: MediaTime) {
        let dt = now.since(self.last_seen);
        let share = 1.0 - (-dt.min(BLINK).as_secs_f32() / BOX_MEMORY).exp();
        let mix = |old: f32, new: f32| old + (new - old) * share;
        let (old, new) = (self.bbox, track.bbox);
        let mixed = BBox::new(
            mix(old.left(), new.left()),
            mix(old.top(), new.top()),
            mix(old.right(), new.right()),
            mix(old.bottom(), new.bottom()),
        );
        self.bbox = mixed.unwrap_or(old);
        self.class = track.class;
        self.last_seen = now;
        self.stood = now.since(self.since);
    }
}

fn seen_vehicles(scene: &Scene) -> impl Iterator<Item = &Track> {
    scene.tracks.iter().filter(|track| track.state == TrackState::Seen && track.class.is_vehicle())
}

fn has_settled(vehicle: &Vehicle, now: MediaTime) -> bool {
    vehicle.stand().is_some_and(|stand| now.since(stand.since) >= SETTLE)
}

/// Whether its own track was seen to leave, or to begin to before it was lost.
fn has_left(thing: &Parked, vehicles: &BTreeMap<TrackId, Followed>, now: MediaTime, aspect: f32) -> bool {
    let Some(followed) = thing.track.and_then(|number| vehicles.get(&number)) else { return false };
    let off = f64::from(followed.point.distance(thing.bbox.bottom_center(), aspect) / thing.bbox.height());
    followed.vehicle.stand().is_none() || (now.since(thing.last_seen) > BLINK && off > LEAVING)
}

/// Distance of `point` from the way between two points, in picture heights.
fn from_way(point: Point, (from, to): (Point, Point), aspect: f32) -> f64 {
    let (dx, dy) = ((to.x - from.x) * aspect, to.y - from.y);
    let (px, py) = ((point.x - from.x) * aspect, point.y - from.y);
    let length = dx * dx + dy * dy;
    let share = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    f64::from((px - share * dx).hypot(py - share * dy))
}

#[cfg(test)]
mod tests;

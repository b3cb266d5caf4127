//! Detections in, tracks out: ByteTrack's two-stage association (Zhang et al., ECCV 2022) over a Kalman filter with an
//! explicit time step.
//!
//! A camera that does not move can learn more than that, each in a module of its own: how high persons look by place
//! (`ground`), which boxes show no person (`doubt`) or two of them (`merged`), where objects come and go (`places`). It is
//! learned within the session; before, the tracker is the plain one. What each gives is measured in `docs/tracking.md`.
//!
//! A track is *tentative* until it was seen over [`TrackerParams::confirm_after`]; then it gets its id and is shown,
//! seen or lost, until it was not seen for [`TrackerParams::lost_for`] or has left the picture.
//!
//! # Invariants
//! - Ids ascend from 1 within a tracker, are never reused and never burnt by noise.
//! - What is kept is bounded: per living track, and per camera for what is learned; nothing is kept of a track that ended.
//! - Time is media time and never runs backwards: a frame that is not later than the one before counts as
//!   simultaneous.

mod assignment;
mod association;
mod doubt;
mod ground;
mod live;
mod mechanisms;
mod merged;
mod motion;
pub(crate) mod path;
mod places;
mod rest;
mod rider;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::association::{Association, Expected, Sight};
use self::doubt::Haunts;
use self::ground::Ground;
use self::live::{LiveTrack, Sighting};
#[doc(hidden)]
pub use self::mechanisms::Mechanisms;
use self::places::Places;
use self::rider::{mount, sits_on};
use crate::class::Class;
use crate::detection::Detection;
use crate::geometry::BBox;
use crate::scene::{PathPoint, Scene, Track, TrackId, TrackState};
use crate::time::{FrameStamp, MediaTime};

/// How detections become tracks. Every time is media time.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackerParams {
    /// Detections at least this sure take part in the first association and may start a track.
    pub high_confidence: f32,
    /// Detections between this and `high_confidence` may only continue a track (second association).
    pub low_confidence: f32,
    /// A track may only start from a detection at least this sure.
    pub new_confidence: f32,
    /// A track is confirmed (and shown to rules) once it was seen over at least this long.
    pub confirm_after: Duration,
    /// A track that was not seen for this long ends.
    pub lost_for: Duration,
}

impl Default for TrackerParams {
    fn default() -> Self {
        Self {
            high_confidence: 0.5,
            low_confidence: 0.1,
            new_confidence: 0.6,
            confirm_after: Duration::from_millis(150),
            lost_for: Duration::from_secs(2),
        }
    }
}

/// A track that was lost on its way out of the picture ends after this long.
const GONE_FOR: Duration = Duration::from_millis(500);
/// A two-wheeler on which a person sits, of whom the model is sure, is believed from this share of what a new track asks:
/// each speaks for the other. Raising it costs small motorcycles, and makes pedestrians of their riders.
const RIDDEN: f32 = 0.5;
/// A two-wheeler of which the model is unsure is shown once its confidence, summed over the time in which it was seen, comes to
/// so many seconds of certainty: of one that is half hidden in a queue no single look is enough. Raising it costs small
/// motorcycles; lowering it shows what is none.
const ACCRUED: f32 = 0.3;
/// It is on its way out when less than this share of its expected box is in the picture.
const VISIBLE: f32 = 0.5;
/// What was lost at a learned exit is waited for this share of the time.
const AT_EXIT: f64 = 0.5;
/// Frames may be this far apart, and what stands is still the same in two of them: cameras send a key frame every one to four
/// seconds. Raising it follows what stands through longer gaps; it costs what comes to stand in its place within them.
const SPARSE: Duration = Duration::from_millis(4500);
/// An object's part of a merged box is so many times as uncertain as the box of one that is wholly hidden.
const SHARED: f32 = 2.0;
/// Heights are learned once per so many box heights of way: one who stands would count for a crowd.
const SAMPLE: f32 = 0.5;
/// How close to the edge a box is cut off.
const EDGE: f32 = 0.01;

/// The tracker of one camera.
#[derive(Debug)]
pub struct Tracker {
    params: TrackerParams,
    mechanisms: Mechanisms,
    tracks: Vec<LiveTrack>,
    last_id: u64,
    now: MediaTime,
    association: Association,
    expected: Vec<Expected>,
    sureness: Vec<f32>,
    /// Detections around more than one person in this frame.
    merged: Vec<usize>,
    ground: Ground,
    haunts: Haunts,
    places: Places,
    two_wheelers: Vec<(TrackId, BBox)>,
    spare: Option<Scene>,
    /// Empty ones, of the spare scene's tracks.
    paths: Vec<Vec<PathPoint>>,
}

impl Tracker {
    /// A tracker without tracks.
    #[must_use]
    pub fn new(params: TrackerParams) -> Self {
        Self::with_mechanisms(params, Mechanisms::ALL)
    }

    /// One with parts missing, for measurement.
    #[doc(hidden)]
    #[must_use]
    pub fn with_mechanisms(params: TrackerParams, mechanisms: Mechanisms) -> Self {
        Self {
            params,
            mechanisms,
            tracks: Vec::new(),
            last_id: 0,
            now: MediaTime::ZERO,
            association: Association::default(),
            expected: Vec::new(),
            sureness: Vec::new(),
            merged: Vec::new(),
            ground: Ground::default(),
            haunts: Haunts::default(),
            places: Places::default(),
            two_wheelers: Vec::new(),
            spare: None,
            paths: Vec::new(),
        }
    }

    /// Takes back a scene that nobody reads any more: the next one is made in its memory.
    pub fn reuse(&mut self, mut scene: Scene) {
        let emptied = |track: Track| {
            let mut path = track.path;
            path.clear();
            path
        };
        self.paths.clear();
        // The last first: each track then finds the path that was its own.
        self.paths.extend(scene.tracks.drain(..).rev().map(emptied));
        self.spare = Some(scene);
    }

    /// A scene without tracks.
    fn empty_scene(&mut self, stamp: FrameStamp, aspect: f32) -> Scene {
        let Some(spare) = self.spare.take() else { return Scene::new(stamp, aspect, Vec::new(), Vec::new()) };
        let Scene { tracks, mut ended, mut signals, mut parked, mut stills, .. } = spare;
        ended.clear();
        signals.clear();
        parked.clear();
        stills.clear();
        Scene { signals, parked, stills, ..Scene::new(stamp, aspect, tracks, ended) }
    }

    /// Takes the detections of one frame; frames come in ascending `pts`. `aspect` is the picture's width over its height.
    pub fn update(&mut self, stamp: FrameStamp, aspect: f32, detections: &[Detection]) -> Scene {
        let gap = stamp.pts.since(self.now);
        self.now = self.now.max(stamp.pts);
        let mut scene = self.empty_scene(stamp, aspect);
        let mut ended = std::mem::take(&mut scene.ended);
        // What ends while no one looked says nothing of the place.
        let watched = gap <= self.params.lost_for / 2;
        self.end_lost(aspect, watched, &mut ended);
        self.judge(detections);
        self.associate(aspect, detections);
        self.continue_tracks(aspect, detections);
        self.split_merged(aspect, detections);
        self.start_tracks(aspect, detections);
        self.learn_heights(aspect);
        self.doubt(aspect, &mut ended);
        self.confirm();
        self.observe_riders(aspect);
        ended.sort_unstable();
        scene.ended = ended;
        let Self { tracks, now, paths, .. } = self;
        scene.tracks.extend(tracks.iter().filter_map(|track| track.shown(*now, aspect, paths)));
        scene.tracks.sort_unstable_by_key(|track| track.id);
        scene
    }

    /// Drops tracks that were not seen for too long; `expected` then goes with the rest.
    fn end_lost(&mut self, aspect: f32, watched: bool, ended: &mut Vec<TrackId>) {
        let Self { params, mechanisms, tracks, now, expected, ground, haunts, places, .. } = self;
        let ground = mechanisms.perspective.then_some(&*ground);
        expected.clear();
        tracks.retain(|track| {
            let place = track.expected(*now, ground, aspect);
            let foot = track.bbox.bottom_center();
            let may_wait = match track.id {
                None if track.unsure => place.unseen <= places::LOSS,
                None => place.unseen <= params.confirm_after,
                Some(_) if !mechanisms.exits => true,
                Some(_) if places.is_exit(foot) => place.unseen <= params.lost_for.mul_f64(AT_EXIT),
                Some(_) => place.unseen <= GONE_FOR || stays(place.bbox),
            };
            // One that was seen in the last frame may be missed in this one, however few frames there are; and was seen in all there
            // are, when it stands and frames are seconds apart.
            let in_last = track.state == TrackState::Seen;
            let stands = in_last && track.moved < doubt::MOVED && place.unseen <= SPARSE;
            if stands || place.unseen <= params.lost_for && (may_wait || in_last) {
                expected.push(place);
                return true;
            }
            let moved = track.moved >= doubt::MOVED;
            if watched && track.hits >= 2 && track.class() == Class::Person {
                haunts.ended(track.bbox, moved, *now);
            }
            if watched && track.id.is_some() {
                places.left(foot, *now);
                if moved {
                    places.entered(track.born, *now);
                }
            }
            ended.extend(track.id);
            false
        });
    }

    /// How sure each detection is: as the model says, but for unsure two-wheelers on which a sure person sits.
    fn judge(&mut self, detections: &[Detection]) {
        let TrackerParams { high_confidence, new_confidence, .. } = self.params;
        let confidence = |detection: &Detection| detection.confidence.get();
        let is_ridden = |two_wheeler: &Detection| {
            let sure = detections.iter().filter(|other| confidence(other) >= high_confidence);
            sure.filter(|other| other.class == Class::Person).any(|person| sits_on(person.bbox, two_wheeler.bbox))
        };
        let unsure = RIDDEN * new_confidence..new_confidence;
        self.sureness.clear();
        self.sureness.extend(detections.iter().map(|detection| {
            let doubtful = detection.class.is_two_wheeler() && unsure.contains(&confidence(detection));
            let raised = self.mechanisms.ridden && doubtful && is_ridden(detection);
            if raised { new_confidence } else { confidence(detection) }
        }));
    }

    fn associate(&mut self, aspect: f32, detections: &[Detection]) {
        self.association.run(&Sight {
            tracks: &self.tracks,
            expected: &self.expected,
            detections,
            sureness: &self.sureness,
            aspect,
            high_confidence: self.params.high_confidence,
            low_confidence: self.params.low_confidence,
            reach: self.mechanisms.reach,
            nested: self.mechanisms.nested,
        });
    }

    fn continue_tracks(&mut self, aspect: f32, detections: &[Detection]) {
        let now = self.now;
        self.merged.clear();
        for i in 0..self.expected.len() {
            let expected = self.expected[i];
            self.tracks[i].frames = self.tracks[i].frames.saturating_add(1);
            let Some(j) = self.association.detection_of[i] else {
                self.tracks[i].state = TrackState::Lost;
                continue;
            };
            let mut detection = detections[j];
            if self.mechanisms.merged && self.is_merged(i, &detection) {
                self.merged.push(j);
                detection.bbox = merged::own_part(expected.bbox, detection.bbox);
            }
            let is_sure = self.sureness[j] >= self.starts_from(detection.bbox);
            let covered = self.association.hidden(expected.bbox, j, detections);
            let hidden = if self.mechanisms.hidden { covered } else { 0.0 };
            let track = &mut self.tracks[i];
            track.unsure &= !is_sure;
            let may_rest = self.mechanisms.rest && track.class().is_vehicle();
            if track.id.is_some() && expected.unseen >= places::LOSS {
                self.places.returned(track.bbox.bottom_center(), now);
            }
            track.see(&Sighting { detection: &detection, expected: &expected, hidden, may_rest, now, aspect });
        }
    }

    /// Whether the detection of track `i` shows another person too. Of a rider it may show the two-wheeler.
    fn is_merged(&self, i: usize, detection: &Detection) -> bool {
        let (track, seen) = (&self.tracks[i], detection.bbox);
        let on_foot = track.class() == Class::Person && detection.class == Class::Person;
        if !on_foot || track.riding.ridden().is_some() {
            return false;
        }
        let excess = self.ground.height(Class::Person, seen.bottom_center()).map(|usual| usual.excess(seen));
        let confirmed = |k: &usize| *k != i && self.tracks[*k].id.is_some();
        let others = (0..self.expected.len()).filter(confirmed).map(|k| self.expected[k].bbox);
        merged::is_merged(self.expected[i].bbox, seen, excess, others)
    }

    /// Sees lost persons in merged boxes that should be in there.
    fn split_merged(&mut self, aspect: f32, detections: &[Detection]) {
        let now = self.now;
        for (track, expected) in self.tracks.iter_mut().zip(&self.expected) {
            let waits = track.id.is_some() && track.state == TrackState::Lost && expected.unseen <= GONE_FOR;
            if !waits || track.class() != Class::Person {
                continue;
            }
            let mut shown = self.merged.iter().map(|&j| detections[j]);
            let part =
                shown.find_map(|whole| Some(Detection { bbox: merged::within(expected.bbox, whole.bbox)?, ..whole }));
            if let Some(detection) = part {
                let hidden = SHARED;
                track.see(&Sighting { detection: &detection, expected, hidden, may_rest: false, now, aspect });
            }
        }
    }

    /// How sure a detection must be to start a track.
    fn starts_from(&self, bbox: BBox) -> f32 {
        let TrackerParams { high_confidence, new_confidence, .. } = self.params;
        let entry = self.mechanisms.entries && self.places.is_entry(bbox.bottom_center());
        if entry { high_confidence.min(new_confidence) } else { new_confidence }
    }

    /// Starts a track from each sure detection that none has, and one that has yet to prove itself from each two-wheeler.
    fn start_tracks(&mut self, aspect: f32, detections: &[Detection]) {
        for ((detection, sureness), taken) in detections.iter().zip(&self.sureness).zip(&self.association.taken) {
            let unsure = *sureness < self.starts_from(detection.bbox);
            let may_accrue =
                self.mechanisms.accrued && detection.class.is_two_wheeler() && *sureness >= self.params.low_confidence;
            if !taken && (!unsure || may_accrue) {
                let mut track = LiveTrack::new(detection, self.now, aspect);
                track.unsure = unsure;
                self.tracks.push(track);
            }
        }
    }

    /// Learns heights from those seen whole who moved on.
    fn learn_heights(&mut self, aspect: f32) {
        for track in &mut self.tracks {
            let sure = track.state == TrackState::Seen && track.confidence().get() >= self.params.high_confidence;
            let whole = track.hidden == 0.0 && !is_cut_off(track.bbox);
            // A rider's feet are on no ground.
            let stands = track.id.is_some() && track.riding.ridden().is_none();
            let foot = track.bbox.bottom_center();
            if sure && whole && stands && foot.distance(track.sampled, aspect) >= SAMPLE * track.bbox.height() {
                track.sampled = foot;
                self.ground.learn(track.class(), track.bbox, self.now);
            }
        }
    }

    /// Doubts persons who never moved, on evidence; one who was shown ends.
    fn doubt(&mut self, aspect: f32, ended: &mut Vec<TrackId>) {
        self.find_two_wheelers(aspect);
        let Self { params, mechanisms, tracks, now, ground, haunts, two_wheelers, .. } = self;
        for track in tracks.iter_mut().filter(|track| track.state == TrackState::Seen) {
            let still = track.class() == Class::Person && track.moved < doubt::MOVED;
            if !still || mount(track.bbox, two_wheelers).is_some() {
                track.doubted = false;
                continue;
            }
            let unsure = doubt::is_unsure(track.sureness, params.new_confidence);
            let known = ground.height(Class::Person, track.bbox.bottom_center()).filter(|_| mechanisms.heights);
            let whole = track.hidden == 0.0 && !is_cut_off(track.bbox);
            let usual = known.filter(|_| whole || track.doubted);
            track.doubted = usual.is_some_and(|usual| doubt::contradicts(usual, track.bbox, unsure, track.doubted))
                || mechanisms.haunts && unsure && haunts.contains(track.bbox, *now);
            if track.doubted {
                ended.extend(track.id.take());
            }
        }
    }

    fn confirm(&mut self) {
        for track in &mut self.tracks {
            let seen_for = track.last_seen.since(track.first_seen);
            if track.id.is_none()
                && !track.doubted
                && track.state == TrackState::Seen
                && track.hits >= 2
                && seen_for >= self.params.confirm_after
                && 2 * track.hits > track.frames
                && (!track.unsure || track.evidence >= ACCRUED)
            {
                self.last_id += 1;
                track.id = Some(TrackId(self.last_id));
            }
        }
    }

    /// The two-wheelers there are, seen or expected.
    fn find_two_wheelers(&mut self, aspect: f32) {
        let Self { tracks, now, two_wheelers, .. } = self;
        two_wheelers.clear();
        let found = tracks.iter().filter(|track| track.class().is_two_wheeler());
        two_wheelers.extend(found.filter_map(|track| Some((track.id?, track.place(*now, aspect)))));
    }

    /// Notes which persons, of those seen, are on which two-wheelers.
    fn observe_riders(&mut self, aspect: f32) {
        let now = self.now;
        self.find_two_wheelers(aspect);
        let two_wheelers = &self.two_wheelers;
        let on_foot_or_riding = |track: &&mut LiveTrack| {
            track.id.is_some() && track.state == TrackState::Seen && track.class() == Class::Person
        };
        for person in self.tracks.iter_mut().filter(on_foot_or_riding) {
            let on = mount(person.bbox, two_wheelers);
            person.riding.observe(now, on);
        }
    }
}

/// Whether enough of a lost box is still in the picture.
fn stays(bbox: BBox) -> bool {
    bbox.clipped().is_some_and(|visible| visible.area() >= VISIBLE * bbox.area())
}

/// Whether the picture's edge may cut the box off.
fn is_cut_off(bbox: BBox) -> bool {
    bbox.left() < EDGE || bbox.top() < EDGE || bbox.right() > 1.0 - EDGE || bbox.bottom() > 1.0 - EDGE
}

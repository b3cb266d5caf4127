//! Detections in, tracks out: ByteTrack's two-stage association (Zhang et al., ECCV 2022) over a Kalman filter with an
//! explicit time step.
//!
//! A track is *tentative* until it was seen over [`TrackerParams::confirm_after`]; then it gets its id and is shown,
//! seen or lost, until it was not seen for [`TrackerParams::lost_for`] or has left the picture.
//!
//! # Invariants
//! - Ids ascend from 1 within a tracker, are never reused and never burnt by noise.
//! - What is kept is bounded per living track; nothing is kept of one that ended.
//! - Time is media time and never runs backwards: a frame that is not later than the one before counts as
//!   simultaneous.

mod assignment;
mod association;
mod live;
mod motion;
pub(crate) mod path;
mod rider;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::association::{Association, Expected, Sight};
use self::live::{LiveTrack, Sighting};
use self::rider::mount;
use crate::class::Class;
use crate::detection::Detection;
use crate::geometry::BBox;
use crate::scene::{Scene, TrackId, TrackState};
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
/// It is on its way out when less than this share of its expected box is in the picture.
const VISIBLE: f32 = 0.5;

/// The tracker of one camera.
#[derive(Debug)]
pub struct Tracker {
    params: TrackerParams,
    tracks: Vec<LiveTrack>,
    last_id: u64,
    now: MediaTime,
    association: Association,
    expected: Vec<Expected>,
}

impl Tracker {
    /// A tracker without tracks.
    #[must_use]
    pub fn new(params: TrackerParams) -> Self {
        Self {
            params,
            tracks: Vec::new(),
            last_id: 0,
            now: MediaTime::ZERO,
            association: Association::default(),
            expected: Vec::new(),
        }
    }

    /// Takes the detections of one frame; frames come in ascending `pts`. `aspect` is the picture's width over its height.
    pub fn update(&mut self, stamp: FrameStamp, aspect: f32, detections: &[Detection]) -> Scene {
        self.now = self.now.max(stamp.pts);
        let mut ended = Vec::new();
        self.end_lost(aspect, &mut ended);
        self.associate(aspect, detections);
        self.continue_tracks(aspect, detections);
        self.start_tracks(aspect, detections);
        self.confirm();
        self.observe_riders(aspect);
        ended.sort_unstable();
        let mut tracks: Vec<_> = self.tracks.iter().filter_map(|track| track.shown(self.now, aspect)).collect();
        tracks.sort_unstable_by_key(|track| track.id);
        Scene::new(stamp, aspect, tracks, ended)
    }

    /// Drops tracks that were not seen for too long; `expected` then goes with the rest.
    fn end_lost(&mut self, aspect: f32, ended: &mut Vec<TrackId>) {
        let Self { params, tracks, now, expected, .. } = self;
        expected.clear();
        tracks.retain(|track| {
            let place = track.expected(*now, aspect);
            let may_wait = match track.id {
                None => place.unseen <= params.confirm_after,
                Some(_) => place.unseen <= GONE_FOR || stays(place.bbox),
            };
            // One that was seen in the last frame may be missed in this one, however few frames there are.
            if place.unseen <= params.lost_for && (may_wait || track.state == TrackState::Seen) {
                expected.push(place);
                return true;
            }
            ended.extend(track.id);
            false
        });
    }

    fn associate(&mut self, aspect: f32, detections: &[Detection]) {
        self.association.run(&Sight {
            tracks: &self.tracks,
            expected: &self.expected,
            detections,
            aspect,
            high_confidence: self.params.high_confidence,
            low_confidence: self.params.low_confidence,
        });
    }

    fn continue_tracks(&mut self, aspect: f32, detections: &[Detection]) {
        for (i, (track, expected)) in self.tracks.iter_mut().zip(&self.expected).enumerate() {
            track.frames = track.frames.saturating_add(1);
            let Some(j) = self.association.detection_of[i] else {
                track.state = TrackState::Lost;
                continue;
            };
            let hidden = self.association.hidden(expected.bbox, j, detections);
            let detection = &detections[j];
            track.see(&Sighting { detection, expected, hidden, now: self.now, aspect });
        }
    }

    /// Starts a track from each sure detection that none has.
    fn start_tracks(&mut self, aspect: f32, detections: &[Detection]) {
        for (detection, taken) in detections.iter().zip(&self.association.taken) {
            let sure = detection.confidence.get() >= self.params.new_confidence;
            if sure && !taken {
                self.tracks.push(LiveTrack::new(detection, self.now, aspect));
            }
        }
    }

    fn confirm(&mut self) {
        for track in &mut self.tracks {
            let seen_for = track.last_seen.since(track.first_seen);
            if track.id.is_none()
                && track.state == TrackState::Seen
                && track.hits >= 2
                && seen_for >= self.params.confirm_after
                && 2 * track.hits > track.frames
            {
                self.last_id += 1;
                track.id = Some(TrackId(self.last_id));
            }
        }
    }

    /// Notes which persons, of those seen, are on which two-wheelers, seen or expected.
    fn observe_riders(&mut self, aspect: f32) {
        let now = self.now;
        let two_wheelers: Vec<(TrackId, BBox)> = self
            .tracks
            .iter()
            .filter(|track| track.class().is_two_wheeler())
            .filter_map(|track| Some((track.id?, track.place(now, aspect))))
            .collect();
        let on_foot_or_riding = |track: &&mut LiveTrack| {
            track.id.is_some() && track.state == TrackState::Seen && track.class() == Class::Person
        };
        for person in self.tracks.iter_mut().filter(on_foot_or_riding) {
            let on = mount(person.bbox, &two_wheelers);
            person.riding.observe(now, on);
        }
    }
}

/// Whether enough of a lost box is still in the picture.
fn stays(bbox: BBox) -> bool {
    bbox.clipped().is_some_and(|visible| visible.area() >= VISIBLE * bbox.area())
}

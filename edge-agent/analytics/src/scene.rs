//! One analysed frame as rules see it: the tracks and nothing else.

use std::fmt;

use crate::class::Class;
use crate::detection::Confidence;
use crate::geometry::{BBox, Point};
use crate::ground::GroundPoint;
use crate::id::SignalId;
use crate::parked::Parked;
use crate::stream::Stream;
use crate::time::{FrameStamp, MediaTime};
use crate::view::{Placement, Sight, Still, StillId};

/// Number of a track, from a counter per camera that starts at 1 and never repeats within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u64);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a track was seen in this frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackState {
    /// Matched with a detection of this frame, its own or one that shows it behind another.
    Seen,
    /// Not matched; `bbox` is where the motion model expects it.
    Lost,
}

/// A place a track passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathPoint {
    /// When.
    pub at: MediaTime,
    /// Where it stood: the middle of the bottom edge.
    pub point: Point,
}

/// One confirmed object, followed over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Unique within the camera's session.
    pub id: TrackId,
    /// Voted over the track's life, weighted by confidence.
    pub class: Class,
    /// Of the detection last matched.
    pub confidence: Confidence,
    /// Filtered place when seen, expected place when lost.
    pub bbox: BBox,
    /// Velocity of the bottom centre, in fractions of width and of height per second.
    pub velocity: Point,
    /// Seen in this frame or not.
    pub state: TrackState,
    /// First matched detection (before it was confirmed).
    pub first_seen: MediaTime,
    /// Last matched detection.
    pub last_seen: MediaTime,
    /// The two-wheeler this person rides, once it has kept with it.
    pub rider_of: Option<TrackId>,
    /// Where it stood, oldest first, thinned; bounded.
    pub path: Vec<PathPoint>,
    /// Where its bottom centre is on the ground; calibrated cameras only.
    pub ground: Option<GroundPoint>,
}

/// What a traffic signal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalState {
    /// Go.
    Green,
    /// About to change.
    Amber,
    /// Stop.
    Red,
    /// Not known: dark, flashing, hidden, or its source is silent.
    Unknown,
}

/// A traffic signal as it was at a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its name in the site file.
    pub id: SignalId,
    /// What it shows.
    pub state: SignalState,
    /// Since when it has shown that.
    pub since: MediaTime,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
}

/// Everything rules may know about one analysed frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Which frame.
    pub stamp: FrameStamp,
    /// Width over height of the picture.
    pub aspect: f32,
    /// Confirmed tracks, seen and lost, by ascending id.
    pub tracks: Vec<Track>,
    /// Tracks that ended since the last scene; they are not in `tracks` and never come back.
    pub ended: Vec<TrackId>,
    /// The traffic signals of the camera, by id.
    pub signals: Vec<Signal>,
    /// The vehicles that stand, seen or not.
    pub parked: Vec<Parked>,
    /// What stands out from the place and holds still, by id; only where a rule asks for it.
    pub stills: Vec<Still>,
    /// How the camera itself is.
    pub camera: CameraState,
}

/// How a camera is, as of one scene.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CameraState {
    /// What its picture shows; with every frame of which a view was taken.
    pub sight: Option<Sight>,
    /// Where its zones and lines are in the picture.
    pub placement: Placement,
    /// Since when its view has been another, while `placement` is shifted or lost.
    pub moved_since: Option<MediaTime>,
    /// How its frames arrive.
    pub stream: Stream,
}

impl CameraState {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        sight: None,
        placement: Placement::Home,
        moved_since: None,
        stream: Stream { outage: None, rate: None, clock: None },
    };
}

impl Scene {
    /// The tracks of one frame, by ascending id, and nothing else.
    #[must_use]
    pub const fn new(stamp: FrameStamp, aspect: f32, tracks: Vec<Track>, ended: Vec<TrackId>) -> Self {
        Self {
            stamp,
            aspect,
            tracks,
            ended,
            signals: Vec::new(),
            parked: Vec::new(),
            stills: Vec::new(),
            camera: CameraState::UNKNOWN,
        }
    }

    /// What the signal with this id shows.
    #[must_use]
    pub fn signal(&self, id: &SignalId) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.id == *id)
    }

    /// What is known of this track as a thing that stands.
    #[must_use]
    pub fn parked(&self, id: TrackId) -> Option<&Parked> {
        self.parked.iter().find(|thing| thing.track == Some(id))
    }

    /// Whether the object of this track is only out of sight: its track is lost, or it stood where nothing is seen now.
    #[must_use]
    pub fn is_out_of_sight(&self, id: TrackId) -> bool {
        match self.track(id) {
            Some(track) => track.state == TrackState::Lost,
            None => self.parked(id).is_some(),
        }
    }

    /// The track with this id.
    #[must_use]
    pub fn track(&self, id: TrackId) -> Option<&Track> {
        self.tracks.binary_search_by_key(&id, |track| track.id).ok().map(|i| &self.tracks[i])
    }

    /// The still region with this id.
    #[must_use]
    pub fn still(&self, id: StillId) -> Option<&Still> {
        self.stills.iter().find(|still| still.id == id)
    }

    /// Tracks matched with a detection of this frame.
    pub fn seen(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|track| track.state == TrackState::Seen)
    }
}

//! Detections in, tracks out: ByteTrack's two-stage association (Zhang et al., ECCV 2022) over a Kalman filter with an
//! explicit time step.

use std::time::Duration;

use crate::detection::Detection;
use crate::scene::Scene;
use crate::time::FrameStamp;

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
            confirm_after: Duration::from_millis(200),
            lost_for: Duration::from_secs(2),
        }
    }
}

/// The tracker of one camera.
#[derive(Debug)]
pub struct Tracker {
    #[expect(dead_code, reason = "stub")]
    params: TrackerParams,
}

impl Tracker {
    /// A tracker without tracks.
    #[must_use]
    pub fn new(params: TrackerParams) -> Self {
        Self { params }
    }

    /// Takes the detections of one frame; frames come in ascending `pts`. `aspect` is the picture's width over its height.
    pub fn update(&mut self, stamp: FrameStamp, aspect: f32, _detections: &[Detection]) -> Scene {
        Scene { stamp, aspect, tracks: Vec::new(), ended: Vec::new() }
    }
}

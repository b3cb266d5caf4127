//! One camera's clips as one session: frames in order, media time going on from clip to clip, paced.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use analytics::{CameraId, MediaTime, WallTime};

use crate::frame::Frame;
use crate::privacy::Masks;
use crate::source::{FileSource, SourceError};

/// Which frames are analysed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Every frame.
    All,
    /// About this many a second, by media time.
    Fps(f64),
}

/// Timestamps of containers are rounded; a frame this close before it is due is due.
const TOLERANCE: Duration = Duration::from_millis(2);

/// A camera's clips.
pub(super) struct Reel {
    camera: CameraId,
    masks: Masks,
    clips: VecDeque<PathBuf>,
    source: Option<FileSource>,
    pace: Pace,
    due: MediaTime,
    start: WallTime,
    /// Where the present clip begins in the session.
    offset: Duration,
    seq_offset: u64,
    last: Option<(MediaTime, Duration)>,
    last_seq: u64,
}

impl Reel {
    /// Opens the first clip, seen through the camera's masks; the others follow it.
    pub(super) fn open(
        (camera, masks): (CameraId, Masks),
        clips: VecDeque<PathBuf>,
        pace: Pace,
        start: WallTime,
    ) -> Result<Self, SourceError> {
        let (offset, seq_offset) = (Duration::ZERO, 0);
        let (due, last, last_seq) = (MediaTime::ZERO, None, 0);
        let mut reel =
            Self { camera, masks, clips, source: None, pace, due, start, offset, seq_offset, last, last_seq };
        reel.open_next()?;
        Ok(reel)
    }

    fn open_next(&mut self) -> Result<bool, SourceError> {
        let Some(clip) = self.clips.pop_front() else { return Ok(false) };
        // The next clip begins one frame after the last one ended.
        self.offset = self.last.map_or(Duration::ZERO, |(at, step)| at.since(MediaTime::ZERO) + step);
        self.seq_offset = self.last_seq;
        self.source = Some(FileSource::open(&clip, self.camera.clone(), self.start, &self.masks)?);
        Ok(true)
    }

    /// The next frame that is to be analysed; counts all it passes.
    pub(super) fn next_due(&mut self, frames: &mut u64) -> Result<Option<Frame>, SourceError> {
        while let Some(frame) = self.next_frame()? {
            *frames += 1;
            if self.is_due(frame.stamp.pts) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        while let Some(source) = &mut self.source {
            if let Some(mut frame) = source.next_frame()? {
                frame.stamp.pts = frame.stamp.pts + self.offset;
                frame.stamp.captured_at = frame.stamp.captured_at + self.offset;
                frame.stamp.seq += self.seq_offset;
                let step = self.last.map_or(Duration::ZERO, |(last, _)| frame.stamp.pts.since(last));
                self.last = Some((frame.stamp.pts, step));
                self.last_seq = frame.stamp.seq;
                return Ok(Some(frame));
            }
            self.source = None;
            self.open_next()?;
        }
        Ok(None)
    }

    fn is_due(&mut self, pts: MediaTime) -> bool {
        let Pace::Fps(fps) = self.pace else { return true };
        let interval = Duration::from_secs_f64(1.0 / fps);
        if pts + TOLERANCE < self.due {
            return false;
        }
        // On the grid while frames keep up with it; after a gap the grid begins anew.
        let on_grid = self.due + interval;
        self.due = if on_grid > pts { on_grid } else { pts + interval };
        true
    }
}

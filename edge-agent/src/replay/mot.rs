//! Tracks and detections in the MOTChallenge text format.

use std::fmt::{Display, Write};

use analytics::{BBox, Class, Confidence, Detection, Scene};

/// Collects tracks, or detections: `frame,id,left,top,width,height,confidence,class_id,-1,-1`, in pixels of the source, frames
/// counted from 1, class ids of COCO's 80; the id of a detection is -1. A first line lists the frames that were analysed, so that an empty frame is told from
/// one that was skipped.
#[derive(Debug, Default)]
pub struct MotWriter {
    analysed: Vec<u64>,
    lines: String,
}

impl MotWriter {
    /// Adds the tracks that were seen in a frame of `picture` (width, height) pixels.
    pub fn frame(&mut self, seq: u64, picture: (u32, u32), scene: &Scene) {
        self.analysed.push(seq);
        for track in scene.seen() {
            self.line((seq, track.id), picture, track.bbox, track.confidence, track.class);
        }
    }

    /// Adds what was detected in a frame of `picture` (width, height) pixels.
    pub fn detections(&mut self, seq: u64, picture: (u32, u32), detections: &[Detection]) {
        self.analysed.push(seq);
        for detection in detections {
            self.line((seq, -1), picture, detection.bbox, detection.confidence, detection.class);
        }
    }

    fn line(
        &mut self,
        (seq, id): (u64, impl Display),
        (width, height): (u32, u32),
        bbox: BBox,
        confidence: Confidence,
        class: Class,
    ) {
        let (width, height) = (width as f32, height as f32);
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.lines,
            "{seq},{id},{:.2},{:.2},{:.2},{:.2},{:.4},{},-1,-1",
            bbox.left() * width,
            bbox.top() * height,
            bbox.width() * width,
            bbox.height() * height,
            confidence.get(),
            class.coco_id(),
        );
    }

    /// The whole file.
    #[must_use]
    pub fn finish(self) -> String {
        let frames: Vec<String> = self.analysed.iter().map(u64::to_string).collect();
        format!("# analysed_frames: {}\n{}", frames.join(","), self.lines)
    }
}

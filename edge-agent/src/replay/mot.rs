//! Tracks in the MOTChallenge text format.

use std::fmt::Write;

use analytics::Scene;

/// Collects tracks: `frame,id,left,top,width,height,confidence,class_id,-1,-1`, in pixels of the source, frames counted
/// from 1, class ids of COCO's 80. A first line lists the frames that were analysed, so that an empty frame is told from
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
        let (width, height) = (picture.0 as f32, picture.1 as f32);
        for track in scene.seen() {
            let bbox = track.bbox;
            // Writing to a String cannot fail.
            let _ = writeln!(
                self.lines,
                "{seq},{},{:.2},{:.2},{:.2},{:.2},{:.4},{},-1,-1",
                track.id,
                bbox.left() * width,
                bbox.top() * height,
                bbox.width() * width,
                bbox.height() * height,
                track.confidence.get(),
                track.class.coco_id(),
            );
        }
    }

    /// The whole file.
    #[must_use]
    pub fn finish(self) -> String {
        let frames: Vec<String> = self.analysed.iter().map(u64::to_string).collect();
        format!("# analysed_frames: {}\n{}", frames.join(","), self.lines)
    }
}

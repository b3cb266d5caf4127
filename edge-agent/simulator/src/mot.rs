//! Simulated traffic as MOTChallenge files: true boxes with their ids, and what the detector reports, so that a tracker can
//! be scored as on a clip. Boxes are pixels of a picture of 1920 x 1080, frames count from 1, the class is COCO's number.

use std::fmt::Write as _;

use analytics::{BBox, Class};

use crate::detector::MOST_COVERED;
use crate::feed::Feed;

/// Size of the picture in which boxes are written.
const WIDTH: f32 = 1920.0;
const HEIGHT: f32 = 1080.0;
/// True boxes lower than this, in pixels, or covered almost wholly, are no part of the truth: no detector is asked for them.
const LEAST_HEIGHT: f32 = 40.0;

/// A feed in two files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mot {
    /// `frame,id,left,top,width,height,1,class,visibility`, ids by body: a motorcycle's riders have their own.
    pub truth: String,
    /// `frame,-1,left,top,width,height,confidence,class,-1,-1`.
    pub detections: String,
}

/// Runs a feed to its end and writes down its boxes. `wanted`: which classes.
#[must_use]
pub fn written(feed: &mut Feed, wanted: impl Fn(Class) -> bool) -> Mot {
    let mut mot = Mot::default();
    while let Some(frame) = feed.step() {
        let seq = frame.stamp.seq;
        for sight in frame.sights.iter().filter(|sight| wanted(sight.body.class)) {
            let Some(bbox) = sight.bbox.clipped() else { continue };
            if bbox.height() * HEIGHT >= LEAST_HEIGHT && sight.covered <= MOST_COVERED {
                let (class, visible) = (sight.body.class.coco_id(), 1.0 - sight.covered);
                let id = sight.body.id;
                // Writing to a string does not fail.
                let _ = writeln!(mot.truth, "{seq},{id},{},1,{class},{visible:.2}", pixels(bbox));
            }
        }
        for found in frame.detections.iter().filter(|found| wanted(found.class)) {
            let (class, confidence) = (found.class.coco_id(), found.confidence.get());
            let _ = writeln!(mot.detections, "{seq},-1,{},{confidence:.3},{class},-1,-1", pixels(found.bbox));
        }
    }
    mot
}

fn pixels(bbox: BBox) -> String {
    let (left, top) = (bbox.left() * WIDTH, bbox.top() * HEIGHT);
    format!("{left:.2},{top:.2},{:.2},{:.2}", bbox.width() * WIDTH, bbox.height() * HEIGHT)
}

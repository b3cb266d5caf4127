//! Boxes of nothing: places that look like something, and random ones.

use analytics::{BBox, Class, Detection};

use super::{DetectorParams, push};
use crate::random::Chance;

/// A place of the picture that looks like something, for as long as the camera hangs there.
#[derive(Debug, Clone)]
struct Place {
    bbox: BBox,
    class: Class,
    confidence: f64,
    spread: f64,
    /// Share of the time in which it is reported, and for how long at a stretch (s).
    share: f64,
    stretch_s: f64,
    is_on: bool,
}

/// All boxes of nothing of one camera.
#[derive(Debug, Clone)]
pub(super) struct Phantoms {
    places: Vec<Place>,
    chance: Chance,
}

fn anywhere(chance: &mut Chance) -> (BBox, Class) {
    let class = [Class::Person, Class::Car, Class::Truck, Class::Motorcycle][chance.pick(&[0.5, 0.25, 0.15, 0.1])];
    let height = chance.between(0.06, 0.16);
    let width = height * if class == Class::Person { 0.25 } else { 0.8 };
    let (x, bottom) = (chance.between(0.02, 0.98), chance.between(0.2, 0.99));
    let edges = [x - width / 2.0, bottom - height, x + width / 2.0, bottom].map(|edge| edge as f32);
    let bbox = BBox::new(edges[0], edges[1], edges[2], edges[3]).expect("it has a size");
    (bbox.clipped().expect("its middle is in the picture"), class)
}

impl Phantoms {
    pub(super) fn new(params: &DetectorParams, mut chance: Chance) -> Self {
        let (weak, strong) = params.sticky_places;
        let mut places = Vec::new();
        for index in 0..weak + strong {
            let (bbox, class) = anywhere(&mut chance);
            places.push(if index < strong {
                // On the clip a traffic sign was a person of confidence 0.53 ± 0.06 in all but three frames of 795.
                let confidence = chance.between(0.25, 0.55);
                Place { bbox, class, confidence, spread: 0.06, share: 0.98, stretch_s: 30.0, is_on: true }
            } else {
                let share = chance.between(0.02, 0.3);
                Place { bbox, class, confidence: 0.13, spread: 0.03, share, stretch_s: 0.5, is_on: false }
            });
        }
        Self { places, chance }
    }

    /// Those of one frame, `dt_s` after the last.
    pub(super) fn appear(&mut self, params: &DetectorParams, dt_s: f64, detections: &mut Vec<Detection>) {
        let chance = &mut self.chance;
        for place in &mut self.places {
            let off_s = place.stretch_s * (1.0 - place.share) / place.share;
            let turned = 1.0 - (-dt_s * (1.0 / place.stretch_s + 1.0 / off_s)).exp();
            if chance.happens(turned) {
                place.is_on = chance.happens(place.share);
            }
            if place.is_on {
                let confidence = (place.confidence + place.spread * chance.normal()).max(params.threshold);
                let mut edge = |at: f32| at + (0.02 * chance.normal()) as f32 * place.bbox.height();
                let b = place.bbox;
                if let Some(bbox) = BBox::new(edge(b.left()), edge(b.top()), edge(b.right()), edge(b.bottom())) {
                    push(detections, bbox, place.class, confidence);
                }
            }
        }
        let (weak, strong) = params.random_false;
        for (expected, is_strong) in [(weak, false), (strong, true)] {
            if chance.happens(expected) {
                let (bbox, class) = anywhere(chance);
                let confidence = if is_strong {
                    chance.between(0.3, 0.75)
                } else {
                    params.threshold + chance.exponential(params.weak_mean)
                };
                push(detections, bbox, class, confidence.min(params.most_sure));
            }
        }
    }
}

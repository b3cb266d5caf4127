//! A detector that errs as a real one was measured to: it misses, shifts, confuses, repeats and invents boxes, and what it
//! did in one frame it is likely to do in the next.
//!
//! Numbers and their source: [`DetectorParams`]. Not modelled: bodies that look alike next to each other being boxed as one,
//! pictures that repeat, what standing still does to correlation (it is that of walkers and of moving cars).

mod params;
mod phantom;

use std::collections::BTreeMap;

use analytics::{BBox, Class, Confidence, Detection};

pub use self::params::{Condition, DetectorParams, Jitter};
use self::phantom::Phantoms;
use crate::camera::Camera;
use crate::random::Chance;
use crate::world::Body;

/// Bodies smaller than this in the network's input are not looked at, in pixels.
const SMALLEST_PX: f64 = 5.0;
/// Of a body that others cover by more than this share no detector is asked for a box.
pub(crate) const MOST_COVERED: f64 = 0.8;
/// Less of a box in the picture than this is not looked at.
pub(crate) const LEAST_VISIBLE: f32 = 0.25;

/// What lasts of one body between frames.
#[derive(Debug, Clone)]
struct Impression {
    own: f64,
    wander: f64,
    /// Depth of the dip it is in.
    dip: Option<f64>,
    /// Lasting shifts of middle, width, bottom, top, and of the bottom when covered; standard normal.
    shifts: [f64; 5],
    called: Class,
    looked_at: u64,
}

/// One body in the picture.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// Which body.
    pub body: Body,
    /// Its true box; may reach beyond the picture.
    pub bbox: BBox,
    /// Metres from the camera.
    pub distance_m: f64,
    /// Share of the box that others cover, `0..=1`.
    pub covered: f64,
}

/// What can be seen of these bodies, the nearest first.
pub fn sights(camera: &Camera, bodies: &[Body], own_rider_covers: f64, sights: &mut Vec<Sight>) {
    sights.clear();
    for body in bodies {
        let Some(view) = camera.view(&body.solid) else { continue };
        let visible = view.bbox.clipped().map_or(0.0, |inside| inside.area() / view.bbox.area());
        if visible >= LEAST_VISIBLE {
            sights.push(Sight { body: *body, bbox: view.bbox, distance_m: view.distance_m, covered: 0.0 });
        }
    }
    sights.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.body.id.cmp(&b.body.id)));
    for i in 0..sights.len() {
        let (nearer, rest) = sights.split_at_mut(i);
        let sight = &mut rest[0];
        let mut free = 1.0;
        for other in nearer.iter() {
            let shared = sight.bbox.intersection(other.bbox);
            if shared > 0.0 && other.body.actor() != sight.body.actor() {
                free *= 1.0 - f64::from(shared / sight.bbox.area()).min(1.0);
            }
        }
        let is_ridden = sight.body.class.is_two_wheeler() && sight.body.id.is_multiple_of(crate::world::BODIES);
        if is_ridden {
            free *= 1.0 - own_rider_covers;
        }
        sight.covered = 1.0 - free;
    }
}

/// One camera's detector.
#[derive(Debug, Clone)]
pub struct Detector {
    params: DetectorParams,
    impressions: BTreeMap<u32, Impression>,
    phantoms: Phantoms,
    chance: Chance,
    frame: u64,
    /// Seconds until the next gap, or left of this one.
    gap: (f64, bool),
}

impl Detector {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(params: DetectorParams, mut chance: Chance) -> Self {
        let phantoms = Phantoms::new(&params, chance.part("phantoms"));
        let gap = (chance.exponential(params.dropouts.0), false);
        Self { params, impressions: BTreeMap::new(), phantoms, chance, frame: 0, gap }
    }

    /// What it reports of these sights, `dt_s` after the last frame; `aspect` is the picture's.
    pub fn look(&mut self, sights: &[Sight], aspect: f64, dt_s: f64, detections: &mut Vec<Detection>) {
        detections.clear();
        self.frame += 1;
        let is_gap = self.is_gap(dt_s);
        let keep = Keep::new(&self.params, dt_s);
        for sight in sights {
            let height_px = f64::from(sight.bbox.height()) * self.params.input_px / aspect;
            if height_px >= SMALLEST_PX {
                self.look_at(sight, height_px, aspect, &keep, detections);
            }
        }
        self.phantoms.appear(&self.params, dt_s, detections);
        if self.frame.is_multiple_of(256) {
            let now = self.frame;
            self.impressions.retain(|_, impression| now - impression.looked_at < 256);
        }
        if is_gap {
            detections.clear();
        }
    }

    fn is_gap(&mut self, dt_s: f64) -> bool {
        self.gap.0 -= dt_s;
        if self.gap.0 <= 0.0 {
            let (between, lasting) = self.params.dropouts;
            let is_over = self.gap.1;
            self.gap = (self.chance.exponential(if is_over { between } else { lasting }), !is_over);
        }
        self.gap.1
    }

    fn look_at(&mut self, sight: &Sight, height_px: f64, aspect: f64, keep: &Keep, detections: &mut Vec<Detection>) {
        let (params, chance) = (&self.params, &mut self.chance);
        let class = sight.body.class;
        let impression =
            self.impressions.entry(sight.body.id).or_insert_with(|| Impression::new(params, class, self.frame, chance));
        impression.last(params, class, sight.covered, keep, chance);
        impression.looked_at = self.frame;
        let level = params.level(class, height_px) + impression.own + impression.wander
            - params.cover_takes * sight.covered.powf(1.5)
            - impression.dip.unwrap_or(0.0);
        let confidence = params.most_sure / (1.0 + (-level).exp());
        if confidence < params.threshold {
            return;
        }
        let shifts = impression.shifts_now(keep, chance);
        let Some(bbox) = shifted(sight, shifts, confidence, aspect, &params.jitter) else { return };
        push(detections, bbox, impression.called, confidence);
        for (share, is_strong) in [(params.duplicates.0, false), (params.duplicates.1, true)] {
            if chance.happens(share) {
                let sure = if is_strong {
                    chance.between(0.4, 0.8) * confidence
                } else {
                    params.threshold + chance.exponential(params.weak_mean)
                };
                // Half of the strong ones are of the other class that the body resembles.
                let called = if is_strong && chance.happens(0.5) { class } else { impression.called };
                if let Some(bbox) = resized(bbox, chance) {
                    push(detections, bbox, called, sure.min(confidence));
                }
            }
        }
    }
}

/// What one step keeps of what lasts.
struct Keep {
    dt_s: f64,
    wander: f64,
    jitter: f64,
    called: f64,
    lasting: f64,
}

impl Keep {
    fn new(params: &DetectorParams, dt_s: f64) -> Self {
        let kept = |time_constant: f64| (-dt_s / time_constant).exp();
        let (lasting, jitter_s) = params.jitter.lasting;
        Self { dt_s, wander: kept(params.wander.1), jitter: kept(jitter_s), called: kept(params.called_s), lasting }
    }
}

impl Impression {
    fn new(params: &DetectorParams, class: Class, frame: u64, chance: &mut Chance) -> Self {
        Self {
            own: params.own_std * chance.normal(),
            wander: params.wander.0 * chance.normal(),
            dip: None,
            shifts: [0; 5].map(|_| chance.normal()),
            called: call(params, class, chance),
            looked_at: frame,
        }
    }

    /// One frame on.
    fn last(&mut self, params: &DetectorParams, class: Class, covered: f64, keep: &Keep, chance: &mut Chance) {
        let news = (1.0 - keep.wander * keep.wander).sqrt();
        self.wander = keep.wander * self.wander + news * params.wander.0 * chance.normal();
        let news = (1.0 - keep.jitter * keep.jitter).sqrt();
        for shift in &mut self.shifts {
            *shift = keep.jitter * *shift + news * chance.normal();
        }
        if !chance.happens(keep.called) {
            self.called = call(params, class, chance);
        }
        // A process of two states: dips of this mean length that take this share of the time.
        let share = (params.dip_share.0 + params.dip_share.1 * covered).min(0.9);
        let (begins, ends) = (share / (1.0 - share) / params.dip_s, 1.0 / params.dip_s);
        let turned = 1.0 - (-(begins + ends) * keep.dt_s).exp();
        match self.dip {
            None if chance.happens(share * turned) => {
                let mean = params.dip_depth.0 + params.dip_depth.1 * covered;
                self.dip = Some(chance.exponential(mean));
            }
            Some(_) if chance.happens((1.0 - share) * turned) => self.dip = None,
            _ => {}
        }
    }

    /// The lasting shifts with what is new in this frame.
    fn shifts_now(&self, keep: &Keep, chance: &mut Chance) -> [f64; 5] {
        let (old, new) = (keep.lasting.sqrt(), (1.0 - keep.lasting).sqrt());
        self.shifts.map(|shift| old * shift + new * chance.normal())
    }
}

fn call(params: &DetectorParams, class: Class, chance: &mut Chance) -> Class {
    let mut left = chance.unit();
    for (other, share) in Class::ALL.into_iter().zip(params.called[class as usize]) {
        left -= share;
        if left < 0.0 {
            return other;
        }
    }
    class
}

fn shifted(sight: &Sight, shifts: [f64; 5], confidence: f64, aspect: f64, jitter: &Jitter) -> Option<BBox> {
    let bbox = sight.bbox;
    let (width, height) = (f64::from(bbox.width()) * aspect, f64::from(bbox.height()));
    let mean = (width * height).sqrt();
    let unsure = 1.0 + jitter.unsure * (0.75 - confidence).max(0.0);
    let [middle, wide, bottom, top, hidden] = shifts;
    // Boxes of covered bodies end where the cover begins more often than below it.
    let covered = jitter.covered_bottom * sight.covered * (hidden - 0.5);
    let middle = f64::from(bbox.center().x) + middle * jitter.middle * unsure * mean / aspect;
    let half = (width + wide * jitter.width * unsure * mean).max(0.3 * width) / aspect / 2.0;
    let bottom = f64::from(bbox.bottom()) + (bottom * jitter.bottom * unsure + covered) * height;
    let top = f64::from(bbox.top()) + top * jitter.top * unsure * height;
    let bottom = bottom.max(top + 0.3 * height);
    BBox::new((middle - half) as f32, top as f32, (middle + half) as f32, bottom as f32)?.clipped()
}

/// A second box of the same body: most share about half with the first (IoU).
fn resized(bbox: BBox, chance: &mut Chance) -> Option<BBox> {
    let (w, h) = (f64::from(bbox.width()), f64::from(bbox.height()));
    let mut edge = |at: f32, size: f64| (f64::from(at) + chance.between(-0.3, 0.3) * size) as f32;
    BBox::new(edge(bbox.left(), w), edge(bbox.top(), h), edge(bbox.right(), w), edge(bbox.bottom(), h))?.clipped()
}

fn push(detections: &mut Vec<Detection>, bbox: BBox, class: Class, confidence: f64) {
    if let Some(confidence) = Confidence::new(confidence as f32) {
        detections.push(Detection { bbox, class, confidence });
    }
}

#[cfg(test)]
mod tests;

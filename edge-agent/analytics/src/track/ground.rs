//! How high an object looks by where it stands, learned from those that pass.
//!
//! On level ground a fixed camera shows objects of one height by a plane over the picture, `height = a·x + b·y + c` of
//! the point where they stand (Hoiem, Efros and Hebert, "Putting Objects in Perspective", CVPR 2006; here the horizon is
//! learned, not given). A box that contradicts the plane is two persons, half a person, or none.
//!
//! # Invariants
//! - Learned only from what moves, is sure and is seen whole; until [`READY`] samples of a class it says nothing.
//! - Twelve numbers a class, whatever was seen.

use crate::class::Class;
use crate::geometry::{BBox, Point};
use crate::time::MediaTime;

/// Samples of a class, after forgetting, from which its plane is believed: some three passers-by. Raising it lets one
/// child not set the measure; it costs time.
const READY: f64 = 40.0;
/// Time constant of forgetting, in seconds: a camera that was turned is learned anew in as much.
const MEMORY: f64 = 1800.0;
/// Least standard deviation of heights about the plane, as a share: people differ.
const LEAST_STD: f64 = 0.08;
/// Standard deviation up to which a plane tells how objects grow, as a share of their height.
const KNOWN: f32 = 0.4;
/// Makes the plane solvable while all samples lie on one line, as a share of their weight.
const RIDGE: f64 = 1e-4;

/// The heights of every class.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    planes: [Plane; Class::ALL.len()],
}

/// A height for a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Height {
    /// As a share of the picture's.
    pub(super) value: f32,
    /// Standard deviation of heights there, as a share of `value`: of the objects, and of what is known.
    pub(super) std: f32,
}

impl Height {
    /// How much higher `bbox` is, as a logarithm: 0.1 is 10 %.
    pub(super) fn excess(self, bbox: BBox) -> f32 {
        (bbox.height() / self.value).ln()
    }
}

impl Ground {
    /// Learns from an object seen whole.
    pub(super) fn learn(&mut self, class: Class, bbox: BBox, now: MediaTime) {
        self.planes[class as usize].learn(bbox.bottom_center(), bbox.height().into(), now);
    }

    /// The share by which a `class` in `bbox` grows a second, when its middle moves at `velocity` (pictures a second) and its
    /// foot along the ground; `None` where the ground is not known.
    ///
    /// The horizon is the same for every class: where this one's plane is not known yet, another one tells.
    pub(super) fn growth(&self, class: Class, bbox: BBox, velocity: Point) -> Option<f32> {
        let foot = bbox.bottom_center();
        let of = |class: Class| self.planes[class as usize].growth(foot, bbox.height(), velocity);
        of(class).or_else(|| Class::ALL.into_iter().find_map(of))
    }

    /// The height of a `class` that stands at `foot`; `None` where it is not known.
    pub(super) fn height(&self, class: Class, foot: Point) -> Option<Height> {
        self.planes[class as usize].height(foot)
    }
}

/// A least-squares plane through heights, each error as a share of the height; older samples forgotten.
#[derive(Debug, Clone, Copy, Default)]
struct Plane {
    at: MediaTime,
    samples: f64,
    /// Σ u·uᵀ of `u = (x, y, 1) / height`: xx, xy, x1, yy, y1, 11.
    square: [f64; 6],
    /// Σ u; of each sample the plane should make 1.
    sum: [f64; 3],
    /// Σ of squared errors, each of a sample before it was learned.
    error: f64,
}

impl Plane {
    fn learn(&mut self, foot: Point, height: f64, now: MediaTime) {
        let kept = (-now.since(self.at).as_secs_f64() / MEMORY).exp();
        self.at = now;
        self.error *= kept;
        if let Some(known) = self.height(foot) {
            self.error += (height / f64::from(known.value) - 1.0).powi(2).min(1.0);
        }
        self.samples = self.samples * kept + 1.0;
        let [x, y, one] = [f64::from(foot.x) / height, f64::from(foot.y) / height, 1.0 / height];
        let products = [x * x, x * y, x * one, y * y, y * one, one * one];
        for (sum, product) in self.square.iter_mut().zip(products) {
            *sum = *sum * kept + product;
        }
        for (sum, value) in self.sum.iter_mut().zip([x, y, one]) {
            *sum = *sum * kept + value;
        }
    }

    /// See [`Ground::growth`].
    fn growth(&self, foot: Point, height: f32, velocity: Point) -> Option<f32> {
        let inverse = self.inverse()?;
        let known = self.height_by(inverse, foot).filter(|height| height.std <= KNOWN)?;
        let [a, b, _] = times(inverse, self.sum);
        // The foot moves faster than the middle, by half of what the box grows.
        let slope = f64::from(known.value) - b * f64::from(height) / 2.0;
        let along = a * f64::from(velocity.x) + b * f64::from(velocity.y);
        (slope > f64::from(known.value) / 2.0).then_some((along / slope) as f32)
    }

    fn height(&self, foot: Point) -> Option<Height> {
        self.height_by(self.inverse()?, foot)
    }

    /// Of Σ u·uᵀ; `None` until the plane is believed.
    fn inverse(&self) -> Option<[f64; 6]> {
        if self.samples < READY {
            return None;
        }
        inverse(self.square, RIDGE * self.square[5])
    }

    fn height_by(&self, inverse: [f64; 6], foot: Point) -> Option<Height> {
        let at = [foot.x.into(), foot.y.into(), 1.0];
        let value = dot(times(inverse, self.sum), at);
        // How much of one sample is known of the place: little far from all that was learned.
        let unknown = dot(times(inverse, at), at) / (value * value);
        let variance = (self.error / self.samples).max(LEAST_STD * LEAST_STD) * (1.0 + unknown);
        (value > 0.0).then_some(Height { value: value as f32, std: variance.sqrt() as f32 })
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A symmetric matrix times a vector.
fn times([xx, xy, x1, yy, y1, one]: [f64; 6], v: [f64; 3]) -> [f64; 3] {
    [dot([xx, xy, x1], v), dot([xy, yy, y1], v), dot([x1, y1, one], v)]
}

/// Inverse of a symmetric matrix with `ridge` added to its diagonal, by minors.
fn inverse([xx, xy, x1, yy, y1, one]: [f64; 6], ridge: f64) -> Option<[f64; 6]> {
    let (xx, yy, one) = (xx + ridge, yy + ridge, one + ridge);
    let minors = [
        yy * one - y1 * y1,
        x1 * y1 - xy * one,
        xy * y1 - x1 * yy,
        xx * one - x1 * x1,
        xy * x1 - xx * y1,
        xx * yy - xy * xy,
    ];
    let determinant = xx * minors[0] + xy * minors[1] + x1 * minors[2];
    let inverse = minors.map(|minor| minor / determinant);
    inverse.iter().all(|value| value.is_finite()).then_some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(x: f32, y: f32, height: f32) -> BBox {
        BBox::new(x - 0.02, y - height, x + 0.02, y).expect("a box")
    }

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_nanos(seconds * 1_000_000_000)
    }

    /// Persons on a ground where heights grow downwards and a little to the right.
    fn true_height(x: f32, y: f32) -> f32 {
        0.02 + 0.03 * x + 0.2 * y
    }

    fn learned(samples: u32) -> Ground {
        let mut ground = Ground::default();
        for k in 0..samples {
            let (x, y) = ((k as f32 * 0.37).fract(), 0.3 + 0.6 * (k as f32 * 0.61).fract());
            let person = 1.0 + 0.05 * (k as f32).sin();
            ground.learn(Class::Person, standing(x, y, person * true_height(x, y)), at(u64::from(k)));
        }
        ground
    }

    #[test]
    fn how_one_grows_on_the_ground_is_known_of_every_class_once_one_is_learned() {
        let bbox = standing(0.4, 0.6, true_height(0.4, 0.6));
        let velocity = Point::new(0.05, -0.1);
        assert_eq!(learned(39).growth(Class::Person, bbox, velocity), None);
        let ground = learned(60);
        // Of what is true: its foot goes to where the same one is that much higher.
        let foot = |t: f32| {
            let (x, middle) = (0.4 + velocity.x * t, bbox.center().y + velocity.y * t);
            // The foot below that middle, by the plane itself.
            (0..50).fold(middle, |y, _| middle + true_height(x, y) / 2.0)
        };
        let grown = true_height(0.4 + velocity.x * 0.01, foot(0.01)) / true_height(0.4, foot(0.0));
        let truth = (grown - 1.0) / 0.01;
        for class in [Class::Person, Class::Car] {
            let growth = ground.growth(class, bbox, velocity).expect("learned");
            assert!((growth / truth - 1.0).abs() < 0.1, "{growth} is not {truth}");
        }
    }

    #[test]
    fn heights_are_known_everywhere_once_learned_somewhere() {
        let ground = learned(60);
        for (x, y) in [(0.1, 0.4), (0.9, 0.9), (0.5, 0.25)] {
            let height = ground.height(Class::Person, Point::new(x, y)).expect("learned");
            assert!((height.value / true_height(x, y) - 1.0).abs() < 0.05, "{height:?} at {x}, {y}");
            let child = standing(x, y, 0.6 * true_height(x, y));
            assert!(height.excess(child) < -3.0 * height.std);
        }
    }

    #[test]
    fn little_is_known_far_from_where_it_was_learned() {
        let mut ground = Ground::default();
        for k in 0..60 {
            let y = 0.5 + 0.02 * (k as f32 * 0.61).fract();
            ground.learn(Class::Person, standing(0.5, y, true_height(0.5, y)), at(k));
        }
        let std = |y| ground.height(Class::Person, Point::new(0.5, y)).map(|height| height.std);
        assert!(std(0.51) < std(0.9));
    }

    #[test]
    fn nothing_is_said_of_a_class_before_enough_was_seen() {
        assert!(learned(39).height(Class::Person, Point::new(0.5, 0.5)).is_none());
        assert!(learned(60).height(Class::Car, Point::new(0.5, 0.5)).is_none());
    }

    #[test]
    fn a_camera_that_was_turned_is_learned_anew() {
        let mut ground = learned(60);
        for k in 0..400 {
            let y = 0.3 + 0.6 * (k as f32 * 0.61).fract();
            ground.learn(Class::Person, standing(0.5, y, 0.4 * y), at(60 + k * 20));
        }
        let height = ground.height(Class::Person, Point::new(0.5, 0.5)).expect("learned");
        assert!((height.value / 0.2 - 1.0).abs() < 0.05, "{height:?}");
    }
}

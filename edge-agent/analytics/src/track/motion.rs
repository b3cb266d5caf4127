//! Where a box is and where it goes: a constant-velocity Kalman filter (Kalman 1960) with an explicit time step.
//!
//! Centre and size are filtered. Their noises are independent, so the filter falls apart into four filters of two
//! states, value and rate, in closed form.
//!
//! # Invariants
//! - Noise is a share of the box's height per unit of *time*: 5, 15 and 30 frames a second behave alike, near and
//!   far objects too.
//! - Values are fractions of the picture, and horizontal noise is divided by its aspect: what is estimated does
//!   not depend on the picture's shape.
//! - The filter rests at the last measurement; a prediction is a copy. A gap is one long step, so the first
//!   measurement after it corrects the rate by the displacement over the whole gap (the "observation-centric
//!   re-update" of OC-SORT, Cao et al., CVPR 2023, without its loop).

use std::time::Duration;

use crate::detection::Detection;
use crate::geometry::{BBox, Point};

/// Standard deviation of a sure detection's centre and size, in box heights.
const SURE_STD: f32 = 0.04;
/// The same, for a detection the model hardly believes in.
const UNSURE_STD: f32 = 0.2;
/// How much more uncertain the box of a wholly hidden object is.
const HIDDEN: f32 = 1.0;
/// Random acceleration of the centre, as its root spectral density: at rest, in box heights/s^1.5. After one second
/// the rate is off by half a height a second, as when one who stands walks off. Raising it follows turns sooner; it
/// costs identities when objects cross.
const ACCELERATION: f32 = 0.5;
/// The same, per box height a second of speed: what is fast brakes, turns and comes close faster.
const ACCELERATION_BY_SPEED: f32 = 0.3;
/// Random acceleration of width and height, as a share of the centre's.
const SIZE_SHARE: f32 = 0.2;
/// Random acceleration of what stands, as that of the centre: what is left is the filter's own doubt.
const AT_REST: f32 = 0.05;
/// Rate of what has just set off, in box heights a second.
const SET_OFF: f32 = 1.0;
/// Rate of the centre that is expected at first sight, in box heights a second: walkers make 1, riders and cars 5.
const RATE: f32 = 5.0;
/// The same for width and height.
const SIZE_RATE: f32 = 0.3;
/// No object comes this many times nearer, or farther away, between two looks.
const NEARER: f32 = 2.0;
/// For this long an unseen object is expected to keep its velocity …
const COAST: f32 = 0.5;
/// … which then fades with this time constant (both in seconds): no one walks straight on behind a pillar for ever.
const FADE: f32 = 0.7;

/// One coordinate, its rate of change and their covariance.
#[derive(Debug, Clone, Copy)]
struct Axis {
    value: f32,
    rate: f32,
    value_var: f32,
    covariance: f32,
    rate_var: f32,
}

/// How the state moves over a time step.
#[derive(Clone, Copy)]
struct Step {
    dt: f32,
    /// Displacement per unit of rate.
    reach: f32,
    /// What is left of the rate.
    keep: f32,
}

impl Step {
    fn new(dt: Duration) -> Self {
        let dt = dt.as_secs_f32();
        let keep = fade(dt);
        Self { dt, reach: dt.min(COAST) + FADE * (1.0 - keep), keep }
    }
}

fn fade(dt: f32) -> f32 {
    (-(dt - COAST).max(0.0) / FADE).exp()
}

/// What is left of a velocity of an object unseen for `dt`.
pub(super) fn keep(dt: Duration) -> f32 {
    fade(dt.as_secs_f32())
}

impl Axis {
    fn new(value: f32, value_std: f32, rate_std: f32) -> Self {
        Self { value, rate: 0.0, value_var: value_std.powi(2), covariance: 0.0, rate_var: rate_std.powi(2) }
    }

    /// White-noise acceleration of spectral density `noise`.
    fn predicted(&self, Step { dt, reach, keep }: Step, noise: f32) -> Self {
        Self {
            value: self.value + reach * self.rate,
            rate: keep * self.rate,
            value_var: self.value_var
                + 2.0 * reach * self.covariance
                + reach * reach * self.rate_var
                + noise * dt.powi(3) / 3.0,
            covariance: keep * (self.covariance + reach * self.rate_var) + noise * dt * dt / 2.0,
            rate_var: keep * keep * self.rate_var + noise * dt,
        }
    }

    fn updated(&self, measured: f32, std: f32) -> Self {
        let innovation_var = self.value_var + std * std;
        let (gain, rate_gain) = (self.value_var / innovation_var, self.covariance / innovation_var);
        let innovation = measured - self.value;
        Self {
            value: self.value + gain * innovation,
            rate: self.rate + rate_gain * innovation,
            value_var: (1.0 - gain) * self.value_var,
            covariance: (1.0 - gain) * self.covariance,
            rate_var: self.rate_var - rate_gain * self.covariance,
        }
    }

    /// Squared distance of `measured` in standard deviations.
    fn distance2(&self, measured: f32, std: f32) -> f32 {
        (measured - self.value).powi(2) / (self.value_var + std * std)
    }
}

/// The filtered box of one object at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    x: Axis,
    y: Axis,
    width: Axis,
    height: Axis,
    /// It stands: its rate is none.
    pub(super) rests: bool,
}

/// Height and horizontal height (so that noise is alike both ways) of a box of a picture.
fn scales(height: f32, aspect: f32) -> (f32, f32) {
    (height / aspect, height)
}

fn measurement_std(detection: &Detection) -> f32 {
    UNSURE_STD + (SURE_STD - UNSURE_STD) * detection.confidence.get()
}

impl Motion {
    /// At rest where it was first seen, with no idea yet of where it goes.
    pub(super) fn new(detection: &Detection, aspect: f32) -> Self {
        let (bbox, center) = (detection.bbox, detection.bbox.center());
        let (sx, sy) = scales(bbox.height(), aspect);
        let std = measurement_std(detection);
        Self {
            x: Axis::new(center.x, std * sx, RATE * sx),
            y: Axis::new(center.y, std * sy, RATE * sy),
            width: Axis::new(bbox.width(), std * sx, SIZE_RATE * sx),
            height: Axis::new(bbox.height(), std * sy, SIZE_RATE * sy),
            rests: false,
        }
    }

    /// Where it is expected after `dt`; `growth` is the share by which it grows a second on its way over level ground, where
    /// that is known.
    ///
    /// Of a point that moves evenly on the ground, `q` times nearer by then, the picture shows `q` times the way at the
    /// rate it has now, and then a rate of `q²` times that (from `x = X / Z`): what drives away seems to brake.
    pub(super) fn predicted(&self, dt: Duration, growth: Option<f32>, aspect: f32) -> Self {
        let step = Step::new(dt);
        let (sx, sy) = scales(self.height.value, aspect);
        let speed2 = (self.x.rate / sx).powi(2) + (self.y.rate / sy).powi(2);
        let center = match self.rests {
            true => AT_REST.powi(2),
            false => ACCELERATION.powi(2) + ACCELERATION_BY_SPEED.powi(2) * speed2,
        };
        let size = SIZE_SHARE.powi(2) * center;
        let mut next = Self {
            x: self.x.predicted(step, center * sx * sx),
            y: self.y.predicted(step, center * sy * sy),
            width: self.width.predicted(step, size * sx * sx),
            height: self.height.predicted(step, size * sy * sy),
            rests: self.rests,
        };
        if let Some(growth) = growth {
            let nearer = (1.0 - growth * step.reach).clamp(1.0 / NEARER, NEARER).recip();
            let moved = |axis: Axis, next: Axis| Axis {
                value: axis.value + nearer * step.reach * axis.rate,
                rate: nearer * nearer * next.rate,
                ..next
            };
            let grown = |axis: Axis, next: Axis| Axis { value: nearer * axis.value, rate: 0.0, ..next };
            (next.x, next.y) = (moved(self.x, next.x), moved(self.y, next.y));
            (next.width, next.height) = (grown(self.width, next.width), grown(self.height, next.height));
        }
        // A box that shrinks must not turn inside out in a gap.
        next.width.value = next.width.value.max(self.width.value / 2.0);
        next.height.value = next.height.value.max(self.height.value / 2.0);
        next
    }

    /// Velocity of the centre, in pictures a second.
    pub(super) fn velocity(&self) -> Point {
        Point::new(self.x.rate, self.y.rate)
    }

    /// Takes what was seen; `self` is the prediction for that time, `hidden` the share of it that others cover.
    pub(super) fn updated(&self, detection: &Detection, hidden: f32, aspect: f32) -> Self {
        let (bbox, center) = (detection.bbox, detection.bbox.center());
        let (sx, sy) = scales(self.height.value, aspect);
        let std = measurement_std(detection) * (1.0 + HIDDEN * hidden);
        Self {
            x: self.x.updated(center.x, std * sx),
            y: self.y.updated(center.y, std * sy),
            width: self.width.updated(bbox.width(), std * sx),
            height: self.height.updated(bbox.height(), std * sy),
            rests: self.rests,
        }
    }

    /// The same, standing.
    pub(super) fn at_rest(self) -> Self {
        let still = |axis: Axis| Axis { rate: 0.0, covariance: 0.0, rate_var: 0.0, ..axis };
        Self { x: still(self.x), y: still(self.y), rests: true, ..self }
    }

    /// The same, setting off in whatever direction.
    pub(super) fn set_off(self, aspect: f32) -> Self {
        let (sx, sy) = scales(self.height.value, aspect);
        let free = |axis: Axis, std: f32| Axis { rate_var: (SET_OFF * std).powi(2), ..axis };
        Self { x: free(self.x, sx), y: free(self.y, sy), rests: false, ..self }
    }

    /// How far from here `detection` is, in box heights along each axis.
    pub(super) fn off(&self, detection: &Detection, aspect: f32) -> Point {
        let center = detection.bbox.center();
        let (sx, sy) = scales(self.height.value, aspect);
        Point::new((center.x - self.x.value) / sx, (center.y - self.y.value) / sy)
    }

    /// Squared Mahalanobis distance of the centre and the height of `detection`: of three degrees of freedom.
    pub(super) fn distance2(&self, detection: &Detection, aspect: f32) -> f32 {
        let center = detection.bbox.center();
        let (sx, sy) = scales(self.height.value, aspect);
        let std = measurement_std(detection);
        self.x.distance2(center.x, std * sx)
            + self.y.distance2(center.y, std * sy)
            + self.height.distance2(detection.bbox.height(), std * sy)
    }

    /// The box; `None` if it has no size.
    pub(super) fn bbox(&self) -> Option<BBox> {
        let (half_width, half_height) = (self.width.value / 2.0, self.height.value / 2.0);
        BBox::new(
            self.x.value - half_width,
            self.y.value - half_height,
            self.x.value + half_width,
            self.y.value + half_height,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;
    use crate::detection::Confidence;

    const ASPECT: f32 = 1.5;

    fn seen(x: f32, confidence: f32) -> Detection {
        Detection {
            bbox: BBox::new(x, 0.4, x + 0.04, 0.5).expect("a box"),
            class: Class::Person,
            confidence: Confidence::new(confidence).expect("a confidence"),
        }
    }

    /// Seen ten times a second, moving by 0.05 of the width a second.
    fn moving() -> Motion {
        (1..20).fold(Motion::new(&seen(0.0, 0.9), ASPECT), |motion, frame| {
            let expected = motion.predicted(Duration::from_millis(100), None, ASPECT);
            expected.updated(&seen(0.005 * frame as f32, 0.9), 0.0, ASPECT)
        })
    }

    #[test]
    fn two_short_steps_are_one_long_step() {
        let half = Duration::from_millis(200);
        let twice = moving().predicted(half, None, ASPECT).predicted(half, None, ASPECT);
        let once = moving().predicted(2 * half, None, ASPECT);
        let alike = |a: f32, b: f32| assert!((a - b).abs() <= 1e-3 * b.abs(), "{a} is not {b}");
        alike(twice.x.value, once.x.value);
        alike(twice.x.value_var, once.x.value_var);
        alike(twice.x.covariance, once.x.covariance);
        alike(twice.x.rate_var, once.x.rate_var);
    }

    #[test]
    fn no_time_changes_nothing() {
        let (before, after) = (moving(), moving().predicted(Duration::ZERO, None, ASPECT));
        assert_eq!(before.bbox(), after.bbox());
        assert_eq!(before.x.value_var, after.x.value_var);
    }

    /// A box, half as high as it is far below the horizon at 0.1, of one that has driven away for `seconds`: at 10 m, then
    /// 15 m farther every second.
    fn driving_away(seconds: f32) -> Detection {
        let below = 0.8 * 10.0 / (10.0 + 15.0 * seconds);
        let (foot, height) = (0.1 + below, 0.5 * below);
        let bbox = BBox::new(0.5 - height / 2.0, foot - height, 0.5 + height / 2.0, foot).expect("a box");
        Detection { bbox, ..seen(0.0, 0.9) }
    }

    #[test]
    fn what_drives_away_over_known_ground_is_expected_where_it_will_be() {
        // As if filtered long: place and rate are true.
        let (now, soon) = (driving_away(1.0).bbox, driving_away(1.001).bbox);
        let motion = |growth: Option<f32>| {
            let mut motion = Motion::new(&driving_away(1.0), ASPECT);
            motion.y.rate = (soon.center().y - now.center().y) / 0.001;
            motion.height.rate = (soon.height() - now.height()) / 0.001;
            motion.predicted(Duration::from_millis(400), growth, ASPECT)
        };
        let (truth, growth) = (driving_away(1.4).bbox, -15.0 / 25.0);
        let on_ground = motion(Some(growth)).bbox().expect("a box");
        assert!(on_ground.iou(truth) > 0.98, "{on_ground:?} is not {truth:?}");
        let straight_on = motion(None).bbox().expect("a box");
        assert!(straight_on.iou(truth) < 0.8, "{straight_on:?} is {truth:?}");
        // It goes on as it will: expected again from there.
        let rate = (driving_away(1.401).bbox.center().y - truth.center().y) / 0.001;
        assert!((motion(Some(growth)).y.rate / rate - 1.0).abs() < 0.02);
    }

    #[test]
    fn no_growth_however_wrong_turns_a_box_inside_out() {
        for growth in [-1e6, -5.0, 0.0, 2.5, 1e6, f32::INFINITY] {
            let expected = moving().predicted(Duration::from_secs(1), Some(growth), ASPECT);
            assert!(expected.bbox().is_some(), "{growth}");
        }
    }

    #[test]
    fn an_object_unseen_for_long_is_not_expected_ever_farther() {
        let place = |seconds| moving().predicted(Duration::from_secs(seconds), None, ASPECT).x.value;
        assert!(place(10) - place(0) < 0.05 * 1.5);
        assert!((place(20) - place(10)).abs() < 1e-4);
    }

    #[test]
    fn the_first_sight_after_a_gap_corrects_the_velocity_over_the_whole_gap() {
        // It is found a second later where it was last seen: it no longer moves on, nor does it rush back.
        let found = moving().predicted(Duration::from_secs(1), None, ASPECT).updated(&seen(0.095, 0.9), 0.0, ASPECT);
        let share = found.x.rate / moving().x.rate;
        assert!((-0.6..0.1).contains(&share), "{share} of the velocity before");
    }

    #[test]
    fn unsure_and_hidden_boxes_move_it_less() {
        let expected = moving().predicted(Duration::from_millis(100), None, ASPECT);
        let aside = |confidence, hidden| {
            let after = expected.updated(&seen(0.2, confidence), hidden, ASPECT);
            after.x.value - expected.x.value
        };
        assert!(aside(0.9, 0.0) > aside(0.2, 0.0));
        assert!(aside(0.9, 0.0) > aside(0.9, 1.0));
        assert!(aside(0.2, 1.0) > 0.0);
    }
}

//! From the picture to the ground: a calibrated camera's homography, and lengths that are either metres on the ground or
//! heights of an object's own box.

use crate::geometry::Point;

/// A place on the ground plane, in metres from the calibration's origin.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GroundPoint {
    /// Along the calibration's first axis.
    pub x_m: f64,
    /// Along its second axis.
    pub y_m: f64,
}

impl GroundPoint {
    /// Distance in metres.
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        (self.x_m - other.x_m).hypot(self.y_m - other.y_m)
    }
}

/// The ground plane of one camera: a projective map from fractions of the picture to metres (Hartley and Zisserman,
/// *Multiple View Geometry*, 2nd edition, §2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    /// Row-major; scaled so that the third coordinate is positive below the horizon.
    homography: [[f64; 3]; 3],
}

impl Ground {
    /// From a row-major homography of picture fractions to metres, and a point of the picture that lies on the ground. `None`
    /// when it is not finite, not invertible, or that point has no place on the ground.
    #[must_use]
    pub fn new(homography: [[f64; 3]; 3], on_ground: Point) -> Option<Self> {
        let [a, b, c] = homography;
        let determinant = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        let depth = c[0] * f64::from(on_ground.x) + c[1] * f64::from(on_ground.y) + c[2];
        let is_usable = determinant.is_finite() && determinant != 0.0 && depth.is_finite() && depth != 0.0;
        let scaled = homography.map(|row| row.map(|value| value / depth));
        is_usable.then_some(Self { homography: scaled })
    }

    /// Where a point of the picture lies on the ground; `None` at and above the horizon.
    #[must_use]
    pub fn at(&self, point: Point) -> Option<GroundPoint> {
        let (x, y) = (f64::from(point.x), f64::from(point.y));
        let [u, v, w] = self.homography.map(|row| row[0] * x + row[1] * y + row[2]);
        (w > 1e-9).then(|| GroundPoint { x_m: u / w, y_m: v / w })
    }
}

/// What lengths and speeds are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Heights of the object's own box: works on every camera.
    BoxHeights,
    /// Metres on the ground: calibrated cameras only.
    Metres,
}

impl Unit {
    /// The name of a measure in this unit.
    #[must_use]
    pub const fn name(self, box_heights: &'static str, metres: &'static str) -> &'static str {
        match self {
            Self::BoxHeights => box_heights,
            Self::Metres => metres,
        }
    }
}

/// A distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Length {
    /// How many.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

impl Length {
    /// In heights of the object's own box.
    #[must_use]
    pub const fn heights(value: f64) -> Self {
        Self { value, unit: Unit::BoxHeights }
    }

    /// In metres on the ground.
    #[must_use]
    pub const fn metres(value: f64) -> Self {
        Self { value, unit: Unit::Metres }
    }
}

/// A speed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// How many a second.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

impl Speed {
    /// In heights of the object's own box a second.
    #[must_use]
    pub const fn heights_per_s(value: f64) -> Self {
        Self { value, unit: Unit::BoxHeights }
    }

    /// In kilometres an hour on the ground.
    #[must_use]
    pub const fn km_per_h(value: f64) -> Self {
        Self { value: value / 3.6, unit: Unit::Metres }
    }

    /// In the unit that people read, and the wire's: box heights a second, or km/h.
    #[must_use]
    pub fn shown(self) -> f64 {
        match self.unit {
            Unit::BoxHeights => self.value,
            Unit::Metres => self.value * 3.6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A camera 10 m high that looks 45 degrees down: the ground from 10 · tan(θ), the horizon above the picture.
    fn slanted() -> Ground {
        Ground::new([[20.0, 0.0, -10.0], [0.0, 5.0, -15.0], [0.0, 1.0, 0.2]], Point::new(0.5, 1.0)).expect("usable")
    }

    #[test]
    fn what_lies_above_the_horizon_has_no_place_on_the_ground() {
        let ground = slanted();
        assert!(ground.at(Point::new(0.5, 0.5)).is_some());
        assert!(ground.at(Point::new(0.5, -0.2)).is_none());
        assert!(ground.at(Point::new(0.5, -0.5)).is_none());
    }

    #[test]
    fn the_same_step_in_the_picture_is_longer_further_away() {
        let ground = slanted();
        let step = |y: f32| {
            let place = |y| ground.at(Point::new(0.5, y)).expect("on the ground");
            place(y).distance_m(place(y + 0.05))
        };
        assert!(step(0.1) > 2.0 * step(0.8), "{} {}", step(0.1), step(0.8));
    }

    #[test]
    fn a_map_that_flattens_the_picture_is_refused() {
        let flat = [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(Ground::new(flat, Point::new(0.5, 0.5)), None);
        let not_a_number = [[f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(Ground::new(not_a_number, Point::new(0.5, 0.5)), None);
    }
}

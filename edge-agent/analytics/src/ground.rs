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
    /// By which share lengths and speeds measured here may be wrong (95 of 100 lie within).
    pub error: f64,
}

impl GroundPoint {
    /// Distance in metres.
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        (self.x_m - other.x_m).hypot(self.y_m - other.y_m)
    }
}

/// Lengths and speeds that may be wrong by more than this share are not measured at all.
pub const MAX_ERROR: f64 = 0.2;

/// Cells of the picture for which the error is kept.
const COLUMNS: usize = 32;
const ROWS: usize = 18;

/// The ground plane of one camera: a projective map from fractions of the picture to metres (Hartley and Zisserman,
/// *Multiple View Geometry*, 2nd edition, §2.3), and how far it can be trusted by place.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    homography: Homography,
    /// Of each cell's middle, row by row; infinite above the horizon.
    errors: Vec<f64>,
}

impl Ground {
    /// From a map of picture fractions to metres and its error by place.
    #[must_use]
    pub fn new(homography: Homography, error: impl Fn(Point) -> f64) -> Self {
        let cells = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
        let errors = cells.map(|(row, column)| error(middle(row, column))).collect();
        Self { homography, errors }
    }

    /// Where a point of the picture lies on the ground; `None` at and above the horizon, and where the error is above
    /// [`MAX_ERROR`].
    #[must_use]
    pub fn at(&self, point: Point) -> Option<GroundPoint> {
        let error = self.error(point);
        let [x_m, y_m] = self.homography.map(point)?;
        (error <= MAX_ERROR).then_some(GroundPoint { x_m, y_m, error })
    }

    /// By which share lengths measured there may be wrong (95 of 100 lie within); infinite above the horizon. Points beyond
    /// the picture are judged as its edge.
    #[must_use]
    pub fn error(&self, point: Point) -> f64 {
        let cell = |fraction: f32, count: usize| ((fraction * count as f32).max(0.0) as usize).min(count - 1);
        self.errors[cell(point.y, ROWS) * COLUMNS + cell(point.x, COLUMNS)]
    }

    /// Share of the picture where lengths are measured.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        self.errors.iter().filter(|error| **error <= MAX_ERROR).count() as f64 / self.errors.len() as f64
    }

    /// Pixels on a metre across the view, of a picture `width_px` wide; `None` above the horizon.
    #[must_use]
    pub fn pixels_per_metre(&self, point: Point, width_px: u32) -> Option<f64> {
        const STEP: f32 = 1e-3;
        let [x0, y0] = self.homography.map(Point::new(point.x - STEP, point.y))?;
        let [x1, y1] = self.homography.map(Point::new(point.x + STEP, point.y))?;
        Some(f64::from(width_px) * f64::from(2.0 * STEP) / (x1 - x0).hypot(y1 - y0))
    }
}

fn middle(row: usize, column: usize) -> Point {
    Point::new((column as f32 + 0.5) / COLUMNS as f32, (row as f32 + 0.5) / ROWS as f32)
}

/// What an operator can make out of an object, by pixels on a metre of it (IEC 62676-4:2014, annex B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// From 12.5 pixels a metre: how many people there are, and where they go.
    Monitor,
    /// From 25: whether a person is there.
    Detect,
    /// From 62.5: their clothing.
    Observe,
    /// From 125: someone known.
    Recognise,
    /// From 250: someone unknown, beyond doubt.
    Identify,
}

impl Detail {
    /// From the least to the most.
    pub const ALL: [Self; 5] = [Self::Monitor, Self::Detect, Self::Observe, Self::Recognise, Self::Identify];

    /// The least pixels a metre.
    #[must_use]
    pub const fn pixels_per_metre(self) -> f64 {
        match self {
            Self::Monitor => 12.5,
            Self::Detect => 25.0,
            Self::Observe => 62.5,
            Self::Recognise => 125.0,
            Self::Identify => 250.0,
        }
    }

    /// The standard's word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Detect => "detect",
            Self::Observe => "observe",
            Self::Recognise => "recognise",
            Self::Identify => "identify",
        }
    }

    /// The most that so many pixels a metre allow.
    #[must_use]
    pub fn of(pixels_per_metre: f64) -> Option<Self> {
        Self::ALL.into_iter().rfind(|detail| pixels_per_metre >= detail.pixels_per_metre())
    }
}

/// A projective map of the plane, row-major; scaled so that the third coordinate is positive on the side of the horizon
/// where the ground is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homography([[f64; 3]; 3]);

impl Homography {
    /// From a matrix of any scale, and a point that is on the ground. `None` when it is not finite, has no inverse, or that
    /// point has no image.
    #[must_use]
    pub fn new(matrix: [[f64; 3]; 3], on_ground: [f64; 2]) -> Option<Self> {
        let depth = dot(matrix[2], [on_ground[0], on_ground[1], 1.0]);
        let scaled = matrix.map(|row| row.map(|value| value / depth));
        let is_finite = scaled.iter().flatten().all(|value| value.is_finite());
        (is_finite && determinant(scaled).abs() > 1e-12).then_some(Self(scaled))
    }

    /// The image of a point of the picture; `None` at and above the horizon.
    #[must_use]
    pub fn map(&self, point: Point) -> Option<[f64; 2]> {
        self.apply([f64::from(point.x), f64::from(point.y)])
    }

    /// The image of a point; `None` at and beyond the horizon.
    #[must_use]
    pub fn apply(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        let [u, v, w] = self.0.map(|row| dot(row, [x, y, 1.0]));
        (w > 1e-9).then(|| [u / w, v / w])
    }

    /// The map back; `on_ground` is a point of this map's images.
    #[must_use]
    pub fn inverse(&self, on_ground: [f64; 2]) -> Option<Self> {
        let m = self.0;
        let cofactor = |r: usize, c: usize| {
            let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        let adjugate: [[f64; 3]; 3] = std::array::from_fn(|r| std::array::from_fn(|c| cofactor(c, r)));
        Self::new(adjugate, on_ground)
    }

    /// This map after `first`; `on_ground` is a point of `first`'s domain.
    #[must_use]
    pub fn after(&self, first: &Self, on_ground: [f64; 2]) -> Option<Self> {
        let product = |r: usize, c: usize| (0..3).map(|k| self.0[r][k] * first.0[k][c]).sum();
        Self::new(std::array::from_fn(|r| std::array::from_fn(|c| product(r, c))), on_ground)
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn determinant([a, b, c]: [[f64; 3]; 3]) -> f64 {
    let cross = [b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]];
    dot(a, cross)
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

    fn slanted() -> Homography {
        Homography::new([[20.0, 0.0, -10.0], [0.0, 5.0, -15.0], [0.0, 1.0, 0.2]], [0.5, 1.0]).expect("usable")
    }

    #[test]
    fn what_lies_above_the_horizon_has_no_place_on_the_ground() {
        let ground = Ground::new(slanted(), |_| 0.0);
        assert!(ground.at(Point::new(0.5, 0.5)).is_some());
        assert!(ground.at(Point::new(0.5, -0.2)).is_none());
        assert!(ground.at(Point::new(0.5, -0.5)).is_none());
    }

    #[test]
    fn the_same_step_in_the_picture_is_longer_further_away() {
        let ground = Ground::new(slanted(), |_| 0.0);
        let step = |y: f32| {
            let place = |y| ground.at(Point::new(0.5, y)).expect("on the ground");
            place(y).distance_m(place(y + 0.05))
        };
        assert!(step(0.1) > 2.0 * step(0.8), "{} {}", step(0.1), step(0.8));
        let detail = |y| ground.pixels_per_metre(Point::new(0.5, y), 1920).expect("below the horizon");
        assert!(detail(0.9) > 2.0 * detail(0.2), "{} {}", detail(0.9), detail(0.2));
    }

    #[test]
    fn where_the_error_is_large_nothing_is_measured() {
        let ground = Ground::new(slanted(), |point| if point.y < 0.5 { 0.21 } else { 0.19 });
        assert_eq!(ground.at(Point::new(0.3, 0.4)), None);
        assert!(ground.at(Point::new(0.3, 0.6)).is_some());
        assert!((ground.coverage() - 0.5).abs() < 1e-9);
        assert!(ground.error(Point::new(-3.0, 7.0)) < 0.2, "beyond the picture: as at its edge");
    }

    #[test]
    fn a_map_and_its_inverse_undo_each_other() {
        let map = slanted();
        for point in [[0.1, 0.9], [0.5, 0.5], [0.9, 0.2]] {
            let image = map.apply(point).expect("below the horizon");
            let back = map.inverse(image).expect("invertible").apply(image).expect("in front");
            assert!((back[0] - point[0]).abs() < 1e-9 && (back[1] - point[1]).abs() < 1e-9, "{point:?} {back:?}");
        }
    }

    #[test]
    fn a_map_that_flattens_the_picture_is_refused() {
        let flat = [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(Homography::new(flat, [0.5, 0.5]), None);
        let not_a_number = [[f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(Homography::new(not_a_number, [0.5, 0.5]), None);
    }

    #[test]
    fn more_pixels_show_more() {
        assert_eq!(Detail::of(10.0), None);
        assert_eq!(Detail::of(25.0), Some(Detail::Detect));
        assert_eq!(Detail::of(1000.0), Some(Detail::Identify));
        assert!(Detail::ALL.is_sorted());
    }
}

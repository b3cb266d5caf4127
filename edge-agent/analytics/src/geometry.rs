//! Plane geometry in fractions of the picture: origin top left, x to the right, y down.

/// A point, in fractions of the picture's width and height.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Fraction of the width.
    pub x: f32,
    /// Fraction of the height.
    pub y: f32,
}

impl Point {
    /// A point from fractions.
    #[must_use]
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Distance in picture heights; `aspect` is the picture's width over its height.
    #[must_use]
    pub fn distance(self, other: Self, aspect: f32) -> f32 {
        ((self.x - other.x) * aspect).hypot(self.y - other.y)
    }
}

/// An upright box by its corners, in fractions of the picture; finite, with positive width and height.
/// It may reach beyond the picture (a track that is leaving).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BBox {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl BBox {
    /// `None` unless all four are finite and `left < right`, `top < bottom`.
    #[must_use]
    pub fn new(left: f32, top: f32, right: f32, bottom: f32) -> Option<Self> {
        let finite = [left, top, right, bottom].iter().all(|v| v.is_finite());
        (finite && left < right && top < bottom).then_some(Self { left, top, right, bottom })
    }

    /// Left edge.
    #[must_use]
    pub const fn left(self) -> f32 {
        self.left
    }
    /// Top edge.
    #[must_use]
    pub const fn top(self) -> f32 {
        self.top
    }
    /// Right edge.
    #[must_use]
    pub const fn right(self) -> f32 {
        self.right
    }
    /// Bottom edge.
    #[must_use]
    pub const fn bottom(self) -> f32 {
        self.bottom
    }
    /// Width.
    #[must_use]
    pub fn width(self) -> f32 {
        self.right - self.left
    }
    /// Height.
    #[must_use]
    pub fn height(self) -> f32 {
        self.bottom - self.top
    }
    /// Area, as a fraction of the picture.
    #[must_use]
    pub fn area(self) -> f32 {
        self.width() * self.height()
    }
    /// Centre.
    #[must_use]
    pub fn center(self) -> Point {
        Point::new((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
    /// Middle of the bottom edge: where the object stands.
    #[must_use]
    pub fn bottom_center(self) -> Point {
        Point::new((self.left + self.right) / 2.0, self.bottom)
    }

    /// The part inside the picture; `None` when none of it is.
    #[must_use]
    pub fn clipped(self) -> Option<Self> {
        Self::new(
            self.left.clamp(0.0, 1.0),
            self.top.clamp(0.0, 1.0),
            self.right.clamp(0.0, 1.0),
            self.bottom.clamp(0.0, 1.0),
        )
    }

    /// Area shared with `other`.
    #[must_use]
    pub fn intersection(self, other: Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        // Both sides must overlap: a negative width times a negative height is no area.
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, in `0..=1`.
    #[must_use]
    pub fn iou(self, other: Self) -> f32 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { (intersection / union).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The share of `self` that lies inside `other`, in `0..=1`.
    #[must_use]
    pub fn covered_by(self, other: Self) -> f32 {
        let area = self.area();
        if area > 0.0 { (self.intersection(other) / area).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Why a polygon or segment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShape {
    /// A coordinate outside the picture, or not a number.
    #[error("a coordinate is outside 0..1: points are fractions of the picture's width and height")]
    OutsidePicture,
    /// Fewer than three corners.
    #[error("a polygon needs at least three corners")]
    TooFewCorners,
    /// No area.
    #[error("the polygon has no area: its corners lie on one line")]
    NoArea,
    /// Edges that cross.
    #[error("two edges of the polygon cross: list the corners in order around the zone")]
    SelfCrossing,
    /// Both ends in the same place.
    #[error("both ends are the same point")]
    NoLength,
}

fn inside_picture(point: Point) -> bool {
    (0.0..=1.0).contains(&point.x) && (0.0..=1.0).contains(&point.y)
}

/// A simple polygon inside the picture, with an area.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon(Vec<Point>);

impl Polygon {
    /// Corners in order around the zone, either way round; the last joins the first.
    pub fn new(corners: Vec<Point>) -> Result<Self, InvalidShape> {
        if corners.iter().any(|corner| !inside_picture(*corner)) {
            return Err(InvalidShape::OutsidePicture);
        }
        if corners.len() < 3 {
            return Err(InvalidShape::TooFewCorners);
        }
        let n = corners.len();
        let edge = |i: usize| (corners[i % n], corners[(i + 1) % n]);
        for i in 0..n {
            for j in i + 2..n {
                let adjacent = i == 0 && j == n - 1;
                let ((a, b), (c, d)) = (edge(i), edge(j));
                if !adjacent && crosses(a, b, c, d) {
                    return Err(InvalidShape::SelfCrossing);
                }
            }
        }
        // After crossings: the two halves of a bow tie cancel out.
        let area: f32 = (0..n)
            .map(|i| {
                let (a, b) = edge(i);
                a.x * b.y - b.x * a.y
            })
            .sum();
        if area.abs() < 1e-6 {
            return Err(InvalidShape::NoArea);
        }
        Ok(Self(corners))
    }

    /// The corners.
    #[must_use]
    pub fn corners(&self) -> &[Point] {
        &self.0
    }

    /// Whether the two share some area; polygons that only touch do not.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let edges = |polygon: &Self| {
            let corners = &polygon.0;
            (0..corners.len()).map(|i| (corners[i], corners[(i + 1) % corners.len()])).collect::<Vec<_>>()
        };
        let others = edges(other);
        let cross = edges(self).into_iter().any(|(a, b)| others.iter().any(|&(c, d)| crosses(a, b, c, d)));
        cross
            || self.0.iter().any(|corner| other.contains(*corner))
            || other.0.iter().any(|corner| self.contains(*corner))
    }

    /// Whether the point is inside (even-odd rule).
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        let mut inside = false;
        let mut previous = self.0[self.0.len() - 1];
        for &corner in &self.0 {
            if (corner.y > point.y) != (previous.y > point.y) {
                let x = (previous.x - corner.x) * (point.y - corner.y) / (previous.y - corner.y) + corner.x;
                if point.x < x {
                    inside = !inside;
                }
            }
            previous = corner;
        }
        inside
    }
}

fn side(a: Point, b: Point, p: Point) -> f32 {
    (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)
}

fn crosses(a: Point, b: Point, c: Point, d: Point) -> bool {
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

/// A directed segment inside the picture, with a length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    from: Point,
    to: Point,
}

impl Segment {
    /// A segment from its first point to its second.
    pub fn new(from: Point, to: Point) -> Result<Self, InvalidShape> {
        if !inside_picture(from) || !inside_picture(to) {
            return Err(InvalidShape::OutsidePicture);
        }
        if (from.x - to.x).hypot(from.y - to.y) < 1e-4 {
            return Err(InvalidShape::NoLength);
        }
        Ok(Self { from, to })
    }

    /// First point.
    #[must_use]
    pub const fn from(self) -> Point {
        self.from
    }
    /// Second point.
    #[must_use]
    pub const fn to(self) -> Point {
        self.to
    }

    /// Signed distance of `point` from the infinite line, in picture heights: positive to the **right** of one
    /// who walks from the first point to the second, negative to the left (y grows downwards).
    #[must_use]
    pub fn offset(self, point: Point, aspect: f32) -> f32 {
        let (dx, dy) = ((self.to.x - self.from.x) * aspect, self.to.y - self.from.y);
        let (px, py) = ((point.x - self.from.x) * aspect, point.y - self.from.y);
        (dx * py - dy * px) / dx.hypot(dy)
    }

    /// Where `point` falls along the segment: 0 at the first point, 1 at the second, beyond them outside `0..=1`.
    #[must_use]
    pub fn along(self, point: Point, aspect: f32) -> f32 {
        let (dx, dy) = ((self.to.x - self.from.x) * aspect, self.to.y - self.from.y);
        let (px, py) = ((point.x - self.from.x) * aspect, point.y - self.from.y);
        (dx * px + dy * py) / (dx * dx + dy * dy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bbox() -> impl Strategy<Value = BBox> {
        (-0.5f32..1.5, -0.5f32..1.5, 0.001f32..1.0, 0.001f32..1.0)
            .prop_map(|(l, t, w, h)| BBox::new(l, t, l + w, t + h).expect("positive size"))
    }

    proptest! {
        #[test]
        fn iou_is_symmetric_and_within_one(a in bbox(), b in bbox()) {
            prop_assert!((a.iou(b) - b.iou(a)).abs() < 1e-6);
            prop_assert!((0.0..=1.0).contains(&a.iou(b)));
            prop_assert!(a.iou(a) > 0.999);
        }

        #[test]
        fn boxes_apart_on_any_axis_share_nothing(a in bbox(), dx in 1.1f32..3.0, dy in -3.0f32..3.0) {
            let b = BBox::new(a.left() + dx, a.top() + dy, a.right() + dx, a.bottom() + dy).expect("moved");
            prop_assert_eq!(a.iou(b), 0.0);
        }

        #[test]
        fn a_box_contains_its_centre_as_a_polygon(l in 0.0f32..0.5, t in 0.0f32..0.5, w in 0.01f32..0.5, h in 0.01f32..0.5) {
            let corners = vec![Point::new(l, t), Point::new(l + w, t), Point::new(l + w, t + h), Point::new(l, t + h)];
            let polygon = Polygon::new(corners).expect("a box is simple");
            prop_assert!(polygon.contains(Point::new(l + w / 2.0, t + h / 2.0)));
            prop_assert!(!polygon.contains(Point::new(l - 0.01, t + h / 2.0)));
        }
    }

    #[test]
    fn boxes_apart_on_both_axes_have_no_iou() {
        let a = BBox::new(0.0, 0.0, 0.1, 0.1).expect("box");
        let b = BBox::new(0.5, 0.5, 0.6, 0.6).expect("box");
        assert_eq!(a.iou(b), 0.0);
    }

    #[test]
    fn a_box_is_finite_and_has_a_size() {
        assert!(BBox::new(f32::NAN, 0.0, 1.0, 1.0).is_none());
        assert!(BBox::new(0.5, 0.0, 0.5, 1.0).is_none());
        assert!(BBox::new(0.0, 1.0, 1.0, 0.0).is_none());
    }

    #[test]
    fn wrong_shapes_are_refused_with_their_reason() {
        let p = Point::new;
        assert_eq!(Polygon::new(vec![p(0.0, 0.0), p(1.0, 1.0)]), Err(InvalidShape::TooFewCorners));
        assert_eq!(Polygon::new(vec![p(0.0, 0.0), p(0.5, 0.5), p(1.0, 1.0)]), Err(InvalidShape::NoArea));
        assert_eq!(Polygon::new(vec![p(0.0, 0.0), p(2.0, 0.0), p(1.0, 1.0)]), Err(InvalidShape::OutsidePicture));
        let bow_tie = vec![p(0.0, 0.0), p(1.0, 0.9), p(1.0, 0.0), p(0.0, 1.0)];
        assert_eq!(Polygon::new(bow_tie), Err(InvalidShape::SelfCrossing));
        assert_eq!(Segment::new(p(0.5, 0.5), p(0.5, 0.5)), Err(InvalidShape::NoLength));
    }

    #[test]
    fn right_of_a_line_walked_down_the_picture_is_its_left_half() {
        // Walking from top to bottom one faces down; one's right hand points to the picture's left.
        let line = Segment::new(Point::new(0.5, 0.0), Point::new(0.5, 1.0)).expect("line");
        assert!(line.offset(Point::new(0.2, 0.5), 1.0) > 0.0);
        assert!(line.offset(Point::new(0.8, 0.5), 1.0) < 0.0);
        assert!((line.along(Point::new(0.9, 0.25), 1.0) - 0.25).abs() < 1e-6);
    }
}

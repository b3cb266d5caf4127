//! Upright boxes in pixels, in double precision: as ground truth files and the public evaluations have them.

/// No coordinate or side is larger: beyond it areas would lose their digits.
const MAX_PX: f64 = 1e6;

/// An upright box; finite, with positive width and height. It may reach beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelBox {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl PixelBox {
    /// `None` unless all four are finite and at most a million pixels, and width and height are positive.
    #[must_use]
    pub fn new(left: f64, top: f64, width: f64, height: f64) -> Option<Self> {
        let sane = [left, top, width, height].iter().all(|v| v.abs() <= MAX_PX);
        (sane && width > 0.0 && height > 0.0).then_some(Self { left, top, width, height })
    }

    /// Left edge.
    #[must_use]
    pub const fn left(self) -> f64 {
        self.left
    }
    /// Top edge.
    #[must_use]
    pub const fn top(self) -> f64 {
        self.top
    }
    /// Width.
    #[must_use]
    pub const fn width(self) -> f64 {
        self.width
    }
    /// Height.
    #[must_use]
    pub const fn height(self) -> f64 {
        self.height
    }
    /// Right edge.
    #[must_use]
    pub fn right(self) -> f64 {
        self.left + self.width
    }
    /// Bottom edge.
    #[must_use]
    pub fn bottom(self) -> f64 {
        self.top + self.height
    }
    /// Area, in square pixels.
    #[must_use]
    pub fn area(self) -> f64 {
        self.width * self.height
    }

    /// Area shared with `other`.
    #[must_use]
    pub fn intersection(self, other: Self) -> f64 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, in `0..=1`.
    #[must_use]
    pub fn iou(self, other: Self) -> f64 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { (intersection / union).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The share of `self` that lies inside `other`, in `0..=1`.
    #[must_use]
    pub fn covered_by(self, other: Self) -> f64 {
        let area = self.area();
        if area > 0.0 { (self.intersection(other) / area).clamp(0.0, 1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_box() -> impl Strategy<Value = PixelBox> {
        (-100.0f64..100.0, -100.0f64..100.0, 0.1f64..100.0, 0.1f64..100.0)
            .prop_map(|(left, top, width, height)| PixelBox::new(left, top, width, height).expect("a box"))
    }

    proptest! {
        #[test]
        fn overlap_is_symmetric_and_a_share(a in any_box(), b in any_box()) {
            prop_assert_eq!(a.iou(b), b.iou(a));
            prop_assert!((0.0..=1.0).contains(&a.iou(b)) && a.iou(b) <= a.covered_by(b) + 1e-12);
        }

        #[test]
        fn a_box_is_itself_and_nothing_far_away(a in any_box()) {
            prop_assert!((a.iou(a) - 1.0).abs() < 1e-12);
            let far = PixelBox::new(a.left() + 1000.0, a.top() + 1000.0, a.width(), a.height()).expect("a box");
            prop_assert_eq!(a.iou(far), 0.0);
        }
    }

    #[test]
    fn what_is_no_box_is_refused() {
        for (left, width) in
            [(f64::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::INFINITY), (2e6, 1.0), (0.0, f64::NAN)]
        {
            assert_eq!(PixelBox::new(left, 0.0, width, 1.0), None);
            assert_eq!(PixelBox::new(0.0, left, 1.0, width), None);
        }
    }
}

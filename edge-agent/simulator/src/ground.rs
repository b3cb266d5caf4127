//! The ground plane: places, ways and areas in metres. x to the right, y away from the first camera, z up.

/// A place on the ground, in metres.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spot {
    /// To the right.
    pub x: f64,
    /// Away.
    pub y: f64,
}

impl Spot {
    /// A place from its metres.
    #[must_use]
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// Distance in metres.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The place `share` of the way to `other`.
    #[must_use]
    pub fn towards(self, other: Self, share: f64) -> Self {
        Self::new(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)
    }
}

/// A place and the unit vector in which what is there faces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Where.
    pub spot: Spot,
    /// Unit vector ahead.
    pub ahead: Spot,
}

impl Pose {
    /// The pose `share` of the way to `other`.
    #[must_use]
    pub fn towards(self, other: Self, share: f64) -> Self {
        let ahead = self.ahead.towards(other.ahead, share);
        let length = ahead.x.hypot(ahead.y);
        let ahead = if length > 1e-6 { Spot::new(ahead.x / length, ahead.y / length) } else { other.ahead };
        Self { spot: self.spot.towards(other.spot, share), ahead }
    }
}

/// A way along the ground: straight pieces, by arc length.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    spots: Vec<Spot>,
    /// Metres from the start to each spot.
    along: Vec<f64>,
}

impl Way {
    /// A way through these places; at least two, each apart from the next.
    #[must_use]
    pub fn new(spots: Vec<Spot>) -> Self {
        let mut along = vec![0.0];
        for pair in spots.windows(2) {
            along.push(along[along.len() - 1] + pair[0].distance(pair[1]));
        }
        Self { spots, along }
    }

    /// A smooth turn from `from` to `to` that leaves towards `corner`: a quadratic Bézier curve in eight pieces.
    #[must_use]
    pub fn turn(from: Spot, corner: Spot, to: Spot) -> Self {
        let at = |k: u32| {
            let share = f64::from(k) / 8.0;
            from.towards(corner, share).towards(corner.towards(to, share), share)
        };
        Self::new((0..=8).map(at).collect())
    }

    /// Its length in metres.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.along[self.along.len() - 1]
    }

    /// The pose `s` metres along it and `side` metres to its left; beyond its ends it goes straight on.
    #[must_use]
    pub fn at(&self, s: f64, side: f64) -> Pose {
        let last = self.spots.len() - 2;
        let piece = self.along[1..=last].iter().take_while(|end| s > **end).count();
        let (from, to) = (self.spots[piece], self.spots[piece + 1]);
        let length = self.along[piece + 1] - self.along[piece];
        let ahead = Spot::new((to.x - from.x) / length, (to.y - from.y) / length);
        let on = s - self.along[piece];
        let spot = Spot::new(from.x + ahead.x * on - ahead.y * side, from.y + ahead.y * on + ahead.x * side);
        Pose { spot, ahead }
    }

    /// How far along and how far to the left `spot` is, by the nearest piece.
    #[must_use]
    pub fn locate(&self, spot: Spot) -> (f64, f64) {
        let mut best = (f64::MAX, (0.0, 0.0));
        for (piece, pair) in self.spots.windows(2).enumerate() {
            let length = self.along[piece + 1] - self.along[piece];
            let ahead = Spot::new((pair[1].x - pair[0].x) / length, (pair[1].y - pair[0].y) / length);
            let (dx, dy) = (spot.x - pair[0].x, spot.y - pair[0].y);
            let (on, side) = (dx * ahead.x + dy * ahead.y, dy * ahead.x - dx * ahead.y);
            let beyond = (on - on.clamp(0.0, length)).abs();
            let away = beyond.hypot(side);
            if away < best.0 {
                best = (away, (self.along[piece] + on, side));
            }
        }
        best.1
    }
}

/// A polygon of the ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Area(pub Vec<Spot>);

impl Area {
    /// An upright rectangle.
    #[must_use]
    pub fn rectangle(left: f64, near: f64, right: f64, far: f64) -> Self {
        Self(vec![Spot::new(left, near), Spot::new(right, near), Spot::new(right, far), Spot::new(left, far)])
    }

    /// How many metres inside its edge `spot` is; negative outside.
    #[must_use]
    pub fn depth(&self, spot: Spot) -> f64 {
        let mut inside = false;
        let mut nearest2 = f64::MAX;
        let mut a = self.0[self.0.len() - 1];
        for &b in &self.0 {
            if (b.y > spot.y) != (a.y > spot.y) && spot.x < (a.x - b.x) * (spot.y - b.y) / (a.y - b.y) + b.x {
                inside = !inside;
            }
            let (ex, ey) = (b.x - a.x, b.y - a.y);
            let share = (((spot.x - a.x) * ex + (spot.y - a.y) * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
            let (dx, dy) = (spot.x - a.x - ex * share, spot.y - a.y - ey * share);
            nearest2 = nearest2.min(dx * dx + dy * dy);
            a = b;
        }
        let away = nearest2.sqrt();
        if inside { away } else { -away }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_on_a_way_is_located_there(s in 0.5f64..19.5, side in -1.0f64..1.0) {
            let way = Way::new(vec![Spot::new(0.0, 0.0), Spot::new(0.0, 20.0)]);
            let (found, beside) = way.locate(way.at(s, side).spot);
            prop_assert!((found - s).abs() < 1e-9 && (beside - side).abs() < 1e-9);
        }

        #[test]
        fn depth_is_the_distance_to_the_edge(x in -5.0f64..15.0, y in -5.0f64..15.0) {
            let area = Area::rectangle(0.0, 0.0, 10.0, 10.0);
            let depth = area.depth(Spot::new(x, y));
            let inside = x.min(10.0 - x).min(y).min(10.0 - y);
            if inside > 0.0 {
                prop_assert!((depth - inside).abs() < 1e-9);
            } else {
                let out = (-x).max(x - 10.0).max(0.0).hypot((-y).max(y - 10.0).max(0.0));
                prop_assert!((depth + out).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_turn_leaves_and_arrives_as_its_roads_do() {
        let way = Way::turn(Spot::new(0.0, 0.0), Spot::new(0.0, 10.0), Spot::new(-10.0, 10.0));
        let (from, to) = (way.at(0.0, 0.0), way.at(way.length(), 0.0));
        assert!(from.ahead.y > 0.95 && to.ahead.x < -0.95, "{from:?} {to:?}");
        assert!((15.0..17.0).contains(&way.length()), "{}", way.length());
        assert!(way.at(5.0, 1.0).spot.x < way.at(5.0, 0.0).spot.x, "left of one who goes away is the left");
    }
}

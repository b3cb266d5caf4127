//! A camera on a mast: a pinhole without distortion that looks down at the ground plane.

use analytics::{BBox, Point};

use crate::ground::{Pose, Spot};

/// Nothing closer than this to the camera's plane is seen, in metres.
const NEAREST: f64 = 1.0;

/// Where a camera hangs and where it looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mount {
    /// The foot of its mast.
    pub foot: Spot,
    /// Height in metres.
    pub height_m: f64,
    /// What it looks at: the ground here is in the picture's middle.
    pub aim: Spot,
    /// Horizontal angle of view, in degrees.
    pub view_deg: f64,
    /// Width over height of its picture.
    pub aspect: f64,
}

/// A mounted camera. Axes: right, down, forward, in the world's x, y, z.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    mount: Mount,
    right: [f64; 3],
    down: [f64; 3],
    forward: [f64; 3],
    /// Focal length in picture heights.
    focal: f64,
}

/// An upright cuboid: what an object takes up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solid {
    /// Its middle on the ground and where it faces.
    pub pose: Pose,
    /// Along its heading, in metres.
    pub length_m: f64,
    /// Across it.
    pub width_m: f64,
    /// Its lower face above the ground.
    pub bottom_m: f64,
    /// Its upper face above the ground.
    pub top_m: f64,
}

/// A solid in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The box of its corners; may reach beyond the picture.
    pub bbox: BBox,
    /// Metres from the camera to its middle.
    pub distance_m: f64,
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

impl Camera {
    /// A camera that hangs so.
    #[must_use]
    pub fn new(mount: Mount) -> Self {
        let (dx, dy) = (mount.aim.x - mount.foot.x, mount.aim.y - mount.foot.y);
        let flat = dx.hypot(dy);
        let whole = flat.hypot(mount.height_m);
        let forward = [dx / whole, dy / whole, -mount.height_m / whole];
        let right = [dy / flat, -dx / flat, 0.0];
        // Down in the picture: forward × right turned so that it points to the ground.
        let down = [
            forward[1] * right[2] - forward[2] * right[1],
            forward[2] * right[0] - forward[0] * right[2],
            forward[0] * right[1] - forward[1] * right[0],
        ];
        let focal = mount.aspect / 2.0 / (mount.view_deg / 2.0).to_radians().tan();
        Self { mount, right, down, forward, focal }
    }

    /// Width over height of its picture.
    #[must_use]
    pub fn aspect(&self) -> f64 {
        self.mount.aspect
    }

    /// Where a point of space is in the picture; `None` behind the camera.
    #[must_use]
    pub fn point(&self, spot: Spot, z: f64) -> Option<Point> {
        let to = [spot.x - self.mount.foot.x, spot.y - self.mount.foot.y, z - self.mount.height_m];
        let ahead = dot(to, self.forward);
        (ahead > NEAREST).then(|| {
            let x = 0.5 + self.focal * dot(to, self.right) / ahead / self.mount.aspect;
            let y = 0.5 + self.focal * dot(to, self.down) / ahead;
            Point::new(x as f32, y as f32)
        })
    }

    /// The place on the ground that is at a point of the picture; `None` at and above the horizon.
    #[must_use]
    pub fn ground(&self, point: Point) -> Option<Spot> {
        let across = (f64::from(point.x) - 0.5) * self.mount.aspect / self.focal;
        let below = (f64::from(point.y) - 0.5) / self.focal;
        let ray: [f64; 3] =
            std::array::from_fn(|axis| self.forward[axis] + across * self.right[axis] + below * self.down[axis]);
        (ray[2] < -1e-9).then(|| {
            let far = self.mount.height_m / -ray[2];
            Spot::new(self.mount.foot.x + far * ray[0], self.mount.foot.y + far * ray[1])
        })
    }

    /// The box around the projected corners; `None` when it is not wholly in front of the camera, or not in the picture.
    #[must_use]
    pub fn view(&self, solid: &Solid) -> Option<View> {
        let Pose { spot, ahead } = solid.pose;
        let (hl, hw) = (solid.length_m / 2.0, solid.width_m / 2.0);
        let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        for (along, across) in [(hl, hw), (hl, -hw), (-hl, hw), (-hl, -hw)] {
            let corner =
                Spot::new(spot.x + ahead.x * along - ahead.y * across, spot.y + ahead.y * along + ahead.x * across);
            for z in [solid.bottom_m, solid.top_m] {
                let point = self.point(corner, z)?;
                left = left.min(point.x);
                right = right.max(point.x);
                top = top.min(point.y);
                bottom = bottom.max(point.y);
            }
        }
        let outside = right <= 0.0 || left >= 1.0 || bottom <= 0.0 || top >= 1.0;
        let bbox = BBox::new(left, top, right, bottom).filter(|_| !outside)?;
        Some(View { bbox, distance_m: spot.distance(self.mount.foot).hypot(self.mount.height_m) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        Camera::new(Mount {
            foot: Spot::new(0.0, 0.0),
            height_m: 8.0,
            aim: Spot::new(0.0, 30.0),
            view_deg: 40.0,
            aspect: 16.0 / 9.0,
        })
    }

    fn man(x: f64, y: f64) -> Solid {
        let pose = Pose { spot: Spot::new(x, y), ahead: Spot::new(1.0, 0.0) };
        Solid { pose, length_m: 0.4, width_m: 0.4, bottom_m: 0.0, top_m: 1.7 }
    }

    #[test]
    fn what_it_aims_at_is_in_the_middle() {
        let middle = camera().point(Spot::new(0.0, 30.0), 0.0).expect("ahead");
        assert!((middle.x - 0.5).abs() < 1e-6 && (middle.y - 0.5).abs() < 1e-6, "{middle:?}");
    }

    #[test]
    fn a_place_is_found_again_from_its_point() {
        for spot in [Spot::new(-4.0, 18.0), Spot::new(5.0, 44.0)] {
            let point = camera().point(spot, 0.0).expect("ahead");
            let found = camera().ground(point).expect("below the horizon");
            assert!(found.distance(spot) < 0.05, "{found:?}");
        }
        assert_eq!(camera().ground(Point::new(0.5, -1.0)), None, "the sky");
    }

    #[test]
    fn near_is_low_and_large_and_right_is_right() {
        let camera = camera();
        let near = camera.view(&man(0.0, 20.0)).expect("in view").bbox;
        let far = camera.view(&man(4.0, 40.0)).expect("in view").bbox;
        assert!(near.bottom() > far.bottom() && near.height() > 1.5 * far.height());
        assert!(far.center().x > near.center().x);
        assert!(far.bottom() > far.top());
    }

    #[test]
    fn sizes_are_those_of_a_pinhole() {
        // A pole of 1.7 m in the axis' distance of about 31 m; focal length in picture heights is 16/9/2/tan 20°.
        let seen = camera().view(&man(0.0, 30.0)).expect("in view").bbox.height();
        let focal = 16.0 / 9.0 / 2.0 / 20f64.to_radians().tan();
        let expected = focal * 1.7 * (30.0 / 31.05) / 31.05;
        assert!((f64::from(seen) / expected - 1.0).abs() < 0.12, "{seen} {expected}");
    }

    #[test]
    fn behind_the_camera_nothing_is_seen() {
        assert_eq!(camera().view(&man(0.0, -5.0)), None);
        assert_eq!(camera().view(&man(200.0, 30.0)), None);
    }
}

//! A first guess of a camera's ground from watched traffic: how high people and vehicles of known size appear at each height
//! of the picture (Hoiem, Efros, Hebert: *Putting Objects in Perspective*, IJCV 2008), and where straight ways meet
//! (a vanishing point on the horizon).
//!
//! Sizes tell the horizon and the camera's height well, its focal length hardly: that stays near what such cameras have
//! (a horizontal view of some 60°, give or take a third). So lengths across the view come out usable, lengths along it do
//! not, and a guess measures no speeds. It is where a calibration starts, and says so.

use super::CalibrationError;
use super::fit::{Fit, Problem};
use crate::class::Class;
use crate::geometry::Point;
use crate::scene::{Scene, Track, TrackState};

/// Rows of the picture in which sizes are gathered.
const ROWS: usize = 24;
/// Sightings that make a row's size of one class worth believing.
const ENOUGH: usize = 20;
/// Boxes that reach closer to the picture's edge may be cut.
const EDGE: f32 = 0.02;
/// Ways that are kept to find where they meet.
const WAYS: usize = 200;
/// A way's ends are at least this far apart, in picture heights, and all between lie this close to a straight line.
const LENGTH: f32 = 0.25;
const STRAIGHT: f32 = 0.01;
/// Logarithm of the focal length in picture heights that is expected, and how far off it may be.
const FOCAL: (f64, f64) = (0.43, 0.35);

/// A typical object: how high and how long it is in metres, and by which share the height may be off.
struct Typical {
    height_m: f64,
    /// How far its top reaches behind its foot, over all the ways it may stand.
    depth_m: f64,
    off: f64,
}

/// None for classes that are too varied.
const fn typical(class: Class) -> Option<Typical> {
    match class {
        Class::Person => Some(Typical { height_m: 1.62, depth_m: 0.2, off: 0.04 }),
        Class::Car => Some(Typical { height_m: 1.55, depth_m: 2.6, off: 0.12 }),
        Class::Motorcycle | Class::Bicycle => Some(Typical { height_m: 1.15, depth_m: 1.0, off: 0.15 }),
        _ => None,
    }
}

/// Sizes and ways, gathered scene by scene; bounded.
#[derive(Debug, Clone)]
pub struct Sizes {
    aspect: f64,
    /// By class and row: reservoirs would need chance, so the last ones count.
    heights: Vec<Vec<f32>>,
    ways: Vec<[Point; 2]>,
}

/// The most heights kept of a class in a row.
const KEPT: usize = 400;

impl Sizes {
    /// Nothing yet. `aspect` is the picture's width over its height.
    #[must_use]
    pub fn new(aspect: f64) -> Self {
        Self { aspect, heights: vec![Vec::new(); ROWS * Class::ALL.len()], ways: Vec::new() }
    }

    /// Takes what one scene shows.
    pub fn push(&mut self, scene: &Scene) {
        for track in scene.tracks.iter().filter(|track| track.state == TrackState::Seen && track.rider_of.is_none()) {
            self.push_track(track);
        }
    }

    fn push_track(&mut self, track: &Track) {
        let b = track.bbox;
        let whole = b.left() > EDGE && b.right() < 1.0 - EDGE && b.top() > EDGE && b.bottom() < 1.0 - EDGE;
        if !whole || typical(track.class).is_none() {
            return;
        }
        let row = ((b.bottom() * ROWS as f32) as usize).min(ROWS - 1);
        let heights = &mut self.heights[track.class as usize * ROWS + row];
        if heights.len() < KEPT {
            heights.push(b.height());
        }
        // A way is taken when it is long, once: as its last point passes the length.
        let points = &track.path;
        if let [first, .., before, last] = points.as_slice()
            && self.ways.len() < WAYS
        {
            let far = |point: Point| first.point.distance(point, self.aspect as f32);
            let straight = points.iter().all(|point| {
                let (dx, dy) = ((last.point.x - first.point.x), (last.point.y - first.point.y));
                let along = dx.hypot(dy).max(1e-6);
                ((point.point.x - first.point.x) * dy - (point.point.y - first.point.y) * dx).abs() / along < STRAIGHT
            });
            if straight && far(before.point) < LENGTH && far(last.point) >= LENGTH {
                self.ways.push([first.point, last.point]);
            }
        }
    }

    /// The guess; `None` until enough was seen at different heights of the picture.
    ///
    /// # Errors
    /// What was seen does not determine the camera.
    pub fn guess(&self) -> Option<Result<Guess, CalibrationError>> {
        let mut rows = Vec::new();
        for class in Class::ALL {
            let Some(typical) = typical(class) else { continue };
            for row in 0..ROWS {
                let mut heights = self.heights[class as usize * ROWS + row].clone();
                if heights.len() < ENOUGH {
                    continue;
                }
                heights.sort_unstable_by(f32::total_cmp);
                let (foot, height) = ((row as f64 + 0.5) / ROWS as f64, f64::from(heights[heights.len() / 2]));
                rows.push(Row { foot, height, height_m: typical.height_m, depth_m: typical.depth_m, off: typical.off });
            }
        }
        let feet = || rows.iter().map(|row| row.foot);
        let span = feet().fold(0.0, f64::max) - feet().fold(1.0, f64::min);
        if rows.len() < 3 || span < 0.15 {
            return None;
        }
        Some(self.fit(rows))
    }

    fn fit(&self, rows: Vec<Row>) -> Result<Guess, CalibrationError> {
        let problem = Watched { rows, vanishing: self.vanishing_y() };
        let start = problem.start().ok_or(CalibrationError::Degenerate)?;
        let fit = Fit::solve(&problem, start).ok_or(CalibrationError::Degenerate)?;
        let [focal, height, tilt] = fit.parameters;
        Ok(Guess {
            horizon: 0.5 - focal.exp() * tilt.tan(),
            camera_height_m: height.exp(),
            tilt_deg: tilt.to_degrees(),
            focal_heights: focal.exp(),
            aspect: self.aspect,
        })
    }

    /// Height of the point where ways that are not parallel in the picture meet, by the median of their crossings.
    fn vanishing_y(&self) -> Option<f64> {
        let mut meets = Vec::new();
        for (i, a) in self.ways.iter().enumerate() {
            for b in &self.ways[..i] {
                meets.extend(crossing(a, b, self.aspect).filter(|y| (-2.0..1.0).contains(y)));
            }
        }
        if meets.len() < 50 {
            return None;
        }
        meets.sort_unstable_by(f64::total_cmp);
        let spread = meets[3 * meets.len() / 4] - meets[meets.len() / 4];
        (spread < 0.15).then(|| meets[meets.len() / 2])
    }
}

/// Where two ways' lines cross, when they differ by more than five degrees.
fn crossing(a: &[Point; 2], b: &[Point; 2], aspect: f64) -> Option<f64> {
    let direction = |way: &[Point; 2]| {
        let (dx, dy) = (f64::from(way[1].x - way[0].x) * aspect, f64::from(way[1].y - way[0].y));
        let length = dx.hypot(dy);
        (dx / length, dy / length)
    };
    let ((ax, ay), (bx, by)) = (direction(a), direction(b));
    let sine = ax * by - ay * bx;
    if sine.abs() < 0.087 {
        return None;
    }
    let (px, py) = (f64::from(b[0].x - a[0].x) * aspect, f64::from(b[0].y - a[0].y));
    let along = (px * by - py * bx) / sine;
    Some(f64::from(a[0].y) + along * ay)
}

/// What watched traffic tells of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Where the horizon is, as a fraction of the picture's height from the top; negative above the picture.
    pub horizon: f64,
    /// How high the camera hangs, in metres.
    pub camera_height_m: f64,
    /// How far it looks down, in degrees.
    pub tilt_deg: f64,
    /// Focal length, in picture heights: mostly what such cameras have.
    pub focal_heights: f64,
    aspect: f64,
}

impl Guess {
    /// Pixels on a metre across the view at a height of the picture (fraction from the top), of a picture `width_px` wide;
    /// `None` above the horizon.
    #[must_use]
    pub fn pixels_per_metre(&self, y: f64, width_px: u32) -> Option<f64> {
        let (sin, cos) = self.tilt_deg.to_radians().sin_cos();
        let below = y - 0.5;
        let down = self.focal_heights * sin + below * cos;
        let metres_a_height = self.camera_height_m / down;
        (down > 1e-6).then(|| f64::from(width_px) / (self.aspect * metres_a_height))
    }
}

/// The median height of one class in one row.
struct Row {
    foot: f64,
    height: f64,
    height_m: f64,
    depth_m: f64,
    off: f64,
}

struct Watched {
    rows: Vec<Row>,
    vanishing: Option<f64>,
}

impl Watched {
    fn start(&self) -> Option<[f64; 3]> {
        let tries = (1..13).flat_map(|i| (1..14).map(move |j| (f64::from(5 * i).to_radians(), 2.0 * 1.2_f64.powi(j))));
        let fitted = tries.filter_map(|(tilt, height)| {
            let parameters = [FOCAL.0, height.ln(), tilt];
            let residuals = self.residuals(&parameters)?;
            Some((residuals.iter().map(|residual| residual * residual).sum::<f64>(), parameters))
        });
        fitted.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, parameters)| parameters)
    }
}

impl Problem<3> for Watched {
    fn residuals(&self, [log_focal, log_height, tilt]: &[f64; 3]) -> Option<Vec<f64>> {
        let (focal, camera) = (log_focal.exp(), log_height.exp());
        let (sin, cos) = tilt.sin_cos();
        let mut residuals = vec![(log_focal - FOCAL.0) / FOCAL.1];
        residuals.extend(self.vanishing.map(|y| (0.5 - focal * tilt.tan() - y) / 0.05));
        for row in &self.rows {
            let below = row.foot - 0.5;
            let down = focal * sin + below * cos;
            if down <= 1e-6 {
                return None;
            }
            let distance = camera * (focal * cos - below * sin) / down;
            // Height in the picture of a point so far away and so far below the camera.
            let seen = |away: f64, under: f64| {
                let forward = away * cos + under * sin;
                (forward > 1e-6).then(|| focal * (under * cos - away * sin) / forward)
            };
            let top = camera - row.height_m;
            let near = seen(distance, top)?;
            let far = seen(distance + row.depth_m, top)?;
            let height = below - near.min(far);
            if height <= 0.0 {
                return None;
            }
            residuals.push((height / row.height).ln() / row.off);
        }
        Some(residuals)
    }
}

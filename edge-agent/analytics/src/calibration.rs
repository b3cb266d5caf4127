//! Calibration of a fixed camera: from points of the picture whose place on the ground is known, or from lines of known
//! length, to its [`Ground`] and the error by place.
//!
//! Both fits minimise least squares (Levenberg, Marquardt) from a start that needs none; the covariance of what is fitted
//! gives the error of a length at every place (first-order propagation: Hartley and Zisserman, *Multiple View Geometry*,
//! 2nd edition, §4.1 and §5.2). With as many points as unknowns nothing is left over to judge the fit by; then the error is
//! that of reading points off a picture alone.

mod fit;
mod guess;

use self::fit::{Fit, MapsGround};
pub use self::guess::{Guess, Sizes};
use crate::geometry::{Point, Segment};
use crate::ground::{Ground, Homography};

/// How far off a point read off a picture is, in picture heights (one standard deviation): four pixels of 1080.
const READING: f64 = 0.004;
/// How far off a measured length on the ground is, as a share.
const TAPE: f64 = 0.01;
/// Standard deviations within which 95 of 100 lie.
const SIGMAS: f64 = 1.96;

/// A point of the picture and its place on the ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Landmark {
    /// Where it is seen.
    pub picture: Point,
    /// Where it is: two coordinates in metres, of any origin and direction.
    pub ground_m: [f64; 2],
}

/// A line on the ground of known length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownLength {
    /// Where it is seen.
    pub picture: Segment,
    /// How long it is, in metres.
    pub length_m: f64,
}

/// Why there is no calibration.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// Too few to fit.
    #[error("has {given} where at least {needed} are needed")]
    TooFew {
        /// How many there are.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// They do not determine a plane.
    #[error("do not determine the ground: they lie on one line, in one place, or are in the wrong order")]
    Degenerate,
    /// Nothing can be measured anywhere with them.
    #[error("contradict each other or lie too close together: lengths would be wrong by more than 20 % everywhere")]
    Useless,
}

/// A calibrated camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Its ground.
    pub ground: Ground,
    /// How far what was given is off the fit, as a share of the picture's height (root mean square); `None` when no more is
    /// given than is fitted.
    pub residual: Option<f64>,
}

/// Fits a homography to four or more points, no three of four on one line. `aspect` is the picture's width over its height.
///
/// # Errors
/// Fewer than four points, points that do not determine a plane, or that contradict each other.
pub fn from_points(landmarks: &[Landmark], aspect: f64) -> Result<Calibration, CalibrationError> {
    if landmarks.len() < 4 {
        return Err(CalibrationError::TooFew { given: landmarks.len(), needed: 4 });
    }
    let problem = fit::Points::new(landmarks, aspect).ok_or(CalibrationError::Degenerate)?;
    calibration(&problem, problem.start().ok_or(CalibrationError::Degenerate)?)
}

/// Fits focal length, tilt and height of a camera with square pixels, no roll and its optical axis in the picture's middle
/// to three or more lines on the ground of known length; the origin is below the camera.
///
/// # Errors
/// Fewer than three lines, lines that do not determine the camera, or that contradict each other.
pub fn from_lengths(lengths: &[KnownLength], aspect: f64) -> Result<Calibration, CalibrationError> {
    if lengths.len() < 3 {
        return Err(CalibrationError::TooFew { given: lengths.len(), needed: 3 });
    }
    let problem = fit::Lengths::new(lengths, aspect);
    calibration(&problem, problem.start().ok_or(CalibrationError::Degenerate)?)
}

fn calibration<const N: usize>(problem: &impl MapsGround<N>, start: [f64; N]) -> Result<Calibration, CalibrationError> {
    let fit = Fit::solve(problem, start).ok_or(CalibrationError::Degenerate)?;
    let homography = problem.homography(&fit.parameters).ok_or(CalibrationError::Degenerate)?;
    let ground = Ground::new(homography, |point| error_at(problem, &fit, point));
    if ground.coverage() == 0.0 {
        return Err(CalibrationError::Useless);
    }
    let residual = fit.residual().map(|in_readings| in_readings * READING);
    Ok(Calibration { ground, residual })
}

/// By which share a length at `point` may be wrong: the worse of the two directions of the picture.
fn error_at<const N: usize>(problem: &impl MapsGround<N>, fit: &Fit<N>, point: Point) -> f64 {
    let log_scales = |parameters: &[f64; N]| problem.homography(parameters).and_then(|map| log_scales(&map, point));
    let Some(here) = log_scales(&fit.parameters) else { return f64::INFINITY };
    let mut slopes = [[0.0; N]; 2];
    for i in 0..N {
        let step = fit::step(fit.parameters[i]);
        let mut moved = fit.parameters;
        moved[i] += step;
        let Some(there) = log_scales(&moved) else { return f64::INFINITY };
        for axis in 0..2 {
            slopes[axis][i] = (there[axis] - here[axis]) / step;
        }
    }
    let worst = slopes.iter().map(|slope| fit.variance(slope)).fold(0.0, f64::max);
    SIGMAS * worst.sqrt()
}

/// Logarithms of how many metres a small step along x and along y is.
fn log_scales(map: &Homography, point: Point) -> Option<[f64; 2]> {
    const STEP: f64 = 1e-4;
    let (x, y) = (f64::from(point.x), f64::from(point.y));
    let scale = |dx: f64, dy: f64| {
        let [x0, y0] = map.apply([x - dx, y - dy])?;
        let [x1, y1] = map.apply([x + dx, y + dy])?;
        Some((x1 - x0).hypot(y1 - y0).ln())
    };
    Some([scale(STEP, 0.0)?, scale(0.0, STEP)?])
}

#[cfg(test)]
mod tests;

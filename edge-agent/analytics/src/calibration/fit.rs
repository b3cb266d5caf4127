//! Least squares: the two fits of a calibration and the solver they share.

use super::{KnownLength, Landmark, READING, TAPE};
use crate::ground::Homography;

/// Steps of a fit at most.
const STEPS: usize = 100;

/// Something to be fitted with `N` parameters.
pub(super) trait Problem<const N: usize> {
    /// What is off, each in standard deviations of reading it off; `None` where the parameters make no sense.
    fn residuals(&self, parameters: &[f64; N]) -> Option<Vec<f64>>;
}

/// Something whose parameters are a map to the ground.
pub(super) trait MapsGround<const N: usize>: Problem<N> {
    /// The map from fractions of the picture to metres.
    fn homography(&self, parameters: &[f64; N]) -> Option<Homography>;
}

/// How far a parameter is moved to see what depends on it.
pub(super) fn step(parameter: f64) -> f64 {
    1e-6 * parameter.abs().max(1e-2)
}

/// Parameters that fit best, and what is known of their error.
#[derive(Debug)]
pub(super) struct Fit<const N: usize> {
    pub(super) parameters: [f64; N],
    /// Inverse of JᵀJ, times the variance of the residuals where that is more than reading alone gives.
    covariance: [[f64; N]; N],
    squares: f64,
    freedom: usize,
}

impl<const N: usize> Fit<N> {
    /// Levenberg–Marquardt from `start`; `None` when the parameters are not determined.
    pub(super) fn solve(problem: &impl Problem<N>, start: [f64; N]) -> Option<Self> {
        let mut parameters = start;
        let mut residuals = problem.residuals(&parameters)?;
        let mut damping = 1e-3;
        for _ in 0..STEPS {
            let (normal, gradient) = normal_equations(problem, &parameters, &residuals)?;
            let mut damped = normal;
            for (i, row) in damped.iter_mut().enumerate() {
                row[i] *= 1.0 + damping;
            }
            let shift = solve(damped, gradient)?;
            let tried: [f64; N] = std::array::from_fn(|i| parameters[i] - shift[i]);
            let better = problem.residuals(&tried).filter(|tried| squares(tried) < squares(&residuals));
            match better {
                Some(better) => {
                    let gain = 1.0 - squares(&better) / squares(&residuals);
                    (parameters, residuals) = (tried, better);
                    damping = (damping / 10.0).max(1e-12);
                    if gain < 1e-12 {
                        break;
                    }
                }
                None if damping > 1e9 => break,
                None => damping *= 10.0,
            }
        }
        let (normal, _) = normal_equations(problem, &parameters, &residuals)?;
        let (squares, freedom) = (squares(&residuals), residuals.len().saturating_sub(N));
        let variance = if freedom > 0 { (squares / freedom as f64).max(1.0) } else { 1.0 };
        let covariance = inverse(normal)?.map(|row| row.map(|value| value * variance));
        Some(Self { parameters, covariance, squares, freedom })
    }

    /// Root mean square of the residuals, in standard deviations of reading; `None` when nothing is left over.
    pub(super) fn residual(&self) -> Option<f64> {
        (self.freedom > 0).then(|| (self.squares / (self.freedom + N) as f64).sqrt())
    }

    /// Variance of a number that depends on the parameters with this slope.
    pub(super) fn variance(&self, slope: &[f64; N]) -> f64 {
        let along = |row: &[f64; N]| row.iter().zip(slope).map(|(a, b)| a * b).sum::<f64>();
        self.covariance.iter().zip(slope).map(|(row, b)| along(row) * b).sum::<f64>().max(0.0)
    }
}

fn squares(residuals: &[f64]) -> f64 {
    residuals.iter().map(|residual| residual * residual).sum()
}

type Normal<const N: usize> = ([[f64; N]; N], [f64; N]);

fn normal_equations<const N: usize>(
    problem: &impl Problem<N>,
    parameters: &[f64; N],
    residuals: &[f64],
) -> Option<Normal<N>> {
    let mut columns = Vec::with_capacity(N);
    for i in 0..N {
        let step = step(parameters[i]);
        let mut moved = *parameters;
        moved[i] += step;
        let there = problem.residuals(&moved)?;
        columns.push(there.iter().zip(residuals).map(|(there, here)| (there - here) / step).collect::<Vec<f64>>());
    }
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let normal = std::array::from_fn(|i| std::array::from_fn(|j| product(&columns[i], &columns[j])));
    Some((normal, std::array::from_fn(|i| product(&columns[i], residuals))))
}

/// Solves a symmetric positive system; `None` when it is singular to working precision.
fn solve<const N: usize>(matrix: [[f64; N]; N], right: [f64; N]) -> Option<[f64; N]> {
    let inverse = inverse(matrix)?;
    Some(std::array::from_fn(|i| inverse[i].iter().zip(&right).map(|(a, b)| a * b).sum()))
}

/// Gauss and Jordan with pivots, after scaling the diagonal to one.
fn inverse<const N: usize>(matrix: [[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let scale: [f64; N] = std::array::from_fn(|i| matrix[i][i].sqrt());
    if scale.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
        return None;
    }
    let mut left: [[f64; N]; N] =
        std::array::from_fn(|i| std::array::from_fn(|j| matrix[i][j] / (scale[i] * scale[j])));
    let mut right: [[f64; N]; N] = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for column in 0..N {
        let pivot = (column..N).max_by(|a, b| left[*a][column].abs().total_cmp(&left[*b][column].abs()))?;
        if left[pivot][column].abs() < 1e-13 {
            return None;
        }
        left.swap(column, pivot);
        right.swap(column, pivot);
        let factor = left[column][column];
        for value in left[column].iter_mut().chain(&mut right[column]) {
            *value /= factor;
        }
        for row in (0..N).filter(|row| *row != column) {
            let factor = left[row][column];
            for k in 0..N {
                left[row][k] -= factor * left[column][k];
                right[row][k] -= factor * right[column][k];
            }
        }
    }
    Some(std::array::from_fn(|i| std::array::from_fn(|j| right[i][j] / (scale[i] * scale[j]))))
}

/// The map that takes the points' middle to the origin and their mean distance from it to one.
fn normalised(points: impl Iterator<Item = [f64; 2]> + Clone) -> Option<Homography> {
    let count = points.clone().count() as f64;
    let mean = |axis: usize| points.clone().map(|point| point[axis]).sum::<f64>() / count;
    let (x, y) = (mean(0), mean(1));
    let spread = points.map(|point| (point[0] - x).hypot(point[1] - y)).sum::<f64>() / count;
    let s = 1.0 / spread;
    Homography::new([[s, 0.0, -s * x], [0.0, s, -s * y], [0.0, 0.0, 1.0]], [x, y])
}

/// Points: eight numbers of the map from the ground to the picture, both normalised (Hartley, PAMI 1997); the ninth is one,
/// as the middle of points on the ground is on the ground.
pub(super) struct Points {
    picture: Vec<[f64; 2]>,
    ground: Vec<[f64; 2]>,
    picture_from: Homography,
    ground_from: Homography,
    /// Of the normalised picture's unit, in picture heights.
    unit: f64,
}

impl Points {
    pub(super) fn new(landmarks: &[Landmark], aspect: f64) -> Option<Self> {
        let seen = |landmark: &Landmark| [f64::from(landmark.picture.x), f64::from(landmark.picture.y)];
        // Square units first: a reading is as far off along x as along y.
        let square = Homography::new([[aspect, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0, 0.0])?;
        let points = landmarks.iter().map(|landmark| [seen(landmark)[0] * aspect, seen(landmark)[1]]);
        let normal = normalised(points.clone())?;
        let unit = points.clone().zip(points.clone().skip(1)).find_map(|(a, b)| {
            let (c, d) = (normal.apply(a)?, normal.apply(b)?);
            let apart = (c[0] - d[0]).hypot(c[1] - d[1]);
            (apart > 0.0).then(|| (a[0] - b[0]).hypot(a[1] - b[1]) / apart)
        })?;
        let picture_from = normal.after(&square, [0.5, 0.5])?;
        let ground_from = normalised(landmarks.iter().map(|landmark| landmark.ground_m))?;
        Some(Self {
            picture: landmarks.iter().map(|landmark| picture_from.apply(seen(landmark))).collect::<Option<_>>()?,
            ground: landmarks.iter().map(|landmark| ground_from.apply(landmark.ground_m)).collect::<Option<_>>()?,
            picture_from,
            ground_from,
            unit,
        })
    }

    /// The direct linear transform; `None` when the points do not determine it.
    pub(super) fn start(&self) -> Option<[f64; 8]> {
        let rows = self.picture.iter().zip(&self.ground).flat_map(|([u, v], [x, y])| {
            [([*x, *y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], *u), ([0.0, 0.0, 0.0, *x, *y, 1.0, -v * x, -v * y], *v)]
        });
        let (mut normal, mut right) = ([[0.0; 8]; 8], [0.0; 8]);
        for (row, value) in rows {
            for i in 0..8 {
                right[i] += row[i] * value;
                for j in 0..8 {
                    normal[i][j] += row[i] * row[j];
                }
            }
        }
        solve(normal, right)
    }

    fn picture_from_ground(h: &[f64; 8]) -> Option<Homography> {
        Homography::new([[h[0], h[1], h[2]], [h[3], h[4], h[5]], [h[6], h[7], 1.0]], [0.0, 0.0])
    }
}

impl Problem<8> for Points {
    fn residuals(&self, parameters: &[f64; 8]) -> Option<Vec<f64>> {
        let map = Self::picture_from_ground(parameters)?;
        let mut residuals = Vec::with_capacity(2 * self.picture.len());
        for (seen, ground) in self.picture.iter().zip(&self.ground) {
            let expected = map.apply(*ground)?;
            residuals.extend([0, 1].map(|axis| (expected[axis] - seen[axis]) * self.unit / READING));
        }
        Some(residuals)
    }
}

impl MapsGround<8> for Points {
    fn homography(&self, parameters: &[f64; 8]) -> Option<Homography> {
        let to_picture = Self::picture_from_ground(parameters)?;
        let middle = to_picture.apply([0.0, 0.0])?;
        let from_picture = to_picture.inverse(middle)?;
        let in_picture = self.picture_from.inverse(middle)?.apply(middle)?;
        let to_metres = self.ground_from.inverse([0.0, 0.0])?;
        to_metres.after(&from_picture, middle)?.after(&self.picture_from, in_picture)
    }
}

/// Lines of known length: logarithms of focal length (in picture heights) and of the camera's height (metres), and its tilt
/// below the horizontal in radians.
pub(super) struct Lengths<'a> {
    lengths: &'a [KnownLength],
    aspect: f64,
}

impl<'a> Lengths<'a> {
    pub(super) const fn new(lengths: &'a [KnownLength], aspect: f64) -> Self {
        Self { lengths, aspect }
    }

    /// The best of a grid of focal lengths and tilts; the height follows from them.
    pub(super) fn start(&self) -> Option<[f64; 3]> {
        let focal = (0..12).map(|i| 0.5 * 1.25_f64.powi(i));
        let tries = focal.flat_map(|focal| (1..17).map(move |i| [focal.ln(), 0.0, f64::from(5 * i).to_radians()]));
        let fitted = tries.filter_map(|[focal, _, tilt]| {
            let logs = self.log_ratios(&[focal, 0.0, tilt])?;
            let height = -logs.iter().sum::<f64>() / logs.len() as f64;
            let parameters = [focal, height, tilt];
            Some((squares(&self.residuals(&parameters)?), parameters))
        });
        fitted.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, parameters)| parameters)
    }

    fn ends(length: &KnownLength) -> [[f64; 2]; 2] {
        [length.picture.from(), length.picture.to()].map(|point| [f64::from(point.x), f64::from(point.y)])
    }

    /// How much longer each is than it should be, as a logarithm.
    fn log_ratios(&self, parameters: &[f64; 3]) -> Option<Vec<f64>> {
        let map = self.homography(parameters)?;
        let ratio = |length: &KnownLength| Some((apart(&map, Self::ends(length))? / length.length_m).ln());
        self.lengths.iter().map(ratio).collect()
    }
}

fn apart(map: &Homography, [from, to]: [[f64; 2]; 2]) -> Option<f64> {
    let ([x0, y0], [x1, y1]) = (map.apply(from)?, map.apply(to)?);
    Some((x1 - x0).hypot(y1 - y0))
}

impl Problem<3> for Lengths<'_> {
    fn residuals(&self, parameters: &[f64; 3]) -> Option<Vec<f64>> {
        let map = self.homography(parameters)?;
        let residual = |length: &KnownLength| {
            let ends = Self::ends(length);
            let ratio = (apart(&map, ends)? / length.length_m).ln();
            // What misreading one end along either axis does to the length.
            let mut variance = TAPE * TAPE;
            for (end, axis, unit) in [(0, 0, self.aspect), (0, 1, 1.0), (1, 0, self.aspect), (1, 1, 1.0)] {
                let mut misread = ends;
                misread[end][axis] += READING / unit;
                let off = (apart(&map, misread)? / length.length_m).ln() - ratio;
                variance += off * off;
            }
            Some(ratio / variance.sqrt())
        };
        self.lengths.iter().map(residual).collect()
    }
}

impl MapsGround<3> for Lengths<'_> {
    fn homography(&self, parameters: &[f64; 3]) -> Option<Homography> {
        pinhole(parameters, self.aspect)
    }
}

/// The ground below a camera with square pixels, no roll and its axis in the picture's middle: x to the right of it, y ahead,
/// in metres. The parameters are those of [`Lengths`].
pub(super) fn pinhole([log_focal, log_height, tilt]: &[f64; 3], aspect: f64) -> Option<Homography> {
    let (focal, height) = (log_focal.exp(), log_height.exp());
    if !(0.0..std::f64::consts::FRAC_PI_2).contains(tilt) {
        return None;
    }
    let (sin, cos) = tilt.sin_cos();
    // A ray through (x, y) of the picture: right, forward and down.
    let across = [aspect, 0.0, -0.5 * aspect];
    let forward = [0.0, -sin, 0.5 * sin + focal * cos];
    let down = [0.0, cos, focal * sin - 0.5 * cos];
    let in_metres = |row: [f64; 3]| row.map(|value| value * height);
    let on_ground = [0.5, 1.0];
    let depth = down[1] + down[2];
    (depth > 1e-6).then(|| Homography::new([in_metres(across), in_metres(forward), down], on_ground)).flatten()
}

//! Brightness gradients, and how far those of one picture are from those of another: cross-correlation of gradient
//! fields, coarse to fine (as in V. Argyriou, T. Vlachos: Estimation of sub-pixel motion using gradient
//! cross-correlation, Electronics Letters 39, 2003).

use super::GrayView;
use super::reference::BLOCK;

/// Pixels of a view in one of the coarse search, along an edge.
const COARSER: usize = 4;

/// The largest shift that is looked for, as a share of the picture; beyond it too little is left in view.
const REACH: f32 = 0.4;

/// Signed central differences.
#[derive(Debug, Clone, Default)]
pub(super) struct Gradients {
    width: usize,
    height: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

/// One block of a reference beside a picture; energies are mean squares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) now: f32,
    pub(super) then: f32,
    product: f32,
}

impl Match {
    /// -1 to 1.
    pub(super) fn correlation(self) -> f32 {
        self.product / (self.now * self.then).sqrt().max(1e-6)
    }
}

impl Gradients {
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(super) fn take(&mut self, view: &GrayView<'_>) {
        let (width, height) = (view.width, view.height);
        (self.width, self.height) = (width, height);
        self.x.clear();
        self.y.clear();
        self.x.resize(width * height, 0.0);
        self.y.resize(width * height, 0.0);
        let luma = |x: usize, y: usize| f32::from(view.pixels[y * width + x]);
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                self.x[y * width + x] = luma(x + 1, y) - luma(x - 1, y);
                self.y[y * width + x] = luma(x, y + 1) - luma(x, y - 1);
            }
        }
    }

    /// Moves towards another picture of the same size.
    pub(super) fn mix(&mut self, now: &Self, share: f32) {
        for (mean, now) in self.x.iter_mut().zip(&now.x).chain(self.y.iter_mut().zip(&now.y)) {
            *mean += (now - *mean) * share;
        }
    }

    /// This one's block beside where it would be `shift` pixels further in `now`; `None` when that is out of view.
    pub(super) fn at(&self, (left, top): (usize, usize), now: &Self, shift: (i32, i32)) -> Option<Match> {
        let (dx, dy) = (shift.0 as isize, shift.1 as isize);
        let (there_left, there_top) = (left.checked_add_signed(dx)?, top.checked_add_signed(dy)?);
        if there_left + BLOCK > now.width || there_top + BLOCK > now.height {
            return None;
        }
        let mut sums = Match { now: 0.0, then: 0.0, product: 0.0 };
        for row in 0..BLOCK {
            let (here, there) = ((top + row) * self.width + left, (there_top + row) * now.width + there_left);
            let (here, there) = (here..here + BLOCK, there..there + BLOCK);
            let then = self.x[here.clone()].iter().zip(&self.y[here]);
            for ((x, y), (a, b)) in then.zip(now.x[there.clone()].iter().zip(&now.y[there])) {
                sums.then += x * x + y * y;
                sums.now += a * a + b * b;
                sums.product += x * a + y * b;
            }
        }
        let pixels = (BLOCK * BLOCK) as f32;
        Some(Match { now: sums.now / pixels, then: sums.then / pixels, product: sums.product / pixels })
    }

    /// Normalised correlation over the whole overlap.
    fn correlation(&self, now: &Self, (dx, dy): (i32, i32)) -> f32 {
        let (left, right) = (0.max(-dx) as usize, (self.width as i32).min(now.width as i32 - dx).max(0) as usize);
        let (top, bottom) = (0.max(-dy) as usize, (self.height as i32).min(now.height as i32 - dy).max(0) as usize);
        let (mut product, mut here_energy, mut there_energy) = (0.0_f32, 0.0_f32, 0.0_f32);
        for y in top..bottom {
            if left >= right {
                break;
            }
            let here = y * self.width + left..y * self.width + right;
            let from = ((y as i32 + dy) as usize) * now.width + (left as i32 + dx) as usize;
            let there = from..from + (right - left);
            for (then, now) in [(&self.x[here.clone()], &now.x[there.clone()]), (&self.y[here], &now.y[there])] {
                for (a, b) in then.iter().zip(now) {
                    product += a * b;
                    here_energy += a * a;
                    there_energy += b * b;
                }
            }
        }
        product / (here_energy * there_energy).sqrt().max(1e-6)
    }

    fn coarser(&self) -> Self {
        let (width, height) = (self.width / COARSER, self.height / COARSER);
        let mean = |plane: &[f32]| {
            let cells = (0..height).flat_map(|row| (0..width).map(move |column| (row * COARSER, column * COARSER)));
            let sum = |(top, left): (usize, usize)| {
                let rows = (top..top + COARSER).map(|y| y * self.width + left);
                rows.map(|start| plane[start..start + COARSER].iter().sum::<f32>()).sum()
            };
            cells.map(sum).collect()
        };
        Self { width, height, x: mean(&self.x), y: mean(&self.y) }
    }

    /// By how many pixels `now` is best explained to be off: the best whole shift, and the same refined to parts of a pixel.
    pub(super) fn shift_to(&self, now: &Self) -> ((i32, i32), (f32, f32)) {
        let reach = |edge: usize| (edge as f32 * REACH) as i32;
        let (then_coarse, now_coarse) = (self.coarser(), now.coarser());
        let (dx, dy) = (reach(then_coarse.width), reach(then_coarse.height));
        let coarse = best((-dx, dx), (-dy, dy), |shift| then_coarse.correlation(&now_coarse, shift));
        let (x, y) = (coarse.0 * COARSER as i32, coarse.1 * COARSER as i32);
        let near = COARSER as i32;
        let score = |shift| self.correlation(now, shift);
        let (x, y) = best((x - near, x + near), (y - near, y + near), score);
        let peak = score((x, y));
        let part = |before: f32, after: f32| {
            let bend = before - 2.0 * peak + after;
            if bend < -1e-6 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        let fine_x = part(score((x - 1, y)), score((x + 1, y)));
        let fine_y = part(score((x, y - 1)), score((x, y + 1)));
        ((x, y), (x as f32 + fine_x, y as f32 + fine_y))
    }
}

fn best(xs: (i32, i32), ys: (i32, i32), score: impl Fn((i32, i32)) -> f32) -> (i32, i32) {
    let shifts = (ys.0..=ys.1).flat_map(|y| (xs.0..=xs.1).map(move |x| (x, y)));
    let scored = shifts.map(|shift| (score(shift), shift));
    // The first of equals, so that the same pictures give the same shift.
    scored.fold((f32::MIN, (0, 0)), |best, next| if next.0 > best.0 { next } else { best }).1
}

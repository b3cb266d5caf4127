//! What a camera has been showing: the static structure of its place.

use std::time::Duration;

use super::GrayView;
use super::shift::Gradients;

/// Edge of a block, in pixels of a view.
pub(super) const BLOCK: usize = 8;

/// Time constant of adapting to slow change: sun, shadows, seasons. Raising it keeps slow tampering visible longer; it
/// costs time to get used to a changed place.
const ADAPT: Duration = Duration::from_secs(600);

/// A reference is compared with once it has learnt for this long.
const LEARN: Duration = Duration::from_secs(20);

/// After a gap no single view counts for more than this.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// Mean square of a block's gradients from which it has structure; noise stays well below it.
const TEXTURED: f32 = 16.0;

/// A picture is compared when at least this share of its blocks has structure.
const LEAST_TEXTURED: f64 = 0.1;

/// Correlation of a block's gradients with the reference's from which it agrees.
const AGREES: f32 = 0.4;

/// A block whose gradients are fainter than this share of the reference's (in energy; a tenth of their strength) does not
/// agree: what shines through paint.
const FAINT: f32 = 0.01;

/// A block that agrees is blurred when its fine detail over its coarse contrast is at most this share of the reference's.
const BLURRED_TO: f32 = 0.4;

/// Detail (mean square of neighbours' differences) from which it is more than noise.
const LEAST_DETAIL: f32 = 4.0;

/// Blocks that must agree for their blur to be judged, of those with structure.
const LEAST_AGREEING: f64 = 1.0 / 3.0;

/// Half the distance over which coarse contrast is taken, in pixels of a view.
const COARSE: usize = 4;

/// One mode's static structure.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) gradients: Gradients,
    luma: Vec<f32>,
    /// Of each block.
    fine: Vec<f32>,
    coarse: Vec<f32>,
    learnt: Duration,
}

/// What a view is, apart from any reference.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) gradients: Gradients,
    /// Of each block: detail above the noise, and coarse contrast.
    fine: Vec<f32>,
    coarse: Vec<f32>,
    sorted: Vec<u16>,
}

impl Looked {
    pub(super) fn take(&mut self, view: &GrayView<'_>) {
        self.gradients.take(view);
        self.sorted.clear();
        self.sorted.extend_from_slice(view.detail);
        let tenth = self.sorted.len() / 10;
        let noise = *self.sorted.select_nth_unstable(tenth).1;
        self.fine.clear();
        self.coarse.clear();
        for (left, top) in blocks(view.width, view.height) {
            let (mut fine, mut coarse) = (0.0, 0.0);
            for y in top..top + BLOCK {
                let row = y * view.width;
                for x in left..left + BLOCK {
                    fine += f32::from(view.detail[row + x].saturating_sub(noise));
                    let (a, b) = (x.saturating_sub(COARSE), (x + COARSE).min(view.width - 1));
                    let step = f32::from(view.pixels[row + a]) - f32::from(view.pixels[row + b]);
                    coarse += step * step;
                }
            }
            let pixels = (BLOCK * BLOCK) as f32;
            self.fine.push(fine / pixels / GrayView::DETAIL_SCALE as f32);
            self.coarse.push(coarse / pixels);
        }
    }
}

/// What a comparison amounts to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared {
    /// Blocks that do not agree, of those with structure.
    pub(super) lost: f64,
    pub(super) texture: f64,
    pub(super) blurred: f64,
}

impl Reference {
    pub(super) fn new(view: &GrayView<'_>, looked: &Looked) -> Self {
        Self {
            gradients: looked.gradients.clone(),
            luma: view.pixels.iter().map(|luma| f32::from(*luma)).collect(),
            fine: looked.fine.clone(),
            coarse: looked.coarse.clone(),
            learnt: Duration::ZERO,
        }
    }

    /// Whether it has learnt enough to be compared with.
    pub(super) fn is_ready(&self) -> bool {
        self.learnt >= LEARN
    }

    /// Learns from a view `passed` after the one before: a plain mean at first, later a slow one.
    pub(super) fn learn(&mut self, view: &GrayView<'_>, looked: &Looked, passed: Duration) {
        let passed = passed.min(LONGEST_STEP);
        self.learnt += passed;
        let share = (passed.as_secs_f32() / self.learnt.min(ADAPT).as_secs_f32().max(1e-3)).min(1.0);
        let mix = |mean: &mut f32, now: f32| *mean += (now - *mean) * share;
        self.gradients.mix(&looked.gradients, share);
        self.luma.iter_mut().zip(view.pixels).for_each(|(mean, now)| mix(mean, f32::from(*now)));
        self.fine.iter_mut().zip(&looked.fine).for_each(|(mean, now)| mix(mean, *now));
        self.coarse.iter_mut().zip(&looked.coarse).for_each(|(mean, now)| mix(mean, *now));
    }

    /// Share of the picture at least `saturated` that was below `before`.
    pub(super) fn newly_bright(&self, view: &GrayView<'_>, saturated: u8, before: f32) -> f64 {
        let count =
            view.pixels.iter().zip(&self.luma).filter(|(now, then)| **now >= saturated && **then < before).count();
        count as f64 / view.pixels.len().max(1) as f64
    }

    /// Compares where it is; `None` when there is too little structure to compare.
    pub(super) fn compare(&self, looked: &Looked) -> Option<Compared> {
        let (width, height) = self.gradients.size();
        let (mut all, mut textured, mut agree, mut judged, mut blurred) = (0, 0, 0, 0, 0);
        let (mut now_energy, mut then_energy) = (0.0, 0.0);
        for (index, block) in blocks(width, height).enumerate() {
            all += 1;
            let match_ = self.gradients.at(block, &looked.gradients, (0, 0))?;
            if match_.then < TEXTURED {
                continue;
            }
            textured += 1;
            now_energy += match_.now;
            then_energy += match_.then;
            if match_.correlation() < AGREES || match_.now < FAINT * match_.then {
                continue;
            }
            agree += 1;
            let then = self.fine[index] / self.coarse[index].max(1.0);
            if self.fine[index] >= LEAST_DETAIL && looked.coarse[index] >= TEXTURED {
                judged += 1;
                blurred += usize::from(looked.fine[index] / looked.coarse[index] <= BLURRED_TO * then);
            }
        }
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        (share(textured, all) >= LEAST_TEXTURED).then(|| Compared {
            lost: 1.0 - share(agree, textured),
            texture: f64::from((now_energy / then_energy.max(1e-6)).sqrt()),
            blurred: if share(judged, textured) >= LEAST_AGREEING { share(blurred, judged) } else { 0.0 },
        })
    }

    /// Share of the blocks with structure that agree when everything is `shift` pixels off; of those still in view.
    pub(super) fn agrees_at(&self, looked: &Looked, shift: (i32, i32)) -> f64 {
        let (width, height) = self.gradients.size();
        let matches = blocks(width, height).filter_map(|block| self.gradients.at(block, &looked.gradients, shift));
        let (mut textured, mut agree) = (0_usize, 0_usize);
        for found in matches.filter(|found| found.then >= TEXTURED) {
            textured += 1;
            agree += usize::from(found.correlation() >= AGREES);
        }
        agree as f64 / textured.max(1) as f64
    }
}

/// Left and top of every whole block.
fn blocks(width: usize, height: usize) -> impl Iterator<Item = (usize, usize)> {
    let tops = (0..height / BLOCK).map(|row| row * BLOCK);
    tops.flat_map(move |top| (0..width / BLOCK).map(move |column| (column * BLOCK, top)))
}

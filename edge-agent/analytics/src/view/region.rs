//! What pixels that hold still make up together, and whether it is a thing.
//!
//! A thing that was added has an outline that the place had not; when one was removed, the outline is in the background
//! (Cuevas, Martínez, García, *Detection of stationary foreground objects: a survey*, CVIU 152, 2016, §4: edges). What keeps
//! the structure of the place below it is light or shadow (normalised cross-correlation: Jacques, Jung, Musse, *Background
//! subtraction and shadow detection in grayscale video sequences*, SIBGRAPI 2005), and so is what has no sharp outline, or
//! came about little by little, evenly.

use super::background::Background;
use crate::time::MediaTime;

/// Pixels no further apart than this make up one region.
const REACH: isize = 2;

/// The outline is judged across this many pixels: the one on the edge is a mixture.
const ACROSS: isize = 2;

/// How much stronger an outline must be now than it was, or was than it is; a noise of [`OUTLINE_NOISE`] steps allowed for.
const STRONGER: f32 = 1.5;
const OUTLINE_NOISE: f32 = 3.0;

/// An outline of at least this share of the difference within, now or before, is sharp. Raising it spares pools of light; it
/// costs things of few pixels.
const SHARP: f32 = 0.4;

/// A region that differs by less than this in the mean, in steps of luma, is no thing. Raising it spares reflections and damp
/// patches; it costs grey things on grey roads.
const LEAST_CONTRAST: f32 = 22.0;

/// Mean square of neighbours' differences from which there is structure.
const STRUCTURED: f32 = 9.0;
/// Fewer pairs of neighbours say nothing of structure.
const LEAST_PAIRS: f32 = 8.0;
/// Correlation of the structure from which it is the same, where it was, and a pixel further (a mast that settles).
const SAME: f32 = 0.7;
const SAME_MOVED: f32 = 0.85;

/// Deviation of the pixels' times of change, in seconds, from which they changed little by little.
const GRADUAL_S: f32 = 8.0;
/// Deviation of the pixels' gain up to which it is even.
const EVEN: f32 = 0.15;

/// What a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Something is there that was not.
    Added,
    /// Something is not there that was.
    Removed,
    /// Light or shadow.
    Light,
    /// It cannot be told.
    Unclear,
}

/// Pixels that hold still and lie together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    /// Left, top, right, bottom, in pixels; the last two are outside.
    pub(super) edges: [usize; 4],
    /// When most of it changed.
    pub(super) since: MediaTime,
    pub(super) nature: Nature,
    /// Mean difference, in steps of luma.
    pub(super) contrast: f32,
}

/// Collects into `members` what lies together with `first` and is not in `taken` yet, and takes it.
pub(super) fn collect(
    background: &Background,
    first: usize,
    taken: &mut [bool],
    members: &mut Vec<u32>,
    stack: &mut Vec<u32>,
) {
    let (width, height) = background.size();
    members.clear();
    stack.clear();
    stack.push(first as u32);
    taken[first] = true;
    while let Some(index) = stack.pop() {
        members.push(index);
        let (x, y) = (index as usize % width, index as usize / width);
        let (left, right) = (x.saturating_sub(REACH as usize), (x + REACH as usize).min(width - 1));
        for row in y.saturating_sub(REACH as usize)..=(y + REACH as usize).min(height - 1) {
            for near in row * width + left..=row * width + right {
                if background.is_still(near) && !taken[near] {
                    taken[near] = true;
                    stack.push(near as u32);
                }
            }
        }
    }
}

impl Patch {
    /// Of these pixels, at least one.
    pub(super) fn of(background: &Background, members: &[u32], now: MediaTime) -> Self {
        let width = background.size().0;
        let mut edges = [usize::MAX, usize::MAX, 0, 0];
        let count = members.len() as f32;
        let (mut age, mut age2, mut contrast, mut gain, mut gain2) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for index in members.iter().map(|index| *index as usize) {
            let (x, y, cell) = (index % width, index / width, background.cell(index));
            edges = [edges[0].min(x), edges[1].min(y), edges[2].max(x + 1), edges[3].max(y + 1)];
            let since_s = now.since(cell.since).as_secs_f32();
            let ratio = cell.front / cell.back.max(1.0);
            age += since_s;
            age2 += since_s * since_s;
            contrast += (cell.front - cell.back).abs();
            gain += ratio;
            gain2 += ratio * ratio;
        }
        let deviation = |sum: f32, squares: f32| (squares / count - (sum / count).powi(2)).max(0.0).sqrt();
        let contrast = contrast / count;
        let is_gradual = deviation(age, age2) > GRADUAL_S && deviation(gain, gain2) < EVEN;
        let nature = if contrast < LEAST_CONTRAST || is_gradual || keeps_structure(background, members) {
            Nature::Light
        } else {
            Outline::of(background, members).nature(contrast)
        };
        let since = MediaTime::ZERO + now.since(MediaTime::ZERO + std::time::Duration::from_secs_f32(age / count));
        Self { edges, since, nature, contrast }
    }
}

/// Whether these pixels show what they showed before in another light, or a pixel further.
fn keeps_structure(background: &Background, members: &[u32]) -> bool {
    let width = background.size().0 as isize;
    let around = (-1..=1).flat_map(|dy: isize| (-1..=1).map(move |dx: isize| dy * width + dx));
    around
        .into_iter()
        .any(|offset| correlation(background, members, offset) >= if offset == 0 { SAME } else { SAME_MOVED })
}

/// Correlation of the differences of neighbours now with those of the background `offset` pixels further; 0 where there is
/// too little structure to tell.
fn correlation(background: &Background, members: &[u32], offset: isize) -> f32 {
    let (width, height) = background.size();
    let (mut pairs, mut front2, mut back2, mut both) = (0.0, 0.0, 0.0, 0.0);
    for index in members.iter().map(|index| *index as usize) {
        for next in [index + 1, index + width] {
            let shifted = |index: usize| index.checked_add_signed(offset).filter(|index| *index < width * height);
            let is_pair = next < width * height && background.is_still(next);
            let (Some(a), Some(b)) = (shifted(index), shifted(next)) else { continue };
            if !is_pair {
                continue;
            }
            let front = background.cell(next).front - background.cell(index).front;
            let back = background.cell(b).back - background.cell(a).back;
            pairs += 1.0;
            front2 += front * front;
            back2 += back * back;
            both += front * back;
        }
    }
    let has_structure = pairs >= LEAST_PAIRS && back2 / pairs >= STRUCTURED;
    if has_structure { both / (front2 * back2).sqrt().max(1e-3) } else { 0.0 }
}

/// The steps of luma across a region's outline.
#[derive(Debug, Default)]
struct Outline {
    count: f32,
    now: f32,
    before: f32,
    /// The larger of the two.
    either: f32,
}

impl Outline {
    fn of(background: &Background, members: &[u32]) -> Self {
        let (width, height) = background.size();
        let mut outline = Self::default();
        for index in members.iter().map(|index| *index as usize) {
            let (x, y) = ((index % width) as isize, (index / width) as isize);
            for (dx, dy) in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
                let at = |steps: isize| {
                    let (x, y) = (x + dx * steps, y + dy * steps);
                    let is_inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
                    is_inside.then(|| (y * width as isize + x) as usize)
                };
                let is_edge = at(1).is_some_and(|next| !background.is_still(next));
                if let Some(beyond) = at(ACROSS).filter(|beyond| is_edge && !background.is_still(*beyond)) {
                    outline.add(background, index, beyond);
                }
            }
        }
        outline
    }

    fn add(&mut self, background: &Background, inside: usize, beyond: usize) {
        let (inside, beyond) = (background.cell(inside), background.cell(beyond));
        self.count += 1.0;
        let (now, before) = ((inside.front - beyond.now()).abs(), (inside.back - beyond.back).abs());
        self.now += now;
        self.before += before;
        self.either += now.max(before);
    }

    fn nature(&self, contrast: f32) -> Nature {
        let mean = |sum: f32| sum / self.count.max(1.0) + OUTLINE_NOISE;
        if self.either < SHARP * contrast * self.count {
            Nature::Light
        } else if mean(self.now) >= STRONGER * mean(self.before) {
            Nature::Added
        } else if mean(self.before) >= STRONGER * mean(self.now) {
            Nature::Removed
        } else {
            Nature::Unclear
        }
    }
}

//! Where a picture differs from what it was when its regions were last inferred.

use std::time::Duration;

use analytics::{BBox, MediaTime};

use super::blocks::{Area, Blocks};
use super::light::Light;
use crate::frame::Picture;

/// A block changed when it differs by more than so many times its usual flicker (six medians are four deviations of noise),
/// within the two bounds below. Higher holds more in rain and at night; it costs what moves with little contrast.
const TIMES_FLICKER: f32 = 6.0;
/// Levels of luma below which nothing is a change. Higher rides out the pulse of a coarse codec's key frames; it costs what
/// is as dark as its ground.
const LEAST_LEVELS: f32 = 5.0;
/// Levels of luma from which everything is: where it always flickers, what passes still stands out.
const MOST_LEVELS: f32 = 20.0;
/// What of the flicker is learnt, in levels a second, and what it is taken for at first. Faster forgets a gust sooner; it
/// takes traffic for flicker sooner.
const LEARNT_PER_S: f32 = 0.4;
const FIRST_FLICKER: f32 = 1.0;
/// Shares of a block by which a mast may sway: an edge that moves by less is no change. More rides out more wind; what
/// creeps is noticed later by as much, and on a strong edge needs that share of its contrast.
const SWAY: f32 = 0.25;
/// What hangs together over fewer pixels of the network's input than this is a drop or a leaf to it, or one block: the
/// smallest that networks of this kind are sure of is larger. More ignores larger leaves; it notices small things late.
const LEAST_INPUT_PX: f32 = 81.0;
const LEAST_BLOCKS: usize = 2;
/// Levels by which light may change before pictures are taken for other ones.
const LIGHT_LEVELS: f32 = 16.0;

/// Frames further apart have nothing to do with each other.
const GAP: Duration = Duration::from_secs(2);

/// What a camera showed, block by block.
#[derive(Debug, Default)]
pub(super) struct Motion {
    blocks: Blocks,
    /// Of a picture that is no frame.
    glimpsed: Blocks,
    is_repeated: bool,
    previous: Vec<f32>,
    previous_at: Option<MediaTime>,
    /// Running median of how much each block differs from frame to frame (McFarlane and Schofield 1995).
    flicker: Vec<f32>,
    anchors: Vec<Anchor>,
    scratch: Scratch,
}

/// A region as it was when it was last inferred.
#[derive(Debug)]
struct Anchor {
    area: Area,
    least_blocks: usize,
    luma: Vec<f32>,
    /// What swaying may change.
    slack: Vec<f32>,
}

#[derive(Debug, Default)]
struct Scratch {
    samples: Vec<(f32, f32)>,
    changed: Vec<bool>,
    open: Vec<usize>,
}

impl Motion {
    /// Takes the next picture. `false`: it does not follow the one before, and nothing may be carried over.
    /// `input_px` is what the network is given of each region.
    pub(super) fn read(&mut self, picture: &Picture, at: MediaTime, regions: &[BBox], input_px: usize) -> bool {
        let is_new = self.blocks.read(picture);
        if is_new {
            let anchor = |region: &BBox| Anchor::new(self.blocks.area(*region), input_px);
            self.anchors = regions.iter().map(anchor).collect();
            self.flicker = vec![FIRST_FLICKER; self.blocks.means().len()];
        }
        let before = self.previous_at.replace(at).filter(|before| !is_new && *before <= at && at.since(*before) <= GAP);
        if let Some(before) = before
            && !std::mem::take(&mut self.is_repeated)
        {
            self.learn_flicker(at.since(before));
        }
        self.previous.clear();
        self.previous.extend_from_slice(self.blocks.means());
        before.is_some()
    }

    /// Nothing that comes follows what was.
    pub(super) fn forget(&mut self) {
        self.previous_at = None;
    }

    /// The next picture is the last one once more: that nothing flickers in it says nothing.
    pub(super) fn repeat(&mut self) {
        self.is_repeated = true;
    }

    /// Whether this picture, which is no frame, differs nowhere from when regions were last inferred.
    pub(super) fn is_still(&mut self, picture: &Picture) -> bool {
        if self.previous_at.is_none() {
            return false;
        }
        self.glimpsed.read(picture);
        let is_alike = self.glimpsed.has_size_of(&self.blocks);
        std::mem::swap(&mut self.blocks, &mut self.glimpsed);
        let is_still = is_alike && (0..self.anchors.len()).all(|region| !self.is_changed(region));
        std::mem::swap(&mut self.blocks, &mut self.glimpsed);
        is_still
    }

    fn learn_flicker(&mut self, passed: Duration) {
        let step = LEARNT_PER_S * passed.as_secs_f32().min(1.0);
        for ((flicker, now), before) in self.flicker.iter_mut().zip(self.blocks.means()).zip(&self.previous) {
            let step = if (now - before).abs() > *flicker { step } else { -step };
            *flicker = (*flicker + step).clamp(0.0, MOST_LEVELS);
        }
    }

    /// Whether a region's picture differs from when it was last inferred.
    pub(super) fn is_changed(&mut self, region: usize) -> bool {
        let Self { blocks, flicker, anchors, scratch, .. } = self;
        let Anchor { area, least_blocks, luma, slack } = &anchors[region];
        if luma.is_empty() {
            return true;
        }
        let width = area.width();
        let pair = |i: usize| (luma[i], blocks.row_of(*area, i / width)[i % width]);
        let light = Light::between((0..luma.len()).map(pair), &mut scratch.samples);
        if light.change() > LIGHT_LEVELS {
            return true;
        }
        scratch.changed.clear();
        for (row, then) in luma.chunks_exact(width).enumerate() {
            let flicker = &flicker[blocks.range_of(*area, row)];
            let slack = &slack[row * width..][..width];
            let differs = |((then, now), (flicker, slack)): ((&f32, &f32), (&f32, &f32))| {
                let limit = (TIMES_FLICKER * flicker).clamp(LEAST_LEVELS, MOST_LEVELS).max(*slack);
                (now - light.on(*then)).abs() > limit
            };
            let now = blocks.row_of(*area, row);
            scratch.changed.extend(then.iter().zip(now).zip(flicker.iter().zip(slack)).map(differs));
        }
        scratch.hangs_together(width, *least_blocks)
    }

    /// A region is inferred now: what follows is compared with this picture.
    pub(super) fn anchor(&mut self, region: usize) {
        let Self { blocks, anchors, .. } = self;
        let Anchor { area, luma, slack, .. } = &mut anchors[region];
        luma.clear();
        (0..area.height()).for_each(|row| luma.extend_from_slice(blocks.row_of(*area, row)));
        let width = area.width();
        slack.clear();
        slack.resize(luma.len(), 0.0);
        // Each pair of neighbours once.
        for (apart, last_column) in [(1, 1), (width, 0)] {
            for at in 0..luma.len().saturating_sub(apart) {
                let edge = SWAY * (luma[at] - luma[at + apart]).abs();
                if at % width < width - last_column {
                    slack[at] = slack[at].max(edge);
                    slack[at + apart] = slack[at + apart].max(edge);
                }
            }
        }
    }
}

impl Anchor {
    fn new(area: Area, input_px: usize) -> Self {
        let blocks = (area.width() * area.height()) as f32;
        let least_blocks = ((LEAST_INPUT_PX * blocks / input_px as f32) as usize).max(LEAST_BLOCKS);
        Self { area, least_blocks, luma: Vec::new(), slack: Vec::new() }
    }
}

impl Scratch {
    /// Whether so many of the changed blocks touch, by a corner at least.
    fn hangs_together(&mut self, width: usize, least_blocks: usize) -> bool {
        let Self { changed, open, .. } = self;
        for start in 0..changed.len() {
            let mut count = 0;
            open.extend(std::mem::take(&mut changed[start]).then_some(start));
            while let Some(at) = open.pop() {
                count += 1;
                let (row, column) = (at / width, at % width);
                for y in row.saturating_sub(1)..=row + 1 {
                    for x in column.saturating_sub(1)..=(column + 1).min(width - 1) {
                        let next = y * width + x;
                        open.extend(changed.get_mut(next).is_some_and(std::mem::take).then_some(next));
                    }
                }
            }
            if count >= least_blocks {
                return true;
            }
        }
        false
    }
}

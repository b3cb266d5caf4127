//! Where a picture differs from what it was when its regions were last inferred.

use std::time::Duration;

use analytics::{BBox, MediaTime};

use super::blocks::{Area, Blocks};
use super::light::Light;
use crate::frame::Picture;

/// A block changed when it differs by more than so many times its usual flicker, within the two bounds below. Higher holds
/// more in rain and at night; it costs what moves with little contrast.
const TIMES_FLICKER: f32 = 4.0;
/// Levels of luma below which nothing is a change. Higher rides out the pulse of a coarse codec's key frames; it costs what
/// is as dark as its ground.
const LEAST_LEVELS: f32 = 5.0;
/// Levels of luma from which everything is: where it always flickers, what passes still stands out.
const MOST_LEVELS: f32 = 20.0;
/// What of the flicker is learnt, in levels a second, and what it is taken for at first. Faster forgets a gust sooner; it
/// takes traffic for flicker sooner.
const LEARNT_PER_S: f32 = 0.4;
const FIRST_FLICKER: f32 = 1.0;
/// Blocks that hang together, from which a change is more than a drop or a leaf: smaller than a network can see.
const LEAST_BLOCKS: usize = 2;
/// Levels by which light may change before pictures are taken for other ones.
const LIGHT_LEVELS: f32 = 16.0;

/// Frames further apart have nothing to do with each other.
const GAP: Duration = Duration::from_secs(2);

/// What a camera showed, block by block.
#[derive(Debug, Default)]
pub(super) struct Motion {
    blocks: Blocks,
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
    luma: Vec<f32>,
}

#[derive(Debug, Default)]
struct Scratch {
    samples: Vec<(f32, f32)>,
    changed: Vec<bool>,
    open: Vec<usize>,
}

impl Motion {
    /// Takes the next picture. `false`: it does not follow the one before, and nothing may be carried over.
    pub(super) fn read(&mut self, picture: &Picture, at: MediaTime, regions: &[BBox]) -> bool {
        let is_new = self.blocks.read(picture);
        if is_new {
            let area = |region: &BBox| Anchor { area: self.blocks.area(*region), luma: Vec::new() };
            self.anchors = regions.iter().map(area).collect();
            self.flicker = vec![FIRST_FLICKER; self.blocks.means().len()];
        }
        let before = self.previous_at.replace(at).filter(|before| !is_new && *before <= at && at.since(*before) <= GAP);
        if let Some(before) = before {
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
        let Anchor { area, luma } = &anchors[region];
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
            let differs = |((then, now), flicker): ((&f32, &f32), &f32)| {
                let limit = (TIMES_FLICKER * flicker).clamp(LEAST_LEVELS, MOST_LEVELS);
                (now - light.on(*then)).abs() > limit
            };
            scratch.changed.extend(then.iter().zip(blocks.row_of(*area, row)).zip(flicker).map(differs));
        }
        scratch.hangs_together(width)
    }

    /// A region is inferred now: what follows is compared with this picture.
    pub(super) fn anchor(&mut self, region: usize) {
        let Self { blocks, anchors, .. } = self;
        let Anchor { area, luma } = &mut anchors[region];
        luma.clear();
        (0..area.height()).for_each(|row| luma.extend_from_slice(blocks.row_of(*area, row)));
    }
}

impl Scratch {
    /// Whether [`LEAST_BLOCKS`] of the changed ones touch, by a corner at least.
    fn hangs_together(&mut self, width: usize) -> bool {
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
            if count >= LEAST_BLOCKS {
                return true;
            }
        }
        false
    }
}

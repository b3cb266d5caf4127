//! What a place looks like when nothing is there, pixel by pixel, and what has come to stand out from it and holds still.
//!
//! Two models a pixel at two rates, after Porikli, Ivanov and Haga (*Robust abandoned object detection using dual
//! foregrounds*, EURASIP Journal on Advances in Signal Processing 2008, 197875): a long-term *back*, which follows only
//! what looks like it, and a short-term *front*, which follows whatever else is shown for a while. A pixel that differs from
//! its back and agrees with its front holds still. Light that changes as a whole is taken out first: both models are
//! scaled by the median of what the picture gained.
//!
//! # Invariants
//! - Nothing is learnt where a tracked object is: neither what waits at the start nor what parks becomes the place.
//! - Time is media time; a view counts for the time it stands for, at most [`LONGEST_STEP`].

use std::time::Duration;

use super::GrayView;
use crate::time::MediaTime;

/// A pixel's back is known once it was shown for this long in all. Raising it spares what stops there for a moment at the
/// start; it costs that much time after every start.
const LEARN_S: f32 = 10.0;

/// Time constant with which a back follows what looks like it. Raising it averages more noise; it costs slow light (dusk,
/// the edge of a shadow), which then differs.
const ADAPT_S: f32 = 30.0;

/// Time constant of a front.
const FOLLOW_S: f32 = 4.0;

/// What was shown for this long holds still. Raising it spares slow vehicles that nobody recognises; it costs that much time.
const STILL_S: f32 = 4.0;

/// Its background seen for longer than this, a front is gone; a view that flickers is not.
const FLICKER_S: f32 = 1.25;

/// Time constant of what is shown at the moment.
const SHOWN_S: f32 = 1.5;

/// A front that is hidden no longer than this is the same when it comes back: vehicles pass before it …
const HIDDEN: Duration = Duration::from_secs(3);
/// … and so long when it is part of a still region: they also stop before it.
const HIDDEN_REGION: Duration = Duration::from_secs(60);

/// Steps of luma by which a pixel differs, at least; and in mean deviations of its back. Raising them spares noise and
/// leaves; it costs things of the road's own grey.
const LEAST_STEP: f32 = 16.0;
const DEVIATIONS: f32 = 5.0;
const MOST_STEP: f32 = 45.0;

/// A back under an object for longer than this is not trusted when the object is gone.
const STALE_S: f32 = 600.0;

/// After a gap no single view counts for more than this.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// Luma that tells of the light: neither black nor saturated.
const TELLS: std::ops::RangeInclusive<u8> = 30..=220;

/// Steps of gain, and from where: half to twice as bright.
const GAIN_STEPS: f32 = 512.0;
const LEAST_GAIN: f32 = 0.5;
const GAIN_BINS: usize = 769;
/// Fewer pixels do not tell of the light.
const LEAST_PIXELS: u32 = 300;

/// The light is unsettled when it gained or lost more than this within [`SETTLES_S`] (natural logarithm): more than an automatic
/// exposure does when a lorry passes …
const UNSETTLED: f32 = 0.25;
/// … or when so much of the picture came to differ at once; for this long.
const UNSETTLED_SHARE: f64 = 0.15;
const SETTLES_S: f32 = 10.0;

/// One pixel of the view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// How it looks when nothing is there, and its mean deviation.
    pub(super) back: f32,
    spread: f32,
    /// What it shows at the moment, smoothed, and for how long that has been its back.
    shown: f32,
    back_s: f32,
    /// What it has been showing instead.
    pub(super) front: f32,
    /// Since when, when last, and for how long in all.
    pub(super) since: MediaTime,
    seen: MediaTime,
    held_s: f32,
    /// Its back is known.
    known: bool,
    /// It has a front.
    pub(super) differs: bool,
    /// For how long it has been under an object.
    covered_s: f32,
}

impl Cell {
    const UNKNOWN: Self = Self {
        back: 0.0,
        spread: 2.0,
        shown: 0.0,
        back_s: 0.0,
        front: 0.0,
        since: MediaTime::ZERO,
        seen: MediaTime::ZERO,
        held_s: 0.0,
        known: false,
        differs: false,
        covered_s: 0.0,
    };

    /// What it shows when nobody passes before it.
    pub(super) fn now(&self) -> f32 {
        if self.differs { self.front } else { self.shown }
    }

    /// Under an object nothing is seen of it.
    fn cover(&mut self, passed: Duration) {
        self.seen = self.seen + passed;
        self.covered_s += passed.as_secs_f32();
        if self.covered_s > STALE_S {
            *self = Self { covered_s: self.covered_s, ..Self::UNKNOWN };
        }
    }

    /// Whether it looked like its back.
    fn see(&mut self, luma: f32, now: MediaTime, passed: Duration, hidden: Duration) -> bool {
        let passed_s = passed.as_secs_f32();
        self.covered_s = 0.0;
        self.shown += (luma - self.shown) * (passed_s / SHOWN_S).min(1.0);
        let off = (luma - self.back).abs();
        if self.known && off <= self.step() {
            let share = (passed_s / ADAPT_S).min(1.0);
            self.back += (luma - self.back) * share;
            self.spread += (off - self.spread) * share;
            self.back_s += passed_s;
            self.differs &= self.back_s <= FLICKER_S;
            return true;
        }
        self.back_s = 0.0;
        if self.differs && (luma - self.front).abs() <= self.step() / 2.0 {
            self.front += (luma - self.front) * (passed_s / FOLLOW_S).min(1.0);
            self.seen = now;
            self.held_s += passed_s;
            if !self.known && self.held_s >= LEARN_S {
                self.absorb();
            }
        } else if !self.differs || now.since(self.seen) > hidden {
            (self.front, self.since, self.seen, self.held_s, self.differs) = (luma, now, now, 0.0, true);
        }
        false
    }

    fn step(&self) -> f32 {
        (self.spread * DEVIATIONS).clamp(LEAST_STEP, MOST_STEP)
    }

    /// What it shows is the place from now on.
    pub(super) fn absorb(&mut self) {
        (self.back, self.known, self.differs) = (self.front, true, false);
    }

    /// Whether it differs from its back and holds still.
    fn is_still(&self, now: MediaTime, hidden: Duration) -> bool {
        self.known && self.differs && self.held_s >= STILL_S && now.since(self.seen) <= hidden
    }
}

/// The models of all pixels, in one mode.
#[derive(Debug)]
pub(super) struct Background {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
    /// Which hold still; as of the last view.
    still: Vec<bool>,
    gains: Vec<u32>,
    last: Option<MediaTime>,
    /// How much lighter it became of late (natural logarithm), fading.
    lighter: f32,
    unsettled: Option<MediaTime>,
}

impl Background {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            cells: vec![Cell::UNKNOWN; width * height],
            still: vec![false; width * height],
            gains: vec![0; GAIN_BINS],
            last: None,
            lighter: 0.0,
            unsettled: None,
        }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(super) fn cell(&self, index: usize) -> &Cell {
        &self.cells[index]
    }

    /// Whether a pixel differs from its back and holds still.
    pub(super) fn is_still(&self, index: usize) -> bool {
        self.still[index]
    }

    /// When the last view was taken.
    pub(super) fn last(&self) -> Option<MediaTime> {
        self.last
    }

    /// Whether the light changed as a whole a moment ago: what is new then is not a thing.
    pub(super) fn is_unsettled(&self, now: MediaTime) -> bool {
        self.unsettled.is_some_and(|at| now.since(at).as_secs_f32() <= SETTLES_S)
    }

    /// From now on the light counts as changed.
    pub(super) fn unsettle(&mut self, now: MediaTime) {
        self.unsettled = Some(now);
    }

    /// Pixels for which `is_place` holds show the place from now on.
    pub(super) fn absorb(&mut self, is_place: impl Fn(usize, &Cell) -> bool) {
        for (index, cell) in self.cells.iter_mut().enumerate() {
            if self.still[index] && is_place(index, cell) {
                cell.absorb();
                self.still[index] = false;
            }
        }
    }

    /// Takes one view; `covered` says where objects are, `of_region` which pixels belong to a still region.
    pub(super) fn take(&mut self, view: &GrayView<'_>, at: MediaTime, covered: &[bool], of_region: &[u8]) {
        let passed = self.last.replace(at).map_or(Duration::ZERO, |last| at.since(last)).min(LONGEST_STEP);
        self.scale(view, covered, (at, passed));
        let (mut before, mut after, mut fresh) = (0.0_f32, 0.0_f32, 0_usize);
        for (index, cell) in self.cells.iter_mut().enumerate() {
            let hidden = if of_region[index] == 0 { HIDDEN } else { HIDDEN_REGION };
            if covered[index] {
                cell.cover(passed);
            } else {
                let back = cell.back;
                if cell.see(f32::from(view.pixels[index]), at, passed, hidden) {
                    before += back;
                    after += cell.back;
                }
            }
            self.still[index] = cell.is_still(at, hidden);
            let is_fresh = self.still[index] && of_region[index] == 0 && at.since(cell.since).as_secs_f32() < SETTLES_S;
            fresh += usize::from(is_fresh);
        }
        if fresh as f64 > UNSETTLED_SHARE * self.cells.len() as f64 {
            self.unsettle(at);
        }
        self.drift(after / before.max(1.0));
    }

    /// Takes the change of light since the last view out of both models.
    fn scale(&mut self, view: &GrayView<'_>, covered: &[bool], (at, passed): (MediaTime, Duration)) {
        let gain = self.gain(view, covered);
        self.lighter = self.lighter * (-passed.as_secs_f32() / SETTLES_S).exp() + gain.ln();
        if self.lighter.abs() > UNSETTLED {
            self.unsettle(at);
        }
        if (gain - 1.0).abs() > 2.0 / GAIN_STEPS {
            for cell in &mut self.cells {
                cell.back *= gain;
                cell.front *= gain;
                cell.shown *= gain;
            }
        }
    }

    /// How much lighter the view is than the backs, in the median.
    fn gain(&mut self, view: &GrayView<'_>, covered: &[bool]) -> f32 {
        self.gains.fill(0);
        let mut count = 0;
        for (index, cell) in self.cells.iter().enumerate().step_by(3) {
            let luma = view.pixels[index];
            if cell.known && !cell.differs && !covered[index] && TELLS.contains(&luma) && cell.back >= 16.0 {
                let bin = ((f32::from(luma) / cell.back - LEAST_GAIN) * GAIN_STEPS).round();
                self.gains[(bin.max(0.0) as usize).min(GAIN_BINS - 1)] += 1;
                count += 1;
            }
        }
        if count < LEAST_PIXELS {
            return 1.0;
        }
        let mut below = 0;
        let median = self.gains.iter().position(|bin| {
            below += bin;
            2 * below > count
        });
        median.map_or(1.0, |bin| LEAST_GAIN + bin as f32 / GAIN_STEPS)
    }

    /// Backs that nobody sees become lighter like those that are seen.
    fn drift(&mut self, gain: f32) {
        if gain > 0.0 {
            self.cells
                .iter_mut()
                .filter(|cell| cell.differs || cell.covered_s > 0.0)
                .for_each(|cell| cell.back *= gain);
        }
    }
}

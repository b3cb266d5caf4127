//! Compares views with what the camera has been showing.

use std::collections::VecDeque;
use std::time::Duration;

use super::reference::{Looked, Reference};
use super::{Against, Blemish, GrayView, Shift, Sight};
use crate::time::MediaTime;

/// Luma up to which a pixel is nearly black (coded black is 16).
const BLACK: u8 = 40;

/// Luma from which a pixel is saturated (coded white is 235).
const SATURATED: u8 = 235;

/// A pixel that was this bright on average is none that glare took.
const WAS_BRIGHT: f32 = 215.0;

/// Mean distance of chroma from grey: at most the first is black and white, at least the second is colour. In between it
/// stays what it was.
const MONOCHROME: f32 = 1.0;
const COLOUR: f32 = 2.0;

/// A picture that was this bright on average no longer than [`BLACKOUT_WITHIN`] before it was dark went dark at once.
const BRIGHT_BEFORE: f32 = 60.0;
const BLACKOUT_WITHIN: Duration = Duration::from_secs(10);

/// A shift is looked for when more than this share of the structure is not where it was.
const LOOK_FOR_SHIFT: f64 = 0.25;

/// A shift is believed when at least this share of the structure agrees there.
const SHIFT_AGREES: f64 = 0.6;

/// How a camera shows colours; each has a reference of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    #[default]
    Colour,
    Monochrome,
}

impl Mode {
    /// The mode of a picture with this chroma after one of this mode; up to and from where it is grey and coloured.
    pub(super) fn next(self, chroma: f32, [grey, coloured]: [f32; 2]) -> Self {
        match chroma {
            chroma if chroma <= grey => Self::Monochrome,
            chroma if chroma >= coloured => Self::Colour,
            _ => self,
        }
    }
}

/// One camera's eye.
#[derive(Debug)]
pub struct Eye {
    mode: Mode,
    /// By mode.
    references: [Option<Reference>; 2],
    looked: Looked,
    last: Option<MediaTime>,
    /// The last digest and since when it has been that.
    same: Option<(u64, MediaTime)>,
    /// Mean luma of the last moments.
    recent: VecDeque<(MediaTime, f32)>,
    /// Whether the darkness at hand began at once.
    blackout: Option<bool>,
}

impl Default for Eye {
    fn default() -> Self {
        Self {
            mode: Mode::Colour,
            references: [None, None],
            looked: Looked::default(),
            last: None,
            same: None,
            recent: VecDeque::new(),
            blackout: None,
        }
    }
}

impl Eye {
    /// Takes one view; views come in ascending time.
    pub fn look(&mut self, view: &GrayView<'_>, at: MediaTime) -> Sight {
        if self.looked.gradients.size() != (view.width, view.height) {
            // Another stream: nothing of what was known can be compared with it.
            self.references = [None, None];
        }
        self.looked.take(view);
        let passed = self.last.replace(at).map_or(Duration::ZERO, |last| at.since(last));
        let same_for = self.same_for(view.digest, at);
        let (dark, blackout) = self.darkness(view, at);
        self.mode = self.mode.next(view.chroma, [MONOCHROME, COLOUR]);
        let (glare, against) = self.compare(view);
        let sight = Sight { dark, blackout, glare, same_for, against };
        self.learn(view, &sight, passed);
        sight
    }

    fn same_for(&mut self, digest: u64, at: MediaTime) -> Duration {
        let (_, since) = *self.same.insert(match self.same {
            Some((known, since)) if known == digest => (known, since),
            _ => (digest, at),
        });
        at.since(since)
    }

    /// The share of the picture that is nearly black, and whether it went so at once.
    fn darkness(&mut self, view: &GrayView<'_>, at: MediaTime) -> (f64, bool) {
        let pixels = view.pixels.len().max(1) as f64;
        let dark = view.pixels.iter().filter(|luma| **luma <= BLACK).count() as f64 / pixels;
        let mean = view.pixels.iter().map(|luma| u64::from(*luma)).sum::<u64>() as f64 / pixels;
        while self.recent.front().is_some_and(|(then, _)| at.since(*then) > BLACKOUT_WITHIN) {
            self.recent.pop_front();
        }
        let was_bright = self.recent.iter().any(|(_, mean)| *mean >= BRIGHT_BEFORE);
        self.recent.push_back((at, mean as f32));
        self.blackout = (dark >= Sight::DARK).then(|| self.blackout.unwrap_or(was_bright));
        (dark, self.blackout.unwrap_or(false))
    }

    /// New saturation, and the comparison with whichever reference fits better: a camera changes its mode before its
    /// picture has settled.
    fn compare(&self, view: &GrayView<'_>) -> (f64, Option<Against>) {
        let ready = self.references.iter().flatten().filter(|reference| reference.is_ready());
        let compared = ready.map(|reference| (reference, reference.compare(&self.looked)));
        let lost = |compared: &Option<super::reference::Compared>| compared.map_or(2.0, |compared| compared.lost);
        let Some((reference, compared)) = compared.min_by(|(_, a), (_, b)| lost(a).total_cmp(&lost(b))) else {
            return (0.0, None);
        };
        let glare = reference.newly_bright(view, SATURATED, WAS_BRIGHT);
        let against = compared.map(|compared| {
            let found = (compared.lost > LOOK_FOR_SHIFT).then(|| self.shift(reference)).flatten();
            let (near, far) = (|(shift, _): &(Shift, f64)| shift.size() < Sight::SHIFT, found.map(|(shift, _)| shift));
            Against {
                // Thin marks are off their blocks before the view is off its place.
                lost: found.filter(near).map_or(compared.lost, |(_, agrees)| 1.0 - agrees),
                texture: compared.texture,
                blurred: compared.blurred,
                shift: far.filter(|shift| shift.size() >= Sight::SHIFT),
            }
        });
        (glare, against)
    }

    /// Where the place is found, and the share of its structure that agrees there.
    fn shift(&self, reference: &Reference) -> Option<(Shift, f64)> {
        let (whole, fine) = reference.gradients.shift_to(&self.looked.gradients);
        let (width, height) = reference.gradients.size();
        let shift = Shift { dx: fine.0 / width as f32, dy: fine.1 / height as f32 };
        let agrees = reference.agrees_at(&self.looked, whole);
        (agrees >= SHIFT_AGREES).then_some((shift, agrees))
    }

    /// Learns from a view with which nothing is wrong. The first views of a mode are believed when the other mode's
    /// reference does not call them covered.
    fn learn(&mut self, view: &GrayView<'_>, sight: &Sight, passed: Duration) {
        let blemish = sight.blemish();
        let index = self.mode as usize;
        match &mut self.references[index] {
            Some(reference) => {
                if blemish.is_none() {
                    reference.learn(view, &self.looked, passed);
                }
            }
            None if matches!(blemish, Some(Blemish::Covered | Blemish::Dark | Blemish::Glare)) => {}
            None => self.references[index] = Some(Reference::new(view, &self.looked)),
        }
    }
}

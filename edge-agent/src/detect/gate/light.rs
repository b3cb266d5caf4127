//! How the light on a picture changed: one gain and one offset for all of it, whatever moved in it.
//!
//! Tukey's resistant line (Exploratory Data Analysis, 1977, ch. 10): through the medians of the darkest and of the
//! brightest third. Less than half of either third may move without turning it.

/// Luma now = `gain` × luma then + `offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    pub(super) gain: f32,
    pub(super) offset: f32,
}

/// Blocks that a line is laid through, at least; every n-th is taken.
const SAMPLES: usize = 300;
/// Thirds nearer to each other than this many levels (fog, night) give no gain.
const SPREAD: f32 = 24.0;
/// Exposure steps by no more at once.
const GAINS: std::ops::RangeInclusive<f32> = 0.4..=2.5;
/// Less than this many levels is within the error of the medians.
const NOTICEABLE: f32 = 1.5;

impl Light {
    pub(super) const SAME: Self = Self { gain: 1.0, offset: 0.0 };

    /// From pairs of luma then and now; `samples` is scratch.
    pub(super) fn between(pairs: impl ExactSizeIterator<Item = (f32, f32)>, samples: &mut Vec<(f32, f32)>) -> Self {
        let step = (pairs.len() / SAMPLES).max(1);
        samples.clear();
        samples.extend(pairs.step_by(step));
        let third = samples.len() / 3;
        if third == 0 {
            return Self::SAME;
        }
        samples.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let count = samples.len();
        let (dark, bright) = (medians(&mut samples[..third]), medians(&mut samples[count - third..]));
        let gain = if bright.0 - dark.0 < SPREAD { 1.0 } else { (bright.1 - dark.1) / (bright.0 - dark.0) };
        let gain = gain.clamp(*GAINS.start(), *GAINS.end());
        samples.iter_mut().for_each(|(then, now)| *then = *now - gain * *then);
        let offset = median(samples, |sample| sample.0);
        let light = Self { gain, offset };
        if light.change() < NOTICEABLE { Self::SAME } else { light }
    }

    /// What luma of then would be now.
    pub(super) fn on(self, luma: f32) -> f32 {
        (self.gain * luma + self.offset).clamp(0.0, 255.0)
    }

    /// By how many levels it changes dark or bright greys.
    pub(super) fn change(self) -> f32 {
        [32.0, 224.0].map(|luma| (self.gain * luma + self.offset - luma).abs()).into_iter().fold(0.0, f32::max)
    }
}

fn medians(samples: &mut [(f32, f32)]) -> (f32, f32) {
    (median(samples, |sample| sample.0), median(samples, |sample| sample.1))
}

fn median(samples: &mut [(f32, f32)], of: impl Fn(&(f32, f32)) -> f32) -> f32 {
    let middle = samples.len() / 2;
    of(samples.select_nth_unstable_by(middle, |a, b| of(a).total_cmp(&of(b))).1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn light_is_found_though_a_quarter_of_the_picture_moves(
            gain in 0.7f32..1.3, offset in -15.0f32..15.0, moved in 0usize..4
        ) {
            let pairs: Vec<(f32, f32)> = (0..2000)
                .map(|i| {
                    let then = 40.0 + (i * 37 % 120) as f32;
                    (then, if i % 4 == 3 && moved > 0 { (i * 61 % 200) as f32 } else { gain * then + offset })
                })
                .collect();
            let light = Light::between(pairs.into_iter(), &mut Vec::new());
            let truth = Light { gain, offset };
            for luma in [40.0, 100.0, 160.0] {
                let (found, is) = (light.on(luma), truth.on(luma));
                prop_assert!((found - is).abs() < 4.0, "{luma}: {found} for {is}, {light:?}");
            }
        }
    }

    #[test]
    fn a_flat_picture_has_an_offset_and_no_gain() {
        let light = Light::between((0..900).map(|i| (90.0 + (i % 5) as f32, 110.0 + (i % 5) as f32)), &mut Vec::new());
        assert_eq!((light.gain, light.offset.round()), (1.0, 20.0));
        assert_eq!(Light::between((0..2).map(|_| (1.0, 200.0)), &mut Vec::new()), Light::SAME, "too little to say");
    }
}

//! Which tracks are of no person: a sign, a bin or a reflection that the model takes for one, for hours.
//!
//! Only a track of the class person that has not moved since its first sight is doubted, and only on evidence:
//! - its height contradicts what is usual where it stands ([`Ground`](super::ground::Ground)): a little, if the model is
//!   mostly unsure of it, or grossly; or
//! - the model is mostly unsure of it, and tracks began and ended there before that never moved ([`Haunts`]).
//!
//! A doubted track is not shown; once it moves it is believed for good. A vehicle that stands is what rules look for and
//! is never doubted; nor is one who came walking, however still it stands, or who sits on a two-wheeler. A box that others
//! or the picture's edge cut off is no evidence.

use crate::geometry::BBox;
use crate::time::MediaTime;

use super::ground::Height;

/// One who moved farther than this from its first place, in box heights, is no sign.
pub(super) const MOVED: f32 = 0.3;
/// Heights off by more standard deviations than this contradict …
const SIGMAS: f32 = 3.0;
/// … if off by this at least, as a logarithm: 30 % lower or 42 % higher.
const OFF: f32 = 0.35;
/// Share of both that is enough against a track that the model is unsure of.
const IF_UNSURE: f32 = 0.6;
/// Share of what made it doubtful above which it remains so: its box trembles.
const REMAINS: f32 = 0.5;
/// A model is unsure of what it sees with a mean confidence less than this share of the way from the confidence that
/// starts a track to certainty.
const UNSURE: f32 = 0.25;

/// Whether a mean confidence is that of something the model hardly believes in.
pub(super) fn is_unsure(mean_confidence: f32, new_confidence: f32) -> bool {
    mean_confidence < new_confidence + UNSURE * (1.0 - new_confidence)
}

/// Whether no person there has this box, of which the model is `unsure` and which was `doubted` in the last frame.
pub(super) fn contradicts(usual: Height, bbox: BBox, unsure: bool, doubted: bool) -> bool {
    let share = if unsure { IF_UNSURE } else { 1.0 } * if doubted { REMAINS } else { 1.0 };
    usual.excess(bbox).abs() > share * OFF.max(SIGMAS * usual.std)
}

/// Most places that are remembered; the one least seen gives way.
const PLACES: usize = 32;
/// Boxes that overlap more than this are of one place.
const SAME: f32 = 0.5;
/// Tracks, after forgetting, that must have begun and ended there without moving. Raising it shows a sign longer;
/// lowering it doubts one who sits there sooner.
const LIVES: f32 = 1.5;
/// One who came walking and was lost there stands for so many tracks that are to be believed.
const WALKED: f32 = 4.0;
/// Time constant of forgetting, in seconds.
const MEMORY: f32 = 900.0;

/// A place, and how many tracks began and ended there without moving; fewer than none where one came walking.
#[derive(Debug, Clone, Copy)]
struct Haunt {
    bbox: BBox,
    lives: f32,
    at: MediaTime,
}

impl Haunt {
    fn lives(&self, now: MediaTime) -> f32 {
        self.lives * (-now.since(self.at).as_secs_f32() / MEMORY).exp()
    }
}

/// Places where tracks of persons end that never moved; bounded.
#[derive(Debug, Clone, Default)]
pub(super) struct Haunts(Vec<Haunt>);

impl Haunts {
    /// A track of a person ended at `bbox`, without or after having `moved`.
    pub(super) fn ended(&mut self, bbox: BBox, moved: bool, now: MediaTime) {
        let known = self.0.iter().position(|haunt| haunt.bbox.iou(bbox) > SAME);
        let before = known.map_or(0.0, |i| self.0.swap_remove(i).lives(now));
        let lives = if moved { -WALKED } else { before + 1.0 };
        if self.0.len() == PLACES {
            let weight = |i: &usize| self.0[*i].lives(now).abs();
            let weakest = (0..PLACES).min_by(|a, b| weight(a).total_cmp(&weight(b)));
            self.0.swap_remove(weakest.expect("there are places"));
        }
        self.0.push(Haunt { bbox, lives, at: now });
    }

    /// Whether an unsure person who never moved is to be expected at `bbox`.
    pub(super) fn contains(&self, bbox: BBox, now: MediaTime) -> bool {
        self.0.iter().any(|haunt| haunt.bbox.iou(bbox) > SAME && haunt.lives(now) > LIVES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_nanos(seconds * 1_000_000_000)
    }

    fn sign(x: f32) -> BBox {
        BBox::new(x, 0.5, x + 0.02, 0.6).expect("a box")
    }

    #[test]
    fn a_box_of_another_height_contradicts_and_the_sooner_the_less_the_model_believes_in_it() {
        let usual = Height { value: 0.1, std: 0.08 };
        let tall = |height: f32| BBox::new(0.5, 0.5, 0.52, 0.5 + height).expect("a box");
        assert!(!contradicts(usual, tall(0.09), true, false) && !contradicts(usual, tall(0.11), true, false));
        assert!(contradicts(usual, tall(0.075), true, false) && !contradicts(usual, tall(0.075), false, false));
        assert!(contradicts(usual, tall(0.06), false, false) && contradicts(usual, tall(0.16), false, false));
        assert!(contradicts(usual, tall(0.085), true, true), "once doubted, less is enough");
        let hardly_known = Height { value: 0.1, std: 0.4 };
        assert!(!contradicts(hardly_known, tall(0.06), true, false));
    }

    #[test]
    fn a_place_is_haunted_after_two_lives_and_no_more_after_an_hour() {
        let mut haunts = Haunts::default();
        haunts.ended(sign(0.3), false, at(0));
        assert!(!haunts.contains(sign(0.3), at(1)));
        haunts.ended(sign(0.302), false, at(20));
        assert!(haunts.contains(sign(0.301), at(40)));
        assert!(!haunts.contains(sign(0.4), at(40)));
        assert!(!haunts.contains(sign(0.301), at(3600)));
    }

    #[test]
    fn where_one_came_walking_and_stands_no_one_is_doubted() {
        let mut haunts = Haunts::default();
        haunts.ended(sign(0.3), true, at(0));
        (1..5).for_each(|k| haunts.ended(sign(0.3), false, at(k)));
        assert!(!haunts.contains(sign(0.3), at(6)));
    }

    #[test]
    fn places_are_bounded() {
        let mut haunts = Haunts::default();
        (0..1000).for_each(|k| haunts.ended(sign(k as f32 * 0.03), false, at(k)));
        assert_eq!(haunts.0.len(), PLACES);
    }
}

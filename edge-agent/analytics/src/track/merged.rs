//! One box around two persons who hide each other (merging and splitting as in Perera et al., "Multi-Object Tracking
//! Through Simultaneous Long Occlusions and Split-Merge Conditions", CVPR 2006, but frame by frame).
//!
//! A model that sees two persons close behind each other often draws one box around both, higher than either. The track
//! that gets it keeps its height, at the edge of the box that fits; another that is lost and should be in the box is in
//! it. Only for persons on foot: of a motorcycle a higher box shows the rider as well, and of a car it shows its side.

use crate::geometry::BBox;

/// A box is looked at when it is this much higher than expected.
const TALLER: f32 = 1.2;
/// It shows one object after all (the track had half of it) when it is no more than this above what is usual there, as a
/// logarithm …
const USUAL: f32 = 0.1;
/// … or, where that is not known, when it covers no more than this share of any other object's place.
const BESIDE: f32 = 0.4;
/// Share of an object's place in a merged box from which it is one of those shown.
const WITHIN: f32 = 0.6;
/// How far a height follows a merged box in one frame: a track that was of half an object grows in a second or two.
const FOLLOW: f32 = 0.1;

/// Whether `seen` shows more than the object expected at `expected`. `excess` is its height over the usual one, as a
/// logarithm, if known; `others` are the places of other objects.
pub(super) fn is_merged(
    expected: BBox,
    seen: BBox,
    excess: Option<f32>,
    mut others: impl Iterator<Item = BBox>,
) -> bool {
    let two = || others.any(|place| place.covered_by(seen) > BESIDE);
    seen.height() > TALLER * expected.height() && excess.map_or_else(two, |excess| excess > USUAL)
}

/// The part of a merged box that is the object expected at `expected`: at its top or at its bottom, whichever is nearer.
pub(super) fn own_part(expected: BBox, seen: BBox) -> BBox {
    let height = expected.height() + FOLLOW * (seen.height() - expected.height());
    let at_top = (seen.top() - expected.top()).abs() < (seen.bottom() - expected.bottom()).abs();
    let top = if at_top { seen.top() } else { seen.bottom() - height };
    BBox::new(seen.left(), top, seen.right(), top + height).unwrap_or(seen)
}

/// Where in a merged box an object expected at `expected` is: moved inside as little as need be. `None` when it is
/// elsewhere.
pub(super) fn within(expected: BBox, seen: BBox) -> Option<BBox> {
    let inside = |(low, high): (f32, f32), (least, most): (f32, f32)| match high - low > most - least {
        true => (least + most - low - high) / 2.0,
        false => (least - low).max(0.0) + (most - high).min(0.0),
    };
    let dx = inside((expected.left(), expected.right()), (seen.left(), seen.right()));
    let dy = inside((expected.top(), expected.bottom()), (seen.top(), seen.bottom()));
    let moved = || BBox::new(expected.left() + dx, expected.top() + dy, expected.right() + dx, expected.bottom() + dy);
    (expected.covered_by(seen) > WITHIN).then(moved).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bbox(left: f32, top: f32, right: f32, bottom: f32) -> BBox {
        BBox::new(left, top, right, bottom).expect("a box")
    }

    /// Two who stand behind each other, and the box around both.
    fn far() -> BBox {
        bbox(0.40, 0.30, 0.45, 0.50)
    }

    fn near() -> BBox {
        bbox(0.42, 0.37, 0.47, 0.60)
    }

    fn both() -> BBox {
        bbox(0.40, 0.30, 0.47, 0.60)
    }

    #[test]
    fn a_box_around_two_is_merged_and_a_box_around_one_is_not() {
        let merged = |seen, excess| is_merged(near(), seen, excess, [far()].into_iter());
        assert!(merged(both(), None));
        assert!(merged(both(), Some(0.3)));
        assert!(!merged(both(), Some(0.0)), "persons are that high here: the track had half of one");
        assert!(!merged(near(), Some(0.3)), "the track knew it to be tall");
        assert!(!is_merged(near(), both(), None, std::iter::empty()), "there is no one else");
    }

    #[test]
    fn each_keeps_its_edge_of_a_merged_box() {
        let part = own_part(near(), both());
        assert_eq!(part.bottom(), 0.60);
        assert!((part.height() / near().height() - 1.0).abs() < 0.05);
        assert_eq!(own_part(far(), both()).top(), 0.30);
    }

    #[test]
    fn a_track_that_was_of_half_an_object_grows_to_the_whole() {
        let mut place = bbox(0.40, 0.30, 0.47, 0.40);
        for _ in 0..30 {
            place = own_part(place, both());
        }
        assert!(place.height() > 0.95 * both().height());
    }

    #[test]
    fn one_who_is_lost_is_moved_into_the_box_and_no_farther() {
        let found = within(bbox(0.39, 0.28, 0.44, 0.48), both()).expect("it is in there");
        assert!((found.left() - 0.40).abs() < 1e-6 && (found.top() - 0.30).abs() < 1e-6, "{found:?}");
        assert_eq!(within(far(), both()), Some(far()));
        assert_eq!(within(bbox(0.60, 0.30, 0.65, 0.50), both()), None);
    }
}

use analytics::Class;
use proptest::prelude::*;

use super::*;
use crate::detect::nms::tests::detection;

fn bbox([l, t, r, b]: [f32; 4]) -> BBox {
    BBox::new(l, t, r, b).expect("a box")
}

/// What a perfect network sees of the objects in each region: the part inside, if it is large enough to be seen.
fn sightings(regions: &[BBox], objects: &[(Class, BBox)]) -> Vec<(BBox, Vec<Detection>)> {
    let seen = |region: BBox, (class, object): &(Class, BBox)| {
        let part = intersection(*object, region)?;
        let confidence = 0.5 + 0.4 * object.covered_by(region);
        (part.area() > 0.25 * object.area())
            .then(|| detection(*class, confidence, [part.left(), part.top(), part.right(), part.bottom()]))
    };
    regions.iter().map(|region| (*region, objects.iter().filter_map(|o| seen(*region, o)).collect())).collect()
}

fn merged(views: &[(BBox, Vec<Detection>)]) -> Vec<Detection> {
    let (mut merger, mut detections) = (Merger::default(), Vec::new());
    for (region, seen) in views {
        merger.add(*region, seen);
    }
    merger.merge(0.5, &mut detections);
    detections
}

#[test]
fn a_grid_covers_the_picture_and_neighbours_overlap_as_asked() {
    let regions = grid(3, 2, 0.2);
    assert_eq!(regions.len(), 6);
    assert_eq!((regions[0].left(), regions[0].top()), (0.0, 0.0));
    assert_eq!((regions[5].right(), regions[5].bottom()), (1.0, 1.0));
    let shared = regions[0].right() - regions[1].left();
    assert!((shared - 0.2 * regions[0].width()).abs() < 1e-6);
    assert!((regions[3].top() - (regions[0].bottom() - 0.2 * regions[0].height())).abs() < 1e-6);
    assert_eq!(grid(1, 1, 0.15), [bbox([0.0, 0.0, 1.0, 1.0])]);
}

#[test]
fn an_object_cut_by_one_region_and_whole_in_the_next_is_one_whole_object() {
    let regions = grid(2, 1, 0.15);
    // Ends beyond the left region's border (0.54), begins inside the right one (0.46).
    let object = bbox([0.50, 0.3, 0.57, 0.6]);
    let views = sightings(&regions, &[(Class::Person, object)]);
    assert_eq!(views.iter().filter(|(_, seen)| !seen.is_empty()).count(), 2, "both regions see it");
    let found = merged(&views);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].bbox, object);
}

#[test]
fn an_object_too_wide_for_either_region_is_joined() {
    let object = bbox([0.3, 0.3, 0.7, 0.6]);
    let found = merged(&sightings(&grid(2, 1, 0.15), &[(Class::Bus, object)]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].bbox, object);
}

#[test]
fn an_object_over_the_corner_of_four_regions_is_one() {
    let object = bbox([0.3, 0.3, 0.7, 0.7]);
    let views = sightings(&grid(2, 2, 0.2), &[(Class::Truck, object)]);
    assert_eq!(views.iter().filter(|(_, seen)| !seen.is_empty()).count(), 4);
    let found = merged(&views);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].bbox, object);
}

#[test]
fn a_cut_object_that_the_next_region_missed_stays() {
    let regions = grid(2, 1, 0.15);
    let cut = detection(Class::Person, 0.6, [0.50, 0.3, regions[0].right(), 0.6]);
    assert_eq!(merged(&[(regions[0], vec![cut]), (regions[1], vec![])]), [cut]);
}

#[test]
fn a_cut_person_does_not_give_way_to_a_car() {
    let regions = grid(2, 1, 0.15);
    let person = detection(Class::Person, 0.6, [0.50, 0.3, regions[0].right(), 0.6]);
    let car = detection(Class::Car, 0.9, [0.48, 0.25, 0.7, 0.65]);
    assert_eq!(merged(&[(regions[0], vec![person]), (regions[1], vec![car])]).len(), 2);
}

#[test]
fn neighbours_on_both_sides_of_a_seam_stay_two() {
    let objects = [(Class::Person, bbox([0.44, 0.3, 0.495, 0.6])), (Class::Person, bbox([0.505, 0.3, 0.56, 0.6]))];
    let found = merged(&sightings(&grid(2, 1, 0.15), &objects));
    assert_eq!(found.len(), 2, "{found:?}");
}

proptest! {
    #[test]
    fn one_object_anywhere_is_found_once(
        (x, y) in (0.0f32..1.0, 0.0f32..1.0), (w, h) in (0.03f32..0.4, 0.05f32..0.4), columns in 1u32..4, rows in 1u32..3,
    ) {
        let object = bbox([x * (1.0 - w), y * (1.0 - h), x * (1.0 - w) + w, y * (1.0 - h) + h]);
        let views = sightings(&grid(columns, rows, 0.2), &[(Class::Car, object)]);
        let found = merged(&views);
        prop_assert!(found.len() <= 1, "{:?}", found);
        if views.iter().any(|(_, seen)| !seen.is_empty()) {
            prop_assert_eq!(found.len(), 1);
            prop_assert!(found[0].bbox.iou(object) > 0.24);
        }
    }

    #[test]
    fn the_order_of_regions_does_not_matter(
        objects in prop::collection::vec((0usize..3, 0.0f32..0.9, 0.0f32..0.8, 0.03f32..0.3, 0.05f32..0.3), 0..12),
        columns in 1u32..4, rows in 1u32..3,
    ) {
        let objects: Vec<(Class, BBox)> = objects
            .into_iter()
            .map(|(class, l, t, w, h)| (Class::ALL[class], bbox([l, t, (l + w).min(1.0), (t + h).min(1.0)])))
            .collect();
        let mut views = sightings(&grid(columns, rows, 0.2), &objects);
        let one = merged(&views);
        views.reverse();
        prop_assert_eq!(one, merged(&views));
    }
}

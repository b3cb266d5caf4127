//! Greedy non-maximum suppression, class by class.

use std::cmp::Ordering;

use analytics::Detection;

/// Keeps, of boxes of one class that overlap by more than `iou`, the most confident; leaves the kept ones in descending
/// confidence. The result does not depend on the order that they came in.
pub fn suppress(detections: &mut Vec<Detection>, iou: f32) {
    detections.sort_unstable_by(descending);
    let mut kept = 0;
    for i in 0..detections.len() {
        let candidate = detections[i];
        let hidden = detections[..kept].iter().any(|k| k.class == candidate.class && k.bbox.iou(candidate.bbox) > iou);
        if !hidden {
            detections[kept] = candidate;
            kept += 1;
        }
    }
    detections.truncate(kept);
}

/// By confidence, then by everything else, so that equal confidences have an order too.
pub(crate) fn descending(a: &Detection, b: &Detection) -> Ordering {
    let key = |d: &Detection| [d.bbox.left(), d.bbox.top(), d.bbox.right(), d.bbox.bottom()];
    b.confidence.get().total_cmp(&a.confidence.get()).then_with(|| a.class.cmp(&b.class)).then_with(|| {
        key(a).iter().zip(key(b)).map(|(a, b)| a.total_cmp(&b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use analytics::{BBox, Class, Confidence};
    use proptest::prelude::*;

    pub(crate) fn detection(class: Class, confidence: f32, [l, t, r, b]: [f32; 4]) -> Detection {
        Detection {
            bbox: BBox::new(l, t, r, b).expect("a box"),
            class,
            confidence: Confidence::new(confidence).expect("a confidence"),
        }
    }

    fn detections() -> impl Strategy<Value = Vec<Detection>> {
        // Coarse steps, so that boxes coincide and confidences are equal now and then.
        let one = (0usize..3, 0u8..20, 0u8..16, 0u8..16, 1u8..8, 1u8..8).prop_map(|(class, conf, x, y, w, h)| {
            let at = |v: u8| f32::from(v) / 24.0;
            let corners = [at(x), at(y), at(x + w), at(y + h)];
            detection(Class::ALL[class], f32::from(conf) / 20.0, corners)
        });
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        #[test]
        fn suppressing_twice_changes_nothing(mut boxes in detections(), iou in 0.0f32..1.0) {
            suppress(&mut boxes, iou);
            let once = boxes.clone();
            suppress(&mut boxes, iou);
            prop_assert_eq!(boxes, once);
        }

        #[test]
        fn kept_boxes_of_one_class_overlap_no_more_than_allowed(mut boxes in detections(), iou in 0.0f32..1.0) {
            suppress(&mut boxes, iou);
            for (i, a) in boxes.iter().enumerate() {
                for b in &boxes[i + 1..] {
                    prop_assert!(a.class != b.class || a.bbox.iou(b.bbox) <= iou);
                }
            }
        }

        #[test]
        fn what_is_dropped_is_hidden_by_a_kept_box_at_least_as_confident(all in detections(), iou in 0.0f32..1.0) {
            let mut kept = all.clone();
            suppress(&mut kept, iou);
            for d in &all {
                let stays = kept.contains(d);
                let hidden = kept.iter().any(|k| {
                    k.class == d.class && k.bbox.iou(d.bbox) > iou && k.confidence >= d.confidence
                });
                prop_assert!(stays || hidden);
            }
            for class in Class::ALL {
                let best = |v: &[Detection]| {
                    v.iter().filter(|d| d.class == class).map(|d| d.confidence.get()).fold(-1.0, f32::max)
                };
                prop_assert_eq!(best(&all), best(&kept));
            }
        }

        #[test]
        fn the_order_of_arrival_does_not_matter(
            (mut one, mut other) in detections().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
            iou in 0.0f32..1.0,
        ) {
            suppress(&mut one, iou);
            suppress(&mut other, iou);
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn a_person_does_not_hide_the_bicycle_under_them() {
        let corners = [0.1, 0.1, 0.3, 0.5];
        let mut boxes = vec![detection(Class::Person, 0.9, corners), detection(Class::Bicycle, 0.4, corners)];
        suppress(&mut boxes, 0.5);
        assert_eq!(boxes.len(), 2);
    }
}

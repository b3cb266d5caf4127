//! A small set of images against pycocotools, and what holds for all.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn pixel_box(value: &Value) -> PixelBox {
    let side = |k: usize| value[k].as_f64().expect("a number");
    PixelBox::new(side(0), side(1), side(2), side(3)).expect("a box")
}

/// Four images with persons, cars, trucks of all sizes, two crowds, equal confidences; made by hand.
fn street() -> (Vec<TruthBox>, Vec<FoundBox>) {
    let truth: Value = serde_json::from_str(include_str!("../../tests/data/street.coco.json")).expect("JSON");
    let found: Value = serde_json::from_str(include_str!("../../tests/data/street.results.json")).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let truths = truth["annotations"].as_array().expect("a list").iter().map(|one| TruthBox {
        image: number(&one["image_id"]),
        class: number(&one["category_id"]) as u32,
        bbox: pixel_box(&one["bbox"]),
        area: one["area"].as_f64().expect("a number"),
        ignored: false,
        crowd: number(&one["iscrowd"]) == 1,
    });
    let founds = found.as_array().expect("a list").iter().map(|one| FoundBox {
        image: number(&one["image_id"]),
        class: number(&one["category_id"]) as u32,
        bbox: pixel_box(&one["bbox"]),
        confidence: one["score"].as_f64().expect("a number"),
    });
    (truths.collect(), founds.collect())
}

// References: pycocotools 2.0.11, `COCOeval(truth, results, "bbox")`, `eval["precision"]` averaged over recalls (and
// overlaps, and classes), −1 left out.
#[test]
fn figures_agree_with_pycocotools() {
    let (truth, found) = street();
    let report = evaluate(&truth, &found);
    let reference = [
        (0.544938724641695, 0.258507204103869, 0.2669342662288207),
        (0.46534653465346537, 0.2871287128712871, 0.2727722772277228),
        (0.6163366336633663, 0.14752475247524754, 0.2159405940594059),
        (1.0, 1.0, 0.7504950495049505),
        (0.6504950495049505, 0.15495049504950495, 0.29522924436935355),
        (0.5113154172560113, 0.27977369165487975, 0.27227251296558225),
        (0.6039603960396039, 0.12871287128712872, 0.28123762376237627),
        (1.0, 0.16831683168316833, 0.43778877887788775),
        (0.5684818481848185, 0.5684818481848185, 0.4842409240924092),
        (1.0, 1.0, 0.8),
        (0.42244224422442234, 0.42244224422442234, 0.3636963696369636),
        (1.0, 1.0, 1.0),
        (0.587971874110488, 0.32731318244606417, 0.34880147823019453),
        (0.6588873173031589, 0.5223008015087222, 0.4483482633977683),
        (0.5475797579757975, 0.23289328932893288, 0.28695819581958193),
        (1.0, 0.7227722772277227, 0.7294279427942794),
    ];
    let rows = report.by_class.iter().flat_map(|class| class.by_size).chain(report.mean);
    for (row, (ap50, ap75, ap50_95)) in rows.zip(reference) {
        for (value, reference) in [(row.ap50, ap50), (row.ap75, ap75), (row.ap50_95, ap50_95)] {
            assert!((value.expect("a figure") - reference).abs() < 1e-12, "{row:?}: {reference}");
        }
    }
    assert_eq!(report.by_class.iter().map(|class| class.class).collect::<Vec<_>>(), [1, 3, 8]);
}

fn pixels(left: f64, side: f64) -> PixelBox {
    PixelBox::new(left, 0.0, side, side).expect("a box")
}

fn truth(image: u64, left: f64, side: f64) -> TruthBox {
    let bbox = pixels(left, side);
    TruthBox { image, class: 0, bbox, area: bbox.area(), ignored: false, crowd: false }
}

fn found(image: u64, left: f64, side: f64, confidence: f64) -> FoundBox {
    FoundBox { image, class: 0, bbox: pixels(left, side), confidence }
}

#[test]
fn one_wrong_detection_before_the_right_one_halves_the_precision() {
    let report = evaluate(&[truth(1, 0.0, 50.0)], &[found(1, 300.0, 50.0, 0.9), found(1, 0.0, 50.0, 0.8)]);
    assert_eq!(report.by_class[0].by_size[0].ap50, Some(0.5));
}

#[test]
fn an_ignored_object_is_neither_to_be_found_nor_wrong() {
    let ignored = TruthBox { ignored: true, ..truth(1, 300.0, 50.0) };
    let detections = [found(1, 300.0, 50.0, 0.9), found(1, 0.0, 50.0, 0.8)];
    let all = evaluate(&[truth(1, 0.0, 50.0), ignored], &detections).by_class[0].by_size[0];
    assert_eq!((all.truths, all.ap50_95), (1, Some(1.0)));
}

#[test]
fn a_size_without_objects_has_no_figure() {
    let by_size = evaluate(&[truth(1, 0.0, 50.0)], &[found(1, 0.0, 50.0, 0.9)]).by_class[0].by_size;
    assert_eq!(by_size.map(|row| row.truths), [1, 0, 1, 0]);
    assert_eq!(by_size.map(|row| row.ap75), [Some(1.0), None, Some(1.0), None]);
    assert!(evaluate(&[], &[]).by_class.is_empty());
}

#[test]
fn the_hundred_surest_of_an_image_count() {
    let many = (0..150).map(|k| found(1, 300.0, 50.0, 0.9 - f64::from(k) * 1e-3));
    let last: Vec<FoundBox> = many.chain([found(1, 0.0, 50.0, 0.1)]).collect();
    let report = evaluate(&[truth(1, 0.0, 50.0)], &last);
    assert_eq!((report.by_class[0].found, report.by_class[0].by_size[0].ap50), (100, Some(0.0)));
}

fn any_truths() -> impl Strategy<Value = Vec<TruthBox>> {
    let one = (0u64..3, 0u32..400, 5u32..150, 0u32..3)
        .prop_map(|(image, left, side, class)| TruthBox { class, ..truth(image, f64::from(left), f64::from(side)) });
    proptest::collection::vec(one, 0..12)
}

fn any_founds() -> impl Strategy<Value = Vec<FoundBox>> {
    let one = (0u64..4, 0u32..400, 5u32..150, 0u32..3, 0u8..20).prop_map(|(image, left, side, class, confidence)| {
        FoundBox { class, ..found(image, f64::from(left), f64::from(side), f64::from(confidence) / 20.0) }
    });
    proptest::collection::vec(one, 0..20)
}

proptest! {
    #[test]
    fn precisions_are_shares_and_fall_with_the_overlap(truths in any_truths(), founds in any_founds()) {
        let report = evaluate(&truths, &founds);
        prop_assert_eq!(report.mean[0].truths, truths.len() as u64);
        for row in report.by_class.iter().flat_map(|class| class.by_size) {
            if let (Some(ap50), Some(ap75), Some(mean)) = (row.ap50, row.ap75, row.ap50_95) {
                prop_assert!([ap50, ap75, mean].iter().all(|ap| (0.0..=1.0).contains(ap)));
            }
            prop_assert_eq!(row.ap50.is_none(), row.truths == 0);
        }
    }

    #[test]
    fn the_truth_itself_is_perfect(truths in any_truths(), confidence in 0.0f64..=1.0) {
        let founds: Vec<FoundBox> = truths
            .iter()
            .map(|truth| FoundBox { image: truth.image, class: truth.class, bbox: truth.bbox, confidence })
            .collect();
        for row in evaluate(&truths, &founds).by_class.iter().flat_map(|class| class.by_size) {
            prop_assert!(row.ap50_95.is_none_or(|ap| (ap - 1.0).abs() < 1e-9), "{row:?}");
        }
    }

    #[test]
    fn only_the_order_of_confidences_counts(truths in any_truths(), founds in any_founds()) {
        let other: Vec<FoundBox> =
            founds.iter().map(|found| FoundBox { confidence: found.confidence.powi(3) / 2.0, ..*found }).collect();
        prop_assert_eq!(evaluate(&truths, &founds), evaluate(&truths, &other));
    }
}

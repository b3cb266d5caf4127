//! `yolo` and `detr`: real outputs of other networks in these two layouts (`scripts/relay_tensors.py`), and edge cases.

use super::*;
use crate::detect::manifest::{Activation, Head as HeadKind};

fn yolo() -> Manifest {
    let mut manifest = manifest("yolox-nano");
    manifest.head = HeadKind::Yolo { output: "output".to_owned() };
    manifest
}

fn detr(activation: Activation) -> Manifest {
    let mut manifest = manifest("ssdlite-mobilenet-v2");
    manifest.head = HeadKind::Detr { scores: "logits".to_owned(), boxes: "boxes".to_owned(), activation };
    manifest
}

/// What the head of `manifest` makes of these outputs, of a picture of `size`.
fn decode(
    manifest: &Manifest,
    outputs: &[(&[i64], &[f32])],
    [width, height]: [u32; 2],
    least: f32,
) -> Result<Vec<Detection>, DetectError> {
    let views: Vec<TensorView<'_>> = outputs.iter().map(|&(shape, data)| TensorView { shape, data }).collect();
    let mut found = Vec::new();
    head(manifest).decode(&views, &placement(manifest, width, height), confidence(least), &mut found)?;
    Ok(found)
}

/// Rows become columns.
fn transposed(rows: &[f32], width: usize) -> Vec<f32> {
    (0..width).flat_map(|column| rows.chunks_exact(width).map(move |row| row[column])).collect()
}

#[test]
fn yolo_boxes_are_those_that_numpy_makes_of_laid_out_tensors() {
    for name in ["yolo-pedestrians", "yolo-crossing"] {
        let (recorded, values) = Recorded::load(name);
        let output = transposed(&recorded.output(&values, 0, 84), 84);
        let found = decode(&yolo(), &[(&[1, 84, 100], &output)], recorded.picture, recorded.confidence);
        assert_eq!(recorded.anchors, 100);
        recorded.assert_found(found.expect("finite numbers"));
    }
}

#[test]
fn detr_boxes_are_those_that_numpy_makes_of_laid_out_tensors_and_none_is_suppressed() {
    for (name, activation) in
        [("detr-sigmoid-crossing", Activation::Sigmoid), ("detr-softmax-pedestrians", Activation::Softmax)]
    {
        let (recorded, values) = Recorded::load(name);
        assert_eq!(recorded.anchors, 300);
        let mut logits = recorded.output(&values, 0, 90);
        // Queries that were not recorded found nothing.
        let columns = head(&detr(activation)).columns;
        for row in logits.chunks_exact_mut(90).filter(|row| row.iter().all(|&logit| logit == 0.0)) {
            columns.iter().for_each(|&(index, _)| row[index] = -20.0);
        }
        let boxes = recorded.output(&values, 90, 4);
        let outputs = [(&[1, 300, 90][..], &logits[..]), (&[1, 300, 4], &boxes)];
        let found = decode(&detr(activation), &outputs, recorded.picture, recorded.confidence).expect("finite numbers");
        assert_eq!(found.len(), recorded.detections.len(), "{name}: {found:?}");
        recorded.assert_each_found(&found);
    }
}

#[test]
fn only_the_head_of_a_set_does_without_suppression() {
    assert!(!head(&detr(Activation::Sigmoid)).repeats_objects());
    assert!(head(&yolo()).repeats_objects() && head(&manifest("yolox-nano")).repeats_objects());
}

/// One query: its logits by label, and its box.
fn query(manifest: &Manifest, labels: &[(usize, f32)], bbox: [f32; 4]) -> Result<Vec<Detection>, DetectError> {
    let mut logits = vec![-20.0; 90];
    labels.iter().for_each(|&(label, logit)| logits[label] = logit);
    decode(manifest, &[(&[1, 1, 90], &logits), (&[1, 1, 4], &bbox)], [300, 300], 0.3)
}

/// Labels of the SSD: person is 0, car 2.
const MIDDLE: [f32; 4] = [0.5, 0.5, 0.2, 0.4];

#[test]
fn scores_become_confidences_as_the_manifest_says() {
    for (activation, logit, expected) in
        [(Activation::None, 0.75, 0.75), (Activation::Sigmoid, 1.0, 0.731_06), (Activation::Softmax, 1.0, 0.731_06)]
    {
        // For the softmax, one other label at 0; the rest weigh nothing.
        let found = query(&detr(activation), &[(2, logit), (11, 0.0)], MIDDLE).expect("finite");
        assert_eq!(found.len(), 1, "{activation:?}");
        assert!((found[0].confidence.get() - expected).abs() < 1e-4, "{activation:?}: {found:?}");
        assert!(found[0].bbox.iou(BBox::new(0.4, 0.3, 0.6, 0.7).expect("a box")) > 0.999);
    }
    let no_object = query(&detr(Activation::Softmax), &[(2, 1.0), (11, 5.0)], MIDDLE);
    assert_eq!(no_object.expect("finite"), [], "another column is much surer");
}

#[test]
fn large_logits_do_not_overflow_the_softmax() {
    let found = query(&detr(Activation::Softmax), &[(2, 300.0), (0, 200.0)], MIDDLE).expect("finite");
    assert!((found[0].confidence.get() - 1.0).abs() < 1e-6);
}

#[test]
fn of_two_labels_equally_sure_the_first_is_taken_and_two_queries_stay_two() {
    let (manifest, bbox) = (detr(Activation::None), [MIDDLE, MIDDLE].concat());
    let mut scores = vec![0.0; 180];
    [0, 2, 90, 92].into_iter().for_each(|index| scores[index] = 0.8);
    let found = decode(&manifest, &[(&[1, 2, 90], &scores), (&[1, 2, 4], &bbox)], [300, 300], 0.3).expect("finite");
    assert_eq!(found.iter().map(|d| d.class).collect::<Vec<_>>(), [Class::Person, Class::Person]);
}

#[test]
fn a_set_without_queries_or_a_map_without_anchors_has_no_boxes() {
    let nothing = decode(&detr(Activation::Sigmoid), &[(&[1, 0, 90], &[]), (&[1, 0, 4], &[])], [300, 300], 0.3);
    assert_eq!(nothing.expect("empty"), []);
    assert_eq!(decode(&yolo(), &[(&[1, 84, 0], &[])], [416, 416], 0.3).expect("empty"), []);
    assert_eq!(decode(&yolo(), &[(&[1, 84, 3], &[0.0; 252])], [416, 416], 0.3).expect("unsure"), []);
}

/// Three anchors, the middle one sure of a car, with this box in pixels.
fn yolo_box(bbox: [f32; 4], car: f32) -> Vec<f32> {
    let mut output = vec![0.0; 84 * 3];
    bbox.into_iter().enumerate().for_each(|(row, value)| output[row * 3 + 1] = value);
    output[(4 + 2) * 3 + 1] = car;
    output
}

fn yolo_found(bbox: [f32; 4], car: f32) -> Result<Vec<Detection>, DetectError> {
    decode(&yolo(), &[(&[1, 84, 3], &yolo_box(bbox, car))], [416, 416], 0.3)
}

#[test]
fn boxes_beyond_the_picture_end_at_its_edge_and_those_outside_or_inside_out_are_none() {
    let found = yolo_found([10.0, 400.0, 60.0, 80.0], 0.9).expect("finite");
    let expected = BBox::new(0.0, 360.0 / 416.0, 40.0 / 416.0, 1.0).expect("a box");
    assert_eq!((found.len(), found[0].class), (1, Class::Car));
    assert!(found[0].bbox.iou(expected) > 0.999, "{found:?}");
    for nowhere in [[-100.0, 50.0, 60.0, 80.0], [100.0, 50.0, -60.0, 80.0], [100.0, 50.0, 0.0, 80.0]] {
        assert_eq!(yolo_found(nowhere, 0.9).expect("finite"), [], "{nowhere:?}");
    }
    for nowhere in [[1.5, 0.5, 0.2, 0.2], [0.5, 0.5, -0.2, 0.2]] {
        assert_eq!(query(&detr(Activation::Sigmoid), &[(2, 3.0)], nowhere).expect("finite"), [], "{nowhere:?}");
    }
}

#[test]
fn what_is_no_number_is_an_error_where_it_counts() {
    let not_a_number = |result: Result<Vec<Detection>, DetectError>| {
        assert!(matches!(result, Err(DetectError::NotANumber { .. })), "{result:?}");
    };
    not_a_number(yolo_found([10.0, 10.0, 4.0, 4.0], f32::NAN));
    not_a_number(yolo_found([10.0, f32::NAN, 4.0, 4.0], 0.9));
    not_a_number(yolo_found([10.0, 10.0, f32::INFINITY, 4.0], 0.9));
    assert_eq!(yolo_found([f32::NAN; 4], 0.1).expect("nothing sure is wrong"), []);
    for activation in [Activation::None, Activation::Sigmoid, Activation::Softmax] {
        not_a_number(query(&detr(activation), &[(2, f32::NAN)], MIDDLE));
        not_a_number(query(&detr(activation), &[(2, 0.9)], [0.5, f32::NAN, 0.2, 0.2]));
    }
    not_a_number(query(&detr(Activation::Softmax), &[(2, 1.0), (11, f32::NAN)], MIDDLE));
    not_a_number(query(&detr(Activation::Softmax), &[(2, 1.0), (11, f32::INFINITY)], MIDDLE));
}

#[test]
fn outputs_that_do_not_belong_together_are_an_error() {
    let (scores, boxes) = (vec![0.0; 2 * 90], vec![0.0; 3 * 4]);
    let result = decode(&detr(Activation::None), &[(&[1, 2, 90], &scores), (&[1, 3, 4], &boxes)], [300, 300], 0.3);
    assert!(matches!(result, Err(DetectError::OutputShape { output, .. }) if output == "boxes"));
    let laid_wrong = decode(&yolo(), &[(&[1, 3, 84], &[0.0; 252])], [416, 416], 0.3);
    assert!(matches!(laid_wrong, Err(DetectError::OutputShape { .. })));
}

mod relaid;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::detect::nms;
use crate::detect::tensor::InputTensor;
use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project")
}

fn manifest(name: &str) -> Manifest {
    Manifest::load(&root().join("models").join(name)).expect("the project's own manifest")
}

fn head(manifest: &Manifest) -> Head {
    Head::new(manifest, &manifest.classes().expect("the project's own labels"))
}

/// Of a whole picture of this size.
fn placement(manifest: &Manifest, width: u32, height: u32) -> Placement {
    let layout = PictureLayout {
        width,
        height,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
        planes: [PlaneLayout { offset: 0, stride: width as usize }; 3],
    };
    let picture = Picture::new(layout, Box::new(vec![0u8; (width * height) as usize])).expect("it fits");
    InputTensor::new(&manifest.input).fill(&picture, BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box"))
}

fn confidence(value: f32) -> Confidence {
    Confidence::new(value).expect("in 0..=1")
}

/// What `scripts/record_tensors.py` wrote: some rows of a real run's outputs, and the boxes that numpy made of them.
#[derive(Deserialize)]
struct Recorded {
    picture: [u32; 2],
    confidence: f32,
    nms_iou: f32,
    anchors: usize,
    rows: Vec<usize>,
    detections: Vec<RecordedBox>,
}

#[derive(Deserialize)]
struct RecordedBox {
    class: String,
    confidence: f32,
    bbox: [f32; 4],
}

impl Recorded {
    fn load(name: &str) -> (Self, Vec<f32>) {
        let file: PathBuf = root().join("edge-agent/tests/data/detect/heads").join(name);
        let text = fs::read(file.with_extension("json")).expect("the recorded boxes");
        let bytes = fs::read(file.with_extension("f32")).expect("the recorded rows");
        let (values, _) = bytes.as_chunks::<4>();
        (serde_json::from_slice(&text).expect("JSON"), values.iter().map(|v| f32::from_le_bytes(*v)).collect())
    }

    /// An output with the recorded rows in their places and zeros elsewhere; `from..from + width` of each row.
    fn output(&self, values: &[f32], from: usize, width: usize) -> Vec<f32> {
        let mut output = vec![0.0; self.anchors * width];
        let row_width = values.len() / self.rows.len();
        for (row, values) in self.rows.iter().zip(values.chunks_exact(row_width)) {
            output[row * width..][..width].copy_from_slice(&values[from..from + width]);
        }
        output
    }

    fn assert_found(&self, mut found: Vec<Detection>) {
        nms::suppress(&mut found, self.nms_iou);
        assert_eq!(found.len(), self.detections.len(), "{found:?}");
        self.assert_each_found(&found);
    }

    fn assert_each_found(&self, found: &[Detection]) {
        assert!(!self.detections.is_empty());
        for expected in &self.detections {
            let [l, t, r, b] = expected.bbox;
            let bbox = BBox::new(l, t, r, b).expect("a box");
            let same = |d: &&Detection| {
                d.class.label() == expected.class
                    && (d.confidence.get() - expected.confidence).abs() < 1e-4
                    && d.bbox.iou(bbox) > 0.98
            };
            assert!(found.iter().any(|d| same(&d)), "{} {bbox:?} is not among {found:?}", expected.class);
        }
    }
}

#[test]
fn ssd_boxes_are_those_that_numpy_makes_of_recorded_outputs() {
    for name in ["ssd-pedestrians", "ssd-crossing"] {
        let (recorded, values) = Recorded::load(name);
        let manifest = manifest("ssdlite-mobilenet-v2");
        let (scores, boxes) = (recorded.output(&values, 0, 90), recorded.output(&values, 90, 4));
        let count = recorded.anchors as i64;
        let views =
            [TensorView { shape: &[1, count, 90], data: &scores }, TensorView { shape: &[1, count, 4], data: &boxes }];
        let placement = placement(&manifest, recorded.picture[0], recorded.picture[1]);
        let mut found = Vec::new();
        let done = head(&manifest).decode(&views, &placement, confidence(recorded.confidence), &mut found);
        done.expect("finite numbers");
        recorded.assert_found(found);
    }
}

#[test]
fn yolox_boxes_are_those_that_numpy_makes_of_recorded_outputs() {
    for name in ["yolox-pedestrians", "yolox-crossing"] {
        let (recorded, values) = Recorded::load(name);
        let manifest = manifest("yolox-nano");
        let output = recorded.output(&values, 0, 85);
        let views = [TensorView { shape: &[1, recorded.anchors as i64, 85], data: &output }];
        let placement = placement(&manifest, recorded.picture[0], recorded.picture[1]);
        let mut found = Vec::new();
        let done = head(&manifest).decode(&views, &placement, confidence(recorded.confidence), &mut found);
        done.expect("finite numbers");
        recorded.assert_found(found);
    }
}

/// A YOLOX output with one sure anchor: objectness 0.9, the given labels.
fn yolox_with(anchor: usize, labels: &[(usize, f32)]) -> Vec<f32> {
    let mut output = vec![0.0; 3549 * 85];
    let row = &mut output[anchor * 85..][..85];
    row[4] = 0.9;
    for (label, value) in labels {
        row[5 + label] = *value;
    }
    output
}

fn decode_yolox(output: &[f32]) -> Result<Vec<Detection>, DetectError> {
    let manifest = manifest("yolox-nano");
    let placement = placement(&manifest, 416, 416);
    let mut found = Vec::new();
    let views = [TensorView { shape: &[1, 3549, 85], data: output }];
    head(&manifest).decode(&views, &placement, confidence(0.3), &mut found)?;
    Ok(found)
}

#[test]
fn the_best_class_that_rules_know_is_taken() {
    // A dog (16) is seen best, a truck (7) better than a car (2).
    let found = decode_yolox(&yolox_with(0, &[(16, 0.95), (2, 0.5), (7, 0.6)])).expect("finite numbers");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].class, Class::Truck);
    assert!((found[0].confidence.get() - 0.54).abs() < 1e-6);
    // Only the dog is above the threshold.
    assert_eq!(decode_yolox(&yolox_with(0, &[(16, 0.95), (2, 0.2)])).expect("finite numbers"), []);
}

#[test]
fn each_yolox_feature_map_has_its_own_cells_and_stride() {
    // The third cell of the second row of each map: 52, 26 and 13 cells a row.
    for (anchor, stride) in [(52 + 2, 8.0), (52 * 52 + 26 + 2, 16.0), (52 * 52 + 26 * 26 + 13 + 2, 32.0)] {
        let found = decode_yolox(&yolox_with(anchor, &[(0, 0.9)])).expect("finite numbers");
        let center = found[0].bbox.center();
        // The box of a zero output is centred on the cell's corner, one stride wide.
        assert!((center.x * 416.0 - 2.0 * stride).abs() < 1e-3 && (center.y * 416.0 - stride).abs() < 1e-3);
        assert!((found[0].bbox.width() * 416.0 - stride).abs() < 1e-3);
    }
}

#[test]
fn outputs_that_are_no_numbers_are_an_error() {
    let mut no_objectness = yolox_with(7, &[]);
    no_objectness[7 * 85 + 4] = f32::NAN;
    let mut no_label = yolox_with(7, &[(0, f32::NAN)]);
    no_label[7 * 85 + 5 + 2] = 0.9;
    let mut endless = yolox_with(7, &[(0, 0.9)]);
    endless[7 * 85 + 2] = f32::INFINITY;
    for output in [no_objectness, no_label, endless] {
        assert!(matches!(decode_yolox(&output), Err(DetectError::NotANumber { .. })));
    }
    let mut unsure = yolox_with(7, &[(0, 0.1)]);
    unsure[7 * 85 + 2] = f32::INFINITY;
    assert_eq!(decode_yolox(&unsure).expect("nothing sure is wrong"), []);
}

#[test]
fn boxes_end_at_the_edge_of_the_picture() {
    let mut output = yolox_with(0, &[(0, 0.9)]);
    output[2..4].fill(2.0);
    let bbox = decode_yolox(&output).expect("finite numbers")[0].bbox;
    assert_eq!((bbox.left(), bbox.top()), (0.0, 0.0));
    assert!((bbox.right() * 416.0 - 4.0 * 2.0f32.exp()).abs() < 0.01);
}

#[test]
fn outputs_of_another_shape_are_an_error_that_names_both() {
    let manifest = manifest("ssdlite-mobilenet-v2");
    let placement = placement(&manifest, 300, 300);
    let (scores, boxes) = (vec![0.0; 10 * 90], vec![0.0; 10 * 4]);
    let decode = |scores_shape: &[i64], boxes_shape: &[i64]| {
        let views =
            [TensorView { shape: scores_shape, data: &scores }, TensorView { shape: boxes_shape, data: &boxes }];
        head(&manifest).decode(&views, &placement, confidence(0.3), &mut Vec::new())
    };
    decode(&[1, 10, 90], &[1, 10, 4]).expect("as the manifest says");
    for (scores, boxes) in [
        (&[1, 10, 80][..], &[1, 10, 4][..]),
        (&[1, 10, 90], &[1, 9, 4]),
        (&[10, 90], &[10, 4]),
        (&[1, 11, 90], &[1, 11, 4]),
        (&[1, 10, 90], &[1, 20, 2]),
    ] {
        assert!(matches!(decode(scores, boxes), Err(DetectError::OutputShape { .. })), "{scores:?} {boxes:?}");
    }
    let error = decode(&[1, 10, 80], &[1, 10, 4]).expect_err("80 labels, not 90").to_string();
    assert!(error.contains("scores") && error.contains("[1, 10, 80]") && error.contains("[1, any, 90]"), "{error}");
}

/// What networks give, and what they must not.
fn any_output() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -2.0f32..2.0,
        4 => 0.0f32..400.0,
        1 => any::<f32>(),
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(f32::MAX),
        1 => Just(f32::MIN_POSITIVE),
    ]
}

proptest! {
    #[test]
    fn whatever_a_network_gives_is_boxes_in_the_picture_or_an_error(
        numbers in proptest::collection::vec(any_output(), 997), sure in 0.0f32..=1.0
    ) {
        // 997 is prime: rows differ.
        let output: Vec<f32> = numbers.iter().copied().cycle().take(3549 * 85).collect();
        let ssdlite = manifest("ssdlite-mobilenet-v2");
        let (scores, boxes) = (&output[..40 * 90], &output[40 * 90..40 * 94]);
        let views = [
            TensorView { shape: &[1, 40, 90], data: scores }, TensorView { shape: &[1, 40, 4], data: boxes },
        ];
        let mut found = Vec::new();
        let decoded = head(&ssdlite).decode(&views, &placement(&ssdlite, 321, 243), confidence(sure), &mut found);
        judge(decoded, &found)?;
        let yolox = manifest("yolox-nano");
        let view = [TensorView { shape: &[1, 3549, 85], data: &output }];
        let mut found = Vec::new();
        let decoded = head(&yolox).decode(&view, &placement(&yolox, 321, 243), confidence(sure), &mut found);
        judge(decoded, &found)?;
    }
}

fn judge(decoded: Result<(), DetectError>, found: &[Detection]) -> Result<(), TestCaseError> {
    if let Err(error) = decoded {
        prop_assert!(matches!(error, DetectError::NotANumber { .. }), "{error}");
    }
    for Detection { bbox, confidence, .. } in found {
        let sides = [bbox.left(), bbox.top(), bbox.right(), bbox.bottom()];
        prop_assert!(sides.iter().all(|side| (0.0..=1.0).contains(side)), "{sides:?}");
        prop_assert!((0.0..=1.0).contains(&confidence.get()));
    }
    Ok(())
}

use std::fs;

use analytics::Class;

use super::*;
use crate::detect::manifest::Manifest;
use crate::detect::regions::grid;

/// ONNX Runtime, from the folder that `make` fetches it to, in this folder or one above.
fn library() -> PathBuf {
    const FILE: &str = ".cache/onnxruntime/libonnxruntime.so.1.31.1";
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join(FILE)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{FILE} is not in the project: `make test` fetches it"))
}

fn runtime() -> Runtime {
    Runtime::load(&library()).expect("the project's ONNX Runtime")
}

fn tiny_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/detect/models/tiny-ssd")
}

fn tiny() -> Model {
    Manifest::load(&tiny_dir()).expect("valid").verify(&[]).expect("proven")
}

fn options(providers: &[(Provider, Need)]) -> SessionOptions {
    let providers = providers.iter().map(|&(provider, need)| ProviderChoice::new(provider, need)).collect();
    SessionOptions { providers, ..SessionOptions::for_model(&tiny()) }
}

/// Left half red, right half blue (BT.601, limited).
fn red_and_blue() -> Picture {
    const SIDE: usize = 32;
    let plane = |side: usize, red: u8, blue: u8| {
        (0..side * side).map(move |i| if i % side < side / 2 { red } else { blue }).collect::<Vec<u8>>()
    };
    let half = SIDE / 2;
    let data = [plane(SIDE, 81, 41), plane(half, 90, 240), plane(half, 240, 110)].concat();
    let layout = PictureLayout {
        width: SIDE as u32,
        height: SIDE as u32,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
        planes: [
            PlaneLayout { offset: 0, stride: SIDE },
            PlaneLayout { offset: SIDE * SIDE, stride: half },
            PlaneLayout { offset: SIDE * SIDE * 5 / 4, stride: half },
        ],
    };
    Picture::new(layout, Box::new(data)).expect("it fits")
}

#[test]
fn each_region_is_looked_at_and_its_boxes_come_back_to_their_place() {
    let mut detector = OrtDetector::open(&runtime(), &tiny(), &options(&[])).expect("it opens");
    let mut found = vec![];
    detector.detect(&red_and_blue(), &grid(2, 1, 0.0), &mut found).expect("it runs");
    found.sort_by_key(|d| d.class);
    let classes: Vec<Class> = found.iter().map(|d| d.class).collect();
    assert_eq!(classes, [Class::Person, Class::Bus], "the left half is red, the right half blue: {found:?}");
    // The network's box is 0.25..0.5 across and 0.25..0.75 down each half.
    let expected = [[0.125, 0.25, 0.25, 0.75], [0.625, 0.25, 0.75, 0.75]];
    for (d, [l, t, r, b]) in found.iter().zip(expected) {
        assert!(d.bbox.iou(BBox::new(l, t, r, b).expect("a box")) > 0.99, "{d:?}");
        assert!(d.confidence.get() > 0.9);
    }
    detector.detect(&red_and_blue(), &[], &mut found).expect("nothing to run");
    assert!(found.is_empty(), "no region, nothing found");
}

#[test]
fn a_preferred_provider_that_is_missing_gives_way_to_the_cpu() {
    // The library that the project fetches is ONNX Runtime's build for CPUs.
    for provider in [Provider::Cuda, Provider::TensorRt, Provider::OpenVino] {
        let detector =
            OrtDetector::open(&runtime(), &tiny(), &options(&[(provider, Need::Preferred)])).expect("it opens");
        assert_eq!(detector.provider(), Provider::Cpu);
    }
}

#[test]
fn a_required_provider_that_is_missing_is_an_error_that_names_it() {
    for provider in [Provider::Cuda, Provider::TensorRt, Provider::OpenVino] {
        let error =
            OrtDetector::open(&runtime(), &tiny(), &options(&[(provider, Need::Required)])).expect_err("not here");
        assert!(matches!(error, DetectError::Provider { provider: named, .. } if named == provider), "{error}");
        assert!(error.to_string().contains(provider.label()), "{error}");
    }
}

#[test]
fn the_first_provider_that_can_be_used_is_used() {
    let order =
        [(Provider::Cuda, Need::Preferred), (Provider::Cpu, Need::Required), (Provider::OpenVino, Need::Required)];
    let detector = OrtDetector::open(&runtime(), &tiny(), &options(&order)).expect("it opens");
    assert_eq!(detector.provider(), Provider::Cpu);
}

#[test]
fn every_node_is_accounted_for_by_its_provider() {
    let detector = OrtDetector::open(&runtime(), &tiny(), &options(&[])).expect("it opens");
    let nodes = assignment::nodes_by_provider(&detector.session).expect("the record");
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0].0, Provider::Cpu.runtime_name());
    assert!(nodes[0].1 > 0);
}

/// A model folder around a network of `tests/data/detect/broken`, described as `tiny-ssd` is.
fn described_as_tiny(network: &str) -> (tempfile::TempDir, Model) {
    let models = tempfile::tempdir().expect("a folder");
    let dir = models.path().join("tiny-ssd");
    fs::create_dir(&dir).expect("a folder");
    let weights = tiny_dir().join("../../broken").join(network);
    fs::copy(weights, dir.join("tiny_ssd.onnx")).expect("copied");
    fs::copy(tiny_dir().join("tiny.labels"), dir.join("tiny.labels")).expect("copied");
    let hash = crate::detect::manifest::sha256(&dir.join("tiny_ssd.onnx")).expect("readable");
    let text = fs::read_to_string(tiny_dir().join("model.toml")).expect("the manifest");
    let sha = text.lines().find(|line| line.starts_with("sha256")).expect("a hash");
    fs::write(dir.join("model.toml"), text.replace(sha, &format!("sha256 = \"{hash}\""))).expect("written");
    let model = Manifest::load(&dir).expect("valid in itself").verify(&[]).expect("proven");
    (models, model)
}

/// What `scripts/make_broken_models.py` made, the key at fault, and words of what is said.
const BROKEN: [(&str, &str, &[&str]); 10] = [
    ("input-name.onnx", "input.name", &["\"picture\" f32 [1, 3, 16, 16]", "\"image\"", "write name = \"picture\""]),
    (
        "input-size.onnx",
        "input.width, input.height",
        &["[1, 3, 24, 32]", "[1, 3, 16, 16]", "width = 32 and height = 24"],
    ),
    ("input-rank.onnx", "input", &["[3, 16, 16]", "four axes"]),
    ("input-nhwc.onnx", "input.layout", &["[1, 16, 16, 3]", "NCHW"]),
    ("input-half.onnx", "input.name", &["f16", "32-bit floats"]),
    ("input-two.onnx", "input", &["\"size\" f32 [1, 2]", "pre- and post-processing"]),
    ("labels-more.onnx", "labels", &["4 classes", "\"tiny.labels\", which has 3 lines", "the 4 lines"]),
    ("labels-dynamic.onnx", "labels", &["4 classes", "\"tiny.labels\", which has 3 lines", "the 4 lines"]),
    ("size-fixed-inside.onnx", "input.width, input.height", &["[any, 3, any, any]", "32x32", "exported for"]),
    ("output-one.onnx", "head.scores", &["\"detections\" f32 [1, 3]", "\"scores\"", "write scores = \"detections\""]),
];

#[test]
fn a_network_that_does_not_fit_its_manifest_is_refused_with_both_sides_and_the_cure() {
    for (network, key, words) in BROKEN {
        let (_models, mut model) = described_as_tiny(network);
        if network == "size-fixed-inside.onnx" {
            assert!(OrtDetector::open(&runtime(), &model, &options(&[])).is_ok(), "it runs at its own size");
            model = with_input_size(model, 32);
        }
        let error = OrtDetector::open(&runtime(), &model, &options(&[])).expect_err(network);
        let DetectError::Graph { misfits, weights, .. } = &error else { panic!("{network}: {error}") };
        assert_eq!((misfits[0].key, weights.as_path()), (key, model.weights()), "{error}");
        let text = error.to_string();
        assert!(words.iter().all(|words| text.contains(words)), "{network} must say {words:?}: {text}");
    }
}

/// The same, said to be of another size.
fn with_input_size(model: Model, size: usize) -> Model {
    let dir = model.manifest().dir();
    let text = fs::read_to_string(dir.join("model.toml")).expect("the manifest");
    let text =
        text.replace("width = 16", &format!("width = {size}")).replace("height = 16", &format!("height = {size}"));
    fs::write(dir.join("model.toml"), text).expect("written");
    Manifest::load(dir).expect("valid in itself").verify(&[]).expect("proven")
}

#[test]
fn weights_that_are_no_network_are_an_error() {
    let models = tempfile::tempdir().expect("a folder");
    let dir = models.path().join("tiny-ssd");
    fs::create_dir(&dir).expect("a folder");
    fs::write(dir.join("tiny_ssd.onnx"), "hello").expect("written");
    fs::copy(tiny_dir().join("tiny.labels"), dir.join("tiny.labels")).expect("copied");
    let text = fs::read_to_string(tiny_dir().join("model.toml")).expect("the manifest");
    let sha = text.lines().find(|line| line.starts_with("sha256")).expect("a hash");
    let hello = r#"sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824""#;
    fs::write(dir.join("model.toml"), text.replace(sha, hello)).expect("written");
    let model = Manifest::load(&dir).expect("valid").verify(&[]).expect("proven");
    let error = OrtDetector::open(&runtime(), &model, &options(&[])).expect_err("no network");
    assert!(matches!(error, DetectError::Session { .. }), "{error}");
    assert!(error.to_string().contains("tiny_ssd.onnx"), "{error}");
}

#[test]
fn the_library_is_loaded_once_and_another_one_is_refused() {
    let first = runtime();
    assert_eq!(first.path(), runtime().path());
    let other = tempfile::NamedTempFile::new().expect("a file");
    assert!(matches!(Runtime::load(other.path()), Err(DetectError::LibraryConflict { .. })));
}

#[test]
fn a_library_that_is_missing_is_an_error() {
    let error = Runtime::load(Path::new("nowhere/libonnxruntime.so")).expect_err("it is not there");
    assert!(matches!(error, DetectError::Library { .. }));
    assert!(error.to_string().contains("nowhere/libonnxruntime.so"), "{error}");
}

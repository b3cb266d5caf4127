use super::*;

const SSD: &str = r#"
name = "tiny"
description = "for tests"
file = "tiny.onnx"
sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
licence = "Apache-2.0"
source = "https://models.example/tiny.onnx"
labels = "tiny.labels"
[input]
name = "image"
width = 32
height = 32
layout = "nchw"
color = "rgb"
scale = 1.0
letterbox = "stretch"
[head]
kind = "ssd"
scores = "scores"
boxes = "boxes"
[defaults]
confidence = 0.3
high_confidence = 0.5
new_confidence = 0.6
nms_iou = 0.5
"#;

/// A folder of models with one, `tiny`, whose weights are "hello".
fn models(manifest: &str) -> tempfile::TempDir {
    let models = tempfile::tempdir().expect("a folder");
    let dir = models.path().join("tiny");
    fs::create_dir(&dir).expect("a folder");
    fs::write(dir.join("model.toml"), manifest).expect("written");
    fs::write(dir.join("tiny.labels"), "person\n-\ncar\ndog\n").expect("written");
    fs::write(dir.join("tiny.onnx"), "hello").expect("written");
    models
}

fn problem_of(from: &str, to: &str) -> String {
    assert!(SSD.contains(from));
    let models = models(&SSD.replace(from, to));
    Manifest::load(&models.path().join("tiny")).expect_err(to).to_string()
}

#[test]
fn labels_become_classes_by_their_line() {
    let models = models(SSD);
    let model = Manifest::load(&models.path().join("tiny")).expect("valid").verify(&[]).expect("proven");
    assert_eq!(model.classes(), [Some(Class::Person), None, Some(Class::Car), None]);
    assert_eq!(model.weights(), models.path().join("tiny/tiny.onnx"));
    assert_eq!(model.manifest().input.std, [1.0; 3]);
}

#[test]
fn the_models_of_the_project_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project");
    let all = list(&root.join("models")).expect("the models folder");
    assert!(all.len() >= 2);
    for Listed { name, manifest } in all {
        let manifest = manifest.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(manifest.name, name);
        let classes = manifest.classes().expect("its labels");
        assert!(Class::ALL.iter().all(|class| classes.contains(&Some(*class))), "{name} names every class");
    }
}

#[test]
fn a_wrong_manifest_is_refused_with_key_and_cure() {
    for (from, to, words) in [
        (r#"licence = "Apache-2.0""#, r#"licence = "AGPL-3.0-only""#, "licence"),
        (r#"licence = "Apache-2.0""#, r#"licence = "AGPL-3.0-only""#, "Apache-2.0, BSD-2-Clause"),
        (r#"name = "tiny""#, r#"name = "other""#, "name"),
        (r#"file = "tiny.onnx""#, r#"file = "../tiny.onnx""#, "plain file name"),
        ("2cf24dba", "2CF24DBA", "lower-case"),
        ("width = 32", "width = 0", "input.width"),
        ("scale = 1.0", "scale = 0.0", "input.scale"),
        ("scale = 1.0", "scale = 1.0\nstd = [1.0, 0.0, 1.0]", "input.std"),
        ("confidence = 0.3", "confidence = 30", "confidence"),
        ("nms_iou = 0.5", "nms_iou = -1.0", "defaults.nms_iou"),
        ("nms_iou = 0.5", "nms_iou = 0.5\nregions = { columns = 0, rows = 1, overlap = 0.1 }", "defaults.regions"),
        ("nms_iou = 0.5", "nms_iou = 0.5\nsoft = true", "soft"),
        (r#"boxes = "boxes""#, r#"bboxes = "boxes""#, "bboxes"),
        (r#"kind = "ssd""#, r#"kind = "yolox""#, "boxes"),
        (r#"letterbox = "stretch""#, r#"letterbox = "middle""#, "middle"),
    ] {
        let problem = problem_of(from, to);
        assert!(problem.contains("model.toml") && problem.contains(words), "{words:?} is not in: {problem}");
    }
}

#[test]
fn strides_must_divide_the_input() {
    let yolox = SSD.replace(r#"kind = "ssd""#, r#"kind = "yolox""#);
    let yolox = yolox.replace("scores = \"scores\"\nboxes = \"boxes\"", "output = \"out\"");
    let fits = models(&yolox);
    assert!(Manifest::load(&fits.path().join("tiny")).is_ok());
    let odd = models(&yolox.replace("width = 32", "width = 40"));
    let error = Manifest::load(&odd.path().join("tiny")).expect_err("40 is no multiple of 16").to_string();
    assert!(error.contains("head.strides"), "{error}");
}

#[test]
fn missing_weights_are_an_error_that_says_where_to_get_them() {
    let models = models(SSD);
    let dir = models.path().join("tiny");
    fs::remove_file(dir.join("tiny.onnx")).expect("removed");
    let error = Manifest::load(&dir).expect("valid").verify(&[]).expect_err("no weights").to_string();
    for words in ["tiny", "tiny.onnx is missing", "get it from https://models.example/tiny.onnx", "put it there"] {
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn changed_weights_are_refused() {
    let models = models(SSD);
    let dir = models.path().join("tiny");
    fs::write(dir.join("tiny.onnx"), "hallo").expect("written");
    let error = Manifest::load(&dir).expect("valid").verify(&[]).expect_err("other weights");
    assert!(matches!(error, ModelError::WeightsDiffer { .. }), "{error}");
}

#[test]
fn weights_are_found_in_another_folder_by_what_they_are() {
    let models = models(SSD);
    let dir = models.path().join("tiny");
    fs::remove_file(dir.join("tiny.onnx")).expect("removed");
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("tiny.onnx"), "the right name, other weights").expect("written");
    let manifest = Manifest::load(&dir).expect("valid");
    let folders = [elsewhere.path().to_path_buf()];
    assert!(matches!(manifest.verify(&folders), Err(ModelError::WeightsMissing { .. })));
    let renamed = elsewhere.path().join("download (1).onnx");
    fs::write(&renamed, "hello").expect("written");
    assert_eq!(manifest.verify(&folders).expect("proven").weights(), renamed);
}

#[test]
fn labels_without_a_known_class_or_with_a_gap_are_refused() {
    let models = models(SSD);
    let dir = models.path().join("tiny");
    let manifest = Manifest::load(&dir).expect("valid");
    for (labels, words) in [("cat\ndog\n", "person, bicycle"), ("person\n\ncar\n", "line 2")] {
        fs::write(dir.join("tiny.labels"), labels).expect("written");
        let error = manifest.classes().expect_err(labels).to_string();
        assert!(error.contains("tiny.labels") && error.contains(words), "{error}");
    }
}

#[test]
fn a_broken_model_does_not_hide_the_others() {
    let models = models(SSD);
    fs::create_dir(models.path().join("broken")).expect("a folder");
    fs::write(models.path().join("broken/model.toml"), "name = ").expect("written");
    fs::create_dir(models.path().join("notes")).expect("a folder");
    let all = list(models.path()).expect("listed");
    let names: Vec<(&str, bool)> = all.iter().map(|m| (m.name.as_str(), m.manifest.is_ok())).collect();
    assert_eq!(names, [("broken", false), ("tiny", true)]);
}

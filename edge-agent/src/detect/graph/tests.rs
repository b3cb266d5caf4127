use std::path::Path;

use super::*;

fn manifest(name: &str) -> Manifest {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project");
    Manifest::load(&root.join("models").join(name)).expect("the project's own manifest")
}

fn outlet(name: &str, dims: &[i64]) -> Outlet {
    Outlet { name: name.to_owned(), kind: "Tensor<f32>".to_owned(), dims: Some(dims.to_vec()) }
}

fn half(name: &str) -> Outlet {
    Outlet { name: name.to_owned(), kind: "Tensor<f16>(1, 3, 416, 416)".to_owned(), dims: None }
}

fn found(manifest: &Manifest, inputs: &[Outlet], outputs: &[Outlet]) -> Vec<Misfit> {
    let head = Head::new(manifest, &manifest.classes().expect("its labels"));
    misfits(manifest, &head, inputs, outputs)
}

/// The one thing that differs.
fn only(manifest: &Manifest, inputs: &[Outlet], outputs: &[Outlet]) -> Misfit {
    let found = found(manifest, inputs, outputs);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("counted")
}

const INPUT: [i64; 4] = [1, 3, 416, 416];
const OUTPUT: [i64; 3] = [1, 3549, 85];

#[test]
fn what_the_file_says_fits_and_what_it_leaves_open_does_too() {
    let manifest = manifest("yolox-nano");
    for (input, output) in [(INPUT, OUTPUT), ([-1; 4], [-1; 3]), ([-1, 3, -1, -1], [1, -1, 85])] {
        assert_eq!(found(&manifest, &[outlet("images", &input)], &[outlet("output", &output)]), []);
    }
}

#[test]
fn each_wrong_input_is_named_with_its_cure() {
    let manifest = manifest("yolox-nano");
    let output = [outlet("output", &OUTPUT)];
    for (input, key, cure) in [
        (vec![outlet("picture", &INPUT)], "input.name", "write name = \"picture\" under [input]"),
        (vec![half("images")], "input.name", "32-bit floats"),
        (vec![outlet("images", &INPUT), outlet("sizes", &[1, 2])], "input", "without its pre- and post-processing"),
        (vec![outlet("images", &[3, 416, 416])], "input", "four axes"),
        (vec![outlet("images", &[1, 416, 416, 3])], "input.layout", "NCHW"),
        (vec![outlet("images", &[8, 3, 416, 416])], "input", "batch 1"),
        (vec![outlet("images", &[1, 1, 416, 416])], "input", "three planes"),
        (
            vec![outlet("images", &[1, 3, 384, 640])],
            "input.width, input.height",
            "write width = 640 and height = 384 under [input], or export it for 416x416",
        ),
    ] {
        let misfit = only(&manifest, &input, &output);
        assert_eq!(misfit.key, key, "{misfit}");
        assert!(misfit.cure.contains(cure), "{misfit}");
    }
}

#[test]
fn each_wrong_output_is_named_with_its_cure() {
    let manifest = manifest("yolox-nano");
    let input = [outlet("images", &INPUT)];
    for (output, key, cure) in [
        (vec![outlet("dets", &OUTPUT)], "head.output", "write output = \"dets\" under [head]"),
        (vec![outlet("dets", &OUTPUT), outlet("masks", &[1, 32])], "head.output", "the right one under [head]"),
        (vec![half("output")], "head.output", "32-bit floats"),
        (vec![outlet("output", &[100, 7])], "head.output", "without its post-processing"),
        (vec![outlet("output", &[4, 3549, 85])], "head.output", "batch 1"),
        (vec![outlet("output", &[1, 3549, 96])], "labels", "the 91 lines of the network's own classes"),
        (vec![outlet("output", &[1, 84, 3549])], "head.kind", "kind = \"yolo\""),
        (vec![outlet("output", &[1, 8400, 85])], "head.output", "width, height and strides"),
    ] {
        let misfit = only(&manifest, &input, &output);
        assert_eq!(misfit.key, key, "{misfit}");
        assert!(misfit.cure.contains(cure), "{misfit}");
    }
}

#[test]
fn a_yolo_output_the_other_way_round_is_told_from_a_yolox_one() {
    let mut manifest = manifest("yolox-nano");
    manifest.head = manifest::Head::Yolo { output: "output".to_owned() };
    let input = [outlet("images", &INPUT)];
    assert_eq!(found(&manifest, &input, &[outlet("output", &[1, 84, 3549])]), []);
    let cure = |dims: &[i64]| only(&manifest, &input, &[outlet("output", dims)]).cure;
    assert!(cure(&[1, 3549, 84]).contains("[1, 4 + classes, anchors]"));
    assert!(cure(&[1, 3549, 85]).contains("kind = \"yolox\""));
    assert!(cure(&[1, 95, 3549]).contains("the 91 lines"));
}

#[test]
fn everything_that_differs_is_said_at_once_with_both_sides() {
    let manifest = manifest("ssdlite-mobilenet-v2");
    let found = found(
        &manifest,
        &[outlet("image", &[1, 3, 320, 320])],
        &[outlet("scores", &[1, 1917, 91]), outlet("boxes", &[1, 1917, 5])],
    );
    let keys: Vec<&str> = found.iter().map(|misfit| misfit.key).collect();
    assert_eq!(keys, ["input.width, input.height", "labels", "head.boxes"]);
    let text = found[1].to_string();
    for part in ["91 classes in the output \"scores\" f32 [1, 1917, 91]", "\"coco90.labels\", which has 90 lines", "→"]
    {
        assert!(text.contains(part), "{text}");
    }
}

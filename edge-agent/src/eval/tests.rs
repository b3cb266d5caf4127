//! Files as people and programs write them, and as they should not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics::track::TrackerParams;
use analytics::{Class, ClassSet};
use proptest::prelude::*;

use super::mot::{Holds, Label, Meaning};
use super::*;

mod any_text;
mod incidents;

fn file() -> &'static Path {
    Path::new("f.txt")
}

/// A line for each problem: its number, what and the cure.
fn told<T: std::fmt::Debug>(result: Result<T, Problems>) -> String {
    result.expect_err("is wrong").to_string()
}

/// A folder with a file in it.
fn folder_with(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("writes");
    (folder, path)
}

#[test]
fn commas_and_white_space_and_comments_are_read() {
    let text =
        "\u{feff}# made by hand\n1,2,10,20,30,40,1,-1,-1,-1\r\n\n  3 4\t10.5 -2e1 30 40 0.5 \n5, 6, 1, 1, 1, 1, 1,\n";
    let rows = mot::parse(file(), text, Holds::Tracks).expect("is right").rows;
    let read: Vec<_> = rows.iter().map(|row| (row.line, row.frame, row.id, row.bbox.top(), row.confidence)).collect();
    assert_eq!(read, [(2, 1, 2, 20.0, 1.0), (4, 3, 4, -20.0, 0.5), (5, 5, 6, 1.0, 1.0)]);
}

#[test]
fn every_wrong_line_is_told_with_its_cure() {
    let text = "\
1,1,10,20,30,40
1,1,ten,20,30,40,1
0,1,10,20,30,40,1
1.5,1,10,20,30,40,1
1,-1,10,20,30,40,1
1,1,10,20,-30,40,1
1,1,NaN,20,30,40,1
1,1,1e9,20,30,40,1
1,1,10,20,30,40,1e300
1,1,10,20,30,40,1
1,1,11,20,30,40,1
";
    let told = told(mot::parse(file(), text, Holds::Truth));
    for line in [
        "f.txt:1: has 6 columns: \"1,1,10,20,30,40\"",
        "f.txt:2: column 3 is no number: \"ten\"",
        "f.txt:3: 0 is no frame",
        "f.txt:4: 1.5 is no frame",
        "f.txt:5: -1 is no id",
        "f.txt:6: no box: left 10, top 20, width -30, height 40",
        "f.txt:7: column 3 is no number: \"NaN\"",
        "f.txt:8: no box: left 1000000000",
        "f.txt:9: the confidence 1",
        "f.txt:11: id 1 is in frame 1 twice, first on line 10",
        "10 errors in f.txt",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert_eq!(told.matches("    → ").count(), 10);
}

#[test]
fn a_file_that_is_wrong_throughout_is_told_briefly() {
    let told = told(mot::parse(file(), &"\u{1b}[31m nonsense\n".repeat(5000), Holds::Tracks));
    assert!(told.ends_with("5000 errors in f.txt, 4990 of them not shown"), "{told}");
    assert!(!told.contains('\u{1b}') && told.len() < 4000);
}

#[test]
fn column_eight_is_read_by_what_follows_it() {
    let label = |tail: &str| {
        let line = format!("1,-1,10,20,30,40,1{tail}");
        mot::parse(file(), &line, Holds::Detections).expect("is right").rows[0].label
    };
    assert_eq!(label(",1,0.8"), Label::Mot(1));
    assert_eq!(label(",2,-1,-1"), Label::Coco(2));
    assert_eq!(label(",0,-1,-1"), Label::Coco(0));
    for unknown in ["", ",-1", ",-1,-1", ",-1,-1,-1", ",-4.1,-7.3,0", ",4,7,0"] {
        assert_eq!(label(unknown), Label::Unknown, "{unknown}");
    }
    assert_eq!(Label::Mot(3).meaning(), Meaning::Object(Class::Car));
    assert_eq!(Label::Mot(7).meaning(), Meaning::Distractor(Class::Person));
    assert_eq!(Label::Coco(7).meaning(), Meaning::Object(Class::Truck));
    assert_eq!(Label::Coco(15).meaning(), Meaning::Other);
}

fn all_frames() -> FrameChoice {
    FrameChoice::every(1).expect("above 0")
}

fn compared(truth: &str, tracks: &str, every: u64, only: &[Class]) -> TrackComparison {
    let (_folder, path) = folder_with("gt.txt", truth);
    let choice = FrameChoice::every(every).expect("above 0");
    let params = TrackParams { choice, min_iou: 0.5, only: only.iter().copied().collect() };
    compare_tracks(&path, file(), Some(tracks), params).expect("is right")
}

#[test]
fn lines_with_flag_0_and_other_frames_are_left_out() {
    let truth = "1,1,0,0,10,10,1\n1,2,50,0,10,10,0\n2,1,0,0,10,10,1\n3,1,0,0,10,10,1\n";
    let report = compared(truth, "1,7,0,0,10,10,1\n2,8,0,0,10,10,1\n3,7,0,0,10,10,1\n", 2, &[]);
    assert_eq!((report.ignored_truth, report.report.truth_boxes, report.report.frames), (1, 2, 2));
    assert_eq!((report.report.clear.mota, report.report.clear.switches), (Some(1.0), 0));
    assert!(report.notes.is_empty());
}

#[test]
fn tracks_of_other_frames_or_classes_than_the_truth_are_noted() {
    let truth = "1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n3,1,0,0,10,10,1\n";
    let tracks = "# analysed_frames: 1,3\n1,7,0,0,10,10,1,0,-1,-1\n1,8,40,0,10,10,1,2,-1,-1\n3,7,0,0,10,10,1,0,-1,-1\n";
    let notes = compared(truth, tracks, 1, &[]).notes;
    assert!(notes[0].contains("analysed 2") && notes[1].contains("person, car"), "{notes:?}");
    let persons = compared(truth, tracks, 2, &[Class::Person]);
    assert!(persons.notes.is_empty());
    assert_eq!((persons.other_classes, persons.report.clear.mota), (1, Some(1.0)));
}

fn recorded_params(every: u64) -> RecordedParams {
    let choice = FrameChoice::every(every).expect("above 0");
    let tracker = TrackerParams { confirm_after: Duration::ZERO, ..TrackerParams::default() };
    RecordedParams { choice, fps: 10.0, size: None, class: Class::Person, tracker }
}

fn walk(frames: u64, tail: &str) -> String {
    (1..=frames).map(|frame| format!("{frame},-1,{},100,40,80,0.9{tail}\n", 4 * frame)).collect()
}

#[test]
fn a_walker_is_one_track_in_the_frames_that_were_chosen() {
    let (_folder, path) = folder_with("det.txt", &walk(40, ""));
    let retraced = retrace(&Recorded::read(&path).expect("is right"), &recorded_params(4)).expect("has a size");
    assert_eq!((retraced.frames, retraced.detections), (10, 10));
    assert_eq!(
        (retraced.size, &retraced.size_source),
        (PictureSize::new(200, 180).expect("a size"), &SizeSource::Inferred)
    );
    let tracks = mot::parse(file(), &retraced.tracks, Holds::Tracks).expect("is what it reads").rows;
    let seen: Vec<_> = tracks.iter().map(|row| (row.frame, row.id, row.label)).collect();
    // The first look only begins it.
    assert_eq!(seen, (1..10).map(|k| (1 + 4 * k, 1, Label::Coco(0))).collect::<Vec<_>>());
    assert!(tracks.iter().all(|row| (row.bbox.left() - 4.0 * row.frame as f64).abs() < 4.0), "{tracks:?}");
}

#[test]
fn classes_and_places_that_the_program_would_not_see_are_dropped_and_counted() {
    let text = walk(10, ",2,-1,-1")
        + "11,-1,5000,5,10,10,0.9,2,-1,-1\n11,-1,-30,5,40,60,0.9,2,-1,-1\n11,-1,5,5,10,10,0.9,15,-1,-1\n";
    let (_folder, path) = folder_with("det.txt", &text);
    let params = RecordedParams { size: PictureSize::new(640, 480), ..recorded_params(1) };
    let retraced = retrace(&Recorded::read(&path).expect("is right"), &params).expect("has a size");
    assert_eq!((retraced.detections, retraced.outside, retraced.other_classes), (11, 1, 1));
    assert_eq!(retraced.size_source, SizeSource::Given);
    assert!(retraced.tracks.lines().skip(1).all(|line| line.ends_with(",2,-1,-1")), "{}", retraced.tracks);
}

#[test]
fn the_size_is_read_from_the_sequences_own_file() {
    let (folder, ini) = folder_with("seqinfo.ini", "[Sequence]\nname=a\nimWidth=768\nimHeight = 576\n");
    std::fs::create_dir(folder.path().join("det")).expect("makes the folder");
    let path = folder.path().join("det/det.txt");
    std::fs::write(&path, walk(3, "")).expect("writes");
    let recorded = Recorded::read(&path).expect("is right");
    let retraced = retrace(&recorded, &recorded_params(1)).expect("has a size");
    assert_eq!(retraced.size.to_string(), "768x576");
    assert_eq!(retraced.size_source, SizeSource::SeqInfo(ini.clone()));
    std::fs::write(&ini, "[Sequence]\nimWidth=wide\n").expect("writes");
    let error = retrace(&recorded, &recorded_params(1)).expect_err("is no size").to_string();
    assert!(error.contains("seqinfo.ini:2: imWidth is no size: \"wide\""), "{error}");
}

#[test]
fn confidences_that_are_no_shares_are_refused() {
    let (_folder, path) = folder_with("det.txt", "1,-1,0,0,10,10,93.6\n");
    let error = Recorded::read(&path).expect_err("is wrong").to_string();
    assert!(error.contains(":1: the confidence 93.6 is not between 0 and 1"), "{error}");
}

fn detections(truth: &str, found: &str) -> Result<DetectionReport, EvalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let [truth, found] = [("truth", truth), ("found", found)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    });
    let params = DetectionsParams { truth: &truth, found: &found, choice: all_frames(), class: Class::Person };
    evaluate_detections(&params)
}

#[test]
fn mot_and_coco_files_give_figures_by_class() {
    let truth = "1,1,0,0,50,50,1,3,1\n1,2,100,0,50,50,1,1,1\n1,3,300,0,50,50,1,7,1\n1,4,400,0,50,50,0,3,1\n";
    let found = "1,-1,0,0,50,50,0.9,2,-1,-1\n1,-1,400,0,50,50,0.95,2,-1,-1\n1,-1,300,0,50,50,0.9,0,-1,-1\n1,-1,9,9,9,9,1,30,-1,-1\n";
    let report = detections(truth, found).expect("is right");
    let ap50 = |class: u32| {
        let of_class = report.precision.by_class.iter().find(|row| row.class == class).expect("is there");
        (report.names[&class].as_str(), of_class.by_size[0].truths, of_class.by_size[0].ap50)
    };
    // A car's flag is 0, a statue was taken for a person: neither is wrong.
    assert_eq!(ap50(2), ("car", 1, Some(1.0)));
    assert_eq!(ap50(0), ("person", 1, Some(0.0)));
    assert_eq!(report.other_classes, 1);

    let instances = r#"{"images": [{"id": 5}], "categories": [{"id": 3, "name": "xe"}],
        "annotations": [{"image_id": 5, "category_id": 3, "bbox": [0, 0, 50, 50]}]}"#;
    let results = r#"[{"image_id": 5, "category_id": 3, "bbox": [0, 0, 50, 50], "score": 0.5}]"#;
    let report = detections(instances, results).expect("is right");
    assert_eq!((report.names[&3].as_str(), report.precision.mean[0].ap50_95), ("xe", Some(1.0)));
}

#[test]
fn what_is_wrong_with_coco_documents_is_told() {
    let instances = |annotation: &str| {
        format!(
            r#"{{"images": [{{"id": 5}}], "categories": [{{"id": 3, "name": "xe"}}], "annotations": [{annotation}]}}"#
        )
    };
    let right = instances(r#"{"image_id": 5, "category_id": 3, "bbox": [0, 0, 50, 50]}"#);
    let told = |truth: &str, found: &str| detections(truth, found).expect_err("is wrong").to_string();
    let wrong = told(&instances(r#"{"image_id": 6, "category_id": 4, "bbox": [0, 0, -1]}"#), "[]");
    for what in ["no image 6", "no category 4", "annotations[0]: bbox is no box: [0.0, 0.0, -1.0]"] {
        assert!(wrong.contains(what), "{what}\n{wrong}");
    }
    assert!(told(&right, "[\n{\"image_id\": 5}]").contains("found:2: missing field"));
    assert!(told(&right, "1,-1,0,0,50,50,0.9").contains("is MOT text"));
    assert!(told("{\n", "[]").contains("truth:2: EOF"));
}

#[test]
fn what_is_no_text_file_is_said_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = |path: &Path| read_text(path).expect_err("is none").to_string();
    assert!(error(folder.path()).contains("is a folder"));
    assert!(error(&folder.path().join("gone")).contains("cannot be read"));
    let binary = folder.path().join("binary");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).expect("writes");
    assert!(error(&binary).contains("is not UTF-8 text"));
}

/// Lines that are nearly right: numbers, some of them absurd, in about the right number of columns.
fn nearly_mot() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        4 => (-5i32..100).prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| n.to_string()),
        1 => Just("1e308".to_owned()),
        1 => Just("-0".to_owned()),
        1 => "\\PC{0,3}",
    ];
    let line = proptest::collection::vec(number, 5..12).prop_map(|fields| fields.join(","));
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_brings_a_parser_down(text in prop_oneof![".*", "(?s).{0,400}", nearly_mot()]) {
        for holds in [Holds::Truth, Holds::Tracks, Holds::Detections] {
            if let Ok(mot) = mot::parse(file(), &text, holds) {
                prop_assert!(mot.rows.iter().all(|row| row.frame >= 1 && row.bbox.area() > 0.0));
            }
        }
        let _ = truth::parse(file(), &text);
        let _ = events::parse(file(), &text);
        let _ = coco::parse((file(), &text), (file(), &text));
        let _ = text.parse::<PictureSize>();
    }

    #[test]
    fn whatever_is_read_can_be_tracked_and_compared(text in nearly_mot(), every in 1u64..4) {
        let (_folder, path) = folder_with("det.txt", &text);
        if let Ok(recorded) = Recorded::read(&path)
            && let Ok(retraced) = retrace(&recorded, &recorded_params(every))
        {
            let params = TrackParams {
                choice: FrameChoice::every(every).expect("above 0"),
                min_iou: 0.5,
                only: ClassSet::EMPTY,
            };
            let _ = compare_tracks(&path, &path, Some(&retraced.tracks), params);
        }
    }

    #[test]
    fn times_that_are_read_are_sane(text in "[0-9:.hms]{0,12}") {
        let toml = format!("[[incident]]\ncamera = \"a\"\nkind = \"line-crossing\"\nstart = \"{text}\"\n");
        if let Ok(truth) = truth::parse(file(), &toml) {
            prop_assert!(truth.incidents.iter().all(|one| one.start_s.is_finite() && one.start_s >= 0.0));
        }
    }
}

//! Whatever is in a file of truth, tracks, detections or events: it is read, or every problem has its cure. No panic.

use proptest::prelude::*;

use super::{Holds, file, mot};
use crate::eval::problem::Problems;
use crate::eval::{coco, events, truth};

const MOT: &str = "1,1,10,20,30,40,1,1,0.8\n1,2,11,20,30,40,0.5,-1,-1,-1\n2,1,12.5,20,30,40,1\n";

const COCO: &str = r#"{"images":[{"id":1,"width":640,"height":480}],
"categories":[{"id":1,"name":"person"}],
"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,2,3,4],"iscrowd":0}]}"#;

const RESULTS: &str = r#"[{"image_id":1,"category_id":1,"bbox":[1,2,3,4],"score":0.5}]"#;

/// What a disk, an editor or a spreadsheet may put anywhere.
fn piece() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(vec![
        "",
        ",",
        ",,,",
        "\n",
        "\r",
        "\t",
        "\0",
        "\u{feff}",
        "\u{1b}[31m",
        "NaN",
        "-inf",
        "1e999",
        "-0",
        "0x10",
        "99999999999999999999",
        "-1",
        "1;2",
        "\"",
        "{",
        "}",
        "[[",
        "]",
        "null",
        "true",
        "\u{202e}",
        "1970-01-01T00:00:00Z",
        "24:61:61",
        "-5s",
        "9e18s",
        "start",
        "kind = \"wrong-way\"",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A good file with pieces put in, or put in place of what was there.
fn changed(good: &'static str) -> impl Strategy<Value = String> {
    let change = (0..=good.len(), 0usize..12, piece());
    proptest::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut text = good.to_owned();
        for (at, length, piece) in changes {
            let whole = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (from, to) = (whole(at), whole(at + length));
            text.replace_range(from..to, &piece);
        }
        text
    })
}

fn judge<T>(read: Result<T, Problems>) -> Result<(), TestCaseError> {
    let Err(problems) = read else { return Ok(()) };
    let said = problems.to_string();
    prop_assert!(said.contains("→"), "no cure: {}", said);
    prop_assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{:?}", said);
    prop_assert!(said.len() < 20_000, "{} bytes", said.len());
    Ok(())
}

proptest! {
    #[test]
    fn any_change_to_a_file_of_boxes_is_read_or_answered(text in changed(MOT)) {
        for holds in [Holds::Truth, Holds::Tracks, Holds::Detections] {
            judge(mot::parse(file(), &text, holds))?;
        }
    }

    #[test]
    fn any_change_to_coco_files_is_read_or_answered(truth in changed(COCO), found in changed(RESULTS)) {
        judge(coco::parse((file(), &truth), (file(), RESULTS)))?;
        judge(coco::parse((file(), COCO), (file(), &found)))?;
    }

    #[test]
    fn any_change_to_a_truth_is_read_or_answered(text in changed(super::incidents::TRUTH)) {
        judge(truth::parse(file(), &text))?;
    }

    #[test]
    fn any_text_at_all_is_read_or_answered(text in any::<String>()) {
        judge(mot::parse(file(), &text, Holds::Tracks))?;
        judge(coco::parse((file(), &text), (file(), &text)))?;
        judge(truth::parse(file(), &text))?;
        judge(events::parse(file(), &text))?;
    }
}

//! Whatever is written in a file: no panic, no message without place and cure, no secret shown.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::{ConfigErrors, Document, Home};
use super::wrong::{good, good_home};
use crate::detect::manifest::Manifest;

/// What a person, or a disk, may put into a line.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<String>().prop_map(|text| format!("{text:?}")),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        proptest::sample::select(vec![
            "nan",
            "-inf",
            "1e400",
            "true",
            "[]",
            "{}",
            "[[]]",
            "[[[]]]",
            "\"\"",
            "\"-1 h\"",
            "\"1e9s\"",
            "\"99999999999999 GiB\"",
            "2027-02-06",
            "07:32:00",
            "{ a = 1 }",
            "[{}]",
            "[[0.1, 0.2], [0.1]]",
            "\"24:00-24:00\"",
            "\"\\u0000\"",
            "'''",
            "\"rtsp://u:canary@h/\"",
            "\"mqtt://:canary@\"",
            "\"a.b[0].\\\"c\"",
            "[1.0, 2.0, 3.0, 4.0]",
            "9223372036854775808",
        ])
        .prop_map(str::to_owned),
    ]
}

/// A good file of which some lines were changed: their value, their key, or their all.
fn changed(kind: &'static str) -> impl Strategy<Value = String> {
    let lines: Vec<String> = good(kind).lines().map(str::to_owned).collect();
    let change = (0..lines.len(), 0u8..5, value(), "[a-z_.\\[\\]\"-]{0,8}");
    proptest::collection::vec(change, 1..5).prop_map(move |changes| {
        let mut lines = lines.clone();
        for (index, how, value, key) in changes {
            let (old_key, old_value) = lines[index].split_once('=').unwrap_or((&lines[index], ""));
            lines[index] = match how {
                0 => format!("{old_key} = {value}"),
                1 => format!("{key} = {old_value}"),
                2 => value,
                3 => String::new(),
                _ => format!("{0}\n{0}", lines[index]),
            };
        }
        lines.join("\n")
    })
}

fn judge(errors: &ConfigErrors) -> Result<(), TestCaseError> {
    let said = errors.to_string();
    prop_assert!(!errors.0.is_empty());
    prop_assert!(!said.contains("canary"), "{}", said);
    prop_assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{:?}", said);
    for error in &errors.0 {
        prop_assert!(!error.what.is_empty() && !error.cure.is_empty(), "{}", error);
    }
    for of_file in errors.0.chunk_by(|one, next| one.file == next.file) {
        prop_assert!(of_file.is_sorted_by_key(|error| error.line), "in the order of the file: {}", said);
    }
    Ok(())
}

/// Never written to.
static HOME: LazyLock<tempfile::TempDir> = LazyLock::new(good_home);

fn site_of(home: &Path, text: &str) -> Result<(), ConfigErrors> {
    let document = Document::from_text(&home.join("site.toml"), text);
    super::super::resolve::load(&document, &Home::at(home)).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_change_to_a_site_is_read_or_answered(text in changed("site")) {
        if let Err(errors) = site_of(HOME.path(), &text) {
            judge(&errors)?;
        }
    }

    #[test]
    fn any_change_to_another_file_is_read_or_answered(
        pipeline in changed("pipeline"), profile in changed("hw-profile"), holidays in changed("holidays"), which in 0u8..3
    ) {
        let home = good_home();
        let (path, text) = match which {
            0 => ("pipelines/road.toml", pipeline),
            1 => ("hw-profiles/box.toml", profile),
            _ => ("holidays.toml", holidays),
        };
        std::fs::write(home.path().join(path), text).expect("writes");
        if let Err(errors) = site_of(home.path(), &good("site")) {
            judge(&errors)?;
        }
    }

    #[test]
    fn any_change_to_a_manifest_is_read_or_answered(text in changed("model")) {
        let home = good_home();
        std::fs::write(home.path().join("models/tiny/model.toml"), text).expect("writes");
        if let Err(crate::detect::manifest::ModelError::Manifest(errors)) = Manifest::load(&home.path().join("models/tiny")) {
            judge(&errors)?;
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_answered(text in any::<String>()) {
        judge(&site_of(HOME.path(), &text).expect_err("no text is a site by chance"))?;
    }
}

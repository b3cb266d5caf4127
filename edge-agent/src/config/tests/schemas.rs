//! The schemas of the files that people write: right for every shipped file, and of use to one who completes by them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{deployed, root, toml_files};

/// Every shipped file with the name of its schema.
fn shipped() -> Vec<(PathBuf, &'static str)> {
    let models = std::fs::read_dir(root().join("models")).expect("the folder is there");
    let models = models.map(|entry| entry.expect("readable").path().join("model.toml")).filter(|file| file.is_file());
    let of = |files: Vec<PathBuf>, schema| files.into_iter().map(move |file| (file, schema));
    of(deployed(false), "site")
        .chain(of(deployed(true), "holidays"))
        .chain(of(toml_files("pipelines"), "pipeline"))
        .chain(of(toml_files("hw-profiles"), "hw-profile"))
        .chain(of(models.collect(), "model"))
        .collect()
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).expect("readable")
}

fn validator(schema: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&crate::schema::document(schema).expect("there is one")).expect("a valid schema")
}

fn complaints(schema: &str, toml_text: &str) -> Vec<String> {
    let value: Value = toml::from_str(toml_text).expect("TOML");
    validator(schema).iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_shipped_file_agrees_with_its_schema() {
    for (file, schema) in shipped() {
        let complaints = complaints(schema, &text(&file));
        assert!(complaints.is_empty(), "{}: {complaints:#?}", file.display());
    }
}

#[test]
fn schemas_complain_of_what_the_program_complains_of() {
    let good = super::wrong::good("site");
    assert_eq!(complaints("site", &good), Vec::<String>::new());
    for (right, wrong) in [
        ("kind = \"wrong-way\"", "kind = \"wrong-ways\""),
        ("id = \"a\"", ""),
        ("days = \"weekdays\"", "days = [\"monday\"]"),
        ("\"22:00-06:00\"", "\"24:00-06:00\""),
        ("holidays = \"closed\"", "holiday = \"closed\""),
        ("pipeline = \"road\"", "pipeline = \"road\"\nanalyse_fps = \"5\""),
        ("[0.9, 0.9]]\nheading", "[0.9, 0.9, 0.9]]\nheading"),
    ] {
        assert!(good.contains(right), "{right}");
        assert_ne!(complaints("site", &good.replacen(right, wrong, 1)), Vec::<String>::new(), "{wrong}");
    }
}

/// Goes through every property of a schema.
fn each_property(schema: &Value, at: &str, look: &mut dyn FnMut(&str, &Value)) {
    match schema {
        Value::Object(object) => {
            for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
                look(&format!("{at}.{name}"), property);
            }
            for (name, inner) in object {
                each_property(inner, &format!("{at}.{name}"), look);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| each_property(inner, at, look)),
        _ => {}
    }
}

#[test]
fn every_key_says_what_it_is_and_how_it_is_written() {
    for name in ["site", "pipeline", "hw-profile", "model", "holidays"] {
        let schema = crate::schema::document(name).expect("there is one");
        let (mut silent, mut dumb) = (Vec::new(), Vec::new());
        each_property(&schema, name, &mut |at, property| {
            let target = property["$ref"].as_str().and_then(|reference| schema.pointer(&reference[1..]));
            let said = |key: &str| property.get(key).or_else(|| target.and_then(|target| target.get(key)));
            if property.get("const").is_none() && said("description").is_none() {
                silent.push(at.to_owned());
            }
            // Whether a number or text can be written from what the editor shows.
            let is_plain = said("type").is_some_and(|kind| ["string", "number", "integer"].iter().any(|k| kind == k));
            let shown = ["default", "examples", "enum", "const", "minimum", "minLength"];
            if is_plain && shown.iter().all(|key| said(key).is_none()) {
                dumb.push(at.to_owned());
            }
            assert_ne!(property.get("default"), Some(&Value::Null), "{at}: TOML has no null");
        });
        assert!(silent.is_empty(), "without a description: {silent:#?}");
        assert!(dumb.is_empty(), "without default, example or limits: {dumb:#?}");
    }
}

/// `a/b/../c` as `a/c`.
fn without_dots(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, part| {
        if part.as_os_str() == ".." {
            path.pop();
        } else {
            path.push(part);
        }
        path
    })
}

#[test]
fn every_shipped_file_names_its_schema_here_and_as_installed() {
    for (file, schema) in shipped() {
        let text = text(&file);
        let named = text.lines().find_map(|line| line.strip_prefix("#:schema "));
        let named = named.unwrap_or_else(|| panic!("{} names no schema", file.display()));
        let folder = file.parent().expect("in a folder");
        let found: Value = serde_json::from_str(&super::schemas::text(&folder.join(named))).expect("JSON");
        assert_eq!(Some(found), crate::schema::document(schema), "{}", file.display());
        // Installed, schemas/ lies beside models/, pipelines/, hw-profiles/ and the examples.
        let relative = folder.strip_prefix(root()).expect("in the project");
        let installed = relative.strip_prefix("edge-agent").unwrap_or(relative);
        let schema = PathBuf::from("schemas").join(crate::schema::file_name(schema));
        assert_eq!(without_dots(&installed.join(named)), schema, "{}", file.display());
    }
}

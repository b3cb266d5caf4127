//! The site file as it was written: to be shown to who asks from afar, and to tell whether what it says of a camera or rule
//! has changed.
//!
//! # Invariants
//! No secret is in it: values of keys that name one are left out, addresses lose user and password, and comments, in which
//! people note anything, are not kept at all.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::digest::sha256;
use crate::secret::redact;

/// Stands for what is not shown.
const HIDDEN: &str = "***";
/// Parts of keys whose text is a secret.
const SECRET_KEYS: [&str; 6] = ["password", "passphrase", "secret", "token", "pin", "key"];

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    text: String,
    cameras: BTreeMap<String, String>,
    rules: BTreeMap<(String, String), String>,
}

impl Written {
    /// Of a file that is TOML; of another one nothing is known.
    #[must_use]
    pub fn of(file: &str) -> Self {
        file.parse().map(Self::of_table).unwrap_or_default()
    }

    /// The same of one that was parsed.
    #[must_use]
    pub fn of_table(mut table: Table) -> Self {
        let (mut cameras, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for camera in tables(&table, "camera") {
            let Some(id) = id(camera) else { continue };
            cameras.insert(id.to_owned(), sha256(toml::to_string(camera).unwrap_or_default()));
            for rule in tables(camera, "rule") {
                let Some(rule_id) = self::id(rule) else { continue };
                rules.insert((id.to_owned(), rule_id.to_owned()), sha256(toml::to_string(rule).unwrap_or_default()));
            }
        }
        hide(&mut table);
        Self { text: toml::to_string(&table).unwrap_or_default(), cameras, rules }
    }

    /// The file as TOML, in the order of its keys.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Digest of [`text`](Self::text), hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.text)
    }

    /// Changes with what the file says of a camera; empty where it says nothing.
    #[must_use]
    pub fn of_camera(&self, camera: &str) -> &str {
        self.cameras.get(camera).map_or("", String::as_str)
    }

    /// Changes with what the file says of a camera's rule; empty where it says nothing (the pipeline brings it).
    #[must_use]
    pub fn of_rule(&self, camera: &str, rule: &str) -> &str {
        self.rules.get(&(camera.to_owned(), rule.to_owned())).map_or("", String::as_str)
    }
}

fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn id(table: &Table) -> Option<&str> {
    table.get("id").and_then(Value::as_str)
}

fn hide(table: &mut Table) {
    for (key, value) in table.iter_mut() {
        let is_secret = SECRET_KEYS.iter().any(|part| key.split(['_', '-']).any(|word| word == *part));
        if is_secret && value.is_str() {
            *value = Value::String(HIDDEN.to_owned());
        }
        hide_in(value);
    }
}

fn hide_in(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(values) => values.iter_mut().for_each(hide_in),
        Value::Table(table) => hide(table),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        # the camera's password is canary-1
        [mqtt]
        url = "mqtts://box:canary-2@broker:8883"
        password = { credential = "mqtt" }
        [[camera]]
        id = "nam"
        detect = { url = "rtsp://admin:canary-3@192.0.2.1/sub?password=canary-4", password = "canary-5" }
        [[camera.rule]]
        id = "vach"
        kind = "line-crossing"
    "#;

    #[test]
    fn what_is_shown_of_a_file_holds_no_secret_and_all_else() {
        let shown = Written::of(FILE);
        assert!(!shown.text().contains("canary"), "{}", shown.text());
        let table: Table = shown.text().parse().expect("TOML");
        assert_eq!(table["mqtt"]["password"]["credential"].as_str(), Some("mqtt"), "a reference is no secret");
        assert_eq!(table["camera"][0]["rule"][0]["kind"].as_str(), Some("line-crossing"));
    }

    #[test]
    fn a_digest_changes_with_its_own_part_of_the_file_alone() {
        let (before, spaced) = (Written::of(FILE), Written::of(&FILE.replace("    ", " ")));
        assert_eq!(before, spaced);
        let moved = Written::of(&FILE.replace("192.0.2.1", "192.0.2.2"));
        assert_ne!(before.of_camera("nam"), moved.of_camera("nam"));
        assert_eq!(before.of_rule("nam", "vach"), moved.of_rule("nam", "vach"));
        assert_eq!(before.of_rule("nam", "no-such"), "");
    }
}

//! Keys that a schema requires and a document lacks: for types whose keys are not all optional.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::error::{ConfigError, ConfigErrors};

impl Document {
    /// Adds an error for each key that `schema` requires and the document lacks.
    pub fn report_missing(&self, schema: &schemars::Schema, errors: &mut ConfigErrors) {
        let Ok(table) = DeTable::parse(self.text()) else { return };
        let root = schema.as_value();
        let mut missing = Vec::new();
        collect(root, root, table.get_ref(), "", &mut missing);
        for (key, about) in missing {
            errors.0.push(ConfigError {
                file: self.file().to_owned(),
                line: self.line_of(&key),
                key,
                what: "is missing".to_owned(),
                cure: format!("write it: {about}"),
            });
        }
    }
}

fn collect(root: &Value, schema: &Value, table: &DeTable<'_>, prefix: &str, missing: &mut Vec<(String, String)>) {
    let schema = resolved(root, schema);
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(name) {
            missing.push((format!("{prefix}{name}"), sentence(root, &schema["properties"][name])));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(DeValue::Table(table)) = table.get(name.as_str()).map(|value| value.get_ref()) {
            collect(root, inner, table, &format!("{prefix}{name}."), missing);
        }
    }
}

fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The first sentence of what the schema says of a key, on one line.
fn sentence(root: &Value, schema: &Value) -> String {
    let about = schema["description"].as_str().or_else(|| resolved(root, schema)["description"].as_str());
    let about = about.unwrap_or("see the schema").replace('\n', " ");
    let first = about.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let mut letters = first.chars();
    // Not a word in capitals, such as SHA-256.
    let is_word = first.chars().nth(1).is_none_or(|second| !second.is_uppercase());
    match letters.next() {
        Some(letter) if is_word => letter.to_lowercase().chain(letters).collect(),
        _ => first.to_owned(),
    }
}

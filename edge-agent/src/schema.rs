//! Every schema of the project by name: of the files that people write, of the messages, and the AsyncAPI document.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};

use crate::config::raw::{RawHolidays, RawHwProfile, RawPipeline, RawSite};
use crate::detect::manifest::Manifest;
use crate::page::BoxStatus;
use crate::publish::schema as messages;
use crate::trust::Contents;

/// The files that people write.
const FILES: [&str; 6] = ["site", "pipeline", "hw-profile", "model", "holidays", "bundle"];

/// What `GET /api/v1/status` answers.
const API: &str = "api_status";

/// Every name there is.
#[must_use]
pub fn names() -> Vec<&'static str> {
    FILES.into_iter().chain(messages::names()).chain([API, "asyncapi"]).collect()
}

/// The document of this name.
#[must_use]
pub fn document(name: &str) -> Option<Value> {
    match name {
        "site" => Some(file_schema::<RawSite>("site file")),
        "pipeline" => Some(file_schema::<RawPipeline>("pipeline")),
        "hw-profile" => Some(file_schema::<RawHwProfile>("hardware profile")),
        "holidays" => Some(file_schema::<RawHolidays>("holidays")),
        "bundle" => Some(file_schema::<Contents>("bundle")),
        "model" => Some(file_schema::<Manifest>("model manifest")),
        API => Some(api_status()),
        "asyncapi" => Some(messages::asyncapi()),
        message => messages::message(message),
    }
}

fn file_schema<T: JsonSchema>(title: &str) -> Value {
    let mut schema = schema_for!(T).to_value();
    schema["title"] = json!(format!("Ngã Tư: {title}"));
    without_null(&mut schema);
    schema
}

/// Open to further keys, as messages are.
fn api_status() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = Schema::to_value(generator.into_root_schema_for::<BoxStatus>());
    schema["$id"] = json!(format!("urn:ngatu:schema:{API}:1"));
    schema["title"] = json!("How the box is: GET /api/v1/status of the status page");
    schema
}

/// TOML has no null: a key that may be left out is no key that may be null.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::Array(kinds)) = object.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = kinds.as_slice() {
                    object["type"] = only.clone();
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The file name under `schemas/` of the document of this name.
#[must_use]
pub fn file_name(name: &str) -> String {
    if FILES.contains(&name) { format!("{name}.schema.json") } else { format!("{name}.json") }
}

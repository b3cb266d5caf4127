//! Every schema of the project by name: of the files that people write, of the messages, and the AsyncAPI document.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};

use crate::config::raw::{RawHwProfile, RawPipeline, RawSite};
use crate::detect::manifest::Manifest;
use crate::page::BoxStatus;
use crate::publish::schema as messages;

/// The files that people write.
const FILES: [&str; 4] = ["site", "pipeline", "hw-profile", "model"];

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
        "model" => Some(file_schema::<Manifest>("model manifest")),
        API => Some(api_status()),
        "asyncapi" => Some(messages::asyncapi()),
        message => messages::message(message),
    }
}

fn file_schema<T: JsonSchema>(title: &str) -> Value {
    let mut schema = schema_for!(T).to_value();
    schema["title"] = json!(format!("Ngã Tư: {title}"));
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

/// The file name under `schemas/` of the document of this name.
#[must_use]
pub fn file_name(name: &str) -> String {
    if FILES.contains(&name) { format!("{name}.schema.json") } else { format!("{name}.json") }
}

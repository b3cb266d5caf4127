//! Every schema of the project by name: of the files that people write, of the messages, and the AsyncAPI document.

use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use crate::config::raw::{RawHwProfile, RawPipeline, RawSite};
use crate::detect::manifest::Manifest;
use crate::publish::schema as messages;

/// The files that people write.
const FILES: [&str; 4] = ["site", "pipeline", "hw-profile", "model"];

/// Every name there is.
#[must_use]
pub fn names() -> Vec<&'static str> {
    FILES.into_iter().chain(messages::names()).chain(["asyncapi"]).collect()
}

/// The document of this name.
#[must_use]
pub fn document(name: &str) -> Option<Value> {
    match name {
        "site" => Some(file_schema::<RawSite>("site file")),
        "pipeline" => Some(file_schema::<RawPipeline>("pipeline")),
        "hw-profile" => Some(file_schema::<RawHwProfile>("hardware profile")),
        "model" => Some(file_schema::<Manifest>("model manifest")),
        "asyncapi" => Some(messages::asyncapi()),
        message => messages::message(message),
    }
}

fn file_schema<T: JsonSchema>(title: &str) -> Value {
    let mut schema = schema_for!(T).to_value();
    schema["title"] = json!(format!("Ngã Tư: {title}"));
    schema
}

/// The file name under `schemas/` of the document of this name.
#[must_use]
pub fn file_name(name: &str) -> String {
    if FILES.contains(&name) { format!("{name}.schema.json") } else { format!("{name}.json") }
}

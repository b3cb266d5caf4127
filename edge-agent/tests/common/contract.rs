//! Every message that a test sees goes through [`validate`].
//!
//! The committed schemas tolerate further keys, as receivers must. Here every object is closed: this is the sender's own
//! check, and a key that is not in the contract is a mistake.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use edge_agent::publish::schema;
use edge_agent::publish::wire::{CommandName, MAX_CHUNK_BYTES};
use jsonschema::Validator;
use serde_json::{Value, json};

/// Panics, with all reasons, unless `payload` is what the contract says of `topic`.
pub(crate) fn validate(topic: &str, payload: &[u8]) {
    if let Err(reasons) = check(topic, payload) {
        panic!("{topic} breaks the contract: {reasons}\n{}", String::from_utf8_lossy(payload));
    }
}

/// What is wrong with a message.
pub(crate) fn check(topic: &str, payload: &[u8]) -> Result<(), String> {
    let place = Place::of(topic)?;
    if place.message == "evidence" {
        return place.holds(payload);
    }
    if place.message.is_empty() || place.message.starts_with("cmd_") {
        return Ok(());
    }
    let payload = if place.message == "chunk" {
        if payload.len() > MAX_CHUNK_BYTES {
            return Err(format!("{} bytes are more than a chunk may have", payload.len()));
        }
        payload.split(|byte| *byte == b'\n').next().unwrap_or_default()
    } else {
        payload
    };
    let value: Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let errors: Vec<String> = validators()[place.message]
        .iter_errors(&value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    place.agrees_with(&value)
}

/// What a topic says about its message.
struct Place<'a> {
    message: &'static str,
    source: String,
    levels: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn of(topic: &'a str) -> Result<Self, String> {
        let (root, rest) = topic.split_once("/v1/").ok_or("not a topic of version 1")?;
        let levels: Vec<&str> = rest.split('/').collect();
        let message = match levels[..] {
            ["host", _, "state"] => "host_state",
            [_, _, "birth"] => "birth",
            [_, _, "status"] => "status",
            [_, _, "health"] => "health",
            [_, _, "system"] => "system",
            [_, _, "audit"] => "audit",
            [_, _, "camera", _, "status"] => "camera_status",
            [_, _, "event", _, _] => "incident",
            [_, _, "measure", _] => "measure",
            [_, _, "evidence", _, _, _] => "evidence",
            [_, _, "ack", _] => "ack",
            [_, _, "chunk", _] => "chunk",
            // What a test sends wrongly on purpose is the box's to refuse.
            [_, _, "cmd", name] => CommandName::from_label(name).map_or("", schema::command_message),
            _ => return Err("not a topic of the contract".to_owned()),
        };
        let source = format!("/{root}/{}/{}", levels[0], levels[1]);
        Ok(Self { message, source, levels })
    }

    /// A picture: its topic's levels, its size, and that it is a JPEG.
    fn holds(&self, payload: &[u8]) -> Result<(), String> {
        let [_, _, _, camera, incident, name] = self.levels[..] else { return Err("levels".to_owned()) };
        let is_id = |id: &str| analytics::CameraId::new(id).is_ok();
        let named = name.strip_suffix(".jpg").is_some_and(is_id);
        if !is_id(camera) || !named || uuid::Uuid::parse_str(incident).is_err() {
            return Err("the topic names no picture of an incident".to_owned());
        }
        if payload.len() > 32 * 1024 {
            return Err(format!("{} bytes are more than 32 KiB", payload.len()));
        }
        let decoded = image::load_from_memory_with_format(payload, image::ImageFormat::Jpeg);
        decoded.map(|_| ()).map_err(|error| error.to_string())
    }

    /// What a schema cannot say: the message and its topic name the same box, camera and kind.
    fn agrees_with(&self, value: &Value) -> Result<(), String> {
        let expected = match (self.message, &self.levels[..]) {
            ("incident", [_, _, _, camera, kind]) => vec![
                ("/source", json!(self.source)),
                ("/subject", json!(camera)),
                ("/type", json!(format!("vn.ngatu.incident.{kind}.v1"))),
                ("/data/camera/id", json!(camera)),
                ("/data/kind", json!(kind)),
            ],
            ("measure", [_, _, _, camera]) => {
                vec![("/source", json!(self.source)), ("/subject", json!(camera)), ("/data/camera/id", json!(camera))]
            }
            ("system", [_, box_id, _]) => vec![("/source", json!(self.source)), ("/subject", json!(box_id))],
            ("ack", [_, _, _, name]) => vec![("/name", json!(name))],
            ("chunk", [_, _, _, command]) => vec![("/id", json!(command))],
            ("audit", [site, box_id, _]) => vec![("/site", json!(site)), ("/box", json!(box_id))],
            ("birth", [site, box_id, _]) => vec![("/site/id", json!(site)), ("/box", json!(box_id))],
            ("camera_status", [_, _, _, camera, _]) => vec![("/camera", json!(camera))],
            _ => vec![],
        };
        for (pointer, expected) in expected {
            let found = value.pointer(pointer).unwrap_or(&Value::Null);
            if *found != expected {
                return Err(format!("{pointer} is {found}, the topic says {expected}"));
            }
        }
        Ok(())
    }
}

fn validators() -> &'static BTreeMap<&'static str, Validator> {
    static VALIDATORS: OnceLock<BTreeMap<&'static str, Validator>> = OnceLock::new();
    VALIDATORS.get_or_init(|| {
        schema::names()
            .map(|name| {
                let mut schema = schema::message(name).expect("listed");
                close(&mut schema);
                let validator = jsonschema::options().should_validate_formats(true).build(&schema);
                (name, validator.expect("a valid schema"))
            })
            .collect()
    })
}

/// Refuses keys that an object's schema does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

//! The committed schemas are those of the types, and they catch mistakes.

use std::path::PathBuf;

use analytics::{BoxId, Phase, SiteId};
use edge_agent::publish::wire::{
    CameraLadder, DegradedCamera, Incident, LadderData, LadderHealth, Stamp, UtcMillis, box_degraded,
};
use edge_agent::publish::{TopicRoot, Topics, schema};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::contract;
use crate::fixture::{PLAIN, draft};

fn committed(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas").join(file)
}

/// `UPDATE_SCHEMAS=1` writes them instead.
#[test]
fn schemas_are_current() {
    let schemas = schema::names().map(|name| (format!("{name}.json"), schema::message(name).expect("listed")));
    for (file, value) in schemas.chain([("asyncapi.json".to_owned(), schema::asyncapi())]) {
        let text = serde_json::to_string_pretty(&value).expect("writes") + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(committed(&file), text).expect("writes");
        } else {
            let found = std::fs::read_to_string(committed(&file)).expect("is committed");
            assert_eq!(found, text, "{file} is not current: run with UPDATE_SCHEMAS=1 and read what changed");
        }
    }
}

const EXAMPLE_TOPIC: &str = "ngatu/v1/ql10-nut-01/box-a/event/huong-nam/wrong_way";

fn example() -> Value {
    let text = std::fs::read_to_string(committed("incident.example.json")).expect("is committed");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_example_of_the_contract_is_valid_and_survives_reading_and_writing() {
    contract::validate(EXAMPLE_TOPIC, example().to_string().as_bytes());
    let event: Incident = serde_json::from_value(example()).expect("reads");
    assert_eq!(serde_json::to_value(&event).expect("writes"), example());
}

#[test]
fn a_written_event_has_the_keys_of_the_contract_in_its_order() {
    let mut event = draft(1, 1, Phase::New, PLAIN).event().clone();
    let stamp = Stamp { sequence: Default::default(), recorded_at: UtcMillis::now(), outbox_id: Uuid::nil() };
    event.stamp(stamp);
    let text = String::from_utf8(event.to_bytes()).expect("UTF-8");
    let places: Vec<usize> = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "recordedtime",
        "datacontenttype",
        "dataschema",
        "sequence",
        "data",
        "incident_id",
        "phase",
        "revision",
        "kind",
        "label",
        "severity",
        "verification",
        "started_at",
        "ended_at",
        "camera",
        "position",
        "zone",
        "line",
        "direction",
        "tracks",
        "why",
        "evidence",
        "time_quality",
        "outbox_id",
        "replayed",
        "suppressed",
    ]
    .iter()
    .map(|key| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is missing")))
    .collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("\"confidence\":0.831,") && text.contains("[-2.0,0.1235,0.5]"), "{text}");
}

#[test]
fn what_the_box_gives_up_is_told_as_the_contract_says() {
    let (site, of_box) = (SiteId::new("ql10-nut-01").expect("an id"), BoxId::new("box-a").expect("an id"));
    let topics = Topics::new(TopicRoot::new("ngatu").expect("a root"), site, of_box);
    let step = CameraLadder {
        step: "key_frames".into(),
        cause: "hot".into(),
        analyse_fps: 1.0,
        not_judged: vec!["nguoc-chieu".to_owned()],
    };
    let camera = DegradedCamera { camera: "huong-nam".to_owned(), ladder: step };
    for (level, kind) in [(3, "vn.ngatu.system.box_degraded.v1"), (0, "vn.ngatu.system.box_recovered.v1")] {
        let (cause, temperature_c) = (Some("hot".into()).filter(|_| level > 0), Some(91.5));
        let health = LadderHealth { level, lowest: 6, cause, since: UtcMillis::now(), temperature_c };
        let cameras = if level > 0 { vec![camera.clone()] } else { Vec::new() };
        let mut event = box_degraded(&topics, UtcMillis::now(), LadderData { health, cameras });
        event.data.outbox_id = Uuid::from_u128(1);
        assert_eq!(event.r#type, kind);
        contract::validate(&topics.system(), &serde_json::to_vec(&event).expect("writes"));
    }
}

#[test]
fn mistakes_are_caught() {
    let mistakes: [(&str, Value); 14] = [
        ("/sequence", json!("18231")),
        ("/id", json!("01A201F2-B56E-7B3A-9F10-5C2D1E8A0B44")),
        ("/time", json!("2026-11-22T06:30:12Z")),
        ("/time", json!("2026-11-22T13:30:12.480+07:00")),
        ("/type", json!("vn.ngatu.incident.wrong-way.v1")),
        ("/source", json!("/ngatu/ql10-nut-01/box-b")),
        ("/subject", json!("Hướng Nam")),
        ("/data/kind", json!("loitering")),
        ("/data/phase", json!("open")),
        ("/data/severity", json!("low")),
        ("/data/revision", json!(0)),
        ("/data/tracks/0/bbox", json!([0.1, 0.2, 0.3])),
        ("/data/why/thresholds/angle_deg", json!("120")),
        ("/data/position/coordinates", json!([106.3])),
    ];
    for (pointer, value) in mistakes {
        let mut event = example();
        *event.pointer_mut(pointer).expect("is there") = value.clone();
        assert!(contract::check(EXAMPLE_TOPIC, event.to_string().as_bytes()).is_err(), "{pointer} = {value}");
    }
}

#[test]
fn every_key_is_required_and_no_other_is_sent() {
    fn objects(value: &Value, at: String, found: &mut Vec<String>) {
        if let Value::Object(map) = value {
            found.push(at.clone());
            map.iter().for_each(|(key, value)| objects(value, format!("{at}/{key}"), found));
        }
    }
    let mut found = Vec::new();
    objects(&example(), String::new(), &mut found);
    for at in found.iter().filter(|at| !at.contains("/thresholds") && !at.contains("/measured")) {
        let keys: Vec<String> =
            example().pointer(at).and_then(Value::as_object).expect("one").keys().cloned().collect();
        for key in keys {
            let mut event = example();
            event.pointer_mut(at).and_then(Value::as_object_mut).expect("one").remove(&key);
            let checked = contract::check(EXAMPLE_TOPIC, event.to_string().as_bytes());
            assert!(checked.is_err(), "{at}/{key} can be left out");
        }
        let mut event = example();
        event.pointer_mut(at).and_then(Value::as_object_mut).expect("one").insert("surprise".to_owned(), json!(1));
        assert!(contract::check(EXAMPLE_TOPIC, event.to_string().as_bytes()).is_err(), "{at} takes a surprise");
        // A receiver must take it all the same.
        assert!(serde_json::from_value::<Incident>(event).is_ok());
    }
}

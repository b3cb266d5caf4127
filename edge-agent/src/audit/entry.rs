//! What whoever acts hands to the log.

use std::fmt;

use analytics::{CameraId, RuleId};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::publish::wire::{Action, Actor, Outcome, Source};
use crate::secret::redact;

/// Characters of a text that someone else chose; what is longer is cut, with a mark.
const LONGEST_TEXT: usize = 300;
/// Bytes of a line's detail; a larger one is replaced by its size.
const LARGEST_DETAIL: usize = 24 << 10;

/// To what something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object(String);

impl Object {
    /// A camera.
    #[must_use]
    pub fn camera(id: &CameraId) -> Self {
        Self(format!("camera/{id}"))
    }

    /// A camera's masks.
    #[must_use]
    pub fn mask(camera: &CameraId) -> Self {
        Self(format!("mask/{camera}"))
    }

    /// A camera's rule.
    #[must_use]
    pub fn rule(camera: &CameraId, rule: &RuleId) -> Self {
        Self(format!("rule/{camera}/{rule}"))
    }

    /// An incident.
    #[must_use]
    pub fn incident(id: Uuid) -> Self {
        Self(format!("incident/{id}"))
    }

    /// A piece of an incident's evidence, by its name.
    #[must_use]
    pub fn evidence(incident: Uuid, name: &str) -> Self {
        Self(format!("evidence/{incident}/{name}"))
    }

    /// A model.
    #[must_use]
    pub fn model(name: &str) -> Self {
        Self(format!("model/{name}"))
    }

    /// A local account, by its name, which need not exist.
    #[must_use]
    pub fn account(name: &str) -> Self {
        Self(format!("account/{name}"))
    }

    /// A certificate, by what it is for.
    #[must_use]
    pub fn certificate(of: &str) -> Self {
        Self(format!("certificate/{of}"))
    }

    /// Recorded data of one class: `snapshots`, `clips`, `tracks`, …
    #[must_use]
    pub fn data(class: &str) -> Self {
        Self(format!("data/{class}"))
    }

    /// A command from the centre, by its name.
    #[must_use]
    pub fn command(name: &str) -> Self {
        Self(format!("command/{name}"))
    }

    /// As [`Display`](fmt::Display) wrote it.
    pub(super) fn told(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The configuration.
    #[must_use]
    pub fn configuration() -> Self {
        Self("configuration".to_owned())
    }

    /// The outbox.
    #[must_use]
    pub fn outbox() -> Self {
        Self("outbox".to_owned())
    }

    /// The audit log itself.
    #[must_use]
    pub fn audit() -> Self {
        Self("audit".to_owned())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is to become a line; number, time, clock, boot, session and hashes are the log's.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub source: Source,
    /// What was done.
    pub action: Action,
    /// To what; `None`: the box as a whole.
    pub object: Option<Object>,
    /// What came of it.
    pub outcome: Outcome,
    /// Whatever else is worth knowing; never a secret.
    pub detail: Map<String, Value>,
}

impl AuditEntry {
    /// Something that was done, by whom and from where.
    #[must_use]
    pub fn new(actor: Actor, source: Source, action: Action) -> Self {
        Self { actor, source, action, object: None, outcome: Outcome::Done, detail: Map::new() }
    }

    /// Something that the program did by itself.
    #[must_use]
    pub fn by_system(action: Action) -> Self {
        Self::new(Actor::System, Source::System, action)
    }

    /// To what it was done.
    #[must_use]
    pub fn on(mut self, object: Object) -> Self {
        self.object = Some(object);
        self
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Something more of it.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }

    /// The same with texts of bearable length and without what looks like a secret.
    pub(super) fn bounded(mut self) -> Self {
        match &mut self.actor {
            Actor::System => {}
            Actor::Person { name } | Actor::Account { name } => bound(name),
        }
        if let Source::Page { address } = &mut self.source {
            bound(address);
        }
        match &mut self.outcome {
            Outcome::Done => {}
            Outcome::Refused { reason } | Outcome::Failed { reason } => bound(reason),
        }
        if let Some(Object(object)) = &mut self.object {
            bound(object);
        }
        self.detail.values_mut().for_each(bound_value);
        let bytes = serde_json::to_vec(&self.detail).map_or(0, |bytes| bytes.len());
        if bytes > LARGEST_DETAIL {
            self.detail = Map::from_iter([("omitted_bytes".to_owned(), Value::from(bytes))]);
        }
        self
    }
}

fn bound(text: &mut String) {
    *text = redact(text);
    if let Some((cut, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(cut);
        text.push('…');
    }
}

fn bound_value(value: &mut Value) {
    match value {
        Value::String(text) => bound(text),
        Value::Array(values) => values.iter_mut().for_each(bound_value),
        Value::Object(members) => members.values_mut().for_each(bound_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_chose_is_bounded_and_carries_no_secret() {
        let entry = AuditEntry::new(Actor::person("x".repeat(1000)), Source::Mqtt, Action::Command)
            .outcome(Outcome::failed("rtsp://u:c4n4ry@cam/ failed"))
            .with("nested", serde_json::json!({ "why": ["password=c4n4ry"] }))
            .bounded();
        let text = format!("{entry:?}");
        assert!(!text.contains("c4n4ry"), "{text}");
        assert_eq!(entry.actor, Actor::person(format!("{}…", "x".repeat(LONGEST_TEXT))));
        let large = AuditEntry::by_system(Action::Command).with("list", vec!["x".repeat(200); 200]).bounded();
        assert_eq!(large.detail.keys().collect::<Vec<_>>(), ["omitted_bytes"]);
    }
}

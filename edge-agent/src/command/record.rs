//! The audit line that every command leaves.

use uuid::Uuid;

use super::envelope::{Order, Request};
use super::jobs::CONFIG_APPLY;
use crate::audit::{Action, Actor, AuditEntry, Object, Outcome, Source};
use crate::digest;
use crate::publish::wire::{AckState, Reason};

/// Who asked for what, and what came of it.
pub(super) struct Told<'a> {
    /// The last level of the topic.
    pub(super) level: &'a str,
    /// Who asked; empty where that could not be read.
    pub(super) actor: &'a str,
    /// The command's id.
    pub(super) id: Option<Uuid>,
    /// What it says; `None` where that could not be read.
    pub(super) order: Option<&'a Order>,
    /// How it stands.
    pub(super) state: AckState,
    pub(super) reason: Option<Reason>,
    /// What exactly went wrong.
    pub(super) detail: Option<&'a str>,
    /// It had been done before.
    pub(super) again: bool,
}

impl Told<'_> {
    pub(super) fn entry(&self) -> AuditEntry {
        let request = self.order.map(|order| &order.request);
        let code = self.reason.map_or("", Reason::code);
        let outcome = match self.state {
            AckState::Accepted | AckState::Done => Outcome::Done,
            AckState::Refused => Outcome::refused(code),
            AckState::Failed => Outcome::failed(code),
        };
        let actor = if self.actor.is_empty() { "?" } else { self.actor };
        let of_configuration = self.of_configuration();
        let action = of_configuration.or(request.map(action)).unwrap_or(Action::Command);
        let object = of_configuration.map(|_| Object::configuration()).or(request.and_then(object));
        let entry = AuditEntry::new(Actor::person(actor), Source::Mqtt, action)
            .on(object.unwrap_or_else(|| Object::command(self.level)))
            .outcome(outcome)
            .with("command", self.level);
        let entry = match self.id {
            Some(id) => entry.with("id", id.to_string()),
            None => entry,
        };
        let entry = optional(entry, "why", self.detail.map(str::to_owned));
        let entry = if self.again { entry.with("again", true) } else { entry };
        request.map_or(entry.clone(), |request| detailed(entry, request))
    }
}

impl Told<'_> {
    /// A configuration from the centre that is in force, or was given up.
    fn of_configuration(&self) -> Option<Action> {
        match (self.state, self.reason) {
            _ if self.level != CONFIG_APPLY => None,
            (AckState::Done, _) => Some(Action::ConfigurationApplied),
            (AckState::Failed, Some(Reason::RolledBack)) => Some(Action::ConfigurationRolledBack),
            _ => None,
        }
    }
}

fn optional(entry: AuditEntry, key: &str, value: Option<String>) -> AuditEntry {
    match value {
        Some(value) => entry.with(key, value),
        None => entry,
    }
}

fn action(request: &Request) -> Action {
    match request {
        Request::Camera { enabled: true, .. } => Action::CameraEnabled,
        Request::Camera { enabled: false, .. } => Action::CameraDisabled,
        Request::Rule { armed: true, .. } => Action::RuleArmed,
        Request::Rule { armed: false, .. } => Action::RuleDisarmed,
        Request::Acknowledge(_) => Action::Acknowledged,
        Request::Verdict(_) => Action::Verdict,
        Request::LogLevel(_) => Action::LogLevelChanged,
        Request::ConfigFetch(_) => Action::ConfigurationRead,
        Request::EvidenceFetch { .. } => Action::Export,
        Request::Snapshot { .. } | Request::Rebirth | Request::ConfigApply(_) => Action::Command,
    }
}

fn object(request: &Request) -> Option<Object> {
    match request {
        Request::Snapshot { camera } | Request::Camera { camera, .. } => Some(Object::camera(camera)),
        Request::Rule { camera, rule, .. } => Some(Object::rule(camera, rule)),
        Request::EvidenceFetch { incident, name, .. } => Some(Object::evidence(*incident, name.as_str())),
        Request::Acknowledge(arguments) => Some(Object::incident(arguments.incident_id)),
        Request::Verdict(arguments) => Some(Object::incident(arguments.incident_id)),
        Request::ConfigFetch(_) | Request::ConfigApply(_) => Some(Object::configuration()),
        Request::Rebirth | Request::LogLevel(_) => None,
    }
}

fn detailed(entry: AuditEntry, request: &Request) -> AuditEntry {
    match request {
        Request::Camera { until, reason, .. } | Request::Rule { until, reason, .. } => {
            let entry = optional(entry, "until", until.map(|until| until.to_string()));
            optional(entry, "reason", reason.clone())
        }
        Request::Verdict(arguments) => {
            optional(entry.with("verdict", arguments.verdict.label()), "reason", arguments.reason.clone())
        }
        Request::LogLevel(arguments) => {
            entry.with("level", arguments.level.label()).with("until", arguments.until.to_string())
        }
        Request::EvidenceFetch { offset, .. } => entry.with("offset", *offset),
        Request::ConfigApply(arguments) => {
            let sha256 = digest::sha256(&arguments.text);
            optional(entry.with("sha256", sha256), "reason", arguments.reason.clone())
        }
        Request::Snapshot { .. } | Request::Acknowledge(_) | Request::Rebirth | Request::ConfigFetch(_) => entry,
    }
}

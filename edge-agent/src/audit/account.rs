//! The lines that every run writes: that it began, with which configuration and models, what of them differs from the run
//! before; that it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::entry::{AuditEntry, Object};
use super::log::AuditLog;
use super::read::last;
use crate::config::{Camera, Site};
use crate::digest::hex;
use crate::privacy::Masks;
use crate::publish::wire::{Action, AuditLine, ModelRef};

/// Lines about single changes; what is beyond is a number.
const MOST_CHANGES: usize = 100;

/// What a run begins with.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The models that were opened.
    pub models: Vec<ModelRef>,
    /// Where a damaged outbox was put.
    pub set_aside: Option<PathBuf>,
}

/// Writes the lines of a run's beginning. Waits for the disk. What cannot be written is counted by the log and seen in its
/// status: a box that cannot write still watches.
pub fn begin(log: &AuditLog, site: &Site, begun: &Begun) {
    // Lines of commands beside the service are no runs.
    let of_run = |line: &AuditLine| matches!(line.action, Action::Start | Action::Stop);
    let run = last(log.folder(), of_run).ok().flatten();
    let before = last(log.folder(), |line| line.action == Action::ConfigurationLoaded).ok().flatten();
    let append = |entry: AuditEntry| {
        let _ = log.append(entry);
    };
    if let Some(started) = run.filter(|line| line.action == Action::Start) {
        append(
            AuditEntry::by_system(Action::UncleanEnd)
                .with("started_by_line", started.number)
                .with("session", started.session.to_string())
                .with("box_restarted", started.boot != log.boot()),
        );
    }
    append(AuditEntry::by_system(Action::Start).with("software", env!("CARGO_PKG_VERSION")));
    if let Some(file) = &begun.set_aside {
        append(super::task::set_aside(Some(file)));
    }
    let now = Digests::of(site);
    let changes = before.map(|line| now.changes(&Digests::read(&line.detail)));
    let loaded = AuditEntry::by_system(Action::ConfigurationLoaded).on(Object::configuration());
    let loaded = loaded.with("sha256", site.digest.clone()).with("software", env!("CARGO_PKG_VERSION"));
    let loaded = loaded.with("signed_by", site.signed_by.clone());
    let count = changes.as_ref().map(Vec::len);
    append(loaded.with("changes", count).with("digests", json!(now.0)));
    changes.into_iter().flatten().take(MOST_CHANGES).for_each(append);
    for model in &begun.models {
        append(
            AuditEntry::by_system(Action::ModelLoaded)
                .on(Object::model(&model.name))
                .with("sha256", model.sha256.clone())
                .with("provider", model.provider.to_string()),
        );
    }
}

/// Writes the line of a graceful stop. Waits for the disk.
pub fn end(log: &AuditLog, incidents: u64, pending: u64) {
    let _ =
        log.append(AuditEntry::by_system(Action::Stop).with("incidents", incidents).with("events_waiting", pending));
}

/// Short digests of what a configuration is made of, by what they are of (`camera/…`, `rule/…/…`).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digests(BTreeMap<String, String>);

impl Digests {
    fn of(site: &Site) -> Self {
        let mut all = BTreeMap::new();
        let mut put = |object: String, what: &dyn std::fmt::Debug| {
            let digest = Sha256::digest(format!("{what:?}"));
            all.insert(object, hex(&digest[..6]));
        };
        for camera in &site.cameras {
            for rule in &camera.rules {
                put(Object::rule(&camera.id, &rule.id).to_string(), rule);
            }
            if !camera.masks.is_empty() {
                put(Object::mask(&camera.id).to_string(), &camera.masks.polygons());
            }
            let rest = Camera { rules: Vec::new(), masks: Masks::default(), ..camera.clone() };
            put(Object::camera(&camera.id).to_string(), &rest);
        }
        for camera in &site.disabled {
            put(Object::camera(camera).to_string(), &"disabled");
        }
        Self(all)
    }

    fn read(detail: &Map<String, Value>) -> Self {
        let written = detail.get("digests").and_then(Value::as_object).cloned().unwrap_or_default();
        let text = |(object, digest): (String, Value)| Some((object, digest.as_str()?.to_owned()));
        Self(written.into_iter().filter_map(text).collect())
    }

    /// A line for each thing that differs.
    fn changes(&self, before: &Self) -> Vec<AuditEntry> {
        let objects: std::collections::BTreeSet<&String> = self.0.keys().chain(before.0.keys()).collect();
        let change = |object: &String| {
            let (old, new) = (before.0.get(object), self.0.get(object));
            let how = match (old, new) {
                (None, _) => "added",
                (_, None) => "removed",
                (old, new) if old != new => "changed",
                _ => return None,
            };
            let action = match object.split('/').next() {
                Some("rule") => Action::RuleChanged,
                Some("mask") => Action::MaskChanged,
                _ => Action::CameraChanged,
            };
            let entry = AuditEntry::by_system(action).on(Object::told(object)).with("change", how);
            Some(entry.with("digests", json!([old, new])))
        };
        objects.into_iter().filter_map(change).collect()
    }
}

//! What was reported: CloudEvents, one a line, as `replay` and `watch --json` print them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use evaluation::incidents::FoundIncident;
use uuid::Uuid;

use super::problem::{Problems, quote};
use super::{EvalError, read_text};
use crate::publish::wire::{Incident, Phase, UtcMillis};

/// The type of incident events, up to the kind.
const INCIDENT: &str = "vn.ngatu.incident.";

/// The incidents of a file of events; their times are seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFile {
    /// In the order in which they first appear.
    pub incidents: Vec<FoundIncident>,
    /// Events of incidents, each counted once.
    pub events: u64,
    /// Lines that are other messages.
    pub others: u64,
    /// Incidents whose beginning is not in the file: when they were reported is not known, and their first event there
    /// stands for it.
    pub without_beginning: u64,
}

/// Reads a file of events. An event that is there twice counts once.
///
/// # Errors
/// A file that cannot be read, or every line of it that is wrong.
pub fn read_events(file: &Path) -> Result<EventFile, EvalError> {
    Ok(parse(file, &read_text(file)?)?)
}

pub(super) fn parse(file: &Path, text: &str) -> Result<EventFile, Problems> {
    let mut problems = Problems::of(file);
    let mut seen: BTreeSet<(String, Uuid)> = BTreeSet::new();
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let mut incidents: Vec<Seen> = Vec::new();
    let mut number_of: BTreeMap<(String, Uuid), usize> = BTreeMap::new();
    let mut others = 0;
    for (line, content) in (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()) {
        let event = match event(content) {
            Ok(Some(event)) => event,
            Ok(None) => {
                others += 1;
                continue;
            }
            Err((what, cure)) => {
                problems.add(line, what, cure);
                continue;
            }
        };
        let camera = &event.data.camera.id;
        let source = sources.entry(camera.clone()).or_insert_with(|| event.source.clone());
        if *source != event.source {
            let what = format!("camera {} is of {} and of {}", quote(camera), quote(source), quote(&event.source));
            problems.add(line, what, "evaluate the events of one box at a time");
        }
        if !seen.insert((event.source.clone(), event.id)) {
            continue;
        }
        let next = incidents.len();
        let number = *number_of.entry((event.source.clone(), event.data.incident_id)).or_insert(next);
        if number == next {
            incidents.push(Seen::first(&event));
        } else {
            incidents[number].and(&event);
        }
    }
    let without_beginning = incidents.iter().filter(|incident| !incident.has_beginning).count() as u64;
    let incidents = incidents.into_iter().map(Seen::found).collect();
    problems.or(EventFile { incidents, events: seen.len() as u64, others, without_beginning })
}

/// The incident event of a line; `None` for another message.
fn event(content: &str) -> Result<Option<Incident>, (String, &'static str)> {
    const CURE: &str = "give the lines that `replay --events` or `watch --json` printed";
    let wrong = |error: serde_json::Error| {
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        (format!("is no event: {what}: {}", quote(content)), CURE)
    };
    let value: serde_json::Value = serde_json::from_str(content).map_err(wrong)?;
    match value.get("type").and_then(serde_json::Value::as_str) {
        Some(kind) if kind.starts_with(INCIDENT) => serde_json::from_value(value).map(Some).map_err(wrong),
        Some(_) => Ok(None),
        None => Err((format!("is no CloudEvent: it has no type: {}", quote(content)), CURE)),
    }
}

/// An incident, from the events seen of it.
struct Seen {
    newest: Incident,
    opened: UtcMillis,
    has_beginning: bool,
}

impl Seen {
    fn first(event: &Incident) -> Self {
        Self { newest: event.clone(), opened: event.time, has_beginning: event.data.phase == Phase::New }
    }

    fn and(&mut self, event: &Incident) {
        if event.data.phase == Phase::New {
            (self.opened, self.has_beginning) = (event.time, true);
        } else if !self.has_beginning {
            self.opened = self.opened.min(event.time);
        }
        if event.data.revision > self.newest.data.revision {
            self.newest = event.clone();
        }
    }

    fn found(self) -> FoundIncident {
        let seconds = |time: UtcMillis| time.as_unix_millis() as f64 / 1e3;
        let data = self.newest.data;
        let start_s = seconds(data.started_at);
        FoundIncident {
            camera: data.camera.id,
            kind: data.kind.into_owned(),
            rule: data.why.rule,
            zone: data.zone,
            line: data.line,
            direction: data.direction.map(std::borrow::Cow::into_owned),
            start_s,
            end_s: data.ended_at.map_or(f64::INFINITY, seconds).max(start_s),
            opened_s: seconds(self.opened),
            shows: None,
        }
    }
}

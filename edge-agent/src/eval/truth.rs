//! What really happened, as a person writes it down: a TOML file of observed spans, incidents and hand counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use analytics::kind::Lasting;
use analytics::{Direction, Kind};
use evaluation::incidents::{Detail, Observed, Span, TruthCount, TruthIncident};
use serde::Deserialize;

use super::problem::{Problems, quote};
use super::{EvalError, read_text};
use crate::config::{ConfigErrors, Document, parse_duration};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTruth {
    start: Option<String>,
    observed: Vec<RawObserved>,
    incident: Vec<RawIncident>,
    count: Vec<RawCount>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawObserved {
    camera: Option<String>,
    start: Option<String>,
    end: Option<String>,
    kinds: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawIncident {
    camera: Option<String>,
    kind: Option<String>,
    start: Option<String>,
    end: Option<String>,
    rule: Option<String>,
    zone: Option<String>,
    line: Option<String>,
    direction: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCount {
    camera: Option<String>,
    kind: Option<String>,
    count: Option<u64>,
    start: Option<String>,
    end: Option<String>,
    rule: Option<String>,
    zone: Option<String>,
    line: Option<String>,
    direction: Option<String>,
}

/// A truth; its times are seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthFile {
    /// What happened.
    pub incidents: Vec<TruthIncident>,
    /// How often something happened, where nobody noted when.
    pub counts: Vec<TruthCount>,
    spans: Vec<Span>,
    file: PathBuf,
}

impl TruthFile {
    /// What was observed: so many camera-hours when they are given, else as the file says. Hand counts alone need neither:
    /// nothing beside them is judged then.
    ///
    /// # Errors
    /// Neither says it.
    pub fn observed(&self, camera_hours: Option<f64>) -> Result<Observed, EvalError> {
        match camera_hours {
            Some(hours) => Ok(Observed::CameraHours(hours)),
            None if self.spans.is_empty() && (self.counts.is_empty() || !self.incidents.is_empty()) => {
                Err(EvalError::NotObserved(self.file.clone()))
            }
            None => Ok(Observed::Spans(self.spans.clone())),
        }
    }
}

/// Reads a truth.
///
/// # Errors
/// A file that cannot be read, or everything that is wrong with it.
pub fn read_truth(file: &Path) -> Result<TruthFile, EvalError> {
    Ok(parse(file, &read_text(file)?)?)
}

pub(super) fn parse(file: &Path, text: &str) -> Result<TruthFile, Problems> {
    let document = Document::from_text(file, text);
    let mut errors = ConfigErrors::default();
    let raw: Option<RawTruth> = document.deserialize(&mut errors);
    let mut problems = Problems::of(file);
    problems.add_all(errors);
    let raw = raw.unwrap_or_default();
    let mut resolve = Resolve { document: &document, problems, start_s: 0.0 };
    if let Some(start) = &raw.start {
        resolve.start_s = resolve.start(start);
    }
    let spans: Vec<Span> =
        raw.observed.iter().enumerate().filter_map(|(k, raw)| resolve.span(&format!("observed[{k}]"), raw)).collect();
    let incidents: Vec<(usize, TruthIncident)> = raw
        .incident
        .iter()
        .enumerate()
        .filter_map(|(k, raw)| Some((k, resolve.incident(&format!("incident[{k}]"), raw)?)))
        .collect();
    let counts =
        raw.count.iter().enumerate().filter_map(|(k, raw)| resolve.count(&format!("count[{k}]"), raw)).collect();
    for (k, incident) in incidents.iter().filter(|_| !spans.is_empty()) {
        if !spans.iter().any(|span| holds(span, incident)) {
            let what = "happened while its kind was not observed on this camera";
            resolve.wrong(&format!("incident[{k}]"), what, "widen an [[observed]] section, its times or kinds");
        }
    }
    let incidents = incidents.into_iter().map(|(_, incident)| incident).collect();
    resolve.problems.or(TruthFile { incidents, counts, spans, file: file.to_owned() })
}

fn holds(span: &Span, incident: &TruthIncident) -> bool {
    span.camera == incident.camera
        && (span.kinds.is_empty() || span.kinds.contains(&incident.kind))
        && span.start_s <= incident.start_s
        && incident.start_s <= span.end_s
}

struct Resolve<'a> {
    document: &'a Document,
    problems: Problems,
    /// What times without a date count from.
    start_s: f64,
}

impl Resolve<'_> {
    fn wrong(&mut self, key: &str, what: &str, cure: &str) {
        let line = if self.problems.is_full() { None } else { self.document.line_of(key) };
        self.problems.add(line, format!("{key}: {what}"), cure);
    }

    fn start(&mut self, text: &str) -> f64 {
        rfc3339(text).unwrap_or_else(|| {
            let what = format!("{} is no date and time", quote(text));
            self.wrong("start", &what, "write it as \"2026-11-22T06:00:00+07:00\"");
            0.0
        })
    }

    fn required<T>(&mut self, table: &str, key: &str, value: Option<T>, cure: &str) -> Option<T> {
        if value.is_none() {
            self.wrong(&format!("{table}.{key}"), "is missing", cure);
        }
        value
    }

    fn camera(&mut self, table: &str, camera: Option<&String>) -> Option<String> {
        let camera = self.required(table, "camera", camera, "write the camera's id, as in the site file")?;
        if analytics::CameraId::new(camera).is_err() {
            let what = format!("{} is no camera id", quote(camera));
            self.wrong(&format!("{table}.camera"), &what, "write 1 to 40 of a-z, 0-9 and -, as in the site file");
        }
        Some(camera.clone())
    }

    fn kind(&mut self, key: &str, kind: &str) -> Option<Kind> {
        let known = Kind::from_file_label(kind).or_else(|| Kind::from_wire_label(kind));
        if known.is_none() {
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.file_label()).collect();
            self.wrong(
                key,
                &format!("{} is no kind of incident", quote(kind)),
                &format!("choose one of: {}", all.join(", ")),
            );
        }
        known
    }

    /// Seconds since 1970 of a time as a person writes it.
    fn time(&mut self, key: &str, text: &str) -> Option<f64> {
        let time = rfc3339(text).or_else(|| Some(self.start_s + since_start(text)?));
        if time.is_none() {
            let cure = "write \"90.5s\", \"01:30.5\", \"1:02:03\" (from the start), or \"2026-11-22T06:00:00+07:00\"";
            self.wrong(key, &format!("{} is no time", quote(text)), cure);
        }
        time
    }

    fn times(&mut self, table: &str, start: &str, end: Option<&String>) -> Option<(f64, f64)> {
        let start_s = self.time(&format!("{table}.start"), start);
        let end_s = match end {
            Some(end) => self.time(&format!("{table}.end"), end),
            None => start_s,
        };
        let (start_s, end_s) = (start_s?, end_s?);
        if end_s < start_s {
            self.wrong(&format!("{table}.end"), "is before the start", "write the later time as end");
            return None;
        }
        Some((start_s, end_s))
    }

    fn span(&mut self, table: &str, raw: &RawObserved) -> Option<Span> {
        let camera = self.camera(table, raw.camera.as_ref());
        let how = "write when someone began to look, such as \"0s\"";
        let start = self.required(table, "start", raw.start.as_ref(), how);
        let end = self.required(table, "end", raw.end.as_ref(), "write when someone stopped looking, such as \"1h\"");
        let mut kinds = BTreeSet::new();
        for kind in &raw.kinds {
            kinds.extend(self.kind(&format!("{table}.kinds"), kind).map(|kind| kind.wire_label().to_owned()));
        }
        let (start_s, end_s) = self.times(table, start?, Some(end?))?;
        if start_s == end_s {
            self.wrong(&format!("{table}.end"), "is the start", "a span that was observed lasts");
            return None;
        }
        Some(Span { camera: camera?, start_s, end_s, kinds: kinds.into_iter().collect() })
    }

    fn incident(&mut self, table: &str, raw: &RawIncident) -> Option<TruthIncident> {
        let camera = self.camera(table, raw.camera.as_ref());
        let kind = self.required(table, "kind", raw.kind.as_ref(), "write a kind of incident, such as \"wrong-way\"");
        let kind = kind.and_then(|kind| self.kind(&format!("{table}.kind"), kind));
        let start = self.required(table, "start", raw.start.as_ref(), "write when it began, such as \"12.5s\"");
        if raw.end.is_none() && kind.is_some_and(|kind| kind.lasting() == Lasting::Level) {
            self.wrong(
                &format!("{table}.end"),
                "is missing: this kind lasts",
                "write when it was over, such as \"20s\"",
            );
        }
        let detail = self.detail(table, [&raw.rule, &raw.zone, &raw.line, &raw.direction]);
        let (start_s, end_s) = self.times(table, start?, raw.end.as_ref())?;
        Some(TruthIncident {
            camera: camera?,
            kind: kind?.wire_label().to_owned(),
            detail,
            start_s,
            end_s,
            early_s: 0.0,
            actors: Vec::new(),
        })
    }

    fn count(&mut self, table: &str, raw: &RawCount) -> Option<TruthCount> {
        let camera = self.camera(table, raw.camera.as_ref());
        let kind =
            self.required(table, "kind", raw.kind.as_ref(), "write a kind of incident, such as \"line-crossing\"");
        let kind = kind.and_then(|kind| self.kind(&format!("{table}.kind"), kind));
        let count = self.required(table, "count", raw.count, "write how many there were");
        let detail = self.detail(table, [&raw.rule, &raw.zone, &raw.line, &raw.direction]);
        let mut bound = |key: &str, text: Option<&String>, without: f64| match text {
            Some(text) => self.time(&format!("{table}.{key}"), text),
            None => Some(without),
        };
        let start_s = bound("start", raw.start.as_ref(), f64::NEG_INFINITY);
        let end_s = bound("end", raw.end.as_ref(), f64::INFINITY);
        let (start_s, end_s) = (start_s?, end_s?);
        if end_s < start_s {
            self.wrong(&format!("{table}.end"), "is before the start", "write the later time as end");
        }
        let kind = kind?.wire_label().to_owned();
        Some(TruthCount { camera: camera?, kind, detail, start_s, end_s, count: count? })
    }

    fn detail(&mut self, table: &str, [rule, zone, line, direction]: [&Option<String>; 4]) -> Detail {
        let wire = direction.as_ref().map(|direction| direction.replace('-', "_"));
        let known = [Direction::LeftToRight, Direction::RightToLeft].map(Direction::label);
        if let Some(direction) = wire.as_ref().filter(|direction| !known.contains(&direction.as_str())) {
            let what = format!("{} is no direction", quote(direction));
            let cure = format!("write \"{}\", as one walks the line from its first point", known.join("\" or \""));
            self.wrong(&format!("{table}.direction"), &what, &cure);
        }
        Detail { rule: rule.clone(), zone: zone.clone(), line: line.clone(), direction: wire }
    }
}

fn rfc3339(text: &str) -> Option<f64> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(timestamp.as_microsecond() as f64 / 1e6)
}

/// `90.5s`, `1h`, `01:30.5` or `1:02:03`, in seconds.
fn since_start(text: &str) -> Option<f64> {
    if !text.contains(':') {
        return Some(parse_duration(text).ok()?.as_secs_f64()).filter(|seconds| *seconds <= LATEST_S);
    }
    let parts: Vec<&str> = text.trim().split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let mut seconds = 0.0;
    for (k, part) in parts.iter().enumerate() {
        let is_last = k + 1 == parts.len();
        let is_number = part.chars().all(|c| c.is_ascii_digit() || (is_last && c == '.'));
        let value: f64 = part.parse().ok().filter(|_| is_number)?;
        if k > 0 && value >= 60.0 {
            return None;
        }
        seconds = 60.0 * seconds + value;
    }
    Some(seconds).filter(|seconds| *seconds <= LATEST_S)
}

/// Ten thousand years: what is later is a slip.
const LATEST_S: f64 = 10_000.0 * 365.25 * 86_400.0;

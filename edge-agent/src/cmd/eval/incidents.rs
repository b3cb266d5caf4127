//! `eval incidents`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use edge_agent::eval::{self, EventFile, TruthFile};
use evaluation::incidents::{CountScore, FoundIncident, Report, Row, ScoreParams, TruthIncident, Verdict, score};
use serde::Serialize;

/// Missed and false incidents that the table lists.
const LISTED: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The truth is a TOML file:
  start = \"2026-11-22T06:00:00+07:00\"   # what the times below count from; default 1970-01-01T00:00:00Z, as replay's
  [[observed]]                          # someone looked at this camera and noted all that happened: the denominator
  camera = \"huong-nam\"
  start = \"0s\"
  end = \"2h\"
  kinds = [\"wrong-way\"]                 # only these were noted; default: all
  [[incident]]
  camera = \"huong-nam\"
  kind = \"wrong-way\"
  start = \"12:07.5\"                     # also \"727.5s\", \"1:02:03\", \"2026-11-22T06:12:07.5+07:00\"
  end = \"12:31\"                         # of what lasts; at will: rule, zone, line, direction, which must then agree
  [[count]]                             # a hand count, where nobody noted when
  camera = \"huong-nam\"
  kind = \"line-crossing\"
  line = \"mid\"
  direction = \"left_to_right\"
  count = 9                             # at will: start, end

Events are CloudEvents, one a line, as `replay --events` and `watch --json` print them.

Examples:
  edge-agent replay night.mp4 --site site.toml --events events.jsonl
  edge-agent eval incidents --truth truth.toml --events events.jsonl
  edge-agent eval incidents --truth truth.toml --events events.jsonl --tolerance 5s --json
  edge-agent eval incidents --truth empty.toml --events events.jsonl --hours 48

docs/eval.md says how incidents are matched and where the intervals come from.")]
pub(crate) struct Args {
    /// What really happened.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,

    /// What was reported.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,

    /// Camera-hours observed in all, whatever the truth says; every event is then judged.
    #[arg(long, value_name = "H", value_parser = hours)]
    hours: Option<f64>,

    /// Truth and report may be this far apart and still be the same.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = crate::cmd::parse_duration)]
    tolerance: Duration,

    /// Print one JSON object; times are seconds since 1970-01-01T00:00:00Z.
    #[arg(long)]
    json: bool,
}

/// Everything there is to say.
#[derive(Serialize)]
struct Output<'a> {
    tolerance_s: f64,
    events: u64,
    other_messages: u64,
    without_beginning: u64,
    not_judged: u64,
    by_rule: &'a [Row],
    total: &'a Row,
    counts: &'a [CountScore],
    missed: Vec<&'a TruthIncident>,
    false_alarms: Vec<&'a FoundIncident>,
    duplicates: Vec<&'a FoundIncident>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let truth = eval::read_truth(&args.truth)?;
    let events = eval::read_events(&args.events)?;
    let params = ScoreParams { tolerance_s: args.tolerance.as_secs_f64() };
    let report = score(&truth.incidents, &truth.counts, &events.incidents, &truth.observed(args.hours)?, params);
    let output = output(&truth, &events, &report, params);
    if args.json {
        super::print_json(&output)?;
    } else {
        print!("{}", table(&output));
    }
    Ok(ExitCode::SUCCESS)
}

fn output<'a>(truth: &'a TruthFile, events: &'a EventFile, report: &'a Report, params: ScoreParams) -> Output<'a> {
    let missed = truth.incidents.iter().zip(&report.matched).filter(|(_, matched)| matched.is_none());
    let judged = |wanted: fn(&Verdict) -> bool| {
        let both = events.incidents.iter().zip(&report.verdicts);
        both.filter(move |(_, verdict)| wanted(verdict)).map(|(found, _)| found).collect()
    };
    Output {
        tolerance_s: params.tolerance_s,
        events: events.events,
        other_messages: events.others,
        without_beginning: events.without_beginning,
        not_judged: report.not_judged,
        by_rule: &report.by_rule,
        total: &report.total,
        counts: &report.counts,
        missed: missed.map(|(truth, _)| truth).collect(),
        false_alarms: judged(|verdict| *verdict == Verdict::FalseAlarm),
        duplicates: judged(|verdict| matches!(verdict, Verdict::Duplicate(_))),
    }
}

fn table(output: &Output<'_>) -> String {
    let mut lines = vec![format!(
        "{} incidents, {} reports in {} events; 95 % confidence intervals; tolerance {} s",
        output.total.truths, output.total.found, output.events, output.tolerance_s
    )];
    for row in output.by_rule {
        let kind = row.kind.as_deref().unwrap_or("?");
        lines.extend(block(
            &row.rule.as_ref().map_or_else(|| kind.to_owned(), |rule| format!("{kind}, rule {rule}")),
            row,
        ));
    }
    if output.by_rule.len() != 1 {
        lines.extend(block("all together", output.total));
    }
    if !output.counts.is_empty() {
        lines.push("\nhand counts (in none of the figures above)".to_owned());
        lines.extend(output.counts.iter().map(count_line));
    }
    let missed = output.missed.iter().map(|truth| {
        let end = if truth.end_s > truth.start_s { format!(" to {}", moment(truth.end_s)) } else { String::new() };
        format!("{} {} {}{end}", truth.camera, truth.kind, moment(truth.start_s))
    });
    lines.extend(list("missed", missed.collect()));
    let found = |found: &&FoundIncident| {
        format!("{} {} {} reported {}", found.camera, found.kind, found.rule, moment(found.opened_s))
    };
    lines.extend(list("false alarms", output.false_alarms.iter().map(found).collect()));
    lines.extend(list("duplicates", output.duplicates.iter().map(found).collect()));
    if output.not_judged > 0 {
        lines.push(format!(
            "\nnote: {} reports not judged: nobody observed their kind then and there",
            output.not_judged
        ));
    }
    if output.without_beginning > 0 {
        let count = output.without_beginning;
        lines.push(format!(
            "\nnote: the beginning of {count} reports is not in the file; their first event there stands for it"
        ));
    }
    lines.join("\n") + "\n"
}

fn block(name: &str, row: &Row) -> Vec<String> {
    let Row { truths, detected, found, false_alarms, camera_hours, duplicates, .. } = row;
    let mut lines = vec![
        format!("\n{name}"),
        format!("  detected      {detected} of {truths} incidents: {}", super::percent(row.detection_rate)),
    ];
    let a_day = row.false_alarms_per_camera_day.map_or_else(
        || "-".to_owned(),
        |rate| format!("{:.2} ({:.2} to {:.2}) a camera-day", rate.value, rate.low, rate.high),
    );
    lines.push(format!("  false alarms  {false_alarms} in {camera_hours:.2} camera-hours: {a_day}"));
    lines.push(format!("  false share   {false_alarms} of {found} reports: {}", super::percent(row.false_share)));
    lines.push(format!("  duplicates    {duplicates} of {found} reports: {}", super::percent(row.duplicate_share)));
    lines.push(match row.time_to_detect {
        Some(delay) => format!(
            "  time taken    mean {:.2} s, median {:.2} s, 95 % within {:.2} s, of {} detected",
            delay.mean_s, delay.median_s, delay.p95_s, delay.count
        ),
        None => "  time taken    -, of 0 detected".to_owned(),
    });
    lines
}

fn count_line(count: &CountScore) -> String {
    let truth = &count.truth;
    let detail = &truth.detail;
    let which: Vec<&str> = [&detail.rule, &detail.zone, &detail.line, &detail.direction]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let error = i128::from(count.found) - i128::from(truth.count);
    format!(
        "  {} {} {}: {} found of {} counted ({error:+})",
        truth.camera,
        truth.kind,
        which.join(" "),
        count.found,
        truth.count
    )
}

fn list(name: &str, lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    let head = (!lines.is_empty()).then(|| format!("\n{name}"));
    let tail = (more > 0).then(|| format!("  … and {more} more: --json has them all"));
    head.into_iter().chain(lines.into_iter().take(LISTED).map(|line| format!("  {line}"))).chain(tail).collect()
}

/// RFC 3339, to the millisecond; seconds since 1970 where that cannot write it.
fn moment(seconds: f64) -> String {
    match jiff::Timestamp::from_millisecond((seconds * 1e3).round() as i64) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => format!("{seconds} s"),
    }
}

fn hours(text: &str) -> Result<f64, String> {
    let hours = text.parse().ok().filter(|hours| *hours > 0.0 && *hours <= 1e7);
    hours.ok_or_else(|| "write a number of hours above 0, such as 48".to_owned())
}

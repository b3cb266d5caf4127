//! All rules over many simulated camera-hours: detection rate, false alarms per camera-day, time to detect and duplicates, by
//! rule, each with its 95 % interval; the table that RESULTS.md keeps.
//!
//! - `hours` runs seeds of one set (`tuning`, or `held-out`, which no rule was tuned on) at every place, in as many threads
//!   as there are cores. What is in doubt (see `docs/simulator.md`) counts neither way and is counted apart.
//! - `sweep` runs the same hours under ever worse assumed night and rain, to where rules fail.
//! - `rates` runs them at 5, 10, 15, 25 and 30 frames a second, and with half the frames lost by chance.
//! - `mot` writes one hour's true boxes and detections as MOTChallenge files, for the tracker.
//!
//! The same command gives the same table, whatever the number of threads.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use evaluation::incidents::Row;
use simulator::detector::Condition;
use simulator::mot;
use simulator::place::Place;
use simulator::places;
use simulator::run::{self, HourParams, Scored, seeds};

#[derive(Debug, Parser)]
#[command(about = "Runs all rules over simulated camera-hours and scores them")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The table by rule.
    Hours(Hours),
    /// The same under assumed night and rain, ever worse.
    Sweep(Hours),
    /// The same at several frame rates, and with half the frames lost.
    Rates(Hours),
    /// One hour as MOTChallenge files: gt.txt and det.txt.
    Mot(Mot),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Set {
    /// On these rules may be tuned.
    Tuning,
    /// These are only ever scored.
    HeldOut,
}

impl Set {
    fn seed(self, index: usize) -> u64 {
        let first = match self {
            Self::Tuning => seeds::TUNING,
            Self::HeldOut => seeds::HELD_OUT,
        };
        first + index as u64
    }
}

#[derive(Debug, Clone, Args)]
struct Hours {
    /// Camera-hours at each place.
    #[arg(long, default_value_t = 336)]
    hours: usize,
    /// Which seeds.
    #[arg(long, value_enum, default_value_t = Set::HeldOut)]
    seeds: Set,
    /// Pictures analysed a second.
    #[arg(long, default_value_t = 5)]
    fps: u32,
    /// Mean seconds between two things out of the ordinary; 0 for none.
    #[arg(long, default_value_t = 400.0)]
    deed_every: f64,
    /// Without a calibration: rules measure in box heights.
    #[arg(long)]
    uncalibrated: bool,
    /// This share of the frames is lost by chance, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    drop: f64,
    /// List what was missed and what was a false alarm.
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Clone, Args)]
struct Mot {
    /// Where.
    #[arg(long, default_value = "road")]
    place: String,
    /// Number of the tuning seed; modulo 24 it is the hour of the day.
    #[arg(long, default_value_t = 7)]
    seed: usize,
    /// How long, in seconds.
    #[arg(long, default_value_t = 300.0)]
    seconds: f64,
    /// Pictures analysed a second.
    #[arg(long, default_value_t = 5)]
    fps: u32,
    /// The folder for gt.txt and det.txt.
    #[arg(long, default_value = ".")]
    to: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Hours(params) => hours(&params),
        Command::Sweep(params) => sweep(&params),
        Command::Rates(params) => rates(&params),
        Command::Mot(params) => write_mot(&params)?,
    }
    Ok(())
}

fn jobs(params: &Hours, condition: Condition) -> Vec<HourParams> {
    let of = |place: &Place, index| HourParams {
        place: place.clone(),
        seed: params.seeds.seed(index),
        seconds: 3600.0,
        fps: params.fps,
        condition,
        is_calibrated: !params.uncalibrated,
        deed_every_s: if params.deed_every > 0.0 { params.deed_every } else { f64::INFINITY },
        dropped: params.drop,
    };
    places::all().iter().flat_map(|place| (0..params.hours).map(move |index| of(place, index))).collect()
}

/// Runs all jobs, in their order whatever thread ran them.
fn scored(jobs: &[HourParams]) -> Scored {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, Scored)> = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { return done };
            let mut scored = Scored::default();
            scored.add(&run::hour(job));
            done.push((index, scored));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<(usize, Scored)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("an hour does not panic")).collect()
    });
    all.sort_by_key(|(index, _)| *index);
    let mut scored = Scored::default();
    for (_, hour) in all {
        scored.join(hour);
    }
    scored
}

fn hours(params: &Hours) {
    let began = std::time::Instant::now();
    let jobs = jobs(params, Condition::Day);
    let scored = scored(&jobs);
    let took = began.elapsed().as_secs_f64();
    println!(
        "{} camera-hours at {} frames/s ({:.0} % dropped), seeds {:#x} and on; {:.0} s, {:.0} times real time; {} found were in doubt",
        scored.hours,
        params.fps,
        100.0 * params.drop,
        params.seeds.seed(0),
        took,
        scored.hours * 3600.0 / took,
        scored.in_doubt
    );
    table(&scored);
    if params.list {
        list(&scored);
    }
}

fn table(scored: &Scored) {
    println!(
        "| kind | rule | truly | detected (95 %) | false alarms a camera-day (95 %) | duplicates | time to detect s, median / 95 % |"
    );
    println!("|---|---|---|---|---|---|---|");
    for row in scored.by_rule() {
        let rate = row.detection_rate.map_or_else(
            || "–".to_owned(),
            |rate| format!("{:.1} % ({:.1} to {:.1})", 100.0 * rate.value, 100.0 * rate.low, 100.0 * rate.high),
        );
        let alarms = row
            .false_alarms_per_camera_day
            .map_or_else(|| "–".to_owned(), |rate| format!("{:.2} ({:.2} to {:.2})", rate.value, rate.low, rate.high));
        let duplicates =
            row.duplicate_share.map_or_else(|| "–".to_owned(), |rate| format!("{:.1} %", 100.0 * rate.value));
        let delay = row
            .time_to_detect
            .map_or_else(|| "–".to_owned(), |delay| format!("{:.1} / {:.1}", delay.median_s, delay.p95_s));
        println!(
            "| {} | {} | {} | {rate} | {alarms} | {duplicates} | {delay} |",
            row.kind.as_deref().unwrap_or("all"),
            row.rule.as_deref().unwrap_or("all"),
            row.truths
        );
    }
}

fn list(scored: &Scored) {
    let report = scored.report();
    for (truth, matched) in scored.truth.iter().zip(&report.matched) {
        if matched.is_none() && truth.kind != "line_crossing" {
            let rule = truth.detail.rule.as_deref().unwrap_or("");
            println!("missed {} {rule} {:.1} to {:.1}", truth.camera, truth.start_s, truth.end_s);
        }
    }
    for (found, verdict) in scored.found.iter().zip(&report.verdicts) {
        if matches!(verdict, evaluation::incidents::Verdict::FalseAlarm) && found.kind != "line_crossing" {
            println!("false {} {} {:.1} opened {:.1}", found.camera, found.rule, found.start_s, found.opened_s);
        }
    }
}

fn sweep(params: &Hours) {
    let levels = [0.5, 1.0, 1.5, 2.0];
    let night = levels.map(|assumed| (format!("night {assumed}"), Condition::Night { assumed }));
    let rain = levels.map(|assumed| (format!("rain {assumed}"), Condition::Rain { assumed }));
    println!("Assumed, not measured: {} camera-hours each", params.hours * places::all().len());
    let all = [("day".to_owned(), Condition::Day)].into_iter().chain(night).chain(rain);
    side_by_side(all.map(|(name, condition)| (name, scored(&jobs(params, condition)).by_kind())).collect());
}

fn rates(params: &Hours) {
    println!("{} camera-hours each", params.hours * places::all().len());
    let at = |fps, drop| {
        let name = if drop > 0.0 { format!("{fps}, {:.0} % lost", 100.0 * drop) } else { format!("{fps} a second") };
        (name, scored(&jobs(&Hours { fps, drop, ..params.clone() }, Condition::Day)).by_rule())
    };
    let whole = [5, 10, 15, 25, 30].map(|fps| at(fps, 0.0));
    side_by_side(whole.into_iter().chain([5, 10].map(|fps| at(fps, 0.5))).collect());
}

/// A row a kind or rule, a column a run: detected, and false alarms a camera-day.
fn side_by_side(runs: Vec<(String, Vec<Row>)>) {
    let mut names: BTreeSet<(String, String)> = BTreeSet::new();
    let key = |row: &Row| (row.kind.clone().unwrap_or_default(), row.rule.clone().unwrap_or_default());
    names.extend(runs.iter().flat_map(|(_, rows)| rows.iter().map(key)));
    println!("| | truly | {} |", runs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" | "));
    println!("|---|---|{}", "---|".repeat(runs.len()));
    for name in names {
        let of = |rows: &[Row]| rows.iter().find(|row| key(row) == name).cloned();
        let cell = |(_, rows): &(String, Vec<Row>)| {
            let Some(row) = of(rows) else { return "–".to_owned() };
            let rate = row.detection_rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.0} %", 100.0 * rate.value));
            let alarms = row.false_alarms_per_camera_day.map_or(f64::NAN, |rate| rate.value);
            format!("{rate}; {alarms:.0}")
        };
        let truths = runs.iter().filter_map(|(_, rows)| of(rows)).map(|row| row.truths).max().unwrap_or(0);
        let cells: Vec<String> = runs.iter().map(cell).collect();
        let label = if name.1.is_empty() { name.0 } else { format!("{} {}", name.0, name.1) };
        println!("| {label} | {truths} | {} |", cells.join(" | "));
    }
}

fn write_mot(params: &Mot) -> anyhow::Result<()> {
    let place = places::all().into_iter().find(|place| place.name == params.place);
    let place = place.with_context(|| format!("there is no place called {}", params.place))?;
    let mut feed = run::feed(&HourParams {
        place,
        seed: Set::Tuning.seed(params.seed),
        seconds: params.seconds,
        fps: params.fps,
        condition: Condition::Day,
        is_calibrated: true,
        deed_every_s: f64::INFINITY,
        dropped: 0.0,
    });
    let mot = mot::written(&mut feed, |_| true);
    std::fs::write(params.to.join("gt.txt"), mot.truth).context("gt.txt")?;
    std::fs::write(params.to.join("det.txt"), mot.detections).context("det.txt")
}

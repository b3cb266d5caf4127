//! `eval`: detections, tracks and incidents against ground truth.

mod detections;
mod incidents;
mod tracks;

use std::process::ExitCode;

use analytics::Class;
use clap::Subcommand;
use edge_agent::config::{Home, HomeError};
use edge_agent::eval::FrameChoice;
use evaluation::interval::Rate;
use serde::Serialize;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent eval tracks --gt gt.txt --hyp tracks.txt
  edge-agent eval tracks --gt gt.txt --detections det.txt --fps 10 --every 2
  edge-agent eval detections --gt instances.json --det results.json
  edge-agent eval incidents --truth truth.toml --events events.jsonl

docs/eval.md says what each figure means and how it is computed.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tracks: MOTA, MOTP, IDF1, HOTA, switches; of a file, or of this program's tracker on recorded detections.
    Tracks(tracks::Args),
    /// Detections: average precision by class and size, as COCO defines it.
    Detections(detections::Args),
    /// Incidents: detection rate, false alarms per camera-day, time to detect, duplicates, by rule.
    Incidents(incidents::Args),
}

pub(crate) fn run(args: Args, home: impl FnOnce() -> Result<Home, HomeError>) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Tracks(args) => tracks::run(&args, home),
        Command::Detections(args) => detections::run(&args),
        Command::Incidents(args) => incidents::run(&args),
    }
}

fn every(text: &str) -> Result<FrameChoice, String> {
    let choice = text.parse().ok().and_then(FrameChoice::every);
    choice.ok_or_else(|| "write a whole number from 1".to_owned())
}

fn class(text: &str) -> Result<Class, String> {
    let known = || Class::ALL.map(Class::label).join(", ");
    Class::from_label(text).ok_or_else(|| format!("choose one of: {}", known()))
}

/// A JSON object on stdout.
fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A figure with six decimals; a dash where there is none.
fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"))
}

/// A share in percent with its interval; a dash where there is none.
fn percent(rate: Option<Rate>) -> String {
    let [value, low, high] = match rate {
        Some(rate) => [rate.value, rate.low, rate.high].map(|share| 100.0 * share),
        None => return "-".to_owned(),
    };
    format!("{value:.1} % ({low:.1} to {high:.1})")
}

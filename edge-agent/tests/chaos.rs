//! No incident is lost or seen twice, whatever breaks: proved by breaking it (`docs/chaos.md`).
//!
//! The program as it is installed, a real Mosquitto, real RTSP cameras, real clips, behind links that can be cut. Without
//! arguments it is a short part of fixed seed, as `cargo test` runs it; `campaign` is the whole of it.
#![cfg(feature = "demo")]
#![allow(clippy::print_stdout, reason = "it reports as it goes")]

mod common;

#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "e2e/agent.rs"]
mod agent;
#[path = "chaos/book.rs"]
mod book;
#[path = "chaos/campaign.rs"]
mod campaign;
#[path = "chaos/causes.rs"]
mod causes;
#[path = "chaos/centre.rs"]
mod centre;
#[path = "chaos/chance.rs"]
mod chance;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "e2e/clip.rs"]
mod clip;
#[path = "chaos/clock.rs"]
mod clock;
#[path = "chaos/disk.rs"]
mod disk;
#[path = "chaos/faults.rs"]
mod faults;
#[path = "chaos/loss.rs"]
mod loss;
#[path = "chaos/papers.rs"]
mod papers;
#[path = "chaos/program.rs"]
mod program;
#[path = "chaos/pump.rs"]
mod pump;
#[path = "chaos/refusals.rs"]
mod refusals;
#[path = "chaos/rig.rs"]
mod rig;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "e2e/site.rs"]
mod site;
#[path = "chaos/space.rs"]
mod space;
#[path = "chaos/trust.rs"]
mod trust;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// The short part's.
const SEED: u64 = 20_261_124;

#[derive(Debug, Parser)]
#[command(about = "Breaks everything around the program, by a seed, and counts incidents")]
struct Cli {
    /// Which choices are made.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults.
    #[arg(long, default_value_t = 1800)]
    faults: u64,
    /// Cameras that the program watches.
    #[arg(long, default_value_t = 1)]
    cameras: usize,
    /// Only faults whose names hold these words, to look at one kind.
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
    /// Keeps state and logs in this folder, and goes on from the last whole round that is there.
    #[arg(long, value_name = "DIR")]
    resume: PathBuf,
    /// Ends after about so many minutes, to be resumed.
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
}

fn main() -> ExitCode {
    if clip::serve_if_asked() {
        return ExitCode::SUCCESS;
    }
    let mut arguments: Vec<String> = std::env::args().collect();
    // As `cargo test` would have it: `chaos campaign …` is ours, a filter for other tests is not.
    let is_campaign = arguments.get(1).is_some_and(|word| word == "campaign");
    let is_filtered_out = arguments
        .iter()
        .skip(1)
        .any(|word| word == "--list" || !(word.starts_with('-') || "chaos".contains(word.as_str())));
    if !is_campaign && is_filtered_out {
        return ExitCode::SUCCESS;
    }
    space::enter();
    let kept;
    let params = if is_campaign {
        arguments.remove(1);
        let cli = Cli::parse_from(arguments);
        let at_most = cli.minutes.map(|minutes| Duration::from_secs(60 * minutes));
        campaign::Params {
            seed: cli.seed,
            faults: Some(cli.faults),
            cameras: cli.cameras,
            only: cli.only,
            folder: cli.resume,
            at_most,
        }
    } else {
        kept = tempfile::tempdir().expect("a folder");
        campaign::Params {
            seed: SEED,
            faults: None,
            cameras: 1,
            only: String::new(),
            folder: kept.path().to_owned(),
            at_most: None,
        }
    };
    if campaign::run(&params) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

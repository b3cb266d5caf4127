//! The whole program against its floor, and what it carries: CPU time, memory and latency of one process, the cameras
//! in another.
//!
//! - `overhead` answers: how much CPU do tracking, rules, outbox, MQTT and supervision add to what receiving, decoding
//!   and inferring the same frames costs anyway? *Floor*: the same elements from `rtspsrc` to an appsink, and bare
//!   `session.run` on a tensor that is ready, as often, in one thread. *Product*: [`edge_agent::app::App`] with a site
//!   file, all seven rules, an outbox on disk and a broker that takes the events. They take turns, so that what else the
//!   machine does meets both; the ratio is the figure, not the seconds.
//! - `load` answers: what do so many cameras of such a size and rate take, by stage, and how long does a frame take until
//!   it is judged and committed?
//! - `soak` answers: are the rates held for an hour, is memory flat, does the status page answer?
//! - `peer` answers: what does the script a user would write take for the same stream, network and rate?
//!
//! Cameras (a loopback RTSP server) and broker (rumqttd) run in a process of their own, which is not counted. Start-up is
//! not counted either: measuring begins when frames have been analysed for a while.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod child;
mod floor;
mod load;
mod overhead;
mod peer;
mod product;
mod sample;
mod serve;
mod soak;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use edge_agent::config::{Home, parse_duration};

#[derive(Debug, Parser)]
#[command(about = "Measures the whole program: against its floor, and with several cameras")]
struct Cli {
    /// A folder in which model weights are looked for, besides models/ (may be repeated).
    #[arg(long, global = true, value_name = "DIR", env = "NGATU_MODELS_DIR")]
    models_dir: Vec<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// CPU of the program over CPU of its floor, in turns.
    Overhead(overhead::Params),
    /// CPU, memory and latency with several cameras.
    Load(load::Params),
    /// CPU and memory of the program over those of the script a user would write, in turns.
    Peer(peer::Params),
    /// Rates, memory and the status page over a long time.
    Soak(soak::Params),
    /// The program, until stdin ends; first says where its status page is.
    #[command(hide = true)]
    Service(Watch),
    /// One measurement, as a line of JSON: receive, decode, infer, nothing else.
    #[command(hide = true)]
    Floor(Watch),
    /// One measurement, as a line of JSON: the program.
    #[command(hide = true)]
    Product(Watch),
    /// The cameras and the broker, until stdin ends.
    #[command(hide = true)]
    Serve(serve::Params),
}

/// What a measurement looks at, and for how long.
#[derive(Debug, Clone, Args)]
struct Watch {
    /// The cameras' addresses.
    #[arg(long, required = true)]
    camera: Vec<String>,
    /// The broker's.
    #[arg(long)]
    broker: String,
    /// Frames a camera gives a second.
    #[arg(long)]
    fps: u32,
    #[command(flatten)]
    window: Window,
}

/// How it is measured; the same words for all commands.
#[derive(Debug, Clone, Args)]
struct Window {
    /// Name of a folder in models/.
    #[arg(long, default_value = "ssdlite-mobilenet-v2")]
    model: String,
    /// Frames analysed a second and camera.
    #[arg(long, default_value_t = 5)]
    analyse_fps: u32,
    /// Length of one measurement.
    #[arg(long = "for", value_parser = parse_duration, default_value = "20s")]
    length: Duration,
}

/// Time with analysed frames before measuring begins.
const WARM_UP: Duration = Duration::from_secs(3);

/// Time for the first analysed frame; then the measurement has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // The broker takes every client that leaves for an error.
    let serves = matches!(cli.command, Command::Serve(_));
    edge_agent::telemetry::init(false, if serves { "off" } else { "warn" });
    let home = || Home::find(cli.models_dir.clone());
    match cli.command {
        Command::Overhead(params) => overhead::run(&params, &home()?),
        Command::Load(params) => load::run(&params, &home()?),
        Command::Peer(params) => peer::run(&params, &home()?),
        Command::Soak(params) => soak::run(&params, &home()?),
        Command::Service(watch) => product::serve(&watch, &home()?),
        Command::Floor(watch) => floor::run(&watch, &home()?)?.tell(),
        Command::Product(watch) => product::run(&watch, &home()?)?.tell(),
        Command::Serve(params) => serve::run(&params, &home()?),
    }
}

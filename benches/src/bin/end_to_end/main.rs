//! The whole program against its floor and its peer, and what it carries: CPU time, memory, latency and what was found.
//!
//! - `matrix` answers, in one run: how much CPU does the program take for so many cameras of such a size, busy or still,
//!   against its *floor* (the same elements from `rtspsrc` to an appsink, and bare `session.run` on a tensor that is ready,
//!   as often, in as many threads), and against its *peer*, the script a user would write (`benches/peers/watch.py`)? The
//!   program is [`edge_agent::app::App`] with a site file, rules of seven kinds, an outbox on disk and a broker that takes
//!   the events; *as installed* it analyses the 360p stream of each camera and keeps the packets of the full one.
//!   They take turns, so that what else the machine does meets all; the ratio is the figure, not the seconds. The
//!   incidents of the window stand beside it: speed that is bought with misses shows.
//! - `overload` answers: asked for four times the rate that it can hold, does every camera still get its share, does latency
//!   stay flat, does nothing grow?
//! - `soak` answers: are the rates held for an hour, are memory, threads, descriptors and database flat, does the status page
//!   answer? With `--faults`, while the links to broker and cameras break again and again.
//!
//! Cameras (a loopback RTSP server) and broker (rumqttd) run in a process of their own, which is not counted, or apart.
//! Start-up is not counted either: measuring begins when frames have been analysed for a while. A camera begins its clip
//! when somebody comes to watch it, so that all see the same seconds of it.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod child;
mod floor;
mod matrix;
mod overload;
mod plot;
mod product;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
#[path = "../../../../edge-agent/tests/common/proxy.rs"]
mod proxy;
mod sample;
mod scene;
mod serve;
mod soak;
mod trouble;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use edge_agent::config::{Home, parse_duration};

#[derive(Debug, Parser)]
#[command(
    about = "Measures the whole program: against its floor and its peer, with several cameras, overloaded, for long"
)]
struct Cli {
    /// A folder in which model weights are looked for, besides models/ (may be repeated).
    #[arg(long, global = true, value_name = "DIR", env = "NGATU_MODELS_DIR")]
    models_dir: Vec<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The program, its floor and the script a user would write, in turns: sizes, numbers of cameras, busy and still.
    Matrix(matrix::Params),
    /// The program, asked for more than it can do.
    Overload(overload::Params),
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
    /// The addresses of their full-size streams, which are only kept.
    #[arg(long)]
    record: Vec<String>,
    /// The broker's.
    #[arg(long)]
    broker: String,
    /// Frames a camera gives a second.
    #[arg(long)]
    fps: u32,
    /// Infer all of every analysed frame.
    #[arg(long)]
    gates_off: bool,
    /// Tell of each half of the window.
    #[arg(long)]
    halves: bool,
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
    #[arg(long = "for", value_parser = parse_duration, default_value = "10s")]
    length: Duration,
    /// Inference workers of program and floor [default: one less than the cores, as the profile cpu-x86_64 has it].
    #[arg(long)]
    workers: Option<usize>,
}

impl Window {
    /// Inference workers.
    fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.workers.unwrap_or_else(|| cores() - 1).max(1)
    }
}

/// Time with analysed frames before measuring begins.
const WARM_UP: Duration = Duration::from_secs(3);

/// Time for the first analysed frame; then the measurement has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    // SAFETY: the first thing that the only thread does, as in the program.
    unsafe { edge_agent::resources::heap::bound_arenas() };
    let cli = Cli::parse();
    // The broker takes every client that leaves for an error.
    let serves = matches!(cli.command, Command::Serve(_));
    edge_agent::telemetry::init(false, if serves { "off" } else { "warn" });
    let home = || Home::find(cli.models_dir.clone());
    match cli.command {
        Command::Matrix(params) => matrix::run(&params, &home()?),
        Command::Overload(params) => overload::run(&params, &home()?),
        Command::Soak(params) => soak::run(&params, &home()?),
        Command::Service(watch) => product::serve(&watch, &home()?),
        Command::Floor(watch) => floor::run(&watch, &home()?)?.tell(),
        Command::Product(watch) => product::run(&watch, &home()?)?.tell(),
        Command::Serve(params) => serve::run(&params, &home()?),
    }
}

//! `peer`: the program, its floor and the script a user would write (`benches/peers/watch.py`), in turns.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Args;
use edge_agent::config::Home;
use edge_agent::detect::manifest::{Head, Manifest};

use crate::child::{self, Surroundings, measure};
use crate::overhead::{median, per_frame, sorted};
use crate::sample::Sample;
use crate::serve::Stream;
use crate::{Watch, Window};

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Params {
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    window: Window,
    /// Turns of each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The Python that has what benches/peers/requirements.txt names [default: .cache/peers/bin/python].
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
}

/// One turn of each.
struct Round {
    floor: Sample,
    program: Sample,
    peer: Sample,
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let python = params.python.clone().unwrap_or_else(|| home.root().join(".cache/peers/bin/python"));
    ensure!(python.is_file(), "{} is not there: run scripts/setup-peers.sh", python.display());
    let surroundings = Surroundings::start(&params.stream, 1, home)?;
    let watch = surroundings.watch(1, &params.window);
    println!("| round | who | ms/frame | cores | frames | inferred | events | resident MiB | first frame s |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut rounds = Vec::new();
    for number in 0..params.rounds {
        // Each goes first in turn, so that a drift of the machine meets all three.
        let mut taken: [Option<Sample>; 3] = [None, None, None];
        for place in 0..3 {
            let who = (number + place) % 3;
            taken[who] = Some(match who {
                0 => measure("floor", &watch, home)?,
                1 => measure("product", &watch, home)?,
                _ => peer(&watch, home, &python)?,
            });
        }
        let [Some(floor), Some(program), Some(peer)] = taken else { bail!("each had its turn") };
        for (who, sample) in [("floor", &floor), ("program", &program), ("peer", &peer)] {
            println!("{}", row(number + 1, who, sample));
        }
        rounds.push(Round { floor, program, peer });
    }
    conclude(&rounds);
    Ok(())
}

fn row(round: usize, who: &str, sample: &Sample) -> String {
    format!(
        "| {round} | {who} | {:.2} | {:.3} | {} | {} | {} | {:.0} | {:.1} |",
        per_frame(sample) * 1e3,
        sample.cores(),
        sample.frames,
        sample.analysed,
        sample.events,
        sample.resident_mib,
        sample.first_frame_s
    )
}

fn conclude(rounds: &[Round]) {
    let ratio = |name: &str, of: fn(&Round) -> f64| {
        let ratios = sorted(rounds.iter().map(of));
        if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
            println!("{name}: median {:.3}, least {least:.3}, most {most:.3}", median(&ratios));
        }
    };
    println!();
    ratio("program / peer, CPU a frame", |round| per_frame(&round.program) / per_frame(&round.peer));
    ratio("program / floor, CPU a frame", |round| per_frame(&round.program) / per_frame(&round.floor));
    ratio("program / peer, resident", |round| round.program.resident_mib / round.peer.resident_mib);
}

/// Measures the script, with the same weights, as often, for as long.
fn peer(watch: &Watch, home: &Home, python: &PathBuf) -> anyhow::Result<Sample> {
    let [camera] = watch.camera.as_slice() else { bail!("the peer watches one camera") };
    let manifest = Manifest::load(&home.models().join(&watch.window.model))?;
    let head = match manifest.head {
        Head::Ssd { .. } => "ssd",
        Head::Yolox { .. } => "yolox",
        Head::Yolo { .. } | Head::Detr { .. } => {
            bail!("the script speaks ssd and yolox, {} has another head", watch.window.model)
        }
    };
    let model = manifest.verify(home.extra_models())?;
    let mut command = Command::new(python);
    command.arg(home.root().join("benches/peers/watch.py"));
    command.args(["--camera", camera, "--broker", &watch.broker, "--head", head]).arg("--weights").arg(model.weights());
    command.args(["--fps", &watch.fps.to_string(), "--analyse-fps", &watch.window.analyse_fps.to_string()]);
    command.args(["--for", &watch.window.length.as_secs_f64().to_string()]);
    let child = command.stdout(Stdio::piped()).spawn().context("the peer cannot be started")?;
    child::sample("the peer", child)
}

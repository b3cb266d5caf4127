//! `matrix`: program, floor and peer in turns, over scenes, sizes and numbers of cameras.

mod table;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use edge_agent::config::Home;

use self::table::{Row, Table};
use crate::child::{Peer, Surroundings, measure};
use crate::sample::Sample;
use crate::scene::Scene;
use crate::serve::{Stream, size};
use crate::{Watch, Window};

/// The stream that is analysed as installed, and the one that is then only kept.
const SUB: (u32, u32) = (640, 360);
const MAIN: (u32, u32) = (1920, 1080);

/// What to compare. `make bench` takes the defaults: about half an hour.
#[derive(Debug, Args)]
pub(crate) struct Params {
    #[arg(long, value_enum, value_delimiter = ',', default_value = "busy,still")]
    scenes: Vec<Scene>,
    /// Sizes of the picture.
    #[arg(long, value_delimiter = ',', value_parser = size, default_value = "1920x1080,1280x720,640x360")]
    sizes: Vec<(u32, u32)>,
    /// Numbers of cameras; each with every size.
    #[arg(long, value_delimiter = ',', default_value = "1,4,8,16")]
    cameras: Vec<usize>,
    /// Who takes turns; `installed` with 1080p alone.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "floor,ungated,program,installed,peer")]
    who: Vec<Who>,
    /// Turns of each with one 1080p camera; everything else has one.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The script has a process for each camera; with more of them than this it only shows that the machine is too small.
    #[arg(long, default_value_t = 4)]
    peer_cameras: usize,
    /// Frames a camera gives a second.
    #[arg(long, default_value_t = 25)]
    fps: u32,
    /// The Python that has what benches/peers/requirements.txt names [default: .cache/peers/bin/python].
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Also tell where CPU time went, by kind of thread.
    #[arg(long)]
    threads: bool,
    #[command(flatten)]
    window: Window,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Who {
    /// Reception, decoding and inference, bare.
    Floor,
    /// The program on the same streams with its motion gates off: every analysed frame is inferred, as in the floor.
    Ungated,
    /// The program on the same streams.
    Program,
    /// The program as installed: 360p analysed, the 1080p stream kept.
    Installed,
    /// The script a user would write.
    Peer,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ungated => "program, gates off",
            Self::Program => "program",
            Self::Installed => "as installed",
            Self::Peer => "peer",
        }
    }
}

/// One place of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    scene: Scene,
    size: (u32, u32),
    cameras: usize,
}

/// One measurement and what the cameras' process took meanwhile, in cores.
struct Turn {
    who: Who,
    sample: Sample,
    server: f64,
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let python = params.python.clone().unwrap_or_else(|| home.root().join(".cache/peers/bin/python"));
    let wants_peer = params.who.contains(&Who::Peer);
    let peer = wants_peer.then(|| Peer::new(python, &params.window.model, home)).transpose()?;
    let mut table = Table::default();
    table.begin(&params.window);
    for &scene in &params.scenes {
        for &size in &params.sizes {
            let stream = Stream { clip: None, scene: Some(scene), size, fps: params.fps };
            let most = params.cameras.iter().copied().max().unwrap_or(1);
            let installed = size == MAIN && params.who.contains(&Who::Installed);
            let surroundings = Surroundings::start(&stream, most, installed.then_some(SUB), home)?;
            for &cameras in &params.cameras {
                let cell = Cell { scene, size, cameras };
                table.add(Row { cell, turns: turns(params, cell, &surroundings, peer.as_ref(), home) });
            }
        }
    }
    table.conclude(params.threads);
    Ok(())
}

/// Everyone's turns; who fails is told and left out.
fn turns(params: &Params, cell: Cell, surroundings: &Surroundings, peer: Option<&Peer>, home: &Home) -> Vec<Turn> {
    let fits = |who: &Who| match who {
        Who::Floor | Who::Program => true,
        // What it is compared with costs the same for each camera: once for each size is enough.
        Who::Ungated => cell.cameras == 1,
        Who::Installed => cell.size == MAIN,
        Who::Peer => cell.cameras <= params.peer_cameras,
    };
    let who: Vec<Who> = params.who.iter().copied().filter(fits).collect();
    let rounds = if cell.size == MAIN && cell.cameras == 1 { params.rounds } else { 1 };
    let mut turns = Vec::new();
    for round in 0..rounds {
        // Each goes first in turn, so that a drift of the machine meets all.
        for place in 0..who.len() {
            let who = who[(round + place) % who.len()];
            let watch = surroundings.watch(cell.cameras, &params.window);
            let (begun, before) = (Instant::now(), surroundings.cpu_s());
            let taken = match (who, peer) {
                (Who::Floor, _) => measure("floor", &watch, home),
                (Who::Ungated, _) => measure("product", &Watch { gates_off: true, ..watch }, home),
                (Who::Program, _) => measure("product", &watch, home),
                (Who::Installed, _) => {
                    measure("product", &surroundings.watch_installed(cell.cameras, &params.window), home)
                }
                (Who::Peer, Some(peer)) => peer.measure(&watch),
                (Who::Peer, None) => continue,
            };
            let server = (surroundings.cpu_s() - before) / begun.elapsed().as_secs_f64();
            match taken {
                Ok(sample) => turns.push(Turn { who, sample, server }),
                Err(error) => eprintln!("{}, {} cameras: {error:#}", who.name(), cell.cameras),
            }
        }
    }
    turns
}

//! `overload`: asked for more than it can do: is it shared fairly, does latency stay flat, does nothing grow?

use clap::Args;
use edge_agent::config::Home;

use crate::child::{Surroundings, measure};
use crate::sample::{Half, Sample};
use crate::scene::Scene;
use crate::serve::Stream;
use crate::{Watch, Window};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Params {
    #[command(flatten)]
    stream: Stream,
    /// How many cameras.
    #[arg(long, default_value_t = 8)]
    cameras: usize,
    /// Times `--analyse-fps`, after once at that rate.
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    times: Vec<u32>,
    #[command(flatten)]
    window: Window,
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let stream = Stream { scene: params.stream.scene.or(Some(Scene::Busy)), ..params.stream.clone() };
    let surroundings = Surroundings::start(&stream, params.cameras, None, home)?;
    println!("{}, {} cameras of {}x{}", params.window.model, params.cameras, stream.size.0, stream.size.1);
    println!("{}\n", benches::process::machine());
    println!(
        "| asked fps | analysed fps: least, mean, most | cores | judged p95 ms: first half, second | RSS MiB: first half, second \
         | events waiting: first half, second | incidents |"
    );
    println!("|---|---|---|---|---|---|---|");
    for times in &params.times {
        let analyse_fps = params.window.analyse_fps * times;
        let window = Window { analyse_fps, ..params.window.clone() };
        let watch = Watch { halves: true, ..surroundings.watch(params.cameras, &window) };
        println!("{}", row(analyse_fps, &measure("product", &watch, home)?));
    }
    println!("\n{}", benches::process::machine());
    Ok(())
}

fn row(asked: u32, sample: &Sample) -> String {
    let fps = |frames: u64| frames as f64 / sample.wall_s;
    let by_camera = &sample.analysed_by_camera;
    let (least, most) = (by_camera.iter().min().copied().unwrap_or(0), by_camera.iter().max().copied().unwrap_or(0));
    let mean = fps(sample.analysed) / by_camera.len().max(1) as f64;
    let halves = |of: fn(&Half) -> String| sample.halves.iter().map(of).collect::<Vec<_>>().join(", ");
    let incidents: u64 = sample.incidents.values().sum();
    format!(
        "| {asked} | {:.2}, {mean:.2}, {:.2} | {:.2} | {} | {} | {} | {incidents} |",
        fps(least),
        fps(most),
        sample.cores(),
        halves(|half| format!("{:.0}", half.p95_ms)),
        halves(|half| format!("{:.1}", half.resident_mib)),
        halves(|half| half.pending.to_string()),
    )
}

//! `load`: the program with several cameras, of several sizes and rates.

use clap::Args;
use edge_agent::config::Home;

use crate::Window;
use crate::child::{Surroundings, measure};
use crate::sample::{Quantiles, Sample};
use crate::serve::{Stream, size};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Params {
    /// Numbers of cameras.
    #[arg(long, value_delimiter = ',', default_value = "1,4,8")]
    cameras: Vec<usize>,
    /// Sizes of the picture; each with every number of cameras.
    #[arg(long, value_delimiter = ',', value_parser = size, default_value = "640x360,1280x720,1920x1080")]
    sizes: Vec<(u32, u32)>,
    /// The clip that the cameras play [default: the demo's].
    #[arg(long, value_name = "FILE")]
    clip: Option<std::path::PathBuf>,
    /// Frames a camera gives a second.
    #[arg(long, default_value_t = 25)]
    fps: u32,
    #[command(flatten)]
    window: Window,
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    println!(
        "| size | cameras | received fps | analysed fps | cores: all | decode | infer | the rest | server's, not counted \
         | judged p50/p95/p99 ms | events committed p50/p95/p99 ms | resident MiB | first analysed frame s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let most = params.cameras.iter().copied().max().unwrap_or(1);
    for &size in &params.sizes {
        let stream = Stream { clip: params.clip.clone(), size, fps: params.fps };
        let surroundings = Surroundings::start(&stream, most, home)?;
        for &cameras in &params.cameras {
            let before = surroundings.cpu_s();
            let begun = std::time::Instant::now();
            let sample = measure("product", &surroundings.watch(cameras, &params.window), home)?;
            let server = (surroundings.cpu_s() - before) / begun.elapsed().as_secs_f64();
            println!("{}", row(size, cameras, server, &sample));
        }
    }
    Ok(())
}

fn row((width, height): (u32, u32), cameras: usize, server: f64, sample: &Sample) -> String {
    let fps = |frames: u64| frames as f64 / sample.wall_s / cameras as f64;
    let ms = |quantiles: Option<Quantiles>| match quantiles {
        Some(Quantiles { count, p50, p95, p99 }) => format!("{p50:.0} / {p95:.0} / {p99:.0} (of {count})"),
        None => "none".to_owned(),
    };
    let stage =
        |names: &[&str]| names.iter().filter_map(|name| sample.threads_s.get(*name)).sum::<f64>() / sample.wall_s;
    // GStreamer decodes in the thread that takes packets out of the jitter buffer; proc(5) keeps 15 letters of a name.
    let (decode, infer) = (stage(&["rtpjitterbuffer"]), stage(&["infer"]));
    format!(
        "| {width}x{height} | {cameras} | {:.1} | {:.2} | {:.2} | {decode:.2} | {infer:.2} | {:.2} | {server:.2} | {} | {} | {:.0} | {:.1} |",
        fps(sample.frames),
        fps(sample.analysed),
        sample.cores(),
        sample.cores() - decode - infer,
        ms(sample.judged_ms),
        ms(sample.committed_ms),
        sample.resident_mib,
        sample.first_frame_s
    )
}

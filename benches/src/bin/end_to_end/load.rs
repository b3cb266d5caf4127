//! `load`: the program with several cameras.

use clap::Args;
use edge_agent::config::Home;

use crate::Window;
use crate::child::{Surroundings, measure};
use crate::sample::{Quantiles, Sample};
use crate::serve::Stream;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Params {
    /// Numbers of cameras.
    #[arg(long, value_delimiter = ',', default_value = "1,4,8")]
    cameras: Vec<usize>,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    window: Window,
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let most = params.cameras.iter().copied().max().unwrap_or(1);
    let surroundings = Surroundings::start(&params.stream, most, home)?;
    println!(
        "| cameras | cores | received fps | analysed fps | judged p50/p95/p99 ms | events committed p50/p95/p99 ms \
         | resident MiB | first analysed frame s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for &cameras in &params.cameras {
        let sample = measure("product", &surroundings.watch(cameras, &params.window), home)?;
        println!("{}", row(cameras, &sample));
    }
    Ok(())
}

fn row(cameras: usize, sample: &Sample) -> String {
    let fps = |frames: u64| frames as f64 / sample.wall_s / cameras as f64;
    let ms = |quantiles: Option<Quantiles>| match quantiles {
        Some(Quantiles { count, p50, p95, p99 }) => format!("{p50:.0} / {p95:.0} / {p99:.0} (of {count})"),
        None => "none".to_owned(),
    };
    format!(
        "| {cameras} | {:.2} | {:.1} | {:.2} | {} | {} | {:.0} | {:.1} |",
        sample.cores(),
        fps(sample.frames),
        fps(sample.analysed),
        ms(sample.judged_ms),
        ms(sample.committed_ms),
        sample.resident_mib,
        sample.first_frame_s
    )
}

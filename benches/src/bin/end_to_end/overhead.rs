//! `overhead`: program and floor in turns.

use std::collections::BTreeSet;

use clap::Args;
use edge_agent::config::Home;

use crate::Window;
use crate::child::{Surroundings, measure};
use crate::sample::Sample;
use crate::serve::Stream;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Params {
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    window: Window,
    /// Turns of each.
    #[arg(long, default_value_t = 7)]
    pairs: usize,
}

struct Pair {
    floor: Sample,
    product: Sample,
}

impl Pair {
    /// By frame: the windows are not equally long to the frame.
    fn ratio(&self) -> f64 {
        per_frame(&self.product) / per_frame(&self.floor)
    }
}

/// CPU seconds.
pub(crate) fn per_frame(sample: &Sample) -> f64 {
    sample.cpu_s / sample.frames.max(1) as f64
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let surroundings = Surroundings::start(&params.stream, 1, home)?;
    let watch = surroundings.watch(1, &params.window);
    println!("| pair | floor: ms/frame | frames | inferred | program: ms/frame | frames | inferred | events | ratio |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut pairs = Vec::new();
    for number in 0..params.pairs {
        // The first of a pair takes turns too: a drift of the machine then cancels out.
        let pair = if number % 2 == 0 {
            let floor = measure("floor", &watch, home)?;
            Pair { floor, product: measure("product", &watch, home)? }
        } else {
            let product = measure("product", &watch, home)?;
            Pair { floor: measure("floor", &watch, home)?, product }
        };
        let Pair { floor, product } = &pair;
        println!(
            "| {} | {:.2} | {} | {} | {:.2} | {} | {} | {} | {:.3} |",
            number + 1,
            per_frame(floor) * 1e3,
            floor.frames,
            floor.analysed,
            per_frame(product) * 1e3,
            product.frames,
            product.analysed,
            product.events,
            pair.ratio()
        );
        pairs.push(pair);
    }
    conclude(&pairs);
    Ok(())
}

fn conclude(pairs: &[Pair]) {
    let ratios = sorted(pairs.iter().map(Pair::ratio));
    let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else { return };
    println!("\nprogram / floor: median {:.3}, least {least:.3}, most {most:.3}", median(&ratios));
    let floor = median(&sorted(pairs.iter().map(|pair| pair.floor.cores())));
    let product = median(&sorted(pairs.iter().map(|pair| pair.product.cores())));
    println!("cores: floor {floor:.3}, program {product:.3} (medians)");
    println!("resident: program {:.0} MiB", median(&sorted(pairs.iter().map(|pair| pair.product.resident_mib))));
    println!("\nCPU by thread, ms a second (medians): floor, program");
    let names: BTreeSet<&String> =
        pairs.iter().flat_map(|pair| pair.floor.threads_s.keys().chain(pair.product.threads_s.keys())).collect();
    for name in names {
        let of = |sample: &Sample| sample.threads_s.get(name).copied().unwrap_or(0.0) / sample.wall_s * 1e3;
        let floor = median(&sorted(pairs.iter().map(|pair| of(&pair.floor))));
        let product = median(&sorted(pairs.iter().map(|pair| of(&pair.product))));
        if floor.max(product) >= 0.05 {
            println!("  {name:<16} {floor:>8.1} {product:>8.1}");
        }
    }
}

pub(crate) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values; zero of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => (values[even / 2 - 1] + values[even / 2]) / 2.0,
    }
}

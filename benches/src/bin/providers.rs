//! Every execution provider of a build of ONNX Runtime against the processor: are the detections the same, and what do they
//! cost? One process a build, because a process loads one; on the frames of a clip, by the program's own detector.
//!
//! Prints a row a model and provider: how many detections both made, how many one alone made (at a confidence above
//! [`SURE`]), how far confidences differ (95 of 100 by less, and at most), the largest difference of a box's edge (as a share
//! of the picture), CPU time and wall time a frame over the processor's. Fails when a difference passes the tolerance.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use analytics::{BBox, CameraId, Confidence, Detection, WallTime};
use anyhow::{Context, bail};
use benches::process::Usage;
use clap::Parser;
use edge_agent::config::Home;
use edge_agent::detect::Detector;
use edge_agent::detect::manifest::Model;
use edge_agent::detect::ort::{
    Build, Need, OpenVinoDevice, OrtDetector, Precision, Provider, ProviderChoice, ProviderOptions, SessionOptions,
};
use edge_agent::frame::Frame;
use edge_agent::privacy::Masks;
use edge_agent::setup;
use edge_agent::source::FileSource;
use serde::{Deserialize, Serialize};

/// Everything above is compared.
const LEAST: f32 = 0.1;

/// A detection as sure as this that only one of both makes is counted.
const SURE: f32 = 0.4;

/// How far 95 of 100 confidences may differ. An int8 network rounds otherwise on every provider, and now and then a score
/// falls to the other side of a step.
const CONFIDENCE: f64 = 0.1;

/// How far a box's edge may, as a share of the picture.
const EDGE: f64 = 0.05;

/// Share of all detections that only one may make, though sure of it.
const ALONE: f64 = 0.02;

#[derive(Debug, Parser)]
struct Cli {
    /// A folder in which model weights are looked for, besides models/ (may be repeated).
    #[arg(long, value_name = "DIR", env = "NGATU_MODELS_DIR")]
    models_dir: Vec<PathBuf>,
    /// The build to compare.
    #[arg(long, default_value = "openvino", value_parser = |label: &str| Build::from_label(label).ok_or("no such build"))]
    build: Build,
    /// The clip [default: the demo's].
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// How many of its frames, two seconds apart.
    #[arg(long, default_value_t = 30)]
    frames: usize,
    /// Runs a build and prints what it found.
    #[arg(long, hide = true)]
    run: bool,
}

/// One model run by one provider.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    model: String,
    provider: String,
    /// By frame.
    detections: Vec<Vec<Found>>,
    cpu_ms: f64,
    wall_ms: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Found {
    class: u8,
    confidence: f32,
    corners: [f32; 4],
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    edge_agent::telemetry::init(false, "off");
    let home = Home::find(cli.models_dir.clone())?;
    if cli.run {
        run(&cli, &home)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (processor, others) = (child(&cli, &home, Build::Cpu)?, child(&cli, &home, cli.build)?);
    println!(
        "| model | provider | detections | alone | confidence differs: 95 of 100 by less / at most | edge differs at most | CPU ms/frame | of the \
         processor's | wall ms/frame | of the processor's |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut equal = true;
    for other in &others {
        let reference =
            processor.iter().find(|run| run.model == other.model).context("the processor runs every model")?;
        equal &= print(reference, other);
    }
    if others.is_empty() {
        bail!("none of its providers works here");
    }
    Ok(if equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn child(cli: &Cli, home: &Home, build: Build) -> anyhow::Result<Vec<Run>> {
    if home.onnxruntime_of(build).is_none() {
        bail!("ONNX Runtime for {} is not here: scripts/setup-onnxruntime.sh {}", build.label(), build.label());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--run", "--build", build.label(), "--frames", &cli.frames.to_string()]);
    cli.models_dir.iter().for_each(|dir| {
        command.arg("--models-dir").arg(dir);
    });
    if let Some(clip) = &cli.clip {
        command.arg("--clip").arg(clip);
    }
    let done = command.env("NGATU_HOME", home.root()).stderr(Stdio::inherit()).output()?;
    serde_json::from_slice(&done.stdout).with_context(|| format!("{} said nothing", build.label()))
}

/// Runs every model with every provider of the build that works, and prints it as JSON.
fn run(cli: &Cli, home: &Home) -> anyhow::Result<()> {
    let runtime = setup::onnx_runtime(home, cli.build)?;
    let clip = cli.clip.clone().unwrap_or_else(|| home.root().join(".cache/clips/vtest.avi"));
    let frames = frames(&clip, cli.frames)?;
    let mut runs = Vec::new();
    for model in setup::model_names(home).iter().filter_map(|name| setup::load_model(home, name).ok()) {
        for choice in providers(cli.build) {
            let options = SessionOptions {
                providers: vec![choice],
                confidence: Confidence::new(LEAST).context("a confidence")?,
                ..SessionOptions::for_model(&model)
            };
            let Ok(mut detector) = OrtDetector::open(&runtime, &model, &options) else { continue };
            runs.push(measure(&mut detector, &model, choice, &frames)?);
        }
    }
    println!("{}", serde_json::to_string(&runs)?);
    Ok(())
}

fn providers(build: Build) -> Vec<ProviderChoice> {
    let with = |provider, device, precision| ProviderChoice {
        provider,
        need: Need::Required,
        options: ProviderOptions { device, precision, memory_bytes: None },
    };
    let half = Some(Precision::Fp16);
    match build {
        Build::Cpu => vec![with(Provider::Cpu, None, None)],
        Build::OpenVino => vec![
            with(Provider::OpenVino, Some(OpenVinoDevice::Cpu), None),
            with(Provider::OpenVino, Some(OpenVinoDevice::Gpu), None),
            with(Provider::OpenVino, Some(OpenVinoDevice::Gpu), half),
            with(Provider::OpenVino, Some(OpenVinoDevice::Npu), half),
        ],
        Build::Gpu => vec![
            with(Provider::Cuda, None, None),
            with(Provider::TensorRt, None, None),
            with(Provider::TensorRt, None, half),
        ],
    }
}

fn frames(clip: &std::path::Path, count: usize) -> anyhow::Result<Vec<Frame>> {
    let mut source = FileSource::open(clip, CameraId::new("clip")?, WallTime::UNIX_EPOCH, &Masks::default())?;
    let (mut frames, mut next_s) = (Vec::new(), 0.0);
    while let Some(frame) = source.next_frame()? {
        if frames.len() < count && frame.stamp.pts.as_secs_f64() >= next_s {
            next_s += 2.0;
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn measure(detector: &mut OrtDetector, model: &Model, choice: ProviderChoice, frames: &[Frame]) -> anyhow::Result<Run> {
    let whole = || BBox::new(0.0, 0.0, 1.0, 1.0).into_iter().collect();
    let regions: Vec<BBox> = model.manifest().defaults.regions.map_or_else(whole, |grid| grid.regions());
    let (mut found, mut detections): (Vec<Detection>, Vec<Vec<Found>>) = (Vec::new(), Vec::new());
    let (before, begun) = (Usage::now(), Instant::now());
    for frame in frames {
        detector.detect(&frame.picture, &regions, &mut found)?;
        detections.push(found.iter().map(Found::from).collect());
    }
    let (wall_s, cpu_s) = (begun.elapsed().as_secs_f64(), Usage::now().cpu_since(&before).as_secs_f64());
    let a_frame = |seconds: f64| seconds * 1e3 / frames.len().max(1) as f64;
    let (cpu_ms, wall_ms) = (a_frame(cpu_s), a_frame(wall_s));
    Ok(Run { model: model.manifest().name.clone(), provider: choice.words(), detections, cpu_ms, wall_ms })
}

impl From<&Detection> for Found {
    fn from(detection: &Detection) -> Self {
        let bbox = detection.bbox;
        let corners = [bbox.left(), bbox.top(), bbox.right(), bbox.bottom()];
        Self { class: detection.class as u8, confidence: detection.confidence.get(), corners }
    }
}

/// A row; whether it is within the tolerance.
fn print(reference: &Run, other: &Run) -> bool {
    let (mut alone, mut edge, mut differences) = (0_u32, 0.0_f64, Vec::new());
    for (ours, theirs) in reference.detections.iter().zip(&other.detections) {
        let mut theirs = theirs.clone();
        for one in ours {
            let like = |two: &Found| if two.class == one.class { difference(one, two) } else { f64::INFINITY };
            let nearest = (0..theirs.len()).min_by(|a, b| like(&theirs[*a]).total_cmp(&like(&theirs[*b])));
            match nearest.filter(|index| like(&theirs[*index]) <= EDGE) {
                Some(index) => {
                    let two = theirs.swap_remove(index);
                    differences.push(f64::from((one.confidence - two.confidence).abs()));
                    edge = edge.max(difference(one, &two));
                }
                None => alone += u32::from(one.confidence >= SURE),
            }
        }
        alone += theirs.iter().map(|found| u32::from(found.confidence >= SURE)).sum::<u32>();
    }
    differences.sort_by(f64::total_cmp);
    let both = differences.len();
    let (usual, most) = (differences.get(both * 95 / 100), differences.last());
    let (usual, most) = (usual.copied().unwrap_or(0.0), most.copied().unwrap_or(0.0));
    println!(
        "| {} | {} | {both} | {alone} | {usual:.4} / {most:.4} | {edge:.4} | {:.1} | {:.2} | {:.1} | {:.2} |",
        other.model,
        other.provider,
        other.cpu_ms,
        other.cpu_ms / reference.cpu_ms,
        other.wall_ms,
        other.wall_ms / reference.wall_ms
    );
    both > 0 && usual <= CONFIDENCE && f64::from(alone) <= ALONE * both as f64
}

/// Between the edges that differ most.
fn difference(one: &Found, other: &Found) -> f64 {
    one.corners.iter().zip(other.corners).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

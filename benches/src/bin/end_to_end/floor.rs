//! The floor: what nobody who watches these streams with this network can do without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use edge_agent::config::Home;
use edge_agent::decode::{self, picture_from_sample};
use edge_agent::detect::manifest::{Input, Model};
use edge_agent::detect::tensor::InputTensor;
use edge_agent::frame::Picture;
use edge_agent::privacy::Masks;
use edge_agent::setup;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use crate::sample::{Quantiles, Sample, lived};
use crate::{PATIENCE, WARM_UP, Watch};
use analytics::BBox;
use benches::process::Usage;

/// Counted by the threads that do the work; one for each camera.
#[derive(Default)]
struct Counts {
    frames: AtomicU64,
    analysed: AtomicU64,
    /// From a frame's arrival until it was inferred, in milliseconds.
    took_ms: Mutex<Vec<f64>>,
}

impl Counts {
    fn frames(all: &[Self]) -> u64 {
        all.iter().map(|counts| counts.frames.load(Ordering::Relaxed)).sum()
    }

    fn analysed(all: &[Self]) -> Vec<u64> {
        all.iter().map(|counts| counts.analysed.load(Ordering::Relaxed)).collect()
    }

    fn take_latency(all: &[Self]) -> Vec<f64> {
        let take = |counts: &Self| std::mem::take(&mut *counts.took_ms.lock().unwrap_or_else(PoisonError::into_inner));
        all.iter().flat_map(take).collect()
    }
}

/// A frame that is due.
struct Due {
    camera: usize,
    arrived_at: Instant,
    sample: gst::Sample,
}

/// Receives, decodes and infers.
pub(crate) fn run(watch: &Watch, home: &Home) -> anyhow::Result<Sample> {
    let model = setup::load_model(home, &watch.window.model)?;
    let library = home.onnxruntime(edge_agent::detect::ort::Build::Cpu)?;
    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    let counts: Arc<[Counts]> = watch.camera.iter().map(|_| Counts::default()).collect();
    let every = u64::from((watch.fps / watch.window.analyse_fps).max(1));

    // One frame of each camera may wait; a frame that finds it full is not inferred, and the counts show it.
    let (due, frames) = sync_channel(watch.camera.len());
    let frames = Arc::new(Mutex::new(frames));
    let regions = model.manifest().defaults.regions.map(|grid| grid.regions());
    let regions = regions.unwrap_or_else(|| BBox::new(0.0, 0.0, 1.0, 1.0).into_iter().collect());
    let mut workers = Vec::new();
    for number in 0..watch.window.workers() {
        let session = session(&environment, &model)?;
        let (input, counts) = (model.manifest().input.clone(), Arc::clone(&counts));
        let (regions, frames) = (regions.clone(), Arc::clone(&frames));
        let thread = std::thread::Builder::new().name(format!("infer-{number}"));
        workers.push(thread.spawn(move || infer(session, &input, &regions, &frames, &counts))?);
    }
    let cameras = watch.camera.iter().enumerate();
    let pipelines = cameras.map(|(camera, url)| pipeline((camera, url), due.clone(), every, &counts));
    let pipelines = pipelines.collect::<anyhow::Result<Vec<_>>>()?;
    drop(due);

    let measured = measure(&pipelines, &counts, &workers, watch);
    // Frees the senders too: the workers end.
    for pipeline in pipelines {
        let _ = pipeline.set_state(gst::State::Null);
    }
    for worker in workers {
        worker.join().map_err(|_| anyhow::anyhow!("inference panicked"))??;
    }
    measured
}

fn measure<T>(
    pipelines: &[gst::Pipeline],
    counts: &[Counts],
    workers: &[JoinHandle<T>],
    watch: &Watch,
) -> anyhow::Result<Sample> {
    for pipeline in pipelines {
        let _ = pipeline.set_state(gst::State::Playing);
    }
    let analysing = |needed: fn(&[u64]) -> bool| -> anyhow::Result<()> {
        while !needed(&Counts::analysed(counts)) {
            undisturbed(pipelines, Duration::from_millis(10))?;
            ensure!(lived() < PATIENCE, "no frame came");
            ensure!(!workers.iter().any(JoinHandle::is_finished), "inference failed");
        }
        Ok(())
    };
    analysing(|counts| counts.iter().any(|count| *count > 0))?;
    let first_frame_s = lived().as_secs_f64();
    analysing(|counts| counts.iter().all(|count| *count > 0))?;
    undisturbed(pipelines, WARM_UP)?;
    let load = || (Counts::frames(counts), Counts::analysed(counts));
    Counts::take_latency(counts);
    let (before, from) = (Usage::now(), load());
    undisturbed(pipelines, watch.window.length)?;
    let (after, until) = (Usage::now(), load());
    let analysed = std::iter::zip(until.1, from.1).map(|(until, from)| until - from).collect();
    let sample = Sample::between(&before, &after, until.0 - from.0, analysed);
    Ok(Sample { first_frame_s, judged_ms: Quantiles::of(Counts::take_latency(counts)), ..sample })
}

/// With the same options as the program's.
fn session(environment: &Environment, model: &Model) -> Result<Session, ort::Error> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_intra_op_spinning(false)?
        .commit_from_file(model.weights())
}

/// Runs the network on tensors made once, of the first frame: one for each region.
fn infer(
    mut session: Session,
    input: &Input,
    regions: &[BBox],
    frames: &Mutex<Receiver<Due>>,
    counts: &[Counts],
) -> anyhow::Result<()> {
    let next = || frames.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let mut made: Vec<InputTensor> = Vec::new();
    while let Ok(Due { camera, arrived_at, sample }) = next() {
        if made.is_empty() {
            made = tensors(&picture_from_sample(&sample, &Masks::default())?, input, regions);
        }
        drop(sample);
        for tensor in &made {
            let tensor = TensorRef::from_array_view((tensor.shape(), tensor.data()))?;
            session.run(ort::inputs![input.name.as_str() => tensor])?;
        }
        counts[camera].analysed.fetch_add(1, Ordering::Relaxed);
        let took = arrived_at.elapsed().as_secs_f64() * 1e3;
        counts[camera].took_ms.lock().unwrap_or_else(PoisonError::into_inner).push(took);
    }
    Ok(())
}

fn tensors(picture: &Picture, input: &Input, regions: &[BBox]) -> Vec<InputTensor> {
    let fill = |region: &BBox| {
        let mut tensor = InputTensor::new(input);
        tensor.fill(picture, *region);
        tensor
    };
    regions.iter().map(fill).collect()
}

fn pipeline(
    (camera, url): (usize, &str),
    due: SyncSender<Due>,
    every: u64,
    counts: &Arc<[Counts]>,
) -> anyhow::Result<gst::Pipeline> {
    decode::init()?;
    let description = "rtspsrc name=camera protocols=tcp latency=200 ! rtph264depay ! h264parse ! \
                       avdec_h264 max-threads=1 output-corrupt=false ! \
                       appsink name=frames sync=false max-buffers=1 drop=true enable-last-sample=false";
    let pipeline = gst::parse::launch(description)?.downcast::<gst::Pipeline>().ok().context("it is a pipeline")?;
    pipeline.by_name("camera").context("named above")?.set_property("location", url);
    let sink = pipeline.by_name("frames").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok());
    let sink = sink.context("named above")?;
    // Without it the decoder copies every picture, which no floor needs.
    decode::accept_padded_pictures(&sink);
    let counts = Arc::clone(counts);
    let new_sample = move |sink: &gst_app::AppSink| {
        let arrived_at = Instant::now();
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if counts[camera].frames.fetch_add(1, Ordering::Relaxed).is_multiple_of(every) {
            let _ = due.try_send(Due { camera, arrived_at, sample });
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    Ok(pipeline)
}

/// Waits; an error of a pipeline ends the measurement.
fn undisturbed(pipelines: &[gst::Pipeline], length: Duration) -> anyhow::Result<()> {
    let ended = [gst::MessageType::Error, gst::MessageType::Eos];
    let [first, others @ ..] = pipelines else { bail!("a camera is watched") };
    let bus = |pipeline: &gst::Pipeline| pipeline.bus().context("a pipeline has a bus");
    let mut message = bus(first)?.timed_pop_filtered(gst::ClockTime::try_from(length)?, &ended);
    for pipeline in others {
        message = message.or(bus(pipeline)?.pop_filtered(&ended));
    }
    message.map_or(Ok(()), |message| bail!("the stream ended: {message:?}"))
}

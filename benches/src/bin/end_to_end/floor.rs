//! The floor: what nobody who watches this stream with this network can do without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use edge_agent::config::Home;
use edge_agent::decode::{self, picture_from_sample};
use edge_agent::detect::manifest::{Input, Model};
use edge_agent::detect::tensor::InputTensor;
use edge_agent::frame::Picture;
use edge_agent::setup;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use crate::sample::{Sample, lived};
use crate::{PATIENCE, WARM_UP, Watch};
use analytics::BBox;
use benches::process::Usage;

/// Counted by the threads that do the work.
#[derive(Default)]
struct Counts {
    frames: AtomicU64,
    analysed: AtomicU64,
}

/// Receives, decodes and infers one camera.
pub(crate) fn run(watch: &Watch, home: &Home) -> anyhow::Result<Sample> {
    let [camera] = watch.camera.as_slice() else { bail!("the floor is that of one camera") };
    let model = setup::load_model(home, &watch.window.model)?;
    let environment =
        ort::init_from(home.onnxruntime(edge_agent::detect::ort::Build::Cpu)?)?.with_telemetry(false).build()?;
    let session = session(&environment, &model)?;
    let counts = Arc::new(Counts::default());
    let every = u64::from((watch.fps / watch.window.analyse_fps).max(1));

    // One frame may wait while one is inferred; a frame that finds it full is not inferred, and the counts show it.
    let (due, frames) = sync_channel(1);
    let regions = model.manifest().defaults.regions.map(|grid| grid.regions());
    let regions = regions.unwrap_or_else(|| BBox::new(0.0, 0.0, 1.0, 1.0).into_iter().collect());
    let (input, inferred) = (model.manifest().input.clone(), Arc::clone(&counts));
    let worker = std::thread::Builder::new()
        .name("infer-0".to_owned())
        .spawn(move || infer(session, &input, &regions, &frames, &inferred))?;
    let pipeline = pipeline(camera, due, every, &counts)?;

    let measured = measure(&pipeline, &counts, &worker, watch);
    // Frees the sender too: the worker ends.
    let _ = pipeline.set_state(gst::State::Null);
    drop(pipeline);
    worker.join().map_err(|_| anyhow::anyhow!("inference panicked"))??;
    measured
}

fn measure<T>(
    pipeline: &gst::Pipeline,
    counts: &Counts,
    worker: &JoinHandle<T>,
    watch: &Watch,
) -> anyhow::Result<Sample> {
    let bus = pipeline.bus().context("a pipeline has a bus")?;
    let _ = pipeline.set_state(gst::State::Playing);
    while counts.analysed.load(Ordering::Relaxed) == 0 {
        undisturbed(&bus, Duration::from_millis(10))?;
        ensure!(lived() < PATIENCE, "no frame came");
        ensure!(!worker.is_finished(), "inference failed");
    }
    let first_frame_s = lived().as_secs_f64();
    undisturbed(&bus, WARM_UP)?;
    let load = || (counts.frames.load(Ordering::Relaxed), counts.analysed.load(Ordering::Relaxed));
    let (before, from) = (Usage::now(), load());
    undisturbed(&bus, watch.window.length)?;
    let (after, until) = (Usage::now(), load());
    let sample = Sample::between(&before, &after, until.0 - from.0, until.1 - from.1);
    Ok(Sample { first_frame_s, ..sample })
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
    frames: &Receiver<gst::Sample>,
    counts: &Counts,
) -> anyhow::Result<()> {
    let Ok(first) = frames.recv() else { return Ok(()) };
    let tensors = tensors(&picture_from_sample(&first)?, input, regions);
    drop(first);
    loop {
        for tensor in &tensors {
            let tensor = TensorRef::from_array_view((tensor.shape(), tensor.data()))?;
            session.run(ort::inputs![input.name.as_str() => tensor])?;
        }
        counts.analysed.fetch_add(1, Ordering::Relaxed);
        if frames.recv().is_err() {
            return Ok(());
        }
    }
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
    camera: &str,
    due: SyncSender<gst::Sample>,
    every: u64,
    counts: &Arc<Counts>,
) -> anyhow::Result<gst::Pipeline> {
    decode::init()?;
    let description = "rtspsrc name=camera protocols=tcp latency=200 ! rtph264depay ! h264parse ! \
                       avdec_h264 max-threads=1 output-corrupt=false ! \
                       appsink name=frames sync=false max-buffers=1 drop=true enable-last-sample=false";
    let pipeline = gst::parse::launch(description)?.downcast::<gst::Pipeline>().ok().context("it is a pipeline")?;
    pipeline.by_name("camera").context("named above")?.set_property("location", camera);
    let sink = pipeline.by_name("frames").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok());
    let sink = sink.context("named above")?;
    // Without it the decoder copies every picture, which no floor needs.
    decode::accept_padded_pictures(&sink);
    let counts = Arc::clone(counts);
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if counts.frames.fetch_add(1, Ordering::Relaxed).is_multiple_of(every) {
            let _ = due.try_send(sample);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    Ok(pipeline)
}

/// Waits; an error of the pipeline ends the measurement.
fn undisturbed(bus: &gst::Bus, length: Duration) -> anyhow::Result<()> {
    let length = gst::ClockTime::try_from(length)?;
    match bus.timed_pop_filtered(length, &[gst::MessageType::Error, gst::MessageType::Eos]) {
        None => Ok(()),
        Some(message) => bail!("the stream ended: {message:?}"),
    }
}

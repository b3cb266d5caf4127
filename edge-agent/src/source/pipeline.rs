//! What the pipelines of all live sources have in common: how they start, fail and end, and the way from a stream's pad
//! to the camera's slot.
//!
//! `(head) ! depayloader ! parser ! decoder ! (tail)`; what lies behind the head is made when the head has said what it
//! gives. A stream that is only kept ends behind the parser.
//!
//! # Failure
//! Errors and the stream's end come from GStreamer's threads through a one-shot: the first one ends the attempt. A
//! peer that merely falls silent sends nothing: the supervisor's watchdog ends that attempt.
//!
//! # Ownership
//! GStreamer's threads belong to the pipeline, which belongs to the attempt's future. Dropping it hands the pipeline
//! to a thread that stops it: stopping waits for the network and must not hold up a task.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::{oneshot, watch};

use super::codec::Codec;
use super::held::Handover;
use super::thin;
use super::{Attempt, SourceError, StreamInfo};
use crate::crash;
use crate::decode::{self, Choice, DecodeError, VideoCodec, picture_from_sample};
use crate::resources::descriptors;
use crate::secret::redact;

/// Earlier pipelines that may hang in their teardown before no further one is started.
const MOST_STUCK: usize = 3;

/// The decoder of JPEG, on every box.
const JPEG_DECODER: &str = "jpegdec";

/// The way out of GStreamer's threads: the first error ends the attempt.
#[derive(Debug)]
pub(super) struct Failure(Mutex<Option<oneshot::Sender<SourceError>>>);

impl Failure {
    fn channel() -> (Arc<Self>, oneshot::Receiver<SourceError>) {
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Self(Mutex::new(Some(sender)))), receiver)
    }

    pub(super) fn report(&self, error: SourceError) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody listens any more: the attempt is over, its errors too.
            let _ = sender.send(error);
        }
    }
}

/// One source's pipelines: the one that runs, and those handed over to be stopped that are not stopped yet.
#[derive(Debug, Clone)]
pub(super) struct Pipelines {
    stopping: Arc<watch::Sender<usize>>,
}

impl Pipelines {
    pub(super) fn new() -> Self {
        Self { stopping: Arc::new(watch::Sender::new(0)) }
    }

    /// Builds a pipeline and plays it until it fails.
    pub(super) async fn play(
        &self,
        build: impl FnOnce(&Arc<Failure>) -> Result<gst::Pipeline, SourceError> + Send + 'static,
    ) -> SourceError {
        let stuck = *self.stopping.borrow();
        if stuck >= MOST_STUCK {
            return SourceError::Stuck { count: stuck };
        }
        if !descriptors::has_room(descriptors::OF_CONNECTION) {
            return SourceError::NoDescriptors;
        }
        let (failure, failed) = Failure::channel();
        let stopping = Arc::clone(&self.stopping);
        // The first pipeline loads plugins from disk.
        let started = tokio::task::spawn_blocking(move || {
            decode::init()?;
            let connection = Connection { pipeline: build(&failure)?, stopping };
            // A source that cannot even begin says why on the bus.
            let _ = connection.pipeline.set_state(gst::State::Playing);
            Ok(connection)
        });
        match started.await {
            Ok(Ok(_connection)) => failed.await.unwrap_or(SourceError::EndOfStream),
            Ok(Err(error)) => error,
            Err(join) => SourceError::Panicked { message: redact(&join.to_string()) },
        }
    }

    /// Completes when every pipeline is stopped.
    pub(super) async fn released(&self) {
        // Fails only when the sender is gone, and it is ours.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping == 0).await;
    }
}

/// A running pipeline.
struct Connection {
    pipeline: gst::Pipeline,
    stopping: Arc<watch::Sender<usize>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (pipeline, stopping) = (self.pipeline.clone(), Arc::clone(&self.stopping));
        stopping.send_modify(|stopping| *stopping += 1);
        let stop = move || {
            // Cannot fail downwards; may take as long as the network lets it.
            let _ = pipeline.set_state(gst::State::Null);
            stopping.send_modify(|stopping| *stopping -= 1);
        };
        if let Err(error) = std::thread::Builder::new().name("camera-teardown".to_owned()).spawn(stop) {
            tracing::error!("no thread to close a camera's connection: {error}");
            let _ = self.pipeline.set_state(gst::State::Null);
            self.stopping.send_modify(|stopping| *stopping -= 1);
        }
    }
}

/// Reports what comes over the bus; errors as `classify` understands them.
pub(super) fn watch_bus(
    pipeline: &gst::Pipeline,
    failure: &Arc<Failure>,
    classify: impl Fn(&gst::message::Error) -> SourceError + Send + Sync + 'static,
) {
    let failure = Arc::clone(failure);
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_bus, message| {
        match message.view() {
            gst::MessageView::Error(error) => failure.report(classify(error)),
            gst::MessageView::Eos(_) => failure.report(SourceError::EndOfStream),
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// What becomes of a stream.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// Its pictures are decoded, by the first of these elements that works, as far as the session's
    /// [`DecodeControl`](super::DecodeControl) says.
    Decode { h264: Vec<String>, h265: Vec<String> },
    /// It is received; its pictures are found, counted and held as they came.
    Keep,
}

/// What wraps a stream's pictures at its pad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    Rtp,
    Nothing,
}

/// What the streaming threads need.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) attempt: Attempt,
    pub(super) failure: Arc<Failure>,
    pub(super) purpose: Arc<Purpose>,
    /// Whether the buffers' timestamps are the sender's; where not, the time of arrival counts.
    pub(super) has_timestamps: bool,
}

impl Receiver {
    /// Puts depayloader, parser, decoder and tail behind `pad`; a failure ends the attempt.
    pub(super) fn attach(&self, pipeline: &gst::Pipeline, pad: &gst::Pad, codec: Codec, wrapping: Wrapping) {
        self.name_thread(pad);
        if let Err(error) = self.try_attach(pipeline, pad, codec, wrapping) {
            self.failure.report(error);
        }
    }

    /// The thread that pushes through `pad`, and decodes, bears the camera's name from its first buffer on: GStreamer gives
    /// it one of its own when it begins.
    fn name_thread(&self, pad: &gst::Pad) {
        let camera = self.attempt.camera().clone();
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(kinds, move |_pad, _info| {
            crash::name_this_thread(camera.as_str());
            gst::PadProbeReturn::Remove
        });
    }

    fn try_attach(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        codec: Codec,
        wrapping: Wrapping,
    ) -> Result<(), SourceError> {
        let unwrap = codec.depayloader().filter(|_| wrapping == Wrapping::Rtp);
        let mut chain = Vec::new();
        for name in [unwrap, codec.parser()].into_iter().flatten() {
            chain.push(decode::make(name)?);
        }
        let mut stream = StreamInfo { codec: codec.name().to_owned(), ..StreamInfo::default() };
        let handover = Arc::new(Handover::default());
        let (entry, sink) = match &*self.purpose {
            Purpose::Decode { h264, h265 } => {
                if let Some((decoder, passed_over)) = decoder(codec, h264, h265)? {
                    stream.decoder = element_kind(&decoder);
                    stream.passed_over = passed_over;
                    thin::attach(&decoder, codec, self.attempt.clone(), self.has_timestamps, &handover);
                    chain.push(decoder);
                }
                decode::tail(pipeline.upcast_ref(), true)?
            }
            Purpose::Keep => {
                let sink = decode::packet_tail(pipeline.upcast_ref())?;
                (sink.clone().upcast(), sink)
            }
        };
        self.attempt.describe(stream.clone());
        self.note_size(&sink, stream);
        self.deliver_from(&sink, handover);
        link(pipeline, pad, codec, &chain, &entry)
            .map_err(|_| DecodeError::Gstreamer { action: "link the decoder" })?;
        Ok(())
    }

    /// Says the pictures' size whenever it becomes known or changes.
    fn note_size(&self, sink: &gst_app::AppSink, stream: StreamInfo) {
        let (attempt, pad) = (self.attempt.clone(), sink.static_pad("sink").expect("an appsink has a sink pad"));
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_pad, info| {
            if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view())
                && let Some(size) = size_of(caps.caps())
            {
                attempt.describe(StreamInfo { size: Some(size), ..stream.clone() });
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn deliver_from(&self, sink: &gst_app::AppSink, handover: Arc<Handover>) {
        let receiver = self.clone();
        let decoded = matches!(*self.purpose, Purpose::Decode { .. });
        let new_sample = move |sink: &gst_app::AppSink| {
            let arrived_at = Instant::now();
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let delivered = if decoded {
                receiver.deliver(&handover, &sample, arrived_at)?
            } else {
                receiver.attempt.keep(&sample, arrived_at)
            };
            delivered.map(|()| gst::FlowSuccess::Ok).map_err(|_closed| gst::FlowError::Flushing)
        };
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    }

    fn deliver(
        &self,
        handover: &Handover,
        sample: &gst::Sample,
        arrived_at: Instant,
    ) -> Result<Result<(), super::Closed>, gst::FlowError> {
        let pts = sample.buffer().and_then(gst::BufferRef::pts);
        let picture = picture_from_sample(sample, self.attempt.masks()).map_err(|error| {
            self.failure.report(error.into());
            gst::FlowError::Error
        })?;
        Ok(handover.deliver(&self.attempt, picture, pts.filter(|_| self.has_timestamps), arrived_at))
    }
}

/// The decoder, and why not those preferred over it; `None` where nothing is coded.
fn decoder(codec: Codec, h264: &[String], h265: &[String]) -> Result<Option<(gst::Element, Vec<String>)>, DecodeError> {
    let choice = match codec {
        Codec::H264 => decode::choose(VideoCodec::H264, h264)?,
        Codec::H265 => decode::choose(VideoCodec::H265, h265)?,
        Codec::Jpeg => Choice { element: JPEG_DECODER.to_owned(), passed_over: Vec::new() },
        Codec::Raw => return Ok(None),
    };
    let decoder = decode::make(&choice.element)?;
    if decoder.find_property("output-corrupt").is_some() {
        // A smeared picture is worse than none: it looks like motion.
        decoder.set_property("output-corrupt", false);
    }
    let passed_over = choice.passed_over.into_iter().map(|(element, why)| format!("{element}: {why}")).collect();
    Ok(Some((decoder, passed_over)))
}

/// Parser and decoder, in this order, for pictures of this media type that were kept as they came.
///
/// # Errors
/// [`DecodeError`], also for a codec that has no decoder here.
pub(crate) fn still_decoder(media: &str, h264: &[String], h265: &[String]) -> Result<Vec<gst::Element>, DecodeError> {
    let codec = match media {
        "video/x-h264" => Codec::H264,
        "video/x-h265" => Codec::H265,
        "image/jpeg" => Codec::Jpeg,
        other => return Err(DecodeError::BadSample { reason: format!("{other} is no coded picture") }),
    };
    let parser = codec.parser().map(decode::make).transpose()?;
    let decoder = decoder(codec, h264, h265)?.map(|(decoder, _)| decoder);
    Ok(parser.into_iter().chain(decoder).collect())
}

/// Puts the chain between `pad` and `entry` and starts it.
fn link(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    codec: Codec,
    chain: &[gst::Element],
    entry: &gst::Element,
) -> Result<(), gst::glib::BoolError> {
    pipeline.add_many(chain)?;
    for pair in chain.windows(2) {
        if codec == Codec::H264 && std::ptr::eq(&pair[0], &chain[0]) {
            // With the parameter sets in its caps from the start, as the description gave them: openh264dec refuses
            // caps without a profile, silently, and never recovers.
            let avc = gst::Caps::builder("video/x-h264").field("stream-format", "avc").build();
            pair[0].link_filtered(&pair[1], &avc)?;
        } else {
            pair[0].link(&pair[1])?;
        }
    }
    if let Some(last) = chain.last() {
        last.link(entry)?;
    }
    // From the sink upwards: nobody is pushed into an element that does not run yet.
    let upwards = [entry].into_iter().chain(chain.iter().rev()).cloned();
    for element in pipeline.iterate_sinks().into_iter().flatten().chain(upwards) {
        element.sync_state_with_parent()?;
    }
    let first = chain.first().unwrap_or(entry);
    let first = first.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("no sink pad"))?;
    pad.link(&first).map_err(|_| gst::glib::bool_error!("pads do not link"))?;
    Ok(())
}

fn size_of(caps: &gst::CapsRef) -> Option<(u32, u32)> {
    let structure = caps.structure(0)?;
    let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    Some((side("width")?, side("height")?))
}

/// The kind of an element: its factory's name.
fn element_kind(element: &gst::Element) -> String {
    element.factory().map_or_else(String::new, |factory| factory.name().to_string())
}

#[cfg(test)]
mod hung_tests;

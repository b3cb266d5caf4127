//! A camera over RTSP (RFC 2326), H.264 or H.265: one attempt, one pipeline.
//!
//! `rtspsrc ! rtph264depay ! h264parse ! decoder ! (tail)`; the middle is made when the camera has said what it offers.
//! Streams that are not the first decodable video one are not set up at all.
//!
//! # Failure
//! Errors and the stream's end come from GStreamer's threads through a one-shot: the first one ends the attempt. A
//! peer that merely falls silent sends nothing: the supervisor's watchdog ends that attempt.
//!
//! # Ownership
//! GStreamer's threads belong to the pipeline, which belongs to the attempt's future. Dropping it hands the pipeline
//! to a thread that stops it: stopping waits for the network and must not hold up a task.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::{oneshot, watch};

use super::error::describe;
use super::offer::{Codec, Offer};
use super::{Attempt, FrameSource, SourceError, StreamInfo};
use crate::decode::{self, DecodeError, picture_from_sample};
use crate::secret::{Secret, redact};

/// Time a camera has to answer a connection or a request. Below the supervisor's patience, and short enough that a
/// camera that comes up just after an attempt began is found within five seconds.
const ANSWER: Duration = Duration::from_secs(4);

/// Time in which UDP packets must begin to arrive.
const UDP_SILENCE: Duration = Duration::from_secs(5);

/// How long packets may be put back in order; matters for UDP alone.
const JITTER_MS: u32 = 200;

/// Earlier pipelines that may hang in their teardown before no further one is started.
const MOST_STUCK: usize = 3;

/// How RTP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Interleaved in the RTSP connection: nothing is lost, and it passes firewalls.
    #[default]
    Tcp,
    /// Datagrams: lower latency on a good network, broken pictures on a bad one.
    Udp,
}

/// A camera's log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A camera's stream and how to receive it.
#[derive(Debug, Clone, PartialEq)]
pub struct RtspParams {
    /// `rtsp://` or `rtsps://`, without user name and password.
    pub url: url::Url,
    /// The log-in, if the camera wants one.
    pub credentials: Option<Credentials>,
    /// How RTP travels.
    pub transport: Transport,
    /// Decoder elements for H.264, preferred first: the first that is installed is used.
    pub h264_decoders: Vec<String>,
    /// The same for H.265.
    pub h265_decoders: Vec<String>,
}

impl RtspParams {
    /// TCP, no log-in, software decoders.
    #[must_use]
    pub fn new(url: url::Url) -> Self {
        let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        Self {
            url,
            credentials: None,
            transport: Transport::Tcp,
            h264_decoders: names(["avdec_h264", "openh264dec"]),
            h265_decoders: names(["avdec_h265", "libde265dec"]),
        }
    }
}

/// A camera over RTSP.
#[derive(Debug)]
pub struct RtspSource {
    params: Arc<RtspParams>,
    /// Pipelines handed over to be stopped that are not stopped yet.
    stopping: Arc<watch::Sender<usize>>,
}

impl RtspSource {
    /// A source that is not connected.
    ///
    /// # Errors
    /// [`SourceError::InvalidUrl`] when the url is not RTSP's or holds a log-in.
    pub fn new(params: RtspParams) -> Result<Self, SourceError> {
        let url = &params.url;
        if !matches!(url.scheme(), "rtsp" | "rtsps") || url.host_str().is_none_or(str::is_empty) {
            return Err(SourceError::InvalidUrl { reason: "expected rtsp:// or rtsps://, a host and a path" });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceError::InvalidUrl {
                reason: "it holds a user name or a password: move them into a credential and refer to that",
            });
        }
        Ok(Self { params: Arc::new(params), stopping: Arc::new(watch::Sender::new(0)) })
    }
}

impl FrameSource for RtspSource {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        let stuck = *self.stopping.borrow();
        if stuck >= MOST_STUCK {
            return SourceError::Stuck { count: stuck };
        }
        let (failure, failed) = Failure::channel();
        let (params, stopping) = (Arc::clone(&self.params), Arc::clone(&self.stopping));
        // The first pipeline loads plugins from disk.
        let started = tokio::task::spawn_blocking(move || Connection::start(&params, &attempt, failure, stopping));
        match started.await {
            Ok(Ok(_connection)) => failed.await.unwrap_or(SourceError::EndOfStream),
            Ok(Err(error)) => error,
            Err(join) => SourceError::Panicked { message: redact(&join.to_string()) },
        }
    }

    async fn released(&self) {
        // Fails only when the sender is gone, and it is ours.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping == 0).await;
    }
}

/// The way out of GStreamer's threads: the first error ends the attempt.
#[derive(Debug)]
struct Failure(Mutex<Option<oneshot::Sender<SourceError>>>);

impl Failure {
    fn channel() -> (Arc<Self>, oneshot::Receiver<SourceError>) {
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Self(Mutex::new(Some(sender)))), receiver)
    }

    fn report(&self, error: SourceError) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody listens any more: the attempt is over, its errors too.
            let _ = sender.send(error);
        }
    }
}

/// A running pipeline.
struct Connection {
    pipeline: gst::Pipeline,
    stopping: Arc<watch::Sender<usize>>,
}

impl Connection {
    fn start(
        params: &Arc<RtspParams>,
        attempt: &Attempt,
        failure: Arc<Failure>,
        stopping: Arc<watch::Sender<usize>>,
    ) -> Result<Self, SourceError> {
        decode::init()?;
        let pipeline = gst::Pipeline::with_name(attempt.camera().as_str());
        let source = rtspsrc(params)?;
        pipeline.add(&source).map_err(|_| DecodeError::Gstreamer { action: "add rtspsrc" })?;
        let offer = Arc::new(Mutex::new(Offer::default()));
        watch_bus(&pipeline, params, &offer, &failure);
        choose_stream(&source, &offer);
        decode_stream(
            &source,
            &pipeline,
            Receiver { params: Arc::clone(params), attempt: attempt.clone(), offer, failure },
        );
        let connection = Self { pipeline, stopping };
        // A source that cannot even begin says why on the bus.
        let _ = connection.pipeline.set_state(gst::State::Playing);
        Ok(connection)
    }
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
        if let Err(error) = std::thread::Builder::new().name("rtsp-teardown".to_owned()).spawn(stop) {
            tracing::error!("no thread to close a camera's connection: {error}");
            let _ = self.pipeline.set_state(gst::State::Null);
            self.stopping.send_modify(|stopping| *stopping -= 1);
        }
    }
}

fn rtspsrc(params: &RtspParams) -> Result<gst::Element, SourceError> {
    let source = decode::make("rtspsrc")?;
    source.set_property("location", params.url.as_str());
    source.set_property("latency", JITTER_MS);
    source.set_property("tcp-timeout", micros(ANSWER));
    source.set_property("timeout", micros(UDP_SILENCE));
    // Reconnecting is the supervisor's.
    source.set_property("udp-reconnect", false);
    source.set_property_from_str(
        "protocols",
        match params.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        },
    );
    if let Some(Credentials { user, password }) = &params.credentials {
        source.set_property("user-id", user);
        source.set_property("user-pw", password.expose());
    }
    Ok(source)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn choose_stream(source: &gst::Element, offer: &Arc<Mutex<Offer>>) {
    let offer = Arc::clone(offer);
    source.connect("select-stream", false, move |arguments| {
        let caps = arguments.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let chosen = caps.is_some_and(|caps| offer.lock().unwrap_or_else(PoisonError::into_inner).choose(&caps));
        Some(chosen.to_value())
    });
}

fn watch_bus(pipeline: &gst::Pipeline, params: &Arc<RtspParams>, offer: &Arc<Mutex<Offer>>, failure: &Arc<Failure>) {
    let (params, offer, failure) = (Arc::clone(params), Arc::clone(offer), Arc::clone(failure));
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_bus, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let unsupported = offer.lock().unwrap_or_else(PoisonError::into_inner).unsupported();
                let password = params.credentials.as_ref().map(|credentials| &credentials.password);
                failure.report(unsupported.unwrap_or_else(|| classify(error, password)));
            }
            gst::MessageView::Eos(_) => failure.report(SourceError::EndOfStream),
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// What an error of rtspsrc or the decoder means.
fn classify(message: &gst::message::Error, password: Option<&Secret>) -> SourceError {
    let error = message.error();
    let text = describe(&error, message.debug().as_deref());
    let detail = password.map_or_else(|| redact(&text), |password| password.redact_from(&text));
    match (error.kind::<gst::ResourceError>(), error.kind::<gst::StreamError>()) {
        (Some(gst::ResourceError::NotAuthorized), _) => SourceError::Unauthorised,
        (Some(_), _) if detail.contains("(403)") => SourceError::Unauthorised,
        // An unknown host is "not found" too.
        (Some(gst::ResourceError::NotFound), _) if detail.contains("(404)") => SourceError::NotFound,
        (Some(_), _) => SourceError::Unreachable { detail },
        // A source that stops streaming says so in the same words whether the network or the decoder stopped it.
        (None, Some(gst::StreamError::Failed)) if !detail.contains("not-negotiated") => {
            SourceError::Unreachable { detail }
        }
        (None, _) => SourceError::Decoder { detail },
    }
}

/// What the streaming threads need.
#[derive(Clone)]
struct Receiver {
    params: Arc<RtspParams>,
    attempt: Attempt,
    offer: Arc<Mutex<Offer>>,
    failure: Arc<Failure>,
}

fn decode_stream(source: &gst::Element, pipeline: &gst::Pipeline, receiver: Receiver) {
    // Weak: the pipeline owns the source, which owns this closure.
    let pipeline = pipeline.downgrade();
    source.connect_pad_added(move |_source, pad| {
        let chosen = receiver.offer.lock().unwrap_or_else(PoisonError::into_inner).chosen;
        let (Some(pipeline), Some(codec)) = (pipeline.upgrade(), chosen) else { return };
        if let Err(error) = receiver.attach(&pipeline, pad, codec) {
            receiver.failure.report(error);
        }
    });
}

impl Receiver {
    /// Puts depayloader, parser, decoder and tail behind `pad`.
    fn attach(&self, pipeline: &gst::Pipeline, pad: &gst::Pad, codec: Codec) -> Result<(), SourceError> {
        let (depay, parse, decoders) = match codec {
            Codec::H264 => ("rtph264depay", "h264parse", &self.params.h264_decoders),
            Codec::H265 => ("rtph265depay", "h265parse", &self.params.h265_decoders),
        };
        let decoder = decode::make(decode::first_available(decoders)?)?;
        if decoder.find_property("output-corrupt").is_some() {
            // A smeared picture is worse than none: it looks like motion.
            decoder.set_property("output-corrupt", false);
        }
        let stream = StreamInfo { codec: codec.name().to_owned(), decoder: element_kind(&decoder) };
        let chain = [decode::make(depay)?, decode::make(parse)?, decoder];
        let (convert, sink) = decode::tail(pipeline.upcast_ref(), true)?;
        self.attempt.describe(stream);
        self.deliver_from(&sink);
        link(pipeline, pad, codec, &chain, &convert)
            .map_err(|_| DecodeError::Gstreamer { action: "link the decoder" })?;
        Ok(())
    }

    fn deliver_from(&self, sink: &gst_app::AppSink) {
        let (attempt, failure) = (self.attempt.clone(), Arc::clone(&self.failure));
        let new_sample = move |sink: &gst_app::AppSink| {
            let arrived_at = Instant::now();
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let pts = sample.buffer().and_then(gst::BufferRef::pts).map(Duration::from);
            let picture = picture_from_sample(&sample).map_err(|error| {
                failure.report(error.into());
                gst::FlowError::Error
            })?;
            attempt.deliver(picture, pts, arrived_at).map_err(|_closed| gst::FlowError::Flushing)?;
            Ok(gst::FlowSuccess::Ok)
        };
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    }
}

/// Puts the chain between `pad` and `convert` and starts it.
fn link(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    codec: Codec,
    chain: &[gst::Element; 3],
    convert: &gst::Element,
) -> Result<(), gst::glib::BoolError> {
    let [depay, parse, decoder] = chain;
    pipeline.add_many(chain)?;
    if codec == Codec::H264 {
        // With the parameter sets in its caps from the start, as the description gave them: openh264dec refuses
        // caps without a profile, silently, and never recovers.
        depay.link_filtered(parse, &gst::Caps::builder("video/x-h264").field("stream-format", "avc").build())?;
    } else {
        depay.link(parse)?;
    }
    gst::Element::link_many([parse, decoder, convert])?;
    // From the sink upwards: nobody is pushed into an element that does not run yet.
    for element in
        pipeline.iterate_sinks().into_iter().flatten().chain([convert, decoder, parse, depay].map(Clone::clone))
    {
        element.sync_state_with_parent()?;
    }
    let entry = depay.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("no sink pad"))?;
    pad.link(&entry).map_err(|_| gst::glib::bool_error!("pads do not link"))?;
    Ok(())
}

/// The kind of an element: its factory's name.
fn element_kind(element: &gst::Element) -> String {
    element.factory().map_or_else(String::new, |factory| factory.name().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let url = url.parse().expect("a url");
        RtspSource::new(RtspParams::new(url)).expect_err("refused").to_string()
    }

    #[test]
    fn a_url_with_a_log_in_is_refused_without_repeating_it() {
        for url in ["rtsp://admin:c4n4ry@10.0.0.2/sub", "rtsp://c4n4ry@10.0.0.2/sub"] {
            let text = refusal(url);
            assert!(text.contains("credential") && !text.contains("c4n4ry"), "{text}");
        }
    }

    #[test]
    fn only_rtsp_urls_are_taken() {
        assert!(refusal("http://10.0.0.2/sub").contains("rtsp://"));
        assert!(refusal("rtsp:sub").contains("rtsp://"));
    }
}

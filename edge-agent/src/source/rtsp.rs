//! A camera over RTSP (RFC 2326): H.264, H.265 or Motion JPEG (RFC 2435). One attempt, one [pipeline](super::pipeline)
//! behind an `rtspsrc`.
//!
//! Streams that are not the first one that can be received are not set up at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::error::describe;
use super::offer::Offer;
use super::pipeline::{Pipelines, Purpose, Receiver, Wrapping, watch_bus};
use super::{Attempt, FrameSource, SourceError};
use crate::decode::{self, DecodeError};
use crate::secret::{Secret, redact};

/// Time a camera has to answer a connection or a request. Below the supervisor's patience, and short enough that a
/// camera that comes up just after an attempt began is found within five seconds.
pub(super) const ANSWER: Duration = Duration::from_secs(4);

/// Time in which UDP packets must begin to arrive.
const UDP_SILENCE: Duration = Duration::from_secs(5);

/// How long packets may be put back in order; matters for UDP alone.
const JITTER_MS: u32 = 200;

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
    /// Decoder elements for H.264, preferred first: the first that works is used.
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
    purpose: Arc<Purpose>,
    pipelines: Pipelines,
}

impl RtspSource {
    /// A source of decoded frames, not connected.
    ///
    /// # Errors
    /// [`SourceError::InvalidUrl`] when the url is not RTSP's or holds a log-in.
    pub fn new(params: RtspParams) -> Result<Self, SourceError> {
        let (h264, h265) = (params.h264_decoders.clone(), params.h265_decoders.clone());
        Self::with(params, Purpose::Decode { h264, h265 })
    }

    /// A source of a stream that is received and parsed, never decoded: for a [session of
    /// packets](super::Session::of_packets).
    ///
    /// # Errors
    /// As [`RtspSource::new`].
    pub fn undecoded(params: RtspParams) -> Result<Self, SourceError> {
        Self::with(params, Purpose::Keep)
    }

    fn with(params: RtspParams, purpose: Purpose) -> Result<Self, SourceError> {
        let url = &params.url;
        if !matches!(url.scheme(), "rtsp" | "rtsps") || url.host_str().is_none_or(str::is_empty) {
            return Err(SourceError::InvalidUrl { reason: "expected rtsp:// or rtsps://, a host and a path" });
        }
        refuse_log_in(url)?;
        Ok(Self { params: Arc::new(params), purpose: Arc::new(purpose), pipelines: Pipelines::new() })
    }
}

/// A log-in belongs into a credential.
pub(super) fn refuse_log_in(url: &url::Url) -> Result<(), SourceError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    let reason = "it holds a user name or a password: move them into a credential and refer to that";
    Err(SourceError::InvalidUrl { reason })
}

impl FrameSource for RtspSource {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        let (params, purpose) = (Arc::clone(&self.params), Arc::clone(&self.purpose));
        self.pipelines
            .play(move |failure| {
                let pipeline = gst::Pipeline::with_name(attempt.camera().as_str());
                let source = rtspsrc(&params)?;
                pipeline.add(&source).map_err(|_| DecodeError::Gstreamer { action: "add rtspsrc" })?;
                let offer = Arc::new(Mutex::new(Offer::default()));
                classify_errors(&pipeline, &params, &offer, failure);
                choose_stream(&source, &offer);
                listen_to_reports(&source, &attempt);
                let failure = Arc::clone(failure);
                receive(&source, &pipeline, offer, Receiver { attempt, failure, purpose, has_timestamps: true });
                Ok(pipeline)
            })
            .await
    }

    async fn released(&self) {
        self.pipelines.released().await;
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

/// Hands on the RTCP packets of the camera: what enters the receiving half of rtspsrc's rtpbin.
fn listen_to_reports(source: &gst::Element, attempt: &Attempt) {
    let attempt = attempt.clone();
    source.connect("new-manager", false, move |arguments| {
        let manager: gst::Element = arguments.get(1)?.get().ok()?;
        let attempt = attempt.clone();
        manager.connect_pad_added(move |_manager, pad| {
            if !pad.name().starts_with("recv_rtcp_sink") {
                return;
            }
            let attempt = attempt.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_pad, info| {
                if let Some(packet) = info.buffer().and_then(|buffer| buffer.map_readable().ok()) {
                    attempt.note_report(&packet);
                }
                gst::PadProbeReturn::Ok
            });
        });
        None
    });
}

fn classify_errors(
    pipeline: &gst::Pipeline,
    params: &Arc<RtspParams>,
    offer: &Arc<Mutex<Offer>>,
    failure: &Arc<super::pipeline::Failure>,
) {
    let (params, offer) = (Arc::clone(params), Arc::clone(offer));
    watch_bus(pipeline, failure, move |error| {
        let unsupported = offer.lock().unwrap_or_else(PoisonError::into_inner).unsupported();
        unsupported.unwrap_or_else(|| classify(error, password_of(params.credentials.as_ref())))
    });
}

pub(super) fn password_of(credentials: Option<&Credentials>) -> Option<&Secret> {
    credentials.map(|credentials| &credentials.password)
}

/// What an error of rtspsrc, souphttpsrc or the decoder means.
pub(super) fn classify(message: &gst::message::Error, password: Option<&Secret>) -> SourceError {
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

fn receive(source: &gst::Element, pipeline: &gst::Pipeline, offer: Arc<Mutex<Offer>>, receiver: Receiver) {
    // Weak: the pipeline owns the source, which owns this closure.
    let pipeline = pipeline.downgrade();
    source.connect_pad_added(move |_source, pad| {
        let chosen = offer.lock().unwrap_or_else(PoisonError::into_inner).chosen;
        if let (Some(pipeline), Some(codec)) = (pipeline.upgrade(), chosen) {
            receiver.attach(&pipeline, pad, codec, Wrapping::Rtp);
        }
    });
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

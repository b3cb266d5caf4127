//! A camera that sends Motion JPEG over HTTP (`multipart/x-mixed-replace`): `souphttpsrc ! multipartdemux`, then the
//! [pipeline](super::pipeline) of every source.
//!
//! Such a stream has no timestamps: frames are stamped as they arrive. Redirections are not followed, so that the log-in
//! goes to no other host; libsoup's own log, which has headers in it, is off. HTTPS is not supported.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::codec::Codec;
use super::pipeline::{Pipelines, Purpose, Receiver, Wrapping, watch_bus};
use super::rtsp::{ANSWER, classify, password_of, refuse_log_in};
use super::{Attempt, Credentials, FrameSource, SourceError};
use crate::decode::{self, DecodeError};

/// Bytes asked for at once: a few reads a picture.
const BLOCK: u32 = 65_536;

/// A camera's stream and how to receive it.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpParams {
    /// `http://`, without user name and password.
    pub url: url::Url,
    /// The log-in, if the camera wants one: HTTP Basic or Digest, as it asks.
    pub credentials: Option<Credentials>,
}

/// A camera over HTTP.
#[derive(Debug)]
pub struct HttpSource {
    params: Arc<HttpParams>,
    pipelines: Pipelines,
}

impl HttpSource {
    /// A source that is not connected.
    ///
    /// # Errors
    /// [`SourceError::InvalidUrl`] when the url is not HTTP's or holds a log-in.
    pub fn new(params: HttpParams) -> Result<Self, SourceError> {
        if params.url.scheme() != "http" {
            return Err(SourceError::InvalidUrl { reason: "expected http://, a host and a path" });
        }
        refuse_log_in(&params.url)?;
        Ok(Self { params: Arc::new(params), pipelines: Pipelines::new() })
    }
}

impl FrameSource for HttpSource {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        let params = Arc::clone(&self.params);
        self.pipelines
            .play(move |failure| {
                let pipeline = gst::Pipeline::with_name(attempt.camera().as_str());
                let (source, parts) = (souphttpsrc(&params)?, decode::make("multipartdemux")?);
                pipeline.add_many([&source, &parts]).map_err(|_| DecodeError::Gstreamer { action: "add elements" })?;
                source.link(&parts).map_err(|_| DecodeError::Gstreamer { action: "link elements" })?;
                watch_bus(&pipeline, failure, move |error| classify(error, password_of(params.credentials.as_ref())));
                let purpose = Arc::new(Purpose::Decode { h264: Vec::new(), h265: Vec::new() });
                let failure = Arc::clone(failure);
                receive(&parts, &pipeline, Receiver { attempt, failure, purpose, has_timestamps: false });
                Ok(pipeline)
            })
            .await
    }

    async fn released(&self) {
        self.pipelines.released().await;
    }
}

fn souphttpsrc(params: &HttpParams) -> Result<gst::Element, SourceError> {
    let source = decode::make("souphttpsrc")?;
    source.set_property("location", params.url.as_str());
    // Not what `http_proxy` says: a camera is near.
    source.set_property("proxy", "");
    source.set_property("is-live", true);
    source.set_property("automatic-redirect", false);
    source.set_property("blocksize", BLOCK);
    // Reconnecting is the supervisor's.
    source.set_property("retries", 0);
    source.set_property("timeout", u32::try_from(ANSWER.as_secs()).unwrap_or(u32::MAX));
    source.set_property_from_str("http-log-level", "none");
    if let Some(Credentials { user, password }) = &params.credentials {
        source.set_property("user-id", user);
        source.set_property("user-pw", password.expose());
    }
    Ok(source)
}

fn receive(parts: &gst::Element, pipeline: &gst::Pipeline, receiver: Receiver) {
    // Weak: the pipeline owns the demuxer, which owns this closure.
    let pipeline = pipeline.downgrade();
    parts.connect_pad_added(move |_parts, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let media_type = caps.structure(0).map_or_else(String::new, |first| first.name().to_string());
        match Codec::from_media_type(&media_type) {
            Some(Codec::Jpeg) => receiver.attach(&pipeline, pad, Codec::Jpeg, Wrapping::Nothing),
            _ => receiver.failure.report(SourceError::UnsupportedCodec { codec: media_type }),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_without_a_log_in_are_taken() {
        let refusal = |url: &str| {
            let params = HttpParams { url: url.parse().expect("a url"), credentials: None };
            HttpSource::new(params).expect_err("refused").to_string()
        };
        assert!(refusal("rtsp://10.0.0.2/sub").contains("http://"));
        let text = refusal("http://admin:c4n4ry@10.0.0.2/mjpeg");
        assert!(text.contains("credential") && !text.contains("c4n4ry"), "{text}");
    }
}

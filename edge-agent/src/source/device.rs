//! A camera on this box: a Video4Linux device, raw (YUY2, NV12, I420) or Motion JPEG, through the
//! [pipeline](super::pipeline) of every source.
//!
//! # Failure
//! A device that is not there or is busy is tried again every few seconds, so one that is plugged in again comes back;
//! what is no camera, or may not be opened, as rarely as a refused log-in. Nothing is held between attempts.

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::codec::Codec;
use super::error::describe;
use super::pipeline::{Pipelines, Purpose, Receiver, Wrapping, watch_bus};
use super::{Attempt, DeviceFault, FrameSource, SourceError};
use crate::decode::{self, DecodeError};

/// A device and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceParams {
    /// Such as `/dev/video0`.
    pub device: PathBuf,
    /// Width and height; what the driver prefers, by default.
    pub size: Option<(u32, u32)>,
    /// Frames a second; what the driver prefers, by default.
    pub fps: Option<u32>,
}

/// Makes the element that opens the device and gives its stream. A test has no device, and puts another in its place.
type Head = fn(&DeviceParams) -> Result<gst::Element, SourceError>;

/// A camera on this box.
pub struct DeviceSource {
    params: Arc<DeviceParams>,
    head: Head,
    pipelines: Pipelines,
}

impl fmt::Debug for DeviceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.params.fmt(f)
    }
}

impl DeviceSource {
    /// A source that is not connected.
    #[must_use]
    pub fn new(params: DeviceParams) -> Self {
        Self::with_head(params, v4l2src)
    }

    fn with_head(params: DeviceParams, head: Head) -> Self {
        Self { params: Arc::new(params), head, pipelines: Pipelines::new() }
    }
}

impl FrameSource for DeviceSource {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        let (params, head) = (Arc::clone(&self.params), self.head);
        self.pipelines
            .play(move |failure| {
                let pipeline = gst::Pipeline::with_name(attempt.camera().as_str());
                let (source, filter) = (head(&params)?, decode::make("capsfilter")?);
                filter.set_property("caps", wanted(&params));
                pipeline.add_many([&source, &filter]).map_err(|_| DecodeError::Gstreamer { action: "add elements" })?;
                source.link(&filter).map_err(|_| no_such_form(&params.device))?;
                watch_bus(&pipeline, failure, move |error| classify(error, &params.device));
                let purpose = Arc::new(Purpose::Decode { h264: Vec::new(), h265: Vec::new() });
                let failure = Arc::clone(failure);
                receive(&filter, &pipeline, Receiver { attempt, failure, purpose, has_timestamps: true });
                Ok(pipeline)
            })
            .await
    }

    async fn released(&self) {
        self.pipelines.released().await;
    }
}

fn no_such_form(device: &Path) -> SourceError {
    let fault = DeviceFault::Format("it has no such size, rate and pixel format together".to_owned());
    SourceError::Device { device: device.to_owned(), fault }
}

fn v4l2src(params: &DeviceParams) -> Result<gst::Element, SourceError> {
    let fault = |fault| SourceError::Device { device: params.device.clone(), fault };
    check(&params.device).map_err(fault)?;
    let source = decode::make("v4l2src")?;
    let device = params.device.to_str().ok_or_else(|| fault(DeviceFault::NotACamera("its path is no text".into())))?;
    source.set_property("device", device);
    Ok(source)
}

/// What can be told without opening it.
fn check(device: &Path) -> Result<(), DeviceFault> {
    match std::fs::metadata(device) {
        Ok(found) if found.file_type().is_char_device() => Ok(()),
        Ok(_) => Err(DeviceFault::NotACamera("it is no device".to_owned())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(DeviceFault::Forbidden),
        Err(_) => Err(DeviceFault::Missing),
    }
}

/// Raw before JPEG: it costs no decoding. The first that the driver can do is taken.
fn wanted(params: &DeviceParams) -> gst::Caps {
    let dressed = |mut structure: gst::Structure| {
        if let Some((width, height)) = params.size {
            structure.set("width", i32::try_from(width).unwrap_or(i32::MAX));
            structure.set("height", i32::try_from(height).unwrap_or(i32::MAX));
        }
        if let Some(fps) = params.fps {
            structure.set("framerate", gst::Fraction::new(i32::try_from(fps).unwrap_or(i32::MAX), 1));
        }
        structure
    };
    let raw = gst::Structure::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12", "YUY2"])).build();
    [raw, gst::Structure::new_empty("image/jpeg")].into_iter().map(dressed).collect()
}

/// Puts the rest behind the filter when the device gives its first picture, and so has settled on its form.
fn receive(filter: &gst::Element, pipeline: &gst::Pipeline, receiver: Receiver) {
    let pipeline = pipeline.downgrade();
    let pad = filter.static_pad("src").expect("a filter has a source pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _info| {
        let caps = pad.current_caps();
        let codec = caps.and_then(|caps| Codec::from_media_type(caps.structure(0)?.name()));
        match (pipeline.upgrade(), codec) {
            (Some(pipeline), Some(codec)) => receiver.attach(&pipeline, pad, codec, Wrapping::Nothing),
            // Thrown away. Not with Drop: the binding has taken the buffer, and GStreamer would unref what is not there.
            _ => return gst::PadProbeReturn::Handled,
        }
        gst::PadProbeReturn::Remove
    });
}

/// What an error of v4l2src means.
fn classify(message: &gst::message::Error, device: &Path) -> SourceError {
    let error = message.error();
    let debug = message.debug();
    let detail = describe(&error, debug.as_deref());
    let fault = match (error.kind::<gst::ResourceError>(), error.kind::<gst::StreamError>()) {
        (Some(gst::ResourceError::Busy), _) => DeviceFault::Busy,
        (Some(gst::ResourceError::NotFound), _) => DeviceFault::Missing,
        (Some(_), _) if debug.is_some_and(|debug| debug.contains("Permission denied")) => DeviceFault::Forbidden,
        (Some(gst::ResourceError::Settings), _) if detail.contains("capture at") => DeviceFault::Format(detail),
        (Some(gst::ResourceError::Settings), _) => DeviceFault::NotACamera(detail),
        (None, Some(gst::StreamError::Failed)) if detail.contains("not-negotiated") => DeviceFault::Format(detail),
        (None, Some(gst::StreamError::Decode | gst::StreamError::WrongType)) => {
            return SourceError::Decoder { detail };
        }
        _ => DeviceFault::Lost(detail),
    };
    SourceError::Device { device: device.to_owned(), fault }
}

#[cfg(test)]
mod tests;

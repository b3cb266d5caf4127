//! Whatever kind of live source a camera is: chosen here, by its configuration, and nowhere else.

use super::{
    Attempt, DeviceParams, DeviceSource, FrameSource, HttpParams, HttpSource, RtspParams, RtspSource, SourceError,
};

/// How to reach a camera.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveParams {
    /// Over RTSP.
    Rtsp(RtspParams),
    /// Motion JPEG over HTTP.
    Http(HttpParams),
    /// On this box.
    Device(DeviceParams),
}

/// A live camera of any kind.
#[derive(Debug)]
pub enum LiveSource {
    /// Over RTSP.
    Rtsp(RtspSource),
    /// Motion JPEG over HTTP.
    Http(HttpSource),
    /// On this box.
    Device(DeviceSource),
}

impl LiveSource {
    /// A source of decoded frames, not connected.
    ///
    /// # Errors
    /// [`SourceError::InvalidUrl`]
    pub fn new(params: LiveParams) -> Result<Self, SourceError> {
        Ok(match params {
            LiveParams::Rtsp(params) => Self::Rtsp(RtspSource::new(params)?),
            LiveParams::Http(params) => Self::Http(HttpSource::new(params)?),
            LiveParams::Device(params) => Self::Device(DeviceSource::new(params)),
        })
    }
}

impl FrameSource for LiveSource {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        match self {
            Self::Rtsp(source) => source.attempt(attempt).await,
            Self::Http(source) => source.attempt(attempt).await,
            Self::Device(source) => source.attempt(attempt).await,
        }
    }

    async fn released(&self) {
        match self {
            Self::Rtsp(source) => source.released().await,
            Self::Http(source) => source.released().await,
            Self::Device(source) => source.released().await,
        }
    }
}

//! Whatever kind of live source a camera is: chosen here, by its configuration, and nowhere else.

use super::{
    Attempt, DeviceParams, DeviceSource, FrameSource, HttpParams, HttpSource, RtspParams, RtspSource, SourceError,
};
use crate::secret::redact;

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

impl LiveParams {
    /// Where the camera is, as a person may read it: no secret.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            // Some cameras take the password in the path or the query.
            Self::Rtsp(params) => redact(params.url.as_str()),
            Self::Http(params) => redact(params.url.as_str()),
            Self::Device(params) => params.device.display().to_string(),
        }
    }

    /// Host and port, of a camera on the network.
    #[must_use]
    pub fn address(&self) -> Option<(String, u16)> {
        let (url, usual) = match self {
            Self::Rtsp(params) => (&params.url, 554),
            Self::Http(params) => (&params.url, 80),
            Self::Device(_) => return None,
        };
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port().unwrap_or(usual)))
    }
}

impl From<RtspParams> for LiveParams {
    fn from(params: RtspParams) -> Self {
        Self::Rtsp(params)
    }
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

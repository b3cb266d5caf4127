//! Why frames stopped or cannot be had.

use std::path::PathBuf;
use std::time::Duration;

use crate::decode::DecodeError;

/// Why a source gives no frames. Holds no credential: texts of GStreamer's are redacted when the error is made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// Nothing answers, or it refuses the connection or the request.
    #[error("the camera cannot be reached: {detail}")]
    Unreachable {
        /// What GStreamer said, redacted.
        detail: String,
    },
    /// The camera answers, and has no such stream.
    #[error("the camera has no stream at this path: check the path in the url")]
    NotFound,
    /// The camera refuses the log-in.
    #[error("the camera refuses the log-in: check the credential")]
    Unauthorised,
    /// The camera offers no video that can be decoded.
    #[error("the camera offers {codec}; set it to H.264, H.265 or Motion JPEG")]
    UnsupportedCodec {
        /// What it offers, by RTP encoding names, or its content type over HTTP.
        codec: String,
    },
    /// Connected, and silent.
    #[error("no frame for {after:?}")]
    Stalled {
        /// How long.
        after: Duration,
    },
    /// The stream ended. A failure for a live source.
    #[error("the camera ended the stream")]
    EndOfStream,
    /// What arrives cannot be decoded.
    #[error("the stream cannot be decoded: {detail}")]
    Decoder {
        /// What GStreamer said, redacted.
        detail: String,
    },
    /// An element is not installed.
    #[error("the GStreamer element {element} is missing: install the Debian package {package}")]
    MissingElement {
        /// The element's name.
        element: String,
        /// The package that holds it.
        package: &'static str,
    },
    /// The url is none that can be used.
    #[error("not a camera url: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Earlier connections do not let go; no further one is opened beside them.
    #[error("{count} earlier connections do not close")]
    Stuck {
        /// How many.
        count: usize,
    },
    /// The box may not open anything more.
    #[error("the box has no file descriptors left for another connection: raise LimitNOFILE, or take fewer cameras")]
    NoDescriptors,
    /// Its stream crashed the program again and again: it is left alone for a while.
    #[error("parked for {} minutes: its stream crashed the program again and again; have its encoder looked at", remaining.as_secs().div_ceil(60))]
    Parked {
        /// How long it is left alone.
        remaining: Duration,
    },
    /// A bug: an attempt panicked.
    #[error("the source panicked: {message}")]
    Panicked {
        /// The panic's message, redacted.
        message: String,
    },
    /// A camera on this box that cannot be used.
    #[error("{}: {fault}", device.display())]
    Device {
        /// The device.
        device: PathBuf,
        /// What is wrong with it.
        fault: DeviceFault,
    },
    /// A clip that cannot be read, or not to its end.
    #[error("{}: {fault}", path.display())]
    File {
        /// The clip.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
}

/// What is wrong with a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceFault {
    /// There is none.
    #[error("there is no such device: plug the camera in, or name one of `ls /dev/video*`")]
    Missing,
    /// It may not be opened.
    #[error("may not be opened: add the user who runs this program to the group video")]
    Forbidden,
    /// Someone else has it.
    #[error("is in use by another program: end that one (`fuser -v` names it)")]
    Busy,
    /// It is something else.
    #[error("is no camera: {0}; name one of `ls /dev/video*`, many cameras have several of which one gives pictures")]
    NotACamera(String),
    /// It has no such size, rate or pixel format.
    #[error("does not give what is asked for: {0}; leave size and fps out, or see `v4l2-ctl --list-formats-ext`")]
    Format(String),
    /// It was there, and stopped.
    #[error("stopped: {0}; was it unplugged?")]
    Lost(String),
}

/// What is wrong with a clip.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FileFault {
    /// There is no such file.
    #[error("no such file")]
    NotFound,
    /// It cannot be opened.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is something else.
    #[error("not a video file: {0}")]
    NotAVideo(String),
    /// It has no video stream.
    #[error("has no video stream")]
    NoVideo,
    /// It ends early. Every frame that is there has been delivered.
    #[error("is cut short after {frames} frames: {detail}")]
    Truncated {
        /// Frames delivered.
        frames: u64,
        /// How much there is, of how much.
        detail: String,
    },
    /// It breaks off. Every frame before that has been delivered.
    #[error("is damaged after {frames} frames: {detail}")]
    Damaged {
        /// Frames delivered.
        frames: u64,
        /// What GStreamer said.
        detail: String,
    },
}

impl SourceError {
    /// Whether it may well pass by itself within seconds. What is not transient is tried again too, but rarely.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Stalled { .. }
            | Self::EndOfStream
            | Self::Decoder { .. }
            | Self::Stuck { .. }
            | Self::NoDescriptors
            | Self::Panicked { .. }
            | Self::Device { fault: DeviceFault::Missing | DeviceFault::Busy | DeviceFault::Lost(_), .. } => true,
            Self::NotFound
            | Self::Unauthorised
            | Self::UnsupportedCodec { .. }
            | Self::MissingElement { .. }
            | Self::InvalidUrl { .. }
            | Self::Parked { .. }
            | Self::Device {
                fault: DeviceFault::Forbidden | DeviceFault::NotACamera(_) | DeviceFault::Format(_),
                ..
            }
            | Self::File { .. } => false,
        }
    }

    /// The reason in one word, for status messages.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::NotFound => "not_found",
            Self::Unauthorised => "unauthorised",
            Self::UnsupportedCodec { .. } => "unsupported_codec",
            Self::Stalled { .. } => "stalled",
            Self::EndOfStream => "end_of_stream",
            Self::Decoder { .. } => "decoder",
            Self::MissingElement { .. } => "missing_element",
            Self::InvalidUrl { .. } => "invalid_url",
            Self::Stuck { .. } => "stuck",
            Self::NoDescriptors => "descriptors_short",
            Self::Parked { .. } => "parked",
            Self::Panicked { .. } => "panicked",
            Self::Device { fault, .. } => match fault {
                DeviceFault::Missing => "device_missing",
                DeviceFault::Forbidden => "device_forbidden",
                DeviceFault::Busy => "device_busy",
                DeviceFault::NotACamera(_) => "device_not_a_camera",
                DeviceFault::Format(_) => "device_format",
                DeviceFault::Lost(_) => "device_lost",
            },
            Self::File { .. } => "file",
        }
    }
}

impl From<DecodeError> for SourceError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::MissingElement { element, package } => Self::MissingElement { element, package },
            DecodeError::BadSample { .. } | DecodeError::Gstreamer { .. } => {
                Self::Decoder { detail: error.to_string() }
            }
        }
    }
}

/// GStreamer's message and the last line of its debug text (the lines before name source files). Not redacted yet.
pub(super) fn describe(error: &gstreamer::glib::Error, debug: Option<&str>) -> String {
    let cause = debug.and_then(|debug| debug.trim().rsplit('\n').next()).filter(|cause| !cause.contains(".c("));
    match cause {
        Some(cause) => format!("{} ({})", error.message(), cause.trim()),
        None => error.message().to_owned(),
    }
}

//! Cameras and clips: getting frames, and getting them back when they stop.
//!
//! A live camera is a [`Supervisor`] around a [`FrameSource`] (RTSP, HTTP, a device: [`LiveSource`]): each attempt is a fresh connection that delivers into the
//! camera's slot until it fails; the supervisor notices silence, waits, tries again and says how things are in a
//! [`SourceStatus`]. A clip is a [`FileSource`]: every frame, in order, as fast as it is asked for.
//!
//! # Invariants
//! - Live frames may be dropped, and are counted; a clip's are not.
//! - No text that leaves this module holds a credential.
//! - Media time and frame numbers go on over reconnects ([`Session`]).

mod backoff;
mod codec;
mod device;
mod doze;
mod error;
mod file;
mod held;
mod http;
mod live;
mod nal;
mod offer;
mod pipeline;
pub mod probe;
mod rtsp;
mod sender_clock;
mod session;
mod status;
mod supervisor;
mod switched;
mod thin;

use std::future::Future;

pub use backoff::BackoffParams;
pub use device::{DeviceParams, DeviceSource};
pub use error::{DeviceFault, FileFault, SourceError};
pub use file::FileSource;
pub use held::Stillness;
pub use http::{HttpParams, HttpSource};
pub use live::{LiveParams, LiveSource};
#[cfg(any(test, fuzzing))]
pub(crate) use nal::hostile;
pub(crate) use pipeline::still_decoder;
pub use rtsp::{Credentials, RtspParams, RtspSource, Transport};
pub use session::{Attempt, Closed, PacketCount, Session, StreamInfo, wall_now};
pub use status::{SourceState, SourceStatus};
pub use supervisor::{Supervisor, SupervisorParams};
pub use switched::Switched;
pub use thin::DecodeControl;

/// A live source of frames. A trait for two implementations: cameras over GStreamer, and scripts in tests of the
/// supervisor.
pub trait FrameSource: Send + Sync {
    /// Connects afresh and delivers frames into `attempt` until it fails; a live stream that ends has failed. Dropping
    /// the future ends the attempt without blocking; what that leaves to be released is released in the background.
    fn attempt(&self, attempt: Attempt) -> impl Future<Output = SourceError> + Send;

    /// Completes when what earlier attempts held (connections, threads, decoders) is released. May never complete: the
    /// caller waits with a bound.
    fn released(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

impl<S: FrameSource> FrameSource for &S {
    fn attempt(&self, attempt: Attempt) -> impl Future<Output = SourceError> + Send {
        (**self).attempt(attempt)
    }

    fn released(&self) -> impl Future<Output = ()> + Send {
        (**self).released()
    }
}

#[cfg(test)]
mod tests {
    use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};

    /// Two by two pixels.
    pub(super) fn grey_picture() -> Picture {
        let layout = PictureLayout {
            width: 2,
            height: 2,
            format: PixelFormat::I420,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
            planes: [(0, 2), (4, 1), (5, 1)].map(|(offset, stride)| PlaneLayout { offset, stride }),
        };
        Picture::new(layout, Box::new([128; 6])).expect("fits")
    }
}

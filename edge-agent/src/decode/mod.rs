//! From decoders to [`Picture`](crate::frame::Picture)s: elements, pictures without a copy, media time.
//!
//! [`tail`] ends every pipeline the same way: whatever the decoder gives becomes I420 or NV12, of 8 or 10 bits (nothing
//! is touched if it already is), and stops in an appsink, whose samples [`picture_from_sample`] maps; the lower two of
//! ten bits go when a picture is first looked at. [`clock`] makes media time.

mod chain;
mod choice;
pub mod clock;
mod narrow;
mod picture;

pub(crate) use chain::limit_threads;
pub use chain::{accept_padded_pictures, first_available, make, packet_tail, tail};
pub use choice::{Choice, Unusable, VideoCodec, choose, try_decoder};
pub use picture::picture_from_sample;

use crate::frame::InvalidPicture;
use crate::resources::descriptors;
use crate::secret::redact;

/// Why pictures cannot be had from a stream.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DecodeError {
    /// An element is not installed.
    #[error("the GStreamer element {element} is missing: install the Debian package {package}")]
    MissingElement {
        /// The element's name; several, with "or", where any would do.
        element: String,
        /// The package that holds it.
        package: &'static str,
    },
    /// A decoder's output is not what it says it is.
    #[error("the decoder gave no usable picture: {reason}")]
    BadSample {
        /// What is wrong with it.
        reason: String,
    },
    /// GStreamer itself refused something that should always work.
    #[error("GStreamer refused to {action}")]
    Gstreamer {
        /// What was tried.
        action: &'static str,
    },
}

impl From<InvalidPicture> for DecodeError {
    fn from(invalid: InvalidPicture) -> Self {
        Self::BadSample { reason: invalid.to_string() }
    }
}

/// Starts GStreamer; may be called any number of times.
///
/// GStreamer's own log goes to `tracing`, redacted, up to INFO. What `GST_DEBUG` asks for beyond that is not let
/// through: below INFO the RTSP elements write out whole requests, log-in included.
pub fn init() -> Result<(), DecodeError> {
    static LOG: std::sync::Once = std::sync::Once::new();
    gstreamer::init().map_err(|_| DecodeError::Gstreamer { action: "start" })?;
    LOG.call_once(|| {
        gstreamer::log::remove_default_log_function();
        gstreamer::log::add_log_function(|category, level, _file, _function, _line, _object, message| {
            use gstreamer::DebugLevel as Level;
            let (category, text) =
                (category.name(), || redact(message.get().as_deref().map_or("", |text| text.as_str())));
            match level {
                Level::Error | Level::Warning => tracing::warn!(target: "gstreamer", category, "{}", text()),
                Level::Fixme | Level::Info => tracing::debug!(target: "gstreamer", category, "{}", text()),
                _ => {}
            }
        });
    });
    Ok(())
}

/// The same where a pipeline is to be begun at once: without a descriptor for it GLib would end the program.
///
/// # Errors
/// As [`init`], or no descriptors are left.
pub(crate) fn init_with_room() -> Result<(), DecodeError> {
    init()?;
    let has_room = descriptors::has_room(descriptors::OF_CONNECTION);
    let none = DecodeError::Gstreamer { action: "open anything: no file descriptors are left" };
    if has_room { Ok(()) } else { Err(none) }
}

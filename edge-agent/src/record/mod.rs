//! A camera's full-size stream as evidence: its coded pictures in a ring, cut into clips, decoded only when a picture of
//! one moment is wanted.
//!
//! The [`Ring`] is filled by the stream's own thread and read by the evidence thread; nothing here decodes before an
//! incident asks. [`write_mp4`] puts a [`Cut`] into a file as it came, [`decode_still`] decodes one group of pictures up to
//! one moment.
//!
//! # Time
//! The analysed stream and this one have clocks of their own, and a camera encodes them apart. What ties them is when their
//! pictures arrived on this box: a moment of one is the same [`Instant`](std::time::Instant) in the other, give or take what
//! camera and network delay one stream more than the other: a frame or two on a wired network, seldom more than half a
//! second. Which moment a piece of evidence shows is said with it.

mod mp4;
mod ring;
mod still;
#[cfg(test)]
pub(crate) mod tests;

pub use mp4::{Mp4Error, write_mp4};
pub use ring::{Cut, Pin, Ring, RingLimits, RingTotals, Unit, Wanted};
pub use still::{Still, StillError, decode_still};

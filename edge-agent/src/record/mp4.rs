//! A [`Cut`] as an MP4 file (ISO/IEC 14496-12 and -15): the coded pictures as they came, the index before them.
//!
//! `appsrc ! mp4mux faststart ! appsink`. The muxer collects the pictures in a scratch file, and then gives index and
//! pictures in order, so that a player may begin before it has the whole file.
//!
//! # Ownership
//! The pipeline lives as long as the call, whose thread writes the file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::ring::{Cut, Unit};
use crate::decode::{self, DecodeError};

/// Between two looks at what went wrong.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Clips show people: the box's own user only.
const SCRATCH_MODE: u32 = 0o600;

/// How long the picture of a clip with one lasts.
const ONLY: Duration = Duration::from_millis(40);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    /// Browsers play H.264 and H.265 in MP4, and nothing else that cameras send.
    #[error("{codec} is not put into clips")]
    Codec {
        /// The media type.
        codec: String,
    },
    /// An element is missing.
    #[error(transparent)]
    Element(#[from] DecodeError),
    /// The muxer refused.
    #[error("the muxer failed: {detail}")]
    Muxer {
        /// Its words.
        detail: String,
    },
    /// It took too long.
    #[error("not done in time")]
    Late,
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Writes the cut into `file`; `scratch` is a path for the muxer's own use, on a disk with as much room again.
///
/// # Errors
/// [`Mp4Error`]; then `file` holds nothing of use.
pub fn write_mp4(cut: &Cut, scratch: &Path, file: &mut impl Write, limit: Duration) -> Result<(), Mp4Error> {
    let deadline = Instant::now() + limit;
    let codec = cut.caps.structure(0).map_or("nothing", |structure| structure.name().as_str());
    if !matches!(codec, "video/x-h264" | "video/x-h265") {
        return Err(Mp4Error::Codec { codec: codec.to_owned() });
    }
    // Its folder is there and may be written to: the muxer (1.22) hangs for ever where it cannot open its file.
    drop(OpenOptions::new().write(true).create(true).truncate(true).mode(SCRATCH_MODE).open(scratch)?);
    let muxing = Muxing::start(cut, scratch)?;
    while !muxing.sink.is_eos() {
        if let Some(sample) = muxing.sink.try_pull_sample(POLL) {
            let map = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
            file.write_all(&map.ok_or_else(|| muxer("it gave no bytes"))?)?;
        } else if let Some(error) = muxing.error() {
            return Err(error);
        }
        if Instant::now() > deadline {
            return Err(Mp4Error::Late);
        }
    }
    muxing.error().map_or(Ok(()), Err)
}

fn muxer(detail: &str) -> Mp4Error {
    Mp4Error::Muxer { detail: detail.to_owned() }
}

/// A pipeline that stops when it goes.
struct Muxing {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

impl Muxing {
    fn start(cut: &Cut, scratch: &Path) -> Result<Self, Mp4Error> {
        decode::init_with_room()?;
        let refused = |action| DecodeError::Gstreamer { action };
        let mux = decode::make("mp4mux")?;
        mux.set_property("faststart", true);
        mux.set_property("faststart-file", scratch.to_string_lossy().as_ref());
        let source = gst_app::AppSrc::builder().caps(&cut.caps).format(gst::Format::Time).max_bytes(0).build();
        let sink = gst_app::AppSink::builder().sync(false).enable_last_sample(false).max_buffers(8).build();
        let pipeline = gst::Pipeline::new();
        let muxing = Self { pipeline, sink };
        let Self { pipeline, sink } = &muxing;
        pipeline.add_many([source.upcast_ref(), &mux, sink.upcast_ref()]).map_err(|_| refused("add the muxer"))?;
        source.link_pads(Some("src"), &mux, Some("video_%u")).map_err(|_| refused("link the muxer"))?;
        mux.link(sink).map_err(|_| refused("link the muxer"))?;
        // Errors come over the bus.
        let _ = pipeline.set_state(gst::State::Playing);
        for buffer in buffers(&cut.units) {
            source.push_buffer(buffer).map_err(|error| muxer(&error.to_string()))?;
        }
        source.end_of_stream().map_err(|error| muxer(&error.to_string()))?;
        Ok(muxing)
    }

    fn error(&self) -> Option<Mp4Error> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        let (debug, error) = (error.debug().unwrap_or_default(), error.error());
        // Of the scratch file, the only one it has; what is wrong with it is only in the words for developers.
        Some(match error.kind::<gst::ResourceError>() {
            Some(_) if debug.contains("No space left") => Mp4Error::File(io::ErrorKind::StorageFull.into()),
            Some(_) => Mp4Error::File(io::Error::other(error.message().to_owned())),
            None => muxer(error.message()),
        })
    }
}

impl Drop for Muxing {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The units as the muxer wants them: timed from zero, with the time of decoding beside that of showing.
fn buffers(units: &[Unit]) -> impl Iterator<Item = gst::Buffer> {
    let times = decoding_times(&units.iter().map(|unit| unit.pts).collect::<Vec<_>>());
    // Players leave out a last picture that lasts no time; as long as the one before is the best guess.
    let last = times.windows(2).last().map_or(ONLY, |pair| pair[1].1 - pair[0].1);
    let next: Vec<Duration> = times.iter().skip(1).map(|(_, decoded)| *decoded).collect();
    let lasts = std::iter::zip(times.clone(), next).map(|((_, decoded), next)| next - decoded).chain([last]);
    std::iter::zip(units, std::iter::zip(times, lasts.collect::<Vec<_>>())).map(|(unit, ((pts, dts), lasts))| {
        let mut buffer = gst::Buffer::from_slice(unit.data.clone());
        let stamped = buffer.get_mut().expect("just made");
        stamped.set_pts(clock_time(pts));
        stamped.set_dts(clock_time(dts));
        stamped.set_duration(clock_time(lasts));
        if !unit.is_key {
            stamped.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        buffer
    })
}

fn clock_time(duration: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1))
}

/// Times of showing and of decoding, from those of showing alone, which RTP gives (RFC 6184, 5.1), in the order of decoding.
/// Pictures are decoded at the times of showing in order, all so much earlier that none is shown before it is decoded.
fn decoding_times(shown: &[Duration]) -> Vec<(Duration, Duration)> {
    let mut in_order = shown.to_vec();
    in_order.sort();
    let first = in_order.first().copied().unwrap_or_default();
    let ahead = std::iter::zip(&in_order, shown).map(|(due, shown)| due.saturating_sub(*shown)).max();
    let ahead = ahead.unwrap_or_default();
    std::iter::zip(in_order, shown).map(|(due, shown)| (*shown + ahead - first, due - first)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pictures_that_come_in_the_order_they_are_shown_are_decoded_when_they_are_shown() {
        let shown = [70, 71, 75].map(Duration::from_secs);
        let from_zero = [0, 1, 5].map(Duration::from_secs);
        assert_eq!(decoding_times(&shown), from_zero.map(|at| (at, at)));
    }

    proptest! {
        #[test]
        fn none_is_shown_before_it_is_decoded_and_they_are_decoded_in_order(
            shown in prop::collection::vec(0_u64..1000, 0..50),
        ) {
            let times = decoding_times(&shown.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>());
            prop_assert!(times.iter().all(|(shown, decoded)| decoded <= shown));
            prop_assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].1));
            prop_assert!(times.windows(2).zip(shown.windows(2)).all(|(pair, was)| {
                pair[1].0.as_millis() as i128 - pair[0].0.as_millis() as i128 == i128::from(was[1]) - i128::from(was[0])
            }), "what is shown keeps its distances");
        }
    }
}

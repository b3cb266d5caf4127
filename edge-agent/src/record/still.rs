//! One picture of a stream that is not decoded otherwise: the group of pictures up to it goes through a decoder, once.
//!
//! # Ownership
//! Everything runs in the caller's thread, at its priority: units are handed to the parser's pad by hand, and no element of
//! the chain has a thread of its own. That also makes the time limit one between units.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use analytics::WallTime;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::ring::Cut;
use crate::decode::{self, DecodeError, picture_from_sample};
use crate::frame::Picture;
use crate::privacy::Masks;
use crate::source::still_decoder;

/// A picture of a stream, and which one it is.
#[derive(Debug)]
pub struct Still {
    /// The picture.
    pub picture: Picture,
    /// When it arrived: the asked one, or the nearest for which the decoder gave a picture.
    pub captured_at: WallTime,
}

/// Why there is none.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StillError {
    /// No decoder, or none that takes it.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The decoder refused a unit.
    #[error("the decoder refused the stream: {0}")]
    Refused(gst::FlowError),
    /// It took too long.
    #[error("not decoded in time")]
    Late,
    /// The decoder gave no picture at all.
    #[error("the decoder gave no picture")]
    Nothing,
}

/// Decodes the last unit of `cut`, seen through its camera's masks, by the first of the decoders for its codec that is installed.
///
/// # Errors
/// [`StillError`]
pub fn decode_still(
    cut: &Cut,
    masks: &Masks,
    h264: &[String],
    h265: &[String],
    limit: Duration,
) -> Result<Still, StillError> {
    let deadline = Instant::now() + limit;
    let wanted = cut.units.last().map(|unit| unit.pts).unwrap_or_default();
    let chain = Chain::start(cut, h264, h265, wanted)?;
    for unit in &cut.units {
        if Instant::now() > deadline {
            return Err(StillError::Late);
        }
        let mut buffer = gst::Buffer::from_slice(unit.data.clone());
        let stamped = buffer.get_mut().expect("just made");
        stamped.set_pts(gst::ClockTime::from_nseconds(u64::try_from(unit.pts.as_nanos()).unwrap_or(0)));
        if !unit.is_key {
            stamped.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        chain.entry.chain(buffer).map_err(StillError::Refused)?;
    }
    // What the decoder holds back.
    chain.entry.send_event(gst::event::Eos::new());
    let best = chain.best.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (beside, sample) = best.ok_or(StillError::Nothing)?;
    let unit = cut.units.iter().rev().find(|unit| distance(unit.pts, wanted) == beside).or(cut.units.last());
    let captured_at = unit.map_or(WallTime::UNIX_EPOCH, |unit| unit.captured_at);
    Ok(Still { picture: picture_from_sample(&sample, masks)?, captured_at })
}

fn distance(a: Duration, b: Duration) -> Duration {
    a.max(b) - a.min(b)
}

/// The picture that is nearest so far, and how near.
type Best = Arc<Mutex<Option<(Duration, gst::Sample)>>>;

/// Parser, decoder and tail; they stop when it goes.
struct Chain {
    pipeline: gst::Pipeline,
    entry: gst::Pad,
    best: Best,
}

impl Chain {
    fn start(cut: &Cut, h264: &[String], h265: &[String], wanted: Duration) -> Result<Self, StillError> {
        decode::init_with_room()?;
        let refused = |action| DecodeError::Gstreamer { action };
        let media = cut.caps.structure(0).map_or("", |structure| structure.name().as_str());
        let elements = still_decoder(media, h264, h265)?;
        let pipeline = gst::Pipeline::new();
        let (convert, sink) = decode::tail(pipeline.upcast_ref(), false)?;
        // It plays at once: a stream that gives no picture must not wait for one.
        sink.set_property("async", false);
        let best = Best::default();
        keep_nearest(&sink, wanted, Arc::clone(&best));
        pipeline.add_many(&elements).map_err(|_| refused("add a decoder"))?;
        let all: Vec<&gst::Element> = elements.iter().chain([&convert]).collect();
        gst::Element::link_many(&all).map_err(|_| refused("link a decoder"))?;
        let entry = all[0].static_pad("sink").ok_or_else(|| refused("find a decoder's pad"))?;
        let chain = Self { pipeline, entry, best };
        chain.pipeline.set_state(gst::State::Playing).map_err(|_| refused("start a decoder"))?;
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        let events = [
            gst::event::StreamStart::new("still"),
            gst::event::Caps::new(&cut.caps),
            gst::event::Segment::new(&segment),
        ];
        if !events.into_iter().all(|event| chain.entry.send_event(event)) {
            return Err(refused("take the stream").into());
        }
        Ok(chain)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn keep_nearest(sink: &gst_app::AppSink, wanted: Duration, best: Best) {
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let pts = sample.buffer().and_then(gst::BufferRef::pts).map_or(Duration::ZERO, Duration::from);
        let beside = distance(pts, wanted);
        let mut best = best.lock().unwrap_or_else(PoisonError::into_inner);
        if best.as_ref().is_none_or(|(nearest, _)| beside <= *nearest) {
            *best = Some((beside, sample));
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
}

//! A clip: every frame, in order, as fast as it is asked for.
//!
//! # Invariants
//! - Lossless: the decoder waits until a frame is taken. Every stored frame is given, also those that an MP4's edit list
//!   hides from players.
//! - Two readings give the same frames and stamps: `captured_at` is the given start plus media time.
//!
//! # Failure
//! What can be decoded is delivered first; only then is a clip that is cut short or damaged an error.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{CameraId, FrameStamp, MediaTime, WallTime};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::error::describe;
use super::{FileFault, SourceError};
use crate::decode::clock::FileClock;
use crate::decode::{self, DecodeError, picture_from_sample};
use crate::frame::{Frame, Turn};
use crate::privacy::Masks;
use crate::secret::redact;

/// A clip on a disk that gives no frame, no end and no error for this long gives none any more.
const SILENCE: Duration = Duration::from_secs(20);
/// How often the bus is looked at while no frame comes.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// A frame's duration where the container gives none.
const NOMINAL: Duration = Duration::from_millis(40);

/// Shortest end that may be missing before a clip counts as cut short: containers round, and audio may be longer.
const SLACK: Duration = Duration::from_secs(1);

/// A clip being read.
pub struct FileSource {
    path: PathBuf,
    camera: CameraId,
    start: WallTime,
    masks: Masks,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    clock: FileClock,
    seq: u64,
    last: MediaTime,
    ended: bool,
}

impl FileSource {
    /// Opens a clip as what `camera` saw from `start` on, through its masks.
    ///
    /// # Errors
    /// [`SourceError::File`] for a path that is no readable, non-empty file; [`SourceError::MissingElement`]. Whether it
    /// is a video shows with the first frame.
    pub fn open(path: &Path, camera: CameraId, start: WallTime, masks: &Masks) -> Result<Self, SourceError> {
        check(path).map_err(|fault| SourceError::File { path: path.to_owned(), fault })?;
        decode::init()?;
        let pipeline = gst::Pipeline::new();
        let sink = build(&pipeline, path)?;
        let source = Self {
            path: path.to_owned(),
            camera,
            start,
            masks: masks.clone(),
            pipeline,
            sink,
            clock: FileClock::default(),
            seq: 0,
            last: MediaTime::ZERO,
            ended: false,
        };
        // A file that cannot be played says why on the bus.
        let _ = source.pipeline.set_state(gst::State::Playing);
        Ok(source)
    }

    /// The next frame, waiting for it; `None` at the end, and from then on.
    ///
    /// # Errors
    /// [`SourceError::File`] when the file is no video, or ends or breaks off too early; every frame before that has
    /// been given. [`SourceError::MissingElement`] when its decoder is not installed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let deadline = Instant::now() + SILENCE;
        loop {
            if let Some(sample) = self.sink.try_pull_sample(POLL) {
                return self.frame(&sample).map(Some).inspect_err(|_| self.ended = true);
            }
            if let Some(error) = self.error() {
                self.ended = true;
                return Err(error);
            }
            if self.sink.is_eos() {
                self.ended = true;
                return self.check_end().map(|()| None);
            }
            if Instant::now() >= deadline {
                self.ended = true;
                return Err(self.silent());
            }
        }
    }

    /// decodebin may swallow the error of a demuxer that finds no index while it is being plugged in.
    fn silent(&self) -> SourceError {
        self.broken(format!("nothing was decoded for {} s", SILENCE.as_secs()))
    }

    fn frame(&mut self, sample: &gst::Sample) -> Result<Frame, SourceError> {
        let arrived_at = Instant::now();
        let picture = picture_from_sample(sample, &self.masks)?;
        let pts = sample.buffer().and_then(gst::BufferRef::pts).map(Duration::from);
        self.seq += 1;
        self.last = self.clock.tick(pts, nominal(sample));
        let captured_at = self.start + self.last.since(MediaTime::ZERO);
        let stamp = FrameStamp { camera: self.camera.clone(), seq: self.seq, pts: self.last, captured_at };
        let (held_for, turn) = (Duration::ZERO, Turn::Latest);
        Ok(Frame { stamp, arrived_at, camera_ahead_s: None, held_for, turn, picture: Arc::new(picture) })
    }

    fn error(&self) -> Option<SourceError> {
        let bus = self.pipeline.bus()?;
        let mut missing = None;
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Element(element) => missing = missing.or(missing_decoder(element)),
                gst::MessageView::Error(error) => {
                    return Some(missing.unwrap_or_else(|| self.failed(&error.error(), error.debug().as_deref())));
                }
                _ => {}
            }
        }
        None
    }

    fn failed(&self, error: &gst::glib::Error, debug: Option<&str>) -> SourceError {
        self.broken(redact(&describe(error, debug)))
    }

    /// Damaged behind the frames that were given, or no video at all.
    fn broken(&self, detail: String) -> SourceError {
        let fault =
            if self.seq > 0 { FileFault::Damaged { frames: self.seq, detail } } else { FileFault::NotAVideo(detail) };
        SourceError::File { path: self.path.clone(), fault }
    }

    /// At the end: were there frames, and is it the end that the container announced?
    fn check_end(&self) -> Result<(), SourceError> {
        let fault = |fault| Err(SourceError::File { path: self.path.clone(), fault });
        if self.seq == 0 {
            return fault(FileFault::NoVideo);
        }
        if let Some((there, announced)) = missing_bytes(&self.path) {
            let detail = format!("{there} of {announced} bytes");
            return fault(FileFault::Truncated { frames: self.seq, detail });
        }
        let announced = self.pipeline.query_duration::<gst::ClockTime>().map(Duration::from).unwrap_or_default();
        let reached = self.last.since(MediaTime::ZERO);
        if announced.saturating_sub(reached) > SLACK {
            let detail = format!("{:.2} s of {:.2} s", reached.as_secs_f64(), announced.as_secs_f64());
            return fault(FileFault::Truncated { frames: self.seq, detail });
        }
        Ok(())
    }
}

impl Drop for FileSource {
    fn drop(&mut self) {
        // Cannot fail downwards, and a file does not keep it waiting.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn check(path: &Path) -> Result<(), FileFault> {
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => FileFault::NotFound,
        _ => FileFault::Unreadable(error.to_string()),
    };
    let metadata = File::open(path).and_then(|file| file.metadata()).map_err(unreadable)?;
    match metadata {
        metadata if metadata.is_dir() => Err(FileFault::Unreadable("it is a directory".to_owned())),
        metadata if metadata.len() == 0 => Err(FileFault::Empty),
        _ => Ok(()),
    }
}

/// `filesrc ! decodebin`, and its first video stream into the tail.
fn build(pipeline: &gst::Pipeline, path: &Path) -> Result<gst_app::AppSink, SourceError> {
    let (source, decoder) = (decode::make("filesrc")?, decode::make("decodebin")?);
    source.set_property("location", path);
    // The same pixels on every box, whatever decoders it has.
    decoder.set_property("force-sw-decoders", true);
    pipeline.add_many([&source, &decoder]).map_err(|_| DecodeError::Gstreamer { action: "add elements" })?;
    source.link(&decoder).map_err(|_| DecodeError::Gstreamer { action: "link elements" })?;
    let (convert, sink) = decode::tail(pipeline.upcast_ref(), false)?;

    if let Some(bin) = decoder.downcast_ref::<gst::Bin>() {
        bin.connect_deep_element_added(|_bin, _parent, element| {
            decode::limit_threads(element);
            if element.factory().is_some_and(|factory| factory.has_type(gst::ElementFactoryType::DECODER)) {
                ignore_edit_list(element);
            }
        });
    }
    // Sound is exposed as it is, and not decoded.
    decoder.connect("autoplug-continue", false, |arguments| {
        let caps = arguments.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let sound = caps.is_some_and(|caps| caps.structure(0).is_some_and(|first| first.name().starts_with("audio/")));
        Some((!sound).to_value())
    });
    let entry = convert.static_pad("sink").ok_or(DecodeError::Gstreamer { action: "find a pad" })?;
    let first = entry.clone();
    decoder.connect_pad_added(move |_decoder, pad| {
        let video =
            pad.current_caps().is_some_and(|caps| caps.structure(0).is_some_and(|caps| caps.name() == "video/x-raw"));
        if video && !first.is_linked() {
            // A stream that does not link leaves the sink without data, which the end reports.
            let _ = pad.link(&first);
        }
    });
    // Without video nothing would ever reach the sink.
    decoder.connect_no_more_pads(move |_decoder| {
        if !entry.is_linked() {
            entry.send_event(gst::event::Eos::new());
        }
    });
    Ok(sink)
}

/// Whether an AVI (RIFF) file is shorter than it says, which its demuxer passes over: its bytes, and what it says.
fn missing_bytes(path: &Path) -> Option<(u64, u64)> {
    let mut head = [0; 8];
    let mut file = File::open(path).ok()?;
    file.read_exact(&mut head).ok()?;
    let body = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    // A recorder that never closed the file left nothing, or everything, in the size.
    if &head[..4] != b"RIFF" || body == 0 || body == u32::MAX {
        return None;
    }
    let (there, announced) = (file.metadata().ok()?.len(), u64::from(body) + 8);
    (there < announced).then_some((there, announced))
}

/// Makes a decoder give the frames that an edit list hides: players drop what lies outside the segment.
fn ignore_edit_list(decoder: &gst::Element) {
    let Some(pad) = decoder.static_pad("sink") else { return };
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_pad, info| {
        let Some(gst::PadProbeData::Event(event)) = &mut info.data else { return gst::PadProbeReturn::Ok };
        if let gst::EventView::Segment(segment) = event.view()
            && segment.segment().format() == gst::Format::Time
        {
            let whole = gst::FormattedSegment::<gst::ClockTime>::new();
            *event = gst::event::Segment::builder(&whole).seqnum(event.seqnum()).build();
        }
        gst::PadProbeReturn::Ok
    });
}

/// A frame's duration by the container, or else by the buffer.
fn nominal(sample: &gst::Sample) -> Duration {
    let rate = sample.caps().and_then(|caps| caps.structure(0)?.get::<gst::Fraction>("framerate").ok());
    let by_rate = rate
        .filter(|rate| rate.numer() > 0 && rate.denom() > 0)
        .map(|rate| Duration::from_secs_f64(f64::from(rate.denom()) / f64::from(rate.numer())));
    let by_buffer = || sample.buffer().and_then(gst::BufferRef::duration).map(Duration::from);
    by_rate.or_else(by_buffer).filter(|duration| !duration.is_zero()).unwrap_or(NOMINAL)
}

/// decodebin's word for a decoder that is not installed.
fn missing_decoder(message: &gst::message::Element) -> Option<SourceError> {
    let structure = message.structure().filter(|structure| structure.name() == "missing-plugin")?;
    let element = structure.get::<&str>("name").unwrap_or("decoder").to_owned();
    Some(SourceError::MissingElement { element, package: "gstreamer1.0-libav" })
}

//! GStreamer and its decoders: each one that a profile names is given two small frames, and must give pictures.

use std::collections::BTreeMap;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{Check, Needs, Verdict};
use crate::config::{Home, HwProfile, hw_profiles};
use crate::decode::{self, DecodeError};
use crate::secret::redact;

/// A decoder that gives no picture for this long gives none. Some hardware takes seconds to wake.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// Everything that reception needs besides a decoder.
const NEEDED: [&str; 10] = [
    "rtspsrc",
    "rtph264depay",
    "rtph265depay",
    "h264parse",
    "h265parse",
    "videoconvert",
    "decodebin",
    "filesrc",
    "qtdemux",
    "matroskademux",
];

/// What a camera may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Codec {
    H264,
    H265,
}

impl Codec {
    pub(super) const ALL: [Self; 2] = [Self::H264, Self::H265];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        }
    }

    /// The profile's decoders of it.
    pub(super) fn decoders(self, profile: &HwProfile) -> &[String] {
        match self {
            Self::H264 => &profile.h264,
            Self::H265 => &profile.h265,
        }
    }

    /// Two frames of 320×240, no B-frames: large enough for every hardware decoder's lower limit but the oldest's.
    const fn frames(self) -> &'static [u8] {
        match self {
            Self::H264 => include_bytes!("frames.h264"),
            Self::H265 => include_bytes!("frames.h265"),
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
        }
    }

    const fn parser(self) -> &'static str {
        match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
        }
    }
}

/// How a decoder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Works,
    /// With the package that holds it.
    Missing(&'static str),
    /// Installed, and gives no picture: why.
    Broken(String),
}

/// By codec and element.
pub(super) type Decoders = BTreeMap<(Codec, String), State>;

/// Checks GStreamer and every decoder that a profile names.
pub(super) fn check(home: Option<&Home>, needs: &Needs<'_>, tell: &mut dyn FnMut(Check)) -> Decoders {
    if let Err(error) = decode::init() {
        tell(Check::new("gstreamer", Verdict::Fail, &error.to_string()).cure("apt install libgstreamer1.0-0"));
        return Decoders::new();
    }
    tell(elements());
    let profiles = home.map(hw_profiles).unwrap_or_default();
    let mut decoders = Decoders::new();
    for profile in needs.profile.into_iter().chain(profiles.iter().filter(|_| needs.profile.is_none())) {
        for codec in Codec::ALL {
            for element in codec.decoders(profile) {
                let key = (codec, element.clone());
                // Two profiles may name the same.
                decoders.entry(key).or_insert_with(|| {
                    let state = try_decoder(codec, element);
                    tell(said(codec, element, &state));
                    state
                });
            }
        }
    }
    decoders
}

fn elements() -> Check {
    let (major, minor, micro, _) = gst::version();
    let missing: Vec<DecodeError> = NEEDED.iter().filter_map(|name| decode::make(name).err()).collect();
    let version = format!("GStreamer {major}.{minor}.{micro}");
    match missing.first() {
        None => Check::ok("gstreamer", &format!("{version}, all elements that reception needs")),
        Some(first) => Check::new("gstreamer", Verdict::Fail, &format!("{version}: {first}"))
            .cure("apt install gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"),
    }
}

/// One decoder; whether it is needed shows with its profile.
fn said(codec: Codec, element: &str, state: &State) -> Check {
    let what = format!("{element}: {}", codec.label());
    match state {
        State::Works => Check::ok("decoder", &format!("{what}, decodes")),
        State::Missing(package) => {
            Check::new("decoder", Verdict::Info, &format!("{what}, not installed (Debian package {package})"))
        }
        State::Broken(why) => {
            Check::new("decoder", Verdict::Info, &format!("{what}, installed and does not work: {why}"))
        }
    }
}

fn try_decoder(codec: Codec, element: &str) -> State {
    if let Err(DecodeError::MissingElement { package, .. }) = decode::first_available(&[element.to_owned()]) {
        return State::Missing(package);
    }
    match decodes(codec, element) {
        Ok(()) => State::Works,
        Err(why) => State::Broken(redact(&why)),
    }
}

/// Stops the pipeline when it goes.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// `appsrc ! parser ! decoder ! (the end of every camera's pipeline)`.
fn decodes(codec: Codec, element: &str) -> Result<(), String> {
    let say = |error: DecodeError| error.to_string();
    let caps = gst::Caps::builder(codec.media_type()).field("stream-format", "byte-stream").build();
    let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
    let (parser, decoder) = (decode::make(codec.parser()).map_err(say)?, decode::make(element).map_err(say)?);
    let running = Running(gst::Pipeline::new());
    let pipeline = &running.0;
    pipeline.add_many([source.upcast_ref(), &parser, &decoder]).map_err(|error| error.to_string())?;
    let (convert, sink) = decode::tail(pipeline.upcast_ref(), false).map_err(say)?;
    gst::Element::link_many([source.upcast_ref(), &parser, &decoder, &convert]).map_err(|error| error.to_string())?;
    // What hinders it says so on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut frames = gst::Buffer::from_slice(codec.frames());
    frames.get_mut().expect("new, so not shared").set_pts(gst::ClockTime::ZERO);
    let _ = source.push_buffer(frames);
    let _ = source.end_of_stream();
    let sample = sink.try_pull_sample(PATIENCE);
    match sample.map(|sample| decode::picture_from_sample(&sample)) {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(words_on_bus(pipeline).unwrap_or_else(|| "it gave no picture".to_owned())),
    }
}

fn words_on_bus(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
        _ => None,
    }
}

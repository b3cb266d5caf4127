//! Which decoder decodes a camera's stream: of the profile's preferences the first that is found to work, and why not
//! those before it.
//!
//! A decoder works when it makes a picture of two small frames. What is merely installed is not believed: drivers of
//! hardware decoders are often there on boxes whose hardware, permission or firmware is not.
//!
//! # Ownership
//! Each decoder is tried once a process, by whoever asks first; the others wait for the answer. Hardware that appears
//! later is found at the next start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{DecodeError, first_available, make, picture_from_sample, tail};
use crate::privacy::Masks;
use crate::secret::redact;

/// A decoder that gives no picture for this long gives none. Some hardware takes seconds to wake.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// What a profile has decoders for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VideoCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

impl VideoCodec {
    /// Both.
    pub const ALL: [Self; 2] = [Self::H264, Self::H265];

    /// As people write it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
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

/// Why a decoder cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is none.
    #[error("not installed (Debian package {0})")]
    Missing(&'static str),
    /// It is installed, and gives no picture. The text is redacted.
    #[error("installed and does not work: {0}")]
    Broken(String),
}

/// A decoder, and those preferred over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The element.
    pub element: String,
    /// Preferred over it and not usable, each with the reason.
    pub passed_over: Vec<(String, Unusable)>,
}

/// The first of `preferences` that works. When none does, the first that is installed: its own failure on the real
/// stream says more.
///
/// # Errors
/// [`DecodeError::MissingElement`] when none is installed.
pub fn choose(codec: VideoCodec, preferences: &[String]) -> Result<Choice, DecodeError> {
    choose_by(preferences, |element| try_decoder(codec, element))
        .map_or_else(|passed_over| Ok(Choice { element: first_available(preferences)?.to_owned(), passed_over }), Ok)
}

/// The first that works; none: why not, each.
fn choose_by(
    preferences: &[String],
    works: impl Fn(&str) -> Result<(), Unusable>,
) -> Result<Choice, Vec<(String, Unusable)>> {
    let mut passed_over = Vec::new();
    for element in preferences {
        match works(element) {
            Ok(()) => return Ok(Choice { element: element.clone(), passed_over }),
            Err(why) => passed_over.push((element.clone(), why)),
        }
    }
    Err(passed_over)
}

type Tried = BTreeMap<(VideoCodec, String), Result<(), Unusable>>;

/// Whether a decoder makes a picture of a frame; GStreamer must have been [started](super::init).
///
/// # Errors
/// [`Unusable`]
pub fn try_decoder(codec: VideoCodec, element: &str) -> Result<(), Unusable> {
    static TRIED: Mutex<Tried> = Mutex::new(BTreeMap::new());
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    tried.entry((codec, element.to_owned())).or_insert_with(|| try_now(codec, element)).clone()
}

fn try_now(codec: VideoCodec, element: &str) -> Result<(), Unusable> {
    if let Err(DecodeError::MissingElement { package, .. }) = first_available(&[element.to_owned()]) {
        return Err(Unusable::Missing(package));
    }
    decodes(codec, element).map_err(|why| Unusable::Broken(redact(&why)))
}

/// Stops the pipeline when it goes.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// `appsrc ! parser ! decoder ! (the end of every camera's pipeline)`.
fn decodes(codec: VideoCodec, element: &str) -> Result<(), String> {
    let say = |error: DecodeError| error.to_string();
    let caps = gst::Caps::builder(codec.media_type()).field("stream-format", "byte-stream").build();
    let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
    let (parser, decoder) = (make(codec.parser()).map_err(say)?, make(element).map_err(say)?);
    let running = Running(gst::Pipeline::new());
    let pipeline = &running.0;
    pipeline.add_many([source.upcast_ref(), &parser, &decoder]).map_err(|error| error.to_string())?;
    let (convert, sink) = tail(pipeline.upcast_ref(), false).map_err(say)?;
    gst::Element::link_many([source.upcast_ref(), &parser, &decoder, &convert]).map_err(|error| error.to_string())?;
    // What hinders it says so on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut frames = gst::Buffer::from_slice(codec.frames());
    frames.get_mut().expect("new, so not shared").set_pts(gst::ClockTime::ZERO);
    let _ = source.push_buffer(frames);
    let _ = source.end_of_stream();
    let sample = sink.try_pull_sample(PATIENCE);
    match sample.map(|sample| picture_from_sample(&sample, &Masks::default())) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_is_installed_and_does_not_work_is_passed_over_with_its_reason() {
        let broken = Unusable::Broken("no such device".to_owned());
        let works = |element: &str| if element == "vah264dec" { Err(broken.clone()) } else { Ok(()) };
        let choice = choose_by(&names(&["vah264dec", "avdec_h264", "openh264dec"]), works).expect("one works");
        assert_eq!(choice.element, "avdec_h264");
        assert_eq!(choice.passed_over, [("vah264dec".to_owned(), broken.clone())]);
        let none = choose_by(&names(&["vah264dec"]), works).expect_err("none works");
        assert_eq!(none, [("vah264dec".to_owned(), broken)]);
    }

    #[test]
    fn a_real_decoder_decodes_and_one_of_another_codec_does_not() {
        super::super::init().expect("GStreamer is installed");
        let choice = choose(VideoCodec::H264, &names(&["nosuchdec", "avdec_h265", "avdec_h264"])).expect("libav");
        assert_eq!(choice.element, "avdec_h264");
        assert!(matches!(choice.passed_over[0].1, Unusable::Missing(_)), "{choice:?}");
        assert!(matches!(choice.passed_over[1].1, Unusable::Broken(_)), "{choice:?}");
        let broken = choose(VideoCodec::H264, &names(&["nosuchdec", "avdec_h265"])).expect("it is installed");
        assert_eq!((broken.element.as_str(), broken.passed_over.len()), ("avdec_h265", 2));
        assert!(choose(VideoCodec::H264, &names(&["nosuchdec"])).is_err());
    }
}

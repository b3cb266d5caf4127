//! GStreamer and its decoders: each one that a profile names is given two small frames, and must give pictures.

use std::collections::BTreeMap;

use gstreamer as gst;

use super::{Check, Needs, Verdict};
use crate::config::{Home, HwProfile, hw_profiles};
use crate::decode::{self, DecodeError, Unusable, VideoCodec};

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

/// The profile's decoders of a codec.
pub(super) fn decoders_of(profile: &HwProfile, codec: VideoCodec) -> &[String] {
    match codec {
        VideoCodec::H264 => &profile.h264,
        VideoCodec::H265 => &profile.h265,
    }
}

/// By codec and element.
pub(super) type Decoders = BTreeMap<(VideoCodec, String), Result<(), Unusable>>;

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
        for codec in VideoCodec::ALL {
            for element in decoders_of(profile, codec) {
                let key = (codec, element.clone());
                // Two profiles may name the same.
                decoders.entry(key).or_insert_with(|| {
                    let state = decode::try_decoder(codec, element);
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
fn said(codec: VideoCodec, element: &str, tried: &Result<(), Unusable>) -> Check {
    let what = format!("{element}: {}", codec.label());
    match tried {
        Ok(()) => Check::ok("decoder", &format!("{what}, decodes")),
        Err(why) => Check::new("decoder", Verdict::Info, &format!("{what}, {why}")),
    }
}

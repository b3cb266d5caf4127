//! A clip as the access units of a camera's stream.

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::rtsp::{Codec, MountOptions, RtspServerError};
use crate::decode::{self, DecodeError};

/// How long to wait for a unit before looking for errors.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// Longest time from one key frame to the next: a second watcher waits that long for a picture.
const KEY_FRAMES_EVERY_S: f64 = 2.0;

/// Cameras' usual rate: 4 Mbit/s for 1080p25.
const BITS_PER_PIXEL: f64 = 0.08;

/// A clip, encoded.
#[derive(Debug)]
pub(super) struct AccessUnits {
    pub(super) caps: gst::Caps,
    pub(super) buffers: Vec<gst::Buffer>,
    /// Frames a second: numerator and denominator, neither zero.
    fps: (u64, u64),
    has_b_frames: bool,
}

impl AccessUnits {
    /// When frame `count` is due after the first one; does not drift.
    pub(super) fn time_of(&self, count: u64) -> gst::ClockTime {
        let (numer, denom) = self.fps;
        let (whole, rest) = (count / numer, count % numer);
        gst::ClockTime::SECOND * (whole * denom) + gst::ClockTime::SECOND * (rest * denom) / numer
    }

    /// How long after it is sent a unit is shown: B-frames are sent after what they are predicted from.
    pub(super) fn shown_after(&self, unit: &gst::Buffer) -> gst::ClockTime {
        match (unit.pts(), unit.dts(), self.buffers.first().and_then(|first| first.pts().zip(first.dts()))) {
            (Some(pts), Some(dts), Some((first_pts, first_dts))) if self.has_b_frames => {
                // No unit is shown before it is sent; the first one is sent as early as any needs it.
                (pts + first_dts + self.time_of(1) * 2).saturating_sub(dts + first_pts)
            }
            _ => gst::ClockTime::ZERO,
        }
    }
}

/// Encodes the clip, as fast as the machine can; `progress` is told how far it is, in `0.0..=1.0`.
pub(super) fn encode(
    clip: &Path,
    options: &MountOptions,
    mut progress: impl FnMut(f64),
) -> Result<AccessUnits, RtspServerError> {
    let failed = |reason: String| RtspServerError::Clip { clip: clip.to_owned(), reason };
    if !clip.is_file() {
        return Err(failed("no such file".to_owned()));
    }
    let (pipeline, sink) = if options.as_it_is { reader(clip)? } else { transcoder(clip, options)? };
    let running = Running(pipeline);
    let _ = running.0.set_state(gst::State::Playing);

    let mut units: Option<AccessUnits> = None;
    let mut most = usize::MAX;
    while units.as_ref().is_none_or(|units| units.buffers.len() < most) {
        let Some(sample) = sink.try_pull_sample(POLL) else {
            match running.error() {
                Some(reason) => return Err(failed(reason)),
                None if sink.is_eos() => break,
                None => continue,
            }
        };
        let units = match &mut units {
            Some(units) => units,
            none => {
                let (caps, fps) = stream_of(&sample).ok_or_else(|| failed("has no frame rate".to_owned()))?;
                most = frames_of(running.seconds(options), fps);
                none.insert(AccessUnits { caps, buffers: Vec::new(), fps, has_b_frames: options.b_frames })
            }
        };
        units.buffers.extend(sample.buffer_owned());
        progress((units.buffers.len() as f64 / most as f64).min(1.0));
    }
    units.ok_or_else(|| failed("has no video".to_owned()))
}

/// A pipeline that stops when it goes.
struct Running(gst::Pipeline);

impl Running {
    fn error(&self) -> Option<String> {
        let message = self.0.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
            _ => None,
        }
    }

    /// How much is to be encoded.
    fn seconds(&self, options: &MountOptions) -> f64 {
        let whole = || self.0.query_duration::<gst::ClockTime>().map(gst::ClockTime::seconds_f64);
        options.length.map(|length| length.as_secs_f64()).or_else(whole).unwrap_or(f64::INFINITY)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn frames_of(seconds: f64, (numer, denom): (u64, u64)) -> usize {
    // Saturates; no clip has that many frames.
    (seconds * numer as f64 / denom as f64).ceil().max(1.0) as usize
}

fn stream_of(sample: &gst::Sample) -> Option<(gst::Caps, (u64, u64))> {
    let caps = sample.caps_owned()?;
    let fps = caps.structure(0)?.get::<gst::Fraction>("framerate").ok()?;
    let (numer, denom) = (u64::try_from(fps.numer()).ok()?, u64::try_from(fps.denom()).ok()?);
    (numer > 0 && denom > 0).then_some((caps, (numer, denom)))
}

/// Of what is in the file already.
fn reader(clip: &Path) -> Result<(gst::Pipeline, gst_app::AppSink), RtspServerError> {
    let description = "filesrc name=clip ! qtdemux ! h264parse ! \
                       video/x-h264,stream-format=byte-stream,alignment=au ! \
                       appsink name=units sync=false max-buffers=16";
    launch(description, clip)
}

fn transcoder(clip: &Path, options: &MountOptions) -> Result<(gst::Pipeline, gst_app::AppSink), RtspServerError> {
    let (encoder, needed) = match options.codec {
        Codec::H264 if options.b_frames => (
            "x264enc name=encoder speed-preset=veryfast bframes=3 b-adapt=false ! h264parse ! \
             video/x-h264,stream-format=byte-stream,alignment=au",
            "x264enc",
        ),
        Codec::H265 if options.b_frames => (
            "x265enc name=encoder speed-preset=superfast option-string=bframes=3:b-adapt=0 ! h265parse ! \
             video/x-h265,stream-format=byte-stream,alignment=au",
            "x265enc",
        ),
        Codec::H264 => (
            "x264enc name=encoder tune=zerolatency speed-preset=veryfast bframes=0 ! h264parse ! \
             video/x-h264,stream-format=byte-stream,alignment=au",
            "x264enc",
        ),
        Codec::H265 => (
            "x265enc name=encoder tune=zerolatency speed-preset=superfast option-string=bframes=0 ! h265parse ! \
             video/x-h265,stream-format=byte-stream,alignment=au",
            "x265enc",
        ),
        // Through RGB, because videoconvert leaves the range as it is where nothing else differs, of 16 bits, because with
        // 8 it is three levels off; to full range, because decoders take every JPEG for that.
        Codec::Mjpeg => (
            "videoconvert ! video/x-raw,format=ARGB64 ! videoconvert ! \
             video/x-raw,format=I420,colorimetry=1:4:0:0 ! jpegenc name=encoder quality=95",
            "jpegenc",
        ),
        Codec::Vp8 => ("vp8enc name=encoder deadline=1", "vp8enc"),
    };
    let format = match (options.codec, options.ten_bits) {
        (Codec::H264 | Codec::H265, true) => "I420_10LE",
        _ => "I420",
    };
    // parse::launch names no package: ask for the one element that a minimal installation lacks.
    drop(decode::make(needed)?);
    let size = options.size.map(|(width, height)| format!(",width={width},height={height}")).unwrap_or_default();
    let fps = options.fps.map_or(String::from("[1/1,120/1]"), |fps| format!("{fps}/1"));
    let description = format!(
        "filesrc name=clip ! decodebin ! videoconvert ! videoscale ! videorate ! \
         video/x-raw,format={format},framerate={fps}{size} ! {encoder} ! appsink name=units sync=false max-buffers=16"
    );
    let (pipeline, sink) = launch(&description, clip)?;
    tune(&element(&pipeline, "encoder")?);
    Ok((pipeline, sink))
}

/// A pipeline from the element `clip`, a file's source, to the appsink `units`.
fn launch(description: &str, clip: &Path) -> Result<(gst::Pipeline, gst_app::AppSink), RtspServerError> {
    let pipeline = gst::parse::launch(description)
        .ok()
        .and_then(|pipeline| pipeline.downcast::<gst::Pipeline>().ok())
        .ok_or(DecodeError::Gstreamer { action: "make the transcoder" })?;
    element(&pipeline, "clip")?.set_property("location", clip);
    let sink = element(&pipeline, "units")?;
    let sink = sink.downcast().map_err(|_| DecodeError::Gstreamer { action: "make an appsink" })?;
    Ok((pipeline, sink))
}

fn element(pipeline: &gst::Pipeline, name: &str) -> Result<gst::Element, DecodeError> {
    pipeline.by_name(name).ok_or(DecodeError::Gstreamer { action: "find an element" })
}

/// Sets key frame interval and bit rate when the size and rate are known, just before the encoder learns of them.
fn tune(encoder: &gst::Element) {
    let Some(pad) = encoder.static_pad("sink").filter(|_| encoder.find_property("key-int-max").is_some()) else {
        return;
    };
    let encoder = encoder.downgrade();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_pad, info| {
        if let (Some(event), Some(encoder)) = (info.event(), encoder.upgrade())
            && let gst::EventView::Caps(caps) = event.view()
            && let Some((fps, pixels)) = rate_of(caps.caps())
        {
            encoder.set_property_from_str("key-int-max", &format!("{:.0}", (fps * KEY_FRAMES_EVERY_S).max(1.0)));
            let kbits = (pixels * fps * BITS_PER_PIXEL / 1000.0).clamp(100.0, 20_000.0);
            encoder.set_property_from_str("bitrate", &format!("{kbits:.0}"));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Frames a second and pixels a frame.
fn rate_of(caps: &gst::CapsRef) -> Option<(f64, f64)> {
    let structure = caps.structure(0)?;
    let fps = structure.get::<gst::Fraction>("framerate").ok()?;
    let (width, height) = (structure.get::<i32>("width").ok()?, structure.get::<i32>("height").ok()?);
    Some((f64::from(fps.numer()) / f64::from(fps.denom()), f64::from(width) * f64::from(height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_times_do_not_drift() {
        decode::init().expect("GStreamer is installed");
        let units = AccessUnits {
            caps: gst::Caps::new_empty_simple("video/x-h264"),
            buffers: Vec::new(),
            fps: (30_000, 1001),
            has_b_frames: false,
        };
        assert_eq!(units.time_of(0), gst::ClockTime::ZERO);
        assert_eq!(units.time_of(1).nseconds(), 33_366_666);
        assert_eq!(units.time_of(30_000), gst::ClockTime::from_seconds(1001));
        let year = 30_000 / 1001 * 31_536_000;
        let seconds = year as f64 * 1001.0 / 30_000.0;
        assert!((units.time_of(year).seconds_f64() - seconds).abs() < 1e-3);
    }
}

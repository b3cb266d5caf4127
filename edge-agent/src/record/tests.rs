//! From coded pictures to a clip and a still, with real encoders, demuxer and decoders.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{Point, Polygon, WallTime};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::*;
use crate::frame::Picture;
use crate::privacy::Masks;

/// 25 a second.
pub(crate) const FRAME: Duration = Duration::from_millis(40);
/// A key frame every two seconds.
pub(crate) const GROUP: u32 = 50;
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

pub(crate) const H264: &str = "x264enc key-int-max=50 option-string=scenecut=0 bframes=0 speed-preset=ultrafast ! \
                               h264parse ! video/x-h264,stream-format=avc,alignment=au";
const REORDERED: &str = "x264enc key-int-max=50 bframes=2 b-adapt=false option-string=scenecut=0 speed-preset=ultrafast ! \
                         h264parse ! video/x-h264,stream-format=avc,alignment=au";
const H265: &str = "x265enc key-int-max=50 option-string=bframes=0:scenecut=0:open-gop=0 speed-preset=ultrafast ! \
                    h265parse ! video/x-h265,stream-format=hvc1,alignment=au";
const JPEG: &str = "jpegenc";

/// Every frame is brighter than the one before, on a picture that is darker on its left.
fn luma(frame: u32, x: usize) -> u8 {
    u8::try_from(30 + frame % GROUP * 3 + if x < 160 { 0 } else { 60 }).expect("small")
}

/// Coded pictures of 320 by 240 pixels.
pub(crate) fn coded(encoder: &str, frames: u32) -> Vec<gst::Sample> {
    crate::decode::init().expect("GStreamer is installed");
    let text = format!("appsrc name=raw format=time ! {encoder} ! appsink name=units sync=false");
    let pipeline = gst::parse::launch(&text).expect("elements").downcast::<gst::Pipeline>().expect("a pipeline");
    let raw: gst_app::AppSrc = pipeline.by_name("raw").expect("there").downcast().expect("an appsrc");
    let units: gst_app::AppSink = pipeline.by_name("units").expect("there").downcast().expect("an appsink");
    let caps = "video/x-raw,format=I420,width=320,height=240,framerate=25/1".parse::<gst::Caps>().expect("caps");
    raw.set_caps(Some(&caps));
    pipeline.set_state(gst::State::Playing).expect("plays");
    for frame in 0..frames {
        let mut data: Vec<u8> = (0..320 * 240).map(|pixel| luma(frame, pixel % 320)).collect();
        data.resize(320 * 240 * 3 / 2, 128);
        let mut buffer = gst::Buffer::from_slice(data);
        let pts = gst::ClockTime::from_mseconds(40 * u64::from(frame));
        let stamped = buffer.get_mut().expect("new");
        stamped.set_pts(pts);
        stamped.set_duration(gst::ClockTime::from_mseconds(40));
        raw.push_buffer(buffer).expect("takes");
    }
    raw.end_of_stream().expect("ends");
    let samples: Vec<_> = std::iter::from_fn(|| units.pull_sample().ok()).collect();
    pipeline.set_state(gst::State::Null).expect("stops");
    assert_eq!(samples.len(), frames as usize);
    samples
}

/// Arrivals at the camera's pace, the last one now.
pub(crate) fn fill(ring: &Ring, samples: &[gst::Sample]) -> Instant {
    let start = Instant::now().checked_sub(FRAME * u32::try_from(samples.len()).expect("few")).expect("the box runs");
    for (sample, count) in samples.iter().zip(0..) {
        let millis = 40 * i64::from(count);
        ring.put(1, sample, start + FRAME * count, WallTime::from_unix_nanos(millis * 1_000_000));
    }
    start
}

fn ring() -> Arc<Ring> {
    Ring::new(RingLimits { keep_for: LONG, max_bytes: 64 << 20 })
}

fn bytes(sample: &gst::Sample) -> Vec<u8> {
    sample.buffer().expect("a unit").map_readable().expect("mapped").to_vec()
}

/// Everything that comes out of a file through these elements.
pub(crate) fn played(file: &std::path::Path, elements: &str) -> Vec<gst::Sample> {
    let text = format!("filesrc location={} ! qtdemux ! {elements} ! appsink name=out sync=false", file.display());
    let pipeline = gst::parse::launch(&text).expect("elements").downcast::<gst::Pipeline>().expect("a pipeline");
    let out: gst_app::AppSink = pipeline.by_name("out").expect("there").downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("plays");
    let samples = std::iter::from_fn(|| out.pull_sample().ok()).collect();
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]));
    pipeline.set_state(gst::State::Null).expect("stops");
    assert!(error.is_none(), "{error:?}");
    samples
}

/// The boxes at the top of a file (ISO/IEC 14496-12, 4.2).
fn boxes(file: &[u8]) -> Vec<String> {
    let (mut names, mut rest) = (Vec::new(), file);
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let size = u32::from_be_bytes(head[..4].try_into().expect("four")) as usize;
        names.push(String::from_utf8_lossy(&head[4..]).into_owned());
        let size = if size == 1 { u64::from_be_bytes(rest[8..16].try_into().expect("eight")) as usize } else { size };
        rest = rest.get(size..).expect("boxes fill the file");
    }
    names
}

#[test]
fn a_clip_is_the_stream_as_it_came_and_plays_from_its_first_byte() {
    for (encoder, decoder) in [(H264, "avdec_h264"), (REORDERED, "avdec_h264"), (H265, "avdec_h265")] {
        let samples = coded(encoder, 4 * GROUP);
        let ring = ring();
        let start = fill(&ring, &samples);
        let at = |count: u32| start + FRAME * count;
        // From within the second group into the fourth.
        let cut = ring.cut(Wanted { from: at(70), at: at(120), until: at(170) }).expect("shown");
        let folder = tempfile::tempdir().expect("a folder");
        let (path, scratch) = (folder.path().join("clip.mp4"), folder.path().join("scratch"));
        let mut file = Vec::new();
        write_mp4(&cut, &scratch, &mut file, LONG).expect("muxes");
        assert!(!scratch.exists(), "nothing is left");
        std::fs::write(&path, &file).expect("writes");

        let sent = &samples[GROUP as usize..=170];
        let read = played(&path, "identity");
        assert_eq!(read.len(), sent.len(), "{encoder}");
        assert!(std::iter::zip(&read, sent).all(|(read, sent)| bytes(read) == bytes(sent)), "{encoder}");
        let is_key =
            |sample: &gst::Sample| !sample.buffer().expect("a unit").flags().contains(gst::BufferFlags::DELTA_UNIT);
        assert!(is_key(&read[0]));
        let codec_data = |sample: &gst::Sample| {
            let caps = sample.caps().expect("caps").structure(0).expect("one").get::<gst::Buffer>("codec_data");
            caps.expect("parameter sets").map_readable().expect("mapped").to_vec()
        };
        assert_eq!(codec_data(&read[0]), codec_data(&sent[0]));
        assert_eq!(played(&path, decoder).len(), sent.len(), "every picture is decoded: {encoder}");
        let times: Vec<_> = read.iter().map(|sample| sample.buffer().expect("a unit").pts().expect("timed")).collect();
        let length = *times.iter().max().expect("some") - *times.iter().min().expect("some");
        // Where pictures are out of order, the last to come is not the last to be shown.
        let missed = length.mseconds().abs_diff(40 * 120);
        assert!(missed <= if encoder == REORDERED { 80 } else { 0 }, "{length} {encoder}");
        let order = boxes(&file);
        let place = |name: &str| order.iter().position(|known| known == name).expect("there");
        assert!(place("moov") < place("mdat"), "{order:?}");
    }
}

fn mean(picture: &Picture) -> f64 {
    let row = &picture.row(0, 120)[..100];
    row.iter().map(|luma| f64::from(*luma)).sum::<f64>() / row.len() as f64
}

#[test]
fn a_still_is_the_asked_moment_and_no_other() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (h264, h265) = (names(&["avdec_h264"]), names(&["avdec_h265"]));
    for encoder in [H264, REORDERED, H265, JPEG] {
        let samples = coded(encoder, 2 * GROUP);
        let ring = ring();
        let start = fill(&ring, &samples);
        for frame in [0, 1, 24, 49, 50, 77, 99] {
            let cut = ring.still(start + FRAME * frame).expect("shown");
            let still = decode_still(&cut, &Masks::default(), &h264, &h265, LONG).expect("decodes");
            // With pictures out of order the nearest to arrive is that of another moment: it is the one that was asked.
            let shown = cut.units.last().expect("some").pts.as_millis() / 40 % u128::from(GROUP);
            let expected = f64::from(luma(u32::try_from(shown).expect("small"), 0));
            let got = mean(&still.picture);
            assert!((got - expected).abs() < 1.4, "{encoder}: frame {frame} is {got}, not {expected}");
            assert_eq!((still.picture.width(), still.picture.height()), (320, 240));
        }
        let cut = ring.still(start + FRAME * 99).expect("shown");
        let late = decode_still(&cut, &Masks::default(), &h264, &h265, Duration::ZERO);
        assert!(matches!(late, Err(StillError::Late)), "{late:?}");
    }
}

#[test]
fn a_still_is_seen_through_its_cameras_masks() {
    let ring = ring();
    let start = fill(&ring, &coded(H264, 3));
    let cut = ring.still(start + FRAME * 2).expect("shown");
    let corners = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)].map(|(x, y)| Point::new(x, y));
    let masks = Masks::new(vec![Polygon::new(corners.to_vec()).expect("simple")]);
    let still = decode_still(&cut, &masks, &["avdec_h264".to_owned()], &[], LONG).expect("decodes").picture;
    assert!((0..240).all(|y| still.row(0, y)[..160].iter().all(|luma| *luma == 128)));
    assert!(still.row(0, 120)[160..].iter().any(|luma| *luma != 128));
}

#[test]
fn what_cannot_be_decoded_or_put_into_a_clip_is_refused() {
    let samples = coded(JPEG, 3);
    let ring = ring();
    let start = fill(&ring, &samples);
    let cut = ring.cut(Wanted { from: start, at: start, until: start + FRAME * 3 }).expect("shown");
    assert_eq!(cut.units.len(), 3);
    let refused = write_mp4(&cut, std::path::Path::new("/none"), &mut Vec::new(), LONG);
    assert!(matches!(refused, Err(Mp4Error::Codec { .. })), "{refused:?}");

    let mut cut = {
        let ring = self::ring();
        let start = fill(&ring, &coded(H264, 3));
        ring.still(start + FRAME * 2).expect("shown")
    };
    for unit in &mut cut.units {
        unit.data = vec![0x55; unit.data.len()].into();
    }
    let refused = decode_still(&cut, &Masks::default(), &["avdec_h264".to_owned()], &[], LONG);
    assert!(refused.is_err(), "{refused:?}");
    let nowhere = write_mp4(&cut, std::path::Path::new("/nowhere/scratch"), &mut Vec::new(), LONG);
    assert!(matches!(nowhere, Err(Mp4Error::File(_))), "{nowhere:?}");
}

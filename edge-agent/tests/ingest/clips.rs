//! Clips are read whole, the same way each time; what is none is said.

use std::path::Path;
use std::time::Duration;

use analytics::{FrameStamp, Point, Polygon, WallTime};
use edge_agent::frame::{Colorimetry, Matrix, Range};
use edge_agent::privacy::Masks;
use edge_agent::source::{FileFault, FileSource, SourceError};
use tempfile::TempDir;

use crate::stage::{brightness, camera_id, make, vtest};

const START: WallTime = WallTime::from_unix_nanos(1_000_000_000_000);

/// A frame's stamp, size and brightness.
type Seen = (FrameStamp, (u32, u32), f64);

/// Reads the clip to its end; how it ended.
fn read(clip: &Path) -> (Vec<Seen>, Result<(), SourceError>) {
    let mut source = match FileSource::open(clip, camera_id(), START, &Masks::default()) {
        Ok(source) => source,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut frames = Vec::new();
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                let size = (frame.picture.width(), frame.picture.height());
                frames.push((frame.stamp, size, brightness(&frame.picture)));
            }
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

/// Why a file is refused.
fn fault(clip: &Path) -> FileFault {
    match read(clip).1 {
        Err(SourceError::File { path, fault }) if path == clip => fault,
        other => panic!("{other:?}"),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn every_frame_of_a_clip_is_read_and_reading_repeats() {
    let (frames, end) = read(&vtest());
    end.expect("reads to its end");
    assert_eq!(frames.len(), 795);
    for (k, (stamp, size, _)) in (0_u64..).zip(&frames) {
        assert_eq!((stamp.seq, *size), (k + 1, (768, 576)));
        assert_eq!(stamp.pts.as_nanos(), k * 100_000_000);
        assert_eq!(stamp.captured_at, START + Duration::from_millis(100 * k));
    }
    assert_eq!(frames, read(&vtest()).0);
}

#[test]
fn a_resolution_change_within_a_clip_is_followed() {
    let folder = folder();
    let encode = |name: &str, size: &str| {
        let text = format!(
            "videotestsrc num-buffers=20 ! video/x-raw,format=I420,{size},framerate=25/1 ! x264enc ! video/x-h264,stream-format=byte-stream ! filesink location={{}}"
        );
        std::fs::read(make(folder.path(), name, &text)).expect("written")
    };
    let both = [encode("a", "width=320,height=240"), encode("b", "width=642,height=362")].concat();
    let clip = folder.path().join("both.h264");
    std::fs::write(&clip, both).expect("written");
    let (frames, end) = read(&clip);
    end.expect("reads to its end");
    let sizes: Vec<_> = frames.iter().map(|(_, size, _)| *size).collect();
    assert_eq!(sizes, [[(320, 240); 20], [(642, 362); 20]].concat());
    assert!(frames.windows(2).all(|pair| pair[0].0.pts < pair[1].0.pts));
}

#[test]
fn frames_that_are_reordered_in_the_file_come_in_order() {
    let folder = folder();
    let clip = make(
        folder.path(),
        "b.mp4",
        "videotestsrc num-buffers=60 pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! x264enc bframes=3 b-adapt=false key-int-max=30 ! h264parse ! mp4mux ! filesink location={}",
    );
    let (frames, end) = read(&clip);
    end.expect("reads to its end");
    let times: Vec<_> = frames.iter().map(|(stamp, ..)| stamp.pts.as_nanos() / 1_000_000).collect();
    assert_eq!(times, (0..60).map(|k| k * 40).collect::<Vec<_>>());
}

#[test]
fn frames_that_an_edit_list_hides_are_read_too() {
    let folder = folder();
    // As editors do that cut without encoding anew: the list begins some frames into the track.
    let clip = make(
        folder.path(),
        "edit.mp4",
        "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! x264enc bframes=0 key-int-max=50 ! h264parse ! mp4mux ! filesink location={}",
    );
    let mut bytes = std::fs::read(&clip).expect("written");
    let list = bytes.windows(4).position(|name| name == b"elst").expect("mp4mux writes an edit list");
    // Version and flags, entries, duration, media time: ISO/IEC 14496-12, 8.6.6. The track's time scale is 2500 a second.
    bytes[list + 16..list + 20].copy_from_slice(&1000_u32.to_be_bytes());
    std::fs::write(&clip, bytes).expect("written");
    let (frames, end) = read(&clip);
    end.expect("reads to its end");
    assert_eq!(frames.len(), 50);
}

#[test]
fn colours_are_as_the_stream_says() {
    let folder = folder();
    for (name, said, expected) in [
        ("709.h264", "bt709", Colorimetry { matrix: Matrix::Bt709, range: Range::Limited }),
        ("full.h264", "1:4:0:0", Colorimetry { matrix: Matrix::Bt601, range: Range::Full }),
    ] {
        let text = format!(
            "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1,colorimetry={said} ! x264enc ! video/x-h264,stream-format=byte-stream ! filesink location={{}}"
        );
        let mut source =
            FileSource::open(&make(folder.path(), name, &text), camera_id(), START, &Masks::default()).expect("opens");
        let frame = source.next_frame().expect("decodes").expect("has frames");
        assert_eq!(frame.picture.layout().colorimetry, expected, "{name}");
    }
}

#[test]
fn a_clip_is_seen_through_its_cameras_masks() {
    let corners = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)].map(|(x, y)| Point::new(x, y));
    let masks = Masks::new(vec![Polygon::new(corners.to_vec()).expect("simple")]);
    let mut source = FileSource::open(&vtest(), camera_id(), START, &masks).expect("opens");
    let mut plain = FileSource::open(&vtest(), camera_id(), START, &Masks::default()).expect("opens");
    for _ in 0..3 {
        let [masked, plain] =
            [&mut source, &mut plain].map(|clip| clip.next_frame().expect("decodes").expect("frames"));
        let (width, height) = (masked.picture.width() as usize, masked.picture.height() as usize);
        for y in 0..height {
            let (masked, plain) = (masked.picture.row(0, y), plain.picture.row(0, y));
            assert_eq!(masked[..width / 2], plain[..width / 2]);
            assert!(masked[width / 2..].iter().all(|luma| *luma == 128));
        }
    }
}

#[test]
fn other_pixel_formats_are_converted() {
    let folder = folder();
    for (name, encoder) in [
        ("y42b.mkv", "video/x-raw,format=Y42B ! x264enc ! h264parse"),
        ("ten.mkv", "video/x-raw,format=I420_10LE ! x264enc ! h264parse"),
        ("rgb.mkv", "video/x-raw,format=BGR"),
        ("grey.mkv", "video/x-raw,format=GRAY8"),
        ("jpeg.avi", "video/x-raw,format=I420 ! jpegenc"),
    ] {
        let mux = if name.ends_with("avi") { "avimux" } else { "matroskamux" };
        let text = format!(
            "videotestsrc num-buffers=5 pattern=white ! video/x-raw,width=322,height=242,framerate=25/1 ! videoconvert ! {encoder} ! {mux} ! filesink location={{}}"
        );
        let (frames, end) = read(&make(folder.path(), name, &text));
        end.expect("reads to its end");
        assert_eq!(frames.len(), 5, "{name}");
        assert!(frames.iter().all(|(_, size, brightness)| *size == (322, 242) && *brightness > 225.0), "{name}");
    }
}

#[test]
fn sound_beside_the_picture_is_passed_over() {
    let folder = folder();
    let clip = make(
        folder.path(),
        "sound.avi",
        "videotestsrc num-buffers=25 ! video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc ! avimux name=mux ! filesink location={} audiotestsrc num-buffers=40 ! audioconvert ! mux.",
    );
    let (frames, end) = read(&clip);
    end.expect("reads to its end");
    assert_eq!(frames.len(), 25);
}

#[test]
fn what_is_no_clip_is_refused_with_its_reason() {
    let folder = folder();
    assert_eq!(fault(&folder.path().join("nowhere.mp4")), FileFault::NotFound);
    assert!(matches!(fault(folder.path()), FileFault::Unreadable(_)));
    let empty = folder.path().join("empty.mp4");
    std::fs::write(&empty, "").expect("written");
    assert_eq!(fault(&empty), FileFault::Empty);
    for (name, content) in [("text.mp4", "Nghi vấn đi ngược chiều. ".repeat(100).into_bytes()), ("noise.mp4", noise())]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        assert!(matches!(fault(&path), FileFault::NotAVideo(_)), "{name}: {:?}", fault(&path));
    }
    let sound = make(folder.path(), "sound.wav", "audiotestsrc num-buffers=40 ! wavenc ! filesink location={}");
    assert_eq!(fault(&sound), FileFault::NoVideo);
}

/// Bytes that are no format's.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    (0..100_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

#[test]
fn a_clip_that_is_cut_short_gives_what_it_has_and_then_says_so() {
    let folder = folder();
    let whole = std::fs::read(vtest()).expect("readable");
    let clip = folder.path().join("cut.avi");
    std::fs::write(&clip, &whole[..whole.len() / 2]).expect("written");
    let (frames, end) = read(&clip);
    assert!(frames.len() > 300, "{} frames", frames.len());
    match end {
        Err(SourceError::File { fault: FileFault::Truncated { frames: told, .. }, .. }) => {
            assert_eq!(told, frames.len() as u64);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_mp4_that_is_cut_short_is_an_error_after_its_frames() {
    let folder = folder();
    let text = "videotestsrc num-buffers=100 pattern=snow ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! x264enc ! h264parse ! mp4mux faststart={fast} ! filesink location={}";
    let fast = make(folder.path(), "fast.mp4", &text.replace("{fast}", "true"));
    let slow = make(folder.path(), "slow.mp4", &text.replace("{fast}", "false"));
    for clip in [&fast, &slow] {
        let whole = std::fs::read(clip).expect("readable");
        std::fs::write(clip, &whole[..whole.len() / 2]).expect("written");
    }
    let (frames, end) = read(&fast);
    assert!((30..70).contains(&frames.len()), "{} frames", frames.len());
    assert!(
        matches!(&end, Err(SourceError::File { fault: FileFault::Truncated { .. } | FileFault::Damaged { .. }, .. })),
        "{end:?}"
    );
    assert!(matches!(fault(&slow), FileFault::NotAVideo(_)), "without its index nothing can be decoded");
}

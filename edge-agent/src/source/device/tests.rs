//! Everything behind the head with real data, and the real head with files that are no cameras. No video device is
//! needed, and none is driven.

use std::time::Duration;

use analytics::{CameraId, WallTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::frame::{Colorimetry, Frame, FrameSignal, FrameSlot, Matrix, PixelFormat, Range};
use crate::privacy::Masks;
use crate::source::{Session, SourceState, SourceStatus, StreamInfo, Supervisor, SupervisorParams};

const DEADLINE: Duration = Duration::from_secs(60);

/// Red, 320×240, as a device would give it.
fn test_head(description: &str) -> Result<gst::Element, SourceError> {
    let text = format!("videotestsrc is-live=true pattern=red ! {description}");
    Ok(gst::parse::bin_from_description(&text, true).expect("elements of the demo").upcast())
}

fn yuy2(_: &DeviceParams) -> Result<gst::Element, SourceError> {
    test_head("capsfilter caps=video/x-raw,format=YUY2,width=320,height=240,framerate=10/1,colorimetry=bt601")
}

fn nv12(_: &DeviceParams) -> Result<gst::Element, SourceError> {
    test_head("capsfilter caps=video/x-raw,format=NV12,width=320,height=240,framerate=10/1,colorimetry=bt601")
}

fn jpeg(_: &DeviceParams) -> Result<gst::Element, SourceError> {
    // Through RGB: the source leaves the range as it is where nothing but the range is asked for.
    test_head(
        "video/x-raw,format=RGB,width=320,height=240,framerate=10/1 ! videoconvert ! \
         video/x-raw,format=Y42B,colorimetry=1:4:0:0 ! jpegenc quality=95",
    )
}

/// Gives any size that is asked for, raw or JPEG as it is asked first.
fn obliging(_: &DeviceParams) -> Result<gst::Element, SourceError> {
    test_head("videoscale ! videorate ! capsfilter caps=video/x-raw,format=YUY2")
}

fn params(device: &str) -> DeviceParams {
    DeviceParams { device: device.into(), size: None, fps: None }
}

/// The first frame, and what is said of the stream.
async fn first_frame(source: DeviceSource) -> (Frame, StreamInfo) {
    let slot = Arc::new(FrameSlot::new(Arc::new(FrameSignal::default())));
    let session = Session::new(CameraId::new("cam").expect("valid"), Arc::clone(&slot), Masks::default());
    let look = async {
        loop {
            match slot.take() {
                Some(frame) => break frame,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::select! {
        error = source.attempt(session.open()) => panic!("{error}"),
        frame = tokio::time::timeout(DEADLINE, look) => {
            (frame.expect("a frame in time"), session.progress().stream.expect("described"))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_and_jpeg_devices_become_pictures_of_the_right_colour() {
    for (head, codec, decoder) in [(yuy2 as Head, "raw", ""), (nv12, "raw", ""), (jpeg, "JPEG", "jpegdec")] {
        let (frame, stream) = first_frame(DeviceSource::with_head(params("/dev/video0"), head)).await;
        assert_eq!((stream.codec.as_str(), stream.decoder.as_str(), stream.size), (codec, decoder, Some((320, 240))));
        let colorimetry = frame.picture.layout().colorimetry;
        // Pure red in BT.601: 81, 90, 240 limited; 76, 85, 255 in the full range of JPEG.
        let (range, expected) =
            if codec == "JPEG" { (Range::Full, [76, 85, 255]) } else { (Range::Limited, [81, 90, 240]) };
        assert_eq!(colorimetry, Colorimetry { matrix: Matrix::Bt601, range }, "{codec}");
        let (u, v) = match frame.picture.layout().format {
            PixelFormat::I420 => (frame.picture.row(1, 60)[80], frame.picture.row(2, 60)[80]),
            PixelFormat::Nv12 => (frame.picture.row(1, 60)[160], frame.picture.row(1, 60)[161]),
        };
        for (is, should) in [frame.picture.row(0, 120)[160], u, v].into_iter().zip(expected) {
            assert!(is.abs_diff(should) <= 2, "{codec}: {is} is not {should}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_that_is_asked_for_is_asked_of_the_device() {
    let params = DeviceParams { size: Some((192, 128)), fps: Some(5), ..params("/dev/video0") };
    let (frame, _) = first_frame(DeviceSource::with_head(params, obliging)).await;
    assert_eq!((frame.picture.width(), frame.picture.height()), (192, 128));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_the_device_does_not_have_is_said() {
    let params = DeviceParams { size: Some((640, 480)), ..params("/dev/video0") };
    let session =
        Session::new(CameraId::new("cam").expect("valid"), Arc::new(FrameSlot::new(Arc::default())), Masks::default());
    let error = DeviceSource::with_head(params, yuy2).attempt(session.open()).await;
    assert_eq!(error.code(), "device_format", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_camera_is_said_with_its_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("video0");
    std::fs::write(&file, "no device").expect("written");
    let missing = folder.path().join("video1");
    for (device, code, is_transient, cure) in [
        (Path::new("/dev/null"), "device_not_a_camera", false, "/dev/video*"),
        (folder.path(), "device_not_a_camera", false, "/dev/video*"),
        (&file, "device_not_a_camera", false, "/dev/video*"),
        (&missing, "device_missing", true, "plug the camera in"),
    ] {
        let session = Session::new(
            CameraId::new("cam").expect("valid"),
            Arc::new(FrameSlot::new(Arc::default())),
            Masks::default(),
        );
        let source = DeviceSource::new(DeviceParams { device: device.to_owned(), size: None, fps: None });
        let error = tokio::time::timeout(DEADLINE, source.attempt(session.open())).await.expect("says so");
        assert_eq!((error.code(), error.is_transient()), (code, is_transient), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&device.display().to_string()) && text.contains(cure), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_appears_is_taken_up() {
    static PLUGGED_IN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    fn head(params: &DeviceParams) -> Result<gst::Element, SourceError> {
        if PLUGGED_IN.load(std::sync::atomic::Ordering::SeqCst) { yuy2(params) } else { v4l2src(params) }
    }
    let source = DeviceSource::with_head(params("/dev/no-such-video"), head);
    let slot = Arc::new(FrameSlot::new(Arc::default()));
    let (told, mut status) = watch::channel(SourceStatus::connecting(WallTime::UNIX_EPOCH));
    let camera = CameraId::new("cam").expect("valid");
    let supervisor = Supervisor::new(camera, slot, Masks::default(), told, SupervisorParams::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervisor.run(source, stop.clone()));
    let missing = status.wait_for(|status| status.reason == Some("device_missing") && status.attempts > 1);
    tokio::time::timeout(DEADLINE, missing).await.expect("in time").expect("it runs");
    PLUGGED_IN.store(true, std::sync::atomic::Ordering::SeqCst);
    let online = status.wait_for(|status| status.state == SourceState::Online);
    tokio::time::timeout(DEADLINE, online).await.expect("in time").expect("it runs");
    stop.cancel();
    running.await.expect("no panic");
}

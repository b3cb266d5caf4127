//! What is received and not decoded: key frames alone, pictures that nothing depends on, nothing at all.

use std::time::Duration;

use edge_agent::source::{RtspParams, SourceState};
use tokio::time::timeout;

use crate::stage::{Camera, DEADLINE, ServerProcess, brightness};

/// A clip of four seconds, 25 frames a second, a key frame every two.
const KEY_FRAMES_EVERY: u64 = 50;

/// Pictures that are received, and of them decoded, until `received` more came.
async fn share(camera: &Camera, received: u64) -> (u64, u64) {
    let (from, decoded) = (camera.slot.received(), camera.slot.arrived());
    let enough = async {
        while camera.slot.received() < from + received {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, enough).await.expect("pictures come");
    (camera.slot.received() - from, camera.slot.arrived() - decoded)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_key_frames_alone_a_fiftieth_is_decoded_and_the_camera_stays_online() {
    let server = ServerProcess::start(0, "none");
    // Not h265-b: of its key frames alone the decoder gives one in four (docs/ladder.md).
    for path in ["h264", "h265", "h264-b"] {
        let mut camera = Camera::start(RtspParams::new(server.url(path)));
        let whole = camera.frame().await;
        camera.control.want(5.0, true);
        camera.until(|status| status.state == SourceState::Online).await;
        // What was in the decoder comes out first.
        share(&camera, KEY_FRAMES_EVERY).await;
        let (received, decoded) = share(&camera, 4 * KEY_FRAMES_EVERY).await;
        assert!((3..=6).contains(&decoded), "{path}: {decoded} of {received}");
        let before = camera.frame().await;
        let frame = camera.frame().await;
        let (is, was) = (brightness(&frame.picture), brightness(&whole.picture));
        assert!((is - was).abs() < 8.0, "{path}: brightness {is:.1}, not {was:.1}");
        // Numbers and media time go on as if every picture had been decoded.
        let (numbers, time) = (frame.stamp.seq - before.stamp.seq, frame.stamp.pts.since(before.stamp.pts));
        let fps = numbers as f64 / time.as_secs_f64();
        assert!((fps - 25.0).abs() < 3.0, "{path}: {fps} numbers a second of media time");
        camera.control.want(f64::INFINITY, false);
        share(&camera, 2 * KEY_FRAMES_EVERY).await;
        let (received, decoded) = share(&camera, KEY_FRAMES_EVERY).await;
        assert!(decoded.abs_diff(received) <= 2, "{path}: all again, {decoded} of {received}");
        let status = camera.status.borrow().clone();
        assert_eq!((status.state, status.attempts), (SourceState::Online, 1), "{path}");
        // With B-frames the decoder holds key frames back for seconds: they are timed by when they come out of it.
        assert!(status.timestamp_jumps == 0 || path.ends_with("-b"), "{path}: {}", status.timestamp_jumps);
        camera.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_nothing_depends_on_are_not_decoded_when_the_rate_does_not_need_them() {
    let server = ServerProcess::start(0, "none");
    for (path, least, most) in [("h264", 0.0, 0.02), ("h265", 0.0, 0.02), ("h264-b", 0.3, 0.8), ("h265-b", 0.3, 0.8)] {
        let camera = Camera::start(RtspParams::new(server.url(path)));
        camera.frame().await;
        camera.control.want(5.0, false);
        // Until whole groups of pictures have shown what depends on what.
        share(&camera, 3 * KEY_FRAMES_EVERY).await;
        let (received, decoded) = share(&camera, 4 * KEY_FRAMES_EVERY).await;
        let skipped = 1.0 - decoded as f64 / received as f64;
        assert!((least..=most).contains(&skipped), "{path}: {skipped}");
        let mut last = camera.frame().await;
        for _ in 0..20 {
            let frame = camera.frame().await;
            let gap = frame.stamp.pts.since(last.stamp.pts);
            assert!(frame.stamp.seq > last.stamp.seq && gap < Duration::from_millis(400), "{path}: {gap:?}");
            let (is, was) = (brightness(&frame.picture), brightness(&last.picture));
            assert!((is - was).abs() < 8.0, "{path}: brightness {is:.1}, not {was:.1}");
            last = frame;
        }
        let status = camera.status.borrow().clone();
        assert_eq!((status.state, status.attempts, status.timestamp_jumps), (SourceState::Online, 1, 0), "{path}");
        camera.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn motion_jpeg_is_decoded_as_often_as_it_is_needed() {
    let server = ServerProcess::start(0, "none");
    let camera = Camera::start(RtspParams::new(server.url("mjpeg")));
    camera.frame().await;
    camera.control.want(5.0, false);
    let (received, decoded) = share(&camera, 100).await;
    assert!(decoded * 2 < received && decoded * 6 > received, "{decoded} of {received}");
    camera.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_paused_decodes_nothing_and_stays_online() {
    let server = ServerProcess::start(0, "none");
    let mut camera = Camera::start(RtspParams::new(server.url("h264")));
    camera.frame().await;
    camera.control.want(0.0, true);
    share(&camera, 5).await;
    // Longer than the silence after which a camera counts as stalled.
    let (received, decoded) = share(&camera, 6 * 25).await;
    assert_eq!(decoded, 0, "of {received}");
    camera.until(|status| status.state == SourceState::Online).await;
    camera.control.want(5.0, false);
    camera.frame().await;
    assert_eq!(camera.status.borrow().attempts, 1);
    camera.stop().await;
}

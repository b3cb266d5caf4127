//! What a camera sends is received; what it refuses is said.

use analytics::WallTime;
use edge_agent::frame::{Colorimetry, Matrix, Range};
use edge_agent::privacy::Masks;
use edge_agent::source::{FileSource, RtspParams, SourceState, Transport};

use crate::stage::{
    AHEAD, CANARY, Camera, JPEG_SIZE, SIZE, ServerProcess, bars_of, brightness, camera_id, color_bars, credentials,
    vtest,
};

/// Receives two seconds of `path` and checks what any camera's frames must be.
async fn receives(path: &str, transport: Transport, codec: &str, decoder: &str) {
    let server = ServerProcess::start(0, "none");
    let mut camera = Camera::start(RtspParams { transport, ..RtspParams::new(server.url(path)) });
    let mut clip = FileSource::open(&vtest(), camera_id(), WallTime::UNIX_EPOCH, &Masks::default()).expect("opens");
    let original = clip.next_frame().expect("decodes").expect("has frames");

    let first = camera.frame().await.stamp;
    let mut last = first.clone();
    for _ in 0..50 {
        let frame = camera.frame().await;
        assert_eq!((frame.picture.width(), frame.picture.height()), size_of(codec));
        let (is, was) = (brightness(&frame.picture), brightness(&original.picture));
        assert!((is - was).abs() < 8.0, "brightness {is:.1}, in the clip {was:.1}");
        assert!(frame.stamp.pts > last.pts && frame.stamp.seq > last.seq);
        last = frame.stamp;
    }
    let rate = (last.seq - first.seq) as f64 / last.pts.since(first.pts).as_secs_f64();
    assert!((rate - 25.0).abs() < 2.5, "{rate} frames a second by their timestamps");
    let online = camera.until(|status| status.state == SourceState::Online).await;
    let stream = online.stream.expect("described");
    assert_eq!((stream.codec.as_str(), stream.decoder.as_str()), (codec, decoder));
    assert_eq!((online.attempts, online.reconnects, online.timestamp_jumps), (1, 0, 0));
    camera.stop().await;
}

fn size_of(codec: &str) -> (u32, u32) {
    if codec == "JPEG" { JPEG_SIZE } else { SIZE }
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_tcp_is_received() {
    receives("h264", Transport::Tcp, "H264", "avdec_h264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_udp_is_received() {
    receives("h264", Transport::Udp, "H264", "avdec_h264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_is_received() {
    receives("h265", Transport::Tcp, "H265", "avdec_h265").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn motion_jpeg_is_received() {
    receives("mjpeg", Transport::Tcp, "JPEG", "jpegdec").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_bits_and_jpeg_give_the_colours_of_the_original() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut clip = FileSource::open(&color_bars(folder.path()), camera_id(), WallTime::UNIX_EPOCH, &Masks::default())
        .expect("opens");
    let original = bars_of(&clip.next_frame().expect("decodes").expect("has frames").picture);
    assert!(
        original[1][1] < -50.0 && original[6][1] > 50.0,
        "the second bar is yellow, the last one blue: {original:?}"
    );
    let server = ServerProcess::start(0, "none");
    for (path, codec, range) in [
        ("bars-h264-10", "H264", Range::Limited),
        ("bars-h265-10", "H265", Range::Limited),
        ("bars-mjpeg", "JPEG", Range::Full),
    ] {
        let mut camera = Camera::start(RtspParams::new(server.url(path)));
        let picture = camera.frame().await.picture;
        assert_eq!(picture.layout().colorimetry, Colorimetry { matrix: Matrix::Bt601, range }, "{path}");
        let online = camera.until(|status| status.state == SourceState::Online).await;
        let stream = online.stream.expect("described");
        assert_eq!((stream.codec.as_str(), stream.size), (codec, Some(size_of(codec))), "{path}");
        for (is, was) in bars_of(&picture).iter().flatten().zip(original.iter().flatten()) {
            assert!((is - was).abs() <= 2.5, "{path}: {is:.1} was {was:.1}: {:?}", bars_of(&picture));
        }
        camera.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_track_does_not_disturb() {
    receives("sound", Transport::Tcp, "H264", "avdec_h264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_decoder_that_works_is_used_and_those_before_it_are_named_with_why() {
    let server = ServerProcess::start(0, "none");
    let preferring = |names: &[&str]| RtspParams {
        h264_decoders: names.iter().map(|&name| name.to_owned()).collect(),
        ..RtspParams::new(server.url("h264"))
    };
    let mut second = Camera::start(preferring(&["nosuchdec", "avdec_h265", "openh264dec", "avdec_h264"]));
    let online = second.until(|status| status.state == SourceState::Online).await;
    let stream = online.stream.expect("described");
    assert_eq!(stream.decoder, "openh264dec");
    let [missing, broken] = stream.passed_over.as_slice() else { panic!("{stream:?}") };
    assert!(missing.starts_with("nosuchdec: not installed"), "{missing}");
    assert!(broken.starts_with("avdec_h265: installed and does not work"), "{broken}");
    let mut none = Camera::start(preferring(&["avdec_nosuch"]));
    let offline = none.until(|status| status.state == SourceState::Offline).await;
    assert_eq!(offline.reason, Some("missing_element"));
    let detail = offline.detail.expect("said");
    assert!(detail.contains("avdec_nosuch") && detail.contains("gstreamer1.0-libav"), "{detail}");
    second.stop().await;
    none.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_lets_in_and_a_wrong_one_is_said() {
    for method in ["basic", "digest"] {
        let server = ServerProcess::start(0, method);
        let with = |password| RtspParams { credentials: password, ..RtspParams::new(server.url("h264")) };
        let right = Camera::start(with(Some(credentials(CANARY))));
        right.frame().await;
        for refused in [Some(credentials("wrong")), None] {
            let mut camera = Camera::start(with(refused));
            let offline = camera.until(|status| status.state == SourceState::Offline).await;
            assert_eq!(offline.reason, Some("unauthorised"), "{method}: {offline:?}");
            camera.stop().await;
        }
        right.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_path_is_said() {
    let server = ServerProcess::start(0, "none");
    let mut camera = Camera::start(RtspParams::new(server.url("nowhere")));
    let offline = camera.until(|status| status.state == SourceState::Offline).await;
    assert_eq!(offline.reason, Some("not_found"), "{offline:?}");
    camera.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codec_that_is_not_supported_is_named() {
    let server = ServerProcess::start(0, "none");
    let mut camera = Camera::start(RtspParams::new(server.url("vp8")));
    let offline = camera.until(|status| status.state == SourceState::Offline).await;
    assert_eq!(offline.reason, Some("unsupported_codec"), "{offline:?}");
    assert!(offline.detail.expect("said").contains("VP8"));
    camera.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_or_an_unknown_host_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = listener.local_addr().expect("bound").port();
    drop(listener);
    for url in [format!("rtsp://127.0.0.1:{closed}/h264"), "rtsp://no-such-camera.invalid/h264".to_owned()] {
        let mut camera = Camera::start(RtspParams::new(url.parse().expect("a url")));
        let failed = camera.until(|status| status.reason.is_some()).await;
        assert_eq!(failed.reason, Some("unreachable"), "{failed:?}");
        camera.stop().await;
    }
}

/// How far a camera's clock is ahead of this machine's, in seconds, once it says it.
async fn clock_of(path: &str, transport: Transport) -> f64 {
    let server = ServerProcess::start(0, "none");
    let camera = Camera::start(RtspParams { transport, ..RtspParams::new(server.url(path)) });
    let ahead_s = loop {
        if let Some(ahead_s) = camera.frame().await.camera_ahead_s {
            break ahead_s;
        }
    };
    camera.stop().await;
    ahead_s
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_s_clock_is_known_from_its_sender_reports() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let right = clock_of("h264", transport).await;
        assert!(right.abs() < 1.5, "{transport:?}: {right} s");
        let wrong = clock_of("ahead", transport).await;
        assert!((wrong - AHEAD.as_secs_f64()).abs() < 1.5, "{transport:?}: {wrong} s");
    }
}

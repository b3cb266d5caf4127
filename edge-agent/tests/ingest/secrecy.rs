//! The canary password is never seen, whatever is logged.

use std::fmt::Write;

use edge_agent::source::{HttpParams, HttpSource, RtspParams, SourceState};
use tracing_subscriber::EnvFilter;

use crate::http::{MjpegServer, multipart};
use crate::stage::{CANARY, Camera, ServerProcess, alone, credentials};

/// In a process of its own, with everything GStreamer can be made to log.
#[test]
fn the_password_is_in_no_log_error_or_status() {
    let environment = [("GST_DEBUG", "6,rtsp*:9,GST_PADS:2,GST_SCHEDULING:2"), ("RUST_LOG", "trace")];
    let Some(output) = alone("secrecy::the_password_is_in_no_log_error_or_status", &environment) else {
        return run_and_print_everything();
    };
    assert!(output.contains("gstreamer") && output.contains("unauthorised"), "the log was captured");
    let encoded = "dmlld2VyOmM0bjRyeS1QYTU1L3c/cmQ"; // viewer:c4n4ry-Pa55/w?rd, as HTTP writes it
    for secret in [CANARY, encoded] {
        let leak = output.lines().find(|line| line.contains(secret));
        assert_eq!(leak, None);
    }
}

fn run_and_print_everything() {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    let mut seen = String::new();
    let folder = tempfile::tempdir().expect("a folder");
    let jpegs = multipart(folder.path());
    runtime.block_on(async {
        for method in ["basic", "digest"] {
            let server = ServerProcess::start(0, method);
            let with = |path, password| RtspParams {
                credentials: Some(credentials(password)),
                ..RtspParams::new(server.url(path))
            };
            let params = with("h264", CANARY);
            writeln!(seen, "{params:?}").expect("a string");
            let mut right = Camera::start(params);
            right.until(|status| status.state == SourceState::Online).await;
            let mut lost = Camera::start(with("nowhere", CANARY));
            let mut wrong = Camera::start(with("h264", &format!("{CANARY}!")));
            for refused in [&mut lost, &mut wrong] {
                let offline = refused.until(|status| status.state == SourceState::Offline).await;
                writeln!(seen, "{offline:?}").expect("a string");
            }
            let page = MjpegServer::start(&jpegs);
            let params = HttpParams { url: page.url("/mjpeg"), credentials: Some(credentials(CANARY)) };
            writeln!(seen, "{params:?}").expect("a string");
            let mut over_http = Camera::of(HttpSource::new(params).expect("a url"));
            over_http.until(|status| status.state == SourceState::Online).await;
            drop(page);
            let lost_page = over_http.until(|status| status.state != SourceState::Online).await;
            writeln!(seen, "{lost_page:?}").expect("a string");
            over_http.stop().await;
            server.kill();
            let degraded = right.until(|status| status.state == SourceState::Degraded).await;
            writeln!(seen, "{degraded:?}").expect("a string");
            for camera in [right, lost, wrong] {
                camera.stop().await;
            }
        }
    });
    tracing::info!("{seen}");
}

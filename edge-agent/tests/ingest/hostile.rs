//! Streams that arrive damaged.

use edge_agent::source::RtspParams;

use crate::stage::{Camera, ServerProcess};

/// Pictures that must come in spite of it.
const PICTURES: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_damaged_packets_costs_pictures_and_nothing_else() {
    let server = ServerProcess::start(0, "none");
    let mut cameras: Vec<(&str, Camera)> = ["h264-damaged", "h265-damaged", "mjpeg-damaged", "h264"]
        .map(|path| (path, Camera::start(RtspParams::new(server.url(path)))))
        .into();
    for (path, camera) in &mut cameras {
        while camera.slot.arrived() < PICTURES {
            let frame = camera.frame().await;
            assert!(frame.picture.width() > 0, "{path}");
        }
        let status = camera.status.borrow().clone();
        assert_eq!(status.panics, 0, "{path}: {status:?}");
    }
    let (_, whole) = &cameras[3];
    assert_eq!(whole.status.borrow().attempts, 1, "the whole stream beside them is undisturbed");
    for (_, camera) in cameras {
        camera.stop().await;
    }
}

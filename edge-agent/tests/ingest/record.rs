//! The full-size stream is received and not decoded, beside the one that is analysed.

use std::sync::Arc;

use analytics::WallTime;
use edge_agent::source::{
    PacketCount, RtspParams, RtspSource, Session, SourceState, SourceStatus, Supervisor, SupervisorParams,
};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::stage::{Camera, DEADLINE, JPEG_SIZE, SIZE, ServerProcess, camera_id};

/// A supervised stream of packets.
struct Record {
    packets: Arc<PacketCount>,
    status: watch::Receiver<SourceStatus>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Record {
    fn start(url: url::Url) -> Self {
        let packets = Arc::new(PacketCount::default());
        let session = Session::of_packets(camera_id(), Arc::clone(&packets), None);
        let source = RtspSource::undecoded(RtspParams::new(url)).expect("a url");
        let (told, status) = watch::channel(SourceStatus::connecting(WallTime::UNIX_EPOCH));
        let supervisor = Supervisor::of(session, told, SupervisorParams::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervisor.run(source, stop.clone()));
        Self { packets, status, stop, task }
    }

    async fn until(&mut self, wanted: impl FnMut(&SourceStatus) -> bool) -> SourceStatus {
        timeout(DEADLINE, self.status.wait_for(wanted)).await.expect("in time").expect("it runs").clone()
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("stops").expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_kept_is_counted_measured_and_not_decoded() {
    let server = ServerProcess::start(0, "none");
    for (path, codec, size) in [("h264", "H264", SIZE), ("h265", "H265", SIZE), ("mjpeg", "JPEG", JPEG_SIZE)] {
        let mut record = Record::start(server.url(path));
        let online = record
            .until(|status| {
                status.state == SourceState::Online && status.stream.as_ref().is_some_and(|s| s.size.is_some())
            })
            .await;
        let stream = online.stream.expect("described");
        assert_eq!((stream.codec.as_str(), stream.decoder.as_str(), stream.size), (codec, "", Some(size)));
        let (pictures, bytes) = (record.packets.pictures(), record.packets.bytes());
        assert!(pictures > 0 && bytes > 100 * pictures, "{codec}: {bytes} bytes in {pictures} pictures");
        record.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_stream_that_fails_does_not_touch_the_one_that_is_analysed() {
    let (sub, main) = (ServerProcess::start(0, "none"), ServerProcess::start(0, "none"));
    let (mut detect, mut record) = (Camera::start(RtspParams::new(sub.url("h264"))), Record::start(main.url("h265")));
    detect.until(|status| status.state == SourceState::Online).await;
    record.until(|status| status.state == SourceState::Online).await;
    let port = main.port;
    main.kill();
    record.until(|status| status.state == SourceState::Offline).await;
    let status = detect.status.borrow().clone();
    assert_eq!((status.state, status.attempts, status.reconnects), (SourceState::Online, 1, 0));
    let before = record.packets.pictures();
    let _main = ServerProcess::start(port, "none");
    let online = record.until(|status| status.state == SourceState::Online).await;
    assert_eq!(online.reconnects, 1);
    assert!(record.packets.pictures() > before);
    record.stop().await;
    detect.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_may_be_both() {
    let server = ServerProcess::start(0, "none");
    let (mut detect, mut record) =
        (Camera::start(RtspParams::new(server.url("h264"))), Record::start(server.url("h264")));
    detect.until(|status| status.state == SourceState::Online).await;
    record.until(|status| status.state == SourceState::Online).await;
    record.stop().await;
    detect.stop().await;
}

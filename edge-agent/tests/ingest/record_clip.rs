//! A clip cut from what a real server sends, while it goes and comes back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::WallTime;
use edge_agent::record::{Ring, RingLimits, Wanted, write_mp4};
use edge_agent::source::{
    PacketCount, RtspParams, RtspSource, Session, SourceState, SourceStatus, Supervisor, SupervisorParams,
};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::stage::{DEADLINE, ServerProcess, camera_id};

const LIMITS: RingLimits = RingLimits { keep_for: Duration::from_secs(60), max_bytes: 16 << 20 };

/// A supervised stream whose last seconds are held.
struct Held {
    ring: Arc<Ring>,
    status: watch::Receiver<SourceStatus>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Held {
    fn start(url: url::Url) -> Self {
        let ring = Ring::new(LIMITS);
        let session = Session::of_packets(camera_id(), Arc::new(PacketCount::default()), Some(Arc::clone(&ring)));
        let source = RtspSource::undecoded(RtspParams::new(url)).expect("a url");
        let (told, status) = watch::channel(SourceStatus::connecting(WallTime::UNIX_EPOCH));
        let stop = CancellationToken::new();
        let supervisor = Supervisor::of(session, told, SupervisorParams::default());
        let task = tokio::spawn(supervisor.run(source, stop.clone()));
        Self { ring, status, stop, task }
    }

    async fn until(&mut self, state: SourceState) {
        let wanted = self.status.wait_for(|status| status.state == state);
        drop(timeout(DEADLINE, wanted).await.expect("in time").expect("it runs"));
    }

    /// Waits until so many groups of pictures are held.
    async fn until_groups(&self, groups: usize) {
        let deadline = Instant::now() + DEADLINE;
        while self.ring.totals().groups < groups {
            assert!(Instant::now() < deadline, "{:?}", self.ring.totals());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("stops").expect("no panic");
    }
}

/// Coded pictures that come out of a description, of which each has a place for a path or an address.
fn units(text: &str, most: usize) -> Vec<Vec<u8>> {
    edge_agent::decode::init().expect("GStreamer is installed");
    let pipeline = gst::parse::launch(text).expect("elements").downcast::<gst::Pipeline>().expect("a pipeline");
    let out: gst_app::AppSink = pipeline.by_name("out").expect("there").downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("plays");
    let samples = std::iter::from_fn(|| out.pull_sample().ok()).take(most);
    let bytes = |sample: gst::Sample| sample.buffer().expect("a unit").map_readable().expect("mapped").to_vec();
    let units = samples.map(bytes).collect();
    pipeline.set_state(gst::State::Null).expect("stops");
    units
}

/// The parts of a picture that hold pictures, from a stream with start codes (ITU-T H.264 and H.265, 7.4.1 and annex B).
fn slices(unit: &[u8], is_slice: fn(u8) -> bool) -> Vec<Vec<u8>> {
    let starts: Vec<usize> =
        (0..unit.len().saturating_sub(3)).filter(|at| unit[*at..].starts_with(&[0, 0, 1])).collect();
    let ends = starts.iter().skip(1).copied().chain([unit.len()]);
    let parts = starts.iter().zip(ends).map(|(start, end)| {
        let part = &unit[start + 3..end];
        // Zeros before the next start code are no part of it.
        let trailing = part.iter().rev().take_while(|byte| **byte == 0).count();
        part[..part.len() - trailing].to_vec()
    });
    parts.filter(|part| is_slice(part[0])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_holds_the_very_slices_that_the_camera_sent() {
    let server = ServerProcess::start(0, "none");
    let h264: (&str, &str, &str, fn(u8) -> bool) =
        ("h264", "rtph264depay", "h264parse", |head| (1..=5).contains(&(head & 31)));
    let h265: (&str, &str, &str, fn(u8) -> bool) = ("h265", "rtph265depay", "h265parse", |head| head >> 1 & 63 < 32);
    for (path, depay, parse, is_slice) in [h264, h265] {
        let mut held = Held::start(server.url(path));
        held.until(SourceState::Online).await;
        // By a receiver of its own, for longer than the camera's loop of four seconds.
        let format = "stream-format=byte-stream,alignment=au";
        let text = format!(
            "rtspsrc location={} protocols=tcp ! {depay} ! {parse} ! video/x-{path},{format} ! appsink name=out sync=false",
            server.url(path)
        );
        let sent = tokio::task::spawn_blocking(move || units(&text, 150)).await.expect("receives");
        let sent: HashSet<Vec<u8>> = sent.iter().flat_map(|unit| slices(unit, is_slice)).collect();
        held.until_groups(4).await;
        let now = Instant::now();
        let at = now - Duration::from_secs(2);
        let cut = held.ring.cut(Wanted { from: at - Duration::from_secs(1), at, until: now }).expect("shown");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("clip.mp4");
        let mut bytes = Vec::new();
        write_mp4(&cut, &folder.path().join("scratch"), &mut bytes, DEADLINE).expect("muxes");
        std::fs::write(&file, bytes).expect("writes");
        let text = format!(
            "filesrc location={} ! qtdemux ! {parse} ! video/x-{path},{format} ! appsink name=out sync=false",
            file.display()
        );
        let kept = units(&text, usize::MAX);
        assert!((50..=130).contains(&kept.len()), "three seconds and up to a group of two: {} pictures", kept.len());
        let kept: Vec<Vec<u8>> = kept.iter().flat_map(|unit| slices(unit, is_slice)).collect();
        assert!(kept.len() >= 50 && kept.iter().all(|slice| sent.contains(slice)), "{path}");
        held.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_reconnects_within_a_clip_ends_it() {
    let server = ServerProcess::start(0, "none");
    let mut held = Held::start(server.url("h264"));
    held.until(SourceState::Online).await;
    held.until_groups(2).await;
    let before = Instant::now();
    let port = server.port;
    server.kill();
    held.until(SourceState::Offline).await;
    let _again = ServerProcess::start(port, "none");
    held.until(SourceState::Online).await;
    let groups = held.ring.totals().groups;
    held.until_groups(groups + 1).await;
    let after = Instant::now();
    let minute = Duration::from_secs(60);
    let cut = |at: Instant| held.ring.cut(Wanted { from: at - minute, at, until: at + minute }).expect("shown").units;
    let (first, second) = (cut(before), cut(after));
    assert!(first[0].is_key && second[0].is_key);
    assert!(first[first.len() - 1].arrived_at < second[0].arrived_at);
    assert!(first[first.len() - 1].arrived_at - before < Duration::from_secs(2), "it ends where the camera went");
    held.stop().await;
}

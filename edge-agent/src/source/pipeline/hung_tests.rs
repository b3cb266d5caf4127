//! Threads of GStreamer's that never return, as a decoder that hangs has them.

use std::sync::Condvar;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use analytics::CameraId;
use tokio::sync::watch::Receiver as Watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::frame::{FrameSignal, FrameSlot};
use crate::privacy::Masks;
use crate::source::{BackoffParams, FrameSource, SourceState, SourceStatus, Supervisor, SupervisorParams, wall_now};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// Pictures before the thread hangs.
const FIRST: u32 = 3;

/// A thread that comes to it waits for as long as it is shut.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().expect("no panic") = shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.lock().expect("no panic");
        drop(self.opened.wait_while(shut, |shut| *shut).expect("no panic"));
    }
}

/// Test pictures, in a thread that comes to the gate after the first few.
struct Gated {
    pipelines: Pipelines,
    gate: Arc<Gate>,
}

impl Gated {
    fn new() -> (Self, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        (Self { pipelines: Pipelines::new(), gate: Arc::clone(&gate) }, gate)
    }
}

impl FrameSource for Gated {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        let gate = Arc::clone(&self.gate);
        let build = move |failure: &Arc<Failure>| {
            let pipeline = gst::Pipeline::new();
            let source = decode::make("videotestsrc")?;
            source.set_property("is-live", true);
            let (entry, sink) = decode::tail(pipeline.upcast_ref(), true)?;
            let purpose = Arc::new(Purpose::Decode { h264: Vec::new(), h265: Vec::new() });
            let receiver = Receiver { attempt, failure: Arc::clone(failure), purpose, has_timestamps: true };
            receiver.deliver_from(&sink, Arc::default());
            let refused = |_| DecodeError::Gstreamer { action: "link the test" };
            pipeline.add(&source).map_err(refused)?;
            source.link(&entry).map_err(refused)?;
            let (pad, passed) = (entry.static_pad("sink").expect("it has one"), AtomicU32::new(0));
            receiver.name_thread(&pad);
            pad.add_probe(gst::PadProbeType::BUFFER, move |_pad, _info| {
                if passed.fetch_add(1, Ordering::Relaxed) >= FIRST {
                    gate.pass();
                }
                gst::PadProbeReturn::Ok
            });
            Ok(pipeline)
        };
        self.pipelines.play(build).await
    }

    async fn released(&self) {
        self.pipelines.released().await;
    }
}

/// Looks again soon.
fn params() -> SupervisorParams {
    let soon = Duration::from_millis(20);
    SupervisorParams {
        stall: Duration::from_millis(500),
        offline_after: Duration::from_millis(700),
        release: Duration::from_millis(50),
        backoff: BackoffParams { transient_first: soon, transient_cap: soon, refused_first: soon, refused_cap: soon },
        ..SupervisorParams::default()
    }
}

struct Camera {
    slot: Arc<FrameSlot>,
    status: Watch<SourceStatus>,
    gate: Arc<Gate>,
}

fn start(id: &str, stop: &CancellationToken) -> (Camera, tokio::task::JoinHandle<()>) {
    let slot = Arc::new(FrameSlot::new(Arc::new(FrameSignal::default())));
    let (told, status) = watch::channel(SourceStatus::connecting(wall_now()));
    let camera = CameraId::new(id).expect("valid");
    let (source, gate) = Gated::new();
    let supervisor = Supervisor::new(camera, Arc::clone(&slot), Masks::default(), told, params());
    let stop = stop.clone();
    (Camera { slot, status, gate }, tokio::spawn(async move { supervisor.run(source, stop).await }))
}

impl Camera {
    async fn until(&mut self, what: &str, is_so: impl FnMut(&SourceStatus) -> bool) -> SourceStatus {
        let seen = tokio::time::timeout(LONG, self.status.wait_for(is_so)).await;
        seen.unwrap_or_else(|_| panic!("never: {what}")).expect("its supervisor runs").clone()
    }
}

fn is(status: &SourceStatus, state: SourceState, reason: Option<&str>) -> bool {
    status.state == state && status.reason == reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decoder_that_never_returns_costs_its_own_camera_a_few_threads_and_no_other_a_picture() {
    let stop = CancellationToken::new();
    let ((mut hung, of_hung), (mut well, of_well)) = (start("nam", &stop), start("bac", &stop));
    hung.until("pictures", |status| is(status, SourceState::Online, None)).await;
    well.until("pictures", |status| is(status, SourceState::Online, None)).await;
    hung.gate.set(true);
    hung.until("silence is noticed", |status| status.reason == Some("stalled")).await;
    let parked = hung.until("it is left alone", |status| is(status, SourceState::Offline, Some("stuck"))).await;
    // Those before it hang; no thread is added to them, however often it is tried.
    let tried = parked.attempts + 5;
    let later = hung.until("it is tried again", |status| status.attempts >= tried).await;
    assert!(is(&later, SourceState::Offline, Some("stuck")), "{later:?}");
    let hanging = threads_of("@nam");
    assert!(hanging <= MOST_STUCK, "{hanging}");

    let before = well.slot.arrived();
    assert_eq!(well.status.borrow().stalls, 0, "the other one never waited");
    let received = tokio::time::timeout(LONG, async {
        while well.slot.arrived() < before + 10 {
            tokio::task::yield_now().await;
        }
    });
    received.await.expect("the other one goes on");
    assert!(is(&well.status.borrow(), SourceState::Online, None));

    hung.gate.set(false);
    hung.until("it comes back by itself", |status| is(status, SourceState::Online, None)).await;
    stop.cancel();
    of_hung.await.expect("ends");
    of_well.await.expect("ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decoder_that_never_returns_does_not_keep_the_program_from_stopping() {
    let stop = CancellationToken::new();
    let (mut hung, task) = start("dong", &stop);
    hung.until("pictures", |status| is(status, SourceState::Online, None)).await;
    hung.gate.set(true);
    hung.until("silence is noticed", |status| status.reason == Some("stalled")).await;
    stop.cancel();
    tokio::time::timeout(LONG, task).await.expect("it is left behind").expect("ends");
    hung.gate.set(false);
}

/// Threads of this process with this name.
fn threads_of(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux").filter_map(Result::ok);
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

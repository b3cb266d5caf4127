use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::frame::FrameSignal;
use crate::privacy::Masks;
use crate::source::Attempt;
use crate::source::tests::grey_picture;

/// One thing a scripted attempt does.
#[derive(Debug, Clone)]
enum Step {
    Wait(Duration),
    /// So many frames, 40 ms apart.
    Frames(u32),
    Silence,
    Fail(SourceError),
    Panic,
}

use Step::{Fail, Frames as Deliver, Panic, Silence, Wait};

/// Plays one script an attempt, the last one for ever.
struct Script {
    attempts: Mutex<Vec<Vec<Step>>>,
    began: Mutex<Vec<Instant>>,
    running: Arc<AtomicUsize>,
    releases: bool,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl FrameSource for &Script {
    async fn attempt(&self, attempt: Attempt) -> SourceError {
        self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.running));
        self.began.lock().expect("no panic").push(Instant::now());
        let steps = {
            let mut attempts = self.attempts.lock().expect("no panic");
            if attempts.len() > 1 { attempts.remove(0) } else { attempts[0].clone() }
        };
        for step in steps {
            match step {
                Wait(wait) => sleep(wait).await,
                Deliver(count) => {
                    for _ in 0..count {
                        sleep(Duration::from_millis(40)).await;
                        attempt.deliver(grey_picture(), None, std::time::Instant::now()).expect("open");
                    }
                }
                Silence => std::future::pending().await,
                Fail(error) => return error,
                Panic => panic!("scripted: rtsp://admin:c4n4ry@cam/"),
            }
        }
        SourceError::EndOfStream
    }

    async fn released(&self) {
        if !self.releases {
            std::future::pending().await
        }
    }
}

/// A supervised script.
struct Stage {
    script: &'static Script,
    status: watch::Receiver<SourceStatus>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn stage_with(attempts: Vec<Vec<Step>>, releases: bool) -> Stage {
    let script: &'static Script = Box::leak(Box::new(Script {
        attempts: Mutex::new(attempts),
        began: Mutex::default(),
        running: Arc::default(),
        releases,
    }));
    let slot = Arc::new(FrameSlot::new(Arc::new(FrameSignal::default())));
    let (publish, status) = watch::channel(SourceStatus::connecting(wall_now()));
    let camera = CameraId::new("cam").expect("valid");
    let supervisor = Supervisor::new(camera, slot, Masks::default(), publish, SupervisorParams::default());
    let cancel = CancellationToken::new();
    let task = tokio::spawn(supervisor.run(script, cancel.clone()));
    Stage { script, status, cancel, task }
}

fn stage(attempts: Vec<Vec<Step>>) -> Stage {
    stage_with(attempts, true)
}

impl Stage {
    /// Waits for the state; how long it took.
    async fn reach(&mut self, state: SourceState) -> (SourceStatus, Duration) {
        let from = Instant::now();
        let reached = timeout(Duration::from_secs(600), self.status.wait_for(|status| status.state == state)).await;
        let status = reached.expect("in time").expect("the supervisor runs").clone();
        (status, from.elapsed())
    }
}

fn unreachable() -> SourceError {
    SourceError::Unreachable { detail: "no route".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn an_ended_stream_is_connected_again() {
    let mut stage = stage(vec![vec![Deliver(10)], vec![Fail(unreachable())], vec![Deliver(10), Silence]]);
    stage.reach(SourceState::Online).await;
    let (degraded, _) = stage.reach(SourceState::Degraded).await;
    assert_eq!(degraded.reason, Some("end_of_stream"));
    let (online, outage) = stage.reach(SourceState::Online).await;
    assert_eq!((online.attempts, online.reconnects, online.reason, online.detail), (3, 1, None, None));
    assert!(outage < Duration::from_secs(1), "{outage:?}: the first waits are short");
}

#[tokio::test(start_paused = true)]
async fn silence_is_noticed_after_five_seconds_and_is_offline_before_ten() {
    let mut stage = stage(vec![vec![Deliver(1), Silence], vec![Silence]]);
    stage.reach(SourceState::Online).await;
    let (stalled, after) = stage.reach(SourceState::Degraded).await;
    assert_eq!((stalled.reason, stalled.stalls), (Some("stalled"), 1));
    assert!((5.0..5.5).contains(&after.as_secs_f64()), "{after:?}");
    let (_, after) = stage.reach(SourceState::Offline).await;
    assert!(after <= Duration::from_secs(5), "{after:?} after the stall");
}

#[tokio::test(start_paused = true)]
async fn a_long_key_frame_interval_is_no_stall() {
    let mut stage = stage(vec![vec![Wait(Duration::from_secs(11)), Deliver(5), Silence]]);
    let (online, _) = stage.reach(SourceState::Online).await;
    assert_eq!((online.attempts, online.stalls), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_never_comes_up_does_not_hold_up_another() {
    let mut dead = stage(vec![vec![Fail(unreachable())]]);
    let mut alive = stage(vec![vec![Deliver(1000), Silence]]);
    alive.reach(SourceState::Online).await;
    assert_eq!(dead.status.borrow().state, SourceState::Connecting);
    let (offline, after) = dead.reach(SourceState::Offline).await;
    assert!(offline.attempts > 4 && after <= Duration::from_secs(10), "{after:?} {offline:?}");
    let online = alive.status.borrow().clone();
    assert_eq!((online.state, online.attempts), (SourceState::Online, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_log_in_is_said_at_once_and_tried_rarely() {
    let mut stage = stage(vec![vec![Fail(SourceError::Unauthorised)]]);
    let (offline, after) = stage.reach(SourceState::Offline).await;
    assert_eq!(offline.reason, Some("unauthorised"));
    assert!(after < Duration::from_secs(1));
    sleep(Duration::from_secs(600)).await;
    let began = stage.script.began.lock().expect("no panic").clone();
    let waits: Vec<_> = began.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!((2.5..=5.1).contains(&waits[0]), "{waits:?}");
    assert!(waits[5..].iter().all(|wait| (30.0..=60.1).contains(wait)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ran_stably_is_tried_again_quickly() {
    let dead = || vec![Fail(unreachable())];
    let lively = vec![Deliver(300), Fail(SourceError::EndOfStream)];
    let mut stage = stage(vec![dead(), dead(), dead(), dead(), dead(), lively, vec![Deliver(1), Silence]]);
    stage.reach(SourceState::Online).await;
    stage.reach(SourceState::Degraded).await;
    let (_, outage) = stage.reach(SourceState::Online).await;
    assert!(outage <= Duration::from_millis(600), "{outage:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_the_attempt_alone() {
    let mut stage = stage(vec![vec![Deliver(1), Panic], vec![Deliver(10), Silence]]);
    let (degraded, _) = stage.reach(SourceState::Degraded).await;
    assert_eq!((degraded.reason, degraded.panics), (Some("panicked"), 1));
    assert!(!format!("{degraded:?}").contains("c4n4ry"));
    stage.reach(SourceState::Online).await;
    assert_eq!(stage.script.running.load(Ordering::SeqCst), 1, "what the panicked attempt held is dropped");
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_the_attempt() {
    for steps in [vec![Deliver(5), Silence], vec![Fail(SourceError::NotFound)]] {
        let stage = stage(vec![steps]);
        sleep(Duration::from_secs(1)).await;
        stage.cancel.cancel();
        timeout(Duration::from_secs(1), stage.task).await.expect("ends at once").expect("no panic");
        assert_eq!(stage.script.running.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_close_delays_within_bounds() {
    let mut stage = stage_with(vec![vec![Deliver(1)], vec![Deliver(1), Silence]], false);
    stage.reach(SourceState::Degraded).await;
    let (_, outage) = stage.reach(SourceState::Online).await;
    assert!(outage < Duration::from_secs(3), "{outage:?}");
    stage.cancel.cancel();
    timeout(Duration::from_secs(3), stage.task).await.expect("ends within the bound").expect("no panic");
}

//! Keeps a camera's frames coming: a fresh attempt after every failure, a watchdog for silence, waits in between.
//!
//! # Failure
//! Whatever an attempt does (fail, fall silent, panic, refuse to be torn down), this camera alone is affected: the
//! supervisor drops the attempt, says so in the status and tries again after a [back-off](BackoffParams). It never gives
//! up by itself.
//!
//! # Ownership
//! One task a camera. Nothing in it blocks; frames do not pass through it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use analytics::CameraId;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::session::{Session, wall_now};
use super::{BackoffParams, FrameSource, SourceError, SourceState, SourceStatus};
use crate::crash::Parked;
use crate::frame::FrameSlot;
use crate::privacy::Masks;
use crate::secret::redact;

/// How often progress is looked at: the grain of every time below.
const TICK: Duration = Duration::from_millis(200);

/// When a camera is taken for stalled, stable or offline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupervisorParams {
    /// Silence after which a connection that has given frames is given up. Shorter than a camera's longest pause
    /// makes it reconnect for nothing.
    pub stall: Duration,
    /// Time a fresh connection has for its first frame: more than a camera's longest key frame interval, because some
    /// begin with a key frame only when it is due.
    pub first_frame: Duration,
    /// Time without a frame after which the camera is offline.
    pub offline_after: Duration,
    /// Time with frames after which the back-off begins anew.
    pub stable_after: Duration,
    /// Time that a dropped attempt has to release what it held before the next one begins beside it.
    pub release: Duration,
    /// Waits between attempts.
    pub backoff: BackoffParams,
}

impl Default for SupervisorParams {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(5),
            first_frame: Duration::from_secs(12),
            offline_after: Duration::from_secs(9),
            stable_after: Duration::from_secs(10),
            release: Duration::from_secs(2),
            backoff: BackoffParams::default(),
        }
    }
}

/// One camera's supervisor, from start-up until it is cancelled.
pub struct Supervisor {
    session: Arc<Session>,
    params: SupervisorParams,
    backoff: Backoff,
    publish: watch::Sender<SourceStatus>,
    status: SourceStatus,
    failure: Option<SourceError>,
    started: Instant,
    last_frame: Option<Instant>,
    flowing: bool,
    parked: Option<Parked>,
}

impl Supervisor {
    /// A supervisor that fills `slot` with pictures seen through `masks` and tells `publish` how things are.
    #[must_use]
    pub fn new(
        camera: CameraId,
        slot: Arc<FrameSlot>,
        masks: Masks,
        publish: watch::Sender<SourceStatus>,
        params: SupervisorParams,
    ) -> Self {
        Self::of(Session::new(camera, slot, masks), publish, params)
    }

    /// A supervisor of a session, whatever it delivers to.
    #[must_use]
    pub fn of(session: Arc<Session>, publish: watch::Sender<SourceStatus>, params: SupervisorParams) -> Self {
        Self {
            session,
            params,
            backoff: Backoff::new(params.backoff),
            publish,
            status: SourceStatus::connecting(wall_now()),
            failure: None,
            started: Instant::now(),
            last_frame: None,
            flowing: false,
            parked: None,
        }
    }

    /// The first connection waits for so long, as the status says.
    #[must_use]
    pub fn parked(self, parked: Option<Parked>) -> Self {
        Self { parked, ..self }
    }

    /// Runs until `cancel`; then the attempt at hand is dropped and, within a bound, waited for.
    pub async fn run(mut self, source: impl FrameSource, cancel: CancellationToken) {
        self.started = Instant::now();
        let supervised = async {
            self.stay_parked().await;
            loop {
                let error = self.attempt(&source).await;
                let wait = self.fail(error);
                self.recover(&source, wait).await;
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = supervised => {}
        }
        self.session.close();
        if timeout(self.params.release, source.released()).await.is_err() {
            tracing::warn!(camera = %self.session.camera(), "the camera's connection did not close in time");
        }
    }

    async fn stay_parked(&mut self) {
        let Some(Parked { remaining }) = self.parked.take() else { return };
        let error = SourceError::Parked { remaining };
        tracing::warn!(camera = %self.session.camera(), "{error}");
        self.failure = Some(error);
        self.refresh();
        sleep(remaining).await;
    }

    /// One connection, until it fails or falls silent.
    async fn attempt(&mut self, source: &impl FrameSource) -> SourceError {
        let attempt = self.session.open();
        self.status.attempts += 1;
        let mut running = pin!(catch_panic(async { source.attempt(attempt).await }));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut frames = Frames::new(Instant::now());
        loop {
            tokio::select! {
                biased;
                error = &mut running => {
                    self.look(&mut frames);
                    return error;
                }
                _ = tick.tick() => self.look(&mut frames),
            }
            let limit = if frames.first_at.is_some() { self.params.stall } else { self.params.first_frame };
            if frames.last_at.elapsed() >= limit {
                return SourceError::Stalled { after: limit };
            }
        }
    }

    /// Takes notice of the frames that came since the last look.
    fn look(&mut self, frames: &mut Frames) {
        let (now, progress) = (Instant::now(), self.session.progress());
        self.status.timestamp_jumps = progress.timestamp_jumps;
        self.status.stream = progress.stream;
        if progress.attempt_frames > frames.count {
            frames.count = progress.attempt_frames;
            frames.last_at = now;
            let flowing_since = *frames.first_at.get_or_insert(now);
            if !self.flowing && self.last_frame.is_some() {
                self.status.reconnects += 1;
            }
            (self.flowing, self.last_frame, self.failure) = (true, Some(now), None);
            if now - flowing_since >= self.params.stable_after {
                self.backoff.reset();
            }
        }
        self.refresh();
    }

    /// Takes notice of an attempt's end; how long to wait before the next.
    fn fail(&mut self, error: SourceError) -> Duration {
        self.session.close();
        self.flowing = false;
        match error {
            SourceError::Stalled { .. } => self.status.stalls += 1,
            SourceError::Panicked { .. } => self.status.panics += 1,
            _ => {}
        }
        let wait = self.backoff.next(&error, rand::random());
        let (camera, attempts) = (self.session.camera(), self.status.attempts);
        if self.failure.as_ref().map(SourceError::code) == Some(error.code()) {
            tracing::debug!(%camera, attempts, ?wait, "{error}");
        } else {
            tracing::warn!(%camera, attempts, ?wait, "{error}");
        }
        self.failure = Some(error);
        self.refresh();
        wait
    }

    /// Waits, and lets the attempt that failed release what it held.
    async fn recover(&mut self, source: &impl FrameSource, wait: Duration) {
        let release = self.params.release;
        let mut recovered = pin!(async { tokio::join!(sleep(wait), timeout(release, source.released())).1 });
        let released = loop {
            tokio::select! {
                biased;
                released = &mut recovered => break released,
                () = sleep(TICK) => self.refresh(),
            }
        };
        if released.is_err() {
            tracing::warn!(camera = %self.session.camera(), "an earlier connection does not close");
        }
    }

    fn refresh(&mut self) {
        let state = self.state();
        if state != self.status.state {
            self.status.state = state;
            self.status.since = wall_now();
            let (camera, reason) = (self.session.camera(), self.failure.as_ref().map(SourceError::code));
            match state {
                SourceState::Online => tracing::info!(%camera, "camera online"),
                SourceState::Offline => tracing::warn!(%camera, reason, "camera offline"),
                SourceState::Connecting | SourceState::Degraded => {}
            }
        }
        self.status.reason = self.failure.as_ref().map(SourceError::code);
        self.status.detail = self.failure.as_ref().map(ToString::to_string);
        self.publish.send_if_modified(|published| {
            let changed = *published != self.status;
            if changed {
                published.clone_from(&self.status);
            }
            changed
        });
    }

    fn state(&self) -> SourceState {
        let silent_for = self.last_frame.unwrap_or(self.started).elapsed();
        if self.flowing {
            SourceState::Online
        } else if self.failure.as_ref().is_some_and(|failure| !failure.is_transient())
            || silent_for >= self.params.offline_after
        {
            SourceState::Offline
        } else if self.last_frame.is_some() {
            SourceState::Degraded
        } else {
            SourceState::Connecting
        }
    }
}

/// The frames of one attempt, as far as they were looked at.
struct Frames {
    count: u64,
    first_at: Option<Instant>,
    /// The last frame, or the attempt's beginning.
    last_at: Instant,
}

impl Frames {
    fn new(began: Instant) -> Self {
        Self { count: 0, first_at: None, last_at: began }
    }
}

/// `future`, its panic turned into a failure.
async fn catch_panic(future: impl Future<Output = SourceError>) -> SourceError {
    let mut future = pin!(future);
    let polled = poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))).unwrap_or_else(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Poll::Ready(SourceError::Panicked { message: redact(message) })
        })
    });
    polled.await
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;

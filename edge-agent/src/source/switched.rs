//! Keeps a camera's supervisor running while the camera is on: a command may switch it off, and on again.

use std::sync::Arc;

use analytics::CameraId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::session::{Session, wall_now};
use super::{FrameSource, SourceStatus, Supervisor, SupervisorParams};
use crate::command::Switches;
use crate::crash::Parked;

/// A stream of a camera, and what says whether it is to be received.
pub struct Switched {
    /// The camera.
    pub camera: CameraId,
    /// Where its frames or packets go.
    pub session: Arc<Session>,
    /// Told how things are; begins anew whenever the camera is switched on.
    pub told: watch::Sender<SourceStatus>,
    /// Of the supervisor.
    pub params: SupervisorParams,
    /// Whether it is not even tried: it crashed the program too often.
    pub parked: Option<Parked>,
    /// What commands switched off.
    pub switches: watch::Receiver<Arc<Switches>>,
}

impl Switched {
    /// Runs until `stop`; while the camera is off its connection is closed.
    pub async fn run(mut self, source: impl FrameSource, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = until(&mut self.switches, &self.camera, false) => {}
            }
            let on = stop.child_token();
            let supervisor =
                Supervisor::of(Arc::clone(&self.session), self.told.clone(), self.params).parked(self.parked);
            let running = supervisor.run(&source, on.clone());
            tokio::pin!(running);
            tokio::select! {
                biased;
                () = &mut running => return,
                () = until(&mut self.switches, &self.camera, true) => {}
            }
            on.cancel();
            running.await;
            self.told.send_replace(SourceStatus::connecting(wall_now()));
        }
    }
}

/// Completes when the camera is off, or on; never, when who tells it is gone.
async fn until(switches: &mut watch::Receiver<Arc<Switches>>, camera: &CameraId, is_off: bool) {
    if switches.wait_for(|switches| switches.camera(camera).is_some() == is_off).await.is_err() {
        std::future::pending::<()>().await;
    }
}

//! What the service manager is told (sd_notify(3)): started, one line on how it goes, that every loop lives, stopping.
//!
//! systemd starts the program again when `WATCHDOG=1` stays away for `WatchdogSec`. It is sent only while no loop hangs:
//! a loop that has been at one piece of work for as long as `WatchdogSec` counts as hung. Without systemd nothing is sent,
//! and a loop that hangs is still logged.
//!
//! # Ownership
//! One task, the last that is started, so that `READY=1` says that everything is.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::pulse::Beat;
use crate::outbox::OutboxStats;
use crate::publish::PublishStatus;
use crate::source::{SourceState, SourceStatus};

/// How often is looked, unless the watchdog wants it more often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// When a loop hangs, where no watchdog says it.
const HUNG_AFTER: Duration = Duration::from_secs(60);

/// Tells the service manager.
pub struct ServiceTask {
    /// Every loop that must live, by name.
    pub loops: Vec<(String, Beat)>,
    /// The cameras.
    pub cameras: Vec<watch::Receiver<SourceStatus>>,
    /// The outbox.
    pub outbox: watch::Receiver<OutboxStats>,
    /// Delivery.
    pub delivery: watch::Receiver<PublishStatus>,
    /// Whether the end is a new beginning: this very process goes on.
    pub restart: CancellationToken,
}

impl ServiceTask {
    /// Runs until `stop`, which begins the end of the program.
    pub async fn run(self, stop: CancellationToken) {
        let watchdog = sd_notify::watchdog_enabled();
        let limit = watchdog.unwrap_or(HUNG_AFTER);
        let mut look = tokio::time::interval((limit / 4).min(LOOK_EVERY));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tell(&[NotifyState::Ready]);
        let (mut told, mut reported) = (String::new(), Vec::new());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.say_goodbye(),
                _ = look.tick() => {}
            }
            let hung = self.hung(limit);
            let status = if hung.is_empty() { self.line() } else { format!("hung: {}", hung.join(", ")) };
            if status != told {
                tell(&[NotifyState::Status(&status)]);
                told = status;
            }
            if hung != reported && !hung.is_empty() {
                tracing::error!(loops = hung.join(", "), "a loop hangs; the watchdog is not fed");
            }
            if hung.is_empty() && watchdog.is_some() {
                tell(&[NotifyState::Watchdog]);
            }
            reported = hung;
        }
    }

    /// A manager that hears of a stop would kill the process that goes on.
    fn say_goodbye(&self) {
        if self.restart.is_cancelled() {
            tell(&[NotifyState::Watchdog, NotifyState::Status("begins anew with another configuration")]);
        } else {
            tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
        }
    }

    fn hung(&self, limit: Duration) -> Vec<String> {
        let missing = self.loops.iter().filter(|(_, beat)| beat.is_missing(limit));
        missing.map(|(name, _)| name.clone()).collect()
    }

    fn line(&self) -> String {
        let online = self.cameras.iter().filter(|camera| camera.borrow().state == SourceState::Online).count();
        let cameras = self.cameras.len();
        let broker = if self.delivery.borrow().connected { "connected" } else { "away" };
        let waiting = self.outbox.borrow().pending;
        format!("{online} of {cameras} cameras online, broker {broker}, {waiting} events waiting")
    }
}

/// A manager that cannot be told is not the cameras' trouble.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

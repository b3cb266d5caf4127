//! Watches the board, and says once what is wrong and once that it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{SignalBoard, Trouble};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Why signals are unknown, by topic.
pub type Troubles = Arc<BTreeMap<String, Trouble>>;

/// The task, before it runs.
pub struct SignalTask {
    /// What is watched.
    pub board: SignalBoard,
    /// Told what is wrong; the latest counts.
    pub troubles: watch::Sender<Troubles>,
}

impl SignalTask {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut look = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => self.look(Instant::now()),
            }
        }
    }

    fn look(&self, now: Instant) {
        let troubles = self.board.troubles(now);
        self.troubles.send_if_modified(|told| {
            if **told == troubles {
                return false;
            }
            for (topic, trouble) in &troubles {
                if told.get(topic) != Some(trouble) {
                    tracing::warn!(topic, reason = trouble.reason(), "the signal's phase is unknown");
                }
            }
            for topic in told.keys().filter(|topic| !troubles.contains_key(*topic)) {
                tracing::info!(topic, "the signal's phase is known again");
            }
            *told = Arc::new(troubles);
            true
        });
    }
}

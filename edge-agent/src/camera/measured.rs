//! A camera's traffic measures on their way into the outbox: what is over at once, the running sums at most once a second.
//!
//! # Failure
//! Of the running interval a power cut or a kill can lose what was counted since the sums were last kept: at most
//! [`SAVE_EVERY`] and the time the disk takes. What an orderly stop leaves is complete. While the outbox cannot be written, intervals that are over
//! are tried again like events; the sums wait for the next frame.

use std::time::{Duration, Instant};

use analytics::WallTime;
use analytics::measure::{Measures, Tally};

use super::{COMMIT_RETRY, CameraCore, CameraTask};
use crate::outbox::MeasureRecord;
use crate::source::wall_now;
use crate::status;

/// Between two writes of the running sums. Raising it spares the disk; it costs that much counting to a power cut.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// An interval that no frame has closed is closed this long after its end: frames of its last moments may be on their way.
const OVERDUE_AFTER: Duration = Duration::from_secs(5);

/// When the running sums were last kept, and whether they have grown since.
#[derive(Debug, Default)]
pub(super) struct MeasureKeeper {
    kept: Option<Instant>,
    has_grown: bool,
}

impl MeasureKeeper {
    /// Resolves when the running interval, which ends then, is over and no frame has closed it; never while there is none.
    pub(super) async fn until_overdue(ends: Option<WallTime>) {
        let Some(ends) = ends else { return std::future::pending().await };
        let left = (ends + OVERDUE_AFTER).as_unix_nanos().saturating_sub(wall_now().as_unix_nanos());
        tokio::time::sleep(Duration::from_nanos(u64::try_from(left).unwrap_or(0))).await;
    }

    fn is_due(&self) -> bool {
        self.has_grown && self.kept.is_none_or(|kept| kept.elapsed() >= SAVE_EVERY)
    }
}

impl CameraCore {
    /// Takes up the interval that an earlier session left running.
    pub(super) fn restore_measures(&mut self, running: Option<Tally>) {
        if let (Some(measures), Some(running)) = (&mut self.measures, running) {
            measures.restore(running);
        }
    }

    /// When the running interval ends.
    pub(super) fn interval_ends(&self) -> Option<WallTime> {
        self.measures.as_ref().and_then(Measures::running).map(Tally::until)
    }

    /// Closes the running interval if it is over.
    pub(super) fn close_overdue(&mut self) {
        self.measured.extend(self.measures.as_mut().and_then(|measures| measures.close_overdue(wall_now())));
    }
}

impl CameraTask {
    /// Stores what is over, and the running sums when they are due, or at the `last`.
    pub(super) async fn keep_measures(&self, core: &mut CameraCore, keeper: &mut MeasureKeeper, last: bool) {
        let Some(measures) = &mut core.measures else { return };
        keeper.has_grown |= measures.take_changed();
        let closed = core.take_measured(status::time_quality());
        if closed.is_empty() && !keeper.is_due() && !last {
            return;
        }
        let running = core.measures.as_ref().and_then(Measures::running);
        let record = std::sync::Arc::new(MeasureRecord::new(&self.params.topics, &self.camera, closed, running));
        loop {
            self.pulse.works();
            keeper.kept = Some(Instant::now());
            let error = match self.outbox.record(std::sync::Arc::clone(&record)).await {
                Ok(_) => {
                    keeper.has_grown = false;
                    return;
                }
                Err(error) => error,
            };
            if record.closed() == 0 && !last {
                return;
            }
            if !error.is_transient() || self.give_up.is_cancelled() || last {
                tracing::error!(camera = %self.camera, %error, "traffic measures are not written");
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(COMMIT_RETRY) => {}
                () = self.give_up.cancelled() => {}
            }
        }
    }
}

//! Whether the box does anything of what it is for: what `/healthz` answers.
//!
//! A camera that is away is not this program's death, nor is a broker: the box says so in its health and goes on. It is
//! dead when its own watch has stopped, when pictures arrive and none is analysed, or when nothing can be committed:
//! then a supervisor had better act.

use std::time::{Duration, Instant};

use super::{CameraPace, Snapshot};
use crate::publish::wire::Word;

/// The health task looks every second.
const WATCH_STOPPED: Duration = Duration::from_secs(10);

/// Pictures may wait so long for their analysis, or three intervals where that is longer.
const STUCK: Duration = Duration::from_secs(10);
const STUCK_INTERVALS: f64 = 3.0;

/// Why the box does nothing of what it is for; empty while it does.
#[must_use]
pub fn dead_reasons(snapshot: Option<&Snapshot>, now: Instant) -> Vec<Word> {
    let Some(snapshot) = snapshot else { return vec!["starting".into()] };
    let mut reasons: Vec<Word> = Vec::new();
    if now.saturating_duration_since(snapshot.looked_at) > WATCH_STOPPED {
        reasons.push("health_not_ticking".into());
    }
    let (stuck, well): (Vec<_>, Vec<_>) =
        snapshot.cameras.iter().filter(|camera| camera.received_fps > 0.0).partition(|camera| is_stuck(camera));
    if !stuck.is_empty() && well.is_empty() {
        reasons.push("nothing_analysed".into());
    }
    if snapshot.health.outbox.failing {
        reasons.push("outbox_failing".into());
    }
    reasons
}

fn is_stuck(camera: &CameraPace) -> bool {
    let interval = Duration::from_secs_f64(STUCK_INTERVALS / camera.asked_fps);
    camera.unanalysed_for > STUCK.max(interval)
}

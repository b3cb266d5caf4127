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

#[cfg(test)]
mod tests {
    use super::*;

    /// How long each camera's frames have come without being analysed; a camera that is away has none.
    fn snapshot(unanalysed: &[Option<u64>], asked_fps: f64) -> Snapshot {
        let camera = |unanalysed: &Option<u64>| CameraPace {
            asked_fps,
            received_fps: if unanalysed.is_some() { 25.0 } else { 0.0 },
            unanalysed_for: Duration::from_secs(unanalysed.unwrap_or(60)),
            ..CameraPace::default()
        };
        let health = crate::status::health_example();
        Snapshot { looked_at: Instant::now(), health, cameras: unanalysed.iter().map(camera).collect() }
    }

    fn reasons(unanalysed: &[Option<u64>], asked_fps: f64) -> Vec<Word> {
        let snapshot = snapshot(unanalysed, asked_fps);
        dead_reasons(Some(&snapshot), snapshot.looked_at)
    }

    #[test]
    fn cameras_that_are_away_are_not_the_programs_death() {
        assert!(reasons(&[], 5.0).is_empty());
        assert!(reasons(&[None, None], 5.0).is_empty());
        assert!(reasons(&[Some(0), None], 5.0).is_empty());
    }

    #[test]
    fn pictures_that_nobody_analyses_are() {
        assert_eq!(reasons(&[Some(11), None, Some(12)], 5.0), ["nothing_analysed"]);
        assert!(reasons(&[Some(11), Some(0)], 5.0).is_empty(), "the other camera is analysed");
        assert!(reasons(&[Some(29)], 0.1).is_empty(), "one picture in ten seconds was asked for");
        assert_eq!(reasons(&[Some(31)], 0.1), ["nothing_analysed"]);
    }

    #[test]
    fn a_watch_that_stopped_and_a_disk_that_fails_are() {
        let mut snapshot = snapshot(&[Some(0)], 5.0);
        assert_eq!(dead_reasons(None, Instant::now()), ["starting"]);
        assert_eq!(dead_reasons(Some(&snapshot), snapshot.looked_at + Duration::from_secs(11)), ["health_not_ticking"]);
        snapshot.health.outbox.failing = true;
        assert_eq!(dead_reasons(Some(&snapshot), snapshot.looked_at), ["outbox_failing"]);
    }
}

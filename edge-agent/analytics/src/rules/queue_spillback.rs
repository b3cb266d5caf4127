//! Queue spill-back: a standing queue reaches back over a mark.

use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::{Run, observe};
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::traffic::lane::{self, Axis, LaneWork, OnLane};
use crate::traffic::pace::Paces;
use crate::traffic::queue::{Queue, QueueParams, find_standing, queues};
use crate::zone::{Line, Zone};

/// Fewer are no queue: one that turns, and one that waits for it.
pub(super) const LEAST: usize = 3;

/// A queue that moves up for no longer than this still stands.
const BRIDGE: Duration = Duration::from_secs(5);

/// While its incident lasts, one that is gone for no longer than this (a green) is the same one.
const CLEAR: Duration = Duration::from_secs(30);

/// Finds the zone while a queue has reached from beyond the mark back over it for `hold`.
///
/// A queue is [`LEAST`] or more standing vehicles on the zone, each within `gap` of the next. It reaches over the mark
/// when its first vehicle stands on the mark's side towards the lane's end, its last one on the side from which traffic
/// comes.
pub(super) struct QueueSpillback {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) mark: Line,
    pub(super) queue: QueueParams,
    pub(super) hold: Duration,
    pub(super) paces: Paces,
    pub(super) reached: Option<Run>,
    pub(super) was_open: bool,
    /// Work space of a scene.
    pub(super) work: LaneWork,
}

impl QueueSpillback {
    fn reaches_over(&self, queue: Queue<'_>, axis: &Axis, aspect: f32) -> bool {
        let side = |point| self.mark.segment.offset(point, aspect) > 0.0;
        let (upstream, downstream) = (side(axis.point(0.0)), side(axis.point(1.0)));
        let of = |vehicle: Option<&OnLane>| vehicle.map(|vehicle| side(vehicle.place.point));
        let (rear, front) = (of(queue.vehicles.first()), of(queue.vehicles.last()));
        queue.vehicles.len() >= LEAST && upstream != downstream && rear == Some(upstream) && front == Some(downstream)
    }
}

impl Rule for QueueSpillback {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.reached = None;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        let is_open = open.contains(&Subject::Zone);
        self.paces.observe(scene);
        let axis = Axis::of(&self.zone, scene.aspect);
        let counts = |track: &Track| self.scope.covers(track);
        lane::vehicles(&self.zone, &axis, scene, &self.paces, counts, &mut self.work.vehicles);
        find_standing(&mut self.work, self.queue.speed);
        let over = queues(&self.work.standing, self.queue.gap, scene.aspect)
            .find(|queue| self.reaches_over(*queue, &axis, scene.aspect));
        if is_open && !self.was_open && self.reached.is_none() {
            self.reached = Some(Run { since: now, last: now });
        }
        self.was_open = is_open;
        self.reached = observe(self.reached, now, over.is_some(), if is_open { CLEAR } else { BRIDGE });
        let Some(run) = self.reached else { return };
        if is_open || (over.is_some() && run.held() >= self.hold) {
            let queue = over.map_or(&[][..], |queue| queue.vehicles);
            let mut tracks: Vec<TrackId> = queue.iter().map(|vehicle| vehicle.id).collect();
            tracks.sort_unstable();
            let held = ("held_s", rounded(run.held().as_secs_f64()));
            findings.push(level(Subject::Zone, run.since, tracks, vec![("chain_vehicles", queue.len() as f64), held]));
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.paces.len()
    }
}

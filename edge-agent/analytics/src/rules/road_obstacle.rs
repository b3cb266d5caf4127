//! Obstacle on the road: something lies there that no vehicle or person explains.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::{Run, observe};
use crate::rules::motion::rounded;
use crate::rules::thing::{Size, in_zone, is_added, is_of_vehicle};
use crate::rules::{Open, Rule, level};
use crate::scene::Scene;
use crate::time::MediaTime;
use crate::view::StillId;
use crate::zone::Zone;

/// A vehicle that stops beside it for no longer than this does not restart the hold.
const BRIDGE: Duration = Duration::from_secs(3);

/// Finds every still region that something was added to, while it lies in the zone and no vehicle stands beside it.
pub(super) struct RoadObstacle {
    pub(super) info: RuleInfo,
    pub(super) zone: Zone,
    pub(super) size: Size,
    pub(super) hold: Duration,
    pub(super) lying: BTreeMap<StillId, Option<Run>>,
    pub(super) armed: MediaTime,
}

impl Rule for RoadObstacle {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.lying.clear();
        self.armed = now;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        self.lying.retain(|id, _| scene.still(*id).is_some());
        for (still, size) in in_zone(scene, &self.zone, self.size) {
            let is_thing = is_added(still) && size.reaches(self.size);
            let lies = is_thing && !is_of_vehicle(still, scene);
            let since = still.since.max(self.armed);
            let run = self.lying.entry(still.id).or_insert_with(|| lies.then_some(Run { since, last: now }));
            *run = observe(*run, now, lies, BRIDGE);
            let subject = Subject::Still(still.id);
            let held = run.map_or(Duration::ZERO, Run::held);
            if held >= self.hold || open.contains(&subject) {
                let measured = vec![size.measure(), ("held_s", rounded(now.since(still.since).as_secs_f64()))];
                findings.push(level(subject, still.since, Vec::new(), measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.lying.len()
    }
}

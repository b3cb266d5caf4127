//! Intrusion: an object is where no one should be.

use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::Runs;
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::Scene;
use crate::time::MediaTime;
use crate::zone::Zone;

/// Leaving the zone for no longer than this does not restart the hold: a box on the zone's edge flickers in and out.
pub(super) const BRIDGE: Duration = Duration::from_millis(500);

/// Finds every object that has been inside the zone for `hold`.
pub(super) struct Intrusion {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) hold: Duration,
    pub(super) inside: Runs,
}

impl Rule for Intrusion {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.inside.clear();
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        self.inside.forget(&scene.ended);
        for track in scene.seen() {
            let inside = self.scope.covers(track) && self.zone.contains(track.bbox);
            let run = self.inside.observe(track.id, scene.stamp.pts, inside);
            let Some(run) = run.filter(|_| inside) else { continue };
            let subject = Subject::Track(track.id);
            if run.held() >= self.hold || open.contains(&subject) {
                let measured = vec![("held_s", rounded(run.held().as_secs_f64()))];
                findings.push(level(subject, run.since, vec![track.id], measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.inside.len()
    }
}

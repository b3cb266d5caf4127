//! Loitering: an object dwells in the zone.

use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::Runs;
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::Scene;
use crate::time::MediaTime;
use crate::zone::Zone;

/// An absence up to this long is part of the dwelling (one who paces up and down at the zone's edge); a longer one
/// starts it anew. The finding stays true through a tolerated absence, so that it does not open a second incident.
pub(super) const ABSENCE: Duration = Duration::from_secs(5);

/// Finds every object that has dwelt in the zone for `dwell`.
pub(super) struct Loitering {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) dwell: Duration,
    pub(super) inside: Runs,
}

impl Rule for Loitering {
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
            let Some(run) = self.inside.observe(track.id, scene.stamp.pts, inside) else { continue };
            let subject = Subject::Track(track.id);
            if run.held() >= self.dwell || open.contains(&subject) {
                let measured = vec![("dwell_s", rounded(run.held().as_secs_f64()))];
                findings.push(level(subject, run.since, vec![track.id], measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.inside.len()
    }
}

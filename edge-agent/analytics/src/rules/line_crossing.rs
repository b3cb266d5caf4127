//! Line crossing: an object went from one side of a line to the other, between its ends.

use crate::finding::{Finding, RuleInfo, Shape, Subject};
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope};
use crate::scene::Scene;
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;

/// Counts directed crossings ([`Crossings`]).
pub(super) struct LineCrossing {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) crossings: Crossings,
}

impl Rule for LineCrossing {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {}

    fn evaluate(&mut self, scene: &Scene, _open: &Open, findings: &mut Vec<Finding>) {
        self.crossings.forget(&scene.ended);
        for track in scene.seen().filter(|track| self.scope.covers(track)) {
            if let Some(crossing) = self.crossings.observe(track, scene.aspect) {
                findings.push(Finding {
                    subject: Subject::Track(track.id),
                    shape: Shape::Pulse,
                    tracks: vec![track.id],
                    direction: Some(crossing.direction),
                    measured: vec![("hysteresis_heights", rounded(crossing.beyond_heights))],
                    severity: None,
                });
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.crossings.len()
    }
}

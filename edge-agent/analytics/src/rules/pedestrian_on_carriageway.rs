//! Pedestrian on the carriageway: a person on foot in a lane, outside the crossings.

use std::time::Duration;

use crate::class::Class;
use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::Runs;
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track};
use crate::time::MediaTime;
use crate::zone::Zone;

/// Leaving the carriageway for no longer than this does not restart the hold.
pub(super) const BRIDGE: Duration = Duration::from_millis(500);

/// Finds every person who has been on the carriageway for `hold`.
pub(super) struct PedestrianOnCarriageway {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) crossings: Vec<Zone>,
    pub(super) hold: Duration,
    pub(super) inside: Runs,
}

impl PedestrianOnCarriageway {
    fn concerns(&self, track: &Track) -> bool {
        track.class == Class::Person
            && self.scope.covers(track)
            && self.zone.contains(track.bbox)
            && !self.crossings.iter().any(|crossing| crossing.contains(track.bbox))
    }
}

impl Rule for PedestrianOnCarriageway {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.inside.clear();
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        self.inside.forget(&scene.ended);
        for track in scene.seen() {
            let concerns = self.concerns(track);
            let run = self.inside.observe(track.id, scene.stamp.pts, concerns);
            let Some(run) = run.filter(|_| concerns) else { continue };
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

//! Crowding: many objects in the zone at once.

use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::{Run, observe};
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track};
use crate::time::MediaTime;
use crate::zone::Zone;

/// Too few for no longer than this does not restart the hold.
const BRIDGE: Duration = Duration::from_secs(1);

/// An object lost for no longer than this still counts where it is expected: in a crowd some are always hidden.
const LOST_COUNTS: Duration = Duration::from_secs(1);

/// To be a crowd still asks for this share of the count. Raising it ends crowds sooner; it parts one whose members hide
/// each other into two.
const EASES_BELOW: f64 = 0.8;

/// Finds the zone while at least `count` objects have been in it for `hold`.
pub(super) struct Crowding {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) count: u32,
    pub(super) hold: Duration,
    pub(super) crowded: Option<Run>,
}

impl Crowding {
    fn counts(&self, track: &Track, now: MediaTime) -> bool {
        self.scope.covers(track) && now.since(track.last_seen) <= LOST_COUNTS && self.zone.contains(track.bbox)
    }
}

impl Rule for Crowding {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.crowded = None;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        let count = scene.tracks.iter().filter(|track| self.counts(track, now)).count();
        let is_open = open.contains(&Subject::Zone);
        let least = f64::from(self.count) * if is_open { EASES_BELOW } else { 1.0 };
        let crowded = count as f64 >= least;
        // While its incident lasts, what lasts is the incident: a flicker of the count does not begin it anew.
        let bridge = if is_open { Duration::MAX } else { BRIDGE };
        self.crowded = observe(self.crowded, now, crowded, bridge);
        let Some(run) = self.crowded.filter(|_| crowded) else { return };
        if run.held() >= self.hold || is_open {
            let inside = scene.tracks.iter().filter(|track| self.counts(track, now)).map(|track| track.id).collect();
            let measured = vec![("count", count as f64), ("held_s", rounded(run.held().as_secs_f64()))];
            findings.push(level(Subject::Zone, run.since, inside, measured));
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        0
    }
}

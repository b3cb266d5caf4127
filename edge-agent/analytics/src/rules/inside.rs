//! Intrusion, loitering, forbidden class, pedestrian on the carriageway: an object is for a while where it should not be.

use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::Runs;
use crate::rules::motion::rounded;
use crate::rules::on_foot::OnFoot;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track};
use crate::time::MediaTime;
use crate::zone::Zone;

/// Leaving the zone for no longer than this does not restart the hold: a box on the zone's edge flickers in and out.
pub(super) const BRIDGE: Duration = Duration::from_millis(500);

/// An absence up to this long is part of the loitering (one who paces up and down at the zone's edge); a longer one
/// starts it anew.
pub(super) const ABSENCE: Duration = Duration::from_secs(5);

/// Finds every object that has been inside the zone, and in none of the exceptions, for `hold`.
pub(super) struct Inside {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    /// Where it is allowed all the same.
    pub(super) except: Vec<Zone>,
    pub(super) hold: Duration,
    /// The finding stays true through a tolerated absence, so that it does not open a second incident.
    pub(super) through_absence: bool,
    /// The name under which the time is told.
    pub(super) measure: &'static str,
    pub(super) inside: Runs,
    /// Those who ride are left out, even when what they ride is not seen.
    pub(super) on_foot: Option<OnFoot>,
}

impl Inside {
    /// Whether the object of this track is where it should not be; one that is told of (`open`) remains what it was told
    /// to be while it may be: a class that is voted over a track's life turns for a moment.
    fn concerns(&self, track: &Track, open: bool) -> bool {
        (self.scope.covers(track) || open && self.scope.may_cover(track))
            && self.zone.contains(track.bbox)
            && !self.except.iter().any(|zone| zone.contains(track.bbox))
    }
}

impl Rule for Inside {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.inside.clear();
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        self.inside.forget(&scene.ended);
        if let Some(on_foot) = &mut self.on_foot {
            on_foot.watch(scene, self.zone.anchor);
        }
        for track in scene.seen() {
            let subject = Subject::Track(track.id);
            let is_open = open.contains(&subject);
            let walks = match &mut self.on_foot {
                Some(on_foot) if self.scope.covers(track) => on_foot.is_walking(track, is_open, scene),
                _ => true,
            };
            // Who turns out to walk has done so since he came into the zone.
            let concerns = self.concerns(track, is_open);
            let run = self.inside.observe(track.id, scene.stamp.pts, concerns);
            let Some(run) = run.filter(|_| walks && (concerns || self.through_absence)) else { continue };
            if run.held() >= self.hold || is_open {
                let measured = vec![(self.measure, rounded(run.held().as_secs_f64()))];
                findings.push(level(subject, run.since, vec![track.id], measured));
            }
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.inside.len().max(self.on_foot.as_ref().map_or(0, OnFoot::len))
    }
}

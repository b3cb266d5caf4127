//! Forbidden turn: a vehicle goes through one gate and then through another, which no one may do: a turn, a U-turn, a
//! change of lanes over a solid line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Shape, Subject};
use crate::rules::hold::Runs;
use crate::rules::motion::{Place, Trail, rounded};
use crate::rules::{Open, Rule, Scope};
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;
use crate::zone::{Line, Zone};

/// One has gone through a zone who was inside for this long: a box on its edge flickers in and out …
const HOLD: Duration = Duration::from_millis(300);
/// … out for no longer than this.
const BRIDGE: Duration = Duration::from_millis(300);
/// In a zone with a heading one must also go its way, by the displacement over this long …
const WINDOW: Duration = Duration::from_secs(1);
/// … within this angle, and faster than this, in box heights a second.
const ANGLE_DEG: f64 = 60.0;
const LEAST_SPEED: f64 = 0.2;

/// A place that vehicles go through.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    /// Inside the zone; along its heading, when it has one.
    Zone(Zone),
    /// Over the line, either way, by more than this many box heights.
    Line(Line, f64),
}

/// A gate and who is at it.
pub(super) enum Watch {
    Zone { zone: Zone, inside: Runs, trails: BTreeMap<TrackId, Trail> },
    Line(Crossings),
}

impl Watch {
    pub(super) fn new(gate: Gate) -> Self {
        match gate {
            Gate::Zone(zone) => Self::Zone { zone, inside: Runs::new(BRIDGE), trails: BTreeMap::new() },
            Gate::Line(line, hysteresis) => Self::Line(Crossings::new(line, hysteresis)),
        }
    }

    fn forget(&mut self, ended: &[TrackId]) {
        match self {
            Self::Zone { inside, trails, .. } => {
                inside.forget(ended);
                for track in ended {
                    trails.remove(track);
                }
            }
            Self::Line(crossings) => crossings.forget(ended),
        }
    }

    /// Whether the track goes through it now.
    fn passes(&mut self, track: &Track, now: MediaTime, aspect: f32) -> bool {
        match self {
            Self::Zone { zone, inside, trails } => {
                let place = Place::of(track, zone.anchor, now);
                let is_inside = zone.contains(track.bbox);
                let run = inside.observe(track.id, now, is_inside);
                let held = run.is_some_and(|run| run.last == now && run.held() >= HOLD);
                let Some(heading) = zone.heading else { return held };
                let trail = trails.entry(track.id).or_insert_with(|| Trail::new(WINDOW));
                let before = trail.window_ago(now);
                trail.push(place);
                let along = before.is_some_and(|before| {
                    before.speed_to(place, aspect) >= LEAST_SPEED
                        && before.angle_to(place, heading, aspect) <= ANGLE_DEG
                });
                held && along
            }
            Self::Line(crossings) => crossings.observe(track, aspect).is_some(),
        }
    }
}

/// Finds every vehicle that goes through `to` within a time after it went through `from`.
pub(super) struct ForbiddenTurn {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) from: Watch,
    pub(super) to: Watch,
    pub(super) within: Duration,
    /// When each was last at `from`.
    pub(super) tracks: BTreeMap<TrackId, MediaTime>,
}

impl Rule for ForbiddenTurn {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.tracks.clear();
    }

    fn evaluate(&mut self, scene: &Scene, _open: &Open, findings: &mut Vec<Finding>) {
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        self.from.forget(&scene.ended);
        self.to.forget(&scene.ended);
        let now = scene.stamp.pts;
        for track in scene.seen().filter(|track| track.class.is_vehicle() && self.scope.covers(track)) {
            let (at_from, at_to) =
                (self.from.passes(track, now, scene.aspect), self.to.passes(track, now, scene.aspect));
            if at_from {
                self.tracks.insert(track.id, now);
            }
            let since = self.tracks.get(&track.id).map(|from| now.since(*from));
            let Some(took) = since.filter(|took| at_to && !at_from && *took <= self.within) else { continue };
            self.tracks.remove(&track.id);
            findings.push(Finding {
                subject: Subject::Track(track.id),
                shape: Shape::Pulse,
                tracks: vec![track.id],
                direction: None,
                severity: None,
                measured: vec![("turn_s", rounded(took.as_secs_f64()))],
            });
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

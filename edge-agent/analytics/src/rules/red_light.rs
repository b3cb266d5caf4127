//! Red light: a vehicle passes the stop line while its signal is red.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Direction, Finding, RuleInfo, Shape, Subject};
use crate::id::SignalId;
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope};
use crate::scene::{Scene, SignalState, TrackId};
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;

/// Finds every vehicle that passes the line in the driving direction when the signal has been red for `grace`, was seen
/// before the line during this red, and goes on beyond it while it is red.
///
/// One that stops on the line, or creeps over it until green, has not passed. What the signal shows is not guessed: while
/// it is unknown nothing is judged, and a red seen after it counts anew.
pub(super) struct RedLight {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) signal: SignalId,
    pub(super) direction: Direction,
    pub(super) grace: Duration,
    pub(super) crossings: Crossings,
    pub(super) tracks: BTreeMap<TrackId, Approach>,
}

/// One vehicle and the line.
#[derive(Debug, Default)]
pub(super) struct Approach {
    /// It was last seen before the line.
    is_before: bool,
    /// The red, by its beginning, during which it was last seen before the line.
    waited: Option<MediaTime>,
    /// For how long that red had lasted when it passed the line.
    passed: Option<Duration>,
}

impl Rule for RedLight {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {}

    fn evaluate(&mut self, scene: &Scene, _open: &Open, findings: &mut Vec<Finding>) {
        self.crossings.forget(&scene.ended);
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        let now = scene.stamp.pts;
        let signal = scene.signal(&self.signal).filter(|signal| signal.state == SignalState::Red);
        let (red, confidence) = (signal.map(|signal| signal.since), signal.map_or(0.0, |signal| signal.confidence));
        for track in scene.seen().filter(|track| track.class.is_vehicle() && self.scope.covers(track)) {
            let line = self.crossings.line();
            let offset = line.segment.offset(line.anchor.of(track.bbox), scene.aspect);
            let is_before = (offset > 0.0) == (self.direction == Direction::RightToLeft);
            let approach = self.tracks.entry(track.id).or_default();
            if is_before {
                (approach.waited, approach.passed) = (red, None);
            } else if approach.is_before {
                let same = red.filter(|red| approach.waited == Some(*red));
                approach.passed = same.map(|red| now.since(red)).filter(|red| *red >= self.grace);
            }
            approach.is_before = is_before;
            let crossing = self.crossings.observe(track, scene.aspect);
            let Some(crossing) = crossing.filter(|crossing| crossing.direction == self.direction) else { continue };
            let Some(red_for) = approach.passed.take().filter(|_| red.is_some()) else { continue };
            findings.push(Finding {
                subject: Subject::Track(track.id),
                shape: Shape::Pulse,
                tracks: vec![track.id],
                direction: Some(self.direction),
                severity: None,
                measured: vec![
                    ("red_s", rounded(red_for.as_secs_f64())),
                    ("signal_confidence", rounded(confidence.into())),
                    ("hysteresis_heights", rounded(crossing.beyond_heights)),
                ],
            });
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

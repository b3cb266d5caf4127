//! Sudden flow drop: far fewer vehicles cross a line than did a moment ago.

use std::collections::VecDeque;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::rules::hold::{Run, observe};
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::Scene;
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;

/// Without frames for longer than this, vehicles may have passed unseen: the baseline begins anew.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// A flow that recovers for no longer than this has not recovered.
const BRIDGE: Duration = Duration::from_secs(30);

/// It has recovered when it is this much over the ratio.
const RECOVERS_ABOVE: f64 = 1.2;

/// Finds the line while the flow over it (both ways, in the last `window`) is below `ratio` of its mean over the `baseline` before.
///
/// A baseline below `least` vehicles a minute says nothing: at night two cars are half of four. The baseline moves on, so
/// that what stays low becomes what is usual, and the incident ends by itself.
pub(super) struct FlowDrop {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) crossings: Crossings,
    pub(super) ratio: f64,
    pub(super) baseline: Duration,
    pub(super) window: Duration,
    /// Vehicles a minute.
    pub(super) least: f64,
    /// When vehicles crossed, oldest first; bounded by the time looked back.
    pub(super) crossed: VecDeque<MediaTime>,
    /// Since when it has been watched without a gap, and the last scene.
    pub(super) watched: Option<(MediaTime, MediaTime)>,
    pub(super) drop: Option<Run>,
}

impl FlowDrop {
    fn watch(&mut self, scene: &Scene) {
        let now = scene.stamp.pts;
        let since = self.watched.filter(|(_, last)| now.since(*last) <= LONGEST_GAP).map(|(since, _)| since);
        if since.is_none() {
            self.crossed.clear();
        }
        self.watched = Some((since.unwrap_or(now), now));
        self.crossings.forget(&scene.ended);
        for track in scene.seen().filter(|track| track.class.is_vehicle() && self.scope.covers(track)) {
            if self.crossings.observe(track, scene.aspect).is_some() {
                self.crossed.push_back(now);
            }
        }
        let back = self.baseline + self.window;
        while self.crossed.front().is_some_and(|first| now.since(*first) > back) {
            self.crossed.pop_front();
        }
    }

    /// The flow now and before, in vehicles a minute; `None` before it was watched for long enough.
    fn flows(&self) -> Option<(f64, f64)> {
        let (since, now) = self.watched?;
        if now.since(since) < self.baseline + self.window {
            return None;
        }
        let recent = self.crossed.iter().rev().take_while(|at| now.since(**at) <= self.window).count();
        let per_minute = |count: usize, over: Duration| count as f64 * 60.0 / over.as_secs_f64();
        Some((per_minute(recent, self.window), per_minute(self.crossed.len() - recent, self.baseline)))
    }
}

impl Rule for FlowDrop {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.drop = None;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        self.watch(scene);
        let now = scene.stamp.pts;
        let is_open = open.contains(&Subject::Zone);
        let Some((flow, before)) = self.flows() else { return };
        let limit = self.ratio * if is_open { RECOVERS_ABOVE } else { 1.0 };
        let drops = before >= self.least && flow < limit * before;
        self.drop = observe(self.drop, now, drops, if is_open { BRIDGE } else { Duration::ZERO });
        let Some(run) = self.drop else { return };
        let percent = if before > 0.0 { 100.0 * flow / before } else { 100.0 };
        let measured = vec![("flow_percent", rounded(percent)), ("baseline_per_min", rounded(before))];
        let since = MediaTime::from_nanos(run.since.since(MediaTime::ZERO + self.window).as_nanos() as u64);
        findings.push(level(Subject::Zone, since, Vec::new(), measured));
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.crossings.len()
    }
}

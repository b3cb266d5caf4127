//! Removed object: what belongs in a zone is gone from the picture, and stays away.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Shape, Subject};
use crate::rules::motion::rounded;
use crate::rules::thing::Size;
use crate::rules::{Open, Rule};
use crate::scene::Scene;
use crate::time::MediaTime;
use crate::view::{Nature, StillId};
use crate::zone::Zone;

/// Finds, once, every still region with its middle in the zone from which something was removed.
pub(super) struct RemovedObject {
    pub(super) info: RuleInfo,
    pub(super) zone: Zone,
    pub(super) size: Size,
    pub(super) hold: Duration,
    /// Since when it has been away; `None`: it is told.
    pub(super) away: BTreeMap<StillId, Option<MediaTime>>,
}

impl Rule for RemovedObject {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, now: MediaTime) {
        self.away.values_mut().flatten().for_each(|since| *since = now);
    }

    fn evaluate(&mut self, scene: &Scene, _open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        let is_away = |id: &StillId| scene.still(*id).is_some_and(|still| still.nature == Nature::Removed);
        self.away.retain(|id, since| since.is_none() && scene.still(*id).is_some() || is_away(id));
        for still in scene.stills.iter().filter(|still| is_away(&still.id)) {
            let Some(size) = self.size.of(still, scene.aspect) else { continue };
            if !self.zone.polygon.contains(still.bbox.center()) || !size.reaches(self.size) {
                continue;
            }
            let away = self.away.entry(still.id).or_insert(Some(still.since));
            let held = away.map(|since| now.since(since.max(still.since)));
            let Some(held) = held.filter(|held| *held >= self.hold) else { continue };
            *away = None;
            findings.push(Finding {
                subject: Subject::Still(still.id),
                shape: Shape::Pulse,
                tracks: Vec::new(),
                direction: None,
                severity: None,
                measured: vec![size.measure(), ("held_s", rounded(held.as_secs_f64()))],
            });
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.away.len()
    }
}

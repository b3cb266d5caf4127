//! Storm control: how many incidents a camera may open, and which belong to one that is open.
//!
//! A camera that shakes finds a thousand things a minute; an operator reads none of them. Each severity has a bucket of
//! its own, so that a storm of crossings withholds no stopped vehicle; what is critical is never withheld. A level
//! finding that is withheld opens its incident when there is room again, if it still lasts; the rest is counted and told
//! with the rule's next event ([`Event::suppressed`](crate::event::Event::suppressed)), or by itself when none comes for a minute
//! ([`Withheld`]).

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::finding::RuleInfo;
use crate::id::RuleId;
use crate::kind::{Kind, Severity};
use crate::rules::RuleSpec;
use crate::time::{FrameStamp, MediaTime};
use crate::zone::Zone;

/// How many incidents a camera may open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StormParams {
    /// For incidents of severity warning, and again of high.
    pub alerts: Allowance,
    /// For those of severity info: crossings are counted one by one, and a busy line has a hundred a minute.
    pub records: Allowance,
}

/// A token bucket's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// So many a minute in the long run. Raising it tells more of a storm; it costs the operator's patience and the link.
    pub per_minute: f64,
    /// So many at once after a quiet time. Raising it lets more happen at once before it counts as a storm.
    pub burst: f64,
}

impl Default for StormParams {
    fn default() -> Self {
        Self {
            alerts: Allowance { per_minute: 20.0, burst: 10.0 },
            records: Allowance { per_minute: 120.0, burst: 60.0 },
        }
    }
}

/// Incidents that a storm withheld and that no event of their rule tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct Withheld {
    /// UUIDv7, unique, as those of events.
    pub id: Uuid,
    /// The frame at which it was told.
    pub stamp: FrameStamp,
    /// The rule.
    pub rule: RuleInfo,
    /// How many.
    pub count: u32,
}

/// The buckets of one camera.
#[derive(Debug)]
pub(super) struct Buckets {
    params: StormParams,
    /// Of info, warning and high: how much is in it, and when that was.
    levels: [Option<(f64, MediaTime)>; 3],
}

impl Buckets {
    pub(super) fn new(params: StormParams) -> Self {
        Self { params, levels: [None; 3] }
    }

    /// Whether an incident of this severity may open now.
    pub(super) fn take(&mut self, severity: Severity, now: MediaTime) -> bool {
        let (bucket, allowance) = match severity {
            Severity::Critical => return true,
            Severity::Info => (0, self.params.records),
            Severity::Warning => (1, self.params.alerts),
            Severity::High => (2, self.params.alerts),
        };
        let (held, at) = self.levels[bucket].unwrap_or((allowance.burst, now));
        let refilled = held + now.since(at).as_secs_f64() * allowance.per_minute / 60.0;
        let held = refilled.min(allowance.burst);
        let may = held >= 1.0;
        self.levels[bucket] = Some((if may { held - 1.0 } else { held }, now));
        may
    }
}

/// Which rules' findings belong to another rule's open incident: in a jam, vehicles stand.
#[derive(Debug, Clone, Default)]
pub struct Bundles {
    /// By the rule that is absorbed: the congestion rules of the same or an overlapping zone.
    jams: BTreeMap<RuleId, Vec<RuleId>>,
}

impl Bundles {
    /// Of a camera's rules.
    #[must_use]
    pub fn of(rules: &[RuleSpec]) -> Self {
        let mut jams: BTreeMap<RuleId, Vec<RuleId>> = BTreeMap::new();
        let congestion = || rules.iter().filter(|rule| rule.params.kind() == Kind::Congestion);
        for rule in rules.iter().filter(|rule| absorbed_as(rule.params.kind()).is_some()) {
            let share = |jam: &&RuleSpec| overlap(jam.params.zone(), rule.params.zone());
            let of_rule: Vec<RuleId> = congestion().filter(share).map(|jam| jam.id.clone()).collect();
            if !of_rule.is_empty() {
                jams.insert(rule.id.clone(), of_rule);
            }
        }
        Self { jams }
    }

    /// The congestion rules that absorb what `rule` finds.
    pub(super) fn jams(&self, rule: &RuleId) -> &[RuleId] {
        self.jams.get(rule).map_or(&[], Vec::as_slice)
    }
}

fn overlap(a: Option<&Zone>, b: Option<&Zone>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.id == b.id || a.polygon.overlaps(&b.polygon))
}

/// As what an open congestion counts findings of this kind; `None`: they are incidents of their own.
pub(super) const fn absorbed_as(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::StoppedVehicle => Some("absorbed_stopped_vehicle"),
        Kind::QueueSpillback => Some("absorbed_queue_spillback"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_nanos((seconds * 1e9) as u64)
    }

    #[test]
    fn a_storm_opens_no_more_than_its_allowance_and_what_is_critical_always() {
        let mut buckets = Buckets::new(StormParams::default());
        let mut opened = [0; 4];
        for finding in 0..10_000 {
            for severity in Severity::ALL {
                opened[severity as usize] += u32::from(buckets.take(severity, at(f64::from(finding) * 0.06)));
            }
        }
        // Ten minutes.
        assert_eq!(opened, [60 + 1199, 10 + 199, 10 + 199, 10_000]);
    }

    #[test]
    fn a_quiet_camera_may_burst_again() {
        let mut buckets = Buckets::new(StormParams::default());
        let burst = |buckets: &mut Buckets, now| (0..100).filter(|_| buckets.take(Severity::High, now)).count();
        assert_eq!(burst(&mut buckets, at(0.0)), 10);
        assert_eq!(burst(&mut buckets, at(3.0)), 1);
        assert_eq!(burst(&mut buckets, at(600.0)), 10);
        assert_eq!(burst(&mut buckets, at(600.0)), 0);
    }
}

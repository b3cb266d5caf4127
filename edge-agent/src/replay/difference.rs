//! What new rules would have changed: which incidents appear, vanish, or move.

use std::collections::BTreeMap;
use std::time::Duration;

use analytics::{CameraId, Event, Kind, Phase, RuleId, TrackId, WallTime};
use uuid::Uuid;

/// Times that differ by no more than this are the same.
const SAME: Duration = Duration::from_millis(50);
/// Incidents about one place may be this far apart in time and still be the same one.
const NEAR: Duration = Duration::from_secs(5);

/// One incident from its first event to its last.
#[derive(Debug, Clone, PartialEq)]
pub struct Spell {
    /// Where.
    pub camera: CameraId,
    /// By which rule.
    pub rule: RuleId,
    /// What.
    pub kind: Kind,
    /// When it opened: the `new` event.
    pub opened_at: WallTime,
    /// When it was over.
    pub ended_at: WallTime,
    /// Who was involved at first.
    pub tracks: Vec<TrackId>,
}

/// Puts events together to incidents, by camera, opening and rule.
#[derive(Debug, Default)]
pub struct Spells(BTreeMap<Uuid, Spell>);

impl Spells {
    /// Adds one event; `camera` took its pictures.
    pub fn add(&mut self, event: &Event) {
        let now = event.stamp.captured_at;
        let spell = self.0.entry(event.incident_id).or_insert_with(|| Spell {
            camera: event.stamp.camera.clone(),
            rule: event.rule.id.clone(),
            kind: event.rule.kind,
            opened_at: now,
            ended_at: now,
            tracks: event.tracks.iter().map(|track| track.track_id).collect(),
        });
        spell.ended_at = match event.phase {
            Phase::End => event.ended_at.unwrap_or(now),
            Phase::New | Phase::Update => now,
        };
    }

    /// All of them, by camera, opening and rule.
    #[must_use]
    pub fn finish(self) -> Vec<Spell> {
        let mut spells: Vec<Spell> = self.0.into_values().collect();
        spells.sort_by(|a, b| {
            (&a.camera, a.opened_at, &a.rule, &a.tracks).cmp(&(&b.camera, b.opened_at, &b.rule, &b.tracks))
        });
        spells
    }
}

/// What became of one incident.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// As before.
    Same(Spell),
    /// Found before and now, at other times.
    Moved {
        /// Before.
        before: Spell,
        /// Now.
        now: Spell,
    },
    /// Found now only.
    Appears(Spell),
    /// Found before only.
    Vanishes(Spell),
}

impl Change {
    /// The incident as it is now, or was.
    #[must_use]
    pub const fn spell(&self) -> &Spell {
        match self {
            Self::Same(spell) | Self::Appears(spell) | Self::Vanishes(spell) | Self::Moved { now: spell, .. } => spell,
        }
    }
}

/// Pairs incidents of one rule about the same objects, the closest in time first; what is left over appears or vanishes. By
/// camera and time.
#[must_use]
pub fn changes(before: &[Spell], now: &[Spell]) -> Vec<Change> {
    let mut pairs = Vec::new();
    let by_rule = by_rule(now);
    for (i, old) in before.iter().enumerate() {
        let Some((longest, of_rule)) = by_rule.get(&(&old.camera, &old.rule)) else { continue };
        // By opening: those that ended before this one opened are left out but for long ones.
        let first = of_rule.partition_point(|j| now[*j].opened_at + *longest + NEAR < old.opened_at);
        for j in of_rule[first..].iter().take_while(|j| now[**j].opened_at - NEAR <= old.ended_at) {
            if is_same_happening(old, &now[*j]) {
                pairs.push((apart(old.opened_at, now[*j].opened_at), i, *j));
            }
        }
    }
    pairs.sort();
    let (mut of_before, mut of_now) = (vec![None; before.len()], vec![None; now.len()]);
    for (_, i, j) in pairs {
        if of_before[i].is_none() && of_now[j].is_none() {
            (of_before[i], of_now[j]) = (Some(j), Some(i));
        }
    }
    let vanished = before.iter().zip(&of_before).filter(|(_, pair)| pair.is_none());
    let mut changes: Vec<Change> = vanished.map(|(spell, _)| Change::Vanishes(spell.clone())).collect();
    changes.extend(now.iter().zip(&of_now).map(|(new, pair)| match pair.map(|i| &before[i]) {
        None => Change::Appears(new.clone()),
        Some(old) if apart(old.opened_at, new.opened_at) <= SAME && apart(old.ended_at, new.ended_at) <= SAME => {
            Change::Same(new.clone())
        }
        Some(old) => Change::Moved { before: old.clone(), now: new.clone() },
    }));
    changes.sort_by(|a, b| {
        let key =
            |change: &Change| (change.spell().camera.clone(), change.spell().opened_at, change.spell().rule.clone());
        key(a).cmp(&key(b))
    });
    changes
}

/// Of each rule the incidents in the order in which they opened, and how long the longest was.
fn by_rule(spells: &[Spell]) -> BTreeMap<(&CameraId, &RuleId), (Duration, Vec<usize>)> {
    let mut by_rule: BTreeMap<_, (Duration, Vec<usize>)> = BTreeMap::new();
    for (index, spell) in spells.iter().enumerate() {
        let (longest, indices) = by_rule.entry((&spell.camera, &spell.rule)).or_default();
        *longest = apart(spell.opened_at, spell.ended_at).max(*longest);
        indices.push(index);
    }
    for (_, indices) in by_rule.values_mut() {
        indices.sort_by_key(|index| spells[*index].opened_at);
    }
    by_rule
}

fn is_same_happening(old: &Spell, new: &Spell) -> bool {
    let is_time = old.opened_at - NEAR <= new.ended_at && new.opened_at - NEAR <= old.ended_at;
    // A crowd's or a jam's first objects are chance: it is about the place.
    let shares = old.tracks.iter().any(|track| new.tracks.contains(track));
    let is_about_one = old.tracks.len() == 1 && new.tracks.len() == 1;
    old.kind == new.kind && is_time && (shares || !is_about_one)
}

fn apart(a: WallTime, b: WallTime) -> Duration {
    Duration::from_nanos(a.as_unix_nanos().abs_diff(b.as_unix_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(rule: &str, opened_s: i64, ended_s: i64, tracks: &[u64]) -> Spell {
        let at = |second: i64| WallTime::from_unix_nanos(second * 1_000_000_000);
        Spell {
            camera: CameraId::new("nam").expect("an id"),
            rule: RuleId::new(rule).expect("an id"),
            kind: Kind::StoppedVehicle,
            opened_at: at(opened_s),
            ended_at: at(ended_s),
            tracks: tracks.iter().copied().map(TrackId).collect(),
        }
    }

    #[test]
    fn what_is_found_in_both_is_the_same_or_has_moved() {
        let before = [spell("a", 10, 20, &[1]), spell("a", 30, 40, &[2]), spell("b", 10, 20, &[1])];
        let now = [spell("a", 10, 20, &[1]), spell("a", 34, 40, &[2]), spell("b", 10, 20, &[1])];
        let changes = changes(&before, &now);
        assert_eq!(changes.len(), 3);
        assert!(
            changes.contains(&Change::Same(before[0].clone())) && changes.contains(&Change::Same(before[2].clone()))
        );
        assert!(changes.contains(&Change::Moved { before: before[1].clone(), now: now[1].clone() }));
    }

    #[test]
    fn another_object_or_rule_at_the_same_time_is_another_incident() {
        let (before, now) = ([spell("a", 10, 20, &[1])], [spell("a", 10, 20, &[2]), spell("b", 10, 20, &[1])]);
        let changes = changes(&before, &now);
        assert_eq!(changes.iter().filter(|change| matches!(change, Change::Appears(_))).count(), 2);
        assert!(changes.contains(&Change::Vanishes(before[0].clone())));
    }

    #[test]
    fn an_incident_that_falls_into_two_is_found_once_and_appears_once() {
        let before = [spell("a", 10, 60, &[1])];
        let now = [spell("a", 12, 20, &[1]), spell("a", 40, 60, &[1])];
        let changes = changes(&before, &now);
        assert_eq!(
            changes,
            [Change::Moved { before: before[0].clone(), now: now[0].clone() }, Change::Appears(now[1].clone()),]
        );
    }

    #[test]
    fn a_crowd_is_the_same_one_whoever_came_first() {
        let changes = changes(&[spell("a", 10, 60, &[1, 2, 3])], &[spell("a", 15, 60, &[4, 5])]);
        assert!(matches!(changes.as_slice(), [Change::Moved { .. }]));
    }
}

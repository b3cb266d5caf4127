//! One cause, one incident: judged in the order in which events were committed, which no clock and no detour over the broker
//! changes.
//!
//! What an incident is about is a zone or the camera as a whole for some kinds (a crowd, a jam, a lost camera): of those a
//! rule has at most one open at any time, whatever is restarted. For the others it is one object, which has another number
//! after a restart: that two of them are the same cannot be told from their events.

use std::collections::{BTreeMap, BTreeSet};

use edge_agent::publish::wire::{Incident, Phase};
use uuid::Uuid;

/// Kinds whose incidents are about a zone; those of the camera itself begin with `camera_`.
const OF_ZONES: [&str; 4] = ["crowding", "congestion", "queue_spillback", "flow_drop"];

/// What one event says of a cause.
#[derive(Debug)]
struct Step {
    /// Camera and rule.
    cause: (String, String),
    incident: Uuid,
    begins: bool,
    is_open: bool,
}

/// The causes of one outbox.
#[derive(Default)]
pub(crate) struct Causes {
    /// Every number up to this one is accounted for, and judged.
    judged: u64,
    /// Later ones that have arrived.
    steps: BTreeMap<u64, Step>,
    /// What is open about each.
    open: BTreeMap<(String, String), Uuid>,
}

impl Causes {
    /// An event that arrived, in whatever order.
    pub(crate) fn note(&mut self, event: &Incident) {
        let data = &event.data;
        let kind: &str = &data.kind;
        if event.sequence.0 <= self.judged || !(OF_ZONES.contains(&kind) || kind.starts_with("camera_")) {
            return;
        }
        let cause = (event.subject.to_string(), data.why.rule.to_string());
        let (begins, is_open) = (data.phase == Phase::New, data.ended_at.is_none());
        self.steps.insert(event.sequence.0, Step { cause, incident: data.incident_id, begins, is_open });
    }

    /// Judges as far as nothing is missing; `arrived` and `given_up` are the numbers that are accounted for. In words, each
    /// second incident about one cause.
    pub(crate) fn judge<T>(&mut self, arrived: &BTreeMap<u64, T>, given_up: &BTreeSet<u64>) -> Vec<String> {
        let mut wrongs = Vec::new();
        loop {
            let next = self.judged + 1;
            if given_up.contains(&next) {
                // Nobody knows what ended with it.
                self.open.clear();
            } else if !arrived.contains_key(&next) {
                return wrongs;
            }
            self.judged = next;
            let Some(Step { cause, incident, begins, is_open }) = self.steps.remove(&next) else { continue };
            match self.open.get(&cause) {
                Some(before) if *before != incident && begins => {
                    wrongs.push(format!("{incident} begins while {before} is open, of the same cause {cause:?}"));
                }
                _ => {}
            }
            if is_open {
                self.open.insert(cause, incident);
            } else if self.open.get(&cause) == Some(&incident) {
                self.open.remove(&cause);
            }
        }
    }
}

//! Which events were seen, within a bounded window.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use crate::publish::wire::{Incident, Phase, UtcMillis};

type Key = (Arc<str>, Uuid);

/// Remembers the last so many `(source, id)`.
#[derive(Debug)]
pub(super) struct Dedup {
    seen: HashSet<Key>,
    order: VecDeque<Key>,
    sources: HashSet<Arc<str>>,
    window: usize,
}

impl Dedup {
    /// Remembers `window` events.
    pub(super) fn new(window: usize) -> Self {
        Self { seen: HashSet::new(), order: VecDeque::new(), sources: HashSet::new(), window }
    }

    /// Whether it is seen for the first time within the window.
    pub(super) fn is_new(&mut self, source: &str, id: Uuid) -> bool {
        let key = (self.shared(source), id);
        if !self.seen.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.window
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    /// One text for each source, however many events it sends; a flood of made-up sources is not kept.
    fn shared(&mut self, source: &str) -> Arc<str> {
        if let Some(known) = self.sources.get(source) {
            return Arc::clone(known);
        }
        if self.sources.len() >= self.window {
            self.sources.clear();
        }
        let source: Arc<str> = source.into();
        self.sources.insert(Arc::clone(&source));
        source
    }
}

/// Incidents of which it is remembered when they were last told.
const INCIDENTS: usize = 4096;

/// Tells settlements from other updates: one repeats the event before it, its `time` included.
#[derive(Debug, Default)]
pub(super) struct Told {
    times: HashMap<Uuid, UtcMillis>,
}

impl Told {
    /// Whether `event` only tells what became of a picture.
    pub(super) fn settles(&mut self, event: &Incident) -> bool {
        if self.times.len() >= INCIDENTS {
            self.times.clear();
        }
        let before = self.times.insert(event.data.incident_id, event.time);
        event.data.phase == Phase::Update && (before == Some(event.time) || event.data.ended_at.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_repeats_the_time_before_it_settles() {
        let mut event: Incident =
            serde_json::from_str(include_str!("../../schemas/incident.example.json")).expect("the example");
        let mut told = Told::default();
        assert!(!told.settles(&event), "a beginning");
        event.data.phase = Phase::Update;
        assert!(told.settles(&event));
        event.time = event.recordedtime;
        assert!(!told.settles(&event), "news");
        event.data.phase = Phase::End;
        assert!(!told.settles(&event));
    }

    #[test]
    fn an_event_is_new_once_within_the_window() {
        let mut dedup = Dedup::new(2);
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        assert!(dedup.is_new("/x", a) && dedup.is_new("/y", a) && !dedup.is_new("/x", a));
        assert!(dedup.is_new("/x", b) && dedup.is_new("/x", c));
        assert!(dedup.is_new("/x", a), "it has left the window");
        assert_eq!((dedup.seen.len(), dedup.order.len()), (2, 2));
    }
}

//! Which events were seen, within a bounded window.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

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

#[cfg(test)]
mod tests {
    use super::*;

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

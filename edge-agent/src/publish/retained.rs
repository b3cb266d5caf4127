//! Retained state: the latest payload of each topic, kept for every connection to come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Shared by the task and its handles. As large as there are topics, which the configuration bounds.
#[derive(Debug, Clone, Default)]
pub(super) struct Retained(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    topics: Mutex<BTreeMap<String, Latest>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Latest {
    payload: Vec<u8>,
    version: u64,
}

impl Retained {
    /// Replaces the payload of a topic.
    pub(super) fn set(&self, topic: String, payload: Vec<u8>) {
        let mut topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = topics.entry(topic).or_default();
        latest.payload = payload;
        latest.version += 1;
        drop(topics);
        self.0.changed.notify_one();
    }

    /// Waits for a change since the last wait. For one task only.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The first topic whose latest version is not the one that `is_known` says was sent.
    pub(super) fn find_new(&self, is_known: impl Fn(&str, u64) -> bool) -> Option<(String, u64, Vec<u8>)> {
        let topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let (topic, latest) = topics.iter().find(|(topic, latest)| !is_known(topic, latest.version))?;
        Some((topic.clone(), latest.version, latest.payload.clone()))
    }
}

//! The connection's side of commands: what comes on `cmd/+` goes into a short queue, with what acknowledges it to the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::envelope::MOST_BYTES;
use crate::publish::mqtt::Acknowledgement;
use crate::publish::{Message, Topics};

/// Commands that wait to be looked at. As many as a broker sends without an acknowledgement: what is more is not
/// acknowledged, and comes again.
pub(super) const WAITING: usize = 32;

/// A command as it came.
pub struct Delivery {
    /// The last level of its topic.
    pub(super) level: String,
    /// What it says; cut off where it is too large anyway.
    pub(super) payload: Vec<u8>,
    /// Whether it was sent to be kept.
    pub(super) retained: bool,
    /// Says that it is safe here, or refused.
    pub(super) taken: Box<dyn FnOnce() + Send>,
}

impl Delivery {
    /// A command on `cmd/{level}`; `taken` is called once it is safe here, or refused.
    #[must_use]
    pub fn new(level: &str, mut payload: Vec<u8>, retained: bool, taken: impl FnOnce() + Send + 'static) -> Self {
        payload.truncate(MOST_BYTES + 1);
        // Longer than any name.
        Self { level: level.chars().take(64).collect(), payload, retained, taken: Box::new(taken) }
    }
}

/// What is counted of commands; totals since start.
#[derive(Debug, Default)]
pub struct CommandCounters {
    pub(super) taken: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) over_limit: AtomicU64,
    pub(super) chunks: AtomicU64,
    deaf: AtomicBool,
}

impl CommandCounters {
    /// Commands that were done or are being done.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Commands that were refused, but for those over the limit.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Commands that were more than are taken.
    #[must_use]
    pub fn over_limit(&self) -> u64 {
        self.over_limit.load(Ordering::Relaxed)
    }

    /// Parts of evidence that were sent on demand.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    /// Whether the broker does not let the box hear commands.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }
}

/// Hears commands on every connection.
#[derive(Debug, Clone)]
pub struct CommandEar {
    prefix: String,
    queue: mpsc::Sender<Delivery>,
    counters: Arc<CommandCounters>,
}

impl CommandEar {
    /// An ear for the box's commands, and where they are to be taken from.
    #[must_use]
    pub fn new(topics: &Topics, counters: Arc<CommandCounters>) -> (Self, mpsc::Receiver<Delivery>) {
        let (queue, deliveries) = mpsc::channel(WAITING);
        (Self { prefix: topics.command(""), queue, counters }, deliveries)
    }

    pub(crate) fn filter(&self) -> String {
        format!("{}+", self.prefix)
    }

    pub(crate) fn is_of(&self, topic: &str) -> bool {
        topic.starts_with(&self.prefix)
    }

    pub(crate) fn hear(&self, message: Message, acknowledgement: Acknowledgement) {
        let Message { topic, payload, retained, .. } = message;
        let level = topic.strip_prefix(&self.prefix).unwrap_or_default();
        let delivery = Delivery::new(level, payload, retained, || acknowledgement.send());
        if self.queue.try_send(delivery).is_err() {
            self.counters.over_limit.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn subscribed(&self, is_allowed: bool) {
        self.counters.deaf.store(!is_allowed, Ordering::Relaxed);
    }
}

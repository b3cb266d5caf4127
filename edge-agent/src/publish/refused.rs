//! Messages that the broker does not take: they wait, and do not hold up the others.
//!
//! A refused message stays in the outbox and is tried again after longer and longer pauses; later revisions of its
//! incident wait with it, so that their order holds. Nothing is given up: the cause (a size limit, an access list, a
//! quota) is at the broker, where a person removes it.
//!
//! A message can also be refused without a word: the broker, or the client reading its answer, drops the connection.
//! [`Suspicion`] finds it: after a connection that ended so, what was in flight is sent one at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::wire::Sequence;
use super::{LinkError, RefusalScope};

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Single messages that may wait; with more of them, everything waits.
const MAX_MESSAGES: usize = 64;
/// A message that was alone in flight this often when the connection broke is taken for the cause.
const STRIKES: u32 = 3;

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    times: u32,
}

impl Pause {
    /// The next one, after another refusal. What was in flight when it began is refused with it: that is no further attempt.
    fn extend(pause: Option<&Self>, now: Instant) -> Self {
        if let Some(pause) = pause.filter(|pause| pause.until > now) {
            return *pause;
        }
        let times = pause.map_or(0, |pause| pause.times + 1);
        let length = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE);
        Self { until: now + length, times }
    }
}

/// What is to wait, and until when.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: BTreeMap<Sequence, Pause>,
    topics: BTreeMap<String, Pause>,
    everything: Option<Pause>,
}

impl Held {
    /// Notes a refusal.
    pub(super) fn refuse(&mut self, sequence: Sequence, topic: &str, scope: RefusalScope, now: Instant) {
        match scope {
            RefusalScope::Message if self.messages.len() < MAX_MESSAGES || self.messages.contains_key(&sequence) => {
                let pause = Pause::extend(self.messages.get(&sequence), now);
                self.messages.insert(sequence, pause);
            }
            RefusalScope::Topic => {
                let pause = Pause::extend(self.topics.get(topic), now);
                self.topics.insert(topic.to_owned(), pause);
            }
            RefusalScope::Message | RefusalScope::Broker => {
                self.everything = Some(Pause::extend(self.everything.as_ref(), now));
            }
        }
    }

    /// Notes that the broker took a message: what was held with it is free again.
    pub(super) fn accept(&mut self, sequence: Sequence, topic: &str) {
        self.messages.remove(&sequence);
        self.topics.remove(topic);
        self.everything = None;
    }

    /// Whether nothing may be sent.
    pub(super) fn holds_everything(&self, now: Instant) -> bool {
        self.everything.is_some_and(|pause| pause.until > now)
    }

    /// Messages that wait.
    pub(super) fn messages(&self, now: Instant) -> impl Iterator<Item = Sequence> {
        self.messages.iter().filter(move |(_, pause)| pause.until > now).map(|(sequence, _)| *sequence)
    }

    /// Topics that wait.
    pub(super) fn topics(&self, now: Instant) -> impl Iterator<Item = &String> {
        self.topics.iter().filter(move |(_, pause)| pause.until > now).map(|(topic, _)| topic)
    }

    /// When the first of them may go again.
    pub(super) fn next_release(&self, now: Instant) -> Option<Instant> {
        let pauses = self.messages.values().chain(self.topics.values()).chain(&self.everything);
        pauses.map(|pause| pause.until).filter(|until| *until > now).min()
    }
}

/// What is remembered from connection to connection.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// What waits.
    pub(super) held: Held,
    /// Acknowledgements still to come one at a time.
    careful: usize,
    /// The message that was alone in flight when the connection broke, and how often in a row.
    alone: Option<(Sequence, u32)>,
}

impl Suspicion {
    /// Events that may be in flight.
    pub(super) fn window(&self, normal: usize) -> usize {
        if self.is_careful() { 1 } else { normal }
    }

    /// Whether events are sent one at a time, to find the one that breaks the connection.
    pub(super) fn is_careful(&self) -> bool {
        self.careful > 0
    }

    /// An event was acknowledged.
    pub(super) fn acknowledged(&mut self, sequence: Sequence, topic: &str) {
        self.careful = self.careful.saturating_sub(1);
        self.alone = None;
        self.held.accept(sequence, topic);
    }

    /// The connection ended with these events in flight. `fruitless`: it had acknowledged none. Whether an event was
    /// found to be the cause, and is held from now on.
    pub(super) fn connection_ended(
        &mut self,
        error: &LinkError,
        in_flight: &[(Sequence, String)],
        fruitless: bool,
        now: Instant,
    ) -> bool {
        if in_flight.is_empty() || !(fruitless || matches!(error, LinkError::Protocol { .. })) {
            return false;
        }
        self.careful = in_flight.len();
        let [(sequence, topic)] = in_flight else { return false };
        let strikes = match self.alone {
            Some((same, strikes)) if same == *sequence => strikes + 1,
            _ => 1,
        };
        self.alone = Some((*sequence, strikes));
        if strikes < STRIKES {
            return false;
        }
        tracing::warn!(%sequence, topic, "the connection breaks whenever this event is sent; it waits");
        self.held.refuse(*sequence, topic, RefusalScope::Message, now);
        self.alone = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64) -> (Sequence, String) {
        (Sequence(sequence), "topic".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_breaks_every_connection_is_found_and_held() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        let error = LinkError::Protocol { reason: String::new() };
        suspicion.connection_ended(&error, &[event(1), event(2), event(3)], false, now);
        assert_eq!(suspicion.window(16), 1);
        suspicion.acknowledged(Sequence(1), "topic");
        for _ in 0..STRIKES {
            assert_eq!(suspicion.held.messages(now).count(), 0);
            suspicion.connection_ended(&error, &[event(2)], false, now);
        }
        assert!(suspicion.held.messages(now).eq([Sequence(2)]));
        suspicion.acknowledged(Sequence(3), "topic");
        assert_eq!(suspicion.window(16), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_link_that_had_delivered_raises_no_suspicion() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        for _ in 0..10 {
            suspicion.connection_ended(&LinkError::Silent, &[event(7)], false, now);
        }
        assert_eq!(suspicion.window(16), 16);
        assert_eq!(suspicion.held.messages(now).count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_from_attempt_to_attempt_and_end() {
        for scope in [RefusalScope::Message, RefusalScope::Topic, RefusalScope::Broker] {
            let (mut held, mut now, mut length) = (Held::default(), Instant::now(), FIRST_PAUSE);
            for _ in 0..40 {
                held.refuse(Sequence(1), "topic", scope, now);
                assert_eq!(held.next_release(now), Some(now + length), "{scope:?}");
                (now, length) = (now + length, (2 * length).min(LONGEST_PAUSE));
                assert_eq!(held.next_release(now), None);
            }
            held.refuse(Sequence(1), "topic", scope, now);
            held.accept(Sequence(1), "topic");
            assert_eq!(held.next_release(now), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_in_flight_together_and_is_refused_together_is_one_refusal() {
        for scope in [RefusalScope::Topic, RefusalScope::Broker] {
            let (mut held, now) = (Held::default(), Instant::now());
            for sequence in 1..=16 {
                held.refuse(Sequence(sequence), "topic", scope, now);
            }
            assert_eq!(held.next_release(now), Some(now + FIRST_PAUSE), "{scope:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_refused_messages_hold_everything() {
        let (mut held, now) = (Held::default(), Instant::now());
        for sequence in 0..=MAX_MESSAGES as u64 {
            assert!(!held.holds_everything(now));
            held.refuse(Sequence(sequence), "topic", RefusalScope::Message, now);
        }
        assert!(held.holds_everything(now));
        assert_eq!(held.messages(now).count(), MAX_MESSAGES);
    }
}

//! What commands make the box say: answers, as soon as events may go at all, one at a time and in order; and parts of
//! evidence, when nothing else wants the link, paced.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Drain, Flight, PACKET_OVERHEAD, What};
use crate::outbox::{OutboxError, WaitingAck};
use crate::publish::wire::STATE_CONTENT_TYPE;
use crate::publish::{Link, Message, PublishError, RefusalScope};

/// Of parts of evidence: under half of a link of 256 kbit/s, so that an event that begins waits for one part at most.
/// Raising it fetches faster; on a slow link events then wait longer.
const CHUNK_BITS_PER_S: u64 = 96_000;

/// A part of a file on its way.
#[derive(Debug)]
pub struct Chunk {
    /// The topic.
    pub topic: String,
    /// Header and bytes.
    pub payload: Vec<u8>,
    /// Told whether the broker took it; dropped where the connection ended first.
    pub taken: oneshot::Sender<bool>,
}

impl<L: Link> Drain<'_, L> {
    /// Sends the oldest answer, if none is on its way.
    pub(super) async fn feed_ack(&mut self) -> Result<(), OutboxError> {
        let now = self.fed_at;
        let is_flying = self.flights.iter().any(|flight| matches!(flight.what, What::Ack { .. }));
        let waiting = self.outbox.stats().borrow().acks;
        let may_send = now >= self.send_after && self.acks.paused_until(now).is_none();
        if waiting == 0 || is_flying || !may_send {
            return Ok(());
        }
        match self.outbox.next_ack().await {
            Ok(Some(WaitingAck { number, topic, payload, .. })) => {
                if payload.len() + topic.len() + PACKET_OVERHEAD > self.max_packet_bytes {
                    tracing::warn!(number, "an answer to a command is larger than the broker takes; it is given up");
                    return self.outbox.ack_done(self.outbox_id, number).await;
                }
                let message = Message { topic, payload, content_type: STATE_CONTENT_TYPE, retained: false };
                let ack = self.link.publish(message);
                self.flights.push(Flight { what: What::Ack { number }, sent_at: Instant::now(), ack });
            }
            Ok(None) => {}
            Err(error) if error.is_transient() => self.acks.refused(now),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    pub(super) async fn answered(&mut self, number: u64, result: Result<(), PublishError>) {
        match result {
            Ok(()) => {
                self.acks.accepted();
                // The outbox's end is noticed by the next `feed`.
                let _ = self.outbox.ack_done(self.outbox_id, number).await;
            }
            Err(PublishError::Refused { reason, scope: RefusalScope::Message }) => {
                tracing::warn!(number, reason, "an answer to a command was refused; it is given up");
                let _ = self.outbox.ack_done(self.outbox_id, number).await;
            }
            Err(PublishError::Refused { reason, .. }) => {
                tracing::warn!(reason, "answers to commands are refused; they wait in the outbox");
                self.acks.refused(Instant::now());
            }
            Err(PublishError::Gone) => {}
        }
    }

    /// Sends the part that waits, if no event and no thumbnail wants the link.
    pub(super) fn feed_chunk(&mut self) {
        let now = self.fed_at;
        let is_quiet = self.flights.iter().all(|flight| matches!(flight.what, What::State { .. }));
        let thumbnails = self.outbox.stats().borrow().thumbnails;
        let gives_way = thumbnails > 0 && self.thumbnails.paused_until(now).is_none();
        let may_send = self.no_event_due && is_quiet && !gives_way && !self.stopping && !self.suspicion.is_careful();
        if !may_send || now < *self.chunk_after {
            return;
        }
        let Some(Chunk { topic, payload, taken }) = self.chunk.take() else { return };
        let bytes = payload.len() + topic.len() + PACKET_OVERHEAD;
        if bytes > self.max_packet_bytes {
            let _ = taken.send(false);
            return;
        }
        *self.chunk_after = now + Duration::from_millis(bytes as u64 * 8 * 1000 / CHUNK_BITS_PER_S);
        let ack = self.link.publish(Message { topic, payload, content_type: CHUNK_CONTENT_TYPE, retained: false });
        self.flights.push(Flight { what: What::Chunk { taken }, sent_at: Instant::now(), ack });
    }

    /// When the part that waits may be sent.
    pub(super) fn chunk_due(&self) -> Option<Instant> {
        self.chunk.is_some().then_some(*self.chunk_after)
    }
}

/// MQTT content type of parts of files: a line of JSON and bytes.
pub(crate) const CHUNK_CONTENT_TYPE: &str = "application/octet-stream";

/// What came of a part; nothing where the connection ended first, and it is sent again.
pub(super) fn chunk_taken(taken: oneshot::Sender<bool>, result: Result<(), PublishError>) {
    match result {
        Ok(()) => drop(taken.send(true)),
        Err(PublishError::Refused { reason, .. }) => {
            tracing::warn!(reason, "a part of evidence was refused");
            let _ = taken.send(false);
        }
        Err(PublishError::Gone) => {}
    }
}

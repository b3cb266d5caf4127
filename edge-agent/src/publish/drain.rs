//! One connection's work: hello, retained state, and the outbox in its order.

mod answers;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::audit::AuditFeed;
use super::refused::Suspicion;
use super::retained::Retained;
use super::settling::Settling;
use super::thumbnails::Thumbnails;
pub use answers::Chunk;

use super::wire::{Birth, EVENT_CONTENT_TYPE, HostState, JPEG_CONTENT_TYPE, STATE_CONTENT_TYPE, Sequence};
use super::{
    BoxFuture, Link, LinkError, Message, PublishError, PublishParams, PublishStatus, PublishTask, Publisher,
    RefusalScope,
};
use crate::audit::AuditStatus;
use crate::outbox::{Entry, NextRequest, Outbox, OutboxError, Thumbnail};
use crate::status::pulse::Pulse;

/// Events from before the connection in flight: few, so that on a slow link a live one has no long queue before it
/// (four of 2 KiB are a quarter of a second at 256 kbit/s), whatever the link carries.
const BACKLOG_IN_FLIGHT: usize = 4;
/// Retained messages in flight beside the events.
const STATE_IN_FLIGHT: usize = 4;
/// A connection that lasted this long was good, even if it carried no event.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// Pause after the outbox could not be read.
const OUTBOX_PAUSE: Duration = Duration::from_secs(1);
/// For `stopped`, when the time to stop is already used up.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// Topic, packet identifier and properties, beside the payload.
const PACKET_OVERHEAD: usize = 128;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// As asked; `stopped` was published if the broker still answered.
    Stopped,
    /// By itself.
    Lost(LinkError),
    /// This box has another identity now, and nothing is in flight any more: the next connection is made with it.
    Renewed,
    /// The outbox was set aside: numbers mean other events now, so everything starts again.
    Replaced,
}

/// What the connection leaves to the next one.
pub(super) struct Report {
    /// Events that must be sent again.
    pub(super) unacknowledged: u64,
    /// It lasted, or it delivered.
    pub(super) healthy: bool,
    /// An event was found to break connections, and is held.
    pub(super) held: bool,
    /// A thumbnail was found to break connections, and is to be given up.
    pub(super) thumbnail_given_up: Option<(Uuid, u64)>,
    /// The same of an answer to a command.
    pub(super) ack_given_up: Option<(Uuid, u64)>,
    /// Subscribers were given their time, or needed none.
    pub(super) settled: bool,
}

/// What one connection leaves to the next.
pub(super) struct Memory<'a> {
    pub(super) suspicion: &'a mut Suspicion,
    pub(super) thumbnails: &'a mut Thumbnails,
    /// The same pauses for answers to commands.
    pub(super) acks: &'a mut Thumbnails,
    /// Parts of evidence that commands ask for.
    pub(super) chunks: &'a mut mpsc::Receiver<Chunk>,
    /// The next one.
    pub(super) chunk: &'a mut Option<Chunk>,
    pub(super) chunk_after: &'a mut Instant,
    pub(super) audit: Option<&'a mut AuditFeed>,
}

enum What {
    Event { sequence: Sequence, topic: String, replayed: bool },
    Thumbnail { number: u64 },
    Ack { number: u64 },
    Chunk { taken: oneshot::Sender<bool> },
    Question,
    Audit { number: u64 },
    State { topic: String, version: u64 },
}

struct Flight {
    what: What,
    sent_at: Instant,
    ack: BoxFuture<Result<(), PublishError>>,
}

/// The state of one connection.
pub(super) struct Drain<'a, L> {
    link: &'a L,
    params: &'a PublishParams,
    outbox: &'a Outbox,
    retained: &'a Retained,
    status: &'a watch::Sender<PublishStatus>,
    pulse: &'a Pulse,
    suspicion: &'a mut Suspicion,
    thumbnails: &'a mut Thumbnails,
    acks: &'a mut Thumbnails,
    chunks: &'a mut mpsc::Receiver<Chunk>,
    chunk: &'a mut Option<Chunk>,
    chunk_after: &'a mut Instant,
    births: watch::Receiver<Birth>,
    audit: Option<&'a mut AuditFeed>,
    max_packet_bytes: usize,
    /// The outbox that the connection was made for.
    outbox_id: Uuid,
    /// The last event committed before this connection.
    mark: Sequence,
    flights: Vec<Flight>,
    /// Versions of retained state sent or given up on this connection.
    known: BTreeMap<String, u64>,
    connected_at: Instant,
    delivered: u64,
    /// When the outbox was last looked at.
    fed_at: Instant,
    /// No event before this.
    send_after: Instant,
    /// No event while subscribers are given time.
    settling: Option<Settling>,
    /// No event from before the connection before this.
    backlog_after: Instant,
    host_online: bool,
    stopping: bool,
    /// Nothing more is sent on this connection: another one follows once everything is acknowledged.
    renewing: bool,
    /// Nothing more to send when last looked.
    drained: bool,
    /// No event was due when last looked, not even a late one.
    no_event_due: bool,
}

impl<'a, L: Link> Drain<'a, L> {
    pub(super) fn new<P: Publisher<Link = L>>(
        link: &'a L,
        task: &'a PublishTask<P>,
        memory: Memory<'a>,
        max_packet_bytes: Option<u32>,
        settle: bool,
    ) -> Self {
        let now = Instant::now();
        let (outbox_id, mark) = {
            let stats = task.outbox.stats();
            let stats = stats.borrow();
            (stats.outbox_id, stats.last_sequence)
        };
        Self {
            link,
            params: &task.params,
            outbox: &task.outbox,
            retained: &task.retained,
            status: &task.status,
            pulse: &task.pulse,
            suspicion: memory.suspicion,
            thumbnails: memory.thumbnails,
            acks: memory.acks,
            chunks: memory.chunks,
            chunk: memory.chunk,
            chunk_after: memory.chunk_after,
            births: task.birth.subscribe(),
            audit: memory.audit,
            max_packet_bytes: max_packet_bytes.map_or(usize::MAX, |bytes| bytes as usize),
            outbox_id,
            mark,
            flights: Vec::new(),
            known: BTreeMap::new(),
            connected_at: now,
            delivered: 0,
            fed_at: now,
            send_after: now,
            settling: if settle { Settling::new(task.params.settle, now) } else { None },
            backlog_after: now,
            host_online: task.params.primary_host.is_none(),
            stopping: false,
            renewing: false,
            drained: false,
            no_event_due: false,
        }
    }

    /// Runs until `stop` or until something is wrong; must be polled together with the connection's driver.
    pub(super) async fn run(
        &mut self,
        mut inbound: mpsc::Receiver<Message>,
        hello: impl Fn() -> [Message; 2],
        goodbye: Message,
        mut renewed: BoxFuture<()>,
        stop: &CancellationToken,
    ) -> End {
        for message in hello() {
            self.send_state(message, 0);
        }
        if let Some(host) = &self.params.primary_host {
            let filter = self.params.topics.host_state(host);
            if let Err(error) = self.link.subscribe(filter).await {
                tracing::warn!(%error, "cannot see whether the primary host is online; events wait");
            }
        }
        let mut stats = self.outbox.stats();
        let mut log = self.audit.as_ref().map(|audit| audit.status());
        let mut stop_by = Instant::now() + Duration::from_secs(86_400 * 365);
        loop {
            self.pulse.works();
            let fed = if self.renewing && !self.stopping { Ok(()) } else { self.feed_all().await };
            if let Err(OutboxError::Stopped) = fed {
                tracing::error!("the outbox has stopped; publishing ends");
                return End::Stopped;
            }
            if self.stopping && (self.is_done() || Instant::now() >= stop_by) {
                self.say_goodbye(goodbye, stop_by).await;
                return End::Stopped;
            }
            if self.renewing && self.flights.is_empty() {
                return End::Renewed;
            }
            if self.is_to_ask() {
                self.ask();
            }
            let wake_at = self.wake_at().min(stop_by);
            self.pulse.waits();
            tokio::select! {
                (flight, result) = next_ack(&mut self.flights) => self.acknowledge(flight, result).await,
                changed = stats.changed() => if changed.is_err() { return End::Stopped },
                () = self.retained.changed() => {}
                Ok(()) = self.births.changed() => {
                    // Everything is said once more, on the next round.
                    self.known.clear();
                    for message in hello() {
                        self.send_state(message, 0);
                    }
                }
                Some(chunk) = self.chunks.recv(), if self.chunk.is_none() => *self.chunk = Some(chunk),
                () = another(&mut log) => {}
                Some(message) = inbound.recv() => self.hear(&message),
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    stop_by = Instant::now() + self.params.stop_within;
                }
                () = &mut renewed, if !self.renewing => self.renewing = true,
                () = tokio::time::sleep_until(wake_at) => {}
            }
            if self.oldest_sent_at().is_some_and(|at| at.elapsed() >= self.params.ack_timeout) {
                return End::Lost(LinkError::Silent);
            }
            if stats.borrow().outbox_id != self.outbox_id {
                return End::Replaced;
            }
        }
    }

    fn is_to_ask(&self) -> bool {
        let due = self.settling.as_ref().and_then(Settling::ask_at);
        !self.stopping && !self.renewing && due.is_some_and(|due| due <= Instant::now())
    }

    fn ask(&mut self) {
        let ack = self.link.ping();
        self.flights.push(Flight { what: What::Question, sent_at: Instant::now(), ack });
        if let Some(settling) = &mut self.settling {
            settling.asked();
        }
    }

    /// Ends the connection's bookkeeping.
    pub(super) fn finish(self, end: &End) -> Report {
        let (mut in_flight, mut thumbnail): (Vec<(Sequence, String)>, Option<u64>) = (Vec::new(), None);
        let mut answer = None;
        let mut line = None;
        for flight in self.flights {
            match flight.what {
                What::Event { sequence, topic, .. } => in_flight.push((sequence, topic)),
                What::Thumbnail { number } => thumbnail = Some(number),
                What::Ack { number } => answer = Some(number),
                What::Audit { number } => line = Some(number),
                What::State { .. } | What::Question | What::Chunk { .. } => {}
            }
        }
        let is_ack_bad =
            matches!((end, answer), (End::Lost(error), Some(number)) if self.acks.connection_ended(error, number));
        if let (End::Lost(error), Some(number), Some(audit)) = (end, line, self.audit) {
            audit.connection_ended(error, number, Instant::now());
        }
        let (held, given_up) = match (end, thumbnail) {
            // An event that is to blame will be so again, and no thumbnail is sent beside it.
            (End::Lost(error), Some(number)) => (false, self.thumbnails.connection_ended(error, number)),
            (End::Lost(error), None) => {
                let fruitless = self.delivered == 0;
                (self.suspicion.connection_ended(error, &in_flight, fruitless, Instant::now()), false)
            }
            (End::Stopped | End::Renewed | End::Replaced, _) => (false, false),
        };
        Report {
            unacknowledged: in_flight.len() as u64,
            healthy: self.delivered > 0 || self.connected_at.elapsed() >= GOOD_AFTER,
            held,
            thumbnail_given_up: thumbnail.filter(|_| given_up).map(|number| (self.outbox_id, number)),
            ack_given_up: answer.filter(|_| is_ack_bad).map(|number| (self.outbox_id, number)),
            settled: self.settling.is_none(),
        }
    }

    async fn feed_all(&mut self) -> Result<(), OutboxError> {
        self.send_changed_state();
        self.feed().await?;
        self.feed_ack().await?;
        self.feed_audit().await;
        self.feed_thumbnail().await?;
        self.feed_chunk();
        Ok(())
    }

    fn events_in_flight(&self) -> usize {
        self.flights.iter().filter(|flight| matches!(flight.what, What::Event { .. })).count()
    }

    /// A stop waits for what is live only; the rest is safe in the outbox.
    fn may_send_backlog(&self, now: Instant) -> bool {
        let is_backlog = |flight: &&Flight| matches!(flight.what, What::Event { replayed: true, .. });
        let in_flight = self.flights.iter().filter(is_backlog).count();
        now >= self.backlog_after && in_flight < BACKLOG_IN_FLIGHT && !self.stopping
    }

    fn oldest_sent_at(&self) -> Option<Instant> {
        self.flights.iter().map(|flight| flight.sent_at).min()
    }

    fn is_done(&self) -> bool {
        self.flights.is_empty() && self.drained
    }

    /// When something becomes due that no channel announces: compared with the moment of the last feeding, not with
    /// the present, so that what became due in between is not slept over.
    fn wake_at(&self) -> Instant {
        let far = self.fed_at + Duration::from_secs(3600);
        let mut wake_at = self.oldest_sent_at().map_or(far, |at| at + self.params.ack_timeout);
        let asks_at = self.settling.as_ref().and_then(Settling::ask_at);
        wake_at = asks_at.filter(|_| !self.stopping && !self.renewing).map_or(wake_at, |at| wake_at.min(at));
        let (pending, thumbnails, acks) = {
            let stats = self.outbox.stats();
            let stats = stats.borrow();
            (stats.pending, stats.thumbnails, stats.acks)
        };
        if acks > 0 {
            wake_at = self.acks.paused_until(self.fed_at).map_or(wake_at, |until| wake_at.min(until));
        }
        wake_at = self.chunk_due().filter(|due| *due > self.fed_at).map_or(wake_at, |due| wake_at.min(due));
        if thumbnails > 0 {
            wake_at = self.thumbnails.paused_until(self.fed_at).map_or(wake_at, |until| wake_at.min(until));
        }
        if let Some(until) = self.audit.as_ref().and_then(|audit| audit.paused_until(self.fed_at)) {
            wake_at = wake_at.min(until);
        }
        if pending > self.events_in_flight() as u64 || thumbnails > 0 || acks > 0 {
            let release = self.suspicion.held.next_release(self.fed_at);
            let dues = [Some(self.send_after), Some(self.backlog_after), release].into_iter().flatten();
            wake_at = dues.filter(|due| *due > self.fed_at).fold(wake_at, Instant::min);
        }
        wake_at
    }

    /// Fills the window from the outbox.
    async fn feed(&mut self) -> Result<(), OutboxError> {
        let now = Instant::now();
        self.fed_at = now;
        self.no_event_due = false;
        let window = self.suspicion.window(self.params.in_flight);
        let limit = window.saturating_sub(self.events_in_flight());
        let held = &self.suspicion.held;
        if limit == 0 {
            return Ok(());
        }
        if now < self.send_after || self.settling.is_some() || !self.host_online || held.holds_everything(now) {
            self.drained = true;
            return Ok(());
        }
        let in_flight = self.flights.iter().filter_map(|flight| match &flight.what {
            What::Event { sequence, .. } => Some(*sequence),
            What::State { .. }
            | What::Question
            | What::Thumbnail { .. }
            | What::Audit { .. }
            | What::Ack { .. }
            | What::Chunk { .. } => None,
        });
        let with_backlog = self.may_send_backlog(now);
        let request = NextRequest {
            mark: self.mark,
            held: in_flight.chain(held.messages(now)).collect(),
            held_topics: held.topics(now).cloned().collect(),
            limit,
            backlog: usize::from(with_backlog),
        };
        match self.outbox.next(request).await {
            Ok(entries) => {
                self.drained = entries.is_empty();
                self.no_event_due = entries.is_empty() && (with_backlog || self.outbox.stats().borrow().pending == 0);
                for entry in entries {
                    self.send_event(entry);
                }
                Ok(())
            }
            Err(error) if error.is_transient() => {
                self.drained = true;
                self.send_after = now + OUTBOX_PAUSE;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a line of the audit log, if none is on its way and no event wants the link.
    async fn feed_audit(&mut self) {
        let no_flight = self.flights.iter().all(|flight| matches!(flight.what, What::State { .. }));
        let may_send = self.no_event_due && no_flight && !self.stopping && !self.suspicion.is_careful();
        let Some(audit) = self.audit.as_mut().filter(|_| may_send) else { return };
        if audit.paused_until(self.fed_at).is_some() {
            return;
        }
        let topic = self.params.topics.audit();
        while let Some((number, payload)) = audit.next().await {
            if payload.len() + topic.len() + PACKET_OVERHEAD > self.max_packet_bytes {
                tracing::warn!(number, "an audit line is larger than the broker takes; it stays on the box");
                audit.done(number).await;
                continue;
            }
            let ack = self.link.publish(Message { topic, payload, content_type: STATE_CONTENT_TYPE, retained: false });
            self.flights.push(Flight { what: What::Audit { number }, sent_at: Instant::now(), ack });
            return;
        }
    }

    /// Sends a thumbnail, if none is on its way and no event wants the link.
    async fn feed_thumbnail(&mut self) -> Result<(), OutboxError> {
        let now = self.fed_at;
        let no_flight = self.flights.iter().all(|flight| matches!(flight.what, What::State { .. }));
        let may_send = self.no_event_due && no_flight && !self.stopping && !self.suspicion.is_careful();
        let waiting = self.outbox.stats().borrow().thumbnails;
        if !may_send || waiting == 0 || self.thumbnails.paused_until(now).is_some() {
            return Ok(());
        }
        match self.outbox.next_thumbnail().await {
            Ok(Some(thumbnail)) => self.send_thumbnail(thumbnail).await,
            Ok(None) => {}
            Err(error) if error.is_transient() => self.thumbnails.refused(now),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn send_thumbnail(&mut self, thumbnail: Thumbnail) {
        let Thumbnail { number, topic, payload, .. } = thumbnail;
        if payload.len() + topic.len() + PACKET_OVERHEAD > self.max_packet_bytes {
            return self.give_up(number, "larger than the broker takes").await;
        }
        let ack = self.link.publish(Message { topic, payload, content_type: JPEG_CONTENT_TYPE, retained: false });
        self.flights.push(Flight { what: What::Thumbnail { number }, sent_at: Instant::now(), ack });
    }

    async fn give_up(&mut self, number: u64, reason: &str) {
        tracing::warn!(number, reason, "a thumbnail was refused; it is given up");
        self.status.send_modify(|status| status.thumbnails_given_up += 1);
        let _ = self.outbox.thumbnail_done(self.outbox_id, number).await;
    }

    fn send_event(&mut self, entry: Entry) {
        let Entry { sequence, topic, payload, replayed, .. } = entry;
        let now = Instant::now();
        if replayed {
            self.backlog_after = now + self.params.backlog_every;
        }
        if payload.len() + topic.len() + PACKET_OVERHEAD > self.max_packet_bytes {
            self.refused(sequence, &topic, "larger than the broker takes", RefusalScope::Message);
            return;
        }
        let content_type = EVENT_CONTENT_TYPE;
        let ack = self.link.publish(Message { topic: topic.clone(), payload, content_type, retained: false });
        self.flights.push(Flight { what: What::Event { sequence, topic, replayed }, sent_at: now, ack });
        self.status.send_modify(|status| status.in_flight += 1);
    }

    fn send_state(&mut self, message: Message, version: u64) {
        let topic = message.topic.clone();
        let ack = self.link.publish(message);
        self.flights.push(Flight { what: What::State { topic, version }, sent_at: Instant::now(), ack });
    }

    /// Sends retained state that changed: one at a time for each topic, so that the latest is last.
    fn send_changed_state(&mut self) {
        loop {
            let on_their_way: Vec<&str> = self
                .flights
                .iter()
                .filter_map(|flight| match &flight.what {
                    What::State { topic, .. } => Some(topic.as_str()),
                    What::Event { .. }
                    | What::Question
                    | What::Thumbnail { .. }
                    | What::Audit { .. }
                    | What::Ack { .. }
                    | What::Chunk { .. } => None,
                })
                .collect();
            if on_their_way.len() >= STATE_IN_FLIGHT {
                return;
            }
            let is_known =
                |topic: &str, version| self.known.get(topic) == Some(&version) || on_their_way.contains(&topic);
            let Some((topic, version, payload)) = self.retained.find_new(is_known) else { return };
            self.send_state(Message::state(topic, payload), version);
        }
    }

    async fn acknowledge(&mut self, what: What, result: Result<(), PublishError>) {
        match (what, result) {
            (What::Event { sequence, topic, .. }, Ok(())) => {
                self.delivered += 1;
                self.suspicion.acknowledged(sequence, &topic);
                // The outbox's end is noticed by the next `feed`.
                let _ = self.outbox.delivered(self.outbox_id, sequence).await;
                self.status.send_modify(|status| {
                    status.in_flight = status.in_flight.saturating_sub(1);
                    status.delivered += 1;
                    status.last_error = None;
                });
            }
            (What::Event { sequence, topic, .. }, Err(error)) => {
                self.status.send_modify(|status| status.in_flight = status.in_flight.saturating_sub(1));
                if let PublishError::Refused { reason, scope } = error {
                    self.refused(sequence, &topic, &reason, scope);
                }
            }
            (What::Thumbnail { number }, Ok(())) => {
                self.thumbnails.accepted();
                self.status.send_modify(|status| status.thumbnails += 1);
                let _ = self.outbox.thumbnail_done(self.outbox_id, number).await;
            }
            (What::Thumbnail { number }, Err(PublishError::Refused { reason, scope: RefusalScope::Message })) => {
                self.give_up(number, &reason).await;
            }
            (What::Thumbnail { .. }, Err(PublishError::Refused { reason, .. })) => {
                tracing::warn!(reason, "thumbnails are refused; they wait in the outbox");
                self.thumbnails.refused(Instant::now());
            }
            (What::Question, Ok(())) => {
                let now = Instant::now();
                self.settling.take_if(|settling| settling.answered(now));
            }
            (What::Question, Err(_)) => {
                if let Some(settling) = &mut self.settling {
                    settling.unanswered(Instant::now());
                }
            }
            (What::Ack { number }, result) => self.answered(number, result).await,
            (What::Chunk { taken }, result) => answers::chunk_taken(taken, result),
            (What::Thumbnail { .. } | What::Audit { .. }, Err(PublishError::Gone)) => {}
            (What::Audit { number }, Ok(())) => {
                if let Some(audit) = self.audit.as_mut() {
                    audit.done(number).await;
                }
            }
            (What::Audit { number }, Err(PublishError::Refused { reason, .. })) => {
                tracing::warn!(number, reason, "an audit line is refused; it waits in the log");
                if let Some(audit) = self.audit.as_mut() {
                    audit.refused(Instant::now());
                }
            }
            (What::State { topic, version }, result) => {
                if let Err(error @ PublishError::Refused { .. }) = result {
                    tracing::warn!(topic, %error, "retained state was not published");
                }
                self.known.insert(topic, version);
            }
        }
    }

    fn refused(&mut self, sequence: Sequence, topic: &str, reason: &str, scope: RefusalScope) {
        tracing::warn!(%sequence, topic, reason, "an event was refused; it waits in the outbox");
        self.suspicion.held.refuse(sequence, topic, scope, Instant::now());
        self.status.send_modify(|status| {
            status.refused += 1;
            status.last_error = Some(format!("event {sequence} refused: {reason}"));
        });
    }

    /// The primary host's state.
    fn hear(&mut self, message: &Message) {
        let Some(host) = &self.params.primary_host else { return };
        if message.topic != self.params.topics.host_state(host) {
            return;
        }
        let online = serde_json::from_slice::<HostState>(&message.payload).is_ok_and(|state| state.online);
        tracing::info!(host, online, "primary host");
        self.host_online = online;
        self.status.send_modify(|status| status.host_online = Some(online));
    }

    async fn say_goodbye(&mut self, goodbye: Message, stop_by: Instant) {
        let within = stop_by.max(Instant::now() + GOODBYE_WITHIN);
        let _ = tokio::time::timeout_at(within, self.link.publish(goodbye)).await;
    }
}

/// Completes when the audit log has another line; never, without one.
async fn another(log: &mut Option<watch::Receiver<AuditStatus>>) {
    if let Some(log) = log
        && log.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// The next acknowledgement, in the order of sending when several are there; pending for ever when nothing flies.
async fn next_ack(flights: &mut Vec<Flight>) -> (What, Result<(), PublishError>) {
    poll_fn(|context| {
        for at in 0..flights.len() {
            if let Poll::Ready(result) = flights[at].ack.as_mut().poll(context) {
                return Poll::Ready((flights.remove(at).what, result));
            }
        }
        Poll::Pending
    })
    .await
}

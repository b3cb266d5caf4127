//! The other end: subscribes as a centre would, drops duplicates, hands events on.
//!
//! # Failure
//! A lost connection is made again at once and then at a fixed short interval: a subscriber that returns before the
//! boxes' settle time is over misses nothing. A payload that cannot be read is reported, with its topic, never dropped
//! silently and never a panic.
//!
//! # Ownership
//! One task; the sink is called in it, and an event is acknowledged to the broker after the sink has returned.

mod dedup;
mod line;
mod picture;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use line::{line, saved_line, vietnam};
pub use picture::Picture;

use crate::publish::mqtt::{self, Client, Heard, Stage, Wanted};
use crate::publish::wire::{self, Ack, HostState, Incident, Measurement, System, UtcMillis};
use crate::publish::{BrokerParams, Identity, LinkError, Message, TopicRoot};
pub use crate::text::Lang;
use dedup::{Dedup, Told};

/// Duplicates are recognised among this many events.
const WINDOW: usize = 65_536;

/// A command that reaches no box within this is of no use.
const COMMAND_EXPIRY_S: u32 = 60;

/// Between two attempts after a refused log-in.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// What to watch, and as whom.
#[derive(Debug, Clone)]
pub struct WatchParams {
    /// The broker.
    pub broker: BrokerParams,
    /// The root of all topics.
    pub root: TopicRoot,
    /// A stable name, under which the broker keeps what arrives while this watcher is away; `None`: a new one each
    /// time, and nothing is kept.
    pub client_id: Option<String>,
    /// Says under this name that a centre listens, so that boxes with this primary host send.
    pub host: Option<String>,
    /// Whether pictures are wanted too.
    pub pictures: bool,
    /// Whether traffic measures are wanted too.
    pub measures: bool,
    /// Between two attempts to connect. Must be well below the boxes' settle time.
    pub reconnect_every: Duration,
}

impl WatchParams {
    /// A watcher without a session or a host name, which does not ask for pictures.
    #[must_use]
    pub fn new(broker: BrokerParams, root: TopicRoot) -> Self {
        Self {
            broker,
            root,
            client_id: None,
            host: None,
            pictures: false,
            measures: false,
            reconnect_every: Duration::from_millis(300),
        }
    }
}

/// A message and its event.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival<E> {
    /// The topic.
    pub topic: String,
    /// The bytes that came.
    pub payload: Vec<u8>,
    /// What they say.
    pub event: E,
    /// It repeats the event before it and only tells what became of a picture.
    pub settles: bool,
}

/// What a watcher sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Connected and subscribed.
    Subscribed,
    /// The connection is gone, or could not be made.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// An incident event, for the first time.
    Incident(Box<Arrival<Incident>>),
    /// A box's own event, for the first time.
    System(Box<Arrival<System>>),
    /// Traffic measures, for the first time.
    Measurement(Box<Arrival<Measurement>>),
    /// A picture, which may come twice.
    Picture(Box<Picture>),
    /// An event that was seen before.
    Duplicate {
        /// Its source.
        source: String,
        /// Its id.
        id: Uuid,
    },
    /// A message that cannot be read.
    Malformed {
        /// Its topic.
        topic: String,
        /// What is wrong.
        reason: String,
    },
}

/// What an operator says while watching, and what boxes answer.
#[derive(Debug)]
pub struct Console {
    /// Commands, ready to go.
    pub orders: mpsc::Receiver<Message>,
    /// Told every box's answers to anyone's commands; what it has no room for is dropped.
    pub answers: mpsc::Sender<Ack>,
}

impl Console {
    /// The next command; never, where nobody gives one any more.
    async fn order(console: &mut Option<Self>) -> Message {
        if let Some(console) = console
            && let Some(order) = console.orders.recv().await
        {
            return order;
        }
        std::future::pending().await
    }
}

/// Watches until `stop`; every message is given to `sink`, in the order of arrival.
pub async fn run(params: WatchParams, sink: impl FnMut(Seen) + Send, stop: CancellationToken) {
    run_with(params, sink, None, stop).await;
}

/// The same, and an operator may give commands meanwhile.
pub async fn run_with(
    params: WatchParams,
    mut sink: impl FnMut(Seen) + Send,
    console: Option<Console>,
    stop: CancellationToken,
) {
    let (dedup, told) = (Dedup::new(WINDOW), Told::default());
    let mut watcher = Watcher { dedup, told, sink: &mut sink, console, params: &params };
    let mut known_reason = String::new();
    while !stop.is_cancelled() {
        let Some(error) = watcher.run_once(&stop).await else { return };
        let pause = match error {
            // Trying faster cures nothing and may lock the account.
            LinkError::Refused { .. } | LinkError::Untrusted { .. } => params.reconnect_every.max(REFUSED_PAUSE),
            _ => params.reconnect_every,
        };
        let reason = error.to_string();
        if reason != known_reason {
            tracing::warn!(reason, "no connection to the broker");
        }
        (watcher.sink)(Seen::Disconnected { reason: reason.clone() });
        known_reason = reason;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Whatever comes on any topic that is watched is shown on one line, or left out; see `crate::hostile`.
#[cfg(any(test, fuzzing))]
pub(crate) fn hostile(payload: &[u8]) {
    const INCIDENT: &str = "01a201f2-b2ff-7c10-8a01-0b1c2d3e4f50";
    let params = WatchParams::new(BrokerParams::plain("127.0.0.1", 9), TopicRoot::default());
    let mut seen = Vec::new();
    let mut sink = |message| seen.push(message);
    let (dedup, told) = (Dedup::new(WINDOW), Told::default());
    let mut watcher = Watcher { dedup, told, sink: &mut sink, console: None, params: &params };
    let picture = format!("evidence/nam/{INCIDENT}/1.jpg");
    for tail in ["event/nam/wrong_way", "event/nam/wrong_way", "system", "measure/nam", &picture] {
        let (topic, content_type) = (format!("ngatu/v1/nut/box/{tail}"), "application/json");
        watcher.take(Message { topic, payload: payload.to_vec(), content_type, retained: false });
    }
    assert_eq!(seen.len(), 5, "one for each");
    for (seen, lang) in seen.iter().flat_map(|seen| [(seen, Lang::Vi), (seen, Lang::En)]) {
        let line = line(seen, lang, &vietnam()).unwrap_or_default();
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

struct Watcher<'a, S> {
    dedup: Dedup,
    told: Told,
    sink: &'a mut S,
    console: Option<Console>,
    params: &'a WatchParams,
}

impl<S: FnMut(Seen)> Watcher<'_, S> {
    /// One connection; why it ended, or `None` when it was asked to.
    async fn run_once(&mut self, stop: &CancellationToken) -> Option<LinkError> {
        let since = u64::try_from(UtcMillis::now().as_unix_millis()).unwrap_or(0);
        let (client, mut events) = match mqtt::open(&self.params.broker, self.identity(since)).await {
            Ok(opened) => opened,
            Err(error) => return Some(error),
        };
        let mut stage = Stage::Connecting;
        loop {
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                heard = events.next(stage) => heard,
                order = Console::order(&mut self.console), if stage == Stage::Connected => {
                    drop(client.publish_for(order, Some(COMMAND_EXPIRY_S)));
                    continue;
                }
            };
            match heard {
                Ok(Heard::Accepted { .. }) => {
                    stage = Stage::Connected;
                    // Events are never retained; one that is would be an old alarm.
                    drop(client.subscribe(self.filters(), Wanted::NewOnly));
                }
                Ok(Heard::Subscribed) => {
                    self.say_host(&client, true, since);
                    (self.sink)(Seen::Subscribed);
                }
                Ok(Heard::Message(message, receipt)) => {
                    if !message.retained && !self.answered(&message) {
                        self.take(message);
                    }
                    if !client.acknowledge(&receipt) {
                        let reason = "more messages than can be acknowledged".to_owned();
                        return Some(LinkError::Protocol { reason });
                    }
                }
                Ok(Heard::Nothing) => {}
                Err(error) => return Some(error),
            }
        }
        self.say_host(&client, false, since);
        client.disconnect();
        let goodbye = async { while events.next(stage).await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
        None
    }

    fn identity(&self, since: u64) -> Identity {
        let client_id = self.params.client_id.clone();
        Identity {
            keep_session: client_id.is_some(),
            client_id: client_id.unwrap_or_else(|| format!("ngatu-watch-{}", wire::new_id().simple())),
            manual_acks: true,
            will: self.host_state(false, since),
        }
    }

    fn filters(&self) -> Vec<String> {
        let root = &self.params.root;
        let pictures = self.params.pictures.then(|| root.all_evidence());
        let measures = self.params.measures.then(|| root.all_measures());
        let answers = self.console.as_ref().map(|_| root.all_acks());
        [root.all_events(), root.all_system()].into_iter().chain(pictures).chain(measures).chain(answers).collect()
    }

    fn host_state(&self, online: bool, since: u64) -> Option<Message> {
        let host = self.params.host.as_ref()?;
        let payload = wire::to_bytes(&HostState { online, timestamp: since });
        Some(Message::state(self.params.root.host_state(host), payload))
    }

    fn say_host(&self, client: &Client, online: bool, since: u64) {
        if let Some(message) = self.host_state(online, since) {
            drop(client.publish(message));
        }
    }

    /// Whether it is an answer to a command.
    fn answered(&self, message: &Message) -> bool {
        let Some(console) = self.console.as_ref().filter(|_| message.topic.rsplit('/').nth(1) == Some("ack")) else {
            return false;
        };
        if let Ok(ack) = serde_json::from_slice(&message.payload) {
            drop(console.answers.try_send(ack));
        }
        true
    }

    fn take(&mut self, message: Message) {
        let Message { topic, payload, .. } = message;
        let seen = if Picture::is_topic(&self.params.root, &topic) {
            match Picture::parse(&self.params.root, &topic, &payload) {
                Ok(picture) => Seen::Picture(Box::new(picture)),
                Err(reason) => Seen::Malformed { topic, reason },
            }
        } else if topic.ends_with("/system") {
            self.read::<System>(topic, payload, |event| (&event.source, event.id), Seen::System)
        } else if topic.rsplit('/').nth(1) == Some("measure") {
            self.read::<Measurement>(topic, payload, |event| (&event.source, event.id), Seen::Measurement)
        } else {
            self.read::<Incident>(topic, payload, |event| (&event.source, event.id), Seen::Incident)
        };
        let seen = match seen {
            Seen::Incident(mut arrival) => {
                arrival.settles = self.told.settles(&arrival.event);
                Seen::Incident(arrival)
            }
            seen => seen,
        };
        (self.sink)(seen);
    }

    fn read<E: serde::de::DeserializeOwned>(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        key: impl Fn(&E) -> (&String, Uuid),
        seen: impl Fn(Box<Arrival<E>>) -> Seen,
    ) -> Seen {
        let event: E = match serde_json::from_slice(&payload) {
            Ok(event) => event,
            Err(error) => return Seen::Malformed { topic, reason: error.to_string() },
        };
        let (source, id) = key(&event);
        if self.dedup.is_new(source, id) {
            seen(Box::new(Arrival { topic, payload, event, settles: false }))
        } else {
            Seen::Duplicate { source: source.clone(), id }
        }
    }
}

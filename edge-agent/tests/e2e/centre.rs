//! The operations centre's broker as a subscriber of everything sees it; every message is checked against the contract.

use std::collections::{BTreeMap, BTreeSet};

use edge_agent::publish::wire::{Ack, Birth, CameraState, CameraStatus, Health, Incident, Presence, Status};
use rumqttc::{AsyncClient, Broker, Event, EventLoop, IncomingPacketSizeLimit, MqttOptions, Packet, QoS};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::common::contract;
use crate::common::process::DEADLINE;

/// More than ever happens while a test does something else.
const WAITING: usize = 10_000;

/// A subscriber of everything.
pub(crate) struct Centre {
    arriving: mpsc::Receiver<Message>,
    polling: JoinHandle<()>,
    client: AsyncClient,
    pub(crate) seen: Seen,
}

struct Message {
    topic: String,
    payload: Vec<u8>,
    retained: bool,
}

/// Everything that came, in order.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) births: Vec<Birth>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) healths: Vec<Health>,
    cameras: BTreeMap<String, Vec<CameraStatus>>,
    pub(crate) events: Vec<Incident>,
    /// Commands, as they were sent.
    pub(crate) commands: Vec<Vec<u8>>,
    /// Answers to commands.
    pub(crate) acks: Vec<Ack>,
    /// Parts of evidence.
    pub(crate) chunks: Vec<Vec<u8>>,
    /// Topics of pictures.
    pub(crate) pictures: Vec<String>,
    /// Topics whose message the broker had kept.
    pub(crate) retained: BTreeSet<String>,
    /// Everything, as it came.
    pub(crate) text: String,
}

impl Centre {
    /// Subscribed when this returns; `log_in` is the user and the password.
    pub(crate) async fn start(port: u16, log_in: Option<(&str, &str)>) -> Self {
        let id = format!("centre-{}", uuid::Uuid::from_u128(rand::random()).simple());
        let mut options = MqttOptions::new(id, Broker::tcp("127.0.0.1", port));
        if let Some((user, password)) = log_in {
            options.set_credentials(user.to_owned(), password.to_owned());
        }
        // It hears what tests send to the box too, whatever its size.
        options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(1 << 20));
        let (client, mut events) = AsyncClient::builder(options).capacity(8).build();
        client.subscribe("#", QoS::AtLeastOnce).await.expect("queued");
        let (sender, arriving) = mpsc::channel(WAITING);
        while !matches!(poll(&mut events, &sender).await, Packet::SubAck(_)) {}
        let kept = client.clone();
        let polling = tokio::spawn(async move {
            let _client = kept;
            loop {
                poll(&mut events, &sender).await;
            }
        });
        Self { arriving, polling, client, seen: Seen::default() }
    }

    /// Watches until `is_so`.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(&self.seen) {
            let Ok(message) = timeout_at(deadline, self.arriving.recv()).await else {
                panic!("never: {what}\n{:?}\n{:?}", self.seen.statuses, self.seen.cameras);
            };
            self.seen.note(&message.expect("the connection stays"));
        }
    }

    /// Sends a message.
    pub(crate) async fn send(&self, topic: String, payload: Vec<u8>, retained: bool) {
        let options = rumqttc::PublishOptions::new(QoS::AtLeastOnce).retain(retained);
        self.client.publish(topic, payload, options).await.expect("queued");
    }

    /// Watches until so many more events of `camera` have come.
    pub(crate) async fn until_more_events(&mut self, camera: &str, more: usize) {
        let before = self.seen.events_of(camera).count();
        let what = format!("{more} more events of {camera} than {before}");
        self.until(&what, |seen| seen.events_of(camera).count() >= before + more).await;
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

/// The next packet; a message is passed on.
async fn poll(events: &mut EventLoop, sender: &mpsc::Sender<Message>) -> Packet {
    loop {
        let Event::Incoming(packet) = events.poll().await.expect("the broker stays") else { continue };
        if let Packet::Publish(publish) = &packet {
            let topic = String::from_utf8_lossy(&publish.topic).into_owned();
            let message = Message { topic, payload: publish.payload.to_vec(), retained: publish.retain };
            assert!(sender.try_send(message).is_ok(), "nobody listens to the centre");
        }
        return packet;
    }
}

impl Seen {
    fn note(&mut self, Message { topic, payload, retained }: &Message) {
        contract::validate(topic, payload);
        self.text.push_str(&format!("{topic} {}\n", String::from_utf8_lossy(payload)));
        if *retained {
            self.retained.insert(topic.clone());
        }
        let place: Vec<&str> = topic.split('/').skip(4).collect();
        match place[..] {
            ["birth"] => self.births.push(read(payload)),
            ["status"] => self.statuses.push(read(payload)),
            ["health"] => self.healths.push(read(payload)),
            ["camera", camera, "status"] => self.cameras.entry(camera.to_owned()).or_default().push(read(payload)),
            ["event", ..] => self.events.push(read(payload)),
            ["cmd", ..] => self.commands.push(payload.clone()),
            ["ack", ..] => self.acks.push(read(payload)),
            ["chunk", ..] => self.chunks.push(payload.clone()),
            ["evidence", ..] => self.pictures.push(topic.clone()),
            _ => {}
        }
    }

    pub(crate) fn presence(&self) -> Option<Presence> {
        self.statuses.last().map(|status| status.state)
    }

    /// What a camera's status was, in order.
    pub(crate) fn states(&self, camera: &str) -> &[CameraStatus] {
        self.cameras.get(camera).map_or(&[], Vec::as_slice)
    }

    /// Whether a camera's last word is this.
    pub(crate) fn is(&self, camera: &str, state: CameraState) -> bool {
        self.states(camera).last().is_some_and(|status| status.state == state)
    }

    pub(crate) fn events_of(&self, camera: &str) -> impl Iterator<Item = &Incident> {
        self.events.iter().filter(move |event| event.subject == camera)
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> T {
    serde_json::from_slice(payload).expect("its type")
}

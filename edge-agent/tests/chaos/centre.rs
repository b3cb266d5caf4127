//! The other end: `watch`, and a subscriber of everything that holds every message against the contract.

use std::time::Duration;

use edge_agent::publish::{BrokerParams, TopicRoot};
use edge_agent::watch::{self, Seen, WatchParams};
use rumqttc::{AsyncClient, Broker, Event, MqttOptions, Packet, QoS};
use tokio::runtime::Runtime;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::book::{Book, SharedBook};
use crate::common::contract;

/// Between two attempts to connect: well below the time that the program gives subscribers to return.
const RECONNECT: Duration = Duration::from_millis(100);

/// Both subscribers; gone when dropped.
pub(crate) struct Centre {
    runtime: Option<Runtime>,
    _watching: DropGuard,
}

impl Centre {
    /// Both connect to `port` of this machine.
    pub(crate) fn start(port: u16, book: &SharedBook) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let stop = CancellationToken::new();
        // A session that the broker keeps, as a centre's is.
        let client_id = Some("chaos-watch".to_owned());
        let root = TopicRoot::default();
        let params = WatchParams {
            client_id,
            reconnect_every: RECONNECT,
            ..WatchParams::new(BrokerParams::plain("127.0.0.1", port), root)
        };
        let of_watch = book.clone();
        runtime.spawn(watch::run(params, move |seen| of_watch.write(|book| note(book, seen)), stop.clone()));
        let of_all = book.clone();
        runtime.spawn(async move {
            loop {
                let options = MqttOptions::new("chaos-inspector", Broker::tcp("127.0.0.1", port));
                let (client, mut events) = AsyncClient::builder(options).capacity(8).build();
                if client.subscribe("#", QoS::AtLeastOnce).await.is_ok() {
                    while let Ok(event) = events.poll().await {
                        let Event::Incoming(Packet::Publish(message)) = event else { continue };
                        let topic = String::from_utf8_lossy(&message.topic).into_owned();
                        let broken = contract::check(&topic, &message.payload);
                        of_all.write(|book| {
                            book.validated += 1;
                            book.wrongs
                                .extend(broken.err().map(|reason| format!("{topic} breaks the contract: {reason}")));
                            book.note_message(&topic, &message.payload);
                        });
                    }
                }
                tokio::time::sleep(RECONNECT).await;
            }
        });
        Self { runtime: Some(runtime), _watching: stop.drop_guard() }
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn note(book: &mut Book, seen: Seen) {
    match seen {
        Seen::Incident(arrival) => book.note_incident(&arrival.event),
        Seen::System(arrival) => book.note_system(&arrival.event),
        Seen::Duplicate { .. } => book.repeated += 1,
        Seen::Malformed { topic, reason } => book.wrongs.push(format!("{topic}: {reason}")),
        Seen::Measurement(_) | Seen::Picture(_) | Seen::Subscribed | Seen::Disconnected { .. } => {}
    }
}

//! A broker that answers "quota exceeded" (MQTT 5, reason 0x97). No setting of Mosquitto makes it say so (2.0.11), therefore
//! a small broker of our own says it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use analytics::Phase;
use edge_agent::publish::BrokerParams;

use crate::fixture::{Agent, PLAIN, draft};

const QUOTA_EXCEEDED: u8 = 0x97;

#[derive(Default)]
struct State {
    is_full: bool,
    /// Events that it took, by what they say, and how often.
    taken: BTreeMap<Vec<u8>, u64>,
    refused: u64,
}

/// Takes everything, or everything but events.
#[derive(Clone, Default)]
struct Broker(Arc<Mutex<State>>);

impl Broker {
    /// Without room; its port.
    fn start_full() -> (Self, u16) {
        let broker = Self::default();
        broker.lock().is_full = true;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let serving = broker.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        (broker, port)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let (kind, body) = packet(&mut stream)?;
            let answer = match kind >> 4 {
                // CONNECT: no session, no properties.
                1 => vec![0x20, 3, 0, 0, 0],
                3 => self.publish(kind, &body)?,
                // SUBSCRIBE, to one filter.
                8 => vec![0x90, 4, body[0], body[1], 0, 1],
                12 => vec![0xd0, 0],
                _ => return None,
            };
            stream.write_all(&answer).ok()?;
        }
    }

    /// Of quality of service 1.
    fn publish(&self, kind: u8, body: &[u8]) -> Option<Vec<u8>> {
        assert_eq!(kind & 0b110, 0b10, "QoS 1");
        let length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        let (topic, rest) = body.get(2..)?.split_at_checked(length)?;
        let (&[high, low], rest) = rest.split_first_chunk()?;
        let (properties, size) = number(rest)?;
        let payload = rest.get(size + properties..)?;
        let mut state = self.lock();
        if !topic.windows(7).any(|word| word == b"/event/") {
            return Some(vec![0x40, 2, high, low]);
        }
        if state.is_full {
            state.refused += 1;
            return Some(vec![0x40, 4, high, low, QUOTA_EXCEEDED, 0]);
        }
        let event: serde_json::Value = serde_json::from_slice(payload).expect("an event");
        *state.taken.entry(event["id"].to_string().into_bytes()).or_default() += 1;
        Some(vec![0x40, 2, high, low])
    }
}

/// The next packet: its first byte, and what follows its length.
fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte).ok()?;
    let (kind, mut length) = (byte[0], Vec::new());
    let length = loop {
        stream.read_exact(&mut byte).ok()?;
        length.push(byte[0]);
        if let Some((length, _)) = number(&length) {
            break length;
        }
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((kind, body))
}

/// A variable byte integer (MQTT 5, 1.5.5), and how many bytes it takes; `None`: it goes on.
fn number(bytes: &[u8]) -> Option<(usize, usize)> {
    let last = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..=last].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    Some((value, last + 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_over_its_quota_keeps_its_connection_and_gets_everything_once_it_has_room() {
    const EVENTS: u64 = 40;
    let (broker, port) = Broker::start_full();
    let folder = tempfile::tempdir().expect("a folder");
    let agent = Agent::start(folder.path(), BrokerParams::plain("127.0.0.1", port));
    for incident in 1..=EVENTS {
        agent.commit(draft(incident, 1, Phase::New, PLAIN)).await;
    }
    let shown = agent.until("the refusal is shown", |status| status.refused > 0).await;
    assert!(shown.last_error.as_deref().is_some_and(|error| error.contains("QuotaExceeded")), "{shown:?}");
    assert!(shown.connected);
    assert_eq!(agent.outbox.stats().borrow().pending, EVENTS, "nothing is lost");
    broker.lock().is_full = false;
    agent.until_delivered().await;
    let status = agent.publish.status().borrow().clone();
    assert_eq!((status.session, status.delivered), (shown.session, EVENTS), "on the same connection");
    let (taken, refused) = {
        let state = broker.lock();
        (state.taken.clone(), state.refused)
    };
    assert_eq!(taken.len() as u64, EVENTS);
    assert!(taken.values().all(|times| *times == 1), "none is sent again that was taken");
    // What was in flight when the first was refused; then nothing is tried for a while.
    assert!(refused < EVENTS, "{refused} refused");
    agent.stop().await;
}

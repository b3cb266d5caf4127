//! What `watch` sees, entered in a book that takes every event once and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edge_agent::publish::wire::{Evidence, Incident, IncidentData, Measurement, Phase, Sequence};
use edge_agent::publish::{TopicRoot, Topics};
use edge_agent::watch::{self, Picture, Seen, WatchParams};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::common::contract;
use crate::common::mosquitto::Mosquitto;
use crate::common::process::DEADLINE;

/// More than ever happens while a test does something else.
const WAITING: usize = 10_000;

/// The book. It refuses a sequence number that was given twice and a revision that is not the next one.
pub(crate) struct Ledger {
    arriving: mpsc::Receiver<Seen>,
    _watching: DropGuard,
    /// In the order of arrival.
    pub(crate) events: Vec<Incident>,
    /// Traffic measures, in the order of arrival.
    pub(crate) measurements: Vec<Measurement>,
    sequences: BTreeMap<Sequence, Uuid>,
    /// Where each incident stands: its last revision and phase.
    incidents: BTreeMap<Uuid, (u32, Phase)>,
    /// Whether the broker is there.
    pub(crate) connected: bool,
    /// Thumbnails by incident.
    pub(crate) pictures: BTreeMap<Uuid, Vec<u8>>,
}

impl Ledger {
    /// Subscribed when this returns.
    pub(crate) async fn open(broker: &Mosquitto) -> Self {
        let params = WatchParams {
            pictures: true,
            measures: true,
            reconnect_every: Duration::from_millis(100),
            ..WatchParams::new(broker.params(), TopicRoot::default())
        };
        let (sender, arriving) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let sink = move |seen| match sender.try_send(seen) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => panic!("nobody looks into the ledger"),
        };
        tokio::spawn(watch::run(params, sink, stop.clone()));
        let (events, sequences, incidents) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let pictures = BTreeMap::new();
        let (measurements, connected, _watching) = (Vec::new(), false, stop.drop_guard());
        let mut ledger = Self { arriving, _watching, events, measurements, sequences, incidents, connected, pictures };
        ledger.until("subscribed", |ledger| ledger.connected).await;
        ledger
    }

    /// Watches until `is_so`.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(self) {
            let Ok(seen) = timeout_at(deadline, self.arriving.recv()).await else {
                panic!("never: {what}\n{:?}\n{:?}", self.sequences.keys(), self.incidents);
            };
            self.note(seen.expect("the watcher runs"));
        }
    }

    /// Watches until so many more events have come.
    pub(crate) async fn until_more(&mut self, more: usize) {
        let enough = self.events.len() + more;
        self.until(&format!("{enough} events"), |ledger| ledger.events.len() >= enough).await;
    }

    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Incident(arrival) => {
                contract::validate(&arrival.topic, &arrival.payload);
                self.enter(arrival.event);
            }
            Seen::System(arrival) => panic!("nothing was to happen to the box: {:?}", arrival.event),
            Seen::Measurement(arrival) => {
                contract::validate(&arrival.topic, &arrival.payload);
                let before = self.sequences.insert(arrival.event.sequence, arrival.event.id);
                assert_eq!(before, None, "number {} was given twice", arrival.event.sequence);
                self.measurements.push(arrival.event);
            }
            Seen::Malformed { topic, reason } => panic!("{topic}: {reason}"),
            Seen::Subscribed => self.connected = true,
            Seen::Disconnected { .. } => self.connected = false,
            Seen::Picture(picture) => {
                let Picture { site, box_id, camera, incident, name, jpeg } = *picture;
                let topic = Topics::new(TopicRoot::default(), site, box_id).evidence(&camera, incident, &name);
                contract::validate(&topic, &jpeg);
                let before = self.pictures.insert(incident, jpeg.clone());
                assert!(before.is_none_or(|before| before == jpeg), "another picture of {incident}");
            }
            // The same event again, as at-least-once delivery may.
            Seen::Duplicate { .. } => {}
        }
    }

    fn enter(&mut self, event: Incident) {
        let data = &event.data;
        let before = self.sequences.insert(event.sequence, event.id);
        assert_eq!(before, None, "number {} was given to {} too", event.sequence, event.id);
        if let Some(first) = self.events.first() {
            assert_eq!(data.outbox_id, first.data.outbox_id, "one outbox");
        }
        let before = self.incidents.insert(data.incident_id, (data.revision, data.phase));
        match before {
            None => assert_eq!((data.revision, data.phase), (1, Phase::New), "{data:?}"),
            Some((_, Phase::End)) if !is_settlement(&self.events, data) => panic!("it had ended: {data:?}"),
            Some((revision, _)) => {
                assert_eq!(data.revision, revision + 1, "{data:?}");
                assert_ne!(data.phase, Phase::New, "a second time: {data:?}");
            }
        }
        self.events.push(event);
    }

    /// Incidents whose picture is announced and not settled.
    pub(crate) fn unsettled(&self) -> BTreeSet<Uuid> {
        let mut unsettled = BTreeSet::new();
        for IncidentData { incident_id, evidence, .. } in self.events.iter().map(|event| &event.data) {
            if evidence.iter().any(Evidence::is_pending) {
                unsettled.insert(*incident_id);
            } else {
                unsettled.remove(incident_id);
            }
        }
        unsettled
    }

    /// Whether the numbers so far are 1, 2, 3 and so on.
    pub(crate) fn is_gapless(&self) -> bool {
        self.sequences.keys().copied().eq((1..=self.sequences.len() as u64).map(Sequence))
    }

    /// Whether nothing is waiting: no number is missing, and the last event to come was live, which is sent after
    /// nothing or before what is late.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.is_gapless() && self.events.last().is_some_and(|event| !event.data.replayed)
    }
}

/// Whether this says what became of a picture that was pending: the one thing that may follow an end.
fn is_settlement(events: &[Incident], data: &IncidentData) -> bool {
    let mut before = events.iter().filter(|event| event.data.incident_id == data.incident_id);
    let was_pending = before.next_back().is_some_and(|event| event.data.evidence.iter().any(Evidence::is_pending));
    was_pending && data.phase == Phase::Update && data.evidence.iter().any(|piece| !piece.is_pending())
}

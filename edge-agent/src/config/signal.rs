//! A camera's traffic signals, resolved.

use std::collections::BTreeMap;

use analytics::{Polygon, SignalId};

use super::document::bare_or_quoted;
use super::raw::RawSignal;
use super::resolve::Resolver;
use super::value::Numbers;
use crate::signal::HeardSignal;

/// The longest topic taken: far below MQTT's own limit, and longer than any that a person writes.
const LONGEST_TOPIC: usize = 200;

/// Where the lamps of a traffic signal are in the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalLamps {
    /// Its name.
    pub id: SignalId,
    /// Stop.
    pub red: Option<Polygon>,
    /// About to change.
    pub amber: Option<Polygon>,
    /// Go.
    pub green: Option<Polygon>,
}

/// A camera's signals by where their phase is known from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    /// Read from the picture.
    pub lamps: Vec<SignalLamps>,
    /// Told over MQTT.
    pub heard: Vec<HeardSignal>,
}

impl Signals {
    /// All their names, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<SignalId> {
        let lamps = self.lamps.iter().map(|signal| &signal.id);
        let mut ids: Vec<SignalId> = lamps.chain(self.heard.iter().map(|signal| &signal.id)).cloned().collect();
        ids.sort();
        ids
    }
}

impl Resolver<'_> {
    pub(super) fn signals(&mut self, camera: usize, raw: &BTreeMap<String, RawSignal>) -> Signals {
        let mut signals = Signals::default();
        for (id, raw) in raw {
            let key = format!("camera[{camera}].signal.{}", bare_or_quoted(id));
            let id = self.id(&key, Some(&id.to_owned()), SignalId::new);
            let has_lamps = [&raw.red, &raw.amber, &raw.green].iter().any(|lamp| lamp.is_some());
            match &raw.topic {
                Some(topic) => {
                    let topic = self.signal_topic(&format!("{key}.topic"), topic, has_lamps);
                    signals.heard.extend(id.zip(topic).map(|(id, topic)| HeardSignal { id, topic }));
                }
                None if has_lamps => signals.lamps.extend(self.lamps(&key, id, raw)),
                None => {
                    let cure = "write red and green, the corners of its lamps, or topic, where its phase is published";
                    self.error(&key, "says neither where its lamps are nor where its phase is published", cure);
                }
            }
        }
        signals
    }

    fn lamps(&mut self, key: &str, id: Option<SignalId>, raw: &RawSignal) -> Option<SignalLamps> {
        let cure = "write the corners of the lamp, as fractions, such as [[0.51, 0.20], [0.52, 0.20], [0.52, 0.22]]";
        self.required(&format!("{key}.red"), raw.red.as_ref(), cure);
        self.required(&format!("{key}.green"), raw.green.as_ref(), cure);
        let mut lamp = |name: &str, corners: Option<&Vec<Numbers<2>>>| {
            corners.and_then(|corners| self.polygon(&format!("{key}.{name}"), corners))
        };
        let red = lamp("red", raw.red.as_ref());
        let (amber, green) = (lamp("amber", raw.amber.as_ref()), lamp("green", raw.green.as_ref()));
        Some(SignalLamps { id: id?, red, amber, green })
    }

    fn signal_topic(&mut self, key: &str, topic: &str, has_lamps: bool) -> Option<String> {
        if has_lamps {
            let cure = "keep the lamps, where the camera sees them well, or the topic: one of the two";
            self.error(key, "stands beside lamps: the phase is known from one source", cure);
        }
        let is_one = !topic.is_empty()
            && topic.len() <= LONGEST_TOPIC
            && !topic.contains(['+', '#', '\0'])
            && !topic.starts_with('$');
        if !is_one {
            let cure = format!(
                "write the topic of this one signal, without + and #, at most {LONGEST_TOPIC} bytes, such as \"signals/ql10-nut-01/2\""
            );
            self.error(key, "is not a topic", cure);
        }
        (is_one && !has_lamps).then(|| topic.to_owned())
    }
}

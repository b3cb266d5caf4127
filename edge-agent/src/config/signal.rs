//! A camera's traffic signals, resolved.

use std::collections::BTreeMap;

use analytics::{Polygon, SignalId};

use super::document::bare_or_quoted;
use super::raw::RawSignal;
use super::resolve::Resolver;
use super::value::Numbers;

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

impl Resolver<'_> {
    pub(super) fn signals(&mut self, camera: usize, raw: &BTreeMap<String, RawSignal>) -> Vec<SignalLamps> {
        let signals = raw.iter().filter_map(|(id, raw)| {
            let key = format!("camera[{camera}].signal.{}", bare_or_quoted(id));
            let id = self.id(&key, Some(&id.to_owned()), SignalId::new);
            let cure =
                "write the corners of the lamp, as fractions, such as [[0.51, 0.20], [0.52, 0.20], [0.52, 0.22]]";
            self.required(&format!("{key}.red"), raw.red.as_ref(), cure);
            self.required(&format!("{key}.green"), raw.green.as_ref(), cure);
            let mut lamp = |name: &str, corners: Option<&Vec<Numbers<2>>>| {
                corners.and_then(|corners| self.polygon(&format!("{key}.{name}"), corners))
            };
            let red = lamp("red", raw.red.as_ref());
            let (amber, green) = (lamp("amber", raw.amber.as_ref()), lamp("green", raw.green.as_ref()));
            Some(SignalLamps { id: id?, red, amber, green })
        });
        signals.collect()
    }
}

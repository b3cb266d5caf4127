//! A stretch of time in which something held of someone.

use super::judge::Grade;
use crate::ground::Spot;
use crate::traffic::TICK_S;

/// From when until when something was possible, and for how much of it sure.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// First possible.
    pub(super) first: f64,
    /// First by the nominal definition.
    pub(super) nominal: Option<f64>,
    /// Last possible.
    pub(super) last: f64,
    /// How long it was sure at a stretch, at most.
    pub(super) sure_s: f64,
    /// Since when it is sure, and when it last was.
    stretch: Option<(f64, f64)>,
    /// Where it was first and last sure.
    sure: Option<(Spot, Spot)>,
}

impl Run {
    pub(super) fn new(now: f64) -> Self {
        Self { first: now, nominal: None, last: now, sure_s: 0.0, stretch: None, sure: None }
    }

    /// Interruptions up to `bridge_s` do not end a stretch.
    pub(super) fn note(&mut self, now: f64, grade: Grade, spot: Spot, bridge_s: f64) {
        self.last = now;
        if grade >= Grade::Nominal {
            self.nominal.get_or_insert(now);
        }
        if grade == Grade::Sure {
            let since =
                self.stretch.filter(|(_, last)| now - last <= bridge_s + TICK_S).map_or(now, |(since, _)| since);
            self.stretch = Some((since, now));
            self.sure_s = self.sure_s.max(now - since);
            self.sure = Some((self.sure.map_or(spot, |(first, _)| first), spot));
        }
    }

    /// How far it went while it was sure, in metres.
    pub(super) fn sure_way_m(&self) -> f64 {
        self.sure.map_or(0.0, |(first, last)| first.distance(last))
    }
}

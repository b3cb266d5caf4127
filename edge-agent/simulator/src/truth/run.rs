//! A stretch of time in which something held of someone.

use super::judge::{Grade, Needs};
use crate::ground::Spot;

/// A stretch, short interruptions bridged.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    since: f64,
    last: f64,
}

impl Stretch {
    /// Goes on, or begins anew.
    fn go_on(this: Option<Self>, now: f64, bridge_s: f64) -> Self {
        let since = this.filter(|stretch| now - stretch.last <= bridge_s).map_or(now, |stretch| stretch.since);
        Self { since, last: now }
    }
}

/// From when until when something was possible, and for how much of it more than that.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// First and last possible.
    pub(super) first: f64,
    pub(super) last: f64,
    possible: Option<Stretch>,
    nominal: Option<Stretch>,
    sure: Option<Stretch>,
    /// The longest stretches.
    possible_s: f64,
    sure_s: f64,
    /// When the stretch began that first held for as long as it takes.
    began: Option<f64>,
    /// Where it was first and last sure.
    sure_way: Option<(Spot, Spot)>,
}

impl Run {
    pub(super) fn new(now: f64) -> Self {
        Self {
            first: now,
            last: now,
            possible: None,
            nominal: None,
            sure: None,
            possible_s: 0.0,
            sure_s: 0.0,
            began: None,
            sure_way: None,
        }
    }

    pub(super) fn note(&mut self, now: f64, grade: Grade, spot: Spot, needs: Needs) {
        self.last = now;
        let go_on = |stretch: &mut Option<Stretch>| {
            let on = Stretch::go_on(*stretch, now, needs.within_s);
            *stretch = Some(on);
            now - on.since
        };
        self.possible_s = go_on(&mut self.possible).max(self.possible_s);
        if grade >= Grade::Nominal && go_on(&mut self.nominal) >= needs.hold_s && self.began.is_none() {
            self.began = self.nominal.map(|stretch| stretch.since);
        }
        if grade == Grade::Sure {
            self.sure_s = go_on(&mut self.sure).max(self.sure_s);
            self.sure_way = Some((self.sure_way.map_or(spot, |(first, _)| first), spot));
        }
    }

    /// When it began: by the nominal definition, if that ever held.
    pub(super) fn start_s(&self) -> f64 {
        self.began.or(self.nominal.map(|stretch| stretch.since)).unwrap_or(self.first)
    }

    /// Whether it was possible for long enough to be anything at all.
    pub(super) fn is_possible(&self, needs: Needs) -> bool {
        self.possible_s >= needs.possible_s
    }

    /// Whether it was sure for long and far enough that it must be found.
    pub(super) fn is_sure(&self, needs: Needs) -> bool {
        let way_m = self.sure_way.map_or(0.0, |(first, last)| first.distance(last));
        self.sure_way.is_some() && self.sure_s >= needs.sure_s && way_m >= needs.sure_m
    }
}

//! Roads: links of one direction, how they join, the signal at their end, and how many come by at which hour.

use crate::ground::Way;

/// Number of a link in its layout.
pub type LinkId = usize;

/// One direction of a road, from kerb to median. Vehicles are placed by metres along it and metres to the left of its
/// middle; traffic keeps right, so the kerb is at `-half_width_m`.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its middle.
    pub way: Way,
    /// Half the width of its lanes together.
    pub half_width_m: f64,
    /// Middles of its lanes for what has four wheels, the outermost (at the kerb) first.
    pub lanes_m: Vec<f64>,
    /// Width of the hard shoulder beyond the kerb-side lane; zero where there is none.
    pub shoulder_m: f64,
    /// What is driven when nothing is in the way, as a share of what each vehicle likes.
    pub pace: f64,
    /// Where vehicles go from its end, with their weights; none: out of the world.
    pub next: Vec<(LinkId, f64)>,
    /// Its stop line, in metres along it, and which phase of the signal opens it.
    pub stop_line: Option<(f64, usize)>,
    /// Vehicles an hour that come in at its start when demand is 1.
    pub inflow_per_h: f64,
}

/// What a lamp shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lamp {
    /// Go.
    Green,
    /// Stop if you can.
    Amber,
    /// Stop.
    Red,
}

/// A signal that opens one approach after the other (split phasing), with an all-red between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// How many approaches it opens in turn.
    pub phases: usize,
    /// Seconds of green of each.
    pub green_s: f64,
    /// Seconds of amber after it.
    pub amber_s: f64,
    /// Seconds of red for all after that.
    pub clear_s: f64,
}

impl Signal {
    /// Seconds until it repeats.
    #[must_use]
    pub fn cycle_s(&self) -> f64 {
        self.phases as f64 * (self.green_s + self.amber_s + self.clear_s)
    }

    /// What the lamp of `phase` shows at `seconds`.
    #[must_use]
    pub fn lamp(&self, phase: usize, seconds: f64) -> Lamp {
        let turn = self.green_s + self.amber_s + self.clear_s;
        let into = (seconds - phase as f64 * turn).rem_euclid(self.cycle_s());
        if into < self.green_s {
            Lamp::Green
        } else if into < self.green_s + self.amber_s {
            Lamp::Amber
        } else {
            Lamp::Red
        }
    }

    /// For how many seconds the lamp of `phase` has shown what it shows at `seconds`.
    #[must_use]
    pub fn shown_for_s(&self, phase: usize, seconds: f64) -> f64 {
        let turn = self.green_s + self.amber_s + self.clear_s;
        let into = (seconds - phase as f64 * turn).rem_euclid(self.cycle_s());
        match self.lamp(phase, seconds) {
            Lamp::Green => into,
            Lamp::Amber => into - self.green_s,
            Lamp::Red => into - self.green_s - self.amber_s,
        }
    }

    /// Seconds of red of one phase, at a stretch.
    #[must_use]
    pub fn red_s(&self) -> f64 {
        self.cycle_s() - self.green_s - self.amber_s
    }
}

/// Demand by hour of day as a share of the busiest: two peaks of commuting, a quiet night. An assumption about an urban
/// road in Vietnam, not a count.
const DEMAND: [f64; 24] = [
    0.06, 0.04, 0.03, 0.03, 0.06, 0.22, 0.62, 1.0, 0.85, 0.6, 0.55, 0.66, 0.6, 0.56, 0.55, 0.6, 0.82, 1.0, 0.8, 0.56,
    0.45, 0.34, 0.2, 0.1,
];

/// Demand at this minute of the day, `0..=1`.
#[must_use]
pub fn demand(minute: f64) -> f64 {
    let hour = (minute / 60.0).rem_euclid(24.0);
    let (from, share) = (hour.floor() as usize % 24, hour.fract());
    DEMAND[from] + (DEMAND[(from + 1) % 24] - DEMAND[from]) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_approach_is_open_at_any_time() {
        let signal = Signal { phases: 4, green_s: 22.0, amber_s: 3.0, clear_s: 2.0 };
        for tenth in 0..2000 {
            let seconds = f64::from(tenth) / 10.0;
            let open = (0..4).filter(|phase| signal.lamp(*phase, seconds) != Lamp::Red).count();
            assert!(open <= 1, "at {seconds} s");
        }
        assert_eq!(signal.lamp(0, 21.9), Lamp::Green);
        assert_eq!(signal.lamp(0, 22.1), Lamp::Amber);
        assert_eq!(signal.lamp(1, 27.1), Lamp::Green);
        assert!((signal.red_s() - 83.0).abs() < 1e-9);
    }

    #[test]
    fn demand_rises_and_falls_without_steps() {
        for minute in 0..1440 {
            let (now, then) = (demand(f64::from(minute)), demand(f64::from(minute + 1)));
            assert!((0.0..=1.0).contains(&now) && (now - then).abs() < 0.02);
        }
    }
}

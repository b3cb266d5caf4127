//! What vehicles do on order beyond driving: collisions (one brakes as hard as it can, one behind it does not see it), and
//! turning back.

use super::Traffic;
use crate::vehicle::{ActorId, Order, Vehicle};

/// How hard one brakes who must, m/s².
pub(super) const SLAMS: f64 = 7.0;

/// One who turns back swings out from here, metres to the left of its link's middle, …
pub(super) const TURNS_FROM: f64 = -1.5;
/// … and slows down for it over so many metres.
const SLOWS_FOR: f64 = 14.0;

/// Two vehicles that met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crash {
    /// Who was hit.
    pub hit: ActorId,
    /// By whom.
    pub by: ActorId,
    /// When, in seconds of the world.
    pub at_s: f64,
    /// How much faster the one behind was, m/s.
    pub closing_mps: f64,
}

/// Whether `me` takes no notice of `other`: it looks elsewhere just when that one brakes.
pub(super) fn overlooks(me: &Vehicle, other: &Vehicle) -> bool {
    let brakes = match other.order {
        Some(Order::Brake { s, .. }) => other.s >= s,
        Some(Order::Stop { .. }) => other.stands_since.is_some(),
        _ => false,
    };
    brakes && matches!(me.order, Some(Order::Hit { whom, .. }) if whom == other.id)
}

impl Traffic {
    /// Everything that has met, the last at the end.
    #[must_use]
    pub fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// What is driven here: slower already where one is about to turn back.
    pub(super) fn pace(&self, me: &Vehicle) -> f64 {
        let link = &self.links[me.link];
        match me.order {
            Some(Order::Turn { via }) if me.link != via && link.way.length() - me.s < SLOWS_FOR => {
                link.pace.min(self.links[via].pace)
            }
            _ => link.pace,
        }
    }

    /// Those who have run into the one they did not see: both stand where they met.
    pub(super) fn collide(&mut self, now: f64) {
        for i in 0..self.vehicles.len() {
            let Some(Order::Hit { whom, side, seconds }) = self.vehicles[i].order else { continue };
            let Some(j) = self.vehicles.iter().position(|other| other.id == whom) else { continue };
            let (me, other) = (&self.vehicles[i], &self.vehicles[j]);
            let gap = other.s - other.length_m / 2.0 - me.s - me.length_m / 2.0;
            let beside = (other.side - me.side).abs() >= (other.width_m + me.width_m) / 2.0;
            if gap > 0.0 || beside || me.link != other.link || !overlooks(me, other) {
                continue;
            }
            let closing_mps = me.speed - other.speed;
            self.crashes.push(Crash { hit: other.id, by: me.id, at_s: now, closing_mps });
            let hit = &mut self.vehicles[j];
            hit.order = Some(Order::Stop { s: hit.s, side: hit.side, seconds });
            (hit.stands_since, hit.speed) = (Some(now), 0.0);
            let by = &mut self.vehicles[i];
            // A little crumples.
            by.s += gap + 0.1;
            by.order = Some(Order::Stop { s: by.s, side, seconds: seconds + 3.0 });
            (by.stands_since, by.speed, by.aims_at) = (Some(now), 0.0, by.side);
        }
    }
}

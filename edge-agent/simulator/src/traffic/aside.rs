//! Sideways: where a vehicle goes when what is ahead is in its way.

use super::{Ahead, TICK_S, Traffic};
use crate::ground::Spot;
use crate::road::Lamp;
use crate::vehicle::Order;

/// Mean seconds between two looks to the side.
const LOOKS_EVERY: f64 = 0.8;

impl Traffic {
    /// Where vehicle `i` wants to be sideways.
    pub(super) fn look_aside(&mut self, i: usize, now: f64, on_road: &[Spot]) -> f64 {
        let looks = self.chance.happens(TICK_S / LOOKS_EVERY);
        let me = &self.vehicles[i];
        match me.order {
            Some(Order::Stop { s, side, .. }) if s - me.s < 35.0 => return side,
            Some(Order::Against { .. }) => return me.side,
            Some(Order::Brake { side, .. } | Order::Hit { side, .. } | Order::Follow { side }) => return side,
            Some(Order::Turn { .. }) => return me.side,
            _ => {}
        }
        if !looks {
            return me.aims_at;
        }
        let link = &self.links[me.link];
        if me.side < -link.half_width_m {
            let back = link.lanes_m[0];
            return if self.is_free_beside(i, back, 8.0) { back } else { me.aims_at };
        }
        if me.class.is_two_wheeler() { self.filter(i, on_road) } else { self.change_lane(i, now, on_road) }
    }

    /// Two-wheelers go where there is most room ahead, if nobody is beside them on the way there.
    fn filter(&self, i: usize, on_road: &[Spot]) -> f64 {
        let me = &self.vehicles[i];
        let edge = self.links[me.link].half_width_m - me.width_m / 2.0 - 0.15;
        let room =
            |side: f64| self.ahead(i, side, on_road).map_or(30.0, |ahead| ahead.gap.clamp(0.0, 30.0) + ahead.speed);
        let stays = room(me.side) + 3.0;
        let mut best = (stays, me.aims_at);
        if stays >= 33.0 {
            return me.aims_at;
        }
        for step in [-1.8, -0.9, 0.9, 1.8] {
            let side = (me.side + step).clamp(-edge, edge);
            let value = room(side) - 1.5 * (side - me.side).abs();
            if value > best.0 && self.is_free_beside(i, side, 0.4) {
                best = (value, side);
            }
        }
        best.1
    }

    /// What has four wheels changes to a free lane when what is ahead is much slower.
    fn change_lane(&self, i: usize, now: f64, on_road: &[Spot]) -> f64 {
        let me = &self.vehicles[i];
        let link = &self.links[me.link];
        let slow = |ahead: Ahead| ahead.gap < 25.0 && ahead.speed < 0.5 * me.driver.free_mps;
        let waits = self.lamp(me.link, now).is_some_and(|lamp| lamp != Lamp::Green);
        let Some(ahead) = self.ahead(i, me.side, on_road).filter(|ahead| slow(*ahead) && !waits) else {
            return me.aims_at;
        };
        let better = |side: f64| self.ahead(i, side, on_road).is_none_or(|other| other.gap > ahead.gap + 12.0);
        let lanes = link.lanes_m.iter().copied().filter(|lane| (lane - me.side).abs() > 1.0);
        let mut open = lanes.filter(|lane| better(*lane) && self.is_free_beside(i, *lane, 6.0));
        open.next().unwrap_or(me.aims_at)
    }

    /// Whether no one is between where vehicle `i` is and `side`, with `clear` metres before and behind it.
    fn is_free_beside(&self, i: usize, side: f64, clear: f64) -> bool {
        let me = &self.vehicles[i];
        let (low, high) = (me.side.min(side) - me.width_m / 2.0, me.side.max(side) + me.width_m / 2.0);
        self.on_link[me.link].iter().filter(|&&j| j != i).all(|&j| {
            let other = &self.vehicles[j];
            let apart = (other.s - me.s).abs() > (other.length_m + me.length_m) / 2.0 + clear;
            let in_line = (other.side - me.side).abs() < (other.width_m + me.width_m) / 2.0;
            let aside = other.side + other.width_m / 2.0 < low || other.side - other.width_m / 2.0 > high;
            apart || in_line || aside
        })
    }
}

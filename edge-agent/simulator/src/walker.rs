//! People on foot: they walk from place to place, wait, stand about, and are gone.

use crate::ground::{Pose, Spot};
use crate::random::Chance;
use crate::traffic::TICK_S;
use crate::vehicle::ActorId;

/// One part of someone's way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Leg {
    /// Walk there.
    To(Spot),
    /// Stand for so many seconds, shifting a little.
    Stand(f64),
}

/// Someone on foot.
#[derive(Debug, Clone)]
pub struct Walker {
    /// Unique in the world.
    pub id: ActorId,
    /// Height in metres.
    pub height_m: f64,
    /// m/s when walking.
    pub pace: f64,
    /// m/s now.
    pub speed: f64,
    /// What is left of the way, next last.
    legs: Vec<Leg>,
    stood: f64,
    /// A tick ago and now.
    pub poses: (Pose, Pose),
}

impl Walker {
    /// Someone who starts at `from` and takes these legs.
    #[must_use]
    pub fn new(id: ActorId, from: Spot, mut legs: Vec<Leg>, chance: &mut Chance) -> Self {
        legs.reverse();
        let at = Pose { spot: from, ahead: Spot::new(0.0, 1.0) };
        let height_m = 1.63 + 0.08 * chance.normal();
        let pace = (1.25 + 0.18 * chance.normal()).clamp(0.7, 1.9);
        Self { id, height_m, pace, speed: 0.0, legs, stood: 0.0, poses: (at, at) }
    }

    /// One step; `false` when the way is over.
    pub fn tick(&mut self) -> bool {
        self.poses.0 = self.poses.1;
        self.speed = 0.0;
        match self.legs.last() {
            None => return false,
            Some(Leg::Stand(seconds)) => {
                self.stood += TICK_S;
                if self.stood >= *seconds {
                    self.stood = 0.0;
                    self.legs.pop();
                }
            }
            Some(Leg::To(goal)) => {
                let spot = self.poses.1.spot;
                let left = spot.distance(*goal);
                let step = (self.pace * TICK_S).min(left);
                if left > 1e-9 {
                    let ahead = Spot::new((goal.x - spot.x) / left, (goal.y - spot.y) / left);
                    let spot = Spot::new(spot.x + ahead.x * step, spot.y + ahead.y * step);
                    self.poses.1 = Pose { spot, ahead };
                    self.speed = step / TICK_S;
                }
                if left - step < 0.05 {
                    self.legs.pop();
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_takes_its_length_and_its_stands() {
        let legs = vec![Leg::To(Spot::new(10.0, 0.0)), Leg::Stand(5.0), Leg::To(Spot::new(10.0, 10.0))];
        let mut walker = Walker::new(1, Spot::new(0.0, 0.0), legs, &mut Chance::new(1));
        let mut ticks = 0;
        while walker.tick() {
            ticks += 1;
        }
        let seconds = f64::from(ticks) * TICK_S;
        assert!((seconds - 5.0 - 20.0 / walker.pace).abs() < 1.0, "{seconds}");
        assert!(walker.poses.1.spot.distance(Spot::new(10.0, 10.0)) < 0.1);
    }
}

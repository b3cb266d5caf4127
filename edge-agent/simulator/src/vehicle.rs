//! Vehicles: their sizes, how they are driven, what they are told to do.

use analytics::Class;

use crate::ground::Pose;
use crate::random::Chance;
use crate::road::LinkId;

/// Number of a moving object, unique in a world.
pub type ActorId = u32;

/// The shares of vehicles on an urban road in Vietnam, in the order of [`VEHICLES`]: three of four are motorcycles.
/// An assumption from published modal splits, not a count.
const MIX: [f64; 5] = [0.75, 0.04, 0.16, 0.02, 0.03];
/// The classes of [`MIX`].
pub const VEHICLES: [Class; 5] = [Class::Motorcycle, Class::Bicycle, Class::Car, Class::Bus, Class::Truck];
/// Share of motorcycles with two on them.
const PILLION: f64 = 0.35;

/// How a vehicle is driven: the intelligent driver model (Treiber, Hennecke, Helbing: Congested traffic states in empirical
/// observations and microscopic simulations, Phys. Rev. E 62, 2000).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driver {
    /// Speed on a free road, m/s.
    pub free_mps: f64,
    /// Acceleration, m/s².
    pub accelerates: f64,
    /// Comfortable braking, m/s².
    pub brakes: f64,
    /// Time gap to the one in front, s.
    pub gap_s: f64,
    /// Gap when standing, m.
    pub gap_m: f64,
}

impl Driver {
    /// Acceleration with `gap` metres to one ahead that is `closing` m/s slower; m/s².
    #[must_use]
    pub fn acceleration(&self, speed: f64, pace: f64, ahead: Option<(f64, f64)>) -> f64 {
        let free = 1.0 - (speed / (self.free_mps * pace).max(0.5)).powi(4);
        let held = ahead.map_or(0.0, |(gap, closing)| {
            let dynamic = speed * self.gap_s + speed * closing / (2.0 * (self.accelerates * self.brakes).sqrt());
            let wanted = self.gap_m + dynamic.max(0.0);
            (wanted / gap.max(0.1)).powi(2)
        });
        // Harder than this no one brakes; what is closer stands closer.
        (self.accelerates * (free - held)).max(-8.0)
    }
}

/// What a driver was told to do beyond driving.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// Stop here (metres along the link, metres to the left of its middle) for so many seconds, then go on.
    Stop {
        /// Metres along the link.
        s: f64,
        /// Metres to the left of its middle; beyond the lanes: on the shoulder.
        side: f64,
        /// How long it stands.
        seconds: f64,
    },
    /// Against the traffic, from the link's end to its start, at this speed.
    Against {
        /// m/s.
        speed: f64,
    },
    /// Through red.
    RunRed,
    /// Brakes as hard as it can from here on (metres along the link), stands for so many seconds, then goes on.
    Brake {
        /// Metres along the link.
        s: f64,
        /// Metres to the left of its middle.
        side: f64,
        /// How long it stands.
        seconds: f64,
    },
    /// Takes no notice of this one once it brakes; both stand for so many seconds where they meet.
    Hit {
        /// Whom.
        whom: ActorId,
        /// Metres to the left of the link's middle.
        side: f64,
        /// How long they stand.
        seconds: f64,
    },
    /// Keeps to one side of the link.
    Follow {
        /// Metres to the left of its middle.
        side: f64,
    },
    /// Takes this way from the end of its link, which others do not.
    Turn {
        /// Which link.
        via: LinkId,
    },
}

/// Why a vehicle does not go faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing holds it.
    Free,
    /// It stops of itself: an [`Order`].
    Itself,
    /// A lamp.
    Lamp,
    /// Someone on foot.
    Walker,
    /// A vehicle.
    By(ActorId),
}

/// One vehicle.
#[derive(Debug, Clone)]
pub struct Vehicle {
    /// Unique in the world.
    pub id: ActorId,
    /// What it is.
    pub class: Class,
    /// Metres.
    pub length_m: f64,
    /// Metres.
    pub width_m: f64,
    /// Metres.
    pub height_m: f64,
    /// How many sit on it (two-wheelers).
    pub riders: u32,
    /// Heights of those, in metres above the ground, as they sit.
    pub rider_m: f64,
    /// How it is driven.
    pub driver: Driver,
    /// Where.
    pub link: LinkId,
    /// Of its middle: metres along the link.
    pub s: f64,
    /// Of its middle: metres to the left of the link's.
    pub side: f64,
    /// m/s along the link; never negative (one that drives against moves the other way by [`Order::Against`]).
    pub speed: f64,
    /// Where it wants to be sideways.
    pub aims_at: f64,
    /// The link it takes next.
    pub then: Option<LinkId>,
    /// What it was told.
    pub order: Option<Order>,
    /// Since when it stands as ordered, in seconds of the world.
    pub stands_since: Option<f64>,
    /// What holds it.
    pub held: Held,
    /// A tick ago and now.
    pub poses: (Pose, Pose),
}

/// The bodily facts of a new vehicle.
#[derive(Debug, Clone, Copy)]
pub struct Make {
    /// What it is.
    pub class: Class,
    /// Length, width, height in metres.
    pub size: [f64; 3],
    /// How it is driven.
    pub driver: Driver,
    /// How many sit on it.
    pub riders: u32,
    /// How high they reach.
    pub rider_m: f64,
}

impl Make {
    /// One of the mix.
    #[must_use]
    pub fn any(chance: &mut Chance) -> Self {
        let class = VEHICLES[chance.pick(&MIX)];
        Self::of(class, chance)
    }

    /// One of this class.
    #[must_use]
    pub fn of(class: Class, chance: &mut Chance) -> Self {
        let driver =
            |free_mps, accelerates, brakes, gap_s, gap_m| Driver { free_mps, accelerates, brakes, gap_s, gap_m };
        let vary = |chance: &mut Chance, mean: f64, std: f64| mean + std * chance.normal();
        let (size, driver, riders) = match class {
            Class::Motorcycle => {
                let riders = if chance.happens(PILLION) { 2 } else { 1 };
                ([1.9, 0.7, 1.1], driver(vary(chance, 9.5, 1.4), 2.0, 3.0, 0.8, 0.8), riders)
            }
            Class::Bicycle => ([1.7, 0.55, 1.05], driver(vary(chance, 4.0, 0.6), 0.8, 2.0, 0.8, 0.6), 1),
            Class::Car => {
                let size = [vary(chance, 4.3, 0.25), vary(chance, 1.78, 0.05), vary(chance, 1.55, 0.1)];
                (size, driver(vary(chance, 11.0, 1.4), 1.5, 2.5, 1.2, 2.0), 0)
            }
            Class::Bus => ([vary(chance, 9.5, 1.0), 2.4, 3.0], driver(vary(chance, 9.0, 0.8), 0.9, 2.0, 1.5, 2.5), 0),
            Class::Truck => {
                let size = [vary(chance, 6.5, 0.8), vary(chance, 2.2, 0.1), vary(chance, 2.8, 0.2)];
                (size, driver(vary(chance, 8.5, 0.8), 0.8, 2.0, 1.5, 2.5), 0)
            }
            Class::Person => ([0.5, 0.5, 1.65], driver(1.3, 1.0, 2.0, 0.5, 0.3), 0),
        };
        Self { class, size, driver, riders, rider_m: vary(chance, 1.62, 0.06) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_road_is_driven_at_ones_own_speed_and_a_wall_is_not_hit() {
        let driver = Make::of(Class::Car, &mut Chance::new(5)).driver;
        let mut speed = 0.0;
        for _ in 0..500 {
            speed = f64::max(0.0, speed + 0.2 * driver.acceleration(speed, 1.0, None));
        }
        assert!((speed - driver.free_mps).abs() < 0.3, "{speed}");
        let (mut gap, mut speed) = (80.0, driver.free_mps);
        for _ in 0..500 {
            speed = f64::max(0.0, speed + 0.2 * driver.acceleration(speed, 1.0, Some((gap, speed))));
            gap -= 0.2 * speed;
        }
        assert!(gap > 1.0 && speed < 0.05, "{gap} m left at {speed} m/s");
    }

    #[test]
    fn three_of_four_are_motorcycles() {
        let mut chance = Chance::new(2);
        let n = 20_000;
        let motorcycles = (0..n).filter(|_| Make::any(&mut chance).class == Class::Motorcycle).count();
        assert!((motorcycles as f64 / f64::from(n) - 0.75).abs() < 0.02);
    }
}

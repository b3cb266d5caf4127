//! What the modelled detector does, in numbers. How they were measured is in `docs/simulator.md`.

use analytics::Class;

/// Conditions under which a camera sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// Daylight: what was measured.
    Day,
    /// Dark, with street lamps and headlights. Nobody measured it: an assumption, `1.0` being our guess of a lit street.
    Night {
        /// How much worse than by day; 0 is day.
        assumed: f64,
    },
    /// Rain. Nobody measured it: an assumption, `1.0` being our guess of a heavy shower by day.
    Rain {
        /// How much worse than by day; 0 is dry.
        assumed: f64,
    },
}

/// Numbers of the detector model.
///
/// A body is seen with the confidence `sigmoid(l) · most_sure`, or missed when that is below `threshold`. The level `l` is the
/// sum of what its size gives, what its cover takes, its own constant offset, a slow wander and, now and then, a dip.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorParams {
    /// Width of the network's input that the picture fills, in pixels: sizes are counted in these.
    pub input_px: f64,
    /// What is less sure is not reported.
    pub threshold: f64,
    /// The greatest confidence there is.
    pub most_sure: f64,
    /// Level by height for persons: `(pixels of the network's input, level)`; between them linear in the logarithm.
    pub person_level: [(f64, f64); 7],
    /// The same for cars, buses and trucks.
    pub vehicle_level: [(f64, f64); 7],
    /// Added to every level.
    pub level_offset: f64,
    /// Standard deviation of a body's own offset.
    pub own_std: f64,
    /// Standard deviation and time constant (s) of the slow wander.
    pub wander: (f64, f64),
    /// Taken from the level by full cover; grows with the power 1.5 of the covered share.
    pub cover_takes: f64,
    /// Share of the time in a dip: uncovered, and more by full cover.
    pub dip_share: (f64, f64),
    /// Mean depth of a dip: uncovered, and more by full cover.
    pub dip_depth: (f64, f64),
    /// Mean length of a dip, in seconds.
    pub dip_s: f64,
    /// Share of a two-wheeler that its own rider covers.
    pub own_rider_covers: f64,
    /// Jitter of the box (standard deviations): middle and width as shares of the root of its area, lower and upper edge as
    /// shares of its height.
    pub jitter: Jitter,
    /// Duplicates, of each seen box: share that gets a weak one, share that gets a strong one.
    pub duplicates: (f64, f64),
    /// Mean confidence of weak duplicates and of random false boxes above `threshold`.
    pub weak_mean: f64,
    /// Random false boxes a frame: weak ones, strong ones (confidence 0.3 to 0.75).
    pub random_false: (f64, f64),
    /// Places that look like something all the time: how many weak ones, how many strong ones.
    pub sticky_places: (u32, u32),
    /// Probability that a class is called another, `[truth][called]` in the order of [`Class::ALL`]; what is left is right.
    pub called: [[f64; 6]; 6],
    /// Mean time for which a body is called the same, in seconds.
    pub called_s: f64,
    /// Whole frames without anything: mean seconds between such gaps, mean seconds they last.
    pub dropouts: (f64, f64),
}

/// See [`DetectorParams::jitter`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// Of the middle, sideways.
    pub middle: f64,
    /// Of the width.
    pub width: f64,
    /// Of the lower edge.
    pub bottom: f64,
    /// Of the upper edge.
    pub top: f64,
    /// Of the lower edge, added by full cover: the detector boxes what it sees.
    pub covered_bottom: f64,
    /// How much more per unit of confidence below 0.75.
    pub unsure: f64,
    /// Share of the variance that lasts, with its time constant in seconds; the rest is new in every frame.
    pub lasting: (f64, f64),
}

impl Default for DetectorParams {
    /// As fitted: YOLOX-Nano 416 by day.
    fn default() -> Self {
        let mut called = [[0.0; 6]; 6];
        for (truth, call, share) in [
            (Class::Car, Class::Truck, 0.03),
            (Class::Car, Class::Bus, 0.005),
            (Class::Truck, Class::Car, 0.35),
            (Class::Truck, Class::Bus, 0.04),
            (Class::Bus, Class::Car, 0.15),
            (Class::Bus, Class::Truck, 0.15),
            // Too few on the clips to measure: assumed.
            (Class::Motorcycle, Class::Bicycle, 0.05),
            (Class::Bicycle, Class::Motorcycle, 0.15),
        ] {
            called[truth as usize][call as usize] = share;
        }
        Self {
            input_px: 416.0,
            threshold: 0.1,
            most_sure: 0.95,
            person_level: [
                (8.0, -3.4),
                (10.0, -2.6),
                (15.0, -1.0),
                (22.0, -0.1),
                (33.0, 1.0),
                (48.0, 1.65),
                (100.0, 1.9),
            ],
            vehicle_level: [
                (6.0, -1.8),
                (10.0, -0.55),
                (15.0, -0.1),
                (22.0, 0.5),
                (33.0, 0.65),
                (55.0, 1.2),
                (110.0, 2.1),
            ],
            level_offset: 0.0,
            own_std: 0.35,
            wander: (0.35, 0.9),
            cover_takes: 2.0,
            dip_share: (0.10, 0.8),
            dip_depth: (1.9, 3.0),
            dip_s: 0.28,
            own_rider_covers: 0.2,
            jitter: Jitter {
                middle: 0.06,
                width: 0.075,
                bottom: 0.034,
                top: 0.05,
                covered_bottom: 0.3,
                unsure: 2.4,
                lasting: (0.6, 0.6),
            },
            duplicates: (0.16, 0.015),
            weak_mean: 0.08,
            random_false: (0.2, 0.004),
            sticky_places: (8, 1),
            called,
            called_s: 1.5,
            dropouts: (900.0, 0.6),
        }
    }
}

impl DetectorParams {
    /// The same detector under a condition. Multipliers of conditions are assumptions, not measurements.
    #[must_use]
    pub fn under(mut self, condition: Condition) -> Self {
        match condition {
            Condition::Day => {}
            Condition::Night { assumed } => {
                self.level_offset -= 0.7 * assumed;
                self.dip_share.0 *= 1.0 + assumed;
                self.worse(assumed, 0.5);
                // Headlights on the road and reflections.
                self.random_false.1 *= 1.0 + 4.0 * assumed;
                self.sticky_places.1 += assumed.round() as u32;
            }
            Condition::Rain { assumed } => {
                self.level_offset -= 0.4 * assumed;
                self.dip_share.0 *= 1.0 + 0.7 * assumed;
                self.worse(assumed, 0.3);
                self.random_false.1 *= 1.0 + 2.0 * assumed;
                // Drops on the dome.
                self.sticky_places.0 += (4.0 * assumed).round() as u32;
            }
        }
        self
    }

    fn worse(&mut self, assumed: f64, jitter: f64) {
        let factor = 1.0 + jitter * assumed;
        for share in [
            &mut self.jitter.middle,
            &mut self.jitter.width,
            &mut self.jitter.bottom,
            &mut self.jitter.top,
            &mut self.random_false.0,
        ] {
            *share *= factor;
        }
    }

    /// Level that a body of this class and height (pixels of the network's input) has, uncovered.
    #[must_use]
    pub fn level(&self, class: Class, height_px: f64) -> f64 {
        let of_size = match class {
            Class::Person => between(&self.person_level, height_px),
            Class::Car | Class::Bus | Class::Truck => between(&self.vehicle_level, height_px),
            // The clips hold too few: assumed to lie between the two, as its shape does.
            Class::Bicycle | Class::Motorcycle => {
                0.5 * (between(&self.person_level, height_px) + between(&self.vehicle_level, height_px))
            }
        };
        of_size + self.level_offset
    }
}

fn between(table: &[(f64, f64)], height_px: f64) -> f64 {
    let last = table.len() - 1;
    let piece = table[1..last].iter().take_while(|(height, _)| height_px > *height).count();
    let ((h0, l0), (h1, l1)) = (table[piece], table[piece + 1]);
    let share = (height_px / h0).ln() / (h1 / h0).ln();
    // Smaller than the smallest measured it goes on falling; larger than the largest nothing is gained.
    l0 + (l1 - l0) * share.min(1.0)
}

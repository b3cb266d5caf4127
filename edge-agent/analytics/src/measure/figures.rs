//! What an interval amounts to: figures from its sums.

use uuid::Uuid;

use super::tally::{LaneTally, SPEED_CLASS_KMH, SpeedTally, Tally, WayTally};
use crate::finding::Direction;
use crate::time::WallTime;

/// With fewer speeds there is no 85th percentile: its error would be as large as itself.
const LEAST_FOR_P85: u32 = 10;

/// Of a normal distribution, 95 % lie within this many standard deviations.
const Z95: f64 = 1.96;

/// The figures of one interval of one camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// UUIDv7, unique.
    pub id: Uuid,
    /// Its beginning, aligned to the site's clock.
    pub from: WallTime,
    /// Its end, exclusive.
    pub until: WallTime,
    /// Media time really analysed in it, in seconds: less than its length where the camera, the box or the program was
    /// away. Counts are of this time, and not extrapolated.
    pub observed_s: f64,
    /// Frames analysed.
    pub frames: u64,
    /// By line and direction.
    pub lines: Vec<LineFigures>,
    /// The turning matrix.
    pub movements: Vec<Movement>,
    /// By lane.
    pub lanes: Vec<LaneFigures>,
}

/// Both ways over a line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFigures {
    /// The line.
    pub line: String,
    /// One way.
    pub left_to_right: WayFigures,
    /// The other.
    pub right_to_left: WayFigures,
}

/// One way over a line.
#[derive(Debug, Clone, PartialEq)]
pub struct WayFigures {
    /// How many crossed, by class; riders are counted with what they ride.
    pub counts: Vec<(String, u32)>,
    /// Mean time between two vehicles, front to front, in seconds; `None` with fewer than two.
    pub headway_s: Option<f64>,
    /// Mean time in which the line was free between two vehicles, in seconds.
    pub gap_s: Option<f64>,
    /// Calibrated cameras only.
    pub speed: Option<SpeedFigures>,
}

/// A value with the band in which it lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Banded {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Speeds over a line, in km/h.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedFigures {
    /// How many were measured.
    pub vehicles: u32,
    /// Space-mean speed: the harmonic mean of the spot speeds (Wardrop 1952).
    pub space_mean_kmh: Banded,
    /// 85th percentile; `None` with fewer than ten.
    pub p85_kmh: Option<Banded>,
}

/// Vehicles of one class that crossed one gate and then another (or came back over the same one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The line crossed first.
    pub from: String,
    /// The line crossed next.
    pub to: String,
    /// Their class.
    pub class: String,
    /// How many.
    pub count: u32,
}

/// One lane.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneFigures {
    /// The zone.
    pub lane: String,
    /// Share of time covered, 0 to 1; `None` when nothing was observed.
    pub occupancy: Option<f64>,
    /// Mean number of vehicles on it.
    pub vehicles: Option<f64>,
    /// Vehicles a kilometre; calibrated cameras only.
    pub density_per_km: Option<f64>,
    /// Space-mean speed: way over time of all vehicles on the lane (Edie 1963); calibrated cameras only.
    pub speed_kmh: Option<f64>,
    /// Vehicles in the longest queue, at most.
    pub queue_most: u32,
    /// The same, mean over time.
    pub queue_mean: Option<f64>,
    /// The longest queue from its last to its first vehicle; calibrated cameras only.
    pub queue_longest_m: Option<f64>,
    /// Level of service, and what it is judged by.
    pub level: Option<(Level, LevelBasis)>,
}

/// Level of service.
///
/// Where the camera is calibrated, by density in passenger-car units a kilometre and lane, as the Highway Capacity Manual
/// 2000 has it for basic freeway segments: A to 7, B to 11, C to 16, D to 22, E to 28, F above. Elsewhere by
/// occupancy: the densities of the manual of 1985 (12, 20, 30, 42 and 67 vehicles a mile and lane) at 6.7 m a vehicle:
/// A to 5 %, B to 8 %, C to 12 %, D to 17 %, E to 28 %, F above. At a signal neither is the manual's level of service, which goes by
/// delay there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Free flow.
    A,
    /// Reasonably free flow.
    B,
    /// Stable flow.
    C,
    /// Near unstable flow.
    D,
    /// At capacity.
    E,
    /// Broken down.
    F,
}

impl Level {
    /// All, from the best.
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F];
    const BY_DENSITY: [f64; 5] = [7.0, 11.0, 16.0, 22.0, 28.0];
    const BY_OCCUPANCY: [f64; 5] = [0.05, 0.08, 0.12, 0.17, 0.28];

    fn of(value: f64, limits: [f64; 5]) -> Self {
        Self::ALL[limits.iter().filter(|limit| value > **limit).count()]
    }

    /// By passenger-car units a kilometre and lane.
    #[must_use]
    pub fn by_density(pcu_per_km: f64) -> Self {
        Self::of(pcu_per_km, Self::BY_DENSITY)
    }

    /// By occupancy, 0 to 1.
    #[must_use]
    pub fn by_occupancy(occupancy: f64) -> Self {
        Self::of(occupancy, Self::BY_OCCUPANCY)
    }

    /// The letter.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
            Self::F => "F",
        }
    }
}

/// What a level of service is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelBasis {
    /// Density on the ground.
    Density,
    /// Occupancy in the picture.
    Occupancy,
}

impl Tally {
    /// Its figures.
    pub(super) fn figures(&self, id: Uuid) -> Interval {
        let way = |way: &WayTally| WayFigures {
            counts: way.counts.iter().map(|(class, count)| (class.clone(), *count)).collect(),
            headway_s: way.headway.value(),
            gap_s: way.gap.value(),
            speed: way.speed.figures(),
        };
        let line = |(line, tally): (&String, &super::tally::LineTally)| LineFigures {
            line: line.clone(),
            left_to_right: way(&tally.left_to_right),
            right_to_left: way(&tally.right_to_left),
        };
        let mut movements: Vec<Movement> = self
            .movements
            .iter()
            .map(|(from, to, class, count)| Movement {
                from: from.clone(),
                to: to.clone(),
                class: class.clone(),
                count: *count,
            })
            .collect();
        movements.sort_by(|a, b| (&a.from, &a.to, &a.class).cmp(&(&b.from, &b.to, &b.class)));
        Interval {
            id,
            from: self.from(),
            until: self.until(),
            observed_s: self.observed_s,
            frames: self.frames,
            lines: self.lines.iter().map(line).collect(),
            movements,
            lanes: self.lanes.iter().map(|(lane, tally)| tally.figures(lane, self.observed_s)).collect(),
        }
    }
}

impl SpeedTally {
    fn figures(&self) -> Option<SpeedFigures> {
        if self.count == 0 {
            return None;
        }
        let count = f64::from(self.count);
        let inverse = self.inverse / count;
        let mean = 1.0 / inverse;
        let variance = if self.count > 1 {
            ((self.inverse_squared - count * inverse * inverse) / (count - 1.0)).max(0.0)
        } else {
            0.0
        };
        // The error of 1/v carried over to v.
        let sampling = (variance / count).sqrt() * mean * mean;
        // The calibration is wrong the same way for all of them: many do not make it better.
        let error = self.errors / count;
        let half = (Z95 * sampling).hypot(error * mean);
        let space_mean_kmh = Banded { value: mean, low: (mean - half).max(0.0), high: mean + half };
        let p85_kmh = (self.count >= LEAST_FOR_P85).then(|| self.p85(error));
        Some(SpeedFigures { vehicles: self.count, space_mean_kmh, p85_kmh })
    }

    /// With the band that order statistics give it (normal approximation of the binomial), widened by the calibration's.
    fn p85(&self, error: f64) -> Banded {
        const P: f64 = 0.85;
        let count = f64::from(self.count);
        let ranks = Z95 * (count * P * (1.0 - P)).sqrt();
        let value = self.at_rank(count * P);
        let half = error * value;
        let below = (value - self.at_rank(count * P - ranks)).hypot(half);
        let above = (self.at_rank((count * P + ranks).min(count)) - value).hypot(half);
        Banded { value, low: (value - below).max(0.0), high: value + above }
    }

    /// The speed below which `rank` of them were, evenly spread within a class of the histogram.
    fn at_rank(&self, rank: f64) -> f64 {
        let mut before = 0.0;
        for (class, count) in &self.histogram {
            let count = f64::from(*count);
            if before + count >= rank {
                return (f64::from(*class) + ((rank - before) / count).max(0.0)) * SPEED_CLASS_KMH;
            }
            before += count;
        }
        self.histogram.last_key_value().map_or(0.0, |(class, _)| (f64::from(*class) + 1.0) * SPEED_CLASS_KMH)
    }
}

impl LaneTally {
    fn figures(&self, lane: &str, observed_s: f64) -> LaneFigures {
        let mean = |sum: f64| (observed_s > 0.0).then(|| sum / observed_s);
        let occupancy = mean(self.occupied_s);
        let per_km = |vehicles: Option<f64>| Some(vehicles? / (self.length_m? / 1000.0));
        let level = match per_km(mean(self.pcu_s)) {
            Some(density) => Some((Level::by_density(density), LevelBasis::Density)),
            None => occupancy.map(|occupancy| (Level::by_occupancy(occupancy), LevelBasis::Occupancy)),
        };
        LaneFigures {
            lane: lane.to_owned(),
            occupancy,
            vehicles: mean(self.vehicle_s),
            density_per_km: per_km(mean(self.vehicle_s)),
            speed_kmh: (self.timed_s > 0.0).then(|| self.travelled_m / self.timed_s * 3.6),
            queue_most: self.queue_most,
            queue_mean: mean(self.queued_s),
            queue_longest_m: self.queue_longest_m,
            level,
        }
    }
}

impl WayFigures {
    /// How many crossed, of all classes.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

impl LineFigures {
    /// One way.
    #[must_use]
    pub const fn way(&self, direction: Direction) -> &WayFigures {
        match direction {
            Direction::LeftToRight => &self.left_to_right,
            Direction::RightToLeft => &self.right_to_left,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_speed_lies_in_its_band_and_the_space_mean_is_not_above_the_time_mean(
            speeds in prop::collection::vec(1.0..150.0, 1..200), error in 0.0..0.2
        ) {
            let mut tally = SpeedTally::default();
            speeds.iter().for_each(|kmh: &f64| tally.add(*kmh, error));
            let figures = tally.figures().expect("there are speeds");
            let time_mean = speeds.iter().sum::<f64>() / speeds.len() as f64;
            prop_assert!(figures.space_mean_kmh.value <= time_mean + 1e-9);
            for banded in [Some(figures.space_mean_kmh), figures.p85_kmh].into_iter().flatten() {
                prop_assert!(banded.low <= banded.value && banded.value <= banded.high, "{:?}", banded);
            }
            prop_assert_eq!(figures.p85_kmh.is_some(), speeds.len() >= 10);
        }

        #[test]
        fn the_85th_percentile_is_that_of_the_sorted_speeds_within_a_class(speeds in prop::collection::vec(1.0..150.0, 20..200)) {
            let mut tally = SpeedTally::default();
            speeds.iter().for_each(|kmh: &f64| tally.add(*kmh, 0.0));
            let mut sorted = speeds.clone();
            sorted.sort_by(f64::total_cmp);
            let at = (0.85 * sorted.len() as f64).ceil() as usize - 1;
            let p85 = tally.p85(0.0).value;
            prop_assert!((p85 - sorted[at]).abs() <= 1.0, "{} is not {}", p85, sorted[at]);
        }
    }

    #[test]
    fn the_better_calibrated_the_narrower_the_band() {
        let width = |error| {
            let mut tally = SpeedTally::default();
            (0..100).for_each(|_| tally.add(50.0, error));
            let band = tally.figures().expect("speeds").space_mean_kmh;
            band.high - band.low
        };
        assert!(width(0.0) < 1e-6 && (width(0.05) - 2.0 * 2.5).abs() < 1e-6, "{}", width(0.05));
    }

    #[test]
    fn levels_of_service_are_those_of_the_tables() {
        let by_density = [0.0, 7.0, 7.1, 16.0, 22.0, 28.0, 28.1].map(Level::by_density);
        use Level::{A, B, C, D, E, F};
        assert_eq!(by_density, [A, A, B, C, D, E, F]);
        assert_eq!([0.05, 0.06, 0.3].map(Level::by_occupancy), [A, B, F]);
    }
}

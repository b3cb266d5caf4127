//! The rules: each reads scenes and says what it finds.

use std::time::Duration;

use crate::class::ClassSet;
use crate::finding::{Finding, RuleInfo};
use crate::id::RuleId;
use crate::kind::{Kind, Severity};
use crate::scene::Scene;
use crate::zone::{Line, Zone};

/// A rule of one camera. A trait because there are many kinds; each is its own file here.
///
/// State per track must be dropped when the track is in [`Scene::ended`].
pub trait Rule: Send {
    /// What is the same for all its findings.
    fn info(&self) -> &RuleInfo;

    /// Adds what it finds in this scene. Scenes come in ascending `pts`.
    fn evaluate(&mut self, scene: &Scene, findings: &mut Vec<Finding>);
}

/// A rule as configured, resolved and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSpec {
    /// Its name in the site file.
    pub id: RuleId,
    /// How severe its incidents are.
    pub severity: Severity,
    /// See [`RuleInfo::cooldown`].
    pub cooldown: Duration,
    /// The classes it looks at.
    pub classes: ClassSet,
    /// Whether riders of two-wheelers count as persons.
    pub include_riders: bool,
    /// The kind, its place and its numbers.
    pub params: RuleParams,
}

/// The kind of a rule, its place and its numbers. Distances are box heights (`h`), speeds box heights per second:
/// uncalibrated units.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleParams {
    /// Counts directed crossings, once per track and direction.
    LineCrossing {
        /// The line.
        line: Line,
        /// How far beyond the line, in box heights, a track must be seen before it has crossed. Raising it stops
        /// stop-and-go and jitter from counting; it costs crossings of objects that vanish close to the line.
        hysteresis: f64,
    },
    /// An object inside the zone for `hold`.
    Intrusion {
        /// The zone.
        zone: Zone,
        /// For how long it must be inside.
        hold: Duration,
    },
    /// An object that dwells in the zone for `dwell`, short absences not counted against it.
    Loitering {
        /// The zone.
        zone: Zone,
        /// For how long.
        dwell: Duration,
    },
    /// At least `count` objects in the zone for `hold`.
    Crowding {
        /// The zone.
        zone: Zone,
        /// How many.
        count: u32,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle that moves against the zone's heading.
    WrongWay {
        /// A zone with a heading.
        zone: Zone,
        /// At least this far from the heading, in degrees.
        angle_deg: f64,
        /// Over at least this distance, in box heights.
        distance: f64,
        /// For at least this long.
        hold: Duration,
    },
    /// A vehicle that was seen moving and now stands still.
    StoppedVehicle {
        /// The zone.
        zone: Zone,
        /// Slower than this is standing, in box heights per second.
        speed: f64,
        /// It must have travelled this far before, in box heights.
        travel: f64,
        /// For how long it must stand.
        hold: Duration,
    },
    /// A person on foot on a carriageway, outside the crossings.
    PedestrianOnCarriageway {
        /// The carriageway.
        zone: Zone,
        /// Zones where walking is allowed.
        crossings: Vec<Zone>,
        /// For how long.
        hold: Duration,
    },
}

impl RuleParams {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::LineCrossing { .. } => Kind::LineCrossing,
            Self::Intrusion { .. } => Kind::Intrusion,
            Self::Loitering { .. } => Kind::Loitering,
            Self::Crowding { .. } => Kind::Crowding,
            Self::WrongWay { .. } => Kind::WrongWay,
            Self::StoppedVehicle { .. } => Kind::StoppedVehicle,
            Self::PedestrianOnCarriageway { .. } => Kind::PedestrianOnCarriageway,
        }
    }
}

/// Makes the rule that `spec` describes.
#[must_use]
pub fn build(_spec: RuleSpec) -> Box<dyn Rule> {
    unimplemented!()
}

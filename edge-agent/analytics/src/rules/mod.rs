//! The rules: each reads scenes and says what it finds.
//!
//! # Invariants
//! - Time is media time between sightings, never a count of frames: the same happening is found at every frame rate.
//! - Only tracks seen in this scene are judged. A lost track is nothing new: it neither starts, advances nor ends what is
//!   known of it, so that one that comes back goes on where it was. (Crowding alone counts it for a moment.) Whether
//!   an incident outlives the loss is for [`Incidents`](crate::incident::Incidents) to say.
//! - What is known of a track is dropped when it is in [`Scene::ended`].
//! - A rule follows scenes while it is not armed, so that arming it finds nothing that happened before: what takes time
//!   or way is measured from then on ([`Rule::arm`]).
//! - To go on asks for less than to begin: of a subject in [`Open`] no rule asks again for time or travel.
//! - A rider ([`Track::rider_of`]) belongs to its vehicle and is no object of its own, unless `include_riders`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::class::ClassSet;
use crate::finding::{Finding, Measure, RuleInfo, Shape, Subject};
use crate::ground::{Length, Speed};
use crate::id::RuleId;
use crate::kind::{Kind, Severity};
use crate::scene::{Scene, Track, TrackId};
use crate::schedule::Schedule;
use crate::time::MediaTime;
use crate::zone::{Line, Zone, ZoneKind};

mod camera;
mod crowding;
mod hold;
mod intrusion;
mod line_crossing;
mod loitering;
mod motion;
mod pedestrian_on_carriageway;
mod stopped_vehicle;
mod wrong_way;

pub use self::camera::CameraFault;
use self::hold::Runs;
use self::motion::rounded;

/// The subjects about which a rule's incident is open, as of the scene before.
pub type Open = BTreeSet<Subject>;

/// A rule of one camera. A trait because there are many kinds; each is its own file here.
///
/// State per track must be dropped when the track is in [`Scene::ended`].
pub trait Rule: Send {
    /// What is the same for all its findings.
    fn info(&self) -> &RuleInfo;

    /// From now on it is armed. What takes time or way begins now; what is known of the objects stays: that a vehicle has
    /// moved before, on which side of a line it was.
    fn arm(&mut self, now: MediaTime);

    /// Adds what it finds in this scene. Scenes come in ascending `pts`; `open` is what it found before and still
    /// lasts, also from before a restart.
    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>);

    /// Of how many tracks it knows something.
    #[cfg(test)]
    fn tracked(&self) -> usize;
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
    /// When it is armed; `None`: always.
    pub schedule: Option<Schedule>,
    /// The kind, its place and its numbers.
    pub params: RuleParams,
}

/// The kind of a rule, its place and its numbers. Distances and speeds say their unit: box heights, or metres on the ground
/// of a calibrated camera.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleParams {
    /// Counts directed crossings: once per track and direction, until it has really come back.
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
        /// Over at least this distance.
        distance: Length,
        /// For at least this long.
        hold: Duration,
    },
    /// A vehicle that was seen moving and now stands still.
    StoppedVehicle {
        /// The zone.
        zone: Zone,
        /// Slower than this is standing.
        speed: Speed,
        /// It must have travelled this far before.
        travel: Length,
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
    /// Something is wrong with the camera itself.
    Camera {
        /// What.
        fault: CameraFault,
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
            Self::Camera { fault, .. } => fault.kind(),
        }
    }

    /// The zone, for rules of zones.
    #[must_use]
    pub const fn zone(&self) -> Option<&Zone> {
        match self {
            Self::LineCrossing { .. } | Self::Camera { .. } => None,
            Self::Intrusion { zone, .. }
            | Self::Loitering { zone, .. }
            | Self::Crowding { zone, .. }
            | Self::WrongWay { zone, .. }
            | Self::StoppedVehicle { zone, .. }
            | Self::PedestrianOnCarriageway { zone, .. } => Some(zone),
        }
    }

    /// The line, for rules of lines.
    #[must_use]
    pub const fn line(&self) -> Option<&Line> {
        match self {
            Self::LineCrossing { line, .. } => Some(line),
            _ => None,
        }
    }

    /// What of the camera itself it judges; `None` for rules of places.
    #[must_use]
    pub const fn camera_fault(&self) -> Option<CameraFault> {
        match self {
            Self::Camera { fault, .. } => Some(*fault),
            _ => None,
        }
    }

    /// The numbers the rule compares with, by their names on the wire.
    fn thresholds(&self) -> Vec<Measure> {
        match self {
            Self::LineCrossing { hysteresis, .. } => vec![("hysteresis_heights", *hysteresis)],
            Self::Intrusion { hold, .. } | Self::PedestrianOnCarriageway { hold, .. } => {
                vec![("hold_s", hold.as_secs_f64())]
            }
            Self::Camera { fault, hold } => fault.thresholds(*hold),
            Self::Loitering { dwell, .. } => vec![("dwell_s", dwell.as_secs_f64())],
            Self::Crowding { count, hold, .. } => {
                vec![("count", f64::from(*count)), ("hold_s", hold.as_secs_f64())]
            }
            Self::WrongWay { angle_deg, distance, hold, .. } => {
                vec![
                    ("angle_deg", *angle_deg),
                    (distance.unit.name("distance_heights", "distance_m"), distance.value),
                    ("hold_s", hold.as_secs_f64()),
                ]
            }
            Self::StoppedVehicle { speed, travel, hold, .. } => vec![
                (speed.unit.name("speed_heights_per_s", "speed_kmh"), rounded(speed.shown())),
                (travel.unit.name("travel_heights", "travel_m"), travel.value),
                ("hold_s", hold.as_secs_f64()),
                ("queue_vehicles", stopped_vehicle::QUEUE as f64),
            ],
        }
    }
}

/// Defaults; where two are given, the second is for calibrated cameras.
impl RuleParams {
    /// Line crossing: `hysteresis`. A filtered box jitters by a few hundredths of its height.
    pub const HYSTERESIS: f64 = 0.1;
    /// Intrusion: `hold`. Raising it spares those who cut a corner; it costs that much time to the alert.
    pub const INTRUSION_HOLD: Duration = Duration::from_secs(1);
    /// Loitering: `dwell`. Raising it spares those who wait for someone; it costs that much time to the alert.
    pub const LOITERING_DWELL: Duration = Duration::from_secs(60);
    /// Crowding: `count`. Raising it spares families and bus queues; it costs small crowds.
    pub const CROWDING_COUNT: u32 = 10;
    /// Crowding: `hold`. Raising it spares groups that pass; it costs that much time to the alert.
    pub const CROWDING_HOLD: Duration = Duration::from_secs(10);
    /// Wrong way: `angle_deg`. Raising it spares turning and lane changes; it costs drives across the lane.
    pub const WRONG_WAY_ANGLE_DEG: f64 = 120.0;
    /// Wrong way: `distance`. Raising it spares reversing and boxes that jump; it costs short drives and time.
    pub const WRONG_WAY_DISTANCE: Length = Length::heights(3.0);
    /// The same on the ground.
    pub const WRONG_WAY_DISTANCE_ON_GROUND: Length = Length::metres(8.0);
    /// Wrong way: `hold`; less than one second is as one second. Raising it spares tracks that swap; it costs time.
    pub const WRONG_WAY_HOLD: Duration = Duration::from_millis(1500);
    /// Stopped vehicle: `speed`. Raising it finds what creeps; it costs a hold that restarts less when traffic crawls.
    pub const STOPPED_SPEED: Speed = Speed::heights_per_s(0.1);
    /// The same on the ground.
    pub const STOPPED_SPEED_ON_GROUND: Speed = Speed::km_per_h(3.0);
    /// Stopped vehicle: `travel`. Raising it spares parked vehicles whose boxes jump; it costs vehicles that come into
    /// view only just before they stop.
    pub const STOPPED_TRAVEL: Length = Length::heights(2.0);
    /// The same on the ground.
    pub const STOPPED_TRAVEL_ON_GROUND: Length = Length::metres(5.0);

    /// Stopped vehicle: `hold` by the kind of zone: 30 s on the shoulder, 10 s elsewhere. Raising it spares stops at signals
    /// (there it must be longer than the red) and for passengers; it costs that much time to the alert.
    #[must_use]
    pub const fn stopped_hold(kind: ZoneKind) -> Duration {
        match kind {
            ZoneKind::Shoulder => Duration::from_secs(30),
            _ => Duration::from_secs(10),
        }
    }

    /// Pedestrian on the carriageway: `hold`. Raising it spares those who step off the kerb; it costs time.
    pub const PEDESTRIAN_HOLD: Duration = Duration::from_secs(2);
}

/// Whom a rule looks at.
#[derive(Debug, Clone, Copy)]
struct Scope {
    classes: ClassSet,
    include_riders: bool,
}

impl Scope {
    fn covers(self, track: &Track) -> bool {
        self.classes.contains(track.class) && (self.include_riders || track.rider_of.is_none())
    }
}

fn level(subject: Subject, since: MediaTime, tracks: Vec<TrackId>, measured: Vec<Measure>) -> Finding {
    Finding { subject, shape: Shape::Level { since }, tracks, direction: None, measured }
}

/// Makes the rule that `spec` describes.
///
/// A wrong-way rule whose zone has no heading finds nothing: there is no wrong way.
#[must_use]
pub fn build(spec: RuleSpec) -> Box<dyn Rule> {
    let info = RuleInfo {
        id: spec.id,
        kind: spec.params.kind(),
        severity: spec.severity,
        cooldown: spec.cooldown,
        zone: spec.params.zone().map(|zone| zone.id.clone()),
        line: spec.params.line().map(|line| line.id.clone()),
        thresholds: spec.params.thresholds(),
    };
    let scope = Scope { classes: spec.classes, include_riders: spec.include_riders };
    match spec.params {
        RuleParams::Camera { fault, hold } => Box::new(camera::Camera { info, fault, hold, run: None }),
        RuleParams::LineCrossing { line, hysteresis } => {
            Box::new(line_crossing::LineCrossing { info, scope, line, hysteresis, tracks: BTreeMap::new() })
        }
        RuleParams::Intrusion { zone, hold } => {
            Box::new(intrusion::Intrusion { info, scope, zone, hold, inside: Runs::new(intrusion::BRIDGE) })
        }
        RuleParams::Loitering { zone, dwell } => {
            Box::new(loitering::Loitering { info, scope, zone, dwell, inside: Runs::new(loitering::ABSENCE) })
        }
        RuleParams::Crowding { zone, count, hold } => {
            Box::new(crowding::Crowding { info, scope, zone, count, hold, crowded: None })
        }
        RuleParams::WrongWay { zone, angle_deg, distance, hold } => {
            Box::new(wrong_way::WrongWay { info, scope, zone, angle_deg, distance, hold, tracks: BTreeMap::new() })
        }
        RuleParams::StoppedVehicle { zone, speed, travel, hold } => Box::new(stopped_vehicle::StoppedVehicle {
            info,
            scope,
            zone,
            speed,
            travel,
            hold,
            tracks: BTreeMap::new(),
            queued: MediaTime::ZERO,
            armed: MediaTime::ZERO,
        }),
        RuleParams::PedestrianOnCarriageway { zone, crossings, hold } => {
            let inside = Runs::new(pedestrian_on_carriageway::BRIDGE);
            Box::new(pedestrian_on_carriageway::PedestrianOnCarriageway { info, scope, zone, crossings, hold, inside })
        }
    }
}

#[cfg(test)]
mod tests;

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

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::class::ClassSet;
use crate::finding::{Finding, Measure, RuleInfo, Shape, Subject};
use crate::ground::{Length, Speed};
use crate::id::RuleId;
use crate::kind::{Kind, Severity};
use crate::measure::MeasureParams;
use crate::scene::{Scene, Track, TrackId};
use crate::schedule::Schedule;
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;
use crate::traffic::pace::Paces;
use crate::traffic::queue::QueueParams;
use crate::zone::{Line, Zone, ZoneKind};

mod camera;
mod congestion;
mod crowding;
mod flow_drop;
mod hold;
mod intrusion;
mod line_crossing;
mod loitering;
pub(crate) mod motion;
mod pedestrian_on_carriageway;
mod queue_spillback;
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
    /// A lane that is full and hardly moves.
    Congestion {
        /// The lane.
        zone: Zone,
        /// At least this share of its length is covered by vehicles, 0 to 1.
        occupancy: f64,
        /// And their mean speed is below this.
        speed: Speed,
        /// For how long.
        hold: Duration,
        /// It is over when the lane has flowed for this long.
        clear: Duration,
    },
    /// A standing queue that reaches back over a mark.
    QueueSpillback {
        /// The lane, which ends at the stop line.
        zone: Zone,
        /// The mark: a line across the lane.
        mark: Line,
        /// Two standing vehicles no further apart than this, from place to place, belong to one queue.
        gap: Length,
        /// Slower than this is standing.
        speed: Speed,
        /// For how long.
        hold: Duration,
    },
    /// Far fewer vehicles cross a line than did a moment ago.
    FlowDrop {
        /// The line.
        line: Line,
        /// Below this share of the flow before.
        ratio: f64,
        /// Over how long the flow before is averaged.
        baseline: Duration,
        /// Over how long the present flow is.
        window: Duration,
        /// A flow before of fewer vehicles a minute says nothing.
        least: f64,
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
            Self::Congestion { .. } => Kind::Congestion,
            Self::QueueSpillback { .. } => Kind::QueueSpillback,
            Self::FlowDrop { .. } => Kind::FlowDrop,
            Self::Camera { fault, .. } => fault.kind(),
        }
    }

    /// The zone, for rules of zones.
    #[must_use]
    pub const fn zone(&self) -> Option<&Zone> {
        match self {
            Self::LineCrossing { .. } | Self::FlowDrop { .. } | Self::Camera { .. } => None,
            Self::Congestion { zone, .. }
            | Self::QueueSpillback { zone, .. }
            | Self::Intrusion { zone, .. }
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
            Self::LineCrossing { line, .. } | Self::QueueSpillback { mark: line, .. } | Self::FlowDrop { line, .. } => {
                Some(line)
            }
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
            Self::Congestion { occupancy, speed, hold, clear, .. } => vec![
                ("occupancy_percent", rounded(occupancy * 100.0)),
                (speed.unit.name("speed_heights_per_s", "speed_kmh"), rounded(speed.shown())),
                ("hold_s", hold.as_secs_f64()),
                ("clear_s", clear.as_secs_f64()),
                ("rise_s", congestion::RISES_AFTER.as_secs_f64()),
                ("stand_s", congestion::STANDS_FOR.as_secs_f64()),
            ],
            Self::QueueSpillback { gap, speed, hold, .. } => vec![
                ("chain_vehicles", queue_spillback::LEAST as f64),
                (gap.unit.name("gap_heights", "gap_m"), gap.value),
                (speed.unit.name("speed_heights_per_s", "speed_kmh"), rounded(speed.shown())),
                ("hold_s", hold.as_secs_f64()),
            ],
            Self::FlowDrop { ratio, baseline, window, least, .. } => vec![
                ("flow_percent", rounded(ratio * 100.0)),
                ("baseline_per_min", *least),
                ("baseline_s", baseline.as_secs_f64()),
                ("window_s", window.as_secs_f64()),
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

    /// Congestion: `occupancy`. Raising it spares dense traffic that flows; it costs jams with wide gaps.
    pub const CONGESTION_OCCUPANCY: f64 = 0.35;
    /// Congestion: `speed`. Raising it finds what crawls; it costs alerts for traffic that is merely slow.
    pub const CONGESTION_SPEED: Speed = Speed::heights_per_s(0.7);
    /// The same on the ground.
    pub const CONGESTION_SPEED_ON_GROUND: Speed = Speed::km_per_h(20.0);
    /// Congestion: `hold`. Raising it spares queues at a signal (there it must be longer than the red); it costs that much time.
    pub const CONGESTION_HOLD: Duration = Duration::from_secs(60);
    /// Congestion: `clear`. Raising it joins jams that dissolve and form again; it costs that much time to the `end`.
    pub const CONGESTION_CLEAR: Duration = Duration::from_secs(120);
    /// Queue spill-back: `gap`. Raising it bridges vehicles that are not seen; it joins queues that are two.
    pub const SPILLBACK_GAP: Length = MeasureParams::QUEUE_GAP;
    /// The same on the ground.
    pub const SPILLBACK_GAP_ON_GROUND: Length = MeasureParams::QUEUE_GAP_ON_GROUND;
    /// Queue spill-back: `hold`. Raising it spares queues that are about to move; it costs that much time to the alert.
    pub const SPILLBACK_HOLD: Duration = Duration::from_secs(30);
    /// Flow drop: `ratio`. Raising it finds lesser drops; it costs alerts for chance.
    pub const FLOW_DROP_RATIO: f64 = 0.5;
    /// Flow drop: `baseline`. Raising it steadies what is usual; it costs that much time before the first judgement.
    pub const FLOW_DROP_BASELINE: Duration = Duration::from_secs(900);
    /// Flow drop: `window`. Raising it spares lulls (a signal's cycles, chance); it costs time to the alert.
    pub const FLOW_DROP_WINDOW: Duration = Duration::from_secs(180);
    /// Flow drop: `min_flow`, in vehicles a minute. Raising it spares quiet hours; it costs drops on quiet roads. With 15 a minute,
    /// 45 are expected in the window, and half of that comes by chance about once in 5,000 windows (Poisson).
    pub const FLOW_DROP_LEAST: f64 = 15.0;

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
    Finding { subject, shape: Shape::Level { since }, tracks, direction: None, severity: None, measured }
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
            Box::new(line_crossing::LineCrossing { info, scope, crossings: Crossings::new(line, hysteresis) })
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
        RuleParams::Congestion { zone, occupancy, speed, hold, clear } => Box::new(congestion::Congestion {
            info,
            scope,
            zone,
            occupancy,
            speed,
            hold,
            clear,
            paces: Paces::new(speed.unit),
            jam: None,
            stand: None,
            was_open: false,
        }),
        RuleParams::QueueSpillback { zone, mark, gap, speed, hold } => Box::new(queue_spillback::QueueSpillback {
            info,
            scope,
            zone,
            mark,
            queue: QueueParams { speed, gap },
            hold,
            paces: Paces::new(speed.unit),
            reached: None,
            was_open: false,
        }),
        RuleParams::FlowDrop { line, ratio, baseline, window, least } => Box::new(flow_drop::FlowDrop {
            info,
            scope,
            crossings: Crossings::new(line, RuleParams::HYSTERESIS),
            ratio,
            baseline,
            window,
            least,
            crossed: VecDeque::new(),
            watched: None,
            drop: None,
        }),
    }
}

#[cfg(test)]
mod tests;

//! What a rule of each kind is made from.

use std::time::Duration;

use super::{CameraFault, Gate, Size, congestion, queue_spillback, rounded, stopped_vehicle};
use crate::finding::{Direction, Measure};
use crate::ground::{Length, Speed};
use crate::id::SignalId;
use crate::kind::Kind;
use crate::zone::{Line, Zone};

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
        /// Stops and parking bays: standing there is normal.
        bays: Vec<Zone>,
        /// The signal of the zone's traffic: what stands while it is not green waits.
        signal: Option<SignalId>,
        /// Slower than this is standing.
        speed: Speed,
        /// It must have travelled this far before.
        travel: Length,
        /// For how long it must stand.
        hold: Duration,
        /// For how long one must stand that was not seen stopping: a lesser case, told as information. `None`: it is not
        /// told.
        at_start: Option<Duration>,
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
    /// A vehicle that stands in the zone.
    IllegalParking {
        /// The zone: at the kerb, where nobody queues.
        zone: Zone,
        /// Slower than this is standing.
        speed: Speed,
        /// For how long it must stand.
        hold: Duration,
    },
    /// An object of the rule's classes in the zone.
    ForbiddenClass {
        /// The zone.
        zone: Zone,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle that crawls where the others drive.
    SlowVehicle {
        /// The lane.
        zone: Zone,
        /// Slower than this times the lane's speed is slow.
        factor: f64,
        /// How many must have passed in ten minutes before the lane's speed is known.
        flow: u32,
        /// Over at least this distance.
        distance: Length,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle faster than allowed; calibrated cameras only.
    OverSpeed {
        /// Where it is measured.
        zone: Zone,
        /// What is allowed; in metres.
        limit: Speed,
        /// By which share more is told.
        tolerance: f64,
    },
    /// A vehicle that goes through one gate and then another.
    ForbiddenTurn {
        /// Where it comes from.
        from: Gate,
        /// Where it may not go.
        to: Gate,
        /// Within this time.
        within: Duration,
    },
    /// A vehicle that passes the stop line at red.
    RedLight {
        /// The stop line.
        line: Line,
        /// The driving direction over it.
        direction: Direction,
        /// Its signal.
        signal: SignalId,
        /// For how long it must have been red.
        grace: Duration,
        /// How far beyond the line, in box heights, it must go on.
        hysteresis: f64,
    },
    /// Two vehicles that touch and have stopped sharply.
    CollisionSuspected {
        /// Where.
        zone: Zone,
        /// The least composite score, 0 to 1.1: 0.3 for boxes that touch, 0.35 for a sharp stop, 0.35 for stopping together,
        /// 0.1 for a person on foot beside them.
        score: f64,
        /// For how long both must have stood.
        hold: Duration,
    },
    /// Something lies on the road and is no vehicle.
    RoadObstacle {
        /// The carriageway.
        zone: Zone,
        /// It is at least this large.
        size: Size,
        /// For how long it must lie there.
        hold: Duration,
    },
    /// Something was left, and who was with it went.
    AbandonedObject {
        /// Where.
        zone: Zone,
        /// It is at least this large.
        size: Size,
        /// Nobody is within this distance; box heights are those of the persons.
        distance: Length,
        /// For how long it must lie there, and alone.
        hold: Duration,
    },
    /// What belongs in the zone is not there any more.
    RemovedObject {
        /// The zone, drawn around it.
        zone: Zone,
        /// It is at least this large.
        size: Size,
        /// For how long it must be away.
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
            Self::IllegalParking { .. } => Kind::IllegalParking,
            Self::ForbiddenClass { .. } => Kind::ForbiddenClass,
            Self::SlowVehicle { .. } => Kind::SlowVehicle,
            Self::OverSpeed { .. } => Kind::OverSpeed,
            Self::ForbiddenTurn { .. } => Kind::ForbiddenTurn,
            Self::RedLight { .. } => Kind::RedLight,
            Self::CollisionSuspected { .. } => Kind::CollisionSuspected,
            Self::RoadObstacle { .. } => Kind::RoadObstacle,
            Self::AbandonedObject { .. } => Kind::AbandonedObject,
            Self::RemovedObject { .. } => Kind::RemovedObject,
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
            Self::LineCrossing { .. } | Self::FlowDrop { .. } | Self::RedLight { .. } | Self::Camera { .. } => None,
            Self::ForbiddenTurn { from, .. } => match from {
                Gate::Zone(zone) => Some(zone),
                Gate::Line(..) => None,
            },
            Self::Congestion { zone, .. }
            | Self::QueueSpillback { zone, .. }
            | Self::Intrusion { zone, .. }
            | Self::Loitering { zone, .. }
            | Self::Crowding { zone, .. }
            | Self::WrongWay { zone, .. }
            | Self::StoppedVehicle { zone, .. }
            | Self::PedestrianOnCarriageway { zone, .. }
            | Self::IllegalParking { zone, .. }
            | Self::ForbiddenClass { zone, .. }
            | Self::SlowVehicle { zone, .. }
            | Self::OverSpeed { zone, .. }
            | Self::CollisionSuspected { zone, .. }
            | Self::RoadObstacle { zone, .. }
            | Self::AbandonedObject { zone, .. }
            | Self::RemovedObject { zone, .. } => Some(zone),
        }
    }

    /// The line, for rules of lines.
    #[must_use]
    pub const fn line(&self) -> Option<&Line> {
        match self {
            Self::LineCrossing { line, .. }
            | Self::QueueSpillback { mark: line, .. }
            | Self::FlowDrop { line, .. }
            | Self::RedLight { line, .. } => Some(line),
            Self::ForbiddenTurn { from: Gate::Line(line, _), .. } => Some(line),
            _ => None,
        }
    }

    /// Whether it judges what holds still in the picture ([`Scene::stills`]).
    #[must_use]
    pub const fn is_of_stills(&self) -> bool {
        matches!(self, Self::RoadObstacle { .. } | Self::AbandonedObject { .. } | Self::RemovedObject { .. })
    }

    /// The traffic signal it goes by, if any.
    #[must_use]
    pub const fn signal(&self) -> Option<&SignalId> {
        match self {
            Self::RedLight { signal, .. } => Some(signal),
            Self::StoppedVehicle { signal, .. } => signal.as_ref(),
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
    pub(super) fn thresholds(&self) -> Vec<Measure> {
        match self {
            Self::LineCrossing { hysteresis, .. } => vec![("hysteresis_heights", *hysteresis)],
            Self::Intrusion { hold, .. }
            | Self::PedestrianOnCarriageway { hold, .. }
            | Self::IllegalParking { hold, .. }
            | Self::ForbiddenClass { hold, .. } => vec![("hold_s", hold.as_secs_f64())],
            Self::SlowVehicle { factor, flow, distance, hold, .. } => vec![
                ("speed_ratio", *factor),
                (distance.unit.name("distance_heights", "distance_m"), distance.value),
                ("hold_s", hold.as_secs_f64()),
                ("flow_vehicles", f64::from(*flow)),
            ],
            Self::OverSpeed { limit, tolerance, .. } => {
                vec![("speed_kmh", rounded(limit.shown() * (1.0 + tolerance))), ("limit_kmh", rounded(limit.shown()))]
            }
            Self::ForbiddenTurn { within, .. } => vec![("turn_s", within.as_secs_f64())],
            Self::RedLight { grace, hysteresis, .. } => {
                vec![("red_s", grace.as_secs_f64()), ("hysteresis_heights", *hysteresis)]
            }
            Self::CollisionSuspected { score, hold, .. } => vec![("score", *score), ("hold_s", hold.as_secs_f64())],
            Self::RoadObstacle { size, hold, .. } | Self::RemovedObject { size, hold, .. } => {
                vec![size.measure(), ("hold_s", hold.as_secs_f64())]
            }
            Self::AbandonedObject { size, distance, hold, .. } => vec![
                size.measure(),
                ("hold_s", hold.as_secs_f64()),
                ("alone_s", hold.as_secs_f64()),
                (distance.unit.name("distance_heights", "distance_m"), distance.value),
            ],
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
            Self::StoppedVehicle { speed, travel, hold, at_start, .. } => [
                (speed.unit.name("speed_heights_per_s", "speed_kmh"), rounded(speed.shown())),
                (travel.unit.name("travel_heights", "travel_m"), travel.value),
                ("hold_s", hold.as_secs_f64()),
                ("queue_vehicles", stopped_vehicle::QUEUE as f64),
                ("seen_stopping", 1.0),
            ]
            .into_iter()
            .chain(at_start.map(|hold| ("at_start_hold_s", hold.as_secs_f64())))
            .collect(),
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

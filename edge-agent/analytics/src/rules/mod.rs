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
use crate::finding::{Direction, Finding, Measure, RuleInfo, Shape, Subject};
use crate::ground::{Length, Speed};
use crate::id::{RuleId, SignalId};
use crate::kind::{Kind, Severity};
use crate::measure::MeasureParams;
use crate::scene::{Scene, Track, TrackId};
use crate::schedule::Schedule;
use crate::stitch::compatible;
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;
use crate::traffic::pace::Paces;
use crate::traffic::queue::QueueParams;
use crate::zone::{Line, Zone, ZoneKind};

mod abandoned_object;
mod camera;
mod collision;
mod congestion;
mod crowding;
mod flow_drop;
mod forbidden_turn;
mod hold;
mod illegal_parking;
mod inside;
mod line_crossing;
pub(crate) mod motion;
mod on_foot;
mod over_speed;
mod queue_spillback;
mod red_light;
mod removed_object;
mod road_obstacle;
mod slow_vehicle;
pub(crate) mod standing;
mod stopped_vehicle;
mod thing;
mod wrong_way;

pub use self::camera::CameraFault;
pub use self::forbidden_turn::Gate;
use self::hold::Runs;
use self::inside::Inside;
use self::motion::rounded;
use self::on_foot::OnFoot;
pub use self::thing::Size;

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
    fn thresholds(&self) -> Vec<Measure> {
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

    /// Stopped vehicle: `at_start`. Raising it spares those who only wait when the box starts; it costs that much time to
    /// the word about those who do not.
    pub const STOPPED_AT_START: Duration = Duration::from_secs(60);
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
    /// Illegal parking: `hold`. Raising it spares those who let someone out; it costs that much time to the alert.
    pub const PARKING_HOLD: Duration = Duration::from_secs(120);
    /// Forbidden class: `hold`. Raising it spares those who only cross the lane; it costs that much time to the alert.
    pub const FORBIDDEN_CLASS_HOLD: Duration = Duration::from_secs(3);
    /// Slow vehicle: `factor`. Raising it finds the less slow, and the cautious with them.
    pub const SLOW_FACTOR: f64 = 0.4;
    /// Slow vehicle: `flow`. Raising it makes the lane's speed surer; it costs quiet hours, in which none is known.
    pub const SLOW_FLOW: u32 = 10;
    /// Slow vehicle: `distance`. Raising it spares those who brake for something; it costs time and short zones.
    pub const SLOW_DISTANCE: Length = Length::heights(3.0);
    /// The same on the ground.
    pub const SLOW_DISTANCE_ON_GROUND: Length = Length::metres(10.0);
    /// Slow vehicle: `hold`. Raising it spares those who look for a place or brake; it costs that much time to the alert.
    pub const SLOW_HOLD: Duration = Duration::from_secs(5);
    /// Over speed: `tolerance`. Raising it spares those who are hardly too fast; it costs just them.
    pub const SPEED_TOLERANCE: f64 = 0.2;
    /// Forbidden turn: `within`. Raising it finds those who wait in the junction; it costs vehicles that come back.
    pub const TURN_WITHIN: Duration = Duration::from_secs(30);
    /// Red light: `grace`. Raising it spares those who could not stop any more; it costs just them.
    pub const RED_GRACE: Duration = Duration::from_secs(1);
    /// Red light: `hysteresis`. Raising it spares those who stop beyond the line; it costs vehicles that are hidden soon
    /// after it.
    pub const RED_HYSTERESIS: f64 = 0.5;
    /// Road obstacle, abandoned and removed object: `size`. Raising it spares leaves, puddles and noise; it costs small
    /// things. Less than three of the view's 160 pixels a row cannot be told from noise.
    pub const THING_SIZE: Size = Size::Share(0.02);
    /// The same on the ground.
    pub const THING_SIZE_ON_GROUND: Size = Size::Metres(0.3);
    /// Road obstacle: `hold`. Raising it spares what is picked up again and vehicles that nobody recognises; it costs that
    /// much time to the alert.
    pub const OBSTACLE_HOLD: Duration = Duration::from_secs(20);
    /// Abandoned object: `hold`. Raising it spares those who put something down for a moment; it costs that much time.
    pub const ABANDONED_HOLD: Duration = Duration::from_secs(60);
    /// Abandoned object: `distance`. Raising it spares those who stand aside; it costs things left where people pass.
    pub const ABANDONED_DISTANCE: Length = Length::heights(1.5);
    /// The same on the ground.
    pub const ABANDONED_DISTANCE_ON_GROUND: Length = Length::metres(3.0);
    /// Removed object: `hold`. Raising it spares what is moved and put back; it costs that much time to the alert.
    pub const REMOVED_HOLD: Duration = Duration::from_secs(30);
    /// What is away for longer is no longer remembered: `hold` of a removed object is at most this.
    pub const REMOVED_HOLD_MOST: Duration = Duration::from_secs(300);
    /// Collision: `score`. Raising it asks for more signs at once; it costs collisions of which one is not seen.
    pub const COLLISION_SCORE: f64 = 0.7;
    /// Collision: `hold`. Raising it spares a stop-and-go that looked like one; it costs that much time to the alert.
    pub const COLLISION_HOLD: Duration = Duration::from_secs(5);
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

    /// Whether the object of this track may be of a class that is looked at, though it is taken for another one now.
    fn may_cover(self, track: &Track) -> bool {
        self.classes.iter().any(|class| compatible(class, track.class))
    }
}

fn level(subject: Subject, since: MediaTime, tracks: Vec<TrackId>, measured: Vec<Measure>) -> Finding {
    Finding { subject, shape: Shape::Level { since }, tracks, direction: None, severity: None, measured }
}

fn while_inside(info: RuleInfo, scope: Scope, zone: Zone, hold: Duration) -> Inside {
    let inside = Runs::new(inside::BRIDGE);
    Inside { info, scope, zone, except: vec![], hold, through_absence: false, measure: "held_s", inside, on_foot: None }
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
        RuleParams::Intrusion { zone, hold } | RuleParams::ForbiddenClass { zone, hold } => {
            Box::new(while_inside(info, scope, zone, hold))
        }
        RuleParams::Loitering { zone, dwell } => Box::new(Inside {
            through_absence: true,
            measure: "dwell_s",
            inside: Runs::new(inside::ABSENCE),
            ..while_inside(info, scope, zone, dwell)
        }),
        RuleParams::Crowding { zone, count, hold } => {
            Box::new(crowding::Crowding { info, scope, zone, count, hold, crowded: None })
        }
        RuleParams::WrongWay { zone, angle_deg, distance, hold } => {
            Box::new(wrong_way::WrongWay { info, scope, zone, angle_deg, distance, hold, tracks: BTreeMap::new() })
        }
        RuleParams::StoppedVehicle { zone, bays, signal, speed, travel, hold, at_start } => {
            Box::new(stopped_vehicle::StoppedVehicle {
                info,
                scope,
                zone,
                bays,
                signal,
                speed,
                travel,
                hold,
                at_start,
                tracks: BTreeMap::new(),
                armed: MediaTime::ZERO,
                last: None,
            })
        }
        RuleParams::PedestrianOnCarriageway { zone, crossings, hold } => {
            let persons = scope.classes.iter().filter(|class| !class.is_vehicle()).collect();
            let on_foot = Scope { classes: persons, ..scope };
            let walkers = (!scope.include_riders).then(OnFoot::default);
            Box::new(Inside { except: crossings, on_foot: walkers, ..while_inside(info, on_foot, zone, hold) })
        }
        RuleParams::IllegalParking { zone, speed, hold } => {
            let (tracks, armed) = (BTreeMap::new(), MediaTime::ZERO);
            Box::new(illegal_parking::IllegalParking { info, scope, zone, speed, hold, tracks, armed })
        }
        RuleParams::SlowVehicle { zone, factor, flow, distance, hold } => {
            let (tracks, lost, passed) = (BTreeMap::new(), Vec::new(), VecDeque::new());
            Box::new(slow_vehicle::SlowVehicle {
                info,
                scope,
                zone,
                factor,
                flow,
                distance,
                hold,
                tracks,
                lost,
                passed,
            })
        }
        RuleParams::OverSpeed { zone, limit, tolerance } => {
            Box::new(over_speed::OverSpeed { info, scope, zone, limit, tolerance, tracks: BTreeMap::new() })
        }
        RuleParams::ForbiddenTurn { from, to, within } => {
            let (from, to) = (forbidden_turn::Watch::new(from), forbidden_turn::Watch::new(to));
            Box::new(forbidden_turn::ForbiddenTurn { info, scope, from, to, within, tracks: BTreeMap::new() })
        }
        RuleParams::RedLight { line, direction, signal, grace, hysteresis } => {
            let crossings = Crossings::new(line, hysteresis);
            Box::new(red_light::RedLight { info, scope, signal, direction, grace, crossings, tracks: BTreeMap::new() })
        }
        RuleParams::CollisionSuspected { zone, score, hold } => {
            let (tracks, crashes, armed) = (BTreeMap::new(), BTreeMap::new(), MediaTime::ZERO);
            Box::new(collision::Collision { info, scope, zone, score, hold, tracks, crashes, armed })
        }
        RuleParams::RoadObstacle { zone, size, hold } => {
            let (lying, armed) = (BTreeMap::new(), MediaTime::ZERO);
            Box::new(road_obstacle::RoadObstacle { info, zone, size, hold, lying, armed })
        }
        RuleParams::AbandonedObject { zone, size, distance, hold } => {
            let (things, armed) = (BTreeMap::new(), MediaTime::ZERO);
            Box::new(abandoned_object::AbandonedObject { info, scope, zone, size, distance, hold, things, armed })
        }
        RuleParams::RemovedObject { zone, size, hold } => {
            Box::new(removed_object::RemovedObject { info, zone, size, hold, away: BTreeMap::new() })
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

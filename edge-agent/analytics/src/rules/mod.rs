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
use crate::id::RuleId;
use crate::kind::Severity;
use crate::scene::{Scene, Track, TrackId};
use crate::schedule::Schedule;
use crate::stitch::compatible;
use crate::time::MediaTime;
use crate::traffic::crossing::Crossings;
use crate::traffic::lane::LaneWork;
use crate::traffic::pace::Paces;
use crate::traffic::queue::QueueParams;
use crate::zone::Zone;

mod abandoned_object;
mod camera;
mod collision;
mod congestion;
mod crowding;
mod defaults;
mod flow_drop;
mod forbidden_turn;
mod hold;
mod illegal_parking;
mod inside;
mod line_crossing;
pub(crate) mod motion;
mod on_foot;
mod over_speed;
mod params;
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
pub use self::params::RuleParams;
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
                work: stopped_vehicle::Work::default(),
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
                speeds: Vec::new(),
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
            work: LaneWork::default(),
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
            work: LaneWork::default(),
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

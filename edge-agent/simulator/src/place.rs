//! A place: its roads and walkways, its camera, what happens there now and then, and what is watched for.
//!
//! Everything is drawn once, on the ground. The rules' zones are the ground's areas as the camera sees them; the truth is
//! judged on the same areas in metres.

use std::time::Duration;

use analytics::{Class, ZoneKind};

use crate::camera::Mount;
use crate::ground::{Area, Pose, Spot};
use crate::road::{Link, LinkId, Signal};

/// What a rule watches for, and where.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    /// Vehicles that cross a line between two places.
    LineCrossing {
        /// Its first point.
        from: Spot,
        /// Its second point.
        to: Spot,
    },
    /// Anyone in an area.
    Intrusion {
        /// Where.
        area: Area,
        /// For how long.
        hold: Duration,
    },
    /// Someone who dwells in an area.
    Loitering {
        /// Where.
        area: Area,
        /// For how long.
        dwell: Duration,
    },
    /// Many people in an area.
    Crowding {
        /// Where.
        area: Area,
        /// How many.
        count: u32,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle that goes against a lane.
    WrongWay {
        /// The lane.
        area: Area,
        /// Two places in it, one after the other on the right way.
        heading: (Spot, Spot),
    },
    /// A vehicle that stands in a lane.
    StoppedVehicle {
        /// The lane.
        area: Area,
        /// Lane or shoulder.
        kind: ZoneKind,
        /// Bus stops and parking bays in it.
        bays: Vec<Area>,
        /// The phase of the signal for which it waits there, if any.
        phase: Option<usize>,
        /// For how long; before a signal longer than its red.
        hold: Duration,
    },
    /// Someone on foot in the road.
    PedestrianOnCarriageway {
        /// The road.
        area: Area,
        /// Where walking is allowed.
        crossings: Vec<Area>,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle that stands where it may not, for longer than it takes to let someone out.
    IllegalParking {
        /// Where.
        area: Area,
        /// For how long.
        hold: Duration,
    },
    /// A lane that is full and hardly moves.
    Congestion {
        /// The lane.
        area: Area,
        /// Two places in it, at its beginning and at its end.
        heading: (Spot, Spot),
        /// At least this share of its length is covered by vehicles.
        occupancy: f64,
        /// And their mean speed is below this, m/s.
        speed_mps: f64,
        /// For how long.
        hold: Duration,
        /// It is over when the lane has flowed for this long.
        clear: Duration,
    },
    /// A standing queue that reaches back over a mark.
    QueueSpillback {
        /// The lane, up to its stop line.
        area: Area,
        /// Two places in it, at its beginning and at its end.
        heading: (Spot, Spot),
        /// How far from the lane's beginning the mark is, in metres.
        mark_m: f64,
        /// Vehicles no further apart than this, from middle to middle, are one queue.
        gap_m: f64,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle that passes a stop line at red.
    RedLight {
        /// The link whose stop line it is.
        link: LinkId,
    },
    /// A vehicle that is faster than it may be.
    OverSpeed {
        /// Where.
        area: Area,
        /// m/s; with the tolerance.
        limit_mps: f64,
    },
    /// A vehicle that nothing holds and that is far slower than the others.
    SlowVehicle {
        /// Where.
        area: Area,
        /// Slower than this share of what is usual there.
        share: f64,
    },
    /// A vehicle of a class that may not be there.
    ForbiddenClass {
        /// Where.
        area: Area,
        /// Which.
        class: Class,
        /// For how long.
        hold: Duration,
    },
    /// A vehicle that goes from one area to another within a time, which no one may.
    ForbiddenTurn {
        /// From here, along these two places …
        from: (Area, (Spot, Spot)),
        /// … to here, along these.
        to: (Area, (Spot, Spot)),
        /// Within this time.
        within: Duration,
    },
    /// Two vehicles that have met.
    Collision {
        /// Where.
        area: Area,
        /// For how long both have stood.
        hold: Duration,
    },
    /// Far fewer vehicles cross a line than did before.
    FlowDrop {
        /// Its first point.
        from: Spot,
        /// Its second point.
        to: Spot,
        /// Below this share of what came before.
        ratio: f64,
        /// Over so long before.
        baseline: Duration,
        /// Over so long now.
        window: Duration,
        /// Fewer a minute before say nothing.
        least: f64,
    },
}

impl Watch {
    /// The kind of its incidents, by its word on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::LineCrossing { .. } => "line_crossing",
            Self::Intrusion { .. } => "intrusion",
            Self::Loitering { .. } => "loitering",
            Self::Crowding { .. } => "crowding",
            Self::WrongWay { .. } => "wrong_way",
            Self::StoppedVehicle { .. } => "stopped_vehicle",
            Self::PedestrianOnCarriageway { .. } => "pedestrian_on_carriageway",
            Self::IllegalParking { .. } => "illegal_parking",
            Self::Congestion { .. } => "congestion",
            Self::QueueSpillback { .. } => "queue_spillback",
            Self::RedLight { .. } => "red_light",
            Self::OverSpeed { .. } => "over_speed",
            Self::SlowVehicle { .. } => "slow_vehicle",
            Self::ForbiddenClass { .. } => "forbidden_class",
            Self::ForbiddenTurn { .. } => "forbidden_turn",
            Self::Collision { .. } => "collision_suspected",
            Self::FlowDrop { .. } => "flow_drop",
        }
    }
}

/// A watched thing with its rule's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The rule's id, and its zone's or line's.
    pub id: &'static str,
    /// What and where.
    pub watch: Watch,
}

/// A way that people on foot take.
#[derive(Debug, Clone, PartialEq)]
pub struct Walkway {
    /// Through these places, in either direction.
    pub spots: Vec<Spot>,
    /// They keep within so many metres of it.
    pub reach_m: f64,
    /// How many an hour when demand is 1.
    pub per_h: f64,
}

/// Where something out of the ordinary may happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// A vehicle stops on `link`, between two distances along it, this far to the left of its middle.
    Stop {
        /// Where.
        link: LinkId,
        /// Metres along it, from and to.
        s: (f64, f64),
        /// Metres to the left of its middle.
        side: f64,
        /// For how long, from and to.
        seconds: (f64, f64),
    },
    /// A vehicle goes against the traffic.
    Against {
        /// On this link.
        link: LinkId,
    },
    /// A vehicle is driven at a pace of its own.
    Pace {
        /// On this link.
        link: LinkId,
        /// Its speed on a free road, m/s, from and to.
        free_mps: (f64, f64),
    },
    /// A bus serves its stop.
    Serve {
        /// On this link.
        link: LinkId,
        /// Metres along it, from and to.
        s: (f64, f64),
        /// Metres to the left of its middle.
        side: f64,
        /// For how long, from and to.
        seconds: (f64, f64),
    },
    /// A vehicle brakes as hard as it can, and the one behind it runs into it.
    Collide {
        /// On this link.
        link: LinkId,
        /// Metres along it where it brakes, from and to.
        s: (f64, f64),
        /// Metres to the left of its middle.
        side: f64,
    },
    /// A vehicle brakes as hard as it can, and the one behind it does so too.
    Brake {
        /// On this link.
        link: LinkId,
        /// Metres along it where it brakes, from and to.
        s: (f64, f64),
        /// Metres to the left of its middle.
        side: f64,
    },
    /// A vehicle takes a way that it may not.
    Turn {
        /// From this link …
        link: LinkId,
        /// … by this one.
        via: LinkId,
    },
    /// Upstream, the road is closed: nobody comes.
    Close {
        /// Which link.
        link: LinkId,
        /// For how long, from and to.
        seconds: (f64, f64),
    },
    /// A vehicle takes no notice of the lamp.
    RunRed {
        /// On this link.
        link: LinkId,
    },
    /// Someone walks through the road.
    Cross {
        /// From somewhere here …
        from: Area,
        /// … to somewhere here.
        to: Area,
    },
    /// Someone goes where no one should be.
    Intrude {
        /// From outside …
        from: Area,
        /// … to here.
        area: Area,
    },
    /// Someone stays about.
    Loiter {
        /// Where.
        area: Area,
        /// For how long, from and to.
        seconds: (f64, f64),
    },
    /// People gather.
    Gather {
        /// Where.
        area: Area,
        /// How many, from and to.
        count: (u32, u32),
        /// For how long they stay once they are there, from and to.
        seconds: (f64, f64),
    },
    /// Traffic is held up downstream, out of view.
    Jam {
        /// On this link …
        link: LinkId,
        /// … so far along it.
        s: f64,
        /// For how long, from and to.
        seconds: (f64, f64),
    },
}

impl Stage {
    /// How often it is chosen, as a weight: each kind of truth should come up about as often.
    #[must_use]
    pub fn weight(&self) -> f64 {
        match self {
            Self::Jam { .. } => 0.3,
            Self::Serve { .. } | Self::Brake { .. } => 0.5,
            // Some of these do not meet: someone comes between them.
            Self::Collide { .. } | Self::Turn { .. } => 1.0,
            // Only while there is traffic does anybody miss it.
            Self::Close { .. } => 0.8,
            Self::Loiter { .. } | Self::Gather { .. } | Self::Intrude { .. } => 1.0,
            Self::Stop { .. } | Self::Against { .. } | Self::Cross { .. } => 0.8,
            // Many of these come to nothing: it is green, or others are in the way.
            Self::Pace { .. } | Self::RunRed { .. } => 1.2,
        }
    }
}

/// A place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name, and its camera's.
    pub name: &'static str,
    /// The roads.
    pub links: Vec<Link>,
    /// The signal, at a junction.
    pub signal: Option<Signal>,
    /// The camera.
    pub mount: Mount,
    /// Where people walk.
    pub walkways: Vec<Walkway>,
    /// What stands there all the time.
    pub parked: Vec<(Class, Pose)>,
    /// Where something may happen.
    pub stages: Vec<Stage>,
    /// What is watched for.
    pub watched: Vec<Watched>,
}

//! What the core tells the world: immutable facts about incidents, in order.

use uuid::Uuid;

use crate::class::Class;
use crate::detection::Confidence;
use crate::finding::{Direction, Measure, RuleInfo};
use crate::geometry::{BBox, Point};
use crate::kind::Severity;
use crate::scene::TrackId;
use crate::time::{FrameStamp, WallTime};

/// Where an incident stands after this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It opened (a pulse opens and ends in one event).
    New,
    /// It changed.
    Update,
    /// It is over.
    End,
}

impl Phase {
    /// The word on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Update => "update",
            Self::End => "end",
        }
    }
}

/// A track as it was when the event happened.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackView {
    /// Its number in the camera's session.
    pub track_id: TrackId,
    /// Its class.
    pub class: Class,
    /// Of its last detection.
    pub confidence: Confidence,
    /// Where it was.
    pub bbox: BBox,
    /// Seconds from the event (not positive) and place of its bottom centre, oldest first.
    pub path: Vec<(f64, Point)>,
}

/// One immutable fact about one incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// UUIDv7, unique; with the source the key by which receivers drop duplicates.
    pub id: Uuid,
    /// UUIDv7 of the incident.
    pub incident_id: Uuid,
    /// New, update or end.
    pub phase: Phase,
    /// 1 for `new`, then ascending by one.
    pub revision: u32,
    /// The frame that satisfied the rule.
    pub stamp: FrameStamp,
    /// When what is judged began.
    pub started_at: WallTime,
    /// When it was over: `end` events and pulses. As long after the start as it lasted by media time, also where the calendar
    /// clock was set in between: both are told by the clock of the beginning.
    pub ended_at: Option<WallTime>,
    /// The rule that judged.
    pub rule: RuleInfo,
    /// How severe it is by now: the most that was found of it.
    pub severity: Severity,
    /// Crossings only.
    pub direction: Option<Direction>,
    /// The tracks involved.
    pub tracks: Vec<TrackView>,
    /// Where it is, when it is about no track but a region of the picture.
    pub region: Option<BBox>,
    /// What the rule measured, beside `rule.thresholds`.
    pub measured: Vec<Measure>,
    /// Incidents of this rule withheld, by its cooldown or in a storm, since the last event of the rule.
    pub suppressed: u32,
}

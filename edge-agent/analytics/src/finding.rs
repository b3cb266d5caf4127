//! What a rule says of one scene.

use crate::id::{LineId, RuleId, ZoneId};
use crate::kind::{Kind, Severity};
use crate::scene::TrackId;
use crate::time::MediaTime;
use crate::view::StillId;

/// A number with its name on the wire; the name carries the unit (`hold_s`, `angle_deg`, `distance_heights`).
pub type Measure = (&'static str, f64);

/// Which way a line was crossed, as one walks it from its first point to its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the walker's left to the right.
    LeftToRight,
    /// From the walker's right to the left.
    RightToLeft,
}

impl Direction {
    /// The word on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::LeftToRight => "left_to_right",
            Self::RightToLeft => "right_to_left",
        }
    }
}

/// What the finding is about; findings of one rule about one subject belong to one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One object.
    Track(TrackId),
    /// One still region of the picture.
    Still(StillId),
    /// The rule's zone as a whole.
    Zone,
}

/// True while it lasts, or a thing that happened once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// True in this scene, since the given time.
    Level {
        /// When what is judged began (the object entered, stopped, turned).
        since: MediaTime,
    },
    /// Happened in this scene.
    Pulse,
}

/// What a rule says of one scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// About whom.
    pub subject: Subject,
    /// Level or pulse.
    pub shape: Shape,
    /// The tracks involved, by ascending id.
    pub tracks: Vec<TrackId>,
    /// Crossings only.
    pub direction: Option<Direction>,
    /// How severe this one is; `None`: as severe as its rule. That of an incident rises with what is found, and never falls.
    pub severity: Option<Severity>,
    /// What was measured, under the names of the rule's thresholds where one is compared with the other.
    pub measured: Vec<Measure>,
}

/// What is the same for every finding of one configured rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleInfo {
    /// Its name in the site file.
    pub id: RuleId,
    /// Its kind.
    pub kind: Kind,
    /// How severe its incidents are, unless a finding says otherwise.
    pub severity: Severity,
    /// After an incident opened, further ones of this rule are suppressed (and counted) for this long; zero: never.
    pub cooldown: std::time::Duration,
    /// Where, for rules of zones.
    pub zone: Option<ZoneId>,
    /// Where, for rules of lines.
    pub line: Option<LineId>,
    /// The numbers it compares with.
    pub thresholds: Vec<Measure>,
}

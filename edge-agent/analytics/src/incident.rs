//! Findings in, events out: one incident per thing that happens, however often its track is lost.

use std::time::Duration;

use uuid::Uuid;

use crate::class::Class;
use crate::event::Event;
use crate::finding::{Finding, RuleInfo};
use crate::geometry::BBox;
use crate::id::RuleId;
use crate::scene::Scene;
use crate::time::WallTime;

/// How findings become incidents. Every time is media time.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentParams {
    /// A level incident ends when it was not found for this long (debounce): a lost-and-found track within it
    /// continues the same incident.
    pub end_after: Duration,
    /// While an incident lasts, an `update` at least this often; zero: only when something changed.
    pub update_every: Duration,
}

impl Default for IncidentParams {
    fn default() -> Self {
        Self { end_after: Duration::from_secs(3), update_every: Duration::from_secs(30) }
    }
}

/// An incident that was open when the program stopped, as its last committed event left it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIncident {
    /// Its id.
    pub incident_id: Uuid,
    /// The rule that opened it.
    pub rule: RuleId,
    /// Its last revision.
    pub revision: u32,
    /// When it began.
    pub started_at: WallTime,
    /// About the zone as a whole rather than single tracks.
    pub about_zone: bool,
    /// What and where its tracks were.
    pub tracks: Vec<(Class, BBox)>,
}

/// The incidents of one camera.
#[derive(Debug)]
pub struct Incidents {
    _params: IncidentParams,
}

impl Incidents {
    /// No incidents. `id_seed` makes event and incident ids: random per session in `run`, fixed in `replay`.
    #[must_use]
    pub fn new(params: IncidentParams, _id_seed: u64) -> Self {
        Self { _params: params }
    }

    /// Takes up incidents that an earlier session left open: the first findings that fit continue them (next revision),
    /// the rest end after `end_after`. Rules that no longer exist end at the next scene.
    pub fn restore(&mut self, _open: Vec<OpenIncident>) {}

    /// Folds the findings of one scene; `findings` holds each rule's in the order of the rules.
    pub fn update(&mut self, _scene: &Scene, _findings: &[(&RuleInfo, Vec<Finding>)]) -> Vec<Event> {
        Vec::new()
    }

    /// Ends everything that is open, at the last scene: the clip is over.
    pub fn finish(&mut self) -> Vec<Event> {
        Vec::new()
    }
}

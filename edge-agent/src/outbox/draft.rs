//! What a camera's core hands over: an event without its stamp, and what it does to the open incidents.

use analytics::event::TrackView;
use analytics::finding::RuleInfo;
use analytics::incident::OpenIncident;
use analytics::kind::Lasting;
use analytics::{CameraId, Event, Kind, Phase};
use uuid::Uuid;

use crate::publish::Topics;
use crate::publish::wire::{self, EventContext, Evidence, Incident, Moment};

/// What an event does to its camera's open incidents.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum OpenChange {
    /// A pulse: nothing.
    None,
    /// It is open, in this state.
    Open(OpenIncident),
    /// It is over.
    Close(Uuid),
}

/// An event on its way into the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub(super) camera: CameraId,
    pub(super) topic: String,
    pub(super) incident: Incident,
    pub(super) change: OpenChange,
}

impl Draft {
    /// The draft of `event`.
    #[must_use]
    pub fn new(topics: &Topics, context: &EventContext, moment: Moment, event: &Event) -> Self {
        let change = match (event.rule.kind.lasting(), event.phase) {
            (Lasting::Pulse, _) => OpenChange::None,
            (Lasting::Level, Phase::New | Phase::Update) => OpenChange::Open(open_incident(event)),
            (Lasting::Level, Phase::End) => OpenChange::Close(event.incident_id),
        };
        Self {
            camera: event.stamp.camera.clone(),
            topic: topics.event(&event.stamp.camera, event.rule.kind),
            incident: wire::incident(context, moment, event),
            change,
        }
    }

    /// Announces a piece of evidence with the event.
    pub fn announce(&mut self, evidence: Evidence) {
        self.incident.data.evidence.push(evidence);
    }

    /// Says why the incident ended, in an `end`; nothing in other events.
    #[must_use]
    pub fn ended_by(mut self, reason: Option<&'static str>) -> Self {
        let is_end = self.incident.data.phase == wire::Phase::End;
        self.incident.data.end_reason = reason.filter(|_| is_end).map(Into::into);
        self
    }

    /// The event as it will be sent, but for its stamp and what the outbox knows of its incident: revision and evidence.
    #[must_use]
    pub fn event(&self) -> &Incident {
        &self.incident
    }
}

fn open_incident(event: &Event) -> OpenIncident {
    OpenIncident {
        incident_id: event.incident_id,
        rule: RuleInfo { severity: event.severity, ..event.rule.clone() },
        revision: event.revision,
        started_at: event.started_at,
        last_event_at: event.stamp.captured_at,
        about_zone: is_about_zone(event.rule.kind),
        tracks: event.tracks.iter().map(|TrackView { class, bbox, .. }| (*class, *bbox)).collect(),
    }
}

/// Whether incidents of this kind are about the zone, the camera or a region of the picture, rather than tracks.
const fn is_about_zone(kind: Kind) -> bool {
    match kind {
        Kind::Crowding
        | Kind::Congestion
        | Kind::QueueSpillback
        | Kind::RoadObstacle
        | Kind::AbandonedObject
        | Kind::RemovedObject
        | Kind::FlowDrop
        | Kind::CameraLost
        | Kind::CameraUnauthorised
        | Kind::CameraFrozen
        | Kind::CameraCovered
        | Kind::CameraDark
        | Kind::CameraGlare
        | Kind::CameraBlurred
        | Kind::CameraMoved
        | Kind::CameraLowRate
        | Kind::CameraClockDrift => true,
        Kind::LineCrossing
        | Kind::Intrusion
        | Kind::Loitering
        | Kind::WrongWay
        | Kind::StoppedVehicle
        | Kind::PedestrianOnCarriageway
        | Kind::IllegalParking
        | Kind::ForbiddenClass
        | Kind::SlowVehicle
        | Kind::OverSpeed
        | Kind::ForbiddenTurn
        | Kind::RedLight
        | Kind::CollisionSuspected => false,
    }
}

//! What can be judged at each step, so that nothing is judged that cannot be, and nothing is silently not judged.

use analytics::rules::RuleSpec;
use analytics::{Kind, RuleId};

use super::Step;

/// What a kind of rule has to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Things as they move: two frames a second or more. Each rule's scenario opens the same incidents with frames left
    /// out; frames seconds apart show what moves somewhere else each time.
    Motion,
    /// What stands or lies, and is where it was in the next key frame.
    Standing,
    /// A picture now and then.
    Picture,
    /// Whether pictures come at all.
    Connection,
}

const fn need(kind: Kind) -> Need {
    match kind {
        Kind::LineCrossing
        | Kind::Intrusion
        | Kind::Loitering
        | Kind::WrongWay
        | Kind::StoppedVehicle
        | Kind::PedestrianOnCarriageway
        | Kind::ForbiddenClass
        | Kind::SlowVehicle
        | Kind::OverSpeed
        | Kind::ForbiddenTurn
        | Kind::RedLight
        | Kind::CollisionSuspected
        | Kind::Congestion
        | Kind::QueueSpillback
        | Kind::FlowDrop
        // The rate of key frames is not the camera's.
        | Kind::CameraLowRate => Need::Motion,
        Kind::IllegalParking
        | Kind::RoadObstacle
        | Kind::AbandonedObject
        | Kind::RemovedObject
        | Kind::CameraFrozen
        | Kind::CameraBlurred => Need::Standing,
        Kind::Crowding
        | Kind::CameraCovered
        | Kind::CameraDark
        | Kind::CameraGlare
        | Kind::CameraMoved
        | Kind::CameraClockDrift => Need::Picture,
        Kind::CameraLost | Kind::CameraUnauthorised => Need::Connection,
    }
}

/// Whether rules of this kind are judged at this step.
#[must_use]
pub const fn is_judged(kind: Kind, step: Step) -> bool {
    match step {
        Step::Full | Step::LowerRate | Step::SmallerInput => true,
        Step::KeyFrames => !matches!(need(kind), Need::Motion),
        Step::CountsOnly => matches!(need(kind), Need::Picture | Need::Connection),
        Step::Paused | Step::HealthOnly => matches!(need(kind), Need::Connection),
    }
}

/// The rules that are not judged at this step, in their order.
pub fn not_judged(rules: &[RuleSpec], step: Step) -> impl Iterator<Item = &RuleId> {
    rules.iter().filter(move |rule| !is_judged(rule.params.kind(), step)).map(|rule| &rule.id)
}

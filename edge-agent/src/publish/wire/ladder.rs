//! What the box says of what it has given up: in health, in camera status, and as an event of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{System, SystemKind, UtcMillis, Word, system};
use crate::publish::Topics;

/// How much of what is asked is given up, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LadderHealth {
    /// 0: nothing is given up; each level gives up more than the one before.
    pub level: u32,
    /// The last level there is.
    pub lowest: u32,
    /// Why it is not 0, a word of an open list: `overloaded`, `hot`, `memory_short`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Word>,
    /// Since when it is this level.
    pub since: UtcMillis,
    /// Temperature of the hottest zone in degrees Celsius; absent where none is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
}

/// What is given up for one camera; absent where nothing is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraLadder {
    /// The step, a word of an open list: `lower_rate`, `smaller_input`, `key_frames`, `paused`, `counts_only`, `health_only`.
    pub step: Word,
    /// Why, a word of an open list: `overloaded`, `hot`, `memory_short`.
    pub cause: Word,
    /// Frames analysed a second at most; 0: none.
    pub analyse_fps: f64,
    /// Ids of the rules that are not judged meanwhile: too little is seen for them.
    pub not_judged: Vec<String>,
}

/// A camera and what is given up for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DegradedCamera {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// What is given up.
    #[serde(flatten)]
    pub ladder: CameraLadder,
}

/// What the box gives up as of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LadderData {
    /// How much.
    #[serde(flatten)]
    pub health: LadderHealth,
    /// The cameras it is given up for.
    pub cameras: Vec<DegradedCamera>,
}

/// The draft of the event that says so: the box does less than asked, or all of it again.
#[must_use]
pub fn box_degraded(topics: &Topics, time: UtcMillis, data: LadderData) -> System {
    let kind = if data.health.level > 0 { SystemKind::BoxDegraded } else { SystemKind::BoxRecovered };
    let mut event = system(kind, &topics.source(), topics.box_id().as_str(), time);
    event.data.ladder = Some(data);
    event
}

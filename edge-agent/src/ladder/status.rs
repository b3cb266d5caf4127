//! What the ladder tells everybody: one value, watched by the cameras' tasks, inference, health, the status page and metrics.

use std::sync::Arc;

use analytics::{RuleId, WallTime};
use tokio::sync::watch;

use super::plan::{Rung, Step};
use super::{Cause, Ladder};
use crate::publish::wire::{CameraLadder, LadderHealth, Word};

/// Where the box and its cameras stand.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderStatus {
    /// The level; 0: nothing is given up.
    pub level: usize,
    /// The last level.
    pub lowest: usize,
    /// Why it is not the first.
    pub cause: Option<Cause>,
    /// Since when it is this level.
    pub since: WallTime,
    /// Of the hottest zone, in °C; `None`: not known.
    pub temperature_c: Option<f64>,
    /// Each camera's rung.
    pub cameras: Vec<Rung>,
    /// The rules of each camera that are not judged there.
    pub not_judged: Vec<Vec<RuleId>>,
}

impl LadderStatus {
    /// Of the ladder as it stands since `since`.
    #[must_use]
    pub fn of(ladder: &Ladder, since: WallTime, not_judged: Vec<Vec<RuleId>>) -> Self {
        Self {
            level: ladder.level(),
            lowest: ladder.lowest(),
            cause: ladder.cause(),
            since,
            temperature_c: None,
            cameras: ladder.rungs().to_vec(),
            not_judged,
        }
    }

    /// As health says it.
    #[must_use]
    pub fn health(&self) -> LadderHealth {
        let count = |level| u32::try_from(level).unwrap_or(u32::MAX);
        LadderHealth {
            level: count(self.level),
            lowest: count(self.lowest),
            cause: self.cause.map(|cause| Word::Borrowed(cause.reason())),
            since: self.since.into(),
            temperature_c: self.temperature_c,
        }
    }

    /// What is given up for camera `index`; `None`: nothing.
    #[must_use]
    pub fn camera(&self, index: usize) -> Option<CameraLadder> {
        let rung = self.cameras.get(index).filter(|rung| rung.step != Step::Full)?;
        let cause = self.cause.map_or("", Cause::reason);
        let not_judged = self.not_judged.get(index).into_iter().flatten().map(ToString::to_string).collect();
        Some(CameraLadder {
            step: rung.step.label().into(),
            cause: cause.into(),
            analyse_fps: (rung.fps * 100.0).round() / 100.0,
            not_judged,
        })
    }
}

impl Cause {
    /// Its word in status and health messages.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Late => "overloaded",
            Self::Hot => "hot",
            Self::MemoryShort => "memory_short",
        }
    }
}

impl Step {
    /// Its word among the reasons of a camera; `None`: there is nothing to say.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::LowerRate => Some("ladder_lower_rate"),
            Self::SmallerInput => Some("ladder_smaller_input"),
            Self::KeyFrames => Some("ladder_key_frames"),
            Self::Paused => Some("ladder_paused"),
            Self::CountsOnly => Some("ladder_counts_only"),
            Self::HealthOnly => Some("ladder_health_only"),
        }
    }
}

/// One camera's place on the ladder, as it is at any time.
#[derive(Debug, Clone)]
pub struct CameraRung {
    /// Of the box.
    pub status: watch::Receiver<Arc<LadderStatus>>,
    /// Index of the camera.
    pub camera: usize,
}

impl CameraRung {
    /// Where it stands.
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        self.status.borrow().cameras.get(self.camera).copied()
    }

    /// Its step.
    #[must_use]
    pub fn step(&self) -> Step {
        self.rung().map_or(Step::Full, |rung| rung.step)
    }

    /// Of a box with one camera that gives nothing up, for tests.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        let plan =
            super::CameraPlan { analyse_fps: 5.0, priority: 1, key_frames_only: false, has_smaller_input: false };
        let ladder = Ladder::new(&[plan], super::LadderParams::default(), super::ThermalParams::default());
        let status = LadderStatus::of(&ladder, WallTime::UNIX_EPOCH, vec![Vec::new()]);
        Self { status: watch::Sender::new(Arc::new(status)).subscribe(), camera: 0 }
    }

    /// What is given up for it; `None`: nothing.
    #[must_use]
    pub fn given_up(&self) -> Option<CameraLadder> {
        self.status.borrow().camera(self.camera)
    }
}

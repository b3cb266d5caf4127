//! What is wrong with a camera itself: its picture, its stream, its posture.

use std::time::Duration;

use crate::finding::{Finding, Measure, RuleInfo, Subject};
use crate::kind::Kind;
use crate::rules::hold::{Run, observe};
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, level};
use crate::scene::Scene;
use crate::stream::{CameraClock, OutageCause, Rate};
use crate::time::MediaTime;
use crate::view::{Blemish, Placement, Sight};

/// Well for no longer than this, it is still wrong: measures waver about their limits.
const BRIDGE: Duration = Duration::from_secs(1);

/// Fewer frames than this share of the usual rate are too few. Cameras that halve their rate at night stay above it.
const LEAST_OF_USUAL: f64 = 0.4;

/// What wavers about its limit (a clock, the dusk, the sun) is well again below this share of it.
const RETURNS: f64 = 0.75;

/// What can be wrong with a camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CameraFault {
    /// No frames come.
    Lost,
    /// It refuses the log-in.
    Unauthorised,
    /// The same picture, bit by bit, again and again. The pictures of a still night are not that: a sensor's noise and
    /// every key frame change them.
    Frozen,
    /// Something is before the lens.
    Covered,
    /// Nothing but black.
    Dark,
    /// Blinded by light that was not there.
    Glare,
    /// Fine detail is gone.
    Blurred,
    /// It looks elsewhere.
    Moved,
    /// Fewer frames than `least_fps`, or than two fifths of what is usual.
    LowRate {
        /// What analysis needs.
        least_fps: f64,
    },
    /// Its clock is not the box's.
    ClockDrift,
}

impl CameraFault {
    /// Each once.
    pub const ALL: [Self; 10] = [
        Self::Lost,
        Self::Unauthorised,
        Self::Frozen,
        Self::Covered,
        Self::Dark,
        Self::Glare,
        Self::Blurred,
        Self::Moved,
        Self::LowRate { least_fps: 0.0 },
        Self::ClockDrift,
    ];

    /// The kind of incident.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Lost => Kind::CameraLost,
            Self::Unauthorised => Kind::CameraUnauthorised,
            Self::Frozen => Kind::CameraFrozen,
            Self::Covered => Kind::CameraCovered,
            Self::Dark => Kind::CameraDark,
            Self::Glare => Kind::CameraGlare,
            Self::Blurred => Kind::CameraBlurred,
            Self::Moved => Kind::CameraMoved,
            Self::LowRate { .. } => Kind::CameraLowRate,
            Self::ClockDrift => Kind::CameraClockDrift,
        }
    }

    /// The fault of this kind; `None` for kinds that are not about the camera itself.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.kind() == kind)
    }

    /// Whether it is judged when no frame comes.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        matches!(self, Self::Lost | Self::Unauthorised)
    }

    /// How long it must last unless the site says otherwise: 10 s; frozen and out of focus 30 s, because cameras that save
    /// bandwidth repeat pictures of an empty road for seconds, and drops run down a glass; a wrong clock a minute, in which
    /// the reports tell the network's delay from the clock. Raising it spares what passes;
    /// it costs that much time to the alert.
    #[must_use]
    pub const fn hold(self) -> Duration {
        match self {
            Self::Frozen | Self::Blurred => Duration::from_secs(30),
            Self::ClockDrift => Duration::from_secs(60),
            _ => Duration::from_secs(10),
        }
    }

    pub(super) fn thresholds(self, hold: Duration) -> Vec<Measure> {
        let mut thresholds = match self {
            Self::Lost | Self::Unauthorised | Self::Frozen => Vec::new(),
            Self::Covered => {
                vec![("lost_percent", percent(Sight::LOST)), ("texture_percent", percent(Sight::TEXTURE))]
            }
            Self::Dark => vec![("dark_percent", percent(Sight::DARK))],
            Self::Glare => vec![("glare_percent", percent(Sight::GLARE))],
            Self::Blurred => vec![("blurred_percent", percent(Sight::BLURRED))],
            Self::Moved => vec![("shift_percent", percent(Sight::SHIFT)), ("lost_percent", percent(Sight::LOST))],
            Self::LowRate { least_fps } => vec![("received_fps", rounded(least_fps))],
            Self::ClockDrift => vec![("offset_s", CameraClock::LIMIT_S)],
        };
        thresholds.push(("hold_s", hold.as_secs_f64()));
        thresholds
    }
}

fn percent(share: f64) -> f64 {
    rounded(share * 100.0)
}

/// Finds the camera while its fault has lasted for `hold`.
pub(super) struct Camera {
    pub(super) info: RuleInfo,
    pub(super) fault: CameraFault,
    pub(super) hold: Duration,
    pub(super) run: Option<Run>,
}

impl Camera {
    /// Whether it is there in this scene; `None`: this scene does not say.
    fn look(&self, scene: &Scene, is_open: bool) -> Option<bool> {
        let state = &scene.camera;
        let outage = |cause| Some(state.stream.outage.is_some_and(|outage| outage.cause == cause));
        let has = |sight: Sight, blemish| sight.blemish() == Some(blemish);
        match self.fault {
            CameraFault::Lost => outage(OutageCause::Lost),
            CameraFault::Unauthorised => outage(OutageCause::Unauthorised),
            CameraFault::LowRate { least_fps } => Some(is_low(state.stream.rate?, least_fps)),
            CameraFault::ClockDrift => {
                let limit_s = CameraClock::LIMIT_S * if is_open { RETURNS } else { 1.0 };
                Some(state.stream.clock?.wrong_by_s() > limit_s)
            }
            // Black on black repeats itself: that is a dark picture.
            CameraFault::Frozen => {
                let sight = state.sight?;
                Some(!sight.same_for.is_zero() && sight.dark < Sight::DARK)
            }
            CameraFault::Moved => Some(matches!(state.placement, Placement::Shifted(_) | Placement::Lost)),
            CameraFault::Covered => Some(has(state.sight?, Blemish::Covered)),
            CameraFault::Blurred => Some(has(state.sight?, Blemish::Blurred)),
            // At dusk, and under passing lights, a picture wavers about the limit: that is one darkness.
            CameraFault::Dark => {
                let sight = state.sight?;
                let is_still = is_open && !sight.blackout && sight.dark >= RETURNS * Sight::DARK;
                Some(has(sight, Blemish::Dark) || is_still)
            }
            CameraFault::Glare => {
                let sight = state.sight?;
                Some(has(sight, Blemish::Glare) || is_open && sight.glare >= RETURNS * Sight::GLARE)
            }
        }
    }

    /// What of it is measured in a scene that says whether it is there.
    fn measured(&self, scene: &Scene) -> Vec<Measure> {
        let state = &scene.camera;
        match (self.fault, state.sight) {
            (CameraFault::Lost | CameraFault::Unauthorised | CameraFault::Frozen, _) => Vec::new(),
            (CameraFault::LowRate { .. }, _) => {
                state.stream.rate.iter().map(|rate| ("received_fps", rounded(rate.fps))).collect()
            }
            (CameraFault::ClockDrift, _) => {
                state.stream.clock.iter().map(|clock| ("offset_s", rounded(clock.ahead_s))).collect()
            }
            (CameraFault::Moved, sight) => moved_measures(state.placement, sight),
            (_, None) => Vec::new(),
            (CameraFault::Covered, Some(sight)) => {
                let (lost, texture) = sight.against.map_or((sight.dark, 0.0), |seen| (seen.lost, seen.texture));
                vec![("lost_percent", percent(lost)), ("texture_percent", percent(texture))]
            }
            (CameraFault::Dark, Some(sight)) => vec![("dark_percent", percent(sight.dark))],
            (CameraFault::Glare, Some(sight)) => vec![("glare_percent", percent(sight.glare))],
            (CameraFault::Blurred, Some(sight)) => {
                vec![("blurred_percent", percent(sight.against.map_or(0.0, |seen| seen.blurred)))]
            }
        }
    }

    /// When it began, where the scene knows better than this rule.
    fn began(&self, scene: &Scene) -> Option<MediaTime> {
        let (state, now) = (&scene.camera, scene.stamp.pts);
        match self.fault {
            CameraFault::Lost | CameraFault::Unauthorised => state.stream.outage.map(|outage| ago(now, outage.lasts)),
            CameraFault::Moved => state.moved_since,
            CameraFault::Frozen => Some(ago(now, state.sight?.same_for)),
            _ => None,
        }
    }
}

/// Not before the session began.
fn ago(now: MediaTime, lasts: Duration) -> MediaTime {
    MediaTime::ZERO + now.since(MediaTime::ZERO + lasts)
}

fn is_low(rate: Rate, least_fps: f64) -> bool {
    rate.fps < least_fps || rate.usual_fps.is_some_and(|usual| rate.fps < LEAST_OF_USUAL * usual)
}

fn moved_measures(placement: Placement, sight: Option<Sight>) -> Vec<Measure> {
    let suspended = |is: bool| ("rules_suspended", if is { 1.0 } else { 0.0 });
    let seen = sight.and_then(|sight| sight.against);
    match (placement, seen) {
        (Placement::Shifted(shift), _) => vec![("shift_percent", percent(shift.size())), suspended(false)],
        (_, Some(seen)) => match seen.shift {
            Some(shift) => vec![("shift_percent", percent(shift.size())), suspended(true)],
            None => vec![("lost_percent", percent(seen.lost)), suspended(true)],
        },
        (_, None) => vec![suspended(true)],
    }
}

impl Rule for Camera {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        self.run = None;
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        let is_open = open.contains(&Subject::Zone);
        let Some(is_there) = self.look(scene, is_open) else { return };
        // While its incident lasts, what lasts is the incident: a waver does not begin it anew.
        let bridge = match self.fault {
            fault if fault.is_outage() => Duration::ZERO,
            _ if is_open => Duration::MAX,
            _ => BRIDGE,
        };
        self.run = observe(self.run, now, is_there, bridge);
        let Some(run) = self.run.filter(|_| is_there) else { return };
        let since = self.began(scene).unwrap_or(run.since).min(now);
        // Before the first frame of a session media time stands still.
        let lasts = scene.camera.stream.outage.map_or(now.since(since), |outage| outage.lasts);
        if lasts >= self.hold || is_open || self.fault == CameraFault::Moved {
            let mut measured = self.measured(scene);
            measured.push(("held_s", rounded(lasts.as_secs_f64())));
            findings.push(level(Subject::Zone, since, Vec::new(), measured));
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        0
    }
}

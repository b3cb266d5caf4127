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
    /// Whether it is there in this scene, and what of it is measured; `None`: this scene does not say.
    fn look(&self, scene: &Scene, is_open: bool) -> Option<(bool, Vec<Measure>)> {
        let state = &scene.camera;
        let outage = |cause| Some((state.stream.outage.is_some_and(|outage| outage.cause == cause), Vec::new()));
        match self.fault {
            CameraFault::Lost => outage(OutageCause::Lost),
            CameraFault::Unauthorised => outage(OutageCause::Unauthorised),
            CameraFault::LowRate { least_fps } => {
                let rate = state.stream.rate?;
                Some((is_low(rate, least_fps), vec![("received_fps", rounded(rate.fps))]))
            }
            CameraFault::ClockDrift => {
                let clock = state.stream.clock?;
                let limit_s = CameraClock::LIMIT_S * if is_open { RETURNS } else { 1.0 };
                Some((clock.wrong_by_s() > limit_s, vec![("offset_s", rounded(clock.ahead_s))]))
            }
            // Black on black repeats itself: that is a dark picture.
            CameraFault::Frozen => {
                let sight = state.sight?;
                Some((!sight.same_for.is_zero() && sight.dark < Sight::DARK, Vec::new()))
            }
            CameraFault::Moved => Some((
                matches!(state.placement, Placement::Shifted(_) | Placement::Lost),
                moved_measures(state.placement, state.sight),
            )),
            CameraFault::Covered => {
                let lost = |sight: Sight| sight.against.map_or((sight.dark, 0.0), |seen| (seen.lost, seen.texture));
                self.blemish(
                    scene,
                    Blemish::Covered,
                    |_| false,
                    |sight| {
                        let (lost, texture) = lost(sight);
                        vec![("lost_percent", percent(lost)), ("texture_percent", percent(texture))]
                    },
                )
            }
            // At dusk, and under passing lights, a picture wavers about the limit: that is one darkness.
            CameraFault::Dark => {
                let is_still = |sight: Sight| is_open && !sight.blackout && sight.dark >= RETURNS * Sight::DARK;
                self.blemish(scene, Blemish::Dark, is_still, |sight| vec![("dark_percent", percent(sight.dark))])
            }
            CameraFault::Glare => {
                let is_still = |sight: Sight| is_open && sight.glare >= RETURNS * Sight::GLARE;
                self.blemish(scene, Blemish::Glare, is_still, |sight| vec![("glare_percent", percent(sight.glare))])
            }
            CameraFault::Blurred => self.blemish(
                scene,
                Blemish::Blurred,
                |_| false,
                |sight| vec![("blurred_percent", percent(sight.against.map_or(0.0, |seen| seen.blurred)))],
            ),
        }
    }

    /// Whether the picture has this blemish, or the one at hand is not over yet (`is_still`).
    fn blemish(
        &self,
        scene: &Scene,
        blemish: Blemish,
        is_still: impl Fn(Sight) -> bool,
        measures: impl Fn(Sight) -> Vec<Measure>,
    ) -> Option<(bool, Vec<Measure>)> {
        let sight = scene.camera.sight?;
        Some((sight.blemish() == Some(blemish) || is_still(sight), measures(sight)))
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
        let Some((is_there, mut measured)) = self.look(scene, is_open) else { return };
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
            measured.push(("held_s", rounded(lasts.as_secs_f64())));
            findings.push(level(Subject::Zone, since, Vec::new(), measured));
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        0
    }
}

//! Over speed: a vehicle is faster than allowed, as far as a calibrated camera can tell. Advisory: no measuring instrument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Shape, Subject};
use crate::ground::{Speed, Unit};
use crate::rules::hold::{Run, observe};
use crate::rules::motion::{Place, Trail, is_cut_off, rounded};
use crate::rules::{Open, Rule, Scope};
use crate::scene::{Scene, TrackId};
use crate::time::MediaTime;
use crate::zone::Zone;

/// Speed is displacement over this long, and over at least [`LEAST`] while it was not seen for longer: the error is then the
/// larger for it, and told.
const WINDOW: Duration = Duration::from_secs(1);
const LEAST: Duration = Duration::from_millis(500);

/// It must be too fast for this long: a box that jumps is so for a moment. Raising it spares such boxes; it costs short
/// zones: one who speeds is in sight for little more than a second.
const HOLD: Duration = Duration::from_millis(300);

/// Slower for no longer than this does not restart the hold.
const BRIDGE: Duration = Duration::from_millis(300);

/// A filtered box's place is known to about this share of its height (95 of 100).
const JITTER: f64 = 0.1;

/// No vehicle is faster; a track that swapped its object is. In metres a second.
const PLAUSIBLE_MPS: f64 = 70.0;

/// Finds, once a vehicle, a speed of more than `limit` and `tolerance` held for [`HOLD`] in the zone, and above the limit
/// by more than its error: that of the calibration there, and of the box's place over [`WINDOW`].
///
/// A vehicle is followed from where all of it comes into sight: one who speeds has left a zone of twenty metres before a
/// window that begins inside it is full.
pub(super) struct OverSpeed {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    pub(super) limit: Speed,
    pub(super) tolerance: f64,
    pub(super) tracks: BTreeMap<TrackId, Driver>,
}

/// One vehicle anywhere in the picture.
pub(super) struct Driver {
    trail: Trail,
    last: Option<Place>,
    over: Option<Run>,
    told: bool,
}

/// A speed and its error (95 of 100 lie within), in metres a second.
#[derive(Clone, Copy)]
struct Measured {
    mps: f64,
    error: f64,
}

/// From one place to a later one, when both lie on the known ground.
fn measure(from: Place, to: Place, aspect: f32) -> Option<Measured> {
    let way = from.way_to(to, aspect);
    let (metres, seconds) = (way.metres?, to.at.since(from.at).as_secs_f64());
    if seconds <= 0.0 || way.heights <= 0.0 {
        return None;
    }
    let mps = metres / seconds;
    let share = from.ground?.error.max(to.ground?.error);
    // Both ends jitter; a box height is as many metres as it was on this way.
    let jitter = JITTER * std::f64::consts::SQRT_2 * metres / way.heights / seconds;
    Some(Measured { mps, error: (mps * share).hypot(jitter) })
}

impl OverSpeed {
    fn is_over(&self, measured: Measured) -> bool {
        let allowed = self.limit.value * (1.0 + self.tolerance);
        measured.mps > allowed && measured.mps - measured.error > self.limit.value && measured.mps < PLAUSIBLE_MPS
    }
}

impl Rule for OverSpeed {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        for driver in self.tracks.values_mut() {
            driver.over = None;
        }
    }

    fn evaluate(&mut self, scene: &Scene, _open: &Open, findings: &mut Vec<Finding>) {
        for track in &scene.ended {
            self.tracks.remove(track);
        }
        let now = scene.stamp.pts;
        for track in scene.seen().filter(|track| track.class.is_vehicle() && self.scope.covers(track)) {
            if is_cut_off(track.bbox) {
                continue;
            }
            let place = Place::of(track, self.zone.anchor, now);
            let new = || Driver { trail: Trail::new(WINDOW), last: None, over: None, told: false };
            let mut driver = self.tracks.remove(&track.id).unwrap_or_else(new);
            let jumped = driver.last.and_then(|last| last.speed_in(place, scene.aspect, Unit::Metres));
            if jumped.is_some_and(|mps| mps >= PLAUSIBLE_MPS) {
                (driver.trail, driver.over) = (Trail::new(WINDOW), None);
            }
            driver.last = Some(place);
            let measured = driver.trail.ago(now, LEAST).and_then(|before| measure(before, place, scene.aspect));
            driver.trail.push(place);
            let is_over = self.zone.contains(track.bbox) && measured.is_some_and(|measured| self.is_over(measured));
            driver.over = observe(driver.over, now, is_over, BRIDGE);
            let held = driver.over.is_some_and(|run| run.last == now && run.held() >= HOLD);
            if let Some(Measured { mps, error }) = measured.filter(|_| held && !driver.told) {
                driver.told = true;
                findings.push(Finding {
                    subject: Subject::Track(track.id),
                    shape: Shape::Pulse,
                    tracks: vec![track.id],
                    direction: None,
                    severity: None,
                    measured: vec![("speed_kmh", rounded(mps * 3.6)), ("speed_error_kmh", rounded(error * 3.6))],
                });
            }
            self.tracks.insert(track.id, driver);
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.tracks.len()
    }
}

//! Congestion: a lane is full and what is on it hardly moves.

use std::time::Duration;

use crate::finding::{Finding, RuleInfo, Subject};
use crate::ground::Speed;
use crate::kind::Severity;
use crate::parked::Parked;
use crate::rules::hold::{Run, observe};
use crate::rules::motion::rounded;
use crate::rules::{Open, Rule, Scope, level};
use crate::scene::{Scene, Track, TrackId};
use crate::time::MediaTime;
use crate::traffic::lane::{self, Axis, LaneWork};
use crate::traffic::pace::Paces;
use crate::zone::Zone;

/// Flowing for no longer than this does not restart the hold: stop-and-go waves.
const BRIDGE: Duration = Duration::from_secs(10);

/// What has stood longer than this without having been seen to come is parked, or nothing, and no part of the traffic: longer
/// than any signal's red.
const PARKED_AFTER: Duration = Duration::from_secs(300);
/// It was seen to come when it came this far, in box heights.
const COME: f64 = 2.0;

/// To be a jam still asks for this share of the occupancy, and allows the speed over it.
const EASES_BELOW: f64 = 0.8;

/// A jam that has lasted this long is one step more severe …
pub(super) const RISES_AFTER: Duration = Duration::from_secs(600);
/// … and so is one that has stood for this long: mean speed below a quarter of the limit.
pub(super) const STANDS_FOR: Duration = Duration::from_secs(180);
const STANDING: f64 = 0.25;

/// Finds the zone while it has been congested for `hold`: occupied by `occupancy` or more and
/// slower than `speed` in the mean of its vehicles. What is parked there does not count.
///
/// Its tracks are those who are in the jam: nobody while it flows and the jam only waits to be over. What stands then is not
/// part of it.
/// One jam is one finding, until the zone has flowed for `clear`. Its severity rises by one step, to high at most, once
/// it has lasted [`RISES_AFTER`] or stood for [`STANDS_FOR`]; it never falls. A queue at a red signal looks the same:
/// before a signal `hold` must be longer than its red.
pub(super) struct Congestion {
    pub(super) info: RuleInfo,
    pub(super) scope: Scope,
    pub(super) zone: Zone,
    /// 0 to 1.
    pub(super) occupancy: f64,
    pub(super) speed: Speed,
    pub(super) hold: Duration,
    pub(super) clear: Duration,
    pub(super) paces: Paces,
    pub(super) jam: Option<Run>,
    pub(super) stand: Option<Run>,
    pub(super) was_open: bool,
    /// Work space of a scene.
    pub(super) work: LaneWork,
}

fn is_parked(track: &Track, scene: &Scene) -> bool {
    let stood = |thing: &Parked| scene.stamp.pts.since(thing.since);
    scene.parked(track.id).is_some_and(|thing| thing.came.heights < COME && stood(thing) >= PARKED_AFTER)
}

impl Congestion {
    fn severity(&self, jam: Run) -> Option<Severity> {
        let stood = self.stand.is_some_and(|stand| stand.held() >= STANDS_FOR);
        let rises = jam.held() >= RISES_AFTER || stood;
        let graver = match self.info.severity {
            Severity::Info => Severity::Warning,
            Severity::Warning => Severity::High,
            Severity::High | Severity::Critical => return None,
        };
        rises.then_some(graver)
    }

    fn found(&self, jam: Run, now: MediaTime, occupancy: f64, speed: Option<f64>) -> Finding {
        let jams = now.since(jam.last) <= BRIDGE;
        let mut tracks: Vec<TrackId> = self.work.vehicles.iter().filter(|_| jams).map(|vehicle| vehicle.id).collect();
        tracks.sort_unstable();
        let unit = self.speed.unit;
        let shown = speed.map(|value| {
            let name = unit.name("speed_heights_per_s", "speed_kmh");
            (name, rounded(Speed { value, unit }.shown()))
        });
        let mut measured = vec![("occupancy_percent", rounded(100.0 * occupancy))];
        measured.extend(shown);
        measured.push(("held_s", rounded(jam.held().as_secs_f64())));
        Finding { severity: self.severity(jam), ..level(Subject::Zone, jam.since, tracks, measured) }
    }
}

impl Rule for Congestion {
    fn info(&self) -> &RuleInfo {
        &self.info
    }

    fn arm(&mut self, _now: MediaTime) {
        (self.jam, self.stand) = (None, None);
    }

    fn evaluate(&mut self, scene: &Scene, open: &Open, findings: &mut Vec<Finding>) {
        let now = scene.stamp.pts;
        let is_open = open.contains(&Subject::Zone);
        self.paces.observe(scene);
        let axis = Axis::of(&self.zone, scene.aspect);
        let counts = |track: &Track| self.scope.covers(track) && !is_parked(track, scene);
        lane::vehicles(&self.zone, &axis, scene, &self.paces, counts, &mut self.work.vehicles);
        let speed = lane::mean_speed(&self.work.vehicles);
        let occupancy = lane::occupancy(&mut self.work);
        let ease = if is_open { EASES_BELOW } else { 1.0 };
        let is_slower = |than: f64| speed.is_some_and(|speed| speed < than);
        let jams = occupancy >= self.occupancy * ease && is_slower(self.speed.value / ease);
        if is_open && !self.was_open && self.jam.is_none() {
            // Open from before a restart: it has `clear` to be seen again.
            self.jam = Some(Run { since: now, last: now });
        }
        self.was_open = is_open;
        self.jam = observe(self.jam, now, jams, if is_open { self.clear } else { BRIDGE });
        self.stand = observe(self.stand, now, jams && is_slower(self.speed.value * STANDING), BRIDGE);
        let Some(jam) = self.jam else { return };
        if is_open || (jams && jam.held() >= self.hold) {
            findings.push(self.found(jam, now, occupancy, speed));
        }
    }

    #[cfg(test)]
    fn tracked(&self) -> usize {
        self.paces.len()
    }
}

//! Who goes on foot: no one who was ever seen to go faster than people run, and among vehicles only who walks by himself.
//!
//! A small two-wheeler is often missed where its rider is seen: the rider then rides nothing ([`Track::rider_of`]) and looks
//! like a person on the carriageway. In flowing traffic its speed tells. In a queue nobody is fast; there one who stands,
//! or goes along with the vehicles around, is taken for a rider, and one who walks where they stand is on foot. Who stands
//! on a free lane is on foot. The price: one who appears standing between queued vehicles and never walks is not told, nor is one
//! who gets off and walks away while his track lasts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ground::Unit;
use crate::rules::hold::{Run, observe};
use crate::rules::motion::{Place, Trail, vector};
use crate::scene::{Scene, Track, TrackId};
use crate::zone::Anchor;

/// Speed is displacement over this long.
const WINDOW: Duration = Duration::from_secs(1);

/// Faster is no one on foot, in metres a second: a jogger goes at 3. Raising it spares those who sprint; it costs a false
/// alarm for each slower rider whose two-wheeler is not seen.
const FASTEST_MPS: f64 = 3.5;
/// The same in box heights a second, where the ground is not known: a person is some 1.65 m high.
const FASTEST_HEIGHTS: f64 = 2.2;

/// Vehicles and riders no farther than this are around a person: metres, and box heights where the ground is not known.
const AROUND_M: f64 = 4.0;
const AROUND_HEIGHTS: f64 = 2.5;
/// One who moves otherwise than each of them by at least this walks by himself; metres, or box heights, a second. Raising
/// it spares riders whose boxes tremble; it costs those who walk slowly between vehicles.
const WALKS_MPS: f64 = 0.7;
const WALKS_HEIGHTS: f64 = 0.45;
/// For this long: a box that changes its rider moves too, but not on.
const WALKS_FOR: Duration = Duration::from_millis(1000);
/// Interruptions of a walk up to this long do not count.
const BRIDGE: Duration = Duration::from_millis(300);

/// What is known of everyone in sight.
#[derive(Debug, Default)]
pub(super) struct OnFoot(BTreeMap<TrackId, Gait>);

#[derive(Debug)]
struct Gait {
    trail: Trail,
    /// Where it was a window before it was last seen, and where then.
    step: (Option<Place>, Place),
    /// It is a vehicle, or was seen to ride one, or was faster than anyone on foot.
    rides: bool,
    /// Since when it has walked by itself.
    walk: Option<Run>,
    /// It has, for long enough.
    walked: bool,
}

impl OnFoot {
    /// Takes one more scene.
    pub(super) fn watch(&mut self, scene: &Scene, anchor: Anchor) {
        for track in &scene.ended {
            self.0.remove(track);
        }
        for track in scene.seen() {
            let place = Place::of(track, anchor, scene.stamp.pts);
            let fresh =
                || Gait { trail: Trail::new(WINDOW), step: (None, place), rides: false, walk: None, walked: false };
            let gait = self.0.entry(track.id).or_insert_with(fresh);
            gait.trail.push(place);
            gait.step = (gait.trail.window_ago(place.at), place);
            gait.rides |= track.class.is_vehicle() || track.rider_of.is_some() || is_fast(gait.step, scene.aspect);
        }
    }

    /// Whether the person, seen in the scene last taken, goes on foot, as far as is known. One that is told of (`open`) does
    /// unless it is seen to ride.
    pub(super) fn is_walking(&mut self, track: &Track, open: bool, scene: &Scene) -> bool {
        let Some(Gait { step, rides: false, .. }) = self.0.get(&track.id) else { return false };
        let (step, aspect) = (*step, scene.aspect);
        let traffic = scene.tracks.iter().filter_map(|other| self.0.get(&other.id)).filter(|gait| gait.rides);
        let mut around = traffic.map(|gait| gait.step).filter(|other| is_near(step.1, other.1, aspect)).peekable();
        let is_alone = around.peek().is_none();
        let walks = around.all(|other| moves_otherwise(step, other, aspect));
        let Some(gait) = self.0.get_mut(&track.id) else { return false };
        gait.walk = observe(gait.walk, scene.stamp.pts, walks && step.0.is_some(), BRIDGE);
        gait.walked |= gait.walk.is_some_and(|walk| walk.held() >= WALKS_FOR) && is_moving(step, aspect);
        gait.walked || open || is_alone
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

type Step = (Option<Place>, Place);

fn is_fast((ago, now): Step, aspect: f32) -> bool {
    ago.is_some_and(|ago| match ago.speed_in(now, aspect, Unit::Metres) {
        Some(mps) => mps > FASTEST_MPS,
        None => ago.speed_in(now, aspect, Unit::BoxHeights).is_some_and(|hps| hps > FASTEST_HEIGHTS),
    })
}

fn is_moving((ago, now): Step, aspect: f32) -> bool {
    ago.is_some_and(|ago| match ago.speed_in(now, aspect, Unit::Metres) {
        Some(mps) => mps >= WALKS_MPS,
        None => ago.speed_in(now, aspect, Unit::BoxHeights).is_some_and(|hps| hps >= WALKS_HEIGHTS),
    })
}

fn is_near(one: Place, other: Place, aspect: f32) -> bool {
    match one.distance_to(other, aspect, Unit::Metres) {
        Some(metres) => metres <= AROUND_M,
        None => f64::from(one.point.distance(other.point, aspect)) <= AROUND_HEIGHTS * f64::from(one.height),
    }
}

/// Whether `one` moves otherwise than `other`; not known before both were seen for a window.
fn moves_otherwise(one: Step, other: Step, aspect: f32) -> bool {
    let (Some(ago), Some(other_ago)) = (one.0, other.0) else { return false };
    let seconds = |from: Place, to: Place| to.at.since(from.at).as_secs_f64().max(1e-3);
    let (dt, other_dt) = (seconds(ago, one.1), seconds(other_ago, other.1));
    if let (Some(a), Some(b), Some(c), Some(d)) = (ago.ground, one.1.ground, other_ago.ground, other.1.ground) {
        let (dx, dy) =
            ((b.x_m - a.x_m) / dt - (d.x_m - c.x_m) / other_dt, (b.y_m - a.y_m) / dt - (d.y_m - c.y_m) / other_dt);
        return dx.hypot(dy) >= WALKS_MPS;
    }
    let rate = |from: Place, to: Place, dt: f64| {
        let (x, y) = vector(from.point, to.point, aspect);
        (x / dt, y / dt)
    };
    let ((ax, ay), (bx, by)) = (rate(ago, one.1, dt), rate(other_ago, other.1, other_dt));
    (ax - bx).hypot(ay - by) >= WALKS_HEIGHTS * f64::from(one.1.height)
}

//! How fast each vehicle of the picture moves.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ground::Unit;
use crate::rules::motion::{Place, Trail};
use crate::scene::{Scene, TrackId};
use crate::zone::Anchor;

/// Speed is displacement over this long: a filtered box's momentary velocity is too noisy.
const WINDOW: Duration = Duration::from_secs(1);

/// The speeds of all vehicles, in one unit. Riders go with their vehicle.
#[derive(Debug)]
pub(crate) struct Paces {
    unit: Unit,
    by_track: BTreeMap<TrackId, Pace>,
}

#[derive(Debug)]
struct Pace {
    trail: Trail,
    ago: Option<Place>,
    now: Place,
}

impl Paces {
    /// No vehicles; speeds in `unit` a second.
    pub(crate) fn new(unit: Unit) -> Self {
        Self { unit, by_track: BTreeMap::new() }
    }

    /// Takes one more scene.
    pub(crate) fn observe(&mut self, scene: &Scene) {
        for track in &scene.ended {
            self.by_track.remove(track);
        }
        for track in scene.seen().filter(|track| track.class.is_vehicle()) {
            let now = Place::of(track, Anchor::BottomCenter, scene.stamp.pts);
            let fresh = || Pace { trail: Trail::new(WINDOW), ago: None, now };
            let pace = self.by_track.entry(track.id).or_insert_with(fresh);
            pace.trail.push(now);
            (pace.ago, pace.now) = (pace.trail.window_ago(now.at), now);
        }
    }

    /// Where a vehicle was a second before it was last seen, and where it was then; `None` before it was seen that long.
    pub(crate) fn step(&self, track: TrackId) -> Option<(Place, Place)> {
        self.by_track.get(&track).and_then(|pace| Some((pace.ago?, pace.now)))
    }

    /// Its speed when it was last seen, in the unit a second; `None` before it was seen for a second, and in metres where
    /// the ground is not known.
    pub(crate) fn speed(&self, track: TrackId, aspect: f32) -> Option<f64> {
        self.step(track).and_then(|(ago, now)| ago.speed_in(now, aspect, self.unit))
    }

    /// Of how many tracks it knows something.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_track.len()
    }
}

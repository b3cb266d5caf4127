//! Who goes on foot: no one who was ever seen to go faster than people run.
//!
//! A small two-wheeler is often missed where its rider is seen: the rider then rides nothing ([`Track::rider_of`]) and looks
//! like a person on the carriageway. Its speed tells.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ground::Unit;
use crate::rules::motion::{Place, Trail};
use crate::scene::{Scene, Track, TrackId};
use crate::zone::Anchor;

/// Speed is displacement over this long.
const WINDOW: Duration = Duration::from_secs(1);

/// Faster is no one on foot, in metres a second: a jogger goes at 3. Raising it spares those who sprint; it costs a false
/// alarm for each slower rider whose two-wheeler is not seen.
const FASTEST_MPS: f64 = 3.5;
/// The same in box heights a second, where the ground is not known: a person is some 1.65 m high.
const FASTEST_HEIGHTS: f64 = 2.2;

/// What is known of each person in sight.
#[derive(Debug, Default)]
pub(super) struct OnFoot(BTreeMap<TrackId, Gait>);

#[derive(Debug)]
struct Gait {
    trail: Trail,
    rides: bool,
}

impl OnFoot {
    /// Takes one more sighting; whether the person goes on foot, as far as is known.
    pub(super) fn observe(&mut self, track: &Track, anchor: Anchor, scene: &Scene) -> bool {
        let place = Place::of(track, anchor, scene.stamp.pts);
        let gait = self.0.entry(track.id).or_insert_with(|| Gait { trail: Trail::new(WINDOW), rides: false });
        gait.trail.push(place);
        if let Some(before) = gait.trail.window_ago(place.at) {
            gait.rides |= match before.speed_in(place, scene.aspect, Unit::Metres) {
                Some(mps) => mps > FASTEST_MPS,
                None => before.speed_in(place, scene.aspect, Unit::BoxHeights).is_some_and(|hps| hps > FASTEST_HEIGHTS),
            };
        }
        !gait.rides
    }

    /// Drops what is known of tracks that ended.
    pub(super) fn forget(&mut self, ended: &[TrackId]) {
        for track in ended {
            self.0.remove(track);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

//! What rules of things without a class have in common: how large a thing is, and whether a vehicle explains it.

use crate::finding::Measure;
use crate::rules::motion::rounded;
use crate::scene::{Scene, Track};
use crate::view::{Nature, Still};
use crate::zone::Zone;

/// Slower than this, in box heights a second, a vehicle stands beside a thing.
const STANDS: f32 = 0.3;

/// A thing no further than this from a standing vehicle's box, in its heights, is its shadow, load or tail.
const BESIDE: f32 = 0.25;

/// How large a thing must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// Metres across the view; calibrated cameras only.
    Metres(f64),
    /// Share of the picture's width, of the larger of its width and height.
    Share(f64),
}

impl Size {
    /// Its number on the wire.
    pub(super) fn measure(self) -> Measure {
        match self {
            Self::Metres(metres) => ("size_m", rounded(metres)),
            Self::Share(share) => ("size_percent", rounded(share * 100.0)),
        }
    }

    /// How large this is, in the same unit; `None` where that is not known.
    pub(super) fn of(self, still: &Still, aspect: f32) -> Option<Self> {
        match self {
            Self::Metres(_) => still.width_m.map(Self::Metres),
            Self::Share(_) => Some(Self::Share(still.size(aspect))),
        }
    }

    /// Whether it is at least as large as `least`, of the same unit.
    pub(super) fn reaches(self, least: Self) -> bool {
        match (self, least) {
            (Self::Metres(a), Self::Metres(b)) | (Self::Share(a), Self::Share(b)) => a >= b,
            _ => false,
        }
    }
}

/// The still regions of a zone whose size is known, and how large they are.
pub(super) fn in_zone<'a>(scene: &'a Scene, zone: &'a Zone, least: Size) -> impl Iterator<Item = (&'a Still, Size)> {
    let inside = scene.stills.iter().filter(|still| zone.contains(still.bbox));
    inside.filter_map(move |still| Some((still, least.of(still, scene.aspect)?)))
}

/// Whether something was added there that no one tracked.
pub(super) fn is_added(still: &Still) -> bool {
    still.nature == Nature::Added && !still.was_tracked
}

/// Whether a vehicle stands there: what lies beside it belongs to it.
pub(super) fn is_of_vehicle(still: &Still, scene: &Scene) -> bool {
    let stands = |track: &&Track| {
        let speed = (track.velocity.x * scene.aspect).hypot(track.velocity.y);
        track.class.is_vehicle() && speed < STANDS * track.bbox.height()
    };
    let standing = scene.tracks.iter().filter(stands).map(|track| track.bbox);
    standing.chain(scene.parked.iter().map(|thing| thing.bbox)).any(|bbox| {
        let (high, wide) = (bbox.height() * BESIDE, bbox.height() * BESIDE / scene.aspect);
        still.bbox.left() < bbox.right() + wide
            && still.bbox.right() > bbox.left() - wide
            && still.bbox.top() < bbox.bottom() + high
            && still.bbox.bottom() > bbox.top() - high
    })
}

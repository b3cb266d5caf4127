//! A track as an incident remembers it, until the event that shows it is made.

use crate::event::TrackView;
use crate::finding::Finding;
use crate::scene::{PathPoint, Scene, Track, TrackState};
use crate::time::MediaTime;

/// An event shows at most this many tracks (a crowd's size is in what was measured): it must pass a thin link.
pub(super) const MOST_TRACKS: usize = 16;

/// And of each at most this many points of its path, the last included.
pub(super) const MOST_POINTS: usize = 16;

/// A track when it was last found.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    view: TrackView,
    path: Vec<PathPoint>,
}

impl Sighting {
    fn of(track: &Track, now: MediaTime) -> Self {
        let mut path: Vec<PathPoint> = track.path.iter().copied().filter(|step| step.at <= now).collect();
        if track.state == TrackState::Seen && path.last().is_none_or(|last| last.at < now) {
            path.push(PathPoint { at: now, point: track.bbox.bottom_center() });
        }
        let view = TrackView {
            track_id: track.id,
            class: track.class,
            confidence: track.confidence,
            bbox: track.bbox,
            path: Vec::new(),
        };
        Self { view, path: thinned(&path) }
    }

    /// As shown by an event at `now`.
    pub(super) fn view(&self, now: MediaTime) -> TrackView {
        let seconds = |at| (now.since(at).as_millis() as f64) / -1000.0;
        TrackView { path: self.path.iter().map(|step| (seconds(step.at), step.point)).collect(), ..self.view.clone() }
    }
}

/// The tracks of a finding, as they are in the scene.
pub(super) fn sightings(scene: &Scene, finding: &Finding) -> Vec<Sighting> {
    let tracks = finding.tracks.iter().filter_map(|id| scene.track(*id)).take(MOST_TRACKS);
    tracks.map(|track| Sighting::of(track, scene.stamp.pts)).collect()
}

/// Evenly spread points, the first and the last among them.
fn thinned(path: &[PathPoint]) -> Vec<PathPoint> {
    if path.len() <= MOST_POINTS {
        return path.to_vec();
    }
    (0..MOST_POINTS).map(|i| path[i * (path.len() - 1) / (MOST_POINTS - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    #[test]
    fn a_long_path_keeps_its_ends_and_its_order() {
        let path: Vec<PathPoint> =
            (0..100).map(|i| PathPoint { at: MediaTime::from_nanos(i), point: Point::default() }).collect();
        for length in [0, 1, MOST_POINTS, MOST_POINTS + 1, 100] {
            let thin = thinned(&path[..length]);
            assert_eq!(thin.len(), length.min(MOST_POINTS));
            assert_eq!((thin.first(), thin.last()), (path[..length].first(), path[..length].last()));
            assert!(thin.is_sorted_by(|a, b| a.at < b.at));
        }
    }
}

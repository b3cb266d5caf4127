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
    fn new(track: &Track, now: MediaTime) -> Self {
        let view = TrackView {
            track_id: track.id,
            class: track.class,
            confidence: track.confidence,
            bbox: track.bbox,
            path: Vec::new(),
        };
        let mut sighting = Self { view, path: Vec::with_capacity(MOST_POINTS) };
        sighting.see(track, now);
        sighting
    }

    /// Remembers this one, in the memory of the one before.
    fn see(&mut self, track: &Track, now: MediaTime) {
        let Track { id, class, confidence, bbox, .. } = *track;
        self.view = TrackView { track_id: id, class, confidence, bbox, path: std::mem::take(&mut self.view.path) };
        let passed = &track.path[..track.path.partition_point(|step| step.at <= now)];
        let is_new = track.state == TrackState::Seen && passed.last().is_none_or(|last| last.at < now);
        let here = PathPoint { at: now, point: bbox.bottom_center() };
        let points = spread(passed.len() + usize::from(is_new));
        self.path.clear();
        self.path.extend(points.map(|i| passed.get(i).copied().unwrap_or(here)));
    }

    /// As shown by an event at `now`.
    pub(super) fn view(&self, now: MediaTime) -> TrackView {
        let seconds = |at| (now.since(at).as_millis() as f64) / -1000.0;
        TrackView { path: self.path.iter().map(|step| (seconds(step.at), step.point)).collect(), ..self.view.clone() }
    }
}

/// Remembers the tracks of a finding, as they are in the scene.
pub(super) fn see(sightings: &mut Vec<Sighting>, scene: &Scene, finding: &Finding) {
    let tracks = finding.tracks.iter().filter_map(|id| scene.track(*id)).take(MOST_TRACKS);
    let mut count = 0;
    for track in tracks {
        match sightings.get_mut(count) {
            Some(sighting) => sighting.see(track, scene.stamp.pts),
            None => sightings.push(Sighting::new(track, scene.stamp.pts)),
        }
        count += 1;
    }
    sightings.truncate(count);
}

/// Numbers of evenly spread points of so many, the first and the last among them.
fn spread(len: usize) -> impl Iterator<Item = usize> {
    let most = len.min(MOST_POINTS);
    (0..most).map(move |i| if len <= MOST_POINTS { i } else { i * (len - 1) / (MOST_POINTS - 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_keeps_its_ends_and_its_order() {
        for length in [0, 1, MOST_POINTS, MOST_POINTS + 1, 100] {
            let thin: Vec<usize> = spread(length).collect();
            assert_eq!(thin.len(), length.min(MOST_POINTS));
            assert_eq!(
                (thin.first().copied(), thin.last().copied()),
                ((length > 0).then_some(0), length.checked_sub(1))
            );
            assert!(thin.is_sorted_by(|a, b| a < b));
        }
    }
}

//! Between tracker and rules: an object whose track was lost and that is found under a new number keeps its number.
//!
//! Rules and incidents thus see one object where the tracker needed two tracks, and all that they know of it (that it was
//! seen moving, on which side of a line it was, since when it stands) holds on. Where the tracker joins boxes a
//! tenth of a second apart, this joins tracks seconds apart, by expected place, size and class; in doubt it does not.
//!
//! # Invariants
//! - A number is shown once per scene and stands for one object; numbers are those of the tracker, exchanged.
//! - Two tracks that were ever seen at the same time are never joined.
//! - Memory is that of the tracks in the picture and of those that ended within the window.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::class::Class;
use crate::geometry::{BBox, Point};
use crate::scene::{Scene, Track, TrackId, TrackState};
use crate::time::MediaTime;

/// What is standing is found again within this many box heights of its place.
const NEAR: f64 = 0.5;
/// What was moving may be off its expected place by this share of the way it should have gone.
const DRIFT: f64 = 0.25;
/// Largest ratio of the two boxes' heights, and of their widths (turning and occlusion change these more).
const HEIGHT_RATIO: f32 = 1.5;
const WIDTH_RATIO: f32 = 2.0;
/// A box that touches the picture's edge is most likely leaving, and what comes in there is another object: it is only
/// joined with one that covers it as well as this (IoU).
const EDGE_IOU: f32 = 0.6;
/// How close to the edge is touching it.
const EDGE: f32 = 0.01;

/// Whether a model may call the same object both.
pub(crate) fn compatible(a: Class, b: Class) -> bool {
    let four_wheels = |class| matches!(class, Class::Car | Class::Bus | Class::Truck);
    a == b || (four_wheels(a) && four_wheels(b)) || (a.is_two_wheeler() && b.is_two_wheeler())
}

/// How far, in box heights, an object now at `found` is from where an earlier one is expected; `None` when class or size
/// say that it is another object.
pub(crate) fn heights_apart(
    (class, expected): (Class, BBox),
    (found_class, found): (Class, BBox),
    aspect: f32,
) -> Option<f64> {
    let alike = |a: f32, b: f32, ratio: f32| a.max(b) <= a.min(b) * ratio;
    let same = compatible(class, found_class)
        && alike(expected.height(), found.height(), HEIGHT_RATIO)
        && alike(expected.width(), found.width(), WIDTH_RATIO);
    let distance = expected.bottom_center().distance(found.bottom_center(), aspect);
    same.then(|| f64::from(distance) / f64::from((expected.height() + found.height()) / 2.0))
}

/// A track as last heard of.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The number it is shown under.
    shown: TrackId,
    /// Not shown until it is seen again: its object went on under another track.
    superseded: bool,
    class: Class,
    /// At `at`; where the motion model expected it when it was lost.
    bbox: BBox,
    velocity: Point,
    at: MediaTime,
    first_seen: MediaTime,
    last_seen: MediaTime,
}

impl Known {
    /// How far, in box heights, `track` is from where this one is expected now; `None` when it is another object.
    fn heights_to(&self, track: &Track, now: MediaTime, aspect: f32) -> Option<f64> {
        let waited = now.since(self.at).as_secs_f64() as f32;
        let (dx, dy) = (self.velocity.x * waited, self.velocity.y * waited);
        let b = self.bbox;
        let expected = BBox::new(b.left() + dx, b.top() + dy, b.right() + dx, b.bottom() + dy)?;
        let b = expected;
        let at_edge = b.left() < EDGE || b.top() < EDGE || b.right() > 1.0 - EDGE || b.bottom() > 1.0 - EDGE;
        if at_edge && expected.iou(track.bbox) < EDGE_IOU {
            return None;
        }
        let apart = heights_apart((self.class, expected), (track.class, track.bbox), aspect)?;
        let speed = Point::default().distance(self.velocity, aspect) / expected.height();
        let gap = now.since(self.last_seen).as_secs_f64();
        (apart <= NEAR + DRIFT * f64::from(speed) * gap).then_some(apart)
    }
}

/// Keeps the numbers of one camera's objects.
#[derive(Debug)]
pub struct Stitcher {
    window: Duration,
    /// By the tracker's number.
    known: BTreeMap<TrackId, Known>,
    /// Tracks that ended and may be found again.
    ended: Vec<Known>,
}

/// Which lost track a new one continues.
enum Lost {
    /// One the tracker still looks for.
    Track(TrackId),
    /// One that ended, by its number as shown.
    Ended(TrackId),
}

impl Stitcher {
    /// Objects found again within `window` after they were last seen keep their number.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, known: BTreeMap::new(), ended: Vec::new() }
    }

    /// Renumbers the scene. A track that ended stays off `scene.ended` while it may still be found again.
    pub fn stitch(&mut self, scene: &mut Scene) {
        let now = scene.stamp.pts;
        let fresh = self.refresh(scene);
        let ended = std::mem::take(&mut scene.ended);
        let over = ended.iter().filter_map(|id| self.known.remove(id));
        let (gone, waiting): (Vec<_>, Vec<_>) = over.partition(|known| known.superseded);
        scene.ended.extend(gone.iter().map(|known| known.shown));
        self.ended.extend(waiting);
        let window = self.window;
        let released = self.ended.extract_if(.., |known| now.since(known.last_seen) > window);
        scene.ended.extend(released.map(|known| known.shown));
        scene.ended.sort_unstable();
        self.join(&fresh, scene);
        self.renumber(scene);
    }

    /// Takes note of every track; the new ones.
    fn refresh(&mut self, scene: &Scene) -> Vec<TrackId> {
        let mut fresh = Vec::new();
        for track in &scene.tracks {
            let known = self.known.entry(track.id).or_insert_with(|| {
                fresh.push(track.id);
                Known {
                    shown: track.id,
                    superseded: false,
                    class: track.class,
                    bbox: track.bbox,
                    velocity: track.velocity,
                    at: scene.stamp.pts,
                    first_seen: track.first_seen,
                    last_seen: track.last_seen,
                }
            });
            (known.class, known.bbox, known.velocity) = (track.class, track.bbox, track.velocity);
            (known.at, known.last_seen) = (scene.stamp.pts, track.last_seen);
            known.superseded &= track.state == TrackState::Lost;
        }
        fresh
    }

    /// Gives new tracks the numbers of lost ones, the closest pairs first.
    fn join(&mut self, fresh: &[TrackId], scene: &Scene) {
        let mut pairs = Vec::new();
        for track in fresh.iter().filter_map(|id| scene.track(*id)).filter(|track| track.state == TrackState::Seen) {
            let fits = |known: &Known| {
                let apart = known.last_seen < track.first_seen && scene.stamp.pts.since(known.last_seen) <= self.window;
                if apart { known.heights_to(track, scene.stamp.pts, scene.aspect) } else { None }
            };
            let lost = scene.tracks.iter().filter(|other| other.state == TrackState::Lost);
            for (id, known) in lost.filter_map(|other| Some((other.id, self.known.get(&other.id)?))) {
                let fit = fits(known).filter(|_| !known.superseded);
                pairs.extend(fit.map(|heights| (heights, track.id, Lost::Track(id))));
            }
            for known in &self.ended {
                pairs.extend(fits(known).map(|heights| (heights, track.id, Lost::Ended(known.shown))));
            }
        }
        pairs.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let mut joined = Vec::new();
        for (_, new, lost) in pairs {
            if !joined.contains(&new) && self.hand_over(&lost, new) {
                joined.push(new);
            }
        }
    }

    /// Lets `new` be shown under the number of `lost`; false when another took it before.
    fn hand_over(&mut self, lost: &Lost, new: TrackId) -> bool {
        let (shown, first_seen) = match *lost {
            Lost::Track(id) => {
                // Should it be seen again after all, it is another object, under the number that is now free.
                let Some(old) = self.known.get_mut(&id).filter(|old| !old.superseded) else { return false };
                old.superseded = true;
                (std::mem::replace(&mut old.shown, new), std::mem::replace(&mut old.first_seen, old.last_seen))
            }
            Lost::Ended(shown) => {
                let Some(i) = self.ended.iter().position(|old| old.shown == shown) else { return false };
                (shown, self.ended.remove(i).first_seen)
            }
        };
        if let Some(known) = self.known.get_mut(&new) {
            (known.shown, known.first_seen) = (shown, first_seen);
        }
        true
    }

    fn renumber(&self, scene: &mut Scene) {
        scene.tracks.retain_mut(|track| {
            let Some(known) = self.known.get(&track.id) else { return false };
            (track.id, track.first_seen) = (known.shown, known.first_seen);
            track.rider_of =
                track.rider_of.map(|vehicle| self.known.get(&vehicle).map_or(vehicle, |known| known.shown));
            !known.superseded
        });
        scene.tracks.sort_unstable_by_key(|track| track.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Confidence;
    use crate::id::CameraId;
    use crate::time::{FrameStamp, WallTime};

    const WINDOW: Duration = Duration::from_secs(3);

    fn track(id: u64, class: Class, x: f32, y: f32, first: u64, last: u64, now: u64) -> Track {
        let at = |millis: u64| MediaTime::from_nanos(millis * 1_000_000);
        Track {
            id: TrackId(id),
            class,
            confidence: Confidence::new(0.9).expect("in range"),
            bbox: BBox::new(x - 0.05, y - 0.1, x + 0.05, y).expect("box"),
            velocity: Point::default(),
            state: if last == now { TrackState::Seen } else { TrackState::Lost },
            first_seen: at(first),
            last_seen: at(last),
            rider_of: None,
            ground: None,
            path: Vec::new(),
        }
    }

    fn scene(millis: u64, tracks: Vec<Track>, ended: &[u64]) -> Scene {
        let stamp = FrameStamp {
            camera: CameraId::new("cam").expect("id"),
            seq: millis,
            pts: MediaTime::from_nanos(millis * 1_000_000),
            captured_at: WallTime::UNIX_EPOCH,
        };
        Scene::new(stamp, 1.0, tracks, ended.iter().copied().map(TrackId).collect())
    }

    fn numbers(stitcher: &mut Stitcher, mut scene: Scene) -> (Vec<u64>, Vec<u64>) {
        stitcher.stitch(&mut scene);
        (scene.tracks.iter().map(|t| t.id.0).collect(), scene.ended.iter().map(|id| id.0).collect())
    }

    #[test]
    fn an_object_found_again_after_its_track_ended_keeps_its_number() {
        let mut s = Stitcher::new(WINDOW);
        numbers(&mut s, scene(0, vec![track(1, Class::Car, 0.5, 0.5, 0, 0, 0)], &[]));
        assert_eq!(numbers(&mut s, scene(2100, vec![], &[1])), (vec![], vec![]), "it may still be found");
        let back = track(2, Class::Truck, 0.52, 0.5, 2300, 2500, 2500);
        assert_eq!(numbers(&mut s, scene(2500, vec![back], &[])), (vec![1], vec![]));
        assert_eq!(numbers(&mut s, scene(5000, vec![], &[2])), (vec![], vec![]));
        assert_eq!(numbers(&mut s, scene(6000, vec![], &[])), (vec![], vec![1]), "and ends under it");
    }

    #[test]
    fn an_object_not_found_again_ends_once_after_the_window() {
        let mut s = Stitcher::new(WINDOW);
        numbers(&mut s, scene(0, vec![track(1, Class::Car, 0.5, 0.5, 0, 0, 0)], &[]));
        numbers(&mut s, scene(2100, vec![], &[1]));
        assert_eq!(numbers(&mut s, scene(3100, vec![], &[])).1, [1]);
        let late = track(2, Class::Car, 0.5, 0.5, 3200, 3200, 3200);
        assert_eq!(numbers(&mut s, scene(3200, vec![late], &[])).0, [2]);
        assert!(s.ended.is_empty() && s.known.len() == 1);
    }

    #[test]
    fn a_track_that_returns_after_its_object_went_on_is_another_object() {
        let mut s = Stitcher::new(WINDOW);
        numbers(&mut s, scene(0, vec![track(1, Class::Car, 0.5, 0.5, 0, 0, 0)], &[]));
        let lost = |now| track(1, Class::Car, 0.5, 0.5, 0, 0, now);
        let new = |now| track(2, Class::Car, 0.53, 0.5, 200, now, now);
        assert_eq!(numbers(&mut s, scene(400, vec![lost(400), new(400)], &[])).0, [1], "one object, one number");
        let returned = track(1, Class::Car, 0.4, 0.5, 0, 600, 600);
        assert_eq!(numbers(&mut s, scene(600, vec![returned, new(600)], &[])).0, [1, 2]);
        assert_eq!(numbers(&mut s, scene(800, vec![new(800)], &[1])), (vec![1], vec![]));
    }

    #[test]
    fn what_was_seen_at_the_same_time_is_never_one_object() {
        let mut s = Stitcher::new(WINDOW);
        numbers(&mut s, scene(0, vec![track(1, Class::Car, 0.5, 0.5, 0, 0, 0)], &[]));
        let lost = track(1, Class::Car, 0.5, 0.5, 0, 200, 400);
        let overlapping = track(2, Class::Car, 0.5, 0.5, 200, 400, 400);
        assert_eq!(numbers(&mut s, scene(400, vec![lost, overlapping], &[])).0, [1, 2]);
    }

    #[test]
    fn another_class_size_or_place_is_another_object() {
        for (class, x, y) in [(Class::Person, 0.5, 0.5), (Class::Car, 0.6, 0.5), (Class::Car, 0.5, 0.7)] {
            let mut s = Stitcher::new(WINDOW);
            numbers(&mut s, scene(0, vec![track(1, Class::Car, 0.5, 0.5, 0, 0, 0)], &[]));
            numbers(&mut s, scene(2100, vec![], &[1]));
            let other = track(2, class, x, y, 2500, 2500, 2500);
            assert_eq!(numbers(&mut s, scene(2500, vec![other], &[])).0, [2], "{class} at {x}, {y}");
        }
    }

    #[test]
    fn what_comes_in_where_another_left_the_picture_is_another_object() {
        let mut s = Stitcher::new(WINDOW);
        numbers(&mut s, scene(0, vec![track(1, Class::Car, 0.5, 1.0, 0, 0, 0)], &[]));
        numbers(&mut s, scene(2100, vec![], &[1]));
        let entering = track(2, Class::Car, 0.53, 1.0, 2500, 2500, 2500);
        assert_eq!(numbers(&mut s, scene(2500, vec![entering], &[])).0, [2]);
    }

    #[test]
    fn what_was_moving_is_found_where_it_should_be_by_now() {
        for (x, number) in [(0.5, 1), (0.25, 9)] {
            let mut s = Stitcher::new(WINDOW);
            let mut moving = track(1, Class::Car, 0.25, 0.5, 0, 0, 0);
            moving.velocity = Point::new(0.1, 0.0);
            numbers(&mut s, scene(0, vec![moving], &[]));
            numbers(&mut s, scene(2100, vec![], &[1]));
            let found = track(9, Class::Car, x, 0.5, 2500, 2500, 2500);
            assert_eq!(numbers(&mut s, scene(2500, vec![found], &[])).0, [number]);
        }
    }

    #[test]
    fn the_closest_of_two_lost_objects_is_continued() {
        let mut s = Stitcher::new(WINDOW);
        let parked = vec![track(1, Class::Car, 0.50, 0.5, 0, 0, 0), track(2, Class::Car, 0.54, 0.5, 0, 0, 0)];
        numbers(&mut s, scene(0, parked, &[]));
        numbers(&mut s, scene(2100, vec![], &[1, 2]));
        let back =
            vec![track(3, Class::Car, 0.53, 0.5, 2500, 2500, 2500), track(4, Class::Car, 0.50, 0.5, 2500, 2500, 2500)];
        assert_eq!(numbers(&mut s, scene(2500, back, &[])).0, [1, 2]);
    }

    #[test]
    fn riders_ride_the_vehicle_as_shown() {
        let mut s = Stitcher::new(WINDOW);
        numbers(&mut s, scene(0, vec![track(1, Class::Motorcycle, 0.5, 0.5, 0, 0, 0)], &[]));
        numbers(&mut s, scene(2100, vec![], &[1]));
        let mut rider = track(3, Class::Person, 0.5, 0.45, 2500, 2500, 2500);
        rider.rider_of = Some(TrackId(2));
        let mut found = scene(2500, vec![track(2, Class::Motorcycle, 0.5, 0.5, 2500, 2500, 2500), rider], &[]);
        s.stitch(&mut found);
        assert_eq!(found.track(TrackId(3)).expect("rider").rider_of, Some(TrackId(1)));
    }

    #[test]
    fn a_million_tracks_leave_nothing_behind() {
        let mut s = Stitcher::new(WINDOW);
        let mut shown_ended = 0;
        for round in 0..1000u64 {
            let now = round * 4000;
            let tracks = (0..1000).map(|i| track(round * 1000 + i + 1, Class::Car, 0.5, 0.5, now, now, now)).collect();
            let before: Vec<u64> =
                if round == 0 { vec![] } else { (0..1000).map(|i| (round - 1) * 1000 + i + 1).collect() };
            shown_ended += numbers(&mut s, scene(now, tracks, &before)).1.len();
        }
        assert_eq!(shown_ended, 999_000);
        assert_eq!((s.known.len(), s.ended.len()), (1000, 0));
    }
}

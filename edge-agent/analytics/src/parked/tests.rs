//! What the registry knows, whatever comes.

use proptest::prelude::*;

use super::*;
use crate::detection::Confidence;
use crate::id::CameraId;
use crate::time::FrameStamp;

fn track(id: u64, (x, y): (f32, f32), first: u64, now: u64) -> Track {
    let at = |millis: u64| MediaTime::from_nanos(millis * 1_000_000);
    Track {
        id: TrackId(id),
        class: Class::Car,
        confidence: Confidence::new(0.9).expect("in range"),
        bbox: BBox::new(x - 0.05, y - 0.1, x + 0.05, y).expect("box"),
        velocity: Point::default(),
        state: TrackState::Seen,
        first_seen: at(first),
        last_seen: at(now),
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
        captured_at: WallTime::UNIX_EPOCH + Duration::from_millis(millis),
    };
    Scene::new(stamp, 1.0, tracks, ended.iter().copied().map(TrackId).collect())
}

/// Stands at (0.5, 0.5) from `from` to `until`, in milliseconds.
fn stands(registry: &mut Registry, id: u64, (from, until): (u64, u64)) -> Scene {
    let mut last = scene(from, vec![], &[]);
    for now in (from..=until).step_by(200) {
        last = scene(now, vec![track(id, (0.5, 0.5), from, now)], &[]);
        registry.observe(&mut last);
    }
    last
}

#[test]
fn what_stands_is_known_by_its_number_after_its_track_has_ended() {
    let mut registry = Registry::default();
    assert_eq!(stands(&mut registry, 1, (0, 4_000)).parked, [], "not before it has settled");
    assert_eq!(stands(&mut registry, 1, (4_200, 60_000)).parked.len(), 1);
    let mut gone = scene(63_000, vec![], &[1]);
    registry.observe(&mut gone);
    assert!(gone.ended.is_empty() && gone.is_out_of_sight(TrackId(1)));
    let back = stands(&mut registry, 7, (300_000, 300_200));
    assert_eq!(back.tracks[0].id, TrackId(1));
    assert_eq!(back.parked[0].since, MediaTime::ZERO);
}

#[test]
fn what_is_not_seen_for_long_is_forgotten_and_its_number_ends() {
    let mut registry = Registry::default();
    stands(&mut registry, 1, (0, 10_000));
    let mut numbers = Vec::new();
    for (now, ended) in [(13_000, vec![1]), (100_000, vec![]), (130_000, vec![])] {
        let mut empty = scene(now, vec![], &ended);
        registry.observe(&mut empty);
        numbers.extend(empty.ended.iter().map(|id| (now, id.0)));
    }
    assert_eq!(numbers, [(130_000, 1)], "ten times the ten seconds it stood");
    assert!(registry.things.is_empty() && registry.vehicles.is_empty() && registry.shown.is_empty());
}

#[test]
fn changes_are_told_when_something_settles_or_leaves_and_not_in_between() {
    let mut registry = Registry::default();
    stands(&mut registry, 1, (0, 6_000));
    assert_eq!(registry.changes().map(|things| things.len()), Some(1));
    stands(&mut registry, 1, (6_200, 30_000));
    assert_eq!(registry.changes(), None);
    for now in (30_200..36_000).step_by(200) {
        let away = (0.5 + (now - 30_000) as f32 / 20_000.0, 0.5);
        registry.observe(&mut scene(now, vec![track(1, away, 0, now)], &[]));
    }
    assert_eq!(registry.changes(), Some(vec![]));
}

#[test]
fn a_track_that_swells_in_a_new_place_is_handed_its_number_when_it_has_settled() {
    let mut registry = Registry::default();
    stands(&mut registry, 1, (0, 30_000));
    registry.observe(&mut scene(33_000, vec![], &[1]));
    let mut ended = Vec::new();
    let mut shown = TrackId(0);
    for now in (40_000..50_000).step_by(200) {
        // So far off that its box alone does not say that it is the same.
        let mut swollen = track(2, (0.545, 0.5), 40_000, now);
        swollen.bbox = BBox::new(0.48, 0.39, 0.61, 0.5).expect("box");
        let mut scene = scene(now, vec![swollen], &[]);
        registry.observe(&mut scene);
        ended.extend(scene.ended.clone());
        shown = scene.tracks[0].id;
    }
    assert_eq!((shown, ended), (TrackId(1), vec![TrackId(2)]), "and the number it had is over");
}

proptest! {
    /// Any coming and going of up to five tracks: a number is shown once a scene, ends once, and nothing stays behind.
    #[test]
    fn numbers_stand_for_one_object_each(
        clip in prop::collection::vec((prop::array::uniform5(prop::option::weighted(0.7, 0u8..6)), 1u64..8), 1..80),
    ) {
        let mut registry = Registry::default();
        let (mut now, mut next) = (0, 1);
        let mut alive: [Option<(u64, u64)>; 5] = [None; 5];
        let (mut ever, mut over) = (BTreeSet::new(), BTreeSet::new());
        for (places, steps) in clip {
            for _ in 0..steps * 5 {
                now += 200;
                let (mut tracks, mut ended) = (Vec::new(), Vec::new());
                for (slot, place) in alive.iter_mut().zip(places) {
                    match place {
                        Some(place) => {
                            let (id, first) = *slot.get_or_insert_with(|| { next += 1; (next, now) });
                            let x = 0.1 + f32::from(place) * 0.13;
                            tracks.push(track(id, (x, 0.5), first, now));
                        }
                        None => ended.extend(slot.take().map(|(id, _)| id)),
                    }
                }
                tracks.sort_by_key(|track| track.id);
                let mut scene = scene(now, tracks, &ended);
                registry.observe(&mut scene);
                let shown: Vec<TrackId> = scene.tracks.iter().map(|track| track.id).collect();
                prop_assert!(shown.is_sorted_by(|a, b| a < b), "each once: {shown:?}");
                prop_assert!(shown.iter().all(|id| !over.contains(id)), "an ended number never comes back");
                ever.extend(shown);
                for id in &scene.ended {
                    prop_assert!(over.insert(*id), "{id} ends twice");
                }
            }
        }
        let last: Vec<u64> = alive.iter().flatten().map(|(id, _)| *id).collect();
        for (wait, ended) in [(1_000, last), (2_000_000, vec![])] {
            let mut scene = scene(now + wait, vec![], &ended);
            registry.observe(&mut scene);
            over.extend(scene.ended);
        }
        prop_assert!(registry.things.is_empty() && registry.vehicles.is_empty() && registry.shown.is_empty());
        prop_assert!(ever.is_subset(&over), "every number that was shown ends");
    }
}

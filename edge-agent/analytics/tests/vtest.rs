//! A scenario: pedestrians on a path, seen by a fixed camera, as a small model detected them (recorded).
//! Up to eight walk at once, who meet, stop, and pass behind a sign.

use analytics::track::{Tracker, TrackerParams};
use analytics::{BBox, CameraId, Class, Confidence, Detection, FrameStamp, MediaTime, Scene, WallTime};

const FPS: u64 = 10;
const ASPECT: f32 = 768.0 / 576.0;

/// The detections of each frame.
fn recorded() -> Vec<Vec<Detection>> {
    let mut frames: Vec<Vec<Detection>> = Vec::new();
    for line in include_str!("data/vtest_yolox_nano.txt").lines().filter(|line| !line.starts_with('#')) {
        let numbers: Vec<f32> = line.split(' ').map(|field| field.parse().expect("a number")).collect();
        let &[frame, class, confidence, left, top, right, bottom] = numbers.as_slice() else {
            panic!("seven numbers a line: {line}");
        };
        frames.resize(frame as usize, Vec::new());
        frames.last_mut().expect("frames count from 1").push(Detection {
            bbox: BBox::new(left, top, right, bottom).expect("a box"),
            class: Class::ALL.into_iter().find(|known| known.coco_id() == class as u32).expect("a class"),
            confidence: Confidence::new(confidence).expect("a confidence"),
        });
    }
    frames
}

/// The scenes of every `step`-th frame.
fn scenes(step: usize) -> Vec<Scene> {
    let mut tracker = Tracker::new(TrackerParams::default());
    let camera = CameraId::new("vtest").expect("an id");
    let frames = recorded();
    let analysed = (0u64..).zip(&frames).step_by(step);
    analysed
        .map(|(index, detections)| {
            let pts = MediaTime::from_nanos(index * 1_000_000_000 / FPS);
            let stamp = FrameStamp { camera: camera.clone(), seq: index + 1, pts, captured_at: WallTime::UNIX_EPOCH };
            tracker.update(stamp, ASPECT, detections)
        })
        .collect()
}

/// How many persons crossed the middle of the picture to the right, and to the left.
fn crossings(scenes: &[Scene]) -> (usize, usize) {
    let mut sides = std::collections::BTreeMap::new();
    let (mut right, mut left) = (0, 0);
    for scene in scenes {
        for track in scene.seen().filter(|track| track.class == Class::Person) {
            let offset = track.bbox.bottom_center().x - 0.5;
            if offset.abs() < 0.01 {
                continue;
            }
            match (sides.insert(track.id, offset > 0.0), offset > 0.0) {
                (Some(false), true) => right += 1,
                (Some(true), false) => left += 1,
                _ => {}
            }
        }
    }
    (right, left)
}

fn persons(scenes: &[Scene]) -> usize {
    let mut ids: Vec<_> =
        scenes.iter().flat_map(Scene::seen).filter(|t| t.class == Class::Person).map(|t| t.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

#[test]
fn the_same_detections_give_the_same_scenes() {
    assert_eq!(scenes(1), scenes(1));
}

#[test]
fn few_more_ids_are_given_than_there_are_people() {
    for step in [1, 2, 3] {
        // Some twenty people, a sign that the model takes for one more, a few broken tracks.
        let persons = persons(&scenes(step));
        assert!((19..=28).contains(&persons), "every {step}th frame: {persons} ids");
    }
}

#[test]
fn as_many_cross_the_middle_at_5_as_at_10_frames_a_second() {
    let (right, left) = crossings(&scenes(1));
    assert!(right >= 10 && left >= 10, "people cross both ways: {right} and {left}");
    let (right_5, left_5) = crossings(&scenes(2));
    assert!(right.abs_diff(right_5) <= 2, "{right} and {right_5} to the right");
    assert!(left.abs_diff(left_5) <= 2, "{left} and {left_5} to the left");
}

#[test]
fn no_two_tracks_show_one_person_for_long() {
    let mut together = std::collections::BTreeMap::new();
    for scene in scenes(1) {
        let seen: Vec<_> = scene.seen().collect();
        for (i, a) in seen.iter().enumerate() {
            for b in seen[..i].iter().filter(|b| b.class == a.class && b.bbox.iou(a.bbox) > 0.7) {
                *together.entry((b.id, a.id)).or_insert(0) += 1;
            }
        }
    }
    assert!(together.values().all(|frames| *frames < FPS), "{together:?}");
}

#[test]
fn the_sign_that_the_model_takes_for_a_person_is_hardly_shown() {
    // Low, at the left, where no one walks; boxed in three frames of four from the twentieth second on.
    let sign = BBox::new(0.040, 0.190, 0.062, 0.246).expect("a box");
    let on_it = |bbox: BBox| bbox.iou(sign) > 0.5;
    for step in [1, 2, 3] {
        let frames = recorded();
        let boxed = frames.iter().step_by(step).filter(|frame| frame.iter().any(|d| on_it(d.bbox))).count();
        let shown = scenes(step).iter().filter(|scene| scene.seen().any(|track| on_it(track.bbox))).count();
        assert!(boxed * step > 400 && shown * 20 < boxed, "every {step}th frame: boxed in {boxed}, shown in {shown}");
    }
}

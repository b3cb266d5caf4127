//! Cameras that are known, seen through what an integrator would measure.

use proptest::prelude::*;

use super::*;
use crate::class::Class;
use crate::detection::Confidence;
use crate::geometry::BBox;
use crate::id::CameraId;
use crate::scene::{PathPoint, Scene, Track, TrackId, TrackState};
use crate::time::{FrameStamp, MediaTime, WallTime};

const ASPECT: f64 = 16.0 / 9.0;

/// A camera `height` metres high that looks down by `tilt` degrees.
fn camera(focal: f64, height: f64, tilt: f64) -> Homography {
    fit::pinhole(&[focal.ln(), height.ln(), tilt.to_radians()], ASPECT).expect("a camera")
}

fn seen(map: &Homography, ground: [f64; 2]) -> Point {
    let back = map.inverse(map.apply([0.5, 0.9]).expect("ground")).expect("invertible");
    let [x, y] = back.apply(ground).expect("in front");
    Point::new(x as f32, y as f32)
}

fn landmarks(map: &Homography, grounds: &[[f64; 2]]) -> Vec<Landmark> {
    grounds.iter().map(|ground| Landmark { picture: seen(map, *ground), ground_m: *ground }).collect()
}

const SQUARE: [[f64; 2]; 6] = [[-4.0, 10.0], [4.0, 10.0], [4.0, 25.0], [-4.0, 25.0], [0.0, 16.0], [2.0, 40.0]];

#[test]
fn points_give_the_ground_back() {
    let map = camera(1.2, 7.0, 25.0);
    let fitted = from_points(&landmarks(&map, &SQUARE), ASPECT).expect("fits");
    for ground in [[0.0, 12.0], [3.0, 20.0], [-2.0, 30.0]] {
        let place = fitted.ground.at(seen(&map, ground)).expect("on the ground");
        assert!((place.x_m - ground[0]).hypot(place.y_m - ground[1]) < 0.02, "{ground:?} {place:?}");
    }
    assert!(fitted.residual.expect("two more than needed") < 1e-4);
}

#[test]
fn far_from_what_was_measured_nothing_is_measured() {
    let map = camera(1.2, 7.0, 12.0);
    let near = [[-3.0, 12.0], [3.0, 12.0], [3.0, 16.0], [-3.0, 16.0]];
    let fitted = from_points(&landmarks(&map, &near), ASPECT).expect("fits");
    assert!(fitted.ground.at(seen(&map, [0.0, 14.0])).is_some());
    assert!(fitted.ground.at(seen(&map, [0.0, 120.0])).is_none(), "ten times as far as the points");
    assert_eq!(fitted.residual, None, "four points leave nothing over");
}

#[test]
fn misread_points_show_as_a_larger_error() {
    let map = camera(1.2, 7.0, 25.0);
    let good = landmarks(&map, &SQUARE);
    let mut bad = good.clone();
    bad[4].picture.y += 0.05;
    let error =
        |landmarks: &[Landmark]| from_points(landmarks, ASPECT).expect("fits").ground.error(seen(&map, [0.0, 15.0]));
    assert!(error(&bad) > 3.0 * error(&good), "{} {}", error(&bad), error(&good));
}

#[test]
fn the_stated_error_holds_what_misreading_does() {
    let map = camera(1.2, 7.0, 25.0);
    let good = landmarks(&map, &SQUARE);
    let (from, to) = ([0.0, 14.0], [0.0, 18.0]);
    let (mut inside, mut all) = (0, 0);
    // Readings off by one standard deviation each, in every pattern of signs.
    for pattern in (0_u32..1 << 12).step_by(13) {
        let mut misread = good.clone();
        for (i, landmark) in misread.iter_mut().enumerate() {
            let sign = |bit: u32| if pattern >> bit & 1 == 1 { 1.0_f32 } else { -1.0 };
            landmark.picture.x += sign(2 * i as u32) * (READING / ASPECT) as f32;
            landmark.picture.y += sign(2 * i as u32 + 1) * READING as f32;
        }
        let Ok(fitted) = from_points(&misread, ASPECT) else { continue };
        let (Some(a), Some(b)) = (fitted.ground.at(seen(&map, from)), fitted.ground.at(seen(&map, to))) else {
            continue;
        };
        let off = (a.distance_m(b) / 4.0 - 1.0).abs();
        all += 1;
        inside += u32::from(off <= a.error.max(b.error));
    }
    assert!(all > 300, "{all}");
    assert!(f64::from(inside) / f64::from(all) > 0.93, "{inside} of {all}");
}

#[test]
fn lines_of_known_length_give_the_ground_back() {
    let map = camera(1.4, 8.0, 22.0);
    let line = |from: [f64; 2], to: [f64; 2]| KnownLength {
        picture: Segment::new(seen(&map, from), seen(&map, to)).expect("two points"),
        length_m: (from[0] - to[0]).hypot(from[1] - to[1]),
    };
    let lines = [
        line([-3.5, 14.0], [3.5, 14.0]),
        line([-3.5, 30.0], [3.5, 30.0]),
        line([0.0, 14.0], [0.0, 20.0]),
        line([3.0, 24.0], [3.0, 34.0]),
    ];
    let fitted = from_lengths(&lines, ASPECT).expect("fits");
    let apart = |a, b| {
        let place = |ground| fitted.ground.at(seen(&map, ground)).expect("on the ground");
        place(a).distance_m(place(b))
    };
    let across = apart([-2.0, 18.0], [2.0, 18.0]);
    let along = apart([1.0, 16.0], [1.0, 28.0]);
    assert!((across - 4.0).abs() < 0.1 && (along - 12.0).abs() < 0.4, "{across} {along}");
}

#[test]
fn what_determines_no_ground_is_refused() {
    let map = camera(1.2, 7.0, 25.0);
    let few = from_points(&landmarks(&map, &SQUARE[..3]), ASPECT);
    assert_eq!(few, Err(CalibrationError::TooFew { given: 3, needed: 4 }));
    let on_one_line = landmarks(&map, &[[0.0, 10.0], [1.0, 12.0], [2.0, 14.0], [3.0, 16.0], [4.0, 18.0]]);
    assert!(from_points(&on_one_line, ASPECT).is_err());
    let twice = landmarks(&map, &[[0.0, 10.0], [0.0, 10.0], [2.0, 14.0], [3.0, 10.0]]);
    assert!(from_points(&twice, ASPECT).is_err());
    let swapped: Vec<Landmark> = landmarks(&map, &SQUARE[..4])
        .iter()
        .zip([0, 2, 1, 3])
        .map(|(landmark, i)| Landmark { ground_m: SQUARE[i], ..*landmark })
        .collect();
    assert!(from_points(&swapped, ASPECT).is_err(), "corners in the wrong order: {:?}", from_points(&swapped, ASPECT));
}

proptest! {
    #[test]
    fn any_points_give_a_ground_or_an_error(
        numbers in prop::collection::vec((0.0_f32..1.0, 0.0_f32..1.0, -1e4..1e4, -1e4..1e4), 0..9),
    ) {
        let landmarks: Vec<Landmark> = numbers
            .iter()
            .map(|(x, y, east, north)| Landmark { picture: Point::new(*x, *y), ground_m: [*east, *north] })
            .collect();
        if let Ok(fitted) = from_points(&landmarks, ASPECT) {
            prop_assert!(fitted.ground.coverage() > 0.0);
        }
    }

    #[test]
    fn a_camera_is_found_again(focal in 0.8..2.5, height in 4.0..15.0, tilt in 15.0..50.0) {
        let map = camera(focal, height, tilt);
        let middle = map.apply([0.5, 0.5]).expect("looks down")[1];
        let grounds = [[-2.0, 0.8], [2.0, 0.8], [2.0, 1.0], [-2.0, 1.0], [0.0, 0.9]].map(|[x, y]| [x, y * middle]);
        let fitted = from_points(&landmarks(&map, &grounds), ASPECT);
        if let Ok(fitted) = fitted && let Some(place) = fitted.ground.at(seen(&map, [1.0, 0.9 * middle])) {
            prop_assert!((place.x_m - 1.0).abs() < 0.05 && (place.y_m - 0.9 * middle).abs() < 0.1, "{place:?}");
        }
    }
}

/// A person at each place of the ground, once.
fn crowd(map: &Homography, focal: f64, height: f64, tilt: f64) -> Vec<Scene> {
    let stamp = |seq: u64| FrameStamp {
        camera: CameraId::new("cam").expect("an id"),
        seq,
        pts: MediaTime::from_nanos(seq * 200_000_000),
        captured_at: WallTime::UNIX_EPOCH,
    };
    let (sin, cos) = tilt.to_radians().sin_cos();
    let places = (0..40).flat_map(|i| (0..30).map(move |j| [f64::from(j) * 0.2 - 3.0, 10.0 + f64::from(i)]));
    let mut scenes = Vec::new();
    for (number, ground) in (1..).zip(places) {
        let foot = seen(map, ground);
        let (away, under) = (ground[1], height - 1.62);
        let top = 0.5 + focal * (under * cos - away * sin) / (away * cos + under * sin);
        let Some(bbox) = BBox::new(foot.x - 0.01, top as f32, foot.x + 0.01, foot.y) else { continue };
        let at = MediaTime::from_nanos(number * 200_000_000);
        let track = Track {
            id: TrackId(number),
            class: Class::Person,
            confidence: Confidence::new(0.9).expect("a confidence"),
            bbox,
            velocity: Point::new(0.0, 0.0),
            state: TrackState::Seen,
            first_seen: at,
            last_seen: at,
            rider_of: None,
            path: vec![PathPoint { at, point: foot }],
            ground: None,
        };
        scenes.push(Scene::new(stamp(number), ASPECT as f32, vec![track], Vec::new()));
    }
    scenes
}

#[test]
fn people_tell_the_horizon_and_the_height_of_the_camera() {
    let (focal, height, tilt) = (1.5, 6.0, 18.0);
    let map = camera(focal, height, tilt);
    let mut sizes = Sizes::new(ASPECT);
    assert!(sizes.guess().is_none(), "nothing was seen yet");
    crowd(&map, focal, height, tilt).iter().for_each(|scene| sizes.push(scene));
    let guess = sizes.guess().expect("enough was seen").expect("it fits");
    let horizon = 0.5 - focal * tilt.to_radians().tan();
    assert!((guess.horizon - horizon).abs() < 0.03, "{guess:?} {horizon}");
    assert!((guess.camera_height_m - height).abs() < 0.6, "{guess:?}");
    let detail = |y| guess.pixels_per_metre(y, 1920).expect("below the horizon");
    let truly = 1080.0 * focal / (height / (18_f64.to_radians() + (0.3 / focal).atan()).sin());
    assert!((detail(0.8) / truly - 1.0).abs() < 0.15, "{} {truly}", detail(0.8));
    assert!(guess.pixels_per_metre(guess.horizon - 0.01, 1920).is_none());
}

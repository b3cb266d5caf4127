//! What rules rely on, seen from outside: detections in, scenes out.

use proptest::prelude::*;

use super::*;
use crate::detection::Confidence;
use crate::geometry::Point;
use crate::id::CameraId;
use crate::scene::Track;
use crate::time::WallTime;

const ASPECT: f32 = 16.0 / 9.0;

fn stamp(seconds: f64) -> FrameStamp {
    FrameStamp {
        camera: CameraId::new("cam").expect("an id"),
        seq: 1,
        pts: MediaTime::from_nanos((seconds * 1e9) as u64),
        captured_at: WallTime::UNIX_EPOCH,
    }
}

/// An object by its bottom centre and its height; twice as wide as high in the picture, as seen.
fn bbox(x: f32, bottom: f32, height: f32) -> BBox {
    let half_width = height / ASPECT;
    BBox::new(x - half_width, bottom - height, x + half_width, bottom).expect("positive size")
}

fn sure(class: Class, bbox: BBox) -> Detection {
    Detection { bbox, class, confidence: Confidence::new(0.9).expect("a confidence") }
}

fn at_confidence(confidence: f32, detection: Detection) -> Detection {
    Detection { confidence: Confidence::new(confidence).expect("a confidence"), ..detection }
}

fn tracker() -> Tracker {
    Tracker::new(TrackerParams::default())
}

/// Runs from 0 to `seconds` at `fps`; `detections` by the time.
fn run(tracker: &mut Tracker, fps: f64, seconds: f64, detections: impl Fn(f32) -> Vec<Detection>) -> Vec<Scene> {
    (0..=(seconds * fps).round() as u32)
        .map(|frame| f64::from(frame) / fps)
        .map(|at| tracker.update(stamp(at), ASPECT, &detections(at as f32)))
        .collect()
}

fn ids(scenes: &[Scene]) -> Vec<u64> {
    let mut ids: Vec<u64> = scenes.iter().flat_map(|scene| &scene.tracks).map(|track| track.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn last_track(scenes: &[Scene]) -> &Track {
    scenes.last().and_then(|scene| scene.tracks.first()).expect("a track in the last scene")
}

/// A car from left to right at `speed` box heights a second.
fn passing(at: f32, speed: f32) -> Vec<Detection> {
    let height = 0.08;
    vec![sure(Class::Car, bbox(0.1 + speed * height * at / ASPECT, 0.6, height))]
}

#[test]
fn a_track_is_shown_once_confirmed_and_was_first_seen_before() {
    let scenes = run(&mut tracker(), 10.0, 1.0, |at| if at < 0.25 { vec![] } else { passing(at, 1.0) });
    let shown = scenes.iter().position(|scene| !scene.tracks.is_empty()).expect("confirmed");
    assert!(scenes[shown].stamp.pts.since(last_track(&scenes).first_seen) >= TrackerParams::default().confirm_after);
    assert_eq!(last_track(&scenes).first_seen, stamp(0.3).pts);
    assert_eq!(last_track(&scenes).id, TrackId(1));
}

#[test]
fn noise_burns_no_ids() {
    let mut tracker = tracker();
    for frame in 0..50u32 {
        let x = 0.1 + 0.8 * (frame as f32 * 0.37).fract();
        let scene = tracker.update(stamp(f64::from(frame)), ASPECT, &[sure(Class::Person, bbox(x, 0.5, 0.05))]);
        assert!(scene.tracks.is_empty());
    }
    for frame in 0..10 {
        tracker.update(stamp(60.0 + f64::from(frame) * 0.2), ASPECT, &passing(0.0, 0.0));
    }
    assert_eq!(tracker.last_id, 1);
}

#[test]
fn an_object_keeps_its_id_and_shows_its_speed_at_any_frame_rate() {
    for fps in [5.0, 10.0, 15.0, 30.0] {
        for speed in [0.5, 3.0, 8.0] {
            let scenes = run(&mut tracker(), fps, 1.2, |at| passing(at, speed));
            assert_eq!(ids(&scenes), [1], "{fps} fps, {speed} heights a second");
            let expected = speed * 0.08 / ASPECT;
            let velocity = last_track(&scenes).velocity;
            assert!((velocity.x / expected - 1.0).abs() < 0.1, "{fps} fps: {} for {expected}", velocity.x);
        }
    }
}

#[test]
fn variable_frame_rates_do_not_break_a_track() {
    let mut tracker = tracker();
    let mut at = 0.0;
    let mut scenes = Vec::new();
    for frame in 0..20 {
        at += [0.03, 0.2, 0.07, 0.4][frame % 4];
        scenes.push(tracker.update(stamp(at), ASPECT, &passing(at as f32, 2.0)));
    }
    assert_eq!(ids(&scenes), [1]);
}

#[test]
fn a_lost_track_is_shown_where_it_is_expected_and_found_again() {
    let gone = |at: f32| (1.05..1.95).contains(&at);
    let scenes = run(&mut tracker(), 10.0, 3.0, |at| if gone(at) { vec![] } else { passing(at, 1.0) });
    let lost = &scenes[14];
    assert_eq!(lost.tracks[0].state, TrackState::Lost);
    assert_eq!(lost.tracks[0].last_seen, stamp(1.0).pts);
    let truth = passing(1.4, 1.0)[0].bbox;
    assert!(lost.tracks[0].bbox.iou(truth) > 0.8);
    assert_eq!(lost.seen().count(), 0);
    assert_eq!(ids(&scenes), [1]);
    assert_eq!(last_track(&scenes).state, TrackState::Seen);
}

#[test]
fn lost_track_is_dropped_after_timeout_and_ends_once() {
    let scenes = run(&mut tracker(), 5.0, 6.0, |at| if at > 1.0 { vec![] } else { passing(at, 0.2) });
    let ended: Vec<f64> = scenes
        .iter()
        .filter(|scene| scene.ended.contains(&TrackId(1)))
        .map(|scene| scene.stamp.pts.as_secs_f64())
        .collect();
    assert_eq!(ended.len(), 1);
    assert!(ended[0] > 3.0 && ended[0] < 3.5, "seen until 1 s, lost for 2 s, ended at {}", ended[0]);
    assert!(scenes.last().is_some_and(|scene| scene.tracks.is_empty()));
}

#[test]
fn a_track_that_left_the_picture_ends_sooner() {
    let visible = |at: f32| bbox(0.8 + 0.2 * at, 0.6, 0.1).clipped().filter(|b| b.width() > 0.01);
    let scenes = run(&mut tracker(), 10.0, 3.0, |at| visible(at).map(|b| sure(Class::Car, b)).into_iter().collect());
    let ended = scenes.iter().find(|scene| !scene.ended.is_empty()).expect("it ends");
    let last_seen = scenes.iter().rev().find(|scene| scene.seen().count() > 0).expect("it was seen");
    assert!(ended.stamp.pts.since(last_seen.stamp.pts) < Duration::from_secs(1));
}

#[test]
fn after_a_long_gap_everything_is_new() {
    let mut tracker = tracker();
    run(&mut tracker, 5.0, 2.0, |_| passing(0.0, 0.0));
    let scene = tracker.update(stamp(60.0), ASPECT, &passing(0.0, 0.0));
    assert_eq!(scene.ended, [TrackId(1)]);
    assert!(scene.tracks.is_empty());
    let scene = tracker.update(stamp(60.2), ASPECT, &passing(0.0, 0.0));
    assert_eq!(scene.tracks[0].id, TrackId(2));
    assert_eq!(scene.tracks[0].first_seen, stamp(60.0).pts);
}

#[test]
fn frames_that_are_not_later_are_simultaneous() {
    let mut tracker = tracker();
    run(&mut tracker, 5.0, 2.0, |at| passing(at, 1.0));
    for at in [2.0, 2.0, 1.0, 0.0] {
        let scene = tracker.update(stamp(at), ASPECT, &passing(2.0, 1.0));
        assert_eq!(scene.tracks[0].id, TrackId(1));
        assert_eq!(scene.tracks[0].last_seen, stamp(2.0).pts);
        assert!(scene.tracks[0].velocity.x.is_finite());
    }
    let scene = tracker.update(stamp(1.5), ASPECT, &[]);
    assert_eq!(scene.tracks[0].state, TrackState::Lost);
}

#[test]
fn an_unsure_motorcycle_is_followed_at_once_when_someone_sits_on_it_and_else_in_time() {
    let frame = |at: f32, rider: bool| {
        let x = 0.2 + 0.05 * at;
        let motorcycle = at_confidence(0.35, sure(Class::Motorcycle, bbox(x, 0.80, 0.08)));
        let person = sure(Class::Person, BBox::new(x - 0.015, 0.66, x + 0.015, 0.78).expect("a box"));
        if rider { vec![motorcycle, person] } else { vec![motorcycle] }
    };
    for fps in [5.0, 10.0, 30.0] {
        let alone = run(&mut tracker(), fps, 3.0, |at| frame(at, false));
        let shown = alone.iter().find(|scene| !scene.tracks.is_empty()).expect("it lasts: it is something");
        let after = shown.stamp.pts.as_secs_f64();
        assert!((0.8..1.3).contains(&after), "{fps} fps: {after} s; three tenths of a second's certainty");
        let ridden = run(&mut tracker(), fps, 0.6, |at| frame(at, true));
        assert_eq!(ids(&ridden).len(), 2, "{fps} fps: each speaks for the other");
        let noise = run(&mut tracker(), fps, 9.0, |at| if at % 3.0 < 0.6 { frame(at, false) } else { vec![] });
        assert!(ids(&noise).is_empty(), "{fps} fps: what does not last is noise");
    }
    let ridden = run(&mut tracker(), 5.0, 3.0, |at| frame(at, true));
    let tracks = &ridden.last().expect("scenes").tracks;
    let motorcycle = tracks.iter().find(|track| track.class == Class::Motorcycle).expect("it is followed");
    let person = tracks.iter().find(|track| track.class == Class::Person).expect("so is who rides it");
    assert_eq!(person.rider_of, Some(motorcycle.id));
}

#[test]
fn unsure_detections_continue_a_track_but_start_none() {
    let unsure = |at: f32| vec![at_confidence(0.3, passing(at, 1.0)[0])];
    assert!(ids(&run(&mut tracker(), 10.0, 2.0, unsure)).is_empty());
    let scenes = run(&mut tracker(), 10.0, 3.0, |at| if at < 1.0 { passing(at, 1.0) } else { unsure(at) });
    assert_eq!(ids(&scenes), [1]);
    assert_eq!(last_track(&scenes).state, TrackState::Seen);
    assert_eq!(last_track(&scenes).confidence.get(), 0.3);
}

#[test]
fn a_class_that_flickers_is_voted_by_confidence() {
    let scenes = run(&mut tracker(), 10.0, 2.0, |at| {
        let car = passing(at, 1.0)[0];
        let wrong = Detection { class: Class::Truck, ..at_confidence(0.61, car) };
        let even = ((at * 10.0).round() as u32).is_multiple_of(2);
        vec![if even { wrong } else { car }]
    });
    assert_eq!(ids(&scenes), [1]);
    assert_eq!(last_track(&scenes).class, Class::Car);
}

#[test]
fn a_lorry_that_is_boxed_as_truck_and_as_bus_is_one_track() {
    let scenes = run(&mut tracker(), 10.0, 2.0, |at| {
        let truck = Detection { class: Class::Truck, ..passing(at, 1.0)[0] };
        vec![Detection { class: Class::Bus, ..at_confidence(0.7, truck) }, truck]
    });
    assert_eq!(ids(&scenes), [1]);
    assert_eq!(last_track(&scenes).class, Class::Truck);
}

#[test]
fn the_upper_half_of_a_person_is_no_second_one_and_a_person_beside_is() {
    let half = |at: f32| {
        let whole = person(0.3 + 0.05 * at, 0.6);
        BBox::new(whole.left(), whole.top(), whole.right(), whole.center().y).expect("a box")
    };
    let scenes = run(&mut tracker(), 10.0, 3.0, |at| {
        let whole = sure(Class::Person, person(0.3 + 0.05 * at, 0.6));
        vec![whole, at_confidence(0.7, sure(Class::Person, half(at)))]
    });
    assert_eq!(ids(&scenes), [1]);
    let beside = run(&mut tracker(), 10.0, 3.0, |at| {
        let both = [person(0.3 + 0.05 * at, 0.6), person(0.32 + 0.05 * at, 0.61)];
        both.map(|bbox| sure(Class::Person, bbox)).to_vec()
    });
    assert_eq!(ids(&beside), [1, 2]);
}

#[test]
fn a_person_never_continues_a_vehicle() {
    let scenes = run(&mut tracker(), 10.0, 2.0, |at| {
        let class = if at < 1.0 { Class::Car } else { Class::Person };
        vec![Detection { class, ..passing(0.0, 0.0)[0] }]
    });
    assert_eq!(ids(&scenes), [1, 2]);
}

#[test]
fn two_who_pass_each_other_keep_their_ids() {
    for fps in [5.0, 10.0, 30.0] {
        let walker = |at: f32, way: f32| bbox(0.5 + way * 0.04 * (at - 3.0), 0.6 + way * 0.01, 0.15);
        let scenes = run(&mut tracker(), fps, 6.0, |at| {
            // The nearer one hides the other while they pass.
            let hidden = (2.7..3.3).contains(&at);
            let near = sure(Class::Person, walker(at, 1.0));
            if hidden { vec![near] } else { vec![near, sure(Class::Person, walker(at, -1.0))] }
        });
        assert_eq!(ids(&scenes), [1, 2], "{fps} fps");
        for track in &scenes.last().expect("scenes").tracks {
            let start = track.path.first().expect("a path").point.x;
            let end = track.bbox.center().x;
            assert!((start < 0.5) == (end > 0.5), "{fps} fps: {} came from {start} and is at {end}", track.id);
        }
    }
}

#[test]
fn one_who_stands_has_no_velocity_though_the_box_trembles() {
    let scenes = run(&mut tracker(), 10.0, 10.0, |at| {
        let tremble = 0.02 * 0.15 * (at * 47.0).sin();
        vec![sure(Class::Person, bbox(0.5 + tremble, 0.6 + tremble, 0.15))]
    });
    for scene in &scenes[20..] {
        let speed = Point::default().distance(scene.tracks[0].velocity, ASPECT) / 0.15;
        assert!(speed < 0.05, "{speed} heights a second");
    }
}

#[test]
fn a_path_is_bounded_and_keeps_its_beginning() {
    let scenes =
        run(&mut tracker(), 10.0, 120.0, |at| vec![sure(Class::Person, bbox(0.5 + 0.3 * (at / 5.0).sin(), 0.6, 0.15))]);
    let track = last_track(&scenes);
    assert!(track.path.len() <= 64);
    assert_eq!(track.path[0].at, track.first_seen);
    assert!(track.path.windows(2).all(|pair| pair[1].at.since(pair[0].at) >= Duration::from_millis(200)));
    let recent = track.path.iter().filter(|point| track.last_seen.since(point.at) < Duration::from_secs(8)).count();
    assert!(recent >= 20, "the last seconds are kept finely, {recent} points");
}

#[test]
fn a_rider_is_known_and_one_on_foot_is_none() {
    let scenes = run(&mut tracker(), 5.0, 3.0, |at| {
        let x = 0.2 + 0.15 * at;
        let motorcycle = BBox::new(x - 0.05, 0.45, x + 0.05, 0.6).expect("box");
        let rider = BBox::new(x - 0.03, 0.3, x + 0.03, 0.58).expect("box");
        let walker = BBox::new(0.78, 0.3, 0.84, 0.58).expect("box");
        let person = |bbox| sure(Class::Person, bbox);
        let mut all = vec![person(rider), person(walker)];
        // The motorcycle is seen in two frames of three.
        if (at * 5.0).round() as u32 % 3 != 2 {
            all.push(sure(Class::Motorcycle, motorcycle));
        }
        all
    });
    let scene = scenes.last().expect("scenes");
    let motorcycle = scene.tracks.iter().find(|track| track.class == Class::Motorcycle).expect("tracked");
    let riders: Vec<bool> =
        scene.tracks.iter().filter(|t| t.class == Class::Person).map(|t| t.rider_of == Some(motorcycle.id)).collect();
    assert_eq!(riders.iter().filter(|rides| **rides).count(), 1);
    assert_eq!(riders.len(), 2);
    assert_eq!(motorcycle.rider_of, None);
}

/// A person by where it stands: half as wide as high; on ground where heights grow downwards.
fn person(x: f32, y: f32) -> BBox {
    let height = 0.04 + 0.2 * y;
    let half_width = height / 4.0 / ASPECT;
    BBox::new(x - half_width, y - height, x + half_width, y).expect("positive size")
}

/// One after another walks through the picture, each farther from the camera than the last, then near again.
fn walkers(at: f32) -> Vec<Detection> {
    let (round, seconds) = ((at / 6.0).floor(), at % 6.0);
    let y = 0.4 + 0.15 * (round % 4.0);
    vec![sure(Class::Person, person(0.05 + 0.16 * seconds, y))]
}

/// What the model takes for a person, though it is too low and never moves.
fn sign(confidence: f32) -> Detection {
    let foot = person(0.3, 0.3);
    let low = BBox::new(foot.left(), foot.bottom() - 0.65 * foot.height(), foot.right(), foot.bottom());
    at_confidence(confidence, sure(Class::Person, low.expect("a box")))
}

fn shows(scene: &Scene, bbox: BBox) -> bool {
    scene.tracks.iter().any(|track| track.bbox.iou(bbox) > 0.5)
}

#[test]
fn a_sign_taken_for_a_person_is_shown_until_heights_are_learned() {
    for fps in [5.0, 10.0, 30.0] {
        let scenes = run(&mut tracker(), fps, 90.0, |at| [walkers(at), vec![sign(0.65)]].concat());
        let (first, later) = scenes.split_at(scenes.len() / 2);
        assert!(shows(&first[first.len() / 20], sign(0.65).bbox), "{fps} fps: nothing is known yet");
        assert!(!later.iter().any(|scene| shows(scene, sign(0.65).bbox)), "{fps} fps");
        assert!(later.iter().filter(|scene| scene.seen().count() == 1).count() > later.len() * 8 / 10, "walkers are");
    }
}

#[test]
fn one_who_came_walking_is_shown_however_low_it_crouches() {
    let crouching = sign(0.65).bbox;
    let scenes = run(&mut tracker(), 10.0, 120.0, |at| {
        let arrives = person(0.3 - 0.1 * (60.0 - at).max(0.0), 0.3);
        let visitor = match at {
            ..57.0 => vec![],
            57.0..60.0 => vec![sure(Class::Person, arrives)],
            _ => vec![sign(0.65)],
        };
        [walkers(at), visitor].concat()
    });
    assert!(scenes[620..].iter().all(|scene| shows(scene, crouching)));
}

#[test]
fn a_rider_who_waits_is_shown_though_riders_sit_high_and_a_box_at_the_edge_is_cut_off() {
    let rider = sign(0.65).bbox;
    let below = BBox::new(rider.left() - 0.02, rider.center().y, rider.right() + 0.02, rider.bottom() + 0.05);
    let motorcycle = sure(Class::Motorcycle, below.expect("a box"));
    let cut = at_confidence(0.65, sure(Class::Person, BBox::new(0.7, 0.95, 0.75, 1.0).expect("a box")));
    let scenes = run(&mut tracker(), 10.0, 90.0, |at| {
        let waiting = if at < 50.0 { vec![] } else { vec![motorcycle, sign(0.65), cut] };
        [walkers(at), waiting].concat()
    });
    assert!(scenes[520..].iter().all(|scene| shows(scene, rider) && shows(scene, cut.bbox)));
}

#[test]
fn unsure_persons_who_come_and_go_at_one_place_without_moving_are_shown_no_more() {
    // Every ten seconds the lamp of a shop window is a person for four.
    let lamp = at_confidence(0.62, sure(Class::Person, person(0.7, 0.5)));
    let flicker = |at: f32| if at % 10.0 < 4.0 { vec![lamp] } else { vec![] };
    let scenes = run(&mut tracker(), 5.0, 100.0, flicker);
    assert_eq!(ids(&scenes), [1, 2], "two lives, then it is known");
    let sure_of_it = |at: f32| flicker(at).into_iter().map(|lamp| at_confidence(0.85, lamp)).collect();
    assert_eq!(
        ids(&run(&mut tracker(), 5.0, 100.0, sure_of_it)).len(),
        10,
        "one whom the model is sure of is believed"
    );
}

#[test]
fn a_vehicle_that_stands_is_never_doubted() {
    let parked = at_confidence(0.62, sure(Class::Car, bbox(0.7, 0.5, 0.05)));
    let scenes = run(&mut tracker(), 5.0, 100.0, |at| if at % 10.0 < 4.0 { vec![parked] } else { vec![] });
    assert_eq!(ids(&scenes).len(), 10);
}

#[test]
fn two_in_one_box_are_both_seen_and_keep_their_size() {
    for fps in [5.0, 10.0, 30.0] {
        let far = |at: f32| person(0.5 + 0.03 * (at - 3.0), 0.5);
        let near = |at: f32| person(0.5 - 0.03 * (at - 3.0), 0.56);
        let scenes = run(&mut tracker(), fps, 6.0, |at| {
            let (far, near) = (far(at), near(at));
            let around =
                BBox::new(far.left().min(near.left()), far.top(), far.right().max(near.right()), near.bottom());
            let boxes = if (2.9..3.35).contains(&at) { vec![around.expect("a box")] } else { vec![far, near] };
            boxes.into_iter().map(|bbox| sure(Class::Person, bbox)).collect()
        });
        assert_eq!(ids(&scenes), [1, 2], "{fps} fps");
        for scene in scenes.iter().filter(|scene| (2.9..3.35).contains(&scene.stamp.pts.as_secs_f64())) {
            assert_eq!(scene.seen().count(), 2, "{fps} fps at {:?}", scene.stamp.pts);
            let at = scene.stamp.pts.as_secs_f64() as f32;
            for truth in [far(at), near(at)] {
                assert!(scene.seen().any(|track| track.bbox.iou(truth) > 0.6), "{fps} fps at {at}");
            }
        }
    }
}

/// Cars that come into sight at the left, at `confidence`, and vanish in a tunnel at the right, one every four seconds.
fn into_the_tunnel(at: f32, confidence: f32) -> Vec<Detection> {
    let seconds = at % 4.0;
    let car = sure(Class::Car, bbox(0.3 + 0.2 * seconds, 0.5, 0.1));
    if seconds < 2.0 { vec![at_confidence(confidence, car)] } else { vec![] }
}

#[test]
fn what_is_lost_at_a_learned_exit_ends_sooner() {
    for fps in [5.0, 10.0, 30.0] {
        let scenes = run(&mut tracker(), fps, 60.0, |at| into_the_tunnel(at, 0.9));
        let waits: Vec<f64> = ids(&scenes)
            .into_iter()
            .filter_map(|id| {
                let ended = scenes.iter().find(|scene| scene.ended.contains(&TrackId(id)))?;
                let seen = scenes.iter().rfind(|scene| scene.seen().any(|track| track.id == TrackId(id)))?;
                Some(ended.stamp.pts.since(seen.stamp.pts).as_secs_f64())
            })
            .collect();
        assert!(waits[0] >= 1.9, "{fps} fps: nothing is known yet, {waits:?}");
        assert!(waits[8..].iter().all(|wait| *wait <= 1.3), "{fps} fps: {waits:?}");
    }
}

#[test]
fn at_a_learned_entry_a_less_sure_detection_starts_a_track() {
    let mut tracker = tracker();
    let learned = run(&mut tracker, 10.0, 30.0, |at| into_the_tunnel(at, 0.9));
    let before = ids(&learned).len();
    let unsure = |frame: u32| into_the_tunnel(frame as f32 / 10.0, 0.55);
    let scenes: Vec<Scene> =
        (320..360).map(|frame| tracker.update(stamp(f64::from(frame) / 10.0), ASPECT, &unsure(frame))).collect();
    assert!(ids(&scenes).iter().any(|id| *id > before as u64));
    assert!(ids(&run(&mut self::tracker(), 10.0, 30.0, |at| into_the_tunnel(at, 0.55))).is_empty());
}

#[test]
fn a_camera_that_was_away_learns_nothing_from_what_ended_meanwhile() {
    let mut tracker = tracker();
    for hour in 0..6u32 {
        for frame in 0..10u32 {
            tracker.update(stamp(f64::from(hour) * 600.0 + f64::from(frame) * 0.2), ASPECT, &passing(0.0, 0.0));
        }
    }
    assert!(!tracker.places.is_exit(passing(0.0, 0.0)[0].bbox.bottom_center()));
}

#[test]
fn many_tracks_leave_memory_where_it_was() {
    let mut tracker = tracker();
    let mut capacity = 0;
    for generation in 0..5000 {
        let crowd: Vec<Detection> = (0..20)
            .map(|k| sure(Class::Person, bbox(0.1 + 0.2 * (k % 5) as f32, 0.2 + 0.2 * (k / 5) as f32, 0.1)))
            .collect();
        for frame in 0..2 {
            tracker.update(stamp(f64::from(generation) * 10.0 + f64::from(frame) * 0.2), ASPECT, &crowd);
        }
        if generation == 10 {
            capacity = tracker.tracks.capacity() + tracker.expected.capacity();
        }
    }
    assert_eq!(tracker.last_id, 100_000);
    assert_eq!(tracker.tracks.capacity() + tracker.expected.capacity(), capacity);
    tracker.update(stamp(1e6), ASPECT, &[]);
    assert!(tracker.tracks.is_empty());
}

fn any_detection() -> impl Strategy<Value = Detection> {
    let edge = prop_oneof![9 => -0.2f32..1.2, 1 => -1e30f32..1e30];
    let size = prop_oneof![9 => 1e-6f32..0.5, 1 => 1.0f32..1e30];
    (edge.clone(), edge, size.clone(), size, 0usize..6, 0.0f32..=1.0).prop_filter_map(
        "a box has a size",
        |(left, top, width, height, class, confidence)| {
            Some(Detection {
                bbox: BBox::new(left, top, left + width, top + height)?,
                class: Class::ALL[class],
                confidence: Confidence::new(confidence)?,
            })
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_seen_scenes_are_sound(
        frames in proptest::collection::vec((-0.5f64..3.0, proptest::collection::vec(any_detection(), 0..8)), 1..40),
        aspect in 0.2f32..5.0,
    ) {
        let mut tracker = tracker();
        let (mut at, mut newest) = (10.0, 0);
        let mut ended: Vec<TrackId> = Vec::new();
        for (step, detections) in &frames {
            at += step;
            let scene = tracker.update(stamp(f64::max(at, 0.0)), aspect, detections);
            prop_assert!(scene.tracks.windows(2).all(|pair| pair[0].id < pair[1].id));
            for id in scene.tracks.iter().map(|track| track.id) {
                prop_assert!(!ended.contains(&id) && !scene.ended.contains(&id), "{} came back", id);
                prop_assert!(id.0 <= newest + detections.len() as u64, "ids are given in turn");
            }
            newest = scene.tracks.iter().map(|track| track.id.0).max().unwrap_or(0).max(newest);
            for id in &scene.ended {
                prop_assert!(!ended.contains(id), "{} ended twice", id);
            }
            ended.extend(&scene.ended);
            for track in &scene.tracks {
                prop_assert!(track.velocity.x.is_finite() && track.velocity.y.is_finite());
                prop_assert!(track.first_seen <= track.last_seen && track.path.len() <= 64);
                prop_assert!(track.path.windows(2).all(|pair| pair[0].at < pair[1].at));
            }
        }
    }

    #[test]
    fn the_picture_s_shape_changes_nothing(seed in 0u32..1000) {
        // The same scene on a square picture and on a wide one: x in heights is the same, x in widths is not.
        let shown = |aspect: f32| {
            let mut tracker = tracker();
            (0..30).map(|frame| {
                let at = frame as f32 * 0.2;
                let detections: Vec<Detection> = (0..3).map(|k| {
                    let x = (0.2 + 0.2 * k as f32 + 0.05 * at + 0.01 * ((seed + frame * 7 + k) as f32).sin()) / aspect;
                    let half = 0.05 / aspect;
                    sure(Class::Car, BBox::new(x - half, 0.5, x + half, 0.6).expect("box"))
                }).collect();
                let scene = tracker.update(stamp(f64::from(at)), aspect, &detections);
                scene.tracks.iter().map(|t| (t.id.0, t.bbox.center().x * aspect)).collect::<Vec<_>>()
            }).collect::<Vec<_>>()
        };
        for (square, wide) in shown(1.0).into_iter().flatten().zip(shown(2.0).into_iter().flatten()) {
            prop_assert_eq!(square.0, wide.0);
            prop_assert!((square.1 - wide.1).abs() < 1e-3);
        }
    }
}

//! What a camera's own picture shows: made pictures of a made place, at every rate, with noise, light and tampering.

mod painted;

use std::time::Duration;

use analytics::Kind;
use painted::Film;

/// Which incidents open, and within how long of `from`, at a low and a high rate and with half the frames dropped.
#[track_caller]
fn opens_once(film: &Film, kind: Kind, from: f64, hold: f64) {
    for opened in [film.opened(5), film.opened(30), film.opened_of_half(10)] {
        assert_eq!(opened.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [kind], "{opened:?}");
        let after = opened[0].1 - from;
        assert!((hold - 1.0..=hold + 2.0).contains(&after), "after {after} s");
    }
}

#[track_caller]
fn opens_nothing(film: &Film) {
    for opened in [film.opened(5), film.opened(30), film.opened_of_half(10)] {
        assert_eq!(opened, [], "nothing is wrong");
    }
}

#[test]
fn a_still_place_with_noise_and_traffic_raises_nothing() {
    opens_nothing(&Film::of(90.0));
    opens_nothing(&Film::of(90.0).traffic());
}

#[test]
fn a_cloth_or_spray_over_the_lens_is_a_covered_camera() {
    opens_once(&Film::of(80.0).cover(40.0, 80.0, 1.0), Kind::CameraCovered, 40.0, 10.0);
    opens_once(&Film::of(80.0).spray(40.0, 80.0), Kind::CameraCovered, 40.0, 10.0);
    opens_once(&Film::of(80.0).black(40.0, 80.0), Kind::CameraCovered, 40.0, 10.0);
}

#[test]
fn a_cover_that_is_taken_off_ends_the_incident() {
    let film = Film::of(100.0).cover(40.0, 70.0, 1.0);
    let ended = film.ended(5);
    assert_eq!(ended.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::CameraCovered]);
    assert!((70.0..76.0).contains(&ended[0].1), "{ended:?}");
}

#[test]
fn a_lorry_before_the_lens_raises_nothing() {
    for seconds in [2.0, 5.0, 8.0] {
        opens_nothing(&Film::of(80.0).cover(40.0, 40.0 + seconds, 0.6));
        opens_nothing(&Film::of(80.0).cover(40.0, 40.0 + seconds, 0.9));
    }
    opens_nothing(&Film::of(120.0).cover(40.0, 110.0, 0.6));
}

#[test]
fn light_that_changes_raises_nothing() {
    opens_nothing(&Film::of(90.0).gain(|t| if t < 40.0 { 1.0 } else { 0.6 }));
    opens_nothing(&Film::of(90.0).gain(|t| if t < 40.0 { 1.0 } else { 1.3 }));
    opens_nothing(&Film::of(90.0).gain(|t| 1.0 + 0.25 * (t * 1.7).sin()));
}

#[test]
fn nightfall_is_dark_at_most_and_never_a_cover() {
    let dusk = Film::of(1200.0).gain(|t| if t < 100.0 { 1.0 } else { (-(t - 100.0) / 180.0).exp().max(0.02) });
    let opened = dusk.opened(1);
    assert_eq!(opened.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::CameraDark]);
    let lit = Film::of(1200.0).gain(|t| if t < 100.0 { 1.0 } else { (-(t - 100.0) / 180.0).exp().max(0.3) });
    assert_eq!(lit.opened(1), []);
}

#[test]
fn lights_that_pass_at_nightfall_leave_one_darkness() {
    let dusk = |t: f64| if t < 100.0 { 1.0 } else { (-(t - 100.0) / 180.0).exp().max(0.02) };
    let passing = |t: f64| if t % 40.0 < 20.0 { 1.3 } else { 1.0 };
    let opened = Film::of(900.0).gain(move |t| dusk(t) * passing(t)).opened(1);
    assert_eq!(opened.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::CameraDark]);
}

#[test]
fn an_infrared_cameras_switch_between_day_and_night_raises_nothing() {
    opens_nothing(&Film::of(160.0).infrared(60.0, 110.0));
}

#[test]
fn a_camera_that_is_covered_at_night_is_covered() {
    opens_once(&Film::of(180.0).infrared(60.0, 180.0).cover(130.0, 180.0, 1.0), Kind::CameraCovered, 130.0, 10.0);
}

#[test]
fn new_saturation_is_glare() {
    opens_once(&Film::of(80.0).sun(40.0, 80.0, 0.45), Kind::CameraGlare, 40.0, 10.0);
    opens_nothing(&Film::of(80.0).sun(40.0, 80.0, 0.15));
    opens_nothing(&Film::of(80.0).sun(40.0, 46.0, 0.45));
}

#[test]
fn a_lens_out_of_focus_is_blurred() {
    opens_once(&Film::of(120.0).blur(40.0, 120.0, 3), Kind::CameraBlurred, 40.0, 30.0);
    opens_once(&Film::of(120.0).traffic().blur(40.0, 120.0, 4), Kind::CameraBlurred, 40.0, 30.0);
}

#[test]
fn a_picture_repeated_bit_by_bit_is_frozen_and_a_noisy_still_one_is_not() {
    opens_once(&Film::of(120.0).freeze(40.0, 120.0), Kind::CameraFrozen, 40.0, 30.0);
    opens_nothing(&Film::of(120.0).freeze(40.0, 65.0));
}

#[test]
fn a_knock_a_turn_and_another_view_are_a_moved_camera() {
    opens_once(&Film::of(80.0).shift(40.0, 80.0, 0.03, 0.0), Kind::CameraMoved, 40.0, 10.0);
    opens_once(&Film::of(80.0).shift(40.0, 80.0, -0.02, 0.04), Kind::CameraMoved, 40.0, 10.0);
    opens_once(&Film::of(80.0).shift(40.0, 80.0, 0.30, 0.0), Kind::CameraMoved, 40.0, 10.0);
    opens_once(&Film::of(80.0).elsewhere(40.0, 80.0), Kind::CameraMoved, 40.0, 10.0);
}

#[test]
fn a_mast_that_sways_raises_nothing() {
    opens_nothing(&Film::of(100.0).shake(40.0, 100.0, 0.004));
    opens_nothing(&Film::of(100.0).shake(40.0, 100.0, 0.02));
}

#[test]
fn several_happenings_are_several_incidents_at_every_rate() {
    let film = Film::of(320.0).cover(40.0, 70.0, 1.0).shift(100.0, 130.0, 0.03, 0.0).sun(150.0, 180.0, 0.5);
    let film = film.blur(200.0, 250.0, 3).freeze(270.0, 320.0).traffic();
    let expected = [Kind::CameraCovered, Kind::CameraMoved, Kind::CameraGlare, Kind::CameraBlurred, Kind::CameraFrozen];
    for opened in film.opened_at_all_rates() {
        assert_eq!(opened.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), expected, "{opened:?}");
    }
}

#[test]
fn two_hours_of_nothing_raise_nothing() {
    let clouds = |t: f64| 0.9 + 0.2 * (t / 97.0).sin() + 0.15 * (t / 13.0).sin().powi(3);
    let film = Film::of(7200.0).traffic().gain(clouds).shadow();
    assert_eq!(film.opened_every(Duration::from_secs(2)), []);
}

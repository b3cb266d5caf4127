//! Things without a class: obstacles, what was left, what was taken; and the light that looks like them.

mod painted;

use std::time::Duration;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::{
    Anchor, BBox, Class, ClassSet, Confidence, Detection, Event, Kind, Phase, Point, Polygon, RuleId, Zone, ZoneId,
    ZoneKind,
};
use painted::{Dice, Film, HEIGHT, RATES, WIDTH};

/// Left, top, right, bottom, in pixels of the painted picture.
type Rect = [usize; 4];

const ROAD: Rect = [40, 80, 280, 176];
const BOX: Rect = [150, 120, 166, 134];
const BIN: Rect = [90, 110, 104, 132];

fn fill(luma: &mut [f32], [left, top, right, bottom]: Rect, with: impl Fn(usize, usize, f32) -> f32) {
    for y in top..bottom.min(HEIGHT) {
        for x in left..right.min(WIDTH) {
            luma[y * WIDTH + x] = with(x, y, luma[y * WIDTH + x]);
        }
    }
}

/// A thing with a lid, a label and a shaded side.
fn thing(luma: &mut [f32], rect: Rect, base: f32) {
    let [left, top, right, bottom] = rect;
    fill(luma, rect, |_, _, _| base);
    fill(luma, [left, top, right, top + (bottom - top) / 3], |_, _, _| base + 35.0);
    fill(luma, [left + (right - left) / 2, top + (bottom - top) / 2, right, bottom], |_, _, _| base - 25.0);
}

/// A place with a plain road, with marks and the grain of asphalt.
fn film(seconds: f64) -> Film {
    let mut dice = Dice(77);
    let grain: Vec<f32> = (0..WIDTH * HEIGHT).map(|_| dice.below(9) as f32 - 4.0).collect();
    Film::of(seconds).painted(move |luma, _| {
        fill(luma, ROAD, |x, y, _| 100.0 + grain[y * WIDTH + x]);
        for mark in 0..4 {
            fill(luma, [60 + 60 * mark, 150, 85 + 60 * mark, 154], |_, _, _| 180.0);
        }
    })
}

fn with_thing(film: Film, from: f64, until: f64, rect: Rect, base: f32) -> Film {
    film.painted(move |luma, t| {
        if (from..until).contains(&t) {
            thing(luma, rect, base);
        }
    })
}

fn seen(class: Class, [left, top, right, bottom]: Rect) -> Detection {
    let (w, h) = (WIDTH as f32, HEIGHT as f32);
    let bbox = BBox::new(left as f32 / w, top as f32 / h, right as f32 / w, bottom as f32 / h).expect("box");
    Detection { bbox, class, confidence: Confidence::new(0.9).expect("in range") }
}

fn zone(kind: ZoneKind, [left, top, right, bottom]: Rect) -> Zone {
    let p = |x: usize, y: usize| Point::new(x as f32 / WIDTH as f32, y as f32 / HEIGHT as f32);
    Zone {
        id: ZoneId::new("place").expect("id"),
        kind,
        polygon: Polygon::new(vec![p(left, top), p(right, top), p(right, bottom), p(left, bottom)]).expect("simple"),
        heading: None,
        anchor: Anchor::BottomCenter,
    }
}

fn spec(params: RuleParams) -> RuleSpec {
    RuleSpec {
        id: RuleId::new(params.kind().file_label()).expect("id"),
        severity: params.kind().default_severity(),
        cooldown: Duration::ZERO,
        classes: [Class::Person].into_iter().collect::<ClassSet>(),
        include_riders: false,
        schedule: None,
        params,
    }
}

fn obstacle() -> RuleSpec {
    let (zone, size) = (zone(ZoneKind::Lane, ROAD), RuleParams::THING_SIZE);
    spec(RuleParams::RoadObstacle { zone, size, hold: RuleParams::OBSTACLE_HOLD })
}

fn abandoned() -> RuleSpec {
    let (zone, size) = (zone(ZoneKind::Area, ROAD), RuleParams::THING_SIZE);
    let (distance, hold) = (RuleParams::ABANDONED_DISTANCE, RuleParams::ABANDONED_HOLD);
    spec(RuleParams::AbandonedObject { zone, size, distance, hold })
}

fn removed() -> RuleSpec {
    let (zone, size) = (zone(ZoneKind::Area, [80, 100, 114, 140]), RuleParams::THING_SIZE);
    spec(RuleParams::RemovedObject { zone, size, hold: RuleParams::REMOVED_HOLD })
}

fn all() -> Vec<RuleSpec> {
    vec![obstacle(), abandoned(), removed()]
}

/// Kind, phase and time of what was told of things, updates left out.
fn told(events: &[(Event, f64)]) -> Vec<(Kind, Phase, f64)> {
    let told = events.iter().map(|(event, t)| (event.rule.kind, event.phase, *t));
    let is_of_things = |kind| matches!(kind, Kind::RoadObstacle | Kind::AbandonedObject | Kind::RemovedObject);
    told.filter(|(kind, phase, _)| is_of_things(*kind) && *phase != Phase::Update).collect()
}

/// What is told at every rate, and with half of the frames dropped; all runs at once.
fn at_all_rates(
    film: &Film,
    rules: impl Fn() -> Vec<RuleSpec> + Sync,
    detections: impl Fn(f64) -> Vec<Detection> + Sync,
) -> Vec<Vec<(Kind, Phase, f64)>> {
    std::thread::scope(|scope| {
        let (rules, detections) = (&rules, &detections);
        let whole = RATES.map(|fps| scope.spawn(move || told(&film.events_with(fps, rules(), detections))));
        let half = [10, 25].map(|fps| scope.spawn(move || told(&film.events_of_half_with(fps, rules(), detections))));
        whole.into_iter().chain(half).map(|run| run.join().expect("no panic")).collect()
    })
}

fn kinds(run: &[(Kind, Phase, f64)]) -> Vec<(Kind, Phase)> {
    run.iter().map(|(kind, phase, _)| (*kind, *phase)).collect()
}

fn nobody(_: f64) -> Vec<Detection> {
    vec![]
}

/// Nothing is told at 5 frames a second, nor at 25.
fn quiet(film: &Film, detections: impl Fn(f64) -> Vec<Detection> + Copy) {
    for fps in [5, 25] {
        assert_eq!(told(&film.events_with(fps, all(), detections)), [], "at {fps} fps");
    }
}

#[test]
fn a_box_on_the_lane_is_one_obstacle_while_it_lies_there() {
    let film = with_thing(film(120.0), 40.0, 90.0, BOX, 60.0).traffic();
    for run in at_all_rates(&film, || vec![obstacle()], nobody) {
        assert_eq!(kinds(&run), [(Kind::RoadObstacle, Phase::New), (Kind::RoadObstacle, Phase::End)], "{run:?}");
        assert!((60.0..62.5).contains(&run[0].2) && (90.0..100.0).contains(&run[1].2), "{run:?}");
    }
}

#[test]
fn an_obstacle_says_where_it_is_and_how_long_it_has_lain() {
    let film = with_thing(film(80.0), 40.0, 80.0, BOX, 60.0);
    let events = film.events_with(10, vec![obstacle()], nobody);
    let (new, t) = events.iter().find(|(event, _)| event.rule.kind == Kind::RoadObstacle).expect("found");
    let region = new.region.expect("a region");
    assert!(region.iou(seen(Class::Car, BOX).bbox) > 0.6, "{region:?}");
    let measured = |name| new.measured.iter().find(|(known, _)| *known == name).expect("measured").1;
    assert!((measured("held_s") - (t - 40.0)).abs() < 1.5, "{}", measured("held_s"));
    assert!((measured("size_percent") - 5.0).abs() < 1.0, "16 of 320 pixels: {}", measured("size_percent"));
    assert!(new.tracks.is_empty());
}

#[test]
fn dark_and_bright_things_and_plain_ones_are_obstacles() {
    for base in [35.0, 60.0, 150.0, 200.0] {
        let film = film(80.0).painted(move |luma, t| {
            if t >= 40.0 {
                fill(luma, BOX, |_, _, _| base);
            }
        });
        assert_eq!(kinds(&told(&film.events_with(5, vec![obstacle()], nobody)))[0].0, Kind::RoadObstacle, "{base}");
    }
}

#[test]
fn what_a_vehicle_or_person_explains_is_no_obstacle() {
    let vehicle: Rect = [140, 100, 200, 140];
    let stops = with_thing(film(160.0), 40.0, 130.0, vehicle, 50.0);
    quiet(&stops, |t| if (39.0..131.0).contains(&t) { vec![seen(Class::Car, vehicle)] } else { vec![] });
    let walker: Rect = [150, 100, 162, 136];
    let waits = with_thing(film(120.0), 40.0, 90.0, walker, 70.0);
    quiet(&waits, |t| if (39.0..91.0).contains(&t) { vec![seen(Class::Person, walker)] } else { vec![] });
}

#[test]
fn the_shadow_beside_a_standing_vehicle_is_no_obstacle() {
    let vehicle: Rect = [140, 100, 200, 140];
    let film = with_thing(film(130.0), 40.0, 110.0, vehicle, 50.0).painted(|luma, t| {
        if (40.0..110.0).contains(&t) {
            fill(luma, [140, 140, 215, 152], |_, _, luma| luma * 0.5);
        }
    });
    quiet(&film, |t| if (39.0..111.0).contains(&t) { vec![seen(Class::Car, vehicle)] } else { vec![] });
}

#[test]
fn a_vehicle_that_the_detector_gives_up_is_no_obstacle() {
    let at = |t: f64| {
        let x = (20.0 + (t.min(44.0) - 38.0).max(0.0) * 20.0) as usize;
        [x, 100, x + 50, 140]
    };
    let film = film(160.0).painted(move |luma, t| {
        if t >= 38.0 {
            thing(luma, at(t), 50.0);
        }
    });
    quiet(&film, |t| if (38.0..47.0).contains(&t) { vec![seen(Class::Car, at(t))] } else { vec![] });
}

#[test]
fn the_ground_that_a_long_parked_car_uncovers_is_no_obstacle() {
    let car: Rect = [140, 100, 200, 140];
    quiet(&with_thing(film(140.0), 0.0, 60.0, car, 50.0), nobody);
    let known = with_thing(film(140.0), 0.0, 60.0, car, 50.0);
    quiet(&known, |t| if t < 60.5 { vec![seen(Class::Car, car)] } else { vec![] });
}

#[test]
fn light_is_no_thing() {
    quiet(&film(200.0).shadow().gain(|t| 1.0 - 0.3 * t / 200.0), nobody);
    quiet(&film(140.0).gain(|t| if (50.0..100.0).contains(&t) { 1.35 } else { 1.0 }), nobody);
    quiet(&film(140.0).gain(|t| if t < 60.0 { 1.0 } else { 0.6 }), nobody);
    // The sharp shadow of a roof, that goes a pixel of the view every 20 s.
    let roof =
        film(400.0).painted(|luma, t| fill(luma, [0, 60, 60 + (t / 10.0) as usize, HEIGHT], |_, _, luma| luma * 0.55));
    quiet(&roof, nobody);
}

#[test]
fn headlights_on_a_dark_road_are_no_thing() {
    let pool = |luma: &mut [f32], (cx, cy): (f64, f64), gain: f32| {
        fill(luma, [0, 60, WIDTH, HEIGHT], |x, y, luma| {
            let away = ((x as f64 - cx) / 40.0).powi(2) + ((y as f64 - cy) / 18.0).powi(2);
            luma + gain * (-away).exp() as f32
        });
    };
    let night = |seconds| film(seconds).infrared(0.0, seconds);
    let passing = night(160.0).painted(move |luma, t| pool(luma, ((t * 60.0) % 500.0, 130.0), 90.0));
    quiet(&passing, nobody);
    let waiting = night(200.0).painted(move |luma, t| {
        if (50.0..120.0).contains(&t) {
            pool(luma, (160.0, 130.0), 90.0);
        }
    });
    quiet(&waiting, nobody);
}

#[test]
fn an_obstacle_is_found_in_the_dark_and_in_dusk_and_outlives_a_step_of_the_exposure() {
    let night = with_thing(film(100.0).infrared(0.0, 100.0), 50.0, 100.0, BOX, 230.0);
    let dusk = with_thing(film(140.0).gain(|t| 1.0 - 0.4 * t / 140.0), 60.0, 140.0, BOX, 40.0);
    let step = with_thing(film(140.0).gain(|t| if t < 90.0 { 1.0 } else { 1.3 }), 50.0, 140.0, BOX, 50.0);
    for (name, film) in [("night", night), ("dusk", dusk), ("step", step)] {
        let events = told(&film.events_with(5, vec![obstacle()], nobody));
        assert_eq!(kinds(&events), [(Kind::RoadObstacle, Phase::New)], "{name}: {events:?}");
    }
}

#[test]
fn traffic_noise_and_a_swaying_mast_are_no_things() {
    quiet(&film(200.0).traffic(), nobody);
    quiet(&film(160.0).traffic().shake(40.0, 160.0, 0.008), nobody);
    quiet(&film(160.0).shift(60.0, 160.0, 0.007, 0.005), nobody);
}

#[test]
fn a_moved_or_covered_camera_leaves_no_things() {
    quiet(&film(180.0).shift(60.0, 120.0, 0.30, 0.0), nobody);
    quiet(&film(180.0).shift(60.0, 180.0, 0.04, 0.0), nobody);
    quiet(&film(180.0).black(60.0, 100.0), nobody);
    quiet(&film(180.0).cover(60.0, 120.0, 0.5), nobody);
    quiet(&film(220.0).infrared(90.0, 160.0), nobody);
}

#[test]
fn where_the_zone_is_taken_along_things_are_found_once_the_place_is_known_again() {
    let film = with_thing(film(150.0).shift(40.0, 150.0, 0.04, 0.0), 90.0, 150.0, BOX, 60.0);
    let events = told(&film.events_with(5, vec![obstacle()], nobody));
    assert_eq!(kinds(&events), [(Kind::RoadObstacle, Phase::New)], "{events:?}");
    assert!((110.0..113.0).contains(&events[0].2), "{events:?}");
}

#[test]
fn what_lay_there_at_the_start_is_the_place() {
    quiet(&with_thing(film(120.0), 0.0, 200.0, BOX, 60.0), nobody);
}

const PERSON: Rect = [172, 96, 184, 136];

/// A person who comes from the right with a bag, puts it down at 40 s and stays until `leaves`.
fn bag(leaves: f64, seconds: f64) -> (Film, impl Fn(f64) -> Vec<Detection> + Sync + Copy) {
    let at = move |t: f64| {
        let away = (40.0 - t).max(t - leaves).max(0.0) * 12.0;
        let x = PERSON[0] + away as usize;
        [x, PERSON[1], x + 12, PERSON[3]]
    };
    let film = with_thing(film(seconds), 40.0, seconds, BOX, 60.0).painted(move |luma, t| {
        if at(t)[0] < WIDTH {
            thing(luma, at(t), 45.0);
        }
    });
    (film, move |t| if at(t)[2] < WIDTH { vec![seen(Class::Person, at(t))] } else { vec![] })
}

#[test]
fn a_bag_whose_owner_left_is_abandoned_once() {
    let (film, detections) = bag(50.0, 140.0);
    for run in at_all_rates(&film, || vec![abandoned()], detections) {
        assert_eq!(kinds(&run), [(Kind::AbandonedObject, Phase::New)], "{run:?}");
        assert!((110.0..116.0).contains(&run[0].2), "{run:?}");
    }
    let events = film.events_with(5, vec![abandoned()], detections);
    let (new, _) = events.iter().find(|(event, _)| event.rule.kind == Kind::AbandonedObject).expect("found");
    let measured = |name| new.measured.iter().find(|(known, _)| *known == name).expect("measured").1;
    assert!(measured("held_s") >= 68.0 && (60.0..64.0).contains(&measured("alone_s")), "{:?}", new.measured);
    assert!((measured("owner_seen") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_bag_whose_owner_stays_is_not_abandoned() {
    let (film, detections) = bag(500.0, 200.0);
    for run in at_all_rates(&film, || vec![abandoned()], detections) {
        assert_eq!(run, []);
    }
}

/// A bin that stands there until `taken`.
fn bin(taken: f64, seconds: f64) -> Film {
    with_thing(film(seconds), 0.0, taken, BIN, 50.0)
}

#[test]
fn a_bin_that_was_taken_is_removed_once() {
    for run in at_all_rates(&bin(60.0, 140.0), || vec![removed(), obstacle(), abandoned()], nobody) {
        assert_eq!(kinds(&run), [(Kind::RemovedObject, Phase::New)], "{run:?}");
        assert!((90.0..96.0).contains(&run[0].2), "{run:?}");
    }
}

#[test]
fn a_bin_that_is_hidden_or_put_back_was_not_taken() {
    let bus: Rect = [60, 90, 180, 140];
    let hidden = bin(200.0, 160.0).painted(move |luma, t| {
        if (60.0..85.0).contains(&t) {
            thing(luma, bus, 140.0);
        }
    });
    quiet(&hidden, |t| if (59.5..85.5).contains(&t) { vec![seen(Class::Bus, bus)] } else { vec![] });
    assert_eq!(told(&hidden.events_with(5, vec![removed()], nobody)), [], "nor when nobody recognises the bus");
    let put_back = with_thing(bin(60.0, 140.0), 80.0, 140.0, BIN, 50.0);
    assert_eq!(told(&put_back.events_with(5, vec![removed()], nobody)), []);
}

#[test]
fn the_same_pictures_give_the_same_events() {
    let film = with_thing(film(90.0), 40.0, 90.0, BOX, 60.0).traffic();
    let run = || film.events_with(10, all(), nobody);
    assert_eq!(run(), run());
}

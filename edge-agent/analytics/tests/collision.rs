//! What looks like a collision and what only resembles one, at every rate alike.

mod scenario;

use analytics::core::Judge;
use analytics::ground::{Ground, Homography};
use analytics::incident::IncidentParams;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Class, ZoneKind};
use scenario::{Actor, RATES, at_every_rate, measured, nothing, one_incident, rule, run, scenes, zone};

fn spec() -> RuleSpec {
    rule(RuleParams::CollisionSuspected {
        zone: zone(ZoneKind::Area, 0.1, 0.1, 0.9, 0.9),
        score: RuleParams::COLLISION_SCORE,
        hold: RuleParams::COLLISION_HOLD,
    })
}

/// From the left to `x`, where it arrives at `stop` at full speed and stands until `until`.
fn from_left(id: u64, x: f32, stop: f64, until: f64) -> Actor {
    Actor::new(id, Class::Car).jitter(0.02).at(stop - 2.0, x - 0.9, 0.5).at(stop, x, 0.5).at(until, x, 0.5).at(
        until + 2.0,
        x - 0.5,
        0.5,
    )
}

/// From the top to (`x`, 0.52).
fn from_top(id: u64, x: f32, stop: f64, until: f64) -> Actor {
    Actor::new(id, Class::Motorcycle).jitter(0.02).at(stop - 2.0, x, -0.6).at(stop, x, 0.52).at(until, x, 0.52).at(
        until + 2.0,
        x,
        1.2,
    )
}

#[test]
fn two_that_meet_and_stay_are_one_incident() {
    at_every_rate(&spec(), &[from_left(1, 0.5, 5.0, 60.0), from_top(2, 0.53, 5.2, 60.0)], |events, fps| {
        let new = one_incident(events, 5.0, 10.2, 60.3, fps);
        assert!(measured(&new, "score") >= 0.7);
        assert_eq!(new.tracks.len(), 2, "at {fps} fps");
    });
}

#[test]
fn a_queue_that_closes_up_is_none() {
    // Each brakes over three seconds and stands behind the other; their boxes overlap.
    let braking = |id: u64, x: f32, at: f64| {
        Actor::new(id, Class::Car)
            .jitter(0.02)
            .at(at, x - 0.5, 0.5)
            .at(at + 1.0, x - 0.2, 0.5)
            .at(at + 2.0, x - 0.06, 0.5)
            .at(at + 3.0, x, 0.5)
            .at(at + 60.0, x, 0.5)
    };
    nothing(&spec(), &[braking(1, 0.7, 0.0), braking(2, 0.63, 5.0), braking(3, 0.56, 10.0)]);
}

#[test]
fn one_who_stops_sharply_behind_another_needs_a_person_beside_it() {
    let pair = [from_left(1, 0.5, 5.0, 60.0), Actor::new(2, Class::Car).at(0.0, 0.53, 0.5).at(60.0, 0.53, 0.5)];
    nothing(&spec(), &pair);
    let [a, b] = pair;
    let driver = Actor::new(3, Class::Person).at(15.0, 0.5, 0.6).at(60.0, 0.5, 0.6);
    at_every_rate(&spec(), &[a, b, driver], |events, fps| {
        assert_eq!(events.iter().filter(|event| event.revision == 1).count(), 1, "at {fps} fps: {events:#?}");
    });
}

#[test]
fn two_that_pass_through_each_others_boxes_are_none() {
    let right = Actor::new(1, Class::Car).at(0.0, 0.0, 0.5).at(4.0, 1.0, 0.5);
    let left = Actor::new(2, Class::Car).at(0.0, 1.0, 0.52).at(4.0, 0.0, 0.52);
    nothing(&spec(), &[right, left]);
}

#[test]
fn parked_side_by_side_is_none() {
    let row: Vec<Actor> = (0..4u8)
        .map(|i| {
            Actor::new(u64::from(i), Class::Car).jitter(0.05).at(0.0, 0.3 + 0.06 * f32::from(i), 0.5).at(
                300.0,
                0.3 + 0.06 * f32::from(i),
                0.5,
            )
        })
        .collect();
    nothing(&spec(), &row);
}

#[test]
fn two_that_meet_behind_others_that_stand_are_a_queue() {
    let pair = [from_left(1, 0.5, 5.0, 60.0), from_top(2, 0.53, 5.2, 60.0)];
    let [a, b] = pair;
    let ahead = Actor::new(3, Class::Car).at(0.0, 0.7, 0.5).at(60.0, 0.7, 0.5);
    nothing(&spec(), &[a, b, ahead]);
}

#[test]
fn boxes_that_come_to_touch_long_after_both_stopped_are_none() {
    let drifts = |id: u64, y: f32| {
        let stop = Actor::new(id, Class::Car).at(3.0, 0.1, y).at(5.0, 0.5, y).at(60.0, 0.5, y);
        stop.at(61.0, 0.5, 0.53).at(120.0, 0.5, 0.53)
    };
    nothing(&spec(), &[drifts(1, 0.47), drifts(2, 0.59)]);
}

#[test]
fn who_runs_into_the_one_ahead_along_the_view_is_told_where_the_ground_is_known() {
    // A box height, upright 1.5 m, is 7.5 m of ground away from the camera: 10 m/s are little in the picture.
    let towards = |id: u64, y: f32, stop: f64| {
        let driver = Actor::new(id, Class::Car).jitter(0.02).at(stop - 4.0, 0.5, y - 0.5333);
        driver.at(stop, 0.5, y).at(60.0, 0.5, y).at(62.0, 0.5, y + 0.27)
    };
    let actors = [towards(1, 0.6, 5.0), towards(2, 0.54, 5.1)];
    nothing(&spec(), &actors);
    let map = [[30.0, 0.0, 0.0], [0.0, 75.0, 0.0], [0.0, 0.0, 1.0]];
    let ground = || Ground::new(Homography::new(map, [0.5, 0.5]).expect("usable"), |_| 0.05);
    for rate in RATES {
        let mut judge = Judge::new(vec![spec()], IncidentParams::default(), 7).on_ground(Some(ground()));
        let mut events = run(&mut judge, scenes(&actors, rate));
        events.extend(judge.finish());
        let new = one_incident(&events, 5.0, 10.1, 60.45, rate);
        assert_eq!(new.tracks.len(), 2, "at {rate} fps");
    }
}

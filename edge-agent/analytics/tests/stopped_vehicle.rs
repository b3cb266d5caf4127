//! Stopped vehicles, and all that only looks like one, at every rate alike.

mod scenario;

use std::time::Duration;

use analytics::ground::Homography;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Class, Event, Ground, LocalTime, Phase, Severity, SignalId, SignalState, ZoneKind};
use scenario::{
    Actor, RATES, Rate, at_every_rate, judge, left_open, measured, nothing, one_incident, phases, rule, run, scenes,
    seconds, signalled, stopped_in, zone,
};

fn spec() -> RuleSpec {
    spec_in(ZoneKind::Lane)
}

fn spec_in(kind: ZoneKind) -> RuleSpec {
    rule(stopped_in(zone(kind, 0.3, 0.2, 0.9, 0.9)))
}

/// Comes from the left, stands at `x` from 4 s to `until`, drives off.
fn stopper(id: u64, x: f32, until: f64) -> Actor {
    Actor::new(id, Class::Car).jitter(0.03).at(0.0, x - 0.25, 0.5).at(4.0, x, 0.5).at(until, x, 0.5).at(
        until + 2.0,
        x + 0.3,
        0.5,
    )
}

#[test]
fn a_vehicle_that_stops_is_one_incident_from_the_stop_until_it_drives_off() {
    at_every_rate(&spec(), &[stopper(1, 0.5, 40.0)], |events, fps| {
        let new = one_incident(events, 4.0, 14.0, 40.3, fps);
        assert!(measured(&new, "travel_heights") >= 2.0 && measured(&new, "speed_heights_per_s") < 0.1);
        assert!(measured(&new, "held_s") >= 10.0);
    });
}

#[test]
fn metres_count_from_where_the_ground_is_known() {
    // Forty metres across the picture; nothing is known of its left third.
    let map = Homography::new([[40.0, 0.0, 0.0], [0.0, 22.5, 0.0], [0.0, 0.0, 1.0]], [0.5, 0.5]).expect("a map");
    let ground = Ground::new(map, |point| if point.x < 0.33 { 1.0 } else { 0.05 });
    let params = RuleParams::StoppedVehicle {
        zone: zone(ZoneKind::Lane, 0.3, 0.2, 0.9, 0.9),
        bays: vec![],
        signal: None,
        speed: RuleParams::STOPPED_SPEED_ON_GROUND,
        travel: RuleParams::STOPPED_TRAVEL_ON_GROUND,
        hold: Duration::from_secs(10),
        at_start: None,
    };
    for rate in RATES {
        let mut judge = judge(rule(params.clone())).on_ground(Some(ground.clone()));
        let mut events = run(&mut judge, scenes(&[stopper(1, 0.6, 40.0).at(44.0, 1.0, 0.5)], rate));
        events.extend(judge.finish());
        assert_eq!(phases(&events), [Phase::New, Phase::End], "at {rate} fps");
        let travelled = measured(&events[0], "travel_m");
        assert!((6.0..12.0).contains(&travelled), "at {rate} fps: {travelled} m since it passed 0.33");
    }
}

/// What is told of vehicles that were not seen stopping: never more than information.
fn at_start(spec: &RuleSpec, actors: &[Actor], check: impl Fn(&[Event], Rate)) {
    at_every_rate(spec, actors, |events, fps| {
        let lesser = |event: &Event| event.severity == Severity::Info && measured(event, "seen_stopping") == 0.0;
        assert!(events.iter().all(lesser), "at {fps} fps: {events:#?}");
        check(events, fps);
    });
}

#[test]
fn a_vehicle_that_stood_already_is_a_lesser_case_found_later() {
    for jitter in [0.0, 0.1, 0.3] {
        let parked = Actor::new(1, Class::Car).jitter(jitter).at(0.0, 0.5, 0.5).at(600.0, 0.5, 0.5);
        at_start(&spec(), &[parked], |events, fps| {
            assert_eq!(phases(events), [Phase::New, Phase::End], "at {fps} fps");
            let alerted = events[0].stamp.pts.as_secs_f64();
            assert!((60.0..62.5 + fps.gap()).contains(&alerted), "at {fps} fps at {alerted} s");
        });
    }
    let lost = Actor::new(1, Class::Car).at(0.0, 0.5, 0.5).at(50.0, 0.5, 0.5).hidden(10.0, 25.0).renamed(25.0, 2);
    nothing(&spec(), &[lost]);
}

#[test]
fn what_stood_already_is_not_told_where_that_is_switched_off() {
    let mut spec = spec();
    if let RuleParams::StoppedVehicle { at_start, .. } = &mut spec.params {
        *at_start = None;
    }
    nothing(&spec, &[Actor::new(1, Class::Car).at(0.0, 0.5, 0.5).at(600.0, 0.5, 0.5)]);
}

#[test]
fn a_parked_box_that_jumps_for_a_moment_has_not_travelled() {
    let jumping = Actor::new(1, Class::Car)
        .at(0.0, 0.5, 0.5)
        .at(20.0, 0.5, 0.5)
        .at(20.3, 0.7, 0.5)
        .at(20.6, 0.5, 0.5)
        .at(60.0, 0.5, 0.5);
    nothing(&spec(), &[jumping]);
}

#[test]
fn being_hidden_does_not_restart_the_hold_nor_the_incident() {
    let hidden = stopper(1, 0.5, 40.0).hidden(7.0, 8.8).hidden(20.0, 21.9);
    at_every_rate(&spec(), &[hidden], |events, fps| {
        one_incident(events, 4.0, 14.0, 40.3, fps);
    });
    let renamed =
        stopper(1, 0.5, 40.0).hidden(7.0, 9.4).renamed(9.4, 7).hidden(20.0, 22.5).renamed(22.5, 8).renamed(30.0, 9);
    at_every_rate(&spec(), &[renamed], |events, fps| {
        let new = one_incident(events, 4.0, 14.0, 40.3, fps);
        assert!(events.iter().all(|e| e.tracks[0].track_id == new.tracks[0].track_id), "one object, one number");
    });
}

#[test]
fn a_box_that_is_half_hidden_for_a_while_still_stands() {
    let shifted = |from: f64, actor: Actor| {
        actor.at(from, 0.5, 0.5).at(from + 0.1, 0.5, 0.45).at(from + 5.0, 0.5, 0.45).at(from + 5.1, 0.5, 0.5)
    };
    let actor = Actor::new(1, Class::Car).at(0.0, 0.25, 0.5).at(4.0, 0.5, 0.5);
    let actor = shifted(20.0, shifted(8.0, actor)).at(40.0, 0.5, 0.5).at(42.0, 0.8, 0.5);
    at_every_rate(&spec(), &[actor], |events, fps| {
        one_incident(events, 4.0, 14.0, 40.5, fps);
    });
}

#[test]
fn a_box_that_drifts_over_the_edge_of_the_zone_is_one_stop() {
    let mut spec = spec();
    if let RuleParams::StoppedVehicle { zone, .. } = &mut spec.params {
        *zone = scenario::zone(ZoneKind::Lane, 0.3, 0.2, 0.9, 0.505);
    }
    let mut actor = Actor::new(1, Class::Car).at(0.0, 0.25, 0.5).at(4.0, 0.5, 0.5);
    for i in 1..8u32 {
        actor = actor.at(f64::from(i) * 10.0, 0.5, if i % 2 == 0 { 0.5 } else { 0.51 });
    }
    let actor = actor.at(79.0, 0.5, 0.5).at(81.0, 0.8, 0.5);
    at_every_rate(&spec, &[actor], |events, fps| {
        one_incident(events, 4.0, 14.0, 79.5, fps);
    });
}

#[test]
fn a_queue_is_no_stopped_vehicle_nor_what_is_left_of_it() {
    // Four stand from 4 s; they leave one after the other, 3 s apart.
    let queue: Vec<Actor> =
        (0..4u8).map(|i| stopper(u64::from(i) + 1, 0.8 - 0.12 * f32::from(i), 30.0 + 3.0 * f64::from(i))).collect();
    nothing(&spec(), &queue);
}

#[test]
fn who_stays_when_the_queue_has_gone_is_found() {
    let mut queue: Vec<Actor> = (0..4u8).map(|i| stopper(u64::from(i) + 1, 0.8 - 0.12 * f32::from(i), 30.0)).collect();
    queue[3] = stopper(4, 0.44, 60.0);
    at_every_rate(&spec(), &queue, |events, fps| {
        one_incident(events, 4.0, 41.0, 60.3, fps);
    });
}

#[test]
fn a_queue_behind_a_stopped_vehicle_does_not_end_its_incident() {
    let mut actors = vec![stopper(1, 0.8, 60.0)];
    for i in 1..4u8 {
        let x = 0.8 - 0.12 * f32::from(i);
        actors.push(Actor::new(u64::from(i) + 1, Class::Car).at(20.0, x - 0.25, 0.5).at(24.0, x, 0.5).at(60.0, x, 0.5));
    }
    at_every_rate(&spec(), &actors, |events, fps| {
        one_incident(events, 4.0, 14.0, 60.3, fps);
    });
}

/// One that breaks down, two that stop behind it a moment later, and others that go past beside them.
fn queue_behind(first: Actor) -> Vec<Actor> {
    let mut actors = vec![first];
    for i in 1..3u8 {
        let x = 0.8 - 0.12 * f32::from(i);
        let comes =
            Actor::new(u64::from(i) + 1, Class::Car).at(1.0, x - 0.25, 0.5).at(5.0 + 0.5 * f64::from(i), x, 0.5);
        actors.push(comes.at(60.0 + f64::from(i), x, 0.5).at(63.0, x + 0.2, 0.5));
    }
    actors
}

#[test]
fn the_first_of_a_queue_is_found_once_others_go_on_ahead_of_it_and_those_behind_are_not() {
    let mut actors = queue_behind(stopper(1, 0.8, 60.0));
    nothing(&spec(), &actors);
    for i in 0..4u8 {
        let from = 20.0 + 5.0 * f64::from(i);
        actors.push(Actor::new(u64::from(i) + 10, Class::Motorcycle).at(from, 0.3, 0.6).at(from + 3.0, 1.1, 0.6));
    }
    at_every_rate(&spec(), &actors, |events, fps| {
        // The second passes it at 27 s.
        let new = one_incident(events, 4.0, 37.0, 60.3, fps);
        assert_eq!(new.tracks[0].track_id.0, 1, "the first of them, at {fps} fps");
    });
}

#[test]
fn who_stands_behind_another_is_held_by_it_however_few_they_are() {
    let mut actors = queue_behind(stopper(1, 0.8, 60.0));
    actors.pop();
    at_every_rate(&spec(), &actors, |events, fps| {
        let new = one_incident(events, 4.0, 14.0, 60.3, fps);
        assert_eq!(new.tracks[0].track_id.0, 1, "at {fps} fps");
        assert!(events.iter().all(|event| event.tracks.len() == 1), "at {fps} fps");
    });
}

#[test]
fn traffic_across_or_in_the_other_direction_does_not_excuse_a_queue() {
    let mut actors = queue_behind(stopper(1, 0.8, 60.0));
    for i in 0..4u8 {
        let from = 20.0 + 5.0 * f64::from(i);
        let oncoming = Actor::new(u64::from(i) + 10, Class::Car).at(from, 1.1, 0.3).at(from + 3.0, 0.2, 0.3);
        actors.extend([
            oncoming,
            Actor::new(u64::from(i) + 20, Class::Car).at(from, 0.93, 1.0).at(from + 2.0, 0.93, 0.1),
        ]);
    }
    nothing(&spec(), &actors);
}

#[test]
fn who_braked_out_of_its_track_was_seen_stopping() {
    // Lost while it brakes; expected further on, so that what is found is a track of its own.
    let brakes = Actor::new(1, Class::Car).at(0.0, 0.2, 0.5).at(2.5, 0.45, 0.5).at(4.0, 0.5, 0.5).at(40.0, 0.5, 0.5);
    let lost = brakes.at(42.0, 0.8, 0.5).hidden(3.0, 4.6).renamed(4.6, 2);
    at_every_rate(&spec(), &[lost], |events, fps| {
        let seen = |event: &Event| measured(event, "seen_stopping") == 1.0 && event.severity == Severity::High;
        assert!(phases(events) == [Phase::New, Phase::End] && events.iter().all(seen), "at {fps} fps: {events:#?}");
        assert!(events[0].stamp.pts.as_secs_f64() < 15.5 + fps.gap(), "at {fps} fps");
    });
}

#[test]
fn what_others_drive_over_is_no_vehicle() {
    let sign = Actor::new(1, Class::Truck).jitter(0.03).at(0.0, 0.5, 0.5).at(200.0, 0.5, 0.5);
    let over = |id: u64, from: f64| Actor::new(id, Class::Car).at(from, 0.1, 0.5).at(from + 4.0, 1.0, 0.5);
    nothing(&spec(), &[sign.clone(), over(2, 10.0), over(3, 20.0)]);
    // Past it, a car's width away, it stands.
    let beside = |id: u64, from: f64| Actor::new(id, Class::Car).at(from, 0.1, 0.6).at(from + 4.0, 1.0, 0.6);
    at_start(&spec(), &[sign, beside(2, 10.0), beside(3, 20.0)], |events, fps| {
        assert_eq!(phases(events), [Phase::New, Phase::End], "at {fps} fps");
    });
}

#[test]
fn who_creeps_on_is_not_found_though_still_near_where_it_stopped() {
    // Seven seconds still, then a fifth of a box height a second.
    let creeps = Actor::new(1, Class::Car).sized(0.4, 0.4).at(0.0, 0.0, 0.6).at(4.0, 0.5, 0.6).at(11.0, 0.5, 0.6);
    nothing(&spec(), &[creeps.at(20.0, 0.9, 0.6)]);
}

#[test]
fn parked_cars_are_no_queue() {
    let mut actors: Vec<Actor> = (0..3u8)
        .map(|i| {
            Actor::new(u64::from(i) + 10, Class::Car).at(0.0, 0.4 + 0.15 * f32::from(i), 0.8).at(
                400.0,
                0.4 + 0.15 * f32::from(i),
                0.8,
            )
        })
        .collect();
    actors.push(
        Actor::new(1, Class::Truck).at(350.0, 0.3, 0.5).at(354.0, 0.6, 0.5).at(390.0, 0.6, 0.5).at(392.0, 0.9, 0.5),
    );
    at_every_rate(&spec(), &actors, |events, fps| {
        let told: Vec<Event> = events.iter().filter(|event| event.severity > Severity::Info).cloned().collect();
        one_incident(&told, 354.0, 364.0, 390.3, fps);
    });
}

#[test]
fn standing_at_a_stop_or_in_a_bay_is_normal() {
    for kind in [ZoneKind::Stop, ZoneKind::Parking] {
        nothing(&spec_in(kind), &[stopper(1, 0.5, 90.0)]);
    }
}

#[test]
fn a_short_stop_and_creeping_traffic_are_not_found() {
    nothing(&spec(), &[stopper(1, 0.5, 12.0)]);
    nothing(&spec(), &[Actor::new(1, Class::Car).at(0.0, 0.3, 0.5).at(40.0, 0.9, 0.5)]);
}

/// A car that is no longer detected for ten minutes, though it still stands.
fn in_the_dark(from: f64, until: f64) -> Actor {
    stopper(1, 0.5, until + 60.0).hidden(from, until).renamed(until, 50)
}

#[test]
fn ten_minutes_without_a_detection_are_one_incident() {
    at_every_rate(&spec(), &[in_the_dark(80.0, 680.0)], |events, fps| {
        let new = one_incident(events, 4.0, 14.0, 740.3, fps);
        assert!(events.iter().all(|event| event.tracks[0].track_id == new.tracks[0].track_id), "one number");
    });
}

#[test]
fn a_car_that_stood_in_the_dark_before_the_hold_was_over_is_found_when_it_is_seen_again() {
    at_every_rate(&spec(), &[in_the_dark(13.0, 60.0)], |events, fps| {
        one_incident(events, 4.0, 60.2, 120.3, fps);
    });
}

#[test]
fn a_box_that_flickers_and_swells_in_headlights_is_one_car() {
    let mut car = stopper(1, 0.5, 300.0);
    for i in 0..30u32 {
        let at = 20.0 + 9.0 * f64::from(i);
        // Longer than the tracker and the stitcher wait.
        car = car.hidden(at, at + 5.5 + f64::from(i % 4)).renamed(at + 5.5, 100 + u64::from(i)).jitter(0.1);
    }
    at_every_rate(&spec(), &[car], |events, fps| {
        one_incident(events, 4.0, 14.0, 300.3, fps);
    });
}

#[test]
fn a_bus_that_passes_in_front_ends_nothing() {
    let mut actors = vec![stopper(1, 0.5, 200.0)];
    for i in 0..6u32 {
        let at = 20.0 + 25.0 * f64::from(i);
        // Lower in the picture: nearer to the camera. It hides the car for four seconds.
        actors.push(Actor::new(u64::from(i) + 10, Class::Bus).at(at, 0.0, 0.6).at(at + 8.0, 1.0, 0.6));
        actors[0] = actors[0].clone().hidden(at + 2.0, at + 6.0).renamed(at + 6.0, 20 + u64::from(i));
    }
    at_every_rate(&spec(), &actors, |events, fps| {
        one_incident(events, 4.0, 14.0, 200.3, fps);
    });
}

#[test]
fn another_car_that_parks_where_one_left_is_another_incident() {
    let second =
        Actor::new(2, Class::Car).at(70.0, 0.25, 0.5).at(74.0, 0.5, 0.5).at(120.0, 0.5, 0.5).at(122.0, 0.8, 0.5);
    at_every_rate(&spec(), &[stopper(1, 0.5, 60.0), second.clone()], |events, fps| {
        assert_eq!(phases(events), [Phase::New, Phase::End, Phase::New, Phase::End], "at {fps} fps");
    });
    // The same when nobody saw the first one leave.
    let vanishing = Actor::new(1, Class::Car).at(0.0, 0.25, 0.5).at(4.0, 0.5, 0.5).at(60.0, 0.5, 0.5);
    at_every_rate(&spec(), &[vanishing, second], |events, fps| {
        assert_eq!(phases(events), [Phase::New, Phase::End, Phase::New, Phase::End], "at {fps} fps: {events:#?}");
        let ended = seconds(events.iter().find_map(|event| event.ended_at).expect("ended"));
        assert!((ended - 60.0).abs() < 0.3 + fps.gap(), "when it was last seen: {ended}");
    });
}

#[test]
fn who_stands_in_a_bus_stop_or_bay_beside_the_lane_is_no_stopped_vehicle() {
    let mut spec = spec();
    if let RuleParams::StoppedVehicle { bays, .. } = &mut spec.params {
        *bays = vec![zone(ZoneKind::Stop, 0.45, 0.45, 0.55, 0.55)];
    }
    nothing(&spec, &[stopper(1, 0.5, 90.0)]);
    at_every_rate(&spec, &[stopper(1, 0.7, 40.0)], |events, fps| {
        one_incident(events, 4.0, 14.0, 40.3, fps);
    });
}

mod at_a_signal {
    use super::*;

    fn spec() -> RuleSpec {
        let mut spec = super::spec();
        if let RuleParams::StoppedVehicle { signal, .. } = &mut spec.params {
            *signal = SignalId::new("north").ok();
        }
        spec
    }

    /// Red for 40 s, green for 30 s, from 0 s on.
    fn cycle(seconds: f64) -> (SignalState, f64) {
        let start = seconds - seconds % 70.0;
        if seconds % 70.0 < 40.0 { (SignalState::Red, start) } else { (SignalState::Green, start + 40.0) }
    }

    fn at_every_rate(actors: &[Actor], check: impl Fn(&[Event], Rate)) {
        for rate in RATES {
            let mut judge = judge(spec());
            let scenes = scenes(actors, rate).into_iter().map(|scene| signalled(scene, "north", cycle)).collect();
            let mut events = run(&mut judge, scenes);
            events.extend(judge.finish());
            check(&events, rate);
        }
    }

    #[test]
    fn one_who_waits_for_green_is_no_stopped_vehicle() {
        at_every_rate(&[stopper(1, 0.5, 43.0), stopper(2, 0.7, 41.0)], |events, fps| {
            assert!(events.is_empty(), "at {fps} fps: {events:#?}");
        });
    }

    #[test]
    fn one_who_stays_through_the_green_is_found() {
        at_every_rate(&[stopper(1, 0.5, 200.0)], |events, fps| {
            // Ten seconds of grace, ten seconds of standing: within the first green.
            one_incident(events, 4.0, 60.0, 200.3, fps);
        });
    }

    #[test]
    fn greens_too_short_for_the_hold_add_up() {
        let short = |seconds: f64| match seconds % 60.0 {
            phase if phase < 45.0 => (SignalState::Red, seconds - phase),
            phase => (SignalState::Green, seconds - phase + 45.0),
        };
        let scenes = scenes(&[stopper(1, 0.5, 300.0)], Rate::fps(5)).into_iter();
        let events = run(&mut judge(spec()), scenes.map(|scene| signalled(scene, "north", short)).collect());
        one_incident(&events, 4.0, 120.0, 300.3, Rate::fps(5));
    }
}

mod after_a_restart {
    use super::*;

    /// Plays until `until`, then starts afresh with what an outbox would have kept; the events of both.
    fn restarted(spec: &RuleSpec, before: &[Actor], until: f64, after: &[Actor], rate: Rate) -> Vec<Event> {
        let mut first = judge(spec.clone());
        let mut kept = Vec::new();
        let mut events = Vec::new();
        for mut scene in scenes(before, rate).into_iter().filter(|scene| scene.stamp.pts.as_secs_f64() < until) {
            events.extend(first.step(&mut scene, LocalTime::MONDAY));
            kept = first.parked_changes().unwrap_or(kept);
        }
        let mut second = judge(spec.clone());
        let open: Vec<_> = events.last().filter(|last| last.phase != Phase::End).into_iter().collect();
        second.restore(open.into_iter().map(|event| left_open(event, false)).collect());
        second.restore_parked(kept);
        let later = scenes(after, rate).into_iter().map(|mut scene| {
            scene.stamp.captured_at = scene.stamp.captured_at + Duration::from_secs_f64(until + 30.0);
            scene
        });
        events.extend(run(&mut second, later.collect()));
        events.extend(second.finish());
        events
    }

    fn standing(from: f64, until: f64) -> Actor {
        Actor::new(1, Class::Car).jitter(0.03).at(from, 0.5, 0.5).at(until, 0.5, 0.5).at(until + 2.0, 0.8, 0.5)
    }

    #[test]
    fn the_same_car_is_the_same_incident_also_when_it_is_dark_at_first() {
        for rate in RATES {
            for seen_from in [0.0, 200.0] {
                let events = restarted(&spec(), &[stopper(1, 0.5, 90.0)], 60.0, &[standing(seen_from, 300.0)], rate);
                assert_eq!(phases(&events), [Phase::New, Phase::End], "at {rate} fps: {events:#?}");
                assert!(events.iter().all(|event| event.severity == Severity::High));
            }
        }
    }

    #[test]
    fn a_stop_seen_before_the_restart_is_a_stop_that_was_seen() {
        for rate in RATES {
            let events = restarted(&spec(), &[stopper(1, 0.5, 90.0)], 12.5, &[standing(0.0, 100.0)], rate);
            assert_eq!(phases(&events), [Phase::New, Phase::End], "at {rate} fps: {events:#?}");
            assert_eq!((events[0].severity, measured(&events[0], "seen_stopping")), (Severity::High, 1.0));
            assert!(events[0].stamp.pts.as_secs_f64() < 10.5 + rate.gap(), "at {rate} fps");
        }
    }

    #[test]
    fn a_car_that_came_meanwhile_and_stands_elsewhere_was_not_seen_stopping() {
        let other = Actor::new(1, Class::Car).at(0.0, 0.7, 0.8).at(100.0, 0.7, 0.8);
        let events = restarted(&spec(), &[stopper(1, 0.5, 40.0)], 60.0, &[other], Rate::fps(5));
        let severities: Vec<_> = events.iter().map(|event| (event.phase, event.severity)).collect();
        let (high, info) = (Severity::High, Severity::Info);
        let expected = [(Phase::New, high), (Phase::End, high), (Phase::New, info), (Phase::End, info)];
        assert_eq!(severities.into_iter().filter(|(phase, _)| *phase != Phase::Update).collect::<Vec<_>>(), expected);
    }
}

//! Rules that are armed for a part of the day: what an operator sees when their hours begin and end.

mod scenario;

use std::time::Duration;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::schedule::{Holidays, Hours, Schedule, Weekdays, Window};
use analytics::{Class, Event, Length, LocalTime, Phase, Point, Scene, Segment, ZoneKind};
use scenario::{
    Actor, RATES, Rate, left_open, line, measured, one_incident, phases, rule, scenes, seconds, stopped_in, zone,
};

/// Armed from one minute of media time to another; media time begins at midnight.
fn armed(params: RuleParams, from: u16, until: u16) -> RuleSpec {
    let hours = Hours::new(from, until).expect("hours");
    let window = Window { days: Weekdays::ALL, hours: vec![hours], holidays: Holidays::Ignore };
    RuleSpec { schedule: Some(Schedule { windows: vec![window] }), ..rule(params) }
}

fn local(scene: &Scene) -> LocalTime {
    let minute = (scene.stamp.pts.as_secs_f64() / 60.0) as u16;
    LocalTime { minute, ..LocalTime::MONDAY }
}

fn play(spec: &RuleSpec, actors: &[Actor], fps: Rate) -> Vec<Event> {
    let mut judge = scenario::judge(spec.clone());
    let step = |mut scene: Scene| {
        let local = local(&scene);
        judge.step(&mut scene, local)
    };
    let mut events: Vec<Event> = scenes(actors, fps).into_iter().flat_map(step).collect();
    events.extend(judge.finish());
    events
}

fn yard() -> analytics::Zone {
    zone(ZoneKind::Restricted, 0.2, 0.2, 0.8, 0.8)
}

fn lane() -> analytics::Zone {
    let heading = Segment::new(Point::new(0.5, 0.9), Point::new(0.5, 0.1)).expect("segment");
    analytics::Zone { heading: Some(heading), ..zone(ZoneKind::Lane, 0.1, 0.1, 0.9, 0.9) }
}

fn standing(id: u64, class: Class, from: f64, until: f64) -> Actor {
    Actor::new(id, class).at(from, 0.5, 0.5).at(until, 0.5, 0.5)
}

#[test]
fn nothing_is_raised_outside_the_hours() {
    let intrusion = RuleParams::Intrusion { zone: yard(), hold: Duration::from_secs(1) };
    for fps in RATES {
        let visitor = standing(1, Class::Person, 61.0, 100.0);
        assert_eq!(play(&armed(intrusion.clone(), 2, 3), &[visitor], fps), []);
    }
}

#[test]
fn dwell_counts_from_arming_for_one_who_was_there_before() {
    let loitering = RuleParams::Loitering { zone: yard(), dwell: Duration::from_secs(20) };
    for fps in RATES {
        let early = standing(1, Class::Person, 10.0, 110.0);
        let new = one_incident(&play(&armed(loitering.clone(), 1, 5), &[early], fps), 60.0, 80.0, 110.0, fps);
        assert!(measured(&new, "dwell_s") < 21.0, "what it dwelt before is no part of it");
    }
}

#[test]
fn one_who_leaves_soon_after_arming_is_not_reported_for_the_time_before() {
    let loitering = RuleParams::Loitering { zone: yard(), dwell: Duration::from_secs(20) };
    for fps in RATES {
        assert_eq!(play(&armed(loitering.clone(), 1, 5), &[standing(1, Class::Person, 0.0, 75.0)], fps), []);
    }
}

#[test]
fn what_is_open_when_the_hours_end_ends_with_them() {
    let intrusion = RuleParams::Intrusion { zone: yard(), hold: Duration::from_secs(1) };
    for fps in RATES {
        let events = play(&armed(intrusion.clone(), 0, 1), &[standing(1, Class::Person, 30.0, 100.0)], fps);
        one_incident(&events, 30.0, 31.0, 60.0, fps);
        let end = events.last().expect("an end");
        assert!((60.0..60.0 + fps.gap()).contains(&seconds(end.stamp.captured_at)), "with the first scene after them");
    }
}

#[test]
fn one_who_stays_from_one_window_into_the_next_is_two_incidents() {
    let intrusion = RuleParams::Intrusion { zone: yard(), hold: Duration::from_secs(1) };
    let hours = [(0, 1), (2, 3)].map(|(from, until)| Hours::new(from, until).expect("hours"));
    let window = Window { days: Weekdays::ALL, hours: hours.to_vec(), holidays: Holidays::Ignore };
    let spec = RuleSpec { schedule: Some(Schedule { windows: vec![window] }), ..rule(intrusion) };
    let events = play(&spec, &[standing(1, Class::Person, 10.0, 170.0)], Rate::fps(5));
    assert_eq!(phases(&events), [Phase::New, Phase::End, Phase::New, Phase::End]);
    assert_eq!(seconds(events.iter().rfind(|event| event.phase == Phase::New).expect("a new").started_at), 120.0);
}

#[test]
fn a_vehicle_that_stopped_before_the_hours_is_found_when_it_has_stood_within_them() {
    let stopped = stopped_in(zone(ZoneKind::Lane, 0.1, 0.1, 0.9, 0.9));
    let lorry = Actor::new(1, Class::Truck).at(0.0, 0.1, 0.5).at(5.0, 0.5, 0.5).at(100.0, 0.5, 0.5);
    for fps in RATES {
        let events = play(&armed(stopped.clone(), 1, 5), std::slice::from_ref(&lorry), fps);
        let new = one_incident(&events, 60.0, 70.0, 100.0, fps);
        assert!(measured(&new, "held_s") < 11.0, "it stands, as far as the rule goes, from 60 s on");
    }
}

#[test]
fn way_made_before_the_hours_is_no_part_of_a_wrong_way_drive() {
    let wrong_way = RuleParams::WrongWay {
        zone: lane(),
        angle_deg: 120.0,
        distance: Length::heights(3.0),
        hold: Duration::from_millis(1500),
    };
    // 0.1 picture heights are one box height: five before 60 s, two after.
    let late = Actor::new(1, Class::Car).at(55.0, 0.5, 0.15).at(60.0, 0.5, 0.65).at(62.0, 0.5, 0.85);
    let through = Actor::new(2, Class::Car).at(58.0, 0.5, 0.15).at(65.0, 0.5, 0.85);
    for fps in RATES {
        assert_eq!(play(&armed(wrong_way.clone(), 1, 5), std::slice::from_ref(&late), fps), []);
        let events = play(&armed(wrong_way.clone(), 1, 5), std::slice::from_ref(&through), fps);
        assert_eq!(phases(&events), [Phase::New, Phase::End], "at {fps} fps");
        assert!(seconds(events[0].started_at) >= 60.0);
    }
}

#[test]
fn a_crossing_counts_when_it_is_made_within_the_hours() {
    let count = RuleParams::LineCrossing { line: line(0.5, 0.2, 0.5, 0.8), hysteresis: 0.25 };
    let crossing = |at: f64| Actor::new(1, Class::Car).at(at - 3.0, 0.8, 0.5).at(at + 3.0, 0.2, 0.5);
    for fps in RATES {
        assert_eq!(play(&armed(count.clone(), 1, 5), &[crossing(50.0)], fps), [], "before");
        // It came up to the line before, and is beyond it after.
        assert_eq!(play(&armed(count.clone(), 1, 5), &[crossing(60.5)], fps).len(), 1, "at {fps} fps");
    }
}

#[test]
fn a_crowd_that_gathered_before_the_hours_has_its_hold_within_them() {
    let crowding = RuleParams::Crowding { zone: yard(), count: 2, hold: Duration::from_secs(10) };
    let pair = [
        Actor::new(1, Class::Person).at(0.0, 0.4, 0.5).at(100.0, 0.4, 0.5),
        Actor::new(2, Class::Person).at(0.0, 0.6, 0.5).at(100.0, 0.6, 0.5),
    ];
    for fps in RATES {
        let events = play(&armed(crowding.clone(), 1, 5), &pair, fps);
        one_incident(&events, 60.0, 70.0, 101.0, fps);
    }
}

#[test]
fn an_incident_from_before_a_restart_ends_when_its_rule_is_not_armed() {
    let intrusion = RuleParams::Intrusion { zone: yard(), hold: Duration::from_secs(1) };
    let earlier = play(&armed(intrusion.clone(), 0, 5), &[standing(1, Class::Person, 0.0, 100.0)], Rate::fps(5));
    let mut judge = scenario::judge(armed(intrusion, 10, 11));
    judge.restore(vec![left_open(&earlier[0], false)]);
    let mut first = scenes(&[standing(1, Class::Person, 0.0, 10.0)], Rate::fps(5)).swap_remove(0);
    let events = judge.step(&mut first, LocalTime::MONDAY);
    assert_eq!(phases(&events), [Phase::End]);
    assert_eq!(events[0].incident_id, earlier[0].incident_id);
}

#[test]
fn a_rule_that_is_always_armed_is_the_same_with_a_schedule_of_every_minute() {
    let intrusion = RuleParams::Intrusion { zone: yard(), hold: Duration::from_secs(1) };
    let actors = [standing(1, Class::Person, 5.0, 90.0), standing(2, Class::Person, 40.0, 70.0)];
    let always = play(&rule(intrusion.clone()), &actors, Rate::fps(5));
    assert!(!always.is_empty());
    assert_eq!(play(&armed(intrusion, 0, 24 * 60), &actors, Rate::fps(5)), always);
}

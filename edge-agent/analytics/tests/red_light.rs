//! Who passes the stop line at red, and who only seems to, at every rate alike.

mod scenario;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Class, Direction, Event, Phase, SignalId, SignalState};
use scenario::{Actor, RATES, Rate, judge, line, measured, rule, run, scenes, signalled};

/// The stop line lies across; driving is upwards in the picture, from its right to its left as one walks it rightwards.
fn spec() -> RuleSpec {
    rule(RuleParams::RedLight {
        line: line(0.2, 0.5, 0.8, 0.5),
        direction: Direction::RightToLeft,
        signal: SignalId::new("north").expect("id"),
        grace: RuleParams::RED_GRACE,
        hysteresis: RuleParams::RED_HYSTERESIS,
    })
}

/// Red from 10 s to 40 s, amber the three seconds before, else green.
fn cycle(seconds: f64) -> (SignalState, f64) {
    match seconds {
        s if s < 7.0 => (SignalState::Green, 0.0),
        s if s < 10.0 => (SignalState::Amber, 7.0),
        s if s < 40.0 => (SignalState::Red, 10.0),
        _ => (SignalState::Green, 40.0),
    }
}

fn judged(actors: &[Actor], rate: Rate, shown: impl Fn(f64) -> (SignalState, f64)) -> Vec<Event> {
    let clip = scenes(actors, rate).into_iter().map(|scene| signalled(scene, "north", &shown)).collect();
    run(&mut judge(spec()), clip)
}

fn nothing(actors: &[Actor], shown: impl Fn(f64) -> (SignalState, f64)) {
    for rate in RATES {
        let events = judged(actors, rate, &shown);
        assert!(events.is_empty(), "at {rate} fps: {events:#?}");
    }
}

/// Passes the line at `seconds`.
fn passer(seconds: f64) -> Actor {
    Actor::new(1, Class::Car).jitter(0.02).at(seconds - 3.0, 0.5, 0.95).at(seconds + 3.0, 0.5, 0.05)
}

#[test]
fn who_passes_at_red_is_one_event() {
    for rate in RATES {
        let events = judged(&[passer(20.0)], rate, cycle);
        assert_eq!(events.len(), 1, "at {rate} fps: {events:#?}");
        let event = &events[0];
        assert_eq!((event.phase, event.direction), (Phase::New, Some(Direction::RightToLeft)));
        assert!((measured(event, "red_s") - 10.0).abs() < 0.3 + rate.gap(), "at {rate} fps");
    }
}

#[test]
fn who_passes_at_green_at_amber_or_within_the_grace_is_not_found() {
    for seconds in [5.0, 8.5, 10.4, 45.0] {
        // A dropped frame may hide the moment, never add to it.
        nothing(&[passer(seconds)], cycle);
    }
}

#[test]
fn who_waits_on_or_a_little_over_the_line_is_not_found() {
    let waits = |y: f32| {
        Actor::new(1, Class::Car).jitter(0.05).at(9.0, 0.5, 0.9).at(13.0, 0.5, y).at(41.0, 0.5, y).at(44.0, 0.5, 0.1)
    };
    for y in [0.52, 0.50, 0.47] {
        nothing(&[waits(y)], cycle);
    }
}

#[test]
fn the_other_way_and_beside_the_line_are_not_found() {
    nothing(&[Actor::new(1, Class::Car).at(17.0, 0.5, 0.05).at(23.0, 0.5, 0.95)], cycle);
    nothing(&[Actor::new(1, Class::Car).at(17.0, 0.9, 0.95).at(23.0, 0.9, 0.05)], cycle);
}

#[test]
fn one_that_is_first_seen_beyond_the_line_is_not_judged() {
    nothing(&[passer(20.0).hidden(0.0, 20.6)], cycle);
}

#[test]
fn what_the_signal_does_not_show_is_not_judged() {
    nothing(&[passer(20.0)], |_| (SignalState::Unknown, 0.0));
    // Unknown until just before: what it was then is not known either.
    nothing(&[passer(20.0)], |s| if s < 19.5 { (SignalState::Unknown, 0.0) } else { (SignalState::Red, 19.5) });
    for rate in RATES {
        assert!(run(&mut judge(spec()), scenes(&[passer(20.0)], rate)).is_empty(), "without any signal");
    }
}

#[test]
fn each_of_a_group_that_runs_it_is_told() {
    let group: Vec<Actor> = (0..3u8)
        .map(|i| {
            let (x, at) = (0.3 + 0.15 * f32::from(i), 20.0 + f64::from(i));
            Actor::new(u64::from(i) + 1, Class::Motorcycle).at(at - 3.0, x, 0.95).at(at + 3.0, x, 0.05)
        })
        .collect();
    for rate in RATES {
        assert_eq!(judged(&group, rate, cycle).len(), 3, "at {rate} fps");
    }
}

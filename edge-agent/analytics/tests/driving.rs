//! Slow, fast and turning vehicles, at every rate alike.

mod scenario;

use std::time::Duration;

use analytics::core::Judge;
use analytics::ground::Homography;
use analytics::incident::IncidentParams;
use analytics::rules::{Gate, RuleParams, RuleSpec};
use analytics::{Class, Event, Ground, Segment, Speed, Zone, ZoneKind};
use scenario::{
    Actor, RATES, Rate, at_every_rate, line, measured, nothing, one_incident, play, rule, run, scenes, zone,
};

mod slow_vehicle {
    use super::*;

    fn spec() -> RuleSpec {
        rule(RuleParams::SlowVehicle {
            zone: zone(ZoneKind::Lane, 0.05, 0.2, 0.95, 0.9),
            factor: RuleParams::SLOW_FACTOR,
            flow: RuleParams::SLOW_FLOW,
            distance: RuleParams::SLOW_DISTANCE,
            hold: RuleParams::SLOW_HOLD,
        })
    }

    /// Goes through the whole picture in `seconds`.
    fn driver(id: u64, class: Class, at: f64, seconds: f64) -> Actor {
        Actor::new(id, class).jitter(0.02).at(at, 0.0, 0.5).at(at + seconds, 1.0, 0.5)
    }

    /// One every five seconds.
    fn traffic(count: u8) -> Vec<Actor> {
        (0..count).map(|i| driver(u64::from(i) + 1, Class::Car, 5.0 * f64::from(i), 4.0)).collect()
    }

    #[test]
    fn one_who_crawls_where_others_drive_is_found() {
        let mut actors = traffic(14);
        actors.push(driver(50, Class::Truck, 80.0, 30.0));
        at_every_rate(&spec(), &actors, |events, fps| {
            // Its class is twice as high: five times as slow looks ten times as slow.
            let new = one_incident(events, 81.5, 86.7, 108.5, fps);
            assert!(measured(&new, "speed_ratio") < 0.4 && measured(&new, "flow_vehicles") >= 10.0);
        });
    }

    #[test]
    fn a_lorry_at_the_speed_of_the_cars_is_not_slow() {
        let mut actors = traffic(14);
        let mut lorry = driver(50, Class::Truck, 80.0, 5.0);
        lorry = lorry.sized(0.3, 0.2);
        actors.push(lorry);
        nothing(&spec(), &actors);
    }

    #[test]
    fn before_enough_have_passed_the_lanes_speed_is_not_known() {
        let mut actors = traffic(5);
        actors.push(driver(50, Class::Car, 80.0, 30.0));
        nothing(&spec(), &actors);
    }

    #[test]
    fn who_is_held_up_by_another_is_not_found() {
        let mut actors = traffic(14);
        actors.push(driver(50, Class::Car, 80.0, 30.0));
        actors.push(driver(51, Class::Car, 85.0, 30.0));
        at_every_rate(&spec(), &actors, |events, fps| {
            let opened: Vec<_> = events.iter().filter(|event| event.revision == 1).collect();
            assert_eq!(opened.len(), 1, "at {fps} fps");
            assert_eq!(opened[0].tracks[0].track_id.0, 50, "the one ahead");
        });
    }

    #[test]
    fn who_is_held_up_by_one_beyond_the_zone_or_hidden_by_itself_is_not_found() {
        let short = |mut spec: RuleSpec| {
            if let RuleParams::SlowVehicle { zone: area, .. } = &mut spec.params {
                *area = zone(ZoneKind::Lane, 0.05, 0.2, 0.6, 0.9);
            }
            spec
        };
        let mut actors = traffic(14);
        // The first has left the zone when the second is seen over the distance; then the second hides it.
        actors.push(driver(50, Class::Bicycle, 80.0, 30.0).hidden(94.0, 120.0));
        actors.push(driver(51, Class::Truck, 87.0, 30.0));
        let cars = [Class::Car, Class::Truck, Class::Motorcycle].into_iter().collect();
        nothing(&RuleSpec { classes: cars, ..short(spec()) }, &actors);
    }

    #[test]
    fn one_who_crawls_beside_a_jam_of_the_other_direction_is_found() {
        let mut actors = traffic(14);
        actors.push(driver(50, Class::Car, 80.0, 30.0));
        for i in 0..3u8 {
            let x = 0.9 - 0.2 * f32::from(i);
            let jam = Actor::new(u64::from(i) + 60, Class::Car).at(70.0, x, 0.85).at(120.0, x - 0.2, 0.85);
            actors.push(jam);
        }
        for rate in RATES {
            let events = play(&spec(), &actors, rate);
            let slow = |event: &&Event| event.revision == 1 && event.tracks[0].track_id.0 == 50;
            assert_eq!(events.iter().filter(slow).count(), 1, "at {rate} fps");
        }
    }

    #[test]
    fn who_stands_or_brakes_is_not_slow() {
        let mut actors = traffic(14);
        actors.push(Actor::new(50, Class::Car).jitter(0.02).at(80.0, 0.0, 0.5).at(82.0, 0.5, 0.5).at(120.0, 0.5, 0.5));
        actors.push(
            Actor::new(51, Class::Car).at(130.0, 0.0, 0.5).at(132.0, 0.5, 0.5).at(134.0, 0.6, 0.5).at(136.0, 1.0, 0.5),
        );
        nothing(&spec(), &actors);
    }
}

mod over_speed {
    use super::*;

    fn spec() -> RuleSpec {
        rule(RuleParams::OverSpeed {
            zone: zone(ZoneKind::Lane, 0.1, 0.2, 0.9, 0.9),
            limit: Speed::km_per_h(50.0),
            tolerance: RuleParams::SPEED_TOLERANCE,
        })
    }

    /// Straight from above: the picture is 100 m wide, and every length may be wrong by this share.
    fn ground(error: f64) -> Ground {
        let map = [[100.0, 0.0, 0.0], [0.0, 56.25, 0.0], [0.0, 0.0, 1.0]];
        Ground::new(Homography::new(map, [0.5, 0.5]).expect("usable"), move |_| error)
    }

    fn driver(kmh: f64) -> Actor {
        Actor::new(1, Class::Car).jitter(0.01).sized(0.08, 0.05).at(0.0, 0.0, 0.5).at(100.0 * 3.6 / kmh, 1.0, 0.5)
    }

    fn judged(actor: Actor, error: f64, rate: Rate) -> Vec<Event> {
        let mut judge = Judge::new(vec![spec()], IncidentParams::default(), 7).on_ground(Some(ground(error)));
        run(&mut judge, scenes(&[actor], rate))
    }

    #[test]
    fn who_is_too_fast_is_told_once_with_the_error_of_the_speed() {
        for rate in RATES {
            let events = judged(driver(80.0), 0.05, rate);
            assert_eq!(events.len(), 1, "at {rate} fps: {events:#?}");
            let (speed, error) = (measured(&events[0], "speed_kmh"), measured(&events[0], "speed_error_kmh"));
            assert!((speed - 80.0).abs() < error && (4.0..10.0).contains(&error), "at {rate} fps {speed} ± {error}");
        }
    }

    #[test]
    fn who_is_through_the_zone_in_a_second_is_told_too() {
        let spec = rule(RuleParams::OverSpeed {
            zone: zone(ZoneKind::Lane, 0.55, 0.2, 0.8, 0.9),
            limit: Speed::km_per_h(50.0),
            tolerance: RuleParams::SPEED_TOLERANCE,
        });
        for rate in RATES {
            let mut judge = Judge::new(vec![spec.clone()], IncidentParams::default(), 7).on_ground(Some(ground(0.05)));
            let events = run(&mut judge, scenes(&[driver(90.0)], rate));
            assert_eq!(events.len(), 1, "at {rate} fps: 25 m at 25 m/s: {events:#?}");
        }
    }

    #[test]
    fn who_keeps_to_the_limit_or_its_tolerance_is_not_found() {
        for kmh in [30.0, 50.0, 57.0] {
            for rate in RATES {
                assert!(judged(driver(kmh), 0.05, rate).is_empty(), "{kmh} km/h at {rate} fps");
            }
        }
    }

    #[test]
    fn what_may_be_an_error_of_the_calibration_is_not_told() {
        for rate in RATES {
            assert!(judged(driver(61.5), 0.19, rate).is_empty(), "at {rate} fps");
        }
    }

    #[test]
    fn without_a_calibration_there_is_no_speed() {
        nothing(&spec(), &[driver(80.0)]);
    }

    #[test]
    fn a_track_that_jumps_to_another_vehicle_is_not_fast() {
        let jumps = Actor::new(1, Class::Car).sized(0.08, 0.05).at(0.0, 0.2, 0.5).at(10.0, 0.3, 0.5);
        let jumps = jumps.at(10.1, 0.8, 0.5).at(20.0, 0.85, 0.5);
        for rate in RATES {
            assert!(judged(jumps.clone(), 0.05, rate).is_empty(), "at {rate} fps");
        }
    }
}

mod forbidden_turn {
    use super::*;

    fn lane(left: f32, right: f32, up: bool) -> Zone {
        let (from, to) = if up { (0.9, 0.1) } else { (0.1, 0.9) };
        let middle = (left + right) / 2.0;
        let point = analytics::Point::new;
        let heading = Segment::new(point(middle, from), point(middle, to)).ok();
        Zone { heading, ..zone(ZoneKind::Lane, left, 0.3, right, 0.95) }
    }

    fn turn(from: Gate, to: Gate) -> RuleSpec {
        rule(RuleParams::ForbiddenTurn { from, to, within: RuleParams::TURN_WITHIN })
    }

    /// Up the right half, round at the top, down the left half.
    fn u_turn() -> RuleSpec {
        turn(Gate::Zone(lane(0.5, 0.8, true)), Gate::Zone(lane(0.2, 0.5, false)))
    }

    fn found_once(spec: &RuleSpec, actors: &[Actor]) {
        for rate in RATES {
            let events = play(spec, actors, rate);
            assert_eq!(events.len(), 1, "at {rate} fps: {events:#?}");
            assert!(measured(&events[0], "turn_s") <= RuleParams::TURN_WITHIN.as_secs_f64());
        }
    }

    #[test]
    fn a_u_turn_is_found_and_straight_on_is_not() {
        let straight = Actor::new(2, Class::Car).at(0.0, 0.65, 1.0).at(8.0, 0.65, 0.0);
        let oncoming = Actor::new(3, Class::Car).at(0.0, 0.35, 0.0).at(8.0, 0.35, 1.0);
        let turner = Actor::new(1, Class::Car).at(0.0, 0.65, 1.0).at(6.0, 0.65, 0.2).at(8.0, 0.35, 0.2);
        found_once(&u_turn(), &[turner.at(14.0, 0.35, 1.0), straight.clone(), oncoming.clone()]);
        nothing(&u_turn(), &[straight, oncoming]);
    }

    #[test]
    fn who_backs_into_the_other_lane_has_not_turned() {
        let backing = Actor::new(1, Class::Car).at(0.0, 0.65, 1.0).at(5.0, 0.65, 0.5).at(8.0, 0.4, 0.5);
        nothing(&u_turn(), &[backing.at(12.0, 0.4, 0.2)]);
    }

    #[test]
    fn who_comes_back_later_has_not_turned() {
        let later = Actor::new(1, Class::Car).at(0.0, 0.65, 1.0).at(6.0, 0.65, 0.2).at(45.0, 0.35, 0.2);
        nothing(&u_turn(), &[later.at(50.0, 0.35, 1.0)]);
    }

    #[test]
    fn a_left_turn_is_two_lines_in_this_order() {
        let (approach, exit) = (line(0.5, 0.7, 0.9, 0.7), line(0.3, 0.2, 0.3, 0.6));
        let spec = turn(Gate::Line(approach, 0.2), Gate::Line(exit, 0.2));
        let left = Actor::new(1, Class::Car).at(0.0, 0.65, 1.0).at(4.0, 0.65, 0.4).at(8.0, 0.1, 0.4);
        found_once(&spec, &[left]);
        nothing(&spec, &[Actor::new(1, Class::Car).at(0.0, 0.1, 0.4).at(4.0, 0.65, 0.4).at(8.0, 0.65, 1.0)]);
        nothing(&spec, &[Actor::new(1, Class::Car).at(0.0, 0.65, 1.0).at(6.0, 0.65, 0.0)]);
    }

    #[test]
    fn a_change_of_lanes_over_a_solid_line_is_found_and_a_box_on_it_is_not() {
        let spec = rule(RuleParams::ForbiddenTurn {
            from: Gate::Zone(lane(0.5, 0.8, true)),
            to: Gate::Zone(lane(0.2, 0.5, true)),
            within: Duration::from_secs(5),
        });
        let changes = Actor::new(1, Class::Car).at(0.0, 0.6, 0.95).at(3.0, 0.6, 0.7).at(6.0, 0.4, 0.5);
        found_once(&spec, &[changes.at(9.0, 0.4, 0.2)]);
        let mut along = Actor::new(1, Class::Car).at(0.0, 0.52, 1.0);
        for i in 1..40u8 {
            let x = if i % 4 == 0 { 0.495 } else { 0.52 };
            along = along.at(0.2 * f64::from(i), x, 1.0 - 0.02 * f32::from(i));
        }
        nothing(&spec, &[along]);
    }
}

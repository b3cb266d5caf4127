//! Illegal parking and forbidden classes, at every rate alike.

mod scenario;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Class, ClassSet, ZoneKind};
use scenario::{Actor, at_every_rate, measured, nothing, one_incident, rule, zone};

mod illegal_parking {
    use super::*;

    fn spec() -> RuleSpec {
        rule(RuleParams::IllegalParking {
            zone: zone(ZoneKind::Area, 0.3, 0.4, 0.9, 0.9),
            speed: RuleParams::STOPPED_SPEED,
            hold: RuleParams::PARKING_HOLD,
        })
    }

    /// Stands at `x` from 4 s to `until`.
    fn parker(id: u64, x: f32, until: f64) -> Actor {
        let comes = Actor::new(id, Class::Car).jitter(0.03).at(0.0, x - 0.25, 0.5).at(4.0, x, 0.5);
        comes.at(until, x, 0.5).at(until + 2.0, x + 0.3, 0.5)
    }

    #[test]
    fn one_who_stands_for_the_hold_is_one_incident_until_it_leaves() {
        at_every_rate(&spec(), &[parker(1, 0.5, 200.0)], |events, fps| {
            let new = one_incident(events, 4.0, 124.0, 200.3, fps);
            assert!(measured(&new, "held_s") >= 120.0);
        });
    }

    #[test]
    fn a_row_of_parked_cars_is_no_excuse() {
        let row: Vec<Actor> = (0..4u8).map(|i| parker(u64::from(i) + 1, 0.4 + 0.12 * f32::from(i), 200.0)).collect();
        at_every_rate(&spec(), &row, |events, fps| {
            let opened = events.iter().filter(|event| event.revision == 1).count();
            assert_eq!(opened, 4, "at {fps} fps");
        });
    }

    #[test]
    fn a_detector_that_loses_it_for_minutes_does_not_restart_the_hold() {
        let lost = parker(1, 0.5, 400.0).hidden(40.0, 100.0).renamed(100.0, 9).hidden(200.0, 330.0).renamed(330.0, 10);
        at_every_rate(&spec(), &[lost], |events, fps| {
            one_incident(events, 4.0, 124.0, 400.3, fps);
        });
    }

    #[test]
    fn who_lets_someone_out_creeps_past_or_stands_elsewhere_is_not_found() {
        nothing(&spec(), &[parker(1, 0.5, 110.0)]);
        nothing(&spec(), &[Actor::new(1, Class::Car).at(0.0, 0.3, 0.5).at(60.0, 0.9, 0.5)]);
        nothing(&spec(), &[Actor::new(1, Class::Car).at(0.0, 0.5, 0.2).at(300.0, 0.5, 0.2)]);
    }

    #[test]
    fn who_stands_on_foot_parks_nothing() {
        nothing(&spec(), &[Actor::new(1, Class::Person).at(0.0, 0.5, 0.5).at(300.0, 0.5, 0.5)]);
    }
}

mod forbidden_class {
    use super::*;

    /// No two-wheelers in this lane.
    fn spec() -> RuleSpec {
        let classes: ClassSet = [Class::Motorcycle, Class::Bicycle].into_iter().collect();
        let zone = zone(ZoneKind::Lane, 0.3, 0.2, 0.9, 0.9);
        RuleSpec { classes, ..rule(RuleParams::ForbiddenClass { zone, hold: RuleParams::FORBIDDEN_CLASS_HOLD }) }
    }

    fn driver(class: Class) -> Actor {
        // In the lane from 2 s to 8 s.
        Actor::new(1, class).at(0.0, 0.1, 0.5).at(10.0, 1.1, 0.5)
    }

    #[test]
    fn a_motorcycle_in_the_lane_is_found_after_the_hold_and_its_rider_is_not() {
        let rider = Actor::new(2, Class::Person).rides(1).at(0.0, 0.1, 0.45).at(10.0, 1.1, 0.45);
        at_every_rate(&spec(), &[driver(Class::Motorcycle), rider], |events, fps| {
            one_incident(events, 2.0, 5.0, 8.0, fps);
        });
    }

    #[test]
    fn one_who_crosses_the_lane_and_other_classes_are_not_found() {
        nothing(&spec(), &[Actor::new(1, Class::Motorcycle).at(0.0, 0.5, 0.0).at(3.0, 0.5, 1.0)]);
        nothing(&spec(), &[driver(Class::Car)]);
    }
}

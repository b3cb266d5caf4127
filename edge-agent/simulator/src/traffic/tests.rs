//! That traffic looks like traffic.

use std::collections::BTreeSet;

use super::*;
use crate::places;
use crate::road::demand;
use crate::world::{World, WorldParams};

/// A busy morning without anything out of the ordinary.
fn morning(place: crate::place::Place) -> World {
    World::new(place, &WorldParams { seed: 5, minute: 405.0, seconds: 1800.0, deed_every_s: f64::INFINITY })
}

fn overlap(a: &Vehicle, b: &Vehicle) -> bool {
    let along = (a.length_m + b.length_m) / 2.0 - (a.s - b.s).abs();
    let across = (a.width_m + b.width_m) / 2.0 - (a.side - b.side).abs();
    a.link == b.link && along > 0.3 && across > 0.2
}

#[test]
fn vehicles_hardly_ever_drive_through_each_other() {
    for place in places::all().into_iter().filter(|place| !place.links.is_empty()) {
        let mut world = morning(place);
        let (mut seen, mut overlapping) = (0_u64, 0_u64);
        while world.seconds() < 900.0 {
            world.tick();
            let vehicles = world.traffic().vehicles();
            for (i, a) in vehicles.iter().enumerate() {
                seen += 1;
                overlapping += u64::from(vehicles[..i].iter().any(|b| overlap(a, b)));
            }
        }
        let share = overlapping as f64 / seen as f64;
        assert!(share < 0.02, "{}: {share} of {seen}", world.place().name);
    }
}

#[test]
fn who_comes_in_goes_out_again() {
    for place in places::all().into_iter().filter(|place| !place.links.is_empty()) {
        let wanted: f64 = place.links.iter().map(|link| link.inflow_per_h).sum::<f64>() * 0.5 * demand(420.0);
        let mut world = morning(place);
        let mut passed = BTreeSet::new();
        while world.seconds() < 1800.0 {
            world.tick();
            passed.extend(world.traffic().vehicles().iter().map(|vehicle| vehicle.id));
        }
        let left = world.traffic().vehicles().len();
        let through = (passed.len() - left) as f64;
        assert!(through > 0.85 * wanted, "{}: {through} of {wanted}, {left} still there", world.place().name);
    }
}

#[test]
fn two_wheelers_pass_what_stands_in_their_way() {
    let mut place = places::road();
    place.links[0].inflow_per_h = 0.0;
    let mut traffic = Traffic::new(place.links, None, Chance::new(3));
    let mut chance = Chance::new(4);
    let stops = Order::Stop { s: 70.0, side: -1.75, seconds: 1e6 };
    traffic.send(0, 1, Make::of(analytics::Class::Truck, &mut chance), Some(stops));
    let mut next_id = 100;
    let mut passed = BTreeSet::new();
    for tick in 0..1500_u32 {
        if tick % 50 == 49 && tick < 1000 {
            traffic.send(0, 2 + tick, Make::of(analytics::Class::Motorcycle, &mut chance), None);
        }
        traffic.tick(f64::from(tick) * TICK_S, 0.0, &[], &mut next_id);
        passed.extend(traffic.vehicles().iter().filter(|v| v.link == 0 && v.s > 90.0).map(|v| v.id));
    }
    assert!(traffic.vehicle(1).is_some_and(|truck| truck.speed == 0.0 && truck.stands_since.is_some()));
    assert!(passed.len() >= 18, "{} of 20 passed the truck", passed.len());
}

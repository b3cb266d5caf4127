//! What is true of worlds in which little happens.

use super::*;
use crate::ground::Pose;
use crate::place::{Place, Stage};
use crate::places;
use crate::world::{World, WorldParams};

/// All that truly happens within `seconds` at a place where no one else comes by and only `stages` happen, one after the
/// other.
fn truths(place: Place, seconds: f64) -> Vec<Incident> {
    let mut world =
        World::new(place, &WorldParams { seed: 11, minute: 420.0, seconds: seconds - 150.0, deed_every_s: 90.0 });
    let mut truth = Truth::new(&world);
    while world.seconds() < seconds {
        world.tick();
        truth.observe(&world);
    }
    truth.finish()
}

fn lonely(mut place: Place, is_wanted: impl Fn(&Stage) -> bool) -> Place {
    for link in &mut place.links {
        link.inflow_per_h = 0.0;
    }
    place.walkways.clear();
    place.stages.retain(is_wanted);
    place
}

fn kinds(incidents: &[Incident]) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = incidents.iter().filter(|one| one.is_sure).map(|one| one.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn what_is_staged_is_true_and_nothing_else() {
    // What is staged, and what else that is: one who stands for long on the shoulder parks there.
    type Staged = (&'static str, &'static [&'static str], fn(&Stage) -> bool);
    let staged: [Staged; 9] = [
        ("stopped_vehicle", &["illegal_parking"], |stage| matches!(stage, Stage::Stop { .. })),
        ("illegal_parking", &["stopped_vehicle"], |stage| matches!(stage, Stage::Stop { seconds: (130.0, _), .. })),
        ("wrong_way", &[], |stage| matches!(stage, Stage::Against { .. })),
        ("pedestrian_on_carriageway", &[], |stage| matches!(stage, Stage::Cross { .. })),
        ("over_speed", &[], |stage| matches!(stage, Stage::Pace { free_mps: (20.0, _), .. })),
        ("intrusion", &[], |stage| matches!(stage, Stage::Intrude { .. })),
        ("red_light", &[], |stage| matches!(stage, Stage::RunRed { .. })),
        ("forbidden_turn", &[], |stage| matches!(stage, Stage::Turn { .. })),
        // Both stand where they met, others behind them, and those who come to look walk on the road.
        ("collision_suspected", &["stopped_vehicle", "pedestrian_on_carriageway", "congestion"], |stage| {
            matches!(stage, Stage::Collide { .. })
        }),
    ];
    for (wanted, also, is_wanted) in staged {
        let place = match wanted {
            "intrusion" => places::square(),
            "red_light" | "forbidden_turn" => places::junction(),
            _ => places::road(),
        };
        let incidents = truths(lonely(place, is_wanted), 1800.0);
        let sure = kinds(&incidents);
        assert!(sure.contains(&wanted), "{wanted}: {incidents:#?}");
        let other = sure.iter().find(|kind| **kind != wanted && **kind != "line_crossing" && !also.contains(*kind));
        assert_eq!(other, None, "{wanted}: {incidents:#?}");
    }
}

#[test]
fn who_brakes_hard_without_contact_and_who_serves_a_stop_is_nothing() {
    let near_misses = lonely(places::road(), |stage| matches!(stage, Stage::Brake { .. }));
    let at_stop = lonely(places::road(), |stage| matches!(stage, Stage::Serve { .. }));
    for place in [near_misses, at_stop] {
        let incidents = truths(place, 1800.0);
        assert!(incidents.len() > 5, "they come by");
        let sure = kinds(&incidents);
        assert_eq!(sure, ["line_crossing"], "{incidents:#?}");
    }
}

#[test]
fn a_collision_is_of_two() {
    let incidents = truths(lonely(places::road(), |stage| matches!(stage, Stage::Collide { .. })), 3600.0);
    let met: Vec<&Incident> = incidents.iter().filter(|one| one.kind == "collision_suspected").collect();
    assert!(met.len() >= 8, "{met:#?}");
    for one in met {
        assert!(one.actor.is_some() && one.other.is_some() && one.actor != one.other);
        assert!(one.end_s - one.start_s > 20.0, "{one:?}");
    }
}

#[test]
fn a_jam_is_congestion_and_a_crawler_in_traffic_is_slow() {
    let mut place = places::road();
    place.stages.retain(|stage| matches!(stage, Stage::Jam { .. }));
    assert!(kinds(&truths(place, 2400.0)).contains(&"congestion"));
    let mut place = places::road();
    place.stages.retain(|stage| matches!(stage, Stage::Pace { free_mps: (1.8, _), .. }));
    let sure = kinds(&truths(place, 2400.0));
    assert!(sure.contains(&"slow_vehicle") && !sure.contains(&"congestion"), "{sure:?}");
}

#[test]
fn a_gathering_is_a_crowd_of_people_who_loiter() {
    let incidents = truths(lonely(places::square(), |stage| matches!(stage, Stage::Gather { .. })), 2400.0);
    assert!(kinds(&incidents).contains(&"crowding"), "{incidents:#?}");
}

#[test]
fn who_waits_at_a_lamp_or_in_a_jam_is_no_stopped_vehicle() {
    for place in places::all() {
        let mut place = place;
        place.stages.retain(|stage| matches!(stage, Stage::Jam { .. }));
        for watched in &mut place.watched {
            if let Watch::StoppedVehicle { hold, .. } = &mut watched.watch {
                *hold = std::time::Duration::from_secs(10);
            }
        }
        let name = place.name;
        let incidents = truths(place, 1800.0);
        let stopped: Vec<&Incident> =
            incidents.iter().filter(|one| one.kind == "stopped_vehicle" && one.is_sure).collect();
        assert!(stopped.is_empty(), "{name}: {stopped:#?}");
    }
}

#[test]
fn every_vehicle_that_passes_crosses_a_line_once() {
    let place = places::road();
    let mut world =
        World::new(place, &WorldParams { seed: 3, minute: 420.0, seconds: 600.0, deed_every_s: f64::INFINITY });
    let mut truth = Truth::new(&world);
    while world.seconds() < 600.0 {
        world.tick();
        truth.observe(&world);
    }
    let incidents = truth.finish();
    let mut crossed: Vec<_> =
        incidents.iter().filter(|one| one.kind == "line_crossing").map(|one| (one.rule, one.actor)).collect();
    let all = crossed.len();
    assert!(all > 200, "{all} in ten busy minutes");
    crossed.sort_unstable();
    crossed.dedup();
    assert_eq!(crossed.len(), all);
}

#[test]
fn one_that_stands_across_a_line_crosses_it_from_when_its_front_was_over_it() {
    // The queue at the stop line reaches back over the line that counts.
    let mut place = places::junction();
    place.stages.clear();
    let mut world =
        World::new(place, &WorldParams { seed: 3, minute: 420.0, seconds: 1200.0, deed_every_s: f64::INFINITY });
    let mut truth = Truth::new(&world);
    while world.seconds() < 1200.0 {
        world.tick();
        truth.observe(&world);
    }
    let incidents = truth.finish();
    let crossings: Vec<&Incident> = incidents.iter().filter(|one| one.rule == "count-in").collect();
    let stood = crossings.iter().filter(|one| one.start_s - one.possible_s > 20.0).count();
    assert!(stood > 0, "of {}", crossings.len());
    assert!(stood < crossings.len() / 2, "{stood} of {}", crossings.len());
    assert!(crossings.iter().all(|one| one.possible_s <= one.start_s && one.start_s - one.possible_s < 120.0));
}

#[test]
fn what_is_covered_but_for_who_rides_it_is_hidden() {
    let camera = Camera::new(places::road().mount);
    let pose = |y: f64| Pose { spot: Spot::new(2.0, y), ahead: Spot::new(0.0, 1.0) };
    let present = |actor: ActorId, class: Class, y: f64, (length_m, width_m): (f64, f64), (own_top_m, top_m)| Present {
        actor,
        class,
        spot: pose(y).spot,
        ahead: pose(y).ahead,
        velocity: Spot::default(),
        came_m: 0.0,
        length_m,
        cause: Held::Free,
        in_picture: Grade::Sure,
        solid: Solid { pose: pose(y), length_m, width_m, bottom_m: 0.0, top_m },
        own_top_m,
    };
    let car = present(1, Class::Car, 30.0, (4.4, 1.8), (1.5, 1.5));
    let motorcycle = present(2, Class::Motorcycle, 33.4, (1.9, 0.7), (1.1, 1.75));
    let shown = seen(&camera, &[car, motorcycle]);
    assert!(!is_hidden(&shown, 0) && is_hidden(&shown, 1), "{shown:?}");
    let far = present(3, Class::Motorcycle, 40.0, (1.9, 0.7), (1.1, 1.75));
    assert!(!is_hidden(&seen(&camera, &[car, far]), 1));
}

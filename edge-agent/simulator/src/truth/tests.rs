//! What is true of worlds in which little happens.

use super::*;
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

fn kinds(incidents: &[Incident]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = incidents.iter().filter(|one| one.is_sure).map(|one| one.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn what_is_staged_is_true_and_nothing_else() {
    for (wanted, is_wanted) in [
        (Kind::StoppedVehicle, (|stage| matches!(stage, Stage::Stop { .. })) as fn(&Stage) -> bool),
        (Kind::WrongWay, |stage| matches!(stage, Stage::Against { .. })),
        (Kind::PedestrianOnCarriageway, |stage| matches!(stage, Stage::Cross { .. })),
        (Kind::Intrusion, |stage| matches!(stage, Stage::Intrude { .. })),
    ] {
        let place = if wanted == Kind::Intrusion { places::square() } else { places::road() };
        let incidents = truths(lonely(place, is_wanted), 1800.0);
        let sure = kinds(&incidents);
        assert!(sure.contains(&wanted), "{wanted}: {incidents:#?}");
        let other = sure.iter().find(|kind| **kind != wanted && **kind != Kind::LineCrossing);
        assert_eq!(other, None, "{wanted}: {incidents:#?}");
    }
}

#[test]
fn a_gathering_is_a_crowd_of_people_who_loiter() {
    let incidents = truths(lonely(places::square(), |stage| matches!(stage, Stage::Gather { .. })), 2400.0);
    assert!(kinds(&incidents).contains(&Kind::Crowding), "{incidents:#?}");
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
            incidents.iter().filter(|one| one.kind == Kind::StoppedVehicle && one.is_sure).collect();
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
        incidents.iter().filter(|one| one.kind == Kind::LineCrossing).map(|one| (one.rule, one.actor)).collect();
    let all = crossed.len();
    assert!(all > 200, "{all} in ten busy minutes");
    crossed.sort_unstable();
    crossed.dedup();
    assert_eq!(crossed.len(), all);
}

//! The rules about a place as a whole, at any frame rate and with half of the frames lost.

mod scenario;

use std::time::Duration;

use analytics::core::Judge;
use analytics::incident::IncidentParams;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Class, Event, Phase, Point, Scene, Segment, Severity, Zone, ZoneKind};
use scenario::{Actor, Rate, line, measured, phases, rule, run, scenes, zone};

const RATES: [Rate; 5] = [Rate::fps(5), Rate::fps(10), Rate::fps(15), Rate::fps(25), Rate::fps(30)];

/// A lane from left to right over the middle of the picture.
fn lane() -> Zone {
    let heading = Segment::new(Point::new(0.1, 0.5), Point::new(0.9, 0.5)).expect("segment");
    Zone { heading: Some(heading), ..zone(ZoneKind::Lane, 0.1, 0.3, 0.9, 0.7) }
}

/// About half of the frames, by a fixed pattern without a period that matters.
fn half(scenes: Vec<Scene>) -> Vec<Scene> {
    let keep = |index: usize| (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0;
    let (mut ended, mut kept) = (Vec::new(), Vec::new());
    for (index, mut scene) in scenes.into_iter().enumerate() {
        ended.append(&mut scene.ended);
        if keep(index) {
            scene.ended = std::mem::take(&mut ended);
            kept.push(scene);
        }
    }
    kept
}

/// What one rule makes of the actors at every rate, whole and halved.
fn every_way(spec: &RuleSpec, actors: &[Actor]) -> Vec<(String, Vec<Event>)> {
    let judge = |clip| {
        let mut judge = Judge::new(vec![spec.clone()], IncidentParams::default(), 7);
        let mut events = run(&mut judge, clip);
        events.extend(judge.finish());
        events
    };
    let ways = RATES.into_iter().flat_map(|fps| {
        let all = scenes(actors, fps);
        [(format!("at {fps} fps"), judge(all.clone())), (format!("at {fps} fps, halved"), judge(half(all)))]
    });
    ways.collect()
}

fn at(event: &Event) -> f64 {
    event.stamp.pts.as_secs_f64()
}

/// Cars that drive up one after the other, stand from left to right until `leaves`, and go on.
fn jam(cars: u64, leaves: f64) -> Vec<Actor> {
    let car = |index: u64| {
        let (x, from) = (0.85 - 0.1 * index as f32, index as f64 * 2.0);
        let gone = leaves + index as f64;
        Actor::new(index + 1, Class::Car).at(from, 0.05, 0.5).at(from + 3.0, x, 0.5).at(gone, x, 0.5).at(
            gone + 3.0,
            0.95,
            0.5,
        )
    };
    (0..cars).map(car).collect()
}

mod congestion {
    use super::*;

    fn spec() -> RuleSpec {
        rule(RuleParams::Congestion {
            zone: lane(),
            occupancy: RuleParams::CONGESTION_OCCUPANCY,
            speed: RuleParams::CONGESTION_SPEED,
            hold: RuleParams::CONGESTION_HOLD,
            clear: RuleParams::CONGESTION_CLEAR,
        })
    }

    /// What drives through while the zone flows again, until 240 s after `from`.
    fn flow(from: f64, id: u64) -> Vec<Actor> {
        let car = |index: u64| {
            let at = from + index as f64 * 4.0;
            Actor::new(id + index, Class::Car).at(at, 0.05, 0.5).at(at + 6.0, 0.95, 0.5)
        };
        (0..60).map(car).collect()
    }

    #[test]
    fn a_full_lane_that_stands_is_one_incident_until_it_has_flowed_for_a_while() {
        let actors = [jam(7, 120.0), flow(130.0, 100)].concat();
        for (how, events) in every_way(&spec(), &actors) {
            assert_eq!(phases(&events), [Phase::New, Phase::End], "{how}");
            let (new, end) = (&events[0], &events[events.len() - 1]);
            // Five cars of a tenth each make 35 %; the fourth after that has stopped at 9 to 13 s.
            let began = scenario::seconds(new.started_at);
            assert!((6.0..14.0).contains(&began), "{how}: {began}");
            assert!((at(new) - began - 60.0).abs() < 1.0, "{how}: alerted after {}", at(new) - began);
            assert!((240.0..260.0).contains(&at(end)), "{how}: ended at {}", at(end));
            assert!(measured(new, "occupancy_percent") >= 35.0 && measured(new, "speed_heights_per_s") < 0.7);
            assert!(events.len() <= 8, "{how}: who is in it is no news: {}", events.len());
        }
    }

    #[test]
    fn what_is_parked_since_the_start_is_no_traffic() {
        // Half of the lane; traffic drives around it from 250 s on.
        let parked = Actor::new(1, Class::Bus).sized(0.8, 0.2).at(0.0, 0.5, 0.6).at(900.0, 0.5, 0.6);
        let actors = [vec![parked], flow(250.0, 100), flow(500.0, 200)].concat();
        for (how, events) in every_way(&spec(), &actors) {
            let end = events.last().filter(|event| event.phase == Phase::End).expect("over");
            assert!(at(end) < 300.0 + 120.0 + 10.0, "{how}: as soon as it is known to be parked: {}", at(end));
        }
    }

    #[test]
    fn a_jam_that_stands_rises_in_severity_at_once_and_never_falls() {
        for (how, events) in every_way(&spec(), &jam(7, 300.0)) {
            let severities: Vec<Severity> = events.iter().map(|event| event.severity).collect();
            assert!(severities.is_sorted(), "{how}: {severities:?}");
            assert_eq!((severities[0], severities.last()), (Severity::Warning, Some(&Severity::High)));
            let risen = events.iter().find(|event| event.severity == Severity::High).expect("rises");
            assert_eq!(risen.phase, Phase::Update);
            assert!((188.0..200.0).contains(&at(risen)), "{how}: stood for three minutes at {}", at(risen));
        }
    }

    #[test]
    fn dense_traffic_that_flows_and_a_few_that_stand_are_no_jam() {
        let dense: Vec<Actor> = (0..150)
            .map(|id| {
                let from = id as f64;
                Actor::new(id + 1, Class::Car).at(from, 0.05, 0.5).at(from + 6.0, 0.95, 0.5)
            })
            .collect();
        for actors in [dense, jam(2, 200.0)] {
            for (how, events) in every_way(&spec(), &actors) {
                assert!(events.is_empty(), "{how}: {events:#?}");
            }
        }
    }

    #[test]
    fn a_short_red_is_no_jam_and_stop_and_go_is_one() {
        for (how, events) in every_way(&spec(), &jam(7, 55.0)) {
            assert!(events.is_empty(), "{how}");
        }
        // All move up by a length every 15 s, for 3 s.
        let crawl = |index: u64| {
            let mut car = Actor::new(index + 1, Class::Car);
            let start = 0.9 - 0.1 * index as f32;
            for wave in 0_u8..12 {
                let (from, x) = (f64::from(wave) * 15.0, (start + 0.02 * f32::from(wave)).min(0.94));
                car = car.at(from, x, 0.5).at(from + 12.0, x, 0.5);
            }
            car
        };
        let actors: Vec<Actor> = (0..9).map(crawl).collect();
        for (how, events) in every_way(&spec(), &actors) {
            assert_eq!(phases(&events), [Phase::New, Phase::End], "{how}");
        }
    }

    #[test]
    fn a_jam_goes_on_over_a_restart() {
        let first = every_way(&spec(), &jam(7, 120.0)).swap_remove(0).1.swap_remove(0);
        let mut judge = scenario::judge(spec());
        judge.restore(vec![scenario::left_open(&first, true)]);
        let still = |index: u8| {
            let x = 0.85 - 0.1 * f32::from(index);
            Actor::new(u64::from(index) + 1, Class::Car).at(0.0, x, 0.5).at(60.0, x, 0.5)
        };
        let events = run(&mut judge, scenes(&(0..7).map(still).collect::<Vec<_>>(), Rate::fps(10)));
        assert!(events.iter().all(|event| event.incident_id == first.incident_id));
        assert_eq!(events.first().map(|event| (event.phase, event.revision)), Some((Phase::Update, 2)));
    }
}

mod queue_spillback {
    use super::*;

    fn spec() -> RuleSpec {
        rule(RuleParams::QueueSpillback {
            zone: lane(),
            mark: line(0.5, 1.0, 0.5, 0.0),
            gap: RuleParams::SPILLBACK_GAP,
            speed: RuleParams::STOPPED_SPEED,
            hold: RuleParams::SPILLBACK_HOLD,
        })
    }

    #[test]
    fn a_queue_that_stands_over_the_mark_is_one_incident() {
        for (how, events) in every_way(&spec(), &jam(5, 90.0)) {
            assert_eq!(phases(&events), [Phase::New, Phase::End], "{how}");
            // The fifth car stops beyond the mark at 11 s; that it stands is known a second later.
            let new = &events[0];
            assert!((41.0..44.5).contains(&at(new)), "{how}: {}", at(new));
            assert_eq!(measured(new, "chain_vehicles"), 5.0);
        }
    }

    #[test]
    fn a_queue_that_does_not_reach_the_mark_and_one_that_moves_are_none() {
        for (how, events) in every_way(&spec(), &jam(3, 90.0)) {
            assert!(events.is_empty(), "{how}");
        }
        for (how, events) in every_way(&spec(), &jam(5, 38.0)) {
            assert!(events.is_empty(), "{how}");
        }
    }

    #[test]
    fn vehicles_too_far_apart_are_no_queue() {
        let car = |id: u64, x: f32| Actor::new(id, Class::Car).at(0.0, x, 0.5).at(90.0, x, 0.5);
        for (how, events) in every_way(&spec(), &[car(1, 0.88), car(2, 0.63), car(3, 0.37), car(4, 0.12)]) {
            assert!(events.is_empty(), "{how}");
        }
    }
}

mod flow_drop {
    use super::*;

    /// With a short memory, so that the clip is short.
    fn spec() -> RuleSpec {
        rule(RuleParams::FlowDrop {
            line: line(0.5, 1.0, 0.5, 0.0),
            ratio: RuleParams::FLOW_DROP_RATIO,
            baseline: Duration::from_secs(120),
            window: Duration::from_secs(30),
            least: RuleParams::FLOW_DROP_LEAST,
        })
    }

    /// A car every `every` seconds from `from` until `until`.
    fn cars(id: u64, from: f64, until: f64, every: f64) -> Vec<Actor> {
        let count = ((until - from) / every) as u64;
        let car = |index: u64| {
            let at = from + index as f64 * every;
            Actor::new(id + index, Class::Car).at(at, 0.3, 0.5).at(at + 2.0, 0.7, 0.5)
        };
        (0..count).map(car).collect()
    }

    #[test]
    fn a_flow_that_falls_to_a_quarter_is_found_and_ends_when_that_is_usual() {
        let actors = [cars(1, 0.0, 200.0, 2.0), cars(1000, 200.0, 480.0, 8.0)].concat();
        for (how, events) in every_way(&spec(), &actors) {
            assert_eq!(phases(&events), [Phase::New, Phase::End], "{how}");
            assert!((200.0..235.0).contains(&at(&events[0])), "{how}: {}", at(&events[0]));
            assert!(measured(&events[0], "flow_percent") < 50.0);
            assert!(at(&events[events.len() - 1]) < 400.0, "{how}");
        }
    }

    #[test]
    fn a_quiet_road_that_falls_silent_and_a_steady_one_say_nothing() {
        for actors in [cars(1, 0.0, 200.0, 6.0), cars(1, 0.0, 400.0, 2.0)] {
            for (how, mut events) in every_way(&spec(), &actors) {
                // The clip's own end is a drop.
                events.retain(|event| at(event) < 400.0);
                assert!(events.is_empty(), "{how}: {events:#?}");
            }
        }
    }
}

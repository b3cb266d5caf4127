//! A camera that finds too much tells a bounded number of incidents and an honest count of the rest; what belongs together
//! is one incident.

mod scenario;

use std::collections::BTreeMap;
use std::time::Duration;

use analytics::core::Judge;
use analytics::finding::{RuleInfo, Shape};
use analytics::incident::{Found, IncidentParams, Incidents};
use analytics::rules::{RuleParams, RuleSpec};
use analytics::{
    Class, Event, Finding, Kind, MediaTime, Phase, Point, RuleId, Scene, Segment, Severity, Subject, TrackId, Zone,
    ZoneKind,
};
use proptest::prelude::*;
use scenario::{Actor, RATES, measured, phases, rule, run, scenes, zone};

fn info(severity: Severity) -> RuleInfo {
    RuleInfo {
        id: RuleId::new("rule").expect("id"),
        kind: Kind::Intrusion,
        severity,
        cooldown: Duration::ZERO,
        zone: None,
        line: None,
        thresholds: vec![],
    }
}

fn finding(track: u64, shape: Shape) -> Finding {
    let (subject, tracks) = (Subject::Track(TrackId(track)), vec![TrackId(track)]);
    Finding { subject, shape, tracks, direction: None, severity: None, measured: vec![] }
}

fn scene(now: MediaTime, seq: u64) -> Scene {
    Scene::new(scenario::stamp(now, seq), 1.5, vec![], vec![])
}

/// Ten minutes in which a new thing is found every 60 ms, for as long as `lasts` scenes.
fn storm(severity: Severity, shape: fn(MediaTime) -> Shape, lasts: u64) -> Vec<Event> {
    let (info, mut events) = (info(severity), Vec::new());
    let mut incidents = Incidents::new(IncidentParams::default(), 7);
    for seq in 0..10_000_u64 {
        let now = MediaTime::from_nanos(seq * 60_000_000);
        let findings = (seq.saturating_sub(lasts - 1)..=seq).map(|track| finding(track, shape(now))).collect();
        events.extend(
            incidents.update(&scene(now, seq + 1), &[Found { rule: &info, armed: true, judged: true, findings }]),
        );
    }
    events.extend(incidents.finish());
    events
}

fn opened(events: &[Event]) -> usize {
    events.iter().filter(|event| event.phase == Phase::New).count()
}

#[test]
fn a_storm_of_a_thousand_a_minute_opens_twenty_and_counts_the_rest() {
    for (shape, lasts) in [((|_| Shape::Pulse) as fn(MediaTime) -> Shape, 1), (|since| Shape::Level { since }, 3)] {
        let events = storm(Severity::High, shape, lasts);
        assert!((200..=211).contains(&opened(&events)), "{}", opened(&events));
        let suppressed: u64 = events.iter().map(|event| u64::from(event.suppressed)).sum();
        let told = suppressed + opened(&events) as u64;
        // What the last seconds withheld waits for the next event.
        assert!((9_900..=10_000).contains(&told), "{told} of 10000");
    }
}

#[test]
fn what_a_storm_withheld_is_told_though_nothing_follows() {
    let info = info(Severity::High);
    let mut incidents = Incidents::new(IncidentParams::default(), 7);
    let (mut told, mut by_itself) = (0, 0);
    for seq in 0..1_000_u64 {
        let now = MediaTime::from_nanos(seq * 200_000_000);
        // A hundred in the first ten seconds, then silence.
        let pulse = |track| finding(track, Shape::Pulse);
        let findings = if seq < 50 { vec![pulse(2 * seq), pulse(2 * seq + 1)] } else { vec![] };
        let events =
            incidents.update(&scene(now, seq + 1), &[Found { rule: &info, armed: true, judged: true, findings }]);
        told += events.iter().map(|event| 1 + event.suppressed).sum::<u32>();
        let withheld = incidents.take_withheld();
        assert!(withheld.is_empty() || now.as_secs_f64() >= 60.0, "an event might still tell it");
        by_itself += withheld.iter().map(|withheld| withheld.count).sum::<u32>();
    }
    assert_eq!(told + by_itself, 100);
    assert!(by_itself > 0);
}

#[test]
fn what_a_storm_withheld_is_told_when_the_clip_ends() {
    let info = info(Severity::High);
    let mut incidents = Incidents::new(IncidentParams::default(), 7);
    let mut events = Vec::new();
    for seq in 0..50_u64 {
        let scene = scene(MediaTime::from_nanos(seq * 200_000_000), seq + 1);
        let findings = vec![finding(2 * seq, Shape::Pulse), finding(2 * seq + 1, Shape::Pulse)];
        events.extend(incidents.update(&scene, &[Found { rule: &info, armed: true, judged: true, findings }]));
    }
    assert!(incidents.take_withheld().is_empty());
    events.extend(incidents.finish());
    let withheld = incidents.take_withheld();
    let told: u32 = events.iter().map(|event| 1 + event.suppressed).sum();
    assert_eq!(told + withheld.iter().map(|withheld| withheld.count).sum::<u32>(), 100);
    assert!(withheld.iter().all(|withheld| withheld.count > 0 && events.iter().all(|event| event.id != withheld.id)));
    assert!(incidents.finish().is_empty() && incidents.take_withheld().is_empty(), "once");
}

#[test]
fn what_is_critical_is_told_however_much_there_is() {
    let events = storm(Severity::Critical, |_| Shape::Pulse, 1);
    assert_eq!(opened(&events), 10_000);
}

#[test]
fn what_lasts_is_told_when_the_storm_leaves_room() {
    let info = info(Severity::High);
    let mut incidents = Incidents::new(IncidentParams::default(), 7);
    let mut told = Vec::new();
    for seq in 0..600_u64 {
        let now = MediaTime::from_nanos(seq * 200_000_000);
        let findings = (0..40).map(|track| finding(track, Shape::Level { since: MediaTime::ZERO })).collect();
        let events =
            incidents.update(&scene(now, seq + 1), &[Found { rule: &info, armed: true, judged: true, findings }]);
        told.extend(events.into_iter().filter(|event| event.phase == Phase::New));
    }
    assert_eq!(told.len(), 40, "each in its turn");
    assert!(told[10..].is_sorted_by_key(|event| event.stamp.pts));
    let last = told[39].stamp.pts.as_secs_f64();
    assert!((88.0..93.0).contains(&last), "thirty at three seconds each: {last}");
}

fn lane() -> Zone {
    let heading = Segment::new(Point::new(0.1, 0.5), Point::new(0.9, 0.5)).expect("segment");
    Zone { heading: Some(heading), ..zone(ZoneKind::Lane, 0.1, 0.3, 0.9, 0.7) }
}

fn stopped(zone: Zone) -> RuleSpec {
    let params = RuleParams::StoppedVehicle {
        bays: vec![],
        signal: None,
        at_start: None,
        zone,
        speed: RuleParams::STOPPED_SPEED,
        travel: RuleParams::STOPPED_TRAVEL,
        hold: Duration::from_secs(10),
    };
    RuleSpec { id: RuleId::new("stopped").expect("id"), ..rule(params) }
}

/// A car that drives up from the left and stands at `x` until `until`.
fn stops(id: u64, from: f64, x: f32, until: f64) -> Actor {
    stops_at(id, from, (x, 0.5), until)
}

/// The same in a lane of its own, held by nobody in the other.
fn stops_beside(id: u64, from: f64, x: f32, until: f64) -> Actor {
    stops_at(id, from, (x, 0.64), until)
}

fn stops_at(id: u64, from: f64, (x, y): (f32, f32), until: f64) -> Actor {
    Actor::new(id, Class::Car).at(from, 0.05, y).at(from + 3.0, x, y).at(until, x, y)
}

#[test]
fn two_that_stop_together_are_one_incident_and_a_third_later_is_its_own() {
    let actors = [stops(1, 0.0, 0.8, 40.0), stops_beside(2, 2.0, 0.6, 50.0)];
    for fps in RATES {
        let events = scenario::play(&stopped(lane()), &actors, fps);
        assert_eq!(phases(&events), [Phase::New, Phase::End], "at {fps} fps");
        assert!(events.iter().any(|event| event.tracks.len() == 2), "with both");
        let ended = scenario::seconds(events[events.len() - 1].ended_at.expect("ended"));
        assert!((ended - 50.0).abs() < 0.5, "with the last of them: {ended}");
        let later = [stops(1, 0.0, 0.8, 60.0), stops_beside(2, 20.0, 0.6, 60.0)];
        let events = scenario::play(&stopped(lane()), &later, fps);
        assert_eq!(opened(&events), 2, "at {fps} fps");
    }
}

#[test]
fn a_jam_absorbs_the_vehicles_that_stand_in_it_and_says_how_many() {
    let jam = RuleParams::Congestion {
        zone: lane(),
        occupancy: 0.25,
        speed: RuleParams::CONGESTION_SPEED,
        hold: Duration::from_secs(10),
        clear: Duration::from_secs(10),
    };
    let jam = RuleSpec { id: RuleId::new("jam").expect("id"), ..rule(jam) };
    // The part of the lane where few stand: they would be stopped vehicles there.
    let part = Zone { id: analytics::ZoneId::new("part").expect("id"), ..zone(ZoneKind::Lane, 0.1, 0.3, 0.45, 0.7) };
    let mut actors: Vec<Actor> = (0..5).map(|i| stops(i + 1, i as f64 * 2.0, 0.85 - 0.1 * i as f32, 200.0)).collect();
    actors.push(stops_beside(9, 40.0, 0.3, 200.0));
    for fps in RATES {
        let alone = scenario::play(&stopped(part.clone()), &actors, fps);
        assert_eq!(opened(&alone), 1, "at {fps} fps without a jam");
        let mut judge = Judge::new(vec![stopped(part.clone()), jam.clone()], IncidentParams::default(), 7);
        let mut events = run(&mut judge, scenes(&actors, fps));
        events.extend(judge.finish());
        let of = |kind| events.iter().filter(|event| event.rule.kind == kind).cloned().collect::<Vec<_>>();
        let (jams, stops) = (of(Kind::Congestion), of(Kind::StoppedVehicle));
        assert_eq!(opened(&jams), 1);
        assert_eq!(opened(&stops), 0, "at {fps} fps: it stands in the jam");
        let last = jams.last().expect("ended");
        assert_eq!(measured(last, "absorbed_stopped_vehicle"), 1.0, "at {fps} fps");
    }
}

#[test]
fn a_jam_that_flows_and_only_waits_to_be_over_absorbs_nobody() {
    let jam = RuleParams::Congestion {
        zone: lane(),
        occupancy: 0.25,
        speed: RuleParams::CONGESTION_SPEED,
        hold: Duration::from_secs(10),
        clear: Duration::from_secs(60),
    };
    let jam = RuleSpec { id: RuleId::new("jam").expect("id"), ..rule(jam) };
    let leaves = |actor: Actor, from: f64| actor.at(from, 0.95, 0.5);
    let mut actors: Vec<Actor> =
        (0..5).map(|i| leaves(stops(i + 1, i as f64 * 2.0, 0.85 - 0.1 * i as f32, 60.0), 63.0)).collect();
    actors.push(leaves(stops(9, 85.0, 0.5, 110.0), 112.0));
    for fps in RATES {
        let mut judge = Judge::new(vec![stopped(lane()), jam.clone()], IncidentParams::default(), 7);
        let mut events = run(&mut judge, scenes(&actors, fps));
        events.extend(judge.finish());
        let jam_ends = events.iter().find(|event| event.rule.kind == Kind::Congestion && event.phase == Phase::End);
        let late = |event: &&Event| event.rule.kind == Kind::StoppedVehicle && event.tracks[0].track_id.0 == 9;
        let stop = events.iter().find(late).expect("found");
        let jam_ends = jam_ends.expect("over").stamp.pts;
        assert!(stop.stamp.pts < jam_ends, "at {fps} fps: while the jam waits to be over");
        assert!((97.5..99.5).contains(&stop.stamp.pts.as_secs_f64()), "at {fps} fps: {:?}", stop.stamp.pts);
    }
}

proptest! {
    /// Of vehicles that stop, start and jam as they like: whatever is bundled or withheld, every incident keeps its order.
    #[test]
    fn bundling_and_withholding_keep_every_incident_in_order(
        clip in prop::collection::vec((0u8..64, prop::bool::ANY, 1u64..4000), 1..80),
        burst in 1u8..6,
    ) {
        let spec = |id: &str, params| RuleSpec { id: RuleId::new(id).expect("id"), ..rule(params) };
        let jam = spec("jam", RuleParams::Congestion {
            zone: lane(),
            occupancy: 0.3,
            speed: RuleParams::CONGESTION_SPEED,
            hold: Duration::ZERO,
            clear: Duration::ZERO,
        });
        let specs = [jam, stopped(lane())];
        let mut params = IncidentParams::default();
        params.storm.alerts.burst = f64::from(burst);
        let mut incidents =
            Incidents::new(params, 3).bundling(analytics::incident::Bundles::of(&specs));
        let infos = specs.map(|spec| RuleInfo { id: spec.id.clone(), kind: spec.params.kind(), ..info(spec.severity) });
        let (mut now, mut events) = (MediaTime::ZERO, Vec::new());
        for (seq, (standing, jams, gap)) in clip.into_iter().enumerate() {
            now = now + Duration::from_millis(gap);
            let level = Shape::Level { since: now };
            let stops = (0..6).filter(|track| standing & (1 << track) != 0).map(|track| finding(track, level)).collect();
            let jam = jams.then(|| Finding { subject: Subject::Zone, ..finding(9, level) });
            let found = [
                Found { rule: &infos[0], armed: true, judged: true, findings: jam.into_iter().collect() },
                Found { rule: &infos[1], armed: true, judged: true, findings: stops },
            ];
            events.extend(incidents.update(&scene(now, seq as u64 + 1), &found));
        }
        events.extend(incidents.finish());
        let mut of_incident: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
        for event in &events {
            of_incident.entry(event.incident_id).or_default().push(event);
        }
        for events in of_incident.values() {
            prop_assert!(events.iter().zip(1..).all(|(event, revision)| event.revision == revision));
            prop_assert!(events.iter().enumerate().all(|(i, event)| (event.phase == Phase::New) == (i == 0)));
            let ends = events.iter().filter(|event| event.phase == Phase::End).count();
            prop_assert_eq!((ends, events[events.len() - 1].phase), (1, Phase::End));
        }
        let minutes = now.as_secs_f64() / 60.0;
        let allowed = 2.0 * (f64::from(burst) + 20.0 * minutes) + 1.0;
        prop_assert!((of_incident.len() as f64) <= allowed);
        prop_assert!(infos.iter().all(|info| incidents.open(&info.id).is_empty()));
    }
}

//! What becomes of findings: ids, cooldown, restart, the end of a clip; and what holds for any findings whatever.

mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use analytics::core::Judge;
use analytics::finding::{RuleInfo, Shape};
use analytics::incident::{Found, IncidentParams, Incidents};
use analytics::rules::{RuleParams, RuleSpec};
use analytics::{
    Class, Direction, Event, Finding, Kind, MediaTime, Phase, RuleId, Scene, Severity, Subject, TrackId, ZoneKind,
};
use proptest::prelude::*;
use scenario::{
    Actor, RATES, Rate, judge, left_open, play, rule, run, scenes, scenes_lost_for, seconds, stopped_in, wall, zone,
};

fn intrusion(hold: f64) -> RuleSpec {
    let zone = zone(ZoneKind::Restricted, 0.4, 0.1, 0.9, 0.9);
    rule(RuleParams::Intrusion { zone, hold: Duration::from_secs_f64(hold) })
}

fn stopped() -> RuleSpec {
    rule(stopped_in(zone(ZoneKind::Lane, 0.3, 0.2, 0.9, 0.9)))
}

fn standing(id: u64, y: f32, from: f64, until: f64) -> Actor {
    Actor::new(id, Class::Person).at(from, 0.6, y).at(until, 0.6, y)
}

fn revisions(events: &[Event]) -> Vec<(Phase, u32)> {
    events.iter().map(|event| (event.phase, event.revision)).collect()
}

mod events {
    use super::*;

    #[test]
    fn an_incident_that_grows_graver_is_told_at_once_and_stays_so() {
        let info = RuleInfo { kind: Kind::Crowding, ..info("rule", 0) };
        let mut incidents = Incidents::new(IncidentParams::default(), 3);
        let found_as = |severity| Finding {
            subject: Subject::Zone,
            shape: Shape::Level { since: MediaTime::ZERO },
            tracks: vec![],
            direction: None,
            severity,
            measured: vec![],
        };
        let said = [Some(Severity::Info), Some(Severity::High), Some(Severity::Info), None];
        let mut events = Vec::new();
        for (seq, severity) in (0..).zip(said) {
            let scene = Scene::new(scenario::stamp(MediaTime::from_nanos(seq * 200_000_000), seq), 1.0, vec![], vec![]);
            let found = Found { rule: &info, armed: true, judged: true, findings: vec![found_as(severity)] };
            events.extend(incidents.update(&scene, &[found]));
        }
        events.extend(incidents.finish());
        let told: Vec<_> = events.iter().map(|event| (event.phase, event.severity)).collect();
        let high = Severity::High;
        assert_eq!(told, [(Phase::New, Severity::Info), (Phase::Update, high), (Phase::End, high)]);
    }

    #[test]
    fn a_lasting_incident_is_updated_now_and_then() {
        let events = play(&intrusion(1.0), &[standing(1, 0.5, 0.0, 70.0)], Rate::fps(5));
        assert_eq!(revisions(&events), [(Phase::New, 1), (Phase::Update, 2), (Phase::Update, 3), (Phase::End, 4)]);
        let times: Vec<f64> = events.iter().map(|event| event.stamp.pts.as_secs_f64()).collect();
        assert!((times[1] - times[0] - 30.0).abs() < 0.3 && (times[2] - times[1] - 30.0).abs() < 0.3, "{times:?}");
        let never = IncidentParams { update_every: Duration::ZERO, ..IncidentParams::default() };
        let events =
            run(&mut Judge::new(vec![intrusion(1.0)], never, 7), scenes(&[standing(1, 0.5, 0.0, 70.0)], Rate::fps(5)));
        assert_eq!(revisions(&events), [(Phase::New, 1), (Phase::End, 2)]);
    }

    #[test]
    fn an_incident_lasts_as_long_as_it_lasted_however_the_clock_is_set_meanwhile() {
        let actors = [standing(1, 0.5, 0.0, 40.0)];
        for fps in RATES {
            let straight = play(&intrusion(1.0), &actors, fps);
            let ended = straight.last().and_then(|event| event.ended_at).expect("it ends");
            // An hour and a day either way, back to 1970, and from there to now.
            for step_s in [3600, -3600, 86_400, -86_400, -1_795_305_600, 1_795_305_600] {
                let step = Duration::from_secs(i64::unsigned_abs(step_s));
                let mut scenes = scenes(&actors, fps);
                for scene in scenes.iter_mut().filter(|scene| scene.stamp.pts.as_secs_f64() > 20.0) {
                    let at = scene.stamp.captured_at;
                    scene.stamp.captured_at = if step_s < 0 { at - step } else { at + step };
                }
                let events = run(&mut judge(intrusion(1.0)), scenes);
                let phases = |events: &[Event]| events.iter().map(|event| event.phase).collect::<Vec<_>>();
                assert_eq!(phases(&events), phases(&straight));
                let end = events.last().expect("it ends");
                assert_eq!(
                    (end.started_at, end.ended_at),
                    (straight[0].started_at, Some(ended)),
                    "{step_s} s, {fps} fps"
                );
                assert_ne!(end.stamp.captured_at, straight[straight.len() - 1].stamp.captured_at);
            }
        }
    }

    #[test]
    fn ids_are_unique_and_the_same_in_every_replay() {
        let actors = [standing(1, 0.5, 0.0, 70.0), standing(2, 0.8, 0.0, 70.0)];
        let (first, second) =
            (play(&intrusion(1.0), &actors, Rate::fps(5)), play(&intrusion(1.0), &actors, Rate::fps(5)));
        assert_eq!(first, second);
        let ids: BTreeSet<_> = first.iter().map(|event| event.id).chain(first.iter().map(|e| e.incident_id)).collect();
        assert_eq!(ids.len(), first.len() + 2);
        let other =
            run(&mut Judge::new(vec![intrusion(1.0)], IncidentParams::default(), 8), scenes(&actors, Rate::fps(5)));
        assert!(other.iter().all(|event| !ids.contains(&event.id)), "another seed, other ids");
    }

    #[test]
    fn an_event_shows_how_its_tracks_came_there() {
        let walker = Actor::new(1, Class::Person).at(0.0, 0.1, 0.5).at(20.0, 0.6, 0.5).at(60.0, 0.6, 0.5);
        let events = play(&intrusion(30.0), &[walker], Rate::fps(5));
        for event in &events {
            let path = &event.tracks[0].path;
            assert!(path.len() <= 16 && path.is_sorted_by(|a, b| a.0 < b.0));
            assert!(path.iter().all(|(at, _)| *at <= 0.0));
        }
        let path = &events[0].tracks[0].path;
        assert_eq!(path.last().expect("a path").0, 0.0, "until the event");
        assert!(path[0].1.x < 0.2, "from where it was first seen");
    }

    #[test]
    fn the_end_of_a_clip_ends_what_is_open() {
        let mut judge = judge(intrusion(1.0));
        let mut clip = scenes(&[standing(1, 0.5, 0.0, 70.0)], Rate::fps(5));
        clip.truncate(50);
        assert_eq!(revisions(&run(&mut judge, clip)), [(Phase::New, 1)]);
        let events = judge.finish();
        assert_eq!(revisions(&events), [(Phase::End, 2)]);
        assert!((seconds(events[0].ended_at.expect("ended")) - 9.8).abs() < 1e-6);
        assert!(judge.finish().is_empty());
    }

    #[test]
    fn an_incident_waits_as_long_as_the_tracker_looks_for_its_object() {
        let lost = standing(1, 0.5, 0.0, 30.0).hidden(10.0, 18.0);
        for fps in RATES {
            let patient = scenes_lost_for(std::slice::from_ref(&lost), fps, Duration::from_secs(10));
            let events = run(&mut judge(intrusion(1.0)), patient);
            assert_eq!(scenario::phases(&events), [Phase::New, Phase::End], "at {fps} fps");
            let ended = seconds(events.last().and_then(|event| event.ended_at).expect("ended"));
            assert!((ended - 30.0).abs() < 0.1 + fps.gap(), "when it was last seen, not when it was given up: {ended}");
        }
    }

    #[test]
    fn events_of_one_scene_are_ordered_by_rule_then_subject() {
        let second = RuleSpec { id: RuleId::new("a-second").expect("id"), ..intrusion(0.0) };
        let mut judge = Judge::new(vec![intrusion(0.0), second], IncidentParams::default(), 7);
        let actors = [standing(5, 0.5, 0.0, 9.0), standing(2, 0.8, 0.0, 9.0)];
        let events = run(&mut judge, scenes(&actors, Rate::fps(5)));
        let order: Vec<_> = events.iter().map(|e| (e.phase, e.rule.id.as_str(), e.tracks[0].track_id.0)).collect();
        let each = [("rule", 2), ("rule", 5), ("a-second", 2), ("a-second", 5)];
        let expected: Vec<_> = [Phase::New, Phase::End]
            .into_iter()
            .flat_map(|phase| each.map(|(rule, track)| (phase, rule, track)))
            .collect();
        assert_eq!(order, expected);
    }
}

mod cooldown {
    use super::*;

    fn spec() -> RuleSpec {
        RuleSpec { cooldown: Duration::from_secs(60), ..intrusion(1.0) }
    }

    #[test]
    fn further_incidents_are_withheld_and_counted_in_the_next_event() {
        // Places apart, so that they are different objects.
        let actors = [
            standing(1, 0.3, 0.0, 5.0),
            standing(2, 0.5, 20.0, 25.0),
            standing(3, 0.7, 30.0, 35.0),
            standing(4, 0.3, 90.0, 95.0),
        ];
        for fps in RATES {
            let events = play(&spec(), &actors, fps);
            let told: Vec<_> = events.iter().map(|e| (e.phase, e.tracks[0].track_id.0, e.suppressed)).collect();
            let (new, end) = (Phase::New, Phase::End);
            assert_eq!(told, [(new, 1, 0), (end, 1, 0), (new, 4, 2), (end, 4, 0)], "at {fps} fps");
        }
    }

    #[test]
    fn the_cooldown_never_withholds_the_rest_of_an_open_incident() {
        let events = play(&spec(), &[standing(1, 0.5, 0.0, 45.0).hidden(20.0, 22.4).renamed(22.4, 9)], Rate::fps(5));
        assert_eq!(revisions(&events), [(Phase::New, 1), (Phase::Update, 2), (Phase::End, 3)]);
    }

    #[test]
    fn what_outlasts_the_cooldown_opens_then() {
        let events = play(&spec(), &[standing(1, 0.3, 0.0, 5.0), standing(2, 0.5, 20.0, 80.0)], Rate::fps(5));
        let second = events.iter().filter(|event| event.phase == Phase::New).nth(1).expect("opens");
        assert!((second.stamp.pts.as_secs_f64() - 61.2).abs() < 0.3, "{:?}", second.stamp.pts);
        assert!((seconds(second.started_at) - 20.2).abs() < 0.3);
        assert_eq!(events.iter().map(|event| event.suppressed).sum::<u32>(), 0, "nothing was withheld in the end");
    }
}

mod restart {
    use super::*;

    /// When the second session begins, in seconds of the first one.
    const LATER: f64 = 600.0;

    /// Events of a session that takes up what `earlier` left open.
    fn after(earlier: &Event, about_zone: bool, spec: &RuleSpec, actors: &[Actor], fps: Rate) -> Vec<Event> {
        let mut judge = judge(spec.clone());
        judge.restore(vec![left_open(earlier, about_zone)]);
        let mut scenes = scenes(actors, fps);
        for scene in &mut scenes {
            scene.stamp.captured_at = scene.stamp.captured_at + Duration::from_secs_f64(LATER);
        }
        run(&mut judge, scenes)
    }

    #[test]
    fn a_stopped_vehicle_that_still_stands_is_the_same_incident() {
        let stopper = Actor::new(1, Class::Car).at(0.0, 0.4, 0.5).at(4.0, 0.6, 0.5).at(30.0, 0.6, 0.5);
        let still = Actor::new(1, Class::Car).jitter(0.05).at(0.0, 0.6, 0.5).at(60.0, 0.6, 0.5).at(62.0, 0.9, 0.5);
        for fps in RATES {
            let first = play(&stopped(), std::slice::from_ref(&stopper), fps).swap_remove(0);
            let events = after(&first, false, &stopped(), std::slice::from_ref(&still), fps);
            assert!(events.iter().all(|e| e.incident_id == first.incident_id && e.started_at == first.started_at));
            assert_eq!(events[0].phase, Phase::Update, "at {fps} fps");
            assert!(events[0].stamp.pts.as_secs_f64() < 0.4 + 2.0 * fps.gap(), "it goes on at once");
            assert_eq!(events.last().map(|event| event.phase), Some(Phase::End));
            assert!(events.iter().zip(2..).all(|(event, revision)| event.revision == revision));
            let ended = seconds(events.last().and_then(|event| event.ended_at).expect("ended")) - LATER;
            assert!((60.0 - fps.gap()..60.7 + fps.gap()).contains(&ended), "at {fps} fps: {ended}");
        }
    }

    #[test]
    fn a_vehicle_that_has_gone_ends_its_incident_when_it_was_last_known() {
        let stopper = Actor::new(1, Class::Car).at(0.0, 0.4, 0.5).at(4.0, 0.6, 0.5).at(30.0, 0.6, 0.5);
        let first = play(&stopped(), &[stopper], Rate::fps(5)).swap_remove(0);
        // Another passes by, a third is parked elsewhere.
        let others = [
            Actor::new(1, Class::Car).at(0.0, 0.3, 0.5).at(3.0, 0.9, 0.5),
            Actor::new(2, Class::Car).at(0.0, 0.8, 0.7).at(20.0, 0.8, 0.7),
        ];
        for fps in RATES {
            let events = after(&first, false, &stopped(), &others, fps);
            assert_eq!(revisions(&events), [(Phase::End, 2)], "at {fps} fps");
            assert!((events[0].stamp.pts.as_secs_f64() - 3.0).abs() < 0.3);
            assert_eq!(events[0].ended_at, Some(first.stamp.captured_at));
            assert_eq!(events[0].started_at, first.started_at);
        }
    }

    #[test]
    fn a_crowd_goes_on_without_another_hold() {
        let spec = rule(RuleParams::Crowding {
            zone: zone(ZoneKind::Area, 0.2, 0.2, 0.9, 0.9),
            count: 3,
            hold: Duration::from_secs(10),
        });
        let crowd: Vec<Actor> = (1..4u8)
            .map(|i| {
                Actor::new(u64::from(i), Class::Person).at(0.0, 0.2 * f32::from(i), 0.5).at(
                    20.0,
                    0.2 * f32::from(i),
                    0.5,
                )
            })
            .collect();
        for fps in RATES {
            let first = play(&spec, &crowd, fps).swap_remove(0);
            let events = after(&first, true, &spec, &crowd, fps);
            assert_eq!(revisions(&events), [(Phase::Update, 2), (Phase::End, 3)], "at {fps} fps");
        }
    }

    #[test]
    fn loiterers_and_intruders_go_on_and_new_ones_open() {
        let spec = intrusion(5.0);
        let first = play(&spec, &[standing(1, 0.5, 0.0, 20.0)], Rate::fps(5)).swap_remove(0);
        for fps in RATES {
            let there = [standing(1, 0.8, 0.0, 20.0), standing(2, 0.52, 0.0, 20.0)];
            let events = after(&first, false, &spec, &there, fps);
            let of_first: Vec<Event> = events.iter().filter(|e| e.incident_id == first.incident_id).cloned().collect();
            assert_eq!(revisions(&of_first), [(Phase::Update, 2), (Phase::End, 3)], "at {fps} fps");
            assert_eq!(of_first[0].tracks[0].track_id, TrackId(2));
            assert_eq!(events.len(), 4, "and one of its own for the other");
        }
    }

    #[test]
    fn the_incident_of_a_rule_that_is_gone_ends_at_the_first_scene() {
        let first = play(&intrusion(1.0), &[standing(1, 0.5, 0.0, 20.0)], Rate::fps(5)).swap_remove(0);
        let other = RuleSpec { id: RuleId::new("other").expect("id"), ..intrusion(1.0) };
        let events = after(&first, false, &other, &[standing(1, 0.5, 0.0, 20.0)], Rate::fps(5));
        assert_eq!(revisions(&events)[0], (Phase::End, 2));
        assert_eq!((events[0].rule.clone(), events[0].stamp.seq), (first.rule, 1));
        assert_eq!(revisions(&events)[1], (Phase::New, 1));
    }

    #[test]
    fn a_clock_that_was_set_back_in_between_undoes_nothing_of_what_lasted() {
        let first = play(&intrusion(1.0), &[standing(1, 0.5, 0.0, 20.0)], Rate::fps(5)).swap_remove(0);
        let mut judge = judge(intrusion(1.0));
        let (began, known) = (wall(1e6), wall(1e6 + 30.0));
        let open =
            analytics::incident::OpenIncident { started_at: began, last_event_at: known, ..left_open(&first, false) };
        judge.restore(vec![open]);
        let events = run(&mut judge, scenes(&[standing(1, 0.5, 0.0, 20.0)], Rate::fps(5)));
        let end = events.last().expect("it ends");
        assert_eq!((end.phase, end.started_at), (Phase::End, began));
        // What was known before, and what this session saw of it.
        let lasted = seconds(end.ended_at.expect("ended")) - seconds(began);
        assert!((49.5..=51.0).contains(&lasted), "{lasted} s");
    }
}

/// What a wild rule says of one scene: of each of five subjects nothing, a level or a pulse.
type Said = [u8; 5];

fn info(id: &str, cooldown: u64) -> RuleInfo {
    RuleInfo {
        id: RuleId::new(id).expect("id"),
        kind: Kind::Intrusion,
        severity: Severity::High,
        cooldown: Duration::from_secs(cooldown),
        zone: None,
        line: None,
        thresholds: vec![],
    }
}

fn said(scene: &Scene, said: Said) -> Vec<Finding> {
    let about = |(i, word): (usize, u8)| {
        let (subject, tracks) = match i {
            0 => (Subject::Zone, vec![TrackId(1), TrackId(3)]),
            _ => (Subject::Track(TrackId(i as u64)), vec![TrackId(i as u64)]),
        };
        let (shape, direction) = match word {
            0..4 => (Shape::Level { since: scene.stamp.pts }, None),
            4 => (Shape::Pulse, Some(Direction::LeftToRight)),
            _ => return None,
        };
        let severity = [None, Some(Severity::Info), Some(Severity::Critical)][usize::from(word) % 3];
        let measured = vec![("n", f64::from(word))];
        Some(Finding { subject, shape, tracks, direction, severity, measured })
    };
    said.into_iter().enumerate().filter_map(about).collect()
}

proptest! {
    #[test]
    fn whatever_is_found_each_incident_has_one_beginning_ascending_revisions_and_one_end(
        clip in prop::collection::vec((prop::array::uniform5(0u8..12), prop::array::uniform5(0u8..12), 1u64..4000, prop::bool::weighted(0.9)), 1..60),
        cooldown in 0u64..20,
        restored in 0usize..3,
    ) {
        let infos = [info("first", cooldown), info("second", 0)];
        let mut incidents = Incidents::new(IncidentParams::default(), 3);
        let actors: Vec<Actor> = (1..5u8).map(|i| standing(u64::from(i), 0.2 * f32::from(i), 0.0, 100.0)).collect();
        let template = &scenes(&actors, Rate::fps(1))[5];
        let mut open: BTreeMap<_, u32> = BTreeMap::new();
        for i in 0..restored {
            let spec = RuleSpec { id: RuleId::new("second").expect("id"), ..intrusion(0.0) };
            let mut earlier = play(&spec, &actors[i..=i], Rate::fps(5)).swap_remove(0);
            earlier.incident_id = uuid::Uuid::from_u128(i as u128);
            incidents.restore(vec![left_open(&earlier, false)]);
            open.insert(earlier.incident_id, earlier.revision);
        }
        let (mut now, mut events) = (MediaTime::ZERO, Vec::new());
        for (seq, (first, second, gap, armed)) in clip.into_iter().enumerate() {
            now = now + Duration::from_millis(gap);
            let mut scene = template.clone();
            scene.stamp = scenario::stamp(now, seq as u64 + 1);
            let second = if armed { said(&scene, second) } else { vec![] };
            let found = [
                Found { rule: &infos[0], armed: true, judged: true, findings: said(&scene, first) },
                Found { rule: &infos[1], armed, judged: true, findings: second },
            ];
            events.extend(incidents.update(&scene, &found));
            let id = &infos[1].id;
            prop_assert!(armed || incidents.open(id).is_empty(), "a rule that is not armed has no incident");
        }
        events.extend(incidents.finish());

        let mut of_incident: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
        for event in &events {
            of_incident.entry(event.incident_id).or_default().push(event);
        }
        prop_assert_eq!(events.iter().map(|event| event.id).collect::<BTreeSet<_>>().len(), events.len());
        for (id, events) in &of_incident {
            let before = open.get(id).copied().unwrap_or(0);
            prop_assert!(events.iter().zip(before + 1..).all(|(event, revision)| event.revision == revision));
            let is_first = |i: usize| i == 0 && before == 0;
            prop_assert!(events.iter().enumerate().all(|(i, event)| (event.phase == Phase::New) == is_first(i)));
            prop_assert!(events.is_sorted_by_key(|event| event.severity), "severity never falls");
            let ends = events.iter().filter(|event| event.ended_at.is_some()).count();
            prop_assert_eq!(ends, 1);
            let last = events[events.len() - 1];
            prop_assert!(last.ended_at.is_some_and(|ended| ended >= last.started_at));
            prop_assert_eq!(last.phase == Phase::End, last.direction.is_none());
        }
        // Level incidents of one rule and subject never overlap.
        let mut lasting = BTreeSet::new();
        for event in events.iter().filter(|event| event.direction.is_none() && !open.contains_key(&event.incident_id)) {
            let subject = (event.rule.id.clone(), event.tracks.iter().map(|track| track.track_id).collect::<Vec<_>>());
            match event.phase {
                Phase::New => prop_assert!(lasting.insert(subject)),
                Phase::Update => prop_assert!(lasting.contains(&subject)),
                Phase::End => prop_assert!(lasting.remove(&subject)),
            }
        }
        prop_assert!(incidents.open(&infos[0].id).is_empty() && incidents.open(&infos[1].id).is_empty());
    }
}

//! Rules for which too little is seen, and those for which key frames are enough.

mod scenario;

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::track::TrackerParams;
use analytics::{
    BBox, Class, ClassSet, Confidence, Core, Detection, Event, Kind, LocalTime, Look, MediaTime, Phase, ZoneKind,
};
use scenario::{Actor, Rate, judge, phases, rule, run, scenes, seconds, stamp, zone};

fn intrusion() -> RuleSpec {
    let zone = zone(ZoneKind::Area, 0.3, 0.4, 0.9, 0.9);
    let classes: ClassSet = [Class::Car].into_iter().collect();
    RuleSpec { classes, ..rule(RuleParams::Intrusion { zone, hold: RuleParams::INTRUSION_HOLD }) }
}

#[test]
fn a_rule_that_is_suspended_ends_its_incident_and_finds_nothing() {
    let stays = Actor::new(1, Class::Car).at(0.0, 0.5, 0.5).at(60.0, 0.5, 0.5);
    let mut scenes = scenes(&[stays], Rate::fps(5));
    let later = scenes.split_off(100);
    let mut judge = judge(intrusion());
    assert_eq!(phases(&run(&mut judge, scenes)), [Phase::New]);
    judge.judge_only(|kind| kind != Kind::Intrusion);
    let mut later = later.into_iter();
    let events = run(&mut judge, later.by_ref().take(100).collect());
    assert_eq!(phases(&events), [Phase::End]);
    judge.judge_only(|_| true);
    let events = run(&mut judge, later.collect());
    assert_eq!(phases(&events), [Phase::New], "it still stands there");
    assert!(seconds(events[0].started_at) >= 40.0, "what was not judged is not claimed");
}

/// A car that stands from the first frame on, through the tracker, at a frame every `every` seconds.
fn parked(every: u64) -> Vec<Event> {
    let params = RuleParams::IllegalParking {
        zone: zone(ZoneKind::Area, 0.3, 0.4, 0.9, 0.9),
        speed: RuleParams::STOPPED_SPEED,
        hold: RuleParams::PARKING_HOLD,
    };
    let mut core = Core::new(CoreParams {
        tracker: TrackerParams::default(),
        rules: vec![rule(params)],
        incidents: IncidentParams::default(),
        ground: None,
        signals: Vec::new(),
        id_seed: 1,
    });
    let mut events = Vec::new();
    for at in (0..400).step_by(every as usize) {
        let sway = if at % 3 == 0 { 0.002 } else { 0.0 };
        let bbox = BBox::new(0.5 + sway, 0.5, 0.6 + sway, 0.6).expect("a box");
        let car = Detection { bbox, class: Class::Car, confidence: Confidence::new(0.9).expect("a share") };
        let detections = &[car];
        let stamp = stamp(MediaTime::from_nanos(at * 1_000_000_000), at);
        let local = LocalTime::MONDAY;
        let look = Look { stamp, local, aspect: 1.5, detections, view: None, lamps: &[] };
        events.extend(core.step(look).1);
    }
    events
}

#[test]
fn key_frames_are_enough_for_what_stands() {
    for every in [1, 2, 4] {
        let events = parked(every);
        assert_eq!(phases(&events).first(), Some(&Phase::New), "every {every} s: {events:#?}");
        assert_eq!(phases(&events).iter().filter(|phase| **phase == Phase::New).count(), 1, "every {every} s");
    }
}

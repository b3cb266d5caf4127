//! A camera's stream and posture: frames that stop, that come too seldom, and zones of a camera that was moved.

mod painted;

use std::time::Duration;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::view::{Lamp, Lamps};
use analytics::{
    Anchor, BBox, CameraClock, CameraId, Class, Confidence, Core, Detection, Event, FrameStamp, Idle, Kind, LocalTime,
    Look, MediaTime, Outage, OutageCause, Phase, Point, Polygon, RuleId, Severity, SignalId, SignalState, WallTime,
    Zone, ZoneId, ZoneKind,
};
use painted::{Film, RATES, core_with};

const START: WallTime = WallTime::from_unix_nanos(1_000_000_000_000);

fn zone() -> Zone {
    let p = Point::new;
    Zone {
        id: ZoneId::new("yard").expect("id"),
        kind: ZoneKind::Restricted,
        polygon: Polygon::new(vec![p(0.40, 0.40), p(0.60, 0.40), p(0.60, 0.60), p(0.40, 0.60)]).expect("simple"),
        heading: None,
        anchor: Anchor::BottomCenter,
    }
}

fn intrusion() -> RuleSpec {
    RuleSpec {
        id: RuleId::new("intrusion").expect("id"),
        severity: Severity::High,
        cooldown: Duration::ZERO,
        classes: [Class::Person].into_iter().collect(),
        include_riders: false,
        schedule: None,
        params: RuleParams::Intrusion { zone: zone(), hold: Duration::from_secs(1) },
    }
}

/// A person whose feet are at this place.
fn person(x: f32, y: f32) -> Detection {
    Detection {
        bbox: BBox::new(x - 0.02, y - 0.15, x + 0.02, y).expect("box"),
        class: Class::Person,
        confidence: Confidence::new(0.9).expect("in range"),
    }
}

fn stamp(seq: u64, seconds: f64, since_start: f64) -> FrameStamp {
    FrameStamp {
        camera: CameraId::new("cam").expect("id"),
        seq,
        pts: MediaTime::from_nanos((seconds * 1e9) as u64),
        captured_at: START + Duration::from_secs_f64(since_start),
    }
}

/// Steps a core through `seconds` of frames from media time `from`, when the clock shows `clock`.
fn frames(core: &mut Core, fps: u64, (from, clock): (f64, f64), seconds: f64) -> Vec<Event> {
    let step = |frame: u64| {
        let t = frame as f64 / fps as f64;
        let stamp = stamp(((from + t) * fps as f64) as u64 + 1, from + t, clock + t);
        let look = Look {
            stamp,
            local: LocalTime::MONDAY,
            aspect: 1.8,
            detections: &[person(0.5, 0.5)],
            view: None,
            lamps: &[],
        };
        core.step(look).1
    };
    (0..(seconds * fps as f64) as u64).flat_map(step).collect()
}

/// Every second of a silence that began when the clock showed `clock`; `pts` is what media time does in it.
fn silence(
    core: &mut Core,
    cause: Option<OutageCause>,
    clock: f64,
    seconds: u64,
    pts: impl Fn(f64) -> f64,
) -> Vec<Event> {
    let step = |second: u64| {
        let lasts = second as f64;
        let outage = cause.map(|cause| Outage { cause, lasts: Duration::from_secs(second) });
        core.idle(Idle { stamp: stamp(1, pts(lasts), clock + lasts), local: LocalTime::MONDAY, outage })
    };
    (2..seconds).flat_map(step).collect()
}

fn told(events: &[Event]) -> Vec<(Kind, Phase)> {
    let told = events.iter().map(|event| (event.rule.kind, event.phase));
    told.filter(|(_, phase)| *phase != Phase::Update).collect()
}

#[test]
fn a_camera_that_falls_silent_is_lost_until_frames_come_again_and_nothing_else_changes() {
    for fps in RATES {
        let mut core = core_with(vec![intrusion()]);
        assert_eq!(told(&frames(&mut core, fps, (0.0, 0.0), 20.0)), [(Kind::Intrusion, Phase::New)]);
        let silent = silence(&mut core, Some(OutageCause::Lost), 20.0, 60, |lasts| 20.0 + lasts - 1.0);
        assert_eq!(told(&silent), [(Kind::CameraLost, Phase::New)], "at {fps} fps");
        let new = &silent[0];
        assert_eq!(new.stamp.captured_at, START + Duration::from_secs(30), "after its hold");
        assert_eq!(new.started_at, START + Duration::from_secs(20), "and since the last frame");
        let back = frames(&mut core, fps, (80.0, 80.0), 30.0);
        let lost: Vec<_> = told(&back).into_iter().filter(|(kind, _)| *kind == Kind::CameraLost).collect();
        assert_eq!(lost, [(Kind::CameraLost, Phase::End)]);
    }
}

#[test]
fn a_short_silence_is_no_loss() {
    let mut core = core_with(vec![intrusion()]);
    frames(&mut core, 5, (0.0, 0.0), 20.0);
    assert_eq!(silence(&mut core, None, 20.0, 8, |lasts| 20.0 + lasts - 1.0), []);
    assert_eq!(silence(&mut core, Some(OutageCause::Lost), 20.0, 10, |lasts| 20.0 + lasts - 1.0), []);
    assert_eq!(told(&frames(&mut core, 5, (30.0, 30.0), 1.0)), [(Kind::Intrusion, Phase::End)]);
}

#[test]
fn a_camera_that_never_came_is_lost_and_then_there() {
    for (cause, kind) in [(OutageCause::Lost, Kind::CameraLost), (OutageCause::Unauthorised, Kind::CameraUnauthorised)]
    {
        let mut core = core_with(vec![]);
        assert_eq!(told(&silence(&mut core, Some(cause), 0.0, 3600, |_| 0.0)), [(kind, Phase::New)]);
        assert_eq!(told(&frames(&mut core, 5, (0.0, 3600.0), 10.0)), [(kind, Phase::End)]);
    }
}

#[test]
fn a_camera_that_begins_to_refuse_the_log_in_is_no_longer_merely_lost() {
    let mut core = core_with(vec![]);
    frames(&mut core, 5, (0.0, 0.0), 5.0);
    let mut events = silence(&mut core, Some(OutageCause::Lost), 5.0, 60, |lasts| 4.0 + lasts);
    events.extend(silence(&mut core, Some(OutageCause::Unauthorised), 65.0, 60, |lasts| 64.0 + lasts));
    let expected =
        [(Kind::CameraLost, Phase::New), (Kind::CameraLost, Phase::End), (Kind::CameraUnauthorised, Phase::New)];
    assert_eq!(told(&events), expected);
}

#[test]
fn far_fewer_frames_than_usual_are_a_low_rate_and_half_as_many_are_not() {
    for (fps, expected) in [(12, vec![]), (7, vec![(Kind::CameraLowRate, Phase::New)])] {
        let mut core = core_with(vec![]);
        assert_eq!(told(&frames(&mut core, 25, (0.0, 0.0), 120.0)), []);
        // Frame numbers go on.
        let step = |frame: u64| {
            let t = 120.0 + frame as f64 / fps as f64;
            let stamp = stamp(3001 + frame, t, t);
            core.step(Look { stamp, local: LocalTime::MONDAY, aspect: 1.8, detections: &[], view: None, lamps: &[] }).1
        };
        let events: Vec<Event> = (0..60 * fps).flat_map(step).collect();
        assert_eq!(told(&events), expected, "{fps} fps");
    }
}

#[test]
fn a_wrong_clock_is_found_after_its_hold_and_ends_below_its_hysteresis() {
    // Seconds ahead, from when on; the box's own clock is right within a tenth.
    let course = [(1.9, 0.0), (-2.05, 100.0), (-2.2, 200.0), (-1.7, 400.0), (-1.4, 500.0), (3600.0, 600.0)];
    let ahead = |t: f64| course.iter().rfind(|(_, from)| *from <= t).map_or(0.0, |(ahead_s, _)| *ahead_s);
    for fps in RATES {
        let mut core = core_with(vec![]);
        let step = |frame: u64| {
            let t = frame as f64 / fps as f64;
            // Nobody keeps the box's own clock right at the end.
            core.note_clock((t < 640.0).then(|| CameraClock { ahead_s: ahead(t), error_s: 0.1 }));
            let stamp = stamp(frame + 1, t, t);
            core.step(Look { stamp, local: LocalTime::MONDAY, aspect: 1.8, detections: &[], view: None, lamps: &[] }).1
        };
        let events: Vec<Event> = (0..900 * fps).flat_map(step).collect();
        assert_eq!(told(&events), [(Kind::CameraClockDrift, Phase::New), (Kind::CameraClockDrift, Phase::End)]);
        let (first, last) = (&events[0], events.last().expect("events"));
        assert_eq!(first.measured.first(), Some(&("offset_s", -2.2)));
        assert!((first.stamp.pts.as_secs_f64() - 260.0).abs() <= 2.0 / fps as f64, "at {fps} fps");
        assert!((500.0..520.0).contains(&last.stamp.pts.as_secs_f64()), "at {fps} fps");
    }
}

#[test]
fn a_signal_is_read_only_while_the_camera_looks_where_it_should() {
    let id = SignalId::new("main").expect("id");
    let lamp = |y, v| Some(Lamp { y, u: 120.0, v });
    let lamps = [(id.clone(), Lamps { red: lamp(150.0, 170.0), amber: None, green: lamp(40.0, 120.0) })];
    let film = Film::of(100.0).shift(40.0, 70.0, 0.30, 0.0);
    let shown = film.signals(5, id, &lamps);
    let at = |seconds: usize| shown[seconds * 5];
    assert_eq!((at(30), at(60), at(90)), (SignalState::Red, SignalState::Unknown, SignalState::Red));
}

/// Events but updates, with their time, of a person who stands in the zone, as the camera sees them.
fn with_person(film: &Film, fps: u64, off: impl Fn(f64) -> (f32, f32)) -> Vec<(Kind, Phase, f64)> {
    let seen = |t: f64| {
        let (dx, dy) = off(t);
        vec![person(0.42 + dx, 0.5 + dy)]
    };
    let events = film.events_with(fps, vec![intrusion()], seen);
    let told = events.into_iter().map(|(event, t)| (event.rule.kind, event.phase, t));
    told.filter(|(_, phase, _)| *phase != Phase::Update).collect()
}

#[test]
fn zones_follow_a_small_shift() {
    for fps in [5, 15, 30] {
        let film = Film::of(100.0).shift(40.0, 100.0, 0.04, 0.0);
        let stays = with_person(&film, fps, |t| if t < 40.0 { (0.0, 0.0) } else { (0.04, 0.0) });
        let kinds: Vec<_> = stays.iter().map(|(kind, phase, _)| (*kind, *phase)).collect();
        assert_eq!(kinds, [(Kind::Intrusion, Phase::New), (Kind::CameraMoved, Phase::New)], "at {fps} fps");
        // Where the zone's edge is in the picture now, nobody is inside any more.
        let film = Film::of(100.0).shift(40.0, 100.0, 0.04, 0.0);
        let out = with_person(&film, fps, |_| (0.0, 0.0));
        assert!(out.iter().any(|(kind, phase, _)| (*kind, *phase) == (Kind::Intrusion, Phase::End)), "{out:?}");
    }
}

#[test]
fn a_camera_that_looks_elsewhere_suspends_its_zones_until_it_returns() {
    for fps in [5, 15, 30] {
        let film = Film::of(140.0).shift(40.0, 90.0, 0.30, 0.0);
        let events = with_person(&film, fps, |_| (0.0, 0.0));
        let kinds: Vec<_> = events.iter().map(|(kind, phase, _)| (*kind, *phase)).collect();
        let expected = [
            (Kind::Intrusion, Phase::New),
            (Kind::CameraMoved, Phase::New),
            (Kind::Intrusion, Phase::End),
            (Kind::CameraMoved, Phase::End),
            (Kind::Intrusion, Phase::New),
        ];
        let mut sorted = kinds.clone();
        sorted.sort_by_key(|(kind, phase)| expected.iter().position(|told| *told == (*kind, *phase)));
        assert_eq!(sorted.len(), 5, "at {fps} fps: {events:?}");
        let suspended = events.iter().find(|(kind, phase, _)| (*kind, *phase) == (Kind::Intrusion, Phase::End));
        assert!(suspended.is_some_and(|(.., t)| (49.0..53.0).contains(t)), "{events:?}");
        let again = events.iter().rfind(|(kind, ..)| *kind == Kind::Intrusion).map(|(.., t)| *t);
        assert!(again.is_some_and(|t| (93.0..97.0).contains(&t)), "{events:?}");
    }
}

#[test]
fn what_a_moved_camera_did_to_its_rules_is_measured() {
    for (shift, suspended) in [(0.03, 0.0), (0.30, 1.0)] {
        let film = Film::of(80.0).shift(40.0, 80.0, shift, 0.0);
        let events = film.events_with(5, vec![], |_| vec![]);
        let moved = events.iter().find(|(event, _)| event.rule.kind == Kind::CameraMoved).expect("moved");
        assert!(moved.0.measured.contains(&("rules_suspended", suspended)), "{:?}", moved.0.measured);
        let percent = moved.0.measured.iter().find(|(name, _)| *name == "shift_percent").expect("found again").1;
        assert!((percent - shift * 100.0).abs() < 0.7, "{percent}");
    }
}

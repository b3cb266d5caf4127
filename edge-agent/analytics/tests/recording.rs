//! What is judged from recorded tracks is what was judged when they were seen.

mod scenario;

use std::time::Duration;

use analytics::core::{CoreParams, Judge};
use analytics::incident::IncidentParams;
use analytics::record::{Chunk, Playback, Recorder};
use analytics::rules::{RuleParams, RuleSpec};
use analytics::track::TrackerParams;
use analytics::view::Placement;
use analytics::{
    BBox, CameraId, Class, Confidence, Core, Detection, Direction, Event, FrameStamp, LocalTime, Look, MediaTime,
    RuleId, Scene, Signal, SignalId, SignalState, WallTime, ZoneKind,
};
use scenario::{Actor, Rate, line, rule, run, scenes, signalled, zone};

const FPS: u64 = 5;

/// Many walk over a line and a place where no one should be.
fn busy() -> Vec<Scene> {
    let walker = |id: u64| {
        let y = 0.3 + 0.05 * (id % 10) as f32;
        let begins = 0.7 * id as f64;
        Actor::new(id, Class::Person)
            .at(begins, 0.02, y)
            .at(begins + 12.0, 0.98, y + 0.1)
            .hidden(begins + 4.0, begins + 4.7)
    };
    scenes(&(1..60).map(walker).collect::<Vec<_>>(), Rate::fps(FPS))
}

fn rules() -> Vec<RuleSpec> {
    let crossing = RuleParams::LineCrossing { line: line(0.5, 0.0, 0.5, 1.0), hysteresis: RuleParams::HYSTERESIS };
    let zone = zone(ZoneKind::Restricted, 0.6, 0.2, 0.9, 1.0);
    let intrusion = RuleParams::Intrusion { zone, hold: Duration::from_secs(1) };
    [("count", crossing), ("keep-off", intrusion)]
        .map(|(id, params)| RuleSpec { id: RuleId::new(id).expect("an id"), ..rule(params) })
        .into()
}

fn judged(scenes: Vec<Scene>) -> Vec<Event> {
    let mut judge = Judge::new(rules(), IncidentParams::default(), 7);
    let mut events = run(&mut judge, scenes);
    events.extend(judge.finish());
    events
}

#[test]
fn recorded_tracks_give_the_incidents_that_were_seen() {
    let mut recorder = Recorder::new(Duration::from_secs(10));
    let mut chunks: Vec<Chunk> = busy().iter().filter_map(|scene| recorder.push(scene)).collect();
    chunks.extend(recorder.finish());
    assert!(chunks.len() > 3);
    let read = |chunk: &Chunk| {
        let scenes = Playback::new(CameraId::new("cam").expect("an id"), &chunk.bytes).expect("a beginning");
        scenes.collect::<Result<Vec<_>, _>>().expect("whole")
    };
    let (seen, again) = (judged(busy()), judged(chunks.iter().flat_map(read).collect()));
    assert!(seen.len() > 80, "{}", seen.len());
    let what = |event: &Event| {
        let tracks: Vec<_> = event.tracks.iter().map(|track| track.track_id).collect();
        (event.rule.id.clone(), event.phase, event.stamp.clone(), event.direction, tracks)
    };
    assert_eq!(seen.iter().map(what).collect::<Vec<_>>(), again.iter().map(what).collect::<Vec<_>>());
}

#[test]
fn a_red_light_is_judged_again_and_a_suspended_camera_is_not_judged() {
    let spec = || {
        rule(RuleParams::RedLight {
            line: line(0.2, 0.5, 0.8, 0.5),
            direction: Direction::RightToLeft,
            signal: SignalId::new("north").expect("an id"),
            grace: RuleParams::RED_GRACE,
            hysteresis: RuleParams::RED_HYSTERESIS,
        })
    };
    let passer = |id: u64, at: f64| Actor::new(id, Class::Car).at(at - 3.0, 0.5, 0.95).at(at + 3.0, 0.5, 0.05);
    // The first passes at green, the second at red, the third at red while the camera looks elsewhere.
    let shown = |seconds: f64| match seconds {
        s if s < 10.0 => (SignalState::Green, 0.0),
        _ => (SignalState::Red, 10.0),
    };
    let clip = scenes(&[passer(1, 5.0), passer(2, 20.0), passer(3, 40.0)], Rate::fps(FPS));
    let clip: Vec<Scene> = clip
        .into_iter()
        .map(|scene| {
            let mut scene = signalled(scene, "north", shown);
            if scene.stamp.pts.as_secs_f64() > 30.0 {
                scene.camera.placement = Placement::Lost;
            }
            scene
        })
        .collect();
    let mut recorder = Recorder::new(Duration::from_secs(10));
    let mut chunks: Vec<Chunk> = clip.iter().filter_map(|scene| recorder.push(scene)).collect();
    chunks.extend(recorder.finish());
    let read = chunks.iter().flat_map(|chunk| {
        Playback::new(CameraId::new("cam").expect("an id"), &chunk.bytes)
            .expect("a beginning")
            .map(|s| s.expect("whole"))
    });
    let judged = |scenes: Vec<Scene>| {
        let mut judge = Judge::new(vec![spec()], IncidentParams::default(), 7);
        let events = run(&mut judge, scenes);
        events.iter().map(|event| (event.stamp.clone(), event.measured[0])).collect::<Vec<_>>()
    };
    let (again, seen) = (judged(read.collect()), judged(clip));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen, again);
}

#[test]
fn what_a_core_records_is_judged_again_by_the_signal_that_it_heard() {
    let id = SignalId::new("north").expect("an id");
    let spec = rule(RuleParams::RedLight {
        line: line(0.2, 0.5, 0.8, 0.5),
        direction: Direction::RightToLeft,
        signal: id.clone(),
        grace: RuleParams::RED_GRACE,
        hysteresis: RuleParams::RED_HYSTERESIS,
    });
    let mut core = Core::new(CoreParams {
        tracker: TrackerParams::default(),
        rules: vec![spec.clone()],
        incidents: IncidentParams::default(),
        ground: None,
        signals: vec![],
        id_seed: 7,
    });
    core.record(Duration::from_secs(3));
    let (mut seen, mut chunks) = (Vec::new(), Vec::new());
    for frame in 0..50_u64 {
        let pts = MediaTime::from_nanos(frame * 200_000_000);
        let red = Signal { id: id.clone(), state: SignalState::Red, since: MediaTime::ZERO, confidence: 1.0 };
        core.hear(vec![red]);
        let bottom = 0.95 - 0.016 * frame as f32;
        let bbox = BBox::new(0.45, bottom - 0.1, 0.55, bottom).expect("a box");
        let confidence = Confidence::new(0.9).expect("a confidence");
        let detections = [Detection { bbox, class: Class::Car, confidence }];
        let captured_at = WallTime::from_unix_nanos(1_790_000_000_000_000_000) + Duration::from_nanos(pts.as_nanos());
        let stamp = FrameStamp { camera: CameraId::new("cam").expect("an id"), seq: frame + 1, pts, captured_at };
        let look =
            Look { stamp, local: LocalTime::MONDAY, aspect: 1.8, detections: &detections, view: None, lamps: &[] };
        seen.extend(core.step(look).1);
        chunks.extend(core.full_chunk());
    }
    chunks.extend(core.last_chunk());
    let read = chunks.iter().flat_map(|chunk| {
        Playback::new(CameraId::new("cam").expect("an id"), &chunk.bytes)
            .expect("a beginning")
            .map(|s| s.expect("whole"))
    });
    let mut judge = Judge::new(vec![spec], IncidentParams::default(), 9);
    let again = run(&mut judge, read.collect());
    assert_eq!(seen.len(), 1);
    let what = |events: &[Event]| events.iter().map(|event| event.stamp.clone()).collect::<Vec<_>>();
    assert_eq!(what(&again), what(&seen));
}

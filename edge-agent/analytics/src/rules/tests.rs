//! What holds for every rule.

use super::*;
use crate::class::Class;
use crate::detection::Confidence;
use crate::finding::Direction;
use crate::geometry::{BBox, Point, Polygon, Segment};
use crate::ground::{Length, Speed};
use crate::id::{CameraId, LineId, SignalId, ZoneId};
use crate::kind::Kind;
use crate::scene::TrackState;
use crate::time::{FrameStamp, WallTime};
use crate::zone::{Anchor, Line, ZoneKind};

fn every_rule() -> Vec<Box<dyn Rule>> {
    let p = Point::new;
    let polygon = Polygon::new(vec![p(0.1, 0.1), p(0.9, 0.1), p(0.9, 0.9), p(0.1, 0.9)]).expect("simple");
    let up = Segment::new(p(0.5, 0.9), p(0.5, 0.1)).expect("segment");
    let zone = Zone {
        id: ZoneId::new("zone").expect("id"),
        kind: ZoneKind::Lane,
        polygon,
        heading: Some(up),
        anchor: Anchor::BottomCenter,
    };
    let line = Line { id: LineId::new("line").expect("id"), segment: up, anchor: Anchor::BottomCenter };
    let (other, third) = (line.clone(), line.clone());
    let hold = Duration::from_secs(1);
    let mut params = vec![
        RuleParams::LineCrossing { line: line.clone(), hysteresis: 0.3 },
        RuleParams::Intrusion { zone: zone.clone(), hold },
        RuleParams::Loitering { zone: zone.clone(), dwell: hold },
        RuleParams::Crowding { zone: zone.clone(), count: 2, hold },
        RuleParams::WrongWay { zone: zone.clone(), angle_deg: 120.0, distance: Length::heights(3.0), hold },
        RuleParams::StoppedVehicle {
            zone: zone.clone(),
            bays: vec![],
            signal: None,
            speed: Speed::heights_per_s(0.1),
            travel: Length::heights(2.0),
            hold,
            at_start: None,
        },
        RuleParams::PedestrianOnCarriageway { zone: zone.clone(), crossings: vec![], hold },
        RuleParams::IllegalParking { zone: zone.clone(), speed: Speed::heights_per_s(0.1), hold },
        RuleParams::ForbiddenClass { zone: zone.clone(), hold },
        RuleParams::SlowVehicle { zone: zone.clone(), factor: 0.4, flow: 1, distance: Length::heights(2.0), hold },
        RuleParams::OverSpeed { zone: zone.clone(), limit: Speed::km_per_h(50.0), tolerance: 0.2 },
        RuleParams::ForbiddenTurn { from: Gate::Zone(zone.clone()), to: Gate::Line(other, 0.1), within: hold },
        RuleParams::RedLight {
            line: third,
            direction: Direction::LeftToRight,
            signal: SignalId::new("north").expect("id"),
            grace: hold,
            hysteresis: 0.5,
        },
        RuleParams::CollisionSuspected { zone: zone.clone(), score: 0.7, hold },
        RuleParams::RoadObstacle { zone: zone.clone(), size: Size::Share(0.02), hold },
        RuleParams::AbandonedObject {
            zone: zone.clone(),
            size: Size::Share(0.02),
            distance: Length::heights(1.5),
            hold,
        },
        RuleParams::RemovedObject { zone: zone.clone(), size: Size::Share(0.02), hold },
        RuleParams::Congestion {
            zone: zone.clone(),
            occupancy: 0.01,
            speed: Speed::heights_per_s(0.7),
            hold,
            clear: hold,
        },
        RuleParams::QueueSpillback {
            zone,
            mark: line.clone(),
            gap: Length::heights(3.0),
            speed: Speed::heights_per_s(0.1),
            hold,
        },
        RuleParams::FlowDrop { line, ratio: 0.5, baseline: hold, window: hold, least: 1.0 },
    ];
    params.extend(CameraFault::ALL.map(|fault| RuleParams::Camera { fault, hold }));
    assert_eq!(params.iter().map(RuleParams::kind).collect::<Vec<_>>(), Kind::ALL, "every kind");
    let spec = |params: RuleParams| RuleSpec {
        id: RuleId::new(params.kind().file_label()).expect("id"),
        severity: Severity::Info,
        cooldown: Duration::ZERO,
        classes: Class::ALL.into_iter().collect(),
        include_riders: false,
        schedule: None,
        params,
    };
    params.into_iter().map(|params| build(spec(params))).collect()
}

fn track(id: u64, now: MediaTime) -> Track {
    Track {
        id: TrackId(id),
        class: if id.is_multiple_of(2) { Class::Person } else { Class::Car },
        confidence: Confidence::new(0.9).expect("in range"),
        bbox: BBox::new(0.4, 0.4, 0.5, 0.5).expect("box"),
        velocity: Point::default(),
        state: TrackState::Seen,
        first_seen: now,
        last_seen: now,
        rider_of: None,
        ground: None,
        path: Vec::new(),
    }
}

fn scene(seq: u64, tracks: std::ops::Range<u64>, ended: std::ops::Range<u64>) -> Scene {
    let pts = MediaTime::from_nanos(seq * 200_000_000);
    let camera = CameraId::new("cam").expect("id");
    let stamp = FrameStamp { camera, seq, pts, captured_at: WallTime::UNIX_EPOCH };
    Scene::new(stamp, 1.5, tracks.map(|id| track(id, pts)).collect(), ended.map(TrackId).collect())
}

#[test]
fn a_million_tracks_leave_nothing_behind() {
    const ALIVE: u64 = 1000;
    let (mut rules, open) = (every_rule(), Open::new());
    for seq in 0..1000 {
        let first = seq * ALIVE + 1;
        let scene = scene(seq, first..first + ALIVE, first.saturating_sub(ALIVE)..first);
        for rule in &mut rules {
            rule.evaluate(&scene, &open, &mut Vec::new());
            assert!(rule.tracked() <= ALIVE as usize, "{} keeps the dead", rule.info().id);
        }
    }
    assert!(rules.iter().filter(|rule| rule.tracked() > 0).count() >= 6, "the tracks did leave traces");
    for rule in &mut rules {
        rule.evaluate(&scene(1000, 0..0, 999 * ALIVE + 1..1000 * ALIVE + 1), &open, &mut Vec::new());
        assert_eq!(rule.tracked(), 0, "{} keeps the dead", rule.info().id);
    }
}

#[test]
fn what_is_measured_is_named_like_the_threshold_it_is_compared_with() {
    // An open incident is found at once, so one look gives every level rule's numbers.
    let open: Open = (0..4).map(|id| Subject::Track(TrackId(id))).chain([Subject::Zone]).collect();
    for mut rule in every_rule() {
        let mut findings = Vec::new();
        for seq in 0..20 {
            rule.evaluate(&scene(seq, 1..4, 0..0), &open, &mut findings);
        }
        let names: Vec<&str> = rule.info().thresholds.iter().map(|(name, _)| *name).collect();
        for (name, _) in findings.iter().flat_map(|finding| &finding.measured) {
            assert!(names.contains(name) || (*name == "held_s" && names.contains(&"hold_s")), "{name} of {names:?}");
        }
        let of_camera = CameraFault::ALL.iter().any(|fault| fault.kind() == rule.info().kind);
        let is_still = of_camera
            || matches!(
                rule.info().kind,
                Kind::LineCrossing
                    | Kind::WrongWay
                    | Kind::SlowVehicle
                    | Kind::OverSpeed
                    | Kind::ForbiddenTurn
                    | Kind::RedLight
                    | Kind::FlowDrop
                    | Kind::RoadObstacle
                    | Kind::AbandonedObject
                    | Kind::RemovedObject
            );
        assert_eq!(
            findings.is_empty(),
            is_still,
            "{}: all stand, and nothing is known of camera and picture",
            rule.info().id
        );
    }
}

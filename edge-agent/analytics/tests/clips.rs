//! Real clips, as recorded detections: who drives the wrong way when the clip is played backwards, or when a lane is
//! declared the other way round. Detections of one picture do not know which way the clip is played.

use std::collections::BTreeMap;
use std::time::Duration;

use analytics::core::{Core, CoreParams, Look};
use analytics::incident::IncidentParams;
use analytics::rules::{RuleParams, RuleSpec};
use analytics::track::TrackerParams;
use analytics::{
    Anchor, BBox, CameraId, Class, ClassSet, Confidence, Detection, Direction, Event, FrameStamp, Kind, Length, Line,
    LineId, LocalTime, MediaTime, Phase, Point, Polygon, RuleId, Segment, WallTime, Zone, ZoneId, ZoneKind,
};

/// A clip as a detector saw it.
struct Clip {
    /// The frames that were analysed, with what was seen in each.
    frames: BTreeMap<u64, Vec<Detection>>,
    /// Frames a second of the file.
    fps: f64,
    aspect: f32,
}

/// How a clip is played.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Forward,
    Backward,
}

impl Clip {
    /// Reads what `replay --detections` wrote of a clip of this rate and size.
    fn read(text: &str, fps: f64, (width, height): (f32, f32)) -> Self {
        let mut frames: BTreeMap<u64, Vec<Detection>> = BTreeMap::new();
        for line in text.lines() {
            if let Some(analysed) = line.strip_prefix("# analysed_frames: ") {
                frames.extend(analysed.split(',').map(|frame| (frame.parse().expect("a number"), Vec::new())));
            } else if !line.starts_with('#') {
                let numbers: Vec<f32> = line.split(',').map(|field| field.parse().expect("a number")).collect();
                let &[frame, _, left, top, w, h, confidence, class, ..] = numbers.as_slice() else { panic!("{line}") };
                let [right, bottom] = [(left + w) / width, (top + h) / height].map(|edge| edge.min(1.0));
                frames.get_mut(&(frame as u64)).expect("was analysed").push(Detection {
                    bbox: BBox::new(left / width, top / height, right, bottom).expect("a box"),
                    class: Class::ALL.into_iter().find(|known| known.coco_id() == class as u32).expect("a class"),
                    confidence: Confidence::new(confidence).expect("a confidence"),
                });
            }
        }
        Self { frames, fps, aspect: width / height }
    }

    /// What the rules make of it, with the tracker as the pipeline `traffic-junction` sets it; every `step`th analysed frame.
    fn play(&self, rules: Vec<RuleSpec>, way: Way, step: usize) -> Vec<Event> {
        let mut core = Core::new(CoreParams {
            tracker: TrackerParams { high_confidence: 0.3, new_confidence: 0.4, ..TrackerParams::default() },
            rules,
            incidents: IncidentParams::default(),
            ground: None,
            signals: vec![],
            id_seed: 0,
        });
        let end = *self.frames.keys().next_back().expect("frames");
        let mut order: Vec<(u64, &[Detection])> = self.frames.iter().map(|(frame, seen)| (*frame, &**seen)).collect();
        if way == Way::Backward {
            order = order.into_iter().rev().map(|(frame, seen)| (end + 1 - frame, seen)).collect();
        }
        let mut events = Vec::new();
        for (frame, detections) in order.into_iter().step_by(step) {
            let elapsed = Duration::from_secs_f64((frame - 1) as f64 / self.fps);
            let stamp = FrameStamp {
                camera: CameraId::new("clip").expect("id"),
                seq: frame,
                pts: MediaTime::ZERO + elapsed,
                captured_at: WallTime::UNIX_EPOCH + elapsed,
            };
            let (local, aspect) = (LocalTime::MONDAY, self.aspect);
            let (_, happened) = core.step(Look { stamp, local, aspect, detections, view: None, lamps: &[] });
            events.extend(happened);
        }
        events.extend(core.finish());
        events
    }
}

fn point([x, y]: [f32; 2]) -> Point {
    Point::new(x, y)
}

/// A lane between two corners of the picture, one that is driven from `from` to `to`.
fn lane(id: &str, [left, top, right, bottom]: [f32; 4], from: [f32; 2], to: [f32; 2], anchor: Anchor) -> Zone {
    let corners = [[left, top], [right, top], [right, bottom], [left, bottom]].map(point);
    let polygon = Polygon::new(corners.to_vec()).expect("simple");
    let heading = Segment::new(point(from), point(to)).ok();
    Zone { id: ZoneId::new(id).expect("id"), kind: ZoneKind::Lane, polygon, heading, anchor }
}

/// The same lane, declared the other way round.
fn turned(zone: Zone) -> Zone {
    let heading = zone.heading.and_then(|heading| Segment::new(heading.to(), heading.from()).ok());
    Zone { heading, ..zone }
}

fn rule(id: &str, params: RuleParams) -> RuleSpec {
    RuleSpec {
        id: RuleId::new(id).expect("id"),
        severity: params.kind().default_severity(),
        cooldown: Duration::ZERO,
        classes: [Class::Car, Class::Motorcycle, Class::Bus, Class::Truck].into_iter().collect::<ClassSet>(),
        include_riders: false,
        schedule: None,
        params,
    }
}

fn count(from: [f32; 2], to: [f32; 2], anchor: Anchor) -> RuleSpec {
    let segment = Segment::new(point(from), point(to)).expect("segment");
    let line = Line { id: LineId::new("mid").expect("id"), segment, anchor };
    rule("count", RuleParams::LineCrossing { line, hysteresis: RuleParams::HYSTERESIS })
}

/// How many crossed to the right of the line as it is walked, and to its left.
fn crossings(events: &[Event]) -> [usize; 2] {
    [Direction::LeftToRight, Direction::RightToLeft]
        .map(|way| events.iter().filter(|event| event.direction == Some(way)).count())
}

/// How many incidents each zone had.
fn wrong_ways(events: &[Event]) -> BTreeMap<String, usize> {
    let mut by_zone = BTreeMap::new();
    for event in events.iter().filter(|event| event.rule.kind == Kind::WrongWay && event.phase == Phase::New) {
        *by_zone.entry(event.rule.id.to_string()).or_insert(0) += 1;
    }
    by_zone
}

fn wrong_way(zone: Zone, distance: Length) -> RuleSpec {
    let id = zone.id.to_string();
    // Two seconds from edge to edge of these pictures: as of the pipeline `highway`.
    let hold = Duration::from_secs(1);
    rule(&id, RuleParams::WrongWay { zone, angle_deg: RuleParams::WRONG_WAY_ANGLE_DEG, distance, hold })
}

/// A road at dusk from the side: the near lanes go to the right, the far ones to the left. By hand 16 and 9 cross the middle, one
/// more or less; two of the 16 the detector hardly sees, a seventeenth is on the line when the clip ends.
struct Traffic {
    clip: Clip,
    far: Zone,
    near: Zone,
}

impl Traffic {
    fn new() -> Self {
        let anchor = Anchor::BottomCenter;
        Self {
            clip: Clip::read(include_str!("data/traffic_yolox_nano.txt"), 23.976, (640.0, 360.0)),
            far: lane("far", [0.0, 0.0, 1.0, 0.41], [0.9, 0.2], [0.1, 0.2], anchor),
            near: lane("near", [0.0, 0.41, 1.0, 1.0], [0.1, 0.7], [0.9, 0.7], anchor),
        }
    }

    fn play(&self, lanes: [&Zone; 2], way: Way, step: usize) -> Vec<Event> {
        let mid = count([0.5, 1.0], [0.5, 0.0], Anchor::BottomCenter);
        let [far, near] = lanes.map(|lane| wrong_way(lane.clone(), RuleParams::WRONG_WAY_DISTANCE));
        self.clip.play(vec![mid, far, near], way, step)
    }
}

/// An aisle of a car park from above: by hand two cars down its left side, two up its right side. They fill half of the
/// picture, so that nobody drives three heights in it.
struct Aisle {
    clip: Clip,
    down: Zone,
    up: Zone,
}

impl Aisle {
    fn new() -> Self {
        Self {
            clip: Clip::read(include_str!("data/aisle_yolox_nano.txt"), 12.5, (768.0, 432.0)),
            down: lane("down", [0.0, 0.0, 0.39, 1.0], [0.2, 0.1], [0.2, 0.9], Anchor::Center),
            up: lane("up", [0.39, 0.0, 1.0, 1.0], [0.5, 0.9], [0.5, 0.1], Anchor::Center),
        }
    }

    fn play(&self, lanes: [&Zone; 2], way: Way, step: usize) -> Vec<Event> {
        let mid = count([0.0, 0.5], [1.0, 0.5], Anchor::Center);
        let [down, up] = lanes.map(|lane| wrong_way(lane.clone(), Length::heights(0.5)));
        self.clip.play(vec![mid, down, up], way, step)
    }
}

fn by_zone<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.into_iter().map(|(zone, count)| (zone.to_owned(), count)).collect()
}

#[test]
fn who_keeps_to_a_declared_way_is_no_wrong_way_driver() {
    let (traffic, aisle) = (Traffic::new(), Aisle::new());
    for step in [1, 2] {
        let events = traffic.play([&traffic.far, &traffic.near], Way::Forward, step);
        let [right, left] = crossings(&events);
        assert!((13..=16).contains(&right) && (8..=9).contains(&left), "{right} to the right, {left} to the left");
        assert_eq!(wrong_ways(&events), by_zone([]));
        let events = aisle.play([&aisle.down, &aisle.up], Way::Forward, step);
        assert_eq!((crossings(&events), wrong_ways(&events)), ([2, 2], by_zone([])));
    }
}

#[test]
fn a_clip_played_backwards_shows_every_counted_vehicle_the_wrong_way_once() {
    let (traffic, aisle) = (Traffic::new(), Aisle::new());
    for step in [1, 2] {
        let events = traffic.play([&traffic.far, &traffic.near], Way::Backward, step);
        let [right, left] = crossings(&events);
        assert!((8..=9).contains(&right) && (15..=16).contains(&left), "{right} to the right, {left} to the left");
        // One that never comes to the middle is on the near lanes too, when the clip ends.
        assert!((left..=left + 1).contains(&wrong_ways(&events)["near"]), "{left}");
        assert_eq!(wrong_ways(&events)["far"], right);
        let events = aisle.play([&aisle.down, &aisle.up], Way::Backward, step);
        assert_eq!((crossings(&events), wrong_ways(&events)), ([2, 2], by_zone([("down", 2), ("up", 2)])));
    }
}

#[test]
fn a_lane_declared_the_other_way_round_shows_its_own_vehicles_alone() {
    let (traffic, aisle) = (Traffic::new(), Aisle::new());
    for step in [1, 2] {
        let events = traffic.play([&turned(traffic.far.clone()), &traffic.near], Way::Forward, step);
        let [_, left] = crossings(&events);
        // At six a second one who turns up late has gone his three heights when he is lost, but for the middle.
        let found = wrong_ways(&events);
        assert!(found.len() == 1 && (left - 1..=left).contains(&found["far"]), "{found:?} of {left}");
        let events = aisle.play([&turned(aisle.down.clone()), &aisle.up], Way::Forward, step);
        assert_eq!(wrong_ways(&events), by_zone([("down", 2)]));
        let events = aisle.play([&aisle.down, &turned(aisle.up.clone())], Way::Forward, step);
        assert_eq!(wrong_ways(&events), by_zone([("up", 2)]));
    }
}

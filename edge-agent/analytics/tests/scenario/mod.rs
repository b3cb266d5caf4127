//! Hand-made scenes: actors move along way-points, are hidden, change their numbers; at any frame rate.
//!
//! What the tracker would do is imitated: a track is confirmed after 200 ms, is lost while it is not seen (its box goes
//! on with its last velocity) and ends two seconds later.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use analytics::core::Judge;
use analytics::finding::RuleInfo;
use analytics::incident::{IncidentParams, OpenIncident};
use analytics::rules::{RuleParams, RuleSpec};
use analytics::scene::PathPoint;
use analytics::{
    Anchor, BBox, CameraId, Class, ClassSet, Confidence, Event, FrameStamp, Line, LineId, LocalTime, MediaTime, Phase,
    Point, Polygon, RuleId, Scene, Segment, Signal, SignalId, SignalState, Track, TrackId, TrackState, WallTime, Zone,
    ZoneId, ZoneKind,
};

/// How often the scenes of a scenario are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    fps: u64,
    /// Half of the frames are dropped at random, by this seed.
    dropped: Option<u64>,
}

/// What every scenario runs at.
pub const RATES: [Rate; 10] = [
    Rate::fps(5),
    Rate::fps(10),
    Rate::fps(15),
    Rate::fps(25),
    Rate::fps(30),
    Rate::half_of(5, 1),
    Rate::half_of(10, 2),
    Rate::half_of(15, 3),
    Rate::half_of(25, 4),
    Rate::half_of(30, 5),
];

impl Rate {
    /// Every frame.
    pub const fn fps(fps: u64) -> Self {
        Self { fps, dropped: None }
    }

    /// Half of the frames.
    pub const fn half_of(fps: u64, seed: u64) -> Self {
        Self { fps, dropped: Some(seed) }
    }

    /// The frames until `seconds`.
    fn frames(self, seconds: f64) -> impl Iterator<Item = u64> {
        // SplitMix64 (Steele, Lea, Flood 2014).
        let is_dropped = move |seed: u64, frame: u64| {
            let z = (seed << 32).wrapping_add(frame + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) & 1 == 1
        };
        (0..(seconds * self.fps as f64) as u64)
            .filter(move |frame| !self.dropped.is_some_and(|seed| is_dropped(seed, *frame)))
    }

    /// The longest time between two frames of the first ten minutes, in seconds.
    pub fn gap(self) -> f64 {
        let frames: Vec<u64> = self.frames(600.0).collect();
        frames.windows(2).map(|pair| pair[1] - pair[0]).max().expect("frames") as f64 / self.fps as f64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.dropped.is_some() { "half of " } else { "" }, self.fps)
    }
}

pub const ASPECT: f32 = 16.0 / 9.0;
const CONFIRM_AFTER: Duration = Duration::from_millis(200);
const LOST_FOR: Duration = Duration::from_secs(2);
/// 2026-11-22T00:00:00Z.
const START: WallTime = WallTime::from_unix_nanos(1_795_305_600_000_000_000);

/// An object: where it is when, and when it is not seen.
#[derive(Clone)]
pub struct Actor {
    id: u64,
    class: Class,
    /// Of the box, in picture heights.
    width: f32,
    height: f32,
    way: Vec<(f64, Point)>,
    hidden: Vec<(f64, f64)>,
    renamed: Vec<(f64, u64)>,
    rides: Option<u64>,
    jitter: f32,
}

impl Actor {
    /// An object with the usual box of its class, 0.1 picture heights high.
    pub fn new(id: u64, class: Class) -> Self {
        let width = if class.is_vehicle() { 0.14 } else { 0.05 };
        Self { id, class, width, height: 0.1, way: vec![], hidden: vec![], renamed: vec![], rides: None, jitter: 0.0 }
    }

    /// Its box is this large, in picture heights.
    pub fn sized(mut self, width: f32, height: f32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// It is there at `seconds`; between two of these it moves evenly, after the last it is gone.
    pub fn at(mut self, seconds: f64, x: f32, y: f32) -> Self {
        self.way.push((seconds, Point::new(x, y)));
        self
    }

    /// It is not seen from `from` until before `until`.
    pub fn hidden(mut self, from: f64, until: f64) -> Self {
        self.hidden.push((from, until));
        self
    }

    /// From `seconds` on its track has another number.
    pub fn renamed(mut self, seconds: f64, id: u64) -> Self {
        self.renamed.push((seconds, id));
        self
    }

    /// It rides this two-wheeler.
    pub fn rides(mut self, vehicle: u64) -> Self {
        self.rides = Some(vehicle);
        self
    }

    /// Its box jitters by up to this many box heights.
    pub fn jitter(mut self, heights: f32) -> Self {
        self.jitter = heights;
        self
    }

    /// When it is gone.
    fn leaves(&self) -> f64 {
        self.way.last().expect("a way").0
    }

    fn id(&self, seconds: f64) -> u64 {
        self.renamed.iter().rev().find(|(from, _)| seconds >= *from).map_or(self.id, |(_, id)| *id)
    }

    fn point(&self, seconds: f64) -> Option<Point> {
        let next = self.way.iter().position(|(at, _)| *at >= seconds)?;
        let (until, to) = self.way[next];
        if until == seconds {
            return Some(to);
        }
        let (from, start) = *self.way.get(next.checked_sub(1)?)?;
        let share = ((seconds - from) / (until - from)) as f32;
        Some(Point::new(start.x + (to.x - start.x) * share, start.y + (to.y - start.y) * share))
    }

    fn seen(&self, seconds: f64) -> Option<BBox> {
        let hidden = self.hidden.iter().any(|(from, until)| (*from..*until).contains(&seconds));
        let point = self.point(seconds).filter(|_| !hidden)?;
        let noise = |salt: f64| ((seconds * 7919.0 + salt + self.id as f64).sin() * 43758.547).fract() as f32;
        let (x, y) = (
            point.x + noise(0.0) * self.jitter * self.height / ASPECT,
            point.y + noise(1.0) * self.jitter * self.height,
        );
        let half = self.width / ASPECT / 2.0;
        BBox::new(x - half, y - self.height, x + half, y)
    }

    fn velocity(&self, seconds: f64) -> Point {
        let (now, before) = (self.point(seconds), self.point(seconds - 0.1));
        let (Some(now), Some(before)) = (now, before) else { return Point::default() };
        Point::new((now.x - before.x) * 10.0, (now.y - before.y) * 10.0)
    }
}

/// The scenes of `actors` from 0 s until all are gone and given up, with a few empty ones.
pub fn scenes(actors: &[Actor], rate: Rate) -> Vec<Scene> {
    scenes_lost_for(actors, rate, LOST_FOR)
}

/// The same with a tracker that gives up what it lost after `lost_for`.
pub fn scenes_lost_for(actors: &[Actor], rate: Rate, lost_for: Duration) -> Vec<Scene> {
    let until = actors.iter().map(Actor::leaves).fold(0.0, f64::max) + lost_for.as_secs_f64() + 6.0;
    let mut tracks: BTreeMap<u64, Track> = BTreeMap::new();
    rate.frames(until).map(|frame| scene(actors, frame, rate.fps, lost_for, &mut tracks)).collect()
}

fn scene(actors: &[Actor], frame: u64, fps: u64, lost_for: Duration, tracks: &mut BTreeMap<u64, Track>) -> Scene {
    let pts = MediaTime::from_nanos(frame * 1_000_000_000 / fps);
    let seconds = pts.as_secs_f64();
    for track in tracks.values_mut() {
        track.state = TrackState::Lost;
    }
    for actor in actors {
        let Some(bbox) = actor.seen(seconds) else { continue };
        let id = actor.id(seconds);
        let track = tracks.entry(id).or_insert_with(|| Track {
            id: TrackId(id),
            class: actor.class,
            confidence: Confidence::new(0.9).expect("in range"),
            bbox,
            velocity: Point::default(),
            state: TrackState::Seen,
            first_seen: pts,
            last_seen: pts,
            rider_of: actor.rides.map(TrackId),
            ground: None,
            path: Vec::new(),
        });
        (track.bbox, track.velocity) = (bbox, actor.velocity(seconds));
        (track.state, track.last_seen) = (TrackState::Seen, pts);
        if track.path.last().is_none_or(|last| pts.since(last.at) >= Duration::from_millis(500)) {
            track.path.push(PathPoint { at: pts, point: bbox.bottom_center() });
        }
    }
    let ended: Vec<u64> =
        tracks.values().filter(|t| pts.since(t.last_seen) > lost_for).map(|track| track.id.0).collect();
    tracks.retain(|id, _| !ended.contains(id));
    let shown = tracks.values().filter(|track| pts.since(track.first_seen) >= CONFIRM_AFTER);
    let tracks = shown.map(|track| expected(track.clone(), pts)).collect();
    Scene::new(stamp(pts, frame + 1), ASPECT, tracks, ended.into_iter().map(TrackId).collect())
}

fn expected(mut track: Track, now: MediaTime) -> Track {
    let lost = now.since(track.last_seen).as_secs_f64() as f32;
    let (dx, dy, b) = (track.velocity.x * lost, track.velocity.y * lost, track.bbox);
    track.bbox = BBox::new(b.left() + dx, b.top() + dy, b.right() + dx, b.bottom() + dy).expect("moved");
    track
}

/// The stamp of a frame at `pts`.
pub fn stamp(pts: MediaTime, seq: u64) -> FrameStamp {
    let captured_at = START + Duration::from_nanos(pts.as_nanos());
    FrameStamp { camera: CameraId::new("cam").expect("id"), seq, pts, captured_at }
}

/// Seconds of media time of a wall time of these scenes.
pub fn seconds(at: WallTime) -> f64 {
    (at.as_unix_nanos() - START.as_unix_nanos()) as f64 / 1e9
}

/// The wall time of these scenes at media time `seconds`.
pub fn wall(seconds: f64) -> WallTime {
    START + Duration::from_secs_f64(seconds)
}

/// A rule for all classes, without cooldown.
pub fn rule(params: RuleParams) -> RuleSpec {
    RuleSpec {
        id: RuleId::new("rule").expect("id"),
        severity: params.kind().default_severity(),
        cooldown: Duration::ZERO,
        classes: Class::ALL.into_iter().collect::<ClassSet>(),
        include_riders: false,
        schedule: None,
        params,
    }
}

/// The scene with a signal that shows `cycle(seconds)`: what, and since when.
pub fn signalled(mut scene: Scene, id: &str, cycle: impl Fn(f64) -> (SignalState, f64)) -> Scene {
    let (state, since) = cycle(scene.stamp.pts.as_secs_f64());
    let since = MediaTime::from_nanos((since * 1e9) as u64);
    scene.signals = vec![Signal { id: SignalId::new(id).expect("id"), state, since, confidence: 1.0 }];
    scene
}

/// A stopped-vehicle rule with the defaults of the zone's kind.
pub fn stopped_in(zone: Zone) -> RuleParams {
    RuleParams::StoppedVehicle {
        hold: RuleParams::stopped_hold(zone.kind),
        zone,
        bays: vec![],
        signal: None,
        speed: RuleParams::STOPPED_SPEED,
        travel: RuleParams::STOPPED_TRAVEL,
        at_start: Some(RuleParams::STOPPED_AT_START),
    }
}

/// What `check` says of one rule and these actors at every rate.
pub fn at_every_rate(spec: &RuleSpec, actors: &[Actor], check: impl Fn(&[Event], Rate)) {
    for rate in RATES {
        check(&play(spec, actors, rate), rate);
    }
}

/// The rule finds nothing at any rate.
pub fn nothing(spec: &RuleSpec, actors: &[Actor]) {
    at_every_rate(spec, actors, |events, fps| assert!(events.is_empty(), "at {fps} fps: {events:#?}"));
}

/// An upright zone.
pub fn zone(kind: ZoneKind, left: f32, top: f32, right: f32, bottom: f32) -> Zone {
    let p = Point::new;
    let polygon = Polygon::new(vec![p(left, top), p(right, top), p(right, bottom), p(left, bottom)]).expect("simple");
    Zone { id: ZoneId::new("zone").expect("id"), kind, polygon, heading: None, anchor: Anchor::BottomCenter }
}

/// The line from `(x0, y0)` to `(x1, y1)`.
pub fn line(x0: f32, y0: f32, x1: f32, y1: f32) -> Line {
    let segment = Segment::new(Point::new(x0, y0), Point::new(x1, y1)).expect("segment");
    Line { id: LineId::new("line").expect("id"), segment, anchor: Anchor::BottomCenter }
}

pub fn judge(spec: RuleSpec) -> Judge {
    Judge::new(vec![spec], IncidentParams::default(), 7)
}

/// What one rule makes of the actors, all events until the end of the clip.
pub fn play(spec: &RuleSpec, actors: &[Actor], rate: Rate) -> Vec<Event> {
    let mut judge = judge(spec.clone());
    let mut events = run(&mut judge, scenes(actors, rate));
    events.extend(judge.finish());
    events
}

pub fn run(judge: &mut Judge, scenes: Vec<Scene>) -> Vec<Event> {
    scenes.into_iter().flat_map(|mut scene| judge.step(&mut scene, LocalTime::MONDAY)).collect()
}

/// The phases of `events` without updates.
pub fn phases(events: &[Event]) -> Vec<Phase> {
    events.iter().map(|event| event.phase).filter(|phase| *phase != Phase::Update).collect()
}

/// Asserts one incident that began and ended at about these seconds, and was alerted at about `alerted`; returns its `new`.
pub fn one_incident(events: &[Event], began: f64, alerted: f64, ended: f64, fps: Rate) -> Event {
    assert_eq!(phases(events), [Phase::New, Phase::End], "at {fps} fps: {events:#?}");
    let (new, end) = (&events[0], &events[events.len() - 1]);
    let off = 0.25 + fps.gap();
    let near = |what: &str, is: f64, should: f64| {
        assert!((is - should).abs() <= off, "at {fps} fps it {what} at {is:.3} s, not {should} s");
    };
    near("began", seconds(new.started_at), began);
    near("was alerted", new.stamp.pts.as_secs_f64(), alerted);
    near("ended", seconds(end.ended_at.expect("ended")), ended);
    assert!(events.iter().all(|event| event.incident_id == new.incident_id));
    new.clone()
}

/// The value measured under `name`.
pub fn measured(event: &Event, name: &str) -> f64 {
    event.measured.iter().find(|(n, _)| *n == name).expect("measured").1
}

/// What an outbox would keep of an incident after `event`.
pub fn left_open(event: &Event, about_zone: bool) -> OpenIncident {
    let rule: RuleInfo = event.rule.clone();
    OpenIncident {
        incident_id: event.incident_id,
        rule,
        revision: event.revision,
        started_at: event.started_at,
        last_event_at: event.stamp.captured_at,
        about_zone,
        tracks: event.tracks.iter().map(|track| (track.class, track.bbox)).collect(),
    }
}

//! Scenes kept for later: what the tracker showed, what traffic signals did and where the camera looked; small enough to keep for days, so that rules can judge it again.
//!
//! A recording is a sequence of chunks, each readable alone. Places are kept to 1/8192 of the picture, times to the
//! microsecond, numbers as differences from the scene before in variable-length integers (LEB128, zigzag): some seven bytes
//! for a track that is seen. Signals and the camera's place are written where they change. What is read back is what was written within those steps, and always the same.
//!
//! Chunks of earlier versions hold tracks alone ([`Playback::has_state`]); since then the aspect that begins a chunk is negative.
//!
//! # Failure
//! A chunk that is cut short or damaged is an error, never a panic and never an endless or huge allocation.

mod state;

use std::collections::BTreeMap;
use std::time::Duration;

use self::state::State;
use crate::class::Class;
use crate::detection::Confidence;
use crate::geometry::{BBox, Point};
use crate::id::CameraId;
use crate::scene::{PathPoint, Scene, Track, TrackId, TrackState};
use crate::time::{FrameStamp, MediaTime, WallTime};
use crate::track::path::Path;

/// Steps of a place over the picture's width or height.
const PLACES: f32 = 8192.0;
/// More tracks, ended tracks or points of a path than this are damage.
const MOST: u64 = 4096;

const SEEN: u8 = 1;
const NEW: u8 = 2;
const CHANGED: u8 = 4;

/// A chunk that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording is damaged or cut short at byte {at}")]
pub struct Damaged {
    /// Where.
    pub at: usize,
}

/// Some scenes of one camera's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// When the first scene was captured, and the last.
    pub captured: [WallTime; 2],
    /// How many scenes it holds.
    pub scenes: u64,
    /// They themselves.
    pub bytes: Vec<u8>,
}

/// A track as it was last written or read.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    edges: [i64; 4],
    velocity: [i64; 2],
    class: Class,
    rider_of: Option<TrackId>,
}

/// The frame last written or read, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    pts: i64,
    captured: i64,
    seq: i64,
}

/// Writes scenes. Scenes come in ascending `pts`.
#[derive(Debug)]
pub struct Recorder {
    every: Duration,
    chunk: Option<Open>,
    /// Bytes of the chunk before: as much is set aside for the next.
    usual: usize,
}

#[derive(Debug)]
struct Open {
    began: MediaTime,
    aspect: f32,
    before: Before,
    /// By ascending id.
    known: Vec<(TrackId, Known)>,
    state: State,
    chunk: Chunk,
}

impl Recorder {
    /// Chunks of about `every`: longer ones are a little smaller, and more is lost when the power fails.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, chunk: None, usual: 0 }
    }

    /// Adds a scene as the tracker gave it, with its signals and its placement; a chunk that is full comes back.
    pub fn push(&mut self, scene: &Scene) -> Option<Chunk> {
        let is_full = |open: &Open| {
            scene.stamp.pts.since(open.began) >= self.every || open.aspect.to_bits() != scene.aspect.to_bits()
        };
        let full = if self.chunk.as_ref().is_some_and(is_full) { self.finish() } else { None };
        let usual = self.usual;
        self.chunk.get_or_insert_with(|| Open::new(scene, usual)).push(scene);
        full
    }

    /// What is not full yet.
    pub fn finish(&mut self) -> Option<Chunk> {
        let chunk = self.chunk.take()?.chunk;
        self.usual = chunk.bytes.len();
        Some(chunk)
    }
}

impl Open {
    fn new(scene: &Scene, usual: usize) -> Self {
        let mut bytes = Vec::with_capacity(usual + usual / 4);
        bytes.extend((-scene.aspect).to_le_bytes());
        let captured_at = scene.stamp.captured_at;
        Self {
            began: scene.stamp.pts,
            aspect: scene.aspect,
            before: Before::default(),
            known: Vec::new(),
            state: State::default(),
            chunk: Chunk { captured: [captured_at; 2], scenes: 0, bytes },
        }
    }

    fn push(&mut self, scene: &Scene) {
        let FrameStamp { pts, captured_at, seq, .. } = scene.stamp;
        let now = Before { pts: micros(pts), captured: captured_at.as_unix_nanos() / 1000, seq: seq as i64 };
        self.chunk.captured[1] = captured_at;
        self.chunk.scenes += 1;
        let bytes = &mut self.chunk.bytes;
        for (now, before) in
            [(now.pts, self.before.pts), (now.captured, self.before.captured), (now.seq, self.before.seq)]
        {
            signed(bytes, now - before);
        }
        self.before = now;
        let state = State::of(scene);
        let changed = state.differs(&self.state);
        unsigned(bytes, (scene.ended.len() as u64) << 1 | u64::from(changed));
        if changed {
            state.write(bytes);
            self.state = state;
        }
        scene.ended.iter().for_each(|ended| unsigned(bytes, ended.0));
        unsigned(bytes, scene.tracks.len() as u64);
        let mut last_id = 0;
        for track in &scene.tracks {
            unsigned(bytes, track.id.0 - last_id);
            last_id = track.id.0;
            let known = self.known.binary_search_by_key(&track.id, |(id, _)| *id).ok();
            write_track(bytes, track, known.map(|i| &self.known[i].1), pts);
        }
        self.known.clear();
        self.known.extend(scene.tracks.iter().map(|track| (track.id, Known::of(track))));
    }
}

impl Known {
    fn of(track: &Track) -> Self {
        let b = track.bbox;
        Self {
            edges: [b.left(), b.top(), b.right(), b.bottom()].map(place),
            velocity: [track.velocity.x, track.velocity.y].map(place),
            class: track.class,
            rider_of: track.rider_of,
        }
    }
}

fn write_track(bytes: &mut Vec<u8>, track: &Track, known: Option<&Known>, now: MediaTime) {
    let this = Known::of(track);
    let mut flags = if track.state == TrackState::Seen { SEEN } else { 0 };
    match known {
        None => flags |= NEW,
        Some(known) if (known.class, known.rider_of) != (this.class, this.rider_of) => flags |= CHANGED,
        Some(_) => {}
    }
    bytes.push(flags);
    if flags & (NEW | CHANGED) != 0 {
        bytes.push(this.class as u8);
        unsigned(bytes, this.rider_of.map_or(0, |id| id.0));
    }
    if flags & NEW != 0 {
        for time in [track.first_seen, track.last_seen] {
            unsigned(bytes, (micros(now) - micros(time)).unsigned_abs());
        }
        unsigned(bytes, track.path.len() as u64);
        for point in &track.path {
            unsigned(bytes, (micros(now) - micros(point.at)).unsigned_abs());
            signed(bytes, place(point.point.x));
            signed(bytes, place(point.point.y));
        }
    }
    bytes.push((track.confidence.get() * 255.0).round() as u8);
    let (edges, velocity) = known.map_or(([0; 4], [0; 2]), |known| (known.edges, known.velocity));
    std::iter::zip(this.edges, edges).for_each(|(this, before)| signed(bytes, this - before));
    std::iter::zip(this.velocity, velocity).for_each(|(this, before)| signed(bytes, this - before));
}

fn place(fraction: f32) -> i64 {
    (fraction * PLACES).round() as i64
}

fn fraction(place: i64) -> f32 {
    place as f32 / PLACES
}

fn micros(time: MediaTime) -> i64 {
    i64::try_from(time.as_nanos() / 1000).unwrap_or(i64::MAX)
}

fn unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn signed(bytes: &mut Vec<u8>, value: i64) {
    unsigned(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads the scenes of one chunk. After an error there is nothing more.
#[derive(Debug)]
pub struct Playback<'a> {
    camera: CameraId,
    bytes: &'a [u8],
    at: usize,
    aspect: f32,
    before: Before,
    tracks: BTreeMap<TrackId, Replayed>,
    /// `None`: the chunk holds none.
    state: Option<State>,
}

/// A track as it was last read.
#[derive(Debug)]
struct Replayed {
    known: Known,
    first_seen: MediaTime,
    last_seen: MediaTime,
    path: Path,
}

impl<'a> Playback<'a> {
    /// Of one chunk of this camera.
    ///
    /// # Errors
    /// It has no beginning.
    pub fn new(camera: CameraId, bytes: &'a [u8]) -> Result<Self, Damaged> {
        let aspect = bytes.first_chunk().map(|bytes| f32::from_le_bytes(*bytes));
        let aspect = aspect.filter(|aspect| aspect.is_finite() && *aspect != 0.0).ok_or(Damaged { at: 0 })?;
        let (before, tracks) = (Before::default(), BTreeMap::new());
        let state = (aspect < 0.0).then(State::default);
        Ok(Self { camera, bytes, at: 4, aspect: aspect.abs(), before, tracks, state })
    }

    /// Whether it knows the signals and where the camera looked; chunks of earlier versions do not.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.state.is_some()
    }

    fn damaged(&self) -> Damaged {
        Damaged { at: self.at }
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        let byte = *self.bytes.get(self.at).ok_or(self.damaged())?;
        self.at += 1;
        Ok(byte)
    }

    fn unsigned(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.damaged())
    }

    fn signed(&mut self) -> Result<i64, Damaged> {
        self.unsigned().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A number that grew by what is written; beyond a century is damage.
    fn grown(&mut self, before: i64) -> Result<i64, Damaged> {
        const CENTURY_US: i64 = 100 * 366 * 86_400 * 1_000_000;
        let delta = self.signed()?;
        let sum = before.checked_add(delta).filter(|sum| (-CENTURY_US..=CENTURY_US).contains(sum));
        sum.ok_or(self.damaged())
    }

    fn count(&mut self) -> Result<u64, Damaged> {
        let count = self.unsigned()?;
        if count > MOST { Err(self.damaged()) } else { Ok(count) }
    }

    fn ago(&mut self, now: MediaTime) -> Result<MediaTime, Damaged> {
        let ago = self.unsigned()?;
        let nanos = ago.checked_mul(1000).and_then(|ago| now.as_nanos().checked_sub(ago));
        nanos.map(MediaTime::from_nanos).ok_or(self.damaged())
    }

    fn class(&mut self) -> Result<Class, Damaged> {
        let number = usize::from(self.byte()?);
        Class::ALL.get(number).copied().ok_or(self.damaged())
    }

    fn rider_of(&mut self) -> Result<Option<TrackId>, Damaged> {
        self.unsigned().map(|id| (id != 0).then_some(TrackId(id)))
    }

    fn scene(&mut self) -> Result<Scene, Damaged> {
        let pts = self.grown(self.before.pts)?;
        let captured = self.grown(self.before.captured)?;
        let seq = self.grown(self.before.seq)?;
        self.before = Before { pts, captured, seq };
        let positive = |number: i64| u64::try_from(number).map_err(|_| self.damaged());
        let (pts, seq) = (MediaTime::from_nanos(positive(pts)? * 1000), positive(seq)?);
        let ended = self.ended()?;
        let ended: Vec<TrackId> = (0..ended).map(|_| self.unsigned().map(TrackId)).collect::<Result<_, _>>()?;
        let count = self.count()?;
        let (mut tracks, mut last_id) = (Vec::new(), 0_u64);
        for _ in 0..count {
            let step = self.unsigned()?;
            last_id = last_id.checked_add(step).filter(|_| step > 0).ok_or(self.damaged())?;
            tracks.push(self.track(TrackId(last_id), pts)?);
        }
        self.tracks.retain(|id, _| tracks.binary_search_by_key(id, |track| track.id).is_ok());
        let captured_at = WallTime::from_unix_nanos(captured * 1000);
        let stamp = FrameStamp { camera: self.camera.clone(), seq, pts, captured_at };
        let mut scene = Scene::new(stamp, self.aspect, tracks, ended);
        if let Some(state) = &self.state {
            state.set(&mut scene);
        }
        Ok(scene)
    }

    /// How many tracks ended; and the state, where it changed.
    fn ended(&mut self) -> Result<u64, Damaged> {
        if self.state.is_none() {
            return self.count();
        }
        let word = self.unsigned()?;
        if word & 1 == 1 {
            self.state = Some(State::read(self)?);
        }
        if word >> 1 > MOST { Err(self.damaged()) } else { Ok(word >> 1) }
    }

    fn track(&mut self, id: TrackId, now: MediaTime) -> Result<Track, Damaged> {
        let flags = self.byte()?;
        let mut replayed = if flags & NEW != 0 {
            self.new_track(now)?
        } else {
            let mut replayed = self.tracks.remove(&id).ok_or(self.damaged())?;
            if flags & CHANGED != 0 {
                (replayed.known.class, replayed.known.rider_of) = (self.class()?, self.rider_of()?);
            }
            replayed
        };
        let confidence = Confidence::new(f32::from(self.byte()?) / 255.0).ok_or(self.damaged())?;
        for i in 0..4 {
            replayed.known.edges[i] = self.grown(replayed.known.edges[i])?;
        }
        for i in 0..2 {
            replayed.known.velocity[i] = self.grown(replayed.known.velocity[i])?;
        }
        let [left, top, right, bottom] = replayed.known.edges.map(fraction);
        let bbox = BBox::new(left, top, right, bottom).ok_or(self.damaged())?;
        let state = if flags & SEEN != 0 { TrackState::Seen } else { TrackState::Lost };
        if state == TrackState::Seen {
            replayed.last_seen = now;
            replayed.path.push(now, bbox.bottom_center(), bbox.height(), self.aspect);
        }
        let [x, y] = replayed.known.velocity.map(fraction);
        let track = Track {
            id,
            class: replayed.known.class,
            confidence,
            bbox,
            velocity: Point::new(x, y),
            state,
            first_seen: replayed.first_seen,
            last_seen: replayed.last_seen,
            rider_of: replayed.known.rider_of,
            path: replayed.path.points().to_vec(),
            ground: None,
        };
        self.tracks.insert(id, replayed);
        Ok(track)
    }

    fn new_track(&mut self, now: MediaTime) -> Result<Replayed, Damaged> {
        let (class, rider_of) = (self.class()?, self.rider_of()?);
        let (first_seen, last_seen) = (self.ago(now)?, self.ago(now)?);
        let mut points = Vec::new();
        for _ in 0..self.count()? {
            let at = self.ago(now)?;
            points.push(PathPoint { at, point: Point::new(fraction(self.signed()?), fraction(self.signed()?)) });
        }
        let known = Known { edges: [0; 4], velocity: [0; 2], class, rider_of };
        Ok(Replayed { known, first_seen, last_seen, path: Path::from(points) })
    }
}

impl Iterator for Playback<'_> {
    type Item = Result<Scene, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let scene = self.scene();
        if scene.is_err() {
            self.at = self.bytes.len();
        }
        Some(scene)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::SignalId;
    use crate::scene::{Signal, SignalState};
    use crate::view::{Placement, Shift};

    const MINUTE: Duration = Duration::from_secs(60);

    fn camera() -> CameraId {
        CameraId::new("nam").expect("an id")
    }

    /// A track that walks from left to right; lost in every fourth scene.
    fn scene(number: u64, walkers: u64) -> Scene {
        let pts = MediaTime::from_nanos(number * 200_000_000);
        let began = MediaTime::from_nanos(number.saturating_sub(20) * 200_000_000);
        let x = 0.1 + 0.002 * number as f32;
        let track = |id: u64| Track {
            id: TrackId(id),
            class: if number > 30 { Class::Truck } else { Class::Car },
            confidence: Confidence::new(0.8).expect("a confidence"),
            bbox: BBox::new(x, 0.3, x + 0.05, 0.3 + 0.01 * id as f32).expect("a box"),
            velocity: Point::new(0.01, -0.002),
            state: if number % 4 == 3 { TrackState::Lost } else { TrackState::Seen },
            first_seen: began,
            last_seen: if number % 4 == 3 { MediaTime::from_nanos((number - 1) * 200_000_000) } else { pts },
            rider_of: (id == 7).then_some(TrackId(3)),
            path: vec![PathPoint { at: began, point: Point::new(0.1, 0.5) }],
            ground: None,
        };
        let captured_at = WallTime::from_unix_nanos(1_790_000_000_000_000_000) + Duration::from_nanos(pts.as_nanos());
        let stamp = FrameStamp { camera: camera(), seq: number + 1, pts, captured_at };
        let ended = if number == 40 { vec![TrackId(2)] } else { vec![] };
        Scene::new(stamp, 1.5, (3..3 + walkers).map(track).collect(), ended)
    }

    fn recorded(scenes: u64, walkers: u64, every: Duration) -> Vec<Chunk> {
        let mut recorder = Recorder::new(every);
        let mut chunks: Vec<Chunk> = (0..scenes).filter_map(|number| recorder.push(&scene(number, walkers))).collect();
        chunks.extend(recorder.finish());
        chunks
    }

    fn read(chunks: &[Chunk]) -> Vec<Scene> {
        let chunk = |chunk: &Chunk| {
            let scenes = Playback::new(camera(), &chunk.bytes).expect("a beginning");
            scenes.collect::<Result<Vec<_>, _>>().expect("whole")
        };
        chunks.iter().flat_map(chunk).collect()
    }

    #[test]
    fn what_is_read_is_what_was_written_within_its_steps() {
        let chunks = recorded(100, 5, Duration::from_secs(3));
        assert_eq!(chunks.len(), 7, "one every three seconds");
        let scenes = read(&chunks);
        assert_eq!(scenes.len(), 100);
        for (number, read) in (0..).zip(&scenes) {
            let written = scene(number, 5);
            assert_eq!((&read.stamp, read.aspect, &read.ended), (&written.stamp, written.aspect, &written.ended));
            for (read, written) in read.tracks.iter().zip(&written.tracks) {
                assert_eq!((read.id, read.class, read.state), (written.id, written.class, written.state));
                assert_eq!((read.last_seen, read.rider_of), (written.last_seen, written.rider_of));
                assert!((read.bbox.left() - written.bbox.left()).abs() <= 0.5 / PLACES);
                assert!((read.velocity.y - written.velocity.y).abs() <= 0.5 / PLACES);
                assert!(read.path.len() >= written.path.len());
            }
        }
    }

    #[test]
    fn every_chunk_is_readable_alone() {
        let chunks = recorded(100, 5, Duration::from_secs(3));
        let alone: Vec<Scene> = chunks.iter().flat_map(|chunk| read(std::slice::from_ref(chunk))).collect();
        assert_eq!(alone, read(&chunks));
        let covered: u64 = chunks.iter().map(|chunk| chunk.scenes).sum();
        assert_eq!(covered, 100);
        assert!(chunks.windows(2).all(|pair| pair[0].captured[1] < pair[1].captured[0]));
    }

    #[test]
    fn a_seen_track_costs_some_ten_bytes_a_scene() {
        let bytes: usize = recorded(300, 20, MINUTE).iter().map(|chunk| chunk.bytes.len()).sum();
        let each = bytes as f64 / (300.0 * 20.0);
        assert!(each < 12.0, "{each} bytes");
    }

    #[test]
    fn signals_and_the_camera_s_place_are_as_they_were() {
        let id = |name| SignalId::new(name).expect("an id");
        let scene = |number: u64| {
            let mut scene = scene(number, 2);
            let second = MediaTime::from_nanos(1_000_000_000);
            let red = Signal { id: id("den-1"), state: SignalState::Red, since: second, confidence: 1.0 };
            // How sure the lamps are wavers.
            let confidence = 0.5 + 0.01 * (number % 7) as f32;
            let state = if number < 50 { SignalState::Green } else { SignalState::Unknown };
            scene.signals = vec![red, Signal { id: id("den-2"), state, since: scene.stamp.pts, confidence }];
            if state == SignalState::Green {
                scene.signals[1].since = MediaTime::ZERO;
            }
            (scene.camera.placement, scene.camera.moved_since) = match number {
                0..60 => (Placement::Home, None),
                60..70 => (Placement::Unsure, Some(second)),
                70..80 => (Placement::Lost, Some(second)),
                _ => (Placement::Shifted(Shift { dx: 0.0123, dy: -0.01 }), Some(second)),
            };
            scene
        };
        let mut recorder = Recorder::new(Duration::from_secs(3));
        let mut chunks: Vec<Chunk> = (0..100).filter_map(|number| recorder.push(&scene(number))).collect();
        chunks.extend(recorder.finish());
        let read = read(&chunks);
        for (number, read) in (0..).zip(&read) {
            let written = scene(number);
            assert_eq!(
                (read.camera.placement, read.camera.moved_since),
                (written.camera.placement, written.camera.moved_since)
            );
            for (read, written) in read.signals.iter().zip(&written.signals) {
                assert_eq!((&read.id, read.state), (&written.id, written.state), "scene {number}");
                assert!(read.state == SignalState::Unknown || read.since == written.since);
            }
            assert_eq!(read.signals.len(), 2);
        }
        let plain: usize = recorded(100, 2, Duration::from_secs(3)).iter().map(|chunk| chunk.bytes.len()).sum();
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes - plain < 40 * (chunks.len() + 4), "{} more bytes", bytes - plain);
    }

    #[test]
    fn a_chunk_of_an_earlier_version_is_read_without_them() {
        // One scene at 0 s in which nothing is and one track ended, as version 1 wrote it.
        let mut bytes = 1.5_f32.to_le_bytes().to_vec();
        bytes.extend([0, 0, 2, 1, 9, 0]);
        let mut old = Playback::new(camera(), &bytes).expect("a beginning");
        assert!(!old.has_state());
        let scene = old.next().expect("one").expect("whole");
        assert_eq!((scene.aspect, scene.ended, scene.signals), (1.5, vec![TrackId(9)], vec![]));
        assert!(Playback::new(camera(), &recorded(1, 1, MINUTE)[0].bytes).expect("a beginning").has_state());
    }

    proptest! {
        #[test]
        fn damage_is_an_error_and_nothing_worse(cut in 0_usize..3000, at in 0_usize..3000, byte: u8) {
            let mut bytes = recorded(50, 4, MINUTE).remove(0).bytes;
            bytes.truncate(cut.max(5));
            if let Some(damaged) = bytes.get_mut(at) {
                *damaged = byte;
            }
            if let Ok(playback) = Playback::new(camera(), &bytes) {
                prop_assert!(playback.count() <= bytes.len());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(playback) = Playback::new(camera(), &bytes) {
                prop_assert!(playback.count() <= bytes.len());
            }
        }
    }
}

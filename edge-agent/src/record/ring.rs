//! The last seconds of a stream as it came: whole groups of pictures, each from a key frame on.
//!
//! # Invariants
//! - The first unit of every group, so of the ring and of every [`Cut`], is a key frame.
//! - What is held weighs at most [`RingLimits::max_bytes`] after every unit: the oldest groups go first; a group that alone
//!   is heavier goes too, and the ring waits for the next key frame.
//! - A [`Cut`] is of one segment: another connection, other parameter sets, another codec or a clock that jumped begin a
//!   new one.
//!
//! # Ownership
//! The stream's thread puts units in, whoever makes evidence cuts. Both hold the lock for moments: a unit's bytes are copied
//! outside it, and a cut shares them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use analytics::WallTime;
use gstreamer as gst;

/// What a unit costs beside its bytes, so that many small ones do not slip through the limit.
const UNIT_OVERHEAD: usize = 160;

/// A timestamp this far before the last one, or after it, is another clock's. Reordered pictures stay far below.
const BACKWARDS: Duration = Duration::from_secs(1);
const FORWARDS: Duration = Duration::from_secs(10);

/// A moment this far from the nearest picture is not in the stream. Above the gap of a camera that sends one picture a
/// second, and above what streams of one camera differ by.
const NEAR: Duration = Duration::from_secs(2);

/// How much is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingLimits {
    /// So far back the ring reaches, plus the group that this falls into; further while a [`Pin`] asks for it.
    pub keep_for: Duration,
    /// Bytes that are never exceeded, whatever is pinned. Raising it holds longer clips of heavier streams; it costs that
    /// much memory a camera.
    pub max_bytes: usize,
}

/// One coded picture (an access unit) as it came.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its bytes.
    pub data: Arc<[u8]>,
    /// When it is shown, by its connection's clock.
    pub pts: Duration,
    /// Whether it needs no other picture.
    pub is_key: bool,
    /// When it arrived.
    pub arrived_at: Instant,
    /// The same by this box's calendar clock.
    pub captured_at: WallTime,
}

impl Unit {
    fn weight(&self) -> usize {
        self.data.len() + UNIT_OVERHEAD
    }

    fn distance(&self, at: Instant) -> Duration {
        self.arrived_at.saturating_duration_since(at).max(at.saturating_duration_since(self.arrived_at))
    }
}

/// What a clip is to show.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// From the key frame at or before this moment.
    pub from: Instant,
    /// The moment it is about: its segment is the one that is cut.
    pub at: Instant,
    /// Up to this moment.
    pub until: Instant,
}

/// Part of one segment, in the order of decoding, from a key frame on.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Codec and parameter sets.
    pub caps: gst::Caps,
    /// Never empty; the first one is a key frame.
    pub units: Vec<Unit>,
}

/// What a ring holds, and what it could not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RingTotals {
    /// From the first unit's arrival to the last one's.
    pub seconds: f64,
    /// What it weighs.
    pub bytes: usize,
    /// What it may weigh.
    pub max_bytes: usize,
    /// Groups of pictures.
    pub groups: usize,
    /// Units without a key frame before them, since start.
    pub headless_total: u64,
    /// Groups that alone were heavier than the limit, since start.
    pub oversized_total: u64,
}

/// What goes together: one connection, one set of parameters, one clock.
#[derive(Debug)]
struct Segment {
    connection: u64,
    caps: gst::Caps,
}

/// A key frame and what depends on it.
#[derive(Debug)]
struct Group {
    segment: Arc<Segment>,
    units: Vec<Unit>,
    weight: usize,
}

impl Group {
    fn first_at(&self) -> Instant {
        self.units[0].arrived_at
    }

    fn last_at(&self) -> Instant {
        self.units[self.units.len() - 1].arrived_at
    }
}

/// The ring of one camera's stream.
#[derive(Debug)]
pub struct Ring {
    limits: RingLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// None is empty.
    groups: VecDeque<Group>,
    weight: usize,
    /// Where the next unit belongs to, unless it begins another; `None`: only a key frame is taken.
    segment: Option<Arc<Segment>>,
    last_pts: Duration,
    pins: Vec<(u64, Instant)>,
    pinned: u64,
    headless: u64,
    oversized: u64,
    spares_memory: bool,
}

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(limits: RingLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Takes a coded picture from the stream's thread; `connection` numbers the attempts.
    pub fn put(&self, connection: u64, sample: &gst::Sample, arrived_at: Instant, captured_at: WallTime) {
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps_owned()) else { return };
        let Ok(map) = buffer.map_readable() else { return };
        // Copied: buffers of the network hold more memory than their bytes.
        let data: Arc<[u8]> = map.as_slice().into();
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let state = self.state();
        let pts = buffer.pts().map_or(state.last_pts, Duration::from);
        self.push(state, connection, &caps, Unit { data, pts, is_key, arrived_at, captured_at });
    }

    fn push(&self, mut state: MutexGuard<'_, State>, connection: u64, caps: &gst::Caps, unit: Unit) {
        let now = unit.arrived_at;
        let goes_on = state.segment.as_ref().is_some_and(|segment| {
            segment.connection == connection && segment.caps == *caps && !jumps(state.last_pts, unit.pts)
        });
        if !goes_on {
            state.segment = unit.is_key.then(|| Arc::new(Segment { connection, caps: caps.clone() }));
        }
        let Some(segment) = state.segment.clone() else {
            state.headless += 1;
            return;
        };
        state.last_pts = unit.pts;
        state.weight += unit.weight();
        if unit.is_key {
            let weight = unit.weight();
            state.groups.push_back(Group { segment, units: vec![unit], weight });
        } else if let Some(group) = state.groups.back_mut() {
            group.weight += unit.weight();
            group.units.push(unit);
        }
        state.evict(self.limits, now);
    }

    /// Keeps everything from the key frame at or before `from`, as far as the limit allows, until the pin is dropped.
    #[must_use]
    pub fn pin(self: &Arc<Self>, from: Instant) -> Pin {
        let mut state = self.state();
        state.pinned += 1;
        let number = state.pinned;
        state.pins.push((number, from));
        Pin { ring: Arc::clone(self), number }
    }

    /// Holds half as much as it may while memory is short, a whole group at least.
    pub fn spare_memory(&self, spares: bool) {
        let mut state = self.state();
        state.spares_memory = spares;
        state.fit(self.limits.max_bytes);
    }

    /// Whether the stream shows this moment; of one that just was, whether it is likely to.
    #[must_use]
    pub fn shows(&self, at: Instant) -> bool {
        self.state().group_at(at).is_some()
    }

    /// What is there of what is wanted; `None` when the stream does not show the moment it is about.
    #[must_use]
    pub fn cut(&self, wanted: Wanted) -> Option<Cut> {
        let state = self.state();
        let about = state.group_at(wanted.at)?;
        let segment = &state.groups[about].segment;
        let is_same = |index: &usize| Arc::ptr_eq(&state.groups[*index].segment, segment);
        let mut first = about;
        while state.groups[first].first_at() > wanted.from && first > 0 && is_same(&(first - 1)) {
            first -= 1;
        }
        let groups = (first..state.groups.len()).take_while(is_same).map(|index| &state.groups[index]);
        let units = groups.flat_map(|group| &group.units).enumerate();
        let units = units.take_while(|(index, unit)| *index == 0 || unit.arrived_at <= wanted.until);
        Some(Cut { caps: segment.caps.clone(), units: units.map(|(_, unit)| unit.clone()).collect() })
    }

    /// From a key frame to the unit that arrived nearest to `at`, which is the last one.
    #[must_use]
    pub fn still(&self, at: Instant) -> Option<Cut> {
        let state = self.state();
        let about = state.group_at(at)?;
        // The next key frame may be nearer than the last unit before it.
        let near = state.groups.range(about..state.groups.len().min(about + 2));
        let places =
            near.flat_map(|group| group.units.iter().enumerate().map(move |(index, unit)| (group, index, unit)));
        let (group, index, _) = places.min_by_key(|(_, _, unit)| unit.distance(at))?;
        Some(Cut { caps: group.segment.caps.clone(), units: group.units[..=index].to_vec() })
    }

    /// What it holds now.
    #[must_use]
    pub fn totals(&self) -> RingTotals {
        let state = self.state();
        let seconds = match (state.groups.front(), state.groups.back()) {
            (Some(first), Some(last)) => last.last_at().saturating_duration_since(first.first_at()).as_secs_f64(),
            _ => 0.0,
        };
        RingTotals {
            seconds,
            bytes: state.weight,
            max_bytes: self.limits.max_bytes,
            groups: state.groups.len(),
            headless_total: state.headless,
            oversized_total: state.oversized,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The group that shows a moment.
    fn group_at(&self, at: Instant) -> Option<usize> {
        let index = self.groups.iter().rposition(|group| group.first_at() <= at).or_else(|| {
            // A stream that began just after.
            let first = self.groups.front()?;
            (first.first_at().saturating_duration_since(at) <= NEAR).then_some(0)
        })?;
        (at.saturating_duration_since(self.groups[index].last_at()) <= NEAR).then_some(index)
    }

    fn evict(&mut self, limits: RingLimits, now: Instant) {
        let kept = now.checked_sub(limits.keep_for);
        let needed = self.pins.iter().map(|(_, from)| *from).chain(kept).min();
        while let (Some(next), Some(needed)) = (self.groups.get(1), needed)
            && next.first_at() <= needed
        {
            self.pop();
        }
        self.fit(limits.max_bytes);
        if self.weight > limits.max_bytes {
            self.pop();
            self.segment = None;
            self.oversized += 1;
        }
    }

    /// The oldest groups go, up to the last one.
    fn fit(&mut self, max_bytes: usize) {
        let max_bytes = if self.spares_memory { max_bytes / 2 } else { max_bytes };
        while self.weight > max_bytes && self.groups.len() > 1 {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(group) = self.groups.pop_front() {
            self.weight -= group.weight;
        }
    }
}

fn jumps(last: Duration, pts: Duration) -> bool {
    last.saturating_sub(pts) > BACKWARDS || pts.saturating_sub(last) > FORWARDS
}

/// Keeps a ring from forgetting what is still to be cut.
#[derive(Debug)]
pub struct Pin {
    ring: Arc<Ring>,
    number: u64,
}

impl Pin {
    /// The ring.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.ring.state().pins.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(40);
    const LIMITS: RingLimits = RingLimits { keep_for: Duration::from_secs(5), max_bytes: 1 << 20 };

    fn caps(name: &str) -> gst::Caps {
        crate::decode::init().expect("GStreamer is installed");
        gst::Caps::new_empty_simple(name)
    }

    /// A camera whose pictures arrive every 40 ms.
    struct Camera {
        ring: Arc<Ring>,
        caps: gst::Caps,
        start: Instant,
        connection: u64,
        clock: Duration,
        count: u32,
    }

    impl Camera {
        fn of(limits: RingLimits) -> Self {
            let start = Instant::now() + Duration::from_secs(3600);
            Self {
                ring: Ring::new(limits),
                caps: caps("video/x-h264"),
                start,
                connection: 1,
                clock: Duration::ZERO,
                count: 0,
            }
        }

        fn send(&mut self, is_key: bool, bytes: usize) {
            let (pts, arrived_at) = (self.clock + FRAME * self.count, self.at(self.count));
            let data: Arc<[u8]> = self.count.to_be_bytes().into_iter().cycle().take(bytes).collect();
            let unit = Unit { data, pts, is_key, arrived_at, captured_at: WallTime::UNIX_EPOCH };
            self.ring.push(self.ring.state(), self.connection, &self.caps, unit);
            self.count += 1;
        }

        /// A key frame every two seconds.
        fn run(&mut self, units: u32) {
            (0..units).for_each(|_| self.send(self.count.is_multiple_of(50), 1000));
        }

        fn at(&self, count: u32) -> Instant {
            self.start + FRAME * count
        }

        /// Numbers of the first and last unit of a clip from, about and until these units; every one is there.
        fn cut(&self, [from, at, until]: [u32; 3]) -> Option<(u32, u32)> {
            let [from, at, until] = [from, at, until].map(|count| self.at(count));
            Some(numbers(&self.ring.cut(Wanted { from, at, until })?))
        }
    }

    fn numbers(cut: &Cut) -> (u32, u32) {
        assert!(cut.units[0].is_key);
        let number = |unit: &Unit| u32::from_be_bytes(unit.data[..4].try_into().expect("four bytes"));
        assert!(cut.units.windows(2).all(|pair| number(&pair[0]) + 1 == number(&pair[1])), "none is missing");
        (number(&cut.units[0]), number(&cut.units[cut.units.len() - 1]))
    }

    #[test]
    fn a_cut_begins_at_the_key_frame_before_what_is_wanted_and_ends_where_it_is_wanted() {
        let mut camera = Camera::of(LIMITS);
        camera.run(400);
        assert_eq!(camera.cut([310, 330, 370]), Some((300, 370)));
        assert_eq!(camera.cut([300, 330, 370]), Some((300, 370)));
        assert_eq!(camera.cut([299, 330, 340]), Some((250, 340)));
        assert_eq!(camera.cut([0, 330, 900]), Some((250, 399)), "what there is");
        assert_eq!(camera.cut([0, 100, 330]), None, "long gone");
        assert_eq!(camera.cut([399, 480, 500]), None, "not there yet");
        let still = camera.ring.still(camera.at(337)).expect("shown");
        assert_eq!(numbers(&still), (300, 337));
        let still = camera.ring.still(camera.at(349) + FRAME * 3 / 4).expect("shown");
        assert_eq!(numbers(&still), (350, 350), "the next key frame is nearer");
    }

    #[test]
    fn what_is_pinned_stays_until_it_is_cut() {
        let mut camera = Camera::of(LIMITS);
        camera.run(100);
        let pin = camera.ring.pin(camera.at(60));
        camera.run(500);
        assert_eq!(camera.cut([60, 70, 590]), Some((50, 590)));
        drop(pin);
        camera.run(1);
        assert_eq!(camera.cut([60, 70, 590]), None);
        assert!(camera.ring.totals().seconds < 7.1, "{:?}", camera.ring.totals());
    }

    #[test]
    fn segments_are_never_mixed() {
        let changes: [fn(&mut Camera); 3] = [
            |camera| camera.connection += 1,
            |camera| camera.caps = caps("video/x-h265"),
            |camera| camera.clock += Duration::from_secs(60),
        ];
        for change in changes {
            let mut camera = Camera::of(LIMITS);
            camera.run(100);
            camera.count = 110;
            change(&mut camera);
            // No key frame at first: what depends on another segment's is of no use.
            camera.run(60);
            assert_eq!(camera.ring.totals().headless_total, 40);
            assert_eq!(camera.cut([60, 80, 169]), Some((50, 99)));
            assert_eq!(camera.cut([60, 155, 169]), Some((150, 169)));
        }
    }

    #[test]
    fn without_key_frames_nothing_is_held() {
        let mut camera = Camera::of(LIMITS);
        (0..10_000).for_each(|_| camera.send(false, 1000));
        let totals = camera.ring.totals();
        assert_eq!((totals.bytes, totals.groups, totals.headless_total), (0, 0, 10_000));
    }

    #[test]
    fn a_group_that_never_ends_is_given_up_and_the_next_one_is_held() {
        let mut camera = Camera::of(LIMITS);
        camera.send(true, 1000);
        for _ in 0..10_000 {
            camera.send(false, 1000);
            assert!(camera.ring.totals().bytes <= LIMITS.max_bytes);
        }
        let totals = camera.ring.totals();
        assert_eq!((totals.bytes, totals.oversized_total), (0, 1));
        camera.send(true, 1000);
        camera.send(false, 1000);
        assert_eq!(camera.ring.totals().groups, 1);
    }

    #[test]
    fn half_is_let_go_while_memory_is_short_but_never_the_last_group() {
        let mut camera = Camera::of(RingLimits { max_bytes: 20_000, keep_for: Duration::from_secs(3600) });
        (0..40).for_each(|_| camera.send(true, 1000));
        let full = camera.ring.totals().bytes;
        assert!((18_000..=20_000).contains(&full), "{full}");
        camera.ring.spare_memory(true);
        let spared = camera.ring.totals().bytes;
        assert!((8_000..=10_000).contains(&spared), "{spared}");
        (0..40).for_each(|_| camera.send(true, 1000));
        assert!(camera.ring.totals().bytes <= 10_000);
        (0..15).for_each(|count| camera.send(count == 0, 1000));
        let totals = camera.ring.totals();
        assert_eq!((totals.groups, totals.oversized_total), (1, 0), "what is held can be shown");
        camera.ring.spare_memory(false);
        (0..40).for_each(|_| camera.send(true, 1000));
        assert!(camera.ring.totals().bytes > 18_000);
    }

    proptest! {
        /// Whatever comes, and whatever is pinned: never heavier than the limit, and whole groups from key frames on.
        #[test]
        fn the_limit_holds(
            units in prop::collection::vec((prop::bool::weighted(0.1), 0_usize..3000, 0_u8..20), 1..400),
            max_bytes in 1_000_usize..100_000,
        ) {
            let mut camera = Camera::of(RingLimits { max_bytes, ..LIMITS });
            let mut pins = Vec::new();
            for (is_key, bytes, odd) in units {
                match odd {
                    0 => camera.connection += 1,
                    1 => pins.push(camera.ring.pin(camera.at(camera.count))),
                    2 => drop(pins.pop()),
                    _ => camera.send(is_key, bytes),
                }
                let state = camera.ring.state();
                prop_assert!(state.weight <= max_bytes);
                prop_assert_eq!(state.weight, state.groups.iter().flat_map(|group| &group.units).map(Unit::weight).sum::<usize>());
                prop_assert!(state.groups.iter().all(|group| group.units[0].is_key));
                prop_assert!(state.groups.iter().all(|group| group.units[1..].iter().all(|unit| !unit.is_key)));
            }
        }
    }
}

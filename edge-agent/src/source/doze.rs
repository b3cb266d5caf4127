//! When a decoder dozes: while nothing moves at a camera only its key frames are decoded, and the pictures between them
//! are held until the next key frame shows that nothing moved meanwhile. Pure: time is in the pictures.
//!
//! It wakes when a picture, or several together, are larger than those of this stream are while nothing moves; when a
//! key frame shows a change; and when more would have to be held than is good. `docs/motion-gate.md` says what that can
//! miss.
//!
//! # Invariants
//! - What is held begins with a key frame and has no gap: it can be decoded at any time.
//! - No more is held than [`MOST_PICTURES`], [`MOST_BYTES`] and [`LONGEST`], and the picture that exceeds them.

use std::time::Duration;

/// Nothing has moved for so long before a decoder dozes, and so long it stays awake after it woke. Longer dozes less where
/// traffic is sparse; shorter wakes more often, and each waking decodes up to two groups of pictures at once.
pub(super) const STILL: Duration = Duration::from_secs(5);

/// Key frames further apart are not waited for: so late a still scene is judged at most. Longer lets cameras with rarer
/// key frames doze.
const LONGEST: Duration = Duration::from_millis(4200);

/// Bounds of what is held.
const MOST_BYTES: usize = 8 << 20;
const MOST_PICTURES: usize = 256;

/// Intervals between key frames in a row that must have been short enough.
const REGULAR: u32 = 2;

/// How far a picture is from usual, in spreads of its kind, when it alone wakes; and the sum of what several in a row are
/// further than [`ALLOWED`]. Higher wakes less for nothing; lower notices smaller things before the key frame does.
const ALONE: f32 = 8.0;
const TOGETHER: f32 = 8.0;
const ALLOWED: f32 = 1.5;

/// Waking for nothing raises both limits by this factor, up to so much; waking for something lowers them again.
const MARGIN_STEP: f32 = 1.5;
const MOST_MARGIN: f32 = 4.0;

/// Pictures over which what is usual is learnt; and the least that sizes may spread, as a share and in bytes.
const LEARNT_OVER: f32 = 64.0;
const LEAST_SHARE: f32 = 0.03;
const LEAST_BYTES: f32 = 24.0;

/// Pictures of a kind that must be known before one of them can be unusual.
const KNOWN: f32 = 4.0;

/// One coded picture, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coming {
    pub(super) is_key: bool,
    pub(super) is_disposable: bool,
    pub(super) bytes: usize,
    /// The stream's own time.
    pub(super) pts: Duration,
}

/// What is done with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Decoded as it comes.
    Pass,
    /// Kept, and not decoded for now.
    Hold,
    /// A key frame: decoded, and looked at before anything is made of it; [`Dozer::looked`] follows.
    Look,
    /// What is held is decoded, then this one.
    Wake,
}

/// Decides picture by picture.
#[derive(Debug, Default)]
pub(super) struct Dozer {
    sizes: Sizes,
    is_dozing: bool,
    /// Of the last key frame and of the last picture.
    key: Option<Duration>,
    last: Duration,
    /// Intervals between key frames in a row that were short enough.
    regular: u32,
    /// Kinds and sizes of the pictures since the key frame.
    group: Vec<(usize, f32)>,
    bytes: usize,
    woke: Option<Woke>,
}

#[derive(Debug, Clone, Copy)]
struct Woke {
    at: Duration,
    by_sizes: bool,
}

impl Dozer {
    pub(super) fn is_dozing(&self) -> bool {
        self.is_dozing
    }

    /// Decides on the next picture. `still_for`: how long nothing has moved; `None`: this is no time to doze.
    pub(super) fn take(&mut self, coming: Coming, still_for: Option<Duration>) -> Course {
        let ascends = self.key.is_none() || coming.pts > self.last;
        self.last = coming.pts;
        if !ascends {
            (self.regular, self.key) = (0, None);
        }
        let must_wake = self.is_dozing && (!ascends || still_for.is_none());
        if must_wake {
            self.wake(false);
        }
        let course = if coming.is_key { self.take_key(coming, still_for) } else { self.take_other(coming, still_for) };
        if must_wake { Course::Wake } else { course }
    }

    fn take_key(&mut self, coming: Coming, still_for: Option<Duration>) -> Course {
        let lasted = self.key.replace(coming.pts).map(|key| coming.pts.saturating_sub(key));
        let is_regular = lasted.is_some_and(|lasted| lasted <= LONGEST) && !self.group.is_empty();
        self.regular = if is_regular { self.regular.saturating_add(1) } else { 0 };
        if self.is_dozing {
            return Course::Look;
        }
        if lasted.zip(still_for).is_some_and(|(lasted, still_for)| still_for >= lasted) {
            self.sizes.learn(&self.group);
        }
        self.begin_group(coming.bytes);
        Course::Pass
    }

    fn take_other(&mut self, coming: Coming, still_for: Option<Duration>) -> Course {
        let Some(key) = self.key else { return Course::Pass };
        let kind = kind(self.group.len(), coming.is_disposable);
        let is_unusual = self.sizes.is_unusual(kind, coming.bytes as f32);
        let is_long = coming.pts.saturating_sub(key) > LONGEST || self.group.len() >= MOST_PICTURES;
        self.bytes = self.bytes.saturating_add(coming.bytes);
        if is_long || self.bytes > MOST_BYTES {
            self.regular = 0;
        } else {
            self.group.push((kind, coming.bytes as f32));
        }
        if self.is_dozing {
            if is_unusual || self.regular == 0 {
                self.wake(is_unusual);
                return Course::Wake;
            }
            return Course::Hold;
        }
        // Only right behind a key frame: what is held then is a whole group.
        if self.group.len() == 1 && !is_unusual && still_for.is_some_and(|still_for| self.may_begin(still_for)) {
            self.is_dozing = true;
            return Course::Hold;
        }
        Course::Pass
    }

    fn may_begin(&mut self, still_for: Duration) -> bool {
        let since = self.woke.map(|woke| self.last.saturating_sub(woke.at));
        if still_for < STILL || self.regular < REGULAR || since.is_some_and(|since| since < STILL) {
            return false;
        }
        if let (Some(woke), Some(since)) = (self.woke.take(), since) {
            self.sizes.note_waking(woke.by_sizes && still_for >= since);
        }
        true
    }

    /// A key frame was looked at: nothing has moved, or something has, and what is held is to be decoded.
    pub(super) fn looked(&mut self, is_still: bool, key_bytes: usize) {
        if is_still {
            self.sizes.learn(&self.group);
        } else {
            self.wake(false);
        }
        self.begin_group(key_bytes);
    }

    /// It dozes no more.
    pub(super) fn wake(&mut self, by_sizes: bool) {
        self.is_dozing = false;
        self.woke = Some(Woke { at: self.last, by_sizes });
    }

    fn begin_group(&mut self, key_bytes: usize) {
        self.group.clear();
        self.bytes = key_bytes;
        self.sizes.excess = 0.0;
    }
}

/// Pictures are compared with those that are as far behind their key frame, roughly, and as disposable: encoders spend
/// more on the first ones, and less on those that nothing depends on.
fn kind(behind_key: usize, is_disposable: bool) -> usize {
    let place = (behind_key + 1).ilog2().min(7) as usize;
    2 * place + usize::from(is_disposable)
}

/// What pictures weigh while nothing moves.
#[derive(Debug)]
struct Sizes {
    kinds: [Usual; 16],
    margin: f32,
    /// By how much the pictures since the key frame were too large, together (a cumulative sum; Page 1954).
    excess: f32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { kinds: Default::default(), margin: 1.0, excess: 0.0 }
    }
}

/// Mean and spread of the sizes of a kind, in bytes; what is far out counts as if it were nearer (Huber 1964).
#[derive(Debug, Clone, Copy, Default)]
struct Usual {
    known: f32,
    mean: f32,
    spread: f32,
}

impl Sizes {
    fn is_unusual(&mut self, kind: usize, bytes: f32) -> bool {
        let usual = &self.kinds[kind];
        if usual.known < KNOWN {
            return false;
        }
        let off = (bytes - usual.mean) / usual.spread;
        self.excess = (self.excess + off.min(ALONE) - ALLOWED * self.margin).max(0.0);
        off > ALONE * self.margin || self.excess > TOGETHER * self.margin
    }

    fn learn(&mut self, group: &[(usize, f32)]) {
        group.iter().for_each(|(kind, bytes)| self.kinds[*kind].learn(*bytes));
    }

    fn note_waking(&mut self, was_for_nothing: bool) {
        let factor = if was_for_nothing { MARGIN_STEP } else { 1.0 / MARGIN_STEP };
        self.margin = (self.margin * factor).clamp(1.0, MOST_MARGIN);
    }
}

impl Usual {
    fn learn(&mut self, bytes: f32) {
        self.known = (self.known + 1.0).min(LEARNT_OVER);
        let off = if self.known > 1.0 { bytes - self.mean } else { 0.0 };
        let near = if self.known > KNOWN { off.clamp(-3.0 * self.spread, 3.0 * self.spread) } else { off };
        self.mean = if self.known > 1.0 { self.mean + near / self.known } else { bytes };
        // Of a normal distribution the deviation is 1.25 times the mean distance.
        let spread = self.spread + (1.25 * near.abs() - self.spread) / self.known;
        self.spread = spread.max(LEAST_SHARE * self.mean).max(LEAST_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(40);
    const KEY_EVERY: u32 = 50;

    /// Picture `k` of a stream of 25 a second, a key frame every two seconds, whose sizes waver by a tenth.
    fn coming(k: u32) -> Coming {
        let is_key = k.is_multiple_of(KEY_EVERY);
        let bytes = if is_key { 40_000 } else { 1900 + (k as usize * 7919) % 200 };
        Coming { is_key, is_disposable: false, bytes, pts: FRAME * k }
    }

    fn still_since(k: u32, from: u32) -> Option<Duration> {
        Some(FRAME * k.saturating_sub(from))
    }

    /// Takes the pictures, nothing moving since the first and every look finding it so; what became of each.
    fn doze(dozer: &mut Dozer, pictures: impl Iterator<Item = (u32, Coming)>) -> Vec<(u32, Course)> {
        let take = |(k, coming): (u32, Coming)| {
            let course = dozer.take(coming, still_since(k, 0));
            if course == Course::Look {
                dozer.looked(true, coming.bytes);
            }
            (k, course)
        };
        pictures.map(take).collect()
    }

    fn stream(range: std::ops::Range<u32>) -> impl Iterator<Item = (u32, Coming)> {
        range.map(|k| (k, coming(k)))
    }

    #[test]
    fn when_nothing_moved_for_a_while_only_key_frames_are_decoded() {
        let mut dozer = Dozer::default();
        let courses = doze(&mut dozer, stream(0..1000));
        let begins = courses.iter().position(|(_, course)| *course == Course::Hold).expect("it dozes");
        assert_eq!(begins as u32 % KEY_EVERY, 1, "behind a key frame");
        assert!(FRAME * begins as u32 >= STILL && begins < 250, "{begins}");
        for (k, course) in &courses[begins..] {
            let expected = if k % KEY_EVERY == 0 { Course::Look } else { Course::Hold };
            assert_eq!(*course, expected, "{k}");
        }
    }

    #[test]
    fn a_picture_that_is_much_larger_wakes_it_and_so_do_several_that_are_somewhat_larger() {
        for (factor, within) in [(2.0, 1), (1.25, 4)] {
            let mut dozer = Dozer::default();
            doze(&mut dozer, stream(0..520));
            assert!(dozer.is_dozing());
            let larger =
                |(k, coming): (u32, Coming)| (k, Coming { bytes: (coming.bytes as f64 * factor) as usize, ..coming });
            let courses = doze(&mut dozer, stream(520..545).map(larger));
            let woke = courses.iter().position(|(_, course)| *course == Course::Wake).expect("it wakes");
            assert!(woke < within, "{factor}: after {woke}");
            assert!(courses[woke + 1..].iter().all(|(_, course)| *course == Course::Pass), "and stays awake");
        }
    }

    #[test]
    fn a_key_frame_that_shows_a_change_wakes_it_and_it_stays_awake_for_a_while() {
        let mut dozer = Dozer::default();
        doze(&mut dozer, stream(0..550));
        assert_eq!(dozer.take(coming(550), still_since(550, 0)), Course::Look);
        dozer.looked(false, 40_000);
        let courses = doze(&mut dozer, stream(551..1000));
        let again = courses.iter().find(|(_, course)| *course == Course::Hold).expect("it dozes again").0;
        assert!(FRAME * (again - 550) >= STILL, "{again}");
        assert!(courses.iter().take_while(|(k, _)| *k < again).all(|(_, course)| *course == Course::Pass));
    }

    #[test]
    fn what_moves_and_key_frames_that_are_rare_or_irregular_keep_it_awake() {
        let mut dozer = Dozer::default();
        assert!(stream(0..1000).all(|(k, coming)| dozer.take(coming, still_since(k, k - k % 100)) == Course::Pass));
        let rare = |(k, coming): (u32, Coming)| (k, Coming { is_key: k.is_multiple_of(250), ..coming });
        assert!(doze(&mut Dozer::default(), stream(0..3000).map(rare)).iter().all(|(_, c)| *c == Course::Pass));
        let mut dozer = Dozer::default();
        assert!(stream(0..1000).all(|(_, coming)| dozer.take(coming, None) == Course::Pass), "no time to doze");
    }

    #[test]
    fn a_key_frame_that_does_not_come_wakes_it() {
        let mut dozer = Dozer::default();
        doze(&mut dozer, stream(0..520));
        let late = |(k, coming): (u32, Coming)| (k, Coming { is_key: false, bytes: 2000, ..coming });
        let courses = doze(&mut dozer, stream(520..700).map(late));
        let woke = courses.iter().find(|(_, course)| *course == Course::Wake).expect("it wakes").0;
        assert!(FRAME * (woke - 500) <= LONGEST + FRAME, "{woke}");
    }

    #[test]
    fn waking_for_nothing_again_and_again_makes_it_less_alert() {
        let mut dozer = Dozer::default();
        // Every ten seconds a picture that is half as large again, and nothing moves.
        let restless = |(k, coming): (u32, Coming)| {
            let is_large = k % 250 == 130;
            (k, Coming { bytes: if is_large { 2900 } else { coming.bytes }, ..coming })
        };
        let courses = doze(&mut dozer, stream(0..10_000).map(restless));
        let wakings = |range: std::ops::Range<usize>| courses[range].iter().filter(|(_, c)| *c == Course::Wake).count();
        assert!(wakings(0..2500) > 0, "at first");
        assert_eq!(wakings(7500..10_000), 0, "in the end");
    }

    #[test]
    fn timestamps_that_go_back_wake_it() {
        let mut dozer = Dozer::default();
        doze(&mut dozer, stream(0..520));
        let back = Coming { pts: FRAME * 3, ..coming(521) };
        assert_eq!(dozer.take(back, Some(STILL * 4)), Course::Wake);
        assert_eq!(dozer.take(coming(522), Some(STILL * 4)), Course::Pass);
    }

    fn any_stream() -> impl Strategy<Value = Vec<(Coming, Option<Duration>, bool)>> {
        let bytes = prop_oneof![4 => 1000..3000_usize, 1 => 0..4_000_000_usize];
        let still = prop::option::weighted(0.95, prop_oneof![4 => Just(30_u64), 1 => 0..10_u64]);
        let step = prop_oneof![8 => Just(40_u64), 1 => 0..5000_u64];
        let one = (prop::bool::weighted(0.04), any::<bool>(), bytes, step, still, prop::bool::weighted(0.9));
        prop::collection::vec(one, 0..900).prop_map(|all| {
            let mut pts = Duration::ZERO;
            let unit = |(is_key, is_disposable, bytes, step, still, found)| {
                pts += Duration::from_millis(step);
                (Coming { is_key, is_disposable, bytes, pts }, Option::map(still, Duration::from_secs), found)
            };
            all.into_iter().map(unit).collect()
        })
    }

    proptest! {
        /// What the decoder is given is always decodable: after a key frame every picture up to the last one given.
        #[test]
        fn whatever_comes_no_picture_is_decoded_without_what_it_depends_on_and_little_is_held(all in any_stream()) {
            let mut dozer = Dozer::default();
            let (mut held, mut bytes) = (0_usize, 0_usize);
            let mut from = None;
            let mut after_key = 0_usize;
            for (coming, still_for, found) in all {
                let was_dozing = dozer.is_dozing();
                let course = dozer.take(coming, still_for);
                match course {
                    Course::Hold => {
                        prop_assert!(!coming.is_key);
                        if held == 0 {
                            prop_assert_eq!(after_key, 0, "right behind a key frame");
                        }
                        prop_assert!(was_dozing || held == 0);
                        held += 1;
                        bytes += coming.bytes;
                        prop_assert!(held <= MOST_PICTURES && bytes <= MOST_BYTES);
                        prop_assert!(from.is_some_and(|from| coming.pts - from <= LONGEST));
                    }
                    Course::Look => {
                        prop_assert!(coming.is_key && was_dozing);
                        dozer.looked(found, coming.bytes);
                        (held, bytes) = (0, 0);
                        prop_assert_eq!(dozer.is_dozing(), found);
                    }
                    Course::Wake => {
                        prop_assert!(was_dozing);
                        (held, bytes) = (0, 0);
                    }
                    Course::Pass => prop_assert_eq!(held, 0, "nothing overtakes what is held"),
                }
                if coming.is_key {
                    (from, after_key) = (Some(coming.pts), 0);
                } else if course != Course::Hold {
                    after_key += 1;
                }
            }
        }
    }
}

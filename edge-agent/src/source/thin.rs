//! Which coded pictures reach the decoder: between parser and decoder, where dropping one saves its decoding.
//!
//! Three reasons not to decode a picture: nothing else depends on it and the rate that is analysed does not need it;
//! key frames are all that is wanted; or the decoder has fallen behind, and what waits for it is only caught up with by
//! leaving out. After anything but the first, decoding goes on at a key frame: until then a picture would be a smear.
//! A fourth is no reason for good: while nothing moves pictures are [held](super::held).
//!
//! # Invariants
//! - A picture that others are predicted from is left out only together with all that follow it up to a key frame.
//! - What is left out is [counted as received](super::Attempt::skip): rates, stalls and numbers of frames do not depend on it.
//! - Timestamps are not touched.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::codec::Codec;
use super::held::{Handover, Holder, Stillness, Taken};
use super::nal::{self, Coded, Framing};
use super::{Attempt, Closed};

/// A disposable picture is wanted when the last one that was decoded is older than this share of the interval between
/// two frames that are analysed. Raising it decodes fewer; at 1 a frame may be a whole interval old.
const FRESH: f64 = 0.75;

/// Coded pictures that have waited so long for the decoder are left out up to the next key frame: they would be analysed
/// late, and the queue before the decoder would grow. Raising it rides out longer pauses of the machine; it costs latency.
const BEHIND: Duration = Duration::from_millis(1500);

/// A clock of the camera that gains on the box's looks like a growing wait: so much is forgiven a second.
const DRIFT: f64 = 0.001;

/// What takes longer before the decoder was a burst: the pictures behind it wait for it, and not for a slow decoder.
const BURST: Duration = Duration::from_millis(20);

/// What a camera's decoder is told, and what it tells. Shared by whoever decides and the streaming thread.
#[derive(Debug)]
pub struct DecodeControl {
    key_frames_only: AtomicBool,
    /// Bits of an `f64`, frames a second: what is analysed. 0: nothing is decoded; infinite: everything is.
    wanted_fps: AtomicU64,
    /// The longest wait since it was last asked, in ms.
    lag_ms: AtomicU32,
    stillness: OnceLock<Arc<dyn Stillness>>,
}

impl Default for DecodeControl {
    /// Everything is decoded.
    fn default() -> Self {
        Self {
            key_frames_only: AtomicBool::new(false),
            wanted_fps: AtomicU64::new(f64::INFINITY.to_bits()),
            lag_ms: AtomicU32::new(0),
            stillness: OnceLock::new(),
        }
    }
}

impl DecodeControl {
    /// From the next picture on: how many frames a second are analysed (0: nothing is decoded; infinite: everything is),
    /// and whether key frames are enough.
    pub fn want(&self, fps: f64, key_frames_only: bool) {
        self.wanted_fps.store(fps.max(0.0).to_bits(), Ordering::Relaxed);
        self.key_frames_only.store(key_frames_only, Ordering::Relaxed);
    }

    /// From the next connection on the decoder dozes while nothing moves. Said once: what is said later does not count.
    pub fn doze_by(&self, stillness: Arc<dyn Stillness>) {
        let _ = self.stillness.set(stillness);
    }

    /// The longest that a picture waited for the decoder since the last call.
    pub fn take_lag(&self) -> Duration {
        Duration::from_millis(self.lag_ms.swap(0, Ordering::Relaxed).into())
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            fps: f64::from_bits(self.wanted_fps.load(Ordering::Relaxed)),
            key_frames_only: self.key_frames_only.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Wanted {
    fps: f64,
    key_frames_only: bool,
}

/// One coded picture, as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Unit {
    is_key: bool,
    coded: Coded,
    /// When it came to the decoder, since the stream began.
    at: Duration,
    /// How long it waited.
    lag: Duration,
}

/// Decides picture by picture. Pure: time is in the pictures.
#[derive(Debug, Default)]
struct Thinner {
    /// Every picture stands for itself.
    is_intra: bool,
    /// A picture was left out that later ones may need.
    is_broken: bool,
    /// Decoding went on at a clean random access picture: what is shown before it is a smear.
    after_access: bool,
    decoded_at: Option<Duration>,
    /// The highest temporal layer that was seen, and key frames since it rose.
    top_layer: u8,
    known_for: u32,
    /// How long pictures of this stream wait at least, in seconds, and as of when.
    usual: Option<(Duration, f64)>,
    /// What of the wait is a burst's.
    forgiven: Duration,
}

impl Thinner {
    /// Whether it is decoded; and how much longer it waited than pictures of this stream do.
    fn judge(&mut self, unit: Unit, wanted: Wanted) -> (bool, Duration) {
        self.learn(&unit);
        let waited = self.waited(&unit);
        let passes = self.passes(unit, wanted, waited >= BEHIND);
        if unit.is_key {
            self.after_access = unit.coded.is_clean_access && self.is_broken;
            self.is_broken = !passes;
        } else if !passes && !self.is_disposable(&unit.coded) && !unit.coded.is_skipped_leading {
            self.is_broken = true;
        }
        if passes {
            self.decoded_at = Some(unit.at);
        }
        (passes, waited)
    }

    fn passes(&self, unit: Unit, wanted: Wanted, is_behind: bool) -> bool {
        if wanted.fps <= 0.0 {
            return false;
        }
        let since = self.decoded_at.map(|at| unit.at.saturating_sub(at).as_secs_f64());
        let is_due = wanted.fps.is_infinite() || since.is_none_or(|since| since * wanted.fps >= FRESH);
        if self.is_intra {
            is_due
        } else if unit.is_key {
            // Of key frames alone, no more than are analysed.
            !wanted.key_frames_only || is_due
        } else if wanted.key_frames_only || is_behind || self.is_broken {
            false
        } else {
            let is_smear = self.after_access && unit.coded.is_skipped_leading;
            !is_smear && (is_due || !self.is_disposable(&unit.coded))
        }
    }

    fn learn(&mut self, unit: &Unit) {
        if unit.coded.layer > self.top_layer {
            (self.top_layer, self.known_for) = (unit.coded.layer, 0);
        } else if unit.is_key {
            self.known_for = self.known_for.saturating_add(1);
        }
    }

    /// A picture that its own layer does not refer to may be referred to by one above: only what is on top is disposable,
    /// once a whole group of pictures showed where that is.
    fn is_disposable(&self, coded: &Coded) -> bool {
        coded.is_disposable && coded.layer >= self.top_layer && self.known_for > 1
    }

    fn waited(&mut self, unit: &Unit) -> Duration {
        let lag = unit.lag.as_secs_f64();
        let usual =
            self.usual.map_or(lag, |(at, usual)| (usual + DRIFT * unit.at.saturating_sub(at).as_secs_f64()).min(lag));
        self.usual = Some((unit.at, usual));
        let waited = Duration::from_secs_f64((lag - usual).max(0.0));
        self.forgiven = self.forgiven.min(waited);
        waited - self.forgiven
    }
}

/// What stands before one decoder.
struct Gate {
    codec: Codec,
    attempt: Attempt,
    /// Whether the buffers' timestamps are the sender's.
    has_timestamps: bool,
    decoder: gst::glib::WeakRef<gst::Element>,
    thinner: Thinner,
    /// `None`: not known; then nothing is disposable.
    framing: Option<Framing>,
    /// Where the decoder may doze.
    holder: Option<Holder>,
}

impl Gate {
    fn note_caps(&mut self, caps: &gst::CapsRef) {
        let record = caps.structure(0).and_then(|caps| caps.get::<gst::Buffer>("codec_data").ok());
        let record = record.as_ref().and_then(|record| record.map_readable().ok());
        self.framing = Framing::of(self.codec, record.as_ref().map(|record| record.as_slice()));
    }

    fn judge(&mut self, pad: &gst::Pad, buffer: &gst::Buffer) -> gst::PadProbeReturn {
        let arrived_at = Instant::now();
        let now = self.decoder.upgrade().and_then(|decoder| decoder.current_running_time()).unwrap_or_default();
        let pts = buffer.pts().filter(|_| self.has_timestamps);
        let data = buffer.map_readable().ok();
        let coded = self.framing.zip(data).map(|(framing, data)| nal::look(self.codec, framing, &data));
        let unit = Unit {
            is_key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            coded: coded.unwrap_or_default(),
            at: now.into(),
            lag: pts.map_or(Duration::ZERO, |pts| now.saturating_sub(pts).into()),
        };
        let control = self.attempt.control();
        let wanted = control.wanted();
        let (passes, waited) = self.thinner.judge(unit, wanted);
        control.lag_ms.fetch_max(u32::try_from(waited.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
        let taken = if passes { self.hold(pad, buffer, unit, (arrived_at, wanted)) } else { self.skip() };
        match taken {
            Ok(Taken::Passes) => gst::PadProbeReturn::Ok,
            // Thrown away. Not with Drop: the binding has taken the buffer, and GStreamer would unref what is not there.
            Ok(Taken::Kept) => gst::PadProbeReturn::Handled,
            // The sink says so too, with the next picture that it gets.
            Err(Closed) => gst::PadProbeReturn::Ok,
        }
    }

    fn skip(&mut self) -> Result<Taken, Closed> {
        if self.thinner.is_broken {
            self.forget();
        }
        self.attempt.skip().map(|()| Taken::Kept)
    }

    /// Holds the picture, while the decoder dozes.
    fn hold(
        &mut self,
        pad: &gst::Pad,
        buffer: &gst::Buffer,
        unit: Unit,
        (arrived_at, wanted): (Instant, Wanted),
    ) -> Result<Taken, Closed> {
        // What is shown before a clean random access picture may need what is before it in the stream.
        if wanted.key_frames_only || unit.coded.is_clean_access || unit.coded.is_skipped_leading {
            self.forget();
            return Ok(Taken::Passes);
        }
        let Some(holder) = &mut self.holder else { return Ok(Taken::Passes) };
        let forgiven = self.thinner.forgiven;
        let came_at = arrived_at.checked_sub(forgiven).unwrap_or(arrived_at);
        let of = (unit.is_key, unit.coded.is_disposable);
        let taken = holder.take(pad, buffer, of, (came_at, wanted.fps));
        if matches!(taken, Ok(Taken::Passes)) {
            holder.note_delay(buffer.pts(), arrived_at.elapsed().saturating_sub(BURST).max(forgiven));
        }
        let spent = arrived_at.elapsed();
        if spent > BURST {
            self.thinner.forgiven = forgiven + spent;
        }
        taken
    }

    /// Something other than a picture comes: what is held goes before it.
    fn wake(&mut self, pad: &gst::Pad) {
        if let Some(holder) = &mut self.holder {
            holder.wake(pad);
        }
    }

    /// What is held is not to be decoded any more.
    fn forget(&mut self) {
        if let Some(holder) = &mut self.holder {
            holder.forget();
        }
    }
}

/// Decides before `decoder` from now on.
pub(super) fn attach(
    decoder: &gst::Element,
    codec: Codec,
    attempt: Attempt,
    has_timestamps: bool,
    handover: &Arc<Handover>,
) {
    let pad = decoder.static_pad("sink").expect("a decoder has a sink pad");
    let is_intra = matches!(codec, Codec::Jpeg | Codec::Raw);
    let thinner = Thinner { is_intra: codec == Codec::Jpeg, ..Thinner::default() };
    let decoder = decoder.downgrade();
    let feeding = Arc::new(AtomicBool::new(false));
    let holder = attempt.control().stillness.get().filter(|_| has_timestamps && !is_intra).map(|stillness| {
        Holder::new(attempt.clone(), Arc::clone(handover), Arc::clone(stillness), Arc::clone(&feeding))
    });
    let gate = Mutex::new(Gate { codec, attempt, has_timestamps, decoder, thinner, framing: None, holder });
    let flushed = AtomicBool::new(false);
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        if feeding.load(Ordering::Relaxed) {
            // What was held, on its way at last.
            return gst::PadProbeReturn::Ok;
        }
        // But for this one, the streaming thread alone comes here.
        let gate = || gate.lock().unwrap_or_else(PoisonError::into_inner);
        match info.event().map(|event| event.view()) {
            Some(gst::EventView::FlushStart(_)) => flushed.store(true, Ordering::Relaxed),
            Some(gst::EventView::Caps(caps)) => {
                let mut gate = gate();
                gate.wake(pad);
                gate.note_caps(caps.caps());
            }
            Some(gst::EventView::Segment(_) | gst::EventView::Eos(_)) => gate().wake(pad),
            _ => {}
        }
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let mut gate = gate();
        if flushed.swap(false, Ordering::Relaxed) {
            gate.forget();
        }
        gate.judge(pad, buffer)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted { fps: f64::INFINITY, key_frames_only: false };
    const FIVE: Wanted = Wanted { fps: 5.0, key_frames_only: false };
    const KEYS: Wanted = Wanted { fps: 1.0, key_frames_only: true };
    const NONE: Wanted = Wanted { fps: 0.0, key_frames_only: false };

    const FRAME: Duration = Duration::from_millis(40);
    const DISPOSABLE: Coded =
        Coded { is_disposable: true, layer: 0, is_clean_access: false, is_skipped_leading: false };
    const REFERENCE: Coded = Coded { is_disposable: false, ..DISPOSABLE };

    /// A stream of 25 frames a second, a key frame every 50, `between` disposable pictures between two that are not.
    fn unit(k: u32, between: u32) -> Unit {
        let is_key = k.is_multiple_of(50);
        let coded = if k.is_multiple_of(between + 1) || is_key { REFERENCE } else { DISPOSABLE };
        Unit { is_key, coded, at: FRAME * k, lag: Duration::ZERO }
    }

    /// Which of the frames are decoded.
    fn decoded(thinner: &mut Thinner, frames: std::ops::Range<u32>, between: u32, wanted: Wanted) -> Vec<u32> {
        frames.filter(|&k| thinner.judge(unit(k, between), wanted).0).collect()
    }

    #[test]
    fn everything_is_decoded_unless_something_else_is_wanted() {
        let all: Vec<u32> = (0..500).collect();
        assert_eq!(decoded(&mut Thinner::default(), 0..500, 2, ALL), all);
        assert_eq!(decoded(&mut Thinner::default(), 0..500, 0, FIVE), all, "every picture is needed by the next");
    }

    #[test]
    fn what_nothing_depends_on_is_left_out_when_the_rate_does_not_need_it() {
        let mut thinner = Thinner::default();
        let settled = decoded(&mut thinner, 0..500, 2, FIVE).into_iter().filter(|k| *k >= 100);
        let needed: Vec<u32> = (100..500).filter(|k| k % 50 % 3 == 0 || k % 3 == 0).collect();
        assert!(settled.clone().all(|k| unit(k, 2).is_key || k % 3 == 0), "only what is referred to");
        assert!(needed.iter().filter(|k| **k % 3 == 0).all(|k| settled.clone().any(|of| of == *k)));
        let quick = Wanted { fps: 20.0, key_frames_only: false };
        assert_eq!(decoded(&mut thinner, 500..1000, 2, quick).len(), 500, "every one is due");
    }

    #[test]
    fn the_picture_that_is_analysed_is_never_older_than_three_quarters_of_an_interval() {
        // Key frames two seconds apart and nothing but disposable pictures between: some are decoded.
        let mut thinner = Thinner::default();
        let settled: Vec<u32> = decoded(&mut thinner, 0..500, 49, FIVE).into_iter().filter(|k| *k > 100).collect();
        assert!(settled.windows(2).all(|pair| pair[1] - pair[0] <= 4), "{settled:?}");
        assert!(settled.len() < 120, "{settled:?}");
    }

    #[test]
    fn of_key_frames_alone_none_but_those_and_after_them_all_from_the_next_one_on() {
        let mut thinner = Thinner::default();
        assert_eq!(decoded(&mut thinner, 0..220, 0, KEYS), [0, 50, 100, 150, 200]);
        assert_eq!(decoded(&mut thinner, 220..255, 0, ALL), [250, 251, 252, 253, 254], "no smear before it");
    }

    #[test]
    fn of_key_frames_no_more_than_are_wanted() {
        let rarely = Wanted { fps: 0.1, key_frames_only: true };
        assert_eq!(decoded(&mut Thinner::default(), 0..1000, 0, rarely), [0, 200, 400, 600, 800]);
    }

    #[test]
    fn a_paused_camera_decodes_nothing_and_goes_on_at_a_key_frame() {
        let mut thinner = Thinner::default();
        assert_eq!(decoded(&mut thinner, 0..130, 0, NONE), Vec::<u32>::new());
        assert_eq!(decoded(&mut thinner, 130..152, 0, ALL), [150, 151]);
    }

    #[test]
    fn a_decoder_that_falls_behind_leaves_out_what_waits_and_goes_on_at_a_key_frame() {
        let mut thinner = Thinner::default();
        let late = |k: u32| Unit { lag: if (20..40).contains(&k) { 2 * BEHIND } else { FRAME }, ..unit(k, 0) };
        let decoded: Vec<u32> = (0..100).filter(|&k| thinner.judge(late(k), ALL).0).collect();
        assert_eq!(decoded, (0..20).chain(50..100).collect::<Vec<u32>>());
    }

    #[test]
    fn timestamps_that_are_off_all_the_time_are_no_wait() {
        let mut thinner = Thinner::default();
        let off = |k: u32| Unit { lag: Duration::from_secs(30) + FRAME / 100 * k, ..unit(k, 0) };
        assert!((0..500).all(|k| thinner.judge(off(k), ALL) == (true, thinner.waited(&off(k)))));
    }

    #[test]
    fn a_layer_that_one_above_refers_to_is_not_disposable() {
        let mut thinner = Thinner::default();
        let layered = |k: u32| {
            let layer = if k.is_multiple_of(50) { 0 } else { (k % 2) as u8 };
            Unit { coded: Coded { layer, ..DISPOSABLE }, ..unit(k, 0) }
        };
        let decoded: Vec<u32> = (0..300).filter(|&k| thinner.judge(layered(k), FIVE).0).collect();
        assert!((0..300).filter(|k| k % 2 == 0).all(|k| decoded.contains(&k)), "the lower layer");
        assert!(decoded.len() < 270, "{}", decoded.len());
    }

    #[test]
    fn after_a_clean_random_access_picture_what_is_shown_before_it_is_left_out() {
        let mut thinner = Thinner::default();
        let unit = |k: u32| {
            let is_leading = (1..4).contains(&(k % 50));
            let coded = Coded { is_clean_access: k.is_multiple_of(50), is_skipped_leading: is_leading, ..REFERENCE };
            Unit { coded, ..unit(k, 0) }
        };
        assert_eq!((0..10).filter(|&k| thinner.judge(unit(k), ALL).0).count(), 10);
        for k in 10..60 {
            thinner.judge(unit(k), KEYS);
        }
        let on: Vec<u32> = (60..160).filter(|&k| thinner.judge(unit(k), ALL).0).collect();
        assert_eq!(on, (100..101).chain(104..160).collect::<Vec<u32>>(), "and only after the first one");
    }

    #[test]
    fn pictures_that_stand_for_themselves_are_decoded_as_often_as_they_are_needed() {
        let mut thinner = Thinner { is_intra: true, ..Thinner::default() };
        let jpeg = |k: u32| Unit { is_key: true, coded: Coded::default(), at: FRAME * k, lag: Duration::ZERO };
        let decoded = |thinner: &mut Thinner, wanted| (0..250).filter(|&k| thinner.judge(jpeg(k), wanted).0).count();
        assert_eq!(decoded(&mut thinner, ALL), 250);
        assert_eq!(decoded(&mut Thinner { is_intra: true, ..Thinner::default() }, FIVE), 63, "every fourth");
    }
}

//! One stream's session: what goes on over reconnects, and the hand-over of frames, or of coded pictures that are counted
//! and kept for a while.
//!
//! # Ownership
//! The supervisor (or whoever wants a frame or two without one) owns the session; each attempt holds an [`Attempt`], which the source's streaming thread delivers
//! into. An attempt that is over delivers nothing more, even if its threads still run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use analytics::{CameraId, FrameStamp, WallTime};
use gstreamer as gst;

use crate::decode::clock::LiveClock;
use crate::frame::{Frame, FrameSlot, Picture, Turn};
use crate::privacy::Masks;
use crate::record::Ring;
use crate::source::sender_clock::SenderClock;
use crate::source::thin::DecodeControl;

/// What is received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamInfo {
    /// By RTP encoding name; `raw` where nothing is coded.
    pub codec: String,
    /// The decoder in use: the element that was made, not the one preferred. Empty where none is needed.
    pub decoder: String,
    /// Decoders that the hardware profile prefers over it and that cannot be used, each with the reason.
    pub passed_over: Vec<String>,
    /// Width and height in pixels, once a picture or its header came.
    pub size: Option<(u32, u32)>,
}

/// What came on a stream that is received and not decoded, since start.
#[derive(Debug, Default)]
pub struct PacketCount {
    pictures: AtomicU64,
    bytes: AtomicU64,
}

impl PacketCount {
    /// Coded pictures.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Where an attempt delivers to.
#[derive(Debug)]
enum Target {
    Frames(Arc<FrameSlot>),
    Packets(Arc<PacketCount>, Option<Arc<Ring>>),
}

/// A camera's session.
#[derive(Debug)]
pub struct Session {
    camera: CameraId,
    target: Target,
    masks: Masks,
    control: Arc<DecodeControl>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    attempt: u64,
    open: bool,
    seq: u64,
    attempt_frames: u64,
    clock: LiveClock,
    sender: SenderClock,
    stream: Option<StreamInfo>,
}

/// What the supervisor looks at now and then.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Progress {
    /// Frames of the attempt at hand.
    pub(super) attempt_frames: u64,
    pub(super) timestamp_jumps: u64,
    pub(super) stream: Option<StreamInfo>,
}

impl Session {
    /// A session without frames, that fills `slot` with pictures seen through `masks`.
    #[must_use]
    pub fn new(camera: CameraId, slot: Arc<FrameSlot>, masks: Masks) -> Arc<Self> {
        Arc::new(Self { camera, target: Target::Frames(slot), masks, control: Arc::default(), state: Mutex::default() })
    }

    /// A session of a stream that is received and not decoded: its pictures are counted, and held in the ring, if any.
    #[must_use]
    pub fn of_packets(camera: CameraId, count: Arc<PacketCount>, ring: Option<Arc<Ring>>) -> Arc<Self> {
        let target = Target::Packets(count, ring);
        let masks = Masks::default();
        Arc::new(Self { camera, target, masks, control: Arc::default(), state: Mutex::default() })
    }

    pub(super) fn camera(&self) -> &CameraId {
        &self.camera
    }

    /// Which of its pictures are decoded, over all its attempts.
    #[must_use]
    pub fn control(&self) -> Arc<DecodeControl> {
        Arc::clone(&self.control)
    }

    /// Opens the next attempt; the one before is closed.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> Attempt {
        let mut state = self.state();
        state.attempt += 1;
        state.open = true;
        self.set_dozing(false);
        state.attempt_frames = 0;
        state.clock.reconnect();
        state.sender = SenderClock::default();
        Attempt { session: Arc::clone(self), number: state.attempt }
    }

    /// Closes the attempt at hand.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.open = false;
        self.set_dozing(false);
    }

    fn set_dozing(&self, is_dozing: bool) {
        if let Target::Frames(slot) = &self.target {
            slot.set_dozing(is_dozing);
        }
    }

    /// What is received; `None` before the first connection.
    #[must_use]
    pub fn stream(&self) -> Option<StreamInfo> {
        self.state().stream.clone()
    }

    pub(super) fn progress(&self) -> Progress {
        let state = self.state();
        Progress {
            attempt_frames: state.attempt_frames,
            timestamp_jumps: state.clock.jumps(),
            stream: state.stream.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's right to deliver.
#[derive(Debug, Clone)]
pub struct Attempt {
    session: Arc<Session>,
    number: u64,
}

/// Where and when a frame was received whose picture is to come.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) stamp: FrameStamp,
    pub(super) arrived_at: Instant,
    camera_ahead_s: Option<f64>,
}

/// The attempt is over: nothing is delivered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attempt is over")]
pub struct Closed;

impl Attempt {
    /// The camera.
    #[must_use]
    pub fn camera(&self) -> &CameraId {
        self.session.camera()
    }

    /// What hides parts of its pictures.
    pub(super) fn masks(&self) -> &Masks {
        &self.session.masks
    }

    pub(super) fn control(&self) -> &DecodeControl {
        &self.session.control
    }

    /// Says what is received; again, when more is known of it.
    pub fn describe(&self, stream: StreamInfo) {
        let mut state = self.session.state();
        if self.is_open(&state) {
            state.stream = Some(stream);
        }
    }

    /// Stamps the picture and puts it into the camera's slot. `pts` is the buffer's timestamp, if it has one.
    ///
    /// # Errors
    /// [`Closed`]: the source may stop.
    pub fn deliver(
        &self,
        picture: impl Into<Arc<Picture>>,
        pts: Option<Duration>,
        arrived_at: Instant,
    ) -> Result<(), Closed> {
        self.deliver_delayed(picture.into(), pts, arrived_at, Duration::ZERO)
    }

    /// The same of a picture that waited for so long, `held_for`, because others were caught up with.
    pub(super) fn deliver_delayed(
        &self,
        picture: Arc<Picture>,
        pts: Option<Duration>,
        arrived_at: Instant,
        held_for: Duration,
    ) -> Result<(), Closed> {
        let captured_at = before(wall_now(), held_for);
        let mut state = self.session.state();
        if !self.is_open(&state) {
            return Err(Closed);
        }
        state.seq += 1;
        state.attempt_frames += 1;
        let pts = state.clock.tick(pts, arrived_at);
        let stamp = FrameStamp { camera: self.session.camera.clone(), seq: state.seq, pts, captured_at };
        // Within the lock: frames reach the slot in the order of their stamps.
        if let Target::Frames(slot) = &self.session.target {
            let camera_ahead_s = state.sender.offset_s(arrived_at);
            slot.put(Frame { stamp, arrived_at, camera_ahead_s, held_for, turn: Turn::Latest, picture });
        }
        Ok(())
    }

    /// Stamps a coded picture that is held, as it comes.
    ///
    /// # Errors
    /// [`Closed`]: the source may stop.
    pub(super) fn receive(&self, pts: Duration, arrived_at: Instant) -> Result<Arrival, Closed> {
        let captured_at = before(wall_now(), arrived_at.elapsed());
        let mut state = self.session.state();
        if !self.is_open(&state) {
            return Err(Closed);
        }
        state.seq += 1;
        state.attempt_frames += 1;
        let pts = state.clock.tick(Some(pts), arrived_at);
        let stamp = FrameStamp { camera: self.session.camera.clone(), seq: state.seq, pts, captured_at };
        Ok(Arrival { stamp, arrived_at, camera_ahead_s: state.sender.offset_s(arrived_at) })
    }

    /// Puts the picture of a frame that was held into the slot once that is free; a frame for which it is not free by
    /// then is not analysed.
    ///
    /// # Errors
    /// [`Closed`]: the source may stop.
    pub(super) fn catch_up(
        &self,
        arrival: Arrival,
        picture: Arc<Picture>,
        turn: Turn,
        until: Instant,
    ) -> Result<(), Closed> {
        let Target::Frames(slot) = &self.session.target else { return Ok(()) };
        let is_free = slot.wait_until_free(until);
        let state = self.session.state();
        if !self.is_open(&state) {
            return Err(Closed);
        }
        if is_free {
            let Arrival { stamp, arrived_at, camera_ahead_s } = arrival;
            let held_for = arrived_at.elapsed();
            slot.put_late(Frame { stamp, arrived_at, camera_ahead_s, held_for, turn, picture });
        } else {
            slot.pass_over();
        }
        Ok(())
    }

    /// Waits until what is in the slot was taken, or until then.
    pub(super) fn let_take(&self, until: Instant) {
        if let Target::Frames(slot) = &self.session.target {
            slot.wait_until_free(until);
        }
    }

    /// Counts a picture that is held, and says that the decoder dozes.
    pub(super) fn hold(&self) {
        if let Target::Frames(slot) = &self.session.target {
            slot.skip();
        }
        self.set_dozing(true);
    }

    /// Counts a picture that is decoded and was not put into the slot.
    pub(super) fn count_decoded(&self) {
        if let Target::Frames(slot) = &self.session.target {
            slot.count_arrived();
        }
    }

    /// Counts pictures that were held and will never be decoded.
    pub(super) fn spare(&self, pictures: u64) {
        if let Target::Frames(slot) = &self.session.target {
            slot.spare(pictures);
        }
    }

    /// Says whether the decoder dozes.
    pub(super) fn set_dozing(&self, is_dozing: bool) {
        let state = self.session.state();
        if self.is_open(&state) {
            self.session.set_dozing(is_dozing);
        }
    }

    /// Takes what the camera says of its clock: an RTCP packet, as it arrives.
    pub(super) fn note_report(&self, packet: &[u8]) {
        let (wall, now) = (wall_now(), Instant::now());
        let mut state = self.session.state();
        if self.is_open(&state) {
            state.sender.note(packet, wall, now);
        }
    }

    /// Counts a coded picture that is not decoded, and puts it into the ring.
    ///
    /// # Errors
    /// [`Closed`]: the source may stop.
    pub fn keep(&self, sample: &gst::Sample, arrived_at: Instant) -> Result<(), Closed> {
        let captured_at = wall_now();
        let mut state = self.session.state();
        if !self.is_open(&state) {
            return Err(Closed);
        }
        state.attempt_frames += 1;
        if let Target::Packets(count, ring) = &self.session.target {
            let bytes = sample.buffer().map_or(0, gst::BufferRef::size);
            count.pictures.fetch_add(1, Ordering::Relaxed);
            count.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            if let Some(ring) = ring {
                ring.put(self.number, sample, arrived_at, captured_at);
            }
        }
        Ok(())
    }

    /// Takes notice of a coded picture that was received and is not decoded: it has its number, and is no silence.
    ///
    /// # Errors
    /// [`Closed`]: the source may stop.
    pub fn skip(&self) -> Result<(), Closed> {
        let mut state = self.session.state();
        if !self.is_open(&state) {
            return Err(Closed);
        }
        state.seq += 1;
        state.attempt_frames += 1;
        if let Target::Frames(slot) = &self.session.target {
            slot.skip();
        }
        Ok(())
    }

    fn is_open(&self, state: &State) -> bool {
        state.open && state.attempt == self.number
    }
}

/// So long before.
fn before(time: WallTime, by: Duration) -> WallTime {
    let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    WallTime::from_unix_nanos(time.as_unix_nanos().saturating_sub(by))
}

/// The calendar's time; before 1970 and after 2262 at their ends.
/// Now, by this box's clock.
#[must_use]
pub fn wall_now() -> WallTime {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    WallTime::from_unix_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameSignal;
    use crate::source::tests::grey_picture;

    #[test]
    fn numbers_and_media_time_go_on_over_attempts() {
        let slot = Arc::new(FrameSlot::new(Arc::new(FrameSignal::default())));
        let session = Session::new(CameraId::new("cam").expect("valid"), Arc::clone(&slot), Masks::default());
        let start = Instant::now();
        let first = session.open();
        first.deliver(grey_picture(), Some(Duration::from_secs(70)), start).expect("open");
        let second = session.open();
        assert_eq!(first.deliver(grey_picture(), None, start), Err(Closed), "an earlier attempt delivers nothing");
        second.deliver(grey_picture(), Some(Duration::ZERO), start + Duration::from_secs(3)).expect("open");
        let frame = slot.take().expect("delivered");
        assert_eq!((frame.stamp.seq, frame.stamp.pts.as_secs_f64()), (2, 3.0));
        assert_eq!((slot.arrived(), slot.replaced()), (2, 1));
        session.close();
        assert_eq!(second.deliver(grey_picture(), None, start), Err(Closed));
    }
}

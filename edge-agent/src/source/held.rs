//! The coded pictures that are held before a decoder which [dozes](super::doze), and how they reach it after all.
//!
//! A key frame that comes while it dozes is decoded and looked at. If nothing moved, the frames that were due since the
//! last one are analysed with that one's picture, each with its own time; then this one. If something did, the whole group
//! before it is decoded in a burst, then this one again: what moved is analysed from its beginning on. A picture whose
//! size tells of movement has the pictures before it decoded in the same manner.
//!
//! # Invariants
//! - Frames reach the slot in the order of their stamps, which they are given as they come, decoded or not.
//! - The decoder's timestamps ascend, also where it is given a group for the second time: that has timestamps a nanosecond
//!   apart, between those of the pictures around it.
//!
//! # Failure
//! A frame that nobody takes in time is not analysed, and the stream goes on. A decoder that does not give a key frame's
//! picture at once, twice, never dozes again. What is held goes with its attempt.
//!
//! # Ownership
//! The streaming thread alone holds, feeds and waits. [`Handover`] is what it leaves for itself behind the decoder.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use analytics::MediaTime;
use gstreamer as gst;
use gstreamer::prelude::*;

use super::doze::{Coming, Course, Dozer, STILL};
use super::session::Arrival;
use super::{Attempt, Closed};
use crate::frame::{Picture, Turn};

/// So long the frames of one burst may take, all together; those that are left then are not analysed. Longer rides out
/// a busier box; it delays what comes meanwhile.
const BURST: Duration = Duration::from_millis(2500);

/// Room for timestamps that waver, where frames are due on a grid.
const WAVERS: Duration = Duration::from_millis(5);

/// Key frames whose picture did not come at once before a decoder is left awake.
const MOST_REFUSALS: u32 = 2;

/// Who knows whether something moves at a camera: its motion gate. A trait because sources know nothing of detection.
pub trait Stillness: Debug + Send + Sync {
    /// For how long nothing has moved, as of the last frame that was analysed.
    fn still_for(&self) -> Duration;

    /// Whether nothing has moved in this picture either. It is looked at, and not taken for analysed.
    fn is_still(&self, picture: &Picture) -> bool;
}

/// What is to become of a picture behind the decoder.
#[derive(Debug)]
enum Note {
    /// Nothing: it was decoded because others depend on it.
    Mute,
    /// It is looked at.
    Look,
    /// It is analysed, late.
    Late(Arrival, Instant),
    /// It came while the decoder was catching up, and was not late by itself.
    Delayed(Duration),
}

/// What the thread that decodes leaves before the decoder for itself behind it.
#[derive(Debug, Default)]
pub(super) struct Handover {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_used: bool,
    notes: VecDeque<(gst::ClockTime, Note)>,
    looked_at: Option<Arc<Picture>>,
    /// The last picture that was delivered as it came, or found still.
    shown: Option<(gst::ClockTime, Arc<Picture>)>,
}

impl Handover {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, pts: gst::ClockTime, note: Note) {
        self.state().notes.push_back((pts, note));
    }

    /// Does with a decoded picture what was noted of it.
    pub(super) fn deliver(
        &self,
        attempt: &Attempt,
        picture: Picture,
        pts: Option<gst::ClockTime>,
        arrived_at: Instant,
    ) -> Result<(), Closed> {
        let picture = Arc::new(picture);
        let mut state = self.state();
        let Some(pts) = pts.filter(|_| state.is_used) else {
            drop(state);
            return attempt.deliver(picture, pts.map(Duration::from), arrived_at);
        };
        // Decoders give pictures in their order: what was noted of earlier ones is void, they never came.
        while state.notes.front().is_some_and(|(noted, _)| *noted < pts) {
            state.notes.pop_front();
        }
        let is_noted = state.notes.front().is_some_and(|(noted, _)| *noted == pts);
        let note = if is_noted { state.notes.pop_front().map(|(_, note)| note) } else { None };
        match note {
            Some(Note::Mute) => Ok(()),
            Some(Note::Look) => {
                state.looked_at = Some(picture);
                Ok(())
            }
            Some(Note::Late(arrival, until)) => {
                drop(state);
                attempt.catch_up(arrival, picture, Turn::CatchUp, until)
            }
            Some(Note::Delayed(by)) => {
                state.shown = Some((pts, Arc::clone(&picture)));
                drop(state);
                let arrived_at = arrived_at.checked_sub(by).unwrap_or(arrived_at);
                attempt.deliver_delayed(picture, Some(pts.into()), arrived_at, by)
            }
            None => {
                state.shown = Some((pts, Arc::clone(&picture)));
                drop(state);
                attempt.deliver(picture, Some(pts.into()), arrived_at)
            }
        }
    }
}

/// A coded picture; `arrival`: none of one that was delivered as it came.
struct Held {
    buffer: gst::Buffer,
    arrival: Option<Arrival>,
}

/// Which of the frames that were held are analysed: those that would have been.
#[derive(Debug, Clone, Copy)]
struct Grid {
    next: MediaTime,
    interval: Duration,
}

impl Grid {
    fn takes(&mut self, at: MediaTime) -> bool {
        let is_due = at + WAVERS >= self.next;
        if is_due {
            let on_grid = self.next + self.interval;
            self.next = if on_grid > at { on_grid } else { at + self.interval };
        }
        is_due
    }
}

/// What one decoder is held back from.
pub(super) struct Holder {
    attempt: Attempt,
    handover: Arc<Handover>,
    stillness: Arc<dyn Stillness>,
    dozer: Dozer,
    /// The last key frame, and what is held behind it.
    held: Vec<Held>,
    grid: Option<Grid>,
    /// Pictures are given to the decoder here: they are not to be judged again.
    feeding: Arc<AtomicBool>,
    refusals: u32,
}

/// What is to be done with the picture that was shown to [`Holder::take`].
pub(super) enum Taken {
    /// It goes to the decoder.
    Passes,
    /// It is held, or done with.
    Kept,
}

impl Holder {
    pub(super) fn new(
        attempt: Attempt,
        handover: Arc<Handover>,
        stillness: Arc<dyn Stillness>,
        feeding: Arc<AtomicBool>,
    ) -> Self {
        handover.state().is_used = true;
        let dozer = Dozer::default();
        Self { attempt, handover, stillness, dozer, held: Vec::new(), grid: None, feeding, refusals: 0 }
    }

    /// What the last picture behind the decoder will be late by, for no fault of its own.
    pub(super) fn note_delay(&self, pts: Option<gst::ClockTime>, by: Duration) {
        if let Some(pts) = pts.filter(|_| !by.is_zero()) {
            self.handover.note(pts, Note::Delayed(by));
        }
    }

    /// Decides on the next coded picture, which the decoder may have; `fps`: frames that are analysed a second.
    pub(super) fn take(
        &mut self,
        pad: &gst::Pad,
        buffer: &gst::Buffer,
        (is_key, is_disposable): (bool, bool),
        (arrived_at, fps): (Instant, f64),
    ) -> Result<Taken, Closed> {
        let Some(pts) = buffer.pts() else {
            self.wake(pad);
            return Ok(Taken::Passes);
        };
        let may_doze = fps.is_finite() && self.refusals < MOST_REFUSALS && (is_key || self.is_shown());
        let still_for = may_doze.then(|| self.stillness.still_for());
        let coming = Coming { is_key, is_disposable, bytes: buffer.size(), pts: pts.into() };
        match self.dozer.take(coming, still_for) {
            Course::Pass => {}
            Course::Wake => self.feed_held(pad),
            Course::Hold => {
                let arrival = self.attempt.receive(pts.into(), arrived_at)?;
                self.attempt.hold();
                if self.held.len() == 1 {
                    let key_pts = self.held[0].buffer.pts().map_or(Duration::ZERO, Duration::from);
                    let behind = Duration::from(pts).saturating_sub(key_pts);
                    let interval = Duration::from_secs_f64(1.0 / fps);
                    let next = arrival.stamp.pts + interval.saturating_sub(behind);
                    self.grid.get_or_insert(Grid { next, interval }).interval = interval;
                }
                self.held.push(Held { buffer: buffer.clone(), arrival: Some(arrival) });
                return Ok(Taken::Kept);
            }
            Course::Look => {
                self.look(pad, buffer, arrived_at)?;
                return Ok(Taken::Kept);
            }
        }
        if is_key {
            self.held = vec![Held { buffer: buffer.clone(), arrival: None }];
        }
        Ok(Taken::Passes)
    }

    /// Whether the decoder gave the key frame's picture at once.
    fn is_shown(&self) -> bool {
        let key = self.held.first().and_then(|key| key.buffer.pts());
        key.is_some() && self.handover.state().shown.as_ref().map(|(pts, _)| *pts) == key
    }

    fn look(&mut self, pad: &gst::Pad, buffer: &gst::Buffer, arrived_at: Instant) -> Result<(), Closed> {
        let pts = buffer.pts().unwrap_or_default();
        let arrival = self.attempt.receive(pts.into(), arrived_at)?;
        self.attempt.count_decoded();
        self.handover.note(pts, Note::Look);
        self.chain(pad, buffer.clone());
        let picture = self.handover.state().looked_at.take();
        self.refusals = if picture.is_some() { 0 } else { self.refusals + 1 };
        let moved_not = self.stillness.still_for() >= STILL;
        let is_still = picture.as_ref().is_some_and(|picture| moved_not && self.stillness.is_still(picture));
        self.dozer.looked(is_still, buffer.size());
        let key = Held { buffer: buffer.clone(), arrival: Some(arrival) };
        match picture.filter(|_| is_still) {
            Some(picture) => self.stand_in(key, picture, pts),
            None => {
                let again = buffer.clone();
                self.held.push(key);
                let all = std::mem::take(&mut self.held);
                self.feed(pad, all, pts);
                self.held.push(Held { buffer: again, arrival: None });
            }
        }
        Ok(())
    }

    /// Nothing moved: the frames that were due show what the last key frame showed; then comes this one.
    fn stand_in(&mut self, mut key: Held, picture: Arc<Picture>, pts: gst::ClockTime) {
        let until = Instant::now() + BURST;
        let before = self.handover.state().shown.replace((pts, Arc::clone(&picture)));
        let group = std::mem::take(&mut self.held);
        self.attempt.spare(group.len().saturating_sub(1) as u64);
        let due = group.into_iter().filter_map(|held| held.arrival).filter(|arrival| self.is_due(arrival));
        let due: Vec<Arrival> = due.collect();
        if let Some((_, before)) = before {
            for arrival in due {
                // Closed: the next picture hears of it too.
                let _ = self.attempt.catch_up(arrival, Arc::clone(&before), Turn::Repeat, until);
            }
        }
        if let Some(arrival) = key.arrival.take() {
            self.is_due(&arrival);
            let _ = self.attempt.catch_up(arrival, picture, Turn::CatchUp, until);
        }
        self.held.push(key);
    }

    fn is_due(&mut self, arrival: &Arrival) -> bool {
        self.grid.as_mut().is_none_or(|grid| grid.takes(arrival.stamp.pts))
    }

    /// Gives the decoder what is held, in a burst: the picture at hand waits.
    pub(super) fn wake(&mut self, pad: &gst::Pad) {
        if self.dozer.is_dozing() {
            self.dozer.wake(false);
            self.feed_held(pad);
        }
    }

    fn feed_held(&mut self, pad: &gst::Pad) {
        let behind_key = self.held.split_off(self.held.len().min(1));
        // The decoder has the key frame already.
        let from = self.held.first().and_then(|key| key.buffer.pts()).unwrap_or_default();
        self.feed(pad, behind_key, from);
    }

    /// Decodes these, whose timestamps become such as follow `from` at once.
    fn feed(&mut self, pad: &gst::Pad, group: Vec<Held>, from: gst::ClockTime) {
        let until = Instant::now() + BURST;
        let count = group.len();
        for (index, Held { buffer, arrival }) in group.into_iter().enumerate() {
            let pts = from + gst::ClockTime::from_nseconds(index as u64 + 1);
            let is_last_key = index + 1 == count && !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            let arrival = arrival.filter(|arrival| self.is_due(arrival) || is_last_key);
            self.handover.note(pts, arrival.map_or(Note::Mute, |arrival| Note::Late(arrival, until)));
            let mut again = buffer.copy();
            if let Some(again) = again.get_mut() {
                again.set_pts(pts);
                again.set_dts(gst::ClockTime::NONE);
            }
            if !self.chain(pad, again) {
                break;
            }
        }
        self.grid = None;
        // What comes next replaces what nobody has taken.
        self.attempt.let_take(until);
        self.attempt.set_dozing(false);
    }

    fn chain(&self, pad: &gst::Pad, buffer: gst::Buffer) -> bool {
        self.feeding.store(true, Ordering::Relaxed);
        let flow = pad.chain(buffer);
        self.feeding.store(false, Ordering::Relaxed);
        flow.is_ok()
    }

    /// What is held is given up: it was not to be decoded, or belongs to another stream by now.
    pub(super) fn forget(&mut self) {
        if self.dozer.is_dozing() {
            self.dozer.wake(false);
            self.attempt.set_dozing(false);
        }
        self.held.clear();
        self.grid = None;
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.attempt.set_dozing(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_due_on_a_grid_whatever_the_streams_own_rate() {
        for (fps, expected) in [(25_u32, 50), (12, 50), (30, 50), (4, 40)] {
            let mut grid =
                Grid { next: MediaTime::ZERO + Duration::from_millis(200), interval: Duration::from_millis(200) };
            let at = |k: u32| MediaTime::ZERO + Duration::from_secs(1) * k / fps;
            let taken: Vec<_> = (1..=10 * fps).map(at).filter(|at| grid.takes(*at)).collect();
            assert_eq!(taken.len(), expected, "{fps}");
        }
    }
}

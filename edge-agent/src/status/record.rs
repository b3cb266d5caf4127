//! A camera's full-size stream in messages: its own state and rate, and one word in the camera's reasons.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::health::state_and_reason;
use crate::publish::wire::{CameraState, CameraStatus, RecordHealth, RecordStatus, RingHealth, Word};
use crate::record::{Ring, RingTotals};
use crate::source::{PacketCount, SourceStatus};

/// In the reasons of a camera whose full-size stream is offline; the camera's state does not follow it.
const OFFLINE: &str = "record_offline";

/// Time over which rates are measured.
const WINDOW: Duration = Duration::from_secs(60);

/// What is known of one camera's full-size stream.
#[derive(Debug, Clone)]
pub struct RecordSource {
    /// Its supervisor's word.
    pub status: watch::Receiver<SourceStatus>,
    /// What came.
    pub packets: Arc<PacketCount>,
    /// What is held of it, if anything.
    pub ring: Option<Arc<Ring>>,
}

/// Its status as a message.
#[must_use]
pub fn record_status(status: &SourceStatus) -> RecordStatus {
    let (state, reason) = state_and_reason(status);
    let stream = status.stream.as_ref();
    let size = stream.and_then(|stream| stream.size);
    RecordStatus {
        state,
        reasons: reason.into_iter().map(Word::Borrowed).collect(),
        since: status.since.into(),
        codec: stream.map(|stream| stream.codec.clone().into()),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
    }
}

/// The camera's status with that of its full-size stream: never worse for it, but with its word.
#[must_use]
pub fn with_record(mut camera: CameraStatus, record: &SourceStatus) -> CameraStatus {
    let record = record_status(record);
    if record.state == CameraState::Offline {
        camera.reasons.push(Word::Borrowed(OFFLINE));
    }
    CameraStatus { record: Some(record), ..camera }
}

/// Pictures and bytes over the last minute.
#[derive(Debug, Default)]
pub(super) struct RecordRate {
    marks: VecDeque<(Instant, u64, u64)>,
}

impl RecordRate {
    /// Takes notice of the totals.
    pub(super) fn note(&mut self, pictures: u64, bytes: u64, now: Instant) {
        self.marks.push_back((now, pictures, bytes));
        while self.marks.front().is_some_and(|(at, ..)| now - *at > WINDOW) {
            self.marks.pop_front();
        }
    }

    /// Pictures and kbit a second.
    fn rates(&self) -> (f64, f64) {
        let (Some((from, pictures, bytes)), Some((to, more_pictures, more_bytes))) =
            (self.marks.front(), self.marks.back())
        else {
            return (0.0, 0.0);
        };
        let seconds = (*to - *from).as_secs_f64();
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let kbits = (more_bytes - bytes) as f64 * 8.0 / 1000.0;
        (tenths((more_pictures - pictures) as f64 / seconds), tenths(kbits / seconds))
    }

    pub(super) fn health(&self, record: &RecordSource) -> RecordHealth {
        let status = record.status.borrow();
        let (received_fps, received_kbps) = self.rates();
        let state = state_and_reason(&status).0;
        let ring = record.ring.as_ref().map(|ring| ring_health(ring.totals()));
        RecordHealth { state, received_fps, received_kbps, connects_total: status.attempts, ring }
    }
}

/// What a ring holds, as a message.
#[must_use]
pub fn ring_health(totals: RingTotals) -> RingHealth {
    RingHealth {
        seconds: (totals.seconds * 10.0).round() / 10.0,
        bytes: totals.bytes as u64,
        max_bytes: totals.max_bytes as u64,
        headless_total: totals.headless_total,
        oversized_total: totals.oversized_total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SourceState, StreamInfo, wall_now};
    use crate::status::camera_status;
    use analytics::CameraId;

    fn status(state: SourceState, reason: Option<&'static str>) -> SourceStatus {
        SourceStatus { state, reason, ..SourceStatus::connecting(wall_now()) }
    }

    #[test]
    fn a_camera_without_its_full_size_stream_is_online_and_says_so() {
        let camera = camera_status(&CameraId::new("nam").expect("valid"), &status(SourceState::Online, None));
        let told = with_record(camera.clone(), &status(SourceState::Offline, Some("not_found")));
        assert_eq!((told.state, told.reasons), (CameraState::Online, vec![Word::Borrowed("record_offline")]));
        let record = told.record.expect("there is one");
        assert_eq!((record.state, record.reasons), (CameraState::Offline, vec![Word::Borrowed("not_found")]));
        let mut online = status(SourceState::Online, None);
        online.stream =
            Some(StreamInfo { codec: "H265".to_owned(), size: Some((1920, 1080)), ..StreamInfo::default() });
        let told = with_record(camera, &online);
        assert_eq!(told.reasons, Vec::<Word>::new());
        let record = told.record.expect("there is one");
        assert_eq!((record.codec.as_deref(), record.width, record.height), (Some("H265"), Some(1920), Some(1080)));
    }

    #[test]
    fn rates_are_those_of_the_last_minute() {
        let (start, mut rate) = (Instant::now(), RecordRate::default());
        for second in 0..=90_u64 {
            // Nothing in the first half minute, then 25 pictures of 10 kB a second.
            let came = second.saturating_sub(30);
            rate.note(25 * came, 250_000 * came, start + Duration::from_secs(second));
        }
        assert_eq!(rate.rates(), (25.0, 2000.0));
        assert_eq!(RecordRate::default().rates(), (0.0, 0.0));
    }
}

//! A camera's own calendar clock beside the box's, from the RTCP sender reports of its stream (RFC 3550, 6.4.1).
//!
//! A report says what the camera's clock showed when it was sent; the box's clock shows more when it arrives, by what the
//! network took. Of the reports of a minute the one that took least counts. A camera without a calendar clock sends none,
//! zero or the time since it started: then nothing is known.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use analytics::WallTime;

/// Reports of so long are compared: cameras send one in some five seconds.
const WINDOW: Duration = Duration::from_secs(60);

/// From NTP's beginning (1900) to Unix's.
const UNIX_EPOCH_S: i64 = 2_208_988_800;

/// The payload type of a sender report.
const SENDER_REPORT: u8 = 200;

/// Compares the clocks of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct SenderClock {
    /// Seconds that the camera's clock seemed ahead.
    reports: VecDeque<(Instant, f64)>,
}

impl SenderClock {
    /// Takes an RTCP packet as it arrives.
    pub(super) fn note(&mut self, packet: &[u8], wall: WallTime, at: Instant) {
        if let Some(camera_s) = wallclock_of(packet) {
            self.reports.push_back((at, camera_s - wall.as_unix_nanos() as f64 / 1e9));
            self.forget(at);
        }
    }

    /// How far the camera's clock is ahead of the box's, in seconds; behind is negative. `None`: it has not said lately.
    pub(super) fn offset_s(&mut self, now: Instant) -> Option<f64> {
        self.forget(now);
        self.reports.iter().map(|(_, offset_s)| *offset_s).reduce(f64::max)
    }

    fn forget(&mut self, now: Instant) {
        while self.reports.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            self.reports.pop_front();
        }
    }
}

/// The calendar time in the first sender report of a compound packet, in seconds since 1970; `None`: there is none, or it
/// is no calendar's (before 1970). NTP's seconds begin anew in 2036.
fn wallclock_of(mut packet: &[u8]) -> Option<f64> {
    loop {
        let header: &[u8; 4] = packet.first_chunk()?;
        let [first, kind, length @ ..] = *header;
        if first >> 6 != 2 {
            return None;
        }
        let size = 4 * (usize::from(u16::from_be_bytes(length)) + 1);
        if kind == SENDER_REPORT {
            let word =
                |at: usize| packet.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
            let (seconds, fraction) = (word(8)?, word(12)?);
            let seconds = i64::from(seconds) - UNIX_EPOCH_S;
            return (seconds >= 0).then(|| seconds as f64 + f64::from(fraction) / 4_294_967_296.0);
        }
        packet = packet.get(size..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_S: i64 = 1_795_329_012;

    /// A sender report and a source description behind it, of a camera whose clock shows this.
    fn report(unix_s: f64) -> Vec<u8> {
        let ntp_s = unix_s + UNIX_EPOCH_S as f64;
        let fraction = ((ntp_s - ntp_s.floor()) * 4_294_967_296.0) as u32;
        let mut packet = vec![0x80, SENDER_REPORT, 0, 6, 0, 0, 0, 1];
        packet.extend((ntp_s.floor() as u32).to_be_bytes());
        packet.extend(fraction.to_be_bytes());
        packet.extend([0; 12]);
        packet.extend([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 1, b'c', 0]);
        packet
    }

    fn wall(offset_s: f64) -> WallTime {
        WallTime::from_unix_nanos(NOW_S * 1_000_000_000 + (offset_s * 1e9) as i64)
    }

    #[test]
    fn the_clocks_differ_by_the_report_that_took_least() {
        let (mut clock, start) = (SenderClock::default(), Instant::now());
        assert_eq!(clock.offset_s(start), None);
        for (second, delay_s) in [(0, 0.4), (5, 0.05), (10, 1.5)] {
            let sent = f64::from(second);
            let at = start + Duration::from_secs_f64(sent + delay_s);
            clock.note(&report(NOW_S as f64 + sent + 30.0), wall(sent + delay_s), at);
        }
        let offset_s = clock.offset_s(start + Duration::from_secs(12)).expect("reports came");
        assert!((offset_s - 29.95).abs() < 1e-3, "{offset_s}");
        assert_eq!(clock.offset_s(start + Duration::from_secs(120)), None, "no report for a minute");
    }

    #[test]
    fn a_camera_without_a_calendar_says_nothing() {
        let (mut clock, now) = (SenderClock::default(), Instant::now());
        let mut zero = report(0.0);
        zero[8..16].fill(0);
        let mut uptime = report(0.0);
        uptime[8..12].copy_from_slice(&12_345_u32.to_be_bytes());
        let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        for packet in [&zero[..], &uptime, &receiver_report, &[], &report(NOW_S as f64)[..14]] {
            clock.note(packet, wall(0.0), now);
            assert_eq!(clock.offset_s(now), None);
        }
        let behind = [&receiver_report[..], &report(86_400.0)].concat();
        clock.note(&behind, wall(0.0), now);
        assert_eq!(clock.offset_s(now), Some(86_400.0 - NOW_S as f64), "set back to 1970: that is a calendar");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_passed_over(packet: Vec<u8>) {
            let _ = wallclock_of(&packet);
        }
    }
}

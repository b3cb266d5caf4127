//! One report of a phase: read, and placed in the box's own time. Pure: clocks are arguments.

use std::time::{Duration, Instant};

use analytics::WallTime;

use super::Trouble;
use crate::publish::wire::{SignalPhase, SignalReport, TimeQuality, UtcMillis};

/// A larger report is not read.
const MOST_BYTES: usize = 1024;

/// Without a `valid_for_ms`. Raising it spares senders that seldom repeat; it costs as long a belief in a sender that has
/// died.
const VALID_FOR: Duration = Duration::from_secs(5);

/// The least and the most that a sender may ask for.
const VALID: std::ops::RangeInclusive<u32> = 100..=300_000;

/// A report this far ahead of a clock that is in order is of another time.
const AHEAD: Duration = Duration::from_secs(2);

/// Reports of less are no knowledge.
const BELIEVED: f64 = 0.5;

/// The moment a report came, by the box's clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    pub(super) wall: WallTime,
    pub(super) quality: TimeQuality,
}

/// What a believed report says, in the box's own time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// `Unavailable` where the sender is not sure enough.
    pub(super) phase: SignalPhase,
    /// The sender's own word for when the phase began.
    pub(super) since: Option<UtcMillis>,
    /// It began no later than this: later than it may truly have, by the error of the box's clock.
    pub(super) began: Instant,
    /// It is believed until then.
    pub(super) until: Instant,
    pub(super) confidence: f32,
}

/// Whatever comes on a signal's topic is believed within its bounds, or not; see `crate::hostile`.
#[cfg(any(test, fuzzing))]
pub(crate) fn hostile(payload: &[u8]) {
    for (retained, synced) in [(false, false), (false, true), (true, false), (true, true)] {
        let quality = TimeQuality { synced, max_error_ms: synced.then_some(5) };
        let arrival = Arrival { at: Instant::now(), wall: crate::source::wall_now(), quality };
        if let Ok(told) = read(payload, retained, arrival) {
            assert!((0.0..=1.0).contains(&told.confidence) && told.until >= told.began);
        }
    }
}

/// Reads a report; `retained`: the broker had kept it from before.
pub(super) fn read(payload: &[u8], retained: bool, arrival: Arrival) -> Result<Told, Trouble> {
    if payload.len() > MOST_BYTES {
        return Err(Trouble::Malformed);
    }
    let report: SignalReport = serde_json::from_slice(payload).map_err(|_| Trouble::Malformed)?;
    let in_range = |confidence: f64| (0.0..=1.0).contains(&confidence);
    if !report.valid_for_ms.is_none_or(|ms| VALID.contains(&ms)) || !report.confidence.is_none_or(in_range) {
        return Err(Trouble::Malformed);
    }
    let clock = arrival.clock();
    let made = if retained { report.time.or(report.since) } else { report.time };
    let ago = match (made, clock) {
        (Some(made), Some(clock)) => clock.ago(made)?,
        // How old it is cannot be told, and it may be of yesterday.
        _ if retained => return Err(Trouble::Stale),
        _ => Ago::default(),
    };
    let valid = report.valid_for_ms.map_or(VALID_FOR, |ms| Duration::from_millis(ms.into()));
    let left = valid.checked_sub(ago.at_most).filter(|left| !left.is_zero()).ok_or(Trouble::Stale)?;
    let began = match (report.since.or(report.time), clock) {
        (Some(since), Some(clock)) => clock.ago(since)?.at_least,
        _ => Duration::ZERO,
    };
    let confidence = report.confidence.unwrap_or(1.0);
    Ok(Told {
        phase: if confidence < BELIEVED { SignalPhase::Unavailable } else { report.phase },
        since: report.since,
        began: arrival.at.checked_sub(began).unwrap_or(arrival.at),
        until: arrival.at + left,
        confidence: confidence as f32,
    })
}

impl Arrival {
    /// The calendar's clock, while somebody keeps it right.
    fn clock(self) -> Option<Clock> {
        let error = self.quality.max_error_ms.filter(|_| self.quality.synced)?;
        Some(Clock { now: self.wall, error: Duration::from_millis(error.into()) })
    }
}

/// A calendar clock that is right within `error`.
#[derive(Debug, Clone, Copy)]
struct Clock {
    now: WallTime,
    error: Duration,
}

/// How long ago something was.
#[derive(Debug, Clone, Copy, Default)]
struct Ago {
    at_least: Duration,
    at_most: Duration,
}

impl Clock {
    fn ago(self, then: UtcMillis) -> Result<Ago, Trouble> {
        let millis = self.now.as_unix_nanos() / 1_000_000 - then.as_unix_millis();
        let ahead = Duration::from_millis(u64::try_from(-millis).unwrap_or(0));
        if ahead > AHEAD + self.error {
            return Err(Trouble::Clock);
        }
        let passed = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        Ok(Ago { at_least: passed.saturating_sub(self.error), at_most: passed.saturating_add(self.error) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_795_329_012_480;

    fn arrival(quality: TimeQuality) -> Arrival {
        // Later than the clock's own beginning, so that there is a past.
        let at = Instant::now() + Duration::from_secs(1000);
        Arrival { at, wall: WallTime::from_unix_nanos(NOW_MS * 1_000_000), quality }
    }

    const SYNCED: TimeQuality = TimeQuality { synced: true, max_error_ms: Some(20) };
    const UNSYNCED: TimeQuality = TimeQuality { synced: false, max_error_ms: None };

    fn at(offset_ms: i64) -> String {
        UtcMillis::from_unix_millis(NOW_MS + offset_ms).to_string()
    }

    /// How long ago it began and how long it is believed, in milliseconds.
    fn told(payload: &str, retained: bool, quality: TimeQuality) -> Result<(u128, u128), Trouble> {
        let arrival = arrival(quality);
        let told = read(payload.as_bytes(), retained, arrival)?;
        Ok(((arrival.at - told.began).as_millis(), (told.until - arrival.at).as_millis()))
    }

    #[test]
    fn a_phase_is_as_old_as_the_box_s_clock_is_sure_of() {
        let since = format!(r#"{{"phase":"red","since":"{}"}}"#, at(-1500));
        assert_eq!(told(&since, false, SYNCED), Ok((1480, 5000)));
        assert_eq!(told(&since, false, UNSYNCED), Ok((0, 5000)), "no clock to compare with: as of its arrival");
        assert_eq!(told(r#"{"phase":"red","valid_for_ms":90000}"#, false, SYNCED), Ok((0, 90_000)));
    }

    #[test]
    fn a_retained_report_is_believed_when_its_age_is_known_and_small() {
        assert_eq!(told(r#"{"phase":"red"}"#, true, SYNCED), Err(Trouble::Stale));
        let dated = |offset| format!(r#"{{"phase":"red","time":"{}"}}"#, at(offset));
        assert_eq!(told(&dated(-3000), true, SYNCED), Ok((2980, 1980)));
        assert_eq!(told(&dated(-6000), true, SYNCED), Err(Trouble::Stale));
        assert_eq!(told(&dated(-3000), true, UNSYNCED), Err(Trouble::Stale), "its age cannot be told");
        let since = format!(r#"{{"phase":"red","since":"{}","valid_for_ms":60000}}"#, at(-30_000));
        assert_eq!(told(&since, true, SYNCED), Ok((29_980, 29_980)));
    }

    #[test]
    fn a_report_that_was_long_under_way_or_is_of_the_future_is_not_believed() {
        let dated = |offset| format!(r#"{{"phase":"red","time":"{}"}}"#, at(offset));
        assert_eq!(told(&dated(-7000), false, SYNCED), Err(Trouble::Stale));
        assert_eq!(told(&dated(1500), false, SYNCED), Ok((0, 4980)), "clocks differ a little");
        assert_eq!(told(&dated(60_000), false, SYNCED), Err(Trouble::Clock));
        let since = format!(r#"{{"phase":"red","since":"{}"}}"#, at(60_000));
        assert_eq!(told(&since, false, SYNCED), Err(Trouble::Clock));
    }

    #[test]
    fn what_is_not_a_report_is_malformed() {
        let long = format!(r#"{{"phase":"red","note":"{}"}}"#, "x".repeat(1024));
        for payload in [
            "",
            "red",
            "{}",
            r#"{"phase":"yellow"}"#,
            r#"{"phase":"red","confidence":1.5}"#,
            r#"{"phase":"red","valid_for_ms":0}"#,
            r#"{"phase":"red","valid_for_ms":86400000}"#,
            r#"{"phase":"red","since":"today"}"#,
            &long,
        ] {
            assert_eq!(told(payload, false, SYNCED), Err(Trouble::Malformed), "{payload}");
        }
        assert!(told(r#"{"phase":"red","later":1}"#, false, SYNCED).is_ok(), "further keys are a later version's");
    }

    #[test]
    fn an_unsure_sender_knows_nothing() {
        let read = |text: &str| read(text.as_bytes(), false, arrival(SYNCED)).expect("a report").phase;
        assert_eq!(read(r#"{"phase":"red","confidence":0.4}"#), SignalPhase::Unavailable);
        assert_eq!(read(r#"{"phase":"red","confidence":0.5}"#), SignalPhase::Red);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_nothing_begins_in_the_future(payload: Vec<u8>, since in -60_000_000_000_000_i64..250_000_000_000_000, ms: u32) {
            let arrival = arrival(SYNCED);
            let _ = read(&payload, false, arrival);
            let since = UtcMillis::from_unix_millis(since);
            let report = format!(r#"{{"phase":"red","since":"{since}","valid_for_ms":{ms}}}"#);
            if let Ok(told) = read(report.as_bytes(), false, arrival) {
                prop_assert!(told.began <= arrival.at && told.until > arrival.at);
            }
        }
    }
}

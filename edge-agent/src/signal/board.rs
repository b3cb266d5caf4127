//! What each topic says, for all cameras: the latest phases, and what is wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::report::{self, Arrival, Told};
use crate::publish::Message;
use crate::publish::wire::{SignalPhase, TimeQuality};

/// Phases that are kept of each topic. A frame is analysed within a second of its arrival: two would do for any signal.
pub const KEPT: usize = 16;

/// What was wrong is said for this long after it was last so: a sender that fails now and then is one trouble, not many.
const LINGERS: Duration = Duration::from_secs(10);

/// A signal of which nothing was heard yet may have this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a signal's phase is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Nothing was reported in time.
    Silent,
    /// What was reported is too old to be believed, or of unknown age.
    Stale,
    /// What was reported is of the future: the sender's clock or the box's is wrong.
    Clock,
    /// What was reported is no report.
    Malformed,
    /// The broker does not let the box subscribe.
    Refused,
}

impl Trouble {
    /// The word in a camera's status.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Silent => "signal_silent",
            Self::Stale => "signal_stale",
            Self::Clock => "signal_clock",
            Self::Malformed => "signal_malformed",
            Self::Refused => "signal_refused",
        }
    }
}

/// A phase as it was reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    told: Told,
    /// When a report last said so.
    heard: Instant,
}

impl Shown {
    pub(super) fn phase(&self) -> SignalPhase {
        self.told.phase
    }

    pub(super) fn confidence(&self) -> f32 {
        self.told.confidence
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        self.told.began
    }
}

#[derive(Debug, Default)]
struct Topic {
    /// Oldest first.
    shown: VecDeque<Shown>,
    /// The last trouble, and when it was last so.
    trouble: Option<(Trouble, Instant)>,
    /// The broker's word on this connection.
    refused: bool,
}

/// Shared by the connection to the broker, the cameras and the task that watches.
#[derive(Debug, Clone)]
pub struct SignalBoard(Arc<Board>);

#[derive(Debug)]
struct Board {
    made: Instant,
    topics: BTreeMap<String, Mutex<Topic>>,
}

impl Default for SignalBoard {
    fn default() -> Self {
        Self::new(BTreeSet::new(), Instant::now())
    }
}

impl SignalBoard {
    /// Nothing is heard of these topics yet.
    #[must_use]
    pub fn new(topics: BTreeSet<String>, now: Instant) -> Self {
        let topics = topics.into_iter().map(|topic| (topic, Mutex::default())).collect();
        Self(Arc::new(Board { made: now, topics }))
    }

    /// The topics to subscribe.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.0.topics.keys().map(String::as_str)
    }

    /// Takes a message; false when it is of no topic of the board.
    pub fn hear(&self, message: &Message, now: (Instant, analytics::WallTime), quality: TimeQuality) -> bool {
        let Some(mut topic) = self.topic(&message.topic) else { return false };
        let arrival = Arrival { at: now.0, wall: now.1, quality };
        match report::read(&message.payload, message.retained, arrival) {
            Ok(told) => topic.show(told, arrival.at),
            Err(trouble) => topic.fail(trouble, arrival.at),
        }
        true
    }

    /// What the connection's end means: a phase may change unheard from now on.
    pub fn link_lost(&self, now: Instant) {
        for topic in self.0.topics.values() {
            let mut topic = topic.lock().unwrap_or_else(PoisonError::into_inner);
            topic.cut(now);
            topic.refused = false;
        }
    }

    /// The broker does not let the box subscribe.
    pub fn refused(&self) {
        for topic in self.0.topics.values() {
            topic.lock().unwrap_or_else(PoisonError::into_inner).refused = true;
        }
    }

    /// What was shown at that moment, as far as is known by now.
    pub(super) fn shown(&self, topic: &str, at: Instant) -> Option<Shown> {
        let topic = self.topic(topic)?;
        let shown = topic.shown.iter().rfind(|shown| shown.told.began <= at)?;
        (at < shown.told.until).then_some(*shown)
    }

    /// What is wrong, by topic.
    #[must_use]
    pub fn troubles(&self, now: Instant) -> BTreeMap<String, Trouble> {
        let is_early = now.saturating_duration_since(self.0.made) < PATIENCE;
        let trouble = |(name, topic): (&String, &Mutex<Topic>)| {
            let mut topic = topic.lock().unwrap_or_else(PoisonError::into_inner);
            let trouble = topic.trouble(now, is_early)?;
            Some((name.clone(), trouble))
        };
        self.0.topics.iter().filter_map(trouble).collect()
    }

    fn topic(&self, name: &str) -> Option<MutexGuard<'_, Topic>> {
        self.0.topics.get(name).map(|topic| topic.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Topic {
    fn show(&mut self, told: Told, now: Instant) {
        if let Some(last) = self.shown.back_mut() {
            let is_same = last.told.phase == told.phase
                && match (last.told.since, told.since) {
                    // The sender itself says that it is the same one.
                    (Some(last), Some(since)) => last == since,
                    _ => now < last.told.until,
                };
            if is_same {
                let since = told.since.or(last.told.since);
                last.told = Told { since, began: last.told.began, ..told };
                last.heard = now;
                return;
            }
            last.told.until = last.told.until.min(told.began.max(last.heard));
        }
        let heard_before = self.shown.back().map(|last| last.heard);
        let began = heard_before.map_or(told.began, |before| told.began.max(before));
        if self.shown.len() == KEPT {
            self.shown.pop_front();
        }
        self.shown.push_back(Shown { told: Told { began, ..told }, heard: now });
    }

    fn fail(&mut self, trouble: Trouble, now: Instant) {
        self.cut(now);
        self.trouble = Some((trouble, now));
    }

    fn cut(&mut self, now: Instant) {
        if let Some(last) = self.shown.back_mut() {
            last.told.until = last.told.until.min(now);
        }
    }

    fn trouble(&mut self, now: Instant, is_early: bool) -> Option<Trouble> {
        if self.refused {
            return Some(Trouble::Refused);
        }
        let is_silent = self.shown.back().is_none_or(|last| last.told.until <= now);
        match &mut self.trouble {
            // What ended the last phase is still why there is none.
            Some((_, at)) if is_silent => *at = now,
            None if is_silent && !(is_early && self.shown.is_empty()) => self.trouble = Some((Trouble::Silent, now)),
            Some((_, at)) if now.saturating_duration_since(*at) >= LINGERS => self.trouble = None,
            _ => {}
        }
        self.trouble.map(|(trouble, _)| trouble)
    }
}

#[cfg(test)]
mod tests {
    use analytics::WallTime;
    use proptest::prelude::*;

    use super::*;
    use crate::publish::wire::UtcMillis;

    const TOPIC: &str = "signals/main";
    const NOW_MS: i64 = 1_795_329_012_480;

    /// A board, and what is said to it at seconds of its life.
    struct Stage {
        board: SignalBoard,
        start: Instant,
    }

    impl Stage {
        fn new() -> Self {
            let start = Instant::now() + Duration::from_secs(1000);
            Self { board: SignalBoard::new(BTreeSet::from([TOPIC.to_owned()]), start), start }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.start + Duration::from_secs_f64(seconds)
        }

        fn say(&self, seconds: f64, payload: &str) {
            self.say_on(TOPIC, seconds, payload, false);
        }

        fn say_on(&self, topic: &str, seconds: f64, payload: &str, retained: bool) -> bool {
            let (topic, payload) = (topic.to_owned(), payload.as_bytes().to_vec());
            let message = Message { topic, payload, content_type: "", retained };
            let wall = WallTime::from_unix_nanos(NOW_MS * 1_000_000 + (seconds * 1e9) as i64);
            let quality = TimeQuality { synced: true, max_error_ms: Some(20) };
            self.board.hear(&message, (self.at(seconds), wall), quality)
        }

        /// The phase at that moment, and the second when it began.
        fn shown(&self, seconds: f64) -> Option<(SignalPhase, f64)> {
            let shown = self.board.shown(TOPIC, self.at(seconds))?;
            let began = (shown.began() - self.start).as_secs_f64();
            Some((shown.phase(), (began * 1000.0).round() / 1000.0))
        }

        fn trouble(&self, seconds: f64) -> Option<Trouble> {
            self.board.troubles(self.at(seconds)).get(TOPIC).copied()
        }
    }

    fn red_since(seconds: f64) -> String {
        let since = UtcMillis::from_unix_millis(NOW_MS + (seconds * 1000.0) as i64);
        format!(r#"{{"phase":"red","since":"{since}"}}"#)
    }

    const RED: &str = r#"{"phase":"red"}"#;
    const GREEN: &str = r#"{"phase":"green"}"#;

    #[test]
    fn reports_of_one_phase_are_one_phase() {
        let stage = Stage::new();
        for second in 1..10 {
            stage.say(f64::from(second), RED);
        }
        assert_eq!(stage.shown(0.9), None, "before the first report");
        assert_eq!(stage.shown(9.5), Some((SignalPhase::Red, 1.0)));
        stage.say(10.0, GREEN);
        assert_eq!(stage.shown(10.0), Some((SignalPhase::Green, 10.0)));
        assert_eq!(stage.shown(9.9), Some((SignalPhase::Red, 1.0)), "a frame that was analysed late");
    }

    #[test]
    fn a_phase_is_unknown_once_its_report_is_stale() {
        let stage = Stage::new();
        stage.say(1.0, RED);
        assert_eq!(stage.shown(5.9), Some((SignalPhase::Red, 1.0)));
        assert_eq!(stage.shown(6.0), None);
        stage.say(8.0, RED);
        assert_eq!(stage.shown(8.5), Some((SignalPhase::Red, 8.0)), "who knows what it showed meanwhile");
        stage.say(20.0, r#"{"phase":"red","valid_for_ms":60000}"#);
        assert_eq!(stage.shown(79.0), Some((SignalPhase::Red, 20.0)));
    }

    #[test]
    fn the_sender_s_since_tells_one_red_from_the_next_and_bridges_a_gap() {
        let stage = Stage::new();
        stage.say(3.0, &red_since(1.0));
        assert_eq!(stage.shown(3.0), Some((SignalPhase::Red, 1.02)), "the error of the clock is added");
        stage.say(20.0, &red_since(1.0));
        assert_eq!(stage.shown(20.0), Some((SignalPhase::Red, 1.02)));
        stage.say(22.0, &red_since(21.5));
        assert_eq!(stage.shown(22.0), Some((SignalPhase::Red, 21.52)), "another red: green was missed");
    }

    #[test]
    fn a_phase_did_not_begin_while_another_was_reported() {
        let stage = Stage::new();
        stage.say(10.0, GREEN);
        // A sender whose clock is an hour behind.
        stage.say(11.0, &red_since(-3600.0));
        assert_eq!(stage.shown(11.0), Some((SignalPhase::Red, 10.0)));
    }

    #[test]
    fn what_cannot_be_believed_ends_the_phase_and_says_why() {
        for (payload, trouble) in
            [("no report", Trouble::Malformed), (red_since(3600.0).as_str(), Trouble::Clock), ("", Trouble::Malformed)]
        {
            let stage = Stage::new();
            stage.say(1.0, RED);
            assert_eq!(stage.trouble(1.5), None);
            stage.say(2.0, payload);
            assert_eq!(stage.shown(2.0), None, "{payload}");
            assert_eq!((stage.trouble(2.0), stage.trouble(60.0)), (Some(trouble), Some(trouble)));
            for tenth in 0..120 {
                stage.say(61.0 + f64::from(tenth) / 10.0, RED);
            }
            assert_eq!(stage.shown(72.0).map(|(phase, _)| phase), Some(SignalPhase::Red));
            assert_eq!((stage.trouble(69.0), stage.trouble(72.0)), (Some(trouble), None), "said a while longer");
        }
        let stage = Stage::new();
        stage.say_on(TOPIC, 1.0, RED, true);
        assert_eq!((stage.shown(1.0), stage.trouble(1.0)), (None, Some(Trouble::Stale)), "kept from who knows when");
    }

    #[test]
    fn a_lost_connection_leaves_nothing_known() {
        let stage = Stage::new();
        stage.say(1.0, r#"{"phase":"red","valid_for_ms":60000}"#);
        stage.board.link_lost(stage.at(2.0));
        assert_eq!((stage.shown(1.9).is_some(), stage.shown(2.0)), (true, None));
        assert_eq!(stage.trouble(2.0), Some(Trouble::Silent));
        stage.board.refused();
        assert_eq!(stage.trouble(3.0), Some(Trouble::Refused));
    }

    #[test]
    fn silence_is_trouble_after_a_while_and_an_honest_unknown_is_none() {
        let stage = Stage::new();
        assert_eq!((stage.trouble(9.0), stage.trouble(11.0)), (None, Some(Trouble::Silent)));
        stage.say(12.0, r#"{"phase":"flashing","valid_for_ms":60000}"#);
        assert_eq!((stage.trouble(13.0), stage.trouble(23.0)), (Some(Trouble::Silent), None));
        assert_eq!(stage.shown(13.0).map(|(phase, _)| phase), Some(SignalPhase::Flashing));
        assert!(!stage.say_on("another/topic", 14.0, RED, false));
    }

    proptest! {
        #[test]
        fn phases_follow_one_another_and_only_the_last_are_kept(reports in prop::collection::vec((0.0..3.0_f64, 0..3_u8, -9.0..1.0_f64), 1..60)) {
            let (stage, mut now) = (Stage::new(), 10.0);
            for (step, kind, since) in reports {
                now += step;
                match kind {
                    0 => stage.say(now, GREEN),
                    1 => stage.say(now, &red_since(now + since)),
                    _ => stage.say(now, "?"),
                }
                let topic = stage.board.topic(TOPIC).expect("there");
                prop_assert!(topic.shown.len() <= KEPT);
                for pair in topic.shown.iter().collect::<Vec<_>>().windows(2) {
                    prop_assert!(pair[0].told.began <= pair[1].told.began);
                    prop_assert!(pair[0].heard <= pair[1].told.began);
                }
            }
        }
    }
}

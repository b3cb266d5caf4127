//! One camera's signals that are told over MQTT, as its rules see them.

use std::time::{Duration, Instant};

use analytics::{MediaTime, Signal, SignalId, SignalState};

use super::SignalBoard;
use crate::publish::wire::SignalPhase;

/// A signal and the topic that tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardSignal {
    /// Its name in the site file.
    pub id: SignalId,
    /// Where it is told.
    pub topic: String,
}

/// Asks the board for one camera.
#[derive(Debug, Clone, Default)]
pub struct HeardSignals {
    board: SignalBoard,
    signals: Vec<HeardSignal>,
    /// When each signal's phase began, by the board's clock and in the camera's media time: fixed when it is first seen,
    /// so that one red stays one red however frames waver.
    began: Vec<Option<(Instant, MediaTime)>>,
}

impl HeardSignals {
    /// These signals, from this board.
    #[must_use]
    pub fn new(board: SignalBoard, signals: Vec<HeardSignal>) -> Self {
        let began = vec![None; signals.len()];
        Self { board, signals, began }
    }

    /// Of a clip: nothing was heard then.
    #[must_use]
    pub fn unheard(signals: Vec<HeardSignal>) -> Self {
        Self::new(SignalBoard::default(), signals)
    }

    /// What they showed when a frame arrived, whose media time is `pts`.
    pub fn at(&mut self, arrived_at: Instant, pts: MediaTime) -> Vec<Signal> {
        std::iter::zip(&self.signals, &mut self.began)
            .map(|(signal, fixed)| {
                let shown = self.board.shown(&signal.topic, arrived_at);
                if let Some(began) = shown.map(|shown| shown.began())
                    && fixed.is_none_or(|(then, _)| then != began)
                {
                    *fixed = Some((began, earlier(pts, arrived_at.saturating_duration_since(began))));
                }
                let since = fixed.filter(|_| shown.is_some()).map_or(pts, |(_, since)| since);
                Signal {
                    id: signal.id.clone(),
                    state: shown.map_or(SignalState::Unknown, |shown| state(shown.phase())),
                    since,
                    confidence: shown.map_or(0.0, |shown| shown.confidence()),
                }
            })
            .collect()
    }
}

fn earlier(pts: MediaTime, by: Duration) -> MediaTime {
    MediaTime::from_nanos(pts.as_nanos().saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
}

const fn state(phase: SignalPhase) -> SignalState {
    match phase {
        SignalPhase::Red => SignalState::Red,
        SignalPhase::Amber => SignalState::Amber,
        SignalPhase::Green => SignalState::Green,
        SignalPhase::Dark | SignalPhase::Flashing | SignalPhase::Unavailable => SignalState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use analytics::WallTime;
    use std::collections::BTreeSet;

    use super::*;
    use crate::publish::Message;
    use crate::publish::wire::TimeQuality;

    #[test]
    fn one_red_has_one_beginning_however_frames_waver() {
        let start = Instant::now() + Duration::from_secs(100);
        let board = SignalBoard::new(BTreeSet::from(["main".to_owned()]), start);
        let quality = TimeQuality { synced: false, max_error_ms: None };
        let payload = br#"{"phase":"red","valid_for_ms":60000}"#.to_vec();
        let message = Message { topic: "main".to_owned(), payload, content_type: "", retained: false };
        let id = SignalId::new("den").expect("id");
        let signal = HeardSignal { id: id.clone(), topic: "main".to_owned() };
        let mut heard = HeardSignals::new(board.clone(), vec![signal.clone()]);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let pts = |ms: u64| MediaTime::from_nanos(ms * 1_000_000);
        assert_eq!(heard.at(at(900), pts(400_900))[0].state, SignalState::Unknown);
        assert!(board.hear(&message, (at(1000), WallTime::UNIX_EPOCH), quality));
        // Frames arrive up to 300 ms late.
        let seen: Vec<Signal> = (0..50)
            .flat_map(|frame| heard.at(at(1200 + frame * 200 + frame % 4 * 100), pts(401_200 + frame * 200)))
            .collect();
        assert!(seen.iter().all(|signal| (signal.state, signal.since) == (SignalState::Red, pts(401_000))), "{seen:?}");
        let none = HeardSignals::unheard(vec![signal]).at(at(5000), pts(405_000));
        assert_eq!((&none[0].id, none[0].state), (&id, SignalState::Unknown));
    }
}

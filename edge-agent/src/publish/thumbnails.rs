//! When a thumbnail may be sent, and which one never will be.
//!
//! Thumbnails give way: one is sent only while no event is due or on its way, one at a time. What the broker does not take
//! is given up, because the picture is safe on the box and the event says where; a broker that refuses all of them (an
//! access list, a quota) is asked again after longer and longer pauses.

use std::time::Duration;

use tokio::time::Instant;

use super::LinkError;

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// A thumbnail that was on its way this often in a row when the connection broke is taken for the cause.
const STRIKES: u32 = 3;

/// What is remembered from connection to connection.
#[derive(Debug, Default)]
pub(super) struct Thumbnails {
    pause: Option<(Instant, u32)>,
    broke: Option<(u64, u32)>,
}

impl Thumbnails {
    /// When one may be sent again, if that is not now.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.pause.map(|(until, _)| until).filter(|until| *until > now)
    }

    /// The broker took one.
    pub(super) fn accepted(&mut self) {
        *self = Self::default();
    }

    /// The broker takes none for now.
    pub(super) fn refused(&mut self, now: Instant) {
        let times = self.pause.map_or(0, |(_, times)| times + 1);
        let length = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE);
        self.pause = Some((now + length, times));
    }

    /// The connection ended with this one on its way: whether it is to be given up.
    pub(super) fn connection_ended(&mut self, error: &LinkError, number: u64) -> bool {
        if !matches!(error, LinkError::Lost { .. } | LinkError::Protocol { .. }) {
            return false;
        }
        let strikes = match self.broke {
            Some((same, strikes)) if same == number => strikes + 1,
            _ => 1,
        };
        self.broke = Some((number, strikes)).filter(|_| strikes < STRIKES);
        strikes >= STRIKES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_breaks_every_connection_is_given_up() {
        let mut thumbnails = Thumbnails::default();
        let (lost, silent) = (LinkError::Lost { reason: String::new() }, LinkError::Silent);
        let mut ended = |error, number| thumbnails.connection_ended(error, number);
        assert!(!ended(&lost, 7) && !ended(&lost, 7) && !ended(&silent, 7));
        assert!(ended(&lost, 7));
        assert!(!ended(&lost, 8) && !ended(&lost, 8) && !ended(&lost, 9) && !ended(&lost, 9));
        assert!(ended(&lost, 9));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_until_one_is_accepted() {
        let (mut thumbnails, now) = (Thumbnails::default(), Instant::now());
        assert_eq!(thumbnails.paused_until(now), None);
        thumbnails.refused(now);
        thumbnails.refused(now);
        assert_eq!(thumbnails.paused_until(now), Some(now + 2 * FIRST_PAUSE));
        for _ in 0..40 {
            thumbnails.refused(now);
        }
        assert_eq!(thumbnails.paused_until(now), Some(now + LONGEST_PAUSE));
        thumbnails.accepted();
        assert_eq!(thumbnails.paused_until(now), None);
    }
}

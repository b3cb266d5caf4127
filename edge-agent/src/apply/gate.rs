//! Whether a configuration can be lived with: the broker and the cameras that were there before are there with it.

use std::time::Duration;

use analytics::CameraId;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::publish::PublishStatus;
use crate::source::{SourceState, SourceStatus};

/// Everything must be there for so long. Raising it finds cameras that come and go; it keeps who sent the configuration waiting.
const HELD: Duration = Duration::from_secs(10);
/// Within so long. Raising it forgives slow cameras and links; a box that lost its broker is away for that long.
const WITHIN: Duration = Duration::from_secs(120);
/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// What is looked at.
#[derive(Debug)]
pub struct Gate {
    /// Of the broker.
    pub delivery: watch::Receiver<PublishStatus>,
    /// The cameras that were there before and are in the new configuration.
    pub cameras: Vec<(CameraId, watch::Receiver<SourceStatus>)>,
}

impl Gate {
    /// Waits until it is decided.
    ///
    /// # Errors
    /// What is not there.
    pub async fn pass(self) -> Result<(), String> {
        let begun = Instant::now();
        let mut good_since = None;
        let mut look = tokio::time::interval(EVERY);
        loop {
            let now = look.tick().await;
            let missing = self.missing();
            good_since = if missing.is_some() { None } else { good_since.or(Some(now)) };
            if good_since.is_some_and(|since| now - since >= HELD) {
                return Ok(());
            }
            if now - begun >= WITHIN {
                return Err(missing.unwrap_or_else(|| "broker and cameras come and go".to_owned()));
            }
        }
    }

    fn missing(&self) -> Option<String> {
        let is_there = |status: &watch::Receiver<SourceStatus>| status.borrow().state == SourceState::Online;
        let away: Vec<&str> =
            self.cameras.iter().filter(|(_, status)| !is_there(status)).map(|(camera, _)| camera.as_str()).collect();
        let cameras = (!away.is_empty()).then(|| format!("cameras not online: {}", away.join(", ")));
        let broker = (!self.delivery.borrow().connected).then(|| "no connection to the broker".to_owned());
        let missing: Vec<String> = broker.into_iter().chain(cameras).collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }
}

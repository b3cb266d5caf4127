//! How much evidence is sent on demand a day: counted durably, a block before it is used, so that restarts give nothing away.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::outbox::{CommandWork, Effect, Outbox};
use crate::publish::wire::UtcMillis;

/// Under what it is kept.
pub(super) const NAME: &str = "sent-on-demand";
/// Counted at once: one write to the disk each, and at most so much is lost of the budget by a restart.
const BLOCK: u64 = 1 << 20;
const DAY_MS: i64 = 86_400_000;

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    /// Days since the Unix epoch, UTC.
    day: i64,
    bytes: u64,
}

/// The day's budget.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    outbox: Outbox,
    per_day: u64,
    used: Used,
    /// Of what is counted as used, what is not used yet.
    reserved: u64,
}

impl Budget {
    /// As it was kept.
    pub(super) async fn load(outbox: &Outbox, per_day: u64) -> Self {
        let settings = outbox.settings().await.unwrap_or_default();
        let kept = settings.into_iter().find(|(name, _)| name == NAME);
        let used = kept.and_then(|(_, value)| serde_json::from_str(&value).ok()).unwrap_or_default();
        Self { outbox: outbox.clone(), per_day, used, reserved: 0 }
    }

    /// Whether anything is left today.
    pub(super) fn is_left(&self) -> bool {
        self.used.day != today() || self.reserved > 0 || self.used.bytes < self.per_day
    }

    /// Takes `bytes`, if so much is left today; `rest` will be wanted soon, those included.
    pub(super) async fn take(&mut self, bytes: u64, rest: u64) -> bool {
        if self.reserved >= bytes {
            self.reserved -= bytes;
            return true;
        }
        let before = if self.used.day == today() { self.used } else { Used { day: today(), bytes: 0 } };
        let block = BLOCK.min(rest).max(bytes).min(self.per_day.saturating_sub(before.bytes));
        if self.reserved + block < bytes {
            return false;
        }
        let used = Used { bytes: before.bytes + block, ..before };
        let value = serde_json::to_string(&used).expect("two numbers");
        let effect = Effect::Set { name: NAME.to_owned(), value: Some(value) };
        if self.outbox.order(Arc::new(CommandWork::Change(effect))).await.is_err() {
            return false;
        }
        (self.used, self.reserved) = (used, self.reserved + block - bytes);
        true
    }
}

fn today() -> i64 {
    UtcMillis::now().as_unix_millis().div_euclid(DAY_MS)
}

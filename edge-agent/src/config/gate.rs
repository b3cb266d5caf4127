//! A camera's motion gate, resolved.

use std::time::Duration;

use super::raw::RawMotionGate;
use super::resolve::Resolver;
use super::site::MotionGate;

/// Three looks a sweep: more often would be no gate.
const SHORTEST: Duration = Duration::from_secs(1);
/// What was not noticed for longer is a miss.
const LONGEST: Duration = Duration::from_secs(300);
const SWEEP: Duration = Duration::from_secs(10);

impl Resolver<'_> {
    /// `None`: there is none.
    pub(super) fn motion_gate(&mut self, key: &str, raw: Option<&RawMotionGate>) -> Option<MotionGate> {
        let sweep = raw.and_then(|raw| raw.sweep).map_or(SWEEP, |text| text.0);
        if !(SHORTEST..=LONGEST).contains(&sweep) {
            let what = if sweep < SHORTEST { "is too short to spare anything" } else { "is too long to rely on" };
            self.error(&format!("{key}.sweep"), what, "write a time of 1s to 5m, such as \"10s\"");
        }
        let doze = raw.and_then(|raw| raw.doze).unwrap_or(true);
        raw.and_then(|raw| raw.enabled).unwrap_or(true).then_some(MotionGate { sweep, doze })
    }
}

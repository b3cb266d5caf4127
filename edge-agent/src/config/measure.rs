//! What of a camera's traffic is measured, resolved.

use std::time::Duration;

use analytics::measure::MeasureParams;
use analytics::{Line, Zone, ZoneKind};

use super::place::Places;
use super::raw::{RawCamera, RawMeasure};
use super::resolve::Resolver;

/// What of a camera's traffic is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureSpec {
    /// How long an interval is; it divides an hour.
    pub interval: Duration,
    /// Where crossings are counted.
    pub lines: Vec<Line>,
    /// Whose occupancy and queues are measured.
    pub lanes: Vec<Zone>,
}

/// Shorter ones would be messages without traffic in them.
const SHORTEST: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

impl Resolver<'_> {
    /// `None`: nothing is.
    pub(super) fn measure(&mut self, key: &str, camera: &RawCamera, places: &Places) -> Option<MeasureSpec> {
        let none = RawMeasure::default();
        let raw = camera.measure.as_ref().unwrap_or(&none);
        let interval = raw.interval.map_or(MeasureParams::INTERVAL, |text| text.0);
        let divides = !interval.is_zero() && HOUR.as_nanos().is_multiple_of(interval.as_nanos());
        if interval < SHORTEST || !divides {
            let cure = "write a time that divides an hour, 10s to 1h, such as \"1m\", \"5m\" or \"15m\"";
            self.error(&format!("{key}.interval"), "does not divide an hour into equal intervals", cure);
        }
        let lines = match &raw.lines {
            None => places.lines.clone(),
            Some(ids) => {
                let key = format!("{key}.lines");
                ids.iter().filter_map(|id| self.line_named(&key, id, camera, places)).collect()
            }
        };
        let lanes = match &raw.lanes {
            None => places.zones.iter().filter(|zone| zone.kind == ZoneKind::Lane).cloned().collect(),
            Some(ids) => {
                let key = format!("{key}.lanes");
                ids.iter().filter_map(|id| self.zone_named(&key, id, camera, places)).collect()
            }
        };
        let spec = MeasureSpec { interval, lines, lanes };
        let is_on = raw.enabled.unwrap_or(true) && !(spec.lines.is_empty() && spec.lanes.is_empty());
        is_on.then_some(spec)
    }
}

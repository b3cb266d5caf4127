//! `[camera.measure]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::DurationText;

/// What of a camera's traffic is measured: counts, speeds, occupancy, queues, by interval.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMeasure {
    /// `false` measures nothing on this camera.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// How long an interval is: 10s to 1h, a time that divides an hour. It begins with the site's clock: at full minutes for
    /// `1m`. Longer ones are fewer messages and coarser figures.
    #[schemars(example = &"5m", extend("default" = "1m"))]
    pub interval: Option<DurationText>,
    /// Lines where crossings are counted, and the gates of the turning matrix; default every line of the camera.
    #[schemars(example = ["mid"])]
    pub lines: Option<Vec<String>>,
    /// Zones whose occupancy, density and queue are measured; default every zone of kind `lane`.
    #[schemars(example = ["lan-1"])]
    pub lanes: Option<Vec<String>>,
}

//! What a hardware profile says of overload and heat, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::DurationText;

/// Temperatures of the box. At every one of them what is given up, and taken up again, is announced.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawThermal {
    /// From this temperature on (°C) nothing is taken up again. Raising it lets a warm box do more; it brings it nearer to
    /// `limit_c`.
    #[schemars(range(min = 0, max = 150), extend("default" = 80))]
    pub warn_c: Option<f64>,
    /// From this temperature on (°C) something is given up every 20 seconds. Raising it lets a hot box do all it is asked;
    /// above what the processor allows itself, it throttles first, and everything is late at once.
    #[schemars(range(min = 0, max = 150), extend("default" = 90))]
    pub limit_c: Option<f64>,
    /// Something is taken up again only so many degrees below `warn_c`. Raising it spares what is taken back at once; it
    /// costs time after the box has cooled.
    #[schemars(range(min = 0, max = 50), extend("default" = 5))]
    pub hysteresis_c: Option<f64>,
    /// The thermal zones that count, by what `/sys/class/thermal/thermal_zone*/type` says; default: the hottest of all.
    #[schemars(example = ["x86_pkg_temp"])]
    pub zones: Option<Vec<String>>,
}

/// What is given up when the box is late, and when it is taken up again: `docs/ladder.md`.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLadder {
    /// `false`: nothing is ever given up on purpose; overload is shared by dropping frames alone.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// Frames a second below which no camera's rate is lowered. Raising it keeps quick things judged well; it costs the
    /// later steps earlier, which judge less.
    #[schemars(range(min = 0.1, max = 60), extend("default" = 2))]
    pub least_fps: Option<f64>,
    /// How long the box is late before something is given up. Raising it rides out longer bursts; it costs that much more
    /// time in which frames are dropped.
    #[schemars(extend("default" = "10s"))]
    pub down_after: Option<DurationText>,
    /// How long the box is calm before something is taken up again. Raising it spares what is taken back at once; it costs
    /// that much time in which less is done than could be.
    #[schemars(extend("default" = "60s"))]
    pub up_after: Option<DurationText>,
}

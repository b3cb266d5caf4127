//! `[camera.motion_gate]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::DurationText;

/// Inference only where the picture changes; where it does not, what was seen before stands.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMotionGate {
    /// `false` infers all of every analysed frame.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// What does not change is looked at anew after this time, 1s to 5m. Longer spares inference in still scenes; it is the
    /// longest that what the gate does not notice can stay unseen.
    #[schemars(example = &"10s", extend("default" = "10s"))]
    pub sweep: Option<DurationText>,
    /// While nothing moves only key frames are decoded, and what is held meanwhile once something does: a still scene is
    /// judged up to a key frame interval late. `false` decodes every picture as it comes.
    #[schemars(extend("default" = true))]
    pub doze: Option<bool>,
}

//! The files that a site names, as written: pipelines, hardware profiles, holidays.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rule::RawRuleNumbers;
use super::{
    RawLadder, RawName, RawThermal, RawTracker, device_schema, precision_schema, provider_schema, rules_by_kind_schema,
};
use crate::config::value::{DateText, Numbers, SizeText};

/// A pipeline: what is watched for, and with which model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPipeline {
    /// What it watches for, in one sentence.
    #[schemars(required, length(min = 1))]
    pub description: Option<String>,
    /// Name of a folder in `models/`.
    #[schemars(required, example = &"ssdlite-mobilenet-v2")]
    pub model: Option<String>,
    /// Frames analysed a second. More finds what is quick, and costs as much more CPU.
    #[schemars(required, range(min = 0.1, max = 60), example = 5)]
    pub analyse_fps: Option<f64>,
    /// The parts of the picture the model looks at, as left, top, right, bottom; default from the model.
    #[serde(default)]
    #[schemars(schema_with = "super::regions_schema")]
    pub regions: Option<Vec<Numbers<4>>>,
    /// The fewer parts that the model looks at instead when the box is overloaded; none: that step is left out.
    #[serde(default)]
    #[schemars(schema_with = "super::regions_schema")]
    pub smaller_input: Option<Vec<Numbers<4>>>,
    /// How detections become tracks, where it differs from the model and the built-in defaults.
    #[serde(default)]
    pub tracker: RawTracker,
    /// Defaults for the rules of a kind, such as `[rule.wrong-way]`.
    #[serde(default)]
    #[schemars(schema_with = "rules_by_kind_schema")]
    pub rule: BTreeMap<String, RawRuleNumbers>,
}

/// A hardware profile: how a box runs what it is told to watch for. Never zones, rules or thresholds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHwProfile {
    /// Which boxes it is for, in one sentence.
    #[schemars(required, length(min = 1))]
    pub description: Option<String>,
    /// Where and when it was run, or that it was not; `edge-agent profiles` and `doctor` show it.
    #[schemars(required, length(min = 1))]
    pub measured: Option<String>,
    /// GStreamer decoders by codec, the preferred first.
    #[serde(default)]
    #[schemars(required)]
    pub decode: RawDecode,
    /// Workers and execution providers.
    #[serde(default)]
    #[schemars(required)]
    pub inference: RawInference,
    /// What the systemd unit must open and may use, beyond the package's: `edge-agent profiles NAME --unit` prints it as
    /// a drop-in.
    #[serde(default)]
    pub service: RawService,
    /// Temperatures at which less is done.
    #[serde(default)]
    pub thermal: RawThermal,
    /// What is done when the box is late.
    #[serde(default)]
    pub ladder: RawLadder,
}

/// What the service's sandbox leaves open.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawService {
    /// Device nodes, as `DeviceAllow=` of systemd.resource-control(5) names them; none: no device at all.
    #[serde(default)]
    #[schemars(example = ["char-drm"])]
    pub devices: Vec<String>,
    /// Groups that those nodes belong to.
    #[serde(default)]
    #[schemars(example = ["render", "video"])]
    pub groups: Vec<String>,
    /// Memory the service may take before the kernel ends it and systemd starts it again (`MemoryMax=`).
    #[schemars(example = &"2 GiB")]
    pub memory: Option<SizeText>,
}

/// GStreamer decoders by codec; the first that is found to work is used.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDecode {
    /// Elements that decode H.264.
    #[schemars(required, length(min = 1), example = ["avdec_h264", "openh264dec"])]
    pub h264: Option<Vec<String>>,
    /// Elements that decode H.265.
    #[schemars(required, length(min = 1), example = ["avdec_h265", "libde265dec"])]
    pub h265: Option<Vec<String>>,
}

/// Inference workers and execution providers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawInference {
    /// Worker threads, each with a session of its own; 0: one less than the cores, at least one.
    #[schemars(range(max = 256), extend("default" = 0))]
    pub workers: Option<usize>,
    /// Threads within one session. More than one costs CPU for latency.
    #[schemars(range(min = 1, max = 256), extend("default" = 1))]
    pub threads: Option<usize>,
    /// Execution providers, in order; the first that works is used.
    #[serde(default)]
    #[schemars(required, length(min = 1))]
    pub provider: Vec<RawProvider>,
}

/// An execution provider.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProvider {
    /// Which.
    #[schemars(required, schema_with = "provider_schema")]
    pub name: Option<String>,
    /// `true`: start-up fails when it does not work. `false`: the next one is tried, and health says so.
    #[serde(default)]
    pub required: bool,
    /// `openvino` alone: what it computes on; by default the processor.
    #[serde(default)]
    #[schemars(schema_with = "device_schema")]
    pub device: Option<String>,
    /// `tensorrt`, and `openvino` on a gpu: numbers of 16 bits are quicker and less exact. By default as the weights are.
    #[serde(default)]
    #[schemars(schema_with = "precision_schema")]
    pub precision: Option<String>,
    /// `cuda` and `tensorrt` alone: memory of the GPU that one session may take. By default as much as there is.
    #[schemars(example = &"1 GiB")]
    pub memory: Option<SizeText>,
}

/// A file of holidays: days on which a site keeps other hours.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHolidays {
    /// The holidays.
    #[serde(default)]
    #[schemars(required, length(min = 1))]
    pub holiday: Vec<RawHoliday>,
}

/// One holiday.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHoliday {
    /// Its day, or its first day: `2027-02-06`, or `09-02` for every year.
    #[schemars(required, example = &"2027-02-06", example = &"09-02")]
    pub date: Option<DateText>,
    /// Its last day, when it is longer than one; of the same form as `date`.
    #[schemars(example = &"2027-02-10")]
    pub to: Option<DateText>,
    /// As operators read it.
    #[schemars(required)]
    pub name: Option<RawName>,
}

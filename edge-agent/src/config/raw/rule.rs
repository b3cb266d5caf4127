//! Rules as written: a site's, and a pipeline's defaults for those of one kind.

use analytics::schedule::{Holidays, Weekday};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::one_or_many::OneOrMany;
use super::{classes_schema, id_schema, kind_schema, labels, severity_schema};
use crate::config::value::{DurationText, ExtentText, Heights, LengthText, SpeedText};

/// Names in files for days that go together.
pub(in crate::config) const DAY_GROUPS: [&str; 3] = ["weekdays", "weekend", "every-day"];

fn days_schema(_: &mut SchemaGenerator) -> Schema {
    let day = labels(Weekday::ALL.into_iter().map(Weekday::label).chain(DAY_GROUPS));
    json_schema!({ "anyOf": [day, { "type": "array", "items": day, "minItems": 1, "uniqueItems": true }] })
}

fn hours_schema(_: &mut SchemaGenerator) -> Schema {
    let hours = json_schema!({
        "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
    });
    json_schema!({ "anyOf": [hours, { "type": "array", "items": hours, "minItems": 1 }] })
}

fn holidays_schema(_: &mut SchemaGenerator) -> Schema {
    labels(Holidays::ALL.into_iter().map(Holidays::label))
}

/// Ways over a line.
pub(in crate::config) const DIRECTIONS: [&str; 2] = ["left-to-right", "right-to-left"];

fn direction_schema(_: &mut SchemaGenerator) -> Schema {
    labels(DIRECTIONS.into_iter())
}

/// What may be told of vehicles that were not seen stopping.
pub(in crate::config) const AT_START: [&str; 2] = ["info", "off"];

fn at_start_schema(_: &mut SchemaGenerator) -> Schema {
    labels(AT_START.into_iter())
}

/// Hours of certain days, by the site's clock.
#[derive(Debug, Default, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWindow {
    /// The days on which it begins: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`, `weekdays`, `weekend`; default
    /// `every-day`.
    #[serde(default)]
    #[schemars(schema_with = "days_schema", example = &"weekdays", extend("default" = "every-day"))]
    pub days: Option<OneOrMany<String>>,
    /// From and until. Hours over midnight, such as `22:00-06:00`, belong to the day on which they begin; default
    /// `00:00-24:00`.
    #[serde(default)]
    #[schemars(schema_with = "hours_schema", example = ["22:00-06:00"], extend("default" = "00:00-24:00"))]
    pub hours: Option<OneOrMany<String>>,
    /// `ignore` (default): a holiday is a day like any other. `closed`: not on holidays. `only`: on holidays only. They are
    /// those of the site's file of holidays.
    #[serde(default)]
    #[schemars(schema_with = "holidays_schema", extend("default" = "ignore"))]
    pub holidays: Option<String>,
}

/// Writes the keys that a site's rule and a pipeline's defaults have in common once.
macro_rules! rule_types {
    ($($(#[$about:meta])* $key:ident: $value:ty,)+) => {
        /// A rule: its kind, its place, and the numbers that differ from the pipeline's.
        #[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct RawRule {
            /// Unique on its camera; part of every event.
            #[schemars(required, schema_with = "id_schema", example = &"nguoc-chieu")]
            pub id: Option<String>,
            /// What happens.
            #[schemars(required, schema_with = "kind_schema")]
            pub kind: Option<String>,
            /// Where: a zone of this camera; for all kinds but `line-crossing`, `red-light`, `forbidden-turn`.
            #[serde(default)]
            #[schemars(schema_with = "id_schema", example = &"lan-1")]
            pub zone: Option<String>,
            /// Where: a line of this camera; for `line-crossing`, `red-light` (the stop line).
            #[serde(default)]
            #[schemars(schema_with = "id_schema", example = &"mid")]
            pub line: Option<String>,
            /// Zones where walking is allowed: pedestrian-on-carriageway; default every zone of kind `crossing`.
            #[schemars(example = ["vach-di-bo"])]
            pub crossings: Option<Vec<String>>,
            /// Where it comes from, a zone or line of this camera: forbidden-turn.
            #[serde(default)]
            #[schemars(schema_with = "id_schema", example = &"lan-1")]
            pub from: Option<String>,
            /// Where it may not go from there, a zone or line of this camera: forbidden-turn. Lanes are passed along their
            /// heading, so that two of opposite headings are a U-turn, and two of the same a change of lanes.
            #[serde(default)]
            #[schemars(schema_with = "id_schema", example = &"lan-2")]
            pub to: Option<String>,
            /// The driving direction over the line, as one walks it: red-light.
            #[serde(default)]
            #[schemars(schema_with = "direction_schema")]
            pub direction: Option<String>,
            /// The signal that its traffic obeys, from this camera's `[camera.signal.ID]`: red-light, stopped-vehicle.
            #[serde(default)]
            #[schemars(schema_with = "id_schema", example = &"den-bac")]
            pub signal: Option<String>,
            $($(#[$about])* pub $key: Option<$value>,)+
        }

        /// Numbers of a rule; in a pipeline: the defaults for rules of one kind.
        #[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct RawRuleNumbers {
            $($(#[$about])* pub $key: Option<$value>,)+
        }

        impl RawRule {
            /// What it says besides its name and place.
            #[must_use]
            pub fn numbers(&self) -> RawRuleNumbers {
                RawRuleNumbers { $($key: self.$key.clone(),)+ }
            }
        }

        impl RawRuleNumbers {
            /// These, and `others` where these say nothing.
            #[must_use]
            pub fn or(self, others: &Self) -> Self {
                Self { $($key: self.$key.or_else(|| others.$key.clone()),)+ }
            }

            /// The keys that are given.
            pub fn given(&self) -> impl Iterator<Item = &'static str> {
                [$((stringify!($key), self.$key.is_some())),+].into_iter().filter(|(_, given)| *given).map(|(key, _)| key)
            }
        }
    };
}

rule_types! {
    /// Which classes; default from the kind.
    #[serde(default)]
    #[schemars(schema_with = "classes_schema", example = ["car", "bus", "truck"])]
    classes: Vec<String>,
    /// How severe; default from the kind.
    #[serde(default)]
    #[schemars(schema_with = "severity_schema")]
    severity: String,
    /// When it is armed; default always. One window or a list of them: it is armed in any. Outside, nothing is raised
    /// and what is open ends; what takes time (hold, dwell) counts from arming.
    #[schemars(example = window_example())]
    schedule: OneOrMany<RawWindow>,
    /// After an incident opened, further ones of this rule are withheld (and counted) for this long.
    #[schemars(example = &"60s", extend("default" = "0s"))]
    cooldown: DurationText,
    /// Whether riders of motorcycles and bicycles count as persons.
    #[schemars(extend("default" = false))]
    include_riders: bool,
    /// How long it must hold: all kinds that last but loitering. Longer spares passing moments and costs that much time to
    /// the alert.
    #[schemars(example = &"2s")]
    hold: DurationText,
    /// How long an object must dwell: loitering.
    #[schemars(example = &"60s", extend("default" = "60s"))]
    dwell: DurationText,
    /// How many objects: crowding.
    #[schemars(range(min = 2, max = 1000), extend("default" = 10))]
    count: u32,
    /// How far from the heading, in degrees: wrong-way.
    #[schemars(range(min = 91, max = 180), extend("default" = 120))]
    angle_deg: f64,
    /// How far it must go: wrong-way, slow-vehicle; on a calibrated camera in metres too, default there `8 m`, `10 m`. Nobody is
    /// this near, in heights of the persons: abandoned-object, default `1.5 h`, calibrated `3 m`.
    #[schemars(example = &"3 h", extend("default" = "3 h"))]
    distance: LengthText,
    /// Slower than this is standing: stopped-vehicle, illegal-parking, queue-spillback; or jammed, in the mean: congestion (default there `0.7 h/s`,
    /// calibrated `20 km/h`); on a calibrated camera in km/h too, default there `3 km/h`.
    #[schemars(example = &"0.1 h/s", extend("default" = "0.1 h/s"))]
    speed: SpeedText,
    /// How far it must have gone before: stopped-vehicle; on a calibrated camera in metres too, default there `5 m`.
    #[schemars(example = &"2 h", extend("default" = "2 h"))]
    travel: LengthText,
    /// At least this large: road-obstacle, abandoned-object, removed-object; the larger of width and height as a share of the
    /// picture's width; on a calibrated camera the width in metres too, default there `0.3 m`.
    #[schemars(example = &"2 %", extend("default" = "2 %"))]
    size: ExtentText,
    /// At least this share of the lane is covered by vehicles, 0 to 1: congestion.
    #[schemars(range(min = 0.05, max = 1), extend("default" = 0.35))]
    occupancy: f64,
    /// For how long it must flow again before it is over: congestion.
    #[schemars(example = &"120s", extend("default" = "120s"))]
    clear: DurationText,
    /// Standing vehicles no further apart than this, from place to place, are one queue: queue-spillback; on a calibrated
    /// camera in metres too, default there `12 m`.
    #[schemars(example = &"4 h", extend("default" = "4 h"))]
    gap: LengthText,
    /// Below this share of the flow before: flow-drop.
    #[schemars(range(min = 0.05, max = 0.9), extend("default" = 0.5))]
    ratio: f64,
    /// Over how long the flow before is averaged: flow-drop.
    #[schemars(example = &"15m", extend("default" = "15m"))]
    baseline: DurationText,
    /// Over how long the present flow is averaged: flow-drop. Longer spares a signal's cycles and costs time to the alert.
    #[schemars(example = &"3m", extend("default" = "3m"))]
    window: DurationText,
    /// A flow before of fewer vehicles a minute says nothing: flow-drop. Higher keeps the nights quiet.
    #[schemars(range(min = 1, max = 500), extend("default" = 15))]
    min_flow: f64,
    /// What is told of a vehicle that was not seen stopping, because it stood when the box started or came into sight late:
    /// stopped-vehicle. `info` (default): after 60 s, with this severity. `off`: nothing.
    #[serde(default)]
    #[schemars(schema_with = "at_start_schema", extend("default" = "info"))]
    at_start: String,
    /// How far beyond the line it must be seen, in box heights: line-crossing, default `0.1 h`; red-light, default `0.5 h`.
    #[schemars(example = &"0.1 h")]
    hysteresis: Heights,
    /// Slower than this share of the lane's usual speed is slow: slow-vehicle.
    #[schemars(range(min = 0.1, max = 0.8), extend("default" = 0.4))]
    factor: f64,
    /// How many must have passed in ten minutes before the lane's usual speed is known: slow-vehicle.
    #[schemars(range(min = 3, max = 60), extend("default" = 10))]
    flow: u32,
    /// The speed that is allowed: over-speed.
    #[schemars(example = &"50 km/h")]
    limit: SpeedText,
    /// By which share it must be faster before it is told: over-speed. A camera is no measuring instrument.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = 0.2))]
    tolerance: f64,
    /// From one gate to the other within this time: forbidden-turn.
    #[schemars(example = &"30s", extend("default" = "30s"))]
    within: DurationText,
    /// For how long it must have been red: red-light.
    #[schemars(example = &"1s", extend("default" = "1s"))]
    grace: DurationText,
    /// How much must speak for it: collision-suspected. 0.3 for boxes that touch, 0.35 for a sharp stop, 0.35 for stopping
    /// together with nobody standing ahead, 0.1 for a person on foot beside two that stopped sharply.
    #[schemars(range(min = 0.5, max = 1.0), extend("default" = 0.7))]
    score: f64,
}

fn window_example() -> serde_json::Value {
    serde_json::json!({ "days": "weekdays", "hours": ["22:00-06:00"] })
}

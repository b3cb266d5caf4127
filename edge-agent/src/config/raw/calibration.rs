//! Where a camera's picture lies on the ground, as written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::segment_schema;
use crate::config::value::{LengthText, Numbers};

fn fractions_schema(_: &mut SchemaGenerator) -> Schema {
    let fraction = json_schema!({ "type": "number", "minimum": 0, "maximum": 1 });
    json_schema!({ "type": "array", "items": fraction, "minItems": 2, "maxItems": 2 })
}

fn metres_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 })
}

fn aspect_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[1-9][0-9]{0,4}:[1-9][0-9]{0,4}$" })
}

/// Where a camera's picture lies on the ground: from `points` or from `lengths`, one of the two. With it, distances and
/// speeds may be written in metres and km/h, and are measured so.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCalibration {
    /// Four or more points on the road whose places were measured (or read off a map), spread over the part of the picture
    /// that counts. More than four show how well they fit.
    pub points: Option<Vec<RawLandmark>>,
    /// Three or more lines on the road of known length (lane widths, markings, a parked car), near and far, across and
    /// along. Assumes a level camera whose lens does not distort.
    pub lengths: Option<Vec<RawKnownLength>>,
    /// The picture's width and height, such as `16:9`.
    #[schemars(schema_with = "aspect_schema", extend("default" = "16:9"))]
    pub aspect: Option<String>,
}

/// A point of the picture and its place on the ground.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLandmark {
    /// Where it is seen, as fractions of the picture.
    #[schemars(required, schema_with = "fractions_schema", example = [0.25, 0.6])]
    pub picture: Option<Numbers<2>>,
    /// Where it is, in metres along two axes at right angles, from any origin: the same for all points of the camera.
    #[schemars(required, schema_with = "metres_schema", example = [3.5, 12.0])]
    pub ground_m: Option<Numbers<2>>,
}

/// A line on the ground of known length.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawKnownLength {
    /// Both its ends, as fractions of the picture.
    #[schemars(required, schema_with = "segment_schema")]
    pub picture: Option<Vec<Numbers<2>>>,
    /// How long it is.
    #[schemars(required, example = &"3.5 m")]
    pub length: Option<LengthText>,
}

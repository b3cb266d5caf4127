//! Zones and lines, resolved.

use std::collections::BTreeMap;

use analytics::geometry::InvalidShape;
use analytics::{Anchor, Ground, Line, LineId, Point, Polygon, Segment, SignalId, Zone, ZoneId, ZoneKind};

use super::document::bare_or_quoted;
use super::explain::counted;
use super::raw::{RawLine, RawZone};
use super::resolve::Resolver;
use super::value::Numbers;

/// A camera's zones and lines; those with errors are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    /// By id.
    pub zones: Vec<Zone>,
    /// By id.
    pub lines: Vec<Line>,
    /// The signals of its traffic, by id.
    pub signals: Vec<SignalId>,
    /// Where they lie on the ground; calibrated cameras only.
    pub ground: Option<Ground>,
    /// See [`Calibration::residual`](analytics::calibration::Calibration::residual).
    pub residual: Option<f64>,
}

fn point(Numbers([x, y]): &Numbers<2>) -> Point {
    Point::new(*x as f32, *y as f32)
}

impl Resolver<'_> {
    pub(super) fn places(
        &mut self,
        camera: usize,
        zones: &BTreeMap<String, RawZone>,
        lines: &BTreeMap<String, RawLine>,
    ) -> Places {
        Places {
            zones: zones
                .iter()
                .filter_map(|(id, raw)| self.zone(&format!("camera[{camera}].zone.{}", bare_or_quoted(id)), id, raw))
                .collect(),
            lines: lines
                .iter()
                .filter_map(|(id, raw)| self.line(&format!("camera[{camera}].line.{}", bare_or_quoted(id)), id, raw))
                .collect(),
            signals: Vec::new(),
            ground: None,
            residual: None,
        }
    }

    fn zone(&mut self, key: &str, id: &str, raw: &RawZone) -> Option<Zone> {
        let id = self.id(key, Some(&id.to_owned()), ZoneId::new);
        let kind_key = format!("{key}.kind");
        let known = ZoneKind::ALL.map(ZoneKind::label);
        let kind = self
            .required(&kind_key, raw.kind.as_ref(), &format!("choose one of: {}", known.join(", ")))
            .and_then(|label| {
                let kind = ZoneKind::ALL.into_iter().find(|kind| kind.label() == label);
                if kind.is_none() {
                    self.unknown(&kind_key, label, "kind of zone", &known);
                }
                kind
            });
        let polygon_key = format!("{key}.polygon");
        let cure = "write at least three corners as fractions, such as [[0.1, 0.9], [0.4, 0.3], [0.6, 0.9]]";
        let corners = self.required(&polygon_key, raw.polygon.as_ref(), cure);
        let polygon = corners.and_then(|corners| self.polygon(&polygon_key, corners));
        let heading = raw.heading.as_ref().map(|points| self.segment(&format!("{key}.heading"), points));
        let anchor = self.anchor(&format!("{key}.anchor"), raw.anchor.as_ref());
        let heading = match heading {
            None => None,
            Some(heading) => Some(heading?),
        };
        Some(Zone { id: id?, kind: kind?, polygon: polygon?, heading, anchor: anchor? })
    }

    fn line(&mut self, key: &str, id: &str, raw: &RawLine) -> Option<Line> {
        let id = self.id(key, Some(&id.to_owned()), LineId::new);
        let points_key = format!("{key}.points");
        let cure = "write two points as fractions, such as [[0.5, 0.0], [0.5, 1.0]]";
        let segment =
            self.required(&points_key, raw.points.as_ref(), cure).and_then(|points| self.segment(&points_key, points));
        let anchor = self.anchor(&format!("{key}.anchor"), raw.anchor.as_ref());
        Some(Line { id: id?, segment: segment?, anchor: anchor? })
    }

    pub(super) fn segment(&mut self, key: &str, points: &[Numbers<2>]) -> Option<Segment> {
        let [from, to] = points else {
            self.error(key, format!("has {}", counted(points.len(), "point")), "write two points, from and to");
            return None;
        };
        Segment::new(point(from), point(to)).map_err(|error| self.shape_error(key, error)).ok()
    }

    pub(super) fn polygon(&mut self, key: &str, corners: &[Numbers<2>]) -> Option<Polygon> {
        let polygon = Polygon::new(corners.iter().map(point).collect());
        polygon.map_err(|error| self.shape_error(key, error)).ok()
    }

    fn shape_error(&mut self, key: &str, error: InvalidShape) {
        let (what, cure) = match error {
            InvalidShape::OutsidePicture => {
                ("has a coordinate outside 0 to 1", "write fractions of the picture: x ÷ width, y ÷ height")
            }
            InvalidShape::TooFewCorners => ("has fewer than three corners", "write three or more"),
            InvalidShape::NoArea => ("has no area: its corners lie on one line", "move one of them away from the line"),
            InvalidShape::SelfCrossing => ("has edges that cross", "list the corners in order around the zone"),
            InvalidShape::NoLength => ("has no length: both ends are the same point", "write two different points"),
        };
        self.error(key, what, cure);
    }

    fn anchor(&mut self, key: &str, raw: Option<&String>) -> Option<Anchor> {
        match raw.map(String::as_str) {
            None | Some("bottom-center") => Some(Anchor::BottomCenter),
            Some("center") => Some(Anchor::Center),
            Some(other) => {
                self.unknown(key, other, "anchor", &["bottom-center", "center"]);
                None
            }
        }
    }
}

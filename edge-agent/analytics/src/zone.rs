//! Zones and lines of one camera; valid by construction.

use crate::geometry::{BBox, Point, Polygon, Segment};
use crate::id::{LineId, ZoneId};

/// The point of a box that is tested against zones and lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anchor {
    /// Middle of the bottom edge: where the object stands. Right for cameras that look down at a road.
    #[default]
    BottomCenter,
    /// Centre of the box: for steep views, or boxes whose bottom is often hidden.
    Center,
}

impl Anchor {
    /// The anchor point of `bbox`.
    #[must_use]
    pub fn of(self, bbox: BBox) -> Point {
        match self {
            Self::BottomCenter => bbox.bottom_center(),
            Self::Center => bbox.center(),
        }
    }
}

/// What a zone is, for rules that treat places differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ZoneKind {
    /// Carriageway lane; may have a heading.
    Lane,
    /// Hard shoulder.
    Shoulder,
    /// Pedestrian crossing.
    Crossing,
    /// Bus or taxi stop: standing is normal here.
    Stop,
    /// Parking bay: standing is normal here.
    Parking,
    /// No one should be here.
    Restricted,
    /// A place of interest without a meaning of its own.
    Area,
}

impl ZoneKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Lane, Self::Shoulder, Self::Crossing, Self::Stop, Self::Parking, Self::Restricted, Self::Area];

    /// The word used in files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::Shoulder => "shoulder",
            Self::Crossing => "crossing",
            Self::Stop => "stop",
            Self::Parking => "parking",
            Self::Restricted => "restricted",
            Self::Area => "area",
        }
    }
}

/// A polygon of the picture with a meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its name in the site file.
    pub id: ZoneId,
    /// What it is.
    pub kind: ZoneKind,
    /// Where it is.
    pub polygon: Polygon,
    /// The allowed way through a lane.
    pub heading: Option<Segment>,
    /// The point of a box that is tested.
    pub anchor: Anchor,
}

impl Zone {
    /// Whether the anchor of `bbox` is inside.
    #[must_use]
    pub fn contains(&self, bbox: BBox) -> bool {
        self.polygon.contains(self.anchor.of(bbox))
    }
}

/// A directed counting line of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name in the site file.
    pub id: LineId,
    /// Where it is; left and right are those of one who walks it.
    pub segment: Segment,
    /// The point of a box that is tested.
    pub anchor: Anchor,
}

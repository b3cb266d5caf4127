//! The pure core of Ngã Tư: detections in, incident events out.
//!
//! `Tracker` turns detections into a [`Scene`], the [`Stitcher`](stitch::Stitcher) lets lost and found objects keep their
//! numbers, the [`Registry`](parked::Registry) knows what stands though it is not seen, each [`Rule`](rules::Rule) turns scenes into [`Finding`]s, [`Incidents`](incident::Incidents) folds findings
//! into [`Event`]s; [`Core`] joins the four for one camera.
//!
//! # Invariants
//! - No clock, environment, file, thread or randomness: time and the id seed are arguments. The same
//!   scenes give the same events, byte for byte.
//! - Durations are media time ([`MediaTime`]), never frame counts.
//! - Per-track state dies with its track.
#![forbid(unsafe_code)]

pub mod calibration;
pub mod class;
pub mod core;
pub mod detection;
pub mod event;
pub mod finding;
pub mod geometry;
pub mod ground;
pub mod id;
pub mod incident;
pub mod kind;
pub mod measure;
pub mod parked;
pub mod record;
pub mod rules;
pub mod scene;
pub mod schedule;
pub mod stitch;
pub mod stream;
pub mod time;
pub mod track;
mod traffic;
pub mod view;
pub mod zone;

pub use crate::class::{Class, ClassSet};
pub use crate::core::{Core, Idle, Look};
pub use crate::detection::{Confidence, Detection};
pub use crate::event::{Event, Phase};
pub use crate::finding::{Direction, Finding, Measure, Subject};
pub use crate::geometry::{BBox, Point, Polygon, Segment};
pub use crate::ground::{Ground, GroundPoint, Length, Speed, Unit};
pub use crate::id::{BoxId, CameraId, LineId, RuleId, SignalId, SiteId, ZoneId};
pub use crate::kind::{Kind, Severity, Text};
pub use crate::parked::{Parked, Way};
pub use crate::scene::{CameraState, Scene, Signal, SignalState, Track, TrackId, TrackState};
pub use crate::schedule::{LocalTime, Schedule};
pub use crate::stream::{CameraClock, Outage, OutageCause};
pub use crate::time::{FrameStamp, MediaTime, WallTime};
pub use crate::view::{GrayView, Nature, Still, StillId};
pub use crate::zone::{Anchor, Line, Zone, ZoneKind};

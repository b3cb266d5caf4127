//! Traffic measures of one camera over one interval.

use std::collections::BTreeMap;

use analytics::Direction;
use analytics::measure::{Banded, Interval, LaneFigures, LevelBasis, LineFigures, SpeedFigures, WayFigures};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::incident::{CameraLabel, EventContext, Position, TimeQuality};
use super::number::round;
use super::{CloudEvent, Moment, Sequence, Stamped, UtcMillis, Word};

/// A message of traffic measures.
pub type Measurement = CloudEvent<MeasurementData>;

/// The CloudEvents type.
pub const MEASUREMENT_TYPE: &str = "vn.ngatu.measure.traffic.v1";

/// The data of a message of traffic measures. What needs metres is null on a camera that is not calibrated; what was not
/// observed is null, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasurementData {
    /// When the interval began, aligned to the site's clock. Two messages of one camera with the same beginning (its clock was set
    /// back) are added.
    pub started_at: UtcMillis,
    /// When it was over, exclusive.
    pub ended_at: UtcMillis,
    /// Media time really analysed in it, in seconds: counts are of this time and not extrapolated.
    #[schemars(range(min = 0.0))]
    pub observed_s: f64,
    /// Frames a second really analysed while it was observed; null when that was no time.
    #[schemars(range(min = 0.0))]
    pub analysed_fps: Option<f64>,
    /// The camera.
    pub camera: CameraLabel,
    /// Where the camera is, when the site file says.
    pub position: Option<Position>,
    /// Both ways over every line.
    pub lines: Vec<LineData>,
    /// The turning matrix: lines are the gates. Pairs that nobody took are left out.
    pub movements: Vec<MovementData>,
    /// Every lane.
    pub lanes: Vec<LaneData>,
    /// Digest of the configuration in force.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub config: String,
    /// How far the times can be trusted.
    pub time_quality: TimeQuality,
    /// Whose sequence numbers these are.
    pub outbox_id: Uuid,
    /// Committed before the connection that carries it.
    pub replayed: bool,
}

impl Stamped for MeasurementData {
    fn set_outbox_id(&mut self, outbox_id: Uuid) {
        self.outbox_id = outbox_id;
    }
}

/// One way over a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LineData {
    /// The line.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub line: String,
    /// As one walks the line from its first point to its second.
    #[schemars(schema_with = "direction_schema")]
    pub direction: Word,
    /// How many crossed, of all classes; riders are counted with what they ride.
    pub total: u32,
    /// The same by class; a class that did not come is left out.
    pub counts: BTreeMap<String, u32>,
    /// Mean time from one vehicle's front to the next one's, in seconds; null with fewer than two.
    #[schemars(range(min = 0.0))]
    pub headway_s: Option<f64>,
    /// Mean time for which the line was free between two vehicles, in seconds; null where that is not known.
    #[schemars(range(min = 0.0))]
    pub gap_s: Option<f64>,
    /// Speeds of those who crossed; null without a calibration, or when nobody's is known.
    pub speed: Option<SpeedData>,
}

/// Speeds over a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpeedData {
    /// How many were measured.
    pub vehicles: u32,
    /// Space-mean speed (the harmonic mean of spot speeds), in km/h.
    pub space_mean_kmh: BandData,
    /// 85th percentile, in km/h; null with fewer than ten.
    pub p85_kmh: Option<BandData>,
}

/// A value and the band in which it lies with 95 % confidence: the calibration's error and that of the sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BandData {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One cell of the turning matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovementData {
    /// The line crossed first.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub from: String,
    /// The line crossed next; the same one for those who came back.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub to: String,
    /// The class.
    pub class: String,
    /// How many.
    pub count: u32,
}

/// One lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaneData {
    /// The zone.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub lane: String,
    /// Share of time that it is covered, averaged over its length, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub occupancy_percent: Option<f64>,
    /// Mean number of vehicles on it.
    #[schemars(range(min = 0.0))]
    pub vehicles: Option<f64>,
    /// Vehicles a kilometre.
    #[schemars(range(min = 0.0))]
    pub density_per_km: Option<f64>,
    /// Space-mean speed of all vehicles on it, in km/h.
    #[schemars(range(min = 0.0))]
    pub speed_kmh: Option<f64>,
    /// The longest queue.
    pub queue: QueueData,
    /// Level of service; null when nothing was observed.
    pub level_of_service: Option<LevelData>,
}

/// The longest queue of a lane: vehicles that stand one behind the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueData {
    /// Vehicles, at most.
    pub most_vehicles: u32,
    /// Vehicles, mean over time.
    #[schemars(range(min = 0.0))]
    pub mean_vehicles: Option<f64>,
    /// From its last to its first vehicle at most, in metres.
    #[schemars(range(min = 0.0))]
    pub longest_m: Option<f64>,
}

/// Level of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LevelData {
    /// `A` to `F`.
    #[schemars(regex(pattern = r"^[A-F]$"))]
    pub level: String,
    /// What it is judged by: `density` on a calibrated camera, else `occupancy`.
    #[schemars(schema_with = "basis_schema")]
    pub by: Word,
}

fn direction_schema(_: &mut SchemaGenerator) -> Schema {
    let words = [Direction::LeftToRight, Direction::RightToLeft].map(Direction::label);
    json_schema!({ "type": "string", "enum": words })
}

fn basis_schema(_: &mut SchemaGenerator) -> Schema {
    let words = [LevelBasis::Density, LevelBasis::Occupancy].map(basis);
    json_schema!({ "type": "string", "enum": words })
}

const fn basis(basis: LevelBasis) -> &'static str {
    match basis {
        LevelBasis::Density => "density",
        LevelBasis::Occupancy => "occupancy",
    }
}

/// The draft of a message: everything but what the outbox stamps at commit.
#[must_use]
pub fn measurement(context: &EventContext, moment: Moment, interval: &Interval) -> Measurement {
    let time = UtcMillis::from(interval.until);
    let fps = (interval.observed_s > 0.0).then(|| round(interval.frames as f64 / interval.observed_s, 1));
    let ways = |line: &LineFigures| {
        [Direction::LeftToRight, Direction::RightToLeft]
            .map(|direction| way(&line.line, direction, line.way(direction)))
    };
    let movement = |movement: &analytics::measure::Movement| MovementData {
        from: movement.from.clone(),
        to: movement.to.clone(),
        class: movement.class.clone(),
        count: movement.count,
    };
    Measurement {
        specversion: "1.0".into(),
        id: interval.id,
        source: context.source.clone(),
        r#type: MEASUREMENT_TYPE.into(),
        subject: context.camera.id.clone(),
        time,
        recordedtime: time,
        datacontenttype: "application/json".into(),
        dataschema: "urn:ngatu:schema:measure:1".into(),
        sequence: Sequence::default(),
        data: MeasurementData {
            started_at: interval.from.into(),
            ended_at: time,
            observed_s: round(interval.observed_s, 1),
            analysed_fps: fps,
            camera: context.camera.clone(),
            position: context.position,
            lines: interval.lines.iter().flat_map(ways).collect(),
            movements: interval.movements.iter().map(movement).collect(),
            lanes: interval.lanes.iter().map(lane).collect(),
            config: context.config.clone(),
            time_quality: moment.time_quality,
            outbox_id: Uuid::nil(),
            replayed: false,
        },
    }
}

fn way(line: &str, direction: Direction, figures: &WayFigures) -> LineData {
    LineData {
        line: line.to_owned(),
        direction: direction.label().into(),
        total: figures.total(),
        counts: figures.counts.iter().cloned().collect(),
        headway_s: figures.headway_s.map(|seconds| round(seconds, 2)),
        gap_s: figures.gap_s.map(|seconds| round(seconds, 2)),
        speed: figures.speed.map(speed),
    }
}

fn speed(figures: SpeedFigures) -> SpeedData {
    SpeedData {
        vehicles: figures.vehicles,
        space_mean_kmh: band(figures.space_mean_kmh),
        p85_kmh: figures.p85_kmh.map(band),
    }
}

fn band(banded: Banded) -> BandData {
    BandData { value: round(banded.value, 1), low: round(banded.low, 1), high: round(banded.high, 1) }
}

fn lane(figures: &LaneFigures) -> LaneData {
    LaneData {
        lane: figures.lane.clone(),
        occupancy_percent: figures.occupancy.map(|share| round((share * 100.0).clamp(0.0, 100.0), 1)),
        vehicles: figures.vehicles.map(|vehicles| round(vehicles, 2)),
        density_per_km: figures.density_per_km.map(|density| round(density, 1)),
        speed_kmh: figures.speed_kmh.map(|kmh| round(kmh, 1)),
        queue: QueueData {
            most_vehicles: figures.queue_most,
            mean_vehicles: figures.queue_mean.map(|vehicles| round(vehicles, 2)),
            longest_m: figures.queue_longest_m.map(|metres| round(metres, 1)),
        },
        level_of_service: figures
            .level
            .map(|(level, by)| LevelData { level: level.label().into(), by: basis(by).into() }),
    }
}

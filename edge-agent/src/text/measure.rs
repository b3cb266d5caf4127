//! Traffic measures as one line.

use analytics::{Direction, Text};

use super::{Lang, class, text};
use crate::publish::wire::{LaneData, LineData, MeasurementData};

pub(crate) const MEASURES: Text = text("Số đo giao thông", "Traffic");
const OBSERVED: Text = text("quan sát", "observed");
const OCCUPANCY: Text = text("chiếm dụng", "occupancy");
const DENSITY: Text = text("mật độ", "density");
const DENSITY_UNIT: Text = text(" xe/km", " veh/km");
const SPEED: Text = text("tốc độ", "speed");
const QUEUE: Text = text("hàng chờ", "queue");
const QUEUE_UNIT: Text = text(" xe", " veh");
const LEVEL: Text = text("mức phục vụ", "level of service");

/// Every way over a line that somebody took, then every lane, then how much of the interval was seen.
pub(crate) fn measures(data: &MeasurementData, lang: Lang) -> Vec<String> {
    let taken = data.lines.iter().filter(|line| line.total > 0);
    let mut parts: Vec<String> = taken.map(|way| line(way, lang)).collect();
    parts.extend(data.lanes.iter().map(|figures| lane(figures, lang)));
    let length_s = (data.ended_at.as_unix_millis() - data.started_at.as_unix_millis()) as f64 / 1000.0;
    parts.push(format!("{} {}/{} s", lang.of(OBSERVED), lang.number(data.observed_s), lang.number(length_s)));
    parts
}

fn line(way: &LineData, lang: Lang) -> String {
    let arrow = if way.direction == Direction::LeftToRight.label() { "→" } else { "←" };
    let counts: Vec<String> = way
        .counts
        .iter()
        .map(|(word, count)| format!("{} {count}", class(word).map_or(word.as_str(), |text| lang.of(text))))
        .collect();
    let speed = way.speed.as_ref().map_or_else(String::new, |speed| {
        let band = speed.space_mean_kmh;
        let number = |value| lang.number(value);
        format!(", {} {} km/h ({}–{})", lang.of(SPEED), number(band.value), number(band.low), number(band.high))
    });
    format!("{} {arrow} {} ({}){speed}", way.line, way.total, counts.join(", "))
}

fn lane(figures: &LaneData, lang: Lang) -> String {
    let mut parts = Vec::new();
    if let Some(percent) = figures.occupancy_percent {
        parts.push(format!("{} {} %", lang.of(OCCUPANCY), lang.number(percent)));
    }
    if let Some(density) = figures.density_per_km {
        parts.push(format!("{} {}{}", lang.of(DENSITY), lang.number(density), lang.of(DENSITY_UNIT)));
    }
    if let Some(kmh) = figures.speed_kmh {
        parts.push(format!("{} {} km/h", lang.of(SPEED), lang.number(kmh)));
    }
    if figures.queue.most_vehicles > 0 {
        parts.push(format!("{} {}{}", lang.of(QUEUE), figures.queue.most_vehicles, lang.of(QUEUE_UNIT)));
    }
    if let Some(level) = &figures.level_of_service {
        parts.push(format!("{} {}", lang.of(LEVEL), level.level));
    }
    format!("{}: {}", figures.lane, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::publish::wire::{CameraLabel, LevelData, LocalText, QueueData, TimeQuality, UtcMillis};

    fn data() -> MeasurementData {
        let way = |direction: Direction, total| LineData {
            line: "mid".to_owned(),
            direction: direction.label().into(),
            total,
            counts: [("motorcycle".to_owned(), total)].into(),
            headway_s: None,
            gap_s: None,
            speed: None,
        };
        MeasurementData {
            started_at: UtcMillis::from_unix_millis(0),
            ended_at: UtcMillis::from_unix_millis(60_000),
            observed_s: 58.5,
            analysed_fps: Some(5.0),
            camera: CameraLabel { id: "nam".to_owned(), name: LocalText { vi: "Nam".into(), en: "South".into() } },
            position: None,
            lines: vec![way(Direction::LeftToRight, 12), way(Direction::RightToLeft, 0)],
            movements: vec![],
            lanes: vec![LaneData {
                lane: "lan-1".to_owned(),
                occupancy_percent: Some(12.5),
                vehicles: Some(1.0),
                density_per_km: None,
                speed_kmh: None,
                queue: QueueData { most_vehicles: 3, mean_vehicles: Some(0.5), longest_m: None },
                level_of_service: Some(LevelData { level: "D".to_owned(), by: "occupancy".into() }),
            }],
            config: String::new(),
            time_quality: TimeQuality { synced: true, max_error_ms: None },
            outbox_id: Uuid::nil(),
            replayed: false,
        }
    }

    #[test]
    fn measures_are_read_in_both_languages() {
        assert_eq!(
            measures(&data(), Lang::Vi),
            ["mid → 12 (xe máy 12)", "lan-1: chiếm dụng 12,5 %, hàng chờ 3 xe, mức phục vụ D", "quan sát 58,5/60 s"]
        );
        assert_eq!(
            measures(&data(), Lang::En),
            [
                "mid → 12 (motorcycle 12)",
                "lan-1: occupancy 12.5 %, queue 3 veh, level of service D",
                "observed 58.5/60 s"
            ]
        );
    }
}

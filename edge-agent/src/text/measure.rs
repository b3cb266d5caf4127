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

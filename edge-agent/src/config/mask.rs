//! A camera's masks, resolved; and what they would hide that a rule must see.

use std::collections::BTreeMap;

use analytics::{Point, Polygon, ZoneId};

use super::document::bare_or_quoted;
use super::place::Places;
use super::raw::{RawCamera, RawMask};
use super::resolve::Resolver;
use super::signal::Signals;
use crate::privacy::Masks;

/// A camera that sees less than a tenth of its picture is switched off rather than masked.
const MOST_MASKED: f32 = 0.9;

/// From this share of a zone or line on, it is said that what is judged there is judged by the rest.
const MUCH_MASKED: f32 = 0.5;

/// Columns and rows of points that a zone is sampled at, and points of a line.
const SAMPLES: u32 = 100;

const CURE: &str = "make the mask smaller, or take this out: what is masked is never seen";

impl Resolver<'_> {
    pub(super) fn masks(&mut self, camera: usize, raw: &BTreeMap<String, RawMask>) -> Masks {
        let mask = |(id, raw): (&String, &RawMask)| {
            let key = format!("camera[{camera}].mask.{}", bare_or_quoted(id));
            self.id(&key, Some(id), ZoneId::new)?;
            let key = format!("{key}.polygon");
            let cure = "write at least three corners as fractions, such as [[0.0, 0.0], [0.3, 0.0], [0.3, 0.2]]";
            let corners = self.required(&key, raw.polygon.as_ref(), cure)?;
            self.polygon(&key, corners)
        };
        let masks = Masks::new(raw.iter().filter_map(mask).collect());
        let share = masks.share();
        if share > MOST_MASKED {
            let what = format!("hides {:.0} % of the picture", share * 100.0);
            self.error(&format!("camera[{camera}].mask"), what, "leave more to see, or write enabled = false");
        }
        masks
    }

    /// Rules, measures and signals whose place is masked.
    pub(super) fn check_masks(
        &mut self,
        camera: usize,
        masks: &Masks,
        raw: &RawCamera,
        (places, signals): (&Places, &Signals),
    ) {
        if masks.is_empty() {
            return;
        }
        for (index, rule) in raw.rule.iter().enumerate() {
            let key = format!("camera[{camera}].rule[{index}]");
            if let Some(zone) = places.zones.iter().find(|zone| Some(zone.id.as_str()) == rule.zone.as_deref()) {
                let share = share(masks, points_of(&zone.polygon));
                self.masked(&format!("{key}.zone"), &format!("zone \"{}\"", zone.id), share);
            }
            if let Some(line) = places.lines.iter().find(|line| Some(line.id.as_str()) == rule.line.as_deref()) {
                let (from, to) = (line.segment.from(), line.segment.to());
                let at = |along: f32| Point::new(from.x + along * (to.x - from.x), from.y + along * (to.y - from.y));
                let points = (0..=SAMPLES).map(|step| at(step as f32 / SAMPLES as f32));
                self.masked(&format!("{key}.line"), &format!("line \"{}\"", line.id), share(masks, points));
            }
        }
        for signal in &signals.lamps {
            let lamps = [("red", &signal.red), ("amber", &signal.amber), ("green", &signal.green)];
            for (name, lamp) in lamps.into_iter().filter_map(|(name, lamp)| Some((name, lamp.as_ref()?))) {
                let key = format!("camera[{camera}].signal.{}.{name}", bare_or_quoted(signal.id.as_str()));
                if lamp.corners().iter().any(|corner| masks.cover(*corner)) {
                    self.error(&key, "lies under a mask: its colour is never seen", CURE);
                }
            }
        }
    }

    fn masked(&mut self, key: &str, what: &str, share: f32) {
        if share >= 1.0 {
            self.error(key, format!("the {what} lies wholly under masks"), CURE);
        } else if share > MUCH_MASKED {
            self.notices.push(format!("{key}: {:.0} % of the {what} is masked: nothing is seen there", share * 100.0));
        }
    }
}

/// Points spread evenly over a polygon.
fn points_of(polygon: &Polygon) -> impl Iterator<Item = Point> {
    let ends = |along: fn(&Point) -> f32| {
        let of = polygon.corners().iter().map(along);
        of.fold((1.0_f32, 0.0_f32), |(least, most), at| (least.min(at), most.max(at)))
    };
    let ((left, right), (top, bottom)) = (ends(|corner| corner.x), ends(|corner| corner.y));
    let at = |step: u32, from: f32, to: f32| from + (step as f32 + 0.5) / SAMPLES as f32 * (to - from);
    let all = (0..SAMPLES * SAMPLES)
        .map(move |index| Point::new(at(index % SAMPLES, left, right), at(index / SAMPLES, top, bottom)));
    all.filter(|point| polygon.contains(*point))
}

fn share(masks: &Masks, points: impl Iterator<Item = Point>) -> f32 {
    let (all, covered) =
        points.fold((0_u32, 0_u32), |(all, covered), point| (all + 1, covered + u32::from(masks.cover(point))));
    covered as f32 / all.max(1) as f32
}

//! Rules over large parts of the simulated road ([`crate::traffic`]), so that every one of them has subjects.

use std::time::Duration;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Anchor, Class, ClassSet, Line, LineId, Point, Polygon, RuleId, Segment, Zone, ZoneId, ZoneKind};

fn zone(id: &str, kind: ZoneKind, [left, top, right, bottom]: [f32; 4]) -> Zone {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let polygon = Polygon::new(corners.map(|(x, y)| Point::new(x, y)).to_vec()).expect("a simple polygon");
    let heading = (kind == ZoneKind::Lane)
        .then(|| Segment::new(Point::new(left, bottom), Point::new(right, bottom)).expect("two points"));
    Zone { id: ZoneId::new(id).expect("valid"), kind, polygon, heading, anchor: Anchor::BottomCenter }
}

/// One rule of each kind.
#[must_use]
pub fn all_seven() -> Vec<RuleSpec> {
    let road = || zone("road", ZoneKind::Lane, [0.02, 0.1, 0.98, 0.99]);
    let square = || zone("square", ZoneKind::Area, [0.2, 0.2, 0.8, 0.9]);
    let line = Line {
        id: LineId::new("mid").expect("valid"),
        segment: Segment::new(Point::new(0.5, 0.0), Point::new(0.5, 1.0)).expect("two points"),
        anchor: Anchor::BottomCenter,
    };
    let hold = Duration::from_secs(2);
    let kinds = vec![
        RuleParams::LineCrossing { line, hysteresis: RuleParams::HYSTERESIS },
        RuleParams::Intrusion { zone: zone("lawn", ZoneKind::Restricted, [0.7, 0.1, 0.9, 0.99]), hold },
        RuleParams::Loitering { zone: square(), dwell: Duration::from_secs(10) },
        RuleParams::Crowding { zone: square(), count: 3, hold },
        RuleParams::WrongWay {
            zone: road(),
            angle_deg: RuleParams::WRONG_WAY_ANGLE_DEG,
            distance: RuleParams::WRONG_WAY_DISTANCE,
            hold: RuleParams::WRONG_WAY_HOLD,
        },
        RuleParams::StoppedVehicle {
            zone: road(),
            bays: vec![],
            signal: None,
            speed: RuleParams::STOPPED_SPEED,
            travel: RuleParams::STOPPED_TRAVEL,
            hold,
            at_start: Some(RuleParams::STOPPED_AT_START),
        },
        RuleParams::PedestrianOnCarriageway {
            zone: road(),
            crossings: vec![zone("zebra", ZoneKind::Crossing, [0.0, 0.5, 1.0, 0.6])],
            hold,
        },
    ];
    let spec = |(index, params): (usize, RuleParams)| RuleSpec {
        id: RuleId::new(&format!("rule-{index}")).expect("valid"),
        severity: params.kind().default_severity(),
        cooldown: Duration::ZERO,
        classes: Class::ALL.into_iter().collect::<ClassSet>(),
        include_riders: false,
        schedule: None,
        params,
    };
    kinds.into_iter().enumerate().map(spec).collect()
}

/// `count` rules: the seven kinds in turn, each with an id of its own.
#[must_use]
pub fn many(count: usize) -> Vec<RuleSpec> {
    let kinds = all_seven();
    let numbered = |(index, rule): (usize, RuleSpec)| RuleSpec {
        id: RuleId::new(&format!("rule-{index}")).expect("valid"),
        ..rule
    };
    kinds.iter().cycle().take(count).cloned().enumerate().map(numbered).collect()
}

//! Rules, resolved: the site's numbers over the pipeline's over the built-in defaults.

use std::time::Duration;

use analytics::rules::{CameraFault, Gate, RuleParams, RuleSpec, Size};
use analytics::{Class, ClassSet, Direction, Kind, Line, RuleId, Severity, SignalId, Speed, Unit, Zone, ZoneKind};

use super::place::Places;
use super::raw::{AT_START, DIRECTIONS, RawCamera, RawPipeline, RawRule, RawRuleNumbers};
use super::resolve::Resolver;
use super::schedule::schedule;
use super::value::{DurationText, ExtentText};

impl Resolver<'_> {
    pub(super) fn rules(
        &mut self,
        camera: usize,
        raw: &RawCamera,
        places: &Places,
        pipeline: Option<&RawPipeline>,
    ) -> Vec<RuleSpec> {
        let mut rules: Vec<RuleSpec> = Vec::new();
        for (index, raw_rule) in raw.rule.iter().enumerate() {
            let key = format!("camera[{camera}].rule[{index}]");
            let Some(rule) = self.rule(&key, raw, raw_rule, places, pipeline) else { continue };
            if rules.iter().any(|known| known.id == rule.id) {
                let what = format!("\"{}\" is used twice on this camera", rule.id);
                self.error(&format!("{key}.id"), what, "give each rule of a camera an id of its own");
            }
            rules.push(rule);
        }
        rules
    }

    fn rule(
        &mut self,
        key: &str,
        camera: &RawCamera,
        raw: &RawRule,
        places: &Places,
        pipeline: Option<&RawPipeline>,
    ) -> Option<RuleSpec> {
        let id = self.id(&format!("{key}.id"), raw.id.as_ref(), RuleId::new);
        let kind_key = format!("{key}.kind");
        let cure = format!("choose one of: {}", Kind::ALL.map(Kind::file_label).join(", "));
        let kind = self.required(&kind_key, raw.kind.as_ref(), &cure).and_then(|text| self.kind(&kind_key, text))?;
        self.check_place(key, kind, raw);
        let own = raw.numbers();
        self.check_numbers(key, kind, &own);
        let none = RawRuleNumbers::default();
        let numbers = own.or(pipeline.and_then(|pipeline| pipeline.rule.get(kind.file_label())).unwrap_or(&none));
        self.check_units(key, &numbers, camera);
        let params = self.params(key, kind, camera, raw, &numbers, places);
        Some(RuleSpec {
            id: id?,
            severity: numbers
                .severity
                .and_then(|label| Severity::from_label(&label))
                .unwrap_or(kind.default_severity()),
            cooldown: numbers.cooldown.map_or(Duration::ZERO, |text| text.0),
            classes: numbers.classes.map_or_else(
                || default_classes(kind),
                |labels| labels.iter().filter_map(|label| Class::from_label(label)).collect(),
            ),
            include_riders: numbers.include_riders.unwrap_or(false),
            schedule: numbers.schedule.as_ref().map(schedule),
            params: params?,
        })
    }

    fn params(
        &mut self,
        key: &str,
        kind: Kind,
        camera: &RawCamera,
        raw: &RawRule,
        numbers: &RawRuleNumbers,
        places: &Places,
    ) -> Option<RuleParams> {
        let hold = |default: Duration| duration(numbers.hold, default);
        let calibrated = places.ground.is_some();
        match kind {
            Kind::LineCrossing => {
                let line = self.rule_line(key, camera, raw, places)?;
                Some(RuleParams::LineCrossing {
                    line,
                    hysteresis: numbers.hysteresis.map_or(RuleParams::HYSTERESIS, |h| h.0),
                })
            }
            Kind::Intrusion => Some(RuleParams::Intrusion {
                zone: self.rule_zone(key, camera, raw, places)?,
                hold: hold(RuleParams::INTRUSION_HOLD),
            }),
            Kind::Loitering => Some(RuleParams::Loitering {
                zone: self.rule_zone(key, camera, raw, places)?,
                dwell: duration(numbers.dwell, RuleParams::LOITERING_DWELL),
            }),
            Kind::Crowding => {
                let count = numbers.count.unwrap_or(RuleParams::CROWDING_COUNT);
                let zone = self.rule_zone(key, camera, raw, places)?;
                Some(RuleParams::Crowding { zone, count, hold: hold(RuleParams::CROWDING_HOLD) })
            }
            Kind::WrongWay => {
                let zone = self.rule_zone(key, camera, raw, places)?;
                if zone.heading.is_none() {
                    let what = format!("the zone \"{}\" has no heading, so no way is wrong", zone.id);
                    self.error(&format!("{key}.zone"), what, "give the zone heading = [[from], [to]], the allowed way");
                }
                let angle_deg = numbers.angle_deg.unwrap_or(RuleParams::WRONG_WAY_ANGLE_DEG);
                let distance = numbers.distance.map_or(
                    if calibrated { RuleParams::WRONG_WAY_DISTANCE_ON_GROUND } else { RuleParams::WRONG_WAY_DISTANCE },
                    |text| text.0,
                );
                Some(RuleParams::WrongWay { zone, angle_deg, distance, hold: hold(RuleParams::WRONG_WAY_HOLD) })
            }
            Kind::StoppedVehicle => {
                let zone = self.rule_zone(key, camera, raw, places)?;
                if is_bay(&zone) {
                    let what =
                        format!("the zone \"{}\" is a {} zone, where standing is normal", zone.id, zone.kind.label());
                    self.error(&format!("{key}.zone"), what, "name a lane or shoulder");
                }
                Some(RuleParams::StoppedVehicle {
                    speed: numbers.speed.map_or(standing_speed(calibrated), |text| text.0),
                    travel: numbers.travel.map_or(
                        if calibrated { RuleParams::STOPPED_TRAVEL_ON_GROUND } else { RuleParams::STOPPED_TRAVEL },
                        |text| text.0,
                    ),
                    hold: hold(RuleParams::stopped_hold(zone.kind)),
                    bays: places.zones.iter().filter(|zone| is_bay(zone)).cloned().collect(),
                    signal: self.rule_signal(key, raw, places),
                    at_start: (numbers.at_start.as_deref() != Some("off")).then_some(RuleParams::STOPPED_AT_START),
                    zone,
                })
            }
            Kind::PedestrianOnCarriageway => Some(RuleParams::PedestrianOnCarriageway {
                zone: self.rule_zone(key, camera, raw, places)?,
                crossings: self.crossings(key, camera, raw, places),
                hold: hold(RuleParams::PEDESTRIAN_HOLD),
            }),
            Kind::IllegalParking => Some(RuleParams::IllegalParking {
                zone: self.rule_zone(key, camera, raw, places)?,
                speed: numbers.speed.map_or(standing_speed(calibrated), |text| text.0),
                hold: hold(RuleParams::PARKING_HOLD),
            }),
            Kind::ForbiddenClass => {
                if numbers.classes.is_none() {
                    let cure = "name the classes that may not be there, such as classes = [\"truck\"]";
                    self.error(&format!("{key}.classes"), "is missing", cure);
                }
                let zone = self.rule_zone(key, camera, raw, places)?;
                Some(RuleParams::ForbiddenClass { zone, hold: hold(RuleParams::FORBIDDEN_CLASS_HOLD) })
            }
            Kind::SlowVehicle => Some(RuleParams::SlowVehicle {
                zone: self.rule_zone(key, camera, raw, places)?,
                factor: numbers.factor.unwrap_or(RuleParams::SLOW_FACTOR),
                flow: numbers.flow.unwrap_or(RuleParams::SLOW_FLOW),
                distance: numbers.distance.map_or(
                    if calibrated { RuleParams::SLOW_DISTANCE_ON_GROUND } else { RuleParams::SLOW_DISTANCE },
                    |text| text.0,
                ),
                hold: hold(RuleParams::SLOW_HOLD),
            }),
            Kind::OverSpeed => self.over_speed(key, camera, raw, numbers, places),
            Kind::ForbiddenTurn => {
                let from = self.gate(&format!("{key}.from"), raw.from.as_ref(), camera, places);
                let to = self.gate(&format!("{key}.to"), raw.to.as_ref(), camera, places);
                if from.is_some() && raw.from == raw.to {
                    let cure = "name two different places, where it comes from and where it may not go";
                    self.error(&format!("{key}.to"), "is the same as from", cure);
                }
                Some(RuleParams::ForbiddenTurn {
                    from: from?,
                    to: to?,
                    within: duration(numbers.within, RuleParams::TURN_WITHIN),
                })
            }
            Kind::RedLight => {
                let cure = "name a signal of this camera, from its [camera.signal.ID]";
                self.required(&format!("{key}.signal"), raw.signal.as_ref(), cure);
                let (signal, direction) = (self.rule_signal(key, raw, places), self.direction(key, raw));
                Some(RuleParams::RedLight {
                    line: self.rule_line(key, camera, raw, places)?,
                    direction: direction?,
                    signal: signal?,
                    grace: duration(numbers.grace, RuleParams::RED_GRACE),
                    hysteresis: numbers.hysteresis.map_or(RuleParams::RED_HYSTERESIS, |h| h.0),
                })
            }
            Kind::CollisionSuspected => Some(RuleParams::CollisionSuspected {
                zone: self.rule_zone(key, camera, raw, places)?,
                score: numbers.score.unwrap_or(RuleParams::COLLISION_SCORE),
                hold: hold(RuleParams::COLLISION_HOLD),
            }),
            Kind::RoadObstacle | Kind::AbandonedObject | Kind::RemovedObject => {
                let zone = self.rule_zone(key, camera, raw, places);
                self.thing((key, kind), camera, numbers, zone?)
            }
            Kind::Congestion => Some(RuleParams::Congestion {
                zone: self.rule_zone(key, camera, raw, places)?,
                occupancy: numbers.occupancy.unwrap_or(RuleParams::CONGESTION_OCCUPANCY),
                speed: numbers.speed.map_or(
                    if calibrated { RuleParams::CONGESTION_SPEED_ON_GROUND } else { RuleParams::CONGESTION_SPEED },
                    |text| text.0,
                ),
                hold: hold(RuleParams::CONGESTION_HOLD),
                clear: duration(numbers.clear, RuleParams::CONGESTION_CLEAR),
            }),
            Kind::QueueSpillback => self.queue_spillback(key, camera, raw, numbers, places),
            Kind::FlowDrop => Some(RuleParams::FlowDrop {
                line: self.rule_line(key, camera, raw, places)?,
                ratio: numbers.ratio.unwrap_or(RuleParams::FLOW_DROP_RATIO),
                baseline: duration(numbers.baseline, RuleParams::FLOW_DROP_BASELINE),
                window: duration(numbers.window, RuleParams::FLOW_DROP_WINDOW),
                least: numbers.min_flow.unwrap_or(RuleParams::FLOW_DROP_LEAST),
            }),
            Kind::CameraLost
            | Kind::CameraUnauthorised
            | Kind::CameraFrozen
            | Kind::CameraCovered
            | Kind::CameraDark
            | Kind::CameraGlare
            | Kind::CameraBlurred
            | Kind::CameraMoved
            | Kind::CameraLowRate
            | Kind::CameraClockDrift => {
                CameraFault::of(kind).map(|fault| RuleParams::Camera { fault, hold: hold(fault.hold()) })
            }
        }
    }

    fn queue_spillback(
        &mut self,
        key: &str,
        camera: &RawCamera,
        raw: &RawRule,
        numbers: &RawRuleNumbers,
        places: &Places,
    ) -> Option<RuleParams> {
        let (zone, mark) = (self.rule_zone(key, camera, raw, places), self.rule_line(key, camera, raw, places));
        let zone = zone?;
        if zone.heading.is_none() {
            let what = format!("the zone \"{}\" has no heading, so it has no end at which a queue begins", zone.id);
            self.error(&format!("{key}.zone"), what, "give the zone heading = [[from], [to]], towards the stop line");
        }
        let (gap, speed) = if places.ground.is_some() {
            (RuleParams::SPILLBACK_GAP_ON_GROUND, RuleParams::STOPPED_SPEED_ON_GROUND)
        } else {
            (RuleParams::SPILLBACK_GAP, RuleParams::STOPPED_SPEED)
        };
        Some(RuleParams::QueueSpillback {
            zone,
            mark: mark?,
            gap: numbers.gap.map_or(gap, |text| text.0),
            speed: numbers.speed.map_or(speed, |text| text.0),
            hold: duration(numbers.hold, RuleParams::SPILLBACK_HOLD),
        })
    }

    /// Keys that mean nothing for this kind are errors: what has no effect would be believed in.
    fn check_place(&mut self, key: &str, kind: Kind, raw: &RawRule) {
        let given = [
            ("zone", raw.zone.is_some()),
            ("line", raw.line.is_some()),
            ("crossings", raw.crossings.is_some()),
            ("from", raw.from.is_some()),
            ("to", raw.to.is_some()),
            ("direction", raw.direction.is_some()),
            ("signal", raw.signal.is_some()),
        ];
        for (name, _) in given.into_iter().filter(|(_, given)| *given) {
            self.check_applicable(key, kind, name);
        }
    }

    /// Reports what is wrong with a rule's numbers, or a pipeline's for rules of this kind.
    pub(super) fn check_numbers(&mut self, key: &str, kind: Kind, numbers: &RawRuleNumbers) {
        for name in numbers.given() {
            self.check_applicable(key, kind, name);
        }
        if let Some(label) = numbers.severity.as_ref().filter(|label| Severity::from_label(label).is_none()) {
            self.unknown(&format!("{key}.severity"), label, "severity", &Severity::ALL.map(Severity::label));
        }
        if let Some(labels) = &numbers.classes {
            self.check_classes(&format!("{key}.classes"), labels);
        }
        if let Some(word) = numbers.at_start.as_ref().filter(|word| !AT_START.contains(&word.as_str())) {
            self.unknown(&format!("{key}.at_start"), word, "choice", &AT_START);
        }
        if let Some(schedule) = &numbers.schedule {
            self.check_schedule(&format!("{key}.schedule"), schedule);
        }
        if let Some(count) = numbers.count.filter(|count| !(2..=1000).contains(count)) {
            self.error(&format!("{key}.count"), format!("is {count}"), "write 2 to 1000: a crowd has at least 2");
        }
        if let Some(angle) = numbers.angle_deg.filter(|angle| !(91.0..=180.0).contains(angle)) {
            self.error(&format!("{key}.angle_deg"), format!("is {angle}"), "write 91 to 180 degrees");
        }
        let within = [
            ("factor", numbers.factor, 0.1..=0.8),
            ("tolerance", numbers.tolerance, 0.0..=1.0),
            ("score", numbers.score, 0.5..=1.0),
        ];
        for (name, value, range) in within {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                let cure = format!("write {} to {}", range.start(), range.end());
                self.error(&format!("{key}.{name}"), format!("is {value}"), cure);
            }
        }
        if let Some(flow) = numbers.flow.filter(|flow| !(3..=60).contains(flow)) {
            self.error(&format!("{key}.flow"), format!("is {flow}"), "write 3 to 60 vehicles in ten minutes");
        }
        if numbers.limit.is_some_and(|limit| limit.0.unit != Unit::Metres || limit.0.value == 0.0) {
            self.error(&format!("{key}.limit"), "is no speed limit", "write it in km/h, such as \"50 km/h\"");
        }
        let shares = [("occupancy", numbers.occupancy, 0.05..=1.0), ("ratio", numbers.ratio, 0.05..=0.9)];
        for (name, value, range) in shares {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                let cure = format!("write a share, {} to {}", range.start(), range.end());
                self.error(&format!("{key}.{name}"), format!("is {value}"), cure);
            }
        }
        if let Some(flow) = numbers.min_flow.filter(|flow| !(1.0..=500.0).contains(flow)) {
            self.error(&format!("{key}.min_flow"), format!("is {flow}"), "write the vehicles a minute, 1 to 500");
        }
        if let (Some(window), Some(baseline)) = (numbers.window, numbers.baseline)
            && (window.0.is_zero() || window.0 > baseline.0)
        {
            let cure = "write a window shorter than the baseline, such as \"3m\" of \"15m\"";
            self.error(&format!("{key}.window"), "is no part of the baseline", cure);
        }
        if numbers.speed.is_some_and(|speed| speed.0.value == 0.0) {
            self.error(
                &format!("{key}.speed"),
                "is 0: nothing is slower",
                "write the least speed, such as \"0.1 h/s\"",
            );
        }
    }

    /// Metres need a calibration.
    fn check_units(&mut self, key: &str, numbers: &RawRuleNumbers, camera: &RawCamera) {
        if camera.calibration.is_some() {
            return;
        }
        let units = [
            ("distance", numbers.distance.map(|text| text.0.unit), "box heights, such as \"3 h\""),
            ("gap", numbers.gap.map(|text| text.0.unit), "box heights, such as \"4 h\""),
            ("travel", numbers.travel.map(|text| text.0.unit), "box heights, such as \"2 h\""),
            ("speed", numbers.speed.map(|text| text.0.unit), "box heights a second, such as \"0.1 h/s\""),
        ];
        if matches!(numbers.size, Some(ExtentText(Size::Metres(_)))) {
            let cure = "calibrate the camera, or write it as a share of the picture's width, such as \"2 %\"";
            self.error(&format!("{key}.size"), "is metric, and this camera is not calibrated", cure);
        }
        for (name, _, example) in units.into_iter().filter(|(_, unit, _)| *unit == Some(Unit::Metres)) {
            let cure = format!("calibrate the camera, or write it in {example}");
            self.error(&format!("{key}.{name}"), "is metric, and this camera is not calibrated", cure);
        }
    }

    fn check_applicable(&mut self, key: &str, kind: Kind, name: &str) {
        use Kind::{
            AbandonedObject, CollisionSuspected, Congestion, Crowding, FlowDrop, ForbiddenClass, ForbiddenTurn,
            IllegalParking, Intrusion, LineCrossing, Loitering, OverSpeed, PedestrianOnCarriageway, QueueSpillback,
            RedLight, RemovedObject, RoadObstacle, SlowVehicle, StoppedVehicle, WrongWay,
        };
        let kinds: &[Kind] = match name {
            "zone" => &[
                Intrusion,
                Loitering,
                Crowding,
                WrongWay,
                StoppedVehicle,
                PedestrianOnCarriageway,
                IllegalParking,
                ForbiddenClass,
                SlowVehicle,
                OverSpeed,
                CollisionSuspected,
                RoadObstacle,
                AbandonedObject,
                RemovedObject,
                Congestion,
                QueueSpillback,
            ],
            "hold" => &[
                Intrusion,
                Crowding,
                WrongWay,
                StoppedVehicle,
                PedestrianOnCarriageway,
                IllegalParking,
                ForbiddenClass,
                SlowVehicle,
                CollisionSuspected,
                RoadObstacle,
                AbandonedObject,
                RemovedObject,
                Congestion,
                QueueSpillback,
            ],
            "line" => &[LineCrossing, RedLight, QueueSpillback, FlowDrop],
            "hysteresis" => &[LineCrossing, RedLight],
            "occupancy" | "clear" => &[Congestion],
            "gap" => &[QueueSpillback],
            "ratio" | "baseline" | "window" | "min_flow" => &[FlowDrop],
            "dwell" => &[Loitering],
            "count" => &[Crowding],
            "angle_deg" => &[WrongWay],
            "distance" => &[WrongWay, SlowVehicle, AbandonedObject],
            "size" => &[RoadObstacle, AbandonedObject, RemovedObject],
            "speed" => &[StoppedVehicle, IllegalParking, Congestion, QueueSpillback],
            "travel" | "at_start" => &[StoppedVehicle],
            "signal" => &[StoppedVehicle, RedLight],
            "crossings" => &[PedestrianOnCarriageway],
            "factor" | "flow" => &[SlowVehicle],
            "limit" | "tolerance" => &[OverSpeed],
            "from" | "to" | "within" => &[ForbiddenTurn],
            "direction" | "grace" => &[RedLight],
            "score" => &[CollisionSuspected],
            _ => &Kind::ALL,
        };
        if CameraFault::of(kind).is_some() {
            if !matches!(name, "hold" | "severity" | "schedule" | "cooldown") {
                let cure = "remove it; a camera's own rules take hold, severity, schedule and cooldown";
                self.error(&format!("{key}.{name}"), format!("means nothing for {kind}"), cure);
            }
        } else if !kinds.contains(&kind) {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.file_label()).collect();
            let cure = format!("remove it; it belongs to {}", kinds.join(", "));
            self.error(&format!("{key}.{name}"), format!("means nothing for {kind}"), cure);
        }
    }

    fn check_classes(&mut self, key: &str, labels: &[String]) {
        if labels.is_empty() {
            self.error(key, "is empty", "name at least one class, or leave the key out");
        }
        for label in labels.iter().filter(|label| Class::from_label(label).is_none()) {
            self.unknown(key, label, "class", &Class::ALL.map(Class::label));
        }
    }

    fn rule_zone(&mut self, key: &str, camera: &RawCamera, raw: &RawRule, places: &Places) -> Option<Zone> {
        let key = format!("{key}.zone");
        let id = self.required(&key, raw.zone.as_ref(), "name a zone of this camera")?;
        self.zone_named(&key, id, camera, places)
    }

    pub(super) fn zone_named(&mut self, key: &str, id: &str, camera: &RawCamera, places: &Places) -> Option<Zone> {
        let zone = places.zones.iter().find(|zone| zone.id.as_str() == id).cloned();
        if zone.is_none() && !camera.zone.contains_key(id) {
            let known: Vec<&str> = camera.zone.keys().map(String::as_str).collect();
            self.unknown(key, id, "zone on this camera with the id", &known);
        }
        zone
    }

    fn rule_line(&mut self, key: &str, camera: &RawCamera, raw: &RawRule, places: &Places) -> Option<Line> {
        let key = format!("{key}.line");
        let id = self.required(&key, raw.line.as_ref(), "name a line of this camera")?;
        self.line_named(&key, id, camera, places)
    }

    pub(super) fn line_named(&mut self, key: &str, id: &str, camera: &RawCamera, places: &Places) -> Option<Line> {
        let line = places.lines.iter().find(|line| line.id.as_str() == id).cloned();
        if line.is_none() && !camera.line.contains_key(id) {
            let known: Vec<&str> = camera.line.keys().map(String::as_str).collect();
            self.unknown(key, id, "line on this camera with the id", &known);
        }
        line
    }

    fn over_speed(
        &mut self,
        key: &str,
        camera: &RawCamera,
        raw: &RawRule,
        numbers: &RawRuleNumbers,
        places: &Places,
    ) -> Option<RuleParams> {
        if camera.calibration.is_none() {
            let cure = "write [camera.calibration], from points or known lengths on the ground";
            self.error(&format!("{key}.kind"), "needs a calibrated camera: without it there is no speed in km/h", cure);
        }
        let cure = "write the speed that is allowed, such as \"50 km/h\"";
        let limit = self.required(&format!("{key}.limit"), numbers.limit.as_ref(), cure);
        Some(RuleParams::OverSpeed {
            zone: self.rule_zone(key, camera, raw, places)?,
            limit: limit?.0,
            tolerance: numbers.tolerance.unwrap_or(RuleParams::SPEED_TOLERANCE),
        })
    }

    /// A zone or a line of this camera.
    fn gate(&mut self, key: &str, id: Option<&String>, camera: &RawCamera, places: &Places) -> Option<Gate> {
        let id = self.required(key, id, "name a zone or line of this camera")?;
        if let Some(line) = places.lines.iter().find(|line| line.id.as_str() == id) {
            return Some(Gate::Line(line.clone(), RuleParams::HYSTERESIS));
        }
        if let Some(zone) = places.zones.iter().find(|zone| zone.id.as_str() == id) {
            return Some(Gate::Zone(zone.clone()));
        }
        if !camera.zone.contains_key(id) && !camera.line.contains_key(id) {
            let known: Vec<&str> = camera.zone.keys().chain(camera.line.keys()).map(String::as_str).collect();
            self.unknown(key, id, "zone or line on this camera with the id", &known);
        }
        None
    }

    fn direction(&mut self, key: &str, raw: &RawRule) -> Option<Direction> {
        let key = format!("{key}.direction");
        let cure = format!("write how traffic goes over the line as one walks it: {}", DIRECTIONS.join(" or "));
        let word = self.required(&key, raw.direction.as_ref(), &cure)?;
        let found = [Direction::LeftToRight, Direction::RightToLeft].into_iter().zip(DIRECTIONS);
        let direction = found.into_iter().find_map(|(direction, label)| (label == word).then_some(direction));
        if direction.is_none() {
            self.unknown(&key, word, "direction", &DIRECTIONS);
        }
        direction
    }

    fn rule_signal(&mut self, key: &str, raw: &RawRule, places: &Places) -> Option<SignalId> {
        let id = raw.signal.as_ref()?;
        let signal = places.signals.iter().find(|signal| signal.as_str() == id).cloned();
        if signal.is_none() {
            let (key, what) = (format!("{key}.signal"), "signal on this camera with the id");
            if places.signals.is_empty() {
                let cure = format!("describe it in [camera.signal.{id}], or leave the key out");
                self.error(&key, format!("there is no {what} \"{id}\""), cure);
            } else {
                let known: Vec<&str> = places.signals.iter().map(SignalId::as_str).collect();
                self.unknown(&key, id, what, &known);
            }
        }
        signal
    }

    fn crossings(&mut self, key: &str, camera: &RawCamera, raw: &RawRule, places: &Places) -> Vec<Zone> {
        match &raw.crossings {
            None => places.zones.iter().filter(|zone| zone.kind == ZoneKind::Crossing).cloned().collect(),
            Some(ids) => {
                ids.iter().filter_map(|id| self.zone_named(&format!("{key}.crossings"), id, camera, places)).collect()
            }
        }
    }
}

/// Slower is standing.
const fn standing_speed(calibrated: bool) -> Speed {
    if calibrated { RuleParams::STOPPED_SPEED_ON_GROUND } else { RuleParams::STOPPED_SPEED }
}

/// Where standing is normal.
fn is_bay(zone: &Zone) -> bool {
    matches!(zone.kind, ZoneKind::Stop | ZoneKind::Parking)
}

pub(super) fn duration(text: Option<DurationText>, default: Duration) -> Duration {
    text.map_or(default, |text| text.0)
}

/// The classes a kind looks at unless told otherwise.
fn default_classes(kind: Kind) -> ClassSet {
    match kind {
        Kind::LineCrossing | Kind::Intrusion => Class::ALL.into_iter().collect(),
        Kind::Loitering | Kind::Crowding | Kind::PedestrianOnCarriageway | Kind::AbandonedObject => {
            [Class::Person].into_iter().collect()
        }
        Kind::WrongWay
        | Kind::StoppedVehicle
        | Kind::IllegalParking
        | Kind::ForbiddenClass
        | Kind::OverSpeed
        | Kind::ForbiddenTurn
        | Kind::RedLight
        | Kind::CollisionSuspected
        | Kind::Congestion
        | Kind::QueueSpillback
        | Kind::FlowDrop => ClassSet::vehicles(),
        // A bicycle is slow by nature.
        Kind::SlowVehicle => ClassSet::vehicles().iter().filter(|class| *class != Class::Bicycle).collect(),
        Kind::RoadObstacle
        | Kind::RemovedObject
        | Kind::CameraLost
        | Kind::CameraUnauthorised
        | Kind::CameraFrozen
        | Kind::CameraCovered
        | Kind::CameraDark
        | Kind::CameraGlare
        | Kind::CameraBlurred
        | Kind::CameraMoved
        | Kind::CameraLowRate
        | Kind::CameraClockDrift => ClassSet::default(),
    }
}

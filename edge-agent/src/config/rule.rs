//! Rules, resolved: the site's numbers over the pipeline's over the built-in defaults.

use std::time::Duration;

use analytics::rules::{RuleParams, RuleSpec};
use analytics::{Class, ClassSet, Kind, Line, RuleId, Severity, Zone, ZoneKind};

use super::place::Places;
use super::raw::{RawCamera, RawPipeline, RawRule, RawRuleDefaults};
use super::resolve::Resolver;
use super::value::DurationText;

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
        self.check_applicable(key, kind, raw);
        let none = RawRuleDefaults::default();
        let defaults = pipeline.and_then(|pipeline| pipeline.rule.get(kind.file_label())).unwrap_or(&none);
        let severity = self.severity(&format!("{key}.severity"), raw.severity.as_ref().or(defaults.severity.as_ref()));
        let classes_key = format!("{key}.classes");
        let classes = match raw.classes.as_ref().or(defaults.classes.as_ref()) {
            Some(labels) => self.classes(&classes_key, labels),
            None => Some(default_classes(kind)),
        };
        let params = self.params(key, kind, camera, raw, defaults, places);
        Some(RuleSpec {
            id: id?,
            severity: severity.unwrap_or(kind.default_severity()),
            cooldown: raw.cooldown.or(defaults.cooldown).map_or(Duration::ZERO, |text| text.0),
            classes: classes?,
            include_riders: raw.include_riders.or(defaults.include_riders).unwrap_or(false),
            params: params?,
        })
    }

    fn params(
        &mut self,
        key: &str,
        kind: Kind,
        camera: &RawCamera,
        raw: &RawRule,
        defaults: &RawRuleDefaults,
        places: &Places,
    ) -> Option<RuleParams> {
        let hold = |default: Duration| duration(raw.hold.or(defaults.hold), default);
        match kind {
            Kind::LineCrossing => {
                let line = self.rule_line(key, camera, raw, places)?;
                Some(RuleParams::LineCrossing {
                    line,
                    hysteresis: raw.hysteresis.or(defaults.hysteresis).map_or(RuleParams::HYSTERESIS, |h| h.0),
                })
            }
            Kind::Intrusion => Some(RuleParams::Intrusion {
                zone: self.rule_zone(key, camera, raw, places)?,
                hold: hold(RuleParams::INTRUSION_HOLD),
            }),
            Kind::Loitering => Some(RuleParams::Loitering {
                zone: self.rule_zone(key, camera, raw, places)?,
                dwell: duration(raw.dwell.or(defaults.dwell), RuleParams::LOITERING_DWELL),
            }),
            Kind::Crowding => {
                let count = raw.count.or(defaults.count).unwrap_or(RuleParams::CROWDING_COUNT);
                if count < 2 {
                    self.error(&format!("{key}.count"), format!("is {count}"), "a crowd has at least 2");
                }
                let zone = self.rule_zone(key, camera, raw, places)?;
                Some(RuleParams::Crowding { zone, count, hold: hold(RuleParams::CROWDING_HOLD) })
            }
            Kind::WrongWay => {
                let zone = self.rule_zone(key, camera, raw, places)?;
                if zone.heading.is_none() {
                    let what = format!("the zone \"{}\" has no heading, so no way is wrong", zone.id);
                    self.error(&format!("{key}.zone"), what, "give the zone heading = [[from], [to]], the allowed way");
                }
                let angle_deg = raw.angle_deg.or(defaults.angle_deg).unwrap_or(RuleParams::WRONG_WAY_ANGLE_DEG);
                if !(91.0..=180.0).contains(&angle_deg) {
                    self.error(&format!("{key}.angle_deg"), format!("is {angle_deg}"), "write 91 to 180 degrees");
                }
                let distance = raw.distance.or(defaults.distance).map_or(RuleParams::WRONG_WAY_DISTANCE, |h| h.0);
                Some(RuleParams::WrongWay { zone, angle_deg, distance, hold: hold(RuleParams::WRONG_WAY_HOLD) })
            }
            Kind::StoppedVehicle => {
                let zone = self.rule_zone(key, camera, raw, places)?;
                if matches!(zone.kind, ZoneKind::Stop | ZoneKind::Parking) {
                    let what =
                        format!("the zone \"{}\" is a {} zone, where standing is normal", zone.id, zone.kind.label());
                    self.error(&format!("{key}.zone"), what, "name a lane or shoulder");
                }
                Some(RuleParams::StoppedVehicle {
                    speed: raw.speed.or(defaults.speed).map_or(RuleParams::STOPPED_SPEED, |speed| speed.0),
                    travel: raw.travel.or(defaults.travel).map_or(RuleParams::STOPPED_TRAVEL, |h| h.0),
                    hold: hold(RuleParams::stopped_hold(zone.kind)),
                    zone,
                })
            }
            Kind::PedestrianOnCarriageway => Some(RuleParams::PedestrianOnCarriageway {
                zone: self.rule_zone(key, camera, raw, places)?,
                crossings: self.crossings(key, camera, raw, places),
                hold: hold(RuleParams::PEDESTRIAN_HOLD),
            }),
        }
    }

    /// Keys that mean nothing for this kind are errors: a number without effect would be believed in.
    fn check_applicable(&mut self, key: &str, kind: Kind, raw: &RawRule) {
        use Kind::{Crowding, Intrusion, LineCrossing, Loitering, PedestrianOnCarriageway, StoppedVehicle, WrongWay};
        let zoned = [Intrusion, Loitering, Crowding, WrongWay, StoppedVehicle, PedestrianOnCarriageway];
        let held = [Intrusion, Crowding, WrongWay, StoppedVehicle, PedestrianOnCarriageway];
        let keys: [(&str, bool, &[Kind]); 11] = [
            ("zone", raw.zone.is_some(), &zoned),
            ("line", raw.line.is_some(), &[LineCrossing]),
            ("hold", raw.hold.is_some(), &held),
            ("dwell", raw.dwell.is_some(), &[Loitering]),
            ("count", raw.count.is_some(), &[Crowding]),
            ("angle_deg", raw.angle_deg.is_some(), &[WrongWay]),
            ("distance", raw.distance.is_some(), &[WrongWay]),
            ("speed", raw.speed.is_some(), &[StoppedVehicle]),
            ("travel", raw.travel.is_some(), &[StoppedVehicle]),
            ("hysteresis", raw.hysteresis.is_some(), &[LineCrossing]),
            ("crossings", raw.crossings.is_some(), &[PedestrianOnCarriageway]),
        ];
        for (name, given, kinds) in keys {
            if given && !kinds.contains(&kind) {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.file_label()).collect();
                let cure = format!("remove it; it belongs to {}", kinds.join(", "));
                self.error(&format!("{key}.{name}"), format!("means nothing for {kind}"), cure);
            }
        }
    }

    fn rule_zone(&mut self, key: &str, camera: &RawCamera, raw: &RawRule, places: &Places) -> Option<Zone> {
        let key = format!("{key}.zone");
        let id = self.required(&key, raw.zone.as_ref(), "name a zone of this camera")?;
        self.zone_named(&key, id, camera, places)
    }

    fn zone_named(&mut self, key: &str, id: &str, camera: &RawCamera, places: &Places) -> Option<Zone> {
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
        let line = places.lines.iter().find(|line| line.id.as_str() == id).cloned();
        if line.is_none() && !camera.line.contains_key(id) {
            let known: Vec<&str> = camera.line.keys().map(String::as_str).collect();
            self.unknown(&key, id, "line on this camera with the id", &known);
        }
        line
    }

    fn crossings(&mut self, key: &str, camera: &RawCamera, raw: &RawRule, places: &Places) -> Vec<Zone> {
        match &raw.crossings {
            None => places.zones.iter().filter(|zone| zone.kind == ZoneKind::Crossing).cloned().collect(),
            Some(ids) => {
                ids.iter().filter_map(|id| self.zone_named(&format!("{key}.crossings"), id, camera, places)).collect()
            }
        }
    }

    fn severity(&mut self, key: &str, label: Option<&String>) -> Option<Severity> {
        let label = label?;
        let severity = Severity::from_label(label);
        if severity.is_none() {
            self.unknown(key, label, "severity", &Severity::ALL.map(Severity::label));
        }
        severity
    }

    fn classes(&mut self, key: &str, labels: &[String]) -> Option<ClassSet> {
        if labels.is_empty() {
            self.error(key, "is empty", "name at least one class, or leave the key out");
        }
        let mut classes = Vec::new();
        for label in labels {
            match Class::from_label(label) {
                Some(class) => classes.push(class),
                None => self.unknown(key, label, "class", &Class::ALL.map(Class::label)),
            }
        }
        (!classes.is_empty()).then(|| classes.into_iter().collect())
    }
}

fn duration(text: Option<DurationText>, default: Duration) -> Duration {
    text.map_or(default, |text| text.0)
}

/// The classes a kind looks at unless told otherwise.
fn default_classes(kind: Kind) -> ClassSet {
    match kind {
        Kind::LineCrossing | Kind::Intrusion => Class::ALL.into_iter().collect(),
        Kind::Loitering | Kind::Crowding | Kind::PedestrianOnCarriageway => [Class::Person].into_iter().collect(),
        Kind::WrongWay | Kind::StoppedVehicle => ClassSet::vehicles(),
    }
}

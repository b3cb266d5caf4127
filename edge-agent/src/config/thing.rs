//! Rules of things without a class: obstacles, what was left, what was taken.

use analytics::rules::{RuleParams, Size};
use analytics::{Kind, Length, Zone};

use super::raw::{RawCamera, RawRuleNumbers};
use super::resolve::Resolver;
use super::rule::duration;

/// What tells that the picture shows the place: without it a moved camera is full of things.
const NEEDED: [Kind; 2] = [Kind::CameraMoved, Kind::CameraCovered];

impl Resolver<'_> {
    /// The rule of a kind that judges what holds still in the picture.
    pub(super) fn thing(
        &mut self,
        (key, kind): (&str, Kind),
        camera: &RawCamera,
        numbers: &RawRuleNumbers,
        zone: Zone,
    ) -> Option<RuleParams> {
        self.check_health(key, kind, camera);
        let (default_size, default_distance): (Size, Length) = if camera.calibration.is_some() {
            (RuleParams::THING_SIZE_ON_GROUND, RuleParams::ABANDONED_DISTANCE_ON_GROUND)
        } else {
            (RuleParams::THING_SIZE, RuleParams::ABANDONED_DISTANCE)
        };
        let size = numbers.size.map_or(default_size, |text| text.0);
        self.check_size(key, size);
        let most = RuleParams::REMOVED_HOLD_MOST;
        match kind {
            Kind::RoadObstacle => {
                Some(RuleParams::RoadObstacle { zone, size, hold: duration(numbers.hold, RuleParams::OBSTACLE_HOLD) })
            }
            Kind::AbandonedObject => Some(RuleParams::AbandonedObject {
                zone,
                size,
                distance: numbers.distance.map_or(default_distance, |text| text.0),
                hold: duration(numbers.hold, RuleParams::ABANDONED_HOLD),
            }),
            Kind::RemovedObject => {
                let hold = duration(numbers.hold, RuleParams::REMOVED_HOLD);
                if hold > most {
                    let what = format!("is longer than {} s", most.as_secs());
                    self.error(
                        &format!("{key}.hold"),
                        what,
                        "write at most \"5m\": what is away for longer is forgotten",
                    );
                }
                Some(RuleParams::RemovedObject { zone, size, hold })
            }
            _ => None,
        }
    }

    /// What is switched off must not leave this rule dead or lying.
    fn check_health(&mut self, key: &str, kind: Kind, camera: &RawCamera) {
        let off = camera.health.as_ref().and_then(|health| health.off.as_ref());
        for needed in NEEDED {
            if off.into_iter().flatten().any(|label| label == needed.file_label()) {
                let what = format!("{kind} needs {needed}, which is switched off on this camera");
                self.error(&format!("{key}.kind"), what, "remove it from [camera.health] off, or remove this rule");
            }
        }
    }

    fn check_size(&mut self, key: &str, size: Size) {
        let (is_usable, cure) = match size {
            Size::Share(share) => ((0.01..=0.5).contains(&share), "write 1 % to 50 % of the picture's width"),
            Size::Metres(metres) => ((0.05..=20.0).contains(&metres), "write 0.05 m to 20 m"),
        };
        if !is_usable {
            self.error(&format!("{key}.size"), "is out of range", cure);
        }
    }
}

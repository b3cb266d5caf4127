//! What commands have switched off, and what they had logged: durable, each with who did it and until when.
//!
//! # The file wins when it is changed
//! A command stands until its end, or until another one. When the box starts with a site file in which the camera's section
//! (for a rule: the rule's section) is not what it was at the command, the command is forgotten: whoever wrote the file knew
//! what the camera was to do. What is switched off in the file cannot be switched on by command.

use std::collections::{BTreeMap, BTreeSet};

use analytics::{CameraId, RuleId};
use serde::{Deserialize, Serialize};

use crate::config::Written;
use crate::outbox::Effect;
use crate::publish::wire::{Birth, DisarmedRule, LogSetting, SwitchedOff, UtcMillis};

const LOG_LEVEL: &str = "log-level";

/// Something that is off, and what the file said then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Off {
    off: SwitchedOff,
    section: String,
}

/// What is off, and what is logged. Shared by latest value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    cameras: BTreeMap<CameraId, Off>,
    rules: BTreeMap<(CameraId, RuleId), Off>,
    log: Option<LogSetting>,
}

/// What a switch is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Switch {
    Camera(CameraId),
    Rule(CameraId, RuleId),
}

impl Switch {
    fn name(&self) -> String {
        match self {
            Self::Camera(camera) => format!("camera/{camera}"),
            Self::Rule(camera, rule) => format!("rule/{camera}/{rule}"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name.split('/').collect::<Vec<_>>()[..] {
            ["camera", camera] => Some(Self::Camera(CameraId::new(camera).ok()?)),
            ["rule", camera, rule] => Some(Self::Rule(CameraId::new(camera).ok()?, RuleId::new(rule).ok()?)),
            _ => None,
        }
    }

    fn section<'a>(&self, written: &'a Written) -> &'a str {
        match self {
            Self::Camera(camera) => written.of_camera(camera.as_str()),
            Self::Rule(camera, rule) => written.of_rule(camera.as_str(), rule.as_str()),
        }
    }
}

impl Switches {
    /// What stands of what was kept, and what is to be forgotten because the file has changed since.
    #[must_use]
    pub fn load(settings: &[(String, String)], written: &Written) -> (Self, Vec<Effect>) {
        let (mut switches, mut stale) = (Self::default(), Vec::new());
        for (name, value) in settings {
            if name == LOG_LEVEL {
                switches.log = serde_json::from_str(value).ok();
                continue;
            }
            let Some(switch) = Switch::parse(name) else { continue };
            match serde_json::from_str::<Off>(value) {
                Ok(off) if off.section == switch.section(written) => switches.put(switch, Some(off)),
                _ => {
                    tracing::info!(%name, "the site file has changed since the command: the file wins");
                    stale.push(Effect::Set { name: name.clone(), value: None });
                }
            }
        }
        (switches, stale)
    }

    fn put(&mut self, switch: Switch, off: Option<Off>) {
        match (switch, off) {
            (Switch::Camera(camera), Some(off)) => drop(self.cameras.insert(camera, off)),
            (Switch::Camera(camera), None) => drop(self.cameras.remove(&camera)),
            (Switch::Rule(camera, rule), Some(off)) => drop(self.rules.insert((camera, rule), off)),
            (Switch::Rule(camera, rule), None) => drop(self.rules.remove(&(camera, rule))),
        }
    }

    /// The same with one thing off or on, and what keeps it so.
    pub(super) fn with(&self, switch: Switch, off: Option<SwitchedOff>, written: &Written) -> (Self, Effect) {
        let off = off.map(|off| Off { off, section: switch.section(written).to_owned() });
        let value = off.as_ref().map(|off| serde_json::to_string(off).expect("texts and numbers"));
        let effect = Effect::Set { name: switch.name(), value };
        let mut changed = self.clone();
        changed.put(switch, off);
        (changed, effect)
    }

    /// The same with another level logged, and what keeps it so.
    pub(super) fn with_log(&self, log: Option<LogSetting>) -> (Self, Effect) {
        let value = log.as_ref().map(|log| serde_json::to_string(log).expect("texts and numbers"));
        (Self { log, ..self.clone() }, Effect::Set { name: LOG_LEVEL.to_owned(), value })
    }

    /// The same without what is over, and what forgets that.
    pub(super) fn without_what_is_over(&self, now: UtcMillis, written: &Written) -> (Self, Vec<Effect>) {
        let is_over = |off: &Off| off.off.until.is_some_and(|until| until <= now);
        let cameras = self.cameras.iter().filter(|(_, off)| is_over(off)).map(|(id, _)| Switch::Camera(id.clone()));
        let rules = self.rules.iter().filter(|(_, off)| is_over(off));
        let rules = rules.map(|((camera, rule), _)| Switch::Rule(camera.clone(), rule.clone()));
        let over: BTreeSet<Switch> = cameras.chain(rules).collect();
        let (mut changed, mut effects) = (self.clone(), Vec::new());
        for switch in over {
            let (without, effect) = changed.with(switch, None, written);
            changed = without;
            effects.push(effect);
        }
        if self.log.as_ref().is_some_and(|log| log.until <= now) {
            let (without, effect) = changed.with_log(None);
            changed = without;
            effects.push(effect);
        }
        (changed, effects)
    }

    /// By whom a camera is off; `None` while it is on.
    #[must_use]
    pub fn camera(&self, camera: &CameraId) -> Option<&SwitchedOff> {
        self.cameras.get(camera).map(|off| &off.off)
    }

    /// By whom a rule is disarmed; `None` while it is not.
    #[must_use]
    pub fn rule(&self, camera: &CameraId, rule: &RuleId) -> Option<&SwitchedOff> {
        self.rules.get(&(camera.clone(), rule.clone())).map(|off| &off.off)
    }

    /// The rules of a camera that are disarmed.
    pub fn disarmed<'a>(&'a self, camera: &'a CameraId) -> impl Iterator<Item = (&'a RuleId, &'a SwitchedOff)> {
        self.rules.iter().filter(move |((of, _), _)| of == camera).map(|((_, rule), off)| (rule, &off.off))
    }

    /// The same as a camera's status says it.
    #[must_use]
    pub fn disarmed_rules(&self, camera: &CameraId) -> Vec<DisarmedRule> {
        let told =
            |(rule, off): (&RuleId, &SwitchedOff)| DisarmedRule { rule: rule.to_string(), switched_off: off.clone() };
        self.disarmed(camera).map(told).collect()
    }

    /// Whether any camera is off, or any rule.
    #[must_use]
    pub fn anything_off(&self) -> (bool, bool) {
        (!self.cameras.is_empty(), !self.rules.is_empty())
    }

    /// What is logged on command.
    #[must_use]
    pub fn log(&self) -> Option<&LogSetting> {
        self.log.as_ref()
    }

    /// What the box says of itself, with what is off.
    #[must_use]
    pub fn tell(&self, mut birth: Birth) -> Birth {
        for camera in &mut birth.cameras {
            let Ok(id) = CameraId::new(&camera.label.id) else { continue };
            camera.switched_off = self.camera(&id).cloned();
            for rule in &mut camera.rules {
                rule.switched_off = RuleId::new(&rule.id).ok().and_then(|rule| self.rule(&id, &rule).cloned());
            }
        }
        birth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> (CameraId, RuleId) {
        (CameraId::new("nam").expect("id"), RuleId::new("vach").expect("id"))
    }

    fn off(until: Option<i64>) -> SwitchedOff {
        let at = UtcMillis::from_unix_millis;
        SwitchedOff { by: "a".to_owned(), at: at(1000), until: until.map(at), reason: None }
    }

    fn kept(effect: Effect) -> (String, String) {
        let Effect::Set { name, value: Some(value) } = effect else { panic!("{effect:?}") };
        (name, value)
    }

    #[test]
    fn what_a_command_switched_stands_until_the_file_says_otherwise() {
        let (camera, rule) = ids();
        let file = |url: &str, kind: &str| {
            Written::of(&format!(
                "[[camera]]\nid = \"nam\"\nurl = \"{url}\"\n[[camera.rule]]\nid = \"vach\"\nkind = \"{kind}\"\n"
            ))
        };
        let written = file("a", "line-crossing");
        let (switches, one) = Switches::default().with(Switch::Camera(camera.clone()), Some(off(None)), &written);
        let (switches, two) =
            switches.with(Switch::Rule(camera.clone(), rule.clone()), Some(off(Some(5000))), &written);
        let settings = [kept(one), kept(two)];
        assert_eq!(Switches::load(&settings, &written), (switches, vec![]));
        let (loaded, stale) = Switches::load(&settings, &file("b", "line-crossing"));
        assert_eq!((loaded.camera(&camera), stale.len()), (None, 1), "the camera's section is another");
        assert!(loaded.rule(&camera, &rule).is_some(), "the rule's is not");
        let (loaded, stale) = Switches::load(&settings, &file("a", "intrusion"));
        assert_eq!((loaded, stale.len()), (Switches::default(), 2), "the rule's section lies in the camera's");
    }

    #[test]
    fn what_is_over_is_on_again_and_forgotten() {
        let (camera, rule) = ids();
        let written = Written::default();
        let (switches, _) = Switches::default().with(Switch::Camera(camera.clone()), Some(off(None)), &written);
        let (switches, _) = switches.with(Switch::Rule(camera.clone(), rule.clone()), Some(off(Some(5000))), &written);
        let at = UtcMillis::from_unix_millis;
        assert_eq!(switches.without_what_is_over(at(4999), &written), (switches.clone(), vec![]));
        let (left, forgotten) = switches.without_what_is_over(at(5000), &written);
        assert!(left.camera(&camera).is_some() && left.rule(&camera, &rule).is_none());
        assert_eq!(forgotten, [Effect::Set { name: "rule/nam/vach".to_owned(), value: None }]);
    }
}

//! What is to be done for a command: pure but for what the task knows at that moment.

use std::time::Duration;

use analytics::{CameraId, RuleId};

use super::envelope::{Now, Order, Request};
use super::switches::{Switch, Switches};
use super::task::CommandTask;
use crate::outbox::Effect;
use crate::publish::wire::{AckFile, AckState, LogSetting, Reason, SwitchedOff, UtcMillis};

/// A camera or rule may be off for so long by one command.
const LONGEST_OFF: Duration = Duration::from_secs(31 * 86_400);
/// Another level may be logged for so long.
const LONGEST_LOG: Duration = Duration::from_secs(86_400);
/// Of the site file in one answer.
const TEXT_PART: usize = 24 * 1024;

/// What is done in memory once a command is safe.
#[derive(Debug)]
pub(super) enum After {
    Nothing,
    Switched(Switches),
    Rebirth,
    Judged,
}

/// What a command amounts to.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) state: AckState,
    pub(super) effect: Effect,
    pub(super) file: Option<AckFile>,
    /// Whether it is refused where the incident is not known.
    pub(super) needs_incident: bool,
    pub(super) after: After,
}

impl Decision {
    fn done(effect: Effect, after: After) -> Self {
        Self { state: AckState::Done, effect, file: None, needs_incident: false, after }
    }
}

impl CommandTask {
    /// What `order` amounts to now, or why it does not.
    pub(super) fn decide(&self, order: &Order, now: Now) -> Result<Decision, Reason> {
        order.judge(now)?;
        let by = &order.actor;
        match &order.request {
            Request::Rebirth => Ok(Decision::done(Effect::Nothing, After::Rebirth)),
            Request::ConfigFetch(arguments) => {
                let file = self.config_part(arguments.offset)?;
                Ok(Decision { file: Some(file), ..Decision::done(Effect::Nothing, After::Nothing) })
            }
            Request::LogLevel(arguments) => {
                let until = order.until(arguments.until, now, LONGEST_LOG)?;
                let log = LogSetting { level: arguments.level, by: by.clone(), at: now.wall, until };
                let (switches, effect) = self.switches.borrow().with_log(Some(log));
                Ok(Decision::done(effect, After::Switched(switches)))
            }
            Request::Camera { camera, enabled, until, reason } => {
                self.known_camera(camera)?;
                let off = Off { is_off: !enabled, until: *until, reason };
                self.switch(order, now, Switch::Camera(camera.clone()), off)
            }
            Request::Rule { camera, rule, armed, until, reason } => {
                self.known_rule(camera, rule)?;
                let off = Off { is_off: !armed, until: *until, reason };
                self.switch(order, now, Switch::Rule(camera.clone(), rule.clone()), off)
            }
            Request::Acknowledge(arguments) => {
                let effect = Effect::Acknowledge { incident: arguments.incident_id, by: by.clone(), at: now.wall };
                Ok(Decision { needs_incident: true, ..Decision::done(effect, After::Nothing) })
            }
            Request::Verdict(arguments) => {
                let effect = Effect::Verdict {
                    incident: arguments.incident_id,
                    finding: arguments.verdict,
                    by: by.clone(),
                    reason: arguments.reason.clone(),
                    at: now.wall,
                };
                Ok(Decision { needs_incident: true, ..Decision::done(effect, After::Judged) })
            }
            Request::Snapshot { .. } | Request::EvidenceFetch { .. } => Err(Reason::UnknownCommand),
        }
    }

    fn switch(&self, order: &Order, now: Now, switch: Switch, off: Off<'_>) -> Result<Decision, Reason> {
        let until = off.until.map(|until| order.until(until, now, LONGEST_OFF)).transpose()?;
        let (by, at, reason) = (order.actor.clone(), now.wall, off.reason.clone());
        let off = off.is_off.then_some(SwitchedOff { by, at, until, reason });
        let (switches, effect) = self.switches.borrow().with(switch, off, &self.written);
        Ok(Decision::done(effect, After::Switched(switches)))
    }

    fn known_camera(&self, camera: &CameraId) -> Result<(), Reason> {
        if self.disabled.contains(camera) {
            return Err(Reason::DisabledInFile);
        }
        let is_known = self.cameras.iter().any(|known| known.id == *camera);
        if is_known { Ok(()) } else { Err(Reason::UnknownCamera) }
    }

    fn known_rule(&self, camera: &CameraId, rule: &RuleId) -> Result<(), Reason> {
        self.known_camera(camera)?;
        let is_known = self.cameras.iter().any(|known| known.id == *camera && known.rules.contains(rule));
        if is_known { Ok(()) } else { Err(Reason::UnknownRule) }
    }

    /// The site file from `offset` on, as much of it as goes into one answer.
    fn config_part(&self, offset: u64) -> Result<AckFile, Reason> {
        let text = self.written.text();
        let from = usize::try_from(offset).map_err(|_| Reason::BadOffset)?;
        let rest = text.get(from..).ok_or(Reason::BadOffset)?;
        let part = &rest[..rest.floor_char_boundary(TEXT_PART)];
        Ok(AckFile {
            name: "site.toml".to_owned(),
            sha256: self.written.sha256(),
            bytes: text.len() as u64,
            offset: Some((from + part.len()) as u64),
            text: Some(part.to_owned()),
        })
    }
}

struct Off<'a> {
    is_off: bool,
    until: Option<UtcMillis>,
    reason: &'a Option<String>,
}

//! What is to be done for a command: pure but for what the task knows at that moment.

use std::path::PathBuf;
use std::time::Duration;

use analytics::{CameraId, RuleId};
use uuid::Uuid;

use super::envelope::{Now, Order, Request};
use super::switches::{Switch, Switches};
use super::task::CommandTask;
use crate::apply::{Checked, Configuration};
use crate::evidence::EvidenceName;
use crate::outbox::Effect;
use crate::publish::wire::{AckFile, AckState, LogSetting, Reason, SwitchedOff, UtcMillis};
use crate::source::wall_now;
use crate::status::Shot;

/// An older picture is not one of now.
const FRESH: Duration = Duration::from_secs(5);
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
    Photograph(CameraId),
    Fetch { incident: Uuid, name: EvidenceName, path: PathBuf, offset: u64 },
    Stage(Box<Configuration>),
}

/// What is being done already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occupied {
    pub(super) snapshot: bool,
    pub(super) fetch: bool,
    /// A configuration is on trial, or about to be.
    pub(super) configuration: bool,
    /// Nothing more is sent on demand today.
    pub(super) budget: bool,
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

    fn accepted(after: After) -> Self {
        Self { state: AckState::Accepted, ..Self::done(Effect::Nothing, after) }
    }
}

/// Why not, and what exactly is wrong.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) detail: Option<String>,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None }
    }
}

impl CommandTask {
    /// What `order` amounts to now, or why it does not.
    pub(super) fn decide(&self, order: &Order, now: Now, occupied: Occupied) -> Result<Decision, Refused> {
        order.judge(now)?;
        let by = &order.actor;
        match &order.request {
            Request::Rebirth => Ok(Decision::done(Effect::Nothing, After::Rebirth)),
            Request::ConfigFetch(arguments) => {
                let file = self.config_part(arguments.offset)?;
                Ok(Decision { file: Some(file), ..Decision::done(Effect::Nothing, After::Nothing) })
            }
            Request::ConfigApply(arguments) => {
                if occupied.configuration {
                    return Err(Reason::Busy.into());
                }
                let desk = self.desk.as_ref().ok_or(Reason::NotHere)?;
                let checked = desk.check(order.id, by, now.wall, arguments);
                match checked.map_err(|(reason, detail)| Refused { reason, detail })? {
                    Checked::InForce => Ok(Decision::done(Effect::Nothing, After::Nothing)),
                    Checked::New(configuration) => Ok(Decision::accepted(After::Stage(configuration))),
                }
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
                Ok(self.switch(order, now, Switch::Camera(camera.clone()), off)?)
            }
            Request::Rule { camera, rule, armed, until, reason } => {
                self.known_rule(camera, rule)?;
                let off = Off { is_off: !armed, until: *until, reason };
                Ok(self.switch(order, now, Switch::Rule(camera.clone(), rule.clone()), off)?)
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
            Request::Snapshot { camera } => {
                self.known_camera(camera)?;
                if occupied.snapshot {
                    return Err(Reason::Busy.into());
                }
                self.shot(camera).ok_or(Reason::NoPicture)?;
                Ok(Decision::accepted(After::Photograph(camera.clone())))
            }
            Request::EvidenceFetch { incident, name, offset } => {
                if occupied.fetch {
                    return Err(Reason::Busy.into());
                }
                let (incident, name, offset) = (*incident, name.clone(), *offset);
                let path = self.evidence.find(incident, name.as_str()).ok_or(Reason::UnknownEvidence)?;
                let bytes = path.metadata().map_err(|_| Reason::UnknownEvidence)?.len();
                if offset > bytes {
                    return Err(Reason::BadOffset.into());
                }
                if occupied.budget {
                    return Err(Reason::BudgetUsedUp.into());
                }
                Ok(Decision::accepted(After::Fetch { incident, name, path, offset }))
            }
        }
    }

    fn switch(&self, order: &Order, now: Now, switch: Switch, off: Off<'_>) -> Result<Decision, Reason> {
        let until = off.until.map(|until| order.until(until, now, LONGEST_OFF)).transpose()?;
        let (by, at, reason) = (order.actor.clone(), now.wall, off.reason.clone());
        let off = off.is_off.then_some(SwitchedOff { by, at, until, reason });
        let (switches, effect) = self.switches.borrow().with(switch, off, &self.written);
        Ok(Decision::done(effect, After::Switched(switches)))
    }

    /// The camera's last picture, if it is one of now.
    pub(super) fn shot(&self, camera: &CameraId) -> Option<Shot> {
        let known = self.cameras.iter().find(|known| known.id == *camera)?;
        let is_off = self.switches.borrow().camera(camera).is_some();
        let shot = known.latest.get().filter(|_| !is_off)?;
        (age(&shot) <= FRESH).then_some(shot)
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

/// How long ago a picture was taken.
pub(super) fn age(shot: &Shot) -> Duration {
    let nanos = wall_now().as_unix_nanos().saturating_sub(shot.scene.stamp.captured_at.as_unix_nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

struct Off<'a> {
    is_off: bool,
    until: Option<UtcMillis>,
    reason: &'a Option<String>,
}

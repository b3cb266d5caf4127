//! The task: takes commands one by one, does them, ends what is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use analytics::{CameraId, RuleId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Precision;
use super::budget::Budget;
use super::decide::{After, Decision, Occupied, Refused, age};
use super::ear::{CommandCounters, Delivery};
use super::envelope::{self, LONGEST_LIFE, Now, Order, Refusal};
use super::jobs::{self, CONFIG_APPLY, Conclusion, FetchJob, Jobs, SnapshotJob, TrialJob};
use super::rate::Bucket;
use super::record::Told;
use super::switches::Switches;
use crate::apply::{Configuration, Desk, Fate, Gate};
use crate::audit::AuditLog;
use crate::config::Written;
use crate::evidence::{CameraEvidence, EvidenceName, EvidenceStore};
use crate::outbox::{Answer, CommandWork, Effect, MOST_ACKS, Outbox, OutboxError, RulePrecision, Taken, Unfinished};
use crate::publish::wire::{
    self, Ack, AckFile, AckState, Birth, EventContext, Moment, PrecisionData, Reason, TimeQuality, UtcMillis, Word,
};
use crate::publish::{PublishHandle, PublishStatus, Topics};
use crate::source::{SourceState, SourceStatus};
use crate::status::LatestScene;
use crate::status::pulse::Pulse;
use crate::telemetry;
use crate::text;

/// Commands at once, and a second for ever. Raising either lets a centre that judges many incidents at once finish sooner;
/// each costs a write to the disk and an answer on the link.
const BURST: f64 = 20.0;
const PER_S: f64 = 2.0;
/// Answers a second to commands over the limit; the rest of them are only counted.
const COMPLAINTS_PER_S: f64 = 0.5;
/// A command's id is remembered for so long after its expiry: clocks are corrected.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Between two tries to write, and two looks at what is over.
const EVERY: Duration = Duration::from_secs(1);

/// Evidence sent on demand, in bytes a day. Raising it lets the centre look at more clips; each costs the link, after events.
pub const FETCH_PER_DAY: u64 = 200 << 20;

/// A camera that commands may name.
pub struct CommandCamera {
    /// Its id.
    pub id: CameraId,
    /// Its rules.
    pub rules: BTreeSet<RuleId>,
    /// What was seen last.
    pub latest: Arc<LatestScene>,
    /// Its stream.
    pub status: watch::Receiver<SourceStatus>,
    /// How it is photographed.
    pub evidence: CameraEvidence,
    /// What is said of every picture of it.
    pub context: EventContext,
}

/// The task, before it runs.
pub struct CommandTask {
    /// The box's topics.
    pub topics: Topics,
    /// What came; see [`CommandEar`](super::CommandEar).
    pub deliveries: mpsc::Receiver<Delivery>,
    /// Where commands are made durable.
    pub outbox: Outbox,
    /// Of the connection: its session.
    pub delivery: watch::Receiver<PublishStatus>,
    /// Told what the box says of itself.
    pub publish: PublishHandle,
    /// That, as it is with everything on.
    pub birth: Birth,
    /// The cameras that are on in the site file.
    pub cameras: Vec<CommandCamera>,
    /// Those that are off there.
    pub disabled: Vec<CameraId>,
    /// Where pictures and clips lie.
    pub evidence: EvidenceStore,
    /// How much of them is sent on demand, in bytes a day.
    pub fetch_per_day: u64,
    /// The site file.
    pub written: Written,
    /// Told what is off.
    pub switches: watch::Sender<Arc<Switches>>,
    /// Told what operators found.
    pub precision: watch::Sender<Precision>,
    /// What is counted.
    pub counters: Arc<CommandCounters>,
    /// Told of every command.
    pub audit: AuditLog,
    /// Takes configurations; `None`: nobody does.
    pub desk: Option<Desk>,
    /// Told when the program is to begin anew with another configuration.
    pub restart: CancellationToken,
    /// How far the clock can be trusted.
    pub clock: fn() -> TimeQuality,
    /// Whether it lives.
    pub pulse: Pulse,
}

/// What is to be done next.
enum Due {
    Take(Delivery),
    Conclude(Conclusion),
    Look,
}

/// The limits on commands.
struct Limits {
    commands: Bucket,
    complaints: Bucket,
}

impl CommandTask {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let now = Instant::now();
        let mut limits =
            Limits { commands: Bucket::new(BURST, PER_S, now), complaints: Bucket::new(1.0, COMPLAINTS_PER_S, now) };
        let mut look = tokio::time::interval(EVERY);
        let mut jobs = Jobs { trial: self.trial(), ..Jobs::default() };
        let begun = async {
            self.log();
            self.conclude_interrupted().await;
            self.count_found().await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = begun => {}
        }
        loop {
            let has_room = self.outbox.stats().borrow().acks < MOST_ACKS;
            let due = tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => Due::Look,
                concluded = jobs.next() => Due::Conclude(concluded),
                Some(delivery) = self.deliveries.recv(), if has_room => Due::Take(delivery),
            };
            self.pulse.works();
            if matches!(&due, Due::Conclude(conclusion) if conclusion.is_kept()) {
                self.birth.configuration.iter_mut().for_each(|configuration| configuration.on_trial = false);
            }
            let work = async {
                match due {
                    Due::Take(delivery) => self.take(delivery, &mut limits, &mut jobs).await,
                    Due::Conclude(conclusion) => self.conclude(conclusion).await,
                    Due::Look => self.end_what_is_over().await,
                }
            };
            tokio::select! {
                // What is not safe yet comes again.
                () = stop.cancelled() => return,
                () = work => {}
            }
            self.pulse.waits();
        }
    }

    /// One command, from its topic to its acknowledgement.
    async fn take(&self, delivery: Delivery, limits: &mut Limits, jobs: &mut Jobs) {
        let Delivery { level, payload, retained, taken } = delivery;
        let at = Instant::now();
        let work = if limits.commands.take(at) {
            self.handle(&level, &payload, retained, jobs).await
        } else {
            self.counters.over_limit.fetch_add(1, Ordering::Relaxed);
            // A flood is not worth a write to the disk each.
            if limits.complaints.take(at) { self.complain(&level, &payload).await } else { Ok(()) }
        };
        if work.is_ok() {
            taken();
        }
    }

    async fn complain(&self, level: &str, payload: &[u8]) -> Result<(), OutboxError> {
        tracing::warn!(command = level, "commands are over the limit; they are refused");
        let id = envelope::read(level, payload).map_or_else(|refusal| refusal.id, |order| Some(order.id));
        let refusal = Refusal { id, reason: Reason::RateLimited, detail: None };
        self.write(self.refusal(level, "", refusal, self.now())).await?;
        let (state, reason) = (AckState::Refused, Some(Reason::RateLimited));
        self.note(Told { level, actor: "", id, order: None, state, reason, detail: None, again: false }).await;
        Ok(())
    }

    async fn handle(&self, level: &str, payload: &[u8], retained: bool, jobs: &mut Jobs) -> Result<(), OutboxError> {
        let now = self.now();
        let order = match envelope::read(level, payload) {
            Ok(order) => order,
            Err(refusal) => return self.refuse(level, None, refusal, now).await,
        };
        let refused = |reason, detail| Refusal { id: Some(order.id), reason, detail };
        if retained {
            return self.refuse(level, Some(&order), refused(Reason::Retained, None), now).await;
        }
        let occupied = Occupied {
            snapshot: jobs.snapshot.is_some(),
            fetch: jobs.fetch.is_some(),
            configuration: jobs.trial.is_some() || self.restart.is_cancelled(),
            budget: !self.budget().await.is_left(),
        };
        let decision = match self.decide(&order, now, occupied) {
            Ok(decision) => decision,
            Err(Refused { reason, detail }) => {
                return self.refuse(level, Some(&order), refused(reason, detail), now).await;
            }
        };
        let Decision { state, effect, file, needs_incident, after } = decision;
        let unknown = || {
            let ack = self.ack(level, Some(order.id), AckState::Refused, now);
            Box::new(self.answer(because(ack, Reason::UnknownIncident, None)))
        };
        let ack = Ack { file, ..self.ack(level, Some(order.id), state, now) };
        let work = CommandWork::Take {
            id: Some(order.id),
            actor: order.actor.clone(),
            forget_after: forget_after(order.expires_at.max(now.wall)),
            now: now.quality.synced.then_some(now.wall),
            effect,
            answer: Box::new(self.answer(ack)),
            remember: true,
            otherwise: needs_incident.then(unknown),
        };
        let (actor, id) = (order.actor.as_str(), Some(order.id));
        let told = Told {
            level,
            actor,
            id,
            order: Some(&order),
            state: AckState::Refused,
            reason: None,
            detail: None,
            again: false,
        };
        match self.write(work).await? {
            Taken::Done => {
                self.counters.taken.fetch_add(1, Ordering::Relaxed);
                self.note(Told { state, ..told }).await;
                self.go_on(after, &order, jobs).await;
            }
            Taken::UnknownIncident => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                self.note(Told { reason: Some(Reason::UnknownIncident), ..told }).await;
            }
            // The program may have ended before the first line of it was written.
            Taken::Known => self.note(Told { state, again: true, ..told }).await,
        }
        Ok(())
    }

    async fn refuse(&self, level: &str, order: Option<&Order>, refusal: Refusal, now: Now) -> Result<(), OutboxError> {
        let (id, reason) = (refusal.id, Some(refusal.reason));
        let actor = order.map_or("", |order| order.actor.as_str());
        let again = self.write(self.refusal(level, actor, refusal, now)).await? == Taken::Known;
        if !again {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.note(Told { level, actor, id, order, state: AckState::Refused, reason, detail: None, again }).await;
        Ok(())
    }

    fn refusal(&self, level: &str, actor: &str, refusal: Refusal, now: Now) -> CommandWork {
        let Refusal { id, reason, detail } = refusal;
        let remember = !matches!(reason, Reason::RateLimited | Reason::Busy);
        let ack = Ack { again: !remember, ..self.ack(level, id, AckState::Refused, now) };
        CommandWork::Take {
            id,
            actor: actor.to_owned(),
            forget_after: forget_after(plus(now.wall, LONGEST_LIFE)),
            now: now.quality.synced.then_some(now.wall),
            effect: Effect::Nothing,
            answer: Box::new(self.answer(because(ack, reason, detail))),
            remember,
            otherwise: None,
        }
    }

    /// Writes, however long the disk takes to recover: until then the command waits at the broker too.
    pub(super) async fn write(&self, work: CommandWork) -> Result<Taken, OutboxError> {
        let work = Arc::new(work);
        let mut reported = false;
        loop {
            match self.outbox.order(Arc::clone(&work)).await {
                Err(error) if error.is_transient() => {
                    if !std::mem::replace(&mut reported, true) {
                        tracing::error!(%error, "a command is not safe yet; trying again");
                    }
                    self.pulse.works();
                    tokio::time::sleep(EVERY).await;
                }
                result => return result,
            }
        }
    }

    async fn go_on(&self, after: After, order: &Order, jobs: &mut Jobs) {
        let (id, actor) = (order.id, order.actor.clone());
        match after {
            After::Photograph(camera) => jobs.snapshot = Some(Box::pin(self.photograph(id, actor, &camera).run())),
            After::Fetch { incident, name, path, offset } => {
                let (topics, chunks) = (self.topics.clone(), self.publish.chunks());
                let budget = self.budget().await;
                let counters = Arc::clone(&self.counters);
                let job = FetchJob { id, actor, incident, name, path, offset, topics, chunks, budget, counters };
                jobs.fetch = Some(Box::pin(job.run()));
            }
            After::Nothing => {}
            After::Rebirth => self.say_who_is_there(),
            After::Switched(switches) => self.switched(switches),
            After::Judged => self.count_found().await,
            After::Stage(configuration) => self.stage(*configuration).await,
        }
    }

    /// Writes what is to be tried, and has the program begin anew.
    async fn stage(&self, configuration: Configuration) {
        let Some(desk) = self.desk.clone() else { return };
        let (id, actor) = (configuration.id, configuration.by.clone());
        let is_online = |camera: &&CommandCamera| camera.status.borrow().state == SourceState::Online;
        let expected = self.cameras.iter().filter(is_online).map(|camera| camera.id.to_string()).collect();
        let staged = tokio::task::spawn_blocking(move || desk.stage(configuration, expected)).await;
        match staged.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into())) {
            Ok(()) => self.restart.cancel(),
            Err(error) => {
                let (result, detail) = (Err(Reason::NotMade), Some(error.to_string()));
                self.conclude(Conclusion {
                    id,
                    actor,
                    name: CONFIG_APPLY.into(),
                    result,
                    detail,
                    file: None,
                    picture: None,
                })
                .await;
            }
        }
    }

    /// The trial that this run began with, if it did.
    fn trial(&self) -> Option<jobs::Running> {
        let desk = self.desk.clone()?;
        let expected = &desk.trial()?.expected;
        let cameras = self.cameras.iter().filter(|camera| expected.iter().any(|id| *id == camera.id.as_str()));
        let cameras = cameras.map(|camera| (camera.id.clone(), camera.status.clone())).collect();
        let gate = Gate { delivery: self.delivery.clone(), cameras };
        Some(Box::pin(TrialJob { desk, gate, restart: self.restart.clone() }.run()))
    }

    async fn budget(&self) -> Budget {
        Budget::load(&self.outbox, self.fetch_per_day).await
    }

    /// Orders a picture of now with the camera's evidence room.
    fn photograph(&self, id: Uuid, actor: String, camera: &CameraId) -> SnapshotJob {
        let name = EvidenceName::on_demand();
        let topic = self.topics.evidence(camera, id, &name);
        let (done, made) = oneshot::channel();
        let known = self.cameras.iter().find(|known| known.id == *camera);
        // Without either the sender is dropped: it failed.
        if let (Some(known), Some(shot)) = (known, self.shot(camera)) {
            let moment = Moment { analysed_fps: 0.0, time_quality: (self.clock)() };
            let event = wire::picture_of(&known.context, moment, id, shot.scene.stamp.captured_at.into());
            let arrived_at = Instant::now().checked_sub(age(&shot)).unwrap_or_else(Instant::now);
            known.evidence.photograph(event, name.clone(), &shot, arrived_at, done);
        }
        SnapshotJob { id, actor, name, topic, made }
    }

    /// The final answer to what was accepted.
    async fn conclude(&self, conclusion: Conclusion) {
        if conclusion.is_kept() {
            self.say_who_is_there();
        }
        let Conclusion { id, actor, name, result, detail, file, picture } = conclusion;
        let state = if result.is_ok() { AckState::Done } else { AckState::Failed };
        let ack = Ack { file, ..self.ack(&name, Some(id), state, self.now()) };
        let ack = match result {
            Ok(()) => ack,
            Err(reason) => because(ack, reason, detail.clone()),
        };
        let work = CommandWork::Conclude { id, answer: Box::new(self.answer(ack)), picture };
        if self.write(work).await.is_ok() {
            let (actor, id, reason, detail) = (actor.as_str(), Some(id), result.err(), detail.as_deref());
            self.note(Told { level: &name, actor, id, order: None, state, reason, detail, again: false }).await;
        }
    }

    fn switched(&self, switches: Switches) {
        let told_otherwise = self.switches.borrow().log() != switches.log();
        self.switches.send_replace(Arc::new(switches));
        if told_otherwise {
            self.log();
        }
        self.say_who_is_there();
    }

    fn say_who_is_there(&self) {
        self.publish.set_birth(self.switches.borrow().tell(self.birth.clone()));
    }

    fn log(&self) {
        telemetry::log_at(self.switches.borrow().log().map(|log| log.level.label()));
    }

    /// Switches on again what was off until now.
    async fn end_what_is_over(&self) {
        let (switches, effects) = self.switches.borrow().without_what_is_over(UtcMillis::now(), &self.written);
        if effects.is_empty() {
            return;
        }
        for effect in effects {
            tracing::info!(?effect, "what a command set is over");
            if self.write(CommandWork::Change(effect)).await.is_err() {
                return;
            }
        }
        self.switched(switches);
    }

    /// What was being done when the program ended is not done any more, but for a configuration: that is on trial, or has
    /// shown what it is.
    async fn conclude_interrupted(&self) {
        let Ok(unfinished) = self.outbox.unfinished_commands().await else { return };
        for Unfinished { id, actor, answer } in unfinished {
            let is_on_trial = |desk: &Desk| desk.trial().is_some_and(|trial| trial.configuration.id == id);
            if self.desk.as_ref().is_some_and(is_on_trial) {
                continue;
            }
            let (result, detail) = match self.desk.as_ref().and_then(|desk| desk.fate(id)) {
                Some(Fate::Applied) => (Ok(()), None),
                Some(Fate::GivenUp(why)) => (Err(Reason::RolledBack), Some(why)),
                None => (Err(Reason::Interrupted), None),
            };
            let Ack { name, file, .. } = answer.ack;
            self.conclude(Conclusion { id, actor, name: name.into(), result, detail, file, picture: None }).await;
        }
    }

    async fn count_found(&self) {
        match self.outbox.precision().await {
            Ok(rows) => drop(self.precision.send_replace(rows.into_iter().map(found).collect())),
            Err(error) => tracing::error!(%error, "what operators found is not told"),
        }
    }

    /// One line in the audit log for every command, and for every end of one; a log that cannot be written says so itself.
    async fn note(&self, told: Told<'_>) {
        let (command, actor, id) = (told.level, told.actor, told.id.unwrap_or_default());
        tracing::info!(command, actor, %id, state = ?told.state, reason = told.reason.map_or("", Reason::code), "command");
        let _ = self.audit.record(told.entry()).await;
    }

    pub(super) fn now(&self) -> Now {
        Now { wall: UtcMillis::now(), quality: (self.clock)(), session: self.delivery.borrow().session }
    }

    pub(super) fn ack(&self, level: &str, id: Option<Uuid>, state: AckState, now: Now) -> Ack {
        let is_id = CameraId::new(level).is_ok();
        Ack {
            id,
            name: if is_id { level.to_owned() } else { "unknown".to_owned() },
            state,
            time: now.wall,
            reason: None,
            message: None,
            detail: None,
            again: false,
            file: None::<AckFile>,
            time_quality: now.quality,
        }
    }

    pub(super) fn answer(&self, ack: Ack) -> Answer {
        Answer { topic: self.topics.ack(&ack.name), ack }
    }
}

/// The same, with why it is so.
pub(super) fn because(ack: Ack, reason: Reason, detail: Option<String>) -> Ack {
    let message = text::command::reason(reason).into();
    Ack { reason: Some(Word::Borrowed(reason.code())), message: Some(message), detail, ..ack }
}

fn forget_after(expires_at: UtcMillis) -> UtcMillis {
    plus(expires_at, REMEMBERED)
}

fn plus(time: UtcMillis, more: Duration) -> UtcMillis {
    let more = i64::try_from(more.as_millis()).unwrap_or(i64::MAX);
    UtcMillis::from_unix_millis(time.as_unix_millis().saturating_add(more))
}

fn found(row: RulePrecision) -> PrecisionData {
    let RulePrecision { camera, rule, confirmed, false_alarm, duplicate } = row;
    PrecisionData { camera, rule, confirmed, judged: confirmed + false_alarm, duplicates: duplicate }
}

//! The task of the degradation ladder: reads how the box is, lets the [`Ladder`] decide, pulls the means, and says so.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::rules::RuleSpec;
use analytics::{CameraId, RuleId, WallTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Camera, HwProfile};
use crate::detect::scheduler::Scheduler;
use crate::frame::FrameSlot;
use crate::ladder::{
    CameraLoad, CameraPlan, CpuReader, Ladder, LadderStatus, Move, Reading, Step, ThermalZones, not_judged,
};
use crate::outbox::Outbox;
use crate::publish::Topics;
use crate::publish::wire::{self, DegradedCamera, LadderData};
use crate::resources::ResourceStatus;
use crate::source::{DecodeControl, wall_now};
use crate::status::CameraCounters;

/// How often the box is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One camera, as the ladder sees it.
pub(super) struct LadderCamera {
    pub(super) camera: CameraId,
    pub(super) rules: Vec<RuleSpec>,
    pub(super) slot: Arc<FrameSlot>,
    pub(super) counters: Arc<CameraCounters>,
    pub(super) control: Arc<DecodeControl>,
}

/// What is counted at a look.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    came: u64,
    analysed: u64,
}

/// The ladder of a box.
pub(super) struct LadderTask {
    ladder: Ladder,
    zones: ThermalZones,
    cpu: CpuReader,
    workers: usize,
    scheduler: Arc<Scheduler>,
    cameras: Vec<LadderCamera>,
    marks: Vec<Mark>,
    told: watch::Sender<Arc<LadderStatus>>,
    resources: watch::Receiver<ResourceStatus>,
    outbox: Outbox,
    topics: Topics,
}

/// What of a camera's settings the ladder goes by.
pub(super) fn plan_of(camera: &Camera, has_smaller_input: bool) -> CameraPlan {
    CameraPlan {
        analyse_fps: camera.analyse_fps,
        priority: camera.priority,
        key_frames_only: camera.key_frames_only,
        has_smaller_input,
    }
}

/// The ladder at its first level, and the word of it.
pub(super) fn ladder(plans: &[CameraPlan], profile: &HwProfile) -> (Ladder, watch::Sender<Arc<LadderStatus>>) {
    let ladder = Ladder::new(plans, profile.ladder, profile.thermal.clone());
    let status = LadderStatus::of(&ladder, wall_now(), vec![Vec::new(); plans.len()]);
    (ladder, watch::Sender::new(Arc::new(status)))
}

impl LadderTask {
    pub(super) fn new(
        (ladder, told): (Ladder, watch::Sender<Arc<LadderStatus>>),
        profile: &HwProfile,
        scheduler: Arc<Scheduler>,
        cameras: Vec<LadderCamera>,
        resources: watch::Receiver<ResourceStatus>,
        (outbox, topics): (Outbox, Topics),
    ) -> Self {
        let zones = ThermalZones::new(Path::new(ThermalZones::ROOT), profile.thermal.zones.clone());
        let marks = vec![Mark::default(); cameras.len()];
        let (cpu, workers) = (CpuReader::default(), profile.workers);
        let task = Self { ladder, zones, cpu, workers, scheduler, cameras, marks, told, resources, outbox, topics };
        task.pull();
        task
    }

    /// Runs until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let started = Instant::now();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut last, mut idle) = (started, self.scheduler.idle());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let (now, idle_now) = (Instant::now(), self.scheduler.idle());
            let passed = (now - last).as_secs_f64() * self.workers as f64;
            let busy = 1.0 - (idle_now.saturating_sub(idle)).as_secs_f64() / passed.max(f64::EPSILON);
            (last, idle) = (now, idle_now);
            let reading = self.read(busy.clamp(0.0, 1.0));
            let went = self.ladder.tick(now - started, &reading);
            match went {
                Some(went) => self.go(went, reading.temperature_c).await,
                None => self.note_temperature(reading.temperature_c),
            }
        }
    }

    fn read(&mut self, workers: f64) -> Reading {
        let loads = std::iter::zip(&self.cameras, &mut self.marks).map(|(camera, mark)| {
            let now = Mark { came: camera.slot.arrived(), analysed: camera.counters.totals().analysed };
            let before = std::mem::replace(mark, now);
            let (came, analysed) = (now.came - before.came, now.analysed - before.analysed);
            CameraLoad { came, analysed, lag: camera.control.take_lag() }
        });
        let cameras = loads.collect();
        let is_memory_short = self.resources.borrow().is_memory_short;
        let (cpu, temperature_c) = (self.cpu.read(), self.zones.hottest());
        Reading { cameras, workers, cpu, temperature_c, is_memory_short }
    }

    async fn go(&self, went: Move, temperature_c: Option<f64>) {
        self.pull();
        let since = wall_now();
        let unjudged = |(camera, step): (&LadderCamera, Step)| not_judged(&camera.rules, step).cloned().collect();
        let steps = self.ladder.rungs().iter().map(|rung| rung.step);
        let unjudged: Vec<Vec<RuleId>> = std::iter::zip(&self.cameras, steps).map(unjudged).collect();
        let status = LadderStatus { temperature_c, ..LadderStatus::of(&self.ladder, since, unjudged) };
        let cause = went.cause.map(crate::ladder::Cause::reason);
        tracing::warn!(from = went.from, to = went.to, lowest = status.lowest, cause, "degradation ladder");
        let is_news = (went.from == 0) != (went.to == 0);
        let status = Arc::new(status);
        self.told.send_replace(Arc::clone(&status));
        if is_news {
            self.announce(&status, since).await;
        }
    }

    /// Every camera as its rung says.
    fn pull(&self) {
        for (lane, (camera, rung)) in std::iter::zip(&self.cameras, self.ladder.rungs()).enumerate() {
            camera.control.want(rung.fps, rung.key_frames_only);
            self.scheduler.set_rate(lane, rung.fps, Instant::now());
        }
    }

    fn note_temperature(&self, temperature_c: Option<f64>) {
        // Whoever looks next sees it: it is no news by itself.
        self.told.send_if_modified(|status| {
            if status.temperature_c != temperature_c {
                Arc::make_mut(status).temperature_c = temperature_c;
            }
            false
        });
    }

    /// An event of the box: it is degraded, or no longer. One that cannot be written is in the log.
    async fn announce(&self, status: &LadderStatus, time: WallTime) {
        let camera = |(index, camera): (usize, &LadderCamera)| {
            Some(DegradedCamera { camera: camera.camera.to_string(), ladder: status.camera(index)? })
        };
        let cameras = self.cameras.iter().enumerate().filter_map(camera).collect();
        let event = wire::box_degraded(&self.topics, time.into(), LadderData { health: status.health(), cameras });
        if let Err(error) = self.outbox.announce(Arc::new(event)).await {
            tracing::error!(%error, "that the box is degraded, or no longer, is not told");
        }
    }
}

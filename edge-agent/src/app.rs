//! The service: every thread, task and channel is made here, and ended here, in order.
//!
//! | thread or task | how many | waits for | when its output is full |
//! |---|---|---|---|
//! | GStreamer's streaming threads | about 6 a camera | the network | the slot replaces its frame, counted |
//! | supervisor (task) | one a stream | its connection, the stall clock | – (`watch`: the latest counts) |
//! | `infer-N` | the profile's workers | [`Scheduler::next`] | never: one frame of a camera is under way |
//! | camera (task) | one a camera | its channel of 1 | waits for the commit; the slot replaces |
//! | `outbox` | 1 | its channel of 256 | senders wait |
//! | `tracks` | 1 | its channel of 64 | that minute of a camera's tracks is dropped, counted |
//! | `evidence` | 1 | its channels of 8 (pictures) and 16 (clips) | that piece is `failed`: busy |
//! | publisher (task) | 1 | broker, outbox | 16 in flight, then waits; the outbox keeps |
//! | health, camera status (tasks) | 1, one a camera | a clock, `watch` | latest value only |
//! | status page (task) | 1, one more a connection (at most 32) | who looks | further connections wait |
//! | commands (task) | 1 | its channel of 32, a clock | waits for the outbox; the broker keeps what is not taken |
//! | signals (task) | 1 | a clock | latest value only |
//! | ladder (task) | 1 | a clock | latest value only; its events wait for the outbox |
//! | resources (task) | 1 | a clock | latest value only |
//! | audit (task) | 1 | the log, a clock | – (prunes; keeps the last line's hash in the outbox) |
//! | syslog (task) | 1, where one is configured | the collector, the log | the log keeps |
//! | service (task) | 1 | a clock | – (tells the service manager; a line and a sign of life) |
//!
//! # Shutdown
//! Sources stop, inference workers end, cameras judge and commit what is under way, pictures are made, the publisher says
//! `stopped`, the outbox closes. The grace time bounds the whole; what is committed needs none of it.

mod inference;
mod ladder;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::inference::{Lane, Looking, Network, Networks, start_workers};
use self::ladder::{LadderCamera, LadderTask, plan_of};
use crate::apply::Desk;
use crate::audit::{self, AuditEntry, AuditLog, AuditTask, SyslogTask};
use crate::camera::{CameraParams, CameraTask};
use crate::command::{CommandCamera, CommandCounters, CommandEar, CommandTask, FETCH_PER_DAY, Precision, Switches};
use crate::config::{Camera, Home, Site};
use crate::crash::{CrashRecord, Parked};
use crate::detect::Spares;
use crate::detect::scheduler::{LaneParams, Scheduler};
use crate::evidence::{EvidenceParams, EvidenceThread, OfCamera, RecordStills};
use crate::frame::{FrameSignal, FrameSlot};
use crate::ladder::CameraRung;
use crate::outbox::{CommandWork, Outbox, OutboxError, OutboxLimits, OutboxThread};
use crate::page::{PageCamera, PageState, PageTask, Sources};
use crate::privacy::Redaction;
use crate::publish::wire::{self, Birth, CameraLabel, UtcMillis};
use crate::publish::{self, AuditFeed, MqttPublisher, PublishParams, PublishStatus, Topics};
use crate::record::Ring;
use crate::reset::StateLock;
use crate::resources::{Forbidden, ResourcesTask, check_permissions};
use crate::setup::{self, SetupError};
use crate::signal::{HeardSignals, SignalBoard, SignalTask, Troubles};
use crate::source::{
    LiveSource, PacketCount, RtspSource, Session, SourceError, SourceState, SourceStatus, SupervisorParams, Switched,
    wall_now,
};
use crate::status::pulse::Pulse;
use crate::status::{
    self, CameraCounters, CameraSigns, CameraSource, CommandSigns, HealthTask, Latencies, LatestScene, Posture,
    RecentIncidents, RecordSource, ServiceTask, SignalTroubles, Totals, Transport,
};
use crate::tracks::TracksThread;

/// Results of a camera that may wait for its core: the scheduler lets no second one begin.
const ANALYSED: usize = 1;

/// Time that a drain may take.
pub const GRACE: Duration = Duration::from_secs(10);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Models or ONNX Runtime.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A camera's stream.
    #[error("camera {camera}: {error}")]
    Source {
        /// The camera.
        camera: analytics::CameraId,
        /// What is wrong.
        error: SourceError,
    },
    /// A camera that only replay can use.
    #[error(
        "camera {0} has no detect stream\n    → add detect = {{ url = \"rtsp://…\" }} to it, or detect = {{ device = \"/dev/video0\" }}"
    )]
    NoStream(analytics::CameraId),
    /// A reset is under way.
    #[error("the state folder is being reset, or is in use by another process; try again when that is done")]
    Locked,
    /// The state folder is not this program's to write.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The state folder cannot be written.
    #[error("the state folder cannot be locked: {0}; check free space, and whom the file lock in it belongs to")]
    State(std::io::Error),
    /// The system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl AppError {
    /// Whether what the site file says, or refers to, is to blame.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Setup(error) => error.is_configuration(),
            Self::Source { .. } | Self::NoStream(_) => true,
            Self::Outbox(_) | Self::Forbidden(_) | Self::Locked | Self::State(_) | Self::Thread(_) => false,
        }
    }
}

/// What a run amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames received.
    pub frames: u64,
    /// What was made of them.
    pub totals: Totals,
    /// Events acknowledged by the broker.
    pub delivered: u64,
    /// Events that wait for it.
    pub pending: u64,
}

/// A camera that runs.
struct Running {
    camera: analytics::CameraId,
    analyse_fps: f64,
    slot: Arc<FrameSlot>,
    counters: Arc<CameraCounters>,
    status: watch::Receiver<SourceStatus>,
    record: Option<RecordSource>,
    ladder: CameraRung,
}

/// With what the service starts besides its site.
#[derive(Debug, Default)]
pub struct Start {
    /// Takes configurations of the centre; `None`: they are refused.
    pub desk: Option<Desk>,
    /// The lock on the state folder, where it was needed before.
    pub lock: Option<StateLock>,
}

/// The service from start to drain.
pub struct App {
    topics: Topics,
    running: Vec<Running>,
    sources: JoinSet<()>,
    stop_sources: CancellationToken,
    scheduler: Arc<Scheduler>,
    workers: Vec<std::thread::JoinHandle<()>>,
    cameras: JoinSet<()>,
    give_up: CancellationToken,
    evidence: Option<EvidenceThread>,
    tracks: Option<TracksThread>,
    publisher: tokio::task::JoinHandle<()>,
    stop_publisher: CancellationToken,
    delivery: watch::Receiver<PublishStatus>,
    health: JoinSet<()>,
    page: Option<tokio::task::JoinHandle<()>>,
    stop_page: CancellationToken,
    page_state: watch::Receiver<PageState>,
    /// Until everything is closed.
    _state_lock: StateLock,
    restart: CancellationToken,
    audit: AuditLog,
    outbox: Outbox,
    outbox_thread: OutboxThread,
}

impl App {
    /// Starts everything. Cameras and broker may be away: they are tried for as long as the service runs.
    ///
    /// # Errors
    /// [`AppError`]: what no waiting would cure.
    pub async fn start(site: &Site, home: &Home) -> Result<Self, AppError> {
        Self::start_as(site, home, Start::default()).await
    }

    /// The same for a box whose configuration the centre may change.
    ///
    /// # Errors
    /// [`AppError`]: what no waiting would cure.
    pub async fn start_as(site: &Site, home: &Home, start: Start) -> Result<Self, AppError> {
        let topics = setup::topics(site)?;
        let sources = site.cameras.iter().map(|camera| sources(site, camera)).collect::<Result<Vec<_>, _>>()?;
        let broker = setup::broker(site)?;
        setup::try_decoders(&site.hw_profile);
        let files = ["outbox.sqlite", "outbox.sqlite-wal", "lock"].map(|name| site.storage.path.join(name));
        check_permissions(&site.storage.path, &files.each_ref().map(PathBuf::as_path))?;
        let limits = OutboxLimits { max_bytes: site.storage.outbox_bytes, ..OutboxLimits::default() };
        let (outbox, outbox_thread) = Outbox::open(&site.storage.outbox_file(), limits, &topics)?;
        let state_lock = match start.lock {
            Some(lock) => lock,
            None => StateLock::take(&site.storage.path).map_err(AppError::State)?.ok_or(AppError::Locked)?,
        };
        let restart = CancellationToken::new();
        let audit = AuditLog::at(&site.storage.path, &topics, outbox.audit_head().await?);
        let networks = open_networks(site, home, &audit)?;
        let begun = audit::Begun { models: networks.models(), set_aside: outbox.stats().borrow().set_aside.clone() };
        audit::begin(&audit, site, &begun);

        let crashes =
            CrashRecord::open(&site.storage.path, site.cameras.iter().map(|camera| &camera.id), SystemTime::now());
        announce_parked(&crashes, &outbox, &topics).await;

        // Before any camera announces another picture.
        let pending = outbox.pending_evidence().await?;
        let evidence = EvidenceThread::start(EvidenceParams {
            store: site.storage.pictures(),
            limits: site.storage.evidence,
            timezone: site.timezone.clone(),
            outbox: outbox.clone(),
            pending,
            audit: audit.clone(),
        })?;

        let limits = site.storage.tracks;
        let (tracks, tracks_thread) = if limits.keep_for.is_zero() {
            (None, None)
        } else {
            let (sink, thread) = TracksThread::start(&site.storage.tracks_file(), limits, audit.clone())?;
            (Some(sink), Some(thread))
        };

        let from_centre = start.desk.as_ref().and_then(Desk::told);
        let birth = Birth { configuration: from_centre, ..setup::birth(site, &networks.models()) };
        let (switches, stale) = Switches::load(&outbox.settings().await?, &site.written);
        for effect in stale {
            outbox.order(Arc::new(CommandWork::Change(effect))).await?;
        }
        let mut params = PublishParams::new(topics.clone(), switches.tell(birth.clone()));
        let (switches_told, switches) = watch::channel(Arc::new(switches));
        params.primary_host = site.mqtt.primary_host.clone();
        let heard = site.cameras.iter().flat_map(|camera| &camera.signals.heard).map(|signal| signal.topic.clone());
        let signals = SignalBoard::new(heard.collect(), Instant::now());
        let (troubles, signal_troubles) = watch::channel(Troubles::default());
        let counters = Arc::new(CommandCounters::default());
        let (ear, commands) = CommandEar::new(&topics, Arc::clone(&counters));
        let mqtt = MqttPublisher::new(broker, topics.client_id()).hearing(signals.clone()).obeying(ear);
        let mqtt = mqtt.auditing(audit.clone());
        let transport = Transport { security: site.mqtt.security(), certificates: mqtt.certificates() };
        let (publish, publish_task) = publish::publish(mqtt, params, outbox.clone());
        let delivery = publish.status();
        let mut loops = vec![("outbox".to_owned(), outbox_thread.beat()), ("publisher".to_owned(), publish.beat())];
        let stop_publisher = CancellationToken::new();
        let publish_task = publish_task.auditing(AuditFeed::new(audit.clone()));
        let publisher = tokio::spawn(publish_task.run(stop_publisher.clone()));

        let signal = Arc::new(FrameSignal::default());
        let slots: Vec<Arc<FrameSlot>> =
            site.cameras.iter().map(|_| Arc::new(FrameSlot::new(Arc::clone(&signal)))).collect();
        let lanes = std::iter::zip(&slots, &site.cameras).map(|(slot, camera)| LaneParams {
            slot: Arc::clone(slot),
            fps: camera.analyse_fps,
            priority: camera.priority,
        });
        let scheduler = Arc::new(Scheduler::new(signal, lanes.collect(), Instant::now()));

        let (stop_sources, give_up) = (CancellationToken::new(), CancellationToken::new());
        let (mut supervisors, mut cameras, mut health) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let (mut running, mut lanes, mut commanded) = (Vec::new(), Vec::new(), Vec::new());
        let (mut shown, recent) = (Vec::new(), Arc::new(RecentIncidents::default()));
        let smaller = |camera: &Camera| setup::smaller_input(camera, &networks.of(camera).model);
        let plans: Vec<_> = site.cameras.iter().map(|camera| plan_of(camera, smaller(camera).is_some())).collect();
        let (decision, ladder_told) = ladder::ladder(&plans, &site.hw_profile);
        let (ladder, mut laddered) = (ladder_told.subscribe(), Vec::new());
        for (lane, ((camera, (source, record)), slot)) in site.cameras.iter().zip(sources).zip(slots).enumerate() {
            let network = networks.of(camera);
            let (counters, latest) = (Arc::new(CameraCounters::default()), Arc::new(LatestScene::default()));
            let (found, analysed) = mpsc::channel(ANALYSED);
            let spares = Arc::new(Spares::default());
            let (pulse, beat) = Pulse::new();
            loops.push((format!("camera {}", camera.id), beat));
            let (told, status) = watch::channel(SourceStatus::connecting(wall_now()));
            let (placed, posture) = watch::channel(Posture::default());
            let rung = CameraRung { status: ladder.clone(), camera: lane };
            let (record, stills) = record.unzip();
            let stills = stills.flatten();
            let ring = stills.as_ref().map(|stills: &RecordStills| Arc::clone(&stills.ring));
            let camera_evidence = evidence.camera(evidence_of(camera, stills, network.redaction(camera)));
            let params = camera_params(site, camera, network, &signals)?;
            commanded.push(CommandCamera {
                id: camera.id.clone(),
                rules: camera.rules.iter().map(|rule| rule.id.clone()).collect(),
                latest: Arc::clone(&latest),
                status: status.clone(),
                evidence: camera_evidence.clone(),
                context: params.context.clone(),
            });
            let task = CameraTask {
                lane,
                camera: camera.id.clone(),
                params,
                slot: Arc::clone(&slot),
                analysed,
                status: status.clone(),
                posture: placed,
                outbox: outbox.clone(),
                evidence: camera_evidence,
                tracks: tracks.clone(),
                ladder: rung.clone(),
                switches: switches.clone(),
                scheduler: Arc::clone(&scheduler),
                counters: Arc::clone(&counters),
                spares: Arc::clone(&spares),
                latest: Arc::clone(&latest),
                recent: Arc::clone(&recent),
                pulse,
                give_up: give_up.clone(),
            };
            cameras.spawn(task.run());
            let regions = setup::regions(camera, &network.model);
            lanes.push(Lane {
                network: network.index,
                full: Looking::new(regions, |regions| setup::gate(camera, &network.model, regions)),
                smaller: smaller(camera)
                    .map(|fewer| Looking::new(fewer, |fewer| setup::gate(camera, &network.model, fewer))),
                ladder: rung.clone(),
                found,
                spares,
                counters: Arc::clone(&counters),
            });

            let params = SupervisorParams::default();
            let session = Session::new(camera.id.clone(), Arc::clone(&slot), camera.masks.clone());
            if may_doze(camera)
                && let Some(lane) = lanes.last()
            {
                session.control().doze_by(Arc::new(lane.watch()));
            }
            laddered.push(LadderCamera {
                camera: camera.id.clone(),
                rules: camera.rules.clone(),
                slot: Arc::clone(&slot),
                counters: Arc::clone(&counters),
                control: session.control(),
            });
            let parked = crashes.parked(&camera.id);
            let (of, switches_of) = (camera.id.clone(), switches.clone());
            let switched = Switched { camera: of, session, told, params, parked, switches: switches_of };
            supervisors.spawn(switched.run(source, stop_sources.clone()));
            let supervisors = &mut supervisors;
            let record = record
                .map(|source| start_record(camera, source, ring, (parked, &switches), supervisors, &stop_sources));
            let (id, topics) = (camera.id.clone(), topics.clone());
            let (publish, status_of_record) = (publish.clone(), record.clone());
            let of_camera = camera.signals.heard.iter().map(|signal| signal.topic.clone()).collect();
            let troubles = SignalTroubles { troubles: signal_troubles.clone(), topics: of_camera };
            let signs = CameraSigns {
                status: status.clone(),
                record: status_of_record,
                posture,
                signals: troubles,
                ladder: rung.clone(),
                switches: switches.clone(),
            };
            let forward = status::forward_camera_status(id, topics, signs, publish);
            health.spawn(forward);
            running.push(Running {
                camera: camera.id.clone(),
                analyse_fps: camera.analyse_fps,
                slot,
                counters,
                status,
                record,
                ladder: rung,
            });
            shown.push(PageCamera {
                label: CameraLabel::new(&camera.id, setup::local_text(&camera.name)),
                pipeline: camera.pipeline.name.clone(),
                model: setup::model_ref(&network.model, network.provider),
                places: camera.places.clone(),
                redaction: network.redaction(camera),
                source: running.last().map(Running::health_source).expect("just pushed"),
                latest,
            });
        }
        let rings = running.iter().filter_map(|camera| camera.record.as_ref()?.ring.clone()).collect();
        let (task, resources) = ResourcesTask::new(site.storage.writes_per_day, rings);
        health.spawn(task.run(stop_sources.clone()));
        let task = LadderTask::new(
            (decision, ladder_told),
            &site.hw_profile,
            Arc::clone(&scheduler),
            laddered,
            resources.clone(),
            (outbox.clone(), topics.clone()),
        );
        health.spawn(task.run(stop_sources.clone()));
        setup::announce_disabled(site, &topics, &publish);
        let starting = if site.status_listen.is_some() { PageState::Starting } else { PageState::Off };
        let (page_told, page_state) = watch::channel(starting);
        let (snapshot_told, snapshot) = watch::channel(None);
        let (precision_told, precision) = watch::channel(Precision::from([]));
        let signs = CommandSigns { counters: Arc::clone(&counters), switches, precision };
        let (pulse, beat) = Pulse::new();
        loops.push(("commands".to_owned(), beat));
        let task = CommandTask {
            topics: topics.clone(),
            deliveries: commands,
            outbox: outbox.clone(),
            delivery: delivery.clone(),
            publish: publish.clone(),
            birth: birth.clone(),
            cameras: commanded,
            disabled: site.disabled.clone(),
            evidence: site.storage.pictures(),
            fetch_per_day: FETCH_PER_DAY,
            written: site.written.clone(),
            switches: switches_told,
            precision: precision_told,
            counters,
            audit: audit.clone(),
            desk: start.desk,
            restart: restart.clone(),
            clock: status::time_quality,
            pulse,
        };
        health.spawn(task.run(stop_sources.clone()));
        let mut syslog = None;
        if let Some(params) = &site.syslog {
            let (task, status) = SyslogTask::new(audit.clone(), params.clone());
            health.spawn(task.run(stop_sources.clone()));
            syslog = Some(status);
        }
        let task = HealthTask {
            topics: topics.clone(),
            models: networks.models(),
            fallback: networks.fallback(site),
            cameras: running.iter().map(Running::health_source).collect(),
            outbox: outbox.stats(),
            evidence: evidence.counters(),
            delivery: delivery.clone(),
            publish,
            page: page_state.clone(),
            signals: signal_troubles,
            ladder,
            commands: signs,
            transport,
            audit: audit.status(),
            syslog,
            resources,
            tracks_failing: tracks_thread.as_ref().map(TracksThread::failing).unwrap_or_default(),
            snapshot: snapshot_told,
        };
        health.spawn(task.run(stop_sources.clone()));
        let task = AuditTask {
            log: audit.clone(),
            outbox: outbox.clone(),
            limits: site.storage.audit,
            keep_thumbnails_for: site.storage.keep_thumbnails_for,
        };
        health.spawn(task.run(stop_sources.clone()));
        if signals.topics().next().is_some() {
            health.spawn(SignalTask { board: signals, troubles }.run(stop_sources.clone()));
        }
        let sources = Sources {
            birth,
            written: site.written.clone(),
            broker: site.mqtt.url.to_string(),
            cameras: shown,
            disabled: site.disabled.clone(),
            snapshot,
            outbox: outbox.stats(),
            delivery: delivery.clone(),
            recent,
            evidence: site.storage.pictures(),
        };
        let stop_page = CancellationToken::new();
        let page = site.status_listen.map(|listen| PageTask {
            listen,
            remote: site.status_remote.clone(),
            audit: Some(audit.clone()),
            sources,
            state: page_told,
        });
        let page = page.map(|page| tokio::spawn(page.run(stop_page.clone())));
        let workers = start_workers(networks, lanes, &scheduler, &mut loops)?;
        let task = ServiceTask {
            loops,
            cameras: running.iter().map(|camera| camera.status.clone()).collect(),
            outbox: outbox.stats(),
            delivery: delivery.clone(),
            restart: restart.clone(),
        };
        health.spawn(task.run(stop_sources.clone()));
        Ok(Self {
            topics,
            running,
            sources: supervisors,
            stop_sources,
            scheduler,
            workers,
            cameras,
            give_up,
            publisher,
            evidence: Some(evidence),
            tracks: tracks_thread,
            stop_publisher,
            delivery,
            health,
            page,
            stop_page,
            page_state,
            _state_lock: state_lock,
            restart,
            audit,
            outbox,
            outbox_thread,
        })
    }

    /// The box's topics.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// How the status page is, once it has been tried.
    pub async fn page_decided(&self) -> PageState {
        let mut state = self.page_state.clone();
        let decided = state.wait_for(|state| *state != PageState::Starting).await;
        decided.map_or(PageState::Off, |state| state.clone())
    }

    /// Waits until every camera has given a frame that was analysed; never, while one does not.
    pub async fn analysing(&self) {
        for camera in &self.running {
            let mut status = camera.status.clone();
            // An error means that the supervisor is gone: nothing to wait for.
            let _ = status.wait_for(|status| status.state == SourceState::Online).await;
        }
    }

    /// Waits until the program is to end and begin anew, with another configuration.
    pub async fn to_begin_anew(&self) {
        self.restart.cancelled().await;
    }

    /// Ends everything in order, within `grace`.
    pub async fn drain(mut self, grace: Duration) -> Summary {
        let deadline = tokio::time::Instant::now() + grace;
        self.stop_sources.cancel();
        if tokio::time::timeout_at(deadline, join_all(&mut self.sources)).await.is_err() {
            tracing::warn!("a camera's connection does not close; leaving it");
        }
        self.scheduler.stop();
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(move || workers.into_iter().for_each(|worker| drop(worker.join())));
        if tokio::time::timeout_at(deadline, joined).await.is_err() {
            tracing::warn!("an inference does not end; leaving it");
        }
        if tokio::time::timeout_at(deadline, join_all(&mut self.cameras)).await.is_err() {
            self.give_up.cancel();
            let _ = tokio::time::timeout(Duration::from_secs(1), join_all(&mut self.cameras)).await;
        }
        if let Some(evidence) = self.evidence.take() {
            let made = tokio::task::spawn_blocking(move || evidence.join());
            if tokio::time::timeout_at(deadline, made).await.is_err() {
                tracing::warn!("pictures are not made in time; they are settled at the next start");
            }
        }
        if let Some(tracks) = self.tracks.take() {
            let written = tokio::task::spawn_blocking(move || tracks.join());
            if tokio::time::timeout_at(deadline, written).await.is_err() {
                tracing::warn!("the last minute of recorded tracks is not written in time");
            }
        }
        self.stop_publisher.cancel();
        if tokio::time::timeout_at(deadline, &mut self.publisher).await.is_err() {
            self.publisher.abort();
        }
        self.health.shutdown().await;
        // Last: whoever looks sees the drain.
        self.stop_page.cancel();
        if let Some(page) = self.page.take() {
            let _ = tokio::time::timeout_at(deadline + Duration::from_secs(1), page).await;
        }
        let summary = self.summary();
        self.close_audit(&summary, deadline).await;
        // The last handles: what is left of the tasks holds one each.
        self.cameras.shutdown().await;
        let Self { outbox, outbox_thread, _state_lock, .. } = self;
        drop(outbox);
        let closed = tokio::task::spawn_blocking(move || outbox_thread.join());
        let _ = tokio::time::timeout_at(deadline + Duration::from_secs(1), closed).await;
        summary
    }

    /// The last line, and its number and hash where the outbox keeps them.
    async fn close_audit(&self, summary: &Summary, deadline: tokio::time::Instant) {
        let (log, incidents, pending) = (self.audit.clone(), summary.totals.incidents, summary.pending);
        let written = tokio::task::spawn_blocking(move || audit::end(&log, incidents, pending));
        let closed = async {
            let _ = written.await;
            let head = self.audit.status().borrow().head;
            let _ = self.outbox.keep_audit_head(head).await;
        };
        let _ = tokio::time::timeout_at(deadline + Duration::from_secs(1), closed).await;
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// How long the frames of all cameras took so far.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        let mut all = Latencies::default();
        self.running.iter().for_each(|camera| all.merge(&camera.counters.latency()));
        all
    }

    /// What each camera's stages have counted, in the site file's order: frames received, and what was made of them.
    pub fn cameras(&self) -> impl Iterator<Item = (u64, &CameraCounters)> {
        self.running.iter().map(|camera| (camera.slot.arrived(), &*camera.counters))
    }

    /// What has been done so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            frames: self.running.iter().map(|camera| camera.slot.received()).sum(),
            totals: self.running.iter().map(|camera| camera.counters.totals()).sum(),
            delivered: self.delivery.borrow().delivered,
            pending: self.outbox.stats().borrow().pending,
        }
    }
}

/// The models, or a line that says which one could not be had.
fn open_networks(site: &Site, home: &Home, audit: &AuditLog) -> Result<Networks, SetupError> {
    Networks::open(site, home).inspect_err(|error| {
        let entry = AuditEntry::by_system(audit::Action::ModelLoaded);
        let _ = audit.append(entry.outcome(audit::Outcome::failed(error.to_string())));
    })
}

async fn join_all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task ended badly");
        }
    }
}

impl Running {
    fn health_source(&self) -> CameraSource {
        CameraSource {
            camera: self.camera.clone(),
            analyse_fps: self.analyse_fps,
            slot: Arc::clone(&self.slot),
            counters: Arc::clone(&self.counters),
            status: self.status.clone(),
            record: self.record.clone(),
            ladder: self.ladder.clone(),
        }
    }
}

/// Whether its decoder may doze while nothing moves. What lamps show is no movement, and is to be seen at once.
fn may_doze(camera: &Camera) -> bool {
    camera.motion_gate.is_some_and(|gate| gate.doze) && camera.signals.lamps.is_empty()
}

/// A camera's full-size stream, and what is held of it.
type Record = (RtspSource, Option<RecordStills>);

/// What a camera's model looks at, and the full-size stream beside it.
fn sources(site: &Site, camera: &Camera) -> Result<(LiveSource, Option<Record>), AppError> {
    let wrong = |error| AppError::Source { camera: camera.id.clone(), error };
    let params = setup::detect_params(site, camera)?.ok_or_else(|| AppError::NoStream(camera.id.clone()))?;
    let detect = LiveSource::new(params).map_err(wrong)?;
    let Some(stream) = &camera.record else { return Ok((detect, None)) };
    let params = setup::rtsp_params(site, camera, stream)?;
    let (h264, h265) = (params.h264_decoders.clone(), params.h265_decoders.clone());
    let stills =
        camera.ring.map(|limits| RecordStills { ring: Ring::new(limits), masks: camera.masks.clone(), h264, h265 });
    let record = RtspSource::undecoded(params).map_err(wrong)?;
    Ok((detect, Some((record, stills))))
}

/// What a camera's evidence is made from.
fn evidence_of(camera: &Camera, record: Option<RecordStills>, redaction: Redaction) -> OfCamera {
    OfCamera {
        snapshots_from: camera.snapshots_from,
        clips: camera.clips,
        record,
        places: camera.places.clone(),
        redaction,
        is_masked: !camera.masks.is_empty(),
    }
}

/// Says which cameras are left alone from now on. What cannot be written is in the log, and in the camera's status.
async fn announce_parked(crashes: &CrashRecord, outbox: &Outbox, topics: &Topics) {
    for camera in crashes.newly_parked() {
        let Some(Parked { remaining }) = crashes.parked(camera) else { continue };
        let now = UtcMillis::now();
        let remaining_ms = i64::try_from(remaining.as_millis()).unwrap_or(i64::MAX);
        let until = UtcMillis::from_unix_millis(now.as_unix_millis().saturating_add(remaining_ms));
        if let Err(error) = outbox.announce(Arc::new(wire::parked(topics, camera, until, now))).await {
            tracing::error!(%camera, %error, "that a camera is left alone is not told");
        }
    }
}

/// Receives a camera's full-size stream, which nothing of the analysis waits for.
fn start_record(
    camera: &Camera,
    source: RtspSource,
    ring: Option<Arc<Ring>>,
    (parked, switches): (Option<Parked>, &watch::Receiver<Arc<Switches>>),
    supervisors: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> RecordSource {
    let packets = Arc::new(PacketCount::default());
    let session = Session::of_packets(camera.id.clone(), Arc::clone(&packets), ring.clone());
    let (told, status) = watch::channel(SourceStatus::connecting(wall_now()));
    let (params, switches) = (SupervisorParams::default(), switches.clone());
    let switched = Switched { camera: camera.id.clone(), session, told, params, parked, switches };
    supervisors.spawn(switched.run(source, stop.clone()));
    RecordSource { status, packets, ring }
}

fn camera_params(
    site: &Site,
    camera: &Camera,
    network: &Network,
    signals: &SignalBoard,
) -> Result<CameraParams, SetupError> {
    Ok(CameraParams {
        core: setup::core_params(camera, &network.model, 0),
        measures: setup::measure_params(camera),
        lamps: camera.signals.lamps.clone(),
        heard: HeardSignals::new(signals.clone(), camera.signals.heard.clone()),
        calendar: site.calendar(),
        topics: setup::topics(site)?,
        context: setup::event_context(site, camera, &network.model, network.provider)?,
    })
}

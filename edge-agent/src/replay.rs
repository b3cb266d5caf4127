//! Files in, events out: the same path as live pictures take, in media time only, so that the same clips give the same
//! bytes every time.
//!
//! Clips of several cameras are merged by media time; clips of one camera follow one another. Frames are inferred on
//! all cores, each by a session of one thread, and judged in order. Motion gates plan a batch's frames before any is
//! inferred: they go by pictures alone, and so decide as they do in the service.

pub mod difference;
mod mot;
mod reel;
mod rejudge;

use std::path::PathBuf;
use std::time::Duration;

use analytics::{CameraId, Detection, MediaTime, WallTime};
use uuid::Uuid;

use crate::camera::{Analysed, CameraCore, CameraParams};
use crate::config::{Camera, Home, Site};
use crate::detect::gate::{self, Decision, Gate};
use crate::detect::{DetectError, Detector};
use crate::frame::Frame;
use crate::outbox::Draft;
use crate::publish::wire::{Incident, Measurement, Sequence, Stamp, System, TimeQuality, UtcMillis};
use crate::setup::{self, SetupError};
use crate::signal::HeardSignals;
use crate::source::SourceError;
use crate::tracks::TracksError;

pub use mot::MotWriter;
pub use reel::Pace;
use reel::Reel;
pub use rejudge::{Judged, Watched, rejudge};

/// What to replay, and how.
#[derive(Debug, Clone)]
pub struct ReplayParams {
    /// Clips with the camera that took them, in order.
    pub clips: Vec<(CameraId, PathBuf)>,
    /// Which frames are analysed; `None`: the camera's own rate.
    pub pace: Option<Pace>,
    /// Another model than the site's.
    pub model: Option<String>,
    /// Wall time of the clips' beginning.
    pub start: WallTime,
    /// Whether traffic is measured too, where the site says so.
    pub measures: bool,
    /// Whether motion gates hold frames, where the site says so.
    pub motion_gates: bool,
}

/// What a replay amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames decoded.
    pub frames: u64,
    /// Frames analysed.
    pub analysed: u64,
    /// Frames analysed without inference: a motion gate held them.
    pub held: u64,
    /// Regions of frames inferred.
    pub regions: u64,
    /// Detections.
    pub detections: u64,
    /// Events, every revision counted.
    pub events: u64,
    /// Intervals of traffic measures.
    pub measurements: u64,
    /// Announcements of incidents that a storm withheld.
    pub announcements: u64,
}

/// Why a replay stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A clip cannot be read, or not to its end.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Inference failed.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The model or ONNX Runtime cannot be loaded.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Recorded tracks cannot be read.
    #[error(transparent)]
    Tracks(#[from] TracksError),
    /// The results cannot be written.
    #[error("the results cannot be written: {0}")]
    Output(#[from] std::io::Error),
    /// The site has no such camera.
    #[error("the site has no camera \"{0}\"")]
    UnknownCamera(CameraId),
}

/// Where a replay's results go.
pub struct Output<'a> {
    /// Every event, in order.
    pub event: &'a mut dyn FnMut(&Incident) -> std::io::Result<()>,
    /// Every interval's traffic measures, in order with the events.
    pub measurement: &'a mut dyn FnMut(&Measurement) -> std::io::Result<()>,
    /// Every announcement of incidents that a storm withheld, in order with the events.
    pub announcement: &'a mut dyn FnMut(&System) -> std::io::Result<()>,
    /// Tracks in MOT format; for a single camera.
    pub tracks: Option<&'a mut MotWriter>,
    /// Detections in MOT format, before tracking; for a single camera.
    pub detections: Option<&'a mut MotWriter>,
    /// Told after every analysed frame how far it is: what it amounts to so far, and the media time reached.
    pub progress: &'a mut dyn FnMut(&Summary, MediaTime),
}

/// A clock that was never asked: replay knows only media time.
const NO_CLOCK: TimeQuality = TimeQuality { synced: false, max_error_ms: None };

/// Replays clips through the site's cameras.
pub fn replay(site: &Site, home: &Home, params: &ReplayParams, output: Output<'_>) -> Result<Summary, ReplayError> {
    let mut stages = stages(site, home, params)?;
    let mut numbered = Numbered { output, summary: Summary::default() };
    let end = loop {
        let (batch, ended) = next_batch(&mut stages, &mut numbered.summary);
        let is_over = batch.is_empty();
        for Inferred { stage: index, frame, plan, mut found, mut detections } in infer(&mut stages, batch)? {
            let stage = &mut stages[index];
            let looks = match (&mut stage.gate, plan) {
                (Some(gate), Some(plan)) => {
                    gate.settle(&plan, &mut found, &mut detections);
                    plan.iter().filter(|decision| **decision != Decision::Hold).count()
                }
                _ => stage.regions.len(),
            };
            numbered.summary.analysed += 1;
            numbered.summary.held += u64::from(looks == 0);
            numbered.summary.regions += looks as u64;
            numbered.summary.detections += detections.len() as u64;
            let Frame { stamp, arrived_at, picture, .. } = frame;
            let (seq, size, pts) = (stamp.seq, (picture.width(), picture.height()), stamp.pts);
            if let Some(written) = numbered.output.detections.as_deref_mut() {
                written.detections(seq, size, &detections);
            }
            let analysed = Analysed {
                stamp,
                arrived_at,
                camera_ahead_s: None,
                held_for: Duration::ZERO,
                repeats: false,
                picture,
                detections,
            };
            let (scene, drafts) = stage.core.step(analysed, NO_CLOCK);
            if let Some(tracks) = numbered.output.tracks.as_deref_mut() {
                tracks.frame(seq, size, &scene);
            }
            stage.core.reuse(scene);
            numbered.emit(drafts)?;
            numbered.announce(stage.core.take_withheld())?;
            numbered.measured(stage.core.take_measured(NO_CLOCK))?;
            (numbered.output.progress)(&numbered.summary, pts);
        }
        if ended.is_err() || is_over {
            break ended;
        }
    };
    // A clip that breaks off is over too.
    for stage in &mut stages {
        let drafts = stage.core.finish(NO_CLOCK);
        numbered.emit(drafts)?;
        numbered.announce(stage.core.take_withheld())?;
        numbered.measured(stage.core.take_measured(NO_CLOCK))?;
    }
    end?;
    Ok(numbered.summary)
}

/// One camera of a replay.
struct Stage {
    reel: Reel,
    next: Option<Frame>,
    core: CameraCore,
    regions: Vec<analytics::BBox>,
    gate: Option<Gate>,
    detectors: Vec<Box<dyn Detector>>,
}

fn stages(site: &Site, home: &Home, params: &ReplayParams) -> Result<Vec<Stage>, ReplayError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = setup::onnx_runtime(home, site.hw_profile.build())?;
    let mut cameras: Vec<&CameraId> = Vec::new();
    for (camera, _) in &params.clips {
        if !cameras.contains(&camera) {
            cameras.push(camera);
        }
    }
    let mut stages = Vec::new();
    for id in cameras {
        let camera = site.camera(id.as_str()).ok_or_else(|| ReplayError::UnknownCamera(id.clone()))?;
        let clips = params.clips.iter().filter(|(of, _)| of == id).map(|(_, clip)| clip.clone()).collect();
        let pace = params.pace.unwrap_or(Pace::Fps(camera.analyse_fps));
        let camera = Camera { model: params.model.clone().unwrap_or_else(|| camera.model.clone()), ..camera.clone() };
        let model = setup::load_model(home, &camera.model)?;
        let (first, provider) = setup::detector(&runtime, &model, &site.hw_profile, home)?;
        let mut detectors = vec![first];
        for _ in 1..cores {
            detectors.push(setup::detector(&runtime, &model, &site.hw_profile, home)?.0);
        }
        let context = setup::event_context(site, &camera, &model, provider)?;
        stages.push(Stage {
            reel: Reel::open((id.clone(), camera.masks.clone()), clips, pace, params.start)?,
            next: None,
            // A fixed seed: ids repeat with the clip.
            core: CameraCore::new(CameraParams {
                core: setup::core_params(&camera, &model, 0),
                measures: setup::measure_params(&camera).filter(|_| params.measures),
                lamps: camera.signals.lamps.clone(),
                heard: HeardSignals::unheard(camera.signals.heard.clone()),
                calendar: site.calendar(),
                topics: setup::topics(site)?,
                context,
            }),
            regions: setup::regions(&camera, &model),
            gate: setup::gate(&camera, &model, &setup::regions(&camera, &model)).filter(|_| params.motion_gates),
            detectors,
        });
    }
    Ok(stages)
}

/// The next frames by media time, as many as can be inferred at once; and whether a clip broke off behind them.
fn next_batch(stages: &mut [Stage], summary: &mut Summary) -> (Vec<(usize, Frame)>, Result<(), SourceError>) {
    let size = stages.first().map_or(0, |stage| stage.detectors.len());
    let mut batch = Vec::with_capacity(size);
    while batch.len() < size {
        for stage in stages.iter_mut().filter(|stage| stage.next.is_none()) {
            match stage.reel.next_due(&mut summary.frames) {
                Ok(next) => stage.next = next,
                Err(error) => return (batch, Err(error)),
            }
        }
        let waiting = stages.iter_mut().enumerate().filter(|(_, stage)| stage.next.is_some());
        let earliest = waiting.min_by_key(|(_, stage)| stage.next.as_ref().map(|frame| frame.stamp.pts));
        let Some((index, stage)) = earliest else { break };
        batch.extend(stage.next.take().map(|frame| (index, frame)));
    }
    (batch, Ok(()))
}

/// A frame, and what was seen in it.
struct Inferred {
    stage: usize,
    frame: Frame,
    /// By a motion gate; `None`: there is none.
    plan: Option<Vec<Decision>>,
    /// With a plan: by region, and to be settled.
    found: Vec<Vec<Detection>>,
    detections: Vec<Detection>,
}

/// Infers a batch, one thread a frame; results in the order of the batch.
fn infer(stages: &mut [Stage], batch: Vec<(usize, Frame)>) -> Result<Vec<Inferred>, DetectError> {
    let planned = |(stage, frame): (usize, Frame)| {
        let gate = stages[stage].gate.as_mut();
        let plan = gate.map(|gate| gate.plan(&frame.picture, frame.stamp.pts).to_vec());
        Inferred { stage, frame, plan, found: Vec::new(), detections: Vec::new() }
    };
    let batch: Vec<Inferred> = batch.into_iter().map(planned).collect();
    let mut free: Vec<_> = stages.iter_mut().map(|stage| (&stage.regions, stage.detectors.iter_mut())).collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = batch
            .into_iter()
            .map(|mut inferred| {
                let (regions, detectors) = &mut free[inferred.stage];
                let regions: &[analytics::BBox] = regions;
                let detector = detectors.next().expect("a batch holds no more frames than a stage has detectors");
                scope.spawn(move || {
                    let Inferred { frame, plan, found, detections, .. } = &mut inferred;
                    match plan {
                        Some(plan) => drop(gate::infer(detector.as_mut(), &frame.picture, regions, plan, found)?),
                        None => detector.detect(&frame.picture, regions, detections)?,
                    }
                    Ok(inferred)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Gives events the stamps that an outbox would.
struct Numbered<'a> {
    output: Output<'a>,
    summary: Summary,
}

impl Numbered<'_> {
    fn emit(&mut self, drafts: Vec<Draft>) -> std::io::Result<()> {
        for draft in drafts {
            self.summary.events += 1;
            let mut event = draft.event().clone();
            event.stamp(self.next_stamp(event.time));
            (self.output.event)(&event)?;
        }
        Ok(())
    }

    fn announce(&mut self, announcements: Vec<System>) -> std::io::Result<()> {
        for mut announcement in announcements {
            self.summary.announcements += 1;
            announcement.stamp(self.next_stamp(announcement.time));
            (self.output.announcement)(&announcement)?;
        }
        Ok(())
    }

    fn measured(&mut self, measurements: Vec<Measurement>) -> std::io::Result<()> {
        for mut measurement in measurements {
            self.summary.measurements += 1;
            measurement.stamp(self.next_stamp(measurement.time));
            (self.output.measurement)(&measurement)?;
        }
        Ok(())
    }

    fn next_stamp(&self, recorded_at: UtcMillis) -> Stamp {
        let Summary { events, measurements, announcements, .. } = self.summary;
        let sequence = Sequence(events + measurements + announcements);
        Stamp { sequence, recorded_at, outbox_id: Uuid::nil() }
    }
}

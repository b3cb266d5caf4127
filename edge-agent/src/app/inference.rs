//! Inference: which models the site's cameras use, and the workers that run them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use analytics::{BBox, Detection};
use tokio::sync::mpsc;

use super::AppError;
use crate::camera::Analysed;
use crate::config::{Camera, Home, Site};
use crate::detect::gate::Gate;
use crate::detect::manifest::Model;
use crate::detect::ort::{Need, Provider, Runtime};
use crate::detect::scheduler::{Job, Scheduler};
use crate::detect::{DetectError, Detector, Spares};
use crate::frame::{Frame, Picture, Turn};
use crate::ladder::CameraRung;
use crate::privacy::{Finder, Privacy, Redaction};
use crate::publish::wire::ModelRef;
use crate::setup::{self, SetupError};
use crate::source::Stillness;
use crate::status::CameraCounters;
use crate::status::pulse::{Beat, Pulse};

/// One model, opened once a worker.
pub(super) struct Network {
    pub(super) index: usize,
    pub(super) model: Model,
    pub(super) provider: Provider,
    detectors: Vec<Box<dyn Detector>>,
    /// Looks at pictures before they are kept, where some are to be blurred.
    finder: Option<Finder>,
}

/// Every model that the site's cameras use.
pub(super) struct Networks(Vec<Network>);

impl Networks {
    /// Opens each model once, however many cameras use it.
    pub(super) fn open(site: &Site, home: &Home) -> Result<Self, SetupError> {
        let runtime = setup::onnx_runtime(home, site.hw_profile.build())?;
        let mut networks: Vec<Network> = Vec::new();
        for camera in &site.cameras {
            if networks.iter().any(|network| network.model.manifest().name == camera.model) {
                continue;
            }
            let model = setup::load_model(home, &camera.model)?;
            networks.push(Network::open(&runtime, networks.len(), model, (site, home))?);
        }
        Ok(Self(networks))
    }

    /// The one of a camera.
    pub(super) fn of(&self, camera: &Camera) -> &Network {
        self.0
            .iter()
            .find(|network| network.model.manifest().name == camera.model)
            .expect("a network was opened for every camera's model")
    }

    /// What the box's birth and health say of them.
    pub(super) fn models(&self) -> Vec<ModelRef> {
        self.0.iter().map(|network| setup::model_ref(&network.model, network.provider)).collect()
    }

    /// Whether some network runs on another provider than the first one named.
    pub(super) fn fallback(&self, site: &Site) -> bool {
        let asked = site.hw_profile.providers.first().map(|choice| choice.provider);
        self.0.iter().any(|network| Some(network.provider) != asked)
    }
}

impl Network {
    fn open(runtime: &Runtime, index: usize, model: Model, (site, home): (&Site, &Home)) -> Result<Self, SetupError> {
        let profile = &site.hw_profile;
        let (first, provider) = setup::detector(runtime, &model, profile, home)?;
        let mut detectors = vec![first];
        for _ in 1..profile.workers {
            detectors.push(setup::detector(runtime, &model, profile, home)?.0);
        }
        let required = profile.providers.iter().any(|choice| choice.need == Need::Required);
        tracing::info!(model = model.manifest().name, %provider, required, workers = profile.workers, "model opened");
        // Also for cameras that photograph no incidents: the centre may ask for a picture.
        let is_for = |camera: &&Camera| camera.model == model.manifest().name;
        let blurs = site.cameras.iter().filter(is_for).any(|camera| camera.privacy == Privacy::Blur);
        let open = || Finder::open(runtime, &model, None);
        let finder = blurs.then(open).and_then(|opened| {
            opened.inspect_err(|error| tracing::error!(%error, "pictures cannot be blurred: none will be kept")).ok()
        });
        Ok(Self { index, model, provider, detectors, finder })
    }

    /// What is done to a camera's pictures before they are kept or shown.
    pub(super) fn redaction(&self, camera: &Camera) -> Redaction {
        let finder = || self.finder.as_ref().map(|finder| finder.in_regions(setup::regions(camera, &self.model)));
        match camera.privacy {
            Privacy::Blur => Redaction::Blurred(finder()),
            Privacy::None => Redaction::AsDecoded,
        }
    }
}

/// A camera as an inference worker sees it.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) network: usize,
    pub(super) full: Looking,
    /// Fewer parts, where there are, for when the ladder says so.
    pub(super) smaller: Option<Looking>,
    pub(super) ladder: CameraRung,
    pub(super) found: mpsc::Sender<Analysed>,
    pub(super) spares: Arc<Spares>,
    pub(super) counters: Arc<CameraCounters>,
}

impl Lane {
    /// What the model looks at now.
    fn looking(&self) -> &Looking {
        looking(&self.full, self.smaller.as_ref(), &self.ladder)
    }

    /// Who knows whether something moves.
    pub(super) fn watch(&self) -> Watch {
        Watch { full: self.full.clone(), smaller: self.smaller.clone(), ladder: self.ladder.clone() }
    }
}

fn looking<'a>(full: &'a Looking, smaller: Option<&'a Looking>, ladder: &CameraRung) -> &'a Looking {
    let is_smaller = ladder.rung().is_some_and(|rung| rung.smaller_input);
    smaller.filter(|_| is_smaller).unwrap_or(full)
}

/// What a camera's motion gates know of movement.
#[derive(Debug)]
pub(super) struct Watch {
    full: Looking,
    smaller: Option<Looking>,
    ladder: CameraRung,
}

impl Watch {
    fn gate(&self) -> Option<&WatchedGate> {
        looking(&self.full, self.smaller.as_ref(), &self.ladder).gate.as_deref()
    }
}

impl Stillness for Watch {
    fn still_for(&self) -> Duration {
        self.gate().map_or(Duration::ZERO, |gate| Duration::from_millis(gate.still_for_ms.load(Ordering::Relaxed)))
    }

    fn is_still(&self, picture: &Picture) -> bool {
        self.gate().is_some_and(|gate| gate.gate.lock().unwrap_or_else(PoisonError::into_inner).is_still(picture))
    }
}

/// The parts of a camera's pictures that its model looks at.
#[derive(Debug, Clone)]
pub(super) struct Looking {
    regions: Vec<BBox>,
    /// Their motion gate; `None`: all of every frame is inferred.
    gate: Option<Arc<WatchedGate>>,
}

/// A motion gate; hardly ever contended: one frame of a camera is under way, and its source asks about key frames alone.
#[derive(Debug)]
struct WatchedGate {
    gate: Mutex<Gate>,
    /// As the gate says, of the last frame.
    still_for_ms: AtomicU64,
}

impl Looking {
    pub(super) fn new(regions: Vec<BBox>, gate: impl Fn(&[BBox]) -> Option<Gate>) -> Self {
        let gate = gate(&regions)
            .map(|gate| Arc::new(WatchedGate { gate: Mutex::new(gate), still_for_ms: AtomicU64::new(0) }));
        Self { regions, gate }
    }

    /// Detects in what of the frame is worth it; how many regions were inferred. `found` is scratch.
    fn detect(
        &self,
        detector: &mut dyn Detector,
        frame: &Frame,
        found: &mut Vec<Vec<Detection>>,
        detections: &mut Vec<Detection>,
    ) -> Result<usize, DetectError> {
        let Some(WatchedGate { gate, still_for_ms }) = self.gate.as_deref() else {
            detector.detect(&frame.picture, &self.regions, detections)?;
            return Ok(self.regions.len());
        };
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        if frame.turn == Turn::Repeat {
            gate.repeat();
        }
        let looks = gate.detect(detector, &frame.picture, frame.stamp.pts, found, detections);
        let still_for = u64::try_from(gate.still_for().as_millis()).unwrap_or(u64::MAX);
        still_for_ms.store(still_for, Ordering::Relaxed);
        looks
    }

    /// A frame was not analysed.
    fn forget(&self) {
        if let Some(WatchedGate { gate, still_for_ms }) = self.gate.as_deref() {
            gate.lock().unwrap_or_else(PoisonError::into_inner).forget();
            still_for_ms.store(0, Ordering::Relaxed);
        }
    }
}

/// Starts the workers: each opens every model once, and serves every camera.
pub(super) fn start_workers(
    networks: Networks,
    lanes: Vec<Lane>,
    scheduler: &Arc<Scheduler>,
    loops: &mut Vec<(String, Beat)>,
) -> Result<Vec<std::thread::JoinHandle<()>>, AppError> {
    let workers = networks.0.first().map_or(0, |network| network.detectors.len());
    let mut shares: Vec<Vec<Box<dyn Detector>>> = (0..workers).map(|_| Vec::new()).collect();
    for network in networks.0 {
        shares.iter_mut().zip(network.detectors).for_each(|(share, detector)| share.push(detector));
    }
    let mut start = |(index, share): (usize, Vec<Box<dyn Detector>>)| {
        let (scheduler, lanes) = (Arc::clone(scheduler), lanes.clone());
        let (pulse, beat) = Pulse::new();
        loops.push((format!("infer-{index}"), beat));
        let thread = std::thread::Builder::new().name(format!("infer-{index}"));
        Ok(thread.spawn(move || infer(&scheduler, &lanes, share, &pulse))?)
    };
    shares.into_iter().enumerate().map(&mut start).collect()
}

/// An inference worker: takes the frame that is due, detects, hands over; never judges, never waits for a disk.
fn infer(scheduler: &Scheduler, lanes: &[Lane], mut detectors: Vec<Box<dyn Detector>>, pulse: &Pulse) {
    let mut found = Vec::new();
    while let Some(Job { lane: index, frame }) = scheduler.next() {
        pulse.works();
        let lane = &lanes[index];
        let looking = lane.looking();
        let detector = &mut detectors[lane.network];
        let mut detections = lane.spares.take();
        let detected =
            catch_unwind(AssertUnwindSafe(|| looking.detect(detector.as_mut(), &frame, &mut found, &mut detections)));
        let failure = match detected {
            Ok(Ok(looks)) => {
                lane.counters.looked(looks);
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("inference panicked".to_owned()),
        };
        if let Some(failure) = failure {
            looking.forget();
            lane.counters.failed();
            tracing::error!(camera = %frame.stamp.camera, failure, "frame not analysed");
            scheduler.done(index);
            pulse.waits();
            continue;
        }
        let Frame { stamp, arrived_at, camera_ahead_s, held_for, turn, picture } = frame;
        let repeats = turn == Turn::Repeat;
        let analysed = Analysed { stamp, arrived_at, camera_ahead_s, held_for, repeats, picture, detections };
        if lane.found.try_send(analysed).is_err() {
            // The camera's task is gone: the program ends.
            scheduler.done(index);
        }
        pulse.waits();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use analytics::{CameraId, Class, Confidence, FrameStamp, MediaTime, WallTime};

    use super::*;
    use crate::detect::gate::{GateParams, SAMPLES};
    use crate::detect::scheduler::LaneParams;
    use crate::frame::{
        Colorimetry, FrameSignal, FrameSlot, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range,
    };

    /// Says when it is at work, and goes on when it may.
    struct Blocking {
        entered: std::sync::mpsc::SyncSender<()>,
        released: std::sync::mpsc::Receiver<()>,
    }

    impl Detector for Blocking {
        fn detect(&mut self, _: &Picture, _: &[BBox], _: &mut Vec<Detection>) -> Result<(), DetectError> {
            self.entered.send(()).expect("the test waits");
            self.released.recv().expect("the test releases");
            Ok(())
        }
    }

    /// Sees one thing at each look, but fails at the fourth.
    #[derive(Default)]
    struct Fourth(Arc<AtomicUsize>);

    impl Detector for Fourth {
        fn detect(&mut self, _: &Picture, _: &[BBox], found: &mut Vec<Detection>) -> Result<(), DetectError> {
            if self.0.fetch_add(1, Ordering::Relaxed) == 3 {
                return Err(DetectError::NotANumber { output: "boxes".into() });
            }
            let confidence = Confidence::new(0.9).expect("a confidence");
            *found = vec![Detection { bbox: whole(), class: Class::Car, confidence }];
            Ok(())
        }
    }

    fn whole() -> BBox {
        BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box")
    }

    fn frame() -> Frame {
        frame_of(0)
    }

    fn frame_of(luma: u8) -> Frame {
        let layout = PictureLayout {
            width: 2,
            height: 2,
            format: PixelFormat::I420,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
            planes: [(0, 2), (4, 1), (5, 1)].map(|(offset, stride)| PlaneLayout { offset, stride }),
        };
        let camera = CameraId::new("a").expect("valid");
        Frame {
            stamp: FrameStamp { camera, seq: 1, pts: MediaTime::ZERO, captured_at: WallTime::UNIX_EPOCH },
            arrived_at: Instant::now(),
            camera_ahead_s: None,
            held_for: Duration::ZERO,
            turn: Turn::Latest,
            picture: Arc::new(Picture::new(layout, Box::new(vec![luma; 6])).expect("fits")),
        }
    }

    #[test]
    fn a_worker_that_hangs_in_inference_is_missed_and_one_that_waits_for_frames_is_not() {
        let signal = Arc::new(FrameSignal::default());
        let slot = Arc::new(FrameSlot::new(Arc::clone(&signal)));
        let of_slot = LaneParams { slot: Arc::clone(&slot), fps: 5.0, priority: 1 };
        let scheduler = Scheduler::new(signal, vec![of_slot], Instant::now());
        let (found, mut analysed) = mpsc::channel(1);
        let lanes = [Lane {
            network: 0,
            full: Looking::new(Vec::new(), |_| None),
            smaller: None,
            ladder: CameraRung::example(),
            found,
            spares: Arc::default(),
            counters: Arc::default(),
        }];
        let (entered, enters) = std::sync::mpsc::sync_channel(0);
        let (release, released) = std::sync::mpsc::sync_channel(0);
        let detector: Box<dyn Detector> = Box::new(Blocking { entered, released });
        let (pulse, beat) = Pulse::new();
        std::thread::scope(|scope| {
            scope.spawn(|| infer(&scheduler, &lanes, vec![detector], &pulse));
            assert!(!beat.is_missing(Duration::ZERO), "no frame yet");
            slot.put(frame());
            enters.recv().expect("a frame is taken up");
            assert!(beat.is_missing(Duration::ZERO));
            assert!(!beat.is_missing(Duration::from_secs(3600)));
            release.send(()).expect("it waits");
            assert!(analysed.blocking_recv().is_some());
            scheduler.stop();
        });
        assert!(!beat.is_missing(Duration::ZERO), "it has gone on");
        drop(pulse);
        assert!(beat.is_missing(Duration::from_secs(3600)), "it has ended");
    }

    #[test]
    fn still_frames_are_analysed_without_inference_and_nothing_is_carried_over_a_failure() {
        let signal = Arc::new(FrameSignal::default());
        let slot = Arc::new(FrameSlot::new(Arc::clone(&signal)));
        let of_slot = LaneParams { slot: Arc::clone(&slot), fps: 1000.0, priority: 1 };
        let scheduler = Scheduler::new(signal, vec![of_slot], Instant::now());
        let (found, mut analysed) = mpsc::channel(1);
        let gate = |regions: &[BBox]| {
            let (regions, sweep) = (regions.to_vec(), Duration::from_secs(10));
            Some(Gate::new(GateParams { regions, input_px: 90_000, nms_iou: 0.5, sweep }))
        };
        let counters = Arc::new(CameraCounters::default());
        let lanes = [Lane {
            network: 0,
            full: Looking::new(vec![whole()], gate),
            smaller: None,
            ladder: CameraRung::example(),
            found,
            spares: Arc::default(),
            counters: Arc::clone(&counters),
        }];
        let (looks, pulse) = (Arc::new(AtomicUsize::new(0)), Pulse::new().0);
        let detector: Box<dyn Detector> = Box::new(Fourth(Arc::clone(&looks)));
        std::thread::scope(|scope| {
            scope.spawn(|| infer(&scheduler, &lanes, vec![detector], &pulse));
            let mut seen = || {
                let analysed = analysed.blocking_recv().expect("the worker lives");
                scheduler.done(0);
                analysed.detections.len()
            };
            for _ in 0..10 {
                slot.put(frame_of(0));
                assert_eq!(seen(), 1, "looked at or held, it stands there");
            }
            assert_eq!((looks.load(Ordering::Relaxed), counters.totals().held), (SAMPLES, 10 - SAMPLES as u64));
            slot.put(frame_of(200));
            while counters.totals().failures == 0 {
                std::thread::yield_now();
            }
            slot.put(frame_of(0));
            assert_eq!((seen(), looks.load(Ordering::Relaxed)), (1, SAMPLES + 2), "it is looked at anew");
            scheduler.stop();
        });
        assert_eq!(counters.totals().regions, SAMPLES as u64 + 1);
    }
}

//! Networks run by ONNX Runtime, loaded from its shared library at run time.
//!
//! # Invariants
//! - The execution provider that [`OrtDetector::provider`] names runs nodes of the network and has run it once. A
//!   *required* one that cannot is an error; a *preferred* one gives way to the next, in the log, at last to the CPU.
//! - The network's inputs and outputs are those of its manifest: checked when it is opened.
//!
//! # Failure
//! A library or network that is missing or wrong is an error, never a panic.
//!
//! # Ownership
//! The library is loaded once a process and stays. A detector has its own session, and belongs to one worker; its
//! threads do not spin, since spinning doubles the CPU time where workers outnumber cores.

mod assignment;
mod provider;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use analytics::{BBox, Confidence, Detection};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

pub use self::provider::{Build, Need, OpenVinoDevice, Precision, Provider, ProviderChoice, ProviderOptions};
use crate::detect::graph::{self, Misfit};
use crate::detect::head::{Head, MOST_OUTPUTS, TensorView};
use crate::detect::manifest::Model;
use crate::detect::regions::Merger;
use crate::detect::tensor::InputTensor;
use crate::detect::{DetectError, Detector, nms, words};
use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};

/// ONNX Runtime allows one environment a process, for ever, and gives no way to find it again.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// ONNX Runtime, loaded.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    path: PathBuf,
}

impl Runtime {
    /// Loads the library; loading the same one again gives the same.
    ///
    /// # Errors
    /// [`DetectError::Library`], and [`DetectError::LibraryConflict`] when another one is loaded already.
    pub fn load(path: &Path) -> Result<Self, DetectError> {
        let wrong = |problem: String| DetectError::Library { path: path.to_path_buf(), problem };
        let file = path.canonicalize().map_err(|error| wrong(error.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            if runtime.path == file {
                return Ok(runtime.clone());
            }
            return Err(DetectError::LibraryConflict { loaded: runtime.path.clone(), asked: file });
        }
        let environment = ort::init_from(&file)
            .map_err(|error| wrong(error.to_string()))?
            .with_name("edge-agent")
            // Only for what comes later: see `hardening::NO_TELEMETRY`.
            .with_telemetry(false)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        // Below this it tells of every allocation.
        environment.set_log_level(LogLevel::Warning);
        Ok(loaded.insert(Self { environment, path: file }).clone())
    }

    /// The library's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// How a network is run on this box.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionOptions {
    /// In the order of trying; the first that can be used is. None: the CPU.
    pub providers: Vec<ProviderChoice>,
    /// Where providers may keep what they compiled for this box; `None`: they compile at every start.
    pub cache: Option<PathBuf>,
    /// Threads of one run. More than one lowers the latency and costs CPU time: several detectors of one thread do more.
    pub intra_threads: usize,
    /// Detections below are dropped.
    pub confidence: Confidence,
    /// Of two boxes of one class that overlap more, the less confident is dropped.
    pub nms_iou: f32,
}

impl SessionOptions {
    /// One thread on the CPU, and the model's own thresholds.
    #[must_use]
    pub fn for_model(model: &Model) -> Self {
        let defaults = model.manifest().defaults;
        Self {
            providers: Vec::new(),
            cache: None,
            intra_threads: 1,
            confidence: Confidence::new(defaults.confidence).expect("Manifest::load checks it"),
            nms_iou: defaults.nms_iou,
        }
    }
}

/// A network in ONNX Runtime.
#[derive(Debug)]
pub struct OrtDetector {
    session: Session,
    provider: Provider,
    head: Head,
    input_name: String,
    input: InputTensor,
    merger: Merger,
    confidence: Confidence,
    nms_iou: f32,
}

impl OrtDetector {
    /// Opens the network with the first provider of the options that can be used, and runs it once.
    ///
    /// # Errors
    /// [`DetectError::Graph`] for a network that does not fit its manifest, [`DetectError::Provider`] for a required
    /// provider, else what ails the network itself.
    pub fn open(runtime: &Runtime, model: &Model, options: &SessionOptions) -> Result<Self, DetectError> {
        for choice in &options.providers {
            let provider = choice.provider;
            match (Self::open_with(choice, runtime, model, options), choice.need) {
                (Ok(detector), _) => return Ok(detector),
                // No provider's fault, and no other provider's cure.
                (Err(misfit @ DetectError::Graph { .. }), _) => return Err(misfit),
                (Err(problem), Need::Required) => {
                    return Err(DetectError::Provider { provider, problem: Box::new(problem) });
                }
                (Err(problem), Need::Preferred) => {
                    tracing::warn!(%provider, %problem, "preferred execution provider cannot be used; trying the next");
                }
            }
        }
        Self::open_with(&ProviderChoice::new(Provider::Cpu, Need::Required), runtime, model, options)
    }

    /// The execution provider that runs the network.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    fn open_with(
        choice: &ProviderChoice,
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<Self, DetectError> {
        let name = &model.manifest().name;
        let provider = choice.provider;
        let session = session(choice, runtime, model, options).map_err(|problem| DetectError::Session {
            model: name.clone(),
            weights: model.weights().to_path_buf(),
            problem,
        })?;
        let head = Head::new(model.manifest(), model.classes());
        check_graph(&session, model, &head)?;
        let nodes = assignment::nodes_by_provider(&session)?;
        tracing::info!(%provider, model = name, ?nodes, "network opened");
        if !nodes.iter().any(|(runtime_name, count)| runtime_name == provider.runtime_name() && *count > 0) {
            return Err(DetectError::ProviderIdle { provider, model: name.clone() });
        }
        let input = &model.manifest().input;
        let mut detector = Self {
            session,
            provider,
            head,
            input_name: input.name.clone(),
            input: InputTensor::new(input),
            merger: Merger::default(),
            confidence: options.confidence,
            nms_iou: options.nms_iou,
        };
        match detector.warm_up() {
            Ok(()) => Ok(detector),
            Err(error) => Err(misfit_of_run(error, &detector.session, model, &detector.head)),
        }
    }

    /// The first run is slow, and is where a provider's missing parts show.
    fn warm_up(&mut self) -> Result<(), DetectError> {
        let whole = BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box");
        self.detect(&grey_picture(), &[whole], &mut Vec::new())
    }

    fn look(&mut self, picture: &Picture, region: BBox, found: &mut Vec<Detection>) -> Result<(), DetectError> {
        let placement = self.input.fill(picture, region);
        let tensor = TensorRef::from_array_view((self.input.shape(), self.input.data()))?;
        let outputs = self.session.run(ort::inputs![self.input_name.as_str() => tensor])?;
        let mut views = [TensorView::default(); MOST_OUTPUTS];
        for (output, view) in self.head.outputs().iter().zip(&mut views) {
            let (shape, data) = outputs[output.name.as_str()].try_extract_tensor::<f32>()?;
            *view = TensorView { shape, data };
        }
        let views = &views[..self.head.outputs().len()];
        self.head.decode(views, &placement, self.confidence, found)?;
        if self.head.repeats_objects() {
            nms::suppress(found, self.nms_iou);
        }
        Ok(())
    }
}

impl Detector for OrtDetector {
    fn detect(
        &mut self,
        picture: &Picture,
        regions: &[BBox],
        detections: &mut Vec<Detection>,
    ) -> Result<(), DetectError> {
        detections.clear();
        if let [region] = regions {
            return self.look(picture, *region, detections);
        }
        self.merger.clear();
        for region in regions {
            detections.clear();
            self.look(picture, *region, detections)?;
            self.merger.add(*region, detections);
        }
        self.merger.merge(self.nms_iou, detections);
        Ok(())
    }
}

fn session(
    choice: &ProviderChoice,
    runtime: &Runtime,
    model: &Model,
    options: &SessionOptions,
) -> Result<Session, ort::Error> {
    Session::builder(&runtime.environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.intra_threads)?
        .with_intra_op_spinning(false)?
        .with_config_entry(assignment::RECORD, "1")?
        .with_execution_providers(choice.dispatches(options.intra_threads, options.cache.as_deref()))?
        .commit_from_file(model.weights())
}

/// The network's inputs and outputs against its manifest.
fn check_graph(session: &Session, model: &Model, head: &Head) -> Result<(), DetectError> {
    let outlets = |outlets: &[Outlet]| outlets.iter().map(describe).collect::<Vec<_>>();
    let misfits = graph::misfits(model.manifest(), head, &outlets(session.inputs()), &outlets(session.outputs()));
    if misfits.is_empty() { Ok(()) } else { Err(misfit_error(model, misfits)) }
}

fn misfit_error(model: &Model, misfits: Vec<Misfit>) -> DetectError {
    let (name, weights) = (model.manifest().name.clone(), model.weights().to_path_buf());
    DetectError::Graph { model: name, weights, misfits }
}

fn describe(outlet: &Outlet) -> graph::Outlet {
    let dims = match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Some(shape.to_vec()),
        _ => None,
    };
    graph::Outlet { name: outlet.name().to_owned(), kind: outlet.dtype().to_string(), dims }
}

/// What the first run found out about axes that the file leaves open.
fn misfit_of_run(error: DetectError, session: &Session, model: &Model, head: &Head) -> DetectError {
    let manifest = model.manifest();
    let (misfit, words) = match &error {
        DetectError::OutputShape { output, found, .. } => {
            let outlet = graph::Outlet { name: output.clone(), kind: "f32".to_owned(), dims: Some(found.clone()) };
            let expected = head.outputs().iter().find(|expected| expected.name == *output);
            (expected.and_then(|expected| graph::of_output(manifest, expected, &outlet)), String::new())
        }
        DetectError::Run(problem) => {
            let input = session.inputs().iter().map(describe).find(|input| input.name == manifest.input.name);
            let open = input.filter(|input| input.dims.as_ref().is_some_and(|dims| dims[2..].contains(&-1)));
            (open.map(|input| graph::refused_size(manifest, &input)), words(problem))
        }
        _ => (None, String::new()),
    };
    let Some(mut misfit) = misfit else { return error };
    if !words.is_empty() {
        misfit.cure = format!("{}; ONNX Runtime says: {words}", misfit.cure);
    }
    misfit_error(model, vec![misfit])
}

fn grey_picture() -> Picture {
    const SIDE: usize = 16;
    let layout = PictureLayout {
        width: SIDE as u32,
        height: SIDE as u32,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Full },
        planes: [PlaneLayout { offset: 0, stride: SIDE }; 3],
    };
    Picture::new(layout, Box::new([128u8; SIDE * SIDE])).expect("all planes fit in the first")
}

#[cfg(test)]
mod tests;

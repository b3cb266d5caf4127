//! From configuration to parts that run: models, detectors, cores, what events say of their camera. The service and the
//! replay are set up by the same functions, so that they judge alike.

use std::collections::BTreeMap;
use std::path::PathBuf;

use analytics::core::CoreParams;
use analytics::incident::IncidentParams;
use analytics::measure::MeasureParams;
use analytics::rules::RuleSpec;
use analytics::track::TrackerParams;
use analytics::{BBox, RuleId};

use crate::config::{
    Camera, Credentials, Home, HomeError, HwProfile, MotionGate, Name, SecretError, Site, Stream, TrackerOverrides,
};
use crate::decode::{self, VideoCodec};
use crate::detect::gate::{Gate, GateParams};
use crate::detect::manifest::{Manifest, Model, ModelError};
use crate::detect::ort::{Build, OrtDetector, Provider, Runtime, SessionOptions};
use crate::detect::{DetectError, Detector};
use crate::publish::wire::{
    self, Birth, BirthCamera, BirthRule, CameraLabel, CameraState, CameraStatus, EventContext, LocalText, ModelRef,
    Position, SignalData, SiteLabel, Software, UtcMillis,
};
use crate::publish::{BrokerParams, InvalidRoot, PublishHandle, TlsError, TlsParams, TopicRoot, Topics};
use crate::source::{self, HttpParams, LiveParams, RtspParams};
use crate::trust::{self, TrustError};

/// Why the parts cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A part of the installation is missing.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// There is no such model.
    #[error("there is no model \"{name}\" in {}\n    → choose one of: {}", models.display(), known.join(", "))]
    UnknownModel {
        /// Its name.
        name: String,
        /// Where models are.
        models: PathBuf,
        /// Those that are there.
        known: Vec<String>,
    },
    /// The model's files are not in order.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX Runtime or a session cannot be had.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The first level of the topics.
    #[error(transparent)]
    Root(#[from] InvalidRoot),
    /// A secret that the site refers to.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Certificates for the broker.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A model that is not signed, or keys that are not in order.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A credential that is not `user:password`.
    #[error(
        "the credential of camera {0} is not user:password\n    → write both on one line, with a colon between them"
    )]
    Credential(analytics::CameraId),
}

impl SetupError {
    /// Whether the site file, or what it refers to, is to blame.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Home(_)
            | Self::UnknownModel { .. }
            | Self::Root(_)
            | Self::Secret(_)
            | Self::Tls(_)
            | Self::Trust(_)
            | Self::Credential(_)
            | Self::Detect(DetectError::Graph { .. }) => true,
            Self::Model(error) => matches!(error, ModelError::Manifest(_)),
            Self::Detect(_) => false,
        }
    }
}

/// The names of the models there are: shipped ones and those of bundles.
pub fn model_names(home: &Home) -> Vec<String> {
    let folders = [home.models(), home.installed_models().to_owned()];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("model.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Reads a model's manifest and proves its files; where a key is installed, also that a model that did not come with the
/// program came from a signed bundle. Weights that a shipped manifest names by their digest are as trusted as that.
pub fn load_model(home: &Home, name: &str) -> Result<Model, SetupError> {
    if let Some(folder) = home.installed_model(name)
        && let Some(signer) = trust::model_signer(&folder, &home.keys()?)?
    {
        tracing::info!(model = name, key = signer.key, comment = signer.comment, "the model is signed");
    }
    Ok(manifest(home, name)?.verify(home.extra_models())?)
}

/// Reads a model's manifest; nothing is proved.
pub fn manifest(home: &Home, name: &str) -> Result<Manifest, SetupError> {
    let known = model_names(home);
    if !known.iter().any(|known| known == name) {
        return Err(SetupError::UnknownModel { name: name.to_owned(), models: home.models(), known });
    }
    let folder = home.installed_model(name).unwrap_or_else(|| home.models().join(name));
    Ok(Manifest::load(&folder)?)
}

/// Loads ONNX Runtime.
pub fn onnx_runtime(home: &Home, build: Build) -> Result<Runtime, SetupError> {
    Ok(Runtime::load(&home.onnxruntime(build)?)?)
}

/// Finds out which decoders work, before the first camera waits for it; says what of the profile's first choices does not.
pub fn try_decoders(profile: &HwProfile) {
    if decode::init().is_err() {
        // Every camera will say so.
        return;
    }
    for (codec, preferences) in [(VideoCodec::H264, &profile.h264), (VideoCodec::H265, &profile.h265)] {
        for (decoder, why) in decode::choose(codec, preferences).map(|choice| choice.passed_over).unwrap_or_default() {
            tracing::warn!(codec = codec.label(), decoder, %why, "preferred decoder cannot be used; taking the next");
        }
    }
}

/// Proves the model's files and, where there is a runtime, that the network fits its manifest and runs: on the CPU, which
/// every machine has.
///
/// # Errors
/// What [`detector`] would fail with, but for execution providers.
pub fn try_model(runtime: Option<&Runtime>, home: &Home, name: &str) -> Result<(), SetupError> {
    let model = load_model(home, name)?;
    runtime.map_or(Ok(()), |runtime| open_model(runtime, &model))
}

/// Proves that the network fits its manifest and runs, on the CPU.
///
/// # Errors
/// What opening a session gives.
pub fn open_model(runtime: &Runtime, model: &Model) -> Result<(), SetupError> {
    OrtDetector::open(runtime, model, &SessionOptions::for_model(model))?;
    Ok(())
}

/// Opens one session of the model, as the hardware profile says; with the provider that is really in use.
pub fn detector(
    runtime: &Runtime,
    model: &Model,
    profile: &HwProfile,
    home: &Home,
) -> Result<(Box<dyn Detector>, Provider), SetupError> {
    let compiles = profile.build() != Build::Cpu;
    // Without the folder, which the service can write to and who tries things out mostly cannot, nothing is kept.
    // In the state folder, where there is one: who tries a model as another user must not make it.
    let is_there = |folder: &PathBuf| std::fs::create_dir(folder).is_ok() || folder.is_dir();
    let cache = Some(home.engine_cache()).filter(|folder| compiles && is_there(folder));
    let options = SessionOptions {
        providers: profile.providers.clone(),
        cache,
        intra_threads: profile.threads,
        ..SessionOptions::for_model(model)
    };
    let detector = OrtDetector::open(runtime, model, &options)?;
    let provider = detector.provider();
    Ok((Box::new(detector), provider))
}

/// The regions a camera's model looks at: the camera's own, else the model's, else the whole picture.
#[must_use]
pub fn regions(camera: &Camera, model: &Model) -> Vec<BBox> {
    let whole = || BBox::new(0.0, 0.0, 1.0, 1.0).into_iter().collect();
    let of_model = || model.manifest().defaults.regions.map(|grid| grid.regions());
    camera.regions.clone().or_else(of_model).unwrap_or_else(whole)
}

/// A motion gate over these regions of a camera; `None`: all of every frame is inferred.
#[must_use]
pub fn gate(camera: &Camera, model: &Model, regions: &[BBox]) -> Option<Gate> {
    let MotionGate { sweep, .. } = camera.motion_gate?;
    let nms_iou = SessionOptions::for_model(model).nms_iou;
    let input = &model.manifest().input;
    Some(Gate::new(GateParams { regions: regions.to_vec(), input_px: input.width * input.height, nms_iou, sweep }))
}

/// The fewer regions it looks at when the box is overloaded; `None`: none are named, or they are no fewer.
#[must_use]
pub fn smaller_input(camera: &Camera, model: &Model) -> Option<Vec<BBox>> {
    camera.smaller_input.clone().filter(|smaller| smaller.len() < regions(camera, model).len())
}

/// How detections of a model become tracks. Confidences: the site's over the pipeline's over the model's.
#[must_use]
pub fn tracker_params(of_camera: TrackerOverrides, model: &Manifest) -> TrackerParams {
    let built_in = TrackerParams::default();
    let of_model = model.defaults;
    TrackerParams {
        high_confidence: of_camera.high_confidence.unwrap_or(of_model.high_confidence),
        low_confidence: of_camera.low_confidence.unwrap_or(of_model.confidence),
        new_confidence: of_camera.new_confidence.unwrap_or(of_model.new_confidence),
        confirm_after: of_camera.confirm_after.unwrap_or(built_in.confirm_after),
        lost_for: of_camera.lost_for.unwrap_or(built_in.lost_for),
    }
}

/// What a camera's core is made from.
#[must_use]
pub fn core_params(camera: &Camera, model: &Model, id_seed: u64) -> CoreParams {
    CoreParams {
        tracker: tracker_params(camera.tracker, model.manifest()),
        rules: camera.rules.clone(),
        incidents: IncidentParams::default(),
        ground: camera.places.ground.clone(),
        signals: camera.signals.lamps.iter().map(|signal| signal.id.clone()).collect(),
        id_seed,
    }
}

/// What a camera's measures are made from; `None`: nothing is measured.
#[must_use]
pub fn measure_params(camera: &Camera) -> Option<MeasureParams> {
    let spec = camera.measure.as_ref()?;
    Some(MeasureParams {
        camera: camera.id.clone(),
        interval: spec.interval,
        lines: spec.lines.clone(),
        lanes: spec.lanes.clone(),
        ground: camera.places.ground.clone(),
        longest_step: MeasureParams::longest_step(camera.analyse_fps),
        id_seed: 0,
    })
}

/// The model as messages name it.
#[must_use]
pub fn model_ref(model: &Model, provider: Provider) -> ModelRef {
    let manifest = model.manifest();
    ModelRef { name: manifest.name.clone(), sha256: manifest.sha256.clone(), provider: provider.label().into() }
}

/// The site's topics.
pub fn topics(site: &Site) -> Result<Topics, SetupError> {
    Ok(Topics::new(TopicRoot::new(&site.mqtt.root)?, site.id.clone(), site.box_id.clone()))
}

/// A name as messages hold it.
#[must_use]
pub fn local_text(name: &Name) -> LocalText {
    LocalText { vi: name.vi.clone().into(), en: name.en.clone().into() }
}

/// What is the same for every event of a camera.
pub fn event_context(
    site: &Site,
    camera: &Camera,
    model: &Model,
    provider: Provider,
) -> Result<EventContext, SetupError> {
    event_context_of(site, camera, model_ref(model, provider))
}

/// The same for a network that was opened elsewhere.
pub fn event_context_of(site: &Site, camera: &Camera, model: ModelRef) -> Result<EventContext, SetupError> {
    Ok(EventContext {
        source: topics(site)?.source(),
        camera: CameraLabel::new(&camera.id, local_text(&camera.name)),
        position: site.position.and_then(|position| Position::new(position.lon, position.lat)),
        config: site.digest.clone(),
        hw_profile: site.hw_profile.name.clone(),
        model,
        signals: rule_signals(camera),
    })
}

/// The signals that a camera's rules go by.
fn rule_signals(camera: &Camera) -> BTreeMap<RuleId, SignalData> {
    let of_rule = |rule: &RuleSpec| {
        let id = rule.params.signal()?;
        let topic = camera.signals.heard.iter().find(|signal| signal.id == *id).map(|signal| signal.topic.clone());
        let source = if topic.is_some() { "topic" } else { "lamps" };
        Some((rule.id.clone(), SignalData { id: id.to_string(), source: source.into(), topic }))
    };
    camera.rules.iter().filter_map(of_rule).collect()
}

/// How to reach what a camera's model looks at; reads its credential. `None`: nothing is named, `replay` only.
///
/// # Errors
/// A credential that cannot be read, or is not `user:password`.
pub fn detect_params(site: &Site, camera: &Camera) -> Result<Option<LiveParams>, SetupError> {
    if let Some(device) = &camera.device {
        return Ok(Some(LiveParams::Device(device.clone())));
    }
    let Some(stream) = &camera.detect else { return Ok(None) };
    Ok(Some(if stream.url.scheme() == "http" {
        LiveParams::Http(HttpParams { url: stream.url.clone(), credentials: credentials(camera, stream)? })
    } else {
        LiveParams::Rtsp(rtsp_params(site, camera, stream)?)
    }))
}

fn credentials(camera: &Camera, stream: &Stream) -> Result<Option<source::Credentials>, SetupError> {
    let Some(Credentials(reference)) = &stream.credentials else { return Ok(None) };
    let secret = reference.read()?;
    let (user, password) = secret.expose().split_once(':').ok_or_else(|| SetupError::Credential(camera.id.clone()))?;
    Ok(Some(source::Credentials { user: user.to_owned(), password: crate::secret::Secret::new(password) }))
}

/// How to reach a camera's RTSP stream; reads its credential.
///
/// # Errors
/// A credential that cannot be read, or is not `user:password`.
pub fn rtsp_params(site: &Site, camera: &Camera, stream: &Stream) -> Result<RtspParams, SetupError> {
    Ok(RtspParams {
        url: stream.url.clone(),
        credentials: credentials(camera, stream)?,
        transport: stream.transport,
        h264_decoders: site.hw_profile.h264.clone(),
        h265_decoders: site.hw_profile.h265.clone(),
    })
}

/// How to reach the broker; reads its credentials, and proves its certificates, which are read again for every connection.
pub fn broker(site: &Site) -> Result<BrokerParams, SetupError> {
    let mqtt = &site.mqtt;
    let is_tls = mqtt.url.scheme() == "mqtts";
    let host = mqtt.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = mqtt.url.port().unwrap_or(if is_tls { 8883 } else { 1883 });
    let mut params = BrokerParams { protocol: mqtt.protocol, ..BrokerParams::plain(host, port) };
    if let Some((user, password)) = &mqtt.login {
        params.credentials = Some((user.clone(), password.read()?));
    }
    if let Some(ca) = mqtt.ca.clone().filter(|_| is_tls) {
        let tls = TlsParams { ca, client: mqtt.identity.clone() };
        tls.load()?;
        params.tls = Some(tls);
    }
    Ok(params)
}

/// What the box says of itself; the publisher adds session, time and outbox.
#[must_use]
pub fn birth(site: &Site, models: &[ModelRef]) -> Birth {
    let camera = |camera: &Camera| BirthCamera {
        label: CameraLabel::new(&camera.id, local_text(&camera.name)),
        pipeline: camera.pipeline.name.clone(),
        rules: camera
            .rules
            .iter()
            .map(|rule| BirthRule {
                id: rule.id.to_string(),
                kind: rule.params.kind().wire_label().into(),
                severity: rule.severity.into(),
                switched_off: None,
            })
            .collect(),
        switched_off: None,
    };
    Birth {
        session: 0,
        time: UtcMillis::now(),
        site: SiteLabel { id: site.id.to_string(), name: local_text(&site.name) },
        box_id: site.box_id.to_string(),
        position: site.position.and_then(|position| Position::new(position.lon, position.lat)),
        timezone: site.timezone.iana_name().unwrap_or("UTC").to_owned(),
        software: Software { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() },
        config: site.digest.clone(),
        configuration: None,
        hw_profile: site.hw_profile.name.clone(),
        models: models.to_vec(),
        cameras: site.cameras.iter().map(camera).collect(),
        outbox_id: uuid::Uuid::nil(),
        transport: Some(site.mqtt.security().label().into()),
    }
}

/// Says of every camera that is in the file and off that it is disabled.
pub fn announce_disabled(site: &Site, topics: &Topics, publish: &PublishHandle) {
    for camera in &site.disabled {
        let status = CameraStatus {
            camera: camera.to_string(),
            state: CameraState::Disabled,
            reasons: vec!["configuration".into()],
            since: UtcMillis::now(),
            record: None,
            ladder: None,
            switched_off: None,
            disarmed: Vec::new(),
        };
        publish.set_retained(topics.camera_status(camera), wire::to_bytes(&status));
    }
}

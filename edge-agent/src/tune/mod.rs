//! What this box carries: each stage measured on it, the best setting chosen, a profile written.
//!
//! Stages alone: receiving and decoding through the service's own source ([`reception`]), inference flat out
//! ([`inference`]). Then everything at once, the service itself ([`whole`]): what the stages take under each other, and
//! what the rest takes. From these [`plan`] computes, and a second run of the service says how well.
//!
//! # Failure
//! What does not work on this box is left out and said; only a box on which nothing can be measured is an error.
//!
//! # Ownership
//! Cameras that play a clip, and each build of ONNX Runtime, run in processes of their own: CPU time is counted by
//! process, and a process loads one build. All are gone when the measurement is.

mod inference;
#[cfg(feature = "demo")]
mod loopback;
pub mod plan;
mod reception;
mod report;
#[cfg(feature = "demo")]
mod site;
mod usage;
mod whole;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

pub use self::inference::measure_build;
#[cfg(feature = "demo")]
pub use self::loopback::{Show, serve};
use self::plan::{Contention, DecodeCost, InferCost, Objective, Plan};
pub use self::report::Report;
use self::whole::Scratch;
pub use self::whole::Whole;
use crate::app::AppError;
use crate::config::{ConfigErrors, Home, HwProfile, Site};
use crate::decode::{self, VideoCodec};
use crate::detect::ort::{Build, Need, Provider, ProviderChoice};
use crate::setup::{self, SetupError};
use crate::source::SourceError;
#[cfg(feature = "demo")]
use crate::source::{LiveParams, RtspParams};

/// Most cameras of the runs that measure the whole: more take memory and show nothing new.
const MOST_CAMERAS: u32 = 16;
/// The same for a quick look.
const QUICK_CAMERAS: u32 = 4;

/// Cameras of a site whose streams are measured one by one.
const MOST_STREAMS: usize = 4;

/// Sizes that every box is measured with, beside the one asked for.
#[cfg(feature = "demo")]
const SIZES: [(u32, u32); 3] = [(640, 360), (1280, 720), (1920, 1080)];

/// Why nothing can be said of this box.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The site that was made for the measurement, or its models, are not in order.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A part of the installation is missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The service does not start.
    #[error(transparent)]
    App(#[from] AppError),
    /// A camera or a clip gives nothing.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The loopback cameras.
    #[cfg(feature = "demo")]
    #[error(transparent)]
    Server(#[from] crate::demo::rtsp::RtspServerError),
    /// A process of this program's own ended badly.
    #[error("{what} ended: {reason}")]
    Child {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A file or folder.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A clip of one frame.
    #[error("{}: too short to measure with\n    → name a clip of ten seconds or more", clip.display())]
    ShortClip {
        /// The clip.
        clip: PathBuf,
    },
    /// Nothing to decode.
    #[error(
        "there is neither a camera nor a clip to measure decoding with\n    → name the site file (its cameras are used), or a \
         clip with --clip"
    )]
    NoStream,
    /// No camera gave frames that were analysed.
    #[error("no frame was analysed in time\n    → edge-agent doctor says which camera or model does not work")]
    NoFrames,
    /// No model can be run.
    #[error("no model could be run\n    → edge-agent doctor says why; edge-agent models pull fetches weights")]
    NoModel,
    /// Energy is asked for where it cannot be had.
    #[error(
        "this box does not tell how much energy it takes: no counter below /sys/class/powercap can be read\n    → run it as \
         root, or without --least-energy"
    )]
    NoEnergy,
}

/// What is to be measured, and what for.
#[derive(Debug, Clone)]
pub struct Params {
    /// What is wanted.
    pub objective: Objective,
    /// The stream's codec, unless a site says.
    pub codec: VideoCodec,
    /// Its size.
    pub size: (u32, u32),
    /// A clip for the cameras to show, or to decode.
    pub clip: Option<PathBuf>,
    /// Short windows and this size alone: a look, not a measurement.
    pub quick: bool,
    /// Where decoders are named, and what the written profile takes over.
    pub base: HwProfile,
}

impl Params {
    /// Of the runs that measure the whole.
    fn most_cameras(&self) -> u32 {
        if self.quick { QUICK_CAMERAS } else { MOST_CAMERAS }
    }

    /// How long one thing is looked at.
    fn window(&self, full_s: f64) -> Duration {
        Duration::from_secs_f64(if self.quick { full_s / 6.0 } else { full_s })
    }
}

/// Measures and plans; `site` is the one whose cameras are used. `tell` is told what is being done.
///
/// # Errors
/// [`TuneError`]
pub async fn run(
    params: &Params,
    site: Option<Site>,
    home: &Home,
    tell: &mut dyn FnMut(String),
) -> Result<Report, TuneError> {
    decode::init().map_err(SourceError::from)?;
    if params.objective.least_energy && usage::Usage::now().joules().is_none() {
        return Err(TuneError::NoEnergy);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let mut report = Report::new(params, cores);
    report.decode = match &site {
        Some(site) => of_site(site, params, tell).await?,
        None => of_clip(params, home, tell).await?,
    };
    let stream = report.stream().ok_or(TuneError::NoStream)?.clone();
    report.infer = infer(params, stream.size, home, tell)?;
    let plan = |contention, settings: &[InferCost]| plan::best(cores, &stream, settings, contention, &params.objective);
    report.plan = plan(Contention::UNKNOWN, &report.infer);
    let Some(first) = report.plan.clone() else { return Ok(report) };
    let runs = Runs::start(params, site, home, &stream)?;
    let Some(runs) = runs else { return Ok(report) };

    let cameras = (first.cameras * 3 / 5).clamp(1, params.most_cameras());
    tell(format!("everything at once, {}", counted(runs.cameras(cameras))));
    let whole = runs.run(&first, cameras, params.window(12.0)).await?;
    report.contention = contention(&whole, &stream, &first.infer);
    report.contention_measured = true;
    report.plan = plan(report.contention, &report.infer);
    if let Some(chosen) = report.plan.clone().filter(|chosen| chosen.cameras > 0) {
        let cameras = chosen.cameras.min(params.most_cameras());
        tell(format!("the plan put to the test, {}", counted(runs.cameras(cameras))));
        let whole = runs.run(&chosen, cameras, params.window(12.0)).await?;
        report.predicted_cores = Some(chosen.cores(whole.cameras));
        report.whole = Some(whole);
    }
    Ok(report)
}

fn counted(cameras: u32) -> String {
    if cameras == 1 { "1 camera".to_owned() } else { format!("{cameras} cameras") }
}

/// What the stages took together, over what they took alone.
fn contention(whole: &Whole, decode: &DecodeCost, infer: &InferCost) -> Contention {
    Contention { decode: whole.decode_ms / decode.cpu_ms, infer: whole.infer_ms / infer.cpu_ms, rest_ms: whole.rest_ms }
}

/// Each of the site's first streams.
async fn of_site(site: &Site, params: &Params, tell: &mut dyn FnMut(String)) -> Result<Vec<DecodeCost>, TuneError> {
    let mut costs = Vec::new();
    for camera in site.cameras.iter().take(MOST_STREAMS) {
        tell(format!("camera {}", camera.id));
        if let Some(stream) = setup::detect_params(site, camera)? {
            costs.push(reception::measure(stream, params.window(5.0)).await?);
        }
    }
    Ok(costs)
}

/// Loopback cameras, or the clip alone where the program has none.
#[cfg(feature = "demo")]
async fn of_clip(params: &Params, home: &Home, tell: &mut dyn FnMut(String)) -> Result<Vec<DecodeCost>, TuneError> {
    let Some(clip) = loopback_clip(params, home) else { return decoded(params, tell) };
    let asked = (params.codec, params.size);
    let mut streams = vec![asked];
    for codec in VideoCodec::ALL.into_iter().filter(|codec| !params.quick && encodes(*codec)) {
        streams.extend(SIZES.into_iter().map(|size| (codec, size)).filter(|stream| *stream != asked));
    }
    let mut costs = Vec::new();
    for (codec, size) in streams {
        let decoders = decoders(&params.base, codec);
        // Every decoder once, with the stream that is asked for.
        let tried = if costs.is_empty() && !params.quick { decoders.len() } else { 1 };
        tell(format!("{} of {}x{}: encoding a clip", codec.label(), size.0, size.1));
        let cameras = loopback::Cameras::start(&Show { clip: clip.clone(), codec, size })?;
        for decoder in decoders.into_iter().take(tried) {
            tell(format!("{} of {}x{} with {decoder}", codec.label(), size.0, size.1));
            let stream = received_by(cameras.url().clone(), codec, decoder);
            costs.push(reception::measure(stream, params.window(5.0)).await?);
        }
    }
    Ok(costs)
}

#[cfg(not(feature = "demo"))]
async fn of_clip(params: &Params, _: &Home, tell: &mut dyn FnMut(String)) -> Result<Vec<DecodeCost>, TuneError> {
    decoded(params, tell)
}

#[cfg(feature = "demo")]
fn encodes(codec: VideoCodec) -> bool {
    let encoder = match codec {
        VideoCodec::H264 => "x264enc",
        VideoCodec::H265 => "x265enc",
    };
    decode::first_available(&[encoder.to_owned()]).is_ok()
}

/// The clip itself, where nothing can play it as a camera does.
fn decoded(params: &Params, tell: &mut dyn FnMut(String)) -> Result<Vec<DecodeCost>, TuneError> {
    let clip = params.clip.as_ref().ok_or(TuneError::NoStream)?;
    tell(format!("decoding {}", clip.display()));
    Ok(vec![reception::of_clip(clip)?])
}

/// The clip that loopback cameras show: the one named, else the demonstration's; `None` where none can be encoded.
#[cfg(feature = "demo")]
fn loopback_clip(params: &Params, home: &Home) -> Option<PathBuf> {
    let clip = params.clip.clone().unwrap_or_else(|| home.root().join(".cache/clips/vtest.avi"));
    (clip.is_file() && encodes(params.codec)).then_some(clip)
}

/// Of the profile's decoders those that work, in its order.
fn decoders(profile: &HwProfile, codec: VideoCodec) -> Vec<String> {
    let preferences = match codec {
        VideoCodec::H264 => &profile.h264,
        VideoCodec::H265 => &profile.h265,
    };
    let works = |element: &&String| decode::try_decoder(codec, element).is_ok();
    preferences.iter().filter(works).cloned().collect()
}

#[cfg(feature = "demo")]
fn received_by(url: url::Url, codec: VideoCodec, decoder: String) -> LiveParams {
    let params = RtspParams::new(url);
    LiveParams::Rtsp(match codec {
        VideoCodec::H264 => RtspParams { h264_decoders: vec![decoder], ..params },
        VideoCodec::H265 => RtspParams { h265_decoders: vec![decoder], ..params },
    })
}

/// Every build of ONNX Runtime that is here, each in a process of its own.
fn infer(
    params: &Params,
    (width, height): (u32, u32),
    home: &Home,
    tell: &mut dyn FnMut(String),
) -> Result<Vec<InferCost>, TuneError> {
    let failed = |reason: String| TuneError::Child { what: "the process that infers", reason };
    let mut costs: Vec<InferCost> = Vec::new();
    for build in Build::ALL.into_iter().filter(|build| *build == Build::Cpu || home.onnxruntime_of(*build).is_some()) {
        tell(format!("inference, ONNX Runtime for {}", build.label()));
        let (size, window) = (format!("{width}x{height}"), params.window(1.5));
        let mut command = this_program()?;
        home.extra_models().iter().for_each(|folder| {
            command.arg("--models-dir").arg(folder);
        });
        command.args(["--measure-build", build.label(), "--size", &size]);
        command.args(["--window", &format!("{}ms", window.as_millis())]);
        let child = command.env("NGATU_HOME", home.root()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failed(error.to_string()))?;
        let out = child.stdout.take().expect("it is piped");
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let cost: InferCost = serde_json::from_str(&line).map_err(|error| failed(error.to_string()))?;
            tell(format!("{} by {}, {} × {}", cost.model, cost.provider.words(), cost.workers, cost.threads));
            costs.push(cost);
        }
        // One build that cannot be loaded takes nothing from the others.
        let _ = child.wait();
    }
    if costs.is_empty() { Err(TuneError::NoModel) } else { Ok(costs) }
}

/// This program again, at the same command.
fn this_program() -> Result<Command, TuneError> {
    let program = std::env::current_exe().map_err(|error| TuneError::Io { path: "/proc/self/exe".into(), error })?;
    let mut command = Command::new(program);
    command.arg("tune");
    Ok(command)
}

/// The profile that a plan amounts to.
fn profile(base: &HwProfile, infer: &InferCost) -> HwProfile {
    let on_processor = infer.provider.provider == Provider::Cpu;
    let chosen = ProviderChoice { need: if on_processor { Need::Required } else { Need::Preferred }, ..infer.provider };
    let cpu = (!on_processor).then_some(ProviderChoice::new(Provider::Cpu, Need::Preferred));
    HwProfile {
        providers: std::iter::once(chosen).chain(cpu).collect(),
        workers: infer.workers,
        threads: infer.threads,
        ..base.clone()
    }
}

/// Everything at once, as often as it takes.
struct Runs<'a> {
    site: Option<Site>,
    scratch: Scratch,
    home: &'a Home,
    params: &'a Params,
    #[cfg(feature = "demo")]
    cameras: Option<loopback::Cameras>,
}

impl<'a> Runs<'a> {
    /// `None`: there are no cameras to run it with.
    fn start(
        params: &'a Params,
        site: Option<Site>,
        home: &'a Home,
        stream: &DecodeCost,
    ) -> Result<Option<Self>, TuneError> {
        let scratch = Scratch::new()?;
        #[cfg(feature = "demo")]
        {
            let clip = loopback_clip(params, home).filter(|_| site.is_none());
            let show = clip.map(|clip| Show { clip, codec: params.codec, size: stream.size });
            let cameras = show.map(|show| loopback::Cameras::start(&show)).transpose()?;
            Ok((site.is_some() || cameras.is_some()).then_some(Self { site, scratch, home, params, cameras }))
        }
        #[cfg(not(feature = "demo"))]
        {
            let _ = stream;
            Ok(site.is_some().then_some(Self { site, scratch, home, params }))
        }
    }

    /// A site has the cameras that it has.
    fn cameras(&self, asked: u32) -> u32 {
        self.site.as_ref().map_or(asked, |site| u32::try_from(site.cameras.len()).unwrap_or(u32::MAX))
    }

    async fn run(&self, plan: &Plan, cameras: u32, window: Duration) -> Result<Whole, TuneError> {
        let mut site = self.site(plan, cameras)?;
        site.hw_profile = profile(&site.hw_profile, &plan.infer);
        // Nothing is given up: what it takes is the question.
        site.hw_profile.ladder.enabled = false;
        whole::run(site, self.home, &self.scratch, window).await
    }

    /// Every camera as the plan has it, and without a motion gate: planned is for pictures in which everything moves.
    fn site(&self, plan: &Plan, cameras: u32) -> Result<Site, TuneError> {
        let mut site = match &self.site {
            Some(site) => site.clone(),
            #[cfg(feature = "demo")]
            None => {
                let url = self.cameras.as_ref().map(loopback::Cameras::url).ok_or(TuneError::NoStream)?;
                site::of_loopback(self.scratch.path(), self.home, (url, cameras))?
            }
            // However many cameras: there is no server to stand in for them.
            #[cfg(not(feature = "demo"))]
            None => {
                let _ = cameras;
                return Err(TuneError::NoStream);
            }
        };
        for camera in &mut site.cameras {
            camera.model.clone_from(&plan.infer.model);
            camera.analyse_fps = self.params.objective.analyse_fps;
            camera.motion_gate = None;
        }
        Ok(site)
    }
}

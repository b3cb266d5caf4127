//! What analysing a frame costs: each model at hand, each provider of one build of ONNX Runtime, each sensible number of
//! workers and threads, flat out.
//!
//! One process loads one build: `edge-agent tune` runs itself once for each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use analytics::{BBox, Detection};

use super::TuneError;
use super::plan::InferCost;
use super::usage::{Usage, thread_waited_s};
use crate::config::Home;
use crate::detect::manifest::Model;
use crate::detect::ort::{
    Build, Need, OpenVinoDevice, OrtDetector, Precision, Provider, ProviderChoice, ProviderOptions, Runtime,
    SessionOptions,
};
use crate::detect::tensor::InputTensor;
use crate::detect::{DetectError, Detector};
use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
use crate::setup;

/// Measures every setting of this build; each is given to `tell` as it is measured. Nothing else may run in this process.
///
/// # Errors
/// ONNX Runtime cannot be loaded. A provider that does not work here is left out.
pub fn measure_build(
    home: &Home,
    build: Build,
    size: (u32, u32),
    window: Duration,
    mut tell: impl FnMut(InferCost),
) -> Result<(), TuneError> {
    let runtime = setup::onnx_runtime(home, build)?;
    let picture = busy_picture(size);
    for model in models(home) {
        for provider in providers(build) {
            for (workers, threads) in settings(provider) {
                match measure(&runtime, &model, &picture, provider, (workers, threads), window) {
                    Ok(cost) => tell(cost),
                    Err(error) => {
                        tracing::info!(provider = provider.words(), %error, "not measured");
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The models whose weights are here, of those with the same weights the first.
fn models(home: &Home) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    for name in setup::model_names(home) {
        if let Ok(model) = setup::load_model(home, &name)
            && !models.iter().any(|known| known.manifest().sha256 == model.manifest().sha256)
        {
            models.push(model);
        }
    }
    models
}

/// What this build can be told, beyond what the others have too.
fn providers(build: Build) -> Vec<ProviderChoice> {
    let with = |provider, options| ProviderChoice { provider, need: Need::Required, options };
    let on = |device, precision| ProviderOptions { device: Some(device), precision, memory_bytes: None };
    let half = Some(Precision::Fp16);
    match build {
        Build::Cpu => vec![ProviderChoice::new(Provider::Cpu, Need::Required)],
        Build::OpenVino => vec![
            with(Provider::OpenVino, on(OpenVinoDevice::Cpu, None)),
            with(Provider::OpenVino, on(OpenVinoDevice::Gpu, half)),
            with(Provider::OpenVino, on(OpenVinoDevice::Npu, half)),
        ],
        Build::Gpu => vec![
            ProviderChoice::new(Provider::Cuda, Need::Required),
            with(Provider::TensorRt, ProviderOptions { precision: half, ..ProviderOptions::default() }),
        ],
    }
}

/// Workers and threads to try: on the processor one, one less than the cores, and one a core; and one worker on all cores,
/// which answers soonest. An accelerator is kept busy by two.
fn settings(provider: ProviderChoice) -> Vec<(usize, usize)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let on_processor = provider.provider == Provider::Cpu || provider.options.device == Some(OpenVinoDevice::Cpu);
    let mut settings =
        if on_processor { vec![(1, 1), (cores - 1, 1), (cores, 1), (1, cores)] } else { vec![(1, 1), (2, 1)] };
    settings.retain(|(workers, _)| *workers > 0);
    settings.sort_unstable();
    settings.dedup();
    settings
}

fn measure(
    runtime: &Runtime,
    model: &Model,
    picture: &Picture,
    provider: ProviderChoice,
    (workers, threads): (usize, usize),
    window: Duration,
) -> Result<InferCost, DetectError> {
    let options =
        SessionOptions { providers: vec![provider], intra_threads: threads, ..SessionOptions::for_model(model) };
    let detectors: Result<Vec<_>, _> = (0..workers).map(|_| OrtDetector::open(runtime, model, &options)).collect();
    let mut detectors = detectors?;
    let regions = regions(model);
    let prep_ms = prep_ms(model, picture, &regions);
    // A run or two each, so that memory is there and the clock is up.
    flat_out(&mut detectors, picture, &regions, window / 8)?;
    let usage = Usage::now();
    let (frames, fps) = flat_out(&mut detectors, picture, &regions, window)?;
    let cpu_s = usage.cpu_s();
    let manifest = model.manifest();
    Ok(InferCost {
        model: manifest.name.clone(),
        accuracy: manifest.accuracy.as_ref().map(|accuracy| f64::from(accuracy.ap50)),
        provider,
        workers,
        threads,
        cpu_ms: cpu_s * 1e3 / frames,
        prep_ms,
        fps,
        joules: usage.joules().map(|joules| joules / frames),
    })
}

/// The regions that a camera of this model looks at, unless its site says otherwise.
fn regions(model: &Model) -> Vec<BBox> {
    let whole = || BBox::new(0.0, 0.0, 1.0, 1.0).into_iter().collect();
    model.manifest().defaults.regions.map_or_else(whole, |grid| grid.regions())
}

/// Every detector in a thread of its own, without a pause; how many frames they managed together, and how many a second
/// they would manage had they not waited for a core: what else this box does is not theirs.
fn flat_out(
    detectors: &mut [OrtDetector],
    picture: &Picture,
    regions: &[BBox],
    window: Duration,
) -> Result<(f64, f64), DetectError> {
    let over = AtomicBool::new(false);
    let work = |detector: &mut OrtDetector| -> Result<(f64, f64), DetectError> {
        let (mut found, mut frames): (Vec<Detection>, u32) = (Vec::new(), 0);
        let (begun, waited_s) = (Instant::now(), thread_waited_s());
        loop {
            detector.detect(picture, regions, &mut found)?;
            frames += 1;
            if over.load(Ordering::Relaxed) {
                break;
            }
        }
        let at_work_s = begun.elapsed().as_secs_f64() - (thread_waited_s() - waited_s);
        Ok((f64::from(frames), f64::from(frames) / at_work_s))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = detectors.iter_mut().map(|detector| scope.spawn(|| work(detector))).collect();
        #[expect(clippy::disallowed_methods, reason = "nothing but time is waited for")]
        std::thread::sleep(window);
        over.store(true, Ordering::Relaxed);
        let done = workers.into_iter().map(|worker| worker.join().expect("detection does not panic"));
        let done: Result<Vec<_>, _> = done.collect();
        Ok(done?.into_iter().fold((0.0, 0.0), |sum, worker| (sum.0 + worker.0, sum.1 + worker.1)))
    })
}

/// CPU milliseconds that making the tensors of one frame takes.
fn prep_ms(model: &Model, picture: &Picture, regions: &[BBox]) -> f64 {
    const TIMES: u32 = 20;
    let mut input = InputTensor::new(&model.manifest().input);
    let mut fill = || {
        for region in regions {
            std::hint::black_box(input.fill(picture, *region));
        }
    };
    fill();
    let usage = Usage::now();
    (0..TIMES).for_each(|_| fill());
    usage.cpu_s() * 1e3 / f64::from(TIMES)
}

/// A picture with something in every pixel: SplitMix64's upper bits.
fn busy_picture((width, height): (u32, u32)) -> Picture {
    let (wide, high) = (width as usize, height as usize);
    let (half_wide, half_high) = (wide.div_ceil(2), high.div_ceil(2));
    let mut seed = 0_u64;
    let mut level = || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8
    };
    let (luma, chroma) = (wide * high, half_wide * half_high);
    let data: Vec<u8> = (0..luma + 2 * chroma).map(|_| level()).collect();
    let plane = |offset, stride| PlaneLayout { offset, stride };
    let layout = PictureLayout {
        width,
        height,
        format: PixelFormat::I420,
        colorimetry: Colorimetry { matrix: Matrix::Bt709, range: Range::Limited },
        planes: [plane(0, wide), plane(luma, half_wide), plane(luma + chroma, half_wide)],
    };
    Picture::new(layout, Box::new(data)).expect("all planes are there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_worker_and_a_thread_and_comes_once() {
        for provider in Build::ALL.into_iter().flat_map(providers) {
            let settings = settings(provider);
            assert!(
                settings.contains(&(1, 1)) && settings.iter().all(|(workers, threads)| *workers > 0 && *threads > 0)
            );
            assert!(settings.windows(2).all(|pair| pair[0] != pair[1]), "{settings:?}");
        }
    }

    #[test]
    fn pictures_of_odd_sizes_hold_together() {
        for size in [(640, 360), (641, 361), (1, 1)] {
            assert_eq!((busy_picture(size).width(), busy_picture(size).height()), size);
        }
    }
}

//! ONNX Runtime, its execution providers, the models; and which hardware profiles this box can be run with.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::decoders::{Decoders, decoders_of};
use super::{Check, Needs, Verdict};
use crate::config::{Home, HwProfile, hw_profiles};
use crate::decode::VideoCodec;
use crate::detect::DetectError;
use crate::detect::manifest::{Model, ModelError};
use crate::detect::ort::{Build, Need, OrtDetector, Provider, ProviderChoice, Runtime, SessionOptions};
use crate::setup::{self, SetupError};

/// Whether a provider ran a network, or the reason why not; by [`ProviderChoice::words`].
pub(super) type Providers = BTreeMap<String, Result<(), String>>;

/// Checks the library, the models, and every provider with a model that is there.
pub(super) fn check(home: &Home, needs: &Needs<'_>, tell: &mut dyn FnMut(Check)) -> Providers {
    let build = needs.profile.map_or(Build::Cpu, HwProfile::build);
    let runtime = match setup::onnx_runtime(home, build) {
        Ok(runtime) => {
            let version = library_version(runtime.path()).unwrap_or_else(|| "of unknown version".to_owned());
            tell(Check::ok("onnxruntime", &format!("ONNX Runtime {version}, {}", runtime.path().display())));
            Some(runtime)
        }
        Err(error) => {
            tell(Check::from_error("onnxruntime", Verdict::Fail, &error));
            None
        }
    };
    let model = models(home, needs, tell);
    let mut providers = Providers::new();
    let (Some(runtime), Some(model)) = (runtime, model) else { return providers };
    let others: Vec<Build> = Build::ALL.into_iter().filter(|other| *other != build && is_apart(home, *other)).collect();
    for other in &others {
        providers.extend(try_elsewhere(*other));
    }
    for choice in choices(home, needs) {
        let label = choice.words();
        let apart = others.contains(&choice.provider.build());
        if !(apart && providers.contains_key(&label)) {
            providers.insert(label.clone(), try_provider(&runtime, &model, choice));
        }
        tell(said(&choice, &providers[&label], needs, &model));
    }
    providers
}

/// Every provider, then as the profile in use, or else every profile, tells it to run.
fn choices(home: &Home, needs: &Needs<'_>) -> Vec<ProviderChoice> {
    let plain = Provider::ALL.map(|provider| ProviderChoice::new(provider, Need::Required));
    let of_profiles = match needs.profile {
        Some(profile) => profile.providers.clone(),
        None => hw_profiles(home).into_iter().flat_map(|profile| profile.providers).collect(),
    };
    let mut choices: Vec<ProviderChoice> = Vec::new();
    for choice in plain.into_iter().chain(of_profiles) {
        if !choices.iter().any(|known| known.words() == choice.words()) {
            choices.push(choice);
        }
    }
    choices
}

/// Whether there is a library of this build, and nobody insists on another.
fn is_apart(home: &Home, build: Build) -> bool {
    build != Build::Cpu && std::env::var_os("ORT_DYLIB_PATH").is_none() && home.onnxruntime_of(build).is_some()
}

/// Tries the providers of a build with the library of that build; by [`ProviderChoice::words`], null: it ran.
#[must_use]
pub fn try_build(home: &Home, build: Build) -> BTreeMap<String, Option<String>> {
    let needs = Needs::nothing();
    let (Ok(runtime), Some(model)) = (setup::onnx_runtime(home, build), models(home, &needs, &mut |_| ())) else {
        return BTreeMap::new();
    };
    let of_build = choices(home, &needs).into_iter().filter(|choice| choice.provider.build() == build);
    of_build.map(|choice| (choice.words(), try_provider(&runtime, &model, choice).err())).collect()
}

/// The same in a process of its own: one process can load one library.
fn try_elsewhere(build: Build) -> Providers {
    let Ok(program) = std::env::current_exe() else { return Providers::new() };
    let done = std::process::Command::new(program).args(["doctor", "--try-build", build.label()]).output();
    let tried = done.ok().and_then(|done| serde_json::from_slice(&done.stdout).ok()).unwrap_or_default();
    let tried: BTreeMap<String, Option<String>> = tried;
    tried.into_iter().map(|(choice, problem)| (choice, problem.map_or(Ok(()), Err))).collect()
}

/// Every model; one that can be opened, those in use first.
fn models(home: &Home, needs: &Needs<'_>, tell: &mut dyn FnMut(Check)) -> Option<Model> {
    let (mut used, mut other) = (None, None);
    for name in setup::model_names(home) {
        let needed = needs.models.contains(&name.as_str());
        match setup::load_model(home, &name) {
            Ok(model) => {
                tell(Check::ok("model", &format!("{name}: weights verified")));
                if needed { &mut used } else { &mut other }.get_or_insert(model);
            }
            Err(SetupError::Model(ModelError::WeightsMissing { .. })) => {
                let verdict = if needed { Verdict::Fail } else { Verdict::Info };
                let check = Check::new("model", verdict, &format!("{name}: its weights are not here"));
                tell(check.cure(&format!("edge-agent models pull {name}")));
            }
            Err(error) => {
                let verdict = if needed { Verdict::Fail } else { Verdict::Warn };
                let cure = match &error {
                    SetupError::Trust(_) => format!("edge-agent bundle install {name}-VERSION.bundle"),
                    _ => format!("edge-agent models pull {name}"),
                };
                tell(Check::new("model", verdict, &error.to_string()).cure(&cure));
            }
        }
    }
    used.or(other)
}

fn try_provider(runtime: &Runtime, model: &Model, choice: ProviderChoice) -> Result<(), String> {
    let providers = vec![ProviderChoice { need: Need::Required, ..choice }];
    let options = SessionOptions { providers, ..SessionOptions::for_model(model) };
    match OrtDetector::open(runtime, model, &options) {
        Ok(_) => Ok(()),
        Err(DetectError::Provider { problem, .. }) => Err(innermost(&problem)),
        Err(error) => Err(error.to_string()),
    }
}

/// ONNX Runtime's own words.
fn innermost(error: &DetectError) -> String {
    match error {
        DetectError::Session { problem, .. } | DetectError::Run(problem) => {
            problem.to_string().lines().next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned()
        }
        other => other.to_string(),
    }
}

fn said(choice: &ProviderChoice, tried: &Result<(), String>, needs: &Needs<'_>, model: &Model) -> Check {
    let words = choice.words();
    let why = match tried {
        Ok(()) => return Check::ok("provider", &format!("{words}: ran {}", model.manifest().name)),
        Err(why) => why,
    };
    let asked = needs.profile.is_some_and(|profile| profile.providers.iter().any(|asked| asked.words() == words));
    let verdict = if asked { Verdict::Warn } else { Verdict::Info };
    let check = Check::new("provider", verdict, &format!("{words}: not usable: {why}"));
    if asked { check.cure(needed_for(choice.provider)) } else { check }
}

/// What a provider asks of a box.
const fn needed_for(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "install an ONNX Runtime for this machine",
        Provider::Cuda => {
            "scripts/setup-onnxruntime.sh gpu, the NVIDIA driver, CUDA 13 and cuDNN 9 (hw-profiles/README.md); nvidia-smi \
             must work for the user that the service runs as"
        }
        Provider::TensorRt => "install TensorRT 10 beside what cuda needs (hw-profiles/README.md)",
        Provider::OpenVino => {
            "scripts/setup-onnxruntime.sh openvino (hw-profiles/README.md); a gpu needs Intel's driver too"
        }
    }
}

/// Whether all that a profile asks for works here.
pub(super) fn check_profiles(
    home: &Home,
    needs: &Needs<'_>,
    decoders: &Decoders,
    providers: &Providers,
    tell: &mut dyn FnMut(Check),
) {
    if let Some(profile) = needs.profile {
        return tell(said_of_used(profile, decoders, providers));
    }
    let mut any = false;
    let profiles = hw_profiles(home);
    for profile in &profiles {
        let obstacles = obstacles(profile, decoders, providers);
        let worst = obstacles.iter().max_by_key(|(verdict, _)| *verdict);
        let name = &profile.name;
        any |= worst.is_none_or(|(verdict, _)| *verdict < Verdict::Fail);
        tell(match worst {
            None => {
                Check::ok("profile", &format!("{name}: this box can be run with it (measured: {})", profile.measured))
            }
            Some((Verdict::Fail, why)) => {
                Check::new("profile", Verdict::Info, &format!("{name}: not for this box: {why}"))
            }
            Some((_, why)) => Check::ok("profile", &format!("{name}: this box can be run with it; {why}")),
        });
    }
    if !any {
        let known: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        let found = format!("this box can be run with none of the hardware profiles ({})", known.join(", "));
        let cure = "cure what is said above, or write a profile for this box: hw-profiles/README.md";
        tell(Check::new("profile", Verdict::Fail, &found).cure(cure));
    }
}

fn said_of_used(profile: &HwProfile, decoders: &Decoders, providers: &Providers) -> Check {
    let obstacles = obstacles(profile, decoders, providers);
    let worst = obstacles.iter().max_by_key(|(verdict, _)| *verdict);
    let name = &profile.name;
    match worst {
        None => Check::ok("profile", &format!("{name}: everything it asks for works")),
        Some((verdict, why)) => {
            let cure = "install what is missing, or name another profile in the site file (box.hw_profile)";
            Check::new("profile", *verdict, &format!("{name}: {why}")).cure(cure)
        }
    }
}

/// What of a profile does not work: `Fail` where the service would not run or see nothing, `Warn` where it falls back.
fn obstacles(profile: &HwProfile, decoders: &Decoders, providers: &Providers) -> Vec<(Verdict, String)> {
    let mut obstacles = Vec::new();
    for codec in VideoCodec::ALL {
        obstacles.extend(decoding_obstacle(codec, decoders_of(profile, codec), decoders));
    }
    for choice in &profile.providers {
        if let Some(Err(why)) = providers.get(&choice.words()) {
            let verdict = if choice.need == Need::Required { Verdict::Fail } else { Verdict::Warn };
            obstacles.push((verdict, format!("{} not usable: {why}", choice.words())));
        }
    }
    obstacles
}

/// The same rule by which cameras choose: the first that works.
fn decoding_obstacle(codec: VideoCodec, preferences: &[String], decoders: &Decoders) -> Option<(Verdict, String)> {
    let mut before = Vec::new();
    for element in preferences {
        match decoders.get(&(codec, element.clone())) {
            Some(Ok(())) if before.is_empty() => return None,
            Some(Ok(())) => {
                return Some((Verdict::Warn, format!("{}; {element} decodes {}", before.join("; "), codec.label())));
            }
            Some(Err(why)) => before.push(format!("{element} {why}")),
            None => before.push(format!("{element} was not tried")),
        }
    }
    Some((Verdict::Fail, format!("no {} decoder: {}", codec.label(), before.join("; "))))
}

/// The head of ONNX Runtime's C API (onnxruntime_c_api.h, `OrtApiBase`), which never changes.
#[repr(C)]
struct ApiBase {
    api: *const libc::c_void,
    version: unsafe extern "C" fn() -> *const libc::c_char,
}

/// What the library says of itself; `ort` keeps it to itself.
fn library_version(path: &Path) -> Option<String> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a C string; the library is loaded already, so that this runs no constructors; it is never closed.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return None;
    }
    // SAFETY: a live handle and a C string.
    let symbol = unsafe { libc::dlsym(library, c"OrtGetApiBase".as_ptr()) };
    if symbol.is_null() {
        return None;
    }
    // SAFETY: onnxruntime_c_api.h declares `const OrtApiBase* OrtGetApiBase(void)`.
    let base = unsafe { std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> *const ApiBase>(symbol)() };
    // SAFETY: it points to a static of the library, and its function gives a static C string.
    let version = unsafe { CStr::from_ptr(((*base).version)()) };
    Some(version.to_string_lossy().into_owned())
}

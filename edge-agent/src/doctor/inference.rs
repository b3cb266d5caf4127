//! ONNX Runtime, its execution providers, the models; and which hardware profiles this box can be run with.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::decoders::{Codec, Decoders, State};
use super::{Check, Needs, Verdict};
use crate::config::{Home, HwProfile, hw_profiles};
use crate::detect::DetectError;
use crate::detect::manifest::{Model, ModelError};
use crate::detect::ort::{Need, OrtDetector, Provider, ProviderChoice, Runtime, SessionOptions};
use crate::setup::{self, SetupError};

/// Whether a provider ran a network, or the reason why not.
pub(super) type Providers = BTreeMap<&'static str, Result<(), String>>;

/// Checks the library, the models, and every provider with a model that is there.
pub(super) fn check(home: &Home, needs: &Needs<'_>, tell: &mut dyn FnMut(Check)) -> Providers {
    let runtime = match setup::onnx_runtime(home) {
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
    if let (Some(runtime), Some(model)) = (runtime, model) {
        for provider in Provider::ALL {
            let tried = try_provider(&runtime, &model, provider);
            tell(said(provider, &tried, needs, &model));
            providers.insert(provider.label(), tried);
        }
    }
    providers
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
                let cure = format!("edge-agent models pull {name}");
                tell(Check::new("model", verdict, &error.to_string()).cure(&cure));
            }
        }
    }
    used.or(other)
}

fn try_provider(runtime: &Runtime, model: &Model, provider: Provider) -> Result<(), String> {
    let providers = vec![ProviderChoice { provider, need: Need::Required }];
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

fn said(provider: Provider, tried: &Result<(), String>, needs: &Needs<'_>, model: &Model) -> Check {
    let why = match tried {
        Ok(()) => return Check::ok("provider", &format!("{provider}: ran {}", model.manifest().name)),
        Err(why) => why,
    };
    let asked = needs.profile.is_some_and(|profile| profile.providers.iter().any(|choice| choice.provider == provider));
    let verdict = if asked { Verdict::Warn } else { Verdict::Info };
    let check = Check::new("provider", verdict, &format!("{provider}: not usable: {why}"));
    if asked { check.cure(needed_for(provider)) } else { check }
}

/// What a provider asks of a box.
const fn needed_for(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "install an ONNX Runtime for this machine",
        Provider::Cuda => {
            "install the NVIDIA driver, CUDA and cuDNN, and the GPU build of ONNX Runtime (ORT_DYLIB_PATH, or \
             lib/ngatu); nvidia-smi must work for the user that the service runs as"
        }
        Provider::TensorRt => "install TensorRT beside CUDA, and the GPU build of ONNX Runtime",
        Provider::OpenVino => "install OpenVINO and a build of ONNX Runtime that has it",
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
            None => Check::ok("profile", &format!("{name}: this box can be run with it")),
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
    for codec in Codec::ALL {
        let mut before = Vec::new();
        let mut found = false;
        for element in codec.decoders(profile) {
            match decoders.get(&(codec, element.clone())) {
                Some(State::Works) => {
                    found = true;
                    break;
                }
                // The first that is installed is used, whether it works or not.
                Some(State::Broken(why)) => {
                    obstacles.push((Verdict::Fail, format!("{element} is installed and does not work: {why}")));
                    found = true;
                    break;
                }
                Some(State::Missing(_)) | None => before.push(element.as_str()),
            }
        }
        if !found {
            let none = format!("no {} decoder: {} not installed", codec.label(), before.join(" and "));
            obstacles.push((Verdict::Fail, none));
        } else if !before.is_empty() {
            let next = format!("{} not installed, the next {} decoder is used", before.join(" and "), codec.label());
            obstacles.push((Verdict::Warn, next));
        }
    }
    for choice in &profile.providers {
        if let Some(Err(why)) = providers.get(choice.provider.label()) {
            let verdict = if choice.need == Need::Required { Verdict::Fail } else { Verdict::Warn };
            obstacles.push((verdict, format!("{} not usable: {why}", choice.provider)));
        }
    }
    obstacles
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

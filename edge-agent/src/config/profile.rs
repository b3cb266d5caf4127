//! Pipelines and hardware profiles, resolved.

use std::path::Path;

use crate::detect::ort::{Build, Need, OpenVinoDevice, Precision, Provider, ProviderChoice, ProviderOptions};
use crate::ladder::{LadderParams, ThermalParams};

use super::document::{Document, bare_or_quoted};
use super::error::ConfigErrors;
use super::home::Home;
use super::raw::{RawHwProfile, RawPipeline, RawProvider, RawService};
use super::resolve::Resolver;

/// No box has more; a slip must not ask for a million threads.
const MOST_THREADS: usize = 256;

/// How a box runs models.
#[derive(Debug, Clone, PartialEq)]
pub struct HwProfile {
    /// The file's name without `.toml`.
    pub name: String,
    /// Which boxes it is for.
    pub description: String,
    /// Where and when it was run, or that it was not.
    pub measured: String,
    /// H.264 decoders, the preferred first.
    pub h264: Vec<String>,
    /// H.265 decoders, the preferred first.
    pub h265: Vec<String>,
    /// Inference worker threads.
    pub workers: usize,
    /// Threads within one session.
    pub threads: usize,
    /// Execution providers in order.
    pub providers: Vec<ProviderChoice>,
    /// What the service's sandbox leaves open.
    pub service: Sandbox,
    /// Temperatures at which less is done.
    pub thermal: ThermalParams,
    /// When less is done.
    pub ladder: LadderParams,
}

/// What the service's sandbox leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Device nodes, as systemd's `DeviceAllow=` names them.
    pub devices: Vec<String>,
    /// Groups that they belong to.
    pub groups: Vec<String>,
    /// Memory that the service may take.
    pub memory_bytes: Option<u64>,
}

impl HwProfile {
    /// The build of ONNX Runtime that its providers ask for: that of the first which is not the processor.
    #[must_use]
    pub fn build(&self) -> Build {
        let builds = self.providers.iter().map(|choice| choice.provider.build());
        builds.into_iter().find(|build| *build != Build::Cpu).unwrap_or(Build::Cpu)
    }

    /// The drop-in for the package's systemd unit; systemd.exec(5) and systemd.resource-control(5) say what the keys mean.
    #[must_use]
    pub fn unit(&self) -> String {
        let Sandbox { devices, groups, memory_bytes } = &self.service;
        let mut lines =
            vec![format!("# What the hardware profile {} asks of the service.", self.name), "[Service]".into()];
        if !devices.is_empty() {
            lines.push("PrivateDevices=no".to_owned());
            lines.push("DevicePolicy=closed".to_owned());
        }
        lines.extend(devices.iter().map(|device| format!("DeviceAllow={device} rw")));
        if !groups.is_empty() {
            lines.push(format!("SupplementaryGroups={}", groups.join(" ")));
        }
        lines.extend(memory_bytes.map(|bytes| format!("MemoryMax={bytes}")));
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What is watched for: only its name travels further, its defaults are merged into cameras and rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The file's name without `.toml`.
    pub name: String,
}

/// Every hardware profile of the installation that has no errors, by name.
#[must_use]
pub fn hw_profiles(home: &Home) -> Vec<HwProfile> {
    let read = |name: String| Some(read_hw_profile(&name, &home.hw_profile(&name), &mut ConfigErrors::default())?.0);
    home.hw_profile_names().into_iter().filter_map(read).collect()
}

pub(super) fn read_pipeline(
    file: &Path,
    models: &[String],
    errors: &mut ConfigErrors,
) -> Option<(RawPipeline, Document)> {
    let document = Document::read(file).map_err(|more| errors.0.extend(more.0)).ok()?;
    let raw: RawPipeline = document.deserialize(errors)?;
    let mut resolver = Resolver::with_errors(&document, std::mem::take(errors));
    resolver.required("description", raw.description.as_ref(), "say in one sentence what the pipeline watches for");
    if let Some(model) = resolver.required("model", raw.model.as_ref(), "name a folder of models/") {
        resolver.model("model", model, models);
    }
    if let Some(fps) = resolver.required("analyse_fps", raw.analyse_fps.as_ref(), "write the frames analysed a second")
    {
        resolver.analyse_fps("analyse_fps", *fps);
    }
    if let Some(regions) = &raw.regions {
        resolver.regions("regions", regions);
    }
    if let Some(regions) = &raw.smaller_input {
        resolver.regions("smaller_input", regions);
    }
    resolver.tracker("tracker", &raw.tracker);
    for (label, numbers) in &raw.rule {
        let key = format!("rule.{}", bare_or_quoted(label));
        if let Some(kind) = resolver.kind(&key, label) {
            resolver.check_numbers(&key, kind, numbers);
        }
    }
    *errors = resolver.errors;
    Some((raw, document))
}

pub(super) fn read_hw_profile(name: &str, file: &Path, errors: &mut ConfigErrors) -> Option<(HwProfile, Document)> {
    let document = Document::read(file).map_err(|more| errors.0.extend(more.0)).ok()?;
    let raw: RawHwProfile = document.deserialize(errors)?;
    let known = errors.0.len();
    let mut resolver = Resolver::with_errors(&document, std::mem::take(errors));
    resolver.required("description", raw.description.as_ref(), "say in one sentence which boxes the profile is for");
    let cure = "say where and when it was run, or that it was not";
    resolver.required("measured", raw.measured.as_ref(), cure);
    let cure = "list GStreamer decoders, the preferred first";
    let mut decoders = |key, list: Option<&Vec<String>>| {
        let list = resolver.required(key, list, cure).cloned();
        if list.as_ref().is_some_and(Vec::is_empty) {
            resolver.error(key, "is empty", cure);
        }
        list
    };
    let h264 = decoders("decode.h264", raw.decode.h264.as_ref());
    let h265 = decoders("decode.h265", raw.decode.h265.as_ref());
    if raw.inference.provider.is_empty() {
        resolver.missing("inference.provider", "add [[inference.provider]] with name = \"cpu\"");
    }
    let providers = raw.inference.provider.iter().enumerate().filter_map(|(i, raw)| provider(&mut resolver, i, raw));
    let providers: Vec<ProviderChoice> = providers.collect();
    let threads = raw.inference.threads.unwrap_or(1);
    if !(1..=MOST_THREADS).contains(&threads) {
        resolver.error("inference.threads", format!("is {threads}"), format!("write 1 to {MOST_THREADS}"));
    }
    if let Some(workers) = raw.inference.workers.filter(|workers| *workers > MOST_THREADS) {
        let cure = format!("write 0 (one less than the cores) to {MOST_THREADS}");
        resolver.error("inference.workers", format!("is {workers}"), cure);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = match raw.inference.workers.unwrap_or(0) {
        0 => cores.saturating_sub(1).max(1),
        workers => workers,
    };
    let service = service(&mut resolver, &raw.service);
    let (thermal, ladder) = (resolver.thermal(&raw.thermal), resolver.ladder(&raw.ladder));
    let failed = resolver.errors.0.len() > known;
    *errors = resolver.errors;
    if failed {
        return None;
    }
    let profile = HwProfile {
        name: name.to_owned(),
        description: raw.description?,
        measured: raw.measured?,
        h264: h264?,
        h265: h265?,
        workers,
        threads,
        providers,
        service,
        thermal,
        ladder,
    };
    Some((profile, document))
}

fn provider(resolver: &mut Resolver<'_>, index: usize, raw: &RawProvider) -> Option<ProviderChoice> {
    let key = |name: &str| format!("inference.provider[{index}].{name}");
    let name = resolver.required(&key("name"), raw.name.as_ref(), "write cpu, cuda, tensorrt or openvino")?;
    let provider = Provider::from_label(name);
    if provider.is_none() {
        let known: Vec<&str> = Provider::ALL.into_iter().map(Provider::label).collect();
        resolver.unknown(&key("name"), name, "execution provider", &known);
    }
    let device = raw.device.as_ref().and_then(|label| {
        let device = OpenVinoDevice::from_label(label);
        if device.is_none() {
            let known: Vec<&str> = OpenVinoDevice::ALL.into_iter().map(OpenVinoDevice::label).collect();
            resolver.unknown(&key("device"), label, "device", &known);
        }
        device
    });
    let precision = raw.precision.as_ref().and_then(|label| {
        let precision = Precision::from_label(label);
        if precision.is_none() {
            let known: Vec<&str> = Precision::ALL.into_iter().map(Precision::label).collect();
            resolver.unknown(&key("precision"), label, "precision", &known);
        }
        precision
    });
    let options = ProviderOptions { device, precision, memory_bytes: raw.memory.map(|size| size.0) };
    for (name, cure) in provider.into_iter().flat_map(|provider| without_effect(provider, options)) {
        resolver.error(&key(name), "has no effect here", cure);
    }
    let need = if raw.required { Need::Required } else { Need::Preferred };
    Some(ProviderChoice { provider: provider?, need, options })
}

/// Keys that this provider does not heed, and what to do: nothing is taken in silence.
fn without_effect(provider: Provider, options: ProviderOptions) -> Vec<(&'static str, &'static str)> {
    let on_graphics = options.device.is_some_and(|device| device != OpenVinoDevice::Cpu);
    let heeds_precision = provider == Provider::TensorRt || (provider == Provider::OpenVino && on_graphics);
    let heeds_memory = matches!(provider, Provider::Cuda | Provider::TensorRt);
    let mut keys = Vec::new();
    if options.device.is_some() && provider != Provider::OpenVino {
        keys.push(("device", "remove it: only openvino chooses between devices"));
    }
    if options.precision.is_some() && !heeds_precision {
        let cure = "remove it, or choose a model with other weights: only tensorrt, and openvino on a gpu or npu, compute in \
                    another precision than that of the weights";
        keys.push(("precision", cure));
    }
    if options.memory_bytes.is_some() && !heeds_memory {
        keys.push(("memory", "write memory under [service]: only cuda and tensorrt have memory of their own"));
    }
    keys
}

fn service(resolver: &mut Resolver<'_>, raw: &RawService) -> Sandbox {
    for (index, device) in raw.devices.iter().enumerate() {
        if !(device.starts_with("/dev/") || device.starts_with("char-")) || device.contains(char::is_whitespace) {
            let cure = "write a node such as \"/dev/dri/renderD128\", or a kind of nodes such as \"char-drm\"";
            resolver.error(&format!("service.devices[{index}]"), format!("is \"{device}\""), cure);
        }
    }
    let is_name = |group: &&String| group.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    for (index, group) in raw.groups.iter().enumerate().filter(|(_, group)| !is_name(group) || group.is_empty()) {
        let found = format!("is \"{group}\"");
        resolver.error(&format!("service.groups[{index}]"), found, "write the name of a group, such as \"render\"");
    }
    Sandbox { devices: raw.devices.clone(), groups: raw.groups.clone(), memory_bytes: raw.memory.map(|size| size.0) }
}

//! Execution providers: which there are, what each can be told, and which build of ONNX Runtime has it.

use std::fmt;
use std::path::Path;

use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The processor: always there.
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// NVIDIA, through TensorRT; what that cannot run goes to CUDA.
    TensorRt,
    /// Intel, through OpenVINO.
    OpenVino,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino];

    /// The provider with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.label() == label)
    }

    /// The word in files and on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
        }
    }

    /// The build of ONNX Runtime that has it.
    #[must_use]
    pub const fn build(self) -> Build {
        match self {
            Self::Cpu => Build::Cpu,
            Self::Cuda | Self::TensorRt => Build::Gpu,
            Self::OpenVino => Build::OpenVino,
        }
    }

    /// ONNX Runtime's name for it.
    pub(super) fn runtime_name(self) -> &'static str {
        match self {
            Self::Cpu => ep::CPU::NAME,
            Self::Cuda => ep::CUDA::NAME,
            Self::TensorRt => ep::TensorRT::NAME,
            Self::OpenVino => ep::OpenVINO::NAME,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A build of ONNX Runtime: no single one has every provider, and a process can load one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Build {
    /// For processors.
    Cpu,
    /// With OpenVINO.
    OpenVino,
    /// With CUDA and TensorRT.
    Gpu,
}

impl Build {
    /// Every build.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::OpenVino, Self::Gpu];

    /// The word: the build's folder, and what `scripts/setup-onnxruntime.sh` is told.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OpenVino => "openvino",
            Self::Gpu => "gpu",
        }
    }

    /// The build with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|build| build.label() == label)
    }
}

/// What happens when a provider cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Opening fails.
    Required,
    /// The next is tried, at last the CPU; the log says so.
    Preferred,
}

/// In what numbers a provider computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// 16-bit floats.
    Fp16,
}

impl Precision {
    /// Every precision.
    pub const ALL: [Self; 2] = [Self::Fp32, Self::Fp16];

    /// The word in files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
        }
    }

    /// The precision with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.label() == label)
    }

    const fn of_openvino(self) -> &'static str {
        match self {
            Self::Fp32 => "FP32",
            Self::Fp16 => "FP16",
        }
    }
}

/// What OpenVINO computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OpenVinoDevice {
    /// The processor.
    Cpu,
    /// Intel's graphics.
    Gpu,
    /// Intel's neural processor.
    Npu,
}

impl OpenVinoDevice {
    /// Every device.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Gpu, Self::Npu];

    /// The word in files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Npu => "npu",
        }
    }

    /// The device with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.label() == label)
    }

    const fn of_openvino(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Gpu => "GPU",
            Self::Npu => "NPU",
        }
    }
}

/// What a provider is told, beyond ONNX Runtime's own defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderOptions {
    /// OpenVINO only; by default the processor.
    pub device: Option<OpenVinoDevice>,
    /// TensorRT and OpenVINO only; by default as the weights are.
    pub precision: Option<Precision>,
    /// Bytes of the GPU's memory a session may take; CUDA and TensorRT only.
    pub memory_bytes: Option<u64>,
}

/// A provider to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderChoice {
    /// Which.
    pub provider: Provider,
    /// How much it is wanted.
    pub need: Need,
    /// What it is told.
    pub options: ProviderOptions,
}

impl ProviderChoice {
    /// A provider with ONNX Runtime's own defaults.
    #[must_use]
    pub fn new(provider: Provider, need: Need) -> Self {
        Self { provider, need, options: ProviderOptions::default() }
    }

    /// What differs from the defaults, in words; the provider alone where nothing does.
    #[must_use]
    pub fn words(&self) -> String {
        let ProviderOptions { device, precision, memory_bytes } = self.options;
        let device = device.map(|device| format!(" on {}", device.label()));
        let precision = precision.map(|precision| format!(" in {}", precision.label()));
        let memory = memory_bytes.map(|bytes| format!(" within {} MiB", bytes >> 20));
        let words = [device, precision, memory].into_iter().flatten();
        std::iter::once(self.provider.label().to_owned()).chain(words).collect()
    }

    /// Without `error_on_failure` a provider that fails is silently replaced by the CPU. `cache` is where compiled
    /// engines are kept.
    pub(super) fn dispatches(&self, intra_threads: usize, cache: Option<&Path>) -> Vec<ExecutionProviderDispatch> {
        match self.provider {
            Provider::Cpu => Vec::new(),
            Provider::Cuda => vec![self.cuda()],
            Provider::TensorRt => vec![self.tensorrt(cache), self.cuda()],
            Provider::OpenVino => vec![self.openvino(intra_threads, cache)],
        }
    }

    fn memory(&self) -> Option<usize> {
        self.options.memory_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn cuda(&self) -> ExecutionProviderDispatch {
        let cuda = ep::CUDA::default();
        let cuda = match self.memory() {
            Some(bytes) => cuda.with_memory_limit(bytes),
            None => cuda,
        };
        cuda.build().error_on_failure()
    }

    fn tensorrt(&self, cache: Option<&Path>) -> ExecutionProviderDispatch {
        let mut engine = ep::TensorRT::default();
        if let Some(precision) = self.options.precision {
            engine = engine.with_fp16(precision == Precision::Fp16);
        }
        if let Some(bytes) = self.memory() {
            engine = engine.with_max_workspace_size(bytes);
        }
        if let Some(cache) = cache {
            let cache = cache.display();
            // Building an engine takes minutes; the timings it is built from serve the next model too.
            engine = engine.with_engine_cache(true).with_engine_cache_path(cache.to_string());
            engine = engine.with_timing_cache(true).with_timing_cache_path(cache);
        }
        engine.build().error_on_failure()
    }

    fn openvino(&self, intra_threads: usize, cache: Option<&Path>) -> ExecutionProviderDispatch {
        let device = self.options.device.unwrap_or(OpenVinoDevice::Cpu);
        let mut openvino = ep::OpenVINO::default().with_device_type(device.of_openvino());
        if device == OpenVinoDevice::Cpu {
            openvino = openvino.with_num_threads(intra_threads);
        } else if let Some(cache) = cache {
            // Kernels for graphics and neural processors are compiled at every start otherwise.
            openvino = openvino.with_cache_dir(cache.display());
        }
        if let Some(precision) = self.options.precision {
            openvino = openvino.with_precision(precision.of_openvino());
        }
        openvino.build().error_on_failure()
    }
}

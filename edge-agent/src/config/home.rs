//! Where the parts of the installation are: models, pipelines, hardware profiles, ONNX Runtime.
//!
//! Looked for, in this order: `NGATU_HOME`; the prefix that the program is installed under (`PREFIX/bin/edge-agent` →
//! `PREFIX/share/ngatu`, `PREFIX/lib/ngatu`); the working directory; the folders above the program (a checkout).

use std::path::{Path, PathBuf};

/// The parts of the installation.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    library_dirs: Vec<PathBuf>,
    extra_models: Vec<PathBuf>,
}

/// No installation was found.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither models/ nor pipelines/ anywhere.
    #[error(
        "the folders models/, pipelines/ and hw-profiles/ were not found\n    → start the program from the project's root, \
         install it, or set NGATU_HOME to the folder that holds them (looked in: {looked})"
    )]
    NotFound {
        /// Where they were looked for.
        looked: String,
    },
    /// No ONNX Runtime.
    #[error(
        "the ONNX Runtime library (libonnxruntime.so) was not found\n    → run `make setup`, or set ORT_DYLIB_PATH to the \
         library (looked in: {looked})"
    )]
    NoOnnxRuntime {
        /// Where it was looked for.
        looked: String,
    },
}

impl Home {
    /// Finds the installation. `extra_models` are folders in which weights are looked for besides `models/`.
    pub fn find(extra_models: Vec<PathBuf>) -> Result<Self, HomeError> {
        let mut candidates: Vec<PathBuf> = Vec::new();
        candidates.extend(std::env::var_os("NGATU_HOME").map(PathBuf::from));
        let program = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
        let prefix = program.as_deref().and_then(Path::parent).and_then(Path::parent);
        candidates.extend(prefix.map(|prefix| prefix.join("share/ngatu")));
        candidates.extend(std::env::current_dir().ok());
        candidates.extend(program.iter().flat_map(|path| path.ancestors().skip(1)).map(Path::to_owned));
        let found = candidates.iter().find(|root| root.join("models").is_dir() && root.join("pipelines").is_dir());
        let Some(root) = found.cloned() else {
            return Err(HomeError::NotFound { looked: list(&candidates) });
        };
        let mut library_dirs = vec![root.join(".cache/onnxruntime"), root.clone()];
        library_dirs.extend(prefix.map(|prefix| prefix.join("lib/ngatu")));
        Ok(Self { root, library_dirs, extra_models })
    }

    /// An installation whose parts all lie in `root`: a checkout.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        let library_dirs = vec![root.join(".cache/onnxruntime"), root.to_owned()];
        Self { root: root.to_owned(), library_dirs, extra_models: Vec::new() }
    }

    /// The folder that holds the parts.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `models/`.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Folders in which weights are looked for besides the model's own.
    #[must_use]
    pub fn extra_models(&self) -> &[PathBuf] {
        &self.extra_models
    }

    /// `pipelines/{name}.toml`.
    #[must_use]
    pub fn pipeline(&self, name: &str) -> PathBuf {
        self.root.join("pipelines").join(format!("{name}.toml"))
    }

    /// `hw-profiles/{name}.toml`.
    #[must_use]
    pub fn hw_profile(&self, name: &str) -> PathBuf {
        self.root.join("hw-profiles").join(format!("{name}.toml"))
    }

    /// The ONNX Runtime library: `ORT_DYLIB_PATH`, or the newest `libonnxruntime.so*` of the installation.
    pub fn onnxruntime(&self) -> Result<PathBuf, HomeError> {
        if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
            return Ok(path.into());
        }
        let libraries = self.library_dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten();
        libraries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
            .max()
            .ok_or_else(|| HomeError::NoOnnxRuntime { looked: list(&self.library_dirs) })
    }
}

fn list(paths: &[PathBuf]) -> String {
    let mut paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.dedup();
    paths.join(", ")
}

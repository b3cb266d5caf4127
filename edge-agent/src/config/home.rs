//! Where the parts of the installation are: models, pipelines, hardware profiles, ONNX Runtime.
//!
//! Looked for, in this order: `NGATU_HOME`; the prefix that the program is installed under (`PREFIX/bin/edge-agent` →
//! `PREFIX/share/ngatu`, `PREFIX/lib/ngatu`); the working directory; the folders above the program (a checkout).

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::detect::ort::Build;
use crate::trust::{INSTALLED_KEYS, Keys, TrustError};

/// The parts of the installation.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    library_dirs: Vec<PathBuf>,
    extra_models: Vec<PathBuf>,
    state_models: PathBuf,
    /// Of another folder than the installed one.
    trusted_keys: Option<PathBuf>,
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
        let state_models = state_models();
        let mut extra_models = extra_models;
        extra_models.extend(Some(state_models.clone()).filter(|folder| folder.is_dir()));
        Ok(Self { root, library_dirs, extra_models, state_models, trusted_keys: None })
    }

    /// An installation whose parts all lie in `root`: a checkout. What is installed besides lies in `root/state`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        let library_dirs = vec![root.join(".cache/onnxruntime"), root.to_owned()];
        Self {
            root: root.to_owned(),
            library_dirs,
            extra_models: Vec::new(),
            state_models: root.join("state/models"),
            trusted_keys: None,
        }
    }

    /// The same with the keys of another folder than the installed one, which must be there.
    #[must_use]
    pub fn with_trusted_keys(self, trusted_keys: PathBuf) -> Self {
        Self { trusted_keys: Some(trusted_keys), ..self }
    }

    /// The public keys that signed what this box takes from others; without any, it takes what is not signed.
    ///
    /// # Errors
    /// A folder or a key that is not in order; a folder that was named and is not there.
    pub fn keys(&self) -> Result<Keys, TrustError> {
        let Some(folder) = &self.trusted_keys else { return Keys::read(Path::new(INSTALLED_KEYS)) };
        folder.metadata().map_err(|error| TrustError::Unreadable { path: folder.clone(), error })?;
        Keys::read(folder)
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

    /// Where bundles of models are installed: in the state folder.
    #[must_use]
    pub fn installed_models(&self) -> &Path {
        &self.state_models
    }

    /// The folder of the model `name` where it was installed apart from the program; it goes before a shipped one.
    #[must_use]
    pub fn installed_model(&self, name: &str) -> Option<PathBuf> {
        Some(self.state_models.join(name)).filter(|folder| folder.join("model.toml").is_file())
    }

    /// Folders in which weights are looked for besides the model's own.
    #[must_use]
    pub fn extra_models(&self) -> &[PathBuf] {
        &self.extra_models
    }

    /// Where the weights of the model `name` are put: the model's own folder in a checkout, the state folder where models
    /// came with a package, whose folders are the package manager's.
    #[must_use]
    pub fn weights_target(&self, name: &str) -> PathBuf {
        let own = self.models().join(name);
        let installed = self.root.ends_with("share/ngatu");
        if installed || !is_writable(&own) { self.state_models.clone() } else { own }
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

    /// The names of the pipelines there are.
    #[must_use]
    pub fn pipeline_names(&self) -> Vec<String> {
        names(&self.root.join("pipelines"))
    }

    /// The names of the hardware profiles there are.
    #[must_use]
    pub fn hw_profile_names(&self) -> Vec<String> {
        names(&self.root.join("hw-profiles"))
    }

    /// The ONNX Runtime library: `ORT_DYLIB_PATH`; else the newest of `build` in the installation; else the newest of the
    /// build for processors, with which a preferred provider gives way and a required one says what is missing.
    pub fn onnxruntime(&self, build: Build) -> Result<PathBuf, HomeError> {
        if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
            return Ok(path.into());
        }
        let found = self.onnxruntime_of(build).or_else(|| self.onnxruntime_of(Build::Cpu));
        found.ok_or_else(|| HomeError::NoOnnxRuntime { looked: list(&self.library_dirs) })
    }

    /// The newest `libonnxruntime.so*` of this very build: of the folders of libraries, or of one in them that is named
    /// after the build.
    #[must_use]
    pub fn onnxruntime_of(&self, build: Build) -> Option<PathBuf> {
        let folder = |dir: &PathBuf| if build == Build::Cpu { dir.clone() } else { dir.join(build.label()) };
        let libraries = self.library_dirs.iter().filter_map(|dir| std::fs::read_dir(folder(dir)).ok()).flatten();
        libraries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
            .max()
    }

    /// Where execution providers keep what they compiled for this box.
    #[must_use]
    pub fn engine_cache(&self) -> PathBuf {
        self.state_models.with_file_name("engines")
    }
}

/// `models/` in the folder that systemd gives the service (`StateDirectory=`), by default `/var/lib/ngatu`.
fn state_models() -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY");
    let first = given.and_then(|given| std::env::split_paths(&given).next()).filter(|path| path.is_absolute());
    first.unwrap_or_else(|| "/var/lib/ngatu".into()).join("models")
}

/// By access(2): also says no for a file system that is mounted read-only.
fn is_writable(folder: &Path) -> bool {
    let Ok(folder) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: a C string.
    unsafe { libc::access(folder.as_ptr(), libc::W_OK) == 0 }
}

/// The TOML files of a folder, without their extension, in order.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let name = |entry: std::fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned());
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}

fn list(paths: &[PathBuf]) -> String {
    let mut paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.dedup();
    paths.join(", ")
}

//! What is kept of the centre's configurations: `configuration/` in the state folder, for its owner alone.
//!
//! | file | |
//! |---|---|
//! | `applied.json` | the configuration in force, if the site file is still the one it stands over |
//! | `previous.json` | the one before it, for people |
//! | `trial.json` | the one that is to be tried, or is being tried |
//! | `ended.json` | what was last given up, and why |
//!
//! Every file is whole whenever the power goes; what order they change in is said where they do.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable;
use crate::publish::wire::UtcMillis;

/// In the state folder.
const FOLDER: &str = "configuration";
/// A larger file is none of ours.
const LARGEST: u64 = 1 << 20;

/// A configuration that the centre sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The command that brought it.
    pub id: Uuid,
    /// Who sent it.
    pub by: String,
    /// When it came.
    pub at: UtcMillis,
    /// SHA-256 of the site file that it stands over.
    pub over: String,
    /// A whole site file.
    pub text: String,
    /// The signature that came with it: proved at every start where the box has keys.
    #[serde(default)]
    pub signature: Option<String>,
}

/// A configuration that is to show whether it can be lived with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The configuration.
    pub configuration: Configuration,
    /// The cameras that were there before.
    pub expected: Vec<String>,
    /// Whether the program has begun with it.
    pub begun: bool,
}

/// A configuration that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// The command that brought it.
    pub(super) id: Uuid,
    /// Why.
    pub(super) why: String,
}

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Store(PathBuf);

impl Store {
    pub(super) fn at(state: &Path) -> Self {
        Self(state.join(FOLDER))
    }

    /// Whether anything was ever sent.
    pub(super) fn exists(&self) -> bool {
        self.0.exists()
    }

    pub(super) fn applied(&self) -> io::Result<Option<Configuration>> {
        self.read("applied.json")
    }

    pub(super) fn trial(&self) -> io::Result<Option<Trial>> {
        self.read("trial.json")
    }

    /// What cannot be read is of no use: the command then counts as interrupted.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.read("ended.json").ok().flatten()
    }

    pub(super) fn put_trial(&self, trial: &Trial) -> io::Result<()> {
        self.write("trial.json", trial)
    }

    /// First the former one is kept, then the new one is in force, then its trial is over: a trial that is still there is one
    /// that was given up, unless it is the one in force.
    pub(super) fn apply(&self, configuration: &Configuration) -> io::Result<()> {
        if let Some(former) = self.applied()? {
            self.write("previous.json", &former)?;
        }
        self.write("applied.json", configuration)?;
        self.remove_trial()
    }

    /// First that it is given up, then its trial is over.
    pub(super) fn end(&self, ended: &Ended) -> io::Result<()> {
        self.write("ended.json", ended)?;
        self.remove_trial()
    }

    /// As far as that can be done.
    pub(super) fn forget_trial(&self) {
        if let Err(error) = self.remove_trial() {
            tracing::error!(%error, "a configuration that was to be tried cannot be removed");
        }
    }

    fn remove_trial(&self) -> io::Result<()> {
        match fs::remove_file(self.0.join("trial.json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => durable::sync_folder(&self.0),
        }
    }

    fn write(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        if !self.0.exists() {
            DirBuilder::new().mode(0o700).create(&self.0)?;
            durable::sync_folder(self.0.parent().unwrap_or(Path::new(".")))?;
        }
        durable::replace(&self.0.join(name), &serde_json::to_vec(what)?)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let path = self.0.join(name);
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(found) if found.len() > LARGEST => return Err(io::Error::other("it is too large")),
            Ok(_) | Err(_) => {}
        }
        serde_json::from_slice(&fs::read(path)?).map(Some).map_err(io::Error::from)
    }
}

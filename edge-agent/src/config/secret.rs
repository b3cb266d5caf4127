//! References to secrets. The secret itself is read when it is used and is never part of the configuration.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use crate::secret::Secret;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A systemd credential of this name, or a file of this name in `credentials/` beside the site file.
    Credential {
        /// Its name.
        name: String,
        /// The site file's folder.
        site_dir: PathBuf,
    },
    /// A file that only its owner may read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// Where a file refers to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key.
    pub key: String,
    /// Where the secret is kept.
    pub reference: SecretRef,
}

/// What is wrong with a secret, where a file refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretProblem {
    /// What.
    pub error: ConfigError,
    /// Whether it is so whoever looks. A secret that this user does not find may be there for the service: systemd hands
    /// credentials to it alone.
    pub is_certain: bool,
}

impl SecretUse {
    /// Tries to read the secret, as this user.
    #[must_use]
    pub fn problem(&self) -> Option<SecretProblem> {
        let problem = self.reference.read().err()?;
        let text = problem.to_string();
        let (what, cure) = text.split_once("\n    → ").unwrap_or((&text, ""));
        let (file, key) = (self.file.clone(), self.key.clone());
        let error = ConfigError { file, line: self.line, key, what: what.to_owned(), cure: cure.to_owned() };
        Some(SecretProblem { error, is_certain: problem.is_certain() })
    }
}

impl SecretError {
    fn is_certain(&self) -> bool {
        match self {
            Self::TooOpen(_) | Self::Empty(_) => true,
            Self::Unreadable { .. } | Self::NotSet(_) => false,
        }
    }
}

/// A secret that cannot be read. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret file {path} cannot be read: {error}\n    → {cure}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
        /// What to do.
        cure: String,
    },
    /// Others may read it.
    #[error("the secret file {0} can be read by others\n    → chmod 600 {0}")]
    TooOpen(PathBuf),
    /// No such variable.
    #[error("the environment variable {0}, which should hold a secret, is not set\n    → set it for this program")]
    NotSet(String),
    /// Nothing in it.
    #[error("the secret in {0} is empty\n    → write it there, on one line")]
    Empty(String),
}

impl SecretRef {
    /// Reads a secret of one line: a password.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let whole = self.read_whole()?;
        let line = whole.expose().lines().next().unwrap_or_default().trim_end();
        if line.is_empty() {
            return Err(SecretError::Empty(self.place()));
        }
        Ok(Secret::new(line))
    }

    /// Reads a secret of many lines: a private key.
    pub fn read_whole(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Env(name) => std::env::var(name).map(Secret::new).map_err(|_| SecretError::NotSet(name.clone())),
            Self::File(path) => read_file(path, "write the secret to this file, then chmod 600"),
            Self::Credential { name, site_dir } => {
                if let Some(path) = systemd_credential(name) {
                    // Guarded by systemd: where it grants its user access by an access list, the mode shows 0440.
                    return read_guarded(&path, "start the service again");
                }
                let path = site_dir.join("credentials").join(name);
                let cure = format!(
                    "give the service LoadCredential={name}:…, or write the secret to {}, then chmod 600",
                    path.display()
                );
                read_file(&path, &cure)
            }
        }
    }

    /// The file that it is read from; `None`: an environment variable.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Env(_) => None,
            Self::File(path) => Some(path.clone()),
            Self::Credential { name, site_dir } => {
                Some(systemd_credential(name).unwrap_or_else(|| site_dir.join("credentials").join(name)))
            }
        }
    }

    /// Where it is kept, as messages name it.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Env(name) => format!("the environment variable {name}"),
            Self::File(path) => path.display().to_string(),
            Self::Credential { name, .. } => format!("the credential {name}"),
        }
    }
}

/// The file of a credential that systemd has handed to this service.
fn systemd_credential(name: &str) -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    path.exists().then_some(path)
}

fn read_file(path: &Path, cure: &str) -> Result<Secret, SecretError> {
    let unreadable = |error| SecretError::Unreadable { path: path.to_owned(), error, cure: cure.to_owned() };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretError::TooOpen(path.to_owned()));
    }
    read_guarded(path, cure)
}

fn read_guarded(path: &Path, cure: &str) -> Result<Secret, SecretError> {
    let unreadable = |error| SecretError::Unreadable { path: path.to_owned(), error, cure: cure.to_owned() };
    std::fs::read_to_string(path).map(Secret::new).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("cam");
        std::fs::write(&path, "user:canary\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
        let error = SecretRef::File(path.clone()).read().expect_err("too open");
        assert!(matches!(&error, SecretError::TooOpen(_)));
        assert!(!error.to_string().contains("canary"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        assert!(SecretRef::File(path).read().is_ok());
    }

    #[test]
    fn a_credential_is_found_beside_the_site_file() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let reference = SecretRef::Credential { name: "cam".to_owned(), site_dir: dir.path().to_owned() };
        let error = reference.read().expect_err("not there yet").to_string();
        assert!(error.contains("LoadCredential=cam"), "{error}");
    }
}

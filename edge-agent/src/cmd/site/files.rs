//! The files of a first site: whole or not at all, over nothing that is there, secrets for their owner alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use edge_agent::secret::Secret;

/// Where the secrets of the site file are.
pub(super) fn credentials_dir(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join("credentials")
}

/// Secrets first: a site file that names what is not there would not start.
pub(super) fn write(file: &Path, text: &str, secrets: &BTreeMap<String, Secret>, force: bool) -> anyhow::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let dir = credentials_dir(file);
    if !secrets.is_empty() && !dir.is_dir() {
        let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
        made.and_then(|()| give_to_owner_of_folder(&dir))
            .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    for (name, secret) in secrets {
        write_file(&dir.join(name), &format!("{}\n", secret.expose()), 0o600, force)?;
    }
    write_file(file, text, 0o644, force)
}

/// Whole or not at all, and over nothing that is there.
fn write_file(path: &Path, text: &str, mode: u32, force: bool) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if path.exists() && !force {
        bail!("{} is there already\n    → replace it with --force, or leave out what it holds", path.display());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.part"));
    let mut options = std::fs::File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&part).with_context(cannot)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| give_to_owner_of_folder(&part)).and_then(|()| std::fs::rename(&part, path));
    placed.inspect_err(|_| drop(std::fs::remove_file(&part))).with_context(cannot)
}

/// What root writes into the service's folder is the service's: it could not read a secret of root's.
fn give_to_owner_of_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, own) = (std::fs::metadata(folder)?, std::fs::metadata(path)?);
    if own.uid() == 0 && folder.uid() != 0 {
        std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

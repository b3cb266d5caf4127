//! Whether the state folder is this program's to write: who else it belongs to, and what to do about it, before the first
//! database stumbles over it with fewer words.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What cannot be read and written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be {}: {}\n    → {}", path.display(), if *is_folder { "used as the state folder" } else { "read and written" }, reason(.error, .owner, .mode, .user), self.cure())]
pub struct Forbidden {
    path: PathBuf,
    is_folder: bool,
    owner: u32,
    mode: u32,
    user: u32,
    error: io::Error,
}

fn reason(error: &io::Error, owner: &u32, mode: &u32, user: &u32) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("it belongs to user {owner} with mode {mode:04o}, and this program runs as user {user}")
        }
        _ => error.to_string(),
    }
}

impl Forbidden {
    fn cure(&self) -> String {
        let Self { path, user, error, .. } = self;
        let path = path.display();
        match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "make it this user's: chown -R {user} {path} && chmod -R u+rwX {path}; or name another folder in storage.path"
            ),
            io::ErrorKind::ReadOnlyFilesystem => {
                "have the disk looked at (dmesg), then mount -o remount,rw; or name another folder in storage.path"
                    .to_owned()
            }
            _ => format!("look at {path}; or name another folder in storage.path"),
        }
    }
}

/// Looks whether `folder`, or where it is to be made, and the files `needed` in it can be read and written.
///
/// # Errors
/// The first that cannot.
pub fn check(folder: &Path, needed: &[&Path]) -> Result<(), Forbidden> {
    if let Some(there) = folder.ancestors().find(|ancestor| ancestor.is_dir() || is_refused(ancestor)) {
        try_access(there, true)?;
    }
    needed.iter().filter(|path| path.exists()).try_for_each(|path| try_access(path, false))
}

/// Whether it is there and may not even be looked at.
fn is_refused(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn try_access(path: &Path, is_folder: bool) -> Result<(), Forbidden> {
    let mode = libc::R_OK | libc::W_OK | if is_folder { libc::X_OK } else { 0 };
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return Ok(()) };
    // SAFETY: a C string; by the effective user, as opening would.
    if unsafe { libc::faccessat(libc::AT_FDCWD, name.as_ptr(), mode, libc::AT_EACCESS) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // SAFETY: it takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let (owner, mode) = fs::metadata(path).map_or((0, 0), |of| (of.uid(), of.permissions().mode() & 0o7777));
    Err(Forbidden { path: path.to_owned(), is_folder, owner, mode, user, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_looked_for_where_it_will_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("not/there/yet");
        assert!(check(&state, &[&state.join("outbox.sqlite")]).is_ok());
        assert!(!state.exists(), "nothing is made");
    }

    #[test]
    fn what_a_file_system_never_lets_anybody_write_is_refused_with_its_cure() {
        // Root may do anything to a folder of its own, and nothing to this one.
        let error = check(Path::new("/proc/self"), &[]).expect_err("nobody makes files there").to_string();
        assert!(error.starts_with("/proc/self cannot be used as the state folder: "), "{error}");
        assert!(error.contains("→ ") && error.contains("storage.path"), "{error}");
    }
}

//! A small disk of its own for what the program stores: a tmpfs in this process's mount namespace.
//!
//! The whole campaign starts itself again under unshare(1): in a mount namespace, where nothing else sees the disk, and in
//! a process namespace, so that every broker, camera and program ends with it, however it ends.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that this process runs under unshare(1) already.
const INSIDE: &str = "CHAOS_INSIDE";

/// Holds a few thousand events.
const SIZE: &str = "size=24m";

/// Starts this program again in namespaces of its own; returns where the system does not allow it.
pub(crate) fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
    let mut options = vec!["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    options.extend((!is_root).then_some("--map-root-user"));
    let may = Command::new("unshare").args(&options).arg("true").output();
    if !may.is_ok_and(|output| output.status.success()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let error =
        Command::new("unshare").args(&options).arg(program).args(std::env::args_os().skip(1)).env(INSIDE, "1").exec();
    eprintln!("unshare: {error}");
}

/// The disk; unmounted when dropped.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// A small empty disk at `folder`; `None` where the system does not allow it.
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        std::env::var_os(INSIDE)?;
        std::fs::create_dir_all(folder).ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }

    /// Leaves no byte free until [`empty`](Self::empty).
    pub(crate) fn fill(&self) {
        use std::io::Write as _;
        let Ok(mut file) = std::fs::File::create(self.0.join("filler")) else { return };
        // Coarse, then fine: to the last page.
        for size in [1 << 16, 4096] {
            let block = vec![0xa5; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    pub(crate) fn empty(&self) {
        let _ = std::fs::remove_file(self.0.join("filler"));
    }

    /// Whether it may be written; only while nothing holds a file of it open.
    pub(crate) fn set_writable(&self, writable: bool) -> bool {
        let how = if writable { "remount,rw" } else { "remount,ro" };
        Command::new("mount").args(["-o", how]).arg(&self.0).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

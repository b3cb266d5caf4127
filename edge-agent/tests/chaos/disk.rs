//! A small disk of its own for what the program stores: a tmpfs in this process's mount namespace.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::space;

/// Holds a few thousand events.
const SIZE: &str = "size=24m";

/// The disk; unmounted when dropped.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// A small empty disk at `folder`; `None` where the system does not allow it.
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        if !space::has_mounts() {
            return None;
        }
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

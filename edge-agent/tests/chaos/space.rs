//! Namespaces of its own for the whole campaign, by unshare(1): of mounts, where nothing else sees its small disk; of
//! processes, so that every broker, camera and program ends with it, however it ends; and of the network, where packets can
//! be lost without anyone else losing any.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Says that this process runs under unshare(1) already, and with what.
const INSIDE: &str = "CHAOS_INSIDE";

/// A network of its own has loopback alone, which is down; packets can be lost where nftables can say so.
const WITH_NET: &str = "ip link set lo up && nft add table ip chaos && nft 'add chain ip chaos in { type filter hook input \
                        priority 0; }' && nft add rule ip chaos in tcp dport 1 numgen random mod 100 lt 1 drop && nft \
                        delete table ip chaos";

/// Starts this program again in namespaces of its own; returns where the system does not allow it.
pub(crate) fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
    let mut options = vec!["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    options.extend((!is_root).then_some("--map-root-user"));
    let may = |options: &[&str], what: &str| {
        let tried = Command::new("unshare").args(options).args(["sh", "-c", what]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    if !may(&options, "true") {
        return;
    }
    let mut inside = "mount";
    options.push("--net");
    if may(&options, WITH_NET) {
        inside = "mount net";
    } else {
        options.pop();
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new("unshare");
    command.args(&options);
    if inside.contains("net") {
        command.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    }
    let error = command.arg(program).args(std::env::args_os().skip(1)).env(INSIDE, inside).exec();
    eprintln!("unshare: {error}");
}

/// Whether this process has mounts of its own.
pub(crate) fn has_mounts() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Whether it has a network of its own, in which packets can be lost.
pub(crate) fn has_network() -> bool {
    std::env::var(INSIDE).is_ok_and(|inside| inside.contains("net"))
}

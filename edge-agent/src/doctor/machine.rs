//! The machine: processor, memory, clock, disk.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Check, Verdict};
use crate::resources::descriptors;
use crate::status::time_quality;

/// The program without cameras, and what a 1080p camera adds (DESIGN: memory).
const BASE_MIB: u64 = 150;
const CAMERA_MIB: u64 = 40;

/// A commit waits for one of these; slower than this is a worn SD card, not a disk.
const SLOW_SYNC: Duration = Duration::from_millis(100);

/// Writes that are measured.
const SYNCS: usize = 5;

/// Below this nothing is left for a log and a night without a link.
const LEAST_FREE: u64 = 256 << 20;

/// What the processor makes of int8 networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Int8 {
    /// Multiplies and adds 8-bit numbers in one instruction.
    Dot,
    /// Has wide registers without that instruction.
    Wide,
    /// Neither.
    None,
}

/// From the flags of proc(5)'s cpuinfo.
pub(super) fn int8_of(flags: &str) -> Int8 {
    let has = |flag: &str| flags.split_ascii_whitespace().any(|known| known == flag);
    match () {
        () if ["avx512_vnni", "avx_vnni", "asimddp", "i8mm"].into_iter().any(has) => Int8::Dot,
        () if has("avx2") || has("asimd") => Int8::Wide,
        () => Int8::None,
    }
}

/// A key's value in cpuinfo or meminfo.
pub(super) fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.split_once(':').filter(|(name, _)| name.trim() == key)?.1.trim()))
}

pub(super) fn cpu() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = value_of(&info, "model name").or_else(|| value_of(&info, "Model")).unwrap_or("processor");
    let flags = value_of(&info, "flags").or_else(|| value_of(&info, "Features")).unwrap_or_default();
    let found = format!("{name}, {cores} {}", if cores == 1 { "core" } else { "cores" });
    match int8_of(flags) {
        Int8::Dot => Check::ok("cpu", &format!("{found}, with int8 instructions: int8 models run at full speed")),
        Int8::Wide => Check::ok(
            "cpu",
            &format!("{found}, no int8 instructions (VNNI): int8 models are right here and gain less speed"),
        ),
        Int8::None => Check::new("cpu", Verdict::Warn, &format!("{found}, without AVX2: inference is slow"))
            .cure("lower analyse_fps, or take a box with AVX2; with VNNI is best"),
    }
}

pub(super) fn memory(cameras: usize) -> Check {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mib = |key| {
        let kib = value_of(&info, key).and_then(|value| value.trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib / 1024)
    };
    let (Some(total), Some(free)) = (mib("MemTotal"), mib("MemAvailable")) else {
        return Check::new("memory", Verdict::Info, "the system does not say");
    };
    let needed = BASE_MIB + CAMERA_MIB * cameras as u64;
    let found = format!("{free} MiB of {total} MiB available");
    if free >= needed {
        return Check::ok("memory", &found);
    }
    let found = format!("{found}; {cameras} cameras take about {needed} MiB");
    Check::new("memory", Verdict::Warn, &found).cure("end what else runs on this box, or take fewer cameras")
}

pub(super) fn descriptors(cameras: usize) -> Check {
    descriptors_of(cameras, descriptors::limit())
}

pub(super) fn descriptors_of(cameras: usize, limit: u64) -> Check {
    let needed = descriptors::needed(cameras);
    if limit >= needed {
        return Check::ok("files", &format!("{limit} files and connections may be open, {needed} are needed at most"));
    }
    let found = format!("{limit} files and connections may be open; {cameras} cameras take up to {needed}");
    Check::new("files", Verdict::Warn, &found)
        .cure(&format!("give the service LimitNOFILE={}, or a shell `ulimit -n`", needed.next_power_of_two()))
}

pub(super) fn clock() -> Check {
    let quality = time_quality();
    match (quality.synced, quality.max_error_ms) {
        (true, Some(error)) if error > 1000 => {
            Check::new("clock", Verdict::Warn, &format!("synchronised, and may be {error} ms wrong"))
                .cure("chronyc tracking (or timedatectl timesync-status) says why; give it a nearer time server")
        }
        (true, Some(error)) => Check::ok("clock", &format!("synchronised, wrong by at most {error} ms")),
        _ => Check::new("clock", Verdict::Warn, "not synchronised: events will say so, and their times may be wrong")
            .cure("apt install chrony (or: systemctl enable --now systemd-timesyncd), then wait a minute; chronyc tracking"),
    }
}

/// Free bytes, whether this user can write, and how long a commit waits. What is not `needed` by a site does not fail.
pub(super) fn disk(path: &Path, wanted_bytes: u64, needed: bool) -> Check {
    let verdict = if needed { Verdict::Fail } else { Verdict::Warn };
    // What is not there yet is made by the service, in the nearest folder that is.
    let Some(folder) = path.ancestors().find(|folder| folder.is_dir()) else {
        return Check::new("disk", verdict, &format!("{}: no such folder", path.display()));
    };
    let there = if folder == path { String::new() } else { " (not there yet)".to_owned() };
    let place = format!("{}{there}", path.display());
    let sync = match sync_time(folder) {
        Ok(sync) => sync,
        Err(error) => {
            let cure = format!(
                "is it the service's? then ask as its user: sudo -u ngatu edge-agent doctor …; else install -d -o USER {}, \
                 or set storage.path",
                path.display()
            );
            return Check::new("disk", verdict, &format!("{place} cannot be written: {error}")).cure(&cure);
        }
    };
    let free = free_bytes(folder).unwrap_or(u64::MAX);
    let found = format!("{place}: {} free, writable, a commit waits {} ms", size(free), millis(sync));
    let short = free < wanted_bytes.max(LEAST_FREE);
    match (short, sync > SLOW_SYNC) {
        (true, _) => Check::new("disk", Verdict::Warn, &format!("{found}; {} are asked for", size(wanted_bytes)))
            .cure("free some, or lower storage.outbox and storage.evidence in the site file"),
        (false, true) => Check::new("disk", Verdict::Warn, &found)
            .cure("events are committed one by one: put storage.path on an SSD or eMMC rather than an SD card"),
        (false, false) => Check::ok("disk", &found),
    }
}

/// Writes, syncs, and takes it away again: the middle one of a few.
fn sync_time(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".edge-agent-doctor-{}", std::process::id()));
    let mut file = File::options().write(true).create_new(true).open(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    let written = (0..SYNCS).try_for_each(|_| {
        let begun = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
        Ok(())
    });
    drop(file);
    fs::remove_file(&path)?;
    written.map(|()| {
        times.sort();
        times[SYNCS / 2]
    })
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: statvfs is plain data, for which all-zero is a value.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a C string and a live statvfs.
    let done = unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) };
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between platforms")]
    (done == 0).then(|| stat.f_bavail as u64 * stat.f_frsize as u64)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.1}") } else { format!("{millis:.0}") }
}

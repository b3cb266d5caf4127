//! What this process has used: CPU time, whole and by thread, and memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was used up to one moment; two of them make a window.
#[derive(Debug, Clone)]
pub struct Usage {
    at: Instant,
    cpu: Duration,
    threads: BTreeMap<String, Duration>,
}

impl Usage {
    /// Up to now.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu_time(), threads: cpu_by_thread() }
    }

    /// Wall time since `earlier`.
    #[must_use]
    pub fn wall_since(&self, earlier: &Self) -> Duration {
        self.at - earlier.at
    }

    /// CPU time (user and system, every thread) since `earlier`.
    #[must_use]
    pub fn cpu_since(&self, earlier: &Self) -> Duration {
        self.cpu - earlier.cpu
    }

    /// CPU time since `earlier` by thread name; threads of one name are added up, those that ended are missing.
    #[must_use]
    pub fn threads_since(&self, earlier: &Self) -> BTreeMap<String, Duration> {
        let before = |name: &String| earlier.threads.get(name).copied().unwrap_or_default();
        self.threads.iter().map(|(name, cpu)| (name.clone(), cpu.saturating_sub(before(name)))).collect()
    }
}

/// User and system time of this process, threads that ended included (getrusage(2)).
fn cpu_time() -> Duration {
    // SAFETY: rusage is plain data; all-zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live rusage, which the kernel only writes to.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    assert_eq!(failed, 0, "getrusage takes RUSAGE_SELF and a valid pointer");
    let duration = |time: libc::timeval| {
        Duration::new(time.tv_sec.unsigned_abs(), 0) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

/// From `/proc/self/task/*/schedstat` (nanoseconds on a CPU); empty where the kernel keeps none.
fn cpu_by_thread() -> BTreeMap<String, Duration> {
    let mut threads: BTreeMap<String, Duration> = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let (name, schedstat) = (read("comm"), read("schedstat"));
        let nanos = schedstat.split_ascii_whitespace().next().and_then(|nanos| nanos.parse().ok());
        // Numbered threads are one kind.
        let kind = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '_'));
        *threads.entry(kind.to_owned()).or_default() += Duration::from_nanos(nanos.unwrap_or(0));
    }
    threads
}

/// The resident set now and at its largest, in bytes (proc(5)); zeros where it cannot be read.
#[must_use]
pub fn resident_bytes() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    (kib("VmRSS:") * 1024, kib("VmHWM:") * 1024)
}

/// The resident set, with what is shared with other processes divided among them, in bytes (proc(5), `Pss`); zero where it
/// cannot be read.
#[must_use]
pub fn proportional_bytes() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// What the figures of a run were measured on, and how busy that was: processor, cores, system, load, date.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let (release, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let load: Vec<&str> = load.split_ascii_whitespace().take(3).collect();
    let now = edge_agent::publish::wire::UtcMillis::now();
    format!("{cores} cores of {model}, Linux {}, load {}, {now}", release.trim(), load.join(" "))
}

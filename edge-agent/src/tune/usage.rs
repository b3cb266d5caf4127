//! CPU time of this process, and joules of the processor.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What was used up to one moment; two of them make a window.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    at: Instant,
    cpu: Duration,
    joules: Option<f64>,
}

impl Usage {
    /// Up to now.
    pub(super) fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu_time(), joules: joules(Path::new("/sys/class/powercap")) }
    }

    /// Seconds since.
    pub(super) fn wall_s(&self) -> f64 {
        self.at.elapsed().as_secs_f64()
    }

    /// CPU seconds of every thread since, those that ended included.
    pub(super) fn cpu_s(&self) -> f64 {
        (cpu_time() - self.cpu).as_secs_f64()
    }

    /// Joules of the whole processor since, whoever used them; `None`: it does not tell, or its counter wrapped.
    pub(super) fn joules(&self) -> Option<f64> {
        let spent = Self::now().joules? - self.joules?;
        (spent >= 0.0).then_some(spent)
    }
}

/// User and system time of this process (getrusage(2)).
fn cpu_time() -> Duration {
    // SAFETY: rusage is plain data; all-zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live rusage, which the kernel only writes to.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    assert_eq!(failed, 0, "getrusage takes RUSAGE_SELF and a valid pointer");
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

/// CPU seconds so far of this process's threads whose name begins with one of `names` (`schedstat`, nanoseconds on a
/// CPU); zero where the kernel keeps none.
pub(super) fn threads_cpu_s(names: &[&str]) -> f64 {
    let mut seconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if names.iter().any(|name| read("comm").starts_with(name)) {
            let nanos: Option<f64> = read("schedstat").split_ascii_whitespace().next().and_then(|n| n.parse().ok());
            seconds += nanos.unwrap_or(0.0) / 1e9;
        }
    }
    seconds
}

/// Seconds that this thread could have run and had no core (`schedstat`); zero where the kernel keeps none.
pub(super) fn thread_waited_s() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: Option<f64> = schedstat.split_ascii_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    nanos.unwrap_or(0.0) / 1e9
}

/// Processes that want a core, on the mean of the last minute (proc(5), `loadavg`).
pub(super) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Joules counted so far by the processor's packages (powercap(5) of the kernel's documentation, RAPL); `None` where there
/// are none or they may not be read.
fn joules(powercap: &Path) -> Option<f64> {
    let is_package = |path: &PathBuf| {
        std::fs::read_to_string(path.join("name")).is_ok_and(|name| name.trim().starts_with("package"))
    };
    let zones = std::fs::read_dir(powercap).ok()?.flatten().map(|zone| zone.path()).filter(is_package);
    let counters: Option<Vec<f64>> =
        zones.map(|zone| std::fs::read_to_string(zone.join("energy_uj")).ok()?.trim().parse::<f64>().ok()).collect();
    let counters = counters.filter(|counters| !counters.is_empty())?;
    Some(counters.iter().sum::<f64>() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_waiting_is_not() {
        let usage = Usage::now();
        let mut sum = 0_u64;
        while usage.cpu_s() < 0.02 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(usage.wall_s() > 0.0);
    }

    #[test]
    fn joules_are_those_of_the_packages_and_none_where_one_may_not_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let zone = |name: &str, kind: &str, energy: Option<&str>| {
            let zone = folder.path().join(name);
            std::fs::create_dir(&zone).expect("a folder");
            std::fs::write(zone.join("name"), kind).expect("writes");
            if let Some(energy) = energy {
                std::fs::write(zone.join("energy_uj"), energy).expect("writes");
            }
        };
        assert_eq!(joules(folder.path()), None);
        zone("intel-rapl:0", "package-0\n", Some("2500000\n"));
        zone("intel-rapl:0:0", "core\n", Some("1000000\n"));
        zone("intel-rapl:1", "package-1\n", Some("1500000\n"));
        assert_eq!(joules(folder.path()), Some(4.0));
        zone("intel-rapl:2", "package-2\n", None);
        assert_eq!(joules(folder.path()), None);
    }
}

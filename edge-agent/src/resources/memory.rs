//! Whether memory is short: how long tasks wait for it (pressure stall information, kernel `Documentation/accounting/psi`), and
//! how much is left of what this program may have (control group v2, `Documentation/admin-guide/cgroup-v2`) and of the box's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Some task waited for memory this share of the last ten seconds: it is short. Raising it rides out more; from a fifth on
/// frames are late for it.
const PRESSED: f64 = 0.10;
/// Below this share it is no longer.
const RELIEVED: f64 = 0.05;
/// So little left is short …
const LEAST: u64 = 64 << 20;
/// … and this much is enough again.
const ENOUGH: u64 = 128 << 20;
/// How long it must be enough. Raising it spares rings that are cut again at once.
const RELIEVED_FOR: Duration = Duration::from_secs(30);
/// Groups above one's own that are looked at.
const MOST_GROUPS: usize = 8;

/// What was read; `None`: not told here.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MemoryReading {
    /// Share of the last ten seconds in which some task waited for memory.
    pub pressure: Option<f64>,
    /// Bytes that can still be had.
    pub available: Option<u64>,
}

/// Where that is read: `/proc` and `/sys/fs/cgroup` below a folder, which is `/` but in tests.
#[derive(Debug, Clone)]
pub struct MemorySigns {
    root: PathBuf,
}

impl MemorySigns {
    /// Below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// How it is.
    #[must_use]
    pub fn read(&self) -> MemoryReading {
        let groups = self.groups();
        // The nearest group's: what others on the box wait for does not hold this program up.
        let own = groups.first().and_then(|group| pressure(&group.join("memory.pressure")));
        let pressure = own.or_else(|| pressure(&self.root.join("proc/pressure/memory")));
        let left = groups.iter().filter_map(|group| left_in(group));
        MemoryReading { pressure, available: left.chain(self.of_box()).min() }
    }

    /// The control group that this program is in, and those around it.
    fn groups(&self) -> Vec<PathBuf> {
        let text = fs::read_to_string(self.root.join("proc/self/cgroup")).unwrap_or_default();
        let Some(own) = text.lines().find_map(|line| line.strip_prefix("0::/")) else { return Vec::new() };
        let mount = self.root.join("sys/fs/cgroup");
        let own = mount.join(own);
        own.ancestors().take_while(|group| group.starts_with(&mount)).take(MOST_GROUPS).map(Path::to_owned).collect()
    }

    fn of_box(&self) -> Option<u64> {
        let text = fs::read_to_string(self.root.join("proc/meminfo")).ok()?;
        let kib = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.trim().strip_suffix("kB")?;
        kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

/// `some avg10=1.25 …`, in percent.
fn pressure(path: &Path) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent = some.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}

/// What a group with a limit has left: file pages that were not touched lately are given up before anything fails.
fn left_in(group: &Path) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = [number("memory.max"), number("memory.high")].into_iter().flatten().min()?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let idle_files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    let used = number("memory.current")?.saturating_sub(idle_files.unwrap_or(0));
    Some(limit.saturating_sub(used))
}

/// Says when it is short, and when no longer.
#[derive(Debug, Default)]
pub struct MemoryJudge {
    is_short: bool,
    enough_since: Option<Instant>,
}

impl MemoryJudge {
    /// Takes a reading at `now`; whether memory is short.
    pub fn note(&mut self, now: Instant, reading: MemoryReading) -> bool {
        let MemoryReading { pressure, available } = reading;
        let is_pressed = pressure.is_some_and(|share| share >= PRESSED) || available.is_some_and(|bytes| bytes < LEAST);
        let is_enough = pressure.is_none_or(|share| share < RELIEVED) && available.is_none_or(|bytes| bytes >= ENOUGH);
        if is_pressed {
            self.is_short = true;
        }
        self.enough_since = if is_enough { self.enough_since.or(Some(now)) } else { None };
        if self.enough_since.is_some_and(|since| now.saturating_duration_since(since) >= RELIEVED_FOR) {
            self.is_short = false;
        }
        self.is_short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("below the root")).expect("makes the folder");
            fs::write(path, text).expect("writes");
        }
    }

    #[test]
    fn the_tightest_group_around_the_program_and_the_box_itself_count() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(MemorySigns::new(root.path()).read(), MemoryReading::default(), "nothing is told");
        write(
            root.path(),
            &[
                ("proc/self/cgroup", "4:memory:/old\n0::/system.slice/ngatu.service\n"),
                ("proc/meminfo", "MemTotal: 4194304 kB\nMemAvailable:    2097152 kB\n"),
                ("proc/pressure/memory", "some avg10=40.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=9.00 …\n"),
            ],
        );
        let reading = MemorySigns::new(root.path()).read();
        assert_eq!(reading, MemoryReading { pressure: Some(0.4), available: Some(2048 * MIB) });
        write(
            root.path(),
            &[
                ("sys/fs/cgroup/system.slice/ngatu.service/memory.max", "max\n"),
                ("sys/fs/cgroup/system.slice/ngatu.service/memory.high", "536870912\n"),
                ("sys/fs/cgroup/system.slice/ngatu.service/memory.current", "524288000\n"),
                ("sys/fs/cgroup/system.slice/ngatu.service/memory.stat", "anon 1\ninactive_file 104857600\n"),
                ("sys/fs/cgroup/system.slice/ngatu.service/memory.pressure", "some avg10=2.50 avg60=0.00\n"),
                ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n"),
                ("sys/fs/cgroup/system.slice/memory.current", "1073741824\n"),
            ],
        );
        let reading = MemorySigns::new(root.path()).read();
        assert_eq!(reading, MemoryReading { pressure: Some(0.025), available: Some(0) }, "the slice is full");
        write(root.path(), &[("sys/fs/cgroup/system.slice/memory.max", "max\n")]);
        assert_eq!(MemorySigns::new(root.path()).read().available, Some(112 * MIB));
    }

    #[test]
    fn memory_is_short_at_once_and_enough_only_when_it_stays_enough() {
        let (start, mut judge) = (Instant::now(), MemoryJudge::default());
        let mut at = |second, pressure, mib: u64| {
            let reading = MemoryReading { pressure: Some(pressure), available: Some(mib * MIB) };
            judge.note(start + Duration::from_secs(second), reading)
        };
        assert!(!at(0, 0.09, 1000) && !at(40, 0.04, 65), "not yet");
        assert!(at(41, 0.11, 1000));
        assert!(at(42, 0.06, 1000) && at(43, 0.0, 1000) && at(72, 0.0, 1000), "not for long enough");
        assert!(!at(73, 0.0, 1000));
        assert!(at(74, 0.0, 63));
        assert!(at(200, 0.0, 100) && at(201, 0.0, 128));
        assert!(!at(231, 0.0, 128));
        assert!(!MemoryJudge::default().note(start, MemoryReading::default()), "what is not told is not short");
    }
}

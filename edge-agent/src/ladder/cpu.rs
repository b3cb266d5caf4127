//! How busy the box's processors are (proc_stat(5)).

/// The share of processor time that is used, from one reading to the next. Time of processes that gave way (`nice`) does
/// not count: they give way to this one too.
#[derive(Debug, Default)]
pub struct CpuReader {
    last: Option<(u64, u64)>,
}

impl CpuReader {
    /// The share since the last reading; `None` at the first, and where it cannot be read.
    pub fn read(&mut self) -> Option<f64> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        self.note(&text)
    }

    fn note(&mut self, text: &str) -> Option<f64> {
        let (busy, all) = busy_and_all(text)?;
        let (busy_before, all_before) = self.last.replace((busy, all))?;
        let passed = all.checked_sub(all_before).filter(|passed| *passed > 0)?;
        Some(busy.saturating_sub(busy_before) as f64 / passed as f64)
    }
}

/// In ticks since the machine started.
fn busy_and_all(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // Guests' time is within user and nice.
    let [user, nice, system, idle, wait, irq, softirq, steal, ..] = ticks[..] else { return None };
    let busy = user + system + irq + softirq + steal;
    Some((busy, busy + nice + idle + wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_since_the_last_reading_without_who_gave_way() {
        let mut reader = CpuReader::default();
        assert_eq!(reader.note("cpu  100 50 20 800 10 0 5 5 0 0\ncpu0 …"), None);
        // 60 of 200: user 40, system 10, softirq 5, steal 5; nice 80, idle 60.
        assert_eq!(reader.note("cpu  140 130 30 860 10 0 10 10 0 0\ncpu0 …"), Some(0.3));
        assert_eq!(reader.note("cpu  140 130 30 860 10 0 10 10 0 0"), None, "no time passed");
        assert_eq!(reader.note("intr 1 2 3"), None);
        assert!(CpuReader::default().read().is_none_or(|share| (0.0..=1.0).contains(&share)));
    }
}

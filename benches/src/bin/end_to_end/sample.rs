//! What one measurement found.

use std::collections::BTreeMap;
use std::time::Duration;

use benches::process::{Usage, resident_bytes};
use serde::{Deserialize, Serialize};

/// One window of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Wall time.
    pub(crate) wall_s: f64,
    /// User and system time.
    pub(crate) cpu_s: f64,
    /// The same by kind of thread.
    pub(crate) threads_s: BTreeMap<String, f64>,
    /// Frames received and decoded.
    pub(crate) frames: u64,
    /// Frames inferred.
    pub(crate) analysed: u64,
    /// Events committed.
    pub(crate) events: u64,
    /// Resident at the end.
    pub(crate) resident_mib: f64,
    /// From the start of the program to its first analysed frame.
    pub(crate) first_frame_s: f64,
    /// From a frame's arrival until it was judged and committed, in milliseconds: every frame since the start.
    pub(crate) judged_ms: Option<Quantiles>,
    /// The same of frames with events.
    pub(crate) committed_ms: Option<Quantiles>,
}

/// Of a latency, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    /// Of how many.
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

impl Sample {
    /// From two moments and what was counted between them.
    pub(crate) fn between(before: &Usage, after: &Usage, frames: u64, analysed: u64) -> Self {
        let threads = after.threads_since(before).into_iter();
        Self {
            wall_s: after.wall_since(before).as_secs_f64(),
            cpu_s: after.cpu_since(before).as_secs_f64(),
            threads_s: threads.map(|(name, cpu)| (name, cpu.as_secs_f64())).collect(),
            frames,
            analysed,
            events: 0,
            resident_mib: resident_bytes().0 as f64 / f64::from(1 << 20),
            first_frame_s: 0.0,
            judged_ms: None,
            committed_ms: None,
        }
    }

    /// Cores in use.
    pub(crate) fn cores(&self) -> f64 {
        self.cpu_s / self.wall_s
    }

    /// Prints it as the parent reads it.
    pub(crate) fn tell(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// The time that a process has lived (proc(5), `starttime`).
pub(crate) fn lived() -> Duration {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    // The program's name may hold spaces; what follows its bracket does not.
    let stat = read("/proc/self/stat");
    let start = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse::<f64>().ok());
    let uptime = read("/proc/uptime").split_ascii_whitespace().next().and_then(|uptime| uptime.parse::<f64>().ok());
    // USER_HZ is 100 on every Linux that this runs on.
    let lived = start.zip(uptime).map_or(0.0, |(start, uptime)| uptime - start / 100.0);
    Duration::from_secs_f64(lived.max(0.0))
}

//! What one measurement found.

use std::collections::BTreeMap;
use std::time::Duration;

use benches::process::{Usage, proportional_bytes, resident_bytes};
use serde::{Deserialize, Serialize};

/// One window of one process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    /// The same of each camera.
    pub(crate) analysed_by_camera: Vec<u64>,
    /// Events committed.
    pub(crate) events: u64,
    /// Incidents opened, by kind.
    pub(crate) incidents: BTreeMap<String, u64>,
    /// Resident at the end.
    pub(crate) resident_mib: f64,
    /// The same, with what is shared with other processes divided among them.
    pub(crate) proportional_mib: f64,
    /// From the start of the program to its first analysed frame.
    pub(crate) first_frame_s: f64,
    /// From a frame's arrival until it was judged and committed, in milliseconds.
    pub(crate) judged_ms: Option<Quantiles>,
    /// The same of frames with events.
    pub(crate) committed_ms: Option<Quantiles>,
    /// Each frame's, where the process tells them all and no quantiles.
    #[serde(default)]
    pub(crate) each_judged_ms: Vec<f64>,
    /// The two halves of the window, one after the other, to see what grows; empty where nobody asks.
    pub(crate) halves: Vec<Half>,
}

/// Half a window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Half {
    /// As [`Sample::judged_ms`], 95th percentile.
    pub(crate) p95_ms: f64,
    /// Resident at its end.
    pub(crate) resident_mib: f64,
    /// Events that wait for the broker at its end.
    pub(crate) pending: u64,
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

impl Quantiles {
    /// Of all of these; `None` of none.
    pub(crate) fn of(mut all: Vec<f64>) -> Option<Self> {
        all.sort_by(f64::total_cmp);
        let at = |q: f64| all.get(((q * all.len() as f64).ceil() as usize).saturating_sub(1)).copied();
        Some(Self { count: all.len() as u64, p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)? })
    }
}

impl Sample {
    /// From two moments and what was counted between them.
    pub(crate) fn between(before: &Usage, after: &Usage, frames: u64, analysed_by_camera: Vec<u64>) -> Self {
        let threads = after.threads_since(before).into_iter();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Self {
            wall_s: after.wall_since(before).as_secs_f64(),
            cpu_s: after.cpu_since(before).as_secs_f64(),
            threads_s: threads.map(|(name, cpu)| (name, cpu.as_secs_f64())).collect(),
            frames,
            analysed: analysed_by_camera.iter().sum(),
            analysed_by_camera,
            resident_mib: mib(resident_bytes().0),
            proportional_mib: mib(proportional_bytes()),
            ..Self::default()
        }
    }

    /// Of processes that ran beside each other.
    pub(crate) fn sum(samples: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> f64| samples.iter().map(of).sum::<f64>();
        let mut all = Self {
            wall_s: sum(|sample| sample.wall_s) / samples.len().max(1) as f64,
            cpu_s: sum(|sample| sample.cpu_s),
            frames: samples.iter().map(|sample| sample.frames).sum(),
            analysed: samples.iter().map(|sample| sample.analysed).sum(),
            analysed_by_camera: samples.iter().map(|sample| sample.analysed).collect(),
            events: samples.iter().map(|sample| sample.events).sum(),
            resident_mib: sum(|sample| sample.resident_mib),
            proportional_mib: sum(|sample| sample.proportional_mib),
            first_frame_s: samples.iter().map(|sample| sample.first_frame_s).fold(0.0, f64::max),
            judged_ms: Quantiles::of(samples.iter().flat_map(|sample| sample.each_judged_ms.clone()).collect()),
            ..Self::default()
        };
        for sample in samples {
            add(&mut all.threads_s, &sample.threads_s);
            add(&mut all.incidents, &sample.incidents);
        }
        all
    }

    /// Cores in use.
    pub(crate) fn cores(&self) -> f64 {
        self.cpu_s / self.wall_s
    }

    /// CPU seconds a frame that was received: two windows are not equally long to the frame.
    pub(crate) fn per_frame(&self) -> f64 {
        self.cpu_s / self.frames.max(1) as f64
    }

    /// Prints it as the parent reads it.
    pub(crate) fn tell(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

fn add<T: Copy + Default + std::ops::AddAssign>(all: &mut BTreeMap<String, T>, more: &BTreeMap<String, T>) {
    more.iter().for_each(|(name, value)| *all.entry(name.clone()).or_default() += *value);
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

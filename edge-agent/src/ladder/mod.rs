//! The degradation ladder: what the box gives up, in which order, when it cannot do all that is asked of it or runs hot;
//! and when it takes it up again. `docs/ladder.md` is the same for those who operate it.
//!
//! The decision ([`Ladder`]) is pure: readings and the time go in, a level comes out. A level says of every camera on
//! which [`Rung`] it stands ([`plan`]); the task (`app::ladder`) reads the box and pulls the means.
//!
//! # Invariants
//! - Levels are taken one at a time, down and up, in one order: what a lower level gives up, every level below it gives up.
//! - Cameras of equal priority are capped at the same rate and stand on the same step.
//! - A camera gives way after every camera of a lesser priority has given way in the same manner.
//! - The box is announced degraded at every level but the first.

mod cpu;
mod judged;
pub mod plan;
mod status;

mod thermal;

use std::collections::VecDeque;
use std::time::Duration;

pub use self::cpu::CpuReader;
pub use self::judged::{is_judged, not_judged};
pub use self::plan::{CameraPlan, Rung, Step};
pub use self::status::{CameraRung, LadderStatus};
pub use self::thermal::ThermalZones;

/// When levels change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LadderParams {
    /// Whether there is a ladder at all.
    pub enabled: bool,
    /// Frames a second below which no rate is lowered by the first step. Raising it keeps quick things judged well; it costs
    /// the later steps earlier, which judge less.
    pub least_fps: f64,
    /// How long the box must be late before it goes down a level, and how long a level has to show what it gave. Raising
    /// it rides out longer bursts; it costs that much more time in which frames are late or dropped.
    pub down_after: Duration,
    /// How long the box must be calm before it goes up a level. Raising it spares levels taken in vain; it costs that much
    /// time at a level that is no longer needed.
    pub up_after: Duration,
}

impl Default for LadderParams {
    fn default() -> Self {
        Self { enabled: true, least_fps: 2.0, down_after: Duration::from_secs(10), up_after: Duration::from_secs(60) }
    }
}

/// Temperatures at which levels change, in °C.
#[derive(Debug, Clone, PartialEq)]
pub struct ThermalParams {
    /// From here on nothing is taken up again. Raising it lets a warm box do more; it brings it nearer to `limit_c`.
    pub warn_c: f64,
    /// From here on a level is given up every [`COOL`]. Raising it lets a hot box do all it is asked; above what the processor
    /// allows itself, it throttles first, and everything is late at once.
    pub limit_c: f64,
    /// Something is taken up again only this much below `warn_c`. Raising it spares levels that are taken back at once; it
    /// costs time at a level after the box has cooled.
    pub hysteresis_c: f64,
    /// Types of the thermal zones that count; empty: all. For boxes with a zone that does not tell a temperature.
    pub zones: Vec<String>,
}

impl Default for ThermalParams {
    fn default() -> Self {
        Self { warn_c: 80.0, limit_c: 90.0, hysteresis_c: 5.0, zones: Vec::new() }
    }
}

/// A box cools slowly: time that a level has to show in its temperature.
pub const COOL: Duration = Duration::from_secs(20);

/// What holds less of the streams gives first; memory that stays short for so long takes a level, as heat does.
const SHED: Duration = Duration::from_secs(30);

/// A camera that is given less than this share of the frames that are due is late. Raising it sheds earlier; it costs
/// levels for what a busy second makes late.
const SERVED: f64 = 0.8;

/// A picture that waits so long for the decoder is late.
const LAG: Duration = Duration::from_millis(500);

/// Below these shares of busy workers and processor time, lateness is not for want of time (a disk that does not commit,
/// say), and no level would cure it.
const BUSY_WORKERS: f64 = 0.7;
const BUSY_CPU: f64 = 0.85;

/// A level is taken up again when the workers are foreseen to be busy for at most this share of the time. Raising it uses
/// more of the box; it costs levels that are taken back.
const ROOM: f64 = 0.85;

/// A level that had to be taken back so soon (in `up_after`, as often as was waited for it) was taken up in vain: the next
/// one waits twice as long …
const RELAPSE: u32 = 3;
/// … at most this many times `up_after`.
const MOST_PATIENCE: u32 = 32;

/// Why a level was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Frames were late.
    Late,
    /// The box was hot.
    Hot,
    /// Memory was short.
    MemoryShort,
}

/// What was seen of one camera since the last reading.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CameraLoad {
    /// Pictures that were decoded.
    pub came: u64,
    /// Of them, analysed.
    pub analysed: u64,
    /// How long coded pictures waited for the decoder at worst.
    pub lag: Duration,
}

/// What was seen of the box since the last reading.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Its cameras, in their order.
    pub cameras: Vec<CameraLoad>,
    /// Share of the time that inference workers were busy.
    pub workers: f64,
    /// Share of the processors' time that was used, other than by processes that gave way; `None`: not known.
    pub cpu: Option<f64>,
    /// Of its hottest zone, in °C; `None`: not known.
    pub temperature_c: Option<f64>,
    /// Whether memory is short ([`crate::resources`]).
    pub is_memory_short: bool,
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The level before.
    pub from: usize,
    /// The level now.
    pub to: usize,
    /// Why it is not the first; `None` at the first.
    pub cause: Option<Cause>,
}

/// One reading, as the window keeps it.
#[derive(Debug)]
struct Look {
    lasts: Duration,
    /// Each camera's frames due and analysed, and whether its decoder was behind.
    cameras: Vec<(f64, u64, bool)>,
    workers: f64,
    cpu: f64,
}

/// Decides on the level.
#[derive(Debug)]
pub struct Ladder {
    params: LadderParams,
    thermal: ThermalParams,
    plan: Vec<Vec<Rung>>,
    level: usize,
    cause: Option<Cause>,
    /// Readings since the last move, no older than `down_after`.
    window: VecDeque<Look>,
    last: Duration,
    calm_for: Duration,
    hot_for: Duration,
    short_for: Duration,
    climbed_at: Option<Duration>,
    patience: u32,
}

impl Ladder {
    /// At the first level.
    #[must_use]
    pub fn new(cameras: &[CameraPlan], params: LadderParams, thermal: ThermalParams) -> Self {
        Self {
            plan: plan::levels(cameras, params.least_fps),
            params,
            thermal,
            level: 0,
            cause: None,
            window: VecDeque::new(),
            last: Duration::ZERO,
            calm_for: Duration::ZERO,
            hot_for: Duration::ZERO,
            short_for: Duration::ZERO,
            climbed_at: None,
            patience: 1,
        }
    }

    /// The level; 0: nothing is given up.
    #[must_use]
    pub fn level(&self) -> usize {
        self.level
    }

    /// The last level.
    #[must_use]
    pub fn lowest(&self) -> usize {
        self.plan.len() - 1
    }

    /// Where each camera stands.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.plan[self.level]
    }

    /// Why it does not stand at the first level.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Takes a reading at `now`, time since the start; whether the level changes by it.
    pub fn tick(&mut self, now: Duration, reading: &Reading) -> Option<Move> {
        let lasts = now.saturating_sub(self.last);
        self.last = now;
        if !self.params.enabled || lasts.is_zero() {
            return None;
        }
        self.note(lasts, reading);
        let temperature = reading.temperature_c;
        let is_hot = temperature.is_some_and(|celsius| celsius >= self.thermal.limit_c);
        self.hot_for = if is_hot { self.hot_for + lasts } else { Duration::ZERO };
        self.short_for = if reading.is_memory_short { self.short_for + lasts } else { Duration::ZERO };
        let is_full = self.watched_for() >= self.params.down_after;
        let is_late = self.is_late();
        if self.hot_for >= COOL {
            return self.descend(now, Cause::Hot);
        }
        if self.short_for >= SHED {
            return self.descend(now, Cause::MemoryShort);
        }
        if is_full && is_late && self.is_busy() {
            return self.descend(now, Cause::Late);
        }
        let cool_c = self.thermal.warn_c - self.thermal.hysteresis_c;
        let is_cool = temperature.is_none_or(|celsius| celsius < cool_c);
        let is_calm = is_full && !is_late && !reading.is_memory_short && self.has_room() && is_cool;
        self.calm_for = if is_calm { self.calm_for + lasts } else { Duration::ZERO };
        if self.level > 0 && self.calm_for >= self.params.up_after * self.patience { self.climb(now) } else { None }
    }

    fn note(&mut self, lasts: Duration, reading: &Reading) {
        let cameras = std::iter::zip(&self.plan[self.level], &reading.cameras).map(|(rung, load)| {
            // What did not come is not this box's doing.
            let due = (load.came as f64).min(rung.fps * lasts.as_secs_f64());
            (due, load.analysed, load.lag >= LAG)
        });
        let cameras = cameras.collect();
        self.window.push_back(Look { lasts, cameras, workers: reading.workers, cpu: reading.cpu.unwrap_or(0.0) });
        while self.watched_for() - self.window[0].lasts >= self.params.down_after {
            self.window.pop_front();
        }
    }

    fn watched_for(&self) -> Duration {
        self.window.iter().map(|look| look.lasts).sum()
    }

    /// Whether some camera was late for most of the window.
    fn is_late(&self) -> bool {
        (0..self.rungs().len()).any(|camera| {
            let looks = || self.window.iter().filter_map(|look| look.cameras.get(camera));
            let due: f64 = looks().map(|(due, ..)| due).sum();
            let analysed: u64 = looks().map(|(_, analysed, _)| analysed).sum();
            let behind = looks().filter(|(.., is_behind)| *is_behind).count();
            // One frame may be under way.
            (analysed as f64) + 1.0 < SERVED * due || 2 * behind > self.window.len()
        })
    }

    fn mean(&self, of: impl Fn(&Look) -> f64) -> f64 {
        let sum: f64 = self.window.iter().map(|look| of(look) * look.lasts.as_secs_f64()).sum();
        sum / self.watched_for().as_secs_f64().max(f64::EPSILON)
    }

    fn is_busy(&self) -> bool {
        self.mean(|look| look.workers) >= BUSY_WORKERS || self.mean(|look| look.cpu) >= BUSY_CPU
    }

    /// Whether the level above is foreseen to fit: inference costs as its frames.
    fn has_room(&self) -> bool {
        let Some(above) = self.level.checked_sub(1).and_then(|level| self.plan.get(level)) else { return true };
        let (mut now, mut then) = (0.0, 0.0);
        for (camera, (rung, above)) in std::iter::zip(self.rungs(), above).enumerate() {
            let analysed = self.analysed_fps(camera);
            now += analysed;
            then += match () {
                // Nothing tells how many pictures it gives.
                () if rung.fps == 0.0 => above.fps,
                // It is away.
                () if analysed == 0.0 => 0.0,
                // Of key frames there may be far fewer than were asked for.
                () if rung.key_frames_only && !above.key_frames_only => above.fps,
                () => analysed * above.fps / rung.fps,
            };
        }
        let growth = if now > 0.0 { (then / now).max(1.0) } else { 1.0 };
        self.mean(|look| look.workers) * growth <= ROOM && self.mean(|look| look.cpu) <= BUSY_CPU
    }

    /// Frames of a camera that were analysed a second, over the window.
    fn analysed_fps(&self, camera: usize) -> f64 {
        let looks = self.window.iter().filter_map(|look| look.cameras.get(camera));
        let analysed: u64 = looks.map(|(_, analysed, _)| analysed).sum();
        analysed as f64 / self.watched_for().as_secs_f64().max(f64::EPSILON)
    }

    fn descend(&mut self, now: Duration, cause: Cause) -> Option<Move> {
        (self.hot_for, self.short_for, self.calm_for) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        if self.level == self.lowest() {
            return None;
        }
        let relapsed =
            self.climbed_at.take().is_some_and(|at| now - at < self.params.up_after * RELAPSE * self.patience);
        if relapsed {
            self.patience = (2 * self.patience).min(MOST_PATIENCE);
        } else if self.level == 0 {
            self.patience = 1;
        }
        self.cause = Some(cause);
        self.go(self.level + 1)
    }

    fn climb(&mut self, now: Duration) -> Option<Move> {
        self.climbed_at = Some(now);
        if self.level == 1 {
            self.cause = None;
        }
        self.go(self.level - 1)
    }

    fn go(&mut self, to: usize) -> Option<Move> {
        let from = std::mem::replace(&mut self.level, to);
        self.window.clear();
        self.calm_for = Duration::ZERO;
        Some(Move { from, to, cause: self.cause })
    }
}

#[cfg(test)]
mod tests;

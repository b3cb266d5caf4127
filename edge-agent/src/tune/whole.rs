//! The service itself for a while, on a copy of its site that keeps its events to itself: what every stage takes when all
//! run at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::TuneError;
use super::usage::{Usage, threads_cpu_s};
use crate::app::{App, GRACE};
use crate::config::{Home, Site};

/// Threads of inference, as `app` names them.
const INFER: [&str; 1] = ["infer-"];

/// Threads behind inference: tasks, commits, recorded tracks, pictures.
const REST: [&str; 4] = ["async", "outbox", "tracks", "evidence"];

/// Time for every camera's first frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// Trackers fill, caches warm.
const SETTLE: Duration = Duration::from_secs(2);

/// What a while of the service took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Whole {
    /// Cameras.
    pub cameras: u32,
    /// Cores in use.
    pub cores: f64,
    /// Frames received a second and camera.
    pub received_fps: f64,
    /// Frames analysed a second and camera.
    pub analysed_fps: f64,
    /// CPU milliseconds of receiving and decoding, a received frame.
    pub decode_ms: f64,
    /// CPU milliseconds of inference, an analysed frame.
    pub infer_ms: f64,
    /// CPU milliseconds of everything else, an analysed frame.
    pub rest_ms: f64,
}

/// A folder that is gone when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self, TuneError> {
        let path = std::env::temp_dir().join(format!("ngatu-tune-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| TuneError::Io { path: path.clone(), error })?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the site's cameras for `window`, with storage in `scratch`, no status page, and a broker that is nobody.
pub(super) async fn run(mut site: Site, home: &Home, scratch: &Scratch, window: Duration) -> Result<Whole, TuneError> {
    site.storage.path = scratch.path().join("storage");
    std::fs::create_dir_all(&site.storage.path)
        .map_err(|error| TuneError::Io { path: site.storage.path.clone(), error })?;
    site.status_listen = None;
    // The port of RFC 863: nothing listens there, or it swallows what comes.
    site.mqtt.url = "mqtt://127.0.0.1:9".parse().expect("a url");
    (site.mqtt.login, site.mqtt.ca, site.mqtt.identity) = (None, None, None);
    let app = App::start(&site, home).await?;
    let measured = measure(&app, site.cameras.len(), window).await;
    app.drain(GRACE).await;
    let _ = std::fs::remove_dir_all(&site.storage.path);
    measured
}

async fn measure(app: &App, cameras: usize, window: Duration) -> Result<Whole, TuneError> {
    timeout(PATIENCE, app.analysing()).await.map_err(|_| TuneError::NoFrames)?;
    sleep(SETTLE).await;
    let (usage, from) = (Usage::now(), app.summary());
    let (infer, rest) = (threads_cpu_s(&INFER), threads_cpu_s(&REST));
    sleep(window).await;
    let (cpu_s, wall_s, until) = (usage.cpu_s(), usage.wall_s(), app.summary());
    let (infer_s, rest_s) = (threads_cpu_s(&INFER) - infer, threads_cpu_s(&REST) - rest);
    let received = (until.frames - from.frames) as f64;
    let analysed = (until.totals.analysed - from.totals.analysed) as f64;
    if received < 1.0 || analysed < 1.0 {
        return Err(TuneError::NoFrames);
    }
    let a_camera = |frames: f64| frames / wall_s / cameras as f64;
    Ok(Whole {
        cameras: u32::try_from(cameras).unwrap_or(u32::MAX),
        cores: cpu_s / wall_s,
        received_fps: a_camera(received),
        analysed_fps: a_camera(analysed),
        decode_ms: (cpu_s - infer_s - rest_s).max(0.0) * 1e3 / received,
        infer_ms: infer_s * 1e3 / analysed,
        rest_ms: rest_s * 1e3 / analysed,
    })
}

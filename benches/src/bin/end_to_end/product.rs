//! The program as `edge-agent run` starts it, for a while.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use benches::process::{Usage, resident_bytes};
use edge_agent::app::{App, GRACE};
use edge_agent::config::{self, Home, Site};
use edge_agent::page::PageState;
use edge_agent::status::{Latencies, Latency};

use crate::sample::{Half, Quantiles, Sample, lived};
use crate::{PATIENCE, WARM_UP, Watch};

/// Runs the whole service on a site made for the cameras.
pub(crate) fn run(watch: &Watch, home: &Home) -> anyhow::Result<Sample> {
    let dir = tempfile::Builder::new().prefix("ngatu-bench").tempdir_in(home.root().join(".cache"))?;
    let site = load(site(watch, dir.path())?, dir.path(), watch, home)?;
    let runtime = runtime()?;
    let sample = runtime.block_on(async {
        let app = App::start(&site, home).await?;
        let sample = measure(&app, watch).await;
        app.drain(GRACE).await;
        sample
    });
    runtime.shutdown_background();
    sample
}

/// Runs it until stdin ends; first says where its page and its storage are.
pub(crate) fn serve(watch: &Watch, home: &Home) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new().prefix("ngatu-bench").tempdir_in(home.root().join(".cache"))?;
    // An hour is long enough for the thread that makes pictures, and their budget, to matter too.
    let text = site(watch, dir.path())?.replacen(
        "[storage]",
        "[evidence]\nsnapshots = true\n[storage]\nevidence = \"16 MiB\"",
        1,
    );
    let site = load(text, dir.path(), watch, home)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let app = App::start(&site, home).await?;
        let PageState::Listening(address) = app.page_decided().await else { bail!("the status page is not there") };
        println!("{address} {}", dir.path().display());
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        app.drain(GRACE).await;
        Ok(())
    })
}

fn load(text: String, dir: &Path, watch: &Watch, home: &Home) -> anyhow::Result<Site> {
    let file = dir.join("site.toml");
    std::fs::write(&file, text)?;
    let mut site = config::load_site(&file, home)?;
    site.hw_profile.workers = watch.window.workers.unwrap_or(site.hw_profile.workers);
    Ok(site)
}

/// As the program's own: cmd::tokio_runtime.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("async").enable_all().build()
}

async fn measure(app: &App, watch: &Watch) -> anyhow::Result<Sample> {
    while app.summary().totals.analysed == 0 {
        ensure!(lived() < PATIENCE, "no frame came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let first_frame_s = lived().as_secs_f64();
    app.analysing().await;
    tokio::time::sleep(WARM_UP).await;
    let (before, from) = (Usage::now(), Counted::now(app));
    let halves = halves(app, watch).await;
    let (after, until) = (Usage::now(), Counted::now(app));
    let analysed = std::iter::zip(&until.analysed, &from.analysed).map(|(until, from)| until - from).collect();
    let opened = |kind: &String| from.incidents.get(kind).copied().unwrap_or(0);
    let since = |(kind, count): (String, u64)| Some(count - opened(&kind)).filter(|n| *n > 0).map(|n| (kind, n));
    Ok(Sample {
        events: until.events - from.events,
        incidents: until.incidents.clone().into_iter().filter_map(since).collect(),
        first_frame_s,
        judged_ms: quantiles(&until.latency.judged.since(&from.latency.judged)),
        committed_ms: quantiles(&until.latency.committed.since(&from.latency.committed)),
        halves,
        ..Sample::between(&before, &after, until.frames - from.frames, analysed)
    })
}

/// What the program had counted at one moment.
struct Counted {
    frames: u64,
    analysed: Vec<u64>,
    events: u64,
    incidents: BTreeMap<String, u64>,
    latency: Latencies,
}

impl Counted {
    fn now(app: &App) -> Self {
        let mut incidents = BTreeMap::new();
        for (_, counters) in app.cameras() {
            for ((kind, _severity), count) in counters.opened() {
                *incidents.entry(kind.into_owned()).or_default() += count;
            }
        }
        let summary = app.summary();
        Self {
            frames: summary.frames,
            analysed: app.cameras().map(|(_, counters)| counters.totals().analysed).collect(),
            events: summary.totals.events,
            incidents,
            latency: app.latency(),
        }
    }
}

/// Lets the window pass; in halves where that is asked for.
async fn halves(app: &App, watch: &Watch) -> Vec<Half> {
    if !watch.halves {
        tokio::time::sleep(watch.window.length).await;
        return Vec::new();
    }
    let mut halves = Vec::new();
    for _ in 0..2 {
        let before = app.latency().judged;
        tokio::time::sleep(watch.window.length / 2).await;
        halves.push(Half {
            p95_ms: quantiles(&app.latency().judged.since(&before)).map_or(0.0, |quantiles| quantiles.p95),
            resident_mib: resident_bytes().0 as f64 / f64::from(1 << 20),
            pending: app.summary().pending,
        });
    }
    halves
}

fn quantiles(latency: &Latency) -> Option<Quantiles> {
    let ms = |q| Some(latency.quantile(q)?.as_secs_f64() * 1e3);
    Some(Quantiles { count: latency.count(), p50: ms(0.5)?, p95: ms(0.95)?, p99: ms(0.99)? })
}

/// A site with every kind of rule on each camera.
fn site(watch: &Watch, dir: &Path) -> anyhow::Result<String> {
    let mut text = format!(
        r#"
        [site]
        id = "bench"
        name = {{ vi = "Đo", en = "Bench" }}
        [box]
        id = "box-a"
        hw_profile = "cpu-x86_64"
        [mqtt]
        url = "{}"
        [storage]
        path = "{}"
        [status]
        listen = "127.0.0.1:0"
        "#,
        watch.broker,
        dir.to_str().context("the project's path is UTF-8")?
    );
    for (number, url) in watch.camera.iter().enumerate() {
        let gate = if watch.gates_off { "[camera.motion_gate]\nenabled = false" } else { "" };
        let record = watch.record.get(number).map(|url| format!("record = {{ url = \"{url}\" }}")).unwrap_or_default();
        write!(
            text,
            r#"
            [[camera]]
            id = "cam-{number}"
            name = {{ vi = "Máy {number}", en = "Camera {number}" }}
            pipeline = "traffic-junction"
            model = "{}"
            analyse_fps = {}
            detect = {{ url = "{url}" }}
            {record}
            {gate}
            {ZONES_AND_RULES}
            "#,
            watch.window.model, watch.window.analyse_fps,
        )?;
    }
    Ok(text)
}

/// For the demo's clip, and all seven kinds.
const ZONES_AND_RULES: &str = r#"
[camera.line.mid]
points = [[0.5, 0.0], [0.5, 1.0]]
[camera.zone.lawn]
kind = "restricted"
polygon = [[0.0, 0.43], [0.23, 0.48], [0.56, 0.70], [1.0, 0.87], [1.0, 1.0], [0.0, 1.0]]
[camera.zone.junction]
kind = "area"
polygon = [[0.30, 0.32], [0.80, 0.32], [0.80, 0.60], [0.30, 0.52]]
[camera.zone.path]
kind = "lane"
polygon = [[0.0, 0.25], [1.0, 0.25], [1.0, 0.85], [0.0, 0.45]]
heading = [[0.1, 0.5], [0.9, 0.6]]
[[camera.rule]]
id = "count"
kind = "line-crossing"
line = "mid"
classes = ["person"]
[[camera.rule]]
id = "keep-off"
kind = "intrusion"
zone = "lawn"
classes = ["person"]
[[camera.rule]]
id = "lingering"
kind = "loitering"
zone = "junction"
dwell = "8s"
[[camera.rule]]
id = "group"
kind = "crowding"
zone = "junction"
count = 4
hold = "2s"
[[camera.rule]]
id = "against"
kind = "wrong-way"
zone = "path"
[[camera.rule]]
id = "stopped"
kind = "stopped-vehicle"
zone = "path"
[[camera.rule]]
id = "on-foot"
kind = "pedestrian-on-carriageway"
zone = "path"
"#;

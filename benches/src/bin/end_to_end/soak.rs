//! `soak`: the program with several cameras for a long time: are rates held, is what it uses flat, does the page answer?
//! With faults, the links to broker and cameras break again and again (`trouble`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use edge_agent::config::{Home, parse_duration};
use edge_agent::page::BoxStatus;

use crate::child::{self, Surroundings};
use crate::serve::Stream;
use crate::trouble::Trouble;
use crate::{Window, plot};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Params {
    /// How many cameras.
    #[arg(long, default_value_t = 8)]
    cameras: usize,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    window: Window,
    /// Between two looks.
    #[arg(long, value_parser = parse_duration, default_value = "1m")]
    every: Duration,
    /// Break the links to broker and cameras again and again.
    #[arg(long)]
    faults: bool,
    /// Between two faults.
    #[arg(long, value_parser = parse_duration, default_value = "20s")]
    fault_every: Duration,
    /// Draw what was sampled into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// A service that runs, and where its page is; ends when dropped.
struct Service {
    child: Child,
    page: SocketAddr,
    storage: PathBuf,
}

pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let surroundings = Surroundings::start(&params.stream, params.cameras, None, home)?;
    let mut watch = surroundings.watch(params.cameras, &params.window);
    let trouble = params.faults.then(|| Trouble::start(&mut watch, params.fault_every)).transpose()?;
    let service = Service::start(child::command("service", &watch, home)?)?;
    println!(
        "| minute | received fps, least | analysed fps, least | p95 ms, worst | cores | resident MiB | threads | descriptors \
         | database, log MiB | waiting | delivered | incidents | page, picture ms | faults |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let begun = Instant::now();
    let mut series = Series::default();
    let mut cpu = (begun, service.cpu_s());
    while begun.elapsed() < params.window.length {
        #[expect(clippy::disallowed_methods, reason = "nothing but time is waited for")]
        std::thread::sleep(params.every);
        let look = service.look()?;
        let now = (Instant::now(), service.cpu_s());
        let cores = (now.1 - cpu.1) / (now.0 - cpu.0).as_secs_f64();
        cpu = now;
        let minute = begun.elapsed().as_secs_f64() / 60.0;
        let faults = trouble.as_ref().map_or(0, Trouble::made);
        println!("| {minute:.1} | {} | {faults} |", look.row(cores));
        series.push(minute, &look);
    }
    series.report();
    if let Some(trouble) = trouble {
        println!("faults: {}", trouble.end());
    }
    if let Some(file) = &params.plot {
        std::fs::write(file, plot::svg(&series.minutes, &series.named()))?;
    }
    Ok(())
}

/// What must be flat, over the looks.
#[derive(Default)]
struct Series {
    minutes: Vec<f64>,
    resident_mib: Vec<f64>,
    threads: Vec<f64>,
    descriptors: Vec<f64>,
    database_mib: Vec<f64>,
    log_mib: Vec<f64>,
    waiting: Vec<f64>,
}

impl Series {
    fn push(&mut self, minute: f64, look: &Look) {
        self.minutes.push(minute);
        self.resident_mib.push(look.resident_mib);
        self.threads.push(look.threads as f64);
        self.descriptors.push(look.descriptors as f64);
        self.database_mib.push(look.database_mib);
        self.log_mib.push(look.log_mib);
        self.waiting.push(look.status.outbox.pending as f64);
    }

    fn named(&self) -> [(&'static str, &[f64]); 6] {
        [
            ("resident MiB", &self.resident_mib),
            ("threads", &self.threads),
            ("descriptors", &self.descriptors),
            ("database MiB", &self.database_mib),
            ("its log MiB", &self.log_mib),
            ("events waiting", &self.waiting),
        ]
    }

    /// The first looks are still filling caches and pools.
    fn report(&self) {
        println!("\n| | after a sixth of the time | least | most | at the end |\n|---|---|---|---|---|");
        for (name, values) in self.named() {
            let settled = &values[values.len() / 6..];
            let (Some(first), Some(last)) = (settled.first(), settled.last()) else { continue };
            let least = settled.iter().copied().fold(f64::INFINITY, f64::min);
            let most = settled.iter().copied().fold(0.0, f64::max);
            println!("| {name} | {first:.1} | {least:.1} | {most:.1} | {last:.1} |");
        }
    }
}

/// One look.
struct Look {
    status: BoxStatus,
    resident_mib: f64,
    threads: usize,
    descriptors: usize,
    database_mib: f64,
    log_mib: f64,
    page_ms: f64,
    picture_ms: f64,
}

impl Look {
    fn row(&self, cores: f64) -> String {
        let cameras = &self.status.cameras;
        let least = |of: fn(&edge_agent::page::CameraCard) -> f64| cameras.iter().map(of).fold(f64::INFINITY, f64::min);
        let worst = cameras.iter().filter_map(|camera| camera.latency.p95_ms).fold(0.0, f64::max);
        format!(
            "{:.1} | {:.1} | {worst:.0} | {cores:.2} | {:.1} | {} | {} | {:.2}, {:.2} | {} | {} | {} | {:.0}, {:.0}",
            least(|camera| camera.received_fps),
            least(|camera| camera.analysed_fps),
            self.resident_mib,
            self.threads,
            self.descriptors,
            self.database_mib,
            self.log_mib,
            self.status.outbox.pending,
            self.status.broker.delivered_total,
            cameras.iter().map(|camera| camera.incidents_total).sum::<u64>(),
            self.page_ms,
            self.picture_ms,
        )
    }
}

impl Service {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("it cannot be started")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
        let (page, storage) = line.trim().split_once(' ').with_context(|| format!("the service said {line:?}"))?;
        let page = page.parse().with_context(|| format!("the service said {line:?}"))?;
        Ok(Self { child, page, storage: storage.into() })
    }

    /// What a person would see, and what the system says of the process (proc(5)).
    fn look(&self) -> anyhow::Result<Look> {
        let asked = Instant::now();
        let (page, status) = (self.get("/")?, self.get("/api/v1/status")?);
        let page_ms = asked.elapsed().as_secs_f64() * 1e3;
        ensure!(page.starts_with(b"<!"), "the page is no HTML");
        let status: BoxStatus = serde_json::from_slice(&status)?;
        let asked = Instant::now();
        for picture in status.cameras.iter().filter_map(|camera| camera.picture.as_ref()) {
            let jpeg = self.get(&picture.path)?;
            ensure!(jpeg.starts_with(&[0xff, 0xd8]), "{} is no JPEG", picture.path);
        }
        let picture_ms = asked.elapsed().as_secs_f64() * 1e3 / status.cameras.len().max(1) as f64;
        let count = |folder: &str| std::fs::read_dir(self.proc(folder)).map_or(0, Iterator::count);
        let statm = std::fs::read_to_string(self.proc("status")).unwrap_or_default();
        let rss =
            statm.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        let resident_mib = rss.map_or(0.0, |kib: f64| kib / 1024.0);
        let mib = |file: &str| {
            std::fs::metadata(self.storage.join(file)).map_or(0.0, |of| of.len() as f64 / (1 << 20) as f64)
        };
        let (database_mib, log_mib) = (mib("outbox.sqlite"), mib("outbox.sqlite-wal"));
        let (threads, descriptors) = (count("task"), count("fd"));
        Ok(Look { status, resident_mib, threads, descriptors, database_mib, log_mib, page_ms, picture_ms })
    }

    fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let mut connection = TcpStream::connect(self.page)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.page)?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer)?;
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {:?}", answer.split(|byte| *byte == b'\r').next());
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer has a head")?;
        Ok(answer.split_off(head + 4))
    }

    fn proc(&self, file: &str) -> std::path::PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }

    fn cpu_s(&self) -> f64 {
        child::cpu_s(self.child.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Its stdin ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

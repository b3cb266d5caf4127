//! The processes that are measured, and the one that is not: each is this program again, or the peer's Python.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context, bail, ensure};
use edge_agent::config::Home;
use edge_agent::detect::manifest::{Head, Manifest};

use crate::sample::Sample;
use crate::serve::{Addresses, Stream};
use crate::{PATIENCE, WARM_UP, Watch, Window};

/// The cameras and the broker; gone when dropped.
pub(crate) struct Surroundings {
    child: Child,
    pub(crate) addresses: Addresses,
    fps: u32,
}

impl Surroundings {
    /// Starts them; encoding the clip takes a while. `sub`: the size of each camera's second stream.
    pub(crate) fn start(stream: &Stream, cameras: usize, sub: Option<(u32, u32)>, home: &Home) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(stream.arguments(cameras, sub, home)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.env("NGATU_HOME", home.root()).spawn().context("the cameras cannot be started")?;
        let line = first_line(child.stdout.take().context("stdout is piped")?)?;
        let addresses = serde_json::from_str(&line).with_context(|| format!("the cameras said {line:?}"))?;
        Ok(Self { child, addresses, fps: stream.fps })
    }

    /// CPU seconds that cameras and broker have used.
    pub(crate) fn cpu_s(&self) -> f64 {
        cpu_s(self.child.id())
    }

    /// A measurement of the first `cameras`.
    pub(crate) fn watch(&self, cameras: usize, window: &Window) -> Watch {
        Watch {
            camera: self.addresses.cameras.iter().take(cameras).cloned().collect(),
            record: Vec::new(),
            broker: self.addresses.broker.clone(),
            fps: self.fps,
            gates_off: false,
            halves: false,
            window: window.clone(),
        }
    }

    /// The same, as cameras are installed: the second streams are analysed, the first ones only kept.
    pub(crate) fn watch_installed(&self, cameras: usize, window: &Window) -> Watch {
        let analysed = self.addresses.subs.iter().take(cameras).cloned().collect();
        let Watch { camera: record, .. } = self.watch(cameras, window);
        Watch { camera: analysed, record, ..self.watch(cameras, window) }
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        // Its stdin ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// CPU seconds that a process has used (proc(5): `utime` and `stime`, in hundredths on every Linux that this runs on).
pub(crate) fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The program's name may hold spaces; what follows its bracket does not.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// This program again, in a process of its own, with a measurement to make.
pub(crate) fn command(what: &str, watch: &Watch, home: &Home) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env("NGATU_HOME", home.root()).arg(what);
    home.extra_models().iter().for_each(|dir| {
        command.arg("--models-dir").arg(dir);
    });
    for (flag, urls) in [("--camera", &watch.camera), ("--record", &watch.record)] {
        urls.iter().for_each(|url| {
            command.args([flag, url]);
        });
    }
    let Window { model, analyse_fps, length, workers } = &watch.window;
    command.args(["--broker", &watch.broker, "--fps", &watch.fps.to_string(), "--model", model]);
    command.args(["--analyse-fps", &analyse_fps.to_string(), "--for", &format!("{}ms", length.as_millis())]);
    command.args(workers.iter().flat_map(|workers| ["--workers".to_owned(), workers.to_string()]));
    command.args(watch.gates_off.then_some("--gates-off"));
    command.args(watch.halves.then_some("--halves"));
    Ok(command)
}

/// Measures in a process of its own.
pub(crate) fn measure(what: &str, watch: &Watch, home: &Home) -> anyhow::Result<Sample> {
    let child = Measuring::start(what, command(what, watch, home)?)?;
    child.sample(&watch.window)
}

/// A process that measures itself; ended when dropped.
struct Measuring {
    what: String,
    child: Child,
    line: mpsc::Receiver<anyhow::Result<String>>,
}

impl Measuring {
    fn start(what: &str, mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{what} cannot be started"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (told, line) = mpsc::sync_channel(1);
        std::thread::spawn(move || told.send(first_line(stdout)));
        Ok(Self { what: what.to_owned(), child, line })
    }

    /// What it says before it ends.
    fn sample(mut self, window: &Window) -> anyhow::Result<Sample> {
        let what = &self.what;
        let limit = PATIENCE * 2 + WARM_UP + window.length;
        let line = self.line.recv_timeout(limit).with_context(|| format!("{what} says nothing"))??;
        ensure!(self.child.wait()?.success(), "{what} failed");
        serde_json::from_str(&line).with_context(|| format!("{what} said {line:?}"))
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        // Of one that has ended neither does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_line(stdout: ChildStdout) -> anyhow::Result<String> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line)
}

/// The script a user would write (`benches/peers/watch.py`): with the same weights, as often, for as long.
pub(crate) struct Peer {
    python: PathBuf,
    script: PathBuf,
    weights: PathBuf,
    head: &'static str,
}

impl Peer {
    /// `python` has what benches/peers/requirements.txt names.
    pub(crate) fn new(python: PathBuf, model: &str, home: &Home) -> anyhow::Result<Self> {
        ensure!(python.is_file(), "{} is not there: run scripts/setup-peers.sh", python.display());
        let manifest = Manifest::load(&home.models().join(model))?;
        let head = match manifest.head {
            Head::Ssd { .. } => "ssd",
            Head::Yolox { .. } => "yolox",
            Head::Yolo { .. } | Head::Detr { .. } => {
                bail!("the script speaks ssd and yolox, {model} has another head")
            }
        };
        let weights = manifest.verify(home.extra_models())?.weights().to_owned();
        Ok(Self { python, script: home.root().join("benches/peers/watch.py"), weights, head })
    }

    /// One process a camera, as a script that watches one is used; added up.
    pub(crate) fn measure(&self, watch: &Watch) -> anyhow::Result<Sample> {
        let start = |camera: &String| Measuring::start("the peer", self.command(camera, watch));
        let running = watch.camera.iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
        let samples = running.into_iter().map(|child| child.sample(&watch.window));
        samples.collect::<anyhow::Result<Vec<_>>>().map(|samples| Sample::sum(&samples))
    }

    fn command(&self, camera: &str, watch: &Watch) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["--camera", camera, "--broker", &watch.broker, "--head", self.head]);
        command.arg("--weights").arg::<&Path>(&self.weights);
        command.args(["--fps", &watch.fps.to_string(), "--analyse-fps", &watch.window.analyse_fps.to_string()]);
        command.args(["--for", &watch.window.length.as_secs_f64().to_string()]);
        command
    }
}

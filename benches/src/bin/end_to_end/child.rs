//! The processes that are measured, and the one that is not: each is this program again.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use edge_agent::config::Home;

use crate::sample::Sample;
use crate::serve::{Addresses, Stream};
use crate::{Watch, Window};

/// The cameras and the broker; gone when dropped.
pub(crate) struct Surroundings {
    child: Child,
    addresses: Addresses,
    fps: u32,
}

impl Surroundings {
    /// Starts them; encoding the clip takes a while.
    pub(crate) fn start(stream: &Stream, cameras: usize, home: &Home) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(stream.arguments(cameras, home)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the cameras cannot be started")?;
        let line = first_line(child.stdout.take())?;
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
            broker: self.addresses.broker.clone(),
            fps: self.fps,
            window: window.clone(),
        }
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
    watch.camera.iter().for_each(|url| {
        command.args(["--camera", url]);
    });
    let Window { model, analyse_fps, length } = &watch.window;
    command.args(["--broker", &watch.broker, "--fps", &watch.fps.to_string(), "--model", model]);
    command.args(["--analyse-fps", &analyse_fps.to_string(), "--for", &format!("{}ms", length.as_millis())]);
    Ok(command)
}

/// Measures in a process of its own.
pub(crate) fn measure(what: &str, watch: &Watch, home: &Home) -> anyhow::Result<Sample> {
    let mut command = command(what, watch, home)?;
    let child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{what} cannot be started"))?;
    sample(what, child)
}

/// What a measuring process says before it ends.
pub(crate) fn sample(what: &str, mut child: Child) -> anyhow::Result<Sample> {
    let line = first_line(child.stdout.take());
    if !child.wait()?.success() {
        bail!("{what} failed");
    }
    let line = line?;
    serde_json::from_str(&line).with_context(|| format!("{what} said {line:?}"))
}

fn first_line(stdout: Option<ChildStdout>) -> anyhow::Result<String> {
    let mut line = String::new();
    BufReader::new(stdout.context("stdout is piped")?).read_line(&mut line)?;
    Ok(line)
}

//! The program in a process of its own: started, listened to, signalled, waited for.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use crate::common::process::{Output, signal};

/// The project's root: models, pipelines and the shipped sites lie below it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project's root").to_owned()
}

/// `edge-agent` with these arguments, to be started from the project's root.
pub(crate) fn edge_agent<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-agent"));
    command.args(arguments).current_dir(root());
    for variable in ["LOG", "HOME", "MODELS_DIR", "TRUSTED_KEYS"] {
        command.env_remove(format!("NGATU_{variable}"));
    }
    command.env_remove("CREDENTIALS_DIRECTORY").env_remove("NOTIFY_SOCKET");
    command
}

/// Runs it to its end.
pub(crate) fn finished<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Finished {
    Agent::start(&mut edge_agent(arguments)).finish()
}

/// A running program; killed when dropped.
pub(crate) struct Agent {
    child: Child,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// A program that has ended.
pub(crate) struct Finished {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Agent {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    /// With an input that somebody types into.
    pub(crate) fn start_typed(command: &mut Command) -> (Self, ChildStdin) {
        let mut agent = Self::spawn(command, Stdio::piped());
        let stdin = agent.child.stdin.take().expect("piped");
        (agent, stdin)
    }

    fn spawn(command: &mut Command, stdin: Stdio) -> Self {
        let piped = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("starts");
        let stdout = Output::of(child.stdout.take().expect("piped"));
        let stderr = Output::of(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// `edge-agent run` with this site.
    pub(crate) fn run(site: &Path) -> Self {
        Self::start(&mut edge_agent([OsStr::new("run"), site.as_os_str()]))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Sends a signal to one of its threads, by the thread's name; as a fault of that thread would come.
    pub(crate) fn strike(&self, thread: &str, signal: i32) {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("Linux");
        let mut ids = tasks.map(|task| task.expect("lists").file_name().into_string().expect("a number"));
        let is_named = |id: &String| {
            let name = std::fs::read_to_string(format!("/proc/{}/task/{id}/comm", self.pid()));
            name.is_ok_and(|name| name.trim_end() == thread)
        };
        let id: i64 = ids.find(is_named).expect("a thread of this name").parse().expect("a number");
        // SAFETY: tgkill(2) has no pointers.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, i64::from(self.pid()), id, i64::from(signal)) };
        assert_eq!(sent, 0);
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(self) -> Finished {
        self.signal("TERM");
        self.finish()
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(mut self) -> Finished {
        let ends = self.stdout.ends() && self.stderr.ends();
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        assert!(ends, "does not end\n{stdout}\n{stderr}");
        Finished { status: self.child.wait().expect("ends"), stdout, stderr }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} wrote:\n{}{}", self.pid(), self.stdout.text(), self.stderr.text());
        }
    }
}

impl Finished {
    /// The exit code; a signal as shells count it.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().or_else(|| Some(128 + self.status.signal()?)).expect("one of them")
    }

    /// Itself, once it is clear that it succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code(), 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// What it wrote to stderr, once it is clear that it failed with `code`.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code(), code, "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

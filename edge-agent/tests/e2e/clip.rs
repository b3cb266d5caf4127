//! The clip, pieces of it, and cameras that play it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use edge_agent::demo::rtsp::{LogIn, Mount, MountOptions, RtspServer};
use edge_agent::secret::Secret;
use edge_agent::source::Credentials;
use gstreamer as gst;
use gstreamer::prelude::*;

use crate::agent::root;
use crate::common::process::{Output, signal};

/// Set in processes that play the cameras: port, then log-in, then password.
const SERVE: &str = "E2E_TEST_SERVE";

/// The user of cameras that want a log-in.
pub(crate) const USER: &str = "viewer";

/// The vtest clip.
pub(crate) fn vtest() -> PathBuf {
    let clip = root().join(".cache/clips/vtest.avi");
    assert!(clip.is_file(), "the vtest clip is missing: `make test` fetches it to {}", clip.display());
    clip
}

/// The first `frames` of the clip, as a file in `folder`.
pub(crate) fn piece(folder: &Path, frames: u32) -> PathBuf {
    edge_agent::decode::init().expect("GStreamer is installed");
    let path = folder.join(format!("{frames}.avi"));
    let text = format!(
        "filesrc location=\"{}\" ! decodebin ! videoconvert ! video/x-raw,format=I420 ! \
         jpegenc name=encoder quality=95 ! avimux ! filesink location=\"{}\"",
        vtest().display(),
        path.display()
    );
    let pipeline = gst::parse::launch(&text).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let entry = pipeline.by_name("encoder").and_then(|encoder| encoder.static_pad("sink")).expect("has a pad");
    let passed = AtomicU32::new(0);
    entry.add_probe(gst::PadProbeType::BUFFER, move |_pad, _info| match passed.fetch_add(1, Ordering::Relaxed) {
        before if before < frames => gst::PadProbeReturn::Ok,
        // Thrown away. Not with Drop: the binding has taken the buffer, and GStreamer would unref what is not there.
        _ => gst::PadProbeReturn::Handled,
    });
    pipeline.set_state(gst::State::Playing).expect("plays");
    let bus = pipeline.bus().expect("has a bus");
    let end =
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).expect("stops");
    assert_eq!(end.map(|message| message.type_()), Some(gst::MessageType::Eos), "{text}");
    path
}

/// Cameras in a process of their own, which can be frozen and killed. It ends with this value, or with this process.
pub(crate) struct Cameras {
    child: Child,
    pub(crate) port: u16,
}

impl Cameras {
    /// Cameras that let everyone in.
    pub(crate) fn start() -> Self {
        Self::start_on(0, "none", "")
    }

    /// Cameras on `port` (0: a free one), with a log-in ("none", "basic" or "digest").
    pub(crate) fn start_on(port: u16, log_in: &str, password: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("runs from a file"))
            .args(["clip::cameras_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(SERVE, format!("{port} {log_in} {password}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let line = Output::of(child.stdout.take().expect("piped")).line_with("listening on ");
        let port = line.rsplit(' ').next().and_then(|port| port.parse().ok()).expect("it says its port");
        Self { child, port }
    }

    /// Of a camera: `one` and `two` are there, and `main`, which is larger.
    pub(crate) fn url(&self, camera: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{camera}", self.port)
    }

    /// They neither send nor answer, nor close.
    pub(crate) fn freeze(&self) {
        signal(self.child.id(), "STOP");
    }

    pub(crate) fn thaw(&self) {
        signal(self.child.id(), "CONT");
    }

    /// `kill -9`; the port, to start others on.
    pub(crate) fn kill(mut self) -> u16 {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
        self.port
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the body of [`Cameras`]. Ends when its parent closes its standard input.
#[test]
fn cameras_process() {
    serve_if_asked();
}

/// Plays cameras until standard input ends, if that is what this process was started for.
pub(crate) fn serve_if_asked() -> bool {
    let Ok(spec) = std::env::var(SERVE) else { return false };
    let mut words = spec.splitn(3, ' ');
    let mut word = || words.next().expect("port, log-in and password");
    let (port, log_in, password) = (word(), word(), word());
    // Short, so that it is soon encoded, and half size, so that it is soon decoded; people still walk about in it.
    let options =
        MountOptions { size: Some((384, 288)), length: Some(Duration::from_secs(12)), ..MountOptions::default() };
    let mount = |path: &str| Mount { path: path.to_owned(), clip: vtest(), options };
    // The same view at full size.
    let length = Some(Duration::from_secs(4));
    let main = Mount { options: MountOptions { size: None, length, ..options }, ..mount("/main") };
    let viewer = Credentials { user: USER.to_owned(), password: Secret::new(password) };
    let log_in = match log_in {
        "basic" => Some((LogIn::Basic, &viewer)),
        "digest" => Some((LogIn::Digest, &viewer)),
        _ => None,
    };
    let bind = format!("127.0.0.1:{port}").parse().expect("an address");
    let server = RtspServer::start(bind, &[mount("/one"), mount("/two"), main], log_in, |_, _| {}).expect("serves");
    writeln!(std::io::stdout(), "\nlistening on {}", server.address().port()).expect("the parent reads");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    true
}

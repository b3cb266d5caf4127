//! What the tests share: the clip, the server in its own process, a supervised camera.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use analytics::{CameraId, WallTime};
use edge_agent::demo::rtsp::{Codec, LogIn, Mount, MountOptions, RtspServer};
use edge_agent::frame::{Frame, FrameSignal, FrameSlot, Picture, PixelFormat, Range};
use edge_agent::privacy::Masks;
use edge_agent::secret::Secret;
use edge_agent::source::{
    Credentials, DecodeControl, FrameSource, RtspParams, RtspSource, Session, SourceStatus, Stillness, Supervisor,
    SupervisorParams,
};
use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Must never be seen anywhere.
pub(crate) const CANARY: &str = "c4n4ry-Pa55/w?rd";

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Set in processes that play the server: what [`ServerProcess::start`] was asked for.
const SERVE: &str = "INGEST_TEST_SERVE";

/// Set in processes that run one test alone.
const ALONE: &str = "INGEST_TEST_ALONE";

/// Size of the served pictures.
pub(crate) const SIZE: (u32, u32) = (322, 242);

/// The same where they are JPEG over RTP.
pub(crate) const JPEG_SIZE: (u32, u32) = (320, 240);

/// How far the clock of the camera `/ahead` is ahead.
pub(crate) const AHEAD: Duration = Duration::from_secs(90);

/// The vtest clip.
pub(crate) fn vtest() -> PathBuf {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join(".cache/clips/vtest.avi"))
        .find(|clip| clip.is_file());
    found.expect("the vtest clip is missing: `make test` fetches it to .cache/clips/vtest.avi")
}

pub(crate) fn credentials(password: &str) -> Credentials {
    Credentials { user: "viewer".to_owned(), password: Secret::new(password) }
}

/// The server, in a process that can be stopped and killed; ends with this value.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) port: u16,
}

impl ServerProcess {
    /// Starts a server on `port` (0: a free one). `log_in`: "none", "basic" or "digest".
    pub(crate) fn start(port: u16, log_in: &str) -> Self {
        let mut child = this_test_binary("stage::server_process")
            .env(SERVE, format!("{port} {log_in}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split("listening on ").nth(1).and_then(|port| port.trim().parse().ok()))
            .expect("the server says its port");
        Self { child, port }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("rtsp://127.0.0.1:{}/{path}", self.port).parse().expect("a url")
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This binary, to run one test in a process of its own.
fn this_test_binary(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("runs from a file"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// Not a test: the body of [`ServerProcess`]. Ends when its parent closes its standard input.
#[test]
fn server_process() {
    let Ok(spec) = std::env::var(SERVE) else { return };
    let (port, log_in) = spec.split_once(' ').expect("port and log-in");
    let options = MountOptions {
        size: Some(SIZE),
        fps: Some(25),
        length: Some(Duration::from_secs(4)),
        ..MountOptions::default()
    };
    let mount = |path: &str, codec, sound| Mount {
        path: path.to_owned(),
        clip: vtest(),
        options: MountOptions { codec, sound, ..options },
    };
    let with_b_frames = |path: &str, codec| Mount {
        path: path.to_owned(),
        clip: vtest(),
        options: MountOptions { codec, b_frames: true, ..options },
    };
    let folder = tempfile::tempdir().expect("a folder");
    let bars = color_bars(folder.path());
    let still = |path: &str, codec, ten_bits| Mount {
        path: path.to_owned(),
        clip: bars.clone(),
        options: MountOptions { codec, ten_bits, length: Some(Duration::from_secs(1)), ..options },
    };
    let damaged = |path: &str, codec| Mount {
        path: path.to_owned(),
        clip: vtest(),
        options: MountOptions { codec, damaged_per_mille: 30, ..options },
    };
    // RFC 2435 gives sizes in units of eight pixels.
    let jpeg = |path: &str, clip| Mount {
        path: path.to_owned(),
        clip,
        options: MountOptions { codec: Codec::Mjpeg, size: Some(JPEG_SIZE), ..options },
    };
    let mounts = [
        mount("/h264", Codec::H264, false),
        mount("/h265", Codec::H265, false),
        jpeg("/mjpeg", vtest()),
        damaged("/h264-damaged", Codec::H264),
        damaged("/h265-damaged", Codec::H265),
        Mount {
            path: "/mjpeg-damaged".to_owned(),
            clip: vtest(),
            options: MountOptions { codec: Codec::Mjpeg, size: Some(JPEG_SIZE), damaged_per_mille: 30, ..options },
        },
        mount("/vp8", Codec::Vp8, false),
        with_b_frames("/h264-b", Codec::H264),
        with_b_frames("/h265-b", Codec::H265),
        mount("/sound", Codec::H264, true),
        still("/bars-h264-10", Codec::H264, true),
        still("/bars-h265-10", Codec::H265, true),
        jpeg("/bars-mjpeg", bars.clone()),
        Mount {
            path: "/ahead".to_owned(),
            clip: bars.clone(),
            options: MountOptions { clock_ahead: AHEAD, length: Some(Duration::from_secs(1)), ..options },
        },
    ];
    let viewer = credentials(CANARY);
    let log_in = match log_in {
        "basic" => Some((LogIn::Basic, &viewer)),
        "digest" => Some((LogIn::Digest, &viewer)),
        _ => None,
    };
    let bind = format!("127.0.0.1:{port}").parse().expect("an address");
    let server = RtspServer::start(bind, &mounts, log_in, |_, _| {}).expect("serves");
    writeln!(std::io::stdout(), "listening on {}", server.address().port()).expect("the parent reads");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Makes a file with GStreamer; `{}` stands for its path.
pub(crate) fn make(folder: &Path, name: &str, pipeline: &str) -> PathBuf {
    edge_agent::decode::init().expect("GStreamer is installed");
    let path = folder.join(name);
    let text = pipeline.replace("{}", path.to_str().expect("UTF-8"));
    let pipeline = gst::parse::launch(&text).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.set_state(gst::State::Playing).expect("plays");
    let bus = pipeline.bus().expect("has a bus");
    let end =
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).expect("stops");
    assert_eq!(end.map(|message| message.type_()), Some(gst::MessageType::Eos), "{text}");
    path
}

/// A second of colour bars as they are: BT.601, limited range, 8 bits, not coded.
pub(crate) fn color_bars(folder: &Path) -> PathBuf {
    let (width, height) = SIZE;
    let text = format!(
        "videotestsrc num-buffers=25 pattern=smpte75 ! \
         video/x-raw,format=I420,width={width},height={height},framerate=25/1,colorimetry=bt601 ! \
         matroskamux ! filesink location={{}}"
    );
    make(folder, "bars.mkv", &text)
}

/// Luma and chroma at the middle of each of the seven bars, as 8-bit values of full range.
pub(crate) fn bars_of(picture: &Picture) -> [[f64; 3]; 7] {
    std::array::from_fn(|bar| {
        let (x, y) = ((2 * bar + 1) * picture.width() as usize / 14, picture.height() as usize / 3);
        let chroma = |plane: usize| match picture.layout().format {
            PixelFormat::I420 => picture.row(1 + plane, y / 2)[x / 2],
            PixelFormat::Nv12 => picture.row(1, y / 2)[x / 2 * 2 + plane],
        };
        let [luma, u, v] = [picture.row(0, y)[x], chroma(0), chroma(1)].map(f64::from);
        match picture.layout().colorimetry.range {
            Range::Full => [luma, u - 128.0, v - 128.0],
            Range::Limited => [(luma - 16.0) * 255.0 / 219.0, (u - 128.0) * 255.0 / 224.0, (v - 128.0) * 255.0 / 224.0],
        }
    })
}

/// Runs the calling test again in a process of its own; its output, or `None` in that process, which is to run the body.
pub(crate) fn alone(test: &str, environment: &[(&str, &str)]) -> Option<String> {
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let mut command = this_test_binary(test);
    let output = command.env(ALONE, "1").envs(environment.iter().copied()).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "no test is called {test}");
    Some(text)
}

/// A supervised camera.
pub(crate) struct Camera {
    pub(crate) slot: Arc<FrameSlot>,
    signal: Arc<FrameSignal>,
    pub(crate) status: watch::Receiver<SourceStatus>,
    /// Which of its pictures are decoded.
    pub(crate) control: Arc<DecodeControl>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Camera {
    pub(crate) fn start(params: RtspParams) -> Self {
        Self::of(RtspSource::new(params).expect("a camera url"))
    }

    pub(crate) fn of(source: impl FrameSource + 'static) -> Self {
        Self::with(source, None)
    }

    /// Its decoder dozes while nothing moves.
    pub(crate) fn dozing(params: RtspParams, stillness: Arc<dyn Stillness>) -> Self {
        Self::with(RtspSource::new(params).expect("a camera url"), Some(stillness))
    }

    fn with(source: impl FrameSource + 'static, stillness: Option<Arc<dyn Stillness>>) -> Self {
        let signal = Arc::new(FrameSignal::default());
        let slot = Arc::new(FrameSlot::new(Arc::clone(&signal)));
        let (publish, status) = watch::channel(SourceStatus::connecting(WallTime::UNIX_EPOCH));
        let session = Session::new(camera_id(), Arc::clone(&slot), Masks::default());
        let control = session.control();
        if let Some(stillness) = stillness {
            control.doze_by(stillness);
        }
        let supervisor = Supervisor::of(session, publish, SupervisorParams::default());
        let cancel = CancellationToken::new();
        let task = tokio::spawn(supervisor.run(source, cancel.clone()));
        Self { slot, signal, status, control, cancel, task }
    }

    /// Waits until the status is as `wanted`.
    pub(crate) async fn until(&mut self, wanted: impl FnMut(&SourceStatus) -> bool) -> SourceStatus {
        let waited =
            timeout(DEADLINE, self.status.wait_for(wanted)).await.map(|status| status.map(|status| status.clone()));
        match waited {
            Ok(status) => status.expect("the supervisor runs"),
            Err(_) => panic!("not in time; still {:?}", self.status.borrow()),
        }
    }

    /// Waits for the next frame.
    pub(crate) async fn frame(&self) -> Frame {
        match next_frame(&self.slot, &self.signal).await {
            Some(frame) => frame,
            None => panic!("no frame in time: {:?}", self.status.borrow()),
        }
    }

    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        timeout(DEADLINE, self.task).await.expect("stops").expect("no panic");
    }
}

/// The next frame of a slot, within the deadline.
pub(crate) async fn next_frame(slot: &Arc<FrameSlot>, signal: &Arc<FrameSignal>) -> Option<Frame> {
    let (slot, signal) = (Arc::clone(slot), Arc::clone(signal));
    let deadline = std::time::Instant::now() + DEADLINE;
    let waiting = tokio::task::spawn_blocking(move || {
        while std::time::Instant::now() < deadline {
            let seen = signal.generation();
            if let Some(frame) = slot.take() {
                return Some(frame);
            }
            signal.wait(seen, Some(deadline));
        }
        None
    });
    waiting.await.expect("no panic")
}

pub(crate) fn camera_id() -> CameraId {
    CameraId::new("cam").expect("valid")
}

/// Mean of the luma plane.
pub(crate) fn brightness(picture: &Picture) -> f64 {
    let rows = (0..picture.height() as usize).map(|y| picture.row(0, y));
    let sum: u64 = rows.map(|row| row.iter().map(|&luma| u64::from(luma)).sum::<u64>()).sum();
    sum as f64 / f64::from(picture.width() * picture.height())
}

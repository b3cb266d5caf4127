//! Cameras in a process of their own, whose CPU time is not counted: this program again, with a clip to play.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::TuneError;
use crate::decode::VideoCodec;
use crate::demo::rtsp::{Codec, Mount, MountOptions, RtspServer};

/// So much of the clip is played, over and over: bounds the time to encode it.
const LENGTH: Duration = Duration::from_secs(6);

/// Frames a second, as most cameras are set.
const FPS: u32 = 25;

/// One path, which any number of cameras may watch.
const PATH: &str = "/tune";

/// What the cameras show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// The clip.
    pub clip: PathBuf,
    /// The codec.
    pub codec: VideoCodec,
    /// The picture's size.
    pub size: (u32, u32),
}

/// Plays until stdin ends; first says where.
///
/// # Errors
/// The clip cannot be encoded.
pub fn serve(show: &Show) -> Result<(), TuneError> {
    let codec = match show.codec {
        VideoCodec::H264 => Codec::H264,
        VideoCodec::H265 => Codec::H265,
    };
    let options =
        MountOptions { codec, size: Some(show.size), fps: Some(FPS), length: Some(LENGTH), ..MountOptions::default() };
    let mount = Mount { path: PATH.to_owned(), clip: show.clip.clone(), options };
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = RtspServer::start(bind, &[mount], None, |_, _| {})?;
    let mut out = std::io::stdout();
    let told = writeln!(out, "rtsp://{}{PATH}", server.address()).and_then(|()| out.flush());
    // Whoever asked is gone where nobody listens.
    if told.is_ok() {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
    Ok(())
}

/// The cameras; gone when dropped.
pub(super) struct Cameras {
    child: Child,
    url: url::Url,
}

impl Cameras {
    /// Starts them; encoding the clip takes a moment.
    pub(super) fn start(show: &Show) -> Result<Self, TuneError> {
        let failed = |reason: &str| TuneError::Child { what: "the cameras' process", reason: reason.to_owned() };
        let codec = match show.codec {
            VideoCodec::H264 => "h264",
            VideoCodec::H265 => "h265",
        };
        let size = format!("{}x{}", show.size.0, show.size.1);
        let mut child = super::this_program()?
            .args(["--serve", "--codec", codec, "--size", &size, "--clip"])
            .arg::<&Path>(&show.clip)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        let _ = BufReader::new(out).read_line(&mut line);
        match line.trim().parse() {
            Ok(url) => Ok(Self { child, url }),
            Err(_) => {
                let _ = child.wait();
                Err(failed("it could not encode the clip; what it said is above"))
            }
        }
    }

    pub(super) fn url(&self) -> &url::Url {
        &self.url
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        // Its stdin ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

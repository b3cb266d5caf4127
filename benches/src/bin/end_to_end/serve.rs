//! The surroundings: cameras that play a clip, and a broker.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use edge_agent::config::Home;
use edge_agent::demo::broker;
use edge_agent::demo::rtsp::{Mount, MountOptions, RtspServer};
use serde::{Deserialize, Serialize};

/// So much of the clip is played, over and over: bounds the time to encode it.
const LENGTH: Duration = Duration::from_secs(20);

/// What the cameras give.
#[derive(Debug, Clone, Args)]
pub(crate) struct Stream {
    /// The clip that the cameras play; scaled, frames repeated, H.264 at 0.08 bits a pixel [default: the demo's].
    #[arg(long, value_name = "FILE")]
    pub(crate) clip: Option<PathBuf>,
    /// Size of the picture.
    #[arg(long, value_parser = size, default_value = "1920x1080")]
    pub(crate) size: (u32, u32),
    /// Frames a camera gives a second.
    #[arg(long, default_value_t = 25)]
    pub(crate) fps: u32,
}

/// What to serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct Params {
    #[command(flatten)]
    stream: Stream,
    /// How many cameras.
    #[arg(long)]
    cameras: usize,
}

/// Where to find them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) cameras: Vec<String>,
    pub(crate) broker: String,
}

/// `WIDTHxHEIGHT`.
pub(crate) fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed.ok_or_else(|| "expected WIDTHxHEIGHT, such as 1280x720".to_owned())
}

impl Stream {
    /// The command line of `serve`.
    pub(crate) fn arguments(&self, cameras: usize, home: &Home) -> Vec<String> {
        let (width, height) = self.size;
        let clip = self.clip(home).display().to_string();
        let words = ["--clip", &clip, "--size", &format!("{width}x{height}"), "--fps", &self.fps.to_string()];
        words.map(str::to_owned).into_iter().chain(["--cameras".to_owned(), cameras.to_string()]).collect()
    }

    fn clip(&self, home: &Home) -> PathBuf {
        self.clip.clone().unwrap_or_else(|| home.root().join(".cache/clips/vtest.avi"))
    }
}

/// Serves until stdin ends; first says where, as a line of JSON.
pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let stream = &params.stream;
    let options = MountOptions {
        size: Some(stream.size),
        fps: Some(stream.fps),
        length: Some(LENGTH),
        ..MountOptions::default()
    };
    let mount = |k: usize| Mount { path: format!("/{k}"), clip: stream.clip(home), options };
    let mounts: Vec<Mount> = (0..params.cameras).map(mount).collect();
    let server = RtspServer::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &mounts, None, |_, _| {})?;
    let cameras = mounts.iter().map(|mount| format!("rtsp://{}{}", server.address(), mount.path)).collect();
    let broker = format!("mqtt://{}", broker::start()?);
    println!("{}", serde_json::to_string(&Addresses { cameras, broker })?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

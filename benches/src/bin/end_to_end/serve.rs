//! The surroundings: cameras that play a clip or a scene, and a broker.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use edge_agent::config::Home;
use edge_agent::demo::broker;
use edge_agent::demo::rtsp::{Mount, MountOptions, RtspServer};
use serde::{Deserialize, Serialize};

use crate::scene::Scene;

/// So much of the clip is played, over and over: bounds the time to encode it.
const LENGTH: Duration = Duration::from_secs(20);

/// What the cameras give.
#[derive(Debug, Clone, Args)]
pub(crate) struct Stream {
    /// The clip that the cameras play; scaled, frames repeated, H.264 at 0.08 bits a pixel [default: the demo's].
    #[arg(long, value_name = "FILE")]
    pub(crate) clip: Option<PathBuf>,
    /// Play the clip as a camera would send it, noise and all, or one picture of it.
    #[arg(long, value_enum)]
    pub(crate) scene: Option<Scene>,
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
    /// Size of a second, smaller stream of each camera.
    #[arg(long, value_parser = size)]
    sub: Option<(u32, u32)>,
}

/// Where to find them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) cameras: Vec<String>,
    /// The second streams; empty where there are none.
    pub(crate) subs: Vec<String>,
    pub(crate) broker: String,
}

/// `WIDTHxHEIGHT`.
pub(crate) fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed.ok_or_else(|| "expected WIDTHxHEIGHT, such as 1280x720".to_owned())
}

impl Stream {
    /// The command line of `serve`.
    pub(crate) fn arguments(&self, cameras: usize, sub: Option<(u32, u32)>, home: &Home) -> Vec<String> {
        let size = |(width, height): (u32, u32)| format!("{width}x{height}");
        let mut words = vec!["--clip".to_owned(), self.clip(home).display().to_string()];
        words.extend(["--size".to_owned(), size(self.size), "--fps".to_owned(), self.fps.to_string()]);
        words.extend(["--cameras".to_owned(), cameras.to_string()]);
        words.extend(self.scene.iter().flat_map(|scene| ["--scene".to_owned(), scene.name().to_owned()]));
        words.extend(sub.iter().flat_map(|sub| ["--sub".to_owned(), size(*sub)]));
        words
    }

    fn clip(&self, home: &Home) -> PathBuf {
        self.clip.clone().unwrap_or_else(|| home.root().join(".cache/clips/vtest.avi"))
    }

    /// What plays at a mount of this size.
    fn source(&self, size: (u32, u32), home: &Home) -> anyhow::Result<(PathBuf, MountOptions)> {
        let clip = self.clip(home);
        Ok(match self.scene {
            Some(scene) => {
                let file = scene.stream(&clip, size, self.fps, &home.root().join(".cache/bench"))?;
                (file, MountOptions { as_it_is: true, ..MountOptions::default() })
            }
            None => {
                let options = MountOptions { size: Some(size), fps: Some(self.fps), ..MountOptions::default() };
                (clip, MountOptions { length: Some(LENGTH), ..options })
            }
        })
    }
}

/// Serves until stdin ends; first says where, as a line of JSON.
pub(crate) fn run(params: &Params, home: &Home) -> anyhow::Result<()> {
    let mut mounts = Vec::new();
    for (prefix, size) in [("main", Some(params.stream.size)), ("sub", params.sub)] {
        let Some(size) = size else { continue };
        let (clip, options) = params.stream.source(size, home)?;
        let mount = |k: usize| Mount { path: format!("/{prefix}/{k}"), clip: clip.clone(), options };
        mounts.extend((0..params.cameras).map(mount));
    }
    let server = RtspServer::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &mounts, None, |_, _| {})?;
    let address = |mount: &Mount| format!("rtsp://{}{}", server.address(), mount.path);
    let (mains, subs) = mounts.split_at(params.cameras);
    let (cameras, subs) = (mains.iter().map(address).collect(), subs.iter().map(address).collect());
    let broker = format!("mqtt://{}", broker::start()?);
    println!("{}", serde_json::to_string(&Addresses { cameras, subs, broker })?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

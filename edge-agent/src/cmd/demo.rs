//! `demo`: the whole thing with no hardware: a real clip as an RTSP camera, the bundled model, an embedded broker, and
//! incidents printed at the other end of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use edge_agent::app::{App, GRACE};
use edge_agent::config::{self, Home, Site};
use edge_agent::demo::broker;
use edge_agent::demo::rtsp::{Mount, MountOptions, RtspServer};
use edge_agent::page::PageState;
use edge_agent::publish::{BrokerParams, TopicRoot};
use edge_agent::shutdown;
use edge_agent::watch::{self, Lang, Seen, WatchParams};
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ends by itself after this long, such as 30s.
    #[arg(long = "for", value_name = "DURATION", value_parser = super::parse_duration)]
    duration: Option<Duration>,

    /// Language of the alerts.
    #[arg(long, value_enum, default_value_t = Lang::Vi)]
    lang: Lang,

    /// Another clip than the demonstration's.
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let clip = args.clip.unwrap_or_else(|| home.root().join(".cache/clips/vtest.avi"));
    if !clip.is_file() {
        bail!("the clip {} is missing\n    → run `make setup`, or name one with --clip", clip.display());
    }
    let mut site = config::load_site(&home.root().join("edge-agent/deploy/demo-site.toml"), home)?;
    let server = rtsp_server(&site, clip)?;
    let address = broker::start().context("the demo's broker cannot start")?;
    point_to(&mut site, server.address(), address)?;
    site.status_listen = site.status_listen.map(free_or_any);
    introduce(&site, address);

    let runtime = super::tokio_runtime()?;
    let summary = runtime.block_on(async {
        let stop = shutdown::on_signals()?;
        let watching =
            WatchParams::new(BrokerParams::plain("127.0.0.1", address.port()), TopicRoot::new(&site.mqtt.root)?);
        let (lang, zone) = (args.lang, site.timezone.clone());
        let print = move |message: Seen| {
            if let Some(line) = watch::line(&message, lang, &zone) {
                println!("{line}");
            }
        };
        let stop_watching = CancellationToken::new();
        let watcher = tokio::spawn(watch::run(watching, print, stop_watching.clone()));
        let app = App::start(&site, home).await?;
        if let PageState::Listening(address) = app.page_decided().await {
            println!("status  http://{address}/  (/?lang=en)");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = super::after(args.duration) => {}
        }
        let summary = app.drain(GRACE).await;
        stop_watching.cancel();
        watcher.await?;
        anyhow::Ok(summary)
    })?;
    runtime.shutdown_background();
    println!("--- {:.0} s", started.elapsed().as_secs_f64());
    super::run::report(&summary);
    Ok(ExitCode::SUCCESS)
}

/// Serves the clip where the site expects its camera, or on a free port where that one is taken.
fn rtsp_server(site: &Site, clip: PathBuf) -> anyhow::Result<RtspServer> {
    let url = site.cameras.iter().find_map(|camera| camera.detect.as_ref()).map(|stream| stream.url.clone());
    let url = url.context("the demo's site has no camera with a detect stream")?;
    let mounts = [Mount { path: url.path().to_owned(), clip, options: MountOptions::default() }];
    let bar = super::progress::fraction("preparing the clip");
    let mut progress = |_: &str, done: f64| bar.tell_fraction(done);
    let port = url.port().unwrap_or(554);
    let mut start =
        |port| RtspServer::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &mounts, None, &mut progress);
    let server = match start(port) {
        Err(edge_agent::demo::rtsp::RtspServerError::Bind(_)) => start(0),
        started => started,
    }?;
    Ok(server)
}

/// Writes the ports that were to be had into the site.
fn point_to(site: &mut Site, camera: SocketAddr, broker: SocketAddr) -> anyhow::Result<()> {
    for stream in site.cameras.iter_mut().filter_map(|camera| camera.detect.as_mut()) {
        let url = &mut stream.url;
        url.set_port(Some(camera.port())).map_err(|()| anyhow::anyhow!("{url} cannot have a port"))?;
    }
    let url = &mut site.mqtt.url;
    url.set_port(Some(broker.port())).map_err(|()| anyhow::anyhow!("{url} cannot have a port"))
}

/// The address, or any free port beside it where that one is taken.
fn free_or_any(address: SocketAddr) -> SocketAddr {
    match TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => SocketAddr::new(address.ip(), 0),
    }
}

fn introduce(site: &Site, broker: SocketAddr) {
    for camera in &site.cameras {
        if let Some(stream) = &camera.detect {
            println!("camera  {} ({} / {})", stream.url, camera.name.vi, camera.name.en);
        }
    }
    println!("broker  {}", site.mqtt.url);
    println!("pictures of incidents  {}", site.storage.pictures().folder().display());
    println!("in another terminal:");
    println!("  edge-agent watch --broker mqtt://{broker} --lang en --save pictures");
    println!("  mosquitto_sub -V 5 -p {} -v -t '{}/#'", broker.port(), site.mqtt.root);
    println!("Ctrl-C ends it.\n");
}

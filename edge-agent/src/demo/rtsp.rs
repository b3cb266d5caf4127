//! A loopback RTSP server that plays clips endlessly, as cameras do: for `demo`, and for tests of reception.
//!
//! Each clip is encoded once, when the server starts, and kept in memory as access units. While somebody watches a
//! mount, a feeder pushes them at the clip's pace with timestamps that only ascend: the loop has no seam in time, only in
//! the picture. All watchers of a mount share one feeder.
//!
//! # Ownership
//! One thread runs the server, one more each watched mount. Feeders hold weak references: they end with their media.
//! Dropping the server closes its connections and joins its thread.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_rtsp::RTSPAuthMethod;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;

use super::damage;
use super::encode::{self, AccessUnits};
use super::feed;
use crate::decode::{self, DecodeError};
use crate::source::Credentials;

/// The role of who is logged in, or of everyone where no log-in is asked for.
const ROLE: &str = "viewer";

/// How often sessions of clients that vanished are looked for.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// How the clip is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// x264.
    H264,
    /// x265.
    H265,
    /// JPEG pictures in full range (JFIF).
    Mjpeg,
    /// What `edge-agent` does not receive, for tests of saying so.
    Vp8,
}

/// How a mount plays its clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MountOptions {
    /// The codec.
    pub codec: Codec,
    /// Width and height in pixels; the clip's own by default.
    pub size: Option<(u32, u32)>,
    /// Frames a second, by repeating or leaving out frames; the clip's own by default.
    pub fps: Option<u32>,
    /// Plays so much of the clip only; bounds memory and the time to start.
    pub length: Option<Duration>,
    /// Three B-frames between two others, H.264 and H.265 only: pictures are sent in another order than they are shown.
    pub b_frames: bool,
    /// Ten bits a sample, H.264 and H.265 only.
    pub ten_bits: bool,
    /// Offers a sound track beside the picture.
    pub sound: bool,
    /// What its sender reports say of its calendar clock: this much ahead of the machine's.
    pub clock_ahead: Duration,
    /// Of a thousand RTP packets, so many arrive damaged: bytes changed, or cut short.
    pub damaged_per_mille: u32,
    /// Plays the H.264 of an MP4 file as it is, without encoding it again; size, rate and bits are then the file's.
    pub as_it_is: bool,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            codec: Codec::H264,
            size: None,
            fps: None,
            length: None,
            b_frames: false,
            ten_bits: false,
            sound: false,
            clock_ahead: Duration::ZERO,
            damaged_per_mille: 0,
            as_it_is: false,
        }
    }
}

/// A path of the server and what plays there.
#[derive(Debug, Clone, PartialEq)]
pub struct Mount {
    /// With the leading slash.
    pub path: String,
    /// Any clip that can be decoded.
    pub clip: PathBuf,
    /// How it is played.
    pub options: MountOptions,
}

/// How clients log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogIn {
    /// RFC 7617.
    Basic,
    /// RFC 2617 with MD5, as cameras want it.
    Digest,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum RtspServerError {
    /// An element is not installed, or GStreamer does not start.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The clip cannot be encoded.
    #[error("{}: {reason}", clip.display())]
    Clip {
        /// The clip.
        clip: PathBuf,
        /// What GStreamer said.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: it is in use, or not this machine's")]
    Bind(SocketAddr),
    /// The system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running server; stops when dropped.
pub struct RtspServer {
    address: SocketAddr,
    server: gst_rtsp_server::RTSPServer,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
}

impl RtspServer {
    /// Encodes the clips and listens on `bind` (port 0: a free one). `progress` is told the mount's path and how far its
    /// clip is, in `0.0..=1.0`.
    ///
    /// # Errors
    /// [`RtspServerError`]
    pub fn start(
        bind: SocketAddr,
        mounts: &[Mount],
        log_in: Option<(LogIn, &Credentials)>,
        mut progress: impl FnMut(&str, f64),
    ) -> Result<Self, RtspServerError> {
        decode::init()?;
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address(&bind.ip().to_string());
        server.set_service(&bind.port().to_string());
        let points = server.mount_points().expect("a new server has mount points");
        let mut encoded: Vec<(&Path, MountOptions, Arc<AccessUnits>)> = Vec::new();
        for mount in mounts {
            let known = encoded.iter().find(|(clip, options, _)| *clip == mount.clip && *options == mount.options);
            let units = match known {
                Some((.., units)) => Arc::clone(units),
                None => Arc::new(encode::encode(&mount.clip, &mount.options, |done| progress(&mount.path, done))?),
            };
            points.add_factory(&mount.path, factory(&mount.options, Arc::clone(&units)));
            encoded.push((&mount.clip, mount.options, units));
        }
        if let Some((method, credentials)) = log_in {
            server.set_auth(Some(&authority(method, credentials)));
        }
        Self::listen(bind, server)
    }

    fn listen(bind: SocketAddr, server: gst_rtsp_server::RTSPServer) -> Result<Self, RtspServerError> {
        let context = glib::MainContext::new();
        server.attach(Some(&context)).map_err(|_| RtspServerError::Bind(bind))?;
        let port = u16::try_from(server.bound_port()).map_err(|_| RtspServerError::Bind(bind))?;
        clean_up_sessions(&server, &context);
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let thread = std::thread::Builder::new().name("rtsp-server".to_owned()).spawn({
            let main_loop = main_loop.clone();
            move || {
                // The context is new and nobody else's.
                let _ = context.with_thread_default(|| main_loop.run());
            }
        })?;
        Ok(Self { address: SocketAddr::new(bind.ip(), port), server, main_loop, thread: Some(thread) })
    }

    /// Where it listens, with the port it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        self.server.client_filter(Some(&mut |_: &_, _: &_| gst_rtsp_server::RTSPFilterResult::Remove));
        if let Some(pool) = self.server.session_pool() {
            pool.filter(Some(&mut |_: &_, _: &_| gst_rtsp_server::RTSPFilterResult::Remove));
        }
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn factory(options: &MountOptions, units: Arc<AccessUnits>) -> gst_rtsp_server::RTSPMediaFactory {
    let payload = match options.codec {
        Codec::H264 => "h264parse ! rtph264pay config-interval=-1",
        Codec::H265 => "h265parse ! rtph265pay config-interval=-1",
        Codec::Mjpeg => "rtpjpegpay",
        Codec::Vp8 => "rtpvp8pay",
    };
    let sound =
        if options.sound { "audiotestsrc is-live=true wave=silence ! alawenc ! rtppcmapay name=pay1 pt=8" } else { "" };
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(&format!(
        "( appsrc name=units is-live=true format=time leaky-type=downstream ! {payload} name=pay0 pt=96 {sound} )"
    ));
    factory.set_shared(true);
    let role = gst::Structure::builder(ROLE)
        .field("media.factory.access", true)
        .field("media.factory.construct", true)
        .build();
    factory.add_role_from_structure(&role);
    let ahead_s = u32::try_from(options.clock_ahead.as_secs()).unwrap_or(u32::MAX);
    let damaged_per_mille = options.damaged_per_mille;
    factory.connect_media_configure(move |_factory, media| {
        if ahead_s > 0 {
            media.connect_prepared(move |media| set_clock_ahead(media, ahead_s));
        }
        let bin = media.element().downcast::<gst::Bin>().ok();
        let payloader = bin.as_ref().and_then(|bin| bin.by_name("pay0"));
        if let Some(pad) = payloader.and_then(|payloader| payloader.static_pad("src"))
            && damaged_per_mille > 0
        {
            damage::damage_packets(&pad, damaged_per_mille);
        }
        let source = bin.and_then(|bin| bin.by_name("units"));
        if let Some(source) = source.and_then(|source| source.downcast::<gstreamer_app::AppSrc>().ok()) {
            feed::spawn(&source, Arc::clone(&units));
        }
    });
    factory
}

/// Sets the calendar clock in the sender reports (RFC 3550, 6.4.1) ahead.
fn set_clock_ahead(media: &gst_rtsp_server::RTSPMedia, ahead_s: u32) {
    let pipeline = media.element().parent().and_then(|parent| parent.downcast::<gst::Bin>().ok());
    let elements = pipeline.map(|pipeline| pipeline.children()).unwrap_or_default();
    let pads = elements.iter().flat_map(|element| element.src_pads());
    for pad in pads.filter(|pad| pad.name().starts_with("send_rtcp_src")) {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_pad, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
                && let Ok(mut packet) = buffer.make_mut().map_writable()
                && let [_, 200, _, _, _, _, _, _, seconds @ ..] = packet.as_mut_slice()
                && let Some(seconds) = seconds.first_chunk_mut::<4>()
            {
                *seconds = u32::from_be_bytes(*seconds).wrapping_add(ahead_s).to_be_bytes();
            }
            gst::PadProbeReturn::Ok
        });
    }
}

fn authority(method: LogIn, credentials: &Credentials) -> gst_rtsp_server::RTSPAuth {
    let auth = gst_rtsp_server::RTSPAuth::new();
    let token = gst_rtsp_server::RTSPToken::builder().field("media.factory.role", ROLE).build();
    let Credentials { user, password } = credentials;
    match method {
        LogIn::Basic => {
            auth.set_supported_methods(RTSPAuthMethod::Basic);
            auth.add_basic(&gst_rtsp_server::RTSPAuth::make_basic(user, password.expose()), &token);
        }
        LogIn::Digest => {
            auth.set_supported_methods(RTSPAuthMethod::Digest);
            auth.add_digest(user, password.expose(), &token);
        }
    }
    auth
}

fn clean_up_sessions(server: &gst_rtsp_server::RTSPServer, context: &glib::MainContext) {
    let server = server.downgrade();
    let source =
        glib::timeout_source_new(CLEAN_UP, Some("rtsp-sessions"), glib::Priority::DEFAULT, move || {
            match server.upgrade().and_then(|server| server.session_pool()) {
                Some(pool) => {
                    pool.cleanup();
                    glib::ControlFlow::Continue
                }
                None => glib::ControlFlow::Break,
            }
        });
    source.attach(Some(context));
}

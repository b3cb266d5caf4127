//! One look at a camera: connect, wait for a picture, measure for a moment, let go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{DeviceFault, FrameSource, LiveParams, LiveSource, Session, SourceError};
use crate::frame::{Frame, FrameSignal, FrameSlot};
use crate::privacy::Masks;

/// Cameras send a key frame every few seconds, some only every ten; nothing can be decoded before it.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long frames are counted behind the first.
const MEASURE: Duration = Duration::from_secs(2);
/// How often the slot is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Time that a connection gets to close.
const CLOSE: Duration = Duration::from_secs(3);

/// What a camera's stream gave.
#[derive(Debug)]
pub struct Probed {
    /// By RTP encoding name: `H264`, `H265`, `JPEG`; `raw` where nothing is coded.
    pub codec: String,
    /// The decoder that was used; empty where none is needed.
    pub decoder: String,
    /// Frames a second by the camera's timestamps; `None`: too few came to tell.
    pub fps: Option<f64>,
    /// From connecting to the first picture.
    pub first_after: Duration,
    /// The last frame.
    pub frame: Frame,
}

/// Connects as the service would and looks, through `masks`, at what comes.
///
/// # Errors
/// What ended the attempt; [`SourceError::Stalled`] when no picture came within 15 s.
pub async fn probe(
    camera: analytics::CameraId,
    params: impl Into<LiveParams>,
    masks: Masks,
) -> Result<Probed, SourceError> {
    let source = LiveSource::new(params.into())?;
    let slot = Arc::new(FrameSlot::new(Arc::new(FrameSignal::default())));
    let session = Session::new(camera, Arc::clone(&slot), masks);
    let begun = Instant::now();
    let looked = tokio::select! {
        error = source.attempt(session.open()) => Err(error),
        looked = look(&slot, begun) => looked,
    };
    session.close();
    let stream = session.progress().stream;
    // The attempt is dropped: what it holds is released by a thread of its own, which a frozen camera may hold up.
    let _ = timeout(CLOSE, source.released()).await;
    let (first, last, first_after) = looked?;
    let (frames, time) = (last.stamp.seq - first.0, last.stamp.pts.since(first.1).as_secs_f64());
    let (codec, decoder) = stream.map_or_else(Default::default, |stream| (stream.codec, stream.decoder));
    let fps = (frames >= 2 && time > 0.0).then(|| frames as f64 / time);
    Ok(Probed { codec, decoder, fps, first_after, frame: last })
}

type Looked = ((u64, analytics::MediaTime), Frame, Duration);

/// Number and time of the first frame, the last frame, and how long the first took.
async fn look(slot: &FrameSlot, begun: Instant) -> Result<Looked, SourceError> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = loop {
        looks.tick().await;
        if let Some(frame) = slot.take() {
            break frame;
        }
        if begun.elapsed() > PATIENCE {
            return Err(SourceError::Stalled { after: PATIENCE });
        }
    };
    let (first_after, start) = (begun.elapsed(), (first.stamp.seq, first.stamp.pts));
    let (mut last, counting) = (first, Instant::now());
    while counting.elapsed() < MEASURE {
        looks.tick().await;
        last = slot.take().unwrap_or(last);
    }
    Ok((start, last, first_after))
}

/// What a person does about it, in the cabinet.
#[must_use]
pub fn cure(error: &SourceError) -> String {
    match error {
        SourceError::Unreachable { .. } => {
            "is the camera on, on this network, and RTSP allowed on it? ping the address; the port is mostly 554"
        }
        SourceError::NotFound => {
            "take the path from the camera's own page; often /Streaming/Channels/102 (Hikvision), \
             /cam/realmonitor?channel=1&subtype=1 (Dahua), /profile2/media.smp (Hanwha)"
        }
        SourceError::Unauthorised => {
            "write user:password into the credential that the site file names (chmod 600); many cameras lock for half \
             an hour after a few wrong log-ins"
        }
        SourceError::UnsupportedCodec { .. } => "set this stream to H.264 on the camera's own page",
        SourceError::Stalled { .. } => {
            "the camera answers and sends no picture: restart it, shorten its key frame interval to 2 s, or try \
             transport = \"udp\""
        }
        SourceError::EndOfStream => "restart the camera; it may allow no further viewer",
        SourceError::Parked { .. } => {
            "set the stream to H.264 main profile, update the camera's firmware, or replace it"
        }
        SourceError::Decoder { .. } => "set the stream to H.264 main profile; see the decoders above",
        SourceError::MissingElement { package, .. } => return format!("apt install {package}"),
        SourceError::InvalidUrl { .. } => "write it like rtsp://192.0.2.11/sub",
        SourceError::NoDescriptors => "raise the limit: LimitNOFILE= of the service, or `ulimit -n`",
        SourceError::Stuck { .. } | SourceError::Panicked { .. } => "run it again, and report it if it stays",
        SourceError::Device { fault, .. } => match fault {
            DeviceFault::Missing | DeviceFault::Lost(_) => "plug the camera in, or name one of `ls /dev/video*`",
            DeviceFault::Forbidden => "add the user who runs this program to the group video",
            DeviceFault::Busy => "end the program that has it: `fuser -v` names it",
            DeviceFault::NotACamera(_) => "name another of `ls /dev/video*`: many cameras have several",
            DeviceFault::Format(_) => "leave size and fps out, or write what `v4l2-ctl --list-formats-ext` lists",
        },
        SourceError::File { .. } => "name another file",
    }
    .to_owned()
}

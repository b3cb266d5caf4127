//! What one stream costs to receive and decode, through the very source that the service uses; or, where no camera and no
//! server is at hand, what a clip costs to decode, and reception by rule of thumb.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{CameraId, WallTime};
use tokio::time::{sleep, timeout};

use super::TuneError;
use super::plan::DecodeCost;
use super::usage::Usage;
use crate::frame::{FrameSignal, FrameSlot};
use crate::privacy::Masks;
use crate::source::{FileSource, FrameSource, LiveParams, LiveSource, Session, SourceError};

/// Cameras send a key frame every few seconds, some only every ten; nothing can be decoded before it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Frames come in a burst at first.
const SETTLE: Duration = Duration::from_millis(700);

/// Time that a connection gets to close.
const CLOSE: Duration = Duration::from_secs(3);

/// CPU milliseconds that receiving a kibibyte over RTSP takes, where it cannot be measured: 1.45 ms for the 20 KiB of a
/// 1080p frame of 4 Mbit/s, 0.75 ms for the 10 KiB of a 720p one, on one core of an AMD EPYC of 2022.
const RECEIVE_MS_A_KIB: f64 = 0.073;

/// Receives a stream for `window` and decodes it. Nothing else may run in this process.
pub(super) async fn measure(params: LiveParams, window: Duration) -> Result<DecodeCost, SourceError> {
    let source = LiveSource::new(params)?;
    let slot = Arc::new(FrameSlot::new(Arc::new(FrameSignal::default())));
    let session = Session::new(CameraId::new("tune").expect("a valid id"), Arc::clone(&slot), Masks::default());
    let measured = tokio::select! {
        error = source.attempt(session.open()) => Err(error),
        measured = watch(&slot, window) => measured,
    };
    let stream = session.stream().unwrap_or_default();
    let _ = timeout(CLOSE, source.released()).await;
    let (fps, cpu_ms) = measured?;
    Ok(DecodeCost { codec: stream.codec, decoder: stream.decoder, size: stream.size.unwrap_or_default(), fps, cpu_ms })
}

/// Frames a second, and CPU milliseconds each.
async fn watch(slot: &FrameSlot, window: Duration) -> Result<(f64, f64), SourceError> {
    let begun = Instant::now();
    while slot.arrived() == 0 {
        if begun.elapsed() > PATIENCE {
            return Err(SourceError::Stalled { after: PATIENCE });
        }
        sleep(Duration::from_millis(20)).await;
    }
    sleep(SETTLE).await;
    let (usage, before) = (Usage::now(), slot.arrived());
    sleep(window).await;
    let (frames, cpu_s, wall_s) = ((slot.arrived() - before) as f64, usage.cpu_s(), usage.wall_s());
    if frames < 1.0 {
        return Err(SourceError::Stalled { after: window });
    }
    Ok((frames / wall_s, cpu_s * 1e3 / frames))
}

/// Decodes a clip once, and adds what receiving so many bytes takes. Nothing else may run in this process.
pub(super) fn of_clip(clip: &Path) -> Result<DecodeCost, TuneError> {
    let bytes = std::fs::metadata(clip).map_err(|error| TuneError::Io { path: clip.to_owned(), error })?.len();
    let camera = CameraId::new("tune").expect("a valid id");
    let mut source = FileSource::open(clip, camera, WallTime::UNIX_EPOCH, &Masks::default())?;
    let usage = Usage::now();
    let (mut frames, mut last) = (0_u32, None);
    while let Some(frame) = source.next_frame()? {
        frames += 1;
        last = Some((frame.stamp.pts, frame.picture.width(), frame.picture.height()));
    }
    let Some((end, width, height)) = last.filter(|(end, ..)| frames > 1 && end.as_secs_f64() > 0.0) else {
        return Err(TuneError::ShortClip { clip: clip.to_owned() });
    };
    let frames = f64::from(frames);
    Ok(DecodeCost {
        codec: "clip".to_owned(),
        decoder: "decodebin".to_owned(),
        size: (width, height),
        fps: (frames - 1.0) / end.as_secs_f64(),
        cpu_ms: usage.cpu_s() * 1e3 / frames + bytes as f64 / frames / 1024.0 * RECEIVE_MS_A_KIB,
    })
}

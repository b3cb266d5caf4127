//! What the cameras look at: the demo's clip as a camera would send it, and one picture of it in which nothing happens.
//!
//! Both are made once, with GStreamer, and kept in `.cache/bench`: scaled and its frames repeated to the camera's rate,
//! fresh sensor noise on every frame (so that no frame is free to code or to decode, and no two are equal), H.264 Main
//! with a key frame every two seconds, no B-frames, one slice a picture and a constant rate of 0.08 bits a pixel
//! (4 Mbit/s for 1080p25), as surveillance cameras are shipped.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use benches::numbers::Numbers;
use clap::ValueEnum;
use edge_agent::decode;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

/// Raised when the recipe changes, so that what an earlier one made is not taken.
const RECIPE: u32 = 1;

/// Bits a pixel.
const BITS_PER_PIXEL: f64 = 0.08;

/// Seconds between key frames.
const KEY_EVERY_S: u32 = 2;

/// Sum of two even ones: a standard deviation of two levels of luma, as a camera has by day.
const NOISE: f32 = 2.45;

/// Noise that is made once and read from anywhere on.
const NOISE_LEN: usize = 1 << 16;

/// What happens before the cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// The clip: people who walk, stand and cross.
    Busy,
    /// The clip's first picture, for ever: nobody moves, only the noise does.
    Still,
}

impl Scene {
    /// As in a table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Still => "still",
        }
    }

    /// So much of it is made; then it begins anew. Long enough that a measurement does not see the seam.
    const fn seconds(self) -> u32 {
        match self {
            Self::Busy => 40,
            Self::Still => 20,
        }
    }

    /// The stream in a file, which is made when it is not there yet.
    pub(crate) fn stream(self, clip: &Path, size: (u32, u32), fps: u32, folder: &Path) -> anyhow::Result<PathBuf> {
        let (width, height) = size;
        let file = folder.join(format!("{}-{width}x{height}-{fps}-v{RECIPE}.mp4", self.name()));
        if file.is_file() {
            return Ok(file);
        }
        ensure!(clip.is_file(), "{} is not there: run scripts/setup-clip.sh", clip.display());
        std::fs::create_dir_all(folder)?;
        // Whole or not at all.
        let partial = tempfile::Builder::new().prefix("making").suffix(".mp4").tempfile_in(folder)?;
        self.make(clip, size, fps, partial.path())?;
        partial.persist(&file)?;
        Ok(file)
    }

    fn make(self, clip: &Path, (width, height): (u32, u32), fps: u32, file: &Path) -> anyhow::Result<()> {
        decode::init()?;
        let raw = format!("video/x-raw,format=I420,framerate={fps}/1,width={width},height={height}");
        let reading = launch(&format!(
            "filesrc name=clip ! decodebin ! videoconvert ! videoscale ! videorate ! {raw} ! \
             appsink name=pictures sync=false max-buffers=4"
        ))?;
        reading.0.by_name("clip").context("named above")?.set_property("location", clip);
        let kbits = f64::from(width) * f64::from(height) * f64::from(fps) * BITS_PER_PIXEL / 1000.0;
        let writing = launch(&format!(
            "appsrc name=pictures format=time block=true max-buffers=4 ! \
             x264enc tune=zerolatency speed-preset=veryfast threads=1 bframes=0 key-int-max={} bitrate={kbits:.0} ! \
             video/x-h264,profile=main ! h264parse ! mp4mux ! filesink name=file",
            fps * KEY_EVERY_S
        ))?;
        writing.0.by_name("file").context("named above")?.set_property("location", file);
        let pictures = element::<gst_app::AppSink>(&reading, "pictures")?;
        let noisy = element::<gst_app::AppSrc>(&writing, "pictures")?;
        let _ = (reading.0.set_state(gst::State::Playing), writing.0.set_state(gst::State::Playing));
        self.add_noise(&pictures, &noisy, (width * height) as usize, fps)?;
        let bus = writing.0.bus().context("a pipeline has a bus")?;
        match bus.timed_pop_filtered(None, &[gst::MessageType::Error, gst::MessageType::Eos]) {
            Some(message) if message.type_() == gst::MessageType::Eos => Ok(()),
            other => bail!("{} cannot be made: {other:?}", file.display()),
        }
    }

    fn add_noise(
        self,
        pictures: &gst_app::AppSink,
        noisy: &gst_app::AppSrc,
        luma: usize,
        fps: u32,
    ) -> anyhow::Result<()> {
        let mut numbers = Numbers::new(11);
        let mut level = || (numbers.between(-NOISE, NOISE) + numbers.between(-NOISE, NOISE)).round() as i8;
        let noise: Vec<i8> = (0..NOISE_LEN).map(|_| level()).collect();
        let mut from = Numbers::new(12);
        let mut kept: Option<Vec<u8>> = None;
        for number in 0..self.seconds() * fps {
            if self == Self::Busy || kept.is_none() {
                let Ok(sample) = pictures.pull_sample() else { break };
                if number == 0 {
                    noisy.set_caps(sample.caps_owned().as_ref());
                }
                let buffer = sample.buffer().context("a sample holds a buffer")?.map_readable()?;
                kept = Some(buffer.to_vec());
            }
            let mut picture = kept.clone().context("the clip has pictures")?;
            // A run at a time, from anywhere: no pattern stands still.
            for run in picture[..luma].chunks_mut(NOISE_LEN / 8) {
                let start = (from.bits() as usize) % (NOISE_LEN - run.len());
                let noise = &noise[start..start + run.len()];
                run.iter_mut().zip(noise).for_each(|(pixel, noise)| *pixel = pixel.saturating_add_signed(*noise));
            }
            let mut buffer = gst::Buffer::from_mut_slice(picture);
            let stamped = buffer.get_mut().context("nobody else has it yet")?;
            stamped.set_pts(gst::ClockTime::SECOND * u64::from(number) / u64::from(fps));
            stamped.set_duration(gst::ClockTime::SECOND / u64::from(fps));
            noisy.push_buffer(buffer).map_err(|error| anyhow::anyhow!("the encoder stopped: {error}"))?;
        }
        noisy.end_of_stream().map_err(|error| anyhow::anyhow!("the encoder stopped: {error}"))?;
        Ok(())
    }
}

/// Stops when it goes.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn launch(description: &str) -> anyhow::Result<Running> {
    let pipeline = gst::parse::launch(description)?.downcast::<gst::Pipeline>();
    Ok(Running(pipeline.ok().context("it is a pipeline")?))
}

fn element<T: IsA<gst::Element>>(running: &Running, name: &str) -> anyhow::Result<T> {
    let element = running.0.by_name(name).and_then(|element| element.downcast::<T>().ok());
    element.with_context(|| format!("no element {name}"))
}

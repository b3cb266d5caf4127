//! What share of people's heads is unrecognisable in pictures, by ground truth; what of the pictures that blurs; what it and
//! masks cost.
//!
//! Runs a clip through a camera of a site as the service does, and every so many analysed frames makes the picture of an
//! incident. A head is the upper 1/7.5 of a person's box in the truth (MOT format), as wide as high, in its middle; one too
//! small to be recognised is left out (docs/privacy.md). With `--out` the pictures are written, to be looked at.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use analytics::{BBox, MediaTime, Point, Polygon, WallTime};
use anyhow::Context;
use clap::Parser;
use edge_agent::camera::{Analysed, CameraCore, CameraParams};
use edge_agent::config::{self, Home};
use edge_agent::detect::tensor::InputTensor;
use edge_agent::evidence::canvas::Canvas;
use edge_agent::frame::{Frame, Picture, PictureLayout, PlaneLayout};
use edge_agent::privacy::{self, Area, Finder, Masks, Redaction};
use edge_agent::publish::wire::TimeQuality;
use edge_agent::setup;
use edge_agent::signal::HeardSignals;
use edge_agent::source::FileSource;

/// A head of fewer pixels shows nobody.
const LEAST_HEAD_PX: f32 = 6.0;
/// A head counts as covered from this share of its pixels on.
const COVERED: f32 = 0.9;
/// Times that a frame's tensor is made, with and without masks in turn.
const LOOKS: usize = 40;

#[derive(Debug, Parser)]
struct Cli {
    /// The site; its first camera is taken.
    #[arg(long)]
    site: PathBuf,
    /// A folder in which model weights are looked for, besides models/ (may be repeated).
    #[arg(long, value_name = "DIR", env = "NGATU_MODELS_DIR")]
    models_dir: Vec<PathBuf>,
    /// The clip.
    #[arg(long)]
    clip: PathBuf,
    /// Its truth: people, in MOT format.
    #[arg(long)]
    truth: Option<PathBuf>,
    /// A picture every so many analysed frames.
    #[arg(long, default_value_t = 5)]
    every: usize,
    /// What the finder counts as seen [default: the model's].
    #[arg(long)]
    confidence: Option<f32>,
    /// Where pictures are written.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Tally {
    heads: usize,
    covered: usize,
    partly: usize,
    missed: Vec<(u64, [f32; 4])>,
    pixels: f64,
    blurred: f64,
}

impl Tally {
    fn add(&mut self, frame: u64, heads: &[[f32; 4]], areas: &[Area], size: [usize; 2]) {
        let mut hidden = vec![false; size[0] * size[1]];
        for area in areas {
            let at = |i: usize| (area.corners[i].max(0.0) as usize).min(size[i % 2]);
            for y in at(1)..at(3) {
                hidden[y * size[0]..][at(0)..at(2).max(at(0))].fill(true);
            }
        }
        self.pixels += hidden.len() as f64;
        self.blurred += hidden.iter().filter(|hidden| **hidden).count() as f64;
        for head in heads.iter().filter(|head| head[3] - head[1] >= LEAST_HEAD_PX) {
            let at = |i: usize| (head[i].round().max(0.0) as usize).min(size[i % 2]);
            let rows = (at(1)..at(3)).map(|y| &hidden[y * size[0]..][at(0)..at(2).max(at(0))]);
            let (all, covered) = rows.fold((0, 0), |(all, covered), row| {
                (all + row.len(), covered + row.iter().filter(|hidden| **hidden).count())
            });
            if all == 0 {
                continue;
            }
            let share = covered as f32 / all as f32;
            self.heads += 1;
            self.covered += usize::from(share >= COVERED);
            self.partly += usize::from((0.5..COVERED).contains(&share));
            if share < 0.5 {
                self.missed.push((frame, *head));
            }
        }
    }

    fn print(&self, name: &str) {
        let of_all = |count: usize| 100.0 * count as f64 / self.heads.max(1) as f64;
        println!(
            "{name}: {} of {} heads covered ({:.1} %), {} partly, {} not; {:.1} % of the pictures blurred",
            self.covered,
            self.heads,
            of_all(self.covered),
            self.partly,
            self.missed.len(),
            100.0 * self.blurred / self.pixels.max(1.0),
        );
        let missed: Vec<String> =
            self.missed.iter().take(12).map(|(frame, head)| format!("{frame} {head:.0?}")).collect();
        println!("    missed, by frame: {}", missed.join("; "));
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let home = Home::find(cli.models_dir.clone())?;
    let site = config::load_site(&cli.site, &home)?;
    let camera = site.cameras.first().context("the site has a camera")?;
    let model = setup::load_model(&home, &camera.model)?;
    let runtime = setup::onnx_runtime(&home, site.hw_profile.build())?;
    let (mut detector, provider) = setup::detector(&runtime, &model, &site.hw_profile, &home)?;
    let regions = setup::regions(camera, &model);
    let finder = Finder::open(&runtime, &model, cli.confidence)?.in_regions(regions.clone());
    let redaction = Redaction::Blurred(Some(finder.clone()));
    let mut core = CameraCore::new(CameraParams {
        core: setup::core_params(camera, &model, 0),
        measures: None,
        lamps: Vec::new(),
        heard: HeardSignals::unheard(Vec::new()),
        calendar: site.calendar(),
        topics: setup::topics(&site)?,
        context: setup::event_context(&site, camera, &model, provider)?,
    });
    let truth = cli.truth.as_deref().map(heads).transpose()?;
    let mut clip = FileSource::open(&cli.clip, camera.id.clone(), WallTime::UNIX_EPOCH, &camera.masks)?;
    let (mut by_finder, mut by_tracks, mut both) = (Tally::default(), Tally::default(), Tally::default());
    let (mut looking, mut making, mut analysing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut analysed, mut pictures, mut due, mut last) = (0_usize, 0_u32, 0.0, None);
    while let Some(frame) = clip.next_frame()? {
        let Frame { stamp, arrived_at, picture, .. } = frame;
        let at = stamp.pts.since(MediaTime::ZERO).as_secs_f64();
        if at + 0.002 < due {
            continue;
        }
        due = at.max(due) + 1.0 / camera.analyse_fps;
        let mut detections = Vec::new();
        let before = thread_cpu();
        detector.detect(&picture, &regions, &mut detections)?;
        analysing += thread_cpu() - before;
        let (seq, raw) = (stamp.seq, detections.clone());
        let seen = Analysed {
            stamp,
            arrived_at,
            camera_ahead_s: None,
            held_for: Duration::ZERO,
            repeats: false,
            picture: picture.clone(),
            detections,
        };
        let (scene, _) = core.step(seen, TimeQuality { synced: false, max_error_ms: None });
        analysed += 1;
        last = Some(picture.clone());
        if analysed % cli.every != 0 {
            continue;
        }
        pictures += 1;
        let known = privacy::known(&scene, &raw);
        let size = [picture.width() as usize, picture.height() as usize];
        let size_px = size.map(|side| side as f32);
        let before = thread_cpu();
        let found: Vec<Area> = privacy::found(&finder, &picture, size_px)?.collect();
        looking += thread_cpu() - before;
        let tracked: Vec<Area> = privacy::around(&known, Duration::ZERO, size_px).collect();
        let heads = truth.as_ref().and_then(|truth| truth.get(&seq)).map_or(&[][..], Vec::as_slice);
        by_finder.add(seq, heads, &found, size);
        by_tracks.add(seq, heads, &tracked, size);
        both.add(seq, heads, &[found, tracked].concat(), size);
        let before = thread_cpu();
        let shared = redaction.share(&picture, picture.width(), &known, Duration::ZERO)?;
        making += thread_cpu() - before;
        if let Some(out) = &cli.out {
            std::fs::write(out.join(format!("{seq:05}.jpg")), Canvas::new(shared).jpeg(85))?;
        }
    }
    println!("{pictures} pictures of {analysed} analysed frames");
    by_tracks.print("tracks and detections");
    by_finder.print("finder");
    both.print("both");
    let ms = |of: Duration, count: usize| of.as_secs_f64() * 1000.0 / count.max(1) as f64;
    println!(
        "CPU: {:.1} ms a look for incidents, {:.1} ms a look of the finder, {:.1} ms a redacted picture",
        ms(analysing, analysed),
        ms(looking, pictures as usize),
        ms(making, pictures as usize),
    );
    if let Some(picture) = last {
        masks(&picture, &mut InputTensor::new(&model.manifest().input), &regions)?;
    }
    Ok(())
}

/// What masks cost a frame that is inferred, beside making its tensors, which is the least that is done with it.
fn masks(picture: &Picture, tensor: &mut InputTensor, regions: &[BBox]) -> anyhow::Result<()> {
    let strip = |share: f32| {
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, share), (0.0, share)].map(|(x, y)| Point::new(x, y));
        Masks::new(Polygon::new(corners.to_vec()).into_iter().collect())
    };
    let cases = [("nothing", Masks::default()), ("a tenth", strip(0.1)), ("half", strip(0.5))];
    let (layout, data) = packed(picture);
    let mut spent = [Duration::ZERO; 3];
    for _ in 0..LOOKS {
        for ((_, masks), spent) in cases.iter().zip(&mut spent) {
            let masked = Picture::new(layout, Box::new(Arc::clone(&data)))?.masked(masks);
            let before = thread_cpu();
            for region in regions {
                tensor.fill(&masked, *region);
            }
            *spent += thread_cpu() - before;
        }
    }
    for ((name, _), of) in cases.iter().zip(spent) {
        let (ns, ratio) = (of.as_nanos() / LOOKS as u128, of.as_secs_f64() / spent[0].as_secs_f64());
        println!("tensors of a frame with {name} of it masked: {ns} ns, {ratio:.3} of those without");
    }
    Ok(())
}

/// The same picture in memory of its own, without padding.
fn packed(picture: &Picture) -> (PictureLayout, Arc<[u8]>) {
    let (mut layout, mut data) = (*picture.layout(), Vec::new());
    for plane in 0..layout.plane_count() {
        let (stride, rows) = layout.plane_size(plane);
        layout.planes[plane] = PlaneLayout { offset: data.len(), stride };
        (0..rows).for_each(|y| data.extend_from_slice(picture.row(plane, y)));
    }
    (layout, data.into())
}

/// Of this thread: the clip is decoded by others meanwhile.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, which the kernel only writes to.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "every thread has a CPU clock");
    Duration::new(time.tv_sec.unsigned_abs(), 0) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// People's heads by frame.
fn heads(file: &Path) -> anyhow::Result<BTreeMap<u64, Vec<[f32; 4]>>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut heads: BTreeMap<u64, Vec<[f32; 4]>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let values: Vec<f32> = line.split(',').map(|value| value.trim().parse()).collect::<Result<_, _>>()?;
        let [frame, _, left, top, width, height, ..] = values[..] else { anyhow::bail!("{line}: too few values") };
        let (middle, side) = (left + width / 2.0, height / 7.5);
        heads.entry(frame as u64).or_default().push([middle - side / 2.0, top, middle + side / 2.0, top + side]);
    }
    Ok(heads)
}

//! `site picture`: one frame of a camera with a grid of fractions, its zones and lines drawn in, to read points off.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use analytics::ground::Detail;
use analytics::{Ground, Point, WallTime};
use anyhow::{Context, bail};
use edge_agent::config::{self, Camera, Home, Site};
use edge_agent::evidence::canvas::{Canvas, Ink};
use edge_agent::evidence::grid;
use edge_agent::frame::Picture;
use edge_agent::privacy::Shareable;
use edge_agent::setup;
use edge_agent::source::{FileSource, probe};

/// Wider pictures are reduced: fractions are the same, and it still opens on a phone.
const MAX_WIDTH_PX: u32 = 1920;
const QUALITY: u8 = 92;
/// Metres between two lines on the ground.
const GROUND_EVERY_M: f64 = 5.0;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Points in a site file are fractions of the picture's width and height: the grid has a line every tenth. Zones and lines
that the file has are drawn in, with their ids, headings as arrows, and L and R for the left and right of a line.

Examples:
  edge-agent site picture site.toml huong-nam -o nam.jpg
  edge-agent site picture site.toml --clip night.mp4")]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,

    /// The camera; not needed where the site has one only.
    camera: Option<String>,

    /// Take the picture from this clip instead of the camera.
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,

    /// Where it is written; default: the camera's id with .jpg, here.
    #[arg(long, short, value_name = "FILE.jpg")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, home: &Home) -> anyhow::Result<ExitCode> {
    // Zones are drawn while they are still wrong: that is what the picture is for.
    let (site, errors) = config::load_site_partly(&args.site, home)?;
    let Some(site) = site else { return Err(errors.into()) };
    if !errors.0.is_empty() {
        eprintln!("{errors}: what has errors is not drawn\n");
    }
    let camera = super::camera(&site, args.camera.as_deref())?;
    let picture = match &args.clip {
        Some(clip) => {
            let mut clip = FileSource::open(clip, camera.id.clone(), WallTime::from_unix_nanos(0), &camera.masks)?;
            clip.next_frame()?.context("the clip has no frame")?.picture
        }
        None => live(&site, camera)?,
    };
    let canvas = drawn(&picture, camera);
    let path = args.output.clone().unwrap_or_else(|| format!("{}.jpg", camera.id).into());
    std::fs::write(&path, canvas.jpeg(QUALITY)).with_context(|| format!("cannot write {}", path.display()))?;
    let places = &camera.places;
    println!(
        "{}: {} of {}x{}, drawn in: {}, {}",
        path.display(),
        camera.id,
        picture.width(),
        picture.height(),
        counted(places.zones.len(), "zone"),
        counted(places.lines.len(), "line"),
    );
    if let Some(ground) = &places.ground {
        println!("    {}", config::calibration_summary(ground, places.residual));
        println!("    drawn on the ground: a line every {GROUND_EVERY_M} m; {}", detail(ground, picture.width()));
    }
    println!(
        "    → read x along the top, y along the side; write points as [x, y], such as [0.25, 0.60]; take the picture again"
    );
    Ok(ExitCode::SUCCESS)
}

/// How far up the picture which detail is seen, in its middle.
fn detail(ground: &Ground, width_px: u32) -> String {
    let heights = (0..=100).rev().map(|percent| percent as f32 / 100.0);
    let pixels = |y: f32| ground.pixels_per_metre(Point::new(0.5, y), width_px);
    let bands = Detail::ALL.into_iter().rev().filter_map(|detail| {
        let enough = |y: &f32| pixels(*y).is_some_and(|pixels| pixels >= detail.pixels_per_metre());
        let top = heights.clone().take_while(enough).last()?;
        Some(format!("{} ({} pixels a metre) up to y = {top:.2}", detail.label(), detail.pixels_per_metre()))
    });
    let bands: Vec<String> = bands.collect();
    if bands.is_empty() { "too few pixels a metre to monitor anyone".to_owned() } else { bands.join(", ") }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn live(site: &Site, camera: &Camera) -> anyhow::Result<Arc<Picture>> {
    let params = setup::detect_params(site, camera)?
        .with_context(|| format!("camera {} has no detect stream\n    → name a clip of it: --clip FILE", camera.id))?;
    let runtime = crate::cmd::tokio_runtime()?;
    let probed = runtime.block_on(probe::probe(camera.id.clone(), params, camera.masks.clone()));
    // A frozen camera may hold its threads.
    runtime.shutdown_background();
    match probed {
        Ok(probed) => Ok(probed.frame.picture),
        Err(error) => bail!("{}: {error}\n    → {}", camera.id, probe::cure(&error)),
    }
}

fn drawn(picture: &Picture, camera: &Camera) -> Canvas {
    let mut canvas = Canvas::new(Shareable::as_decoded(picture, MAX_WIDTH_PX));
    grid::draw(&mut canvas);
    if let Some(ground) = &camera.places.ground {
        grid::draw_ground(&mut canvas, ground, GROUND_EVERY_M);
    }
    for zone in &camera.places.zones {
        canvas.zone(zone, Ink::Place);
    }
    for line in &camera.places.lines {
        canvas.line(line, Ink::Subject);
    }
    canvas
}

//! `site guess`: what watched traffic tells of how a camera hangs: a first guess, to check a calibration against.

use std::path::PathBuf;
use std::process::ExitCode;

use analytics::WallTime;
use analytics::calibration::{Guess, Sizes};
use analytics::ground::Detail;
use analytics::record::Playback;
use anyhow::{Context, bail};
use edge_agent::config::{self, Home};
use edge_agent::replay::ReplayError;
use edge_agent::tracks::TracksReader;

/// Width of the picture for which pixels a metre are said.
const WIDTH_PX: u32 = 1920;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
People and vehicles have typical sizes: how high they appear at each height of the picture tells where the horizon is and how
high the camera hangs, and ways that are straight meet on the horizon. The focal length hardly shows: it is taken to be usual.
So this is a guess: nothing is measured from it. To measure in metres, write [camera.calibration] into the site file.

Example, after `run` has watched for an hour or so:
  edge-agent site guess site.toml huong-nam")]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,

    /// The camera; not needed where the site has one only.
    camera: Option<String>,

    /// Recorded tracks; default: those in the site's storage folder.
    #[arg(long, value_name = "FILE")]
    tracks_db: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, home: &Home) -> anyhow::Result<ExitCode> {
    let (site, errors) = config::load_site_partly(&args.site, home)?;
    let Some(site) = site else { return Err(errors.into()) };
    let camera = super::camera(&site, args.camera.as_deref())?;
    let file = args.tracks_db.clone().unwrap_or_else(|| site.storage.tracks_file());
    let tracks = TracksReader::open(&file)?;
    let (mut sizes, mut scenes) = (None, 0_u64);
    let ever = [i64::MIN, i64::MAX].map(WallTime::from_unix_nanos);
    tracks.chunks(&camera.id, ever, |kept| -> Result<(), ReplayError> {
        // A damaged chunk is no reason not to look at the others.
        let Ok(playback) = Playback::new(camera.id.clone(), &kept.bytes) else { return Ok(()) };
        for scene in playback.flatten() {
            scenes += 1;
            sizes.get_or_insert_with(|| Sizes::new(scene.aspect.into())).push(&scene);
        }
        Ok(())
    })?;
    let sizes =
        sizes.with_context(|| format!("no tracks of camera {} are recorded in {}", camera.id, file.display()))?;
    let Some(guess) = sizes.guess() else {
        bail!(
            "{scenes} scenes show too few people and vehicles at different heights of the picture\n    → let `run` watch for longer"
        );
    };
    let guess = guess.with_context(|| format!("the sizes seen by camera {} fit no level camera", camera.id))?;
    print(camera.id.as_str(), scenes, &guess);
    Ok(ExitCode::SUCCESS)
}

fn print(camera: &str, scenes: u64, guess: &Guess) {
    println!("{camera}: a guess from {scenes} scenes; nothing is measured from it");
    println!("  horizon       y = {:.2}", guess.horizon);
    println!("  camera        about {:.1} m high, looking {:.0}° down", guess.camera_height_m, guess.tilt_deg);
    println!("  focal length  about {:.1} picture heights, for the most part assumed", guess.focal_heights);
    for y in [0.25, 0.5, 0.75, 1.0] {
        let Some(pixels) = guess.pixels_per_metre(y, WIDTH_PX) else { continue };
        let detail = Detail::of(pixels).map_or("too few to monitor", Detail::label);
        println!("  at y = {y:.2}     {pixels:.0} pixels a metre in a picture {WIDTH_PX} wide: {detail}");
    }
    println!("    → to measure in metres, write [camera.calibration] and look at it with `site picture`");
}

//! `replay`: last night's footage against the site file: files in, events out, the same bytes every time.

use std::cell::RefCell;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analytics::{CameraId, MediaTime, WallTime};
use anyhow::{Context, bail};
use edge_agent::config::{self, Home, Site};
use edge_agent::replay::{MotWriter, Output, Pace, ReplayParams, Summary, replay};

use super::progress;

mod recorded;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge-agent replay night.mp4 --site site.toml --events events.jsonl
  edge-agent replay nam=a.mp4 bac=b.mp4 --site site.toml --fps 5
  edge-agent --models-dir ~/weights replay clip.avi --site site.toml --model yolox-nano --fps all --tracks tracks.txt
  edge-agent replay --tracks-db --site new.toml --against site.toml    what new thresholds would change, in seconds

Wall time is --start plus media time, and every id is derived from it: the same clips give the same bytes. With --tracks-db
the recorded tracks of the last days take the place of clips: rules judge them again, tracking and detection stay as they
were. Camera kinds, things without a class and signals from the picture are not judged again: there is no picture.")]
pub(crate) struct Args {
    /// Clips, each with its camera unless the site has one only. Clips of one camera follow one another.
    #[arg(required_unless_present = "tracks_db", conflicts_with = "tracks_db", value_name = "[CAM=]CLIP")]
    clips: Vec<String>,

    /// The site file.
    #[arg(long, value_name = "FILE")]
    site: PathBuf,

    /// Another model than the site's.
    #[arg(long, value_name = "NAME", conflicts_with = "tracks_db")]
    model: Option<String>,

    /// Frames analysed a second, or `all`; default: the camera's `analyse_fps`.
    #[arg(long, value_name = "N|all", value_parser = parse_pace, conflicts_with = "tracks_db")]
    fps: Option<Pace>,

    /// Where events go, one JSON object a line; `-` for stdout, the default unless --tracks or --detections is given.
    #[arg(long, value_name = "FILE|-")]
    events: Option<PathBuf>,

    /// Where tracks go, in MOT format; for one camera.
    #[arg(long, value_name = "FILE", conflicts_with = "tracks_db")]
    tracks: Option<PathBuf>,

    /// Where detections go, in MOT format, as `eval` reads them; for one camera.
    #[arg(long, value_name = "FILE", conflicts_with = "tracks_db")]
    detections: Option<PathBuf>,

    /// Leave out traffic measures; they are printed among the events where the site measures any.
    #[arg(long)]
    no_measures: bool,

    /// Infer all of every analysed frame, whatever the site says of motion gates.
    #[arg(long, conflicts_with = "tracks_db")]
    no_motion_gate: bool,

    /// Wall time at which the clips begin.
    #[arg(long, value_name = "RFC3339", default_value = "1970-01-01T00:00:00Z", value_parser = parse_time)]
    start: WallTime,

    #[command(flatten)]
    recorded: recorded::Args,
}

fn parse_pace(text: &str) -> Result<Pace, String> {
    if text == "all" {
        return Ok(Pace::All);
    }
    match text.parse::<f64>() {
        Ok(fps) if (0.01..=1000.0).contains(&fps) => Ok(Pace::Fps(fps)),
        _ => Err("write a number of frames a second, or all".to_owned()),
    }
}

fn parse_time(text: &str) -> Result<WallTime, String> {
    let timestamp: jiff::Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    let nanos = i64::try_from(timestamp.as_nanosecond()).map_err(|_| "is too far from 1970".to_owned())?;
    Ok(WallTime::from_unix_nanos(nanos))
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    let site = config::load_site(&args.site, home)?;
    if let Some(file) = &args.recorded.tracks_db {
        return recorded::run(file.as_deref(), &args.recorded, &site, args.events.as_deref(), home);
    }
    let clips = args.clips.iter().map(|clip| with_camera(clip, &site)).collect::<anyhow::Result<Vec<_>>>()?;
    if (args.tracks.is_some() || args.detections.is_some()) && clips.iter().any(|(camera, _)| *camera != clips[0].0) {
        bail!("--tracks and --detections take clips of one camera: MOT files do not name cameras");
    }
    let mut events: Box<dyn Write> = match &args.events {
        None if args.tracks.is_some() || args.detections.is_some() => Box::new(std::io::sink()),
        path => writer(path.as_deref())?,
    };
    let mut tracks = args.tracks.as_ref().map(|_| MotWriter::default());
    let mut detections = args.detections.as_ref().map(|_| MotWriter::default());
    let measures = !args.no_measures;
    let params = ReplayParams {
        clips,
        pace: args.fps,
        model: args.model,
        start: args.start,
        measures,
        motion_gates: !args.no_motion_gate,
    };
    // All print to the same place.
    let lines = RefCell::new(&mut events);
    let mut event = |incident: &_| write_line(&mut *lines.borrow_mut(), incident);
    let mut measurement = |measurement: &_| write_line(&mut *lines.borrow_mut(), measurement);
    let mut announcement = |announcement: &_| write_line(&mut *lines.borrow_mut(), announcement);
    let bar = progress::frames("replay");
    let mut told = |summary: &Summary, pts: MediaTime| {
        let (media_s, passed_s) = (pts.as_secs_f64(), bar.elapsed().as_secs_f64().max(1e-3));
        let Summary { frames, analysed, events, .. } = summary;
        let speed = media_s / passed_s;
        bar.say(format!("{frames} frames, {analysed} analysed, {events} events, {media_s:.0} s of media, {speed:.1}x"));
    };
    let output = Output {
        event: &mut event,
        measurement: &mut measurement,
        announcement: &mut announcement,
        tracks: tracks.as_mut(),
        detections: detections.as_mut(),
        progress: &mut told,
    };
    let result = replay(&site, home, &params, output);
    bar.clear();
    events.flush().context("cannot write the events")?;
    // What was found before an error is kept.
    for (path, boxes) in [(&args.tracks, tracks), (&args.detections, detections)] {
        let (Some(path), Some(boxes)) = (path, boxes) else { continue };
        std::fs::write(path, boxes.finish()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let summary = result?;
    eprintln!(
        "{} frames, {} analysed ({} held), {} regions inferred, {} detections, {} events",
        summary.frames, summary.analysed, summary.held, summary.regions, summary.detections, summary.events
    );
    Ok(ExitCode::SUCCESS)
}

fn write_line(to: &mut impl Write, message: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *to, message)?;
    to.write_all(b"\n")
}

/// A file, or stdout for `-` or nothing.
fn writer(path: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    Ok(match path.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    })
}

/// `CAM=CLIP`, or a clip of the site's only camera.
fn with_camera(text: &str, site: &Site) -> anyhow::Result<(CameraId, PathBuf)> {
    if let Some((camera, clip)) = text.split_once('=') {
        if let Some(camera) = site.camera(camera) {
            return Ok((camera.id.clone(), clip.into()));
        }
        if !PathBuf::from(text).exists() {
            let known: Vec<&str> = site.cameras.iter().map(|camera| camera.id.as_str()).collect();
            bail!("the site has no camera \"{camera}\"; it has: {}", known.join(", "));
        }
    }
    match site.cameras.as_slice() {
        [only] => Ok((only.id.clone(), text.into())),
        cameras => {
            let known: Vec<&str> = cameras.iter().map(|camera| camera.id.as_str()).collect();
            bail!("say which camera took {text}: CAM={text}, where CAM is one of: {}", known.join(", "))
        }
    }
}

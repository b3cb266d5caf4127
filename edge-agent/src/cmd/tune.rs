//! `tune`: what this box carries, measured on it, and the profile that carries most.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use edge_agent::config::{self, Home, HwProfile, hw_profiles};
use edge_agent::decode::VideoCodec;
use edge_agent::detect::ort::Build;
use edge_agent::text::Lang;
use edge_agent::tune::plan::Objective;
use edge_agent::tune::{self, Params, Report};

use super::progress;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Stop the service first: what else runs is measured too. It takes two to four minutes.

Examples:
  edge-agent tune                          how many cameras of 720p at 5 analysed frames a second?
  edge-agent tune --cameras 4@5 --out hw-profiles/this-box.toml
                                           the best model and setting that carry four; then in the site file:
                                           hw_profile = \"this-box\"
  edge-agent tune site.toml --json         with the site's own cameras; for programs

Ends with 0 when the box carries what is asked for, else with 1.")]
pub(crate) struct Args {
    /// The site file: its cameras are received, and the service is run with them (nothing is sent). Without it, cameras on
    /// this box play a clip.
    site: Option<PathBuf>,

    /// So many cameras, at so many analysed frames a second: 4@5. Without it, as many as possible at 5.
    #[arg(long, value_name = "N@FPS", value_parser = cameras)]
    cameras: Option<(u32, f64)>,

    /// Frames analysed a second, where --cameras does not say.
    #[arg(long, value_name = "FPS", default_value_t = 5.0, value_parser = analyse_fps, conflicts_with = "cameras")]
    analyse_fps: f64,

    /// Take no model whose measured average precision (AP50) is below; 0 takes models that nobody measured, too.
    #[arg(long, value_name = "AP50", default_value_t = 0.5)]
    min_accuracy: f64,

    /// The least energy instead of the least processor time, where the box tells.
    #[arg(long)]
    least_energy: bool,

    /// Size of the cameras' pictures, where no site is named.
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = size)]
    size: (u32, u32),

    /// Their codec.
    #[arg(long, value_name = "h264|h265", default_value = "h264", value_parser = codec)]
    codec: VideoCodec,

    /// What they show, instead of the demonstration's clip.
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,

    /// Take decoders and sandbox from this profile; by default the site's, else cpu-x86_64.
    #[arg(long, value_name = "NAME")]
    base: Option<String>,

    /// Write the profile here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Overwrite it.
    #[arg(long, requires = "out")]
    force: bool,

    /// Look only briefly: half a minute, and numbers to match.
    #[arg(long)]
    quick: bool,

    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,

    /// Language of the sentence.
    #[arg(long, value_enum, default_value_t = Lang::Vi)]
    lang: Lang,

    /// For the process that infers: the build of ONNX Runtime to measure.
    #[arg(long, hide = true, value_parser = |label: &str| Build::from_label(label).ok_or("no such build"))]
    measure_build: Option<Build>,

    /// For the same: how long.
    #[arg(long, hide = true, value_parser = super::parse_duration, default_value = "1s")]
    window: Duration,

    /// For the process that plays the cameras.
    #[cfg(feature = "demo")]
    #[arg(long, hide = true, requires = "clip")]
    serve: bool,
}

pub(crate) fn run(args: Args, home: &Home) -> anyhow::Result<ExitCode> {
    if let Some(build) = args.measure_build {
        tune::measure_build(home, build, args.size, args.window, |cost| {
            println!("{}", serde_json::to_string(&cost).expect("numbers and words"));
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    #[cfg(feature = "demo")]
    if let (true, Some(clip)) = (args.serve, args.clip.clone()) {
        tune::serve(&tune::Show { clip, codec: args.codec, size: args.size })?;
        return Ok(ExitCode::SUCCESS);
    }
    refuse_to_overwrite(args.out.as_deref(), args.force)?;
    let report = measure(&args, home)?;
    match &args.out {
        Some(file) => write(file, &report, args.force)?,
        None if !args.json => eprintln!("no profile is written: name one with --out"),
        None => {}
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}\n{}", report.tables(), report.sentence(args.lang));
    }
    let asked = report.objective.cameras.unwrap_or(1);
    let carried = report.plan.is_some_and(|plan| plan.cameras >= asked);
    Ok(if carried { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(args: &Args, home: &Home) -> anyhow::Result<Report> {
    let site = args.site.as_ref().map(|path| config::load_site(path, home)).transpose()?;
    let base = match (&args.base, &site) {
        (None, Some(site)) => site.hw_profile.clone(),
        (name, _) => base(home, name.as_deref().unwrap_or("cpu-x86_64"))?,
    };
    let (cameras, analyse_fps) = args.cameras.map_or((None, args.analyse_fps), |(cameras, fps)| (Some(cameras), fps));
    let objective =
        Objective { cameras, analyse_fps, min_accuracy: args.min_accuracy, least_energy: args.least_energy };
    let params =
        Params { objective, codec: args.codec, size: args.size, clip: args.clip.clone(), quick: args.quick, base };
    let progress = progress::frames("measuring");
    let runtime = super::tokio_runtime()?;
    let report = runtime.block_on(tune::run(&params, site, home, &mut |what| progress.say(what)));
    // A frozen camera may hold its threads.
    runtime.shutdown_background();
    Ok(report?)
}

fn base(home: &Home, name: &str) -> anyhow::Result<HwProfile> {
    let profiles = hw_profiles(home);
    let known: Vec<String> = profiles.iter().map(|profile| profile.name.clone()).collect();
    let found = profiles.into_iter().find(|profile| profile.name == name);
    found.with_context(|| {
        format!("there is no good hardware profile \"{name}\"\n    → choose one of: {}", known.join(", "))
    })
}

/// Before minutes are spent.
fn refuse_to_overwrite(file: Option<&Path>, force: bool) -> anyhow::Result<()> {
    match file {
        Some(file) if !force && file.exists() => {
            bail!("{} is there already\n    → name another file, or say --force", file.display())
        }
        _ => Ok(()),
    }
}

fn write(file: &Path, report: &Report, force: bool) -> anyhow::Result<()> {
    let Some(text) = report.profile() else {
        eprintln!("no profile is written: no model reaches --min-accuracy");
        return Ok(());
    };
    let mut options = OpenOptions::new();
    options.write(true).create(force).create_new(!force).truncate(force);
    let written = options.open(file).and_then(|mut opened| opened.write_all(text.as_bytes()));
    match written {
        Ok(()) => eprintln!("written: {}", file.display()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => refuse_to_overwrite(Some(file), force)?,
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", file.display())),
    }
    Ok(())
}

/// `4@5`.
fn cameras(text: &str) -> Result<(u32, f64), String> {
    let wrong = || "expected CAMERAS@FRAMES A SECOND, such as 4@5".to_owned();
    let (cameras, fps) = text.split_once('@').ok_or_else(wrong)?;
    let cameras = cameras.parse().ok().filter(|cameras| *cameras > 0).ok_or_else(wrong)?;
    Ok((cameras, analyse_fps(fps)?))
}

fn analyse_fps(text: &str) -> Result<f64, String> {
    let fps = text.parse().ok().filter(|fps| (0.1..=60.0).contains(fps));
    fps.ok_or_else(|| "expected 0.1 to 60 frames a second".to_owned())
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let parsed = parsed.filter(|(width, height)| (16..=8192).contains(width) && (16..=8192).contains(height));
    parsed.ok_or_else(|| "expected WIDTHxHEIGHT, such as 1280x720".to_owned())
}

fn codec(text: &str) -> Result<VideoCodec, String> {
    match text {
        "h264" => Ok(VideoCodec::H264),
        "h265" => Ok(VideoCodec::H265),
        _ => Err("expected h264 or h265".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_and_nonsense_is_refused() {
        assert_eq!(cameras("4@5"), Ok((4, 5.0)));
        assert_eq!(cameras("1@0.5"), Ok((1, 0.5)));
        assert!(["4", "0@5", "4@0", "4@1000", "-1@5", "@", "4@x"].into_iter().all(|text| cameras(text).is_err()));
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        assert!(["1280", "0x0", "1280x", "99999x5"].into_iter().all(|text| size(text).is_err()));
    }
}

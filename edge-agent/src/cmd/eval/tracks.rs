//! `eval tracks`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analytics::Class;
use anyhow::Context;
use edge_agent::config::{Home, HomeError, TrackerOverrides};
use edge_agent::eval::{
    self, FrameChoice, PictureSize, Recorded, RecordedParams, Retraced, TrackComparison, TrackParams,
};
use edge_agent::setup;
use serde::Serialize;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files are in MOT format, a box a line, in pixels, commas or white space between columns:
  frame,id,left,top,width,height,confidence,class,visibility    MOT16 and later
  frame,id,left,top,width,height,confidence,x,y,z               2D and 3D MOT 2015; -1 where not known
Frames count from 1. In the truth column 7 is a flag: a line with 0 is left out. With ten columns that end in
-1,-1 column 8 is COCO's class from 0, as `replay --tracks` writes it. Lines that begin with # are comments.

--every K evaluates frames 1, 1+K, 1+2K, … of both files; what the truth says of other frames is left out.

Examples:
  edge-agent eval tracks --gt gt.txt --hyp tracks.txt
  edge-agent eval tracks --gt gt.txt --hyp tracks.txt --every 2 --iou 0.6 --json
  edge-agent eval tracks --gt gt.txt --detections det.txt --fps 25 --every 5 --write-tracks tracks.txt
  edge-agent eval tracks --gt gt.txt --detections det.txt --fps 10 --model yolox-nano --only person

MOTA, MOTP, switches, fragmentations and IDF1 are py-motmetrics' figures, HOTA is TrackEval's: see docs/eval.md.")]
pub(crate) struct Args {
    /// The truth.
    #[arg(long, value_name = "FILE")]
    gt: PathBuf,

    /// Tracks.
    #[arg(long, value_name = "FILE", required_unless_present = "detections", conflicts_with = "detections")]
    hyp: Option<PathBuf>,

    /// Recorded detections, to be tracked with what `run` tracks with.
    #[arg(long, value_name = "FILE", requires = "fps")]
    detections: Option<PathBuf>,

    /// Frames a second of the source, before --every.
    #[arg(long, value_name = "RATE", requires = "detections", value_parser = rate)]
    fps: Option<f64>,

    /// Evaluate, and show to the tracker, frames 1, 1+K, 1+2K, … only.
    #[arg(long, value_name = "K", default_value = "1", value_parser = super::every)]
    every: FrameChoice,

    /// Least overlap (intersection over union) at which a box is found; HOTA has its own.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = overlap)]
    iou: f64,

    /// Write the tracks that were seen, in MOT format.
    #[arg(long, value_name = "FILE", requires = "detections")]
    write_tracks: Option<PathBuf>,

    /// The picture's size; default: as seqinfo.ini beside the detections or one folder up says, else what they reach.
    #[arg(long, value_name = "WxH", requires = "detections")]
    size: Option<PictureSize>,

    /// What detections are whose class the file does not say.
    #[arg(long, value_name = "CLASS", default_value = "person", value_parser = super::class)]
    class: Class,

    /// Compare boxes of these classes only, and those whose class their file does not say; default: all boxes.
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',', value_parser = super::class)]
    only: Vec<Class>,

    /// The model that made the detections: the tracker's confidences are those of its model.toml.
    #[arg(long, value_name = "NAME", default_value = "ssdlite-mobilenet-v2", requires = "detections")]
    model: String,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Everything there is to say.
#[derive(Serialize)]
struct Output<'a> {
    gt: &'a Path,
    hyp: &'a Path,
    #[serde(flatten)]
    figures: TrackComparison,
    tracker: Option<Retraced>,
}

pub(super) fn run(args: &Args, home: impl FnOnce() -> Result<Home, HomeError>) -> anyhow::Result<ExitCode> {
    let (hyp, tracks, tracker) = match (&args.hyp, &args.detections, args.fps) {
        (Some(hyp), _, _) => (hyp, None, None),
        (None, Some(detections), Some(fps)) => {
            let mut retraced = retrace(args, detections, fps, &home()?)?;
            (detections, Some(std::mem::take(&mut retraced.tracks)), Some(retraced))
        }
        _ => anyhow::bail!("give --hyp, or --detections and --fps"),
    };
    if let (Some(path), Some(tracks)) = (&args.write_tracks, &tracks) {
        std::fs::write(path, tracks).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let params = TrackParams { choice: args.every, min_iou: args.iou, only: args.only.iter().copied().collect() };
    let figures = eval::compare_tracks(&args.gt, hyp, tracks.as_deref(), params)?;
    let output = Output { gt: &args.gt, hyp, figures, tracker };
    if args.json {
        super::print_json(&output)?;
    } else {
        print!("{}", table(&output));
    }
    Ok(ExitCode::SUCCESS)
}

fn retrace(args: &Args, detections: &Path, fps: f64, home: &Home) -> anyhow::Result<Retraced> {
    let model = setup::manifest(home, &args.model)?;
    let params = RecordedParams {
        choice: args.every,
        fps,
        size: args.size,
        class: args.class,
        tracker: setup::tracker_params(TrackerOverrides::default(), &model),
    };
    Ok(eval::retrace(&Recorded::read(detections)?, &params)?)
}

fn table(output: &Output<'_>) -> String {
    let Output { gt, hyp, figures, tracker } = output;
    let TrackComparison { every, ignored_truth, other_classes, report, notes } = figures;
    let (clear, identity, hota) = (&report.clear, &report.identity, &report.hota);
    let (truth, tracked, found) = (report.truth_boxes, report.tracked_boxes, clear.found);
    let mut lines = vec![
        format!(
            "truth       {}: {truth} boxes of {} objects, {ignored_truth} more ignored",
            gt.display(),
            report.truth_ids
        ),
        format!("tracks      {}: {tracked} boxes of {} tracks", hyp.display(), report.tracked_ids),
    ];
    if let Some(Retraced { size, size_source, frames, detections, other_classes, outside, .. }) = tracker {
        lines.push(format!(
            "tracker     this program's: {detections} detections in {frames} frames; dropped: {other_classes} of other classes, \
             {outside} outside the picture"
        ));
        lines.push(format!("picture     {size}, {size_source}"));
    }
    let which =
        if *every == 1 { "every frame".to_owned() } else { format!("frames 1, {}, {}, …", 1 + every, 1 + 2 * every) };
    lines.push(format!(
        "evaluated   {} frames that hold any box ({which}), IoU at least {}",
        report.frames, report.min_iou
    ));
    if *other_classes > 0 {
        lines.push(format!("left out    {other_classes} boxes of other classes than --only"));
    }
    lines.push(String::new());
    let mut row = |name: &str, value: String, of: String| lines.push(format!("{name:<16}{value:>10}   {of}"));
    let figure = super::figure;
    let parts = format!(
        "{} missed + {} false + {} switches, of {truth} boxes",
        clear.misses, clear.false_positives, clear.switches
    );
    row("MOTA", figure(clear.mota), format!("1 − ({parts})"));
    row("MOTP", figure(clear.motp), format!("mean 1 − IoU of the {found} boxes found: 0 is best"));
    row(
        "IDF1",
        figure(identity.idf1),
        format!("{} boxes of the right identity; {truth} there, {tracked} tracked", identity.idtp),
    );
    row("IDP", figure(identity.idp), format!("{} of {tracked} boxes tracked", identity.idtp));
    row("IDR", figure(identity.idr), format!("{} of {truth} boxes there", identity.idtp));
    row("HOTA", figure(hota.hota), "mean over IoU 0.05, 0.10 … 0.95, as the three below".to_owned());
    row("DetA", figure(hota.deta), "detection".to_owned());
    row("AssA", figure(hota.assa), "association".to_owned());
    row("LocA", figure(hota.loca), "localisation: mean IoU of what was found".to_owned());
    row("recall", figure(clear.recall), format!("{found} of {truth} boxes there; {} missed (FN)", clear.misses));
    row(
        "precision",
        figure(clear.precision),
        format!("{found} of {tracked} boxes tracked; {} false (FP)", clear.false_positives),
    );
    row("switches", clear.switches.to_string(), format!("in {found} boxes found"));
    row("fragmentations", clear.fragmentations.to_string(), "gaps in which an object was lost".to_owned());
    let of = format!("of {} objects", report.truth_ids);
    row("mostly tracked", clear.mostly_tracked.to_string(), format!("{of}: found in at least 80 % of their frames"));
    row("partially", clear.partially_tracked.to_string(), of.clone());
    row("mostly lost", clear.mostly_lost.to_string(), format!("{of}: found in less than 20 %"));
    lines.extend(notes.iter().map(|note| format!("\nnote: {note}")));
    lines.join("\n") + "\n"
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=1000.0).contains(rate));
    rate.ok_or_else(|| "write a number of frames a second, from 0.01 to 1000".to_owned())
}

fn overlap(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.01..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0.01 to 1, such as 0.5".to_owned())
}

//! `eval detections`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use analytics::Class;
use edge_agent::eval::{DetectionReport, DetectionsParams, FrameChoice, evaluate_detections};
use evaluation::detections::{MAX_DETECTIONS, Precision};
use serde::Serialize;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Both files are COCO's JSON (an object with images, annotations and categories; a list of results with image_id,
category_id, bbox and score), or both are in MOT format (see `eval tracks --help`; a frame is an image).

In MOT files with nine columns column 8 is MOTChallenge's class (1 a pedestrian, 3 a car …; riders and statues are
ignored, neither to be found nor wrong), with ten that end in -1,-1 COCO's of 80 from 0; else --class says it. Lines of
the truth with the flag 0 are ignored in the same sense.

Examples:
  edge-agent eval detections --gt instances_val2017.json --det results.json
  edge-agent eval detections --gt gt.txt --det det.txt --every 8 --json

Figures are those of pycocotools (101 recalls, at most 100 detections an image and class): see docs/eval.md.")]
pub(crate) struct Args {
    /// The truth.
    #[arg(long, value_name = "FILE")]
    gt: PathBuf,

    /// The detections.
    #[arg(long, value_name = "FILE")]
    det: PathBuf,

    /// Evaluate frames 1, 1+K, 1+2K, … only; MOT format.
    #[arg(long, value_name = "K", default_value = "1", value_parser = super::every)]
    every: FrameChoice,

    /// What boxes are whose class a MOT file does not say.
    #[arg(long, value_name = "CLASS", default_value = "person", value_parser = super::class)]
    class: Class,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Everything there is to say.
#[derive(Serialize)]
struct Output<'a> {
    images: u64,
    other_classes: u64,
    classes: Vec<ClassOutput<'a>>,
    mean: BTreeMap<&'static str, Precision>,
}

#[derive(Serialize)]
struct ClassOutput<'a> {
    class: &'a str,
    found: u64,
    by_size: BTreeMap<&'static str, Precision>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let params = DetectionsParams { truth: &args.gt, found: &args.det, choice: args.every, class: args.class };
    let report = evaluate_detections(&params)?;
    if args.json {
        super::print_json(&output(&report))?;
    } else {
        print!("{}", table(&report));
    }
    Ok(ExitCode::SUCCESS)
}

fn output(report: &DetectionReport) -> Output<'_> {
    let by_size = |rows: &[Precision]| rows.iter().map(|row| (row.size.label(), *row)).collect();
    let classes = report.precision.by_class.iter().map(|class| ClassOutput {
        class: name(report, class.class),
        found: class.found,
        by_size: by_size(&class.by_size),
    });
    Output {
        images: report.images,
        other_classes: report.other_classes,
        classes: classes.collect(),
        mean: by_size(&report.precision.mean),
    }
}

fn name(report: &DetectionReport, class: u32) -> &str {
    report.names.get(&class).map_or("?", String::as_str)
}

fn table(report: &DetectionReport) -> String {
    let mut text = format!("{} images", report.images);
    if report.other_classes > 0 {
        text += &format!("; {} boxes of classes without rules left out", report.other_classes);
    }
    text += &format!("\n\n{:<20}{:<8}{:>8}{:>10}{:>10}{:>10}\n", "class", "size", "objects", "AP50", "AP75", "AP50:95");
    let mut rows = |name: &str, rows: &[Precision]| {
        for row in rows.iter().filter(|row| row.truths > 0) {
            let figures = [row.ap50, row.ap75, row.ap50_95].map(super::figure);
            let [ap50, ap75, mean] = figures;
            text += &format!("{name:<20}{:<8}{:>8}{ap50:>10}{ap75:>10}{mean:>10}\n", row.size.label(), row.truths);
        }
    };
    for class in &report.precision.by_class {
        rows(name(report, class.class), &class.by_size);
    }
    let with_objects = report.precision.by_class.iter().filter(|class| class.by_size[0].truths > 0).count();
    rows(&format!("mean of {with_objects}"), &report.precision.mean);
    for class in report.precision.by_class.iter().filter(|class| class.by_size[0].truths == 0) {
        text += &format!("{}: {} found, no object to find: no figure\n", name(report, class.class), class.found);
    }
    text += &format!(
        "\nsmall up to 32², medium up to 96² square pixels; at most {MAX_DETECTIONS} detections an image and class.\n"
    );
    text
}

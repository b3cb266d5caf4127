//! Files in the MOTChallenge text format: a box a line, `frame,id,left,top,width,height,confidence,class,visibility` or
//! `frame,id,left,top,width,height,confidence,x,y,z`, in pixels, frames counted from 1; commas or white space.
//!
//! What column 8 says depends on what follows it: with nine columns it is MOTChallenge's own class (1 is a pedestrian),
//! with ten that end in `-1,-1` COCO's of 80, from 0, as this program writes it; else nothing.

use std::collections::BTreeMap;
use std::path::Path;

use analytics::Class;
use evaluation::boxes::PixelBox;

use super::problem::{Problems, quote};

/// No sequence is longer; what looks like it is another column.
pub(super) const MAX_FRAME: u64 = 10_000_000;
/// Larger ids are not told apart by a double.
const MAX_ID: f64 = 9e15;
/// Larger confidences mean nothing.
const MAX_CONFIDENCE: f64 = 1e6;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Objects of the truth, each at most once a frame.
    Truth,
    /// A tracker's tracks, each at most once a frame.
    Tracks,
    /// Detections; whatever stands for an id is not read.
    Detections,
}

/// What a line says of the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// Nothing.
    Unknown,
    /// MOTChallenge's number.
    Mot(i64),
    /// COCO's number of 80, from 0.
    Coco(i64),
}

/// What a box is, by its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One of ours.
    Object(Class),
    /// Much like one of ours, so that it is not wrong to find it: a rider, a statue, a reflection.
    Distractor(Class),
    /// None of ours.
    Other,
    /// Nobody said.
    Unknown,
}

impl Label {
    pub(super) fn meaning(self) -> Meaning {
        match self {
            Self::Unknown => Meaning::Unknown,
            Self::Mot(1) => Meaning::Object(Class::Person),
            Self::Mot(3) => Meaning::Object(Class::Car),
            Self::Mot(4) => Meaning::Object(Class::Bicycle),
            Self::Mot(5) => Meaning::Object(Class::Motorcycle),
            Self::Mot(2 | 7 | 8 | 12) => Meaning::Distractor(Class::Person),
            Self::Mot(_) => Meaning::Other,
            Self::Coco(id) => Class::ALL
                .into_iter()
                .find(|class| i64::from(class.coco_id()) == id)
                .map_or(Meaning::Other, Meaning::Object),
        }
    }
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// Where it stands, from 1.
    pub(super) line: usize,
    pub(super) frame: u64,
    /// 0 for detections.
    pub(super) id: u64,
    pub(super) bbox: PixelBox,
    /// 0 in a truth: not to be considered.
    pub(super) confidence: f64,
    pub(super) label: Label,
}

/// A file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MotFile {
    pub(super) rows: Vec<Row>,
    /// The frames that were analysed, where the file lists them as `replay --tracks` does.
    pub(super) analysed: Option<Vec<u64>>,
}

pub(super) fn parse(file: &Path, text: &str, holds: Holds) -> Result<MotFile, Problems> {
    let mut problems = Problems::of(file);
    let mut seen: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut mot = MotFile { rows: Vec::new(), analysed: None };
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let content = content.trim();
        if let Some(comment) = content.strip_prefix('#') {
            mot.analysed = mot.analysed.or_else(|| analysed_frames(comment));
            continue;
        }
        if content.is_empty() {
            continue;
        }
        match row(line, content, holds) {
            Ok(row) => {
                let before = (holds != Holds::Detections).then(|| seen.insert((row.frame, row.id), line)).flatten();
                if let Some(before) = before {
                    let what = format!("id {} is in frame {} twice, first on line {before}", row.id, row.frame);
                    problems.add(line, what, "keep one box for each id and frame");
                }
                mot.rows.push(row);
            }
            Err((what, cure)) => problems.add(line, what, cure),
        }
    }
    problems.or(mot)
}

fn analysed_frames(comment: &str) -> Option<Vec<u64>> {
    let list = comment.trim().strip_prefix("analysed_frames:")?;
    list.split(',').map(|frame| frame.trim().parse().ok()).collect()
}

type Wrong = (String, &'static str);

fn row(line: usize, content: &str, holds: Holds) -> Result<Row, Wrong> {
    let fields: Vec<&str> = if content.contains(',') {
        content.trim_end_matches(',').split(',').map(str::trim).collect()
    } else {
        content.split_whitespace().collect()
    };
    if !(7..=10).contains(&fields.len()) {
        let what = format!("has {} columns: {}", fields.len(), quote(content));
        return Err((
            what,
            "write 7 to 10: frame,id,left,top,width,height,confidence and, at will, class,visibility or x,y,z",
        ));
    }
    let mut values = [0.0; 10];
    for (k, field) in fields.iter().enumerate() {
        values[k] = field.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| {
            (format!("column {} is no number: {}", k + 1, quote(field)), "write a finite decimal number")
        })?;
    }
    let [frame, id, left, top, width, height, confidence, ..] = values;
    let bbox = PixelBox::new(left, top, width, height).ok_or_else(|| {
        let what = format!("no box: left {left}, top {top}, width {width}, height {height}");
        (what, "width and height are above 0, and nothing is beyond a million pixels")
    })?;
    if confidence.abs() > MAX_CONFIDENCE {
        return Err((format!("the confidence {confidence} is no confidence"), "write it in column 7, from 0 to 1"));
    }
    Ok(Row {
        line,
        frame: frame_number(frame)?,
        id: if holds == Holds::Detections { 0 } else { track_id(id)? },
        bbox,
        confidence,
        label: label(&values[..fields.len()]),
    })
}

fn frame_number(value: f64) -> Result<u64, Wrong> {
    if value.fract() == 0.0 && (1.0..=MAX_FRAME as f64).contains(&value) {
        return Ok(value as u64);
    }
    Err((format!("{value} is no frame"), "count frames from 1, up to ten million, in column 1"))
}

fn track_id(value: f64) -> Result<u64, Wrong> {
    if value.fract() == 0.0 && (0.0..=MAX_ID).contains(&value) {
        return Ok(value as u64);
    }
    let cure =
        "give each object a whole number from 0 in column 2; files of detections (id -1) go with --detections or --det";
    Err((format!("{value} is no id"), cure))
}

fn label(values: &[f64]) -> Label {
    let number = |value: f64| (value.fract() == 0.0 && (0.0..=1e6).contains(&value)).then_some(value as i64);
    match *values {
        [.., class, visibility] if values.len() == 9 && (-1.0..=1.0).contains(&visibility) => {
            number(class).filter(|class| *class > 0).map_or(Label::Unknown, Label::Mot)
        }
        [.., class, y, z] if values.len() == 10 && y == -1.0 && z == -1.0 => {
            number(class).map_or(Label::Unknown, Label::Coco)
        }
        _ => Label::Unknown,
    }
}

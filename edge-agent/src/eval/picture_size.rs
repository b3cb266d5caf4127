//! How large the pictures were: MOT files do not say.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use evaluation::boxes::PixelBox;
use serde::Serialize;

use super::problem::{Problems, quote};
use super::{EvalError, read_text};

/// No picture is larger on either side.
const MAX_SIDE: u32 = 65_536;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PictureSize {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl PictureSize {
    /// `None` unless both are from 1 to 65536.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let sane = |side| (1..=MAX_SIDE).contains(&side);
        (sane(width) && sane(height)).then_some(Self { width, height })
    }
}

impl FromStr for PictureSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.trim().parse().ok();
        let size = text.split_once(['x', 'X', '×']).and_then(|(width, height)| Self::new(side(width)?, side(height)?));
        size.ok_or_else(|| "write width and height in pixels, such as 1920x1080".to_owned())
    }
}

impl fmt::Display for PictureSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeSource {
    /// The command line.
    Given,
    /// A `seqinfo.ini`.
    SeqInfo(PathBuf),
    /// Nobody: it is as large as what was detected in it reaches.
    Inferred,
}

impl fmt::Display for SizeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("as given"),
            Self::SeqInfo(path) => write!(f, "from {}", path.display()),
            Self::Inferred => f.write_str("inferred from the largest detections: give --size if it is not so"),
        }
    }
}

/// The size as given, else of the `seqinfo.ini` beside the file or in the folder above it, else what the boxes reach.
pub(super) fn find(
    given: Option<PictureSize>,
    file: &Path,
    boxes: impl Iterator<Item = PixelBox>,
) -> Result<(PictureSize, SizeSource), EvalError> {
    if let Some(size) = given {
        return Ok((size, SizeSource::Given));
    }
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let beside = [Some(folder), folder.parent()].into_iter().flatten().map(|folder| folder.join("seqinfo.ini"));
    if let Some(path) = beside.into_iter().find(|path| path.is_file()) {
        let size = seq_info(&path, &read_text(&path)?)?;
        return Ok((size, SizeSource::SeqInfo(path)));
    }
    let (width, height) =
        boxes.fold((1.0, 1.0), |(width, height): (f64, f64), b| (width.max(b.right()), height.max(b.bottom())));
    match PictureSize::new(width.ceil() as u32, height.ceil() as u32) {
        Some(size) => Ok((size, SizeSource::Inferred)),
        None => {
            let mut problems = Problems::of(file);
            problems.add(None, format!("boxes reach to {width:.0}, {height:.0}"), "give the picture's --size");
            Err(problems.into())
        }
    }
}

fn seq_info(file: &Path, text: &str) -> Result<PictureSize, Problems> {
    let mut problems = Problems::of(file);
    let mut sides = [None; 2];
    for (line, content) in (1..).zip(text.lines()) {
        let Some((key, value)) = content.split_once('=') else { continue };
        let Some(k) = ["imWidth", "imHeight"].iter().position(|known| *known == key.trim()) else { continue };
        sides[k] = value.trim().parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
        if sides[k].is_none() {
            problems.add(line, format!("{} is no size: {}", key.trim(), quote(value.trim())), "write it in pixels");
        }
    }
    match sides {
        [Some(width), Some(height)] => problems.or(PictureSize { width, height }),
        _ => {
            if problems.count == 0 {
                problems.add(None, "does not say imWidth and imHeight", "add them, or give --size");
            }
            Err(problems)
        }
    }
}

//! Files of truth, tracks, detections and events, whatever is in them; see `crate::hostile`.

use std::path::Path;

use super::mot::Holds;
use super::problem::Problems;

fn judge<T>(read: Result<T, Problems>) {
    let Err(problems) = read else { return };
    let said = problems.to_string();
    assert!(said.contains("→") && said.len() < 20_000, "{} bytes: {said}", said.len());
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

fn file() -> &'static Path {
    Path::new("f.txt")
}

pub(crate) fn mot(text: &str) {
    for holds in [Holds::Truth, Holds::Tracks, Holds::Detections] {
        judge(super::mot::parse(file(), text, holds));
    }
}

/// A truth and what was found; the first line of only dashes is between them.
pub(crate) fn coco(text: &str) {
    let (truth, found) = text.split_once("\n---\n").unwrap_or((text, "[]"));
    judge(super::coco::parse((file(), truth), (file(), found)));
}

pub(crate) fn truth(text: &str) {
    judge(super::truth::parse(file(), text));
}

pub(crate) fn events(text: &str) {
    judge(super::events::parse(file(), text));
}

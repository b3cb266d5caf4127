//! Detections and their truth as COCO writes them: one JSON document of images, categories and annotations, and a JSON
//! list of results.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use evaluation::boxes::PixelBox;
use evaluation::detections::{FoundBox, TruthBox};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::detections::Boxes;
use super::problem::Problems;

#[derive(Deserialize)]
struct Instances {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
}

#[derive(Deserialize)]
struct Category {
    id: u32,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u32,
    bbox: Vec<f64>,
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Found {
    image_id: u64,
    category_id: u32,
    bbox: Vec<f64>,
    score: f64,
}

/// What a document is, by its first character.
pub(super) fn is_instances(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// What a document is, by its first character.
pub(super) fn is_results(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

pub(super) fn parse(truth: (&Path, &str), found: (&Path, &str)) -> Result<Boxes, Problems> {
    let cure =
        "write an object with images, annotations (image_id, category_id, bbox, iscrowd) and categories (id, name)";
    let instances: Instances = json(truth, cure)?;
    let cure = "write a list of objects with image_id, category_id, bbox and score";
    let results: Vec<Found> = json(found, cure)?;
    let images: BTreeSet<u64> = instances.images.iter().map(|image| image.id).collect();
    let names: BTreeMap<u32, String> =
        instances.categories.into_iter().map(|category| (category.id, category.name)).collect();

    let mut problems = Problems::of(truth.0);
    let known = Known { images: &images, names: &names };
    let truths = instances.annotations.iter().enumerate().filter_map(|(k, one)| {
        let at = format!("annotations[{k}]");
        let bbox = known.bbox(&at, (one.image_id, one.category_id, &one.bbox), &mut problems)?;
        let area = one.area.unwrap_or_else(|| bbox.area());
        if !(0.0..=1e12).contains(&area) {
            problems.add(None, format!("{at}: the area {area} is none"), "write it in square pixels, or leave it out");
            return None;
        }
        let is_crowd = one.iscrowd != 0;
        Some(TruthBox { image: one.image_id, class: one.category_id, bbox, area, ignored: is_crowd, crowd: is_crowd })
    });
    let truths: Vec<TruthBox> = truths.collect();
    problems.or(())?;

    let mut problems = Problems::of(found.0);
    let founds = results.iter().enumerate().filter_map(|(k, one)| {
        let at = format!("[{k}]");
        let bbox = known.bbox(&at, (one.image_id, one.category_id, &one.bbox), &mut problems)?;
        Some(FoundBox { image: one.image_id, class: one.category_id, bbox, confidence: one.score })
    });
    let founds: Vec<FoundBox> = founds.collect();
    problems.or(Boxes { truths, founds, names, images: images.len() as u64, other_classes: 0 })
}

struct Known<'a> {
    images: &'a BTreeSet<u64>,
    names: &'a BTreeMap<u32, String>,
}

impl Known<'_> {
    fn bbox(&self, at: &str, (image, category, bbox): (u64, u32, &[f64]), problems: &mut Problems) -> Option<PixelBox> {
        if !self.images.contains(&image) {
            problems.add(None, format!("{at}: there is no image {image}"), "name images of the truth only");
        }
        if !self.names.contains_key(&category) {
            problems.add(None, format!("{at}: there is no category {category}"), "name categories of the truth only");
        }
        let pixel_box = match *bbox {
            [left, top, width, height] => PixelBox::new(left, top, width, height),
            _ => None,
        };
        if pixel_box.is_none() {
            let cure = "write left, top, width and height in pixels, the latter two above 0";
            problems.add(None, format!("{at}: bbox is no box: {bbox:?}"), cure);
        }
        pixel_box
    }
}

fn json<T: DeserializeOwned>((file, text): (&Path, &str), cure: &str) -> Result<T, Problems> {
    serde_json::from_str(text).map_err(|error| {
        let mut problems = Problems::of(file);
        // Its line is said before it.
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        problems.add(Some(error.line()).filter(|line| *line > 0), what, cure);
        problems
    })
}

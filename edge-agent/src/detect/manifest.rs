//! What a network is: `models/<name>/model.toml`, its labels and its weights.
//!
//! A manifest says how a picture becomes the network's input, how its outputs become detections, and where the weights
//! come from. [`Manifest::load`] reads and judges it, [`Manifest::verify`] finds the weights and proves by their
//! SHA-256 that they are the ones described; only what is verified can be opened.

mod error;

use std::fs;
use std::path::{Path, PathBuf};

use analytics::Class;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

pub use self::error::{ALLOWED_LICENCES, ModelError};
use crate::config::{ConfigError, ConfigErrors, Document};
use crate::detect::regions::Grid;
use crate::digest;

/// `model.toml`: what a network is.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The model's name: that of its folder, `[a-z0-9-]`.
    #[schemars(example = &"yolox-nano")]
    pub name: String,
    /// One line for people.
    #[schemars(length(min = 1))]
    pub description: String,
    /// File name of the weights (ONNX), in the model's folder or a folder of models.
    #[schemars(example = &"yolox_nano.onnx")]
    pub file: String,
    /// SHA-256 of the weights, in hexadecimal.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$", "minLength" = 64))]
    pub sha256: String,
    /// SPDX identifier of the weights' licence.
    #[schemars(example = &"Apache-2.0")]
    pub licence: String,
    /// Where the weights can be had.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Address to fetch the weights from, with a commit or version in it: never a branch that moves. Without it they are
    /// got by hand.
    #[serde(default)]
    #[schemars(example = &"https://models.example/v1/yolox_nano.onnx")]
    pub url: Option<String>,
    /// File name of the labels: one a line, line number = class index from 0; `-` where there is none. Labels that are
    /// no class of the rules are ignored.
    #[schemars(example = &"coco80.labels")]
    pub labels: String,
    /// How a picture becomes the input.
    pub input: Input,
    /// How the outputs become detections.
    pub head: Head,
    /// What is used where nothing else is said.
    pub defaults: Defaults,
    /// How well it finds, as measured; without it `tune` takes it for below every floor.
    #[serde(default)]
    pub accuracy: Option<Accuracy>,
    #[serde(skip)]
    dir: PathBuf,
}

/// How well a network finds, as somebody measured.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Average precision at an overlap of 0.5, with the default regions; compared between models, so measured alike.
    #[schemars(range(min = 0, max = 1), example = 0.8)]
    pub ap50: f32,
    /// On what, and where that is written down.
    #[schemars(length(min = 1))]
    pub measured: String,
}

/// How a picture becomes the network's input: f32 `[1, 3, height, width]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name in the graph.
    #[schemars(example = &"images")]
    pub name: String,
    /// In pixels.
    #[schemars(range(min = 16, max = 4096))]
    pub width: usize,
    /// In pixels.
    #[schemars(range(min = 16, max = 4096))]
    pub height: usize,
    /// Order of the dimensions.
    pub layout: Layout,
    /// Order of the colour planes.
    pub color: ColorOrder,
    /// A value is `(grey level × scale − mean) ÷ std`, grey levels being 0 to 255.
    #[schemars(example = 1.0)]
    pub scale: f32,
    /// Per colour plane, in the tensor's order.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Per colour plane, in the tensor's order.
    #[serde(default = "unit_std")]
    pub std: [f32; 3],
    /// How the picture is fitted in.
    pub letterbox: Letterbox,
    /// Grey level of the border that `top-left` and `center` leave.
    #[serde(default)]
    pub pad: u8,
}

fn unit_std() -> [f32; 3] {
    [1.0; 3]
}

/// Order of the input's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Picture, colour, row, column.
    Nchw,
}

/// Order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColorOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a picture of another shape is fitted into the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Letterbox {
    /// Each axis by its own factor: no border.
    Stretch,
    /// One factor, the picture at the top left, the rest padded.
    TopLeft,
    /// One factor, the picture in the middle, the rest padded.
    Center,
}

/// How the outputs become detections.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Head {
    /// SSD with its boxes decoded in the graph.
    Ssd {
        /// Name of the output `[1, anchors, labels]`, each in 0..=1.
        #[schemars(example = &"scores")]
        scores: String,
        /// Name of the output `[1, anchors, 4]`: top, left, bottom, right as fractions of the input.
        #[schemars(example = &"boxes")]
        boxes: String,
    },
    /// YOLOX without its decoding in the graph.
    Yolox {
        /// Name of the output `[1, anchors, 5 + labels]`: centre x, y, log width, height, objectness, labels.
        #[schemars(example = &"output")]
        output: String,
        /// Of the feature maps, in the order of the anchors.
        #[serde(default = "yolox_strides")]
        strides: Vec<usize>,
    },
    /// YOLO from version 8 on: boxes decoded in the graph, no objectness, NMS outside.
    Yolo {
        /// Name of the output `[1, 4 + labels, anchors]`: centre x, y, width, height in pixels of the input, then each
        /// label in 0..=1.
        #[schemars(example = &"output0")]
        output: String,
    },
    /// DETR and its kin: a set of boxes, one an object, without NMS.
    Detr {
        /// Name of the output `[1, queries, labels]`.
        #[schemars(example = &"labels")]
        scores: String,
        /// Name of the output `[1, queries, 4]`: centre x, y, width, height as fractions of the input.
        #[schemars(example = &"dets")]
        boxes: String,
        /// What makes confidences of the scores.
        activation: Activation,
    },
}

/// What makes confidences of a network's scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// They are confidences already.
    None,
    /// Each label for itself.
    Sigmoid,
    /// All labels together; "no object" is one of them, a line `-` of the labels.
    Softmax,
}

impl Head {
    /// The word in the manifest.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ssd { .. } => "ssd",
            Self::Yolox { .. } => "yolox",
            Self::Yolo { .. } => "yolo",
            Self::Detr { .. } => "detr",
        }
    }
}

fn yolox_strides() -> Vec<usize> {
    vec![8, 16, 32]
}

/// What is used where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Detections below are dropped; those between this and `high_confidence` only continue tracks. Lower finds more and
    /// errs more.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f32,
    /// Detections at least this sure take part in a tracker's first association.
    #[schemars(range(min = 0, max = 1))]
    pub high_confidence: f32,
    /// A track may only start from a detection at least this sure.
    #[schemars(range(min = 0, max = 1))]
    pub new_confidence: f32,
    /// Of two boxes of one class that overlap more, the less confident is dropped.
    #[schemars(range(min = 0, max = 1), example = 0.5)]
    pub nms_iou: f32,
    /// Regions that the picture is looked at in; without it, whole.
    #[serde(default)]
    pub regions: Option<Grid>,
}

/// A manifest whose weights and labels are proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    manifest: Manifest,
    weights: PathBuf,
    classes: Vec<Option<Class>>,
}

impl Model {
    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where the weights are.
    #[must_use]
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// The class of each of the network's class indices; `None` where rules know no such class.
    #[must_use]
    pub fn classes(&self) -> &[Option<Class>] {
        &self.classes
    }
}

impl Manifest {
    /// Reads `dir/model.toml` and judges it; looks at no other file.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        Self::of(dir, &Document::read(&dir.join("model.toml"))?)
    }

    /// The same of a text, which need not be anywhere.
    pub(crate) fn of(dir: &Path, document: &Document) -> Result<Self, ModelError> {
        let mut errors = ConfigErrors::default();
        document.report_missing(&schema_for!(Self), &mut errors);
        let manifest =
            document.deserialize::<Self>(&mut errors).map(|manifest| Self { dir: dir.to_path_buf(), ..manifest });
        for (key, what, cure) in manifest.iter().flat_map(Self::problems) {
            errors.0.push(ConfigError {
                file: document.file().to_owned(),
                line: document.line_of(key),
                key: key.to_owned(),
                what,
                cure: cure.to_owned(),
            });
        }
        errors.0.sort_by_key(|error| error.line);
        manifest.filter(|_| errors.0.is_empty()).ok_or(ModelError::Manifest(errors))
    }

    /// The model's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the labels, finds the weights and proves them: in the model's folder by their name, else there and in the
    /// folders of `models_path` by their SHA-256 (people rename what they download).
    pub fn verify(&self, models_path: &[PathBuf]) -> Result<Model, ModelError> {
        let classes = self.classes()?;
        let weights = self.find_weights(models_path)?;
        Ok(Model { manifest: self.clone(), weights, classes })
    }

    fn find_weights(&self, models_path: &[PathBuf]) -> Result<PathBuf, ModelError> {
        let own = self.dir.join(&self.file);
        let own_hash = if own.is_file() { Some(sha256(&own)?) } else { None };
        if own_hash.as_ref() == Some(&self.sha256) {
            return Ok(own);
        }
        for dir in std::iter::once(&self.dir).chain(models_path) {
            if let Some(found) = self.find_in(dir)? {
                return Ok(found);
            }
        }
        Err(match own_hash {
            Some(found) => {
                ModelError::WeightsDiffer { path: own, expected: self.sha256.clone(), found, url: self.source.clone() }
            }
            None => {
                ModelError::WeightsMissing { dir: self.dir.clone(), file: self.file.clone(), url: self.source.clone() }
            }
        })
    }

    pub(super) fn find_in(&self, dir: &Path) -> Result<Option<PathBuf>, ModelError> {
        let unreadable = |problem| ModelError::Unreadable { path: dir.to_path_buf(), problem };
        let mut candidates = Vec::new();
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_file() && path.extension().is_some_and(|extension| extension == "onnx") {
                candidates.push(path);
            }
        }
        candidates.sort_by_key(|path| (path.file_name() != Some(self.file.as_ref()), path.clone()));
        for path in candidates {
            if sha256(&path)? == self.sha256 {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Reads the labels: the class of each of the network's class indices; `None` where rules know no such class.
    pub fn classes(&self) -> Result<Vec<Option<Class>>, ModelError> {
        let path = self.dir.join(&self.labels);
        let text =
            fs::read_to_string(&path).map_err(|problem| ModelError::Unreadable { path: path.clone(), problem })?;
        let mut classes = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let label = line.trim();
            if label.is_empty() {
                let problem = format!("line {} is empty: write - where an index has no label", number + 1);
                return Err(ModelError::Labels { path, problem });
            }
            classes.push(Class::from_label(label));
        }
        if classes.iter().all(Option::is_none) {
            let known = Class::ALL.map(Class::label).join(", ");
            let problem = format!("no line names a class that rules know: {known}");
            return Err(ModelError::Labels { path, problem });
        }
        Ok(classes)
    }

    /// Everything that is wrong with its values.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let folder = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
        if folder.file_name() != Some(self.name.as_ref()) {
            let what = format!("\"{}\" is not the name of its folder", self.name);
            problems.push(("name", what, "make both the same"));
        }
        for (key, name) in [("file", &self.file), ("labels", &self.labels)] {
            if Path::new(name).file_name() != Some(name.as_ref()) {
                problems.push((key, format!("\"{name}\" is no plain file name"), "name a file in the model's folder"));
            }
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            let cure = "write 64 lower-case hexadecimal digits, as sha256sum prints them";
            problems.push(("sha256", "is no SHA-256".to_owned(), cure));
        }
        if !ALLOWED_LICENCES.contains(&self.licence.as_str()) {
            let what = format!("\"{}\" is not one of {}", self.licence, ALLOWED_LICENCES.join(", "));
            problems.push(("licence", what, "choose a model under one of these"));
        }
        if self.url.as_deref().is_some_and(|url| !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)))
        {
            problems.push(("url", "is no address".to_owned(), "write one that starts with https://"));
        }
        problems.extend(self.input.problems());
        problems.extend(self.defaults.problems());
        if let Some(accuracy) = self.accuracy.as_ref().filter(|accuracy| !(0.0..=1.0).contains(&accuracy.ap50)) {
            problems.push(("accuracy.ap50", format!("is {}", accuracy.ap50), "write 0 to 1"));
        }
        if let Head::Yolox { strides, .. } = &self.head {
            let Input { width, height, .. } = self.input;
            if strides.is_empty() || strides.iter().any(|&s| s == 0 || width % s != 0 || height % s != 0) {
                let what = format!("{strides:?} does not divide the input's {width}x{height}");
                problems.push(("head.strides", what, "write the strides of the feature maps, such as [8, 16, 32]"));
            }
        }
        problems
    }
}

/// A key, what is wrong with its value, and the cure.
type Problem = (&'static str, String, &'static str);

impl Input {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, side) in [("input.width", self.width), ("input.height", self.height)] {
            if !(16..=4096).contains(&side) {
                problems.push((key, format!("is {side}"), "write 16 to 4096 pixels"));
            }
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            problems.push(("input.scale", format!("is {}", self.scale), "write more than 0; 1.0 keeps 0 to 255"));
        }
        if self.mean.iter().any(|mean| !mean.is_finite()) {
            problems.push(("input.mean", "holds what is no number".to_owned(), "write three numbers"));
        }
        if self.std.iter().any(|std| !(std.is_finite() && *std > 0.0)) {
            problems.push(("input.std", "holds what is not above 0".to_owned(), "write three numbers above 0"));
        }
        problems
    }
}

impl Defaults {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let shares = [
            ("defaults.confidence", self.confidence),
            ("defaults.high_confidence", self.high_confidence),
            ("defaults.new_confidence", self.new_confidence),
            ("defaults.nms_iou", self.nms_iou),
        ];
        for (key, share) in shares.into_iter().filter(|(_, share)| !(0.0..=1.0).contains(share)) {
            problems.push((key, format!("is {share}"), "write 0 to 1"));
        }
        if let Some(what) = self.regions.and_then(Grid::problem) {
            problems.push(("defaults.regions", what, "write { columns = 2, rows = 1, overlap = 0.15 }"));
        }
        problems
    }
}

/// A folder of models' entry.
#[derive(Debug)]
pub struct Listed {
    /// The folder's name.
    pub name: String,
    /// Its manifest, or what is wrong with it.
    pub manifest: Result<Manifest, ModelError>,
}

/// Every folder of `models_dir` that holds a `model.toml`, by name; a broken one does not hide the others.
pub fn list(models_dir: &Path) -> Result<Vec<Listed>, ModelError> {
    let unreadable = |problem| ModelError::Unreadable { path: models_dir.to_path_buf(), problem };
    let mut models = Vec::new();
    for entry in fs::read_dir(models_dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.path().join("model.toml").is_file() {
            models.push(Listed {
                name: entry.file_name().to_string_lossy().into_owned(),
                manifest: Manifest::load(&entry.path()),
            });
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(models)
}

pub(super) fn sha256(path: &Path) -> Result<String, ModelError> {
    let unreadable = |problem| ModelError::Unreadable { path: path.to_path_buf(), problem };
    let file = fs::File::open(path).map_err(unreadable)?;
    digest::sha256_of(file).map(|(sha256, _)| sha256).map_err(unreadable)
}

#[cfg(test)]
mod tests;

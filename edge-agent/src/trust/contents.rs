//! `bundle.toml`: what a bundle holds.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use super::TrustError;
use crate::config::{ConfigErrors, Document};

/// A bundle's first file.
pub const CONTENTS: &str = "bundle.toml";
/// The one file of a configuration.
pub(super) const SITE_FILE: &str = "site.toml";
/// The first file of a model.
pub(super) const MODEL_FILE: &str = "model.toml";

/// Bytes of a text: `bundle.toml`, a manifest, labels, a site file. A site file is not read beyond.
pub(super) const LARGEST_TEXT: u64 = 1 << 20;
/// Bytes of weights: no detector for a cabinet is larger.
const LARGEST_WEIGHTS: u64 = 2 << 30;
/// A model's: its manifest, labels, weights.
const MODEL_FILES: usize = 3;
const LONGEST_NAME: usize = 64;

/// `bundle.toml`: what a bundle holds. Written by `edge-agent bundle make`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// The model's name, or the site's id: `[a-z0-9-]`.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,63}$"), example = &"yolox-nano")]
    pub name: String,
    /// Rises from bundle to bundle of one name: what is not above the one in place is older. A count, or a date such as
    /// 20261123.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// When it was made, in UTC (RFC 3339).
    #[schemars(example = &"2026-11-23T04:05:06Z")]
    pub created: String,
    /// What it is.
    pub content: Content,
    /// Every other file, in the order of the archive.
    #[serde(rename = "file")]
    #[schemars(length(min = 1, max = 3))]
    pub files: Vec<BundleFile>,
}

/// What a bundle is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Content {
    /// A network: `model.toml`, its labels, its weights.
    Model {
        /// SPDX identifier of the weights' licence, as in `model.toml`.
        #[schemars(example = &"Apache-2.0")]
        licence: String,
        /// The classes that rules know, in the order of the labels.
        classes: Vec<String>,
    },
    /// A site file, for one box alone.
    Configuration {
        /// The site's id.
        site: String,
        /// The box's id.
        r#box: String,
    },
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleFile {
    /// A plain name: no folder, no link.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"))]
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, in hexadecimal.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

impl Content {
    /// The word in the file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Model { .. } => "model",
            Self::Configuration { .. } => "configuration",
        }
    }
}

impl Contents {
    /// Reads the text of a `bundle.toml` and judges it: what passes names plain files of bearable sizes, each once.
    ///
    /// # Errors
    /// [`TrustError::Contents`], every error at once.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let document = Document::from_text(Path::new(CONTENTS), text);
        let mut errors = ConfigErrors::default();
        document.report_missing(&schema_for!(Self), &mut errors);
        let contents = document.deserialize::<Self>(&mut errors);
        let problem = contents.as_ref().and_then(Self::problem);
        match contents {
            Some(contents) if errors.0.is_empty() && problem.is_none() => Ok(contents),
            _ if errors.0.is_empty() => Err(TrustError::NotABundle(format!(
                "{CONTENTS}: {}",
                problem.unwrap_or_else(|| "cannot be read".to_owned())
            ))),
            _ => Err(TrustError::Contents(errors)),
        }
    }

    /// As `bundle make` writes it.
    pub(super) fn text(&self) -> String {
        toml::to_string(self).expect("texts and numbers can be written")
    }

    /// `model/NAME` or `configuration`: what it takes the place of.
    #[must_use]
    pub fn what(&self) -> String {
        format!("{} {} version {}", self.content.kind(), self.name, self.version)
    }

    fn problem(&self) -> Option<String> {
        let names: BTreeSet<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let (first, count) = match &self.content {
            Content::Model { .. } => (MODEL_FILE, MODEL_FILES),
            Content::Configuration { .. } => (SITE_FILE, 1),
        };
        if !is_name(&self.name) {
            return Some(format!("name: {:?} is not made of a-z, 0-9 and -, at most {LONGEST_NAME}", self.name));
        }
        if self.version == 0 {
            return Some("version: is 0".to_owned());
        }
        if self.files.len() != count || names.len() != count || self.files[0].name != first {
            let kind = self.content.kind();
            return Some(format!("a {kind} has {count} file(s), {first} first, none twice"));
        }
        self.files.iter().find_map(BundleFile::problem)
    }
}

impl BundleFile {
    fn problem(&self) -> Option<String> {
        let largest = if self.name.ends_with(".onnx") { LARGEST_WEIGHTS } else { LARGEST_TEXT };
        let is_digest = self.sha256.len() == 64 && self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match self {
            Self { name, .. } if !is_file_name(name) => Some(format!("file: {name:?} is no plain name")),
            Self { name, size_bytes, .. } if *size_bytes > largest => {
                Some(format!("file {name}: has {size_bytes} bytes; {largest} are the most"))
            }
            Self { name, .. } if !is_digest => Some(format!("file {name}: sha256 is no SHA-256")),
            _ => None,
        }
    }
}

/// A name that is also one of a folder, without dots.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

/// A name that stays in its folder, is not hidden and is none of the bundle's own.
fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with(['.', '-'])
        && ![CONTENTS, super::PROOF].contains(&name)
}

//! What is here and what of it works: the box, its decoders, execution providers, models, clock and disk; and with a site
//! its configuration, broker and cameras. Everything is tried, nothing is believed: a decoder decodes, a provider runs a
//! network, a disk is written to and synced.
//!
//! # Failure
//! Whatever fails becomes a [`Check`] with its cure; no check keeps another from being made.
//!
//! # Ownership
//! Nothing is left behind: no file, no MQTT session, no will.

mod certificates;
mod decoders;
mod inference;
mod machine;
mod site;
mod trust;

use std::path::Path;

use serde::Serialize;

use crate::config::{ConfigErrors, Home, HomeError, HwProfile};
use crate::secret::redact;

pub use certificates::of_files as check_certificates;
pub use inference::try_build;
pub use site::{check_cameras, check_site, check_stream};
pub use trust::check_site_file;

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Works.
    Ok,
    /// Not here, and nobody asks for it.
    Info,
    /// Works, and a person should know.
    Warn,
    /// Does not work, and is needed.
    Fail,
}

impl Verdict {
    /// The word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was found out about one thing. Texts are redacted when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What kind of thing, in one word: `decoder`, `broker`, `camera`, …
    pub topic: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, on one line.
    pub found: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Check {
    fn new(topic: &'static str, verdict: Verdict, found: &str) -> Self {
        Self { topic, verdict, found: redact(found).replace('\n', " "), cure: None }
    }

    fn ok(topic: &'static str, found: &str) -> Self {
        Self::new(topic, Verdict::Ok, found)
    }

    fn cure(self, cure: &str) -> Self {
        Self { cure: Some(redact(cure)), ..self }
    }

    /// From an error whose text ends with `→ cure`, or has none.
    fn from_error(topic: &'static str, verdict: Verdict, error: &dyn std::fmt::Display) -> Self {
        let text = error.to_string();
        match text.split_once('→') {
            Some((found, cure)) => Self::new(topic, verdict, found.trim_end()).cure(cure.trim()),
            None => Self::new(topic, verdict, &text),
        }
    }
}

/// Checks the box by itself. `profile` is the one that the box's site uses; without it every profile is looked at.
/// `storage` is where events will wait. Checks are given to `tell` as they are made.
pub fn check_box(home: &Result<Home, HomeError>, needs: &Needs<'_>, tell: &mut dyn FnMut(Check)) {
    let version = env!("CARGO_PKG_VERSION");
    match home {
        Ok(home) => tell(Check::ok("program", &format!("edge-agent {version}, parts in {}", home.root().display()))),
        Err(error) => tell(Check::from_error("program", Verdict::Fail, error)),
    }
    if let Ok(home) = home {
        tell(trust::keys(home));
    }
    let decoders = decoders::check(home.as_ref().ok(), needs, tell);
    if let Ok(home) = home {
        let providers = inference::check(home, needs, tell);
        inference::check_profiles(home, needs, &decoders, &providers, tell);
    }
    tell(machine::cpu());
    tell(machine::memory(needs.cameras));
    tell(machine::descriptors(needs.cameras));
    tell(machine::clock());
    tell(machine::disk(needs.storage, needs.storage_bytes, needs.profile.is_some()));
}

/// A check for each error of a site file.
#[must_use]
pub fn of_config(errors: &ConfigErrors) -> Vec<Check> {
    errors.0.iter().map(|error| Check::from_error("site", Verdict::Fail, error)).collect()
}

/// What the box is checked for.
#[derive(Debug, Clone, Copy)]
pub struct Needs<'a> {
    /// The profile in use; `None`: no site says, every one is looked at.
    pub profile: Option<&'a HwProfile>,
    /// Names of the models in use.
    pub models: &'a [&'a str],
    /// Cameras to be carried.
    pub cameras: usize,
    /// Where events wait.
    pub storage: &'a Path,
    /// Bytes that events and pictures may take there.
    pub storage_bytes: u64,
}

impl Needs<'_> {
    /// Without a site.
    #[must_use]
    pub fn nothing() -> Self {
        Self { profile: None, models: &[], cameras: 0, storage: Path::new("/var/lib/ngatu"), storage_bytes: 0 }
    }
}

#[cfg(test)]
mod tests;

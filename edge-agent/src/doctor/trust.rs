//! Whether what this box takes from others must be signed, and whether it is.

use std::path::Path;

use super::{Check, Verdict};
use crate::config::{Document, Home};
use crate::trust::site_signer;

const TOPIC: &str = "signatures";

/// The keys that the box has.
pub(super) fn keys(home: &Home) -> Check {
    match home.keys() {
        Ok(keys) if keys.is_empty() => {
            let found = "no key is installed: models and configuration are taken unsigned";
            Check::new(TOPIC, Verdict::Info, found).cure("docs/bundles.md says how to have them signed")
        }
        Ok(keys) => {
            let names: Vec<&str> = keys.names().collect();
            let found = format!("models and configuration must be signed by one of: {}", names.join(", "));
            Check::ok(TOPIC, &found)
        }
        Err(error) => Check::from_error(TOPIC, Verdict::Fail, &error),
    }
}

/// Who signed the site file; `None` where that is not asked for, or is told elsewhere.
#[must_use]
pub fn check_site_file(file: &Path, home: &Home) -> Option<Check> {
    let keys = home.keys().ok()?;
    let document = Document::read(file).ok()?;
    match site_signer(file, document.text(), &keys) {
        Ok(signer) => Some(Check::ok(TOPIC, &format!("the site file is signed by {}", signer?.key))),
        Err(error) => Some(Check::from_error(TOPIC, Verdict::Fail, &error)),
    }
}

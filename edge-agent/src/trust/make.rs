//! Making a bundle of a model's folder or of a site file. Signing it is `minisign`'s work, where the secret key is.

use std::path::{Path, PathBuf};

use analytics::Class;

use super::TrustError;
use super::bundle::{listed, write};
use super::contents::{Content, Contents, MODEL_FILE, SITE_FILE};
use crate::config::{self, Home};
use crate::detect::manifest::{Manifest, Model};
use crate::publish::wire::UtcMillis;

/// Makes a bundle of a model's folder; weights that are not in it are looked for in the folders of models of `home`.
///
/// # Errors
/// [`TrustError::NotUsable`] for what is no model that could be run; what reading and writing give.
pub fn model_bundle(folder: &Path, home: &Home, version: u32, out: &Path) -> Result<Contents, TrustError> {
    let manifest = Manifest::load(folder).map_err(TrustError::not_usable)?;
    let model = manifest.verify(home.extra_models()).map_err(TrustError::not_usable)?;
    let files = files_of(&model);
    let contents = Contents {
        name: manifest.name.clone(),
        version,
        created: UtcMillis::now().to_string(),
        content: Content::Model { licence: manifest.licence.clone(), classes: classes_of(&model) },
        files: files.iter().map(|(name, path)| listed(path, name)).collect::<Result<_, _>>()?,
    };
    let at = |name: &str| files.iter().find(|(own, _)| own == name).map(|(_, path)| path.clone()).unwrap_or_default();
    write(&contents, at, out)?;
    Ok(contents)
}

/// Makes a bundle of a site file that has no errors.
///
/// # Errors
/// [`TrustError::NotUsable`] with every error of the site file; what reading and writing give.
pub fn configuration_bundle(site_file: &Path, home: &Home, version: u32, out: &Path) -> Result<Contents, TrustError> {
    let site = config::load_site(site_file, home).map_err(TrustError::not_usable)?;
    let contents = Contents {
        name: site.id.to_string(),
        version,
        created: UtcMillis::now().to_string(),
        content: Content::Configuration { site: site.id.to_string(), r#box: site.box_id.to_string() },
        files: vec![listed(site_file, SITE_FILE)?],
    };
    write(&contents, |_| site_file.to_owned(), out)?;
    Ok(contents)
}

/// The files that a model is made of, by the names that its manifest gives them, in the order of a bundle.
pub(super) fn files_of(model: &Model) -> [(String, PathBuf); 3] {
    let manifest = model.manifest();
    [
        (MODEL_FILE.to_owned(), manifest.dir().join(MODEL_FILE)),
        (manifest.labels.clone(), manifest.dir().join(&manifest.labels)),
        (manifest.file.clone(), model.weights().to_owned()),
    ]
}

/// The classes that rules know, each once, in the order of the labels.
pub(super) fn classes_of(model: &Model) -> Vec<String> {
    let mut classes: Vec<String> = Vec::new();
    for class in model.classes().iter().flatten().copied().map(Class::label) {
        if !classes.iter().any(|known| known == class) {
            classes.push(class.to_owned());
        }
    }
    classes
}

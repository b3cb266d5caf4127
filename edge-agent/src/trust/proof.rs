//! What is kept of an installed bundle, so that it can be proved whenever it is used: its `bundle.toml` and its signature.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bundle::{archive_of_files, archive_of_site};
use super::contents::{Contents, LARGEST_TEXT};
use super::keys::{Signer, small_text};
use super::{Keys, TrustError, signature_of};

/// A model's proof, in the model's folder; a site file's has the site file's name with this behind it.
pub const PROOF: &str = "bundle.proof";

/// A bundle without its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The text of `bundle.toml`.
    pub contents: String,
    /// The text of the signature's file; none was there where the bundle was forced in.
    pub signature: Option<String>,
}

impl Proof {
    /// Reads it; `None` where there is none.
    ///
    /// # Errors
    /// [`TrustError::Unreadable`] for a file that is none.
    pub fn read(path: &Path) -> Result<Option<Self>, TrustError> {
        let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
        let mut text = String::new();
        match fs::File::open(path) {
            Ok(file) => file.take(2 * LARGEST_TEXT).read_to_string(&mut text).map_err(unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        toml::from_str(&text).map(Some).map_err(|_| unreadable(io::Error::other("it is no proof of a bundle")))
    }

    /// As [`Self::read`] reads it.
    pub(super) fn text(&self) -> String {
        toml::to_string(self).expect("texts can be written")
    }

    /// What the bundle said that it holds.
    ///
    /// # Errors
    /// As [`Contents::parse`].
    pub fn contents(&self) -> Result<Contents, TrustError> {
        Contents::parse(&self.contents)
    }

    /// Proves that the files that lie where `at` says are those of a bundle that one of the keys signed: the bundle is made
    /// of them again, and its signature proved.
    ///
    /// # Errors
    /// [`TrustError::Unsigned`], [`TrustError::Resized`], and what [`Keys::verify_all`] gives.
    pub fn signer(&self, keys: &Keys, at: impl Fn(&str) -> PathBuf) -> Result<Signer, TrustError> {
        let contents = self.contents()?;
        let signature = self.signature.as_ref().ok_or_else(|| TrustError::Unsigned(at(PROOF)))?;
        keys.verify_all(archive_of_files(&self.contents, &contents, at)?, signature)
    }
}

/// Who signed the model in this folder; `None` where no key is installed.
///
/// # Errors
/// [`TrustError::NotProved`] where a key is installed and the folder is not what one of them signed.
pub fn model_signer(folder: &Path, keys: &Keys) -> Result<Option<Signer>, TrustError> {
    if keys.is_empty() {
        return Ok(None);
    }
    let proved = || {
        let proof = Proof::read(&folder.join(PROOF))?.ok_or_else(|| TrustError::Unsigned(folder.join(PROOF)))?;
        proof.signer(keys, |name| folder.join(name))
    };
    proved().map(Some).map_err(|why| not_proved(folder, why))
}

/// The text of a site file, and who signed it: itself (`site.toml.minisig`), or the bundle that it came with. `None` where
/// no key is installed.
///
/// # Errors
/// [`TrustError::NotProved`] where a key is installed and none signed the text; [`TrustError::Unreadable`].
pub fn site_signer(site: &Path, text: &str, keys: &Keys) -> Result<Option<Signer>, TrustError> {
    if keys.is_empty() {
        return Ok(None);
    }
    let by_itself = match small_text(&signature_of(site)) {
        Ok(signature) => keys.verify(text.as_bytes(), &signature),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TrustError::Unsigned(signature_of(site))),
        Err(error) => Err(TrustError::Unreadable { path: signature_of(site), error }),
    };
    let by_bundle = || proofs_of(site).iter().find_map(|path| bundled(path, text, keys));
    by_itself.or_else(|why| by_bundle().ok_or(why)).map(Some).map_err(|why| not_proved(site, why))
}

/// Who signed a text that came with its signature; `None` where no key is installed.
///
/// # Errors
/// [`TrustError::UnsignedText`] where a key is installed and no signature came; what [`Keys::verify`] gives.
pub fn text_signer(text: &str, signature: Option<&str>, keys: &Keys) -> Result<Option<Signer>, TrustError> {
    if keys.is_empty() {
        return Ok(None);
    }
    keys.verify(text.as_bytes(), signature.ok_or(TrustError::UnsignedText)?).map(Some)
}

/// Where a site file's proof lies, and where the next one does while the two are being replaced.
pub(super) fn proofs_of(site: &Path) -> [PathBuf; 2] {
    [PROOF, "bundle.proof.next"].map(|name| beside(site, name))
}

/// A file beside a site file, that has its name and something behind it.
pub(super) fn beside(site: &Path, what: &str) -> PathBuf {
    let mut name = site.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

/// Who signed the bundle that this text came with.
fn bundled(proof: &Path, text: &str, keys: &Keys) -> Option<Signer> {
    let proof = Proof::read(proof).ok()??;
    // What is proved is the text in hand, not a file that may change.
    let contents = proof.contents().ok()?;
    let archive = archive_of_site(&proof.contents, &contents, text)?;
    keys.verify_all(archive, proof.signature.as_ref()?).ok()
}

fn not_proved(path: &Path, why: TrustError) -> TrustError {
    TrustError::NotProved { path: path.to_owned(), why: Box::new(why) }
}

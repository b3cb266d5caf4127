//! What a box takes from others only with a signature: models and configuration.
//!
//! A key is installed by root, as a file. From then on what is not signed by one of the keys is refused; without any key
//! everything is as if this room were not there. Signatures are minisign's (Ed25519 over BLAKE2b, the prehashed form alone).
//!
//! A *bundle* ([`Bundle`]) is a model or a site file in one archive that is signed as a whole; [`install_model`] and
//! [`install_configuration`] put it in place, and what they keep ([`Proof`]) proves it again at every start.
//!
//! # Invariants
//! - Keys count only where no other user than root and this one could have put them.
//! - A key, signature or folder that cannot be read is an error, never the absence of keys.

mod bundle;
mod contents;
mod install;
mod keys;
mod make;
mod proof;
#[cfg(test)]
pub(crate) mod signing;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;
use std::path::PathBuf;

pub use bundle::{Bundle, signature_of};
pub use contents::{BundleFile, CONTENTS, Content, Contents};
pub use install::{Demand, Installed, install_configuration, install_model};
pub use keys::{Keys, Signer};
pub use make::{configuration_bundle, model_bundle};
pub use proof::{PROOF, Proof, model_signer, site_signer, text_signer};

use crate::config::ConfigErrors;

/// Where an installed box keeps the keys that it trusts.
pub const INSTALLED_KEYS: &str = "/etc/ngatu/trusted-keys";

/// Why something is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Others could have put keys there.
    #[error(
        "{0} can be changed by others, so the keys there prove nothing\n    → make it root's or this user's, and writable \
         by nobody else: chmod go-w {0}"
    )]
    Unsafe(PathBuf),
    /// Keys, or something that must be signed, cannot be read.
    #[error("{path} cannot be read, so nothing is proved: {error}\n    → run it as a user who may read it")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Not the public key of a pair.
    #[error("{0} is no minisign public key\n    → take it away, or put the .pub file there that minisign -G made")]
    NotAKey(PathBuf),
    /// Not a signature.
    #[error("this is no minisign signature of the prehashed form\n    → sign it with minisign -S (0.10 or later)")]
    NotASignature,
    /// Signed by somebody else.
    #[error("it is signed with a key that this box does not trust\n    → trusted are: {known}")]
    UnknownKey {
        /// The keys that are trusted.
        known: String,
    },
    /// Changed since it was signed, or signed by one who has the key's number alone.
    #[error(
        "the signature is not one of this content: it was changed after it was signed\n    → do not use it; get it again"
    )]
    WrongSignature,
    /// What is to be proved cannot be read or copied.
    #[error("it cannot be read or copied: {0}")]
    Data(io::Error),
    /// There is no signature.
    #[error("it is not signed: there is no {0}\n    → have it signed by one whose key this box trusts (minisign -S)")]
    Unsigned(PathBuf),
    /// A text came without a signature.
    #[error(
        "it is not signed, and this box has keys\n    → sign it as it is sent (minisign -S), and send the signature with it"
    )]
    UnsignedText,
    /// There is nothing to prove a bundle by.
    #[error(
        "this box has no key to prove a bundle by\n    → put the public key into {INSTALLED_KEYS}, or take what nobody \
         proved: --allow-unsigned"
    )]
    NoKeys,
    /// Not in the one form of a bundle.
    #[error("this is no bundle: {0}\n    → make it with edge-agent bundle make, and sign it as it is")]
    NotABundle(String),
    /// `bundle.toml` has errors.
    #[error("this is no bundle\n{0}")]
    Contents(ConfigErrors),
    /// A file is not the one that `bundle.toml` lists.
    #[error("{file}: its sha256 is {found}, bundle.toml says {expected}\n    → do not use it; get it again")]
    Differs {
        /// The file.
        file: String,
        /// By `bundle.toml`.
        expected: String,
        /// As it is.
        found: String,
    },
    /// A file has another size than when it was installed.
    #[error("{0} is not what was installed: its size differs\n    → install the bundle again")]
    Resized(PathBuf),
    /// The version in place is as high or higher.
    #[error(
        "{name}: version {version} is not above {installed}, which is in place\n    → to take it all the same: --allow-older"
    )]
    Older {
        /// Model or site.
        name: String,
        /// Of the bundle.
        version: u32,
        /// In place.
        installed: u32,
    },
    /// A configuration of another box.
    #[error("it is the configuration of {bundle}; this box is {here}\n    → install it there")]
    OtherBox {
        /// Site and box it is for.
        bundle: String,
        /// Site and box of the file in place.
        here: String,
    },
    /// The content is signed and in order, and cannot be used.
    #[error("what is in it cannot be used\n{0}")]
    NotUsable(Box<dyn Error + Send + Sync>),
    /// It cannot be put in place.
    #[error("{path} cannot be written: {error}\n    → run it as a user who may, and look for free space")]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another install is under way.
    #[error("{0}: another bundle is just being installed\n    → try again when that is done")]
    Busy(PathBuf),
    /// A key is installed, and what is to be used is not signed, or was changed.
    #[error("{path} is not used, because this box has keys and it is not proved by them: {why}")]
    NotProved {
        /// The model's folder or the site file.
        path: PathBuf,
        /// What is wrong with it.
        why: Box<TrustError>,
    },
}

impl TrustError {
    pub(crate) fn not_usable(error: impl Error + Send + Sync + 'static) -> Self {
        Self::NotUsable(Box::new(error))
    }
}

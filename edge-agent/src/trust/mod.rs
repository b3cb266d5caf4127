//! What a box takes from others only with a signature: models and configuration.
//!
//! A key is installed by root, as a file. From then on what is not signed by one of the keys is refused; without any key
//! everything is as if this room were not there. Signatures are minisign's (Ed25519 over BLAKE2b, the prehashed form alone).
//!
//! # Invariants
//! - Keys count only where no other user than root and this one could have put them.
//! - A key, signature or folder that cannot be read is an error, never the absence of keys.

mod keys;
#[cfg(test)]
pub(crate) mod signing;

use std::io;
use std::path::PathBuf;

pub use keys::{Keys, Signer};

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
    #[error("the signature is not one of this content: it was changed after it was signed\n    → do not use it; get it again")]
    WrongSignature,
    /// What is to be proved cannot be read.
    #[error("cannot be read: {0}")]
    Data(io::Error),
}

//! Keys and signatures as the `minisign` tool makes them, for tests.

use minisign::{KeyPair, PublicKeyBox};
use tempfile::TempDir;

/// A secret key and what belongs to it.
pub(crate) struct Key(KeyPair);

impl Key {
    pub(crate) fn make() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().expect("a key"))
    }

    /// The text of the public key's file.
    pub(crate) fn public(&self) -> String {
        let public: PublicKeyBox = self.0.pk.to_box().expect("a public key");
        public.to_string()
    }

    /// The text of a `.minisig` file.
    pub(crate) fn sign(&self, data: &[u8]) -> String {
        self.sign_with(data, "timestamp:1800000000")
    }

    pub(crate) fn sign_with(&self, data: &[u8], comment: &str) -> String {
        let signed = minisign::sign(Some(&self.0.pk), &self.0.sk, data, Some(comment), None);
        signed.expect("signs").into_string()
    }
}

/// A folder of trusted keys.
pub(crate) fn folder_of(keys: &[(&str, &Key)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, key) in keys {
        std::fs::write(folder.path().join(format!("{name}.pub")), key.public()).expect("writes");
    }
    folder
}

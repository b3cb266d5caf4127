//! The public keys that this box trusts, and what they prove.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

use super::TrustError;

/// A public key or a signature is four short lines at most.
const LARGEST_TEXT: u64 = 4 << 10;
/// More keys than a box has masters.
const MOST_KEYS: usize = 64;
/// Bytes that are in memory at once.
const READ_AT_ONCE: usize = 256 << 10;

/// Public keys of one folder. Without any, nothing is proved and nothing need be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    keys: Vec<(String, PublicKey)>,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key, by the name of its file without `.pub`: as whoever installed it called it.
    pub key: String,
    /// What whoever signed wrote under the signature: minisign's trusted comment.
    pub comment: String,
}

impl Keys {
    /// The `*.pub` files of a folder; none where there is no such folder.
    ///
    /// # Errors
    /// [`TrustError::Unsafe`] where another user than root and this one could put a key there, [`TrustError::Unreadable`],
    /// [`TrustError::NotAKey`]: one key that is not in order counts for none, so that nothing is taken for trusted by a slip.
    pub fn read(folder: &Path) -> Result<Self, TrustError> {
        let unreadable = |error| TrustError::Unreadable { path: folder.to_owned(), error };
        let real = match folder.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error)),
        };
        for place in real.ancestors() {
            guarded(place)?;
        }
        let entries = fs::read_dir(&real).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "pub"));
        paths.sort();
        if paths.len() > MOST_KEYS {
            return Err(unreadable(io::Error::other(format!("it holds more than {MOST_KEYS} keys"))));
        }
        paths.iter().map(|path| key(path)).collect::<Result<_, _>>().map(|keys| Self { keys })
    }

    /// Whether nothing need be signed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str())
    }

    /// Proves that one of the keys signed `data`; `signature` is the text of a `.minisig` file.
    ///
    /// # Errors
    /// As [`Self::verify_all`].
    pub fn verify(&self, data: &[u8], signature: &str) -> Result<Signer, TrustError> {
        self.verify_all(data, signature)
    }

    /// The same for all that is left to be read, in parts, whatever its size.
    ///
    /// # Errors
    /// [`TrustError::NotASignature`], [`TrustError::UnknownKey`], [`TrustError::WrongSignature`]; what reading gives.
    pub fn verify_all(&self, mut data: impl Read, signature: &str) -> Result<Signer, TrustError> {
        let signature = Some(signature).filter(|text| text.len() as u64 <= LARGEST_TEXT);
        let signature = signature.and_then(|text| Signature::decode(text).ok()).ok_or(TrustError::NotASignature)?;
        // Keys of one number may differ: the number is no secret.
        let mut candidates = Vec::new();
        for (name, key) in &self.keys {
            match key.verify_stream(&signature) {
                Ok(verifier) => candidates.push((name, verifier)),
                Err(minisign_verify::Error::UnexpectedKeyId) => {}
                Err(_) => return Err(TrustError::NotASignature),
            }
        }
        if candidates.is_empty() {
            return Err(TrustError::UnknownKey { known: self.names().collect::<Vec<_>>().join(", ") });
        }
        let mut part = vec![0; READ_AT_ONCE];
        loop {
            let read = match data.read(&mut part) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(TrustError::Data(error)),
            };
            candidates.iter_mut().for_each(|(_, verifier)| verifier.update(&part[..read]));
        }
        let signer = candidates.iter_mut().find_map(|(name, verifier)| verifier.finalize().ok().map(|()| name.clone()));
        let key = signer.ok_or(TrustError::WrongSignature)?;
        // It is shown: it must not command a terminal.
        let comment = signature.trusted_comment().replace(char::is_control, " ");
        Ok(Signer { key, comment })
    }
}

/// That only root and this user can change what is there. A folder that is everybody's and sticky, such as `/tmp`, keeps
/// what it holds its owner's.
fn guarded(path: &Path) -> Result<(), TrustError> {
    let found = fs::metadata(path).map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })?;
    // SAFETY: a plain system call that cannot fail.
    let own = unsafe { libc::geteuid() };
    let sticky = found.is_dir() && found.mode() & libc::S_ISVTX != 0;
    let theirs = found.uid() != 0 && found.uid() != own;
    if theirs || (found.mode() & 0o022 != 0 && !sticky) {
        return Err(TrustError::Unsafe(path.to_owned()));
    }
    Ok(())
}

fn key(path: &Path) -> Result<(String, PublicKey), TrustError> {
    guarded(path)?;
    let text = small_text(path).map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })?;
    let key = PublicKey::decode(text.trim_end()).map_err(|_| TrustError::NotAKey(path.to_owned()))?;
    Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), key))
}

/// The text of a key's or signature's file.
pub(super) fn small_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(LARGEST_TEXT + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::super::signing::{Key, folder_of};
    use super::*;

    fn kind(result: Result<Signer, TrustError>) -> &'static str {
        match result {
            Ok(_) => "proved",
            Err(TrustError::NotASignature) => "no signature",
            Err(TrustError::UnknownKey { .. }) => "unknown key",
            Err(TrustError::WrongSignature) => "wrong",
            Err(_) => "another error",
        }
    }

    #[test]
    fn what_one_of_the_keys_signed_is_proved_and_says_whose_it_is() {
        let (province, maker) = (Key::make(), Key::make());
        let folder = folder_of(&[("province", &province), ("maker", &maker)]);
        let keys = Keys::read(folder.path()).expect("keys");
        assert_eq!(keys.names().collect::<Vec<_>>(), ["maker", "province"]);
        let signed = keys.verify(b"text", &province.sign_with(b"text", "của tỉnh")).expect("is proved");
        assert_eq!(signed, Signer { key: "province".into(), comment: "của tỉnh".into() });
    }

    #[test]
    fn what_no_key_signed_or_was_changed_since_is_refused() {
        let (known, stranger) = (Key::make(), Key::make());
        let folder = folder_of(&[("province", &known)]);
        let keys = Keys::read(folder.path()).expect("keys");
        let signature = known.sign(b"text");
        assert_eq!(kind(keys.verify(b"text", &signature)), "proved");
        assert_eq!(kind(keys.verify(b"texT", &signature)), "wrong");
        assert_eq!(kind(keys.verify(b"text", &stranger.sign(b"text"))), "unknown key");
        assert_eq!(kind(keys.verify(b"text", "")), "no signature");
        assert_eq!(kind(keys.verify(b"text", &known.sign_with(b"text", &"x".repeat(5000)))), "no signature");
        assert_eq!(kind(Keys::default().verify(b"text", &signature)), "unknown key");
        // The comment is signed too.
        let told = known.sign_with(b"text", "version 7");
        assert_eq!(kind(keys.verify(b"text", &told.replace("version 7", "version 8"))), "wrong");
    }

    #[test]
    fn there_are_no_keys_where_there_is_no_folder() {
        let keys = Keys::read(Path::new("/nonexistent/trusted-keys")).expect("no keys");
        assert!(keys.is_empty());
    }

    #[test]
    fn keys_that_others_could_put_there_are_refused() {
        for (what, mode) in [("", 0o777), ("", 0o775), ("province.pub", 0o666), ("province.pub", 0o664)] {
            let folder = folder_of(&[("province", &Key::make())]);
            let path = folder.path().join(what);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changes");
            let refused = Keys::read(folder.path()).expect_err("is refused");
            assert!(matches!(&refused, TrustError::Unsafe(_)), "{what} {mode:o}: {refused}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_counts_for_none_and_is_told() {
        let folder = folder_of(&[("province", &Key::make())]);
        fs::write(folder.path().join("README"), "not looked at").expect("writes");
        assert!(Keys::read(folder.path()).is_ok());
        fs::write(folder.path().join("broken.pub"), "untrusted comment: x\nRWQf6LRCGA9i\n").expect("writes");
        assert!(matches!(Keys::read(folder.path()), Err(TrustError::NotAKey(path)) if path.ends_with("broken.pub")));
    }

    proptest! {
        #[test]
        fn no_damaged_signature_is_taken(at in any::<prop::sample::Index>(), by in 1_u8.., cut in any::<bool>()) {
            let key = Key::make();
            let folder = folder_of(&[("province", &key)]);
            let keys = Keys::read(folder.path()).expect("keys");
            let whole = key.sign(b"text");
            // The first line is nobody's word.
            let said = whole.find('\n').expect("lines") + 1;
            let at = said + at.index(whole.len() - said - 1);
            let mut damaged = whole.clone().into_bytes();
            if cut { damaged.truncate(at) } else { damaged[at] = damaged[at].wrapping_add(by) }
            let damaged = String::from_utf8_lossy(&damaged).into_owned();
            prop_assert!(damaged.trim_end() == whole.trim_end() || keys.verify(b"text", &damaged).is_err());
        }

        #[test]
        fn any_text_is_no_signature(text in "\\PC{0,300}") {
            let folder = folder_of(&[("province", &Key::make())]);
            let keys = Keys::read(folder.path()).expect("keys");
            prop_assert!(keys.verify(b"", &text).is_err());
        }
    }
}

//! The accounts file: one account a line, `name:role:hash`, for its owner's eyes only.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::password::{PasswordError, PasswordHash};
use super::role::Role;

/// More are not needed on one box, and less is to be kept in mind.
pub const MOST: usize = 64;
/// A file that is larger is not read.
const MOST_BYTES: u64 = 64 * 1024;

const HEAD: &str = "# Accounts of the status page, written by `edge-agent account`: name:role:hash of the password\n";

/// The name of an account: 1 to 32 of a-z, 0-9, `.`, `-` and `_`, which is the same on every keyboard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(Box<str>);

impl AccountName {
    /// The name, or nothing where it is none.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: u8| letter(byte) || b".-_".contains(&byte);
        let fits = (1..=32).contains(&name.len()) && name.bytes().next().is_some_and(letter) && name.bytes().all(inner);
        fits.then(|| Self(name.into()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// What it is for.
    pub role: Role,
    /// Its password's.
    pub hash: PasswordHash,
}

impl Account {
    fn line(&self) -> String {
        format!("{}:{}:{}\n", self.name, self.role.label(), self.hash)
    }

    /// Another one once anything of the account is another: sessions are held against it.
    #[must_use]
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.line()).into()
    }
}

/// An accounts file that cannot be used, with its cure. Never holds any of a hash.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// It cannot be read.
    #[error("the accounts file {} cannot be read: {error}\n    → edge-agent account add {} NAME --role admin, and let this program's user own it", path.display(), path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read or write it.
    #[error("the accounts file {0} can be read or written by others\n    → chmod 600 {0}")]
    TooOpen(PathBuf),
    /// Far more than accounts.
    #[error("the accounts file {0} is too large\n    → at most {MOST} accounts, nothing else")]
    TooLarge(PathBuf),
    /// A line is wrong.
    #[error("{}:{line}: {what}\n    → write accounts with edge-agent account", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A line's hash is wrong.
    #[error("{}:{line}: {error}\n    → edge-agent account password {} NAME", path.display(), path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        error: PasswordError,
    },
    /// It cannot be written.
    #[error("the accounts file {} cannot be written: {error}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The accounts of a box, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts(Vec<Account>);

impl Accounts {
    /// Reads a file that only its owner may read.
    pub fn read(path: &Path) -> Result<Self, AccountsError> {
        let unreadable = |error| AccountsError::Unreadable { path: path.to_owned(), error };
        let file = std::fs::metadata(path).map_err(unreadable)?;
        if file.permissions().mode() & 0o077 != 0 {
            return Err(AccountsError::TooOpen(path.to_owned()));
        }
        if file.len() > MOST_BYTES {
            return Err(AccountsError::TooLarge(path.to_owned()));
        }
        Self::parse(path, &std::fs::read_to_string(path).map_err(unreadable)?)
    }

    /// What is in a file.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, AccountsError> {
        let mut accounts = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let wrong = |what| AccountsError::Line { path: path.to_owned(), line, what };
            let mut parts = text.splitn(3, ':');
            let (Some(name), Some(role), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(wrong("is not name:role:hash"));
            };
            let name = AccountName::new(name).ok_or_else(|| wrong("the name is not 1 to 32 of a-z, 0-9, . - _"))?;
            let role = Role::from_label(role)
                .ok_or_else(|| wrong("the role is none of viewer, operator, integrator, admin"))?;
            let hash = PasswordHash::parse(hash);
            let hash = hash.map_err(|error| AccountsError::Hash { path: path.to_owned(), line, error })?;
            if accounts.find(name.as_str()).is_some() {
                return Err(wrong("names an account twice"));
            }
            accounts.0.push(Account { name, role, hash });
        }
        if accounts.0.len() > MOST { Err(AccountsError::TooLarge(path.to_owned())) } else { Ok(accounts) }
    }

    /// Writes it whole or not at all, readable for its owner alone. It belongs to whom it belonged to; a new one to
    /// whom its folder belongs to: `account add` may be run by root, and the service reads it.
    pub fn write(&self, path: &Path) -> Result<(), AccountsError> {
        let written = self.write_beside(path).and_then(|()| std::fs::rename(beside(path), path));
        let written = written.and_then(|()| std::fs::File::open(folder(path))?.sync_all());
        written.map_err(|error| AccountsError::Unwritable { path: path.to_owned(), error })
    }

    fn write_beside(&self, path: &Path) -> io::Result<()> {
        let owner = std::fs::metadata(path).or_else(|_| std::fs::metadata(folder(path)))?;
        let beside = beside(path);
        // Left behind by one that was killed.
        let _ = std::fs::remove_file(&beside);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(HEAD.as_bytes())?;
        self.0.iter().try_for_each(|account| file.write_all(account.line().as_bytes()))?;
        if file.metadata()?.uid() != owner.uid() {
            std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.sync_all()
    }

    /// The account of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Account> {
        self.0.iter().find(|account| account.name.as_str() == name)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }

    /// Whether there is room for one more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Adds the account, or takes it for the one of its name.
    pub fn put(&mut self, account: Account) {
        match self.0.iter_mut().find(|known| known.name == account.name) {
            Some(known) => *known = account,
            None => self.0.push(account),
        }
    }

    /// Removes it; `false` where it is not there.
    pub fn remove(&mut self, name: &AccountName) -> bool {
        let before = self.0.len();
        self.0.retain(|account| account.name != *name);
        self.0.len() < before
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, role: Role) -> Account {
        Account { name: AccountName::new(name).expect("a name"), role, hash: PasswordHash::decoy() }
    }

    fn accounts(all: &[(&str, Role)]) -> Accounts {
        Accounts(all.iter().map(|(name, role)| account(name, *role)).collect())
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("accounts");
        let mut written = accounts(&[("an.nguyen", Role::Admin), ("binh", Role::Operator)]);
        written.write(&path).expect("written");
        assert_eq!(Accounts::read(&path).expect("read"), written);
        written.put(account("binh", Role::Viewer));
        assert!(written.remove(&AccountName::new("an.nguyen").expect("a name")));
        written.write(&path).expect("written again");
        let read = Accounts::read(&path).expect("read");
        assert_eq!(read, accounts(&[("binh", Role::Viewer)]));
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1, "nothing is left beside it");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("mode");
        assert!(matches!(Accounts::read(&path), Err(AccountsError::TooOpen(_))));
    }

    #[test]
    fn wrong_lines_are_told_with_their_number_and_without_the_hash() {
        let hash = PasswordHash::decoy();
        for (line, what) in [
            ("an".to_owned(), "is not name:role:hash"),
            (format!("An:viewer:{hash}"), "the name is not"),
            (format!("<b>:viewer:{hash}"), "the name is not"),
            (format!("an:root:{hash}"), "the role is none of"),
            ("an:viewer:hunter2".to_owned(), "is no hash of Argon2id"),
            (format!("an:viewer:{hash}\nan:admin:{hash}"), "names an account twice"),
        ] {
            let error =
                Accounts::parse(Path::new("accounts"), &format!("# one\n\n{line}\n")).expect_err("wrong").to_string();
            let number = 2 + line.lines().count();
            assert!(error.starts_with(&format!("accounts:{number}: {what}")), "{error}");
            assert!(!error.contains("hunter2") && !error.contains(&hash.to_string()), "{error}");
        }
    }

    #[test]
    fn a_changed_account_has_another_fingerprint() {
        let before = account("an", Role::Viewer);
        assert_eq!(before.fingerprint(), before.clone().fingerprint());
        assert_ne!(before.fingerprint(), account("an", Role::Admin).fingerprint());
        let hash = PasswordHash::of("an", &crate::secret::Secret::new("another password")).expect("good");
        assert_ne!(before.fingerprint(), Account { hash, ..before.clone() }.fingerprint());
    }
}

//! Passwords as Argon2id keeps them (RFC 9106), in PHC strings.

use std::fmt;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::Output;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use rustls::crypto::ring;
use zeroize::Zeroize;

use crate::secret::Secret;

/// Fewer are guessed too soon (NIST SP 800-63B-4 asks for 15 where nothing else proves who it is, 8 at least; log-ins here
/// are throttled).
pub const LEAST_CHARS: usize = 12;
/// Longer ones are refused, so that a log-in stays small.
pub(super) const MOST_BYTES: usize = 256;

/// Memory, in KiB, and passes, with one lane: what the OWASP Password Storage Cheat Sheet asks for at least, and a small box
/// can spare beside inference. RFC 9106 §4 names 64 MiB and 3 passes where memory is not scarce. Raising either makes each
/// guess on a stolen file dearer, and every log-in too.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a file may ask of this box for one log-in: hashes that somebody else made may be of other parameters.
const MEMORY_KIB_TAKEN: std::ops::RangeInclusive<u32> = 7 * 1024..=64 * 1024;
const PASSES_TAKEN: std::ops::RangeInclusive<u32> = 1..=8;
const LANES_TAKEN: std::ops::RangeInclusive<u32> = 1..=4;

const SALT_BYTES: usize = 16;

/// Nobody's: its password is not known to exist. Whoever tries a name that is not there waits for it as for any other.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bmdhdHUtc3RhdHVzLXBhZw$MzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM";

/// A password that may not be one, or a hash that may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password has fewer than {LEAST_CHARS} characters")]
    Short,
    /// Too long.
    #[error("the password has more than {MOST_BYTES} bytes")]
    Long,
    /// Little more than one character, or the account's name.
    #[error("the password is the account's name, or one character again and again")]
    Guessable,
    /// Not a PHC string of Argon2id.
    #[error("is no hash of Argon2id ($argon2id$v=19$…)")]
    NotArgon2id,
    /// Parameters that are too weak, or that this box will not spend.
    #[error("is hashed with parameters outside m=7168…65536, t=1…8, p=1…4")]
    Parameters,
    /// The system gave no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// A password's hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(argon2::PasswordHash);

impl PasswordHash {
    /// Hashes a new password for the account `name`. Takes tens of milliseconds of a core, and 19 MiB.
    pub fn of(name: &str, password: &Secret) -> Result<Self, PasswordError> {
        judge(name, password.expose())?;
        let mut salt = [0; SALT_BYTES];
        ring::default_provider().secure_random.fill(&mut salt).map_err(|_| PasswordError::NoRandomness)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("they are within Argon2's bounds");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(password.expose().as_bytes(), &salt);
        Ok(Self(hash.expect("the password is short, the salt is long enough")))
    }

    /// A PHC string that may be used here.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        let hash = argon2::PasswordHash::new(text).map_err(|_| PasswordError::NotArgon2id)?;
        let whole = hash.salt.is_some() && hash.hash.is_some() && hash.version == Some(Version::V0x13.into());
        if hash.algorithm != ARGON2ID_IDENT || !whole {
            return Err(PasswordError::NotArgon2id);
        }
        let params = Params::try_from(&hash).map_err(|_| PasswordError::Parameters)?;
        let taken = MEMORY_KIB_TAKEN.contains(&params.m_cost())
            && PASSES_TAKEN.contains(&params.t_cost())
            && LANES_TAKEN.contains(&params.p_cost());
        if taken { Ok(Self(hash)) } else { Err(PasswordError::Parameters) }
    }

    /// The hash that no password has.
    #[must_use]
    pub fn decoy() -> Self {
        Self::parse(DECOY).expect("it is one")
    }

    /// Whether this is the password. As dear as [`PasswordHash::of`]; compares in constant time.
    #[must_use]
    pub fn is_of(&self, password: &Secret, scratch: &mut Scratch) -> bool {
        let (Ok(params), Some(salt), Some(expected)) = (Params::try_from(&self.0), &self.0.salt, &self.0.hash) else {
            return false;
        };
        let mut found = vec![0; expected.len()];
        let blocks = scratch.blocks(params.block_count());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let made = argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut found, &mut *blocks);
        blocks.iter_mut().zeroize();
        made.is_ok() && Output::new(&found).is_ok_and(|found| found == *expected)
    }
}

/// The memory in which passwords are tried, one after the other. What allocators keep of 19 MiB from each of many threads is
/// a multiple of it; this is as large as the dearest hash that was tried, and holds nothing of the last one.
#[derive(Default)]
pub struct Scratch(Vec<Block>);

impl Scratch {
    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.0.len() < count {
            self.0.resize(count, Block::new());
        }
        &mut self.0[..count]
    }
}

/// As the accounts file holds it.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn judge(name: &str, password: &str) -> Result<(), PasswordError> {
    let first = password.chars().next();
    if password.chars().count() < LEAST_CHARS {
        Err(PasswordError::Short)
    } else if password.len() > MOST_BYTES {
        Err(PasswordError::Long)
    } else if password.eq_ignore_ascii_case(name) || password.chars().all(|c| Some(c) == first) {
        Err(PasswordError::Guessable)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_alone_and_outlives_being_written() {
        let password = Secret::new("Mật khẩu dài của tôi");
        let hash = PasswordHash::of("an", &password).expect("good");
        let read = PasswordHash::parse(&hash.to_string()).expect("as written");
        assert_eq!(hash, read);
        let mut scratch = Scratch::default();
        let mut knows = |password: &Secret| read.is_of(password, &mut scratch);
        assert!(knows(&password) && !knows(&Secret::new("Mật khẩu dài của tôI")) && knows(&password));
        assert_ne!(hash, PasswordHash::of("an", &password).expect("good"), "salted");
        assert!(hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(format!("{hash:?}"), "***");
    }

    #[test]
    fn one_piece_of_memory_serves_hashes_of_any_size_and_keeps_nothing_of_them() {
        let password = Secret::new("correct horse battery");
        let of = |memory_kib, passes, lanes| {
            let params = Params::new(memory_kib, passes, lanes, None).expect("within bounds");
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash =
                argon2.hash_password_with_salt(password.expose().as_bytes(), b"0123456789abcdef").expect("hashes");
            PasswordHash::parse(&hash.to_string()).expect("may be used")
        };
        let mut scratch = Scratch::default();
        for hash in [of(8 * 1024, 1, 1), of(20 * 1024, 2, 4), of(7 * 1024, 3, 2), PasswordHash::decoy()] {
            let is_decoy = hash == PasswordHash::decoy();
            assert_eq!(hash.is_of(&password, &mut scratch), !is_decoy, "{hash}");
            assert!(!hash.is_of(&Secret::new("correct horse batterz"), &mut scratch));
            assert!(scratch.0.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
        }
        assert_eq!(scratch.0.len(), 20 * 1024, "as the dearest needs");
    }

    #[test]
    fn passwords_that_are_guessed_soon_are_refused() {
        let refused = |password: &str| PasswordHash::of("nguyen-van-an", &Secret::new(password)).expect_err("refused");
        assert_eq!(refused("elevenchars"), PasswordError::Short);
        assert_eq!(refused("Nguyen-Van-An"), PasswordError::Guessable);
        assert_eq!(refused("zzzzzzzzzzzzzzz"), PasswordError::Guessable);
        assert_eq!(refused(&"ấ1".repeat(200)), PasswordError::Long);
    }

    #[test]
    fn hashes_that_are_weak_or_would_take_the_box_down_are_refused() {
        let of = |head: &str| PasswordHash::parse(&DECOY.replace("$argon2id$v=19$m=19456,t=2,p=1$", head));
        assert!(of("$argon2id$v=19$m=65536,t=3,p=4$").is_ok(), "RFC 9106's own");
        for head in
            ["$argon2i$v=19$m=19456,t=2,p=1$", "$argon2id$v=16$m=19456,t=2,p=1$", "$argon2id$m=19456,t=2,p=1$", ""]
        {
            assert_eq!(of(head), Err(PasswordError::NotArgon2id), "{head}");
        }
        for head in ["m=4194304,t=2,p=1", "m=64,t=2,p=1", "m=19456,t=100,p=1", "m=19456,t=2,p=200"] {
            assert_eq!(of(&format!("$argon2id$v=19${head}$")), Err(PasswordError::Parameters), "{head}");
        }
        assert_eq!(PasswordHash::parse("hunter2"), Err(PasswordError::NotArgon2id));
    }
}

//! SHA-256 (FIPS 180-4) as messages and files write it: hexadecimal, lower case.

use std::io::{self, BufReader, Read, Write};

use sha2::{Digest, Sha256};

/// Bytes of a file that are in memory at once.
const READ_AT_ONCE: usize = 256 << 10;

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of what is in memory.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of everything that is left to be read, and how many bytes that was; in parts, whatever its size.
///
/// # Errors
/// What reading gives.
pub(crate) fn sha256_of(reader: impl Read) -> io::Result<(String, u64)> {
    let mut digest = Digesting(Sha256::new());
    let bytes = io::copy(&mut BufReader::with_capacity(READ_AT_ONCE, reader), &mut digest)?;
    Ok((hex(&digest.0.finalize()), bytes))
}

struct Digesting(Sha256);

impl Write for Digesting {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.update(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard_however_long_the_file() {
        // FIPS 180-4's examples, as NIST gives them.
        let of = |text: &[u8]| sha256_of(text).expect("memory can be read");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc"), (abc.to_owned(), 3));
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(of(&b"a".repeat(1_000_000)), (million.to_owned(), 1_000_000));
    }
}

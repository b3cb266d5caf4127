//! An archive of a few small files, as `tar` reads it (POSIX.1-1988, `ustar`).

use std::io::{self, Write};

/// Everything in an archive fills blocks of so many bytes.
pub(crate) const BLOCK: usize = 512;
/// The bytes of an archive's end.
pub(crate) const END: usize = 2 * BLOCK;

/// What stands before a plain file of `size_bytes` that only its owner may read; `name` has at most 99 bytes. The same bytes
/// for the same file, whoever writes it.
pub(crate) fn header(name: &str, size_bytes: u64, unix_s: u64) -> [u8; BLOCK] {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size_bytes:011o}\0"));
    put(136, &format!("{unix_s:011o}\0"));
    // The sum is taken with blanks in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Zeros after a file of so many bytes.
pub(crate) fn padding(size_bytes: u64) -> usize {
    (size_bytes.next_multiple_of(BLOCK as u64) - size_bytes) as usize
}

/// Writes files one after the other.
pub(crate) struct Archive<W> {
    out: W,
    unix_s: u64,
}

impl<W: Write> Archive<W> {
    /// `unix_s` is the time that its files carry.
    pub(crate) fn new(out: W, unix_s: u64) -> Self {
        Self { out, unix_s }
    }

    /// Adds a file that only its owner may read; `name` has at most 99 bytes.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let size = content.len() as u64;
        self.out.write_all(&header(name, size, self.unix_s))?;
        self.out.write_all(content)?;
        self.out.write_all(&[0; BLOCK][..padding(size)])
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; END])?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tar_reads_what_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.tar");
        let mut archive = Archive::new(std::fs::File::create(&path).expect("creates"), 1_800_000_000);
        let large = "x".repeat(5 * BLOCK);
        for (name, content) in [("a/one.txt", "một\n"), ("a/none", ""), ("a/large", &large)] {
            archive.add(name, content.as_bytes()).expect("writes");
        }
        archive.finish().expect("writes");
        let unpacked = std::process::Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(folder.path()).status();
        assert!(unpacked.expect("tar is there").success());
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("unpacked");
        assert_eq!((read("a/one.txt"), read("a/none"), read("a/large")), ("một\n".to_owned(), String::new(), large));
    }
}
